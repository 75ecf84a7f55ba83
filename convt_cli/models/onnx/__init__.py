"""ONNX models: from the bytes of a file to an imported model, and the weights behind a spec.

The way of a file: `marks` leaves the numbers of large tensors in it, `wire` counts the memory that
parsing the rest will take, `file` parses, and `nodes` and `tensors` turn protobuf's objects into
the plain values of `graph`, the model's own functions inlined.  Nothing else knows protobuf, and
`file` alone imports onnx.

The way of a graph: `convert` walks over its nodes.  Those that depend on constants alone are
computed by `constants`, each as a `folding`, with the `arithmetic` and `slicing` of ONNX Runtime.
Every other is an `operation`, which `operators` turn into layers, with the help of `nearest` for a
Resize.

`read` is both ways in one call, for `models.load`.  `weights` reads the arrays that a spec names in
a model.
"""
