"""Rounding to whole numbers, and division that leaves a remainder.

What is constant between two whole numbers has the derivative zero everywhere, also at the jumps.
"""

from .arithmetic import FLAT, SAME, WRITABLE, pairs
from .floating import two_tensors
from .table import elementwise

REAL = {"real": True, **WRITABLE}


def no_order(t):
    return [((t.complex(3),), {}, NotImplementedError)]


for name, what, aliases in (
    ("floor", "the largest integer not above it", ()),
    ("ceil", "the smallest integer not below it", ()),
    ("trunc", "the integer next to it towards zero", ("fix",)),
):
    elementwise(f"{name}(input)", f"For each element {what}.", aliases=aliases, errors=no_order, **FLAT, **REAL)
elementwise(
    "round(input, *, decimals=0)",
    "Each element rounded to so many decimals, from two equally near ones to the even one; to tens for -1, and so on.",
    node=lambda input, decimals: "RoundBackward1" if decimals else "RoundBackward0",
    samples=lambda t: [
        *[((t(*shape),), {}) for shape in ((), (2, 3), (0, 2))],
        ((t.integers(-9, 9, 4),), {}),
        ((t(2, 3),), {"decimals": 1}),
        ((t(2, 3, low=-200, high=200),), {"decimals": -1}),
    ],
    errors=no_order,
    homes=("torch", "special"),
    **FLAT,
    **REAL,
)
elementwise(
    "frac(input)",
    "The part of each element behind the point, with its sign.",
    errors=lambda t: [((t.integers(0, 9, 3),), {}, NotImplementedError)],
    **SAME,
    **REAL,
)


def divisions(t):
    return [
        *pairs(t, low=0.6, high=3),
        ((t(2, 3), t(3, low=0.6)), {}),
        ((t(2, 3), -0.7), {}),
        ((t.integers(-9, 9, 3), t.integers(1, 9, 2, 1)), {}),
        ((t.integers(-9, 9, 5), -2), {}),
    ]


def bad_divisions(t):
    return [
        ((t.integers(1, 9, 3), t.integers(0, 1, 3)), {}, RuntimeError),
        ((t(3), t(4)), {}, RuntimeError),
        ((t.complex(3), t.complex(3)), {}, NotImplementedError),
    ]


DIVISION = {"samples": divisions, "errors": bad_divisions, **REAL}
elementwise(
    "floor_divide(input, other)",
    "The quotient ``input / other``, rounded down. Its derivative is zero.",
    vjp=FLAT["vjp"] | {"other": FLAT["vjp"]["input"]},
    jvp=FLAT["jvp"] | {"other": FLAT["jvp"]["input"]},
    **DIVISION,
)
elementwise(
    "remainder(input, other)",
    "The remainder of a division rounded down, ``input - floor(input / other) * other``: it has the sign of ``other``.",
    vjp=SAME["vjp"] | {"other": lambda xp, grad, input, other: -grad * xp.div(input, other, rounding_mode="floor")},
    jvp=SAME["jvp"]
    | {"other": lambda xp, tangent, input, other: -tangent * xp.div(input, other, rounding_mode="floor")},
    **DIVISION,
    node=("RemainderBackward0", "RemainderBackward1"),
)
elementwise(
    "fmod(input, other)",
    "The remainder of a division rounded towards zero, ``input - trunc(input / other) * other``: it has the sign of "
    "``input``.",
    vjp=SAME["vjp"] | {"other": lambda xp, grad, input, other: -grad * xp.div(input, other, rounding_mode="trunc")},
    jvp=SAME["jvp"]
    | {"other": lambda xp, tangent, input, other: -tangent * xp.div(input, other, rounding_mode="trunc")},
    **DIVISION,
    node=("FmodBackward0", "FmodBackward1"),
)


def whole_numbers(t):
    return [
        ((t.integers(-30, 30, 2, 3), t.integers(-30, 30, 3)), {}),
        ((t.integers(0, 99, 3, dtype="uint8"), t.integers(0, 99, 2, 1, dtype="uint8")), {}),
        ((t.integers(0, 9, 3, dtype="int32"), t.integers(0, 9)), {}),
        ((t.integers(0, 3, 9), t.integers(0, 3, 9)), {}),
        ((t.integers(0, 9, 2, 0), t.integers(0, 9, 1)), {}),
    ]


for name, what in (("gcd", "greatest common divisor, which is zero for two zeros"), ("lcm", "least common multiple")):
    elementwise(
        f"{name}(input, other)",
        f"The {what}, of integers; it is never negative.",
        prepare=two_tensors(name),
        samples=whole_numbers,
        errors=lambda t: [
            ((t(3), t(3)), {}, NotImplementedError),
            ((t.bools(3), t.bools(3)), {}, NotImplementedError),
            ((t.integers(0, 9, 3), 2), {}, TypeError),
        ],
        **REAL,
    )
