"""Convolution arithmetic in Python integers alone: no arrays, no files, no YAML.

`axis` holds the one relation per spatial axis, `windows` makes axes of sizes and pads, and
`convolution` is the product of axes that is a matrix.  `padding` and `frameworks` turn words
into pads, `layers` gives every layer type its shape rule, `network` joins layers into a graph
and `receptive` follows positions back through it.  Everything raises `GeometryError` with the
name of the field at fault.
"""
