"""Kernels of combinations and hashes."""

from itertools import chain, combinations, combinations_with_replacement

import numpy as np

from .registry import kernel


@kernel
def combination_indices(input, r, with_replacement):
    choose = combinations_with_replacement if with_replacement else combinations
    return np.fromiter(chain.from_iterable(choose(range(len(input)), r)), np.int64)


@kernel
def hash_tensor(input, dim=(), keepdim=False, mode=0):
    wide = input.astype(np.int64 if input.dtype.kind in "biu" else np.float64)
    return np.bitwise_xor.reduce(wide.view(np.uint64), axis=dim, keepdims=keepdim)
