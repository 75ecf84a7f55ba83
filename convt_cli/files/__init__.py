"""Arrays, matrices and weights on disk, each in the format that its file's suffix names.

`arrays` reads and writes them by name, in one of the `array_formats`, without ever trusting a size
it has not checked and without unpickling; `npy`, `archive` and `text` are what the formats share,
and `damage` says what is wrong with a file.  `layout` finds an array's batch and channels, and
`batches` reads and writes files that way.  `apply` applies C or Cᵀ from one file to another, of
.npy files `tiled` by `boxes` of both, so that neither needs to fit into memory.  `export` writes C
by `matrices`, in one of the `matrix_formats`, `images` reads pictures, and `weights` finds a
layer's numbers in C's layout, in arrays and in the files of `weight_formats`.
"""
