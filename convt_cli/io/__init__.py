"""The only way in and out of the disk, and what the machine grants.

`reading` opens what a person or a spec names, `writing` publishes outputs whole or not at all,
`memory` refuses what would not fit before it is allocated, and `processors` says how many threads
to work in.  `onnx_file` parses a model into the plain values of `onnx_graph`, and alone imports
onnx.  No other room calls `open`.
"""
