"""Windows of images as columns, and columns added up to images."""

from itertools import product
from math import prod

import numpy as np
from numpy.lib.stride_tricks import as_strided

from ...ops.folding import places_of
from .products import is_half
from .registry import kernel


def padded(images: np.ndarray, padding: tuple) -> np.ndarray:
    return np.pad(images, [(0, 0)] * (images.ndim - 2) + [(p, p) for p in padding]) if any(padding) else images


@kernel
def im2col(input: np.ndarray, kernel_size: tuple, dilation: tuple, padding: tuple, stride: tuple) -> np.ndarray:
    *lead, channels, height, width = input.shape
    places = places_of((height, width), kernel_size, dilation, padding, stride)
    frame = padded(input, padding)
    steps = frame.strides
    moves = [s * d for s, d in zip(steps[-2:], dilation, strict=True)]
    jumps = [s * d for s, d in zip(steps[-2:], stride, strict=True)]
    shape = (*lead, channels, *kernel_size, *places)
    windows = as_strided(frame, shape, (*steps[:-2], *moves, *jumps), writeable=False)
    columns = np.empty(shape, input.dtype)
    columns[...] = windows
    return columns.reshape((*lead, channels * prod(kernel_size), prod(places)))


@kernel
def col2im(
    input: np.ndarray, output_size: tuple, kernel_size: tuple, dilation: tuple, padding: tuple, stride: tuple
) -> np.ndarray:
    *lead, rows, _ = input.shape
    places = places_of(output_size, kernel_size, dilation, padding, stride)
    columns = input.reshape((*lead, rows // prod(kernel_size), *kernel_size, *places))
    framed = [n + 2 * p for n, p in zip(output_size, padding, strict=True)]
    frame = np.zeros((*columns.shape[:-4], *framed), np.float32 if is_half(input.dtype) else input.dtype)
    for i, j in product(*map(range, kernel_size)):
        rows_seen, columns_seen = (
            slice(o * d, o * d + (n - 1) * s + 1, s)
            for o, d, n, s in zip((i, j), dilation, places, stride, strict=True)
        )
        frame[..., rows_seen, columns_seen] += columns[..., i, j, :, :]
    inner = tuple([slice(p, p + n) for p, n in zip(padding, output_size, strict=True)])
    return np.ascontiguousarray(frame[(..., *inner)]).astype(input.dtype, copy=False)
