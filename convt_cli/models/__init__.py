"""Network files of other programs, read as specs: a folder for each format.

A format has its own reader of bytes, its own table of operators, and gives what a spec has: inputs,
layers, outputs, weights by reference into the file, and what was cut and why.  Nothing of another
program is run.

Here belongs all that knows a foreign format.  What a spec means is for `spec`, and arrays by
themselves are for `files`.
"""
