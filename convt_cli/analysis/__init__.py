"""Numerical analyses of layers and networks: checks, singular values, inverses, signals back.

`coverage` counts how often C reads each input, in integers alone, and `phases` finds checkerboards
of a convolution with a pixel shuffle behind it.  `verify` compares the routes to C x and Cᵀ y with
each other and, through `peers`, with other libraries; `invert` solves A x = y, and `linear_map` is
A as a SciPy operator.  `forward` runs a network on arrays.

The package `singular` finds singular values; `backward` runs a network forward and takes signals
back down to its input; `diagnose` judges arrays that another tool made, by proved bounds.  Nothing
here prints or writes: the functions return frozen values, which `reports` turns into tables.
"""
