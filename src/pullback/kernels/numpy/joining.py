"""NumPy kernels of the operations on lists of tensors."""

import numpy as np

from ...ops.joining import common_shape, matrix_shape, mesh, raised_dims
from .registry import kernel
from .shape import expand


@kernel
def cat(tensors, dim=0):
    if len(tensors) > 1:
        tensors = [each for each in tensors if each.shape != (0,)] or tensors[:1]
    return np.ascontiguousarray(np.concatenate(tensors, dim))  # NumPy keeps an order that all have in common


@kernel
def stack(tensors, dim=0):
    shape = tensors[0].shape
    if dim < 0:
        dim += len(shape) + 1
    shape = (*shape[:dim], 1, *shape[dim:])
    return np.concatenate([each.reshape(shape) for each in tensors], dim)  # np.stack takes three times as long


@kernel
def hstack(tensors):
    return np.hstack(tensors)


@kernel
def vstack(tensors):
    return np.vstack(tensors)


@kernel
def dstack(tensors):
    return np.dstack(tensors)


@kernel
def column_stack(tensors):
    return np.column_stack(tensors)


@kernel
def block_diag(tensors):
    shapes = [matrix_shape(each.shape) for each in tensors]
    out = np.zeros(np.sum(shapes, axis=0), tensors[0].dtype)
    row = column = 0
    for each, (height, width) in zip(tensors, shapes, strict=True):
        out[row : row + height, column : column + width] = each
        row, column = row + height, column + width
    return out


@kernel
def broadcast_tensors(tensors):
    shape = common_shape("broadcast_tensors", [each.shape for each in tensors])
    return tuple([expand(each, shape) for each in tensors])


@kernel
def meshgrid(tensors, indexing=None):
    shape, ones = mesh([each.size for each in tensors], indexing)
    return tuple([expand(each.reshape(one), shape) for each, one in zip(tensors, ones, strict=True)])


@kernel
def atleast(tensors, ndim):
    return tuple([each.reshape(raised_dims(each.shape, ndim)) for each in tensors])
