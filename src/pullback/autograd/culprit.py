"""Which operation of a recorded function has the wrong rule: the first whose gradient differs from finite differences.

A layer around every operation keeps the values that flow between them, at the point and at both ends of a step; the
gradient of each of these values is then compared along one direction, in the order in which they were computed.
"""

from collections.abc import Callable
from typing import Any

import numpy as np

from .. import tree
from ..tape.backward import GradientEdge, grad
from ..tape.value import Tensor, wrap
from ..tape.watch import layer_on
from .functional import filled
from .jacobians import Problem, reals, tensors


class Values:
    """A layer that keeps a copy of every recorded value that an operation takes or gives, by node and output number."""

    def __init__(self) -> None:
        self.found: dict[tuple, np.ndarray] = {}

    def around_run(self, inner: Callable) -> Callable:
        def run(compute: Callable, op: Any, args: Any) -> Any:
            self.keep(args)
            result = inner(compute, op, args)
            self.keep(result)
            return result

        return run

    def keep(self, value: Any) -> None:
        for t in tree.leaves(value):
            if isinstance(t, Tensor) and t._fn is not None and not t._level:
                self.found.setdefault((t._fn, t._nr), t._data.copy())

    def in_order(self) -> list[tuple]:
        return sorted(self.found.items(), key=lambda item: (item[0][0].tick, item[0][1]))


def first_wrong(problem: Problem) -> Any:
    """The first node whose gradient is wrong, as far as one direction shows; None where it cannot be told."""
    rng = np.random.default_rng(5)
    direction = rng.standard_normal(problem.sizes[0])
    here, ahead, behind = runs = [values_at(problem, direction, step) for step in (0, problem.eps, -problem.eps)]
    if len({tuple((type(node), v.shape) for (node, _), v in run) for run in runs}) > 1:
        return None  # the function took another way
    for (key, value), (_, after), (_, before) in zip(here, ahead, behind, strict=True):
        cotangent = rng.standard_normal(reals([wrap(value)]).size)
        numerical = reals([wrap((after - before) / (2 * problem.eps))]) @ cotangent
        analytical = pulled(problem, key, tensors(cotangent, (wrap(value),))) @ direction
        if abs(analytical - numerical) > problem.allowed(numerical):
            return key[0]
    return None


def pulled(problem: Problem, key: tuple, cotangent: tuple) -> np.ndarray:
    """The cotangent of one value pulled back to the inputs; NaN where a value off the way to the outputs cannot be."""
    node, nr = key
    try:
        found = grad(GradientEdge(node, ~nr if nr < 0 else 0), problem.inputs, cotangent, True, allow_unused=True)
    except RuntimeError:
        return np.full(problem.sizes[0], np.nan)
    return reals(filled(found, problem.inputs))


def values_at(problem: Problem, direction: np.ndarray, step: float) -> list[tuple]:
    values = Values()
    with layer_on("check", values):
        problem.displaced(direction, step)
    return values.in_order()
