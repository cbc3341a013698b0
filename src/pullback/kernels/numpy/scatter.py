"""Kernels that gather and scatter along one dimension.

Nearly all work on flat positions into contiguous memory, for which NumPy is fastest. Where an index is the same for
all other dims (as ``index.view(-1, 1).expand(-1, n)`` is), whole rows are moved. Indices are checked before anything is
written; contributions to one element are added in the order of the index.
"""

from functools import reduce as fold
from math import prod
from operator import add

import numpy as np

from .indexing import add_rows, is_tiny, widened
from .registry import kernel, kernel_into

FLAT_FROM = 4096  # elements from which flat positions beat take_along_axis (1,600 µs against 2,800 for a million)
UNSIGNED = {4: np.uint32, 8: np.uint64}


# -- positions ---------------------------------------------------------------------------------------------------------


def check_bounds(
    index, size, dim, error=RuntimeError, message="index {} is out of bounds for dimension {} with size {}"
):
    """Raise an error for the first index that is not in [0, size)."""
    if index.size and index.view(UNSIGNED[index.itemsize]).max() >= size:  # there, negative ones are large
        bad = index[(index < 0) | (index >= size)].flat[0]
        raise error(message.format(bad, dim, size))


def flat_positions(index, dim, shape):
    """Where, in contiguous memory of ``shape``, the elements stand that ``index`` picks along ``dim``."""
    strides = [prod(shape[d + 1 :]) for d in range(len(shape))]
    others = [
        np.arange(0, n * strides[d], strides[d]).reshape([-1 if e == d else 1 for e in range(len(shape))])
        for d, n in enumerate(index.shape)
        if d != dim and n > 1
    ]
    along = index * strides[dim] if strides[dim] != 1 else index
    return along + fold(add, others) if others else along


def as_rows(index, dim, shape):
    """The one-dimensional index along ``dim`` that is repeated over all the other dims; None where there is no such."""
    for d, (n, stride) in enumerate(zip(index.shape, index.strides, strict=True)):
        if d != dim and (n != shape[d] or (stride and n > 1)):
            return None
    return index[tuple([slice(None) if d == dim else 0 for d in range(index.ndim)])] if index.size else None


def one_dim(value):
    """A zero-dim array as one of one dimension: PyTorch lets them stand for each other here."""
    return np.reshape(value, 1) if np.ndim(value) == 0 else value


def trimmed(array, shape, dim=None):
    """The leading part of an array that an index of ``shape`` covers; all of dimension ``dim``."""
    if all(n == m or d == dim for d, (n, m) in enumerate(zip(array.shape, shape, strict=True))):
        return array
    return array[tuple([slice(None) if d == dim else slice(n) for d, n in enumerate(shape)])]


# -- gather ------------------------------------------------------------------------------------------------------------


@kernel
def gather(input, dim, index, sparse_grad=False):
    shape = index.shape
    if not index.size:
        return np.empty(shape, input.dtype)
    input, index = one_dim(input), one_dim(index)
    check_bounds(index, input.shape[dim], dim)
    if index.ndim == 2 and dim == 1 and index.size < FLAT_FROM:  # one a row, as losses do: 3 µs, not 5
        return input[np.arange(index.shape[0])[:, None], index].reshape(shape)
    if index.size < FLAT_FROM:
        return np.take_along_axis(trimmed(input, index.shape, dim), index, dim).reshape(shape)
    rows = as_rows(index, dim, input.shape)
    if rows is not None:
        return input.take(rows, dim)
    return input.reshape(-1).take(flat_positions(index, dim, input.shape))


@kernel
def ungather(input, dim, index, shape):
    input = np.asarray(input)
    out = np.zeros(shape, input.dtype)
    if index.size and index.ndim and index.shape[dim] == 1:
        scatter_into(out, dim, index, input)  # nothing is met twice
    else:
        scatter_add_into(out, dim, index, input)
    return out


# -- scatter -----------------------------------------------------------------------------------------------------------


class Flat:
    """A tensor that is about to be written at scattered places, as flat memory; :meth:`store` gives it back."""

    __slots__ = ("at", "block", "in_place", "target", "wide")

    def __init__(self, target, dim, index, wide=False):
        index = one_dim(index)
        shape = target.shape or (1,)
        check_bounds(index, shape[dim], dim)
        self.target = target
        self.wide = widened(target) if wide else target
        self.in_place = self.wide is target and target.flags.c_contiguous
        self.block = (target if self.in_place else np.ascontiguousarray(self.wide)).reshape(-1)
        self.at = flat_positions(index, dim, shape).reshape(-1)

    def values(self, src, index):
        """What is scattered, flat: an element for each of the index, or one number for all."""
        if not isinstance(src, np.ndarray):
            return np.asarray(src).astype(self.block.dtype)
        if np.may_share_memory(src, self.target):
            src = src.copy()
        return np.ascontiguousarray(trimmed(one_dim(src), one_dim(index).shape), self.block.dtype).reshape(-1)

    def store(self):
        if not self.in_place:
            self.target[...] = self.block.reshape(self.target.shape)


