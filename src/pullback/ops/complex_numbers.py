"""Complex numbers: their parts, conjugates and angles; building them from real numbers; and changing a dtype.

A gradient is PyTorch's: for ``z = a + ib`` it is ``dL/da + i dL/db``. So the gradient for a real operand of a complex
result is the real part of what the complex formula gives.
"""

import math

from ..dtypes import complex128, float32, float64
from .table import FLOATING, LINEAR, elementwise, op, overload

HIDDEN = {"function": False, "method": False}  # users see an overload of the same name


def is_complex(value):
    """Whether a value of any interpreter has a complex dtype."""
    dtype = getattr(value, "dtype", None)
    return getattr(dtype, "kind", None) == "c" or getattr(dtype, "is_complex", False)


def itself_unless_complex(op, input):
    """What an overload chooses: the operation for complex tensors, and nothing for real ones."""
    return (op, (input,)) if is_complex(input) else (None, input)


def complex_and_integers(t):
    """Sample calls on what has no real derivative: PyTorch gives a real tensor back, which then has no node."""
    return [
        ((t.complex(2, 3),), {}),
        ((t.complex(),), {}),
        ((t.integers(0, 9, 3),), {}),
        ((t.integers(0, 9, 2, 0),), {}),
    ]


# -- parts -------------------------------------------------------------------------------------------------------------

real = op(
    "real(input)",
    "The real parts of the elements, as a view; of a real tensor, the tensor itself.",
    vjp={"input": lambda xp, grad, input_dtype: xp.cast(grad, input_dtype)},
    jvp=LINEAR,
    batch="elementwise",
    view=True,
    node="SelectBackward0",
    samples=complex_and_integers,
    **HIDDEN,
)
overload("real(input)", real.doc, lambda input: itself_unless_complex(real, input), method=False)


def check_complex(name):
    """What raises RuntimeError for tensors that are not complex."""

    def check(input):
        if not input.dtype.is_complex:
            raise RuntimeError(
                f"{name} is not implemented for tensors with non-complex dtypes, and this one is {input.dtype}"
            )
        return (input,)

    return check


op(
    "imag(input)",
    "The imaginary parts of the elements of a complex tensor, as a view.",
    vjp={"input": lambda xp, grad: grad * 1j},
    jvp=LINEAR,
    batch="elementwise",
    view=True,
    node="SelectBackward0",
    method=False,
    prepare=check_complex("imag"),
    samples=lambda t: [((t.complex(2, 3),), {}), ((t.complex(),), {}), ((t.complex(0, 2),), {})],
    errors=lambda t: [((t(3),), {}, RuntimeError)],
)
op(
    "view_as_real(input)",
    "A complex tensor as a real view with one more dimension, of size 2: real and imaginary parts.",
    vjp={"input": lambda xp, grad: xp.view_as_complex(grad)},
    jvp=LINEAR,
    batch="elementwise",
    view=True,
    method=False,
    prepare=check_complex("view_as_real"),
    samples=lambda t: [((t.complex(2, 3),), {}), ((t.complex(),), {}), ((t.complex(0, 2),), {})],
    errors=lambda t: [((t(3),), {}, RuntimeError)],
)


def check_pairs(input):
    """Raise RuntimeError unless the last dimension holds pairs of floating-point numbers."""
    if not input.dtype.is_floating_point or input.dtype.itemsize < 4:
        raise RuntimeError(
            f"view_as_complex is only supported for float and double tensors, but got a tensor of dtype {input.dtype}"
        )
    if not input.ndim or input.shape[-1] != 2:
        raise RuntimeError(
            f"view_as_complex: Tensor must have a last dimension of size 2, but its shape is {tuple(input.shape)}"
        )
    return (input,)


op(
    "view_as_complex(input)",
    "A real tensor, whose last dimension holds real and imaginary parts, as a complex view without that dimension.",
    vjp={"input": lambda xp, grad: xp.view_as_real(grad)},
    jvp=LINEAR,
    batch="elementwise",
    view=True,
    method=False,
    prepare=check_pairs,
    samples=lambda t: [((t(2, 3, 2),), {}), ((t(2),), {}), ((t(0, 2),), {})],
    errors=lambda t: [((t(3),), {}, RuntimeError), ((t.integers(0, 9, 2),), {}, RuntimeError)],
)

# -- conjugates --------------------------------------------------------------------------------------------------------


def check_signed(input):
    """Raise RuntimeError for bools."""
    if input.dtype.category == 0:
        raise RuntimeError("The `+` operator, on a bool tensor is not supported: positive expects a numeric dtype")
    return (input,)


CONJUGATE = {"vjp": {"input": lambda xp, grad: xp.conj(grad)}, "jvp": LINEAR, "batch": "elementwise"}
conj = op(
    "conj(input)",
    "The complex conjugate of each element; of a real tensor, the tensor itself.",
    view=True,
    samples=complex_and_integers,
    **CONJUGATE,
    **HIDDEN,
)
overload("conj(input)", conj.doc, lambda input: itself_unless_complex(conj, input))
op(
    "conj_physical(input)",
    "The complex conjugate of each element, in memory of its own; of a real tensor, the tensor itself.",
    view=True,
    inplace=True,
    out=True,
    samples=complex_and_integers,
    **CONJUGATE,
)
overload(
    "resolve_conj(input)",
    "The tensor itself: Pullback has no lazily conjugated tensors.",
    lambda input: (None, input),
)
overload(
    "resolve_neg(input)",
    "The tensor itself: Pullback has no lazily negated tensors.",
    lambda input: (None, input),
)
positive = op(
    "positive(input)",
    "The tensor itself, unless it is one of bools, which have no sign.",
    vjp={"input": lambda xp, grad: grad},
    jvp=LINEAR,
    batch="elementwise",
    view=True,
    prepare=check_signed,
    samples=lambda t: [((t.integers(0, 9, 3),), {}), ((t.integers(0, 9),), {}), ((t.integers(0, 9, 2, 0),), {})],
    errors=lambda t: [((t.bools(3),), {}, RuntimeError)],
    **HIDDEN,
)
overload("positive(input)", positive.doc, lambda input: (None, *check_signed(input)))

