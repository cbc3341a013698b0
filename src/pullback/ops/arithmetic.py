"""Arithmetic: sums, products, quotients, powers and roots, and what is made of them.

Gradients follow PyTorch's conjugate convention. Where there is no derivative (``0 ** 0``, a root at zero), they take the
value that PyTorch gives.
"""

import cmath
import math

from ..dtypes import complex128, float64
from .complex_numbers import is_complex
from .table import FLOATING, composite, elementwise

NUMBERS = (bool, int, float, complex)
WRITABLE = {"inplace": True, "out": True}  # the public forms that most operations have
SAME = {"vjp": {"input": lambda xp, grad: grad}, "jvp": {"input": lambda xp, tangent: tangent}}  # derivative one
FLAT = {  # derivative zero
    "vjp": {"input": lambda xp, grad: xp.zeros_like(grad)},
    "jvp": {"input": lambda xp, tangent: xp.zeros_like(tangent)},
}


def pairs(t, **interval):
    """Sample calls of a binary operation: operands that broadcast in every way, and Python numbers."""
    shapes = [((2, 3), (2, 3)), ((2, 3), (3,)), ((3,), (2, 1)), ((2, 3), ()), ((), (3,)), ((), ()), ((2, 0), (1,))]
    calls = [((t(*a, **interval), t(*b, **interval)), {}) for a, b in shapes]
    return [*calls, ((t(2, 3, **interval), 1.5), {}), ((t(2, 3, **interval), 2), {})]


# -- sums and products -------------------------------------------------------------------------------------------------


def times(value, alpha):
    """``value * alpha``, without the multiplication where ``alpha`` is 1."""
    return value if alpha == 1 else value * alpha


elementwise(
    "add(input, other, *, alpha=1)",
    "The sum ``input + alpha * other``.",
    vjp={"input": lambda xp, grad: grad, "other": lambda xp, grad, alpha: times(grad, alpha.conjugate())},
    jvp={"input": lambda xp, tangent: tangent, "other": lambda xp, tangent, alpha: times(tangent, alpha)},
    samples=lambda t: [*pairs(t), ((2.25, t(3)), {}), ((t(2, 3), t(3)), {"alpha": 2.5})],
    errors=lambda t: [
        ((t(2, 3), t(4)), {}, RuntimeError),
        ((t.integers(0, 9, 3), t.integers(0, 9, 3)), {"alpha": 0.5}, RuntimeError),
    ],
    **WRITABLE,
)
elementwise(
    "sub(input, other, *, alpha=1)",
    "The difference ``input - alpha * other``. Bools have none: use ``^`` or ``logical_xor``.",
    vjp={"input": lambda xp, grad: grad, "other": lambda xp, grad, alpha: times(-grad, alpha.conjugate())},
    jvp={"input": lambda xp, tangent: tangent, "other": lambda xp, tangent, alpha: times(-tangent, alpha)},
    aliases=("subtract",),
    samples=lambda t: [
        *pairs(t)[:-2],
        ((t.integers(0, 9, 2, 3), 1.5), {}),
        ((2, t.integers(0, 9, 3)), {}),
        ((t(2, 3), t(3)), {"alpha": 2.5}),
    ],
    errors=lambda t: [((t(2, 3), t(4)), {}, RuntimeError), ((t.bools(3), t.bools(3)), {}, RuntimeError)],
    **WRITABLE,
)
elementwise(
    "rsub(input, other, *, alpha=1)",
    "The difference ``other - alpha * input``: a subtraction with its operands exchanged.",
    vjp={"input": lambda xp, grad, alpha: times(-grad, alpha.conjugate()), "other": lambda xp, grad: grad},
    jvp={"input": lambda xp, tangent, alpha: times(-tangent, alpha), "other": lambda xp, tangent: tangent},
    method=False,
    samples=lambda t: [*pairs(t)[:-2], ((t(), t(3)), {"alpha": 2.5})],
)
elementwise(
    "mul(input, other)",
    "The product ``input * other``, element by element.",
    derivative={"input": lambda xp, other: other, "other": lambda xp, input: input},
    product=("input", "other"),
    aliases=("multiply",),
    errors=lambda t: [((t(2, 3), t(4)), {}, RuntimeError), ((t(2, 3), "two"), {}, TypeError)],
    **WRITABLE,
)
elementwise(
    "addcmul(input, tensor1, tensor2, *, value=1)",
    "The sum ``input + value * tensor1 * tensor2``.",
    derivative={
        "tensor1": lambda xp, tensor2, value: times(tensor2, value),
        "tensor2": lambda xp, tensor1, value: times(tensor1, value),
    },
    samples=lambda t: [*triples(t), ((t(2, 3), t(3), t(2, 1)), {"value": 2.5})],
    **SAME,
    **WRITABLE,
)
elementwise(
    "addcdiv(input, tensor1, tensor2, *, value=1)",
    "The sum ``input + value * tensor1 / tensor2``, for floating and complex dtypes.",
    derivative={
        "tensor1": lambda xp, tensor2, value: value / tensor2,
        "tensor2": lambda xp, tensor1, tensor2, value: times(-tensor1 / tensor2 / tensor2, value),
    },
    samples=lambda t: [*triples(t, low=0.6), ((t(2, 3), t(3), t(2, 1, low=0.6)), {"value": 2.5})],
    errors=lambda t: [(tuple(t.integers(1, 9, 3) for _ in range(3)), {}, RuntimeError)],
    **SAME,
    **WRITABLE,
)


