"""Resampling along each of the last dims, as products with narrow band matrices.

An axis is described by ``(kind, size, count, scale, align_corners)``: how many elements there are and are wanted, and
how far apart the places of the new ones are (``1 / scale``; where that is None, what the sizes say). Which elements a new
one is made of, and their weights, follow. Positions are computed in the precision in which PyTorch computes them, because
they are rounded to find the elements.
"""

from collections.abc import Callable
from functools import lru_cache
from math import prod

import numpy as np

from ...ops.resampling import UPSAMPLERS
from .products import is_half
from .registry import KERNELS, kernel

BLOCK = 64  # rows of a band matrix that are multiplied at once: a block reads little more than it needs
WHOLE = 1 << 15  # elements up to which a band matrix is one block


# -- weights -----------------------------------------------------------------------------------------------------------


def triangle(x: np.ndarray) -> np.ndarray:
    return np.maximum(1 - np.abs(x), 0)


def cubic(x: np.ndarray, a: float) -> np.ndarray:
    """The piecewise cubic convolution kernel (Keys 1981), whose slope at 1 is ``a``."""
    x = np.abs(x)
    near = ((a + 2) * x - (a + 3)) * x * x + 1
    far = ((a * x - 5 * a) * x + 8 * a) * x - 4 * a
    return np.where(x <= 1, near, np.where(x < 2, far, 0))


def lanczos(x: np.ndarray) -> np.ndarray:
    """The sinc function within a window that is one, three times as wide (Duchon 1979)."""
    return np.where(np.abs(x) < 3, np.sinc(x) * np.sinc(x / 3), 0)


# The filter of each kind that averages where it shrinks, and how far it reaches on either side.
FILTERS: dict[str, tuple[Callable, int]] = {
    "linear-aa": (triangle, 1),
    "cubic-aa": (lambda x: cubic(x, -0.5), 2),
    "lanczos-aa": (lanczos, 3),
}


def spacing(axis: tuple, real: type) -> np.floating:
    """How far apart the places of two new elements are."""
    _, size, count, scale, align = axis
    if align:
        return real(size - 1) / real(count - 1) if count > 1 else real(0)
    return real(1 / scale) if scale and scale > 0 else real(size) / real(count)


def nearest(axis: tuple) -> np.ndarray:
    """For each new element, the one that it is a copy of."""
    kind, size, count, *_ = axis
    places = np.arange(count, dtype=np.float32)  # for any dtype, as PyTorch has it
    if kind == "nearest-exact":
        places += np.float32(0.5)
    return np.minimum(np.floor(places * spacing(axis, np.float32)).astype(np.int64), size - 1)


def interpolated(axis: tuple, real: type) -> tuple[np.ndarray, np.ndarray]:
    """The elements (count, 2 or 4) on both sides of each place, and their weights."""
    kind, size, count, _, align = axis
    numbers = np.arange(count, dtype=real)
    half, step = real(0.5), spacing(axis, real)
    places = numbers * step if align else step * (numbers + half) - half
    if kind == "linear" and size == count:
        places = numbers
    if kind == "linear":
        places = np.maximum(places, 0)
    first = np.minimum(np.floor(places), size - 1)
    offsets = np.arange(2) if kind == "linear" else np.arange(-1, 3)
    part = np.clip(places - first, 0, 1)[:, None] - offsets.astype(real)
    weights = triangle(part) if kind == "linear" else cubic(part, -0.75)
    return np.clip(first.astype(np.int64)[:, None] + offsets, 0, size - 1), weights.astype(real)


def averaged(axis: tuple, real: type) -> tuple[np.ndarray, np.ndarray]:
    """The elements under the filter around each place, and their weights, as many for each (zeros where it has fewer)."""
    kind, size, count, *_ = axis
    shape, reach = FILTERS[kind]
    step = spacing(axis, real)
    stretch = max(step, real(1))
    centres = step * (np.arange(count, dtype=real) + real(0.5))
    support = real(reach) * stretch
    first = np.maximum((centres - support + real(0.5)).astype(np.int64), 0)
    end = np.minimum((centres + support + real(0.5)).astype(np.int64), size)
    elements = first[:, None] + np.arange(max(1, int((end - first).max(initial=1))))
    weights = shape((elements - centres[:, None] + real(0.5)) / stretch)
    weights = np.where(elements < end[:, None], weights, 0)
    total = weights.sum(1, keepdims=True)
    weights = weights / np.where(total == 0, 1, total)
    return np.minimum(elements, size - 1), weights.astype(real)


def taps(axis: tuple, real: type) -> tuple[np.ndarray, np.ndarray]:
    """The elements (count, n) that each new element is made of, and their weights."""
    if axis[0].startswith("nearest"):
        elements = nearest(axis)[:, None]
        return elements, np.ones(elements.shape, real)
    return averaged(axis, real) if axis[0] in FILTERS else interpolated(axis, real)


# -- band matrices -----------------------------------------------------------------------------------------------------


@lru_cache(maxsize=128)
def band(axis: tuple, real: type, transposed: bool) -> list[tuple[slice, slice, np.ndarray]]:
    """The matrix (count, size) of an axis, or its transpose, in blocks of rows: (the rows, the columns, the block)."""
    columns, weights = taps(axis, real)
    rows = np.broadcast_to(np.arange(len(columns))[:, None], columns.shape)
    shape = axis[2], axis[1]
    if transposed:
        rows, columns, shape = columns, rows, shape[::-1]
    step = BLOCK if shape[0] * shape[1] > WHOLE else shape[0]
    return [block(rows, columns, weights, start, min(start + step, shape[0])) for start in range(0, shape[0], step)]


