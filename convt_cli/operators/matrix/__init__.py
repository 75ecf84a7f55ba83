"""C as a sparse matrix: the definition that everything faster is held to.

`build` makes C or Cᵀ whole, of `bands` of rows that are made one after the other, so that a matrix
of any size can be written; `row_runs` are runs of rows that look alike.  `entries` reads a small C
for people.

Here belongs what makes entries of C.  How C is written to a file is for `files.matrices`.
"""
