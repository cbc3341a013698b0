"""Kernels of Bessel's and Airy's functions."""

from collections.abc import Callable
from functools import cache, partial
from math import factorial, pi, sqrt

import numpy as np
from numpy.polynomial.polynomial import polyval

from .kinds import defined_for, enter
from .special import exact_product, in_double, scipy_function

ROOTS = 5.0  # up to which SciPy's functions compute with the zeros themselves, and from which with a phase

# pi/4 and 3 pi/4 as SciPy's functions (Cephes) have them, and what that leaves out.
QUARTERS = ((pi / 4, 3.061616997868383e-17), (3 * pi / 4, 9.184850993605148e-17))


def oscillating(x, order):
    """The functions of the first and the second kind.

    SciPy computes them for large x from a phase ``x - π / 4``, whose rounding error, many units of the result, is known:
    the pair is turned by it.
    """
    first, second = (scipy_function(f"{kind}{order}")(x) for kind in "jy")
    quarter, rest = QUARTERS[order]
    phase = x - quarter
    lost = np.where((x > ROOTS) & (x < np.inf), ((x - phase) - quarter) - rest, 0)
    turn, side = np.cos(lost), np.sin(lost)
    return turn * first - side * second, turn * second + side * first


def first_kind(x, order):
    size = np.abs(x)
    value = oscillating(np.where(size > ROOTS, size, ROOTS), order)[0]
    value = np.where(size > ROOTS, value, scipy_function(f"j{order}")(size))
    return value * np.sign(x) if order else value


def second_kind(x, order):
    return np.where(x > ROOTS, oscillating(x, order)[1], scipy_function(f"y{order}")(x))


def power_series(x, order, sign):
    """The function of the first kind as its power series, whose signs alternate, or do not."""
    size = np.abs(x).max(initial=1)
    coefficients = [1.0 / (factorial(k) * factorial(order + k)) for k in range(20 + int(size))]
    return (x / 2) ** order * polyval(sign * np.square(x) / 4, coefficients)


NEAR = 2.0  # up to which the modified functions of the first kind are their power series
FAR = 30.0  # and up to which those of higher order are


def modified(x, order):
    return np.where(np.abs(x) < NEAR, power_series(x.clip(-NEAR, NEAR), order, 1), scipy_function(f"i{order}")(x))


def scaled_modified(x, order):
    near = x.clip(-NEAR, NEAR)
    series = power_series(near, order, 1) * np.exp(-np.abs(near))
    return np.where(np.abs(x) < NEAR, series, scipy_function(f"i{order}e")(x))


# Of each family: its functions of orders zero and one, and the signs s and t of its recurrence,
# f(n + 1) = s * 2 n / x * f(n) + t * f(n - 1) (Abramowitz and Stegun, 9.1.27 and 9.6.26).
FAMILIES: dict[str, tuple[Callable, int, int]] = {
    "j": (first_kind, 1, -1),
    "y": (second_kind, 1, -1),
    "i": (modified, -1, 1),
    "k": (lambda x, order: scipy_function(f"k{order}")(x), 1, 1),
    "scaled i": (scaled_modified, -1, 1),
    "scaled k": (lambda x, order: scipy_function(f"k{order}e")(x), 1, 1),
}


@defined_for("f")
@in_double
def bessel(input, family, order):
    base, s, t = FAMILIES[family]
    if order < 2:
        return base(input, order)
    x = np.where(input == 0, 1, input) if family in ("j", "i", "scaled i") else input
    before, value = base(x, 0), base(x, 1)
    for n in range(1, order):
        before, value = value, s * 2 * n / x * value + t * before
    if family in ("y", "k", "scaled k"):
        return value
    limit = order if family == "j" else FAR  # below it the recurrence cancels
    near = input.clip(-limit, limit)
    series = power_series(near, order, t) * (np.exp(-np.abs(near)) if family == "scaled i" else 1)
    return np.where(np.abs(input) < limit, series, value)


for public, family in {
    "bessel_j": "j", "bessel_y": "y", "modified_bessel_i": "i", "modified_bessel_k": "k", "i": "i",
    "scaled_modified_bessel_k": "scaled k",
}.items():  # fmt: skip
    for order in (0, 1):
        enter(f"{public}{order}", in_double(partial(FAMILIES[family][0], order=order)), "f")
for order in (0, 1):
    enter(f"i{order}e", in_double(partial(scaled_modified, order=order)), "f")

# -- Airy's function ---------------------------------------------------------------------------------------------------


def two_thirds(size):
    """``2 / 3 * size**1.5`` as a float64 number and what that leaves out, which is many units where it is a phase."""
    root = np.sqrt(size)
    square, rest = exact_product(root, root)
    product, lost = exact_product(size, root)
    lost = lost + size * ((size - square) - rest) / (2 * np.where(root == 0, 1, root))
    high = 2 * product / 3
    triple, more = exact_product(high, np.full_like(high, 3.0))
    return high, ((2 * product - triple) - more + 2 * lost) / 3


TERMS = 32  # of the asymptotic expansion, from -10 on


@cache
def expansions():
    """The coefficients u and v of Airy's function and its derivative (DLMF 9.7.2)."""
    u = [1.0]
    for k in range(1, TERMS):
        u.append(u[-1] * (6 * k - 5) * (6 * k - 3) * (6 * k - 1) / (216 * k * (2 * k - 1)))
    return u, [(6 * k + 1) / (1 - 6 * k) * c for k, c in enumerate(u)]


def alternating(coefficients, x):
    """The sums of the even and of the odd terms of an expansion in ``1 / x``, with alternating signs."""
    square = -1 / np.square(x)
    return polyval(square, coefficients[::2]), polyval(square, coefficients[1::2]) / x


def airy(x, derivative):
    """For large arguments by a phase of more than float64's digits (DLMF 9.7.9 and 9.7.10), else SciPy's."""
    size = np.abs(x).clip(10, 1e18)
    high, low = two_thirds(size)
    cosine, sine = (np.cos(high) + np.sin(high)) * sqrt(0.5), (np.sin(high) - np.cos(high)) * sqrt(0.5)
    cosine, sine = cosine - low * sine, sine + low * cosine
    even, odd = alternating(expansions()[derivative], high)
    quarter = np.sqrt(np.sqrt(size))
    if derivative:
        left = quarter / sqrt(pi) * (sine * even - cosine * odd)
    else:
        left = (cosine * even + sine * odd) / (sqrt(pi) * quarter)
    high, low = two_thirds(x.clip(0, 1e3))
    right = scipy_function("airye")(x.clip(0))[derivative] * np.exp(-high) * (1 - low)
    return np.where(x < -10, left, np.where(x > 1, right, scipy_function("airy")(x)[derivative]))


enter("airy_ai", in_double(partial(airy, derivative=0)), "f")
enter("airy_slope", in_double(partial(airy, derivative=1)), "f")
