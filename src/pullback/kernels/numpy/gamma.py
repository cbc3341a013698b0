"""Kernels of the gamma function's family."""

from math import factorial, inf, log, pi

import numpy as np

from .kinds import defined_for, dtype_of
from .special import in_double, scipy_function


def whole(input):
    """Where numbers are whole and not positive: the poles of the gamma function."""
    return (input <= 0) & (input == np.floor(input))


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
    is_reflected, is_pole = x < 0.5, whole(x)
    zeta = scipy_function("zeta")(2, np.where(is_reflected, 1 - x, x))
    sine = np.where(is_pole, 0, np.sin(pi * (x - 2 * np.round(x / 2))))
    return np.where(is_reflected, np.square(pi / sine) - zeta, zeta)


@defined_for("f")
@in_double
def mvlgamma(input, p):
    return sum(lgamma(input - j / 2) for j in range(p)) + p * (p - 1) / 4 * log(pi)


@defined_for("f")
def zeta(input, other):
    return scipy_function("zeta")(input, other)


TERMS = 12  # of the sum before Euler and Maclaurin's formula takes over, whose terms then fall by 1e-2 each


@defined_for("f")
def zeta_slope(input, other, order):
    """By Euler and Maclaurin's formula, each of whose terms is taken as a polynomial in a small change of ``input``."""
    s, q = np.broadcast_arrays(np.asarray(input, np.float64), np.asarray(other, np.float64))
    total = sum(power_jet(s, q + k, order) for k in range(TERMS))
    end = power_jet(s, q + TERMS, order)
    total = total + end / 2 + times((q + TERMS) * end, inverse_jet(s - 1, order))
    scale = end / (q + TERMS)
    rising, scale = jet_of(s, order), end / (q + TERMS)
    for j, bernoulli in enumerate(scipy_function("bernoulli")(2 * TERMS)[2::2], 1):
        total = total + bernoulli / factorial(2 * j) * times(rising, scale)
        rising = times(times(rising, jet_of(s + 2 * j - 1, order)), jet_of(s + 2 * j, order))
        scale = scale / np.square(q + TERMS)
    result = np.where((s > 1) & (q > 0), factorial(order) * total[order], np.nan)
    return np.asarray(result, dtype_of((input, other)))


def jet_of(x, order):
    """The coefficients of ``x + t`` in powers of t."""
    return np.stack([x, np.ones_like(x), *[np.zeros_like(x)] * order][: order + 1])


def power_jet(s, base, order):
    """The coefficients of ``base ** -(s + t)`` in powers of t."""
    jet = [base**-s]
    for k in range(1, order + 1):
        jet.append(jet[-1] * -np.log(base) / k)
    return np.stack(jet)


def inverse_jet(x, order):
    """The coefficients of ``1 / (x + t)`` in powers of t."""
    return np.stack([(-1) ** k * x ** -(k + 1.0) for k in range(order + 1)])


def times(a, b):
    """The product of two polynomials by their coefficients, as far as they go."""
    return np.stack([sum(a[i] * b[k - i] for i in range(k + 1)) for k in range(len(a))])