def triples(t, **interval):
    """Sample calls of an operation of three operands, the last of which lies in an interval."""
    shapes = [((2, 3), (2, 3), (2, 3)), ((3,), (2, 1), (2, 3)), ((), (), ()), ((2, 0), (1,), (2, 1))]
    return [((t(*a), t(*b), t(*c, **interval)), {}) for a, b, c in shapes]


def check_lerp(input, end, weight):
    """Raise RuntimeError where the tensors differ in dtype, which ``lerp`` does not promote."""
    for name, value in (("end", end), ("weight", weight)):
        if type(value) not in NUMBERS and value.dtype is not input.dtype:
            raise RuntimeError(f"lerp: expected dtype {input.dtype} for `{name}` as input has, but got {value.dtype}")
    return input, end, weight


elementwise(
    "lerp(input, end, weight)",
    "The point ``input + weight * (end - input)`` between two others; ``weight`` is a number or a tensor.",
    derivative={
        "input": lambda xp, weight: 1 - weight,
        "end": lambda xp, weight: weight,
        "weight": lambda xp, input, end: end - input,
    },
    prepare=check_lerp,
    node=("LerpBackward0", "LerpBackward1"),
    samples=lambda t: [*triples(t), ((t(2, 3), t(3), 0.75), {}), ((t(2, 3), t(3), 0.25), {})],
    errors=lambda t: [
        ((t(3), t(3, dtype="float32"), 0.5), {}, RuntimeError),
        (tuple(t.integers(0, 9, 3) for _ in range(3)), {}, NotImplementedError),
    ],
    **WRITABLE,
)


# -- quotients ---------------------------------------------------------------------------------------------------------

elementwise(
    "div(input, other, *, rounding_mode=None)",
    "The quotient ``input / other``; integers are divided as floating-point numbers. With ``rounding_mode`` ``'trunc'`` or "
    "``'floor'`` it is rounded towards zero or down, and its derivative is zero.",
    vjp={
        "input": lambda xp, grad, other, rounding_mode: (
            grad / xp.conj(other) if rounding_mode is None else xp.zeros_like(grad)
        ),
        "other": lambda xp, grad, input, other, rounding_mode: (
            -grad * xp.conj(input / other / other) if rounding_mode is None else xp.zeros_like(grad)
        ),
    },
    jvp={
        "input": lambda xp, tangent, other, rounding_mode: (
            tangent / other if rounding_mode is None else xp.zeros_like(tangent)
        ),
        "other": lambda xp, tangent, input, other, rounding_mode: (
            -tangent * (input / other / other) if rounding_mode is None else xp.zeros_like(tangent)
        ),
    },
    node=lambda input, other, rounding_mode: "DivBackward2" if rounding_mode else "DivBackward0",
    aliases=("divide", "true_divide"),
    samples=lambda t: [
        *pairs(t, low=0.5, high=3),
        ((2.25, t(2, 3, low=0.5)), {}),
        ((t(2, 3), t(3, low=0.6)), {"rounding_mode": "trunc"}),
        ((t(2, 3), t(3, low=0.6)), {"rounding_mode": "floor"}),
        ((t.integers(-9, 9, 3), t.integers(1, 9, 2, 1)), {"rounding_mode": "trunc"}),
        ((t.integers(-9, 9, 3), t.integers(1, 9, 2, 1)), {"rounding_mode": "floor"}),
    ],
    errors=lambda t: [
        ((t(2, 3), t(4)), {}, RuntimeError),
        ((t(2), t(2)), {"rounding_mode": "up"}, RuntimeError),
        ((t.integers(1, 9, 3), 0), {"rounding_mode": "floor"}, RuntimeError),
    ],
    **WRITABLE,
)
elementwise(
    "reciprocal(input)",
    "The inverse ``1 / input`` of each element.",
    derivative=lambda xp, result: -result * result,
    types=FLOATING,
    domain=(0.5, 3),
    **WRITABLE,
)


