"""Least squares, pseudoinverses and ranks, by LAPACK."""

import numpy as np

from ...errors import LinAlgError
from .registry import kernel
from .spectral import linalg_eigh, linalg_eigvalsh, linalg_svd, linalg_svdvals
from .systems import lapack


def cut(values, shape, atol, rtol):
    """For each matrix of a shape, the size up to which one of its singular values counts as zero."""
    if rtol is None:
        default = np.finfo(values.dtype).eps * max(shape[-2:])
        rtol = default if atol is None else np.where(np.asarray(atol) > 0, 0, default)
    largest = values.max(-1, initial=0)
    return np.maximum(0 if atol is None else atol, rtol * largest)[..., None]


@kernel
def linalg_pinv_within(input, hermitian, atol, rtol):
    if not input.size:
        return np.zeros((*input.shape[:-2], input.shape[-1], input.shape[-2]), input.dtype)
    if hermitian:
        signed, right = linalg_eigh(input)
        values, left = np.abs(signed), adjoint(right)
    else:
        left, values, right = linalg_svd(input, False)
        signed, left, right = values, adjoint(left), adjoint(right)
    kept = values > cut(values, input.shape, atol, rtol)
    inverse = np.where(kept, 1 / np.where(signed == 0, 1, signed), 0).astype(signed.dtype, copy=False)
    return np.matmul(right * inverse[..., None, :], left)


def adjoint(matrix):
    return np.conj(matrix.swapaxes(-1, -2))


@kernel
def linalg_matrix_rank_within(input, hermitian, atol, rtol):
    if not input.size:
        return np.zeros(input.shape[:-2], np.int64)
    values = np.abs(linalg_eigvalsh(input)) if hermitian else linalg_svdvals(input)
    return np.count_nonzero(values > cut(values, input.shape, atol, rtol), axis=-1).astype(np.int64)


@kernel
def linalg_lstsq(input, b, rcond=None, driver="gelsy"):
    (m, n), batch = input.shape[-2:], np.broadcast_shapes(input.shape[:-2], b.shape[:-2])
    input, b = (np.broadcast_to(a, (*batch, *a.shape[-2:])) for a in (input, b))
    real = np.zeros(0, input.dtype).real.dtype
    rcond = np.finfo(real).eps * max(m, n) if rcond is None else rcond
    solution, rank = np.zeros((*batch, n, b.shape[-1]), input.dtype), np.zeros(batch, np.int64)
    values = np.zeros((*batch, min(m, n)), real)
    if input.size and b.size:
        for index in np.ndindex(*batch):
            solution[index], rank[index], found = solve(input[index], b[index], rcond, driver)
            values[index] = 0 if found is None else found
    residuals = np.zeros(0, real)
    if m > n and driver != "gelsy" and (driver == "gels" or (rank == n).all()):
        rest = np.matmul(input, solution) - b
        residuals = np.sum(rest.real**2 + rest.imag**2, -2)
    return (
        solution,
        residuals,
        np.zeros(0, np.int64) if driver == "gels" else rank,
        values if driver in ("gelsd", "gelss") else np.zeros(0, real),
    )


def solve(matrix, right, rcond, driver):
    """One solution, the rank and the singular values, where the driver knows them."""
    if driver == "gels":
        return solve_full_rank(matrix, right), 0, None
    from scipy.linalg import lstsq

    solution, _, rank, values = lstsq(matrix, right, cond=rcond, lapack_driver=driver, check_finite=False)
    return solution, rank, values


def solve_full_rank(matrix, right):
    m, n = matrix.shape
    gels, size = lapack(("gels", "gels_lwork"), matrix.dtype)
    work, _ = size(m, n, right.shape[-1])
    padded = np.zeros((max(m, n), right.shape[-1]), right.dtype)
    padded[:m] = right
    _, solution, info = gels(matrix, padded, lwork=int(work.real))
    if info > 0:
        raise LinAlgError(
            "torch.linalg.lstsq: The least squares solution could not be computed because the input matrix does not have full rank "
            f"(error code: {info}); the drivers 'gelsy', 'gelsd' and 'gelss' take it."
        )
    return solution[:n]
