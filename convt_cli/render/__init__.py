"""Reports and diagnostics as text, JSON, CSV and markdown; pictures and progress.

`text` renders a `Report` for people, `terminal` in a terminal's colours and, by `fit`, within
its width; `formats` renders it for programs, `html` a table for notebooks, and `diagnostics` an
error with its place: they return a string, and callers decide where it goes.  `graphs` writes
networks as graphs, `pictures` draws a contact sheet, and `progress` shows a bar to whoever waits
at a terminal.
"""
