"""Convolution arithmetic in Python integers alone: no arrays, no files, no YAML.

- `axis`: the one relation between input and output positions, per spatial axis.
- `windows`: a window on every axis, and the axes made from sizes and pads.
- `convolution`: the product of axes that is the matrix C; `padding_modes`: what its padding reads.
- `keys`: the kinds of value that a layer's keys take.
- `spans`: which positions of its source a position reads.
- `averages`, `sampling`: whether two pools, or two upsamples, of equal sizes compute the same.
- `network`: layers joined into a graph.
- `vocabulary`: the words and defaults that commands offer and the code below takes.

Three rooms lie inside: `dialects` holds what each framework means, `layers` the keys and the shape
rule of every layer type, and `questions` what can be asked of sizes, layers and networks.  A layer
with a mistake raises a `GeometryError` that names the field at fault.
"""
