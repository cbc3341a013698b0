"""Special functions of each element: the error and gamma functions, and logarithms that are safe where plain ones are not."""

import math

from .arithmetic import NUMBERS, WRITABLE, log_of
from .complex_numbers import HIDDEN
from .elementwise import function
from .table import FLOATING, elementwise, overload

REAL = {"real": True}
LN2 = math.log(2)
ROOT_PI = math.sqrt(math.pi)

# -- the error function ------------------------------------------------------------------------------------------------

function(
    "erf(input)",
    "The error function of each element.",
    lambda xp, input: xp.exp(-input * input) * (2 / ROOT_PI),
    (-2, 2),
    **REAL,
)
function(
    "erfc(input)",
    "The complement ``1 - erf(input)``, exact where it is small.",
    lambda xp, input: xp.exp(-input * input) * (-2 / ROOT_PI),
    (-2, 2),
    **REAL,
)
function(
    "erfinv(input)",
    "The number whose error function is each element; NaN outside [-1, 1].",
    lambda xp, input: xp.exp(xp.square(xp.erfinv(input))) * (ROOT_PI / 2),
    (-0.9, 0.9),
    **REAL,
)

# -- the gamma function ------------------------------------------------------------------------------------------------

function(
    "lgamma(input)",
    "The logarithm of the absolute value of the gamma function.",
    lambda xp, input: xp.digamma(input),
    (0.3, 5),
    **REAL,
)
function(
    "digamma(input)",
    "The derivative of ``lgamma``.",
    lambda xp, input: xp.polygamma(input, 1),
    (0.3, 5),
    **REAL,
)


def check_order(input, n):
    """Raise RuntimeError for a derivative of negative order."""
    if n < 0:
        raise RuntimeError(f"polygamma(n, x) does not support negative n, but got {n}")
    return input, n


polygamma = elementwise(
    "polygamma(input, n)",
    "The ``n``-th derivative of ``digamma``.",
    derivative=lambda xp, input, n: xp.polygamma(input, n + 1),
    operands=("input",),
    types=FLOATING,
    real=True,
    prepare=check_order,
    samples=lambda t: (
        [((t(2, 3, low=0.5, high=4), n), {}) for n in (0, 1, 2, 3)] + [((t(2, 0), 1), {}), ((t(3), 1), {})]
    ),
    errors=lambda t: [((t(3), -1), {}, RuntimeError)],
    **HIDDEN,
)


def in_either_order(n, input):
    """The method's tensor comes first, the function's order."""
    return (polygamma, (input, n)) if isinstance(n, int) else (polygamma, (n, input))


overload("polygamma(n, input)", polygamma.doc, in_either_order, out=True)
overload(
    "polygamma_(input, n)",
    f"In-place form of :func:`polygamma`. {polygamma.doc}",
    lambda input, n: (polygamma, (input, n), True),
    function=False,
)

# -- logarithms --------------------------------------------------------------------------------------------------------


def log_or_zero(xp, input, other):
    """``log(other)``, and zero where the product with ``input`` is zero by definition."""
    if type(other) in NUMBERS:
        return log_of(other, False) if other > 0 else xp.where(input == 0, 0, math.nan if other else -math.inf)
    return xp.where((input == 0) & (other <= 0), 0, xp.log(other))


elementwise(
    "xlogy(input, other)",
    "The product ``input * log(other)``, which is zero where ``input`` is (unless ``other`` is NaN).",
    derivative={"input": log_or_zero, "other": lambda xp, input, other: input / other},
    types=FLOATING,
    real=True,
    node=("XlogyBackward2", "XlogyBackward0", "XlogyBackward1"),
    samples=lambda t: [
        *[((t(*a), t(*b, low=0.3, high=3)), {}) for a, b in (((2, 3), (3,)), ((2, 1), (3,)), ((), ()), ((2, 0), (1,)))],
        ((t(2, 3), 1.5), {}),
        ((1.5, t(2, 3, low=0.3, high=3)), {}),
        ((0, t(2, 3, low=0.3, high=3)), {}),
    ],
    **WRITABLE,
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
elementwise(
    "logaddexp2(input, other)",
    "The logarithm ``log2(2**input + 2**other)``, without overflow on the way.",
    derivative={
        "input": lambda xp, input, other: xp.sigmoid((input - other) * LN2),
        "other": lambda xp, input, other: xp.sigmoid((other - input) * LN2),
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
    **WRITABLE,
)


def sinc_slope(xp, input):
    """``(cos(π x) - sinc(x)) / x``, and zero at zero."""
    safe = xp.where(input == 0, 1, input)
    angle = math.pi * safe
    return xp.where(input == 0, 0, (xp.cos(angle) - xp.sin(angle) / angle) / safe)


elementwise(
    "sinc(input)",
    "The function ``sin(π x) / (π x)``, which is one at zero.",
    derivative=sinc_slope,
    types=FLOATING,
    **WRITABLE,
)
