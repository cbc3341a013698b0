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
    """The sizes of one convolution: images (N, C, …), columns (N, G, C/G·kernel, places), results (N, O, …)."""

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
        reach = [d * (k - 1) + 1 for d, k in zip(dilation, kernel, strict=True)]
        # A transposed convolution may leave out the last places.
        self.places = places or tuple([(p - r) // s + 1 for p, r, s in zip(self.padded, reach, stride, strict=True)])
        self.is_padded = self.padded != self.spatial
        self.rows = self.channels * prod(kernel)
        self.block = max(1, min(self.count, BLOCK // max(1, self.rows * prod(self.places))))

    def blocks(self) -> Iterator[slice]:
        return (slice(i, min(i + self.block, self.count)) for i in range(0, self.count, self.block))

    @property
    def is_pointwise(self) -> bool:
        """Whether each place of the result reads the same place of the image, and no other."""
        return prod(self.kernel) == 1 and set(self.stride) == {1} and not self.is_padded

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
        """A view (N, C, *kernel, *places) of padded images."""
        steps = images.strides
        moves = [s * d for s, d in zip(steps[2:], self.dilation, strict=True)]
        jumps = [s * d for s, d in zip(steps[2:], self.stride, strict=True)]
        shape = (len(images), self.channels, *self.kernel, *self.places)
        return as_strided(images, shape, (*steps[:2], *moves, *jumps), writeable=False)

    def columns(self, images: np.ndarray, order: tuple | None = None) -> Iterator[tuple[slice, np.ndarray]]:
        """For each block of images, its windows as columns: (n, C, *kernel, *places), or its dims in another order."""
        order = order or tuple(range(2 + 2 * len(self.kernel)))
        frame = self.frame(images.dtype) if self.is_padded else None
        for part in self.blocks():
            block = images[part]
            if frame is not None:
                self.inner(frame)[: len(block)] = block
                block = frame[: len(block)]
            windows = self.windows(block).transpose(order)
            columns = scratch("columns", windows.shape, images.dtype)
            columns[...] = windows
            yield part, columns


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
    else:
        for part, columns in sizes.columns(images):
            np.matmul(matrices, columns.reshape((len(columns), groups, matrices.shape[2], -1)), out=results[part])
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
    given = given.reshape((sizes.count, groups, given.shape[1] // groups, prod(sizes.places)))
    if sizes.is_pointwise:
        np.matmul(matrices, given, out=result.reshape((sizes.count, groups, -1, prod(size))))
    else:
        for part in sizes.blocks():
            columns = scratch(
                "columns", (part.stop - part.start, groups, matrices.shape[1], given.shape[3]), given.dtype
            )
            np.matmul(matrices, given[part], out=columns)
            add_windows(sizes, columns, result[part])
    return result if result.dtype == cotangent.dtype else result.astype(cotangent.dtype)


def add_windows(sizes: Geometry, columns: np.ndarray, images: np.ndarray) -> None:
    """Sum columns to the places of the images that their windows look at."""
    columns = columns.reshape((len(columns), sizes.channels, *sizes.kernel, *sizes.places))
    frame = sizes.frame(images.dtype)[: len(images)]
    for offset in product(*[range(k) for k in sizes.kernel]):
        starts = [o * d for o, d in zip(offset, sizes.dilation, strict=True)]
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
    out, places = given.shape[1], prod(sizes.places)
    given = given.reshape((sizes.count, groups, out // groups, places))
    result = np.zeros((groups, out // groups, sizes.rows // groups), images.dtype)
    n = len(stride)
    order = (
        1,
        *range(2, 2 + n),
        0,
        *range(2 + n, 2 + 2 * n),
    )  # one product for a whole block: (C, *kernel, n, *places)
    for part, columns in sizes.columns(images, order):
        rows = given[part].transpose(1, 2, 0, 3).reshape((groups, out // groups, -1))
        result += np.matmul(rows, columns.reshape((groups, sizes.rows // groups, -1)).swapaxes(1, 2))
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
