"""Forward mode on users' own tensors: what dual levels do.

A tensor with a tangent is an ordinary tensor, with its memory, flags and node, and a dictionary ``_tangents`` beside
them. A dual level ranks just above the transform that it was opened in: :func:`interpret` runs an operation with the
level out of sight (the *ceiling*), by which everything below does its own work, and then pushes the tangents. They are
tensors of what is below too; so a tape records them, and reverse mode over forward mode needs no special case. For
forward mode over reverse mode, a node remembers the tangents of what it saved.

A view has no tangent of its own: it is read through the view from the tensor that has one, its origin. Tangents are
never written in place. Only what is open counts: tangents of a closed level are as good as gone.
"""

from typing import Any

from ..context import During, Setting
from ..interpreters import run, values
from ..interpreters.batched import Batched
from ..interpreters.dispatch import current_level
from ..interpreters.dual import differentiable, push
from ..ops.table import TABLE, Op
from . import inplace, record
from .modes import modes
from .promotion import cast, dtype_of
from .value import Tensor, at_level, closing, open_levels, wrap
from .views import replay

INFINITY = float("inf")


class DualLevel:
    """One level of forward mode: ``above`` is the transform that it stands on, ``depth`` counts the open dual levels."""

    __slots__ = ("above", "depth", "is_open")

    def __init__(self, above: int, depth: int) -> None:
        self.above, self.depth, self.is_open = above, depth, True

    @property
    def rank(self) -> float:
        """Above the tape of its transform, below whatever is opened later."""
        return 2 * self.above + 2 - 1 / (1 + self.depth)


stack = Setting("dual levels", (), closing)
ceiling = Setting("rank of the dual level that is at work", INFINITY, set())


def enter() -> DualLevel:
    """Open a dual level."""
    level = DualLevel(current_level(), len(stack.get()) + 1)
    open_levels.append(level)
    stack.enter((*stack.get(), level), level)
    return level


def leave(level: DualLevel) -> None:
    """Close a dual level; the tensors of its time are ordinary ones from now on."""
    stack.leave(level)
    if level.is_open:
        level.is_open = False
        open_levels.remove(level)


def below(rank: float) -> During:
    """A block in which only levels below a rank are seen: 0 hides all tangents."""
    return During(ceiling, rank)


def is_enabled() -> bool:
    return ceiling.get() > 0 and not modes.inference


# -- which tangents a tensor has ---------------------------------------------------------------------------------------


def origin_of(tensor: Tensor) -> tuple:
    """The tensor that has a tensor's tangents, and the operations by which the tensor is seen from it."""
    if tensor._tangents is not None:
        return tensor, ()
    if tensor._origin is not None:
        return tensor._origin
    return (tensor, ()) if tensor._view is None else (tensor._view.base, tensor._view.chain)


def levels_of(tensor: Tensor) -> list:
    """The open levels, lowest first, at which a tensor has a tangent that can be seen now."""
    held = origin_of(tensor)[0]._tangents
    if not held or modes.inference:
        return []
    highest = ceiling.get()
    return sorted([each for each in held if each.is_open and each.rank < highest], key=lambda each: each.rank)


def top_level(values: Any) -> DualLevel | None:
    """The highest level at which one of these has a tangent."""
    found = [level for v in flat(values) if isinstance(v, Tensor) for level in levels_of(v)[-1:]]
    return max(found, key=lambda level: level.rank, default=None)


def flat(args: Any) -> list:
    return [b for a in args for b in (a if isinstance(a, (list, tuple)) else (a,))]


def tangent_at(value: Any, level: DualLevel) -> Any:
    """A value's tangent at a level, or None; of a list, a list, or None where there is none."""
    if type(value) is list or type(value) is tuple:
        each = [tangent_at(v, level) for v in value]
        return each if any(t is not None for t in each) else None
    if not isinstance(value, Tensor):
        return None
    origin, chain = origin_of(value)
    found = (origin._tangents or {}).get(level)
    if found is not None:
        return replay(found, chain)
    return through_transform(value, level) if value._level else None


def through_transform(value: Tensor, level: DualLevel) -> Any:
    """The tangent of what a transform's tensor was made of, as a tensor of that transform."""
    held = value._data
    if type(held) is Batched:
        inner = tangent_at(held.value, level)
        return None if inner is None else wrap(Batched(inner, value._level))
    inner = tangent_at(held, level)
    return None if inner is None else at_level(inner, value._level)


def set_tangent(tensor: Tensor, tangent: Any, level: DualLevel) -> None:
    """Give a tensor a tangent, of its own dtype; through a view, give it to the origin's region."""
    origin, chain = origin_of(tensor)
    held = {each: t for each, t in (origin._tangents or {}).items() if each.is_open}
    if tangent is None and level not in held:
        return
    tangent = values.zeros_like(tensor) if tangent is None else cast(tangent, dtype_of(tensor._data))
    if chain:
        tangent = inplace.with_region(held.get(level, values.zeros_like(origin)), chain, tangent)
    origin._tangents = {**held, level: wrap(tangent)}


