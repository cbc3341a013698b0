"""Convolutions as products of matrices: windows of some images at a time are copied into columns, and multiplied.

The columns of a block of images stay in the processor's cache, and their memory is used again for the next block and
the next call: fresh pages would cost as much as the products.
"""

import threading
from collections.abc import Iterator
from itertools import product
from math import prod
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import as_strided

from ...ops.convolution import transposed_size
from .products import is_half
from .registry import KERNELS, kernel

BLOCK = 1 << 17  # elements of columns that are made at a time
ROW = 32
KEPT = 1 << 24  # bytes of memory, of one use, that are kept for the next call


class _Memory(threading.local):
    def __init__(self) -> None:
        self.kept: dict[str, np.ndarray] = {}


_memory = _Memory()


def scratch(use: str, shape: tuple, dtype: np.dtype) -> np.ndarray:
    """An array of undefined content, in memory that the next call for the same use gets again."""
    size = prod(shape) * dtype.itemsize
    held = _memory.kept.get(use)
    if held is None or held.nbytes < size:
        held = np.empty(size, np.uint8)
        if size <= KEPT:
            _memory.kept[use] = held
    return held[:size].view(dtype).reshape(shape)


class Geometry:
    """The sizes of one convolution: images (N, C, …), columns (N, G, C/G·kernel, places), results (N, O, …).

    Where the kernel moves by single steps, a padded image is one long row, along which the window of the kernel slides:
    columns are then copied in long runs. The places where the window falls over an edge are computed too, and unused.
    """

    def __init__(
        self,
        images: tuple,
        kernel: tuple,
        stride: tuple,
        padding: tuple,
        dilation: tuple,
        groups: int,
        places: tuple | None = None,
    ) -> None:
        self.count, self.channels, *self.spatial = images
        self.kernel, self.stride, self.dilation, self.groups = kernel, stride, dilation, groups
        self.before = [before for before, _ in padding]
        self.padded = [s + before + after for s, (before, after) in zip(self.spatial, padding, strict=True)]
        self.reach = [d * (k - 1) + 1 for d, k in zip(dilation, kernel, strict=True)]
        # A transposed convolution may leave out the last places.
        self.places = places or tuple([(p - r) // s + 1 for p, r, s in zip(self.padded, self.reach, stride, strict=True)])
        self.is_padded = self.padded != self.spatial
        self.is_row = self.places[-1] <= ROW and set(stride) == {1} and 0 not in self.places
        self.steps = [prod(self.padded[d + 1 :]) for d in range(len(kernel))]  # in a padded image as one row
        self.length = self.along(self.places) if self.is_row else prod(self.places)
        self.rows = self.channels * prod(kernel)
        self.block = max(1, min(self.count, BLOCK // max(1, self.rows * self.length)))

    def along(self, sizes: tuple) -> int:
        """How long a part of the row is that holds a box of these sizes."""
        return sum((size - 1) * step for size, step in zip(sizes, self.steps, strict=True)) + 1

    def blocks(self) -> Iterator[slice]:
        return (slice(i, min(i + self.block, self.count)) for i in range(0, self.count, self.block))

    @property
    def is_pointwise(self) -> bool:
        """Whether each place of the result reads the same place of the image, and no other."""
        return prod(self.kernel) == 1 and set(self.stride) == {1} and list(self.places) == self.spatial

    def frame(self, dtype: np.dtype) -> np.ndarray:
        """Zeros for a block of padded images."""
        frame = scratch("frame", (self.block, self.channels, *self.padded), dtype)
        frame[...] = 0
        return frame

    def inner(self, frame: np.ndarray) -> np.ndarray:
        """The images within their frame."""
        inside = [slice(b, b + s) for b, s in zip(self.before, self.spatial, strict=True)]
        return frame[(..., *inside)]

    def windows(self, images: np.ndarray) -> np.ndarray:
        """A view (N, C, *kernel, *places) of padded images; the places are one dim in a row."""
        steps = images.strides
        moves = [s * d for s, d in zip(steps[2:], self.dilation, strict=True)]
        places, jumps = (self.length,), steps[-1:]
        if not self.is_row:
            places, jumps = self.places, tuple([s * d for s, d in zip(steps[2:], self.stride, strict=True)])
        shape = (len(images), self.channels, *self.kernel, *places)
        return as_strided(images, shape, (*steps[:2], *moves, *jumps), writeable=False)

    def columns(self, images: np.ndarray, images_last: bool = False) -> Iterator[tuple[slice, np.ndarray]]:
        """For each block of images, its windows as columns (n, G, C/G·kernel, places); or (G, C/G·kernel, n·places)."""
        frame = self.frame(images.dtype) if self.is_padded else None
        images = images if frame is not None else np.ascontiguousarray(images)
        for part in self.blocks():
            block = images[part]
            if frame is not None:
                self.inner(frame)[: len(block)] = block
                block = frame[: len(block)]
            windows = self.windows(block)
            n, depth = len(block), self.rows // self.groups
            if images_last:
                windows = np.moveaxis(windows, 0, 1 + len(self.kernel))
            columns = scratch("columns", windows.shape, images.dtype)
            columns[...] = windows
            shape = (self.groups, depth, n * self.length) if images_last else (n, self.groups, depth, self.length)
            yield part, columns.reshape(shape)

    def in_row(self, results: np.ndarray) -> np.ndarray:
        """Results (n, O, …) at their places in rows, with zeros at the places that are not used: (n, O, places)."""
        shape = (*results.shape[:2], self.length)
        if not self.is_row:
            return results.reshape(shape)
        row = scratch("results", shape, results.dtype)
        row[...] = 0
        self.out_of_row(row)[...] = results
        return row

    def out_of_row(self, row: np.ndarray) -> np.ndarray:
        """A view (n, O, …) of results in rows."""
        if not self.is_row:
            return row.reshape((*row.shape[:-1], *self.places))
        steps = [step * row.itemsize for step in self.steps]
        return as_strided(row, (*row.shape[:-1], *self.places), (*row.strides[:-1], *steps))


def wide(*arrays: Any) -> list:
    """The arrays in the precision to multiply in: float32 for the half precisions."""
    return [a.astype(np.float32) if is_half(a.dtype) else a for a in arrays]


def by_groups(weight: np.ndarray, groups: int) -> np.ndarray:
    """A weight (O, C/G, *kernel) as matrices (G, O/G, C/G·kernel)."""
    return weight.reshape((groups, len(weight) // groups, prod(weight.shape[1:])))


@kernel
def convolution(
    input: np.ndarray,
    weight: np.ndarray,
    bias: np.ndarray | None = None,
    stride: tuple = (1,),
    padding: tuple = ((0, 0),),
    dilation: tuple = (1,),
    groups: int = 1,
) -> np.ndarray:
    if input.ndim == len(stride) + 1:
        return convolution(input[None], weight, bias, stride, padding, dilation, groups)[0]
    images, kernels = wide(input, weight)
    sizes = Geometry(images.shape, weight.shape[2:], stride, padding, dilation, groups)
    out = len(weight)
    result = np.empty((sizes.count, out, *sizes.places), images.dtype)
    results = result.reshape((sizes.count, groups, out // groups, prod(sizes.places)))
    matrices = by_groups(kernels, groups)
    if sizes.is_pointwise:
        np.matmul(matrices, images.reshape((sizes.count, groups, -1, prod(sizes.places))), out=results)
    elif sizes.is_row:
        for part, columns in sizes.columns(images):
            row = scratch("results", (len(columns), groups, out // groups, sizes.length), images.dtype)
            np.matmul(matrices, columns, out=row)
            result[part] = sizes.out_of_row(row.reshape((len(columns), out, -1)))
    else:
        for part, columns in sizes.columns(images):
            np.matmul(matrices, columns, out=results[part])
    if bias is not None:
        result += wide(bias)[0].reshape((out, *[1] * len(stride)))
    return result if result.dtype == input.dtype else result.astype(input.dtype)


@kernel
def convolution_input(
    cotangent: np.ndarray,
    weight: np.ndarray,
    size: tuple,
    stride: tuple,
    padding: tuple,
    dilation: tuple,
    groups: int,
) -> np.ndarray:
    if cotangent.ndim == len(stride) + 1:
        return convolution_input(cotangent[None], weight, size, stride, padding, dilation, groups)[0]
    given, kernels = wide(cotangent, weight)
    shape = (len(given), weight.shape[1] * groups, *size)
    sizes = Geometry(shape, weight.shape[2:], stride, padding, dilation, groups, given.shape[2:])
    result = np.empty(shape, given.dtype)
    matrices = by_groups(kernels, groups).swapaxes(1, 2)
    inner = given.shape[1] // groups
    if sizes.is_pointwise:
        images = result.reshape((sizes.count, groups, -1, prod(size)))
        np.matmul(matrices, given.reshape((sizes.count, groups, inner, prod(size))), out=images)
    else:
        for part in sizes.blocks():
            row = sizes.in_row(given[part])
            columns = scratch("columns", (len(row), groups, matrices.shape[1], sizes.length), given.dtype)
            np.matmul(matrices, row.reshape((len(row), groups, inner, sizes.length)), out=columns)
            add_windows(sizes, columns, result[part])
    return result if result.dtype == cotangent.dtype else result.astype(cotangent.dtype)


def add_windows(sizes: Geometry, columns: np.ndarray, images: np.ndarray) -> None:
    """Sum columns to the places of the images that their windows look at."""
    n = len(columns)
    frame = sizes.frame(images.dtype)[:n]
    if sizes.is_row:
        columns = columns.reshape((n, sizes.channels, *sizes.kernel, sizes.length))
        rows = frame.reshape((n, sizes.channels, -1))
    else:
        columns = columns.reshape((n, sizes.channels, *sizes.kernel, *sizes.places))
    for offset in product(*[range(k) for k in sizes.kernel]):
        starts = [o * d for o, d in zip(offset, sizes.dilation, strict=True)]
        if sizes.is_row:
            start = sizes.along([s + 1 for s in starts]) - 1
            rows[:, :, start : start + sizes.length] += columns[(slice(None), slice(None), *offset)]
        else:
            seen = [slice(a, a + (p - 1) * s + 1, s) for a, p, s in zip(starts, sizes.places, sizes.stride, strict=True)]
            frame[(..., *seen)] += columns[(slice(None), slice(None), *offset)]
    images[...] = sizes.inner(frame)


@kernel
def convolution_weight(
    cotangent: np.ndarray,
    input: np.ndarray,
    size: tuple,
    stride: tuple,
    padding: tuple,
    dilation: tuple,
    groups: int,
) -> np.ndarray:
    if cotangent.ndim == len(stride) + 1:
        return convolution_weight(cotangent[None], input[None], size, stride, padding, dilation, groups)
    given, images = wide(cotangent, input)
    sizes = Geometry(images.shape, tuple(size), stride, padding, dilation, groups, given.shape[2:])
    out = given.shape[1]
    result = np.zeros((groups, out // groups, sizes.rows // groups), images.dtype)
    for part, columns in sizes.columns(images, images_last=True):
        row = sizes.in_row(given[part])
        rows = row.reshape((len(row), groups, out // groups, -1)).transpose(1, 2, 0, 3).reshape((groups, out // groups, -1))
        result += np.matmul(rows, columns.swapaxes(1, 2))
    return result.reshape((out, sizes.channels // groups, *size)).astype(cotangent.dtype, copy=False)


def conv_transpose(
    input: np.ndarray,
    weight: np.ndarray,
    bias: np.ndarray | None = None,
    stride: tuple = (1,),
    padding: tuple = ((0, 0),),
    output_padding: tuple = (0,),
    groups: int = 1,
    dilation: tuple = (1,),
) -> np.ndarray:
    n = len(stride)
    size = transposed_size(input.shape[-n:], weight.shape[2:], stride, padding, output_padding, dilation)
    result = convolution_input(input, weight, size, stride, padding, dilation, groups)
    if bias is not None:
        result = (result + wide(bias)[0].reshape((len(bias), *[1] * n))).astype(input.dtype, copy=False)
    return result


for n in (1, 2, 3):
    KERNELS[f"conv{n}d"] = convolution
    KERNELS[f"conv_transpose{n}d"] = conv_transpose
