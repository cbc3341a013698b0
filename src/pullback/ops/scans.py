"""Scans: cumulative sums, products and extremes along a dimension, and the linear recurrence that their derivatives are.

Canonical arguments: ``dim`` is a non-negative int, 0 for a zero-dim input. No rule divides, so zeros need no care.
"""

from math import inf

from .batching import shifted
from .checks import FLOATING, dim, dtype_or_none, ordered
from .reductions import INTERNAL, like
from .sorting import push_picked
from .table import COMMON, LINEAR, op


def earlier(xp, value, dim, first):
    """Each element's predecessor along a dimension, ``first`` for the first."""
    if not value.ndim:
        return xp.full_like(value, first)
    size = value.shape[dim]
    if not size:
        return value
    start = xp.full_like(xp.slice(value, dim, 0, 1, 1), first)
    return xp.cat([start, xp.slice(value, dim, 0, size - 1, 1)], dim)


def pull_factor(xp, grad, factor, result, dim, back):
    """The gradient of the factors: what each multiplied, times what that became part of."""
    flowing = xp.recurrence(grad, xp.conj(factor), dim, not back)
    if back:
        return earlier(xp, flowing, dim, 0) * xp.conj(result)
    return flowing * xp.conj(earlier(xp, result, dim, 0))


def push_factor(xp, tangent, factor, result, dim, back):
    """The tangent of a recurrence whose factors move: a recurrence over what their motion adds to each element."""
    if back:
        return xp.recurrence(later(xp, tangent * result, dim), factor, dim, back)
    return xp.recurrence(tangent * earlier(xp, result, dim, 0), factor, dim, back)


def later(xp, value, dim):
    """Each element's successor along a dimension, zero for the last."""
    if not value.ndim or not value.shape[dim]:
        return xp.zeros_like(value)
    end = xp.zeros_like(xp.slice(value, dim, 0, 1, 1))
    return xp.cat([xp.slice(value, dim, 1, value.shape[dim], 1), end], dim)


recurrence = op(
    "recurrence(input, factor, dim, back=False)",
    "The linear recurrence ``r[i] = input[i] + factor[i] * r[i - 1]`` along a dimension, from ``r[-1] = 0``; with ``back`` its "
    "transpose, ``r[i] = input[i] + factor[i + 1] * r[i + 1]``.",
    vjp={
        "input": lambda xp, grad, factor, dim, back: xp.recurrence(grad, xp.conj(factor), dim, not back),
        "factor": pull_factor,
    },
    jvp={
        "input": lambda xp, tangent, factor, dim, back: xp.recurrence(tangent, factor, dim, back),
        "factor": push_factor,
    },
    operands=("input", "factor"),
    types=COMMON,
    batch=shifted("dim"),
    samples=lambda t: [
        ((t(2, 5), t(2, 5), 1), {}),
        ((t(5, 2, 3), t(5, 2, 3), 0, True), {}),
        ((t(), t(), 0), {}),
        ((t(0, 2), t(0, 2), 0), {}),
    ],
    **INTERNAL,
)


def prepare_scan(name):
    def prepare(input, d, dtype):
        dtype_or_none(name, dtype)
        return input, dim(name, d, input.ndim), dtype

    return prepare


def scan_samples(t):
    return [
        ((t(2, 3, 4), 1), {}),
        ((t(2, 3), -1), {}),
        ((t(5), 0), {}),
        ((t(), 0), {}),
        ((t(0, 3), 0), {}),
        ((t(0, 3), 1), {}),
    ]


def scan_errors(t):
    return [((t(2, 3), 2), {}, IndexError), ((t(2, 3), 0.5), {}, TypeError), ((t(2, 3), None), {}, TypeError)]


SCAN = {"operands": ("input",), "batch": shifted("dim"), "errors": scan_errors}

