"""The window functions of ``torch`` itself, such as ``torch.hann_window``: periodic unless they are told otherwise."""

from typing import Any, Unpack

import numpy as np

from ..arguments import Options, as_count, as_dtype, as_number, made
from ..creation import check_kind
from ..dtypes import FLOATING, complex64, complex128
from ..tape.value import Tensor
from .shapes import COSINES, cosine_sum, kaiser, phases, triangle


def phases_of(name: str, window_length: int, periodic: bool) -> np.ndarray:
    if not isinstance(periodic, bool):
        raise TypeError(f"{name}(): argument 'periodic' (position 2) must be bool, not {type(periodic).__name__}")
    length = as_count(name, "window_length", window_length)
    if length < 0:
        raise RuntimeError(f"{name} requires non-negative window_length, got window_length={length}")
    return phases(length, not periodic)


def finished(name: str, shape: np.ndarray, dtype: Any, options: Options) -> Tensor:
    kind = as_dtype(name, dtype)
    if kind.category < FLOATING:
        raise RuntimeError(f"{name} expects floating point dtypes, got: {kind}")
    check_kind("arange", kind, complex64, complex128)
    return made(name, shape.astype(kind.numpy), options)


def hann_window(window_length: int, periodic: bool = True, *, dtype: Any = None, **options: Unpack[Options]) -> Tensor:
    """Hann's window, one period of a raised cosine: of ``window_length`` elements, the last of which would be the first again.

    >>> import pullback as torch
    >>> torch.hann_window(4)
    tensor([0.0000, 0.5000, 1.0000, 0.5000])
    """
    phase = phases_of("hann_window", window_length, periodic)
    return finished("hann_window", cosine_sum(phase, COSINES["hann"]), dtype, options)


def hamming_window(
    window_length: int,
    periodic: bool = True,
    alpha: float = 0.54,
    beta: float = 0.46,
    *,
    dtype: Any = None,
    **options: Unpack[Options],
) -> Tensor:
    """Hamming's window, ``alpha - beta * cos``: a raised cosine that does not go down to zero."""
    weights = as_number("hamming_window", "alpha", alpha, 3), as_number("hamming_window", "beta", beta, 4)
    phase = phases_of("hamming_window", window_length, periodic)
    return finished("hamming_window", cosine_sum(phase, weights), dtype, options)


def blackman_window(
    window_length: int, periodic: bool = True, *, dtype: Any = None, **options: Unpack[Options]
) -> Tensor:
    """Blackman's window, a sum of cosines of two frequencies."""
    phase = phases_of("blackman_window", window_length, periodic)
    return finished("blackman_window", cosine_sum(phase, COSINES["blackman"]), dtype, options)


def bartlett_window(
    window_length: int, periodic: bool = True, *, dtype: Any = None, **options: Unpack[Options]
) -> Tensor:
    """Bartlett's window, a triangle."""
    return finished("bartlett_window", triangle(phases_of("bartlett_window", window_length, periodic)), dtype, options)


def kaiser_window(
    window_length: int,
    periodic: bool = True,
    beta: float = 12.0,
    *,
    dtype: Any = None,
    **options: Unpack[Options],
) -> Tensor:
    """Kaiser's window; the larger ``beta``, the narrower it is."""
    phase = phases_of("kaiser_window", window_length, periodic)
    return finished("kaiser_window", kaiser(phase, as_number("kaiser_window", "beta", beta, 3)), dtype, options)
