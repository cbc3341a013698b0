"""Views: tensors that share another's storage, and whose history follows it.

A base and its views share a :class:`Family`, whose ``epoch`` is the tick at which the base was last written. A view
remembers by which operations it is seen from the base, and the epoch its own history belongs to; when that is not the
family's, :func:`settle` replays those operations on the base as it is now.

A view of a tensor that requires grad, made where nothing is recorded, says that it requires grad and leads nowhere, as
in PyTorch: its node is a :class:`Nowhere`.
"""

import weakref
from typing import Any

from numpy import ndarray

from ..clock import tick
from ..interpreters import values
from ..ops.table import Op
from .graph import Node
from .modes import held_floor, modes, restore_floor
from .storage import owner
from .value import CARE, GRAD, Tensor, open_levels


class Family:
    """What a base and its views share.

    ``epoch`` is the tick at which the base was last written, or changed whether it requires grad; ``written`` only
    the former. ``heir`` is a tensor that took the base's place, with a family of its own.
    """

    __slots__ = ("epoch", "heir", "written")
    heir: Any

    def __init__(self) -> None:
        self.epoch, self.written, self.heir = 0, 0, None

    def note_write(self, view: "View | None" = None) -> None:
        self.epoch = self.written = tick()
        if view is not None:
            view.written = self.written


class View:
    """How a tensor is seen from its base: a chain of ``(op, args, output number)``, and when its history was made.

    ``recorded`` says whether its history may follow the base's: not where the view was made under ``no_grad``.
    """

    __slots__ = ("base", "chain", "creator", "epoch", "family", "in_place", "recorded", "written")

    def __init__(self, base: Tensor, chain: tuple, family: Family, recorded: bool) -> None:
        self.base, self.chain, self.family, self.epoch, self.recorded = base, chain, family, family.epoch, recorded
        self.written = 0  # when it was last written through this view
        self.in_place = False  # the tensor was its own base until a form like `t_` changed it
        self.creator: Any = None  # the custom Function that made it, and whose backward a replay would not know


class Nowhere(Node):
    """Where a gradient is dropped: the node of a view of a tensor that requires grad, if nothing recorded the view."""

    __slots__ = ()
    op = Op("nowhere(input)", "The input.")
    is_hidden = True
    pull = staticmethod(lambda xp, grad, saved, need: ())
    pull_complex = pull

    def __init__(self) -> None:
        self.next, self.saved, self.fix, self.tick, self.code, self.lasti = (), (), None, tick(), None, 0


class DeadEnd(Nowhere):
    """The same for a view whose history ended when its base was detached in place."""

    __slots__ = ()
    is_hidden = False


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
    if result._fn is None and base._flags & GRAD:
        lead_nowhere(result)
    return result


def lead_nowhere(view: Tensor) -> None:
    view._fn, view._nr = Nowhere(), 0
    view._flags |= GRAD


def settle(tensor: Tensor) -> int:
    """Bring a view's history up to date with its base; return the flags that fast paths go by."""
    view = tensor._view
    if view is not None and view.epoch != view.family.epoch:
        follow(tensor, view, modes.floor <= tensor._level)
    is_plain = type(tensor._data) is ndarray and not tensor._inference and not tensor._level
    return tensor._flags & GRAD if is_plain else tensor._flags


def renew(tensor: Tensor) -> Any:
    """Bring a view's history up to date, also where nothing is recorded; return its node."""
    view = tensor._view
    if view is not None and view.epoch != view.family.epoch:
        follow(tensor, view, True)
    return tensor._fn


def seen_at(out: Any, level: int) -> Any:
    """What a tensor of a level holds, its history up to date; anything else as it is."""
    if not isinstance(out, Tensor) or out._level != level:
        return out
    settle(out)
    if open_levels and level:
        from .forward import held_by

        return held_by(out)
    return out._data


def follow(tensor: Tensor, view: View, is_asked: bool) -> None:
    """Give a view the history that it has by its base as that is now; if ``is_asked``, for else it can wait.

    Raises RuntimeError where PyTorch does: the view was made under ``no_grad``, the base written since, and the view
    is now used where operations are recorded.
    """
    while view.family.heir is not None:
        view.base = view.family.heir
        view.family = view.base._family
    if view.base._level or type(tensor._data) is not ndarray:
        regenerate(tensor, view)
        return
    is_wanted, is_written = bool(view.base._flags & GRAD), view.epoch < view.family.written
    is_aimless = tensor._fn is None or type(tensor._fn) is Nowhere
    if not is_written or (is_aimless and not is_wanted):
        if is_aimless:
            show_wish(tensor, is_wanted)
        if not is_written:
            view.epoch = view.family.epoch
    elif is_asked and (view.recorded or view.creator is not None):
        regenerate(tensor, view)
    elif is_asked:
        raise RuntimeError(
            "A view was created in no_grad mode and its base or another view of its base has been modified inplace with "
            "grad mode enabled. Create the view and write in the same mode, or detach() the view."
        )


def show_wish(view: Tensor, is_wanted: bool) -> None:
    """Let a view without a history require grad where its base does."""
    if is_wanted and not view._flags & GRAD:
        lead_nowhere(view)
    elif not is_wanted and view._fn is not None:
        view._fn, view._flags = None, view._flags & ~GRAD


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
    release(tensor)
    if fresh._fn is None and tensor._fn is not None:  # the base was detached since
        fresh._fn, fresh._flags = DeadEnd(), fresh._flags | GRAD
    if type(fresh._data) is not ndarray or type(tensor._data) is not ndarray:
        tensor._data = fresh._data
    tensor._fn, tensor._level = fresh._fn, fresh._level
    tensor._flags = fresh._flags | CARE
    if fresh._nr or tensor._nr:
        tensor._nr = fresh._nr
    if tensor._retains and tensor._fn is not None:
        retain(tensor)
    view.epoch = epoch  # now, so that another thread does not take it for done


def custom_view(creator: str) -> str:
    return (
        f"Output 0 of {creator} is a view and its base or another view of its base has been modified inplace. This view was "
        "created inside a custom Function (or because an input was returned as-is), and a replay of the view would not know "
        "the Function's own backward, leading to incorrect gradients. clone() the output of the custom Function before its "
        "base is written, or write through that output itself."
    )


def release(target: Tensor) -> None:
    """A tensor that retains its gradient leaves its node: the next one will keep it."""
    if target._retains and target._fn is not None and target._fn.captures:
        target._fn.captures.pop(output_number(target), None)


def retain(target: Tensor) -> None:
    """Let a tensor's gradient be kept at its present node."""
    node = target._fn
    if node.captures is None:
        node.captures = {}
    node._special = True
    node.captures[output_number(target)] = weakref.ref(target)


def keep_grad(target: Tensor) -> None:
    """Let a non-leaf keep its gradient, whatever is written to it."""
    target._retains = True
    retain(target)


def output_number(target: Tensor) -> int:
    """Which output of its node a tensor is, counted from 0."""
    return ~target._nr if target._nr else 0


def replay(base: Any, chain: tuple) -> Any:
    """Apply a view's chain of operations to a value of any interpreter."""
    for op, rest, nr in chain:
        result = values.call(op, (base, *rest))
        base = result[nr] if isinstance(result, (tuple, list)) else result
    return base
