"""Convolution arithmetic in Python integers alone: no arrays, no files, no YAML.

`axis` holds the one relation per spatial axis, `windows` makes axes of sizes and pads, and
`convolution` is the product of axes that is a matrix; `padding_modes` says where its padding reads
from.  `keys` are the kinds of value that a layer's keys take, `spans` the source positions that a
position reads.  `averages` and `sampling` compare what two layers of one size compute.  `network`
joins layers into a graph.

Three rooms lie inside.  `dialects` is what each framework means, `layers` gives every layer type
its shape rule, and `questions` are what can be asked of sizes, layers and networks.  What is wrong
with a layer is a `GeometryError` with the name of the field at fault.
"""
