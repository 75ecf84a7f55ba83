#!/bin/sh
# What jq gets out of convt's JSON, one question each.
# Run it from the project's folder, with convt and jq on the PATH.
set -eu

# How many parameters does each network have?
convt shapes configs/lenet5.yaml configs/alexnet.yaml configs/zfnet.yaml configs/vgg16.yaml --format json |
    jq -r '.networks[] | "\(.name): \([.layers[].parameters] | add) parameters"'

# Which are the five largest layers of VGG-16, and what share of the parameters do they have?
echo
convt shapes configs/vgg16.yaml --format json | jq -r '
    .networks[].layers
    | (map(.parameters) | add) as $total
    | sort_by(-.parameters)[:5][]
    | "\(.name) (\(.type)): \(.parameters), \(100 * .parameters / $total | round)%"'

# Which layers of a U-Net give more numbers than they take?
echo
convt shapes configs/unet.yaml --format json | jq -r '
    def numbers: reduce .[] as $size (1; . * $size);
    .networks[].layers[]
    | select((.output | numbers) > ([.inputs[] | numbers] | add))
    | "\(.name) grows from \(.inputs | tojson) to \(.output | tojson)"'

# What share of C, the matrix of a layer of ZF Net, is not zero?
echo
convt shapes configs/zfnet.yaml --format json | jq -r '
    def numbers: reduce .[] as $size (1; . * $size);
    .networks[].layers[]
    | select(.nnz)
    | "\(.name): \(10000 * .nnz / (.output | numbers) / (.inputs[0] | numbers) | round / 100)%"'

# Which networks cannot take an image of 32 by 32, and why not?
echo
convt shapes configs/alexnet.yaml configs/zfnet.yaml configs/resnet18.yaml configs/vgg16.yaml \
    --input 3,32,32 --format json 2>/dev/null |
    jq -r '.problems[] | "\(.spec): \(.layer): \(.message)"'

# Which kernels and paddings take 4 to 8 with stride 2, as a generator needs it?
echo
convt table --type conv_transpose --input-size 4 --kernel-size 2..5 --stride 2 --padding 0..2 \
    --output-padding 0,1 --format json | jq -r '
    .rows[] | select(.output_size == 8)
    | "kernel_size \(.kernel_size), padding \(.padding), output_padding \(.output_padding)"'

# Does ResNet-50 keep to a budget of five billion multiply-adds?  With -e it is jq's exit status.
echo
if convt shapes configs/resnet50.yaml --format json |
    jq -e '[.networks[].layers[].multiply_adds] | add <= 5e9' >/dev/null; then
    echo "configs/resnet50.yaml is within the budget"
fi
