"""Determinants and cofactors."""

import numpy as np

from .products import is_half
from .registry import kernel


@kernel
def linalg_det(A):
    if is_half(A.dtype):  # none but empty ones
        return linalg_det(A.astype(np.float32)).astype(A.dtype)
    return np.linalg.det(A)


@kernel
def linalg_slogdet(A):
    return tuple(np.linalg.slogdet(A))


def adjoint(matrix):
    return matrix.swapaxes(-1, -2).conj()


WELL = 1e3  # condition numbers up to which cofactors lose no more than three digits by way of the inverse


@kernel
def cofactors(input):
    if not input.size:
        return np.zeros_like(input)
    with np.errstate(all="ignore"):
        try:
            inverse, determinant = np.linalg.inv(input), np.linalg.det(input)
        except np.linalg.LinAlgError:
            return singular_cofactors(input)
        condition = np.linalg.norm(input, axis=(-2, -1)) * np.linalg.norm(inverse, axis=(-2, -1))
        result = determinant[..., None, None] * inverse.swapaxes(-1, -2)
    bad = ~(condition < WELL)
    if bad.any():
        result[bad] = singular_cofactors(input[bad])
    return result


def singular_cofactors(input):
    """By the singular value decomposition: the cofactors of a diagonal matrix are the products of its other elements."""
    U, s, Vh, phase = decomposed(input)
    return phase * ((U * others(s)[..., None, :]) @ Vh).conj()


def decomposed(input):
    """The singular value decomposition, and the conjugate of the determinant that its unitary factors have."""
    U, s, Vh = np.linalg.svd(input)
    phase = (np.linalg.det(U) * np.linalg.det(Vh))[..., None, None]
    return U, s, Vh, phase


def others(s):
    """For each singular value, the product of the others."""
    n = s.shape[-1]
    return np.prod(np.where(np.eye(n, dtype=bool), 1, s[..., None, :]), axis=-1).astype(s.dtype)


@kernel
def cofactor_slope(input, direction):
    if not input.size:
        return np.zeros_like(input)
    U, s, Vh, phase = decomposed(input)
    moved = adjoint(U) @ direction @ adjoint(Vh)
    rest = others_but_two(s)
    diagonal = np.einsum("...ij,...jj->...i", rest, moved)
    slope = -rest * moved.swapaxes(-1, -2)
    n = np.arange(s.shape[-1])
    slope[..., n, n] = diagonal
    return phase * (U.conj() @ slope @ Vh.conj())


def others_but_two(s):
    """For each two singular values, the product of the others; zero on the diagonal."""
    n = s.shape[-1]
    product = np.broadcast_to(1 - np.eye(n, dtype=s.dtype), (*s.shape, n)).copy()
    for k in range(n):
        factor = np.broadcast_to(s[..., k, None, None], product.shape).copy()
        factor[..., k, :] = factor[..., :, k] = 1
        product *= factor
    return product
