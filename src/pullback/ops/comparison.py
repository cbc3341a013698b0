"""What gives booleans: comparisons, logic on truth values, and what kind of number each element is. And logic on bits.

None of these has a derivative.
"""

import math

from .arithmetic import WRITABLE
from .steps import need_tensors
from .table import elementwise

# What compares operands of a common dtype, and gives bools.
COMPARISONS = frozenset({"eq", "ne", "lt", "le", "gt", "ge"})
TRUTHS = COMPARISONS | {"logical_and", "logical_or", "logical_xor"}


def comparison(name, sign, aliases=(), real=True):
    elementwise(
        f"{name}(input, other)",
        f"Whether each element of ``input`` {sign} that of ``other``.",
        aliases=aliases,
        real=real,
        samples=lambda t: [
            *pairs(t),
            ((t.integers(0, 3, 3, 4), t.integers(0, 3, 4)), {}),
            ((t(2, 3), 0.25), {}),
            ((t.integers(0, 3, 6), 1), {}),
        ],
        errors=lambda t: [((t(3), t(4)), {}, RuntimeError)] + ([((t.complex(3), 1), {}, NotImplementedError)] * real),
        **WRITABLE,
    )


def pairs(t):
    """Operands that broadcast."""
    shapes = [((2, 3), (2, 3)), ((2, 3), (3,)), ((2, 3), ()), ((), ()), ((2, 0), (1,))]
    return [((t(*a), t(*b)), {}) for a, b in shapes]


comparison("eq", "equals", real=False)
comparison("ne", "differs from", ("not_equal",), real=False)
comparison("lt", "is less than", ("less",))
comparison("le", "is less than or equal to", ("less_equal",))
comparison("gt", "is greater than", ("greater",))
comparison("ge", "is greater than or equal to", ("greater_equal",))


def check_close(input, other, rtol, atol, equal_nan):
    """Raise TypeError for numbers, and RuntimeError for tensors of two dtypes and for negative tolerances."""
    need_tensors("isclose", input=input, other=other)
    if input.dtype is not other.dtype:
        raise RuntimeError(f"isclose: {input.dtype} did not match {other.dtype}; both tensors must have one dtype")
    for name, value in (("rtol", rtol), ("atol", atol)):
        if value < 0:
            raise RuntimeError(f"isclose: {name} must be greater than or equal to zero, but got {value}")
    return input, other, rtol, atol, equal_nan


elementwise(
    "isclose(input, other, rtol=1e-05, atol=1e-08, equal_nan=False)",
    "Whether ``abs(input - other) <= atol + rtol * abs(other)``. Infinities are close where they are equal, NaNs where "
    "``equal_nan`` says so.",
    prepare=check_close,
    samples=lambda t: [
        *pairs(t),
        ((t(2, 3), t(3)), {"rtol": 0.5, "atol": 0.1}),
        ((t(3) * float("nan"), t(3) * float("nan")), {"equal_nan": True}),
        ((t.integers(0, 3, 9), t.integers(0, 3, 9)), {"atol": 1.0}),
    ],
    errors=lambda t: [
        ((t(3), t(3, dtype="float32")), {}, RuntimeError),
        ((t(3), t(3)), {"rtol": -1.0}, RuntimeError),
        ((t(3), 1.0), {}, TypeError),
    ],
)

# -- logic -------------------------------------------------------------------------------------------------------------


def truths(t):
    """Operands with zeros among their elements."""
    return [
        ((t.bools(2, 3), t.bools(3)), {}),
        ((t.integers(-1, 2, 2, 3), t.integers(-1, 2, 3)), {}),
        ((t.integers(-1, 2, 3, dtype="float64"), t.bools(2, 1)), {}),
        ((t.bools(), t.bools(2, 0)), {}),
    ]


for name, when in (("and", "both elements are"), ("or", "either element is"), ("xor", "one element alone is")):
    elementwise(f"logical_{name}(input, other)", f"Whether {when} not zero.", samples=truths, **WRITABLE)
elementwise(
    "logical_not(input)",
    "Whether each element is zero.",
    samples=lambda t: [((t.bools(2, 3),), {}), ((t.integers(-1, 2, 6),), {}), ((t(),), {}), ((t(0, 2),), {})],
    **WRITABLE,
)


def bits(t):
    """Operands of integers and of bools, and Python numbers."""
    return [
        ((t.integers(-99, 99, 2, 3), t.integers(-99, 99, 3)), {}),
        ((t.bools(2, 3), t.bools(3)), {}),
        ((t.integers(0, 99, 3, dtype="uint8"), t.integers(-99, 99, 2, 1, dtype="int32")), {}),
        ((t.integers(-99, 99, 3), 6), {}),
        ((t.integers(0, 9), t.integers(0, 9, 2, 0)), {}),
    ]


def bad_bits(t):
    return [((t(3), t(3)), {}, NotImplementedError), ((t.integers(0, 9, 3), t.integers(0, 9, 4)), {}, RuntimeError)]


for name, what in (("and", "and"), ("or", "or"), ("xor", "exclusive or")):
    elementwise(
        f"bitwise_{name}(input, other)",
        f"The bitwise {what} of integers, and the logical one of bools.",
        real=True,
        samples=bits,
        errors=bad_bits,
        **WRITABLE,
    )
elementwise(
    "bitwise_not(input)",
    "All bits of integers inverted, and the negation of bools.",
    real=True,
    samples=lambda t: [((t.integers(-99, 99, 2, 3),), {}), ((t.bools(3),), {}), ((t.integers(0, 9, 0),), {})],
    errors=lambda t: [((t(3),), {}, NotImplementedError)],
    **WRITABLE,
)


def shifts(t):
    return [
        ((t.integers(-99, 99, 2, 3), t.integers(0, 9, 3)), {}),
        ((t.integers(0, 99, 3, dtype="uint8"), t.integers(0, 12, 3, dtype="uint8")), {}),
        ((t.integers(-99, 99, 3), 2), {}),
    ]


for name, what in (("left", "multiplied"), ("right", "divided, downwards,")):
    elementwise(
        f"bitwise_{name}_shift(input, other)",
        f"Integers {what} by two to the power of ``other``.",
        real=True,
        samples=shifts,
        errors=lambda t: [((t(3), t(3)), {}, NotImplementedError)],
        **WRITABLE,
    )

# -- kinds of numbers --------------------------------------------------------------------------------------------------


def oddities(t):
    """NaN, infinities and ordinary numbers."""
    odd = [((t(2, 3, dtype="float32") * n,), {}) for n in (math.inf, math.nan)]
    return [*odd, ((t(),), {}), ((t(2, 3),), {}), ((t.integers(0, 9, 3),), {}), ((t.bools(2, 0),), {})]


for name, what, out, real in (
    ("isnan", "is not a number (NaN)", True, False),
    ("isinf", "is infinite", True, False),
    ("isfinite", "is neither infinite nor NaN", False, False),
    ("isposinf", "is positive infinity", True, True),
    ("isneginf", "is negative infinity", True, True),
    ("isreal", "has no imaginary part, or one of zero", False, False),
    ("signbit", "has its sign bit set, as negative numbers and negative zero have", True, True),
):
    elementwise(f"{name}(input)", f"Whether each element {what}.", out=out, real=real, samples=oddities)
