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
def one_hot(input, num_classes=-1):
    input = np.asarray(input)
    if num_classes == -1 and not input.size:
        raise RuntimeError("one_hot: Can not infer total number of classes from empty input.")
    if input.size and input.min() < 0:
        raise RuntimeError(f"one_hot: Class values must be non-negative, but got {input.min()}.")
    classes = int(input.max()) + 1 if num_classes == -1 else num_classes
    if input.size and input.max() >= classes:
        raise RuntimeError(f"one_hot: Class values must be smaller than num_classes, {classes}; got {input.max()}.")
    out = np.zeros((input.size, classes), np.int64)
    out[np.arange(input.size), input.reshape(-1)] = 1
    return out.reshape(*input.shape, classes)
