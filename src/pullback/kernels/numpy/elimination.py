"""LU and LDL decompositions, by LAPACK; one matrix of a batch after another, for SciPy has no other way."""

from math import prod

import numpy as np

from .registry import kernel
from .systems import element_of, lapack


def each_matrix(decompose, input, columns):
    """What a decomposition gives for each matrix: a matrix, ``columns`` numbers and an info, all in batches again."""
    batch = input.shape[:-2]
    result = np.array(input)
    pivots, infos = np.zeros((*batch, columns), np.int32), np.zeros(batch, np.int32)
    if input.size:
        for index in np.ndindex(*batch):
            result[index], pivots[index], infos[index] = decompose(input[index])
    return result, pivots, infos


# LU.


SMALL = 8  # rows and columns up to which many matrices are eliminated at once: 1,000 of 4×4 in a quarter of the time


def factors(A):
    """LU in one matrix, pivots counted from one, and which diagonal element is zero."""
    if not A.size:
        return each_matrix(None, A, min(A.shape[-2:]))
    if max(A.shape[-2:]) <= SMALL and prod(A.shape[:-2]) > 10 * min(A.shape[-2:]):
        return eliminated(A)
    (getrf,) = lapack(("getrf",), A.dtype)

    def decompose(matrix):
        LU, pivots, info = getrf(matrix)
        return LU, pivots + 1, info

    return each_matrix(decompose, A, min(A.shape[-2:]))


def eliminated(A):
    """As :func:`factors`, for many small matrices: each step of the elimination is taken in all of them."""
    LU, k = np.array(A), min(A.shape[-2:])
    pivots = np.empty((*A.shape[:-2], k), np.int32)
    for j in range(k):
        column = LU[..., j:, j]
        sizes = np.abs(column.real) + np.abs(column.imag) if A.dtype.kind == "c" else np.abs(column)  # as LAPACK's
        row = j + sizes.argmax(-1)
        pivots[..., j] = row + 1
        exchange_rows(LU, j, row[..., None, None])
        pivot = LU[..., j, j, None]
        LU[..., j + 1 :, j] /= np.where(pivot == 0, 1, pivot)
        LU[..., j + 1 :, j + 1 :] -= LU[..., j + 1 :, j, None] * LU[..., j, None, j + 1 :]
    zero = np.diagonal(LU, 0, -2, -1) == 0
    return LU, pivots, np.where(zero.any(-1), zero.argmax(-1) + 1, 0).astype(np.int32)


def exchange_rows(matrices, row, others):
    """Exchange one row of all matrices with another one of each."""
    taken = np.take_along_axis(matrices, others, -2)
    np.put_along_axis(matrices, others, matrices[..., row, None, :], -2)
    matrices[..., row, None, :] = taken


@kernel
def linalg_lu_factor_ex(A, pivot=True, check_errors=False):
    LU, pivots, info = factors(A)
    if check_errors and info.any():
        where, number = element_of(info)
        raise RuntimeError(
            f"torch.linalg.lu_factor: {where}U[{number},{number}] is zero and using it on lu_solve would result in a division by zero. "
            "If you still want to perform the factorization, consider calling linalg.lu(A, pivot) or linalg.lu_factor_ex(A, pivot)"
        )
    return LU, pivots, info


@kernel
def linalg_lu(A, pivot=True):
    LU, pivots, _ = factors(A)
    return permutation(pivots, A.shape[-2], A.dtype), *triangles(LU)


def triangles(LU):
    """The unit lower and the upper triangular factor."""
    k = min(LU.shape[-2:])
    L = np.tril(LU[..., :k], -1)
    L[..., range(k), range(k)] = 1
    return L, np.triu(LU[..., :k, :])


@kernel
def row_order(pivots, rows):
    if pivots.size and not (pivots.min() >= 1 and pivots.max() <= rows):
        raise RuntimeError(
            f"Pivots given to lu_solve must all be greater or equal to 1 and at most {rows}, the number of rows. Did you properly pass "
            "the result of lu_factor?"
        )
    order = np.empty((*pivots.shape[:-1], rows), np.int64)
    order[...] = np.arange(rows)
    for row in range(min(pivots.shape[-1], rows)):
        other = pivots[..., row, None].astype(np.int64) - 1
        exchanged = np.take_along_axis(order, other, -1)
        np.put_along_axis(order, other, order[..., row, None], -1)
        order[..., row, None] = exchanged
    return order


def permutation(pivots, rows, dtype):
    """The matrix that brings rows back from the order of their elimination."""
    order = row_order(pivots, rows)
    matrix = np.zeros((*order.shape, rows), dtype)
    np.put_along_axis(matrix, order[..., None, :], np.ones((), dtype), -2)
    return matrix


@kernel
def lu_unpack(LU_data, LU_pivots, unpack_data=True, unpack_pivots=True):
    nothing = np.zeros(0, LU_data.dtype)
    rows = LU_data.shape[-2]
    if unpack_pivots and LU_pivots.size and not (LU_pivots.min() >= 1 and LU_pivots.max() <= rows):
        raise RuntimeError(
            "pivots passed to lu_unpack must be between 1 and LU.size(-2) inclusive. Did you properly pass the result of lu_factor? "
            f"There are {rows} rows, and pivots from {LU_pivots.min()} to {LU_pivots.max()}"
        )
    P = permutation(LU_pivots, rows, LU_data.dtype) if unpack_pivots else nothing
    return P, *(triangles(LU_data) if unpack_data else (nothing, nothing))


# LDL.


@kernel
def linalg_ldl_factor_ex(input, hermitian=False, check_errors=False):
    LD, pivots, info = each_matrix(ldl(input, hermitian), input, input.shape[-1])
    if check_errors and info.any():
        where, number = element_of(info)
        raise RuntimeError(
            f"torch.linalg.ldl_factor: {where}D[{number},{number}] is zero, and so the matrix is singular: ldl_solve would divide by it. "
            "To perform the factorization anyway, call linalg.ldl_factor_ex"
        )
    return LD, pivots, info


def ldl(input, hermitian):
    if not input.size:
        return None
    name = "hetrf" if hermitian and input.dtype.kind == "c" else "sytrf"
    decompose, size = lapack((name, f"{name}_lwork"), input.dtype)
    work = int(size(input.shape[-1], lower=1)[0].real)
    return lambda matrix: decompose(np.tril(matrix), lwork=work, lower=1)


@kernel
def linalg_ldl_solve(LD, pivots, B, hermitian=False):
    batch = np.broadcast_shapes(LD.shape[:-2], B.shape[:-2])
    result = np.array(np.broadcast_to(B, (*batch, *B.shape[-2:])))
    if not result.size:
        return result
    (solve,) = lapack(("hetrs" if hermitian and LD.dtype.kind == "c" else "sytrs",), LD.dtype)
    LD, pivots = np.broadcast_to(LD, (*batch, *LD.shape[-2:])), np.broadcast_to(pivots, (*batch, pivots.shape[-1]))
    for index in np.ndindex(*batch):
        result[index] = solve(LD[index], pivots[index], result[index], lower=1)[0]
    return result
