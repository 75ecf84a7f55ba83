"""Arrays, matrices and weights on disk, each in the format that its file's suffix names.

`arrays` reads and writes .npy and .npz, with `archive`, and by `text` .csv and .txt, without ever
trusting a size it has not checked and without unpickling; `layout` finds an array's batch and
channels, and `batches` reads and writes files that way.  `apply` applies C or Cᵀ from one file to
another, of .npy files `tiled` by `boxes` of both, so that neither needs to fit into memory.
`export` writes C by `matrices`, `images` reads pictures, and `weights` finds a layer's numbers in
C's layout, in arrays, `safetensors` and models.
"""
