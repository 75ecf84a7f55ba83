"""A network run forward on arrays, and signals taken back down through it.

A `step` is a layer's action on numbers with its way back, by one of the `rules`; `layers` are the
steps of every layer type, with those of `activations`, and `parameters` the numbers they need.
`run` takes an image through them, for `reconstruct` and `stimulus`.

Here belongs what computes with whole networks.  One convolution by itself is for `operators`.
"""
