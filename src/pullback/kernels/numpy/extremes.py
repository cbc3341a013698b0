"""The largest and the smallest elements, and where they are. NaN is larger and smaller than everything, as in PyTorch."""

from math import inf

import numpy as np

from .registry import kernel


def axis_of(input, dim):
    """The axis to reduce: none for a zero-dim array, whatever the dim."""
    return dim if input.ndim else None


@kernel
def amax(input, dim=None, keepdim=False):
    return np.maximum.reduce(input, axis=dim, keepdims=keepdim)


@kernel
def amin(input, dim=None, keepdim=False):
    return np.minimum.reduce(input, axis=dim, keepdims=keepdim)


@kernel
def aminmax(input, dim=None, keepdim=False):
    return amin(input, dim, keepdim), amax(input, dim, keepdim)


@kernel
def max_all(input):
    return np.maximum.reduce(input, axis=None)


@kernel
def min_all(input):
    return np.minimum.reduce(input, axis=None)


@kernel
def matches(input, other):
    found = input == other
    return found | (input != input) & (other != other) if np.any(other != other) else found


@kernel
def peak(input, dim):
    if input.dtype.kind == "c":
        return peak(input.real, dim).astype(input.dtype)
    if input.size:
        return np.maximum.reduce(input, axis=dim, keepdims=True)
    return np.maximum.reduce(input, axis=dim, keepdims=True, initial=-inf)


@kernel
def max_dim(input, dim, keepdim=False):
    dim = axis_of(input, dim)
    return np.maximum.reduce(input, axis=dim, keepdims=keepdim), np.argmax(input, axis=dim, keepdims=keepdim)


@kernel
def min_dim(input, dim, keepdim=False):
    dim = axis_of(input, dim)
    return np.minimum.reduce(input, axis=dim, keepdims=keepdim), np.argmin(input, axis=dim, keepdims=keepdim)


@kernel
def argmax(input, dim=None, keepdim=False):
    return np.argmax(input, axis=axis_of(input, dim), keepdims=keepdim)


@kernel
def argmin(input, dim=None, keepdim=False):
    return np.argmin(input, axis=axis_of(input, dim), keepdims=keepdim)
