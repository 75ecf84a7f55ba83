"""The rules by which a signal goes back through rectifiers: relu, leaky_relu, prelu and clip.

    gradient    the signal times the slope at the forward input
    deconvnet   the positive part of the signal, whatever the forward input was
    guided      both

Smooth functions have no positive part to keep: gradient and guided take their derivative, and
deconvnet has no way back through them.

Sources: M. D. Zeiler and R. Fergus, "Visualizing and Understanding Convolutional Networks"
(2013); J. T. Springenberg et al., "Striving for Simplicity" (2014), for the guided rule.
"""

from __future__ import annotations

from typing import Literal, get_args

Rule = Literal["deconvnet", "gradient", "guided"]
RULES: tuple[Rule, ...] = get_args(Rule)
"""The same names, for choices of the command line and for tests."""
