"""Sampling by a grid, as products with a sparse matrix: a row for each sample, a column for each element of the images.

The images' channels come last here, so that an entry of the matrix moves all of them. A margin of zeros before the first
element of each dim is what lies outside.
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


def taps_of(grid, size, settings, orders):
    """For each spatial dim, the elements and the weights (k, samples) along it."""
    last = len(size) - 1  # the first coordinate is along the last dim
    return [taps(grid[..., last - d].reshape(-1), n, settings, orders[last - d]) for d, n in enumerate(size)]


def positions(elements, images, size):
    """The columns (samples, k) of all combinations of elements along the dims, in images with a margin of zeros before."""
    count = elements[0][0].size
    first = np.arange(images, dtype=np.int32 if images * prod(n + 1 for n in size) < 2**31 else np.int64)
    columns = np.repeat(first, count // max(images, 1))[None]
    for n, along in zip(size, elements, strict=True):
        columns = (columns[:, None] * (n + 1) + (np.stack(along) + 1)).reshape((len(columns) * len(along), count))
    return columns.T.ravel()


def products(factors):
    """The weights (samples, k) of all combinations of elements."""
    weights = np.stack(factors[0])
    for along in factors[1:]:
        weights = (weights[:, None] * np.stack(along)).reshape((len(weights) * len(along), weights.shape[1]))
    return wide(weights.T.ravel())[0]


def matrix(columns, weights, samples, size, images):
    from scipy.sparse import csr_array

    ends = np.arange(samples + 1, dtype=columns.dtype) * (len(columns) // max(samples, 1))
    return csr_array((weights, columns, ends), shape=(samples, images * prod(n + 1 for n in size)))


def sampler(grid, size, settings, orders):
    """The matrix from images, with a margin, to samples."""
    elements, factors = zip(*taps_of(grid, size, settings, orders), strict=True)
    images = len(grid)
    return matrix(positions(elements, images, size), products(factors), prod(grid.shape[:-1]), size, images)


def channels_last(values):
    """(N, C, ...) as (N, ..., C)."""
    return np.moveaxis(values, 1, -1)


def with_margin(images):
    """Images (N, C, ...) as rows of channels, with zeros before the first element of each dim."""
    last = channels_last(images)
    rows = np.zeros((len(last), *[n + 1 for n in last.shape[1:-1]], last.shape[-1]), images.dtype)
    rows[(slice(None), *[slice(1, None)] * (last.ndim - 2))] = last
    return rows.reshape((prod(rows.shape[:-1]), last.shape[-1]))


def wide(*arrays):
    return [a.astype(np.float32) if is_half(a.dtype) else a for a in arrays]


@kernel
def grid_gather(input, grid, settings, orders):
    found = sampler(grid, input.shape[2:], settings, orders) @ with_margin(wide(input)[0])
    found = found.reshape((*grid.shape[:-1], input.shape[1]))
    return np.ascontiguousarray(np.moveaxis(found, -1, 1)).astype(input.dtype, copy=False)


@kernel
def grid_scatter(cotangent, grid, size, settings, orders):
    channels = cotangent.shape[1]
    given = channels_last(wide(cotangent)[0]).reshape((prod(grid.shape[:-1]), channels))
    summed = sampler(grid, size, settings, orders).T @ given
    images = summed.reshape((len(grid), *[n + 1 for n in size], channels))
    inner = images[(slice(None), *[slice(1, None)] * len(size))]
    return np.ascontiguousarray(np.moveaxis(inner, -1, 1)).astype(cotangent.dtype, copy=False)


@kernel
def grid_slope(grad, input, grid, settings, orders):
    size, samples = input.shape[2:], prod(grid.shape[:-1])
    rows = with_margin(wide(input)[0])
    flow = channels_last(wide(grad)[0]).reshape((samples, input.shape[1]))
    elements, factors = zip(*taps_of(grid, size, settings, orders), strict=True)
    _, slopes = zip(*taps_of(grid, size, settings, [order + 1 for order in orders]), strict=True)
    columns, result = positions(elements, len(grid), size), []
    for d in reversed(range(len(size))):
        weights = products([*factors[:d], slopes[d], *factors[d + 1 :]])
        found = matrix(columns, weights, samples, size, len(grid)) @ rows
        result.append(np.einsum("rc,rc->r", found, flow))
    return np.stack(result, -1).reshape(grid.shape).astype(grad.dtype, copy=False)


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
