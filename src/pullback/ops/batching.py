"""Batch rules that many operations share.

A batch rule ``rule(xp, op, args, batched, size)`` gets the arguments with the batch dimension first where ``batched``
says so, and returns the result (or a tuple of results) with its batch dimension first. ``xp.call(op, args)`` runs an
operation on whatever the values are.
"""

from collections.abc import Callable
from typing import Any

from .table import Op


def rule_of(op: Op) -> Callable:
    if op.batch == "elementwise":
        return elementwise
    return op.batch or loop


def elementwise(xp: Any, op: Op, args: list, batched: list, size: int) -> Any:
    """Operands are aligned at the right by ones after the batch dimension; NumPy broadcasts the rest."""
    ndim = max(logical_ndim(a, b) for a, b in zip(args, batched, strict=True))
    return xp.call(op, [pad_dims(xp, a, ndim) if b is True else a for a, b in zip(args, batched, strict=True)])


def logical_ndim(value: Any, is_batched: Any) -> int:
    """A value's number of dimensions as the operation sees it."""
    return getattr(value, "ndim", 0) - (is_batched is True)


def pad_dims(xp: Any, value: Any, ndim: int) -> Any:
    """Insert ones after the batch dimension until ``ndim`` logical dimensions are there."""
    missing = ndim - (value.ndim - 1)
    if missing <= 0:
        return value
    shape = tuple(value.shape)
    return xp.reshape(value, (shape[0], *[1] * missing, *shape[1:]))


def full_batch(xp: Any, value: Any, is_batched: bool, size: int) -> Any:
    """The value with a batch dimension, expanded where it had none."""
    if is_batched or not hasattr(value, "shape"):
        return value
    return xp.expand(xp.unsqueeze(value, 0), (size, *value.shape))


def shifted(*dims: str, whole: bool = False) -> Callable:
    """A rule for operations whose parameters ``dims`` name dimensions of their operands.

    All operands get a batch dimension; dims that count from the front move one on, dims from the back stay. Where
    ``whole``, a dim of ``None`` means all dimensions, and becomes all but the batch.
    """

    def rule(xp: Any, op: Op, args: list, batched: list, size: int) -> Any:
        ndim = first_ndim(args, batched)
        args = [full_operand(xp, p, op, a, b, size) for p, a, b in zip(op.params, args, batched, strict=True)]
        for name in dims:
            position = op.params.index(name)
            args[position] = shift(args[position], ndim, whole)
        if ndim == 0:
            return per_scalar(xp, op, args, dims)
        return xp.call(op, args)

    return rule


def first_ndim(args: list, batched: list) -> int:
    """Logical dimensions of the first operand."""
    value, flag = args[0], batched[0]
    return logical_ndim(value[0], flag[0]) if isinstance(value, (list, tuple)) else logical_ndim(value, flag)


def full_operand(xp: Any, name: str, op: Op, value: Any, flag: Any, size: int) -> Any:
    if isinstance(flag, list):
        return type(value)([full_batch(xp, v, f, size) for v, f in zip(value, flag, strict=True)])
    return full_batch(xp, value, flag, size) if name in op.diff or flag or hasattr(value, "ndim") else value


def shift(dim: Any, ndim: int, whole: bool) -> Any:
    if dim is None:
        return tuple(range(1, ndim + 1)) if whole else None
    if isinstance(dim, (tuple, list)):
        if not dim and whole:
            return tuple(range(1, ndim + 1))
        return tuple(shift(d, ndim, whole) for d in dim)
    return dim + 1 if dim >= 0 else dim


def per_scalar(xp: Any, op: Op, args: list, dims: tuple[str, ...]) -> Any:
    """A batch of zero-dim operands: give them one dimension for the operation to work on, and take it away again."""
    args = [xp.unsqueeze(a, 1) if getattr(a, "ndim", 0) == 1 else a for a in args]
    for name in dims:
        position = op.params.index(name)
        args[position] = (1,) if isinstance(args[position], tuple) else 1
    result = xp.call(op, args)
    if isinstance(result, tuple):
        return tuple(unpadded(xp, r) for r in result)
    return unpadded(xp, result)


def unpadded(xp: Any, value: Any) -> Any:
    return xp.reshape(value, (value.shape[0],)) if value.ndim == 2 else value


def loop(xp: Any, op: Op, args: list, batched: list, size: int) -> Any:
    """The rule that is always right: run the operation once for each element of the batch, and stack the results."""
    results = [xp.call(op, [pick(a, b, i) for a, b in zip(args, batched, strict=True)]) for i in range(size)]
    if isinstance(results[0], tuple):
        return tuple(xp.stack(list(each), 0) for each in zip(*results, strict=True))
    return xp.stack(results, 0)


def pick(value: Any, flag: Any, i: int) -> Any:
    if isinstance(flag, list):
        return type(value)([v[i] if f else v for v, f in zip(value, flag, strict=True)])
    return value[i] if flag else value
