"""Sorting, selecting and ranking along a dimension. NaN counts as the largest."""

from math import isqrt

import numpy as np

from .registry import kernel

SMALL = 1000  # elements up to which the fewest calls of NumPy are the fastest


def comparable(input):
    """The input in a dtype that NumPy can partition: float32 for bfloat16, of the same order."""
    return input if input.dtype.kind in "biufc" else input.astype(np.float32)


# Sorting.


def order(input, dim, descending):
    """The indices that sort along a dimension; equal elements keep their order."""
    input = comparable(input)
    if input.dtype.itemsize == 4 and input.size > SMALL and input.shape[dim] < 2**32:
        return order_by_keys(input, dim, descending)
    if not descending:
        return stable_order(input, dim)
    backwards = (slice(None),) * dim + (slice(None, None, -1),)
    return (input.shape[dim] - 1) - stable_order(input[backwards], dim)[backwards]


def stable_order(input, dim):
    """NumPy's stable ``argsort``; for elements of eight bytes its faster unstable one, where no two turn out to be equal."""
    if input.dtype.itemsize < 8 or input.size <= SMALL:
        return np.argsort(input, dim, kind="stable")
    found = np.argsort(input, dim)
    values = np.moveaxis(np.take_along_axis(input, found, dim), dim, -1)
    distinct = np.all(values[..., :-1] < values[..., 1:])
    return found if distinct else np.argsort(input, dim, kind="stable")


def order_by_keys(input, dim, descending):
    """As :func:`order`, for elements of four bytes: sorts integers with the element above and its position below.

    NumPy has a vectorised sort but no vectorised stable argsort: for 10^6 elements this takes half the time.
    """
    keys = ordered_bits(input)
    keys = (~keys if descending else keys).astype(np.int64) << 32
    keys |= np.arange(input.shape[dim]).reshape(-1, *[1] * (input.ndim - 1 - dim))
    keys.sort(dim)
    keys &= 0xFFFFFFFF
    return keys


def ordered_bits(input):
    """Integers in the order of elements of four bytes: NaN is the largest, and -0.0 equals 0.0."""
    if input.dtype.kind != "f":
        return input.astype(np.int64)
    bits = (input + np.float32(0)).view(np.int32)
    bits ^= (bits >> 31) & 0x7FFFFFFF  # negative numbers are stored as sign and magnitude
    missing = np.isnan(input)
    if missing.any():
        bits[missing] = 0x7FFFFFFF
    return bits


@kernel
def sort(input, dim=-1, descending=False, stable=False):
    if not input.ndim:
        return np.array(input), np.zeros((), np.int64)
    indices = order(input, dim, descending)
    return np.take_along_axis(input, indices, dim), indices


@kernel
def argsort(input, dim=-1, descending=False, stable=False):
    return order(input, dim, descending) if input.ndim else np.zeros((), np.int64)


# Selecting.


@kernel
def topk(input, k, dim=-1, largest=True, sorted=True):
    if not input.ndim:
        return np.array(input), np.zeros((), np.int64)
    lines = np.moveaxis(input, dim, -1)
    found = candidates(lines, k, largest)
    values = lines if found is None else np.take_along_axis(lines, found, -1)
    best = selected(comparable(values), k, largest)
    indices = best if found is None else np.take_along_axis(found, best, -1)
    indices = np.ascontiguousarray(np.moveaxis(indices, -1, dim))
    return np.take_along_axis(input, indices, dim), indices


def selected(lines, k, largest):
    """The positions of the ``k`` largest or smallest in each line, in order."""
    size = lines.shape[-1]
    if not 0 < k < size or size <= 64:
        return order(lines, lines.ndim - 1, largest)[..., :k]
    part = np.argpartition(lines, size - k if largest else k - 1, -1)
    part = part[..., size - k :] if largest else part[..., :k]
    return np.take_along_axis(part, order(np.take_along_axis(lines, part, -1), lines.ndim - 1, largest), -1)


