"""ONNX models: from the bytes of a file to the text of a spec, and the weights behind it.

`file` parses a model, after `wire` has counted what parsing takes, with `nodes` and `tensors`, into
the plain values of `graph`; nothing else knows protobuf, and `file` alone imports onnx.
`constants` computes what does not depend on the input, with `arithmetic` and `slicing` as ONNX
Runtime has them.  `operation` says what an operator's input can be and offers the one way to add a
layer, `operators` turn one operator each into layers, `inputs` and `nearest` are parts of that.
`convert` walks the graph, `imported` is what came of it, and `text` writes it as YAML.  `weights`
reads the numbers that a spec names in a model.
"""
