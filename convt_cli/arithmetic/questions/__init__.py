"""What can be asked of sizes, layers and networks, beyond their shapes.

- `receptive`: which positions of the input a position of a layer depends on; `traces` follows one
  axis, `reshapes` follows elements into another shape.
- `solver`: the layers that lead from one size to another, among the values that `bounds` allows.
- `closing`: the input sizes at which a network fits together, as `size_sets`.
- `comparison`: one layer read by the rules of several frameworks; `disagreements` are the points
  on which the tools of one framework differ.
- `difference`: what differs between two networks; `matching` says which layers are the same, and
  `facts` what is known of a layer, however it is written.
- `guide`: the fifteen relationships of Dumoulin and Visin.

Here belong questions whose answers no other arithmetic needs.  How an answer looks is for
`reports`.
"""
