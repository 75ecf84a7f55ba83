"""What can be asked of a network and its numbers: is it right, what does it do, what undoes it.

`coverage` counts what C reads and writes, in integers alone, and `phases` judges a convolution
together with a pixel shuffle.  `verify` holds the routes to C x and Cᵀ y against each other and, by
`peers`, against other libraries; `invert` solves A x = y, and `linear_map` is A for SciPy.

Two rooms lie inside: `singular` finds singular values, and `backward` runs a network forward and
takes signals back down.  Here nothing is printed or written: `reports` turns the frozen values that
come back into tables.
"""
