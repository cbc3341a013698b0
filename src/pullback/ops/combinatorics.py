"""Combinations of elements, indices of several dims, and hashes."""

from ..dtypes import int64
from .batching import shifted
from .checks import COMPLEX, INTEGER, flag, not_empty, reduced_dims
from .shape import integer
from .steps import INTERNAL, is_tensor, need_tensors
from .table import composite, op, overload

# -- combinations ------------------------------------------------------------------------------------------------------

combination_indices = op(
    "combination_indices(input, r, with_replacement)",
    "The indices of the ``r``-combinations of a vector's elements, one combination after another.",
    operands=("input",),
    batch=lambda xp, op, args, batched, size: xp.stack([xp.call(op, (args[0][0], *args[1:]))] * size, 0),
    samples=lambda t: [((t(4), 2, False), {}), ((t(3), 2, True), {})],
    **INTERNAL,
)


def prepare_combinations(input, r, with_replacement):
    if input.ndim != 1:
        raise RuntimeError(f"combinations: Expect a 1D vector, but got shape {list(input.shape)}")
    r = integer("combinations", "r", r)
    if r < 0:
        raise RuntimeError(f"combinations: Expect a non-negative number, but got {r}")
    return input, r, bool(with_replacement)


def combined(xp, input, r=2, with_replacement=False):
    if not r:
        return xp.new_zeros(input, (0,))
    indices = xp.combination_indices(input, r, with_replacement)
    return xp.reshape(xp.gather(input, 0, indices), (indices.shape[0] // r, r))


composite(
    "combinations(input, r=2, with_replacement=False)",
    "The combinations of ``r`` elements of a vector, one a row, in the order of ``itertools``.",
    combined,
    operands=("input",),
    method=False,
    prepare=prepare_combinations,
    node="StackBackward0",
    samples=lambda t: [((t(4),), {}), ((t(4), 3), {}), ((t(3), 2, True), {}), ((t(2), 3), {}), ((t(0),), {})],
    errors=lambda t: [((t(2, 2),), {}, RuntimeError), ((t(3), -1), {}, RuntimeError), ((t(3), 2.0), {}, TypeError)],
)

# -- indices -----------------------------------------------------------------------------------------------------------


def choose_unravel(indices, shape):
    need_tensors("unravel_index", indices=indices)
    if indices.dtype.category != INTEGER:
        raise TypeError(f"unravel_index: expected 'indices' to be integer dtype, but got {indices.dtype}")
    shape = (shape,) if hasattr(shape, "__index__") and not is_tensor(shape) else shape
    if not isinstance(shape, (tuple, list)):
        raise TypeError(f"unravel_index: expected 'shape' to be int or sequence of ints, but got {type(shape)}")
    for size in shape:
        if not hasattr(size, "__index__"):
            raise TypeError(f"unravel_index: expected 'shape' sequence to only contain ints, but got {type(size)}")
    if any(size < 0 for size in shape):
        raise ValueError(f"unravel_index: 'shape' cannot have negative values, but got {tuple(shape)}")
    rest, found = indices.to(int64), []
    for size in reversed(shape):
        found.append(rest % size)
        rest = rest // size
    return None, tuple(found[::-1])


overload(
    "unravel_index(indices, shape)",
    "The coordinates of flat indices in a tensor of this shape: a tuple with one tensor for each dim.",
    choose_unravel,
    method=False,
)

# -- hashes ------------------------------------------------------------------------------------------------------------


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