# -- powers and roots --------------------------------------------------------------------------------------------------


def base_slope(xp, input, exponent):
    """``exponent * input ** (exponent - 1)``, and zero where the exponent is zero, whatever the base."""
    if type(exponent) not in NUMBERS:
        return xp.where(exponent == 0, 0, exponent * xp.pow(input, exponent - 1))
    if exponent == 2:
        return input + input
    return exponent * xp.pow(input, exponent - 1) if exponent else 0


def exponent_slope(xp, input, exponent, result):
    """``result * log(input)``, and zero where the base is zero and the exponent is not negative."""
    grows = (xp.real(exponent) if is_complex(exponent) else exponent) >= 0
    if type(input) in NUMBERS:
        return xp.where(grows, 0, -result) if input == 0 else result * log_of(input, is_complex(result))
    is_nil = (input == 0) & grows
    return xp.where(is_nil, 0, result * xp.log(xp.where(is_nil, 1, input)))


def log_of(base, in_complex):
    """The logarithm of a Python number that is not zero; NaN for negative ones, unless in complex numbers."""
    if in_complex:
        return cmath.log(base)
    return math.log(base) if base > 0 else math.nan


elementwise(
    "pow(input, exponent)",
    "The power ``input ** exponent``; either may be a number. Integers have no negative integer powers. The derivative "
    "for the base is zero where the exponent is zero, that for the exponent where the base is zero.",
    derivative={"input": base_slope, "exponent": exponent_slope},
    node=("PowBackward0", "PowBackward1", "PowBackward2"),
    domain=(0.5, 3),
    samples=lambda t: [
        *pairs(t, low=0.5, high=3),
        *[((t(2, 3, low=0.5), n), {}) for n in (0, 1, 3, 4, 6, -1, -2, 0.5, -0.5, 2.5)],
        *[((t(2, 3), n), {}) for n in (2, 3, 5)],
        ((2.25, t(2, 3)), {}),
        ((t.integers(-4, 4, 5), t.integers(0, 4, 2, 1)), {}),
        ((t.integers(-4, 4, 5), 3), {}),
    ],
    errors=lambda t: [((t.integers(1, 9, 3), -1), {}, RuntimeError), ((t(2, 3), t(4)), {}, RuntimeError)],
    **WRITABLE,
)


def in_double(xp, value, other):
    """An operand of ``float_power`` in double precision, complex where the other one is."""
    if type(value) in NUMBERS:
        return value if type(value) is complex else float(value)
    return xp.cast(value, complex128 if is_complex(value) or is_complex(other) or type(other) is complex else float64)


def check_float_power(input, exponent):
    """Raise RuntimeError where the shapes do not broadcast."""
    shapes = [tuple(getattr(operand, "shape", ())) for operand in (input, exponent)]
    for m, n in zip(*map(reversed, shapes), strict=False):
        if m != n and m != 1 and n != 1:
            raise RuntimeError(f"float_power: shapes {shapes[0]} and {shapes[1]} do not broadcast: {m} is not {n}")
    return input, exponent


