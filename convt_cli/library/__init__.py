"""Networks and layers as Python callers use them: shapes at once, numbers when asked for.

`load` reads a spec as a `network`, whose `layer` values have all that resolving found, and methods
that read the weight, build C or apply it.  The commands work with the same values.  What belongs
here is short: it joins the rooms below, which do the work and know nothing of this one.

Loading a network costs no NumPy; the methods that need it import it.
"""
