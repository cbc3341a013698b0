"""Pooling, by comparing and adding whole images shifted against each other, one dim after another."""

from collections.abc import Callable, Iterator
from functools import lru_cache
from itertools import product
from math import prod
from typing import Any

import numpy as np

from ...ops.pooling import pooled_size
from .products import is_half
from .registry import KERNELS, kernel


class Windows:
    """Where the windows are over the last dims of images, with as much padding around as they reach."""

    def __init__(
        self, size: tuple, kernel: tuple, stride: tuple, padding: tuple, dilation: tuple, ceil_mode: bool
    ) -> None:
        self.size, self.kernel, self.stride, self.padding, self.dilation = size, kernel, stride, padding, dilation
        self.places = pooled_size(size, kernel, stride, padding, dilation, ceil_mode)
        self.reach = [d * (k - 1) + 1 for d, k in zip(dilation, kernel, strict=True)]
        ends = [(p - 1) * s + r for p, s, r in zip(self.places, stride, self.reach, strict=True)]
        self.extents = [max(end, before + s) for end, before, s in zip(ends, padding, size, strict=True)]

    @property
    def overlap(self) -> bool:
        return any(r > s for r, s in zip(self.reach, self.stride, strict=True))

    def framed(self, images: np.ndarray, fill: Any) -> np.ndarray:
        """Images within a frame of ``fill``; themselves, where no frame is needed."""
        if self.extents == list(self.size):
            return images
        frame = np.full((*images.shape[: -len(self.size)], *self.extents), fill, images.dtype)
        self.inner(frame)[...] = images
        return frame

    def inner(self, frame: np.ndarray) -> np.ndarray:
        return frame[(..., *[slice(p, p + s) for p, s in zip(self.padding, self.size, strict=True)])]

    def seen(self, dim: int, offset: int) -> slice:
        """Along a dim, what the windows' elements at an offset are."""
        start = offset * self.dilation[dim]
        return slice(start, start + (self.places[dim] - 1) * self.stride[dim] + 1, self.stride[dim])

    def along(self, dim: int, offset: int) -> tuple:
        """The same, as an index that keeps the other dims."""
        return (..., self.seen(dim, offset), *[slice(None)] * (len(self.size) - dim - 1))

    def offsets(self) -> Iterator[tuple]:
        """All offsets in a window, in order: (number, index of the elements there)."""
        for number, offset in enumerate(product(*[range(k) for k in self.kernel])):
            yield number, (..., *[self.seen(dim, o) for dim, o in enumerate(offset)])

    def reduced(self, frame: np.ndarray, ufunc: Callable) -> np.ndarray:
        """``ufunc`` over each window, one dim after another."""
        for dim, size in enumerate(self.kernel):
            first = frame[self.along(dim, 0)]
            if size == 1:
                frame = first
                continue
            result = ufunc(first, frame[self.along(dim, 1)])
            for offset in range(2, size):
                ufunc(result, frame[self.along(dim, offset)], out=result)
            frame = result
        return frame


def lowest(dtype: np.dtype) -> Any:
    """What is no larger than anything of a dtype."""
    return np.iinfo(dtype).min if dtype.kind in "iu" else -np.inf


def max_pool(
    input: np.ndarray, kernel_size: tuple, stride: tuple, padding: tuple, dilation: tuple, ceil_mode: bool
) -> np.ndarray:
    windows = Windows(input.shape[-len(kernel_size) :], kernel_size, stride, padding, dilation, ceil_mode)
    result = windows.reduced(windows.framed(input, lowest(input.dtype)), np.maximum)
    return result.copy() if np.may_share_memory(result, input) else result


def winners(windows: Windows, image: np.ndarray, peaks: np.ndarray) -> Iterator[tuple[int, tuple, np.ndarray]]:
    """For each offset in a window: its number, the index of the elements there, and whether they are its maxima.

    A window has one maximum: the first of equal ones, or the last NaN, as in PyTorch.
    """
    fill = lowest(image.dtype)
    frame = windows.framed(image, fill)
    if np.isnan(peaks).any() or (frame is not image and (peaks == fill).any()):
        found = rare_winners(windows, frame, peaks)
        for number, seen in windows.offsets():
            yield number, seen, found == number
        return
    taken = np.zeros(peaks.shape, bool)
    for number, seen in windows.offsets():
        equal = frame[seen] == peaks
        yield number, seen, np.greater(equal, taken)
        np.logical_or(taken, equal, out=taken)


