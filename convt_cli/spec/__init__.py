"""From the text of a spec to a `Network`: source, nodes, reader, resolve, load.

`source` decodes the text and finds its lines, `nodes` turns it into strict YAML nodes with
their places, `values` reads one value of each kind, `layers` the layers, `reader` the whole
spec, and `resolve` hands it to the arithmetic and finds the place of each error.  `remedies` find
what would mend an error, and `misread` warns of inputs that are likely meant otherwise.  Every
problem of a spec is collected in `Problems`, so that one run reports them all.  `open_network` is a
spec whose sizes need not fit yet.
"""
