"""Hooks over several tensors at once, and on every node that is made."""

from collections.abc import Callable, Sequence
from typing import Any
from weakref import ref

from ..tape.hooks import RemovableHandle, Share, running
from ..tape.modes import births
from ..tape.value import Tensor


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
        births.enter((*births.get(), self.receive), self)
        return self

    def __exit__(self, *exc: object) -> None:
        births.leave(self)
