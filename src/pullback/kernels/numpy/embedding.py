"""Kernels that look rows up and add to them."""

import numpy as np

from .registry import kernel
from .scatter import add_at_rows, check_bounds

OUT_OF_RANGE = "index out of range in self: {} along dim {} of size {}"


@kernel
def embedding_rows(weight, input, padding_idx, scale_grad_by_freq):
    check_bounds(input, weight.shape[0], 0, IndexError, OUT_OF_RANGE)
    return weight.take(input, 0)


@kernel
def embedding_slope(grad, input, rows):
    width = grad.shape[-1]
    out = np.zeros((rows, width), grad.dtype)
    if grad.size:
        add_at_rows(out, 0, np.ravel(input), grad.reshape(-1, width))
    return out


@kernel
def embedding_counts(input, rows):
    return np.bincount(np.ravel(input), minlength=rows).astype(np.int64, copy=False)[input]


@kernel
def one_hot(tensor, num_classes=-1):
    tensor = np.asarray(tensor)
    if num_classes == -1 and not tensor.size:
        raise RuntimeError("one_hot: Can not infer total number of classes from empty tensor.")
    if tensor.size and tensor.min() < 0:
        raise RuntimeError(f"one_hot: Class values must be non-negative, but got {tensor.min()}.")
    classes = int(tensor.max()) + 1 if num_classes == -1 else num_classes
    if tensor.size and tensor.max() >= classes:
        raise RuntimeError(f"one_hot: Class values must be smaller than num_classes, {classes}; got {tensor.max()}.")
    out = np.zeros((tensor.size, classes), np.int64)
    out[np.arange(tensor.size), tensor.reshape(-1)] = 1
    return out.reshape(*tensor.shape, classes)
