"""NumPy kernels of the operations that put dimensions in another order."""

import numpy as np

from .registry import kernel


@kernel
def transpose(input, dim0, dim1):
    return input.swapaxes(dim0, dim1) if input.ndim else input.reshape(())


@kernel
def permute(input, dims):
    return input.transpose(dims)


@kernel
def t(input):
    return input.T


@kernel
def conj_transpose(input):
    return np.conjugate(input.swapaxes(-2, -1))
