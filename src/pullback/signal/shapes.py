"""The shapes of windows, as arrays in double precision. Formulas are those of Harris, "On the use of windows for harmonic
analysis with the discrete Fourier transform" (1978), but for the exponential and the cosine window.

A shape is a function of the *phase*, which goes from 0 at a window's first element to 1 at its last.
"""

import math
from collections.abc import Iterable

import numpy as np


def phases(length: int, sym: bool) -> np.ndarray:
    """The phase of each of ``length`` elements; of a window that is not symmetric, the last one is left out."""
    return np.arange(length) / max(length - sym, 1) if length != 1 else np.array([0.5])


def cosine_sum(phase: np.ndarray, coefficients: Iterable[float]) -> np.ndarray:
    """The sum of cosines of whole frequencies, with signs that alternate."""
    terms = [(-1) ** k * a * np.cos(2 * math.pi * k * phase) for k, a in enumerate(coefficients)]
    return np.sum(terms, axis=0) if phase.size != 1 else np.ones(1)


def triangle(phase: np.ndarray) -> np.ndarray:
    """Bartlett's window."""
    return 1 - np.abs(2 * phase - 1)


def kaiser(phase: np.ndarray, beta: float) -> np.ndarray:
    """Kaiser's window, a quotient of modified Bessel functions."""
    from scipy.special import i0e

    inner = beta * np.sqrt(np.maximum(1 - (2 * phase - 1) ** 2, 0))
    return i0e(inner) / i0e(beta) * np.exp(inner - abs(beta))


COSINES = {
    "hann": (0.5, 0.5),
    "hamming": (0.54, 0.46),
    "blackman": (0.42, 0.5, 0.08),
    "nuttall": (0.3635819, 0.4891775, 0.1365995, 0.0106411),
}
