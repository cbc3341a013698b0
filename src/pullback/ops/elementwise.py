"""Elementary functions of each element: exponentials, logarithms, trigonometric and hyperbolic functions.

All compute in floating point, integers as the default dtype, and are holomorphic: their complex derivatives follow from
the real formulas.
"""

import math

from .arithmetic import WRITABLE
from .table import FLOATING, elementwise


def function(signature, doc, derivative, domain, **fields):
    """Declare a function of each element, computed in floating point, by its derivative and where it is defined."""
    elementwise(signature, doc, derivative=derivative, domain=domain, types=FLOATING, **(WRITABLE | fields))


LN2, LN10 = math.log(2), math.log(10)
INNER = (-0.9, 0.9)
POSITIVE = (0.3, 4)
ANY = (-2, 2)
BOTH = ("torch", "special")

# -- exponentials and logarithms ---------------------------------------------------------------------------------------

function("exp(input)", "The exponential of each element.", lambda xp, result: result, ANY)
function("exp2(input)", "Two to the power of each element.", lambda xp, result: result * LN2, ANY, homes=BOTH)
function(
    "expm1(input)",
    "The exponential of each element less one, exact near zero.",
    lambda xp, result: result + 1,  # as PyTorch: the input may be written
    ANY,
    homes=BOTH,
)
function("log(input)", "The natural logarithm of each element.", lambda xp, input: 1 / input, POSITIVE)
function("log2(input)", "The logarithm to base 2 of each element.", lambda xp, input: 1 / (input * LN2), POSITIVE)
function("log10(input)", "The logarithm to base 10 of each element.", lambda xp, input: 1 / (input * LN10), POSITIVE)
function(
    "log1p(input)",
    "The natural logarithm of one plus each element, exact near zero.",
    lambda xp, input: 1 / (input + 1),
    (-0.6, 3),
    node="Log1PBackward0",
    homes=BOTH,
)

# -- trigonometric functions -------------------------------------------------------------------------------------------

function("sin(input)", "The sine of each element, in radians.", lambda xp, input: xp.cos(input), ANY)
function("cos(input)", "The cosine of each element, in radians.", lambda xp, input: -xp.sin(input), ANY)
function("tan(input)", "The tangent of each element, in radians.", lambda xp, result: result * result + 1, (-1.2, 1.2))
function(
    "asin(input)",
    "The angle in [-π/2, π/2] whose sine is each element.",
    lambda xp, input: xp.rsqrt(1 - input * input),
    INNER,
    aliases=("arcsin",),
)
function(
    "acos(input)",
    "The angle in [0, π] whose cosine is each element.",
    lambda xp, input: -xp.rsqrt(1 - input * input),
    INNER,
    aliases=("arccos",),
)
function(
    "atan(input)",
    "The angle in [-π/2, π/2] whose tangent is each element.",
    lambda xp, input: 1 / (input * input + 1),
    ANY,
    aliases=("arctan",),
)


def inverse_square(xp, input, other):
    """``1 / (input**2 + other**2)``, and zero at the origin."""
    square = input * input + other * other
    return xp.where(square == 0, 0, 1 / xp.where(square == 0, 1, square))


elementwise(
    "atan2(input, other)",
    "The angle in [-π, π] of the point whose ordinate is ``input`` and whose abscissa is ``other``. At the origin the "
    "derivative is zero.",
    derivative={
        "input": lambda xp, input, other: other * inverse_square(xp, input, other),
        "other": lambda xp, input, other: -input * inverse_square(xp, input, other),
    },
    types=FLOATING,
    real=True,
    aliases=("arctan2",),
    errors=lambda t: [((t.complex(3), t.complex(3)), {}, NotImplementedError)],
    **WRITABLE,
)

# -- hyperbolic functions ----------------------------------------------------------------------------------------------

function("sinh(input)", "The hyperbolic sine of each element.", lambda xp, input: xp.cosh(input), ANY)
function("cosh(input)", "The hyperbolic cosine of each element.", lambda xp, input: xp.sinh(input), ANY)
function(
    "tanh(input)",
    "The hyperbolic tangent of each element, between -1 and 1.",
    lambda xp, result: 1 - result * result,
    ANY,
    homes=("torch", "nn.functional"),
)
function(
    "sigmoid(input)",
    "The logistic function ``1 / (1 + exp(-input))`` of each element, between 0 and 1.",
    lambda xp, result: result * (1 - result),
    ANY,
    homes=("torch", "nn.functional", "special:expit"),
)
function(
    "asinh(input)",
    "The number whose hyperbolic sine is each element.",
    lambda xp, input: xp.rsqrt(input * input + 1),
    ANY,
    aliases=("arcsinh",),
)
function(
    "acosh(input)",
    "The number whose hyperbolic cosine is each element.",
    # two roots, not one of the product: for complex numbers with a negative real part they differ in sign
    lambda xp, input: xp.rsqrt(input - 1) * xp.rsqrt(input + 1),
    (1.2, 4),
    aliases=("arccosh",),
)
function(
    "atanh(input)",
    "The number whose hyperbolic tangent is each element.",
    lambda xp, input: 1 / (1 - input * input),
    INNER,
    aliases=("arctanh",),
)
