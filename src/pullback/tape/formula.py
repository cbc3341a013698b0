"""The vjp of an operation that is declared as a formula: record the formula on a tape of its own, and pull back.

The node of such an operation keeps its arguments only. In the backward pass the formula runs again, on fresh leaves
over the saved values (or, where the pass is itself recorded, on the tensors that hang on the graph), and the
cotangent is pulled through what that wrote down.
"""

from typing import Any

from ..interpreters import Value, values
from ..interpreters.dispatch import new_level
from ..ops.table import Op
from .modes import held_floor, modes, restore_floor
from .value import GRAD, Tensor, at_level


def pull_formula(op: Op, grad: Any, saved: tuple, need: Any) -> Any:
    """Gradients of a composite operation, aligned with its edges.

    Args:
        grad: the cotangent, or a list of them for several outputs; a value of whichever interpreter runs the pass.
        saved: all of the operation's arguments, as values.
        need: per edge, None where no gradient is wanted.
    """
    from .engine import pull_back

    with new_level() as level:
        before = held_floor()
        try:
            modes.floor = min(modes.floor, level)
            args, leaves = leaves_over(op, saved, need, level)
            outputs = op.composite(values, *args)  # type: ignore[misc]
        finally:
            restore_floor(before)
        several = isinstance(outputs, (tuple, list))
        pairs = [(o, g) for o, g in zip(outputs, grad, strict=True)] if several else [(outputs, grad)]
        pairs = [(o, g) for o, g in pairs if g is not None and getattr(o, "_level", 0) == level and o._flags & GRAD]
        wanted = [leaf for leaf in leaves if leaf is not None]
        pulled = iter(
            pull_back([o for o, _ in pairs], [g for _, g in pairs], wanted) if pairs else [None] * len(wanted)
        )
        gradients = [None if leaf is None else next(pulled) for leaf in leaves]
    return gradients if any_value(grad, saved) else [g._data if isinstance(g, Tensor) else g for g in gradients]


def any_value(grad: Any, saved: tuple) -> bool:
    """Whether the pass runs on values of an interpreter, and not on arrays alone."""
    flat = [*(grad if isinstance(grad, list) else [grad])]
    for s in saved:
        flat.extend(s if isinstance(s, (list, tuple)) else [s])
    return any(isinstance(v, Value) for v in flat)


def leaves_over(op: Op, saved: tuple, need: Any, level: int) -> tuple:
    """The arguments with a fresh leaf of ``level`` over each value whose gradient is wanted, and those leaves per edge."""
    args, leaves = list(saved), []
    wanted = iter(need)
    for name in op.diff:
        position = op.params.index(name)
        if name in op.lists:
            args[position] = [leaf_over(v, next(wanted), level) for v in saved[position]]
            leaves.extend(leaf if getattr(leaf, "_level", 0) == level else None for leaf in args[position])
        else:
            args[position] = leaf = leaf_over(saved[position], next(wanted), level)
            leaves.append(leaf if getattr(leaf, "_level", 0) == level else None)
    return args, leaves


def leaf_over(value: Any, wanted: Any, level: int) -> Any:
    if wanted is None or not hasattr(value, "dtype"):
        return value
    leaf = at_level(value, level)
    leaf._flags |= GRAD
    return leaf
