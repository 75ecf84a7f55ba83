"""Reports and diagnostics as text, JSON, CSV and markdown.

`text` renders a `Report` for people and `terminal` for a terminal's width and colours,
`formats` for programs, and `diagnostics` an error with its place.  Everything returns a string;
the commands decide where it goes.
"""
