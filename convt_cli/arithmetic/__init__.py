"""Convolution arithmetic in Python integers alone: no arrays, no files, no YAML.

`axis` holds the one relation per spatial axis, `windows` makes axes of sizes and pads, and
`convolution` is the product of axes that is a matrix.  `frameworks` is what each framework means,
and `padding` and `transposed` turn words and output sizes into pads by it.  `layers` gives every
layer type its shape rule, `network` joins layers into a graph and `receptive` follows positions
back through it.  `solver` and `closing` ask the other way round, from sizes to layers and inputs,
`comparison` holds one layer under two frameworks, and `combs` are the results of an axis that
read alike.  Everything raises `GeometryError` with the name of the field at fault.
"""
