"""C as a sparse matrix: the definition that everything faster is compared with.

`build` makes C or Cᵀ, whole or as bands of rows one after the other, so that a matrix of any size
can be written to a file; `bands` fills them, and `row_runs` finds the runs of rows that repeat.
`entries` shows a small C to people.

Here belongs what makes entries of C.  How C is written to a file is for `files.matrices`.
"""
