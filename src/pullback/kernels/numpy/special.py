"""Kernels of special functions. Most are SciPy's, which is imported when the first of them is called."""

from functools import cache, update_wrapper
from math import factorial, inf, log, perm, pi, sqrt

import numpy as np

from .kinds import defined_for, dtype_of
from .polynomials import polyval


@cache
def scipy_function(name):
    from scipy import special

    return getattr(special, name)


def exact_product(a, b):
    """The product of two float64 arrays as a rounded one and what that leaves out (Dekker 1971)."""
    product, (ah, al), (bh, bl) = a * b, halves(a), halves(b)
    return product, ((ah * bh - product) + ah * bl + al * bh) + al * bl


def halves(a):
    """A float64 array as the sum of two of 26 digits each (Veltkamp 1968)."""
    scaled = 134217729.0 * a
    high = scaled - (scaled - a)
    return high, a - high


def in_double(compute):
    """Compute in float64, whatever the floating dtype of the input, in which the result is given."""

    def computed(input, *args):
        return np.asarray(compute(np.asarray(input, np.float64), *args), input.dtype)

    return update_wrapper(computed, compute)


def beyond_single(name):
    """Compute float64 by the decorated function, and float32 by SciPy's, which has the digits of that."""

    def decorate(compute):
        def computed(input):
            return scipy_function(name)(input) if input.dtype == np.float32 else compute(np.asarray(input))

        return update_wrapper(computed, compute)

    return decorate


# -- the error function, and the normal distribution -------------------------------------------------------------------


def exponential_of_square(x, scale):
    """``exp(scale * x**2)``, to the last digits: the square's rounding error would be multiplied by its size."""
    x = np.clip(x, -1e8, 1e8)
    high = x.astype(np.float32).astype(np.float64)  # whose square is exact
    first, second = high * high, (x - high) * (x + high)
    square = first + second
    return np.exp(scale * square) * (1 + scale * (second - (square - first)))


@defined_for("f")
def exp_square(input, scale):
    if input.dtype == np.float32:
        return np.exp(np.float32(scale) * input * input)
    return exponential_of_square(input, scale)


@defined_for("f")
def erf(input):
    return scipy_function("erf")(input)


@defined_for("f")
@beyond_single("erfc")
def erfc(input):
    def tail(x):
        return scipy_function("erfcx")(x) * exponential_of_square(x, -1.0)

    return np.piecewise(input, [input > 0.5], [tail, scipy_function("erfc")])


@defined_for("f")
@beyond_single("erfcx")
def erfcx(input):
    return scaled_erfc(input)


def scaled_erfc(x):
    """SciPy's on the right; near zero, and on the left, as a product."""

    def product(x):
        return exponential_of_square(x, 1.0) * scipy_function("erfc")(x)

    return np.piecewise(x, [x < 0.5], [product, scipy_function("erfcx")])


@cache
def half_line(step=0.125):
    """Nodes and weights on the half-line, whose sum is an integral to the last digits where the integrand falls off as
    ``exp(-t)`` does (Takahasi and Mori 1974); what falls off faster needs a smaller step."""
    u = np.arange(-3.75, 4.5, step)
    nodes = np.exp(u - np.exp(-u))
    return nodes, step * nodes * (1 + np.exp(-u))


@defined_for("f")
@in_double
def erfcx_moment(input, n):
    """By the recurrence ``I[k + 1] = k / 2 * I[k - 1] - x * I[k]``; where that cancels, to the right, by quadrature."""

    def recurrence(x):
        before, value = 2 / sqrt(pi), scaled_erfc(x)  # the derivative of erfc takes the place of I[-1]
        before, value = value, before / 2 - x * value
        for k in range(1, n):
            before, value = value, k / 2 * before - x * value
        return value

    def quadrature(x):
        nodes, weights = (w[:, None] / (2 * x + 1) for w in half_line())
        return 2 / sqrt(pi) * (weights * nodes**n * np.exp(-nodes * (nodes + 2 * x))).sum(0)

    return np.piecewise(input, [input > 0.5], [quadrature, recurrence])


@defined_for("f")
def erfinv(input):
    return scipy_function("erfinv")(input)


@defined_for("f")
@in_double
def erfinv_slope(input):
    """``exp(y**2) = erfcx(y) / erfc(y)`` for ``y = erfinv(x)``, where ``erfc(y)`` is ``1 - x``."""
    size = np.abs(input)
    slope = sqrt(pi) / 2 * scaled_erfc(scipy_function("erfinv")(size)) / (1 - size)
    return np.where(size == 1, inf, slope)


