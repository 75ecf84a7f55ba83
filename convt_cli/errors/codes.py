"""What each diagnostic code means: the rule, why it holds and how to mend it.

Codes come in families: E0 the text of a spec, E1 its layers, E2 what `check` finds, E3 arrays
and weights, E4 files, E5 the request and the machine; W0 is legal, and likely not what is meant.
"""

from __future__ import annotations

from typing import NamedTuple


class Explanation(NamedTuple):
    """The rule in one line, and a paragraph that says why it holds."""

    rule: str
    reason: str


EXPLANATIONS: dict[str, Explanation] = {
    "E001": Explanation(
        "a spec is UTF-8 text",
        "The file holds bytes that are not UTF-8, or characters that no YAML file may hold. "
        "The message gives the offset of the first one.  A byte order mark is accepted, and "
        "UTF-16 that begins with one; convert anything else, for example with `iconv -t UTF-8`.",
    ),
    "E002": Explanation(
        "a spec is well-formed YAML",
        "The text breaks YAML's own grammar at the place shown: most often a tab used for "
        "indentation, a bracket left open, or a missing space after a colon.",
    ),
    "E003": Explanation(
        "anchors, aliases and merge keys are not used in a spec",
        "`&name`, `*name` and `<<` let a short file stand for an enormous one.  Use `defaults:` "
        "to say once what the layers of a type have in common.",
    ),
    "E004": Explanation(
        "tags are not used in a spec",
        "`!tag` asks a YAML reader to build something other than numbers, words, lists and "
        "mappings.  Leave the tag out; quote the value to make it a string.",
    ),
    "E005": Explanation(
        "a key stands once in a mapping",
        "YAML readers disagree on which of two equal keys wins, so neither does.  Remove one.",
    ),
    "E006": Explanation(
        "a spec is one YAML document",
        "One file describes one network.  Put the text after the second `---` into its own file.",
    ),
    "E007": Explanation(
        "a spec stays within bounds",
        "At most 4 MiB of text, 32 levels of nesting and 500,000 values, so that no file can "
        "exhaust the machine, and 1,000 problems, which nobody reads to the end.  Keep large "
        "weights in a .npy or .npz file and name it.",
    ),
    "E008": Explanation(
        "a spec is a mapping with `input` and `layers`",
        "The smallest spec is `input: [1, 28, 28]` and a list `layers:` with one layer.",
    ),
    "E101": Explanation(
        "only known keys are read",
        "An unknown key is refused rather than ignored, because a misspelt `paddding` that "
        "counts as 0 costs more than an error.  The message lists the keys of this place.",
    ),
    "E102": Explanation(
        "required keys are given",
        "Some keys have no sensible default: a convolution without out_channels or kernel_size "
        "has no shape.",
    ),
    "E103": Explanation(
        "a value has its key's kind",
        "Integers follow YAML 1.2: `010` is ten, `0x10` is sixteen; `3:30`, `1_000`, `3.0`, "
        "`1e3` and `yes` are not integers.  true and false are not numbers.",
    ),
    "E104": Explanation(
        "words come from a fixed list",
        "Types, padding words, padding modes and frameworks are looked up exactly as written.",
    ),
    "E105": Explanation(
        "output_padding must be smaller than stride or dilation",
        "A direct convolution gives the same output size for `stride` neighbouring input sizes; "
        "output_padding picks one of them, so 0 to stride - 1 cover every case.  PyTorch and "
        "ONNX also accept values below the dilation; JAX and Caffe have no output_padding.",
    ),
    "E106": Explanation(
        "one number for every spatial axis",
        "A key such as kernel_size takes one integer for all spatial axes, or a list with one "
        "entry per axis of the layer's input.",
    ),
    "E107": Explanation(
        "a number stays within its range",
        "Sizes, strides and dilations are at least 1, paddings at least 0, and no number is "
        "larger than 2^53.",
    ),
    "E108": Explanation(
        "`from` names an earlier layer or an input",
        "A network is read from top to bottom and has no cycles: a source must stand above.",
    ),
    "E109": Explanation(
        "names are unique",
        "`from`, `--layer` and the tables refer to layers by name, so no two share one.",
    ),
    "E110": Explanation(
        "the window must fit into the padded input",
        "A window of effective size dilation * (kernel_size - 1) + 1 has no position when the "
        "input with its padding is smaller.  Pad more, shrink the kernel, or check the sizes "
        "above this layer.",
    ),
    "E111": Explanation(
        "groups divide the channels",
        "A grouped convolution splits its input and its output channels into equal parts, and a "
        "group_norm its channels.  A prelu has one slope, or one per channel or per element.",
    ),
    "E112": Explanation(
        "an output has at least one element",
        "A transposed convolution gives (input - 1) * stride + effective kernel - padding + "
        "output_padding; where padding takes all of it, nothing is left.  Nor is it where a crop "
        "takes off the whole input, where a slice ends before it begins, or where a scale_factor "
        "below 1 leaves less than one element.",
    ),
    "E113": Explanation(
        "a padding word must have a meaning in the framework",
        "`valid`, `half`, `full` and `causal` mean the same everywhere.  `same` and "
        "`same_lower` follow the framework: PyTorch has `same` for convolutions with stride 1 "
        "only, Caffe has neither.  Write the padding as [before, after] pairs instead.",
    ),
    "E114": Explanation(
        "declared and actual channels agree",
        "in_channels is optional and checked: it must equal the channels of the source.  So is "
        "a linear's in_features: it must equal the size of its source.",
    ),
    "E115": Explanation(
        "sources fit together",
        "`add` and `mul` take sources of one shape (or size 1, which broadcasts); `concat` takes "
        "sources that differ along its axis alone.  Where a stride has rounded a size down, an "
        "output_size on the way back up restores it, and `convt solve --sizes SPEC` finds the "
        "input sizes at which nothing is rounded.  A crop that is `like` another layer needs a "
        "source as large as that layer behind its offset.",
    ),
    "E116": Explanation(
        "what padding reads limits the padding",
        "`reflect` needs a padding smaller than the input and `circular` one at most as large, "
        "for each row is read from the input itself.  No such mode crops, and one that would read "
        "very many elements around a small input is refused.  A pad's mode has the same limits.",
    ),
    "E117": Explanation(
        "a pool's padding is less than its kernel",
        "A window that lies in the padding altogether has no maximum.  PyTorch refuses a padding "
        "above kernel_size // 2 (the undilated kernel), ONNX and Caffe one of kernel_size or more.",
    ),
    "E118": Explanation(
        "output_size must be one the layer can reach",
        "The transposed convolution reaches `stride` sizes per axis: the smallest, with "
        "output_padding 0, up to stride - 1 more.  A max_unpool reaches those within a stride of "
        "the size that undoes its pool, and the library's output_size is at most the derived one.",
    ),
    "E119": Explanation(
        "the layer's input has the rank it needs",
        "An input is [channels, *spatial] with up to 3 spatial axes, and convolutions and pools "
        "need one; `linear` needs a single axis, so put `flatten` before it, or say with `axis` "
        "along which of several it acts.  A crop has as many as what it is like.  The mode of an "
        "upsample belongs to a number of axes: bilinear to two.  A reshape gives at most 8.",
    ),
    "E120": Explanation(
        "a reshape keeps the number of elements",
        "The product of the new sizes equals the product of the old; one -1 is filled in.",
    ),
    "E121": Explanation(
        "a weight has the shape its layer says",
        "In PyTorch, ONNX and Caffe a conv's is (out_channels, in_channels / groups, "
        "*kernel_size) and a conv_transpose's (in_channels, out_channels / groups, *kernel_size); "
        "in TensorFlow, Keras and JAX kernel_size comes first and the channels stand behind it.  "
        "A linear's is (out_features, in_features), and a bias or a scale "
        "has one number per channel.  The message says which shape is wanted here.",
    ),
    "E122": Explanation(
        "two keys exclude each other",
        "output_padding and output_size both choose among the sizes a transposed convolution "
        "reaches, scale_factor and output_size both say how large an upsample gets, padding and "
        "like what a crop leaves; give one.  A norm with `affine: false` has no weight and no "
        "bias.",
    ),
    "E124": Explanation(
        "stride and dilation exclude each other in some frameworks",
        "TensorFlow and Keras take a window with a stride or with a dilation above 1, not both.",
    ),
    "E125": Explanation(
        "the framework has what the layer asks for",
        "Some keys, and some of their values, belong to certain frameworks: transpose_kernel to "
        "JAX, the dilation of an average pool to ONNX, ceil_mode to PyTorch, ONNX and Caffe, "
        "padding modes other than zeros to PyTorch (those of a pad to PyTorch, ONNX and JAX, "
        "reflect to TensorFlow and Keras, too), an lrn over an even number of channels to PyTorch, "
        "opset to ONNX; Caffe's slices have no step.  So do some layers: max_unpool "
        "to PyTorch and ONNX, adaptive pools to PyTorch and Keras (elsewhere only those that are "
        "a plain pool are legal), and the modes of upsample on one, two or three axes.",
    ),
    "E126": Explanation(
        "a factor divides what it splits",
        "pixel_shuffle with factor r turns every r^2 channels (r^n on n spatial axes) into a "
        "square of r by r positions, and pixel_unshuffle turns such squares into channels: there "
        "has to be a whole number of them.",
    ),
    "E127": Explanation(
        "axes are named once each",
        "axes is a permutation: entry n says which axis of the source becomes axis n, and 0 is "
        "the channels.  [0, 2, 1] exchanges height and width.  So are the axes of an array under "
        "`from:` of a weight, which has no batch axis, and the normalized_axes of a layer_norm.",
    ),
    "E201": Explanation(
        "`expect` is the layer's output shape",
        "The shape that follows from the arithmetic differs from the one the spec expects. "
        "`convt table SPEC` shows the formula with its numbers put in, axis by axis, and "
        "`convt solve` finds the layers that lead from one size to another.",
    ),
    "E301": Explanation(
        "an array has the layer's shape",
        "Arrays are (channels, *spatial), may have a batch axis in front, or be flat in "
        "row-major order.  Where a command has --layout, channels_last takes (*spatial, channels).",
    ),
    "E302": Explanation(
        "an array holds numbers convt can compute with",
        "Integers, floats and complex numbers; not bool, text, dates, records or pickled objects, "
        "and not the floats of 8 bits and less, which NumPy has not: save them as float32.  "
        "In a text file, only numbers that are kept: no whole number beyond 64 bits, and among "
        "decimals none that float64 cannot hold.  A picture has 8 bits a channel, or is grey with "
        "16, and is one picture.",
    ),
    "E303": Explanation(
        "an array file is whole and well-formed",
        "The file is cut short, corrupt, or not of the format its name says.",
    ),
    "E304": Explanation(
        "an integer result fits its dtype",
        "Integers are summed in 64 bits; a result past the result's dtype is refused rather "
        "than wrapped.  Compute in a wider dtype: with --dtype where the command has it, else by "
        "converting the input or the weight.",
    ),
    "E305": Explanation(
        "a bias belongs to the layer's own action",
        "conv adds its bias to Cx, conv_transpose to Cᵀy.  The other direction has none.",
    ),
    "E401": Explanation(
        "a file can be read",
        "It is missing, a folder, a pipe where a file is wanted, or permission is denied; its "
        "name does not end as a format that is read; or it holds nothing by the name behind the "
        "#: no such array of an .npz, no such constant of a model.",
    ),
    "E402": Explanation(
        "a file can be written",
        "The folder is missing or read-only, the disk is full, or the name does not end as a "
        "format that is written.  Outputs are written whole or not at all: what stood there before "
        "still stands.  Binary data is not written to a terminal.",
    ),
    "E403": Explanation(
        "an existing file is not overwritten",
        "Pass --force to replace it; a Makefile target always does.",
    ),
    "E404": Explanation(
        "a weight file lies in the spec's folder",
        "A spec from elsewhere must not read files of yours, so a reference may not leave the "
        "folder of its spec, by `..`, an absolute path or a link.  --allow-outside lifts this.",
    ),
    "E405": Explanation(
        "an ONNX model is whole and well-formed",
        "The file is cut short, corrupt, or no ONNX model; or it contradicts itself: a tensor "
        "with fewer bytes than its sizes need, a name that is given twice or never, nodes that "
        "depend on themselves, a name that is not UTF-8.",
    ),
    "E406": Explanation(
        "no output is an input of the same command",
        "What was read would be lost, so --force does not help.  Every file that the command reads "
        "counts, by whatever name: specs, those of a folder too, the weight files that they name, "
        "arrays, archives, pictures, models and their data, and what standard input comes from.  "
        "Neither can two outputs be one file.",
    ),
    "E501": Explanation(
        "the result fits into memory",
        "Sizes are known before anything is allocated; what would not fit is refused.",
    ),
    "E502": Explanation(
        "the layer is named where there are several",
        "Commands that work on one convolution take --layer NAME.",
    ),
    "E503": Explanation(
        "the options fit together",
        "An option was given a value outside its range, or two options exclude each other; or "
        "--input has another number of axes than the input whose place it takes.",
    ),
    "E504": Explanation(
        "what a command needs is installed",
        "Some formats are read by packages that convt does not install by itself.  The message "
        "names the extra that brings them.",
    ),
    "E505": Explanation(
        "what an imported node does can be said in a spec",
        "Some ONNX operators have no layer type whose shapes are theirs, and none that moves the "
        "batch axis has one.  --partial keeps all layers that do not depend on such a node.",
    ),
    "E506": Explanation(
        "the inputs of an imported model are images of known sizes",
        "A spec's input is [channels, *spatial] with 1 to 3 spatial axes.  Where the model leaves "
        "its sizes open, give them with --input.",
    ),
    "E507": Explanation(
        "every layer in the way can be computed",
        "A run needs the numbers of every layer up to the one that is wanted: a batch_norm without "
        "running_mean and running_var, a group_norm without num_groups and what only stands for an "
        "operation have none.  Going down from a layer to the input, every layer in between is "
        "passed backwards: what only stands for an operation has no way back; deconvnet has none "
        "through smooth functions such as sigmoid, softmax and the norms that look at their input, "
        "and without an image a stimulus goes through linear layers alone.",
    ),
    "W001": Explanation(
        "channels come first in an input",
        "An input is [channels, *spatial] in every framework, Keras, TensorFlow and JAX included.  "
        "[224, 224, 3] is 224 channels of 224 by 3 pixels, which is legal, so that all shapes "
        "behind it are right for another network.  The warning is given for two or three sizes of "
        "16 or more and then 1, 3 or 4.  Where this is meant, in_channels in a layer that reads "
        "the input says so.",
    ),
    "W002": Explanation(
        "an input has no batch axis",
        "[1, 3, 224, 224] is 1 channel of 3 by 224 by 224 voxels, which is legal, and likely one "
        "image of 3 channels.  Shapes are those of one item; arrays may have a batch axis in "
        "front.  The warning is given for four sizes that begin with 1 and go on with 1, 3 or 4, "
        "or with an image whose channels come last.  Where this is meant, in_channels in a layer "
        "that reads the input says so.",
    ),
    "W003": Explanation(
        "a part of the model is left out",
        "With --partial a network holds what a spec can say of the model.  The message counts the "
        "nodes that are missing, with all that depend on them, and names the first causes; totals "
        "of parameters and multiply-adds are without them.  Without --partial every cause is an "
        "error (E505, or the code of the rule that is broken).",
    ),
    "W004": Explanation(
        "the network differs from its model",
        "A layer that stands for an operation has its shapes and not its numbers: shapes and "
        "receptive fields are the model's, values behind it are not.  Numbers that a model "
        "computes, and does not keep as a weight, are missing in the layer.  The message counts "
        "each kind; `convt import` lists them all, and the layers have `stands_for`.",
    ),
}
