"""``jet`` and ``taylor``: derivatives of any order along a curve, by one run of the function on Taylor series."""

from collections.abc import Callable, Sequence
from math import factorial
from typing import Any

from .. import tree
from ..interpreters.dispatch import new_level, values
from ..interpreters.series import Series, Space, beyond
from ..tape.promotion import dtype_of
from ..tape.value import Tensor, wrap
from ..tape.views import seen_at


def jet(func: Callable, primals: Sequence, series: Sequence) -> tuple:
    """The value of ``func`` and its derivatives of order 1 to k along a curve, in one run.

    The curve is given, and the result returned, by **derivatives**, as ``jax.experimental.jet`` has them, not by Taylor
    coefficients: ``series`` holds ``[dx/dt, d²x/dt², ..., dᵏx/dtᵏ]`` at ``t = 0``, where ``x = primals``, and the second result
    the same derivatives of ``func(x(t))``. So ``series=([v, 0 * v, ...],)`` gives directional derivatives along ``v``. The cost
    grows with k² where nested ``jvp`` doubles with each order.

    Args:
        func: a function of tensors, in nested structures, that returns tensors.
        primals: the arguments.
        series: for each argument a list of k derivatives; for a structured argument, the structure with a list in the place of each
            tensor. A derivative is a tensor of its primal's shape, a number for all its elements, or None for zero.

    Returns:
        ``(output, derivatives)``: the second with a list of k tensors in the place of each tensor of the first.

    Raises:
        ValueError: lists differ in length, shapes do not fit, or ``series`` has another structure than ``primals``.

    >>> import pullback as torch
    >>> torch.func.jet(torch.sin, (torch.tensor(0.0),), ([1.0, None, None],))
    (tensor(0.), [tensor(1.), tensor(-0.), tensor(-1.)])
    """
    for name, given in (("primals", primals), ("series", series)):
        if not isinstance(given, (tuple, list)):
            raise ValueError(
                f"jet: expected a tuple of {name}, one entry for each argument, got {type(given).__name__}"
            )
    leaves, spec = tree.flatten(tuple(primals))
    lists = lists_of(spec, tuple(series))
    order = common_length(lists)
    curves = [coefficients(x, each) for x, each in zip(leaves, lists, strict=True)]
    value, found = run(func, curves, spec, order)
    derivatives = [[t if n == 1 else t * float(factorial(n)) for n, t in enumerate(each, 1)] for each in found]
    return value, tree.unflatten(derivatives, tree.flatten(value)[1])


def taylor(func: Callable, x: Any, order: int, direction: Any = 1.0) -> tuple:
    """The Taylor coefficients of ``t -> func(x + t * direction)`` at zero: ``func(x + t * direction) ≈ sum(c[n] * t**n)``.

    Here ``c[n]`` is the n-th derivative along ``direction`` **divided by n!**, for n from 0 to ``order``; each has the
    structure of the function's result. With the default direction, all ones, an elementwise function gives each element's own.

    >>> import pullback as torch
    >>> torch.func.taylor(torch.exp, torch.tensor(0.0), 3)
    (tensor(1.), tensor(1.), tensor(0.5000), tensor(0.1667))
    """
    if order < 0:
        raise ValueError(f"taylor: the order must not be negative, got {order}")
    curve = coefficients(x, [direction, *[None] * (order - 1)][:order])
    value, found = run(func, [curve], tree.flatten((x,))[1], order)
    spec = tree.flatten(value)[1]
    return value, *[tree.unflatten(each, spec) for each in zip(*found, strict=True)]


def lists_of(spec: Any, series: tuple) -> list:
    """What ``series`` has in the place of each tensor of the primals: lists of derivatives."""
    try:
        found = tree.match(spec, series)
    except ValueError as error:
        raise ValueError(
            f"jet: series must have the structure of the primals, with a list for each tensor: {error}"
        ) from None
    for each in found:
        if not isinstance(each, (list, tuple)):
            raise ValueError(
                f"jet: expected a list of derivatives for each tensor of the primals, got a {type(each).__name__}; for order 1, "
                "a list of one tangent"
            )
    return found


def common_length(lists: list) -> int:
    lengths = {len(each) for each in lists}
    if len(lengths) != 1:
        raise ValueError(
            f"jet: every primal needs the same number of derivatives, got lists of lengths {[*map(len, lists)]}"
        )
    return lengths.pop()


def coefficients(x: Any, derivatives: Sequence) -> list:
    """Taylor coefficients of a curve from its derivatives."""
    if not isinstance(x, Tensor):
        raise ValueError(f"jet: Expected tensors as primals, got {type(x).__name__}")
    if dtype_of(x).category < 2:
        raise RuntimeError(f"jet: only floating or complex tensors can be differentiated, got one of {dtype_of(x)}")
    return [x, *[coefficient(x, d, n) for n, d in enumerate(derivatives, 1)]]


def coefficient(x: Any, derivative: Any, n: int) -> Any:
    if derivative is None:
        return None
    if not hasattr(derivative, "shape"):
        return values.full_like(x, derivative / factorial(n))
    if tuple(derivative.shape) != tuple(x.shape):
        raise ValueError(
            f"jet: a primal has shape {list(x.shape)}, and its derivative of order {n} {list(derivative.shape)}"
        )
    same = derivative if derivative.dtype is x.dtype else derivative.to(x.dtype)
    return same if n == 1 else same / float(factorial(n))


def run(func: Callable, curves: list, spec: Any, order: int) -> tuple:
    """The function's value on curves, and for each tensor of it the list of its coefficients 1 to ``order``."""
    with new_level() as level:
        space = Space(level, order)
        lifted = [wrap(Series(space, curve, beyond)) for curve in curves]
        outputs, out_spec = tree.flatten(func(*tree.unflatten(lifted, spec)))
        terms = [terms_of(out, space) for out in outputs]
    return tree.unflatten([each[0] for each in terms], out_spec), [each[1:] for each in terms]


def terms_of(out: Any, space: Space) -> list:
    """All coefficients of a result as the caller's tensors."""
    if not isinstance(out, Tensor):
        raise ValueError(f"jet: the function must return tensors, got {type(out).__name__}")
    value = seen_at(out, space.level)
    known = value.terms if space.is_mine(value) else [value]
    first = as_tensor(known[0])
    rest = [
        values.zeros_like(first) if t is None else t for t in [*known[1:], *[None] * (space.order + 1 - len(known))]
    ]
    return [first, *map(as_tensor, rest)]


def as_tensor(value: Any) -> Tensor:
    return value if isinstance(value, Tensor) else wrap(value)
