"""`.pt2` files, which `torch.export.save` of PyTorch writes, read without PyTorch.

`archive` finds the entries of the zip file, within bounds; `fields` takes values out of its JSON
texts, and `graph` makes plain values of the whole.  `convert` goes through the graph, where
`operation` is one node and `operators` say what each becomes; `weights` reads the bytes of a
weight.  `read` is what `models.load` knows.  Only `weights` needs NumPy.

The one pickle in such a file, its sample inputs, is never opened.  Source of the format:
torch/_export/serde/schema.py and torch/export/pt2_archive of PyTorch 2.13.
"""
