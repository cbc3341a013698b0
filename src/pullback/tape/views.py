"""Views: tensors that share another's storage, and whose history follows it.

A base and its views share a :class:`Family`, whose ``epoch`` is the tick at which the base's history last changed.
A view remembers by which operations it is seen from the base, and the epoch its own history belongs to; when that
is not the family's, :func:`settle` replays those operations on the base as it is now.
"""

from typing import Any

from numpy import ndarray

from ..interpreters import values
from .modes import held_floor, modes, restore_floor
from .storage import owner
from .value import CARE, GRAD, Tensor, open_levels


class Family:
    """What a base and its views share."""

    __slots__ = ("epoch",)

    def __init__(self) -> None:
        self.epoch = 0


class View:
    """How a tensor is seen from its base: a chain of ``(op, args, output number)``, and when its history was made."""

    __slots__ = ("base", "chain", "creator", "epoch", "family", "recorded")

    def __init__(self, base: Tensor, chain: tuple, family: Family, recorded: bool) -> None:
        self.base, self.chain, self.family, self.epoch, self.recorded = base, chain, family, family.epoch, recorded
        self.creator: Any = None  # the custom Function that made it, and whose backward a replay would not know


def view_of(op: Any, args: Any, result: Tensor, nr: int, level: int) -> Tensor:
    """Mark a view operation's result as a view of its first argument (unless it had to copy)."""
    source = args[0]
    if not isinstance(source, Tensor) or source._level != level or result is source:
        return result
    if result._level != level and level:
        return result
    if type(result._data) is ndarray and owner(result._data) is not owner(source._data):
        return result
    return link(source, (op, tuple(args[1:]), nr), result)


def link(source: Tensor, step: tuple, result: Tensor) -> Tensor:
    parent = source._view
    base, chain = (source, ()) if parent is None else (parent.base, parent.chain)
    family = base._family
    if family is None:
        family = base._family = Family()
    recorded = modes.floor <= source._level and (parent is None or parent.recorded)
    result._view = View(base, (*chain, step), family, recorded)
    result._flags |= CARE
    if source._inference:
        result._inference = True
    return result


def settle(tensor: Tensor) -> int:
    """Bring a view's history up to date with its base; return the flags that fast paths go by."""
    view = tensor._view
    if view is not None and view.epoch != view.family.epoch:
        regenerate(tensor, view)
    is_plain = type(tensor._data) is ndarray and not tensor._inference and not tensor._level
    return tensor._flags & GRAD if is_plain else tensor._flags


def seen_at(out: Any, level: int) -> Any:
    """What a tensor of a level holds, its history up to date; anything else as it is."""
    if not isinstance(out, Tensor) or out._level != level:
        return out
    settle(out)
    if open_levels and level:
        from .forward import held_by

        return held_by(out)
    return out._data


def regenerate(tensor: Tensor, view: View) -> None:
    """Replay a view on its base as it is now."""
    if view.creator is not None:
        raise RuntimeError(custom_view(view.creator))
    epoch, before = view.family.epoch, held_floor()
    try:
        modes.floor = min(modes.floor, view.base._level)
        fresh = replay(view.base, view.chain)
    finally:
        restore_floor(before)
    tensor._data, tensor._fn, tensor._level = fresh._data, fresh._fn, fresh._level
    tensor._flags = fresh._flags | CARE
    if fresh._nr or tensor._nr:
        tensor._nr = fresh._nr
    view.epoch = epoch  # now, so that another thread does not take it for done


def custom_view(creator: str) -> str:
    return (
        f"Output 0 of {creator} is a view and its base or another view of its base has been modified inplace. This view was "
        "created inside a custom Function (or because an input was returned as-is), and a replay of the view would not know "
        "the Function's own backward, leading to incorrect gradients. clone() the output of the custom Function before its "
        "base is written, or write through that output itself."
    )


def replay(base: Any, chain: tuple) -> Any:
    """Apply a view's chain of operations to a value of any interpreter."""
    for op, rest, nr in chain:
        result = values.call(op, (base, *rest))
        base = result[nr] if isinstance(result, (tuple, list)) else result
    return base
