"""What threads have apart, and how they share: settings of each thread and task, and locks.

A setting lies in a context variable: a task that waits in the middle of a block keeps its own, and others see none of
it; a task starts with what its creator has. A thread starts with the defaults, also where Python copies the context of
the thread that starts it (free-threaded builds do): a value counts only in the thread that set it.
"""

import os
import sys
from collections.abc import Iterator
from contextvars import ContextVar
from threading import RLock, get_ident
from typing import Any
from weakref import ref

HAS_GIL: bool = getattr(sys, "_is_gil_enabled", lambda: True)()


def make_lock() -> Any:
    """A lock that is free in a forked child, whatever other threads of the parent were doing."""
    lock = RLock()  # for a signal's handler, or the collection of garbage, may need it within its own block
    if hasattr(os, "register_at_fork"):
        os.register_at_fork(after_in_child=lock._at_fork_reinit)  # type: ignore[attr-defined]
    return lock


class Held:
    """A value that a block or a call set, by whom, in what thread, and what holds again when the block is left.

    ``reason`` is what is to be remembered of it: where that was, for example.
    """

    __slots__ = ("__weakref__", "by", "outer", "reason", "thread", "value")

    def __init__(self, value: Any, outer: "Held | None", by: Any, reason: Any = None) -> None:
        self.value, self.outer, self.by, self.reason, self.thread = value, outer, by, reason, get_ident()


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

    def put(self, value: Any, reason: Any = None) -> None:
        """Set the value until the block that is open ends, or for good where none is."""
        if value != self.get():
            held = self.top()
            outer, by = (None, None) if held is None else (held.outer, held.by)
            self.hold(None if by is None and value == self.default else Held(value, outer, by, reason))

    def enter(self, value: Any, by: Any = None, reason: Any = None) -> None:
        """Begin a block of the manager ``by``, in which the value holds."""
        self.hold(Held(value, self.top(), by, reason))

    def leave(self, by: Any = None) -> None:
        """End the innermost block of a manager, and any inside it that an interrupt kept from ending."""
        held = self.top()
        while held is not None and held.by is not by:
            held = held.outer
        if held is not None:
            self.variable.set(held.outer)

    def hold(self, held: Held | None) -> None:
        if held is not None and self.matters(held.value):
            self.live.add(ref(held, self.live.discard))
        self.variable.set(held)

    def matters(self, value: Any) -> bool:
        """Whether a value is one that must be asked for."""
        return value != self.default


class Block:
    """A context manager that enters settings, and leaves them also where an interrupt (Ctrl-C) comes in between.

    One moment remains, against which Python has no means: the start of ``__exit__`` itself. A block around this one then
    puts back what this one did not.
    """

    def enter(self) -> Any:
        """Enter the settings, as this block's own (``by=self``)."""

    def leave(self) -> None:
        """Leave them; those that were not entered, or are left already, stay as they are."""

    def __enter__(self) -> Any:
        try:
            return self.enter()
        except BaseException:
            self.leave()
            raise

    def __exit__(self, *exc: Any) -> Any:
        try:
            self.leave()
        except BaseException:
            self.leave()
            raise


class During(Block):
    """A block in which a setting holds a value."""

    def __init__(self, setting: Setting, value: Any) -> None:
        self.setting, self.value = setting, value

    def enter(self) -> None:
        self.setting.enter(self.value, self)

    def leave(self) -> None:
        self.setting.leave(self)
