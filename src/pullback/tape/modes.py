"""Which operations are recorded: the grad mode of each thread.

``floor`` is the lowest level that records. It is 0 where all do, and ``OFF`` under ``no_grad``. A transform that must
record although the caller said ``no_grad`` raises the floor to its own level only.
"""

import functools
import threading
from collections.abc import Callable
from typing import Any

OFF = 1 << 30
CO_GENERATOR = 0x20  # of code flags; importing `inspect` for it would cost more than the rest of this module


class Switch:
    """How many threads are in another mode than the default: while none is, fast paths need not ask for theirs."""

    __slots__ = ("on",)

    def __init__(self) -> None:
        self.on = 0


switch = Switch()
_lock = threading.Lock()


class _Modes(threading.local):
    _floor = 0
    inference = False

    @property
    def floor(self) -> int:
        """The lowest level that records in this thread."""
        return self._floor

    @floor.setter
    def floor(self, floor: int) -> None:
        change = (floor != 0) - (self._floor != 0)
        self._floor = floor
        if change:
            with _lock:
                switch.on += change


modes = _Modes()


class _Mode:
    """A context manager and decorator that sets the floor inside, and puts it back however it is left."""

    def __init__(self, floor: int) -> None:
        self.floor = floor
        self.before: list[int] = []

    def __enter__(self) -> None:
        self.before.append(modes.floor)
        modes.floor = self.floor

    def __exit__(self, *exc: object) -> None:
        modes.floor = self.before.pop()

    def clone(self) -> "_Mode":
        return type(self)(self.floor)

    def __call__(self, function: Callable) -> Callable:
        if isinstance(function, type):
            function.__init__ = self(function.__init__)  # type: ignore[misc]
            return function
        if getattr(function, "__code__", None) and function.__code__.co_flags & CO_GENERATOR:
            return self._generator(function)

        @functools.wraps(function)
        def decorated(*args: Any, **kwargs: Any) -> Any:
            with self.clone():
                return function(*args, **kwargs)

        return decorated

    def _generator(self, function: Callable) -> Callable:
        """A generator runs in the mode, and its consumer between two items does not."""

        @functools.wraps(function)
        def decorated(*args: Any, **kwargs: Any) -> Any:
            inner = function(*args, **kwargs)
            action, given = inner.send, None
            while True:
                try:
                    with self.clone():
                        item = action(given)
                except StopIteration as end:
                    return end.value
                try:
                    action, given = inner.send, (yield item)
                except GeneratorExit:
                    inner.close()
                    raise
                except BaseException as error:
                    action, given = inner.throw, error  # type: ignore[assignment]

        return decorated


class no_grad(_Mode):
    """Context manager and decorator: operations inside are not recorded, and results do not require grad.

    >>> import pullback as torch
    >>> x = torch.ones(2, requires_grad=True)
    >>> with torch.no_grad():
    ...     (x * 2).requires_grad
    False
    """

    def __new__(cls, function: Any = None) -> Any:
        mode = super().__new__(cls)
        if callable(function):  # used as a bare decorator, @no_grad
            mode.__init__()  # type: ignore[misc]
            return mode(function)
        return mode

    def __init__(self, floor: Any = None) -> None:
        super().__init__(OFF)


class enable_grad(no_grad):
    """Context manager and decorator: operations inside are recorded, also within :class:`no_grad`."""

    def __init__(self, floor: Any = None) -> None:
        _Mode.__init__(self, 0)


class set_grad_enabled(_Mode):
    """Set the grad mode: at once when called as a function, until the block's end as a context manager.

    Args:
        mode: whether operations are recorded.
    """

    def __init__(self, mode: bool) -> None:
        super().__init__(0 if mode else OFF)
        self.mode = bool(mode)
        self.initial = modes.floor
        modes.floor = self.floor

    def __enter__(self) -> None:
        self.before.append(self.initial)
        modes.floor = self.floor

    def clone(self) -> _Mode:
        return _Mode(self.floor)

    def __call__(self, function: Callable) -> Callable:
        modes.floor = self.initial  # a decorator changes nothing now
        return super().__call__(function)


class inference_mode(_Mode):
    """Context manager and decorator: like :class:`no_grad`, and what is made inside can never enter a graph.

    Args:
        mode: whether inference mode is on inside.
    """

    def __new__(cls, mode: Any = True) -> Any:
        self = super().__new__(cls)
        if callable(mode):
            self.__init__()  # type: ignore[misc]
            return self(mode)
        return self

    def __init__(self, mode: bool = True) -> None:
        super().__init__(OFF if mode else 0)
        self.mode = mode
        self.inference_before: list[bool] = []

    def __enter__(self) -> None:
        super().__enter__()
        self.inference_before.append(modes.inference)
        modes.inference = self.mode

    def __exit__(self, *exc: object) -> None:
        modes.inference = self.inference_before.pop()
        super().__exit__(*exc)

    def clone(self) -> _Mode:
        return type(self)(self.mode)


def is_grad_enabled() -> bool:
    """Whether operations are recorded now, in this thread."""
    return modes.floor != OFF


def is_inference_mode_enabled() -> bool:
    """Whether inference mode is on now, in this thread."""
    return modes.inference
