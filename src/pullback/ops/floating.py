"""Floating-point numbers as they are written, by mantissa and exponent; the neighbours of a number; and the step at zero."""

import math

from .arithmetic import SAME, WRITABLE
from .checks import COMPLEX
from .steps import need_tensors
from .table import FLOATING, elementwise, op

LN2 = math.log(2)


def check_floating(input):
    """Raise RuntimeError unless the tensor has a floating dtype."""
    if not input.dtype.is_floating_point:
        raise RuntimeError(f"torch.frexp() only supports floating-point dtypes, but the input is {input.dtype}")
    return (input,)


op(
    "frexp(input)",
    "Each element as ``mantissa * 2**exponent``, with a mantissa of a size in [0.5, 1) and an int32 exponent.",
    outputs=("mantissa", "exponent"),
    out=True,
    vjp={"input": lambda xp, grad, exponent: xp.ldexp(grad, -exponent)},
    jvp={"input": lambda xp, tangent, exponent: (xp.ldexp(tangent, -exponent),)},
    batch="elementwise",
    prepare=check_floating,
    samples=lambda t: [((t(*shape),), {}) for shape in ((), (2, 3), (0, 2))],
    errors=lambda t: [((t.integers(0, 9, 3),), {}, RuntimeError), ((t.complex(3),), {}, RuntimeError)],
)


def two_tensors(name, second="other"):
    """What raises TypeError for a number in an operand's place."""

    def check(input, other):
        need_tensors(name, **{"input": input, second: other})
        return input, other

    return check


def not_numbers(*values):
    """The error case of a number in an operand's place."""
    return lambda t: [((t(3), 2.0), {}, TypeError), *values]


elementwise(
    "ldexp(input, other)",
    "The product ``input * 2**other``, without overflow on the way.",
    vjp={
        "input": lambda xp, grad, other: xp.ldexp(grad, xp.conj(other)),
        "other": lambda xp, grad, result: grad * xp.conj(result) * LN2,
    },
    jvp={
        "input": lambda xp, tangent, other: xp.ldexp(tangent, other),
        "other": lambda xp, tangent, result: tangent * result * LN2,
    },
    types=FLOATING,
    prepare=two_tensors("ldexp"),
    samples=lambda t: [
        *[((t(*a), t(*b)), {}) for a, b in (((2, 3), (3,)), ((2, 1), (3,)), ((), ()), ((2, 0), (1,)))],
        ((t(3), t.integers(0, 9, 2, 3)), {}),  # torch takes negative ones for zero in the gradient
        ((t.integers(-9, 9, 3), t.integers(-3, 9, 2, 1, dtype="int32")), {}),
    ],
    errors=not_numbers(),
    **WRITABLE,
)
elementwise(
    "nextafter(input, other)",
    "The floating-point number next to ``input`` in the direction of ``other``.",
    vjp=SAME["vjp"] | {"other": lambda xp, grad: xp.zeros_like(grad)},
    jvp=SAME["jvp"] | {"other": lambda xp, tangent: xp.zeros_like(tangent)},
    real=True,
    prepare=two_tensors("nextafter"),
    samples=lambda t: [((t(*a), t(*b)), {}) for a, b in (((2, 3), (3,)), ((2, 1), (3,)), ((), ()), ((2, 0), (1,)))],
    errors=not_numbers(),
    **WRITABLE,
)


def check_step(input, values):
    """Raise unless both are tensors of one dtype, not complex and not bool."""
    need_tensors("heaviside", input=input, values=values)
    if COMPLEX in (input.dtype.category, values.dtype.category):
        raise RuntimeError("heaviside is not yet implemented for complex tensors, which have no order")
    if input.dtype is not values.dtype:
        raise RuntimeError(
            "heaviside is not yet implemented for tensors with different dtypes: the input has "
            f"{input.dtype}, the values {values.dtype}"
        )
    return input, values


elementwise(
    "heaviside(input, values)",
    "The step function: zero for negative numbers, one for positive ones, and ``values`` at zero.",
    vjp={
        "input": lambda xp, grad: xp.zeros_like(grad),
        "values": lambda xp, grad, input: xp.where(input == 0, grad, 0),
    },
    jvp={
        "input": lambda xp, tangent: xp.zeros_like(tangent),
        "values": lambda xp, tangent, input: xp.where(input == 0, tangent, 0),
    },
    real=True,
    prepare=check_step,
    samples=lambda t: [
        *[((t(*a), t(*b)), {}) for a, b in (((2, 3), (3,)), ((2, 1), (3,)), ((), ()), ((2, 0), (1,)))],
        ((t.integers(-1, 2, 6), t.integers(0, 9, 2, 1)), {}),
    ],
    errors=lambda t: [
        ((t(3), 1.0), {}, TypeError),
        ((t(3), t.integers(0, 9, 3)), {}, RuntimeError),
        ((t.complex(3), t.complex(3)), {}, RuntimeError),
    ],
    **WRITABLE,
)