# -- operations --------------------------------------------------------------------------------------------------------


def interpret(op: Op, args: Any, level: DualLevel) -> Any:
    """Run an operation, and push the tangents of a level."""
    if op.composite:
        return op.composite(values, *args)
    with below(level.rank):
        result = run(op, args)
        outputs = result if isinstance(result, (tuple, list)) else (result,)
        if op.view and outputs[0]._view is not None:
            for nr, out in enumerate(outputs):
                origin, chain = origin_of(args[0])
                out._origin = origin, (*chain, (op, tuple(args[1:]), nr))
        elif op.diff:
            given = [tangent_at(a, level) for a in args]
            pushed = push(op, given, args, result)
            several = isinstance(pushed, (tuple, list))
            for out, tangent in zip(outputs, pushed if several else (pushed,), strict=False):
                attach(out, tangent, level)
            remember(outputs[0], op, given, pushed, level)
    return result


def attach(out: Any, tangent: Any, level: DualLevel) -> None:
    """Give a new result its tangent, unless it is of integers."""
    if tangent is not None and isinstance(out, Tensor) and differentiable(out):
        out._tangents = {**(out._tangents or {}), level: wrap(tangent)}


def remember(out: Any, op: Op, given: list, pushed: Any, level: DualLevel) -> None:
    """Let the node that recorded an operation know the tangents of what it saved."""
    node = out._fn if isinstance(out, Tensor) else None
    if node is not None and node.op.name == "copy_slices":
        node = node.saved[1]
    if node is None or node.op is not op:
        return
    named = dict(zip(op.params, given, strict=True)) | {"result": pushed}
    named |= dict(zip(op.outputs, pushed, strict=False)) if isinstance(pushed, tuple) else {}
    node.tangents = {**(node.tangents or {}), level: [named.get(name) for name in op.saved]}
    node._special = True


def with_tangents(node: Any, saved: Any, create: bool) -> Any:
    """A node's saved values, with the tangents that they had."""
    found = list(saved)
    for level, tangents in node.tangents.items():
        if level.is_open and is_enabled():
            found = [dual_of(v, t, node.level, create, level) for v, t in zip(found, tangents, strict=True)]
    return found


def dual_of(value: Any, tangent: Any, at: int, create: bool, level: DualLevel) -> Any:
    """A saved value with its tangent, both as tensors if the pass is recorded, else as what those hold."""
    if isinstance(tangent, list):
        return [dual_of(v, t, at, create, level) for v, t in zip(value, tangent, strict=True)]
    if tangent is None or not hasattr(value, "shape"):
        return value
    if create and tangent_at(value, level) is not None:
        return value  # a leaf
    return with_tangent(value, tangent if create else record.held(tangent, at), level)


def with_tangent(value: Any, tangent: Any, level: DualLevel) -> Tensor:
    """Another tensor over a value and its history, which has a tangent too."""
    dual = inplace.snapshot(wrap(value))
    dual._tangents = {**(dual._tangents or {}), level: wrap(tangent)}
    return dual


def write(op: Op, args: tuple, level: DualLevel) -> Tensor:
    """Run an operation in place on its first argument, and push the tangents of a level."""
    target = args[0]
    if op.composite:
        return inplace.write(TABLE["copy"], (target, op.composite(values, *args)))
    with below(level.rank):
        given, before = [tangent_at(a, level) for a in args], target._fn
        old = values.clone(target) if op.diff else target
        inplace.write_now(op, args, prepared=True)
        pushed = push(op, given, (old, *args[1:]), target)
        set_tangent(target, pushed, level)
        if target._fn is not before:
            remember(target if target._view is None else target._view.base, op, given, pushed, level)
    return target


def held_by(tensor: Tensor) -> Any:
    """What a transform's tensor holds, with the tangents that the tensor itself was given inside the transform."""
    held = tensor._data
    for level in levels_of(tensor):
        tangent = record.held(wrap(tangent_at(tensor, level)), tensor._level)
        if type(held) is Batched:
            inside = tangent.value if type(tangent) is Batched else values.zeros_like(held.value) + tangent
            held = Batched(with_tangent(held.value, inside, level), held.level)
        else:
            held = with_tangent(held, tangent, level)
    return held


# -- making and taking apart -------------------------------------------------------------------------------------------


def make_dual(primal: Tensor, tangent: Tensor, level: DualLevel) -> Tensor:
    """A view of ``primal`` that has ``tangent`` at a level; both are checked by the caller."""
    level.above = max(level.above, primal._level, tangent._level)
    dual = primal_of(primal, level)
    dual._tangents[level] = tangent
    return dual


def primal_of(tensor: Tensor, level: DualLevel) -> Any:
    """A view of a tensor with the tangents that it has below a level."""
    with below(level.rank):
        out = run(TABLE["view"], (tensor, tuple(tensor._data.shape)))
        out._tangents = {each: tangent_at(out, each) for each in levels_of(out)}
    return out
