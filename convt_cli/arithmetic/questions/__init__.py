"""What can be asked of sizes, layers and networks, beyond their shapes.

`receptive` follows positions back to the input, through `traces` of one axis and, where elements
are given another shape, `reshapes`.  `solver` finds the layers that lead from one size to another,
`closing` the input sizes at which a network fits together, as `size_sets`.  `comparison` reads one
layer by the rules of several frameworks, `disagreements` are what the tools of one framework say
differently, and `guide` has the fifteen relationships of Dumoulin and Visin.

Here belong questions whose answers no other arithmetic needs.  How an answer looks is for
`reports`.
"""
