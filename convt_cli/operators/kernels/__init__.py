"""How C x and Cᵀ y are computed without C: one module a kernel, and what they share.

`im2col` gathers what windows read into a matrix and multiplies once, `rows` multiplies views of a
gathered row, `col2im` multiplies first and adds the products up where they belong, and `taps` adds
tap by tap.  `choice` estimates what each costs and takes the cheapest.  `polyphase` groups the
results of an axis that share taps, `products` cuts matrix products as `blas` does them best,
`views` say where sources and results lie, and `scratch` is memory that is used again.

Here belongs what makes the convolution fast.  What it computes is said by `operators.matrix`.
"""
