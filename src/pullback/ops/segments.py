"""``segment_reduce``: sums, means, products and extremes of consecutive segments along a dimension."""

from math import inf

from .checks import FLOATING, INTEGER
from .checks import dim as one_dim
from .table import composite, op

INITIAL = {"sum": 0, "mean": 0, "prod": 1, "max": -inf, "min": inf}  # what a reduction of nothing gives; a mean, NaN
NAMES = {"sum": "sum", "mean": "sum", "prod": "prod", "max": "amax", "min": "amin"}

segment_numbers = op(
    "segment_numbers(input, size, is_offsets, must_cover)",
    "For each of ``size`` places the number of its segment, from the segments' lengths (the last dim) or from where they begin and "
    "end; the number of segments for places in none. Where they ``must_cover`` all places, an error if they do not.",
    operands=("input",),
    batch="elementwise",
    samples=lambda t: [
        ((t.integers(0, 3, 2, 3), 7, False, False), {}),
        ((t.integers(0, 7, 4).sort()[0], 7, True, False), {}),
    ],
    function=False,
    method=False,
)


def prepare_segments(data, reduce, lengths, indices, offsets, axis, unsafe, initial):
    name = "segment_reduce()"
    if reduce not in INITIAL:
        raise RuntimeError(f"{name}: reduce argument must be either sum, prod, mean, max or min, got {reduce}")
    if indices is not None:
        raise RuntimeError(f"{name}: indices based reduction is not supported yet; pass lengths or offsets.")
    if lengths is None and offsets is None:
        raise RuntimeError(f"{name}: Either lengths or offsets must be defined.")
    if data.dtype.category != FLOATING:
        raise NotImplementedError(f'"segment_reduce" not implemented for {data.dtype}; expected a floating dtype')
    axis = one_dim("segment_reduce", axis, data.ndim)
    given = lengths if offsets is None else offsets
    if given.dtype.category != INTEGER:
        raise NotImplementedError(f'"segment_reduce" not implemented for lengths or offsets of {given.dtype}')
    if given.ndim != axis + 1 or not data.ndim:
        raise RuntimeError(
            f"{name}: Expected axis to be the last dimension of lengths or offsets but got {axis}, and their shape is "
            f"{list(given.shape)}"
        )
    if tuple(given.shape[:-1]) != tuple(data.shape[:axis]):
        raise RuntimeError(
            f"{name}: Expected lengths or offsets, of shape {list(given.shape)}, to begin with the dims of data, of shape "
            f"{list(data.shape)}"
        )
    return data, reduce, lengths, None, offsets, axis, bool(unsafe), initial


def reduced_segments(xp, data, reduce, lengths, indices, offsets, axis, unsafe, initial):
    shape = tuple(data.shape)
    given = lengths if offsets is None else offsets
    count, size = given.shape[-1] - (offsets is not None), shape[axis]
    numbers = xp.segment_numbers(given, size, offsets is not None, offsets is None and not unsafe)
    start = INITIAL[reduce] if initial is None or reduce in ("max", "min") else initial
    target = xp.full_like(xp.new_zeros(data, (*shape[:axis], count + 1, *shape[axis + 1 :])), start)
    index = xp.expand(xp.reshape(numbers, shape[: axis + 1] + (1,) * (len(shape) - axis - 1)), shape)
    is_extreme = reduce in ("max", "min")
    found = xp.scatter_reduce(target, axis, index, data, NAMES[reduce], include_self=not is_extreme)
    found = xp.slice(found, axis, 0, count, 1)
    if is_extreme and initial is not None:
        is_beyond = found < initial if reduce == "max" else found > initial
        return xp.where(is_beyond, initial, found)
    if reduce == "mean":
        ones = xp.scatter_reduce(xp.zeros_like(target), axis, index, xp.ones_like(data), "sum", include_self=True)
        many = xp.slice(ones, axis, 0, count, 1)
        return found / (many if initial is None else xp.where(many == 0, 1, many))
    return found


def segment_samples(t):
    lengths = t.integers(2, 3, 3)
    cases = [((t(6, 2), reduce), {"lengths": lengths}) for reduce in INITIAL]
    cases += [((t(6), reduce), {"lengths": lengths, "initial": 0.5}) for reduce in INITIAL]
    ends = t.integers(0, 1, 3).cumsum(0) + t.integers(0, 6, 3).sort()[0]
    return [
        *cases,
        ((t(2, 6, 2), "sum"), {"lengths": t.integers(3, 4, 2, 2), "axis": 1}),
        ((t(6, 2), "max"), {"offsets": ends}),
        ((t(6), "sum"), {"lengths": t.integers(1, 2, 3), "unsafe": True}),
    ]


composite(
    "segment_reduce(data, reduce, *, lengths=None, indices=None, offsets=None, axis=0, unsafe=False, initial=None)",
    "The sum, mean, prod, max or min of segments along a dimension, which have these ``lengths``, or begin and end at these "
    "``offsets``; ``initial`` takes part in each. Elements of 'max' and 'min' that tie share the gradient.",
    reduced_segments,
    operands=("data",),
    method=False,
    prepare=prepare_segments,
    node="SegmentReduceBackward0",
    samples=segment_samples,
    errors=lambda t: [
        ((t(3), "median"), {"lengths": t.integers(1, 2, 3)}, RuntimeError),
        ((t(3), "sum"), {}, RuntimeError),
        ((t(3), "sum"), {"lengths": t.integers(2, 3, 3)}, RuntimeError),
        ((t(3, 2), "sum"), {"lengths": t.integers(1, 2, 3), "axis": 1}, RuntimeError),
        ((t(3), "sum"), {"indices": t.integers(0, 1, 3)}, RuntimeError),
        ((t.integers(0, 5, 3), "sum"), {"lengths": t.integers(1, 2, 3)}, NotImplementedError),
    ],
)
