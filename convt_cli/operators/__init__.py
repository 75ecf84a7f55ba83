"""The convolution on numbers: C as a sparse matrix, C and Cᵀ without it, and weights by rule.

Every module takes a `Convolution` of integers and applies it to arrays; none derives a shape.
`matrix` is the definition.  `direct` gathers or scatters tap by tap around one matrix product,
`zero_insert` is the transposed convolution as an ordinary one over the stretched input, and
`functions` are the three as Python callers know them.
"""
