"""The dual interpreter: forward mode. A value is a primal with its tangent; running an operation pushes both.

A tangent that is identically zero is ``None``, and a result without a tangent is no dual at all.
"""

from collections.abc import Callable
from typing import Any

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
        tangents = _push(op, args, primals, result, level)
        return _attach(result, tangents, level)


def _is_mine(value: Any, level: int) -> bool:
    return type(value) is Dual and value.level == level


def _attach(result: Any, tangents: Any, level: int) -> Any:
    """Pair results with tangents; ``tangents`` is a tuple for several outputs, and may be shorter."""
    if not isinstance(result, (tuple, list)):
        return result if tangents is None else Dual(result, tangents, level)
    each = tangents if isinstance(tangents, (tuple, list)) else (tangents,)
    each = (*each, *[None] * (len(result) - len(each)))
    pairs = [r if t is None else Dual(r, t, level) for r, t in zip(result, each, strict=True)]
    return tuple(pairs)


def _tangent(value: Any, level: int) -> Any:
    """A value's tangent, or None; of a list, a list, or None where there is none."""
    if type(value) is list or type(value) is tuple:
        found = [_tangent(v, level) for v in value]
        return found if any(t is not None for t in found) else None
    return value.tangent if _is_mine(value, level) else None


def _push(op: Op, args: Any, primals: list, result: Any, level: int) -> Any:
    """The tangent of the result: the sum of what each operand with a tangent contributes."""
    if op.jvp is LINEAR:
        return run(op, in_place_of(op, args, primals, lambda a: _tangent(a, level)))
    total = None
    for position, name in enumerate(op.params):
        if name not in op.diff:
            continue
        tangent = _tangent(args[position], level)
        if tangent is not None:
            total = plus(total, contribution(op, position, name, tangent, primals, result))
    return expanded(total, result)


def in_place_of(op: Op, args: Any, primals: list, moving: Callable) -> list:
    """The arguments of a linear operation with what ``moving`` gives for its operands, zeros where that is None."""
    moved = list(primals)
    for position, name in enumerate(op.params):
        if name in op.lists:
            moved[position] = [_or_zeros(moving(a), p) for a, p in zip(args[position], primals[position], strict=True)]
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
    return rule(values, tangent, *[_read(n, op, primals, result) for n in rule_names(rule)[1:]])


def _read(name: str, op: Op, primals: Any, result: Any) -> Any:
    """What a rule's parameter stands for."""
    if name in op.params:
        return primals[op.params.index(name)]
    if name == "result":
        return result
    if name in op.outputs:
        return result[op.outputs.index(name)]
    if name.endswith("_shape"):
        return shape_of(_read(name.removesuffix("_shape"), op, primals, result))
    return _read(name.removesuffix("_dtype"), op, primals, result).dtype


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
