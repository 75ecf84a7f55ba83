"""The only way in and out of the disk, and the memory budget.

`reading` opens what a person or a spec names, `writing` publishes outputs whole or not at all,
`memory` refuses what would not fit before it is allocated.  No other room calls `open`.
"""
