"""The command line: one short module a command, each read, call, write.

`main` is the group, which imports a command when it is asked for, and the one error handler;
`options` are the options that commands share; `networks` loads the specs a command names,
`layers` goes through their layers, `threads` says how many compute, and `emit` puts a report
where it belongs.  A command's name is its module's, with `_` behind it where Python keeps the
word for itself.
"""
