"""From y = Cx to what a convolution layer saw: the rows of C, Cᵀ, and ZF Net's idea.

Run it with `python examples/walkthrough.py`, or cell by cell in an editor that knows `# %%`.
Every number it prints is computed here, and what the comments claim is asserted.
"""

# %% A convolution is a matrix
# A kernel of 3 by 3 moves over an input of 5 by 5 with stride 2 and padding 1.  The output is
# linear in the input, so there is a matrix C with y = Cx, where x and y are the two arrays written
# as vectors, row by row.  C has a row for every output and a column for every input.

from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike

from convt_cli import ConvOperator, conv, conv_matrix, conv_transpose, load_spec

HERE = Path(__file__).parent
rng = np.random.default_rng(0)

kernel = rng.integers(-9, 10, (1, 1, 3, 3))  # (out_channels, in_channels, 3, 3)
x = rng.integers(-9, 10, (1, 5, 5))  # (channels, height, width)
C = conv_matrix(kernel, (5, 5), stride=2, padding=1)  # a scipy.sparse array
y = conv(x, kernel, stride=2, padding=1)  # without the matrix

print(f"C is {C.shape[0]} by {C.shape[1]}, {C.nnz} of its {C.shape[0] * C.shape[1]} entries stored")
assert np.array_equal(C @ x.ravel(), y.ravel())

# %% Each output is one row times the input: y_i = c_iᵀx
# Row i of C, written as an image again, is the kernel laid where output i looks, with zeros all
# around it.  Output 4 is the one in the middle; its window is not cut off by the border.

rows = C.toarray()
assert all(y.ravel()[i] == row @ x.ravel() for i, row in enumerate(rows))
middle = rows[4].reshape(5, 5)
assert np.array_equal(middle[1:4, 1:4], kernel[0, 0])

print(f"\ny_4 = {y.ravel()[4]}, and c_4 as an image is")
print(middle)

# %% What excites output i most
# Of all inputs of length 1, which one makes y_i largest?  By the inequality of Cauchy and Schwarz
# c_iᵀx is at most |c_i| |x|, and it gets there for x = c_i / |c_i|.  So the row itself is the
# answer.  Random inputs stay below.

length = np.linalg.norm(rows[4])
best = rows[4] / length
others = rng.standard_normal((100_000, 25))
others /= np.linalg.norm(others, axis=1, keepdims=True)
most = (others @ rows[4]).max()

print(f"\ny_4 is {rows[4] @ best:.3f} for c_4 / |c_4|, and at most {most:.3f} for 100,000 others")
assert np.isclose(rows[4] @ best, length)
assert most < length

# %% Going back: every row, weighted by its output
# Given the outputs, each row says what its output looked for.  Adding the rows up, each times its
# output, gives an image of what the layer saw.  That sum is Cᵀy: the transposed convolution.

total = sum(value * row for value, row in zip(y.ravel(), rows, strict=True))
back = conv_transpose(y, kernel, stride=2, padding=1)
assert np.array_equal(total, C.T @ y.ravel())
assert np.array_equal(total, back.ravel())

print("\nthe weighted sum of the rows is Cᵀy, and as an image")
print(back[0])

# %% The same as an ordinary convolution over a padded input
# Pad y inside with the stride: stride - 1 zeros between neighbours.  Pad it outside with the
# kernel: kernel_size - 1 - padding zeros on every side.  Then convolve with stride 1 and the kernel
# turned by 180 degrees, for what C reads ahead, Cᵀ reads behind.  With more channels than one, the
# kernel's two axes of channels would change places as well.

padded = np.zeros((1, 7, 7), y.dtype)
padded[:, 1:-1:2, 1:-1:2] = y  # the 3 by 3 outputs, stretched to 5 by 5, and 1 around them
turned = kernel[:, :, ::-1, ::-1]
assert np.array_equal(conv(padded, turned), back)

print("\ny, padded inside with the stride and outside with the kernel, is")
print(padded[0])

# %% Cᵀ is not the inverse of C
# The transposed convolution is also called deconvolution, but it undoes nothing: CᵀC is not I.
# Nothing undoes this C: it has 9 rows, and 9 outputs cannot tell what 25 inputs were.

distance = np.linalg.norm(rows.T @ rows - np.eye(25))
rank = np.linalg.matrix_rank(rows)
error = np.linalg.norm(back - x) / np.linalg.norm(x)
scale = np.vdot(back, x) / np.vdot(back, back)  # the factor that brings Cᵀy closest to x
scaled_error = np.linalg.norm(scale * back - x) / np.linalg.norm(x)

print(f"\n|CᵀC - I| is {distance:.1f}, where |I| is {np.linalg.norm(np.eye(25)):.1f}")
print(f"C has rank {rank}, the input has 25 elements")
print(f"Cᵀy is {error:.1f} |x| away from x, and {scaled_error:.2f} |x| with the best factor")
assert distance > 1
assert rank == 9
assert scaled_error > 0.5

# %% The dot-test
# What Cᵀ is, and an inverse is not: ⟨Cu, v⟩ = ⟨u, Cᵀv⟩ for every u and v.  It needs no matrix, so
# it holds a fast operator to its word.  On integers it is exact.