suffix_sum = op(
    "suffix_sum(input, dim)",
    "The sum of each element and those after it along a dimension: the transpose of :func:`cumsum`.",
    vjp={"input": lambda xp, grad, dim: xp.cumsum(grad, dim)},
    jvp=LINEAR,
    operands=("input",),
    batch=shifted("dim"),
    samples=lambda t: [((t(2, 3), 1), {}), ((t(), 0), {}), ((t(0, 3), 0), {})],
    **INTERNAL,
)
cumsum = op(
    "cumsum(input, dim, *, dtype=None)",
    "The sum of each element and those before it along a dimension; of integers and bools in int64.",
    vjp={
        "input": lambda xp, grad, dim, dtype, input_dtype: like(xp, xp.suffix_sum(grad, dim), dtype, input_dtype),
    },
    jvp=LINEAR,
    prepare=prepare_scan("cumsum"),
    samples=scan_samples,
    inplace=True,
    out=True,
    **SCAN,
)
cumprod = op(
    "cumprod(input, dim, *, dtype=None)",
    "The product of each element and those before it along a dimension; of integers and bools in int64.",
    vjp={
        "input": lambda xp, grad, input, result, dim, dtype, input_dtype: like(
            xp,
            xp.recurrence(grad, xp.conj(input if dtype is None else xp.cast(input, dtype)), dim, True)
            * xp.conj(earlier(xp, result, dim, 1)),
            dtype,
            input_dtype,
        )
    },
    jvp={
        "input": lambda xp, tangent, input, result, dim, dtype: xp.recurrence(
            tangent * earlier(xp, result, dim, 1), input if dtype is None else xp.cast(input, dtype), dim
        )
    },
    prepare=prepare_scan("cumprod"),
    samples=lambda t: [*scan_samples(t), ((t.integers(-1, 2, 4, 3, dtype="float64"), 0), {})],  # zeros among them
    inplace=True,
    out=True,
    **SCAN,
)


def prepare_logcumsumexp(input, d):
    if input.dtype.category < FLOATING:
        raise NotImplementedError(f"logcumsumexp: not implemented for {input.dtype}; it needs a floating dtype")
    return input, dim("logcumsumexp", d, input.ndim)


def fading(xp, result, dim):
    """How much of each sum its predecessor was: ``exp(result[i - 1] - result[i])``, at most one in size; 0 for the first."""
    before = earlier(xp, result, dim, -inf)
    return xp.where(before == result, 1, xp.exp(before - result))  # equal infinities, too, leave nothing to add


logcumsumexp = op(
    "logcumsumexp(input, dim)",
    "The logarithm of the cumulative sum of exponentials along a dimension, computed without overflow.",
    vjp={
        "input": lambda xp, grad, input, result, dim: (
            xp.recurrence(grad, xp.conj(fading(xp, result, dim)), dim, True) * xp.conj(xp.exp(input - result))
        )
    },
    jvp={
        "input": lambda xp, tangent, input, result, dim: xp.recurrence(
            tangent * xp.exp(input - result), fading(xp, result, dim), dim
        )
    },
    prepare=prepare_logcumsumexp,
    samples=scan_samples,
    out=True,
    **SCAN,
)


def prepare_cumulative_extreme(name):
    def prepare(input, d):
        ordered(name, input)
        return input, dim(name, d, input.ndim)

    return prepare


def cumulative_extreme(name, which):
    return op(
        f"{name}(input, dim)",
        f"The {which} of each element and those before it along a dimension, as ``values``, and where it is, as ``indices`` of "
        "dtype int64: the last of those that tie, which receives the gradient.",
        outputs=("values", "indices"),
        vjp={
            "input": lambda xp, grad, indices, dim, input_shape: (
                xp.scatter_add(xp.zeros_like(grad), dim, indices, grad) if input_shape else grad
            )
        },
        jvp={"input": push_picked},
        prepare=prepare_cumulative_extreme(name),
        out=True,
        samples=scan_samples,
        **SCAN,
    )


cummax, cummin = cumulative_extreme("cummax", "largest"), cumulative_extreme("cummin", "smallest")