def lower_tail(x):
    """``2 * exp(x**2 / 2) * ndtr(x)``, for x that is not positive."""
    return scaled_erfc(np.minimum(x, 0) * -sqrt(0.5))


@defined_for("f")
@beyond_single("ndtr")
def ndtr(input):
    return normal_distribution(input)


def normal_distribution(x):
    def far(x):
        return lower_tail(x) * exponential_of_square(x, -0.5) / 2

    return np.piecewise(x, [x < -1], [far, scipy_function("ndtr")])


@defined_for("f")
@beyond_single("log_ndtr")
def log_ndtr(input):
    def far(x):
        return np.log(lower_tail(x) / 2) - np.square(x) / 2

    def near(x):
        return np.log(normal_distribution(x))

    def right(x):
        return np.log1p(-normal_distribution(-x))

    return np.piecewise(input, [input < -1, (input >= -1) & (input < 0)], [far, near, right])


@defined_for("f")
@in_double
def hazard(input):
    def left(x):
        return sqrt(2 / pi) / lower_tail(x)

    def right(x):
        return exponential_of_square(x, -0.5) / sqrt(2 * pi) / normal_distribution(x)

    return np.piecewise(input, [input < 0], [left, right])


@defined_for("f")
def ndtri(input):
    return scipy_function("ndtri")(input)


@defined_for("f")
@in_double
def ndtri_slope(input):
    """As ``erfinv_slope``, by the nearer end."""
    end = np.minimum(input, 1 - input)
    return np.where(end == 0, inf, sqrt(2 * pi) / 2 * lower_tail(scipy_function("ndtri")(end)) / end)


# -- logarithms --------------------------------------------------------------------------------------------------------


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
    return scipy_function("logit")(input if eps is None else input.clip(eps, 1 - eps))


@defined_for("f")
def xlog1py(input, other):
    dtype = dtype_of((input, other))
    return scipy_function("xlog1py")(np.asarray(input, dtype), np.asarray(other, dtype))


@defined_for("f")
def entr(input):
    return scipy_function("entr")(input)


# -- sin(x) / x --------------------------------------------------------------------------------------------------------


@defined_for("fc")
def sinc(input):
    return sinc_of_order(input, 0, pi)


@defined_for("f")
def spherical_bessel_j0(input):
    return np.where(np.isinf(input), 0, sinc_of_order(input, 0, 1.0)).astype(input.dtype, copy=False)


@defined_for("fc")
def sinc_slope(input, order, unit):
    return sinc_of_order(input, order, unit)


def sinc_of_order(input, order, unit):
    """The derivatives of ``f(x) = sin(u x) / (u x)``. Those of ``x * f(x)`` give a recurrence, ``x f[n] + n f[n - 1] =
    u**(n - 1) * sin(u x + n π / 2)``, which cancels near zero; there they are the power series."""
    x = np.asarray(input, np.complex128 if input.dtype.kind == "c" else np.float64)
    is_near = np.abs(unit * x) < order + 1
    far, near = np.where(is_near, 1, x), np.where(is_near, unit * x, 0)
    sines = [sine(far, unit), cosine(far, unit)]
    value = sines[0] / (unit * far)
    for n in range(1, order + 1):
        value = (unit ** (n - 1) * (-1) ** (n // 2) * sines[n % 2] - n * value) / far
    coefficients = [taylor_of_sinc(k, order) for k in range(2 * (order + 1) + 20)]
    series = unit**order * polyval(near, coefficients)
    return np.asarray(np.where(is_near, series, value), input.dtype)


def taylor_of_sinc(k, order):
    """The coefficient of ``x**k`` in the derivative of some order of ``sin(x) / x``."""
    n = k + order
    return 0.0 if n % 2 else (-1) ** (n // 2) * perm(n, order) / factorial(n + 1)


def sine(x, unit):
    """``sin(unit * x)``; multiples of π by the distance to the nearest."""
    if unit != pi:
        return np.sin(x)
    nearest = np.round(np.real(x))
    return np.sin(pi * (x - nearest)) * (1 - 2 * (nearest % 2)) + 0.0  # no negative zero


def cosine(x, unit):
    return sine(x + 0.5, unit) if unit == pi and np.isrealobj(x) else np.cos(unit * x)