composite(
    "float_power(input, exponent)",
    "The power ``input ** exponent`` in double precision, whatever the dtypes of the operands.",
    lambda xp, input, exponent: xp.pow(in_double(xp, input, exponent), in_double(xp, exponent, input)),
    node=("PowBackward0", "PowBackward1", "PowBackward2"),
    prepare=check_float_power,
    samples=lambda t: [
        *pairs(t, low=0.5, high=3),
        ((2.25, t(3)), {}),
        ((t.integers(1, 5, 3), t.integers(-3, 3, 3)), {}),
    ],
    errors=lambda t: [((t(2, 3), t(4)), {}, RuntimeError)],
    **WRITABLE,
)
elementwise(
    "square(input)",
    "The square of each element.",
    derivative=lambda xp, input: 2 * input,
    node="PowBackward0",
    **WRITABLE,
)
elementwise(
    "sqrt(input)",
    "The square root of each element; its derivative at zero is infinite.",
    derivative=lambda xp, result: 0.5 / result,
    types=FLOATING,
    domain=(0.2, 4),
    **WRITABLE,
)
elementwise(
    "rsqrt(input)",
    "The inverse ``1 / sqrt(input)`` of each element's square root.",
    derivative=lambda xp, result: -0.5 * result * result * result,
    types=FLOATING,
    domain=(0.2, 4),
    **WRITABLE,
)
elementwise(
    "hypot(input, other)",
    "The length ``sqrt(input**2 + other**2)`` of the hypotenuse, without overflow on the way.",
    derivative={
        "input": lambda xp, input, result: input / result,
        "other": lambda xp, other, result: other / result,
    },
    real=True,
    **WRITABLE,
)


# -- signs -------------------------------------------------------------------------------------------------------------

elementwise(
    "neg(input)",
    "The negative ``-input``. Bools have none: use ``~`` or ``logical_not``.",
    vjp={"input": lambda xp, grad: -grad},
    jvp={"input": lambda xp, tangent: -tangent},
    aliases=("negative",),
    errors=lambda t: [((t.bools(3),), {}, RuntimeError)],
    **WRITABLE,
)
elementwise(
    "abs(input)",
    "The absolute value of each element; real for complex numbers. The derivative at zero is zero.",
    vjp={"input": lambda xp, grad, input: grad * xp.sgn(input)},
    jvp={
        "input": lambda xp, tangent, input: (
            xp.real(tangent * xp.conj(xp.sgn(input))) if is_complex(input) else tangent * xp.sgn(input)
        )
    },
    aliases=("absolute",),
    errors=lambda t: [((t.bools(3),), {}, NotImplementedError)],
    **WRITABLE,
)
elementwise(
    "sign(input)",
    "The sign of each element: -1, 0 or 1. Its derivative is zero.",
    real=True,
    errors=lambda t: [((t.complex(3),), {}, NotImplementedError)],
    **FLAT,
    **WRITABLE,
)


def turning(xp, flowing, input, result):
    """The part of a derivative of ``sgn`` across the direction of ``input``, over its length; zero for real numbers."""
    if not is_complex(input):
        return xp.zeros_like(flowing)
    across = flowing - xp.real(flowing * xp.conj(result)) * result
    length = xp.abs(input)
    return xp.where(length == 0, 0, across / xp.where(length == 0, 1, length))


elementwise(
    "sgn(input)",
    "The direction of each element: ``input / abs(input)``, and zero for zero. For real numbers, their sign.",
    vjp={"input": lambda xp, grad, input, result: turning(xp, grad, input, result)},
    jvp={"input": lambda xp, tangent, input, result: turning(xp, tangent, input, result)},
    **WRITABLE,
)
elementwise(
    "copysign(input, other)",
    "The magnitude of ``input`` with the sign of ``other``. The derivative where ``input`` is zero is zero.",
    derivative=lambda xp, input, result: xp.sign(input) * xp.sign(result),
    vjp={"other": lambda xp, grad: xp.zeros_like(grad)},
    jvp={"other": lambda xp, tangent: xp.zeros_like(tangent)},
    types=FLOATING,
    real=True,
    node=("CopysignBackward1", "CopysignBackward0"),
    **WRITABLE,
)
