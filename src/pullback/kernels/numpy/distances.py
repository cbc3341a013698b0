"""Distances of all pairs of points."""

from functools import cache
from math import inf, prod

import numpy as np

from .norms import norm_of
from .registry import kernel
from .systems import matrices_of

FEW = 100_000  # differences up to which they are all made at once; beyond, SciPy makes none of them


@cache
def scipy_cdist():
    from scipy.spatial.distance import cdist

    return cdist


@kernel
def cdist(x1, x2, p=2.0, compute_mode=None):
    batch = np.broadcast_shapes(x1.shape[:-2], x2.shape[:-2])
    (n, k), m = x1.shape[-2:], x2.shape[-2]
    if prod(batch) * n * m * k <= FEW:
        return norm_of(x1[..., :, None, :] - x2[..., None, :, :], p, -1, False)
    pairs = [matrices_of(np.broadcast_to(x, (*batch, *x.shape[-2:]))) for x in (x1, x2)]
    found = [distances(a, b, p) for a, b in zip(*pairs, strict=True)]
    return np.array(found, x1.dtype).reshape((*batch, n, m))


def distances(a, b, p):
    """The distances of order ``p`` of the rows of two matrices."""
    if p == 0:
        return scipy_cdist()(a, b, "hamming") * a.shape[-1]
    if p == inf:
        return scipy_cdist()(a, b, "chebyshev")
    return scipy_cdist()(a, b, "euclidean") if p == 2 else scipy_cdist()(a, b, "minkowski", p=p)


@kernel
def upper_pairs(n):
    return np.stack(np.triu_indices(n, 1))
