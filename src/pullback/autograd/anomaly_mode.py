"""Anomaly mode: an exception at the first NaN that a backward (or forward) operation makes, with the user's lines in it.

Responsible for finding the operation and for saying what can be known of the cause. The check of a gradient is one inner
product: NaN times anything is NaN, so what passes has none; what does not is looked at closely.
"""

import warnings
from collections.abc import Callable
from typing import Any

from numpy import count_nonzero, isinf, isnan, ndarray, size

from ..clock import tick
from ..kernels import arrays
from ..tape.engine import collect
from ..tape.graph import Node
from ..tape.lines import describe, here
from ..tape.value import Tensor
from ..tape.watch import arrays_in, layer_of, looks_finite, own_pull, set_layer, vdot


class Anomaly:
    """The layer: it looks at what each node's pull returns and, if asked, at the result of each operation."""

    def __init__(self, nan: bool, inf: bool, forward: bool) -> None:
        self.nan, self.inf = nan, inf
        if forward:
            self.around_run = self.look_at_results

    def around_pull(self, inner: Callable) -> Callable:
        nan, inf, alone = self.nan, self.inf, inner is own_pull  # alone: a call less, a tenth of the mode's cost

        def pull(work: Any, node: Node, grad: Any, saved: Any, edges: Any) -> Any:
            start = 0 if work.xp is arrays else tick()
            try:
                grads = node.pull(work.xp, grad, saved, edges) if alone else inner(work, node, grad, saved, edges)
            except Exception as error:
                error.add_note(f"{node.name()} was recorded at {history(node)}")
                raise
            if start:
                adopt(node, grads, start)
            elif nan and len(grads) == 2:  # two small arrays are looked at together, and here: each call would cost 3 %
                a, b = grads
                if type(a) is ndarray is type(b) and a.size == b.size < 1024:
                    v: Any = vdot(a, b)
                    if v == v and (not inf or v - v == 0):
                        return grads
            if (nan or inf) and not all(g is None or looks_finite(g) for g in grads):
                for i, g in enumerate(grads):
                    self.check(i, g, work, node, grad, saved)
            return grads

        return pull

    def check(self, i: int, g: Any, work: Any, node: Node, grad: Any, saved: Any) -> None:
        found = None if g is None else self.fault(g)
        if found is not None:
            what, where = found
            raise RuntimeError(
                f"Function '{node.name()}' returned {what} values in its {i}th output, in {count_nonzero(where)} of "
                f"{size(where)} elements. It was recorded at {history(node)}{cause(work, node, grad, saved, where)}"
            )

    def fault(self, value: Any) -> tuple | None:
        """Which of nan and inf a value has, and where in its array."""
        for array in arrays_in(value):
            for what, test, asked in (("nan", isnan, self.nan), ("inf", isinf, self.inf)):
                if asked and array.dtype.kind in "fcV" and (where := test(array)).any():
                    return what, where
        return None

    def look_at_results(self, inner: Callable) -> Callable:
        def run(compute: Callable, op: Any, args: Any) -> Any:
            had = self.fault(args)  # before: the operation may write to them
            result = inner(compute, op, args)
            found = None if had else self.fault(result)
            if found is not None:
                raise RuntimeError(
                    f"Operation '{op.name}' returned {found[0]} values in the forward pass, in {count_nonzero(found[1])} "
                    f"of {size(found[1])} elements, and none of its inputs had any: {describe(here())}"
                )
            return result

        return run


def adopt(parent: Node, grads: Any, start: int) -> None:
    """Note whose pull recorded the nodes that are younger than ``start``: the next order's forward lines."""
    stack = [g._fn for g in grads if isinstance(g, Tensor)]
    while stack:
        node = stack.pop()
        if isinstance(node, Node) and node.tick > start and "_parent" not in node.__dict__:
            node._parent = parent  # type: ignore[attr-defined]
            stack.extend(node.next)


def history(node: Any) -> str:
    """A node's forward line; of one that a backward pass recorded, also that of the node whose backward it was."""
    parent = node.__dict__.get("_parent")
    text = node.line()
    return text if parent is None else f"{text}\n  in the backward of {parent.name()}, recorded at {history(parent)}"


# -- causes ------------------------------------------------------------------------------------------------------------

# Operations that pass some elements of their inputs on, and leave others out.
SELECTING = {
    "where", "masked_fill", "masked_select", "masked_scatter", "getitem", "select", "slice", "narrow", "index_select",
    "gather", "take", "take_along_dim", "clamp", "clamp_min", "clamp_max", "relu", "maximum", "minimum", "max", "min",
    "amax", "amin", "fmax", "fmin", "threshold", "tril", "triu", "index_fill",
}  # fmt: skip


