"""Hooks: handles, what a hook may return, and hooks over several tensors or over every node that is made.

When each hook runs is the engine's affair. Invariant: a hook lives where it was registered (a leaf, or a node of the
graph) and nowhere else, so it goes when that goes.
"""

from collections import OrderedDict
from collections.abc import Callable, Iterable, Sequence
from itertools import count
from typing import Any
from weakref import ref

from ..context import Setting
from .modes import births
from .promotion import dtype_of
from .value import Tensor, close_fast_paths, open_fast_paths


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


# -- hooks over several tensors ----------------------------------------------------------------------------------------


running = Setting("running", None, set())  # the innermost pass, for hooks that ask about it


class Share:
    """One tensor's part in a multi-grad hook. The engine calls it with None where no gradient arrived."""

    __slots__ = ("index", "whole")

    def __init__(self, whole: "MultiGradHook", index: int) -> None:
        self.whole, self.index = whole, index

    def __call__(self, grad: Any) -> None:
        self.whole.receive(self.index, grad)


class MultiGradHook:
    """Gathers, per backward pass, the gradients of several tensors; what was gathered belongs to the pass."""

    def __init__(self, tensors: list, fn: Callable, mode: str) -> None:
        self.edges, self.fn, self.mode = [ref(t if t._fn is None else t._fn) for t in tensors], fn, mode

    def receive(self, index: int, grad: Any) -> None:
        work = running.get()
        notes = work.notes
        if self.mode == "any":
            if grad is not None and self not in notes:
                notes[self] = True
                self.fn(grad)
            return
        if self not in notes:
            expected = [i for i, edge in enumerate(self.edges) if work.will_reach(edge())]
            notes[self] = [len(expected), [None] * len(self.edges)]
        state = notes[self]
        state[0] -= 1
        state[1][index] = grad
        if not state[0]:
            self.fn(state[1])


class MultiHandle:
    """The handle of a hook that was registered at several places."""

    def __init__(self, handles: tuple) -> None:
        self.handles = handles

    def remove(self) -> None:
        for handle in self.handles:
            handle.remove()

    __enter__, __exit__ = RemovableHandle.__enter__, RemovableHandle.__exit__


def register_multi_grad_hook(tensors: Sequence[Tensor], fn: Callable, *, mode: str = "all") -> MultiHandle:
    """Call ``fn`` once in each backward pass that computes gradients of some of ``tensors``.

    Args:
        tensors: tensors that require grad.
        fn: with ``mode="all"``, ``fn(gradients)`` as soon as all are there that the pass computes, with None for the
            others; with ``mode="any"``, ``fn(gradient)`` for the first one. What it returns is ignored.

    Raises:
        ValueError: another ``mode``.
        RuntimeError: a tensor does not require grad.

    >>> import pullback as torch
    >>> x = torch.ones(2, requires_grad=True)
    >>> a, b = x * 2, x * 3
    >>> handle = torch.autograd.graph.register_multi_grad_hook([a, b], print)
    >>> (a + b).sum().backward()
    [tensor([1., 1.]), tensor([1., 1.])]
    """
    if mode not in ("all", "any"):
        raise ValueError(f"Expects mode to be one of ('all', 'any') but got {mode}")
    tensors = list(tensors)
    for tensor in tensors:
        if not tensor.requires_grad:  # type: ignore[attr-defined]
            raise RuntimeError("cannot register a hook on a tensor that doesn't require gradient")
    whole = MultiGradHook(tensors, fn, mode)
    return MultiHandle(tuple([t.register_hook(Share(whole, i)) for i, t in enumerate(tensors)]))  # type: ignore[attr-defined]


# -- hooks on every node that is made ----------------------------------------------------------------------------------


def born(node: Any) -> None:
    """Show a new node to those that wait for it in this thread."""
    if births.live:
        for hook in births.get():
            hook(node)


class node_creation_hook:
    """Context manager: call ``hook(node)`` for every node that is recorded inside, in this thread.

    Args:
        hook: what it returns, if not None, is a pair ``(prehook, posthook)`` for the node, either of which may be None;
            see :meth:`Node.register_prehook` and :meth:`Node.register_hook`.
        always_call: call the posthook also where the node raises in a backward pass, with None for each gradient.

    >>> import pullback as torch
    >>> x = torch.ones(2, requires_grad=True)
    >>> with torch.autograd.graph.node_creation_hook(lambda node: print(node.name())):
    ...     y = (x * x).sum()
    MulBackward0
    SumBackward0
    """

    def __init__(self, hook: Callable, *, always_call: bool = False) -> None:
        self.hook, self.always_call = hook, always_call

    @classmethod
    def from_context_manager(cls, make: Callable) -> "node_creation_hook":
        """Run every node made inside within the context manager ``make(node)``, in each backward pass."""

        def around(node: Any) -> tuple:
            entered: list = []
            made = ref(node)  # which holds these hooks

            def enter(grads: tuple) -> None:
                entered.append(make(made()))
                entered[-1].__enter__()

            def leave(grad_inputs: tuple, grads: tuple) -> None:
                entered.pop().__exit__(None, None, None)

            return enter, leave

        return cls(around, always_call=True)

    def receive(self, node: Any) -> None:
        before, after = self.hook(node) or (None, None)
        if before is not None:
            node.register_prehook(before)
        if after is not None:
            node.register_hook(after)
            if self.always_call:
                node.always = (*node.always, after)

    def __enter__(self) -> "node_creation_hook":
        close_fast_paths()
        births.enter((*births.get(), self.receive))
        return self

    def __exit__(self, *exc: object) -> None:
        births.leave()
        open_fast_paths()


def call_anyway(node: Any, shown: Iterable) -> None:
    """Call the hooks of a node that failed which are to be called whatever happens."""
    for hook in reversed(node.always):
        hook((None,) * len(node.next), tuple(shown))
