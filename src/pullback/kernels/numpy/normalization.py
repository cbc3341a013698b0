"""Kernels that shift and scale groups of elements to mean 0 and variance 1.

All norms are one computation on a *layout*: ``(shape, affine, dims)``, where the input, seen in ``shape``, is normalised
over ``dims``, and weight and bias, seen in ``affine``, broadcast. Half precision is computed in float32.
"""

import numpy as np

from .registry import KERNELS, kernel

LETTERS = "abcdefgh"


def wide(array):
    return array.astype(np.float32) if array.dtype.itemsize == 2 else array


def averaged(x, dims):
    """The mean over ``dims``, which are kept: the last first, for which NumPy adds in pairs."""
    count = 1
    for d in reversed(dims):
        count *= x.shape[d]
        x = np.add.reduce(x, d, keepdims=True)
    return x / x.dtype.type(count)


def product_sum(x, y, shape):
    """The sum of products over the dims in which ``shape`` has extent 1, without the products in memory."""
    letters = LETTERS[: x.ndim]
    left = "".join(letter for letter, n in zip(letters, shape, strict=True) if n != 1)
    return np.einsum(f"{letters},{letters}->{left}", x, y).reshape(shape)


def kept_shape(shape, dims):
    return tuple(1 if d in dims else n for d, n in enumerate(shape))


@kernel
def mean_and_var(input, layout):
    shape, _, dims = layout
    x = wide(input).reshape(shape)
    mean = averaged(x, dims)
    centred = x - mean
    groups = kept_shape(shape, dims)
    var = product_sum(centred, centred, groups) / x.dtype.type(x.size / max(mean.size, 1) or np.nan)
    return np.stack((mean, var))


def standardised(input, stats, layout, eps):
    """The input, seen in the layout's shape, at mean 0 and variance 1; and what it was multiplied by."""
    mean, var = mean_and_var(input, layout) if stats is None else stats
    scale = 1 / np.sqrt(var + var.dtype.type(eps))
    x = wide(input).reshape(layout[0]) - mean
    x *= scale
    return x, scale


def normalised(input, stats, layout, eps, weight=None, bias=None):
    x, _ = standardised(input, stats, layout, eps)
    if weight is not None:
        x *= wide(weight).reshape(layout[1])
    if bias is not None:
        x += wide(bias).reshape(layout[1])
    return x.reshape(input.shape).astype(input.dtype, copy=False)


@kernel
def norm_slope(grad, input, stats, layout, eps, weight=None):
    shape, affine, dims = layout
    x, scale = standardised(input, stats, layout, eps)
    flow = wide(grad).reshape(shape)
    if weight is not None:
        flow = flow * wide(weight).reshape(affine)
    groups = kept_shape(shape, dims)
    count = x.dtype.type(x.size / max(scale.size, 1) or np.nan)
    x *= product_sum(flow, x, groups) / count
    slope = flow - averaged(flow, dims)
    slope -= x
    slope *= scale
    return slope.reshape(input.shape).astype(input.dtype, copy=False)


@kernel
def norm_weight_slope(grad, input, stats, layout, eps):
    shape, affine, _ = layout
    x, _ = standardised(input, stats, layout, eps)
    padded = (1,) * (len(shape) - len(affine)) + affine
    return product_sum(wide(grad).reshape(shape), x, padded).reshape(-1)


KERNELS.update(dict.fromkeys(("batch_norm_by_batch", "layer_norm_of", "group_norm_of"), normalised))


@kernel
def moved_statistic(running, latest, momentum, factor):
    return running * (1 - momentum) + latest * (momentum * factor)
