"""Kernels of floating-point numbers as they are written."""

import numpy as np

from .kinds import F32, defined_for, enter
from .registry import kernel


@kernel
def frexp(input):
    wide = input.astype(F32) if input.dtype.kind == "V" else input
    mantissa, exponent = np.frexp(wide)
    return mantissa.astype(input.dtype, copy=False), np.where(np.isfinite(wide), exponent, 0).astype(np.int32)


@defined_for("fc")
def ldexp(input, other):
    """The whole part of the exponent is exact; what is behind its point is a power of its own."""
    if input.dtype.kind == "c" or other.dtype.kind == "c":
        return input * np.exp2(other)
    whole = np.floor(np.where(np.isfinite(other), other, 0))
    part = other - whole
    scaled = input if not part.any() else input * np.exp2(part)
    return np.ldexp(scaled, whole.clip(-5000, 5000).astype(np.int32)).astype(input.dtype, copy=False)


enter("nextafter", np.nextafter, "f", rounds_numbers=True)


@defined_for("bif")
def heaviside(input, values):
    return np.where(input == 0, values, (input > 0).astype(input.dtype))
