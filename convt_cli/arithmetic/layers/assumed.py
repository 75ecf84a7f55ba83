"""Numbers assumed for layers that a model's import, or a clip's spec, leaves without.

The import of a model reports where the model has others.
"""

from __future__ import annotations

LEAKY_SLOPE = 0.01
"""The slope of a leaky_relu for x < 0."""
PRELU_SLOPE = 0.25
"""The slope of a prelu for x < 0, in every channel."""
ELU_ALPHA = 1.0
"""The alpha of an elu, alpha * (exp(x) - 1) for x < 0."""
CLIP_BOUNDS = (0.0, 6.0)
"""The least and the greatest value that a clip lets through."""
CLIP_TEXT = "0 ... 6"
"""`CLIP_BOUNDS` as a message writes them."""
SOFTPLUS_THRESHOLD = 20
"""Where PyTorch's softplus becomes x, which is 2e-9 less; the layer has no such place."""
