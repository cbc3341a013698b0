"""Branches that are masked out: what lets zero times infinity be zero in a backward pass, and what avoids the infinity."""

from collections.abc import Callable
from typing import Any

from ..tape.value import Tensor
from ..tape.watch import layer_on, looks_finite
from ..tensor import functions


def zero_cotangent() -> Any:
    """Context manager: in the backward passes inside, an exactly zero cotangent yields a zero gradient.

    Where a branch is masked out, as by ``torch.where(x > 0, x.sqrt(), 0)``, zero arrives at its operations, and times an
    infinite derivative makes NaN. Inside this context such elements become zero. Only NaN and infinite elements are
    ever changed, and only where the gradient that arrived was exactly zero in all elements that they depend on: the
    element itself for an elementwise operation, its row for one along a ``dim``, all of them otherwise.

    >>> import pullback as torch
    >>> x = torch.tensor([0.0, 4.0], requires_grad=True)
    >>> with torch.autograd.zero_cotangent():
    ...     torch.where(x > 0, x.sqrt(), 0.0).sum().backward()
    >>> x.grad
    tensor([0.0000, 0.2500])
    """
    return layer_on("zero", Zeroing())


class Zeroing:
    """The layer."""

    def around_pull(self, inner: Callable) -> Callable:
        def pull(work: Any, node: Any, grad: Any, saved: Any, edges: Any) -> Any:
            grads = inner(work, node, grad, saved, edges)
            if all(g is None or looks_finite(g) for g in grads):
                return grads
            return [g if g is None else with_zeros(work.xp, node.op, grad, saved, g) for g in grads]

        return pull


def with_zeros(xp: Any, op: Any, grad: Any, saved: Any, g: Any) -> Any:
    """A gradient with zeros for its NaN and infinities, where the cotangent that it came from is zero."""
    if op.outputs or isinstance(grad, list):
        arrived = [each for each in grad if each is not None]
        is_zero = all(not bool((each != 0).any()) for each in arrived)
        return xp.masked_fill(g, g - g != 0, 0) if is_zero else g
    zero = grad == 0
    if op.batch != "elementwise" or grad.shape != g.shape:
        zero = along_dim(xp, zero, dict(zip(op.saved, saved, strict=False)).get("dim"), tuple(g.shape))
    return xp.masked_fill(g, zero & (g - g != 0), 0)


def along_dim(xp: Any, zero: Any, dim: Any, shape: tuple) -> Any:
    """Where whole rows along ``dim`` are zero, to be broadcast to ``shape``; all or nothing, where rows are not known."""
    dims = sorted(
        d % len(shape) for d in (dim if isinstance(dim, (tuple, list)) else [dim] if shape else []) if d is not None
    )
    rows = zero
    if dims and zero.ndim == len(shape):
        for d in dims:
            rows = xp.all(rows, d, True)
    elif dims and zero.ndim + len(dims) == len(shape):
        for d in dims:
            rows = xp.unsqueeze(rows, d)
    fits = dims and tuple(rows.shape) == tuple([1 if i in dims else n for i, n in enumerate(shape)])
    return rows if fits else xp.all(zero)


def safe_where(condition: Any, function: Callable, x: Any, other: Any = 0.0, safe: Any = 1.0) -> Any:
    """``function(x)`` where ``condition`` holds, and ``other`` where it does not: value and derivatives, of any order.

    The function is computed at ``safe`` where the condition does not hold, so that nothing infinite can leak out of
    there, as it does from ``torch.where(condition, function(x), other)``.

    Args:
        condition: a tensor of booleans that broadcasts with ``x``.
        function: an elementwise function of a tensor (of several, where ``x`` is a tuple).
        x: a tensor or a tuple of tensors.
        other: a number or a tensor, or a function of ``x``, which is computed at ``safe`` where the condition holds.
        safe: a point (or a tuple of points) at which the functions and their derivatives are finite.

    >>> import pullback as torch
    >>> x = torch.tensor([0.0, 4.0], requires_grad=True)
    >>> torch.autograd.safe_where(x > 0, torch.sqrt, x).sum().backward()
    >>> x.grad
    tensor([0.0000, 0.2500])
    """
    where = functions["where"]
    xs = x if isinstance(x, tuple) else (x,)
    points = safe if isinstance(safe, tuple) else (safe,) * len(xs)
    inside = function(*[where(condition, each, point) for each, point in zip(xs, points, strict=True)])
    if callable(other) and not isinstance(other, Tensor):
        other = other(*[where(condition, point, each) for each, point in zip(xs, points, strict=True)])
    return where(condition, inside, other)
