"""Reports and diagnostics as text, JSON, CSV and markdown.

`text` renders a `Report` for people, `formats` for programs, `diagnostics` an error with its place.
Everything returns a string; the commands decide where it goes.
"""
