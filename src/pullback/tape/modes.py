"""Modes: what is recorded, and what results are marked as, in each thread and task.

``floor`` is the lowest level that records. It is 0 where all do, and ``OFF`` under ``no_grad``. A transform that must
record although the caller said ``no_grad`` raises the floor to its own level only.
"""

import functools
import warnings
from collections.abc import Callable
from typing import Any

from ..context import Block, Setting
from .lines import here
from .value import closing

OFF = 1 << 62  # above every level
UNRECORDED = OFF + 1  # grad mode is on, but inference mode keeps all from being recorded
GENERATOR, COROUTINE, ASYNC_GENERATOR = 0x20, 0x80, 0x200  # flags of code; importing `inspect` would cost milliseconds


class Switch:
    """``on`` is empty while every thread and task has the default modes: fast paths then need not ask for theirs."""

    __slots__ = ("on",)

    def __init__(self) -> None:
        self.on: set = set()


switch = Switch()

# A further mode is one more setting here (with a set of its own, unless fast paths must ask for it), and a class below:
# a block that enters it and leaves it.
floor = Setting("floor", 0, switch.on)
inference = Setting("inference", False, switch.on)
multithreading = Setting("multithreading", True, set())
grad_layout = Setting("grad_layout", True, set())  # a new .grad is laid out as its leaf
births = Setting("births", (), closing)  # who is shown every new node


class Modes:
    """The modes that the tape looks at, as they are in the running thread and task."""

    floor = property(lambda _: floor.get(), lambda _, value: floor.put(value))
    inference = property(lambda _: inference.get())


modes: Any = Modes()

# Around code that sets the floor: ``before = held_floor()``, and ``finally: restore_floor(before)``, which is one call
# that no interrupt can part.
held_floor, restore_floor = floor.variable.get, floor.variable.set


def turned_off() -> tuple:
    """What results that are therefore not recorded will tell (see ``reasons.py``)."""
    return "recording was turned off", here(2)


class DecoratorContextManager(Block):
    """A context manager that also decorates: functions, generators, and their asynchronous kinds run in the block.

    A generator's code runs in it, and its consumer between two items does not. A subclass whose constructor takes
    arguments gives a ``clone`` that passes them, for each call has a block of its own.
    """

    def clone(self) -> Any:
        return type(self)()

    def __call__(self, function: Callable) -> Any:
        if isinstance(function, type):
            warnings.warn(
                "Decorating classes is deprecated: only the constructor runs in the mode. Decorate __init__ itself, or "
                "the methods that are meant.",
                FutureWarning,
                stacklevel=2,
            )
            function.__init__ = self(function.__init__)  # type: ignore[misc]
            return function
        flags = flags_of(function)
        for kind, wrap in ((GENERATOR, in_steps), (COROUTINE, awaited), (ASYNC_GENERATOR, in_awaited_steps)):
            if flags & kind:
                return functools.wraps(function)(wrap(function, self.clone))

        @functools.wraps(function)
        def decorated(*args: Any, **kwargs: Any) -> Any:
            with self.clone():
                return function(*args, **kwargs)

        return decorated


def flags_of(function: Any) -> int:
    """The flags of a function's code, also behind partials and methods."""
    while isinstance(function, functools.partial):
        function = function.func
    code = getattr(getattr(function, "__func__", function), "__code__", None)
    return code.co_flags if code else 0


def in_steps(function: Callable, block: Callable) -> Callable:
    def generator(*args: Any, **kwargs: Any) -> Any:
        inner = function(*args, **kwargs)
        action, given = inner.send, None
        while True:
            try:
                with block():
                    item = action(given)
            except StopIteration as end:
                return end.value
            try:
                action, given = inner.send, (yield item)
            except GeneratorExit:
                with block():
                    inner.close()
                raise
            except BaseException as error:
                action, given = inner.throw, error  # type: ignore[assignment]

    return generator


def awaited(function: Callable, block: Callable) -> Callable:
    async def coroutine(*args: Any, **kwargs: Any) -> Any:
        with block():
            return await function(*args, **kwargs)

    return coroutine


def in_awaited_steps(function: Callable, block: Callable) -> Callable:
    async def generator(*args: Any, **kwargs: Any) -> Any:
        inner = function(*args, **kwargs)
        action, given = inner.asend, None
        while True:
            try:
                with block():
                    item = await action(given)
            except StopAsyncIteration:
                return
            try:
                action, given = inner.asend, (yield item)
            except GeneratorExit:
                with block():
                    await inner.aclose()
                raise
            except BaseException as error:
                action, given = inner.athrow, error

    return generator


