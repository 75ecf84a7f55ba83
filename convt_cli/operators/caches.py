"""The state of this process that outlives a call, and the one function that empties it.

A small layer takes less time than planning it, so plans are cached: convolutions by their
arguments, parts and branches of axes, the choice of a kernel, the sums of `col2im`, the runs of
rows of C.  Every thread keeps the scratch memory of its last tiles, and the default pool keeps
its threads.  All of it is bounded, and no result depends on it.

Here belongs nothing but that list.  Each cache stands beside the function that fills it.
"""

from __future__ import annotations

from convt_cli.arithmetic.axis import Axis
from convt_cli.operators.arguments import clear_cached_convolutions
from convt_cli.operators.kernels.blas import multiplies_small_products_in_place
from convt_cli.operators.kernels.choice import cheapest
from convt_cli.operators.kernels.col2im import summation_plan
from convt_cli.operators.kernels.polyphase import forward_branches, transpose_branches
from convt_cli.operators.kernels.scratch import release_scratch
from convt_cli.operators.matrix.row_runs import axis_runs
from convt_cli.operators.threads import close_default_pool
from convt_cli.operators.tiles import part_of_axis

_CACHED_FUNCTIONS = (
    Axis.entries,
    part_of_axis,
    forward_branches,
    transpose_branches,
    cheapest,
    summation_plan,
    axis_runs,
    multiplies_small_products_in_place,
)


def clear_caches() -> None:
    """Empty every cache, free this thread's scratch memory, and end the default pool's threads.

    What is needed again is made again: the next call gives the same bytes and takes a little
    longer.  Scratch memory of other threads of the caller is freed when they end.  To be called
    between calls, not by a task that the pool is doing.

    >>> clear_caches()
    """
    close_default_pool()
    release_scratch()
    clear_cached_convolutions()
    for function in _CACHED_FUNCTIONS:
        function.cache_clear()
