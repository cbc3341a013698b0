"""Parts of matrices that the rules of factorisations are made of: diagonals, blocks, symmetric parts; and their batch rules.

All work on the last two dims of values of any interpreter.
"""

from .batching import full_batch, logical_ndim, pad_dims
from .products import adjoint


def stacked(xp, op, args, batched, size):
    """The batch rule of operations on matrices whose other dims are a batch as well: one more in front is no matter.

    An operand that is no batch is repeated; each gets as many dims as the one that has the most beyond its matrix.
    """
    return xp.call(
        op, [full_batch(xp, a, b, size) if hasattr(a, "ndim") else a for a, b in zip(args, batched, strict=True)]
    )


def broadcast_stacked(xp, op, args, batched, size):
    """As :func:`stacked`, for operands whose batches broadcast."""
    ndim = max(logical_ndim(a, b) for a, b in zip(args, batched, strict=True) if hasattr(a, "ndim"))
    return xp.call(op, [pad_dims(xp, a, ndim) if b is True else a for a, b in zip(args, batched, strict=True)])


def diagonal(xp, matrix):
    return xp.diagonal(matrix, 0, matrix.ndim - 2, matrix.ndim - 1)


def with_diagonal(xp, matrix, values):
    """The matrix with another diagonal, in the matrix's dtype; ``values`` may be one number."""
    if hasattr(values, "dtype"):
        values = xp.cast(values, matrix.dtype)
    return xp.diagonal_scatter(matrix, values, 0, matrix.ndim - 2, matrix.ndim - 1)


def identity(xp, matrix):
    """The identity, of a matrix's shape; a wide or tall one has ones on its diagonal."""
    return with_diagonal(xp, xp.zeros_like(matrix), 1)


def of_columns(xp, values):
    """One number per column, to multiply or divide a matrix's columns by."""
    return xp.unsqueeze(values, values.ndim - 1)


def of_rows(xp, values):
    """One number per row."""
    return xp.unsqueeze(values, values.ndim)


def first_columns(xp, matrix, count):
    return matrix if matrix.shape[-1] == count else xp.slice(matrix, matrix.ndim - 1, 0, count, 1)


def first_rows(xp, matrix, count):
    return matrix if matrix.shape[-2] == count else xp.slice(matrix, matrix.ndim - 2, 0, count, 1)


def other_columns(xp, matrix, count):
    """The columns after the first ``count``."""
    return xp.slice(matrix, matrix.ndim - 1, count, matrix.shape[-1], 1)


def other_rows(xp, matrix, count):
    return xp.slice(matrix, matrix.ndim - 2, count, matrix.shape[-2], 1)


def beside(xp, left, right):
    """Two matrices as one, side by side."""
    return xp.cat([left, right], left.ndim - 1)


def above(xp, upper, lower):
    """Two matrices as one, one above the other."""
    return xp.cat([upper, lower], upper.ndim - 2)


def wider(xp, matrix, columns):
    """The matrix with zeros beside it."""
    return matrix if matrix.shape[-1] == columns else xp.embed(matrix, matrix.ndim - 1, 0, 1, columns)


def taller(xp, matrix, rows):
    """The matrix with zeros below it."""
    return matrix if matrix.shape[-2] == rows else xp.embed(matrix, matrix.ndim - 2, 0, 1, rows)


def symmetric(xp, matrix):
    """Twice the Hermitian part."""
    return matrix + adjoint(xp, matrix)


def skew(xp, matrix):
    """Twice the skew-Hermitian part."""
    return matrix - adjoint(xp, matrix)


def plus(one, other):
    """The sum of what there is."""
    if one is None or other is None:
        return other if one is None else one
    return one + other
