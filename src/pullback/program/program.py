"""A straight-line program over the table of operations."""

from collections.abc import Callable
from typing import Any

from ..ops.table import Op


class Var:
    """A name for a value of the program, with what is known of it."""

    __slots__ = ("dtype", "name", "shape")

    def __init__(self, name: str, shape: tuple, dtype: Any) -> None:
        self.name, self.shape, self.dtype = name, shape, dtype

    def __repr__(self) -> str:
        return self.name


class Call:
    """One statement: ``outs = op(*args)``; ``args`` hold variables, constants and static values, lists one deep."""

    __slots__ = ("args", "op", "outs", "several")

    def __init__(self, op: Op, args: list, outs: list, several: bool) -> None:
        self.op, self.args, self.outs, self.several = op, args, outs, several

    def __repr__(self) -> str:
        shown = ", ".join(show(a) for a in self.args)
        return f"{', '.join(o.name for o in self.outs)} = {self.op.name}({shown})"


class Program:
    """What a function does, as a list of calls.

    Args:
        inputs: variables, one per leaf of the function's arguments.
        calls: the statements, in order.
        outputs: per leaf of the result, a variable or a constant.
    """

    def __init__(self, inputs: list, calls: list, outputs: list, pack: Callable | None = None) -> None:
        self.inputs, self.calls, self.outputs = inputs, calls, outputs
        self.pack = pack

    def run(self, run: Callable, values: list) -> list:
        """The outputs for these input values, each call done by ``run(op, args)``."""
        held = dict(zip(self.inputs, values, strict=True))
        for call in self.calls:
            result = run(call.op, [substitute(a, held) for a in call.args])
            if call.several:
                held.update(zip(call.outs, result, strict=True))
            else:
                held[call.outs[0]] = result
        return [held[o] if isinstance(o, Var) else o for o in self.outputs]

    def __call__(self, *args: Any) -> Any:
        """Replay the program on other arguments, of the structure and shapes it was traced with."""
        if self.pack is None:
            raise TypeError("this program was not made by trace(); use run()")
        return self.pack(self, args)

    def without_dead_code(self) -> "Program":
        """The program without calls that no output depends on."""
        needed = {o for o in self.outputs if isinstance(o, Var)}
        kept = []
        for call in reversed(self.calls):
            if any(o in needed for o in call.outs):
                kept.append(call)
                needed.update(variables(call.args))
        return Program(self.inputs, kept[::-1], self.outputs, self.pack)

    def __str__(self) -> str:
        head = f"program({', '.join(f'{v.name}: {v.dtype}{list(v.shape)}' for v in self.inputs)})"
        body = [f"    {call}" for call in self.calls]
        return "\n".join([head, *body, f"    return {', '.join(show(o) for o in self.outputs)}"])


def variables(args: Any) -> list:
    """The variables among arguments, in lists too."""
    found = []
    for a in args:
        if isinstance(a, Var):
            found.append(a)
        elif isinstance(a, (list, tuple)):
            found.extend(b for b in a if isinstance(b, Var))
    return found


def substitute(a: Any, held: dict) -> Any:
    if isinstance(a, Var):
        return held[a]
    if type(a) is list or type(a) is tuple:
        return type(a)([held[b] if isinstance(b, Var) else b for b in a])
    return a


def show(a: Any) -> str:
    if isinstance(a, (list, tuple)):
        inside = ", ".join(show(b) for b in a)
        return f"[{inside}]" if isinstance(a, list) else f"({inside}{',' if len(a) == 1 else ''})"
    if hasattr(a, "shape") and not isinstance(a, Var):
        return f"<constant {a.dtype}{list(a.shape)}>"
    return repr(a)
