"""NumPy kernels of views by other strides, and of the operations that undo them."""

import numpy as np

from .registry import kernel
from .shape import restrided
from .slicing import at


@kernel
def diagonal(input, offset=0, dim1=0, dim2=1):
    rows, columns = input.shape[dim1], input.shape[dim2]
    length = max(0, min(rows, columns - offset) if offset >= 0 else min(rows + offset, columns))
    first = (max(0, -offset), max(0, offset)) if length else (0, 0)
    kept = [d for d in range(input.ndim) if d not in (dim1 % input.ndim, dim2 % input.ndim)]
    steps = input.strides[dim1], input.strides[dim2]
    strides = (*[input.strides[d] for d in kept], sum(steps))
    start = first[0] * steps[0] + first[1] * steps[1]
    return restrided(input, (*[input.shape[d] for d in kept], length), strides, start)


@kernel
def embed_diagonal(input, shape, offset, dim1, dim2):
    out = np.zeros(shape, input.dtype)
    diagonal(out, offset, dim1, dim2)[...] = input
    return out


@kernel
def diag_copy(input, offset=0):
    return diagonal(input, offset).copy()


@kernel
def diagflat(input, offset=0):
    n = input.size + abs(offset)
    return embed_diagonal(input.reshape(-1), (n, n), offset, 0, 1)


@kernel
def unfold(input, dimension, size, step):
    if not input.ndim:
        return input.reshape(1)[:size]
    shape, strides = input.shape, input.strides
    windows = (shape[dimension] - size) // step + 1
    new_shape = (*shape[:dimension], windows, *shape[dimension + 1 :], size)
    new_strides = (*strides[:dimension], strides[dimension] * step, *strides[dimension + 1 :], strides[dimension])
    return restrided(input, new_shape, new_strides)


@kernel
def fold_windows(input, dim, extent, step):
    windows, size = input.shape[dim], input.shape[-1]
    out = np.zeros((*input.shape[:dim], extent, *input.shape[dim + 1 : -1]), input.dtype)
    if windows < size:
        for i in range(windows):
            out[at(dim, slice(i * step, i * step + size))] += np.moveaxis(input[at(dim, i)], -1, dim)
    else:
        for k in range(size):
            out[at(dim, slice(k, k + (windows - 1) * step + 1, step))] += input[..., k]
    return out


@kernel
def strided(input, size, stride, offset, seen):
    input = np.asarray(input)
    whole = memory(input)
    if lies(input, whole, seen):
        return restrided(whole, size, [s * input.itemsize for s in stride], offset * input.itemsize)
    taken, given = places(*seen), places(size, stride, offset)
    filled = np.zeros(1 + max(taken.max(initial=0), given.max(initial=0)), input.dtype)
    np.add.at(filled, taken, shared(input, taken))
    return filled[given]


@kernel
def strided_scatter(input, src, size, stride, offset, seen):
    taken, given = places(*seen), places(size, stride, offset)
    filled = np.zeros(1 + max(taken.max(initial=0), given.max(initial=0)), input.dtype)
    filled[taken] = input
    filled[given] = src
    return filled[taken]


@kernel
def strided_sum(input, seen, laid):
    taken, given = places(*seen), places(*laid)
    filled = np.zeros(1 + max(taken.max(initial=0), given.max(initial=0)), input.dtype)
    np.add.at(filled, given, input)
    return shared(filled[taken], taken)


def memory(array):
    """All of the memory that an array is a part of, flat, in the array's dtype."""
    whole = array
    while type(whole.base) is np.ndarray:
        whole = whole.base
    return whole.ravel(order="K").view(array.dtype)


def lies(array, whole, seen):
    """Whether an array lies in its memory as ``seen`` says."""
    shape, strides, offset = seen
    return (
        array.shape == shape
        and array.strides == tuple(s * array.itemsize for s in strides)
        and array.ctypes.data - whole.ctypes.data == offset * array.itemsize
    )


def places(shape, strides, offset):
    """Where in memory each element lies."""
    found = np.full(shape, offset)
    for d, (n, stride) in enumerate(zip(shape, strides, strict=True)):
        found += (np.arange(n) * stride).reshape(-1, *[1] * (len(shape) - d - 1))
    return found


def shared(values, taken):
    """The values, divided by how many lie at the place of each."""
    count = np.bincount(taken.ravel(), minlength=1)
    return values if count.max() <= 1 else values / count[taken].astype(values.dtype)
