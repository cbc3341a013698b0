"""Kernels of elementary functions."""

import numpy as np
from numpy import ndarray

from .kinds import defined_for, enter, enter_into

for name, ufunc in {
    "exp": np.exp, "exp2": np.exp2, "expm1": np.expm1,
    "log": np.log, "log2": np.log2, "log10": np.log10, "log1p": np.log1p,
    "sin": np.sin, "cos": np.cos, "tan": np.tan, "asin": np.arcsin, "acos": np.arccos, "atan": np.arctan,
    "sinh": np.sinh, "cosh": np.cosh, "tanh": np.tanh, "asinh": np.arcsinh, "acosh": np.arccosh, "atanh": np.arctanh,
}.items():  # fmt: skip
    enter(name, ufunc, "fc")
    enter_into(name, ufunc)

enter("atan2", np.arctan2, "f")


@defined_for("fc")
def sigmoid(input):
    power = np.negative(input)
    if type(power) is not ndarray:
        return 1 / (1 + np.exp(power))
    np.exp(power, out=power)
    power += 1
    return np.reciprocal(power, out=power)
