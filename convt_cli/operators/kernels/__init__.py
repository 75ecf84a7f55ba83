"""The kernels: C x and Cᵀ y computed without C, one module each, and what they share.

`im2col` copies what the windows read into a matrix and multiplies once, `rows` does so for each
row of the result with views of the copies, `col2im` multiplies first and then adds the products
up at their positions, and `taps` adds tap by tap.  Each is a `Kernel` (`kernel`): its loop, what
it costs for a `Workload`, and what it copies stand in one module, and `KERNELS` lists them all.
`choice` takes the cheapest.  `polyphase` decomposes an axis into branches of results that share
taps, `products` cuts matrix products into pieces that BLAS multiplies fast (`blas` tells which),
`views` computes indices, and `scratch` is memory that is used again.

Here belongs what makes the convolution fast.  What it computes is defined in `operators.matrix`.
"""

from __future__ import annotations

from convt_cli.operators.kernels.col2im import Col2im
from convt_cli.operators.kernels.im2col import FullIm2col, PartialIm2col
from convt_cli.operators.kernels.kernel import Kernel
from convt_cli.operators.kernels.rows import Rows
from convt_cli.operators.kernels.taps import Taps

KERNELS: tuple[type[Kernel], ...] = (PartialIm2col, FullIm2col, Rows, Taps, Col2im)
"""All kernels.  Of several that cost the same the first is taken."""