def cause(work: Any, node: Node, grad: Any, saved: Any, where: Any) -> str:
    """What can be said about where a bad value came from."""
    cotangents = [*arrays_in(grad)]
    if any(isnan(c).any() for c in cotangents):
        return "\nThe gradient that reached it had nan already: it was given, or a hook or a sum of infinities made it."
    if any(isinf(c).any() for c in cotangents):
        return (
            "\nThe gradient that reached it had inf; detect_anomaly(check_inf=True) finds the operation that made it."
        )
    if cotangents and masked(cotangents, where):
        return masked_out(work, node)
    names = [n for n, v in zip(node.op.saved, saved, strict=False) if is_bad(v)]
    if names:
        return (
            f"\nIts {names[0]!r} had nan or inf in the forward pass already; "
            "detect_anomaly(check_forward=True) finds the operation that made them."
        )
    return ""


def is_bad(value: Any) -> bool:
    """Whether something in a value is NaN or infinite."""
    return any((array - array != 0).any() for array in arrays_in(value) if array.dtype.kind in "fcV")


def masked(cotangents: list, where: Any) -> bool:
    """Whether the gradient that arrived is exactly zero where the one that left is bad."""
    if len(cotangents) == 1 and cotangents[0].shape == where.shape:
        return not (cotangents[0][where] != 0).any()
    return not any((c != 0).any() for c in cotangents)


def masked_out(work: Any, node: Node) -> str:
    by = masking(work, node)
    told = f" by {by.name()}, recorded at {history(by)}" if by else ""
    return (
        f"\nThe gradient that reached it there was exactly zero: its result was masked out{told}"
        "\nZero times an infinite derivative is nan. Compute the branch at a safe point where it is not used "
        "(autograd.safe_where), or let a zero gradient stay zero (with autograd.zero_cotangent(): ...)."
    )


def masking(work: Any, node: Node) -> Any:
    """The nearest operation downstream that leaves elements out; else the one that the zeros came from."""
    order, *_ = collect([target for target, _, _ in work.roots])
    senders: dict[Any, list] = {}
    for each in order:
        for target in each.next:
            senders.setdefault(target, []).append(each)
    level, seen = senders.get(node, []), {node}
    nearest = level[0] if level else None
    while level:
        found = [n for n in level if n.op.name in SELECTING]
        if found:
            return found[0]
        seen.update(level)
        level = [n for each in level for n in senders.get(each, []) if n not in seen]
    return nearest


# -- the mode ----------------------------------------------------------------------------------------------------------


class set_detect_anomaly:
    """Turn anomaly mode on or off: at once when called as a function, until the block's end as a context manager.

    Args:
        mode: whether it is on.
        check_nan: raise at the first node of a backward pass that returns NaN.
        check_inf: ... or an infinity.
        check_forward: also at the first operation that makes one of these out of inputs that have none. (Slow: every
            operation then takes the general path.)

    With none of the checks, exceptions of a backward pass still say where their operation was recorded.
    """

    def __init__(
        self, mode: bool, check_nan: bool = True, *, check_inf: bool = False, check_forward: bool = False
    ) -> None:
        for name, given in (("mode", mode), ("check_nan", check_nan)):
            if not isinstance(given, bool):
                raise TypeError(f"set_detect_anomaly(): argument '{name}' must be bool, not {type(given).__name__}")
        self.layer = Anomaly(check_nan, check_inf, check_forward) if mode else None
        self.before = layer_of("anomaly")
        set_layer("anomaly", self.layer)

    def __enter__(self) -> None:
        pass

    def __exit__(self, *exc: object) -> None:
        set_layer("anomaly", self.before)


class detect_anomaly(set_detect_anomaly):
    """Context manager: the backward passes inside raise at the first NaN, and name the line that it comes from.

    Arguments are those of :class:`set_detect_anomaly`.

    >>> import warnings, pullback as torch
    >>> x = torch.tensor([0.0, 4.0], requires_grad=True)
    >>> warnings.simplefilter("ignore")  # as PyTorch, it warns that it is slow (here: by a fifth)
    >>> with torch.autograd.detect_anomaly():
    ...     torch.where(x > 0, x.sqrt(), 0.0).sum().backward()
    Traceback (most recent call last):
    RuntimeError: Function 'SqrtBackward0' returned nan values in its 0th output, in 1 of 2 elements...
    """

    def __init__(self, check_nan: bool = True, **checks: bool) -> None:
        warnings.warn(
            "Anomaly Detection has been enabled. This mode will increase the runtime and should only be enabled for "
            "debugging.",
            UserWarning,
            stacklevel=2,
        )
        self.options = (check_nan, checks)

    def __enter__(self) -> None:
        super().__init__(True, self.options[0], **self.options[1])


def set_anomaly_enabled(enabled: bool, check_nan: bool = True) -> None:
    """Turn anomaly mode on or off in this thread."""
    set_detect_anomaly(enabled, check_nan)


def is_anomaly_enabled() -> bool:
    """Whether anomaly mode is on, in this thread."""
    return layer_of("anomaly") is not None


def is_anomaly_check_nan_enabled() -> bool:
    """Whether anomaly mode would look for NaN."""
    layer = layer_of("anomaly")
    return layer is None or layer.nan
