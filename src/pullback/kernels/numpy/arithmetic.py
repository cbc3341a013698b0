"""Kernels of arithmetic."""

from collections.abc import Callable
from math import inf

import numpy as np

from ...dtypes import get_default_dtype
from .kinds import EVERY, F32, F64, KINDS, defined_for, dtype_of, enter, enter_into, refusal, wrapped
from .registry import KERNELS, UFUNCS, kernel_into

# -- sums and products -------------------------------------------------------------------------------------------------


def scaled(value, alpha, dtype):
    """``value * alpha``, where ``alpha`` must be of a kind that the dtype holds."""
    if alpha == 1:
        return value
    kind = KINDS[dtype.kind]
    if kind in "bi" and isinstance(alpha, (float, complex)):
        raise RuntimeError(
            f"For integral input tensors, argument alpha must not be a floating point number: got {alpha}"
        )
    if kind != "c" and isinstance(alpha, complex):
        raise RuntimeError(f"For non-complex input tensors, argument alpha must not be a complex number: got {alpha}")
    return value * alpha


@defined_for(EVERY)
def add(input, other, alpha=1):
    return np.add(input, scaled(other, alpha, dtype_of((input, other))))


@defined_for(EVERY)
def sub(input, other, alpha=1):
    no_bools(input, other)
    return np.subtract(input, scaled(other, alpha, dtype_of((input, other))))


@defined_for(EVERY)
def rsub(input, other, alpha=1):
    return sub(other, input, alpha)


def no_bools(*operands):
    for a in operands:
        if type(a) is bool or getattr(a, "dtype", None) == np.dtype(bool):
            raise RuntimeError(
                "Subtraction, the `-` operator, with a bool tensor is not supported. If you are trying to invert a mask, "
                "use the `~` or `logical_not()` operator instead; for two masks, `^` or `logical_xor()`."
            )


@defined_for("ifc")
def addcmul(input, tensor1, tensor2, value=1):
    return np.add(input, product(input, tensor1, tensor2, value))


def product(input, tensor1, tensor2, value=1):
    if value == 1:
        return np.multiply(tensor1, tensor2)
    return (value if KINDS[dtype_of((input,)).kind] != "i" else int(value)) * tensor1 * tensor2


@defined_for(EVERY)
def addcdiv(input, tensor1, tensor2, value=1):
    return np.add(input, ratio(input, tensor1, tensor2, value))


def ratio(input, tensor1, tensor2, value=1):
    if input.dtype.kind in "biu":
        raise RuntimeError(
            "addcdiv: Integer division with addcdiv is no longer supported. Convert the tensors to a floating dtype, or use "
            "input + value * torch.div(tensor1, tensor2, rounding_mode='trunc')."
        )
    return np.divide(tensor1 if value == 1 else value * tensor1, tensor2)


@defined_for("fc")
def lerp(input, end, weight):
    gap = end - input
    near = abs(weight) < 0.5  # each form is exact at its own end
    if near is True or near is False:
        return input + weight * gap if near else end - (1 - weight) * gap
    return np.where(near, input + weight * gap, end - (1 - weight) * gap)


# -- quotients ---------------------------------------------------------------------------------------------------------


@defined_for(EVERY, wraps_numbers=False)
def div(input, other, rounding_mode=None):
    if rounding_mode is None:
        return quotient(input, other)
    if rounding_mode not in ("trunc", "floor"):
        raise RuntimeError(
            f"div expected rounding_mode to be one of None, 'trunc', or 'floor' but found '{rounding_mode}'"
        )
    dtype = dtype_of((input, other))
    if KINDS[dtype.kind] not in "if":
        raise refusal(f"div_{rounding_mode}", dtype, "if")
    if dtype.kind in "iu":
        input, other = (wrapped(a, dtype) if type(a) is int else a for a in (input, other))
    return (truncated_quotient if rounding_mode == "trunc" else floor_quotient)(input, other)


def quotient(input, other):
    if is_whole(input) and is_whole(other):
        input, other = (float(a) if type(a) is int else a for a in (input, other))
        return np.true_divide(input, other, dtype=get_default_dtype().numpy)
    return np.true_divide(input, other)


def is_whole(value):
    return value.dtype.kind in "biu" if hasattr(value, "dtype") else type(value) in (int, bool)


def floor_quotient(input, other):
    no_zeros("floor_divide", other)
    return np.floor_divide(input, other)


def truncated_quotient(input, other):
    if not is_whole(input) or not is_whole(other):
        return np.trunc(np.true_divide(input, other))
    no_zeros("div", other)
    return np.floor_divide(input - np.fmod(input, other), other)


def no_zeros(name, divisor):
    """Raise RuntimeError for an integer zero."""
    if is_whole(divisor) and np.any(np.equal(divisor, 0)):
        raise RuntimeError(f"{name}: ZeroDivisionError: an integer cannot be divided by zero")


enter("reciprocal", np.reciprocal, "fc")

# -- powers ------------------------------------------------------------------------------------------------------------

POWERS: dict[float, Callable] = {
    0: np.ones_like,
    1: np.positive,
    2: np.square,
    3: lambda input: input * input * input,
    4: lambda input: np.square(np.square(input)),
    -1: np.reciprocal,
    -2: lambda input: np.reciprocal(np.square(input)),
    0.5: np.sqrt,
    -0.5: lambda input: np.reciprocal(np.sqrt(input)),
}


