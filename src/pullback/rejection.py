"""Random numbers that PyTorch's CPU generator makes one after another, by rejection: how many draws each takes is chance.

Responsible for the gamma, Dirichlet, Poisson and binomial distributions, as NumPy arrays. Not responsible for tensors.

Invariant: as in ``random``, the numbers and what they leave of the stream are PyTorch's. Where PyTorch
computes in float32, so does this. As each begins where the one before it ended, they are made in a Python loop: one or two million take a
second to ten.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from math import ceil, cos, exp, floor, inf, lgamma, log, log1p, nan, pi, sin, sqrt
from typing import Any

import numpy as np

from . import random


class Draws:
    """Numbers taken from a generator one at a time, which is faster than arrays of one; its lock is held meanwhile."""

    def __init__(self, generator: random.Generator | None) -> None:
        self.generator = generator or random.default_generator

    def __enter__(self) -> Draws:
        self.generator._lock.acquire()
        self.raw = self.generator._stream()._bit_generator.random_raw
        return self

    def __exit__(self, *exception: Any) -> None:
        self.generator._lock.release()

    def uniform(self) -> float:
        """A number of [0, 1): the low 53 bits of two draws."""
        high = self.raw() & 0x1FFFFF
        return (high << 32 | self.raw()) * 2.0**-53

    def normal(self) -> float:
        """A number of the standard normal distribution; the second one of each pair is kept for the next call."""
        kept, self.generator._normal = self.generator._normal, None
        if kept is None:
            angle = 2.0 * pi * self.uniform()
            radius = sqrt(-2.0 * log1p(-self.uniform()))
            kept, self.generator._normal = radius * cos(angle), radius * sin(angle)
        return kept


def each(generator: random.Generator | None, sample: Callable, *parameters: np.ndarray) -> np.ndarray:
    """``sample(draws, *parameters)`` for every element of arrays of one shape and dtype, in row-major order.

    The parameters are Python's floats, or NumPy's float32 scalars: what PyTorch computes from them alone is rounded to
    their precision, and what a random number has part in is not.
    """
    first = parameters[0]
    narrow = first.dtype == np.float32
    columns: Iterable = zip(*(p.ravel() if narrow else p.ravel().tolist() for p in parameters), strict=True)
    with Draws(generator) as draws, np.errstate(all="ignore"):
        numbers = [sample(draws, *column) for column in columns]
    return np.array(numbers, np.float64).astype(first.dtype).reshape(first.shape)


# -- gamma and Dirichlet -----------------------------------------------------------------------------------------------


def gamma(alpha: np.ndarray, generator: random.Generator | None = None) -> np.ndarray:
    """Numbers of gamma distributions of shape ``alpha`` and scale one, in the dtype of ``alpha``."""
    return np.fmax(each(generator, one_gamma, alpha), np.finfo(alpha.dtype).tiny)  # zero has no logarithm


def dirichlet(alpha: np.ndarray, generator: random.Generator | None = None) -> np.ndarray:
    """Points of the simplex, along the last dim of their concentrations ``alpha``: gamma numbers over their sum."""
    numbers = gamma(alpha.astype(np.float64), generator)
    fractions = numbers / numbers.sum(axis=-1, keepdims=True)
    limits = np.finfo(alpha.dtype)
    return fractions.astype(alpha.dtype).clip(limits.tiny, 1 - limits.epsneg)


THIRD, SQUEEZE = float(np.float32(1 / 3)), float(np.float32(0.0331))  # as precise as PyTorch has them


def one_gamma(draws: Draws, alpha: Any) -> float:
    """Marsaglia and Tsang, "A simple method for generating gamma variables" (ACM TOMS 26, 2000)."""
    scale = 1.0
    if alpha < 1:
        if alpha == 0:
            return 0.0
        scale = power(1 - draws.uniform(), float(1 / alpha))
        alpha = alpha + 1
    d = float(alpha - THIRD)
    c = 1 / sqrt(9 * d) if d > 0 else nan
    while True:
        x = draws.normal()
        y = 1 + c * x
        while y <= 0:
            x = draws.normal()
            y = 1 + c * x
        v = y * y * y
        u = 1 - draws.uniform()
        xx = x * x
        if u < 1 - SQUEEZE * xx * xx or not log(u) >= 0.5 * xx + d * (1 - v + log(v)):
            return scale * d * v


def power(base: float, exponent: float) -> float:
    try:
        return base**exponent
    except OverflowError:
        return inf


# -- counts ------------------------------------------------------------------------------------------------------------


def poisson(rate: np.ndarray, generator: random.Generator | None = None) -> np.ndarray:
    """Counts of Poisson distributions, in the dtype of ``rate``."""
    return each(generator, one_poisson, rate.astype(np.float64)).astype(rate.dtype)


def one_poisson(draws: Draws, rate: float) -> float:
    if rate >= 10:
        return large_poisson(draws, rate) if rate < inf else inf
    if rate == 0:
        return 0.0
    least, product, count = exp(-rate), 1.0, 0
    while True:
        product *= draws.uniform()
        if product <= least:
            return float(count)
        count += 1


def large_poisson(draws: Draws, rate: float) -> float:
    """Algorithm PTRS of Hörmann, "The transformed rejection method for generating Poisson random variables" (1993)."""
    logarithm = log(rate)
    b = 0.931 + 2.53 * sqrt(rate)
    a = -0.059 + 0.02483 * b
    inverse_alpha = 1.1239 + 1.1328 / (b - 3.4)
    v_r = 0.9277 - 3.6224 / (b - 2)
    while True:
        u, v = draws.uniform() - 0.5, draws.uniform()
        us = 0.5 - abs(u)
        k = floor((2 * a / us + b) * u + rate + 0.43) if us else -1
        if us >= 0.07 and v <= v_r:
            return float(k)
        if k < 0 or (us < 0.013 and v > us):
            continue
        left = log(v) + log(inverse_alpha) - log(a / (us * us) + b) if v else -inf
        if left <= -rate + k * logarithm - lgamma(k + 1):
            return float(k)


def binomial(count: np.ndarray, prob: np.ndarray, generator: random.Generator | None = None) -> np.ndarray:
    """Counts of successes among ``count`` trials, in their common dtype; the two arrays have one shape."""
    return each(generator, one_binomial, count, prob)


def one_binomial(draws: Draws, count: Any, prob: Any) -> float:
    if count <= 0 or prob <= 0:
        return 0.0
    if prob >= 1:
        return count
    if not (prob <= 1 and count < inf):
        return nan
    rare = prob if prob <= 0.5 else 1 - prob
    sample = large_binomial if count * rare >= 10 else small_binomial
    successes = sample(draws, count, rare)
    return successes if prob <= 0.5 else count - successes


def small_binomial(draws: Draws, count: Any, prob: Any) -> float:
    """How many geometric waiting times fit into ``count`` trials."""
    logarithm, trials, successes = log1p(-prob), 0.0, 0
    while True:
        u = draws.uniform()
        trials += ceil(log(u) / logarithm) if u else inf
        if trials > count:
            return float(successes)
        successes += 1


def large_binomial(draws: Draws, count: Any, prob: Any) -> float:
    """Algorithm BTRS of Hörmann, "The generation of binomial random variates" (J. Stat. Comput. Simul. 46, 1993)."""
    deviation = sqrt(count * prob * (1 - prob))
    b = 1.15 + 2.53 * deviation
    a = -0.0873 + 0.0248 * b + 0.01 * float(prob)
    c = float(count * prob) + 0.5
    v_r = 0.92 - 4.2 / b
    odds = float(prob / (1 - prob))
    alpha = (2.83 + 5.1 / b) * deviation
    mode, count = floor((count + 1) * prob), float(count)
    while True:
        u, v = draws.uniform() - 0.5, draws.uniform()
        us = 0.5 - abs(u)
        k = floor((2 * a / us + b) * u + c) if us else -1
        if us >= 0.07 and v <= v_r:
            return float(k)
        if k < 0 or k > count:
            continue
        bound = (
            (mode + 0.5) * log((mode + 1) / (odds * (count - mode + 1)))
            + (count + 1) * log((count - mode + 1) / (count - k + 1))
            + (k + 0.5) * log(odds * (count - k + 1) / (k + 1))
            + stirling_tail(mode) + stirling_tail(count - mode) - stirling_tail(k) - stirling_tail(count - k)
        )  # fmt: skip
        if not v or log(v * alpha / (a / (us * us) + b)) <= bound:
            return float(k)


def stirling_tail(k: float) -> float:
    """What Stirling's formula for the logarithm of ``k!`` leaves out."""
    if k < 10:
        return lgamma(k + 1) - (k + 0.5) * log(k + 1) + (k + 1) - 0.5 * log(2 * pi)
    square = (k + 1) * (k + 1)
    return (1 / 12 - (1 / 360 - 1 / 1260 / square) / square) / (k + 1)
