"""QR decompositions, by LAPACK."""

import numpy as np

from .registry import kernel


def in_lapacks_dtype(decompose, input):
    """Several results of a decomposition, which has matrices without elements in every dtype."""
    if input.dtype.char in "fdFD":
        return tuple(decompose(input))
    return tuple([part.astype(input.dtype) for part in decompose(input.astype(np.float32))])


@kernel
def linalg_qr(A, mode="reduced"):
    if mode == "r":
        return np.zeros(0, A.dtype), in_lapacks_dtype(lambda a: (np.linalg.qr(a, "r"),), A)[0]
    return in_lapacks_dtype(lambda a: np.linalg.qr(a, mode), A)


@kernel
def geqrf(input):
    reflectors, tau = in_lapacks_dtype(lambda a: np.linalg.qr(a, "raw"), input)
    return np.ascontiguousarray(reflectors.swapaxes(-1, -2)), tau