def candidates(lines, k, largest):
    """For few of many: the positions in the ``k`` blocks with the largest (smallest) extremes, which hold all that are wanted.

    Looking at every element once and at ``k`` blocks again is several times faster than to partition whole lines.
    """
    size = lines.shape[-1]
    width = isqrt(size // max(k, 1))
    if width < 4:
        return None
    count, whole = size // width, size - size % width
    blocks = comparable(lines[..., :whole]).reshape(*lines.shape[:-1], width, count)  # block i is each count-th from i
    extremes = (np.maximum if largest else np.fmin).reduce(blocks, axis=-2)
    starts = selected(extremes, k, largest)[..., None, :]
    found = (starts + count * np.arange(width)[:, None]).reshape(*lines.shape[:-1], -1)
    tail = np.broadcast_to(np.arange(whole, size), (*lines.shape[:-1], size - whole))
    return np.concatenate([found, tail], -1)


@kernel
def kthvalue(input, k, dim=-1, keepdim=False):
    return ranked(input, dim, keepdim, lambda lines: np.argpartition(lines, k - 1, -1)[..., k - 1 : k])


def ranked(input, dim, keepdim, position):
    """The element of each line at the position that ``position(lines)`` finds, and the position."""
    if not input.ndim:
        return np.array(input), np.zeros((), np.int64)
    lines = comparable(np.moveaxis(input, dim, -1))
    indices = np.moveaxis(position(lines) if lines.size else np.zeros((*lines.shape[:-1], 1), np.int64), -1, dim)
    values = np.take_along_axis(input, indices, dim)
    return (values, indices) if keepdim else (values.squeeze(dim), indices.squeeze(dim))


# Medians and the mode.


@kernel
def median_dim(input, dim, keepdim=False):
    return ranked(input, dim, keepdim, middle)


@kernel
def nanmedian_dim(input, dim, keepdim=False):
    return ranked(input, dim, keepdim, middle_present)


def middle(lines):
    """The position of the lower of the two middle elements in each line; of the first NaN where there is one."""
    rank = (lines.shape[-1] - 1) // 2
    found = np.argpartition(lines, rank, -1)[..., rank : rank + 1]
    missing = np.isnan(lines) if lines.dtype.kind == "f" else np.zeros((), bool)
    if not missing.any():
        return found
    return np.where(missing.any(-1, keepdims=True), missing.argmax(-1, keepdims=True), found)


def middle_present(lines):
    """As :func:`middle`, of the elements that are not NaN; the first position where all are."""
    missing = np.isnan(lines) if lines.dtype.kind == "f" else np.zeros((), bool)
    if not missing.any():
        return middle(lines)
    present = lines.shape[-1] - missing.sum(-1, keepdims=True)
    rank = np.maximum(present - 1, 0) // 2
    return np.take_along_axis(order(lines, lines.ndim - 1, False), rank, -1)


@kernel
def median_all(input):
    return median_of(input, middle)


@kernel
def nanmedian_all(input):
    return median_of(input, middle_present)


def median_of(input, position):
    """The median of all elements; NaN of none."""
    line = np.ravel(input)
    if not line.size:
        return np.full((), np.nan if line.dtype.kind not in "iu" else np.iinfo(line.dtype).min, line.dtype)
    return line[position(comparable(line))[0]]


@kernel
def mode(input, dim=-1, keepdim=False):
    return ranked(input, dim, keepdim, most_frequent)


def most_frequent(lines):
    """The last position, in each line, of the smallest of its most frequent elements."""
    by_value = order(lines, lines.ndim - 1, False)
    ordered = np.take_along_axis(lines, by_value, -1)
    positions = np.broadcast_to(np.arange(lines.shape[-1]), lines.shape)
    starts = np.ones(lines.shape, bool)
    starts[..., 1:] = ordered[..., 1:] != ordered[..., :-1]
    run = positions - np.maximum.accumulate(np.where(starts, positions, 0), -1)
    return np.take_along_axis(by_value, run.argmax(-1, keepdims=True), -1)


# Placing back, and what is distinct.


@kernel
def placed(input, indices, dim, size):
    if not input.ndim:
        return np.array(input)
    result = np.zeros((*input.shape[:dim], size, *input.shape[dim + 1 :]), input.dtype)
    np.put_along_axis(result, indices, input, dim)
    return result


@kernel
def unique(input, sorted=True, return_inverse=False, return_counts=False, dim=None):
    values, inverse, counts = np.unique(input, return_inverse=True, return_counts=True, axis=dim, equal_nan=False)
    return parts(values, (return_inverse, inverse), (return_counts, counts))


@kernel
def unique_consecutive(input, return_inverse=False, return_counts=False, dim=None):
    lines = np.moveaxis(input, dim, 0) if dim is not None and input.ndim else np.ravel(input)
    starts = np.ones(len(lines), bool)
    starts[1:] = (lines[1:] != lines[:-1]).any(tuple(range(1, lines.ndim)))
    inverse = np.cumsum(starts) - 1
    counts = np.diff(np.append(np.flatnonzero(starts), len(lines)))
    if dim is None:
        return parts(lines[starts], (return_inverse, inverse.reshape(input.shape)), (return_counts, counts))
    return parts(np.compress(starts, input, dim), (return_inverse, inverse), (return_counts, counts))


def parts(values, *extra):
    """The values alone, or a tuple of them and of what else was asked for."""
    asked = [part for wanted, part in extra if wanted]
    return (values, *asked) if asked else values
