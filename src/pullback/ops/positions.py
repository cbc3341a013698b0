"""Positions: of all combinations of some elements, of a fixed number of nonzeros, and of flat indices in a shape."""

from math import comb, prod

from ..dtypes import int64
from . import checks
from .shape import INTERNAL, form, integer, sizes
from .table import composite, op

# -- combinations ------------------------------------------------------------------------------------------------------

combination_places = op(
    "combination_places(n, r, with_replacement)",
    "The positions of all combinations of ``r`` of ``n`` elements, one after another, in the order of the alphabet.",
    operands=("n",),
    **INTERNAL,
)


def rows_of_combinations(xp, input, r, with_replacement):
    n = input.shape[0]
    count = comb(n + r - 1, r) if with_replacement and n else comb(n, r)
    places = xp.combination_places(n, r, with_replacement)
    return xp.reshape(xp.index_select(input, 0, places), (count, r))


def prepare_combinations(input, r, with_replacement):
    if input.ndim != 1:
        raise RuntimeError(f"combinations: Expect a 1D vector, but got shape {list(input.shape)}")
    if integer("combinations", "r", r) < 0:
        raise RuntimeError(f"combinations: Expect a non-negative number, but got {r}")
    return input, r, bool(with_replacement)


combination_rows = composite(
    "combination_rows(input, r, with_replacement)",
    "All combinations of ``r`` elements of a vector, one a row.",
    rows_of_combinations,
    node="StackBackward0",
    operands=("input",),
    samples=lambda t: [((t(4), 2, False), {}), ((t(3), 3, True), {}), ((t(2), 3, False), {}), ((t(3), 1, False), {})],
    **INTERNAL,
)
no_combination = composite(
    "no_combination(input)",
    "The one combination of no elements: no numbers.",
    lambda xp, input: xp.new_zeros(input, (0,)),
    samples=lambda t: [((t(3),), {})],
    **INTERNAL,
)


def choose_combinations(input, r=2, with_replacement=False):
    checked = prepare_combinations(input, r, with_replacement)
    return (combination_rows, checked) if r else (no_combination, (input,))


form(
    "combinations(input, r=2, with_replacement=False)",
    "All combinations of ``r`` elements of a vector, one a row, in the order of nested loops.",
    choose_combinations,
    method=False,
)


# -- nonzeros ----------------------------------------------------------------------------------------------------------


def prepare_nonzero_static(input, size, fill_value):
    if integer("nonzero_static", "size", size) < 0:
        raise RuntimeError(f"nonzero_static: 'size' must be an non-negative integer, but got {size}")
    return input, size, integer("nonzero_static", "fill_value", fill_value)


def batch_nonzero_static(xp, op, args, batched, count):
    """The positions of nonzeros come first in a stable order of the others behind them."""
    input, size, fill_value = args
    shape = tuple(input.shape)[1:]
    length = min(size, prod(shape))
    is_taken = xp.reshape(xp.ne(input, 0), (count, prod(shape)))
    order = xp.slice(xp.argsort(xp.logical_not(is_taken), 1, False, stable=True), 1, 0, length, 1)
    steps = [prod(shape[d + 1 :]) for d in range(len(shape))]
    found = [xp.remainder(xp.floor_divide(order, step), n) for step, n in zip(steps, shape, strict=True) if n]
    rows = xp.stack(found, 2) if len(found) == len(shape) > 0 else xp.new_zeros(order, (count, length, len(shape)))
    is_filled = xp.lt(xp.arange(length), xp.sum(is_taken, 1, True))
    rows = xp.where(xp.unsqueeze(is_filled, 2), rows, fill_value)
    return xp.constant_pad_nd(rows, (0, 0, 0, size - length), fill_value)


nonzero_static = op(
    "nonzero_static(input, *, size, fill_value=-1)",
    "The positions of the first ``size`` elements that are not zero, one a row; rows that are left over hold "
    "``fill_value``.",
    batch=batch_nonzero_static,
    operands=("input",),
    prepare=prepare_nonzero_static,
    out=True,
    samples=lambda t: [
        ((t.integers(0, 2, 2, 3),), {"size": 2}),
        ((t.integers(0, 2, 4),), {"size": 5, "fill_value": 7}),
        ((t.integers(1, 2),), {"size": 2}),
        ((t.integers(0, 2, 0, 3),), {"size": 1}),
    ],
    errors=lambda t: [((t(3),), {"size": -1}, RuntimeError)],
)


# -- flat indices ------------------------------------------------------------------------------------------------------


def unravelled(indices, shape):
    """The position of each flat index along each dimension."""
    if indices.dtype.category != checks.INTEGER:
        raise TypeError(f"expected 'indices' to be integer dtype, but got {indices.dtype}")
    shape = sizes("unravel_index", "shape", (shape,) if isinstance(shape, int) else shape)
    if any(n < 0 for n in shape):
        raise ValueError(f"'shape' cannot have negative values, but got {shape}")
    steps = [prod(shape[d + 1 :]) for d in range(len(shape))]
    indices = indices.to(int64)
    return None, tuple([indices // step % n for step, n in zip(steps, shape, strict=True)])


form(
    "unravel_index(indices, shape)",
    "A tuple of the positions along each dimension of ``shape`` of indices into its elements in order.",
    unravelled,
    method=False,
)
