"""The dual interpreter: forward mode. A value is a primal with its tangent; running an operation pushes both.

A tangent that is identically zero is ``None``, and a result without a tangent is no dual at all.
"""

from collections.abc import Callable
from typing import Any

from .. import dtypes
from ..ops.table import BILINEAR, LINEAR, Op, rule_names
from .dispatch import Value, bind_operators, run, strip, values


class Dual(Value):
    """A primal value and its tangent, of one shape, at a level."""

    __slots__ = ("level", "primal", "tangent")

    def __init__(self, primal: Any, tangent: Any, level: int) -> None:
        self.primal, self.tangent, self.level = primal, tangent, level

    rank = property(lambda self: 2 * self.level)  # type: ignore[assignment]
    shape = property(lambda self: self.primal.shape)
    ndim = property(lambda self: self.primal.ndim)
    dtype = property(lambda self: self.primal.dtype)

    @staticmethod
    def interpret(op: Op, args: Any, top: "Dual") -> Any:
        if op.composite:
            return op.composite(values, *args)
        level = top.level
        primals = strip(args, lambda a: a.primal if _is_mine(a, level) else a)
        result = run(op, primals)
        if not op.diff:
            return result
        tangents = [_tangent(a, level) for a in args]
        return _attach(result, push(op, tangents, primals, result), level)


def _is_mine(value: Any, level: int) -> bool:
    return type(value) is Dual and value.level == level


def _attach(result: Any, tangents: Any, level: int) -> Any:
    """Pair results with tangents; ``tangents`` is a tuple for several outputs, and may be shorter."""
    if not isinstance(result, (tuple, list)):
        return result if tangents is None or not differentiable(result) else Dual(result, tangents, level)
    each = tangents if isinstance(tangents, (tuple, list)) else (tangents,)
    each = (*each, *[None] * (len(result) - len(each)))
    return tuple([_attach(r, t, level) for r, t in zip(result, each, strict=True)])


def _tangent(value: Any, level: int) -> Any:
    """A value's tangent, or None; of a list, a list, or None where there is none."""
    if type(value) is list or type(value) is tuple:
        found = [_tangent(v, level) for v in value]
        return found if any(t is not None for t in found) else None
    return value.tangent if _is_mine(value, level) else None


def push(op: Op, tangents: list, primals: Any, result: Any) -> Any:
    """The tangent of the result: the sum of what each operand with a tangent contributes.

    ``tangents`` and ``primals`` are in the order of the operation's parameters; lists have lists of tangents, or None.
    """
    if op.jvp is LINEAR:
        return run(op, in_place_of(op, tangents, primals, lambda t: t))
    total = None
    for position, name in enumerate(op.params):
        if name in op.diff and tangents[position] is not None:
            total = plus(total, contribution(op, position, name, tangents[position], primals, result))
    return expanded(total, result)


def in_place_of(op: Op, args: Any, primals: Any, moving: Callable) -> list:
    """The arguments of a linear operation with what ``moving`` gives for its operands, zeros where that is None."""
    moved = list(primals)
    for position, name in enumerate(op.params):
        if name in op.lists:
            given = args[position] or [None] * len(primals[position])
            moved[position] = [_or_zeros(moving(a), p) for a, p in zip(given, primals[position], strict=True)]
        elif name in op.diff and primals[position] is not None:
            moved[position] = _or_zeros(moving(args[position]), primals[position])
    return moved


def _or_zeros(tangent: Any, primal: Any) -> Any:
    if tangent is not None:
        return tangent
    return values.zeros_like(primal) if hasattr(primal, "shape") else 0.0


def contribution(op: Op, position: int, name: str, tangent: Any, primals: Any, result: Any) -> Any:
    """What the motion of one operand adds to the result's."""
    if op.jvp is BILINEAR:
        return run(op, [*primals[:position], tangent, *primals[position + 1 :]])
    rule = op.jvp[name]
    return rule(values, tangent, *[read(op, n, primals, result) for n in rule_names(rule)[1:]])


def read(op: Op, name: str, primals: Any, result: Any) -> Any:
    """What a rule's parameter stands for."""
    if name in op.params:
        return primals[op.params.index(name)]
    if name in op.outputs:
        return result[op.outputs.index(name)]
    if name == "result":
        return result
    if name.endswith("_shape"):
        return shape_of(read(op, name.removesuffix("_shape"), primals, result))
    return read(op, name.removesuffix("_dtype"), primals, result).dtype


def differentiable(value: Any) -> bool:
    """Whether a value's dtype is floating or complex."""
    dtype = getattr(value, "dtype", None)
    return dtype is not None and kind_of(dtype) >= 2


def kind_of(dtype: Any) -> int:
    return dtype.category if isinstance(dtype, dtypes.dtype) else dtypes.from_numpy(dtype).category


def shape_of(value: Any) -> Any:
    """A value's shape as a tuple; of a list, each one's; of a Python scalar, ``()``."""
    if isinstance(value, (list, tuple)):
        return [shape_of(v) for v in value]
    return tuple(getattr(value, "shape", ()))


def plus(total: Any, more: Any) -> Any:
    if total is None:
        return more
    if isinstance(total, tuple):
        return tuple(plus(a, b) for a, b in zip(total, more, strict=True))
    return total + more


def expanded(tangent: Any, result: Any) -> Any:
    """A tangent of a smaller, broadcast operand takes the result's shape."""
    if tangent is None or isinstance(tangent, (tuple, list)) or isinstance(result, (tuple, list)):
        return tangent
    shape = shape_of(result)
    return tangent if shape_of(tangent) == shape else values.expand(tangent, shape)


bind_operators(Dual)
