"""Kernels over bags: positions that follow one another and belong together."""

import numpy as np

from .embedding import embedding_slope
from .registry import KERNELS, kernel

KERNELS["bag_sums"] = embedding_slope


@kernel
def bag_numbers(offsets, size):
    if offsets.size and offsets[0] != 0:
        raise RuntimeError(
            "embedding_bag: offsets[0] has to be 0, i.e., the first sequence in the mini-batch has to start from position "
            f"0. However, got {offsets[0]}"
        )
    if offsets.size and offsets[-1] > size:
        raise RuntimeError(
            f"embedding_bag: offsets[-1] can not be greater than input's length({size}) but got offsets[-1] of {offsets[-1]}"
        )
    return np.maximum(np.searchsorted(np.sort(offsets), np.arange(size), "right") - 1, 0)


@kernel
def bag_peaks(input, bags, counted, size):
    peaks = np.full((size, input.shape[1]), -1)
    places = np.flatnonzero(counted)
    if places.size:
        rows, bags = input[places], bags[places]
        starts = np.flatnonzero(np.diff(bags, prepend=-1))
        largest = np.maximum.reduceat(rows, starts, 0)
        which = np.repeat(np.arange(len(starts)), np.diff(starts, append=len(bags)))
        at = np.where((rows == largest[which]) | np.isnan(rows), places[:, None], len(input))
        peaks[bags[starts]] = np.minimum.reduceat(at, starts, 0)
    return peaks
