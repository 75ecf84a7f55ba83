"""What can be asked of a network and its numbers: is it right, what does it do, what undoes it.

`coverage` counts what C reads and writes, in integers alone.  `spectrum` finds the largest and
the smallest singular value of C, by `symbol`, `iteration` or `definite`; `verify` holds the routes
to C x and Cᵀ y against each other and, by `peers`, against other libraries; `invert` solves
A x = y.  A `step` is a layer's action on numbers with its way back, by one of the `rules`; `steps`
are those of every type, `activations` among them, and `run` takes an image through them, for
`reconstruct` and `stimulus`.  Here nothing is printed or written: `reports` turns the frozen
values that come back into tables.
"""
