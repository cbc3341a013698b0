"""Kernels of special functions. Most are SciPy's, which is imported when the first of them is called."""

from functools import cache
from math import factorial, inf, log, pi

import numpy as np

from .kinds import defined_for, dtype_of


@cache
def scipy_function(name):
    from scipy import special

    return getattr(special, name)


@defined_for("f")
def erf(input):
    return scipy_function("erf")(input)


@defined_for("f")
def erfc(input):
    return scipy_function("erfc")(input)


@defined_for("f")
def erfinv(input):
    return scipy_function("erfinv")(input)


@defined_for("f")
def lgamma(input):
    return np.where(input == -inf, inf, scipy_function("gammaln")(input)).astype(input.dtype, copy=False)


@defined_for("f")
def digamma(input):
    return scipy_function("psi")(input)


@defined_for("f")
def polygamma(input, n):
    if n == 0:
        return digamma(input)
    x = np.asarray(input, np.float64)
    if n == 1:
        result = trigamma(x)
    else:
        result = (-1) ** (n + 1) * factorial(n) * scipy_function("zeta")(n + 1, x)
    return result.astype(input.dtype)


def trigamma(x):
    """The derivative of digamma; for x below 1/2 by reflection, ``ψ'(x) + ψ'(1 - x) = π² / sin²(π x)``."""
    is_reflected, is_pole = x < 0.5, (x <= 0) & (x == np.floor(x))
    zeta = scipy_function("zeta")(2, np.where(is_reflected, 1 - x, x))
    sine = np.where(is_pole, 0, np.sin(pi * (x - 2 * np.round(x / 2))))
    return np.where(is_reflected, np.square(pi / sine) - zeta, zeta)


@defined_for("f")
def xlogy(input, other):
    dtype = dtype_of((input, other))
    return scipy_function("xlogy")(np.asarray(input, dtype), np.asarray(other, dtype))


FEW = 512  # elements up to which NumPy's own function costs less than eight that are faster each


@defined_for("fc")
def logaddexp(input, other):
    if dtype_of((input, other)).kind == "c":
        return complex_logaddexp(input, other)
    if max(np.size(input), np.size(other)) <= FEW:
        return np.logaddexp(input, other)
    high, rest = np.maximum(input, other), gap(input, other)
    np.log1p(np.exp(rest, out=rest), out=rest)
    return np.add(rest, high, out=rest)


@defined_for("f")
def logaddexp2(input, other):
    if max(np.size(input), np.size(other)) <= FEW:
        return np.logaddexp2(input, other)
    high, rest = np.maximum(input, other), gap(input, other)
    np.log1p(np.exp2(rest, out=rest), out=rest)
    rest *= 1 / log(2)
    return np.add(rest, high, out=rest)


def gap(input, other):
    """The negative distance of two operands, and zero for equal infinities."""
    distance = np.subtract(input, other)
    np.negative(np.abs(distance, out=distance), out=distance)
    return np.fmin(distance, 0, out=distance)


def complex_logaddexp(input, other):
    is_first = np.real(input) >= np.real(other)
    high, low = np.where(is_first, input, other), np.where(is_first, other, input)
    return high + np.log1p(np.exp(low - high))


@defined_for("f")
def logit(input, eps=None):
    if eps is not None:
        input = input.clip(eps, 1 - eps)
    return np.log(input / (1 - input))


@defined_for("fc")
def sinc(input):
    angle = input * pi
    safe = np.where(angle == 0, 1, angle)
    return np.where(angle == 0, 1, np.sin(safe) / safe).astype(input.dtype)
