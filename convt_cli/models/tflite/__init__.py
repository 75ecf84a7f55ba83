"""`.tflite` files of TensorFlow Lite, now LiteRT, read without any package of theirs.

`flatbuffer` reads tables, vectors and texts within the bounds of the file, and `schema` says which
field is which.  `tensors` are the constants and what is known of the other values; `graph` makes
plain nodes of the whole.  `convert` goes through them, where `dilation` joins the three operators
of a dilated convolution and `sizes` computes what a shape is made of; `operation` is one node, and
`operators` say what each becomes.
`weights` reads the numbers of a constant, those of quantised ones as real numbers and `sparse` ones
as a whole array.  `read` is what `models.load` knows.  Only `weights` and `sparse` need NumPy.

Values are stored with their channels last; see `convt_cli.models.channels_last`.  Source of the
format: tensorflow/compiler/mlir/lite/schema/schema.fbs, version 3.
"""
