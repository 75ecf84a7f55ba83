"""The only way in and out of the disk and the process, and what the machine grants.

`reading` opens what a person names, and `folders` what a spec or a model names, never outside its
folder; `stand_ins` tells what lies in place of a file.  `writing` publishes outputs, written as
`drafts`, whole or not at all, and `conflicts` refuses an output that is an input.  `streams` are
the standard streams, `environment` is what the environment says, and `signals` end convt with
nothing left behind.  `memory` refuses what would not fit before it is taken, `loading` asks it
before a library is loaded, and `processors` says how many threads to work in.  `progress` is the
type of the callback by which work says how far it is.

Here belongs what deals with the operating system.  No format is known here, and no other room calls
`open`.
"""
