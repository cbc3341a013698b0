"""Kernels of counting: of integers, in bins, and of segments."""

import numpy as np

from .registry import kernel


@kernel
def counts(input, minlength=0):
    return np.bincount(countable(input), minlength=minlength).astype(np.int64, copy=False)


@kernel
def weighted_counts(input, weights, minlength=0):
    return np.bincount(countable(input), weights, minlength).astype(weights.dtype, copy=False)


def countable(input):
    if input.size and input.min() < 0:
        raise RuntimeError(
            f"bincount only supports 1-d non-negative integral inputs, but the smallest is {input.min()}"
        )
    return input.astype(np.int64, copy=False)


@kernel
def linear_edges(low, high, bins):
    low, high = np.asarray(low), np.asarray(high)
    if not (np.isfinite(low).all() and np.isfinite(high).all()):
        raise RuntimeError(f"torch.histogramdd: dimension 0's range [{low}, {high}] is not finite")
    widening = np.where(low == high, low.dtype.type(0.5), low.dtype.type(0))
    return np.linspace(low - widening, high + widening, bins + 1, axis=-1, dtype=low.dtype)


@kernel
def segment_numbers(input, size, is_offsets, must_cover):
    """The number of a place is how many segments end at or before it."""
    places = np.arange(size)
    ends = input[..., 1:] if is_offsets else np.cumsum(input, -1)
    if must_cover:
        check_lengths(input, size)
    numbers = np.sum(ends[..., None, :] <= places[:, None], -1)
    is_before = places < input[..., :1] if is_offsets else False
    return np.where(is_before, ends.shape[-1], numbers)


def check_lengths(lengths, size):
    if (lengths < 0).any():
        raise RuntimeError(f"segment_reduce(): lengths contains negative value! The smallest is {lengths.min()}")
    if (lengths.sum(-1) != size).any():
        raise RuntimeError(
            "segment_reduce(): Expected all rows of lengths along axis to sum to data.size(lengths.dim()-1) when !unsafe., which is "
            f"{size}, but their sums are {lengths.sum(-1)}"
        )
