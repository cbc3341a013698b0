"""Hashes of tensors."""

from .batching import shifted
from .checks import COMPLEX, flag, not_empty, reduced_dims
from .table import op


def prepare_hash(input, dim, keepdim, mode):
    flag("hash_tensor", "keepdim", keepdim)
    if mode != 0:
        raise RuntimeError(f"hash_tensor: Unknown hash_tensor mode: {mode}; the only one is 0, by exclusive or")
    if input.dtype.category == COMPLEX:
        raise NotImplementedError(f'"hash_tensor" not implemented for {input.dtype}')
    dim = reduced_dims("hash_tensor", dim, input.ndim)
    not_empty("hash_tensor", tuple(input.shape), dim)
    return input, dim, keepdim, mode


op(
    "hash_tensor(input, dim=(), *, keepdim=False, mode=0)",
    "A hash of the elements over ``dim``, or of all: the exclusive or of their bits as float64 or int64, as uint64.",
    batch=shifted("dim", whole=True),
    prepare=prepare_hash,
    out=True,
    samples=lambda t: [
        ((t(2, 3),), {}),
        ((t(2, 3), 1), {"keepdim": True}),
        ((t.integers(-9, 9, 2, 3, 2), (0, -1)), {}),
        ((t.bools(3),), {}),
        ((t(),), {}),
    ],
    errors=lambda t: [
        ((t(3),), {"mode": 1}, RuntimeError),
        ((t(0),), {}, RuntimeError),
        ((t(0, 3), 0), {}, IndexError),
        ((t.complex(3),), {}, NotImplementedError),
    ],
)
