"""The largest and the smallest singular value of C.

`values` chooses the way: `symbol` for C with circular padding, a dense decomposition for a small C,
`iteration` for the largest value of any other, and `enclosure`, by factoring, for the smallest one
of a narrow C.

Here belongs what finds or encloses a singular value.  How it is told is for `reports.analysis`.
"""
