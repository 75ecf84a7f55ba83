"""Arrays, matrices and weights on disk, by the format that a file's name says.

`arrays` reads and writes .npy, .npz and text without ever trusting a size it has not checked
and without unpickling, `matrices` writes C, and `weights` finds a layer's numbers in C's layout.
"""
