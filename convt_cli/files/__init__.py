"""Arrays, matrices and weights on disk, each in the format that its file's suffix names.

`arrays` reads and writes them by name, in one of the `array_formats`, without ever trusting a size
it has not checked and without unpickling; `npy`, `archive` and `text` are what the formats share,
and `damage` says what is wrong with a file.  `layout` finds an array's batch and channels.  `tiled`
applies C or Cᵀ from one .npy file to another by `boxes` of both, so that neither needs to fit into
memory.  `matrices` writes C in one of the `matrix_formats`, `images` reads pictures, and `weights`
finds a layer's numbers in C's layout, in arrays and in the files of `weight_formats`.
"""
