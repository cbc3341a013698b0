"""The step of :mod:`pullback.ops.ctc` that is run for every time."""

import numpy as np

from .registry import kernel


@kernel
def entered(input, leaps):
    lowest = input.dtype.type(-1e30)
    wide = np.full((input.shape[0], input.shape[1] + 2), lowest)
    wide[:, 2:] = input
    near, far = wide[:, 1:-1], np.where(leaps, wide[:, :-2], lowest)
    peak = np.maximum(np.maximum(input, near), far)
    found = np.exp(input - peak)
    found += np.exp(near - peak)
    found += np.exp(far - peak)
    np.log(found, found)
    found += peak
    return found
