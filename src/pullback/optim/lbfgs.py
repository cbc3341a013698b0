"""L-BFGS: a quasi-Newton method with a memory of the last steps, and a line search for the strong Wolfe conditions."""

from collections.abc import Callable
from math import inf
from typing import Any, NamedTuple

from numpy import abs as absolute
from numpy import concatenate, ndarray, zeros_like

from ..tape.modes import enable_grad
from ..tape.storage import mark_written
from ..tape.value import wrap
from .optimizer import Optimizer, as_real, check_rate, hooked, number


class LBFGS(Optimizer):
    """Steps along the gradient times an approximate inverse Hessian (Nocedal and Wright, algorithm 7.5).

    Args:
        params: the parameters, in one group.
        lr: the learning rate; with a line search, where that begins.
        max_iter: the most iterations in a step.
        max_eval: the most calls of the closure in a step; None for 1.25 times ``max_iter``.
        tolerance_grad: the largest element of the gradient at which a step ends.
        tolerance_change: the change of the parameters, or of the loss, at which a step ends.
        history_size: how many steps are remembered.
        line_search_fn: ``"strong_wolfe"`` or None.
    """

    def __init__(
        self,
        params: Any,
        lr: Any = 1,
        max_iter: int = 20,
        max_eval: int | None = None,
        tolerance_grad: float = 1e-7,
        tolerance_change: float = 1e-9,
        history_size: int = 100,
        line_search_fn: str | None = None,
    ) -> None:
        check_rate(lr)
        evaluations = max_iter * 5 // 4 if max_eval is None else max_eval
        options = dict(lr=lr, max_iter=max_iter, max_eval=evaluations, tolerance_grad=tolerance_grad)
        more = dict(tolerance_change=tolerance_change, history_size=history_size, line_search_fn=line_search_fn)
        super().__init__(params, {**options, **more})
        if len(self.param_groups) != 1:
            raise ValueError("LBFGS doesn't support per-parameter options (parameter groups)")

    @hooked
    def step(self, closure: Callable) -> Any:  # type: ignore[override]
        """Iterate until one of the limits is reached.

        Args:
            closure: clears the gradients, computes the loss and its gradients, and returns the loss.

        Returns:
            The loss before the step.
        """
        (group,) = self.param_groups
        if group["line_search_fn"] not in (None, "strong_wolfe"):
            raise RuntimeError("only 'strong_wolfe' is supported")
        params = group["params"]
        state = self.state[params[0]]
        state.setdefault("func_evals", 0)
        state.setdefault("n_iter", 0)

        def evaluate() -> tuple[Any, float, ndarray]:
            with enable_grad():
                loss = closure()
            state["func_evals"] += 1
            return loss, number(loss), gathered(params)

        first, loss, grad = evaluate()
        if largest(grad) > group["tolerance_grad"]:
            Iteration(group, state, evaluate).run(loss, grad)
        return first


class Iteration:
    """The iterations of one step."""

    def __init__(self, group: dict[str, Any], state: dict[str, Any], evaluate: Callable) -> None:
        self.group, self.params, self.state, self.evaluate = group, group["params"], state, evaluate
        self.lr, self.memory = number(group["lr"]), Memory(state, group["history_size"])

    def run(self, loss: float, grad: ndarray) -> None:
        group, state = self.group, self.state
        before = state["func_evals"] - 1
        for iteration in range(1, group["max_iter"] + 1):
            state["n_iter"] += 1
            self.memory.learn(grad)
            direction = self.memory.direction(grad)
            state.update(d=wrap(direction), prev_flat_grad=wrap(grad.copy()), prev_loss=loss)
            start = min(1.0, 1.0 / float(absolute(grad).sum())) if state["n_iter"] == 1 else 1.0
            state["t"] = start * self.lr
            slope = dot(grad, direction)
            if slope > -group["tolerance_change"]:
                break
            last = loss
            loss, grad = self._advance(Point(0.0, loss, grad, slope), direction, iteration)
            if iteration == group["max_iter"] or state["func_evals"] - before >= group["max_eval"]:
                break
            if self._has_arrived(grad, direction, loss - last):
                break

    def _has_arrived(self, grad: ndarray, direction: ndarray, change: float) -> bool:
        if largest(grad) <= self.group["tolerance_grad"]:
            return True
        least = self.group["tolerance_change"]
        return largest(direction * self.state["t"]) <= least or abs(change) < least

    def _advance(self, here: "Point", direction: ndarray, iteration: int) -> tuple[float, ndarray]:
        """Step along the direction; the loss and the gradient there, which are not needed after the last step."""
        begin = [array.copy() for array in arrays_of(self.params)]

        def at(t: float) -> Point:
            place(self.params, begin, direction, t)
            _, loss, grad = self.evaluate()
            return Point(t, loss, grad, dot(grad, direction))

        if self.group["line_search_fn"] is not None:
            found = line_search(at, self.state["t"], here, largest(direction))
            self.state["t"] = found.t
            place(self.params, begin, direction, found.t)
        elif iteration < self.group["max_iter"]:
            found = at(self.state["t"])
        else:
            place(self.params, begin, direction, self.state["t"])
            found = here
        return found.loss, found.grad


