"""What each framework means, as one table of facts.

Every rule in which frameworks differ is a field here; `padding` and `layers` read the fields
and turn them into explicit (before, after) pairs and output_padding, so that nothing behind
them asks for a framework's name again.  A framework is in the table once all its rules are.

Source: `torch.nn.functional` and ATen's pooling and convolution shape checks, PyTorch 2.13.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Framework:
    """One framework's rules."""

    name: str
    same_words: tuple[str, ...]
    """Padding words among `same` and `same_lower` that its convolutions know."""
    same_needs_unit_stride: bool
    pool_padding_within_half_kernel: bool
    """A pool's padding is at most kernel_size // 2, of the undilated kernel."""
    average_pool_3d_needs_whole_window: bool
    """A 3-D average pool refuses an input smaller than its kernel, whatever the padding."""


FRAMEWORKS: dict[str, Framework] = {
    "pytorch": Framework(
        name="pytorch",
        same_words=("same",),
        same_needs_unit_stride=True,
        pool_padding_within_half_kernel=True,
        average_pool_3d_needs_whole_window=True,
    ),
}
