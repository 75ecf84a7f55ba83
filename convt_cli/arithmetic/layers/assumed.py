"""The numbers that layers are taken to have which a spec does not hold.

`analysis.activations` computes with them, and the import of a model tells where it has others.
"""

from __future__ import annotations

LEAKY_SLOPE = 0.01
"""Of a leaky_relu below 0."""
PRELU_SLOPE = 0.25
"""Of a prelu below 0, in every channel."""
ELU_ALPHA = 1.0
"""An elu comes to -alpha far below 0."""
CLIP_BOUNDS = (0.0, 6.0)
CLIP_TEXT = "0 ... 6"
"""What a clip clips to, and how a message says it."""
