"""NumPy kernels of positions."""

from itertools import chain, combinations, combinations_with_replacement

import numpy as np

from .indexing import nonzero
from .registry import kernel


@kernel
def combination_places(n, r, with_replacement):
    rows = (combinations_with_replacement if with_replacement else combinations)(range(n), r)
    return np.fromiter(chain.from_iterable(rows), np.int64)


@kernel
def nonzero_static(input, size, fill_value=-1):
    found = nonzero(input)[:size]
    out = np.full((size, found.shape[1]), fill_value, np.int64)
    out[: len(found)] = found
    return out
