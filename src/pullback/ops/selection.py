"""Choosing between values: by a condition, by size, and in the place of NaN and infinities.

Where two operands tie, ``maximum`` and ``minimum`` give each half of the gradient, ``fmax`` and ``fmin`` all of it to the
first. ``clamp`` passes the gradient on where the input lies within the limits, and on them.
"""

import math

from ..dtypes import uint8
from .arithmetic import NUMBERS, WRITABLE
from .complex_numbers import HIDDEN
from .table import TABLE, elementwise, op, overload


def check_condition(condition, input, other):
    """Raise RuntimeError unless the condition is one of bools."""
    if condition.dtype.category and condition.dtype is not uint8:
        raise RuntimeError(
            f"where expected condition to be a boolean tensor, but got a tensor with dtype {condition.dtype}"
        )
    return condition, input, other


WHERE_SHAPES = (
    ((2, 3), (2, 3), (2, 3)),
    ((3,), (2, 1), (2, 3)),
    ((2, 3), (), (3,)),
    ((2, 1), (3,), ()),
    ((), (), ()),
    ((2, 0), (1,), (2, 1)),
)
where = elementwise(
    "where(condition, input, other)",
    "The elements of ``input`` where ``condition`` holds, and of ``other`` where it does not. Either may be a number.",
    vjp={
        "input": lambda xp, grad, condition: xp.where(condition, grad, 0),
        "other": lambda xp, grad, condition: xp.where(condition, 0, grad),
    },
    jvp={
        "input": lambda xp, tangent, condition: xp.where(condition, tangent, 0),
        "other": lambda xp, tangent, condition: xp.where(condition, 0, tangent),
    },
    operands=("input", "other"),
    out=True,
    prepare=check_condition,
    samples=lambda t: [
        *[((t.bools(*c), t(*a), t(*b)), {}) for c, a, b in WHERE_SHAPES],
        ((t.bools(2, 3), t(3), 0.5), {}),
        ((t.bools(2, 3), 2, t(2, 1)), {}),
    ],
    errors=lambda t: [((t(3), t(3), t(3)), {}, RuntimeError), ((t.bools(3), t(4), t(3)), {}, RuntimeError)],
    **HIDDEN,
)
where_numbers = op(
    "where_numbers(condition, input, other)",
    "One number where ``condition`` holds and another where it does not, as a tensor of the dtype that both make.",
    batch="elementwise",
    operands=("condition",),
    prepare=check_condition,
    samples=lambda t: [((t.bools(2, 3), a, b), {}) for a, b in ((1.5, 2), (1, 2), (True, False), (1j, 2))],
    errors=lambda t: [((t(3), 1, 2), {}, RuntimeError)],
    **HIDDEN,
)


def choose_where(condition, input, other):
    """With the condition alone, where it holds: one tensor of indices for each dimension."""
    if input is None and other is None:
        return TABLE["nonzero_tuple"], (condition,)
    are_numbers = type(input) in NUMBERS and type(other) in NUMBERS
    return where_numbers if are_numbers else where, (condition, input, other)


overload(
    "where(condition, input=None, other=None)",
    f"{where.doc} With ``condition`` alone, the indices of where it holds, as ``nonzero(as_tuple=True)`` has them.",
    choose_where,
    method=False,
    out=True,
)

# -- by size -----------------------------------------------------------------------------------------------------------


def to_larger(xp, flowing, mine, theirs):
    """What flows to one operand of ``maximum``: all where it is larger or either is NaN, half where they tie."""
    return xp.where(mine < theirs, 0, xp.where(mine == theirs, flowing / 2, flowing))


def to_smaller(xp, flowing, mine, theirs):
    return xp.where(mine > theirs, 0, xp.where(mine == theirs, flowing / 2, flowing))


def shared_by(share):
    """Both rules of a symmetric operation, for both operands, by what flows to one of them."""
    return {
        "vjp": {
            "input": lambda xp, grad, input, other: share(xp, grad, input, other),
            "other": lambda xp, grad, input, other: share(xp, grad, other, input),
        },
        "jvp": {
            "input": lambda xp, tangent, input, other: share(xp, tangent, input, other),
            "other": lambda xp, tangent, input, other: share(xp, tangent, other, input),
        },
    }


def split_by(is_first):
    """Both rules of an operation that is one operand or the other, by where it is the first."""
    return {
        "vjp": {
            "input": lambda xp, grad, input, other: xp.where(is_first(xp, input, other), grad, 0),
            "other": lambda xp, grad, input, other: xp.where(is_first(xp, input, other), 0, grad),
        },
        "jvp": {
            "input": lambda xp, tangent, input, other: xp.where(is_first(xp, input, other), tangent, 0),
            "other": lambda xp, tangent, input, other: xp.where(is_first(xp, input, other), 0, tangent),
        },
    }


EXTREME = {"real": True, "out": True, "errors": lambda t: [((t.complex(3), t.complex(3)), {}, RuntimeError)]}
elementwise(
    "maximum(input, other)",
    "The larger of two elements; NaN where either is NaN. Elements that tie share the gradient.",
    **shared_by(to_larger),
    **EXTREME,
)
elementwise(
    "minimum(input, other)",
    "The smaller of two elements; NaN where either is NaN. Elements that tie share the gradient.",
    **shared_by(to_smaller),
    **EXTREME,
)
elementwise(
    "fmax(input, other)",
    "The larger of two elements; where one is NaN, the other. Where they tie, the gradient goes to ``input``.",
    **split_by(lambda xp, input, other: (input >= other) | xp.isnan(other)),
    **EXTREME,
)
elementwise(
    "fmin(input, other)",
    "The smaller of two elements; where one is NaN, the other. Where they tie, the gradient goes to ``input``.",
    **split_by(lambda xp, input, other: (input <= other) | xp.isnan(other)),
    **EXTREME,
)