# -- polar form --------------------------------------------------------------------------------------------------------


def turn(xp, input):
    """The derivative of the angle of ``z`` as a complex gradient, ``i z / |z|**2``; zero at the origin."""
    square = xp.real(input * xp.conj(input))
    return 1j * xp.where(square == 0, 0, input / xp.where(square == 0, 1, square))


elementwise(
    "angle(input)",
    "The angle of each element in the complex plane, in radians; of real numbers 0 or π, with the derivative zero.",
    vjp={
        "input": lambda xp, grad, input: grad * turn(xp, input) if is_complex(input) else xp.zeros_like(grad),
    },
    jvp={
        "input": lambda xp, tangent, input: (
            xp.real(tangent * xp.conj(turn(xp, input))) if is_complex(input) else xp.zeros_like(tangent)
        ),
    },
    types=FLOATING,
    out=True,
)


def check_parts(op_name, first, second):
    """Raise RuntimeError unless both are floating-point tensors of one dtype."""

    def check(a, b):
        for value in (a, b):
            if value.dtype not in (float32, float64):
                raise RuntimeError(
                    f"{op_name}: Expected both inputs to be Float or Double tensors, but got {first} of dtype {a.dtype} and "
                    f"{second} of dtype {b.dtype}"
                )
        if a.dtype is not b.dtype:
            raise RuntimeError(
                f"{op_name}: Expected object of dtype {a.dtype} but got {b.dtype} for argument '{second}'"
            )
        return a, b

    return check


def parts_samples(t):
    return [((t(*a), t(*b)), {}) for a, b in PARTS_SHAPES]


PARTS_SHAPES = (((2, 3), (2, 3)), ((3,), (2, 1)), ((), ()), ((2, 0), (1,)))


def parts_errors(t):
    return [((t(3), t(3, dtype="float32")), {}, RuntimeError), ((t.integers(0, 9, 3),) * 2, {}, RuntimeError)]


elementwise(
    "complex(real, imag)",
    "Complex numbers of these real and imaginary parts, which must be float32 or float64 tensors alike.",
    vjp={"real": lambda xp, grad: xp.real(grad), "imag": lambda xp, grad: xp.imag(grad)},
    jvp={
        "real": lambda xp, tangent, result_dtype: xp.cast(tangent, result_dtype),
        "imag": lambda xp, tangent: tangent * 1j,
    },
    types="keep",
    real=True,
    method=False,
    out=True,
    prepare=check_parts("complex", "real", "imag"),
    samples=parts_samples,
    errors=parts_errors,
)


def unit(xp, angle):
    """The complex numbers of length one at these angles."""
    return xp.polar(xp.ones_like(angle), angle)


elementwise(
    "polar(abs, angle)",
    "Complex numbers of these lengths and angles, which must be float32 or float64 tensors alike.",
    vjp={
        "abs": lambda xp, grad, angle: xp.real(grad * xp.conj(unit(xp, angle))),
        "angle": lambda xp, grad, result: xp.imag(grad * xp.conj(result)),
    },
    jvp={
        "abs": lambda xp, tangent, angle: tangent * unit(xp, angle),
        "angle": lambda xp, tangent, result: tangent * 1j * result,
    },
    types="keep",
    real=True,
    method=False,
    out=True,
    prepare=check_parts("polar", "abs", "angle"),
    samples=lambda t: [((t(*a, low=0.5), t(*b)), {}) for a, b in PARTS_SHAPES],
    errors=parts_errors,
)

# -- degrees -----------------------------------------------------------------------------------------------------------

DEGREE = math.pi / 180
ANGLE = {"types": FLOATING, "real": True, "inplace": True, "out": True}
elementwise(
    "deg2rad(input)",
    "Angles in degrees, given in radians.",
    derivative=lambda xp: DEGREE,
    node="Deg2RadBackward0",
    **ANGLE,
)
elementwise(
    "rad2deg(input)",
    "Angles in radians, given in degrees.",
    derivative=lambda xp: 1 / DEGREE,
    node="Rad2DegBackward0",
    **ANGLE,
)

# -- dtypes ------------------------------------------------------------------------------------------------------------

op(
    "cast(input, dtype)",
    "The elements in another dtype, in memory of their own; complex numbers lose their imaginary part.",
    vjp={"input": lambda xp, grad, input_dtype: xp.cast(grad, input_dtype)},
    jvp=LINEAR,
    batch="elementwise",
    function=False,
    method=False,
    operands=("input",),
    node="ToCopyBackward0",
    samples=lambda t: [
        ((t(2, 3), complex128), {}),
        ((t.complex(2, 3), float64), {}),
        ((t.integers(0, 9, 3), float32), {}),
        ((t.integers(0, 9), float64), {}),
    ],
)
