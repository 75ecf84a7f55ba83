"""A network run forward on arrays, and signals taken back down through it.

A `step` is a layer applied to arrays together with its way back, by one of the rules of
`arithmetic.vocabulary`.  `layers` has the steps of every layer type, `activations` those of
element-wise functions, `resizing` those of upsamples, and `parameters` reads the weights and biases
they need; `notes` says what was assumed.  `run` takes images forward through a network and signals
back, for `reconstruct` and `stimulus`.

Code that computes with whole networks belongs here; one convolution alone is for `operators`.
"""
