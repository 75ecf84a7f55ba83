"""Two tools disagree about a layer: is it rounding, or a bug, and which?

`precision` holds the number types, `bounds` how far rounding may carry the output of a layer, and
`subject` a layer with its numbers, as it is or changed.  `changes` is the table of ways to be
wrong; `sampled` computes a few outputs alone, so that `search` can drop a wrong hypothesis at
little cost.  `forms` takes arrays as tools keep them, and `verdict` judges each of their elements;
`diagnosis` judges one layer, and `dump` all layers of a network whose arrays are known.

A verdict comes from a proved bound alone; where none is proved, only equality is judged.
"""
