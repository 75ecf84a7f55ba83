"""What convt has found, as tables and documents that know no output format.

A report is a `Report`: tables for people and spreadsheets, and a document of plain values for
programs.  `render` turns either into text.  Nothing here imports NumPy but `matrix`, and that
one is only imported by the command that builds a matrix.
"""
