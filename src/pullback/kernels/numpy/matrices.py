"""Functions of matrices."""

import numpy as np

from .registry import kernel

# The numerator of the approximant of degree 13 to the exponential, and the norm up to which it is exact to double precision:
# N. J. Higham, The scaling and squaring method for the matrix exponential revisited (2005), table 2.3 and equation (2.3).
PADE = (
    64764752532480000, 32382376266240000, 7771770303897600, 1187353796428800, 129060195264000, 10559470521600, 670442572800,
    33522128640, 1323241920, 40840800, 960960, 16380, 182, 1,
)  # fmt: skip
REACH = 5.371920351148152


@kernel
def linalg_matrix_exp(input):
    """By scaling and squaring, all matrices of a batch at once, in double precision."""
    wide = input.astype(np.complex128 if input.dtype.kind == "c" else np.float64)
    with np.errstate(all="ignore"):
        norm = np.abs(wide).sum(-2).max(-1, initial=0.0)
        halvings = np.ceil(np.log2(np.where(np.isfinite(norm), norm, 0) / REACH)).clip(0)[..., None, None]
        result = pade(wide / 2**halvings)
        for i in range(int(halvings.max(initial=0))):
            result = np.where(i < halvings, result @ result, result)
    return result.astype(input.dtype)


def pade(A):
    """Padé's approximant of degree 13."""
    one, b = np.eye(A.shape[-1], dtype=A.dtype), PADE
    A2 = A @ A
    A4 = A2 @ A2
    A6 = A4 @ A2
    odd = A @ (A6 @ (b[13] * A6 + b[11] * A4 + b[9] * A2) + b[7] * A6 + b[5] * A4 + b[3] * A2 + b[1] * one)
    even = A6 @ (b[12] * A6 + b[10] * A4 + b[8] * A2) + b[6] * A6 + b[4] * A4 + b[2] * A2 + b[0] * one
    return np.linalg.solve(even - odd, even + odd)
