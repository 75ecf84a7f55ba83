"""From the text of a spec to a `Network`, with a place in the text for every problem.

The way of a spec: `source` decodes the bytes and knows their lines, and `nodes` parses them to
strict YAML nodes with their places.  `kinds` reads a node as the value of a key, with `values` and
`weight_values`; `layers` reads layers, which are `layer_spec` values, and `reader` the whole spec.
`resolve` hands it to the arithmetic, and `load` is all of this for a file.  `open_network` loads a
spec whose sizes need not fit yet.

An `expression` in PyTorch's spelling becomes the same nodes: `calls` reads the arguments of each
call, and `modules` is the table of what they mean.

`remedies` finds what would mend an error, and `misread` warns of inputs that are likely meant
otherwise.  Every problem is collected in `Problems`, so that one run reports them all.
"""
