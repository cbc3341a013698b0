"""Pooling and unpooling by indices into the flattened spatial dims: fractional max pooling, and max unpooling."""

from math import prod

import numpy as np

from ... import random as stream
from .registry import KERNELS, kernel
from .scatter import check_bounds


@kernel
def fractional_samples(input, dims, generator=None):
    return stream.uniform((*input.shape[: input.ndim - dims], dims), input.dtype, 0, 1, generator)


def starts(samples, size, count, pool):
    """Where ``count`` windows begin along a dim, for each channel (..., count)."""
    real = samples.dtype.type
    if count == 1:
        return np.full((*samples.shape, 1), size - pool)
    step = real(size - pool) / real(count - 1)
    sample = samples[..., None]
    before = ((np.arange(count - 1).astype(real) + sample) * step).astype(np.int64) - (sample * step).astype(np.int64)
    return np.concatenate([before, np.full((*samples.shape, 1), size - pool)], -1)


def windows(input, kernel_size, output_size, samples):
    """For each window of each channel, the indices of its elements: (..., windows, elements)."""
    n = len(kernel_size)
    lead = input.shape[:-n]
    flat = np.zeros((*lead, 1, 1), np.int64)
    for d, (size, count, pool) in enumerate(zip(input.shape[-n:], output_size, kernel_size, strict=True)):
        sample = samples[..., d if n == 3 else 1 - d]  # PyTorch has the width first in two dims, and last in three
        along = starts(sample, size, count, pool)[..., None] + np.arange(pool)
        flat = flat[..., :, None, :, None] * size + along[..., None, :, None, :]
        flat = flat.reshape((*lead, flat.shape[-4] * count, flat.shape[-2] * pool))
    return flat


def fractional(input, kernel_size, output_size, samples):
    n = len(kernel_size)
    lead = input.shape[:-n]
    flat = windows(input, kernel_size, output_size, samples)
    images = input.reshape((*lead, prod(input.shape[-n:])))
    elements = np.take_along_axis(images, flat.reshape((*lead, -1)), -1).reshape(flat.shape)
    is_nan = np.isnan(elements)
    last_nan = elements.shape[-1] - 1 - is_nan[..., ::-1].argmax(-1)
    winner = np.where(is_nan.any(-1), last_nan, np.where(is_nan, -np.inf, elements).argmax(-1))[..., None]
    shape = (*lead, *output_size)
    values, indices = (np.take_along_axis(each, winner, -1).reshape(shape) for each in (elements, flat))
    return values, indices


def unpool(input, indices, output_size):
    n = len(output_size)
    lead, places = input.shape[:-n], prod(output_size)
    check_bounds(
        indices, places, 0, message=f"Found an invalid max index: {{}} (output volumes are of size {output_size})"
    )
    result = np.zeros((prod(lead), places), input.dtype)
    count = prod(input.shape[-n:])
    np.put_along_axis(result, indices.reshape((len(result), count)), input.reshape((len(result), count)), 1)
    return result.reshape((*lead, *output_size))


KERNELS.update(fractional_max_pool2d_by=fractional, fractional_max_pool3d_by=fractional)
KERNELS.update(dict.fromkeys((f"unpool{n}d" for n in (1, 2, 3)), unpool))