def block(rows: np.ndarray, columns: np.ndarray, weights: np.ndarray, start: int, end: int) -> tuple:
    """The rows from ``start`` to ``end`` of a matrix of given elements, with the columns that they read."""
    here = (rows >= start) & (rows < end)
    left, right = (int(columns[here].min()), int(columns[here].max()) + 1) if here.any() else (0, 0)
    matrix = np.zeros((end - start, right - left), weights.dtype)
    np.add.at(matrix, (rows[here] - start, columns[here] - left), weights[here])
    return slice(start, end), slice(left, right), matrix


def along(images: np.ndarray, dim: int, axis: tuple, transposed: bool) -> np.ndarray:
    """Images with one dim multiplied by an axis's matrix."""
    blocks = band(axis, images.dtype.type, transposed)
    count = axis[1] if transposed else axis[2]
    lead, size, inner = images.shape[:dim], images.shape[dim], images.shape[dim + 1 :]
    if not inner:
        flat = images.reshape((-1, size))
        result = np.empty((len(flat), count), images.dtype)
        for rows, columns, matrix in blocks:
            np.matmul(flat[:, columns], matrix.T, out=result[:, rows])
    else:
        flat = images.reshape((prod(lead), size, prod(inner)))
        result = np.empty((len(flat), count, flat.shape[2]), images.dtype)
        for rows, columns, matrix in blocks:
            np.matmul(matrix, flat[:, columns], out=result[:, rows])
    return result.reshape((*lead, count, *inner))


def sparsely(images: np.ndarray, dim: int, axis: tuple, transposed: bool) -> np.ndarray:
    """The same by a sparse matrix, in which nothing meets an infinity or a NaN but what is made of it."""
    from scipy.sparse import csr_array

    columns, weights = taps(axis, images.dtype.type)
    ends = np.arange(len(columns) + 1) * columns.shape[1]
    matrix = csr_array((weights.ravel(), columns.ravel(), ends), shape=(axis[2], axis[1]))
    moved = np.moveaxis(images, dim, 0)
    result = (matrix.T if transposed else matrix) @ moved.reshape((len(moved), -1))
    return np.moveaxis(result.reshape((-1, *moved.shape[1:])), 0, dim)


def multiplied(images: np.ndarray, axes: tuple, transposed: bool) -> np.ndarray:
    """Images with each of the last dims multiplied by its axis's matrix."""
    given = images.astype(np.float32) if is_half(images.dtype) else np.ascontiguousarray(images)
    result = through(along, given, axes, transposed)
    if not np.isfinite(result).all():
        result = through(sparsely, given, axes, transposed)
    return np.ascontiguousarray(result).astype(images.dtype, copy=False)


def through(step: Callable, images: np.ndarray, axes: tuple, transposed: bool) -> np.ndarray:
    """One step for each of the last dims."""
    for dim, axis in enumerate(axes, images.ndim - len(axes)):
        images = step(images, dim, axis, transposed)
    return images


def in_bytes(images: np.ndarray, dim: int, axis: tuple) -> np.ndarray:
    """Bytes resampled along a dim by weights in fixed point, of as many digits as 16 bits hold."""
    columns, weights = distinct(*taps(axis, np.float64))
    digits = digits_of(weights)
    scaled = np.rint(weights * (1 << digits)).astype(np.int32)
    shape = (-1, *[1] * (images.ndim - dim - 1))
    products = (
        np.take(images, column, dim) * weight.reshape(shape) for column, weight in zip(columns.T, scaled.T, strict=True)
    )
    total = sum(products, np.int32(1 << (digits - 1)))
    return np.asarray(np.clip(total >> digits, 0, 255)).astype(np.uint8)


def distinct(columns: np.ndarray, weights: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The same elements with the weights of equal neighbours joined, and zeros in the place of all but the first."""
    weights = weights.copy()
    for k in range(columns.shape[1] - 1, 0, -1):
        equal = columns[:, k] == columns[:, k - 1]
        weights[equal, k - 1] += weights[equal, k]
        weights[equal, k] = 0
    return columns, weights


def digits_of(weights: np.ndarray) -> int:
    """After how many binary digits the largest weight, as an integer, still has 15."""
    largest = weights.max()
    return next((n for n in range(22) if int(0.5 + largest * (1 << (n + 1))) >= 1 << 15), 22)


@kernel
def resample(input: np.ndarray, axes: tuple) -> np.ndarray:
    dims = range(input.ndim - len(axes), input.ndim)
    if axes[0][0].startswith("nearest"):
        for dim, axis in zip(dims, axes, strict=True):
            input = np.take(input, nearest(axis), dim)
        return input
    if input.dtype == np.uint8:
        for dim, axis in zip(reversed(dims), reversed(axes), strict=True):
            input = in_bytes(input, dim, axis)
        return np.ascontiguousarray(input)
    return multiplied(input, axes, False)


@kernel
def resample_spread(cotangent: np.ndarray, axes: tuple) -> np.ndarray:
    return multiplied(cotangent, axes, True)


KERNELS.update((each.name, resample) for each in UPSAMPLERS.values())
