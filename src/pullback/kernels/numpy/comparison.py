"""Kernels of what gives booleans, and of logic on bits."""

from collections.abc import Callable

import numpy as np

from ...dtypes import get_default_dtype
from .kinds import defined_for, enter

ORDERS: dict[str, Callable] = {"lt": np.less, "le": np.less_equal, "gt": np.greater, "ge": np.greater_equal}
OF_EVERY_DTYPE: dict[str, Callable] = {
    "logical_and": np.logical_and, "logical_or": np.logical_or, "logical_xor": np.logical_xor,
    "logical_not": np.logical_not, "isnan": np.isnan, "isinf": np.isinf, "isfinite": np.isfinite,
}  # fmt: skip
OF_BITS: dict[str, Callable] = {
    "bitwise_and": np.bitwise_and, "bitwise_or": np.bitwise_or, "bitwise_xor": np.bitwise_xor,
    "bitwise_not": np.invert,
}  # fmt: skip

enter("eq", np.equal, rounds_numbers=True)
enter("ne", np.not_equal, rounds_numbers=True)
for name, ufunc in ORDERS.items():
    enter(name, ufunc, "bif", rounds_numbers=True)
for name, ufunc in OF_EVERY_DTYPE.items():
    enter(name, ufunc)
for name, ufunc in OF_BITS.items():
    enter(name, ufunc, "bi")
enter("bitwise_left_shift", np.left_shift, "i")
enter("bitwise_right_shift", np.right_shift, "i")


@defined_for("bifc")
def isclose(input, other, rtol=1e-05, atol=1e-08, equal_nan=False):
    close = np.equal(input, other)
    if equal_nan:
        close = close | (np.isnan(input) & np.isnan(other))
    if input.dtype.kind in "biu":
        input, other = (a.astype(get_default_dtype().numpy) for a in (input, other))
    distance = np.abs(input - other)
    return close | (np.isfinite(distance) & (distance <= atol + np.abs(rtol * other)))


@defined_for("bif")
def isposinf(input):
    return np.isinf(input) & (input > 0)


@defined_for("bif")
def isneginf(input):
    return np.isinf(input) & (input < 0)


@defined_for("bifc")
def isreal(input):
    return np.equal(np.imag(input), 0)


@defined_for("bif")
def signbit(input):
    return input < 0 if input.dtype.kind in "biu" else np.signbit(input)
