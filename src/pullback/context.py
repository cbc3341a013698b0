"""Settings: values that each thread, and each asynchronous task, has for itself.

A setting lies in a context variable: a task that waits in the middle of a block keeps its own, and others see none of
it; a task starts with what its creator has. A thread starts with the defaults, also where Python copies the context of
the thread that starts it (free-threaded builds do): a value counts only in the thread that set it.
"""

from collections.abc import Iterator
from contextvars import ContextVar
from threading import get_ident
from typing import Any
from weakref import ref


class Held:
    """A value that a block or a call set, the thread it counts in, and what holds again when the block is left."""

    __slots__ = ("__weakref__", "outer", "thread", "value")

    def __init__(self, value: Any, outer: "Held | None") -> None:
        self.value, self.outer, self.thread = value, outer, get_ident()


class Setting:
    """A value kept for each thread and task, at first ``default``.

    ``live`` is a set. As long as any thread or task holds another value than the default, it has a member for it:
    while it is empty, no one need ask. A context that is copied, when a task is made, keeps what it holds alive, which
    a count of blocks entered and left would not notice. Adding and discarding are each one step that no other thread,
    signal or collection of garbage can interrupt, so there is no lock.
    """

    def __init__(self, name: str, default: Any, live: set) -> None:
        self.default, self.live = default, live
        self.variable: ContextVar[Held | None] = ContextVar(name, default=None)

    def top(self) -> Held | None:
        held = self.variable.get()
        return None if held is None or held.thread != get_ident() else held

    def get(self) -> Any:
        held = self.variable.get()
        return self.default if held is None or held.thread != get_ident() else held.value

    def nested(self) -> Iterator[Any]:
        """The values of the blocks that are open, the innermost first."""
        held = self.top()
        while held is not None:
            yield held.value
            held = held.outer

    def put(self, value: Any) -> None:
        """Set the value until the block that is open ends, or for good where none is."""
        if value != self.get():
            held = self.top()
            outer = held and held.outer
            self.hold(None if outer is None and value == self.default else Held(value, outer))

    def enter(self, value: Any) -> None:
        """Begin a block in which the value holds."""
        self.hold(Held(value, self.top()))

    def leave(self) -> None:
        """End the block begun last."""
        held = self.top()
        self.variable.set(held and held.outer)

    def hold(self, held: Held | None) -> None:
        if held is not None and held.value != self.default:
            self.live.add(ref(held, self.live.discard))
        self.variable.set(held)
