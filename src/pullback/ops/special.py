"""Special functions of each element: those around the normal distribution, and logarithms that are safe where plain ones are not.

Derivatives are written by functions that keep their digits where the formula of a textbook would cancel or overflow; these
are operations of their own, which users do not see.
"""

import math

from .arithmetic import NUMBERS, WRITABLE, log_of
from .complex_numbers import HIDDEN
from .elementwise import function
from .table import FLOATING, elementwise

REAL = {"real": True}
SPECIAL = {"real": True, "homes": ("special",), "method": False, "inplace": False}
BOTH = ("torch", "special")
ROOT_PI = 1.772453850905516  # the float nearest to it, which math.sqrt(math.pi) is not
ROOT_2_PI = 2.5066282746310007  # likewise


def hidden(signature, doc, derivative, domain, *rest, **fields):
    """Declare a function of each element that serves derivatives alone; ``rest`` are its further arguments in samples."""
    low, high = domain
    elementwise(
        signature,
        doc,
        derivative=derivative,
        operands=("input",),
        types=FLOATING,
        samples=lambda t: [((t(*shape, low=low, high=high), *rest), {}) for shape in ((), (2, 3), (0, 2))],
        **(REAL | HIDDEN | fields),
    )


# -- the error function, and the normal distribution -------------------------------------------------------------------

hidden(
    "exp_square(input, scale)",
    "The exponential ``exp(scale * input**2)``, for a power of two as scale, without loss where the square is large.",
    lambda xp, input, result, scale: 2 * scale * input * result,
    (-2, 2),
    -0.5,
)
function(
    "erf(input)",
    "The error function of each element.",
    lambda xp, input: xp.exp_square(input, -1.0) * (2 / ROOT_PI),
    (-2, 2),
    homes=BOTH,
    **REAL,
)
function(
    "erfc(input)",
    "The complement ``1 - erf(input)``, exact where it is small.",
    lambda xp, input: xp.exp_square(input, -1.0) * (-2 / ROOT_PI),
    (-2, 2),
    homes=BOTH,
    **REAL,
)
function(
    "erfcx(input)",
    "The product ``exp(input**2) * erfc(input)``, which neither overflows nor underflows for positive numbers.",
    lambda xp, input: -2 * xp.erfcx_moment(input, 1),
    (-2, 4),
    node="SpecialErfcxBackward0",
    **SPECIAL,
)
hidden(
    "erfcx_moment(input, n)",
    "The integral of ``2 / sqrt(π) * t**n * exp(-t**2 - 2 * input * t)`` over positive t; ``erfcx`` where n is zero.",
    lambda xp, input, n: -2 * xp.erfcx_moment(input, n + 1),
    (-2, 4),
    1,
)
function(
    "erfinv(input)",
    "The number whose error function is each element; NaN outside [-1, 1].",
    lambda xp, input: xp.erfinv_slope(input),
    (-0.9, 0.9),
    homes=BOTH,
    **REAL,
)
hidden(
    "erfinv_slope(input)",
    "The derivative of ``erfinv``, exact near -1 and 1.",
    lambda xp, input, result: 2 * xp.erfinv(input) * result * result,
    (-0.9, 0.9),
)
function(
    "ndtr(input)",
    "The normal distribution function: the probability that a standard normal variable is below each element.",
    lambda xp, input: xp.exp_square(input, -0.5) / ROOT_2_PI,
    (-3, 3),
    node="MulBackward1",
    **SPECIAL,
)
function(
    "log_ndtr(input)",
    "The logarithm of ``ndtr``, finite and exact far to the left.",
    lambda xp, input: xp.hazard(input),
    (-5, 3),
    node="SpecialLogNdtrBackward0",
    **SPECIAL,
)
hidden(
    "hazard(input)",
    "The normal density divided by ``ndtr``: the derivative of ``log_ndtr``.",
    lambda xp, input, result: -result * (input + result),
    (-5, 3),
)
function(
    "ndtri(input)",
    "The number whose ``ndtr`` is each element; NaN outside [0, 1].",
    lambda xp, input: xp.ndtri_slope(input),
    (0.05, 0.95),
    node="SpecialNdtriBackward0",
    **SPECIAL,
)
hidden(
    "ndtri_slope(input)",
    "The derivative of ``ndtri``, exact near 0 and 1.",
    lambda xp, input, result: xp.ndtri(input) * result * result,
    (0.05, 0.95),
)

# -- logarithms --------------------------------------------------------------------------------------------------------


def log_or_zero(xp, input, other):
    """``log(other)``, and zero where the product with ``input`` is zero by definition."""
    if type(other) in NUMBERS:
        return log_of(other, False) if other > 0 else xp.where(input == 0, 0, math.nan if other else -math.inf)
    return xp.where((input == 0) & (other <= 0), 0, xp.log(other))


def log1p_or_zero(xp, input, other):
    """``log(1 + other)``, and zero where the product with ``input`` is zero by definition."""
    if type(other) in NUMBERS:
        return log_or_zero(xp, input, other + 1) if other <= -1 else math.log1p(other)
    return xp.where((input == 0) & (other <= -1), 0, xp.log1p(other))


