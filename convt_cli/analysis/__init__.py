"""What can be asked of a network and its numbers: is it right, what does it do, what undoes it.

`coverage` counts what C reads and writes, in integers alone.  `spectrum` finds the largest and
the smallest singular value of C, `verify` holds the routes to C x and Cᵀ y against each other
and against other libraries, and `invert` solves A x = y.  Here nothing is printed or written:
`reports` turns the frozen values that come back into tables.
"""
