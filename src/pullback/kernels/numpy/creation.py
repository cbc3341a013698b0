"""NumPy kernels of the constants that rules need."""

import numpy as np

from .registry import KERNELS, kernel

KERNELS.update(
    zeros_like=np.zeros_like, ones_like=np.ones_like, detach=lambda input: input, with_value=lambda input, value: value
)


@kernel
def full_like(input, value):
    return np.full_like(input, value)


@kernel
def new_zeros(input, shape):
    return np.zeros(shape, input.dtype)


@kernel
def arange(n):
    return np.arange(n, dtype=np.int64)