def products(t):
    """Sample calls of a product with a logarithm."""
    return [
        *[((t(*a), t(*b, low=0.3, high=3)), {}) for a, b in (((2, 3), (3,)), ((2, 1), (3,)), ((), ()), ((2, 0), (1,)))],
        ((t(2, 3), 1.5), {}),
        ((1.5, t(2, 3, low=0.3, high=3)), {}),
        ((0, t(2, 3, low=0.3, high=3)), {}),
    ]


elementwise(
    "xlogy(input, other)",
    "The product ``input * log(other)``, which is zero where ``input`` is (unless ``other`` is NaN).",
    derivative={"input": log_or_zero, "other": lambda xp, input, other: input / other},
    types=FLOATING,
    real=True,
    node=("XlogyBackward2", "XlogyBackward0", "XlogyBackward1"),
    samples=products,
    homes=BOTH,
    **WRITABLE,
)
elementwise(
    "xlog1py(input, other)",
    "The product ``input * log(1 + other)``, exact for small ``other``; it is zero where ``input`` is (unless ``other`` is NaN).",
    derivative={
        "input": lambda xp, input, other: log1p_or_zero(xp, input, other),
        "other": lambda xp, input, other: input / (other + 1),
    },
    types=FLOATING,
    real=True,
    method=False,
    node=("SpecialXlog1PyBackward2", "SpecialXlog1PyBackward0", "SpecialXlog1PyBackward1"),
    samples=products,
    homes=("special",),
    out=True,
)
function(
    "entr(input)",
    "The entropy ``-input * log(input)`` of each element: zero for zero, and ``-inf`` for negative numbers.",
    lambda xp, input: -1 - xp.log(input),
    (0.1, 3),
    node="SpecialEntrBackward0",
    **SPECIAL,
)
elementwise(
    "logaddexp(input, other)",
    "The logarithm ``log(exp(input) + exp(other))``, without overflow on the way.",
    derivative={
        "input": lambda xp, input, other: xp.sigmoid(input - other),
        "other": lambda xp, input, other: xp.sigmoid(other - input),
    },
    errors=lambda t: [((t.integers(0, 9, 3), t.integers(0, 9, 3)), {}, NotImplementedError)],
    out=True,
)


def share(xp, gap):
    """``2**gap / (1 + 2**gap)``, which is ``sigmoid(gap * log(2))`` without the product's rounding."""
    is_less = gap < 0
    power = xp.exp2(xp.where(is_less, gap, -gap))
    return xp.where(is_less, power, 1) / (1 + power)


elementwise(
    "logaddexp2(input, other)",
    "The logarithm ``log2(2**input + 2**other)``, without overflow on the way.",
    derivative={
        "input": lambda xp, input, other: share(xp, input - other),
        "other": lambda xp, input, other: share(xp, other - input),
    },
    real=True,
    errors=lambda t: [((t.integers(0, 9, 3), t.integers(0, 9, 3)), {}, NotImplementedError)],
    out=True,
)


def logit_slope(xp, input, eps):
    """``1 / (x (1 - x))``; outside the interval zero where it was clamped, and NaN where not."""
    if eps is None:
        return xp.where((input < 0) | (input > 1), math.nan, 1 / (input * (1 - input)))
    is_outside = (input < eps) | (input > 1 - eps)
    safe = xp.where(is_outside, 0.5, input)
    return xp.where(is_outside, 0, 1 / (safe * (1 - safe)))


elementwise(
    "logit(input, eps=None)",
    "The logarithm ``log(input / (1 - input))`` of the odds, of which ``sigmoid`` is the inverse; with ``eps``, of the input "
    "clamped to [eps, 1 - eps].",
    derivative=logit_slope,
    types=FLOATING,
    real=True,
    samples=lambda t: [
        *[((t(*shape, low=0.05, high=0.95),), {}) for shape in ((), (2, 3), (0, 2))],
        ((t(2, 3, low=-0.5, high=1.5),), {"eps": 0.1}),
    ],
    homes=BOTH,
    **WRITABLE,
)


elementwise(
    "sinc(input)",
    "The function ``sin(π x) / (π x)``, which is one at zero.",
    derivative=lambda xp, input: xp.sinc_slope(input, 1, math.pi),
    types=FLOATING,
    homes=BOTH,
    **WRITABLE,
)
function(
    "spherical_bessel_j0(x)",
    "The spherical Bessel function of the first kind of order zero, ``sin(x) / x``.",
    lambda xp, x: xp.sinc_slope(x, 1, 1.0),
    (-6, 6),
    **SPECIAL,
)
hidden(
    "sinc_slope(input, order, unit)",
    "The derivative of some order of ``sin(unit * input) / (unit * input)``, for a unit of π or 1.",
    lambda xp, input, order, unit: xp.sinc_slope(input, order + 1, unit),
    (-2, 2),
    1,
    math.pi,
    real=False,
)
