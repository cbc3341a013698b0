"""NumPy kernels of the operations that repeat, reorder or blank out elements. All of them copy."""

import numpy as np

from .registry import KERNELS, kernel
from .slicing import at


@kernel
def repeat(input, repeats):
    shape = (1,) * (len(repeats) - input.ndim) + input.shape
    out = np.empty([n * times for n, times in zip(shape, repeats, strict=True)], input.dtype)
    pairs = [n for pair in zip(repeats, shape, strict=True) for n in pair]
    out.reshape(pairs)[...] = input.reshape([n for size in shape for n in (1, size)])
    return out


def repeat_interleave(input, repeats, dim):
    return np.repeat(input, repeats, axis=dim)


KERNELS.update(repeat_interleave_number=repeat_interleave, repeat_interleave_tensor=repeat_interleave)


@kernel
def repeated_indices(repeats):
    return np.repeat(np.arange(repeats.size), repeats)


@kernel
def sum_runs(input, repeats, dim, extent):
    lengths = np.broadcast_to(repeats.reshape(-1), (extent,))
    filled = np.flatnonzero(lengths)
    starts = np.cumsum(lengths) - lengths
    out = np.zeros((*input.shape[:dim], extent, *input.shape[dim + 1 :]), input.dtype)
    if filled.size:
        out[(slice(None),) * dim + (filled,)] = np.add.reduceat(input, starts[filled], axis=dim)
    return out


@kernel
def flip(input, dims):
    backwards = slice(None, None, -1)
    return input[tuple([backwards if d in dims else slice(None) for d in range(input.ndim)])].copy()


@kernel
def roll(input, shifts, dims=None):
    if not dims:
        return roll(input.reshape(-1), shifts, (0,)).reshape(input.shape)
    for shift, dim in zip(shifts, dims, strict=True):
        cut = -shift % max(input.shape[dim], 1)
        input = np.concatenate([input[at(dim, slice(cut, None))], input[at(dim, slice(cut))]], dim)
    return input


@kernel
def rot90(input, k=1, dims=(0, 1)):
    return np.rot90(input, k, dims).copy()


@kernel
def tril(input, diagonal=0):
    return np.where(below(input.shape, diagonal), input, np.zeros((), input.dtype))


@kernel
def triu(input, diagonal=0):
    return np.where(below(input.shape, diagonal - 1), np.zeros((), input.dtype), input)


def below(shape, diagonal):
    """Which elements of a matrix are on or below a diagonal."""
    return np.greater_equal.outer(np.arange(shape[-2]), np.arange(-diagonal, shape[-1] - diagonal))
