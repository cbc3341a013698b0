"""Masks for dropout, from PyTorch's random stream."""

import numpy as np

from ... import random as stream
from .registry import kernel
from .sampling import in_memory_order


@kernel
def dropout_mask(input, p, features=False, scaled=True, generator=None):
    kept = 1 - p
    if features:
        shape = (*input.shape[:2], *[1] * (input.ndim - 2))
        drawn = stream.bernoulli(kept, shape, generator)
    else:
        drawn = in_memory_order(input, lambda shape: stream.bernoulli(kept, shape, generator))
    if not scaled:
        return drawn.astype(input.dtype)
    exact = np.float64 if input.dtype.itemsize == 8 else np.float32
    return np.multiply(drawn, (exact(1) / exact(kept)).astype(input.dtype))


@kernel
def dropout_by_mask(input, mask, scale):
    return np.multiply(input, mask) * input.dtype.type(scale)


@kernel
def random_slopes(input, lower, upper, generator=None):
    slopes, falling = np.ones_like(input), input <= 0
    slopes[falling] = stream.uniform((np.count_nonzero(falling),), np.float64, lower, upper, generator)
    return slopes


@kernel
def sloped(input, noise):
    return np.multiply(input, noise)
