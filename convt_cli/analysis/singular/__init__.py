"""The largest and the smallest singular value of C.

`values` chooses the method: `symbol` for C with circular padding, a dense decomposition for a small
C, `iteration` for the largest value of any other C, and `enclosure`, by factoring, for the smallest
value of a C whose CᵀC or CCᵀ is a narrow band.

Code that finds or encloses singular values belongs here; tables of them are in `reports.analysis`.
"""