operator = ConvOperator(kernel, (5, 5), stride=2, padding=1)
u = rng.integers(-9, 10, 25)
v = rng.integers(-9, 10, 9)
forwards = v @ (operator @ u)
backwards = u @ (operator.T @ v)

print(f"\n⟨Cu, v⟩ = {forwards}, ⟨u, Cᵀv⟩ = {backwards}")
assert forwards == backwards

# %% A real image: forward through a convolution and ReLU
# edges.yaml has Sobel's four kernels over the colours of a photograph of a cup of coffee: brighter
# to the right, to the left, downwards, upwards.  All numbers are whole and small, so float32
# computes them exactly.

network = load_spec(str(HERE / "edges.yaml"))
image = np.load(HERE / "coffee.npy").astype(np.float32)  # (3, 64, 64)
sobel = np.load(HERE / "sobel.npy")  # (4, 3, 3, 3)
C = conv_matrix(sobel, (64, 64))
y = (C @ image.ravel()).reshape(network.layers[0].output)  # (4, 62, 62)
rectified = np.maximum(y, 0)

print(f"\nC is {C.shape[0]:,} by {C.shape[1]:,} with {C.nnz:,} entries")
print(f"ReLU keeps {np.count_nonzero(rectified):,} of {y.size:,} activations")
assert np.array_equal(y, conv(image, sobel))

# %% One unit: what it saw
# Take the strongest activation alone and send it back.  One row of C comes back, times the
# activation: the kernel at its place, and zeros elsewhere.  The cosine tells how much the window,
# its mean taken off, looks like the kernel; 1 would be a multiple of it.


def cosine(one: ArrayLike, other: ArrayLike) -> float:
    """⟨one, other⟩ / (|one| |other|)."""
    one, other = np.asarray(one, np.float64), np.asarray(other, np.float64)
    return float(np.vdot(one, other) / np.linalg.norm(one) / np.linalg.norm(other))


channel, row, column = np.unravel_index(rectified.argmax(), y.shape)
alone = np.zeros_like(y)
alone[channel, row, column] = rectified.max()
seen = conv_transpose(alone, sobel)
window = np.s_[:, row : row + 3, column : column + 3]
form = cosine(seen[window], image[window] - image[window].mean())

print(f"\nthe strongest unit is channel {channel} at row {row}, column {column}: {y.max():.0f}")
print(f"{np.count_nonzero(seen)} elements come back; the cosine with its window is {form:.2f}")
assert np.array_equal(seen[window], rectified.max() * sobel[channel])
assert np.count_nonzero(seen) == np.count_nonzero(sobel[channel])

# %% All units: what the layer saw
# By the dot-test ⟨x, Cᵀr⟩ = ⟨Cx, r⟩, and for r = relu(Cx) that is |r|²: what comes back never
# points away from the image.  But every row of C adds up to 0, and so does what comes back:
# brightness is lost, edges remain.  Here ReLU loses nothing, as each kernel has its negative
# beside it: Cᵀr is half of Cᵀy.

back = conv_transpose(rectified, sobel)
agreement = np.vdot(image.astype(np.float64), back)
strength = (back.astype(np.float64) ** 2).sum(axis=0).ravel()  # of each of the 64 * 64 pixels
top = np.sort(strength)[-(strength.size // 10) :].sum() / strength.sum()
likeness = cosine(back, image - image.mean())

print(f"\n⟨x, Cᵀr⟩ = {agreement:.0f} = |r|²; Cᵀr adds up to {back.sum(dtype=np.float64):.0f}")
print(f"a tenth of the pixels holds {top:.0%} of |Cᵀr|²")
print(f"the cosine of Cᵀr with x, its mean taken off, is {likeness:.2f}, where an inverse has 1")
assert agreement == (rectified.astype(np.float64) ** 2).sum()
assert back.sum(dtype=np.float64) == 0
assert np.array_equal(2 * back, conv_transpose(y, sobel))
assert top > 0.5
assert 0 < likeness < 0.9

# %% Through max pooling: ZF Net's way back
# Zeiler and Fergus send activations of deeper layers back to the image, one at a time; here all
# go at once.  Max pooling leaves switches, which say where each maximum stood.  On the way back a
# value goes to its switch, through ReLU, and through Cᵀ of the layer below, down to the image.

blocks = rectified.reshape(4, 31, 2, 31, 2).swapaxes(2, 3).reshape(4, 31, 31, 4)
switches = blocks.argmax(axis=-1)[..., np.newaxis]
pooled = np.take_along_axis(blocks, switches, axis=-1)[..., 0]
assert pooled.shape == network.output

unpooled = np.zeros_like(blocks)
np.put_along_axis(unpooled, switches, pooled[..., np.newaxis], axis=-1)
unpooled = unpooled.reshape(4, 31, 31, 2, 2).swapaxes(2, 3).reshape(4, 62, 62)
projection = conv_transpose(np.maximum(unpooled, 0), sobel)
likeness = cosine(projection, back)

print(
    f"\npooling keeps {np.count_nonzero(pooled):,} of {np.count_nonzero(rectified):,} activations"
)
print(f"the cosine of their projection with that of all activations is {likeness:.2f}")
assert projection.shape == image.shape
assert np.vdot(image.astype(np.float64), projection) == (pooled.astype(np.float64) ** 2).sum()
assert likeness > 0.5
