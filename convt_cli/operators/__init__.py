"""The convolution on numbers: C as a sparse matrix, C and Cᵀ without it, and weights by rule.

`arguments` turns what a Python caller gives into a `Convolution`; every other module takes one and
applies it to arrays, in the working dtype of `dtypes`; `fills` makes weights where there are none.
`matrix_free` applies C and Cᵀ by `tiles`, in `threads`, each tile with one of the `kernels`.
`zero_insert` computes the transposed convolution as an ordinary one over the stretched input,
`padding` does reflection and the like, `routes` names the ways to one result, and `pooling` has
the pools and their adjoints.  `functions` and `operator` are C and Cᵀ as Python callers know them.

Two rooms lie inside: `matrix` builds C, the definition, and `kernels` are the loops of the fast
way without it.

State that outlives a call (cached plans, scratch memory, a pool of threads) is listed in `caches`:

    from convt_cli.operators.caches import clear_caches   # empties all of it
    from convt_cli.operators.threads import tiles_at_once
    with tiles_at_once(1): ...                            # no pool: one tile after the other
"""
