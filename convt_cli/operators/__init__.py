"""The convolution on numbers: C as a sparse matrix, C and Cᵀ without it, and weights by rule.

`arguments` make a `Convolution` of what a Python caller gives; every other module takes one and
applies it to arrays, in the working dtype of `dtypes`; `fills` are weights where there are none.
`matrix` is the definition, made of `matrix_bands` of `matrix_rows`.  `direct` applies C and Cᵀ by
`tiles`, in `threads`, each with the kernel that `choice` finds cheapest: `gather`, `rows`,
`scatter` or `taps`.  Their `products` are cut as `blas` does them best, and `views` say where
combs read and write.  `zero_insert` is the transposed convolution as an ordinary one over the
stretched input, `folded` does padding by reflection and the like, `routes` name the ways to one
result, `pooling` has the pools and their adjoints, and `entries` read a small C.  `functions` and
`operator` are C and Cᵀ as Python callers know them; `scratch` is memory that is used again.
"""
