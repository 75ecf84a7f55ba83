"""Network files of other programs, read as specs: a folder for each format.

`load` reads a file of any format that `formats` lists.  What comes back is an `imported` model:
inputs, layers, outputs, weights by reference into the file, and what was cut and why; `text`
writes it as a spec, and `inputs` decides which inputs a spec can have.  `foreign` says of other
files what they are, and how files of torch.save become models.  A format's folder has its own
reader of bytes and its own table of operators, and knows no other format; `channels_last` is for
those that store an activation's channels behind its positions, and `stored_zip` for those that are
zip files.  Nothing of another program is run.

Here belongs all that knows a foreign format.  What a spec means is for `spec`, and arrays by
themselves are for `files`.
"""
