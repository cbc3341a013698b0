"""Kernels of the activation functions that are no formulas over other operations."""

import numpy as np

from .kinds import defined_for, enter_into
from .registry import KERNELS, kernel
from .selection import at_least


@kernel
def tied(input, other):
    return input


@defined_for("bif")
def relu(input):
    if input.dtype == bool:
        raise RuntimeError("relu: Boolean inputs not supported for relu")
    return at_least(input, 0)


enter_into("relu", lambda target, out, casting: np.maximum(target, 0, out=out))


@defined_for("f")
def leaky_relu(input, negative_slope=0.01):
    if 0 < negative_slope <= 1:
        return np.maximum(input, input * negative_slope)
    return KERNELS["where"](input > 0, input, input * negative_slope)


@defined_for("if")
def hardtanh(input, min_val=-1.0, max_val=1.0):
    if input.dtype.kind in "iu":
        return input.clip(int(min_val), int(max_val))
    return input.clip(min_val, max_val)
