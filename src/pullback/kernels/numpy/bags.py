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
        peaks[bags[starts]] = places[first_largest(rows, starts, np.diff(starts, append=len(bags)))]
    return peaks


def first_largest(rows, starts, sizes):
    """The row with the first largest number of each column, for each of the bags that begin at ``starts``."""
    if (sizes == sizes[0]).all():  # as the rows of a matrix are; ten times as fast as the general way
        return starts[:, None] + rows.reshape(len(starts), sizes[0], -1).argmax(1)
    largest = np.maximum.reduceat(rows, starts, 0)
    is_largest = (rows == np.repeat(largest, sizes, 0)) | np.isnan(rows)
    return np.minimum.reduceat(np.where(is_largest, np.arange(len(rows))[:, None], len(rows)), starts, 0)
