"""Models that Keras saves, read without Keras: `.keras` files, and `.h5` files of the kind before.

`archive` opens a `.keras`, `hdf5` and `messages` read HDF5 files within bounds, and `document`
finds the text that describes the model in either.  `config` makes plain values of that text, and
`graph` one graph of all layers, those of models inside the model among them.  `convert` goes
through the graph, where `operation` is one call of a layer and `operators` say what each becomes.
`variables` knows the names of a layer's numbers, and `weights` reads them; it alone needs NumPy.
`read` is what `models.load` knows.

Code that a file holds, of a Lambda layer, is never loaded.  Source of the formats:
keras/src/saving/saving_lib.py and keras/src/legacy/saving of Keras 3.15, and the same of
TensorFlow 2.15.
"""
