"""Kernels of orthogonal polynomials, by their recurrences ``P[k + 1] = (a x + b) P[k] - c P[k - 1]``."""

from collections.abc import Callable
from functools import partial

import numpy as np

from .kinds import F64, defined_for, dtype_of, enter

# Of each family: a, b and c as functions of k (DLMF 18.9); the step from P[0] = 1 to P[1] may be another than the rest.
STEPS: dict[str, Callable] = {
    "t": lambda k: (2 if k else 1, 0, 1),
    "u": lambda k: (2, 0, 1),
    "v": lambda k: (2, 0 if k else -1, 1),
    "w": lambda k: (2, 0 if k else 1, 1),
    "h": lambda k: (2, 0, 2 * k),
    "he": lambda k: (1, 0, k),
    "l": lambda k: (-1 / (k + 1), (2 * k + 1) / (k + 1), k / (k + 1)),
    "p": lambda k: ((2 * k + 1) / (k + 1), 0, k / (k + 1)),
}


def recurrent(input, n, family, order=0):
    """The derivative of some order: differentiated, a recurrence has the derivative before it as another term."""
    dtype = dtype_of((input, n))
    x, degree = np.broadcast_arrays(
        np.asarray(input, F64), np.trunc(np.nan_to_num(np.asarray(n, F64), nan=-1, posinf=-1))
    )
    kind = family.removeprefix("shifted ")
    x = 2 * x - 1 if kind != family else x
    now = [np.where(degree < 0, 0.0, 1.0), *np.zeros((order, *x.shape))]
    before = [np.zeros(x.shape)] * (order + 1)
    result = now[order] + 0
    for k in range(int(degree.max(initial=0))):
        a, b, c = STEPS[kind](k)
        after = [(a * x + b) * now[m] - c * before[m] + (m * a * now[m - 1] if m else 0) for m in range(order + 1)]
        before, now = now, after
        result = np.where(degree > k, now[order], result)
    return np.asarray(result * 2.0 ** (order * (kind != family)), dtype)


@defined_for("f")
def polynomial(input, n, family, order):
    return recurrent(input, n, family, order)


for kind in "tuvw":
    enter(f"chebyshev_polynomial_{kind}", partial(recurrent, family=kind), "f")
    enter(f"shifted_chebyshev_polynomial_{kind}", partial(recurrent, family=f"shifted {kind}"), "f")
for name, family in {"hermite_polynomial_h": "h", "hermite_polynomial_he": "he", "laguerre_polynomial_l": "l",
                     "legendre_polynomial_p": "p"}.items():  # fmt: skip
    enter(name, partial(recurrent, family=family), "f")


def polyval(x, coefficients):
    """The polynomial of these coefficients, from the lowest; NumPy's module of polynomials is imported by the first call."""
    return np.polynomial.polynomial.polyval(x, coefficients)
