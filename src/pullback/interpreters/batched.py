"""The batched interpreter: vmap. A value holds one more dimension, the first, than the operation sees."""

from typing import Any

from ..ops import batching
from ..ops.table import Op
from .dispatch import Value, bind_operators, strip, values


class Batched(Value):
    """``size`` values of one shape, stacked along the first dimension of ``value``, at a level."""

    __slots__ = ("level", "value")

    def __init__(self, value: Any, level: int) -> None:
        self.value, self.level = value, level

    rank = property(lambda self: 2 * self.level)  # type: ignore[assignment]
    shape = property(lambda self: tuple(self.value.shape[1:]))
    ndim = property(lambda self: self.value.ndim - 1)
    dtype = property(lambda self: self.value.dtype)
    size = property(lambda self: self.value.shape[0])

    @staticmethod
    def interpret(op: Op, args: Any, top: "Batched") -> Any:
        if op.composite:
            return op.composite(values, *args)
        level = top.level
        held = strip(args, lambda a: a.value if _is_mine(a, level) else a)
        rule = batching.rule_of(op)
        result = rule(values, op, held, _flags(args, level), top.size)
        if isinstance(result, (tuple, list)):
            return tuple([Batched(r, level) for r in result])
        return Batched(result, level)


def _is_mine(value: Any, level: int) -> bool:
    return type(value) is Batched and value.level == level


def _flags(args: Any, level: int) -> list:
    """Which operands are batched: a bool each, a list of bools for a list."""
    return [
        [_is_mine(b, level) for b in a] if type(a) is list or type(a) is tuple else _is_mine(a, level) for a in args
    ]


bind_operators(Batched)
