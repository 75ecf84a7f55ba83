"""The only way in and out of the disk, and the memory budget.

`reading` opens what a person or a spec names, `writing` publishes outputs whole or not at all,
`memory` refuses what would not fit before it is allocated.  `onnx_file` parses a model into the
plain values of `onnx_graph`, and alone imports onnx.  No other room calls `open`.
"""