@defined_for(EVERY, wraps_numbers=False)
def pow(input, exponent):
    if (type(exponent) is int or type(exponent) is float) and exponent in POWERS and input.dtype.kind in "fc":
        return POWERS[exponent](input)
    kind = KINDS[dtype_of((input, exponent)).kind]
    if kind == "b":
        return np.logical_or(input, np.logical_not(exponent))
    if kind == "i":
        return integer_power(input, exponent)
    if type(exponent) not in (int, float):
        return np.power(input, exponent)
    if kind == "f" and exponent == int(exponent if abs(exponent) < inf else 0):
        return whole_power(input, exponent)
    return np.power(input, exponent)


def whole_power(input, exponent):
    """NumPy's power is fifty times slower for negative bases: take the power of the absolute value, and mend the sign."""
    power = np.power(np.abs(input), float(exponent))
    return np.copysign(power, input) if exponent % 2 else power


def integer_power(input, exponent):
    if isinstance(exponent, int):
        if exponent < 0:
            raise RuntimeError("Integers to negative integer powers are not allowed.")
        if exponent > np.iinfo(input.dtype).max:
            raise RuntimeError(f"pow: the exponent {exponent} cannot be converted to {input.dtype} without overflow")
        return np.power(input, exponent)
    if type(input) is int:
        input = wrapped(input, exponent.dtype)
    if not (exponent < 0).any():
        return np.power(input, exponent)
    # the inverse of 1 and of -1 is a whole number, and that of the others is truncated to zero
    inverse = np.where(input == 1, 1, np.where(input == -1, np.where(exponent % 2 == 0, 1, -1), 0))
    result = np.where(exponent < 0, inverse, np.power(input, np.maximum(exponent, 0)))
    return result.astype(dtype_of((input, exponent)))


@defined_for(EVERY)
def square(input):
    return np.square(input.astype(np.int64) if input.dtype == bool else input)


enter("sqrt", np.sqrt, "fc")
enter("hypot", np.hypot, "f")


@defined_for("fc")
def rsqrt(input):
    return np.reciprocal(np.sqrt(input))


# -- signs -------------------------------------------------------------------------------------------------------------


@defined_for(EVERY)
def neg(input):
    if input.dtype == bool:
        raise RuntimeError(
            "Negation, the `-` operator, on a bool tensor is not supported. If you are trying to invert a mask, use the `~` "
            "or `logical_not()` operator instead."
        )
    return np.negative(input)


def real_sign(input):
    """The sign of floating-point numbers, which is zero for NaN, unlike NumPy's."""
    return np.subtract(np.greater(input, 0), np.less(input, 0), dtype=input.dtype)


@defined_for("bif")
def sign(input):
    if input.dtype == bool:
        return input.copy()
    return real_sign(input) if KINDS[input.dtype.kind] == "f" else np.sign(input)


@defined_for(EVERY)
def sgn(input):
    return np.sign(input) if input.dtype.kind == "c" else sign(input)


enter("abs", np.absolute, "ifc")
enter("copysign", np.copysign, "f")
enter("mul", np.multiply)

# -- the fast paths ----------------------------------------------------------------------------------------------------

UFUNCS.update(add=np.add, sub=np.subtract, rsub=lambda input, other: np.subtract(other, input), div=np.true_divide)
UFUNCS.update(neg=np.negative, square=np.square, sign=real_sign, sgn=real_sign)

# -- in place ----------------------------------------------------------------------------------------------------------

# Not by `np.negative`, which NumPy 2.4 gets wrong in place where elements lie 16 or 64 bytes apart.
IN_PLACE: dict[str, Callable] = {
    "mul": np.multiply, "sqrt": np.sqrt, "reciprocal": np.reciprocal, "square": np.square,
    "add": lambda target, other, alpha=1, **into: np.add(target, scaled(other, alpha, target.dtype), **into),
    "sub": lambda target, other, alpha=1, **into: np.subtract(target, scaled(other, alpha, target.dtype), **into),
    "addcmul": lambda target, *factors, **into: np.add(target, product(target, *factors), **into),
    "addcdiv": lambda target, *factors, **into: np.add(target, ratio(target, *factors), **into),
}  # fmt: skip
for name, ufunc in IN_PLACE.items():
    enter_into(name, ufunc)


@kernel_into
def div_into(target, other, rounding_mode=None):
    if rounding_mode is None and target.dtype.kind in "biu":
        raise RuntimeError(
            "div_: result type Float can't be cast to the desired output type; give rounding_mode='trunc' or 'floor', or "
            "use div"
        )
    if rounding_mode is None and (target.dtype is F32 or target.dtype is F64):
        np.true_divide(target, other, out=target, casting="unsafe")
    else:
        target[...] = KERNELS["div"](target, other, rounding_mode)


@kernel_into
def abs_into(target):
    if target.dtype.kind == "c":
        raise RuntimeError("abs_: In-place abs is not supported for complex tensors, whose absolute values are real")
    target[...] = KERNELS["abs"](target)


@kernel_into
def float_power_into(target, exponent):
    if target.dtype not in (F64, np.complex128):
        raise RuntimeError(
            f"float_power_: the base given to float_power_ has dtype {target.dtype} but the operation's result requires "
            "double precision; use float_power"
        )
    target[...] = pow(target, exponent)
