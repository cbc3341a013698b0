"""Choosing the interpreter: an operation is run by the highest-ranking of its operands.

Every transform (``vmap``, ``jvp``, ``grad``, a trace) opens a *level*; values made for it carry that level and rank
above all that was there before. An interpreter strips its own values, and runs the operation on what they hold,
by which the next lower interpreter gets its turn. When no operand is anyone's, the kernel runs.
"""

from collections.abc import Callable
from itertools import count
from typing import Any

from ..context import Block, Setting
from ..kernels import kernel_of
from ..ops.table import TABLE, Op
from ..source import define


class Value:
    """A value of an interpreter above arrays. Subclasses have a ``rank`` and a static ``interpret(op, args, top)``."""

    __slots__ = ()
    __array_ufunc__: Any = None  # NumPy's operators leave mixed operands to ours
    rank = 0

    @staticmethod
    def interpret(op: Op, args: Any, top: Any) -> Any:
        raise NotImplementedError


def run(op: Op, args: Any) -> Any:
    """Run an operation on values of any interpreters; ``args`` are all its parameters, in order."""
    top, rank = None, 0
    for a in args:
        if isinstance(a, Value):
            if a.rank > rank:
                top, rank = a, a.rank
        elif type(a) is list or type(a) is tuple:
            for b in a:
                if isinstance(b, Value) and b.rank > rank:
                    top, rank = b, b.rank
    if top is None:
        return kernel_of(op)(*args)
    return type(top).interpret(op, args, top)


class Values:
    """The namespace ``xp`` of rules that run on values of any interpreter: each call is dispatched by :func:`run`."""

    recorded = False

    def __getattr__(self, name: str) -> Callable:
        if name not in TABLE:
            raise AttributeError(f"there is no operation {name!r} in the table")
        function = make_caller(TABLE[name], run)
        setattr(self, name, function)
        return function

    @staticmethod
    def call(op: Op, args: Any) -> Any:
        return run(op, args)


def make_caller(op: Op, call: Callable) -> Callable:
    """A function with the operation's own signature, which calls ``call(op, args)``."""
    scope = {"op": op, "call": call}
    source = f"def {op.name}{op.signature}: return call(op, ({', '.join(op.params)},))"
    return define(op.name, source, scope)


class RecordedValues(Values):
    """The namespace of rules that run on tensors, in a backward pass that is itself recorded."""

    recorded = True


values = Values()
recorded_values = RecordedValues()


_numbers = count(1)
_level = Setting("level", 0, set())


class new_level(Block):
    """Open a level for a transform, above all that were ever opened, in any thread: a value that outlives its transform,
    or is used in another thread, belongs to no other one."""

    def enter(self) -> int:
        level = next(_numbers)
        _level.enter(level, self)
        return level

    def leave(self) -> None:
        _level.leave(self)


def current_level() -> int:
    """The level of the innermost transform that is running in this thread and task; 0 outside of all."""
    return _level.get()


def depth_of(level: int) -> int:
    """Which of the running transforms a level belongs to: 1 is the outermost."""
    return sum(1 for opened in _level.nested() if opened <= level)


def strip(args: Any, of: Callable) -> list:
    """Replace each operand by ``of(operand)``, in the argument list and in lists within it."""
    return [
        type(a)([of(b) if isinstance(b, Value) else b for b in a])
        if type(a) is list or type(a) is tuple
        else of(a)
        if isinstance(a, Value)
        else a
        for a in args
    ]


OPERATORS = {
    "__add__": ("add", False),
    "__radd__": ("add", True),
    "__sub__": ("sub", False),
    "__rsub__": ("sub", True),
    "__mul__": ("mul", False),
    "__rmul__": ("mul", True),
    "__truediv__": ("div", False),
    "__rtruediv__": ("div", True),
    "__pow__": ("pow", False),
    "__rpow__": ("pow", True),
    "__matmul__": ("matmul", False),
    "__rmatmul__": ("matmul", True),
    "__lt__": ("lt", False),
    "__le__": ("le", False),
    "__gt__": ("gt", False),
    "__ge__": ("ge", False),
    "__eq__": ("eq", False),
    "__ne__": ("ne", False),
    "__floordiv__": ("floor_divide", False),
    "__rfloordiv__": ("floor_divide", True),
    "__mod__": ("remainder", False),
    "__rmod__": ("remainder", True),
    "__and__": ("bitwise_and", False),
    "__rand__": ("bitwise_and", True),
    "__or__": ("bitwise_or", False),
    "__ror__": ("bitwise_or", True),
    "__xor__": ("bitwise_xor", False),
    "__rxor__": ("bitwise_xor", True),
    "__lshift__": ("bitwise_left_shift", False),
    "__rlshift__": ("bitwise_left_shift", True),
    "__rshift__": ("bitwise_right_shift", False),
    "__rrshift__": ("bitwise_right_shift", True),
    "__invert__": ("bitwise_not", False),
    "__neg__": ("neg", False),
    "__pos__": ("positive", False),
    "__abs__": ("abs", False),
    "__getitem__": ("getitem", False),
}


def bind_operators(cls: type) -> None:
    """Give a value class the operators that rules use, each running its operation."""
    for method, (name, reflected) in OPERATORS.items():
        setattr(cls, method, _operator(name, reflected))
    cls.__hash__ = object.__hash__  # type: ignore[method-assign,assignment]


def _operator(name: str, reflected: bool) -> Callable:
    def operate(self: Any, *other: Any) -> Any:
        operands = (*other, self) if reflected else (self, *other)
        return getattr(values, name)(*operands)

    return operate