def rare_winners(windows: Windows, frame: np.ndarray, peaks: np.ndarray) -> np.ndarray:
    """The number of each window's maximum, among NaNs, or elements as low as the padding."""
    found = np.zeros(peaks.shape, np.int64)
    inside = windows.framed(np.ones(windows.size, bool), False)
    offsets = list(windows.offsets())
    for number, seen in reversed(offsets):
        np.copyto(found, number, where=(frame[seen] == peaks) & inside[seen])
    for number, seen in offsets:
        np.copyto(found, number, where=np.isnan(frame[seen]))
    return found


def masked_bits(values: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """The bits of values, as integers, with zeros where the mask is false: no branch, and a tenth of the time of where."""
    integer = np.dtype(f"i{values.dtype.itemsize}")
    return np.ascontiguousarray(values).view(integer) & -mask.astype(integer)


@kernel
def max_pool_pick(
    tangent_image: np.ndarray,
    image: np.ndarray,
    peaks: np.ndarray,
    kernel_size: tuple,
    stride: tuple,
    padding: tuple,
    dilation: tuple,
    ceil_mode: bool,
) -> np.ndarray:
    windows = Windows(image.shape[-len(kernel_size) :], kernel_size, stride, padding, dilation, ceil_mode)
    frame, bits = windows.framed(tangent_image, 0), np.zeros(peaks.shape, f"i{tangent_image.dtype.itemsize}")
    for _, seen, wins in winners(windows, image, peaks):
        bits |= masked_bits(frame[seen], wins)
    return bits.view(tangent_image.dtype)


@kernel
def max_pool_put(
    cotangent: np.ndarray,
    image: np.ndarray,
    peaks: np.ndarray,
    kernel_size: tuple,
    stride: tuple,
    padding: tuple,
    dilation: tuple,
    ceil_mode: bool,
) -> np.ndarray:
    windows = Windows(image.shape[-len(kernel_size) :], kernel_size, stride, padding, dilation, ceil_mode)
    frame = np.zeros((*image.shape[: -len(kernel_size)], *windows.extents), cotangent.dtype)
    for _, seen, wins in winners(windows, image, peaks):
        share = masked_bits(cotangent, wins).view(cotangent.dtype)
        if windows.overlap:
            frame[seen] += share
        else:
            frame[seen] = share
    return np.ascontiguousarray(windows.inner(frame))


def max_pool_with_indices(
    input: np.ndarray, kernel_size: tuple, stride: tuple, padding: tuple, dilation: tuple, ceil_mode: bool
) -> tuple[np.ndarray, np.ndarray]:
    values = max_pool(input, kernel_size, stride, padding, dilation, ceil_mode)
    windows = Windows(input.shape[-len(kernel_size) :], kernel_size, stride, padding, dilation, ceil_mode)
    found = np.zeros(values.shape, np.int64)
    for number, _, wins in winners(windows, input, values):
        found += number * wins
    offsets = np.unravel_index(found, kernel_size)
    indices = np.zeros(values.shape, np.int64)
    for dim, offset in enumerate(offsets):
        starts = np.arange(windows.places[dim]) * stride[dim] - padding[dim]
        position = starts.reshape((-1, *[1] * (len(kernel_size) - dim - 1))) + offset * dilation[dim]
        indices = indices * windows.size[dim] + position
    return values, indices


def counts(windows: Windows, include_pad: bool, divisor: Any) -> Any:
    """What each window's sum is divided by: a number, or an array of the places."""
    if divisor is not None:
        return divisor
    each = []
    for size, k, s, p, places in zip(
        windows.size, windows.kernel, windows.stride, windows.padding, windows.places, strict=True
    ):
        starts = np.arange(places) * s - p
        ends = np.minimum(starts + k, size + p)
        each.append(ends - starts if include_pad else np.minimum(ends, size) - np.maximum(starts, 0))
    found = each[0]
    for more in each[1:]:
        found = found[..., None] * more
    return int(found.flat[0]) if found.size and (found == found.flat[0]).all() else found


@kernel
def mean_pool(
    image: np.ndarray,
    kernel_size: tuple,
    stride: tuple,
    padding: tuple,
    ceil_mode: bool,
    count_include_pad: bool,
    divisor_override: Any,
) -> np.ndarray:
    windows = Windows(
        image.shape[-len(kernel_size) :], kernel_size, stride, padding, (1,) * len(kernel_size), ceil_mode
    )
    dtype, given = image.dtype, image.astype(np.float32) if is_half(image.dtype) else image
    total = windows.reduced(windows.framed(given, 0), np.add)
    found = counts(windows, count_include_pad, divisor_override)
    if dtype.kind in "iu":
        return np.trunc(total / found).astype(dtype)
    result = total / (found if isinstance(found, int) else np.asarray(found).astype(total.dtype))
    return result.astype(dtype, copy=False)


@kernel
def mean_pool_spread(
    cotangent: np.ndarray,
    size: tuple,
    kernel_size: tuple,
    stride: tuple,
    padding: tuple,
    ceil_mode: bool,
    count_include_pad: bool,
    divisor_override: Any,
) -> np.ndarray:
    windows = Windows(tuple(size), kernel_size, stride, padding, (1,) * len(kernel_size), ceil_mode)
    dtype, given = cotangent.dtype, cotangent.astype(np.float32) if is_half(cotangent.dtype) else cotangent
    found = counts(windows, count_include_pad, divisor_override)
    share = given / (found if isinstance(found, int) else np.asarray(found).astype(given.dtype))
    for dim in reversed(range(len(size))):
        position = share.ndim - len(size) + dim
        frame = np.zeros((*share.shape[:position], windows.extents[dim], *share.shape[position + 1 :]), share.dtype)
        for offset in range(kernel_size[dim]):
            frame[windows.along(dim, offset)] += share
        share = frame
    return np.ascontiguousarray(windows.inner(share)).astype(dtype, copy=False)


def avg_pool(
    input: np.ndarray,
    kernel_size: tuple,
    stride: tuple,
    padding: tuple,
    ceil_mode: bool,
    count_include_pad: bool,
    divisor_override: Any = None,
) -> np.ndarray:
    return mean_pool(input, kernel_size, stride, padding, ceil_mode, count_include_pad, divisor_override)


@lru_cache(maxsize=256)
def adaptive_matrix(size: int, count: int) -> np.ndarray:
    """The matrix (count, size) whose rows average over each of ``count`` windows."""
    matrix = np.zeros((count, size))
    for row, (start, end) in enumerate(adaptive_windows(size, count)):
        matrix[row, start:end] = 1 / (end - start)
    return matrix


def adaptive_windows(size: int, count: int) -> list[tuple[int, int]]:
    """Where ``count`` windows begin and end."""
    return [(i * size // count, -(-(i + 1) * size // count)) for i in range(count)]


def by_matrices(images: np.ndarray, matrices: list) -> np.ndarray:
    """Images with each of the last dims multiplied by a matrix."""
    result = images.astype(np.float32) if is_half(images.dtype) else images
    for dim, matrix in enumerate(matrices, images.ndim - len(matrices)):
        result = np.moveaxis(np.matmul(np.moveaxis(result, dim, -1), matrix.T.astype(result.dtype)), -1, dim)
    return np.ascontiguousarray(result).astype(images.dtype, copy=False)


@kernel
def adaptive_mean(image: np.ndarray, output_size: tuple) -> np.ndarray:
    size = image.shape[-len(output_size) :]
    return by_matrices(image, [adaptive_matrix(s, count) for s, count in zip(size, output_size, strict=True)])


@kernel
def adaptive_mean_spread(cotangent: np.ndarray, size: tuple) -> np.ndarray:
    given = cotangent.shape[-len(size) :]
    return by_matrices(cotangent, [adaptive_matrix(s, count).T for s, count in zip(size, given, strict=True)])


def adaptive_max_pool_with_indices(input: np.ndarray, output_size: tuple) -> tuple[np.ndarray, np.ndarray]:
    n = len(output_size)
    lead, size = input.shape[:-n], input.shape[-n:]
    values = np.empty((*lead, *output_size), input.dtype)
    indices = np.empty(values.shape, np.int64)
    numbers = np.arange(prod(size)).reshape(size)
    bounds = [list(enumerate(adaptive_windows(s, count))) for s, count in zip(size, output_size, strict=True)]
    for cell in product(*bounds):
        place = (..., *[i for i, _ in cell])
        window = tuple([slice(start, end) for _, (start, end) in cell])
        seen = numbers[window].reshape(-1)
        elements = input[(..., *window)].reshape((*lead, len(seen)))
        winner = elements.argmax(-1)
        values[place] = np.take_along_axis(elements, winner[..., None], -1)[..., 0]
        indices[place] = seen[winner]
    return values, indices


for n in (1, 2, 3):
    KERNELS[f"max_pool{n}d"] = max_pool
    KERNELS[f"max_pool{n}d_with_indices"] = max_pool_with_indices
    KERNELS[f"avg_pool{n}d"] = avg_pool
    KERNELS[f"adaptive_avg_pool{n}d"] = adaptive_mean
    KERNELS[f"adaptive_max_pool{n}d_with_indices"] = adaptive_max_pool_with_indices