class BareDecorator(DecoratorContextManager):
    """One that takes no arguments, so that it may decorate without being called: ``@no_grad``."""

    def __new__(cls, function: Any = None) -> Any:
        mode = super().__new__(cls)
        if function is None:
            return mode
        if not callable(function):
            raise TypeError(
                f"{cls.__name__}() takes a function to decorate, or nothing; got {type(function).__name__}. For a mode "
                "that a variable decides, use set_grad_enabled(variable)"
            )
        mode.__init__()  # type: ignore[misc]
        return mode(function)

    def __init__(self, function: Any = None) -> None:
        pass


class no_grad(BareDecorator):
    """Context manager and decorator: operations inside are not recorded, and results do not require grad.

    >>> import pullback as torch
    >>> x = torch.ones(2, requires_grad=True)
    >>> with torch.no_grad():
    ...     (x * 2).requires_grad
    False
    """

    def enter(self) -> None:
        floor.enter(OFF, self, turned_off())

    def leave(self) -> None:
        floor.leave(self)


def enabled() -> int:
    """The floor where grad mode is on."""
    return UNRECORDED if inference.get() else 0


class enable_grad(BareDecorator):
    """Context manager and decorator: operations inside are recorded, also within :class:`no_grad`.

    >>> import pullback as torch
    >>> with torch.no_grad(), torch.enable_grad():
    ...     torch.is_grad_enabled()
    True
    """

    def enter(self) -> None:
        floor.enter(enabled(), self)

    def leave(self) -> None:
        floor.leave(self)


class AtOnce(DecoratorContextManager):
    """A mode that is set when it is made, like a function, and until the block's end as a context manager."""

    setting: Setting

    def __init__(self, mode: bool) -> None:
        if not isinstance(mode, bool):
            raise TypeError(
                f"{type(self).__name__}(): argument 'enabled' (position 1) must be bool, not {type(mode).__name__}"
            )
        self.mode, self.initial = mode, self.setting.get()
        self.setting.put(self.value(mode), turned_off())

    def value(self, mode: bool) -> Any:
        """What the setting holds for a mode."""
        return mode

    def enter(self) -> None:
        self.setting.put(self.initial)  # which holds again after the block
        self.setting.enter(self.value(self.mode), self, turned_off())

    def leave(self) -> None:
        self.setting.leave(self)

    def clone(self) -> Any:
        return type(self)(self.mode)

    def __call__(self, function: Callable) -> Any:
        self.setting.put(self.initial)  # a decorator changes nothing now
        return super().__call__(function)

    def __repr__(self) -> str:
        return f"torch.autograd.grad_mode.{type(self).__name__}(mode={self.mode})"


class set_grad_enabled(AtOnce):
    """Set the grad mode: at once when called as a function, until the block's end as a context manager.

    Args:
        mode: whether operations are recorded.

    Raises:
        TypeError: ``mode`` is no bool.

    >>> import pullback as torch
    >>> with torch.set_grad_enabled(False):
    ...     torch.is_grad_enabled()
    False
    """

    setting = floor

    def value(self, mode: bool) -> int:
        return enabled() if mode else OFF


class set_multithreading_enabled(AtOnce):
    """Accepted for PyTorch's sake, and changes nothing: a backward pass always runs in the thread that asks for it.

    Args:
        mode: whether PyTorch's engine would use a thread for each device.
    """

    setting = multithreading


class enforce_grad_layout_policy(AtOnce):
    """Whether a new ``.grad`` is laid out in memory as its leaf; where not, a gradient may be taken as it comes.

    Args:
        mode: whether it is.
    """

    setting = grad_layout

    def __init__(self, mode: bool = True) -> None:
        super().__init__(mode)


class inference_mode(DecoratorContextManager):
    """Context manager and decorator: like :class:`no_grad`, and what is made inside can never enter a graph.

    Args:
        mode: whether inference mode is on inside; where it is not, grad mode is.

    Raises:
        TypeError: ``mode`` is no bool.

    >>> import pullback as torch
    >>> with torch.inference_mode():
    ...     torch.ones(2).is_inference()
    True
    """

    def __new__(cls, mode: Any = True) -> Any:
        self = super().__new__(cls)
        if not callable(mode):
            return self
        self.__init__()  # type: ignore[misc]
        return self(mode)

    def __init__(self, mode: bool = True) -> None:
        if not isinstance(mode, bool):
            raise TypeError(f"inference_mode(): argument 'mode' (position 1) must be bool, not {type(mode).__name__}")
        self.mode = mode

    def enter(self) -> None:
        floor.enter(OFF if self.mode else 0, self, turned_off())
        inference.enter(self.mode, self)

    def leave(self) -> None:
        inference.leave(self)
        floor.leave(self)

    def clone(self) -> Any:
        return type(self)(self.mode)


def is_grad_enabled() -> bool:
    """Whether operations are recorded now, in this thread and task."""
    return floor.get() != OFF


def is_inference_mode_enabled() -> bool:
    """Whether inference mode is on now, in this thread and task."""
    return inference.get()
