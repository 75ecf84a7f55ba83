"""From a plain ONNX graph to the text of a spec: folding, values, operators, convert, text.

`folding` computes what is constant, with NumPy; `values` says what an operator's input can be
and offers the one way to add a layer; the modules of `operators` turn one ONNX operator each
into layers; `convert` walks the graph, and `text` writes what came of it as YAML.  Nothing here
opens a file or knows protobuf: graphs come from `io.onnx_graph`.
"""
