"""Norms of vectors."""

from math import inf

import numpy as np

from .reductions import is_half, sum_of_squares, taken_as
from .registry import kernel


@kernel
def linalg_vector_norm(input, ord=2, dim=None, keepdim=False, dtype=None):
    wide, target = taken_as(input, dtype)
    result = norm_of(wide, ord, dim, keepdim)
    return result.astype(target) if is_half(target) else result


def norm_of(x, ord, dim, keepdim):
    """The norm of order ``ord``, in the precision of ``x``."""
    if ord == 2:
        return np.sqrt(sum_of_squares(x, dim, keepdim))
    size = np.abs(x)
    if ord == 1:
        return np.add.reduce(size, axis=dim, keepdims=keepdim)
    if ord == 0:
        return np.add.reduce(size != 0, axis=dim, keepdims=keepdim, dtype=size.dtype)
    if ord in (inf, -inf):
        return (np.maximum if ord > 0 else np.minimum).reduce(size, axis=dim, keepdims=keepdim)
    return np.add.reduce(size**ord, axis=dim, keepdims=keepdim) ** (1 / ord)