@kernel
def scatter(input, dim, index, src, reduce=None):
    out = np.array(input, order="C")
    scatter_into(out, dim, index, src, reduce)
    return out


@kernel_into
def scatter_into(target, dim, index, src, reduce=None):
    if not index.size:
        return
    flat = Flat(target, dim, index, wide=reduce is not None)
    values = flat.values(src, index)
    if reduce is None:
        flat.block[flat.at] = values
    else:
        (np.add if reduce == "add" else np.multiply).at(flat.block, flat.at, values)
    flat.store()


@kernel
def scatter_add(input, dim, index, src):
    out = np.array(input, order="C")
    scatter_add_into(out, dim, index, src)
    return out


@kernel_into
def scatter_add_into(target, dim, index, src):
    if not index.size:
        return
    rows = as_rows(index, dim, target.shape) if target.ndim and index.ndim else None
    if rows is not None:
        check_bounds(rows, target.shape[dim], dim)
        add_at_rows(target, dim, rows, trimmed(src, index.shape))
        return
    flat = Flat(target, dim, index, wide=True)
    np.add.at(flat.block, flat.at, flat.values(src, index))
    flat.store()


def add_at_rows(target, dim, rows, values):
    """Add slices of ``values`` along ``dim`` to those of ``target`` that ``rows`` names."""
    if is_tiny(values, target):
        np.add.at(target, (*[slice(None)] * dim, rows), values)
        return
    add_rows(target, rows.astype(np.intp, copy=False), values, prod(target.shape[:dim]), target.shape[dim])


# -- scatter_reduce ----------------------------------------------------------------------------------------------------

REDUCERS = {"sum": np.add, "mean": np.add, "prod": np.multiply, "amax": np.maximum, "amin": np.minimum}


@kernel
def scatter_reduce(input, dim, index, src, reduce, include_self=True):
    out = np.array(input, order="C")
    scatter_reduce_into(out, dim, index, src, reduce, include_self)
    return out


@kernel_into
def scatter_reduce_into(target, dim, index, src, reduce, include_self=True):
    if not index.size:
        return
    flat = Flat(target, dim, index, wide=True)
    block, at = flat.block, flat.at
    values = flat.values(src, index)
    if not include_self:
        block[at] = neutral(reduce, block.dtype)
    REDUCERS[reduce].at(block, at, values)
    if reduce == "mean":
        counts = np.bincount(at, minlength=block.size)
        counts = counts + 1 if include_self else np.maximum(counts, 1)
        exact = block.dtype.kind in "fc"
        block[...] = block / counts.astype(block.real.dtype) if exact else block // counts.astype(block.dtype)
    flat.store()


def neutral(reduce, dtype):
    """What a reduction starts from where the input itself does not count."""
    if reduce in ("sum", "mean", "prod"):
        return reduce == "prod"
    if dtype.kind == "b":
        return reduce == "amin"
    if dtype.kind in "iu":
        limits = np.iinfo(dtype)
        return limits.min if reduce == "amax" else limits.max
    return -np.inf if reduce == "amax" else np.inf


# -- whole slices ------------------------------------------------------------------------------------------------------


@kernel
def index_select(input, dim, index):
    rows = one_dim(index)
    check_bounds(
        rows, one_dim(input).shape[dim], dim, IndexError, "index out of range in self: {} along dim {} of size {}"
    )
    found = one_dim(input).take(rows, dim)
    return found if np.ndim(input) else found.reshape(())


@kernel
def index_add(input, dim, index, source, alpha=1):
    out = np.array(input, order="C")
    index_add_into(out, dim, index, source, alpha)
    return out


@kernel_into
def index_add_into(target, dim, index, source, alpha=1):
    rows = one_dim(index)
    whole, source = target.reshape(target.shape or 1), one_dim(source)
    check_bounds(rows, whole.shape[dim], dim)
    if alpha != 1:
        source = source * np.asarray(alpha).astype(source.dtype)
    add_at_rows(whole, dim, rows, source)


@kernel
def index_copy(input, dim, index, source):
    out = np.array(input, order="C")
    index_copy_into(out, dim, index, source)
    return out


@kernel_into
def index_copy_into(target, dim, index, source):
    rows = one_dim(index)
    whole = target.reshape(target.shape or 1)
    check_bounds(
        rows,
        whole.shape[dim],
        dim,
        IndexError,
        "index_copy_(): index {} is out of bounds for dimension {} with size {}",
    )
    whole[(*[slice(None)] * dim, rows)] = source


@kernel
def index_fill(input, dim, index, value):
    out = np.array(input, order="C")
    index_fill_into(out, dim, index, value)
    return out


@kernel_into
def index_fill_into(target, dim, index, value):
    rows = one_dim(index)
    whole = target.reshape(target.shape or 1)
    if rows.size and not -whole.shape[dim] <= rows.min() <= rows.max() < whole.shape[dim]:
        bad = rows[(rows < -whole.shape[dim]) | (rows >= whole.shape[dim])][0]
        raise IndexError(f"index {bad} is out of bounds for dimension {dim} with size {whole.shape[dim]}")
    whole[(*[slice(None)] * dim, rows)] = value
