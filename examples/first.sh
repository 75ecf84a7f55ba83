#!/bin/sh
# The four things convt does, on LeNet-5: shapes, arithmetic, the matrix C, and Cᵀ on an array.
# Run it from the project's folder, with convt on the PATH.  It writes to the folder build.
set -eu
mkdir -p build
step() {
    printf '\n==> convt %s\n' "$*"
    convt "$@"
}

step check configs/lenet5.yaml
step shapes configs/lenet5.yaml
step table configs/lenet5.yaml
step matrix configs/lenet5.yaml --layer c1 -o build/C.npz --force
step apply configs/lenet5.yaml examples/seven.csv --layer c1 --forward -o build/y.npy --force
step apply configs/lenet5.yaml build/y.npy --layer c1 -o build/back.csv --force
printf '\n'
python3 - <<'PYTHON'
import numpy as np
from scipy.sparse import load_npz

C = load_npz("build/C.npz")
x = np.loadtxt("examples/seven.csv", delimiter=",")  # a hand-drawn seven
y = np.load("build/y.npy")
back = np.loadtxt("build/back.csv", delimiter=",")
print(f"C is {C.shape[0]} by {C.shape[1]} with {C.nnz:,} entries")
print(f"y = Cx:    {np.allclose(C @ x.ravel(), y.ravel())}")
print(f"back = Cᵀy: {np.allclose(C.T @ y.ravel(), back.ravel())}")
PYTHON