# -- limits ------------------------------------------------------------------------------------------------------------


def within(xp, input, min, max):
    """Where an input lies between its limits, or on them."""
    if min is None:
        return input <= max
    return input >= min if max is None else (input >= min) & (input <= max)


def below(xp, input, min, max):
    """Where the lower limit is the result of ``clamp``."""
    return input < min if max is None else (input < min) & (min < max)


def above(xp, input, min, max):
    """Where the upper limit is the result of ``clamp``: it wins where the limits cross."""
    return input > max if min is None else (input > max) | (max < min)


def check_limits(input, min, max):
    """Raise where there is no limit at all, or nothing to limit."""
    if isinstance(input, (bool, int, float, complex)):
        raise TypeError(f"clamp(): argument 'input' (position 1) must be Tensor, not {type(input).__name__}")
    if min is None and max is None:
        raise RuntimeError("clamp: At least one of 'min' or 'max' must not be None")
    return input, min, max


elementwise(
    "clamp(input, min=None, max=None)",
    "Each element, or the limit that it passes. Limits are numbers or tensors; where they cross, the result is ``max``. The "
    "derivative is one within the limits and on them, and zero outside.",
    vjp={
        "input": lambda xp, grad, input, min, max: xp.where(within(xp, input, min, max), grad, 0),
        "min": lambda xp, grad, input, min, max: xp.where(below(xp, input, min, max), grad, 0),
        "max": lambda xp, grad, input, min, max: xp.where(above(xp, input, min, max), grad, 0),
    },
    jvp={
        "input": lambda xp, tangent, input, min, max: xp.where(within(xp, input, min, max), tangent, 0),
        "min": lambda xp, tangent, input, min, max: xp.where(below(xp, input, min, max), tangent, 0),
        "max": lambda xp, tangent, input, min, max: xp.where(above(xp, input, min, max), tangent, 0),
    },
    operands=("input", "min", "max"),
    real=True,
    aliases=("clip",),
    prepare=check_limits,
    node=("ClampBackward1", "ClampBackward0"),
    samples=lambda t: [
        *[((t(*shape), -0.75, 1.25), {}) for shape in ((), (2, 3), (0, 2))],
        ((t(2, 3),), {"min": 0.25}),
        ((t(2, 3),), {"max": 0.25}),
        ((t(2, 3), 1, 0), {}),
        ((t(2, 3), t(2, 3), t(3)), {}),
        ((t(3), t(2, 1)), {}),
        ((t(2, 3),), {"max": t()}),
        ((t.integers(-9, 9, 5), -2, 3), {}),
    ],
    errors=lambda t: [
        ((t(3),), {}, RuntimeError),
        ((t.complex(3), 0), {}, NotImplementedError),
        ((t(2, 3), t(4)), {}, RuntimeError),
    ],
    **WRITABLE,
)
elementwise(
    "clamp_min(input, min)",
    "Each element, or ``min`` where that is larger.",
    vjp={
        "input": lambda xp, grad, input, min: xp.where(input >= min, grad, 0),
        "min": lambda xp, grad, input, min: xp.where(input < min, grad, 0),
    },
    jvp={
        "input": lambda xp, tangent, input, min: xp.where(input >= min, tangent, 0),
        "min": lambda xp, tangent, input, min: xp.where(input < min, tangent, 0),
    },
    real=True,
    node=("ClampMinBackward0", "ClampMinBackward1"),
    **WRITABLE,
)
elementwise(
    "clamp_max(input, max)",
    "Each element, or ``max`` where that is smaller.",
    vjp={
        "input": lambda xp, grad, input, max: xp.where(input <= max, grad, 0),
        "max": lambda xp, grad, input, max: xp.where(input > max, grad, 0),
    },
    jvp={
        "input": lambda xp, tangent, input, max: xp.where(input <= max, tangent, 0),
        "max": lambda xp, tangent, input, max: xp.where(input > max, tangent, 0),
    },
    real=True,
    node=("ClampMaxBackward0", "ClampMaxBackward1"),
    **WRITABLE,
)


def as_numbers(input, *given):
    """The replacements as Python numbers; tensors without dims are read."""
    return (input, *[each.item() if hasattr(each, "item") else each for each in given])


elementwise(
    "nan_to_num(input, nan=0.0, posinf=None, neginf=None)",
    "Each element, with numbers in the place of NaN and infinities (None: the dtype's largest and smallest). The "
    "derivative there is zero.",
    vjp={"input": lambda xp, grad, input: xp.where(xp.isfinite(input), grad, 0)},
    jvp={"input": lambda xp, tangent, input: xp.where(xp.isfinite(input), tangent, 0)},
    prepare=as_numbers,
    samples=lambda t: [
        *[((t(*shape),), {}) for shape in ((), (2, 3), (0, 2))],
        ((t(2, 3) * math.nan,), {}),
        ((t(2, 3) * math.nan, 1.5, 2.5, -2.5), {}),
        ((t.integers(0, 9, 3),), {}),
    ],
    **WRITABLE,
)
