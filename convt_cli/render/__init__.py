"""Reports and diagnostics as text, JSON, CSV and markdown.

`text` renders a `Report` for people, `terminal` in a terminal's colours and, by `fit`, within
its width; `formats` renders it for programs, and `diagnostics` an error with its place.
Everything returns a string; the commands decide where it goes.
"""
