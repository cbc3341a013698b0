"""The traced interpreter: running an operation also writes the call down.

A traced value holds the real one, so that the first run of a function already returns its answer.
"""

from typing import Any

from ..ops.table import Op
from ..program import Call, Var
from .dispatch import Value, bind_operators, run, strip
from .dual import shape_of


class Trace:
    """The program while it is being written."""

    def __init__(self) -> None:
        self.calls: list[Call] = []
        self.inputs: list[Var] = []
        self.count = 0

    def variable(self, value: Any, prefix: str = "v") -> Var:
        self.count += 1
        return Var(f"{prefix}{self.count}", shape_of(value), value.dtype)


class Traced(Value):
    """A value, and its name in a trace."""

    __slots__ = ("level", "trace", "value", "var")

    def __init__(self, value: Any, var: Var, trace: Trace, level: int) -> None:
        self.value, self.var, self.trace, self.level = value, var, trace, level

    rank = property(lambda self: 2 * self.level)  # type: ignore[assignment]
    shape = property(lambda self: self.value.shape)
    ndim = property(lambda self: self.value.ndim)
    dtype = property(lambda self: self.value.dtype)

    @staticmethod
    def interpret(op: Op, args: Any, top: "Traced") -> Any:
        level, trace = top.level, top.trace
        result = run(op, strip(args, lambda a: a.value if _is_mine(a, level) else a))
        several = isinstance(result, (tuple, list))
        outs = [trace.variable(r) for r in (result if several else [result])]
        trace.calls.append(Call(op, strip(args, lambda a: a.var if _is_mine(a, level) else a), outs, several))
        if several:
            return tuple([Traced(r, v, trace, level) for r, v in zip(result, outs, strict=True)])
        return Traced(result, outs[0], trace, level)


def _is_mine(value: Any, level: int) -> bool:
    return type(value) is Traced and value.level == level


bind_operators(Traced)
