"""Sampling by a grid, as products with a sparse matrix: a row for each sample, a column for each element of the images.

The images' channels come last here, so that an entry of the matrix moves all of them. One more row of the images, of
zeros, is what lies outside.
"""

from math import prod

import numpy as np

from ...ops.grids import BICUBIC, NEAREST, REFLECTION, ZEROS
from .products import is_half
from .registry import KERNELS, kernel

# The two pieces of the cubic convolution kernel (Keys 1981) with slope -0.75 at 1, as polynomials of the distance.
NEAR = (1.25, -2.25, 0, 1)
FAR = (-0.75, 3.75, -6, 3)
CUBIC = ((FAR, 1, 1), (NEAR, 0, 1), (NEAR, 1, -1), (FAR, 2, -1))  # of each tap: the piece; its distance is b + s * part

# -- one coordinate ----------------------------------------------------------------------------------------------------


def scaled(coordinate, size, align):
    """A coordinate in elements instead of -1 to 1, and its derivative; in halves where it is one, as PyTorch has it."""
    real = coordinate.dtype.type
    if align:
        return (coordinate + real(1)) * real((size - 1) / 2), real((size - 1) / 2)
    return ((coordinate + real(1)) * real(size) - real(1)) * real(0.5), real(size / 2)


def clipped(place, slope, size):
    """Places moved to the nearest one within the image (the first, for NaN), and the derivative."""
    inside = (place > 0) & (place < size - 1)
    return np.fmin(np.fmax(place, place.dtype.type(0)), place.dtype.type(size - 1)), np.where(inside, slope, slope * 0)


def reflected(place, slope, size, align):
    """Places reflected at the outermost elements, or edges, as often as it takes; and the derivative."""
    low, span = (0, size - 1) if align else (-0.5, size)
    if span == 0:
        return place * 0, slope * 0
    real = place.dtype.type
    place = place - real(low)
    sign = np.where(place < 0, real(-1), real(1))
    place = np.abs(place)
    flips = np.floor(place / real(span))
    rest = np.fmod(place, real(span))
    odd = np.fmod(flips, real(2)) != 0
    return np.where(odd, real(span) - rest, rest) + real(low), slope * np.where(odd, -sign, sign)


def within(place, slope, size, padding, align):
    """Places as the padding mode sees them, and the derivative."""
    if padding == REFLECTION:
        place, slope = reflected(place, slope, size, align)
    return (place, slope) if padding == ZEROS else clipped(place, slope, size)


def taps(coordinate, size, settings, order):
    """The elements along one coordinate that each place looks at (-1 where they are outside), and their weights' derivatives.

    Both have the taps in the first dim.
    """
    mode, padding, align = settings
    place, slope = scaled(coordinate, size, align)
    if mode == BICUBIC:
        first = np.floor(place)
        weights = [
            np.polyval(derivative(piece, order, place.dtype), start + sign * (place - first)) * (sign * slope) ** order
            for piece, start, sign in CUBIC
        ]
        return [inside(within(first + (k - 1), slope, size, padding, align)[0], size) for k in range(4)], weights
    place, slope = within(place, slope, size, padding, align)
    if mode == NEAREST:
        return [inside(np.rint(place), size)], [np.full_like(place, order == 0)]
    first = np.floor(place)
    part = place - first
    slope = np.broadcast_to(slope, part.shape)
    weights = [(1 - part, part), (-slope, slope), (part * 0, part * 0)][min(order, 2)]
    return [inside(first + k, size) for k in range(2)], weights


def derivative(polynomial, times, dtype):
    return np.polyder(np.asarray(polynomial), times).astype(dtype) if times < 4 else np.zeros(1, dtype)


def inside(element, size):
    return np.where((element >= 0) & (element <= size - 1), element, -1).astype(np.int32)


# -- the matrix --------------------------------------------------------------------------------------------------------


def entries(grid, size, settings, orders):
    """The column of zeros, and (k, rows): the columns of the k elements that each sample is made of, and their weights."""
    images, rows = len(grid), prod(grid.shape[:-1])
    outside = images * prod(size)
    columns = np.repeat(np.arange(images, dtype=np.int32 if outside < 2**31 else np.int64), rows // max(images, 1))[
        None
    ]
    weights, missing = np.ones((1, rows), wide(grid)[0].dtype), np.zeros((1, rows), bool)
    for dim, n in enumerate(size):
        i = len(size) - 1 - dim  # the first coordinate is along the last dim
        elements, factors = map(np.stack, taps(grid[..., i].reshape(rows), n, settings, orders[i]))
        columns = (columns[:, None] * n + elements).reshape((-1, rows))
        missing = (missing[:, None] | (elements < 0)).reshape((-1, rows))
        weights = (weights[:, None] * factors).reshape((-1, rows))
    columns[missing] = outside
    return outside, columns, weights


