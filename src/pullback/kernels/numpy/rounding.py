"""Kernels of rounding, and of division with a remainder."""

import numpy as np

from .arithmetic import floor_quotient, no_zeros
from .kinds import defined_for, enter, enter_into
from .registry import UFUNCS

for name, ufunc in {"floor": np.floor, "ceil": np.ceil, "trunc": np.trunc}.items():
    enter(name, ufunc, "if")
    enter_into(name, ufunc)


@defined_for("if")
def round(input, decimals=0):
    if input.dtype.kind in "iu":
        if decimals:
            raise NotImplementedError('"round" with decimals is not implemented for integers; expected floating')
        return input.copy()
    if not decimals:
        return np.rint(input)
    ten = 10.0 ** abs(decimals)
    return np.rint(input * ten) / ten if decimals > 0 else np.rint(input / ten) * ten


@defined_for("f")
def frac(input):
    return input - np.trunc(input)


enter("floor_divide", floor_quotient, "if")


@defined_for("if", rounds_numbers=True)
def remainder(input, other):
    no_zeros("remainder", other)
    return np.remainder(input, other)


@defined_for("if", rounds_numbers=True)
def fmod(input, other):
    no_zeros("fmod", other)
    return np.fmod(input, other)


enter("gcd", np.gcd, "i")
enter("lcm", np.lcm, "i")

UFUNCS.update(round=np.rint, floor_divide=np.floor_divide, remainder=np.remainder, fmod=np.fmod)
