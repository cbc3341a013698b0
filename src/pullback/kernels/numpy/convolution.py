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
KEPT = 1 << 24  # bytes of memory for one use that are kept for the next call
NARROW = 12  # results of so few places in their last dim are computed in rows, see Geometry


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
    """The sizes of one convolution: images (N, C, …), columns (N, G, C/G·kernel, length), results (N, O, *places).

    Narrow results, where the kernel moves by single steps, are computed in rows: a padded image is one long row, along
    which the window of the kernel slides, so that columns are copied in runs as long as the image and not as its last
    dim. ``length`` counts the places along the row, also those where the window falls over an edge and which are unused.
    """

    def __init__(self, images: tuple, kernel: tuple, settings: tuple, places: tuple | None = None) -> None:
        self.count, self.channels, *self.spatial = images
        self.kernel = kernel
        self.stride, padding, self.dilation, self.groups = settings
        self.before = [before for before, _ in padding]
        self.padded = [s + before + after for s, (before, after) in zip(self.spatial, padding, strict=True)]
        reach = [d * (k - 1) + 1 for d, k in zip(self.dilation, kernel, strict=True)]
        # A transposed convolution may leave out the last places.
        self.places = places or tuple(
            [(p - r) // s + 1 for p, r, s in zip(self.padded, reach, self.stride, strict=True)]
        )
        self.in_rows = self.places[-1] <= NARROW and set(self.stride) == {1} and 0 not in self.places
        self.steps = [prod(self.padded[d + 1 :]) for d in range(len(kernel))]
        self.length = prod(self.places)
        if self.in_rows:
            self.length = sum((p - 1) * step for p, step in zip(self.places, self.steps, strict=True)) + 1
        self.depth = self.channels // self.groups * prod(kernel)
        self.block = max(1, min(self.count, BLOCK // max(1, self.groups * self.depth * self.length)))

    @property
    def is_pointwise(self) -> bool:
        """Whether each place of the result reads the same place of the image, and no other."""
        return prod(self.kernel) == 1 and set(self.stride) == {1} and list(self.places) == self.spatial

    def blocks(self) -> Iterator[slice]:
        return (slice(i, min(i + self.block, self.count)) for i in range(0, self.count, self.block))

    def frame(self, dtype: np.dtype) -> np.ndarray:
        """Zeros for a block of padded images."""
        frame = scratch("frame", (self.block, self.channels, *self.padded), dtype)
        frame[...] = 0
        return frame

    def inner(self, frame: np.ndarray) -> np.ndarray:
        """The images within their frame."""
        return frame[(..., *[slice(b, b + s) for b, s in zip(self.before, self.spatial, strict=True)])]

    def columns(self, images: np.ndarray) -> Iterator[tuple[slice, np.ndarray]]:
        """For each block of images, its windows as columns (n, G, C/G·kernel, length)."""
        frame = None if self.padded == self.spatial else self.frame(images.dtype)
        images = images if frame is not None else np.ascontiguousarray(images)
        for part in self.blocks():
            block = images[part]
            if frame is not None:
                self.inner(frame)[: len(block)] = block
                block = frame[: len(block)]
            windows = self.windows(block)
            columns = scratch("columns", windows.shape, images.dtype)
            columns[...] = windows
            yield part, columns.reshape((len(block), self.groups, self.depth, self.length))

    def windows(self, images: np.ndarray) -> np.ndarray:
        """A view (n, C, *kernel, *places) of padded images, with the places as one dim where they are in rows."""
        steps = images.strides
        moves = [s * d for s, d in zip(steps[2:], self.dilation, strict=True)]
        jumps = [s * d for s, d in zip(steps[2:], self.stride, strict=True)]
        places, jumps = ((self.length,), jumps[-1:]) if self.in_rows else (self.places, jumps)
        shape = (len(images), self.channels, *self.kernel, *places)
        return as_strided(images, shape, (*steps[:2], *moves, *jumps), writeable=False)

    def boxes(self, rows: np.ndarray, dim: int) -> np.ndarray:
        """A view in which a dim of ``length`` becomes the dims of the places."""
        shape = (*rows.shape[:dim], *self.places, *rows.shape[dim + 1 :])
        if not self.in_rows:
            return rows.reshape(shape)
        steps = [step * rows.strides[dim] for step in self.steps]
        return as_strided(rows, shape, (*rows.strides[:dim], *steps, *rows.strides[dim + 1 :]))


def wide(*arrays: Any) -> list:
    """The arrays in the precision to multiply in: float32 for the half precisions."""
    return [a.astype(np.float32) if is_half(a.dtype) else a for a in arrays]


def by_groups(weight: np.ndarray, groups: int) -> np.ndarray:
    """A weight (O, C/G, *kernel) as matrices (G, O/G, C/G·kernel)."""
    return weight.reshape((groups, len(weight) // groups, prod(weight.shape[1:])))


def images_by_groups(images: np.ndarray, groups: int) -> np.ndarray:
    """Images (N, C, …) as matrices (N, G, C/G, places)."""
    n, channels, *spatial = images.shape
    return images.reshape((n, groups, channels // groups, prod(spatial)))


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
    offset = None if bias is None else wide(bias)[0].reshape((len(bias), *[1] * len(stride)))
    result = convolved(images, kernels, (stride, padding, dilation, groups), offset)
    return result if result.dtype == input.dtype else result.astype(input.dtype)


def convolved(images: np.ndarray, kernels: np.ndarray, settings: tuple, offset: np.ndarray | None = None) -> np.ndarray:
    """A convolution of images in the precision that is multiplied in, plus ``offset``."""
    sizes, groups = Geometry(images.shape, kernels.shape[2:], settings), settings[3]
    result = np.empty((sizes.count, len(kernels), *sizes.places), images.dtype)
    results, matrices = images_by_groups(result, groups), by_groups(kernels, groups)
    if sizes.is_pointwise:
        np.matmul(matrices, images_by_groups(images, groups), out=results)
        if offset is not None:
            result += offset
        return result
    for part, columns in sizes.columns(images):
        if sizes.in_rows:
            rows = scratch("rows", (*results[part].shape[:3], sizes.length), images.dtype)
            np.matmul(matrices, columns, out=rows)
            result[part] = sizes.boxes(rows.reshape((len(rows), len(kernels), sizes.length)), 2)
        else:
            np.matmul(matrices, columns, out=results[part])
        if offset is not None:
            result[part] += offset
    return result


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
    settings = turned(given.shape[2:], size, weight.shape[2:], stride, padding, dilation)
    if settings is not None and 2 * weight.shape[1] * groups >= len(weight):  # else its columns are too many
        result = convolved(given, transposed_and_turned(kernels, groups), (*settings, groups))
    else:
        result = spread(given, kernels, tuple(size), (stride, padding, dilation, groups))
    return result if result.dtype == cotangent.dtype else result.astype(cotangent.dtype)


def turned(places: tuple, size: tuple, kernel: tuple, stride: tuple, padding: tuple, dilation: tuple) -> tuple | None:
    """The settings under which a convolution with the kernel turned around undoes one of single steps; None of others."""
    reach = [d * (k - 1) for d, k in zip(dilation, kernel, strict=True)]
    before = [r - b for r, (b, _) in zip(reach, padding, strict=True)]
    after = [s - p - b + r for s, p, b, r in zip(size, places, before, reach, strict=True)]
    if set(stride) != {1} or min(*before, *after) < 0:
        return None
    return stride, tuple(zip(before, after, strict=True)), dilation


def transposed_and_turned(kernels: np.ndarray, groups: int) -> np.ndarray:
    """Kernels (O, C/G, …) as (C, O/G, …), turned around in all spatial dims."""
    out, inner, *kernel = kernels.shape
    swapped = kernels.reshape((groups, out // groups, inner, *kernel)).swapaxes(1, 2)
    return np.flip(swapped, range(3, swapped.ndim)).reshape((groups * inner, out // groups, *kernel))


def spread(given: np.ndarray, kernels: np.ndarray, size: tuple, settings: tuple) -> np.ndarray:
    """The transpose of a convolution of any strides: products are summed to where the windows looked."""
    groups = settings[3]
    result = np.empty((len(given), kernels.shape[1] * groups, *size), given.dtype)
    sizes = Geometry(result.shape, kernels.shape[2:], settings, given.shape[2:])
    sizes.in_rows, sizes.length = False, prod(sizes.places)
    matrices, given = by_groups(kernels, groups).swapaxes(1, 2), images_by_groups(given, groups)
    for part in sizes.blocks():
        block = given[part]
        columns = scratch("columns", (len(block), groups, sizes.depth, sizes.length), given.dtype)
        np.matmul(matrices, block, out=columns)
        columns = columns.reshape((len(block), sizes.channels, *sizes.kernel, *sizes.places))
        frame = sizes.frame(given.dtype)[: len(block)]
        for offset in product(*[range(k) for k in sizes.kernel]):
            starts = [o * d for o, d in zip(offset, sizes.dilation, strict=True)]
            seen = [
                slice(a, a + (p - 1) * s + 1, s) for a, p, s in zip(starts, sizes.places, sizes.stride, strict=True)
            ]
            frame[(..., *seen)] += columns[(slice(None), slice(None), *offset)]
        result[part] = sizes.inner(frame)
    return result


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
    sizes = Geometry(images.shape, tuple(size), (stride, padding, dilation, groups), given.shape[2:])
    out = given.shape[1] // groups
    given = given.reshape((len(given), groups, out, *sizes.places))
    result = np.zeros((groups, out, sizes.depth), images.dtype)
    for part, columns in sizes.columns(images):
        if out > sizes.depth:
            result += np.matmul(in_rows(sizes, given[part], 3), columns.swapaxes(2, 3)).sum(0)
        else:  # with the places in rows, a product takes half the time
            block = np.moveaxis(given[part], 2, -1)
            result += np.matmul(columns, in_rows(sizes, block, 2)).sum(0).swapaxes(1, 2)
    result = result.reshape((groups * out, sizes.channels // groups, *size))
    return result.astype(cotangent.dtype, copy=False)


def in_rows(sizes: Geometry, results: np.ndarray, dim: int) -> np.ndarray:
    """Results whose places begin at ``dim``, with the places as one dim of ``length``; zeros where a row has others."""
    shape = (*results.shape[:dim], sizes.length, *results.shape[dim + len(sizes.places) :])
    rows = scratch("rows", shape, results.dtype)
    if sizes.in_rows:
        rows[...] = 0
    sizes.boxes(rows, dim)[...] = results
    return rows


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
    size = transposed_size(input.shape[-len(stride) :], weight.shape[2:], stride, padding, output_padding, dilation)
    result = convolution_input(input, weight, size, stride, padding, dilation, groups)
    if bias is None:
        return result
    return (result + wide(bias)[0].reshape((len(bias), *[1] * len(stride)))).astype(input.dtype, copy=False)


for n in (1, 2, 3):
    KERNELS[f"conv{n}d"] = convolution
    KERNELS[f"conv_transpose{n}d"] = conv_transpose
