"""Kernels of searching."""

import numpy as np

from .kinds import refusal
from .registry import kernel


@kernel
def search(boundaries, input, out_int32, right):
    """By halving an interval for all values at once. NaN, which nothing is above, belongs at the end."""
    values, size = np.asarray(input, boundaries.dtype), boundaries.shape[-1]
    if values.dtype.kind in "bc" and values.size and size:
        raise refusal("searchsorted", values.dtype, "if")
    rows = values.reshape(-1) if boundaries.ndim == 1 else values
    is_above = np.greater if right else np.greater_equal
    low, high = np.zeros(rows.shape, np.int64), np.full(rows.shape, size)
    while (low < high).any():
        middle = (low + high) // 2
        element = np.take_along_axis(boundaries, np.minimum(middle, size - 1), -1)
        is_before = (low < high) & ~is_above(element, rows)
        low, high = np.where(is_before, middle + 1, low), np.where((low < high) & ~is_before, middle, high)
    return low.reshape(values.shape).astype(np.int32 if out_int32 else np.int64)


@kernel
def bucketize(input, boundaries, out_int32=False, right=False):
    return search(boundaries, input, out_int32, right)


@kernel
def isin(elements, test_elements, assume_unique=False, invert=False):
    return np.isin(elements, test_elements, invert=invert)
