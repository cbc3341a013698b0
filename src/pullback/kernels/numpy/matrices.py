"""Functions of matrices."""

from math import comb, factorial

import numpy as np

from .registry import kernel

# The numerator of the approximant of degree 13 to the exponential (N. J. Higham, The scaling and squaring method for the matrix
# exponential revisited, 2005), how far it reaches, and the first coefficient of its backward error.
PADE = (
    64764752532480000, 32382376266240000, 7771770303897600, 1187353796428800, 129060195264000, 10559470521600, 670442572800,
    33522128640, 1323241920, 40840800, 960960, 16380, 182, 1,
)  # fmt: skip
REACH, ERROR = 4.25, 1 / (comb(26, 13) * factorial(27))


@kernel
def linalg_matrix_exp(input):
    """By scaling and squaring, all matrices of a batch at once, in double precision."""
    A = input.astype(np.complex128 if input.dtype.kind == "c" else np.float64)
    with np.errstate(all="ignore"):
        A2 = A @ A
        A4 = A2 @ A2
        A6 = A4 @ A2
        n = halvings(A, A4, A6)
        result = pade(*[power / 2.0 ** (k * n) for k, power in ((1, A), (2, A2), (4, A4), (6, A6))])
        for i in range(int(n.max(initial=0))):
            result = np.where(i < n, result @ result, result)
    return result.astype(input.dtype)


def norm(A):
    """The largest sum of absolute values of a column, of each matrix."""
    return np.abs(A).sum(-2, keepdims=True).max(-1, keepdims=True, initial=0.0)


def halvings(A, A4, A6):
    """How often a matrix is to be halved: by the norms of its powers, which grow more slowly than its own where it is nearly
    triangular (A. H. Al-Mohy and N. J. Higham, A new scaling and squaring algorithm for the matrix exponential, 2009)."""
    sixth, eighth, tenth = norm(A6) ** (1 / 6), norm(A4 @ A4) ** (1 / 8), norm(A4 @ A6) ** (1 / 10)
    reach = np.minimum(np.maximum(sixth, eighth), np.maximum(eighth, tenth))
    n = whole(np.log2(reach / REACH))
    columns = np.ones_like(A[..., :1, :].real)
    for _ in range(27):
        columns = columns @ (np.abs(A) / 2.0**n)
    error = ERROR * columns.max(-1, keepdims=True, initial=0.0) / (norm(A) / 2.0**n)
    return n + whole(np.log2(error / np.finfo(np.float64).epsneg) / 26)


def whole(value):
    """Rounded up, at least zero; zero for what is no number."""
    return np.where(np.isfinite(value), np.ceil(value), 0).clip(0)


def pade(A, A2, A4, A6):
    """Padé's approximant of degree 13."""
    one, b = np.eye(A.shape[-1], dtype=A.dtype), PADE
    odd = A @ (A6 @ (b[13] * A6 + b[11] * A4 + b[9] * A2) + b[7] * A6 + b[5] * A4 + b[3] * A2 + b[1] * one)
    even = A6 @ (b[12] * A6 + b[10] * A4 + b[8] * A2) + b[6] * A6 + b[4] * A4 + b[2] * A2 + b[0] * one
    return np.linalg.solve(even - odd, even + odd)
