"""Decompositions of which only the largest part is wanted: approximate singular values, principal components, extreme eigenvalues.

Source of the randomised algorithm: N. Halko, P.-G. Martinsson and J. A. Tropp, Finding structure with randomness (2011),
algorithms 4.4 and 5.1.
"""

from .checks import FLOATING
from .matrix_checks import need_lapack, need_matrix, need_square
from .orthogonal import qr
from .spectral import eigh, svd
from .steps import need_tensors, perform
from .table import TABLE, overload


def orthonormal(matrix):
    return perform(qr, matrix, "reduced")[0]


def directions(A, q):
    """Random ones, the same for all matrices of a batch; within ``vmap`` each has its own, if it is told so."""
    zeros = perform(TABLE["zeros_like"], A.sum(tuple(range(A.ndim - 1))))
    return (zeros.unsqueeze(-1) + A.new_zeros((A.shape[-1], q))).normal_()


def range_of(A, q, niter):
    """An orthonormal basis that nearly spans what a matrix maps to, by ``niter`` steps of subspace iteration from a random start."""
    basis = orthonormal(A @ directions(A, q))
    for _ in range(niter):
        basis = orthonormal(A @ orthonormal(A.mH @ basis))
    return basis


def largest_part(A, q, niter):
    """``U``, ``S`` and ``V`` of about the ``q`` largest singular values."""
    if A.shape[-2] < A.shape[-1]:
        U, S, V = largest_part(A.mH, q, niter)
        return V, S, U
    basis = range_of(A, q, niter)
    U, S, Vh = perform(svd, basis.mH @ A, False, None)
    return basis @ U, S, Vh.mH


def check_low_rank(name, A, M=None):
    need_tensors(name, A=A)
    need_matrix(name, "A", A)
    need_lapack(name, A)
    if M is not None and (not hasattr(M, "interpret") or M.dtype is not A.dtype):
        raise TypeError(f"{name}: M must be a tensor of A's dtype, {A.dtype}")


def choose_svd_lowrank(A, q, niter, M):
    check_low_rank("svd_lowrank", A, M)
    return None, largest_part(A if M is None else A - M, 6 if q is None else q, 2 if niter is None else niter)


overload(
    "svd_lowrank(A, q=6, niter=2, M=None)",
    "``U``, ``S`` and ``V`` of about the ``q`` largest singular values of ``A``, or of ``A - M``, by a random projection and ``niter`` "
    "subspace iterations: exact for matrices of rank at most ``q``.",
    choose_svd_lowrank,
    method=False,
)


def choose_pca_lowrank(A, q, center, niter):
    check_low_rank("pca_lowrank", A)
    m, n = A.shape[-2:]
    q = min(6, m, n) if q is None else q
    if not 0 <= q <= min(m, n):
        raise ValueError(
            f"pca_lowrank: q(={q}) must be non-negative integer and not greater than min(m, n)={min(m, n)}"
        )
    if niter < 0:
        raise ValueError(f"pca_lowrank: niter(={niter}) must be non-negative integer")
    return None, largest_part(A - A.mean(-2, True) if center else A, q, niter)


overload(
    "pca_lowrank(A, q=None, center=True, niter=2)",
    "The principal components of the rows of ``A``: ``U``, ``S`` and ``V`` of :func:`svd_lowrank` after the columns' means are taken "
    "off, unless ``center=False``.",
    choose_pca_lowrank,
    method=False,
)


def choose_lobpcg(A, k, B, X, n, iK, niter, tol, largest, method, tracker, ortho_iparams, ortho_fparams, ortho_bparams):
    need_tensors("lobpcg", A=A)
    need_square("lobpcg", A)
    if A.dtype.category != FLOATING:
        raise RuntimeError(f"lobpcg: expected floating point matrices, but A is of {A.dtype}")
    need_lapack("lobpcg", A)
    start = 1 if X is None else X.shape[-1]
    count, start = (start if n is None else n) if k is None else k, start if n is None else n
    if A.shape[-1] < 3 * max(start, count if X is None and n is None else start):
        raise ValueError(
            f"LOBPCG algorithm is not applicable when the number of A rows (={A.shape[-1]}) is smaller than 3 x the number of requested "
            f"eigenpairs (={count}); use torch.linalg.eigh"
        )
    return None, extreme_pairs(A, B, count, largest is not False)


def extreme_pairs(A, B, count, largest):
    """Eigenvalues and vectors of ``A x = λ B x``, from those of ``L⁻¹ A L⁻ᴴ`` where ``B = L Lᴴ``."""
    solve = TABLE["linalg_solve_triangular"]
    if B is not None:
        factor = perform(TABLE["linalg_cholesky"], B, False)
        A = perform(solve, factor, A, False, True, False)
        A = perform(solve, factor.mH, A, True, False, False)
    values, vectors = perform(eigh, A, "L")
    if largest:
        values, vectors = values.flip(-1), vectors.flip(-1)
    values, vectors = values[..., :count], vectors[..., :count]
    return values, vectors if B is None else perform(solve, factor.mH, vectors, True, True, False)


overload(
    "lobpcg(A, k=None, B=None, X=None, n=None, iK=None, niter=None, tol=None, largest=None, method=None, tracker=None, "
    "ortho_iparams=None, ortho_fparams=None, ortho_bparams=None)",
    "The ``k`` largest eigenvalues of symmetric, positive-definite ``A``, or of ``A x = λ B x``, and their vectors; the smallest with "
    "``largest=False``. Computed from the whole decomposition, and so exact whatever the start, the preconditioner and the tolerance.",
    choose_lobpcg,
    method=False,
)
