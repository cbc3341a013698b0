"""Sums, products, extremes and norms over dimensions.

``dim`` is None for all dimensions, an int, or a tuple of ints, of which the empty one reduces nothing. Integers are
summed in int64; float16 and bfloat16 in float32, and rounded once.
"""

from math import inf, nan

import numpy as np

from .registry import KERNELS, kernel

FAST = frozenset({np.dtype(np.float32), np.dtype(np.float64)})


def numpy_dtype(dtype):
    """The NumPy dtype of a tensor's dtype, or of a NumPy dtype itself."""
    return getattr(dtype, "numpy", dtype)


def is_half(dtype):
    """Whether a dtype is float16 or bfloat16."""
    return dtype.itemsize == 2 and dtype.kind not in "iu"


def widened(input):
    """The input, in float32 where it is of half precision."""
    return input.astype(np.float32) if is_half(input.dtype) else input


def taken_as(input, dtype):
    """The input in the dtype to sum in, and the dtype of the result: ``dtype`` if given, int64 for integers."""
    target = (
        numpy_dtype(dtype) if dtype is not None else input.dtype if input.dtype.kind not in "biu" else np.dtype(int)
    )
    if target != input.dtype:
        input = KERNELS["cast"](input, target)
    return widened(input), target


def reduced(ufunc, input, dim, keepdim, dtype):
    """``ufunc`` reduced over dimensions, in PyTorch's dtype."""
    if dtype is None and input.dtype in FAST:
        return ufunc.reduce(input, axis=dim, keepdims=keepdim)
    input, target = taken_as(input, dtype)
    return ufunc.reduce(input, axis=dim, keepdims=keepdim, dtype=input.dtype).astype(target)


def extent(shape, dim):
    """How many elements a reduction of ``dim`` makes one of."""
    count = 1
    for size in shape if dim is None else [shape[d] for d in (dim if isinstance(dim, tuple) else (dim,))]:
        count *= size
    return count


@kernel
def sum_all(input, dtype=None):
    return reduced(np.add, input, None, False, dtype)


@kernel
def sum_(input, dim=None, keepdim=False, dtype=None):
    return reduced(np.add, input, dim, keepdim, dtype)


@kernel
def log_of_sum(input, dim):
    wide = widened(input)
    total = np.add.reduce(wide, axis=dim, keepdims=True)
    if total.dtype.kind == "f" and (total < 2).any():  # where one element is 1, the others may be tiny beside it
        ones = wide == 1
        others = np.add.reduce(np.where(ones, 0, wide), axis=dim, keepdims=True)
        result = np.log1p(others + (np.add.reduce(ones, axis=dim, keepdims=True, dtype=int) - 1))
    else:
        result = np.log(total)
    return result.astype(input.dtype, copy=False)


@kernel
def mean_all(input, dtype=None):
    return mean(input, None, False, dtype)


@kernel
def mean(input, dim=None, keepdim=False, dtype=None):
    input, target = (input, None) if dtype is None and input.dtype in FAST else taken_as(input, dtype)
    count = input.size if dim is None else extent(input.shape, dim)
    result = np.add.reduce(input, axis=dim, keepdims=keepdim)
    result = result / count if count else result * nan
    return result if target is None else result.astype(target)


@kernel
def prod_all(input, dtype=None):
    return reduced(np.multiply, input, None, False, dtype)


@kernel
def prod(input, dim, keepdim=False, dtype=None):
    return reduced(np.multiply, input, dim if input.ndim else None, keepdim, dtype)


@kernel
def others(input, dim):
    if not input.ndim:
        return np.ones_like(input)
    whole = np.multiply.reduce(input, axis=dim, keepdims=True)
    if input.all() and np.isfinite(whole).all() and whole.all():
        return whole / input
    before, after = np.ones_like(input), np.ones_like(input)
    first, last = (slice(None),) * dim + (slice(None, -1),), (slice(None),) * dim + (slice(1, None),)
    np.multiply.accumulate(input[first], axis=dim, out=before[last])
    backwards = (slice(None),) * dim + (slice(None, None, -1),)
    np.multiply.accumulate(input[last][backwards], axis=dim, out=after[first][backwards])
    return before * after


@kernel
def var(input, dim=None, correction=1, keepdim=False):
    wide = widened(input)
    distance = wide - np.add.reduce(wide, axis=dim, keepdims=True) / (extent(input.shape, dim) or 1)
    freedom = max(extent(input.shape, dim) - correction, 0)
    result = sum_of_squares(distance, dim, keepdim)
    result = result / freedom if freedom else np.where(result > 0, inf, nan).astype(result.dtype)
    return result if wide is input else result.astype(input.dtype)


@kernel
def std(input, dim=None, correction=1, keepdim=False):
    return np.sqrt(var(input, dim, correction, keepdim))


@kernel
def any_(input, dim=None, keepdim=False):
    return truth(np.logical_or, input, dim, keepdim)


@kernel
def all_(input, dim=None, keepdim=False):
    return truth(np.logical_and, input, dim, keepdim)


def truth(ufunc, input, dim, keepdim):
    """Whether any or all elements are nonzero; as uint8 for uint8, which held truth values before bool did."""
    if input.dtype.kind not in "biufc":
        input = input != 0
    result = ufunc.reduce(input, axis=dim, keepdims=keepdim)
    return result.astype(np.uint8) if input.dtype == np.uint8 else result


@kernel
def count_nonzero(input, dim=None):
    return np.add.reduce(input != 0, axis=dim, dtype=np.int64)


def sum_of_squares(x, dim, keepdim):
    """The sum of squared absolute values; by BLAS where all elements or those of the last dimension are summed."""
    if dim is None and not keepdim:
        line = np.ravel(x)
        return np.vdot(line, line).real
    if dim in (x.ndim - 1, (x.ndim - 1,)) and not keepdim:
        return np.vecdot(x, x).real
    squares = np.square(x) if x.dtype.kind == "f" else np.square(x.real) + np.square(x.imag)
    return np.add.reduce(squares, axis=dim, keepdims=keepdim)
