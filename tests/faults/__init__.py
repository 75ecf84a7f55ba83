"""What convt survives, by number: no traceback, one coded diagnostic, and nothing lost.

A module's name begins with the number of what it tests; `outputs`, `calls`, `children`, `drawn`,
`rows` and `waiting` are what the modules share.

 1  readers that leave, of text and of bytes     15  archives with bombs, twins and outside names
 2  disks and quotas that are full               16  pickles, which are never executed
 3  every single system call of a write fails    17  weight references that leave the folder
 4  SIGKILL at any time while writing            18  two writers of one file at once
 5  SIGINT and SIGTERM at any time               19  targets that cannot be written, odd names
 6  too little memory, seen before it is taken   20  arrays of every dtype and order
 7  inputs cut at every length                   21  nan, inf, subnormals and -0.0
 8  every byte of an array's header changed      22  any locale, terminal and closed stream
 9  bombs of aliases, nesting and size           23  no home, no folder, no place to write caches
10  YAML that the parser itself fails on         24  other encodings, tabs, files of nothing
11  numbers and booleans of older YAML           25  misspelt keys, values and missing extras
12  integers of thousands of digits              26  anything at all, drawn at random
13  sizes beside 2^31                            27  the same command twice
14  matrices whose indices or shapes lie
29  files of models that are cut, changed, lying, or something else
32  expressions that are more than calls with numbers
33  outputs that are inputs; outputs together
34  streams that do not block, sockets, terminals that are gone
35  limits on address space, data and threads; small files that become large
36  variables of any content, a matplotlibrc, names that something else reads as more
"""
