"""What each framework means by a convolution, a pool and their padding.

`frameworks` is a table of facts, one row a framework and one field a rule in which they differ.
`padding` turns padding words into (before, after) pairs, `transposed` finds the pads and the
output_padding of a transposed layer, and `weight_layout` is the order of a weight's axes in a file.

Here belong the rules that depend on a framework; how a layer type uses them is for `layers`.  No
shape depends on a framework's name: the layers read the table's fields.
"""
