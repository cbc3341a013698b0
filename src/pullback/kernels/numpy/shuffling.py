"""Shuffles of channels and pixels: a reshape, a transposition, a reshape."""

import numpy as np

from .registry import KERNELS, kernel


@kernel
def pixel_shuffle(input, upscale_factor):
    *lead, channels, height, width = input.shape
    r, count = upscale_factor, len(lead)
    split = input.reshape((*lead, channels // r**2, r, r, height, width))
    moved = split.transpose((*range(count), count, count + 3, count + 1, count + 4, count + 2))
    return np.array(moved, order="C").reshape((*lead, channels // r**2, height * r, width * r))


@kernel
def pixel_unshuffle(input, downscale_factor):
    *lead, channels, height, width = input.shape
    r, count = downscale_factor, len(lead)
    split = input.reshape((*lead, channels, height // r, r, width // r, r))
    moved = split.transpose((*range(count), count, count + 2, count + 4, count + 1, count + 3))
    return np.array(moved, order="C").reshape((*lead, channels * r**2, height // r, width // r))


@kernel
def channel_shuffle(input, groups):
    samples, channels, *rest = input.shape
    split = input.reshape((samples, groups, channels // groups, *rest))
    return np.array(split.swapaxes(1, 2), order="C").reshape(input.shape)


KERNELS["native_channel_shuffle"] = channel_shuffle
