"""Kernels of Bessel's and Airy's functions."""

from collections.abc import Callable
from functools import cache, partial
from math import factorial, pi, sqrt

import numpy as np

from .kinds import defined_for, enter
from .polynomials import polyval
from .special import exact_product, in_double, scipy_function

ROOTS = 5.0  # up to which SciPy's functions compute with the zeros themselves, and from which with a phase

# pi/4 and 3 pi/4 as SciPy's functions (Cephes) have them, and what that leaves out.
QUARTERS = ((pi / 4, 3.061616997868383e-17), (3 * pi / 4, 9.184850993605148e-17))


def oscillating(x, order):
    """The functions of the first and the second kind beyond 5.

    SciPy computes them from a phase ``x - π / 4``, whose rounding error, many units of the result, is known: the pair is
    turned by it.
    """
    first, second = (scipy_function(f"{kind}{order}")(x) for kind in "jy")
    quarter, rest = QUARTERS[order]
    phase = x - quarter
    lost = np.where(x < np.inf, ((x - phase) - quarter) - rest, 0)
    turn, side = np.cos(lost), np.sin(lost)
    return turn * first - side * second, turn * second + side * first


def first_kind(x, order):
    def far(x):
        return oscillating(np.abs(x), order)[0] * (np.sign(x) if order else 1)

    return np.piecewise(x, [np.abs(x) > ROOTS], [far, scipy_function(f"j{order}")])


def second_kind(x, order):
    def far(x):
        return oscillating(x, order)[1]

    def middle(x):
        return scipy_function("yv")(order, x)

    return np.piecewise(x, [x > ROOTS, (x > 2) & (x <= ROOTS)], [far, middle, scipy_function(f"y{order}")])


def power_series(x, order, sign, limit):
    """The function of the first kind as its power series, whose signs alternate, or do not; up to some size."""
    coefficients = [1.0 / (factorial(k) * factorial(order + k)) for k in range(20 + int(limit))]
    return (x / 2) ** order * polyval(sign * np.square(x) / 4, coefficients)


NEAR = 2.0  # up to which the modified functions of the first kind are their power series
FAR = 30.0  # and up to which those of higher order are


def modified(x, order):
    series = partial(power_series, order=order, sign=1, limit=NEAR)
    return np.piecewise(x, [np.abs(x) < NEAR], [series, scipy_function(f"i{order}")])


def scaled_modified(x, order):
    def series(x):
        return power_series(x, order, 1, NEAR) * np.exp(-np.abs(x))

    return np.piecewise(x, [np.abs(x) < NEAR], [series, scipy_function(f"i{order}e")])


LEAST, STEP, NODES = 0.2, 0.125, 48


def scaled_integral(x, order):
    """The modified function of the second kind, times ``exp(x)``, for x between 0.2 and 20 and any real order: the integral
    of ``exp(x - x cosh(t)) cosh(order t)`` over positive t (DLMF 10.32.9), by the trapezoidal rule, which is exact here
    to the last digits (Trefethen and Weideman 2014): all terms are positive, and fall off doubly exponentially."""
    t = STEP * np.arange(NODES)[:, None]
    terms = np.exp(-2 * x * np.square(np.sinh(t / 2))) * np.cosh(order * t)
    return STEP * (terms.sum(0) - terms[0] / 2)


def zeroth_of_second_kind(x, scaled):
    """Order zero, of which SciPy's has fewer digits below 2; near zero its power series (DLMF 10.31.2)."""

    def series(x):
        harmonic = [sum(1 / j for j in range(1, k + 1)) / factorial(k) ** 2 for k in range(8)]
        logarithm = np.log(x / 2) + np.euler_gamma
        value = polyval(np.square(x) / 4, harmonic) - logarithm * power_series(x, 0, 1, LEAST)
        return value * (np.exp(x) if scaled else 1)

    def integral(x):
        return scaled_integral(x, 0) * (1 if scaled else np.exp(-x))

    pieces = [series, integral, scipy_function("k0e" if scaled else "k0")]
    return np.piecewise(x, [(x >= 0) & (x < LEAST), (x >= LEAST) & (x < 2)], pieces)


def modified_second(x, order, scaled):
    if not order:
        return zeroth_of_second_kind(x, scaled)
    return scipy_function("k1e" if scaled else "k1")(x)


# Of each family: its functions of orders zero and one, and the signs s and t of its recurrence,
# f(n + 1) = s * 2 n / x * f(n) + t * f(n - 1) (Abramowitz and Stegun, 9.1.27 and 9.6.26).
FAMILIES: dict[str, tuple[Callable, int, int]] = {
    "j": (first_kind, 1, -1),
    "y": (second_kind, 1, -1),
    "i": (modified, -1, 1),
    "k": (partial(modified_second, scaled=False), 1, 1),
    "scaled i": (scaled_modified, -1, 1),
    "scaled k": (partial(modified_second, scaled=True), 1, 1),
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
    series = power_series(near, order, t, limit) * (np.exp(-np.abs(near)) if family == "scaled i" else 1)
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


def far_left(x, derivative):
    """Airy's function to the left of -10 (DLMF 9.7.9 and 9.7.10), by a phase of more than float64's digits."""
    high, low = two_thirds((-x).clip(10, 1e18))
    cosine, sine = (np.cos(high) + np.sin(high)) * sqrt(0.5), (np.sin(high) - np.cos(high)) * sqrt(0.5)
    turn, side = np.cos(low), np.sin(low)
    cosine, sine = turn * cosine - side * sine, turn * sine + side * cosine
    even, odd = alternating(expansions()[derivative], high)
    quarter = np.sqrt(np.sqrt(-x))
    if derivative:
        return quarter / sqrt(pi) * (sine * even - cosine * odd)
    return (cosine * even + sine * odd) / (sqrt(pi) * quarter)


def near_left(x, derivative):
    """SciPy's function between -10 and -2.09, turned by what its phase (Cephes') has lost."""
    value, other = scipy_function("airy")(x)[derivative::2]
    high, low = two_thirds(-x)
    computed = -2 * x * np.sqrt(-x) / 3
    phase = computed + QUARTERS[0][0]
    lost = (high - computed) + low + ((computed - phase) + QUARTERS[0][0]) + QUARTERS[0][1]
    return value + lost * other


def on_the_right(x, derivative):
    """By modified Bessel functions of orders 1/3 and 2/3 (DLMF 9.6.2 and 9.6.3)."""
    if derivative:
        return -x / (pi * sqrt(3)) * scaled_integral(2 / 3 * x * np.sqrt(x), 2 / 3) * falling(x)
    return np.sqrt(x / 3) / pi * scaled_integral(2 / 3 * x * np.sqrt(x), 1 / 3) * falling(x)


def far_right(x, derivative):
    return scipy_function("airye")(x)[derivative] * falling(x)


def falling(x):
    """The exponential by which Airy's function falls off to the right."""
    high, low = two_thirds(x.clip(0, 1e3))
    return np.exp(-high) * (1 - low)


def airy(x, derivative):
    """SciPy's about zero, and on either side what has more digits."""
    places = [x < -10, (x >= -10) & (x < -2.09), (x > 0.5) & (x < 8), x >= 8]
    pieces = [partial(piece, derivative=derivative) for piece in (far_left, near_left, on_the_right, far_right)]
    return np.piecewise(x, places, [*pieces, lambda x: scipy_function("airy")(x)[derivative]])


enter("airy_ai", in_double(partial(airy, derivative=0)), "f")
enter("airy_slope", in_double(partial(airy, derivative=1)), "f")
