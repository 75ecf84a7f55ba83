"""The command line: one short module for each command, which reads, calls and writes.

`main` is the group, which imports a command when it is asked for, and the one error handler.
`options` are the options that commands share.  `networks` loads the specs that a command names,
`layers` goes through their layers, `threads` says in how many threads a command computes, and
`emit` writes a report to the terminal, a pipe or a file.  A module has the name of its command,
with `_` behind it where the name is a keyword of Python.
"""
