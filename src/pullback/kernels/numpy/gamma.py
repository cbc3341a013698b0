"""Kernels of the gamma function's family."""

from functools import cache
from math import factorial, inf, log, pi

import numpy as np

from .kinds import defined_for, dtype_of
from .polynomials import polyval
from .special import beyond_single, half_line, in_double, scipy_function


def whole(input):
    """Where numbers are whole and not positive: the poles of the gamma function."""
    return (input <= 0) & (input == np.floor(input))


@cache
def series_at_two():
    """The Taylor coefficients of lgamma at 2 (DLMF 5.7.3), without the constant, which is zero."""
    zeta = scipy_function("zetac")(np.arange(2, 40))
    return [0.0, 1 - float(np.euler_gamma), *[(-1) ** k * z / k for k, z in enumerate(zeta, 2)]]


@defined_for("f")
@beyond_single("gammaln")
def lgamma(input):
    """SciPy's; about 1 and 2, where it is zero, its Taylor series at 2."""

    def near_one(x):
        return polyval(x - 1, series_at_two()) - np.log1p(x - 1)

    def near_two(x):
        return polyval(x - 2, series_at_two())

    is_first, is_second = (input > 0.5) & (input <= 1.5), (input > 1.5) & (input < 2.5)
    pieces = [near_one, near_two, inf, scipy_function("gammaln")]
    return np.piecewise(input, [is_first, is_second, input == -inf], pieces)


@defined_for("f")
@beyond_single("psi")
def digamma(input):
    """SciPy's; on the left by reflection, ``ψ(x) = ψ(1 - x) - π / tan(π x)``."""

    def reflected(x):
        return scipy_function("psi")(1 - x) - pi / np.tan(pi * (x - np.round(x)))

    is_reflected = (input < 0) & ~whole(input) & (input > -1e15)
    return np.piecewise(input, [is_reflected], [reflected, scipy_function("psi")])


@defined_for("f")
def polygamma(input, n):
    if n == 0:
        return digamma(input)
    x = np.asarray(input, np.float64)
    if n == 1:
        result = trigamma(x)
    else:
        result = (-1) ** (n + 1) * zeta_times_factorial(n, x)
    return result.astype(input.dtype)


def zeta_times_factorial(n, x):
    """``n! * zeta(n + 1, x)``; where one would overflow and the other might vanish, by ``x**(n + 1) * zeta(n + 1, x)``."""
    if n <= 170:
        return float(factorial(n)) * scipy_function("zeta")(n + 1, x)
    scaled = zeta_derivative(np.full_like(x, n + 1), x, 0, x)
    return np.where(x > 0, np.exp(scipy_function("gammaln")(n + 1) - (n + 1) * np.log(x)) * scaled, np.inf)


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


@defined_for("f")
def zeta_slope(input, other, order):
    s, q = in_doubles(input, other)
    result = np.where((s > 1) & (q > 0), zeta_derivative(s, q, order), np.nan)
    return np.asarray(result, dtype_of((input, other)))


TERMS = 12  # of the sum before Euler and Maclaurin's formula takes over, whose terms then fall by 1e-2 each


def zeta_derivative(s, q, order, unit=1.0):
    """By Euler and Maclaurin's formula, each of whose terms is taken as a polynomial in a small change of ``s``. The value,
    of order zero, may be taken in a unit of ``unit**-s``."""
    total = sum(power_jet(s, (q + k) / unit, order) for k in range(TERMS))
    end = power_jet(s, (q + TERMS) / unit, order)
    total = total + end / 2 + times((q + TERMS) * end, inverse_jet(s - 1, order))
    rising, scale = jet_of(s, order), end / (q + TERMS)
    for j, bernoulli in enumerate(scipy_function("bernoulli")(2 * TERMS)[2::2], 1):
        total = total + bernoulli / factorial(2 * j) * times(rising, scale)
        rising = times(times(rising, jet_of(s + 2 * j - 1, order)), jet_of(s + 2 * j, order))
        scale = scale / np.square(q + TERMS)
    return factorial(order) * total[order]


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


# -- the incomplete gamma functions ------------------------------------------------------------------------------------


@defined_for("f")
def igamma(input, other):
    return scipy_function("gammainc")(input, other)


@defined_for("f")
def igammac(input, other):
    return scipy_function("gammaincc")(input, other)


def density(a, x):
    """``x**(a - 1) * exp(-x) / Γ(a)``; for large a by the saddle point (Loader 2000), for powers would overflow."""
    change = (x - a) / a
    near = np.where(np.abs(change) < 0.1, change, 0)
    series = np.square(near) * polyval(near, [(-1) ** k / k for k in range(2, 22)])
    deviance = np.where(near == change, series, change - np.log1p(change))
    rest = 1 / (12 * a) - 1 / (360 * a**3) + 1 / (1260 * a**5) - 1 / (1680 * a**7) + 1 / (1188 * a**9)  # of Stirling's
    large = np.exp(-a * deviance - rest) * np.sqrt(a / (2 * pi)) / x
    small = x ** (a - 1) * np.exp(-x) / scipy_function("gamma")(a)
    value = np.where((a > 15) & (x > 0), large, np.where(x == inf, 0, small))
    return np.where(x < 0, np.nan, value)


def density_jet(a, x, order):
    """The coefficients of the density in powers of a change of ``a``."""
    psi = [digamma(a), *[polygamma(a, k) for k in range(1, order)]]
    slopes = [(np.log(x) if k == 0 else 0) - psi[k] / factorial(k + 1) for k in range(order)]
    jet = [density(a, x)]
    for n in range(1, order + 1):
        jet.append(sum(k * slopes[k - 1] * jet[n - k] for k in range(1, n + 1)) / n)
    return np.stack(jet)


def in_doubles(input, other):
    return np.broadcast_arrays(np.asarray(input, np.float64), np.asarray(other, np.float64))


@defined_for("f")
def gamma_density(input, other, order):
    a, x = in_doubles(input, other)
    return np.asarray(factorial(order) * density_jet(a, x, order)[order], input.dtype)


@defined_for("f")
def igamma_slope(input, other, order):
    """From ``P(a) = x g(a) ∫ exp(x (1 - exp(-w)) - a w) dw`` over positive w for x up to a, and its like for ``1 - P``
    above, whose integrands are positive; and from ``P(a) = P(a + 1) + g(a + 1)``, g being the density, for a below 1."""
    a, x = in_doubles(input, other)
    is_small, is_inside = a < 1, (a >= 0) & (x > 0) & (x < inf)
    shifted, safe = np.where(is_inside, a + is_small, 1), np.where(is_inside, x, 1)
    jet = density_jet(shifted, safe, order)
    moments = exponential_moments(shifted, safe, order)
    total = np.where(safe > shifted, -1, 1) * safe * times(jet, moments)[order]
    total = factorial(order) * (total + np.where(is_small, jet[order], 0))
    return np.asarray(np.where(is_inside, total, np.where((a >= 0) & (x >= 0), 0, np.nan)), input.dtype)


def exponential_moments(a, x, order):
    """The integrals of ``exp(±(a w - x expm1(±w))) * (±w)**k / k!``, with the sign plus for x above a."""
    sign = np.where(x > a, 1, -1)
    nodes, weights = (
        w.reshape(-1, *[1] * x.ndim) / (np.abs(x - a) + np.sqrt(np.maximum(a, x))) for w in half_line(0.0625)
    )
    w = sign * np.minimum(nodes, 700)
    terms = weights * np.exp(a * w - x * np.expm1(w))
    return np.stack([(terms * w**k).sum(0) / factorial(k) for k in range(order + 1)])
