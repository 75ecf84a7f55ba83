"""What convt has found, as tables and documents that know no output format.

A report is a `Report`: tables for people and spreadsheets, and a document of plain values for
programs.  `render` turns either into text.  `code_lines` are a layer in the words of each
framework; `per_layer` is what reports on every layer of several networks share, and `cells` are
numbers as tables show them.  Nothing here imports NumPy by itself: what was found comes as plain
values.
"""