class Memory:
    """The last steps and the changes of the gradient along them, which stand for the inverse Hessian."""

    def __init__(self, state: dict[str, Any], size: int) -> None:
        self.state, self.size = state, size

    def learn(self, grad: ndarray) -> None:
        """Take note of the step that led to a gradient."""
        state = self.state
        if "prev_flat_grad" not in state:
            state.update(old_dirs=[], old_stps=[], ro=[], H_diag=1.0)
            return
        change = grad - state["prev_flat_grad"]._data
        step = state["d"]._data * number(state["t"])
        curvature = dot(change, step)
        if curvature <= 1e-10:
            return
        for name, value in [("old_dirs", wrap(change)), ("old_stps", wrap(step)), ("ro", 1.0 / curvature)]:
            if len(state[name]) == self.size:
                state[name].pop(0)
            state[name].append(value)
        state["H_diag"] = curvature / dot(change, change)

    def direction(self, grad: ndarray) -> ndarray:
        """Minus the inverse Hessian times the gradient (Nocedal and Wright, algorithm 7.4)."""
        changes, steps = [[each._data for each in self.state[name]] for name in ("old_dirs", "old_stps")]
        weights = [number(each) for each in self.state["ro"]]
        found, shares = -grad, []
        for change, step, weight in zip(changes[::-1], steps[::-1], weights[::-1], strict=True):
            share = dot(step, found) * weight
            found = found - change * share
            shares.append(share)
        found = found * number(self.state["H_diag"])
        for change, step, weight, share in zip(changes, steps, weights, shares[::-1], strict=True):
            found = found + step * (share - dot(change, found) * weight)
        return found


# -- the line search ---------------------------------------------------------------------------------------------------


class Point(NamedTuple):
    """A place on the line: how far, the loss there, its gradient, and its slope along the line."""

    t: float
    loss: float
    grad: ndarray
    slope: float


DECREASE, CURVATURE = 1e-4, 0.9  # the constants of the two Wolfe conditions
MOST, LEAST_CHANGE = 25, 1e-9  # steps of a search, and the width of the interval at which it ends


def line_search(at: Callable[[float], Point], t: float, start: Point, length: float) -> Point:
    """A point that satisfies the strong Wolfe conditions (Nocedal and Wright, algorithms 3.5 and 3.6), by cubic
    interpolation; ``length`` is the largest element of the direction."""
    low, high, count = bracket(at, t, start)
    is_stuck = False
    while high is not None and count < MOST and abs(high.t - low.t) * length >= LEAST_CHANGE:
        t, is_stuck = inside(cubic_minimum(low, high), low.t, high.t, is_stuck)
        point, count = at(t), count + 1
        if is_too_high(point, start) or point.loss >= low.loss:
            low, high = (low, point) if low.loss <= point.loss else (point, low)
            continue
        if is_flat(point, start):
            return point
        if point.slope * (high.t - low.t) >= 0:
            high = low
        low = point
    return low


def is_too_high(point: Point, start: Point) -> bool:
    return point.loss > start.loss + DECREASE * point.t * start.slope


def is_flat(point: Point, start: Point) -> bool:
    return abs(point.slope) <= -CURVATURE * start.slope


def bracket(at: Callable[[float], Point], t: float, start: Point) -> tuple[Point, Point | None, int]:
    """Two points with a good one between them, the lower one first; or a good one, and None. And how many steps."""
    last, point = start, at(t)
    for count in range(MOST):
        if is_too_high(point, start) or (count > 1 and point.loss >= last.loss):
            return *in_order(last, point), count
        if is_flat(point, start):
            return point, None, count
        if point.slope >= 0:
            return *in_order(last, point), count
        bounds = point.t + 0.01 * (point.t - last.t), point.t * 10
        last, point = point, at(cubic_minimum(last, point, bounds))
    return *in_order(start, point), MOST


def in_order(first: Point, second: Point) -> tuple[Point, Point]:
    return (first, second) if first.loss <= second.loss else (second, first)


def cubic_minimum(one: Point, other: Point, bounds: tuple[float, float] = (-inf, inf)) -> float:
    """Where the cubic through two points with their slopes is least, between the bounds (or the points)."""
    if one.t > other.t:
        one, other = other, one
    low, high = bounds if bounds[1] < inf else (one.t, other.t)
    if one.t == other.t:
        return low
    chord = one.slope + other.slope - 3 * (one.loss - other.loss) / (one.t - other.t)
    square = chord**2 - one.slope * other.slope
    if not square >= 0:
        return (low + high) / 2
    root = square**0.5
    divisor = other.slope - one.slope + 2 * root
    if divisor == 0:
        return (low + high) / 2
    return min(max(other.t - (other.t - one.t) * ((other.slope + root - chord) / divisor), low), high)


def inside(t: float, one: float, other: float, was_stuck: bool) -> tuple[float, bool]:
    """Keep a trial away from the ends of the interval, if it is there the second time or at an end."""
    low, high = min(one, other), max(one, other)
    margin = 0.1 * (high - low)
    if min(high - t, t - low) >= margin:
        return t, False
    if not was_stuck and low < t < high:
        return t, True
    return (high - margin if abs(t - high) < abs(t - low) else low + margin), False


# -- parameters as one vector ------------------------------------------------------------------------------------------


def arrays_of(params: list[Any]) -> list[ndarray]:
    return [real(param._data) for param in params]


def real(array: ndarray) -> ndarray:
    return as_real(array) if array.dtype.kind == "c" else array


def gathered(params: list[Any]) -> ndarray:
    """The gradients of all parameters in one array; zeros where there is none."""
    grads = [zeros_like(p._data) if p._grad is None else p._grad._data for p in params]
    return concatenate([real(grad).ravel() for grad in grads])


def place(params: list[Any], begin: list[ndarray], direction: ndarray, t: float) -> None:
    """Set the parameters to where they began, and ``t`` times the direction from there."""
    done = 0
    for param, target, source in zip(params, arrays_of(params), begin, strict=True):
        part = direction[done : done + source.size].reshape(source.shape)
        target[...] = source + part * t
        done += source.size
        mark_written(param._data, "LBFGS.step")


def dot(one: ndarray, other: ndarray) -> float:
    return float(one @ other)


def largest(array: ndarray) -> float:
    return float(absolute(array).max(initial=0))