def matrix(outside, columns, weights):
    from scipy.sparse import csr_array

    k, rows = columns.shape
    ends = np.arange(0, k * rows + 1, k, dtype=columns.dtype)
    return csr_array((weights.T.ravel(), columns.T.ravel(), ends), shape=(rows, outside + 1))


def channels_last(values):
    """(N, C, ...) as (N, ..., C)."""
    return np.moveaxis(values, 1, -1)


def with_zeros(images):
    """Images (N, C, ...) as rows of channels, and a row of zeros."""
    last = channels_last(images)
    rows = np.empty((prod(last.shape[:-1]) + 1, images.shape[1]), images.dtype)
    rows[:-1].reshape(last.shape)[...] = last
    rows[-1] = 0
    return rows


def wide(*arrays):
    return [a.astype(np.float32) if is_half(a.dtype) else a for a in arrays]


@kernel
def grid_gather(input, grid, settings, orders):
    images = wide(input)[0]
    sampler = matrix(*entries(grid, input.shape[2:], settings, orders))
    found = (sampler @ with_zeros(images)).reshape((*grid.shape[:-1], input.shape[1]))
    return np.ascontiguousarray(np.moveaxis(found, -1, 1)).astype(input.dtype, copy=False)


@kernel
def grid_scatter(cotangent, grid, size, settings, orders):
    given = wide(cotangent)[0]
    sampler = matrix(*entries(grid, size, settings, orders))
    channels = cotangent.shape[1]
    summed = sampler.T @ channels_last(given).reshape((prod(grid.shape[:-1]), channels))
    images = np.moveaxis(summed[:-1].reshape((len(grid), *size, channels)), -1, 1)
    return np.ascontiguousarray(images).astype(cotangent.dtype, copy=False)


@kernel
def grid_slope(grad, input, grid, settings, orders):
    flow, images = wide(grad, input)
    rows = with_zeros(images)
    flow = channels_last(flow).reshape((prod(grid.shape[:-1]), input.shape[1]))
    slopes = []
    for i in range(len(orders)):
        found = matrix(*entries(grid, input.shape[2:], settings, (*orders[:i], orders[i] + 1, *orders[i + 1 :]))) @ rows
        slopes.append(np.einsum("rc,rc->r", found, flow))
    return np.stack(slopes, -1).reshape(grid.shape).astype(grad.dtype, copy=False)


def sampled(n):
    def kernel(input, grid, interpolation_mode, padding_mode, align_corners):
        return grid_gather(input, grid, (interpolation_mode, padding_mode, align_corners), (0,) * n)

    return kernel


KERNELS.update(grid_sampler_2d=sampled(2), grid_sampler_3d=sampled(3))


# -- the grids of affine maps ------------------------------------------------------------------------------------------


def centres(size, align, dtype):
    """The places of all elements of images of spatial dims ``size``, and ones: (elements, n + 1), the last dim first."""
    axes = [steps(n, align, dtype) for n in size]
    each = np.meshgrid(*axes, indexing="ij")
    return np.stack([*each[::-1], np.ones(size)], -1).reshape((prod(size), len(size) + 1)).astype(dtype)


def steps(n, align, dtype):
    """The coordinates of ``n`` elements along a dim, computed in the order, and where integers, the dtype, of PyTorch."""
    if n == 1:
        return np.zeros(1, dtype)
    start, end = np.array([-1, 1]).astype(dtype)
    between = np.linspace(start, end, n).astype(dtype)
    return between if align else (between * dtype.type(n - 1) / n).astype(dtype)


@kernel
def affine_grid_generator(theta, size, align_corners):
    maps, spatial = wide(theta)[0], tuple(size[2:])
    grid = centres(spatial, align_corners, maps.dtype) @ maps.swapaxes(-1, -2)
    return grid.reshape((*theta.shape[:-2], *spatial, len(spatial))).astype(theta.dtype, copy=False)


@kernel
def affine_grid_sum(cotangent, align_corners):
    given = wide(cotangent)[0]
    flat = given.reshape((len(given), prod(given.shape[1:-1]), given.shape[-1]))
    result = flat.swapaxes(1, 2) @ centres(given.shape[1:-1], align_corners, given.dtype)
    return result.astype(cotangent.dtype, copy=False)
