"""Searching: where values belong among sorted ones, and which of them are among others. Nothing here has a derivative."""

import math

from .batching import full_batch, loop
from .checks import BOOL, COMPLEX
from .steps import INTERNAL, need_tensors, perform
from .table import COMMON, TABLE, op, overload


def check_side(right, side):
    """Return whether positions are those behind equal elements."""
    if side not in (None, "left", "right"):
        raise RuntimeError(f"torch.searchsorted(): side can only be 'left' or 'right' but got {side}")
    if side == "left" and right:
        raise RuntimeError(
            "torch.searchsorted(): side and right can't be set to opposites, got side of left while right was True"
        )
    return bool(right) or side == "right"


def check_sorter(boundaries, sorter):
    if sorter.dtype.name != "int64":
        raise RuntimeError(
            f"torch.searchsorted(): sorter must be a tensor of long dtype but got dtype {sorter.dtype._word}"
        )
    if tuple(sorter.shape) != tuple(boundaries.shape):
        raise RuntimeError(
            "torch.searchsorted(): boundary and sorter must have the same size, but got boundary tensor "
            f"{list(boundaries.shape)} and sorter tensor {list(sorter.shape)}"
        )


def check_shapes(boundaries, input):
    """Raise RuntimeError unless the values' leading dimensions are those of the sequences."""
    shape, given = tuple(boundaries.shape), tuple(getattr(input, "shape", ()))
    if not shape:
        raise RuntimeError(
            "torch.searchsorted(): boundaries tensor should have positive dimension, but got 0 dimension"
        )
    if len(shape) > 1 and not given:
        raise RuntimeError(
            "torch.searchsorted(): input value can be a scalar only when boundaries tensor dimension is 1, but we got "
            f"boundaries of shape {list(shape)}"
        )
    if len(shape) > 1 and shape[:-1] != given[:-1]:
        raise RuntimeError(
            "torch.searchsorted(): boundaries tensor should be 1 dimension or the first N-1 dimensions of boundaries tensor "
            f"and input value tensor must match, but we got boundaries of shape {list(shape)} and values of {list(given)}"
        )


def batch_search(xp, op, args, batched, size):
    """One sequence serves values of any shape; batches of sequences need values in rows, one row a sequence."""
    sequence, input, *settings = args
    if not hasattr(input, "shape"):
        return loop(xp, op, args, batched, size)
    if not batched[0] and sequence.ndim == 1:
        return xp.call(op, args)
    sequence, input = full_batch(xp, sequence, batched[0], size), full_batch(xp, input, batched[1], size)
    rows = xp.reshape(input, (size, math.prod(input.shape[1:]))) if sequence.ndim == 2 else input
    return xp.reshape(xp.call(op, [sequence, rows, *settings]), tuple(input.shape))


search = op(
    "search(boundaries, input, out_int32, right)",
    "How many of the sorted elements along the last dimension are below each value, or, where ``right``, not above it.",
    operands=("boundaries", "input"),
    types=COMMON,
    batch=batch_search,
    samples=lambda t: [
        ((t(5).sort()[0], t(2, 3), False, False), {}),
        ((t(2, 5).sort()[0], t(2, 3), True, False), {}),
        ((t(5).sort()[0], t(), False, True), {}),
        ((t(5).sort()[0], 0.25, False, True), {}),
    ],
    **INTERNAL,
)


def find(sorted_sequence, input, out_int32, right, side, sorter):
    """The search, after the sequence has been put in order by ``sorter``."""
    need_tensors("searchsorted", sorted_sequence=sorted_sequence)
    right = check_side(right, side)
    check_shapes(sorted_sequence, input)
    if sorter is not None:
        check_sorter(sorted_sequence, sorter)
        sorted_sequence = perform(TABLE["gather"], sorted_sequence, sorted_sequence.ndim - 1, sorter)
    return search, (sorted_sequence, input, bool(out_int32), right)


overload(
    "searchsorted(sorted_sequence, input, *, out_int32=False, right=False, side=None, sorter=None)",
    "Where each value would be put into a sorted sequence, along the last dimension, in int64: before elements that equal "
    "it or, with ``right=True`` or ``side='right'``, behind them. ``sorter`` holds the order of a sequence that is not sorted.",
    find,
    method=False,
    out=True,
)


def check_boundaries(input, boundaries, out_int32, right):
    if boundaries.ndim != 1:
        raise RuntimeError(f"bucketize: boundaries tensor must be 1 dimension, but got dim({boundaries.ndim})")
    return input, boundaries, bool(out_int32), bool(right)


def batch_bucketize(xp, op, args, batched, size):
    input, boundaries, *settings = args
    return batch_search(xp, search, [boundaries, input, *settings], [batched[1], batched[0], False, False], size)


op(
    "bucketize(input, boundaries, *, out_int32=False, right=False)",
    "The number of the bucket that each element is in, between boundaries in increasing order; ``right=True`` puts an element "
    "that equals a boundary above it.",
    operands=("input", "boundaries"),
    types=COMMON,
    batch=batch_bucketize,
    method=False,
    out=True,
    prepare=check_boundaries,
    samples=lambda t: [
        ((t(2, 3), t(4).sort()[0]), {}),
        ((t.integers(0, 9, 6), t.integers(0, 9, 4).sort()[0]), {"right": True}),
        ((t(), t(4).sort()[0]), {"out_int32": True}),
        ((1, t.integers(0, 4, 6).sort()[0]), {}),
        ((t(0, 2), t(3)), {}),
        ((t(3), t(0)), {}),
    ],
    errors=lambda t: [((t(3), t(2, 2)), {}, RuntimeError)],
)


def check_isin(elements, test_elements, assume_unique, invert):
    for value in (elements, test_elements):
        if hasattr(value, "dtype") and value.dtype.category in (BOOL, COMPLEX):
            raise RuntimeError(f"Unsupported input type encountered for isin(): {value.dtype._word}")
    return elements, test_elements, assume_unique, bool(invert)


def batch_isin(xp, op, args, batched, size):
    """The same test elements for all, or a comparison of each pair."""
    elements, test, _, invert = args
    if not batched[1]:
        return xp.call(op, args)
    elements = xp.unsqueeze(elements, -1) if hasattr(elements, "shape") else elements
    ndim = getattr(elements, "ndim", 2) + (not batched[0] and hasattr(elements, "shape"))
    found = xp.any(xp.eq(elements, xp.reshape(test, (size, *[1] * (ndim - 2), -1))), -1)
    return xp.logical_not(found) if invert else found


op(
    "isin(elements, test_elements, *, assume_unique=False, invert=False)",
    "Whether each element is among the test elements; with ``invert=True``, whether it is not.",
    operands=("elements", "test_elements"),
    types=COMMON,
    method=False,
    prepare=check_isin,
    batch=batch_isin,
    samples=lambda t: [
        ((t.integers(0, 9, 2, 3), t.integers(0, 9, 4)), {}),
        ((t.integers(0, 9, 2, 3), t.integers(0, 9, 2, 2)), {"invert": True}),
        ((t.integers(0, 9), t.integers(0, 9, 3)), {}),
        ((t.integers(0, 3, 5), 1), {}),
        ((1, t.integers(0, 3, 5)), {}),
        ((t(2, 3), t(0)), {}),
    ],
    errors=lambda t: [((t.bools(3), t.bools(3)), {}, RuntimeError), ((t.complex(3), t(3)), {}, RuntimeError)],
)
