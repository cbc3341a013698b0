"""The batched interpreter: vmap. A value holds one more dimension, the first, than the operation sees.

Random operations are special in that each element may draw numbers of its own although nothing it works on is a batch;
so the vmaps that are running are known here.
"""

from typing import Any, NamedTuple

from .. import random
from ..context import During, Setting
from ..ops import batching
from ..ops.table import Op
from .dispatch import Value, bind_operators, run, strip, values


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
        rule = random_rule(level) if is_random(op) else batching.rule_of(op)
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


# -- random operations -------------------------------------------------------------------------------------------------


class Vmap(NamedTuple):
    """A vmap that is running."""

    level: int
    size: int
    randomness: str


vmaps = Setting("vmaps", (), set())  # that are running, outermost first


def is_random(op: Op) -> bool:
    return "generator" in op.params


def randomness_at(level: int) -> str:
    """What the vmap of a level was told of random operations."""
    return next((v.randomness for v in vmaps.get() if v.level == level), "different")


def drawing_vmaps() -> list[Vmap]:
    """The running vmaps whose elements draw numbers of their own, outermost first.

    Raises:
        RuntimeError: a vmap was not told whether they shall.
    """
    if any(v.randomness == "error" for v in vmaps.get()):
        raise RuntimeError(
            "vmap: called random operation while in randomness error mode. Please either use the 'same' or 'different' "
            "randomness flags on vmap or perform the randomness operation out of vmap"
        )
    return [v for v in vmaps.get() if v.randomness == "different"]


def spread_randomness(args: Any) -> Any:
    """The arguments of a random operation with a first one that is a batch for each vmap whose elements draw alone."""
    input = args[0]
    for v in unspread(input):
        zeros = values.zeros_like(input)
        input = input + Batched(values.expand(values.unsqueeze(zeros, 0), (v.size, *zeros.shape)), v.level)
    return (input, *args[1:])


def unspread(value: Any) -> list[Vmap]:
    """The vmaps whose elements draw alone, and among which a value is no batch."""
    missing = drawing_vmaps()
    while missing and isinstance(value, Value):
        if type(value) is Batched:
            missing = [v for v in missing if v.level != value.level]
        held = [getattr(value, name) for name in ("_data", "value", "primal") if hasattr(value, name)]
        value = held[0]
    return missing


def random_rule(level: int) -> Any:
    """The batch rule of random operations at a level."""
    drawing_vmaps()
    same = randomness_at(level) == "same"

    def rule(xp: Any, op: Op, args: list, batched: list, size: int) -> Any:
        with During(vmaps, tuple([v for v in vmaps.get() if v.level < level])):
            return (same_numbers if same else batching.rule_of(op))(xp, op, args, batched, size)

    return rule


def same_numbers(xp: Any, op: Op, args: list, batched: list, size: int) -> Any:
    """Each element starts from the same place of the random stream."""
    generator = args[op.params.index("generator")] or random.default_generator
    state, results = random.Generator.get_state(generator), []
    for i in range(size):
        random.Generator.set_state(generator, state)
        results.append(run(op, [batching.pick(a, b, i) for a, b in zip(args, batched, strict=True)]))
    return xp.stack(results, 0)
