"""What may stand between the engine and a node's pull, or between a call and its operation: anomaly mode and its kin.

A *layer* has ``around_pull(inner)``, ``around_run(inner)`` or ``around_compute(inner)``, which return what is to be called
in place of ``inner(work, node, grad, saved, edges)``, ``inner(compute, op, args)`` (a user's call on tensors) and
``inner(op, raw)`` (the same call on arrays, whose result is what a node is recorded for). The layers of a context are wrapped around each
other in the order of ``KINDS``; a second one of a kind replaces the first. The engine asks once a pass; ``pull`` is None
while no layer is on.
"""

from collections.abc import Callable, Iterator
from typing import Any

from numpy import asarray, ndarray
from numpy import vdot as public_vdot

from ..context import Block, Setting
from ..interpreters import Value, run
from .value import closing

vdot = getattr(public_vdot, "_implementation", public_vdot)  # without NumPy's dispatch: 0.3 µs rather than 0.45
KINDS = ("zero", "anomaly", "budget", "selective", "profile", "check")  # from the innermost


class Watch:
    """The layers that are on, by kind, and what they make together.

    ``inner_pull`` is for the passes that rules open on their own: what goes wrong there is seen by the outer pass.
    """

    __slots__ = ("compute", "inner_pull", "layers", "pull", "run")

    def __init__(self, layers: dict[str, Any]) -> None:
        self.layers = layers
        self.pull = stacked(layers, KINDS, "around_pull", own_pull)
        self.inner_pull = stacked(layers, KINDS[:1], "around_pull", own_pull)
        self.run = stacked(layers, KINDS, "around_run", lambda compute, op, args: compute(op, args))
        self.compute = stacked(layers, KINDS, "around_compute", run) or run


def stacked(layers: dict[str, Any], kinds: tuple, part: str, innermost: Callable) -> Any:
    made = None
    for kind in kinds:
        around = getattr(layers.get(kind), part, None)
        if around is not None:
            made = around(made or innermost)
    return made


def own_pull(work: Any, node: Any, grad: Any, saved: Any, edges: Any) -> Any:
    return node.pull(work.xp, grad, saved, edges)


class Watching(Setting):
    """The layers of each thread and task; those that look at operations need the general path."""

    def matters(self, value: Watch) -> bool:
        return value.run is not None or value.compute is not run


watching = Watching("watching", Watch({}), closing)


def layer_of(kind: str) -> Any:
    """The layer of a kind that is on in this context, or None."""
    return watching.get().layers.get(kind)


def with_layer(kind: str, layer: Any) -> Watch:
    layers = {k: v for k, v in {**watching.get().layers, kind: layer}.items() if v is not None}
    return Watch(layers) if layers else watching.default


def set_layer(kind: str, layer: Any) -> None:
    """Turn a layer on in this context, or (None) off."""
    watching.put(with_layer(kind, layer))


class layer_on(Block):
    """A layer for the time of a block."""

    def __init__(self, kind: str, layer: Any) -> None:
        self.kind, self.layer = kind, layer

    def enter(self) -> None:
        watching.enter(with_layer(self.kind, self.layer), self)

    def leave(self) -> None:
        watching.leave(self)


def arrays_in(value: Any) -> Iterator[Any]:
    """The arrays that a value of any interpreter holds at last, tangents included; those of lists; numbers as arrays."""
    if isinstance(value, (list, tuple)):
        for each in value:
            yield from arrays_in(each)
    elif isinstance(value, Value):
        for part in ("_data", "value", "primal", "tangent"):
            yield from arrays_in(getattr(value, part, None))
    elif hasattr(value, "dtype") or isinstance(value, (float, complex)):
        yield asarray(value)


def looks_finite(g: Any) -> bool:
    """Whether a value surely has no NaN and no infinity; False may also mean that its squares overflow."""
    if type(g) is not ndarray:
        return all(map(looks_finite, arrays_in(g))) if isinstance(g, Value) else g - g == 0
    if g.size > 1024 and 0 in g.strides:  # expanded: look at each place in memory once
        g = g[tuple([slice(0, 1) if step == 0 else slice(None) for step in g.strides])]
    v = vdot(g, g)
    return v - v == 0
