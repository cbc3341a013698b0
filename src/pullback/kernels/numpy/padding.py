"""NumPy kernels of padding."""

from functools import partial

import numpy as np

from .registry import KERNELS, kernel
from .slicing import at


@kernel
def constant_pad_nd(input, pad, value=0):
    pairs = pairs_of(input.ndim, pad)
    shape = [n + before + after for n, (before, after) in zip(input.shape, pairs, strict=True)]
    out = np.empty(shape, input.dtype) if any(n > 0 for n in pad) else None
    inner = tuple([slice(max(0, -b), n - max(0, -a)) for n, (b, a) in zip(input.shape, pairs, strict=True)])
    if out is None:
        return np.array(input[inner])
    out.fill(np.asarray(value).astype(input.dtype))
    out[tuple([slice(max(0, b), n - max(0, a)) for n, (b, a) in zip(shape, pairs, strict=True)])] = input[inner]
    return out


def pairs_of(ndim, pad):
    """The widths before and after for each dimension, in order."""
    given = [(pad[i], pad[i + 1]) for i in range(0, len(pad), 2)]
    return [(0, 0)] * (ndim - len(given)) + given[::-1]


def borders(n, before, after, mode):
    """What a dimension of size ``n`` becomes: the indices before, the range kept, and the indices after."""
    if mode == "circular":
        low, high = max(0, -before), n - max(0, -after)
        return np.arange(high - max(0, before), high), low, high, np.arange(low, low + max(0, after))
    left, right = np.arange(-before, min(0, n + after)), np.arange(max(n, -before), n + after)
    if mode == "reflect":
        left, right = -left, 2 * (n - 1) - right
    else:
        left, right = np.zeros_like(left), np.full_like(right, n - 1)
    return left, max(0, -before), max(0, n - max(0, -after)), right


@kernel
def extend(input, pad, mode):
    for dim, (before, after) in enumerate(pairs_of(input.ndim, pad)):
        if before or after:
            left, low, high, right = borders(input.shape[dim], before, after, mode)
            middle = input[at(dim, slice(low, high))]
            input = np.concatenate([np.take(input, left, dim), middle, np.take(input, right, dim)], dim)
        elif dim == input.ndim - 1 and not any(pad):
            return np.array(input)
    return input


@kernel
def fold_border(input, pad, mode):
    for dim, (before, after) in enumerate(pairs_of(input.ndim, pad)):
        if before or after:
            input = fold_dim(input, dim, before, after, mode)
    return input


def fold_dim(input, dim, before, after, mode):
    n = input.shape[dim] - before - after
    left, low, high, right = borders(n, before, after, mode)
    out = np.zeros((*input.shape[:dim], n, *input.shape[dim + 1 :]), input.dtype)
    end = left.size + max(0, high - low)
    out[at(dim, slice(low, high))] = input[at(dim, slice(left.size, end))]
    for where, border in ((left, input[at(dim, slice(0, left.size))]), (right, input[at(dim, slice(end, None))])):
        if where.size and mode == "replicate":
            out[at(dim, where[0])] += border.sum(dim)
        elif where.size:
            out[at(dim, where)] += border
    return out


for name in ("reflection", "replication"):
    for dims in (1, 2, 3):
        KERNELS[f"{name}_pad{dims}d"] = partial(extend, mode="reflect" if name == "reflection" else "replicate")
KERNELS["circular_pad"] = partial(extend, mode="circular")
