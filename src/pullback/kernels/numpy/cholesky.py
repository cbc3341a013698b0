"""Cholesky's factor, by LAPACK."""

import numpy as np

from ...errors import LinAlgError
from .registry import kernel
from .systems import element_of, lapack, linalg_solve_triangular, matrices_of


def factor(input, upper):
    """The factors of matrices, and for each the order of its first leading minor that is not positive; zero where all are."""
    if input.dtype.char not in "fdFD":  # without elements
        return np.array(input), np.zeros(input.shape[:-2], np.int32)
    try:
        result = np.linalg.cholesky(input, upper=upper)
    except np.linalg.LinAlgError:
        return factor_each(input, upper)
    if np.isnan(np.diagonal(result, 0, -2, -1)).any():
        missing = np.isnan(np.diagonal(result, 0, -2, -1))
        return result, np.where(missing.any(-1), missing.argmax(-1) + 1, 0).astype(np.int32)
    return result, np.zeros(input.shape[:-2], np.int32)


def factor_each(input, upper):
    """As :func:`factor`, one matrix after another: LAPACK leaves off where a minor is not positive, and says where."""
    (potrf,) = lapack(("potrf",), input.dtype)
    found = [potrf(each, lower=not upper, clean=True) for each in matrices_of(input)]
    factors = np.stack([f for f, _ in found]).reshape(input.shape)
    return factors, np.array([info for _, info in found], np.int32).reshape(input.shape[:-2])


def not_positive(op_name, info):
    where, order = element_of(info)
    return LinAlgError(
        f"{op_name}: {where}The factorization could not be completed because the input is not positive-definite (the leading minor of "
        f"order {order} is not positive-definite)."
    )


def whole_factor(op_name, input, upper):
    result, info = factor(input, upper)
    if info.any():
        raise not_positive(op_name, info)
    return result


@kernel
def linalg_cholesky(input, upper=False):
    return whole_factor("linalg.cholesky", input, upper)


@kernel
def cholesky(input, upper=False):
    return whole_factor("cholesky", input, upper)


@kernel
def linalg_cholesky_ex(input, upper=False, check_errors=False):
    result, info = factor(input, upper)
    if check_errors and info.any():
        raise not_positive("linalg.cholesky_ex", info)
    return result, info


@kernel
def cholesky_solve(input, input2, upper=False):
    if not input.size:
        return np.zeros((*np.broadcast_shapes(input.shape[:-2], input2.shape[:-2]), *input.shape[-2:]), input.dtype)
    half = linalg_solve_triangular(adjoint(input2) if upper else input2, input, upper=False)
    return linalg_solve_triangular(input2 if upper else adjoint(input2), half, upper=True)


def adjoint(matrix):
    return np.conj(matrix.swapaxes(-1, -2))


@kernel
def cholesky_inverse(input, upper=False):
    result = np.array(input)
    (potri,) = lapack(("potri",), input.dtype) if input.size else (None,)
    for index in np.ndindex(*input.shape[:-2]) if input.size else ():
        triangle, info = potri(input[index], lower=not upper)
        if info > 0:
            where = f"(Batch element {np.ravel_multi_index(index, input.shape[:-2])}): " if index else ""
            raise LinAlgError(
                f"cholesky_inverse: {where}The diagonal element {info} is zero, the inversion could not be completed because the "
                "input matrix is singular."
            )
        result[index] = whole(np.triu(triangle) if upper else np.tril(triangle))
    return result


def whole(triangle):
    """The Hermitian matrix of which this is one triangle."""
    return triangle + np.conj(triangle.T) - np.diag(np.conj(np.diagonal(triangle)))
