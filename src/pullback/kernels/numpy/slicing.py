"""NumPy kernels of the views that select some of the elements along a dimension, and of the embeddings that are their gradients.

A view is an array even where it has no dimensions (NumPy would give a scalar, a copy), so that writes go through it.
"""

import numpy as np

from ...ops.slicing import bounds_of, equal_bounds, sliced_bounds
from .registry import kernel

FULL = slice(None)


def at(dim, index):
    """The index of one dimension, as a tuple that leaves a view."""
    return (FULL,) * dim + (index, ...)


@kernel
def slice_(input, dim, start, end, step):
    return input[at(dim, slice(start, end, step))]


@kernel
def embed(input, dim, start, step, extent):
    shape = input.shape
    out = np.zeros((*shape[:dim], extent, *shape[dim + 1 :]), input.dtype)
    out[at(dim, slice(start, start + step * shape[dim], step))] = input
    return out


@kernel
def select(input, dim, index):
    return input[at(dim % input.ndim, index)]


def parts(input, dim, bounds):
    return tuple([input[at(dim, slice(start, end))] for start, end in bounds])


@kernel
def split_equal(input, split_size, dim=0):
    return parts(input, dim, equal_bounds(input.shape[dim], split_size))


@kernel
def split_with_sizes(input, split_sizes, dim=0):
    return parts(input, dim, bounds_of(split_sizes))


@kernel
def tensor_split_at(input, indices, dim=0):
    return parts(input, dim, sliced_bounds(input.shape[dim], indices))


@kernel
def unbind(input, dim=0):
    lead = (FULL,) * (dim % input.ndim)
    return tuple([input[(*lead, i, ...)] for i in range(input.shape[dim])])
