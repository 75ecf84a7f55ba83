"""The kernels: C x and Cᵀ y computed without C, one module each, and what they share.

`im2col` copies what the windows read into a matrix and multiplies once, `rows` does so for each
row of the result with views of the copies, `col2im` multiplies first and then adds the products
up at their positions, and `taps` adds tap by tap.  `choice` estimates what each costs and takes
the cheapest.  `polyphase` decomposes an axis into branches of results that share taps, `products`
cuts matrix products into pieces that BLAS multiplies fast (`blas` tells which), `views` computes
indices, and `scratch` is memory that is used again.

Here belongs what makes the convolution fast.  What it computes is defined in `operators.matrix`.
"""
