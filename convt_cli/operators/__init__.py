"""The convolution on numbers: C as a sparse matrix, C and Cᵀ without it, and weights by rule.

`arguments` make a `Convolution` of what a Python caller gives; every other module takes one and
applies it to arrays, in the working dtype of `dtypes`; `fills` are weights where there are none.
`matrix_free` applies C and Cᵀ by `tiles`, in `threads`, each tile with one of the `kernels`.
`zero_insert` is the transposed convolution as an ordinary one over the stretched input, `padding`
does reflection and the like, `routes` name the ways to one result, and `pooling` has the pools and
their adjoints.  `functions` and `operator` are C and Cᵀ as Python callers know them.

Two rooms lie inside: `matrix` builds C, the definition, and `kernels` are the loops of the fast
way without it.
"""
