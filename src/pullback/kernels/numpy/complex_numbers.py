"""Kernels of complex numbers, and of changing a dtype."""

from math import pi

import numpy as np
from numpy import ndarray

from .kinds import KINDS, defined_for
from .registry import kernel

# -- parts -------------------------------------------------------------------------------------------------------------


@kernel
def real(input):
    return input.real if input.dtype.kind == "c" else input


@kernel
def imag(input):
    return input.imag


@kernel
def view_as_real(input):
    if type(input) is not ndarray or input.dtype.kind != "c":
        return np.stack([input.real, input.imag], -1)
    return input[..., None].view(f"f{input.itemsize // 2}")  # a view whose base is the owner of the memory


@kernel
def view_as_complex(input):
    dtype = np.dtype(f"c{2 * input.itemsize}")
    if input.strides[-1] != input.itemsize:
        input = np.ascontiguousarray(input)
    return input.view(dtype)[..., 0]


# -- conjugates --------------------------------------------------------------------------------------------------------


@kernel
def conj(input):
    if not hasattr(input, "dtype"):
        return input.conjugate()
    return np.conjugate(input) if input.dtype.kind == "c" else input


@kernel
def conj_physical(input):
    return np.conjugate(input) if input.dtype.kind == "c" else input


@kernel
def positive(input):
    return input


# -- polar form --------------------------------------------------------------------------------------------------------


@defined_for("fc")
def angle(input):
    if input.dtype.kind == "c":
        return np.arctan2(input.imag, input.real)
    return np.where(np.isnan(input), input, np.where(input < 0, input.dtype.type(pi), input.dtype.type(0)))


@kernel
def complex_(real, imag):
    return from_parts(real, imag)


def from_parts(real, imag):
    result = np.empty(np.broadcast(real, imag).shape, np.dtype(f"c{2 * real.itemsize}"))
    result.real, result.imag = real, imag
    return result


@kernel
def polar(abs, angle):
    return from_parts(abs * np.cos(angle), abs * np.sin(angle))


@defined_for("f")
def deg2rad(input):
    return input * (pi / 180)


@defined_for("f")
def rad2deg(input):
    return input * (180 / pi)


# -- dtypes ------------------------------------------------------------------------------------------------------------


@kernel
def cast(input, dtype):
    dtype = getattr(dtype, "numpy", dtype)
    input = np.asarray(input)
    if input.dtype.kind == "c" and KINDS[dtype.kind] != "c":
        return (input != 0) if dtype.kind == "b" else input.real.astype(dtype)
    return input.astype(dtype)
