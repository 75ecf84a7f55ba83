"""What each framework means by a convolution, a pool and their padding.

`frameworks` is a table of facts, one row a framework and one field a rule in which they differ.
`padding` turns padding words into (before, after) pairs, `transposed` finds the pads and the
output_padding of a transposed layer, and `weight_layout` is the order of a weight's axes in a file.

Here belongs all that depends on a framework.  What a layer type does with it is for `layers`; a
framework's name is asked for nowhere else in the arithmetic.
"""
