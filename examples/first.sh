#!/bin/sh
# What convt does, on a small U-Net that PyTorch has exported: shapes, values, the matrix C, and Cᵀ.
# Run it from the project's folder, with convt on the PATH.  It writes to the folder build.
set -eu
mkdir -p build
step() {
    printf '\n==> convt %s\n' "$*"
    convt "$@"
}

step check examples/unet.pt2
step shapes examples/unet.pt2
step run examples/unet.pt2 examples/coffee.npy --layer relu1 -o build/x.npy --force
step matrix examples/unet.pt2 --layer down -o build/C.npz --force
step apply examples/unet.pt2 build/x.npy --layer down --forward -o build/y.npy --force
step apply examples/unet.pt2 build/y.npy --layer down -o build/back.npy --force
printf '\n'
python3 - <<'PYTHON'
import numpy as np
from scipy.sparse import load_npz

C = load_npz("build/C.npz")
x, y, back = (np.load(f"build/{name}.npy") for name in ("x", "y", "back"))
print(f"C of the layer down is {C.shape[0]} by {C.shape[1]} with {C.nnz:,} entries")
print(f"y = Cx:    {np.allclose(C @ x.ravel(), y.ravel(), rtol=1e-4, atol=1e-4)}")
print(f"back = Cᵀy: {np.allclose(C.T @ y.ravel(), back.ravel(), rtol=1e-4, atol=1e-4)}")
PYTHON
