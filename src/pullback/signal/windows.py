"""``torch.signal.windows``: windows of ``M`` elements, symmetric unless they are told otherwise (``sym=False``: periodic)."""

import math
from collections.abc import Iterable
from typing import Any, Unpack

import numpy as np

from ..arguments import Options, as_count, as_dtype, made
from ..dtypes import float32, float64
from ..tape.value import Tensor
from .shapes import COSINES, cosine_sum, phases, triangle
from .shapes import kaiser as kaiser_shape

__all__ = [
    "bartlett", "blackman", "cosine", "exponential", "gaussian", "general_cosine", "general_hamming", "hamming", "hann",
    "kaiser", "nuttall",
]  # fmt: skip


def checked(name: str, M: int, dtype: Any) -> int:
    """The number of elements; ValueError where it is negative, or the dtype is none for windows."""
    length, kind = as_count(name, "M", M), as_dtype(name, dtype)
    if length < 0:
        raise ValueError(f"{name} requires non-negative window length, got M={length}")
    if kind not in (float32, float64):
        raise ValueError(f"{name} expects float32 or float64 dtypes, got: {kind}")
    return length


def positive(what: str, value: float) -> float:
    if value <= 0:
        raise ValueError(f"{what} must be positive, got: {value} instead.")
    return value


def finished(name: str, shape: np.ndarray, dtype: Any, options: Options) -> Tensor:
    return made(name, shape.astype(as_dtype(name, dtype).numpy), options)


def sum_of_cosines(name: str, M: int, a: Iterable[float], sym: bool, dtype: Any, options: Options) -> Tensor:
    return finished(name, cosine_sum(phases(checked(name, M, dtype), sym), a), dtype, options)


def distances(length: int, sym: bool) -> np.ndarray:
    """How far each element is from the middle."""
    return np.arange(length) - (length - sym) / 2 if length != 1 else np.zeros(1)


def exponential(
    M: int,
    *,
    center: float | None = None,
    tau: float = 1.0,
    sym: bool = True,
    dtype: Any = None,
    **options: Unpack[Options],
) -> Tensor:
    """The exponential, or Poisson, window: ``exp(-|n - center| / tau)``. ``center`` may be given where ``sym`` is False."""
    length = checked("exponential", M, dtype)
    positive("Tau", tau)
    if sym and center is not None:
        raise ValueError("Center must be None for symmetric windows")
    apart = distances(length, sym) if center is None or length == 1 else np.arange(length) - center
    return finished("exponential", np.exp(-np.abs(apart) / tau), dtype, options)


def cosine(M: int, *, sym: bool = True, dtype: Any = None, **options: Unpack[Options]) -> Tensor:
    """The cosine window: half a wave of a sine."""
    length = checked("cosine", M, dtype)
    size = length if sym or length == 1 else length + 1
    return finished("cosine", np.sin(math.pi * (np.arange(length) + 0.5) / max(size, 1)), dtype, options)


def gaussian(M: int, *, std: float = 1.0, sym: bool = True, dtype: Any = None, **options: Unpack[Options]) -> Tensor:
    """The bell of a normal distribution, whose standard deviation is ``std`` elements."""
    length = checked("gaussian", M, dtype)
    positive("Standard deviation", std)
    return finished("gaussian", np.exp(-((distances(length, sym) / std) ** 2) / 2), dtype, options)


def kaiser(M: int, *, beta: float = 12.0, sym: bool = True, dtype: Any = None, **options: Unpack[Options]) -> Tensor:
    """Kaiser's window; the larger ``beta``, the narrower it is."""
    length = checked("kaiser", M, dtype)
    if beta < 0:
        raise ValueError(f"beta must be non-negative, got: {beta} instead.")
    return finished("kaiser", kaiser_shape(phases(length, sym), beta), dtype, options)


def bartlett(M: int, *, sym: bool = True, dtype: Any = None, **options: Unpack[Options]) -> Tensor:
    """Bartlett's window, a triangle."""
    return finished("bartlett", triangle(phases(checked("bartlett", M, dtype), sym)), dtype, options)


def hamming(M: int, *, sym: bool = True, dtype: Any = None, **options: Unpack[Options]) -> Tensor:
    """Hamming's window, a raised cosine that does not go down to zero."""
    return sum_of_cosines("hamming", M, COSINES["hamming"], sym, dtype, options)


def hann(M: int, *, sym: bool = True, dtype: Any = None, **options: Unpack[Options]) -> Tensor:
    """Hann's window, one period of a raised cosine.

    >>> import pullback as torch
    >>> torch.signal.windows.hann(5)
    tensor([0.0000, 0.5000, 1.0000, 0.5000, 0.0000])
    """
    return sum_of_cosines("hann", M, COSINES["hann"], sym, dtype, options)


def blackman(M: int, *, sym: bool = True, dtype: Any = None, **options: Unpack[Options]) -> Tensor:
    """Blackman's window, a sum of cosines of two frequencies."""
    return sum_of_cosines("blackman", M, COSINES["blackman"], sym, dtype, options)


def nuttall(M: int, *, sym: bool = True, dtype: Any = None, **options: Unpack[Options]) -> Tensor:
    """Nuttall's window with the lowest side lobes among those of four cosines (Nuttall, 1981)."""
    return sum_of_cosines("nuttall", M, COSINES["nuttall"], sym, dtype, options)


def general_cosine(
    M: int, *, a: Iterable[float], sym: bool = True, dtype: Any = None, **options: Unpack[Options]
) -> Tensor:
    """The sum of cosines of whole frequencies with the coefficients ``a``, whose signs alternate."""
    if not isinstance(a, Iterable):
        raise TypeError(f"Coefficients must be a list/tuple, not {type(a).__name__}")
    a = tuple(a)
    if not a:
        raise ValueError("Coefficients cannot be empty")
    return sum_of_cosines("general_cosine", M, a, sym, dtype, options)


def general_hamming(
    M: int, *, alpha: float = 0.54, sym: bool = True, dtype: Any = None, **options: Unpack[Options]
) -> Tensor:
    """A raised cosine, ``alpha - (1 - alpha) * cos``."""
    return sum_of_cosines("general_hamming", M, (alpha, 1 - alpha), sym, dtype, options)
