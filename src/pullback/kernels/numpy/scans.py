"""Scans along a dimension.

NumPy's ``accumulate`` walks one element after another, whatever the axis, and each waits for the one before. Where many
elements lie side by side, one ufunc call for each position along the axis is several times faster (cumsum of 1000 x 1000
float32 over dim 0: 0.7 ms against 3.3); along the last axis, sums of blocks by a triangular matrix product are (of 10^6
float32: 0.7 ms against 3.3).
"""

from itertools import pairwise

import numpy as np

from .reductions import taken_as, widened
from .registry import kernel

LONG = 1024  # float32 scans of more elements are accumulated in float64, as PyTorch does
BLOCK = 16  # elements to a block of a cumulative sum


def along(dim, index):
    """The index that applies ``index`` to one dimension."""
    return (slice(None),) * dim + (index,)


def accumulate(ufunc, input, dim):
    """``ufunc.accumulate``, a row at a time where rows are long."""
    side_by_side = input.size // input.shape[dim] if input.size else 0
    if side_by_side < 64 or (dim == input.ndim - 1 and side_by_side < 4 * input.shape[dim]):
        return ufunc.accumulate(input, axis=dim)
    result = np.empty(input.shape, input.dtype)
    source, target = np.moveaxis(input, dim, 0), np.moveaxis(result, dim, 0)
    target[0] = source[0]
    for before, now, out in zip(target[:-1], source[1:], target[1:], strict=True):
        ufunc(before, now, out=out)
    return result


def sum_blocks(lines):
    """The cumulative sum along the last axis of floats: within each block, and then of the blocks."""
    size = lines.shape[-1]
    if size <= 4 * BLOCK:
        return np.add.accumulate(lines, axis=-1)
    result, whole = np.empty(lines.shape, lines.dtype), size - size % BLOCK
    blocks = result[..., :whole].reshape(*lines.shape[:-1], -1, BLOCK)
    ones = np.triu(np.ones((BLOCK, BLOCK), lines.dtype))
    np.matmul(np.ascontiguousarray(lines)[..., :whole].reshape(blocks.shape), ones, out=blocks)
    sums = np.ascontiguousarray(blocks[..., -1])
    if not np.isfinite(sums).all():  # an infinity times a zero of the triangle is NaN
        return np.add.accumulate(lines, axis=-1)
    blocks[..., 1:, :] += sum_blocks(sums)[..., :-1, None]
    np.add.accumulate(lines[..., whole:], axis=-1, out=result[..., whole:])
    result[..., whole:] += result[..., whole - 1 : whole]
    return result


def scan(ufunc, input, dim, dtype=None):
    """A cumulative sum or product, in PyTorch's dtype."""
    input, target = taken_as(input, dtype)
    if not input.ndim:
        return np.array(input, target)
    if ufunc is np.add and dim == input.ndim - 1 and input.dtype.kind == "f":
        return sum_blocks(input).astype(target, copy=False)
    if input.dtype == np.float32 and input.shape[dim] > LONG:
        input = input.astype(np.float64)
    return accumulate(ufunc, input, dim).astype(target, copy=False)


@kernel
def cumsum(input, dim, dtype=None):
    return scan(np.add, input, dim, dtype)


@kernel
def cumprod(input, dim, dtype=None):
    return scan(np.multiply, input, dim, dtype)


@kernel
def suffix_sum(input, dim):
    return scan(np.add, input[backwards(dim)], dim)[backwards(dim)].copy() if input.ndim else input


def backwards(dim):
    """The index that reverses one dimension."""
    return along(dim, slice(None, None, -1))


@kernel
def logcumsumexp(input, dim):
    if not input.ndim:
        return np.array(input)
    wide = widened(input)
    if wide.dtype.kind == "f":
        return accumulate(np.logaddexp, wide, dim).astype(input.dtype, copy=False)
    result = wide.copy()
    rows = np.moveaxis(result, dim, 0)[..., None]
    for before, row in pairwise(rows):
        larger = np.maximum(before.real, row.real)
        row[...] = np.log(np.exp(before - larger) + np.exp(row - larger)) + larger
    return result


@kernel
def recurrence(input, factor, dim, back=False):
    if not input.ndim:
        return np.array(input)
    result = input.astype(np.result_type(input, factor))
    scale = np.broadcast_to(factor, input.shape)[along(dim, slice(1, None))]
    if back:
        rows, scales = result[backwards(dim)], scale[backwards(dim)]
    else:
        rows, scales = result, scale
    rows, scales = np.moveaxis(rows, dim, 0), np.moveaxis(scales, dim, 0)
    if len(rows) > 64 and rows[0].size < 256:
        double(rows, scales)
    else:
        rows = rows[..., None]  # so that each row is an array, and can be written to, even in one dimension
        for before, row, by in zip(rows[:-1], rows[1:], scales[..., None], strict=True):
            row += by * before
    return result


def double(rows, scales):
    """Solve ``rows[i] += scales[i - 1] * rows[i - 1]`` in place, in steps that reach twice as far each time."""
    reach = 1
    while reach < len(rows):
        # Row i holds the recurrence over the last `reach` inputs; scales[i - reach] carries row i - reach into row i.
        rows[reach:] += scales * rows[:-reach]
        scales = scales[reach:] * scales[:-reach]
        reach *= 2


@kernel
def cummax(input, dim):
    return cumulative_extreme(np.maximum, input, dim)


@kernel
def cummin(input, dim):
    return cumulative_extreme(np.minimum, input, dim)


def cumulative_extreme(ufunc, input, dim):
    """The running extremes, and the last position of each; NaN, once met, stays."""
    if not input.ndim:
        return np.array(input), np.zeros((), np.int64)
    values = accumulate(ufunc, input, dim)
    positions = np.arange(input.shape[dim]).reshape(-1, *[1] * (input.ndim - 1 - dim))
    met = (input == values) | (input != input)
    return values, accumulate(np.maximum, np.where(met, positions, 0), dim)
