"""From the text of a spec to a `Network`, with a place in the text for every problem.

The way of a spec: `source` decodes the bytes and knows their lines, and `nodes` parses them to
strict YAML nodes with their places.  `values` reads a node as a value of one kind, `layers` reads
layers, which are `layer_spec` values, and `reader` the whole spec.  `resolve` hands it to the
arithmetic, and `load` is all of this for a file.  `open_network` loads a spec whose sizes need not
fit yet.

`remedies` finds what would mend an error, and `misread` warns of inputs that are likely meant
otherwise.  Every problem is collected in `Problems`, so that one run reports them all.
"""
