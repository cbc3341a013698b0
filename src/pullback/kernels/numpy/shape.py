"""NumPy kernels of the operations that give the same elements another shape: views wherever the memory allows it.

What they are given may be a NumPy scalar, for zero-dim; what they return shares memory with it otherwise.
"""

import numpy as np
from numpy.lib.stride_tricks import as_strided

from .registry import KERNELS, kernel

# What sums are taken in, where that is not the dtype itself.
SUMS = {"float16": np.float32, "bfloat16": np.float32} | dict.fromkeys(
    ("bool", "uint8", "int8", "int16", "int32"), np.int64
)


def reshape(input, shape):
    return input.reshape(shape)


KERNELS.update(reshape=reshape, reshape_alias=reshape, view=reshape)


@kernel
def view_dtype(input, dtype, shape):
    dtype = np.dtype(getattr(dtype, "numpy", dtype))
    input = np.asarray(input)
    if dtype.itemsize != input.itemsize and input.strides[-1] != input.itemsize:  # as a batch may lie
        input = np.ascontiguousarray(input)
    found = input.view(dtype)
    return found if found.shape == shape else found.reshape(shape)


@kernel
def raveled(input, shape):
    return input.reshape(shape, copy=True)


def restrided(input, shape, strides, offset=0):
    """The input's memory seen with any shape and strides (in bytes), from ``offset`` bytes after its first element.

    Unlike NumPy's ``as_strided`` and ``broadcast_to`` the result is writeable, has the owner of the memory for its base,
    by which the tape knows a view, and takes 0.3 µs, not 2.5, where the input is contiguous.
    """
    if not input.size:
        return np.ndarray(shape, input.dtype, input)  # there is nothing whose place strides could tell
    if input.flags.c_contiguous:
        return np.ndarray(shape, input.dtype, input, offset, strides)
    whole = input
    while type(whole.base) is np.ndarray:
        whole = whole.base
    flat = whole.ravel(order="K")
    if flat.base is None:  # a foreign array with gaps, which had to be copied
        return as_strided(input, shape, strides)
    offset += input.ctypes.data - whole.ctypes.data
    return np.ndarray(shape, input.dtype, flat, offset, strides)


@kernel
def squeeze(input, dim=None):
    chosen = range(input.ndim) if dim is None else dim if isinstance(dim, tuple) else (dim,)
    return input.reshape([n for d, n in enumerate(input.shape) if n != 1 or d not in chosen])


KERNELS.update(squeeze_dim=squeeze, squeeze_dims=squeeze)


@kernel
def unsqueeze(input, dim):
    shape = input.shape
    if dim < 0:
        dim += len(shape) + 1
    return input.reshape(shape[:dim] + (1,) + shape[dim:])


@kernel
def expand(input, size):
    input = np.asarray(input)
    shape, strides = input.shape, input.strides
    lead = len(size) - len(shape)
    kept = [s if had == n else 0 for s, had, n in zip(strides, shape, size[lead:], strict=True)]
    return restrided(input, size, [0] * lead + kept)


@kernel
def sum_to_size(input, size):
    lead = input.ndim - len(size)
    dims = (*range(lead), *[d + lead for d, n in enumerate(size) if n == 1])
    total = np.add.reduce(input, axis=dims, dtype=SUMS.get(input.dtype.name), keepdims=True)
    return (total if input.dtype.kind in "biu" else total.astype(input.dtype, copy=False)).reshape(size)


KERNELS.update(sum_to_size_smaller=sum_to_size, sum_to_size_scalar=sum_to_size)


@kernel
def clone(input, memory_format=None):
    return np.array(input, order="K")


@kernel
def contiguous(input):
    return np.array(input, order="C")
