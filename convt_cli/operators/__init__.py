"""The convolution on numbers: C as a sparse matrix, C and Cᵀ without it, and weights by rule.

Every module takes a `Convolution` of integers and applies it to arrays; none derives a shape.
`matrix` is the definition, made of `matrix_bands` of `matrix_rows`.  `direct` applies C and Cᵀ by
`tiles`, in `threads`, each with the kernel that `choice` finds cheapest: `gather`, `rows`,
`scatter` or `taps`.  Their `products` are cut as `blas` does them best, and `views` say where
combs read and write.  `zero_insert` is the transposed convolution as an ordinary one over the
stretched input, `pooling` the pools and their adjoints, and `functions` are C and Cᵀ as Python
callers know them.
"""
