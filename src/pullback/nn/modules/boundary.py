"""Boundaries: identity nodes through which all gradients go that enter, or leave, a part of the graph.

A part is what one call recorded. Tensors are not wrapped: after the call its outputs hang on one boundary, and the edges
by which its nodes lead to the call's inputs lead to another. Inputs and outputs stay what they were (no views), so
they can be written in place, by the part itself and by what comes after it.
"""

from collections.abc import Iterable
from typing import Any

from ...ops.table import TABLE, Op
from ...tape.engine import edge_of
from ...tape.fast import call
from ...tape.graph import Node
from ...tape.inplace import CopySlices
from ...tape.lines import user_frame
from ...tape.value import CARE, GRAD, Tensor, new
from ...tape.views import settle


class BackwardHookFunctionBackward(Node):
    """The identity on several gradients at once."""

    __slots__ = ()
    is_boundary = True
    op = Op("boundary(inputs)", "The inputs themselves.")

    @staticmethod
    def pull(xp: Any, grad: Any, saved: tuple, need: Any) -> Any:
        return grad if isinstance(grad, list) else (grad,)

    pull_complex = pull


def tracked(values: Iterable) -> list:
    """The tensors among values that require grad, on the highest level where there are some."""
    tensors = [v for v in values if isinstance(v, Tensor)]
    for tensor in tensors:
        if tensor._flags & CARE:
            settle(tensor)
    tensors = [t for t in tensors if t._flags & GRAD]
    level = max([t._level for t in tensors], default=0)
    return [t for t in tensors if t._level == level]


def aliased(tensor: Tensor) -> Tensor:
    """Another tensor over the same memory, with an edge of its own."""
    return call(TABLE["expand"], (tensor, tuple(tensor._data.shape)))


def told_apart(values: Iterable, since: float = -1) -> list:
    """The same values, with an alias for each tensor that is there already, or was there before the tick ``since``."""
    seen: set = set()
    found = []
    for value in values:
        if isinstance(value, Tensor) and value._flags & GRAD:
            is_old = since >= 0 and (value._fn is None or value._fn.tick <= since)
            value = aliased(value) if is_old or edge_of(value) in seen else value
            seen.add(edge_of(value))
        found.append(value)
    return found


def boundary(edges: list, tick: int, level: int) -> Any:
    """A boundary before these edges' targets."""
    node = new(BackwardHookFunctionBackward)
    node.next, node.saved, node.tick = tuple([target for target, _ in edges]), (), tick
    node.outputs, node.several = len(edges), len(edges) != 1
    node.nrs = tuple([nr for _, nr in edges])
    node.fix = (None,) * len(edges)
    if level:
        node.level = level
    frame = user_frame(1)
    node.code, node.lasti = frame.f_code, frame.f_lasti
    return node


def before_inputs(edges: list, outputs: list, since: int) -> Any:
    """Lead what was recorded ``since`` a tick, below the outputs, to a boundary in place of the inputs' edges."""
    node = boundary(edges, since, outputs[0]._level)
    places = {edge: ~i if node.several else 0 for i, edge in enumerate(edges)}
    seen, stack = {None}, [t._fn for t in outputs]
    while stack:
        inner = stack.pop()
        if inner in seen or not inner._is_node or inner.tick <= since:
            continue
        seen.add(inner)
        stack.extend(inner.next)
        reroute(inner, node, places)
    return node


def reroute(inner: Any, node: Any, places: dict) -> None:
    """Let the edges of ``inner`` that lead to one of ``places`` lead to the boundary."""
    if type(inner) is CopySlices and inner.written in places:
        inner.go_through()
    edges = list(zip(inner.next, inner.nrs or (0,) * len(inner.next), strict=True))
    if not any(edge in places for edge in edges):
        return
    moved = [(node, places[edge]) if edge in places else edge for edge in edges]
    inner.next, inner.nrs = tuple([target for target, _ in moved]), tuple([nr for _, nr in moved])
    inner.fix = inner.fix or (None,) * len(moved)


def after_outputs(outputs: list, tick: int) -> Any:
    """Hang the outputs of a call on a boundary after the nodes that they came from."""
    node = boundary([edge_of(t) for t in outputs], tick, outputs[0]._level)
    for i, tensor in enumerate(outputs):
        tensor._fn, tensor._nr = node, ~i if node.several else 0
        tensor._flags |= CARE if node.several else 0
    return node
