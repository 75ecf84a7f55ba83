"""Convolution arithmetic in Python integers alone: no arrays, no files, no YAML.

`axis` holds the one relation per spatial axis, `windows` makes axes of sizes and pads, and
`convolution` is the product of axes that is a matrix; `folding` is where its padding reads.
`kinds` are the values of a layer's keys, `assumptions` the numbers it has no key for, and
`weight_layout` is the order of its numbers in a file.  `frameworks` is what each framework means,
and `padding` and `transposed` turn words and output sizes into pads by it.  `layers` gives every
layer type its shape rule, `network` joins layers into a graph and `receptive` follows positions
back through it.  `solver` and `closing` ask the other way round, from sizes to layers and inputs,
`comparison` holds one layer under two frameworks and `dissent` the tools of one, `relationships`
are the guide's, `spans` and `progressions` sets of positions and sizes, and `combs` the results of
an axis that read alike.  What is wrong with a layer is a `GeometryError` with the name of the field
at fault.
"""
