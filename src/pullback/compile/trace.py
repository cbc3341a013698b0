"""``trace``: run a function once, and keep what it did as a program."""

from collections.abc import Callable
from typing import Any

from .. import tree
from ..interpreters.dispatch import new_level, run
from ..interpreters.traced import Trace, Traced
from ..program import Program
from ..tape.value import Tensor, wrap
from ..tape.views import seen_at


def trace(func: Callable, *args: Any) -> Program:
    """The program of ``func`` at these arguments: the calls it makes, derivatives taken inside included.

    Tensors that the function reads without being given them are constants of the program. What does not depend on
    the inputs is not written down.

    Args:
        func: a function of tensors in nested structures, which returns such.
        args: example arguments; the program holds for their shapes, dtypes and other values.

    """
    leaves, spec = tree.flatten(args)
    with new_level() as level:
        record = Trace()
        lifted = [lift(leaf, record, level) for leaf in leaves]
        result = func(*tree.unflatten(lifted, spec))
        outputs, out_spec = tree.flatten(result)
        outs = [lower(o, level) for o in outputs]

    def pack(program: Program, given: tuple) -> Any:
        new_leaves, new_spec = tree.flatten(given)
        if new_spec != spec:
            raise TypeError(f"this program takes arguments of the structure {spec}, got {new_spec}")
        for var, leaf in zip(program.inputs, tensors(new_leaves), strict=True):
            if tuple(leaf.shape) != var.shape:
                raise RuntimeError(
                    f"this program was traced for {var.name} of shape {list(var.shape)}, got {list(leaf.shape)}"
                )
        found = program.run(run, tensors(new_leaves))
        return tree.unflatten([wrap(o) if hasattr(o, "dtype") else o for o in found], out_spec)

    return Program(record.inputs, record.calls, outs, pack).without_dead_code()


def tensors(leaves: list) -> list:
    return [leaf for leaf in leaves if isinstance(leaf, Tensor)]


def lift(leaf: Any, record: Trace, level: int) -> Any:
    if not isinstance(leaf, Tensor):
        return leaf
    var = record.variable(leaf, "x")
    record.inputs.append(var)
    return wrap(Traced(leaf, var, record, level))


def lower(out: Any, level: int) -> Any:
    """A result's variable; what does not depend on the inputs is a constant."""
    value = seen_at(out, level)
    return value.var if isinstance(value, Traced) and value.level == level else out
