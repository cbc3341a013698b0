"""Hooks: handles, what a hook may return, and what the engine tells to those that look at a whole pass, or at every node.

When each hook runs is the engine's affair; hooks over several tensors, and on every node that is made, are in
``autograd/hooks.py``. Invariant: a hook lives where it was registered (a leaf, or a node of the graph) and nowhere else,
so it goes when that goes.
"""

from collections import OrderedDict
from collections.abc import Iterable, Sequence
from itertools import count
from typing import Any
from weakref import ref

from ..context import Setting
from .modes import births
from .promotion import dtype_of
from .value import Tensor


class RemovableHandle:
    """What registering a hook returns: ``remove()`` takes the hook away. Usable as a context manager."""

    numbers = count()

    def __init__(self, hooks: OrderedDict) -> None:
        self.hooks = ref(hooks)
        self.id = next(self.numbers)

    def remove(self) -> None:
        hooks = self.hooks()
        if hooks is not None:
            hooks.pop(self.id, None)

    def __enter__(self) -> "RemovableHandle":
        return self

    def __exit__(self, *exc: object) -> None:
        self.remove()


def add_hook(hooks: OrderedDict, hook: Any, prepend: bool = False) -> RemovableHandle:
    handle = RemovableHandle(hooks)
    hooks[handle.id] = hook
    if prepend:
        hooks.move_to_end(handle.id, last=False)
    return handle


def name_of(hook: Any) -> str:
    return getattr(hook, "__name__", None) or type(hook).__name__


def check_replacement(hook: Any, changed: Any, shown: Any) -> None:
    """What a hook returned for a gradient must be a tensor like it, or None."""
    if changed is None:
        return
    if not isinstance(changed, Tensor):
        raise TypeError(f"expected Variable, but hook returned '{type(changed).__name__}' (hook '{name_of(hook)}')")
    if shown is None:
        raise RuntimeError(f"can't replace a None gradient with a non-None value (hook '{name_of(hook)}')")
    sizes = [tuple(t._data.shape) for t in (shown, changed)]
    if sizes[0] != sizes[1]:
        raise RuntimeError(f"hook '{name_of(hook)}' has changed the size of value (was {sizes[0]}, got {sizes[1]})")
    kinds = [dtype_of(t._data) for t in (shown, changed)]
    if kinds[0] is not kinds[1]:
        raise RuntimeError(
            f"hook '{name_of(hook)}' has changed the type of value (was {shown.type()} got {changed.type()})"  # type: ignore[attr-defined]
        )


def check_replacements(hook: Any, changed: Any, shown: Sequence) -> None:
    """What a node's hook returned must be a tuple, with an entry for each gradient that it was shown."""
    if not isinstance(changed, tuple):
        raise TypeError(f"expected tuple, but hook returned '{type(changed).__name__}' (hook '{name_of(hook)}')")
    if len(changed) != len(shown):
        raise RuntimeError(
            f"hook '{name_of(hook)}' has returned an incorrect number of values (got {len(changed)}, but expected "
            f"{len(shown)})"
        )
    for new, old in zip(changed, shown, strict=True):
        check_replacement(hook, new, old)


running = Setting("running", None, set())  # the innermost pass, for hooks that ask about it


class Share:
    """One tensor's part in a hook over several. The engine calls it with None where no gradient arrived."""

    __slots__ = ("index", "whole")

    def __init__(self, whole: Any, index: int) -> None:
        self.whole, self.index = whole, index

    def __call__(self, grad: Any) -> None:
        self.whole.receive(self.index, grad)


def born(node: Any) -> None:
    """Show a new node to those that wait for it in this thread."""
    if births.live:
        for hook in births.get():
            hook(node)


def call_anyway(node: Any, shown: Iterable) -> None:
    """Call the hooks of a node that failed which are to be called whatever happens."""
    for hook in reversed(node.always):
        hook((None,) * len(node.next), tuple(shown))
