"""Systems of linear equations and inverses, by LAPACK."""

from functools import cache
from math import prod
from typing import Any

import numpy as np

from ...errors import LinAlgError
from .products import in_float32
from .registry import kernel


@cache
def lapack(names: tuple[str, ...], dtype: np.dtype) -> Any:
    """LAPACK's functions for a dtype."""
    from scipy.linalg import get_lapack_funcs

    return get_lapack_funcs(names, dtype=dtype)


@kernel
@in_float32
def solve_square(input: np.ndarray, other: np.ndarray) -> np.ndarray:
    try:
        return solved(input, other)
    except np.linalg.LinAlgError:
        raise singular_system(zero_pivots(input)) from None


def solved(matrix: np.ndarray, right: np.ndarray) -> np.ndarray:
    """The solution; where one matrix has many right sides, these stand side by side, and it is factorised once."""
    if not right.size or not matrix.size:
        return np.zeros((*np.broadcast_shapes(matrix.shape[:-2], right.shape[:-2]), *right.shape[-2:]), right.dtype)
    if matrix.ndim > 2 or right.ndim < 3:
        return np.linalg.solve(matrix, right)
    n, k = right.shape[-2:]
    columns = np.moveaxis(right, -2, 0)
    return np.moveaxis(
        np.linalg.solve(matrix, columns.reshape(n, prod(right.shape[:-2]) * k)).reshape(columns.shape), 0, -2
    )


def matrices_of(array: np.ndarray) -> np.ndarray:
    """A batch of matrices, in one batch dimension."""
    return array.reshape((prod(array.shape[:-2]), *array.shape[-2:]))


def zero_pivots(matrix: np.ndarray) -> np.ndarray:
    """For each matrix, which pivot of its LU decomposition is zero, from 1 on; 0 for those that have an inverse."""
    (factor,) = lapack(("getrf",), matrix.dtype)
    found = [factor(each)[2] if each.size else 0 for each in matrices_of(matrix)]
    return np.array(found, np.int32).reshape(matrix.shape[:-2])


def element_of(pivots: np.ndarray) -> tuple[str, int]:
    """The words for the first singular matrix of a batch, and which of its pivots is zero."""
    first = int(np.flatnonzero(pivots)[0]) if pivots.any() else 0
    return f"(Batch element {first}): " if pivots.ndim else "", int(pivots.reshape(-1)[first])


def singular_system(pivots: np.ndarray) -> LinAlgError:
    where, _ = element_of(pivots)
    return LinAlgError(f"linalg.solve: {where}The solver failed because the input matrix is singular.")


def singular_inverse(pivots: np.ndarray) -> LinAlgError:
    where, pivot = element_of(pivots)
    return LinAlgError(
        f"linalg.inv: {where}The diagonal element {pivot} is zero, the inversion could not be completed because the input "
        "matrix is singular."
    )


def solved_anyway(matrix: np.ndarray, right: np.ndarray) -> np.ndarray:
    """As :func:`solved`, with infinities and NaN where a matrix is singular."""
    factor, substitute = lapack(("getrf", "getrs"), matrix.dtype)
    batch = np.broadcast_shapes(matrix.shape[:-2], right.shape[:-2])
    pairs = [matrices_of(np.broadcast_to(x, (*batch, *x.shape[-2:]))) for x in (matrix, right)]
    found = [substitute(*factor(a)[:2], b)[0] for a, b in zip(*pairs, strict=True)]
    return np.array(found, right.dtype).reshape((*batch, *right.shape[-2:]))


def without_info(matrix: np.ndarray) -> np.ndarray:
    return np.zeros(matrix.shape[:-2], np.int32)


@kernel
def linalg_solve_ex(A: np.ndarray, B: np.ndarray, left: bool = True, check_errors: bool = False) -> tuple:
    vector = B.ndim == 1 or B.shape == A.shape[:-1]
    if not left:
        result, info = linalg_solve_ex(A.swapaxes(-1, -2), B.swapaxes(-1, -2), True, check_errors)
        return result.swapaxes(-1, -2), info
    right = B[..., None] if vector else B
    try:
        result, info = solved(A, right), without_info(A)
    except np.linalg.LinAlgError:
        info = zero_pivots(A)
        if check_errors:
            raise singular_system(info) from None
        result = solved_anyway(A, right)
    return result[..., 0] if vector else result, info


@kernel
def linalg_inv_ex(A: np.ndarray, check_errors: bool = False) -> tuple:
    try:
        return np.linalg.inv(A), without_info(A)
    except np.linalg.LinAlgError:
        info = zero_pivots(A)
        if check_errors:
            raise singular_inverse(info) from None
        return solved_anyway(A, np.eye(A.shape[-1], dtype=A.dtype)), info


@kernel
def linalg_solve_triangular(
    A: np.ndarray, B: np.ndarray, upper: bool, left: bool = True, unitriangular: bool = False
) -> np.ndarray:
    if not left:
        solved = linalg_solve_triangular(A.swapaxes(-1, -2), B.swapaxes(-1, -2), not upper, True, unitriangular)
        return solved.swapaxes(-1, -2)
    batch = np.broadcast_shapes(A.shape[:-2], B.shape[:-2])
    n, k = B.shape[-2:]
    if not n * k * prod(batch):
        return np.zeros((*batch, n, k), B.dtype)
    if A.ndim == 2 and batch:  # one matrix: all right sides stand side by side
        columns = np.moveaxis(B, -2, 0)
        solved = one_triangular(A, columns.reshape(n, -1), upper, unitriangular)
        return np.moveaxis(solved.reshape(columns.shape), 0, -2)
    if prod(batch) > n:
        return substituted(A, np.broadcast_to(B, (*batch, n, k)), upper, unitriangular)
    pairs = [matrices_of(np.broadcast_to(x, (*batch, *x.shape[-2:]))) for x in (A, B)]
    found = [one_triangular(a, b, upper, unitriangular) for a, b in zip(*pairs, strict=True)]
    return np.array(found).reshape((*batch, n, k))


def one_triangular(A: np.ndarray, B: np.ndarray, upper: bool, unitriangular: bool) -> np.ndarray:
    from scipy.linalg import get_blas_funcs

    (solve,) = get_blas_funcs(("trsm",), (A, B))
    return solve(1.0, A, B, lower=not upper, diag=unitriangular)


def substituted(A: np.ndarray, B: np.ndarray, upper: bool, unitriangular: bool) -> np.ndarray:
    """Back or forward substitution, row by row, on all matrices of a large batch at once."""
    n, X = A.shape[-1], B.copy()
    for i in reversed(range(n)) if upper else range(n):
        known = slice(i + 1, n) if upper else slice(0, i)
        X[..., i, :] -= np.matmul(A[..., i, None, known], X[..., known, :])[..., 0, :]
        if not unitriangular:
            X[..., i, :] /= A[..., i, i, None]
    return X
