"""Results as tables and documents, independent of any output format.

A report is a `Report`: tables for people and spreadsheets, and a document of plain values for
programs; `render` turns either into text.  There is a module for each command's report.  Shared are
`table` (the types), `cells` (numbers as tables show them), `axes` (one axis as a formula),
`per_layer` (results on every layer of several networks) and `code_lines` (a layer as code of each
framework).  `graph` is no report but a network as nodes and edges, for `convt shapes`.

Nothing here imports NumPy itself: results come in as plain values.
"""
