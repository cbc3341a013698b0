"""Scattering that reduces: what meets at one position is summed, multiplied, averaged, or the largest or smallest kept.

The tangent of each reduction is ``own * input's + scattered(each * src's)``. The two factors, ``own``
(:func:`self_factor`) and ``each`` (:func:`source_factor`), give all of its rules.
"""

from . import checks
from .scatter import batch_along, check_scatter, covered, for_source, prepare_index_add
from .table import composite, op
from .writing import needs_tensor


def self_factor(xp, input, dim, index, src, reduce, include_self, result):
    """The derivative of the result by the input."""
    src = covered(xp, src, index)
    if reduce == "prod":
        safe = xp.where(input == 0, 1, input)
        factor = xp.scatter_reduce(safe, dim, index, src, "prod", include_self=include_self) / safe
    else:
        factor = shares(xp, input, dim, index, src, reduce, include_self, result)
        if reduce in ("amax", "amin"):
            factor = factor * (input == result)
    return factor if include_self else xp.scatter(factor, dim, index, 0)


def source_factor(xp, input, dim, index, src, reduce, include_self, result):
    """The derivative of each reduced element by the source's."""
    src = covered(xp, src, index)
    if reduce == "prod":
        return product_factor(xp, input, dim, index, src, include_self, result)
    factor = xp.gather(shares(xp, input, dim, index, src, reduce, include_self, result), dim, index)
    return factor * (src == xp.gather(result, dim, index)) if reduce in ("amax", "amin") else factor


def shares(xp, input, dim, index, src, reduce, include_self, result):
    """What one contribution to a result counts: 1 in a sum, less where several are averaged or tie."""
    ones = xp.ones_like(result)
    if reduce == "sum":
        return ones
    if reduce == "mean":
        counts = xp.scatter_add(
            ones if include_self else xp.scatter(ones, dim, index, 0), dim, index, xp.ones_like(src)
        )
    else:
        winners = xp.cast(src == xp.gather(result, dim, index), result.dtype)
        counts = xp.scatter_add(xp.cast(input == result, result.dtype), dim, index, winners)
    return 1 / xp.where(counts == 0, 1, counts)


def product_factor(xp, input, dim, index, src, include_self, result):
    """The product of all others: by division, and where a single source is zero by leaving that one out."""
    is_zero = src == 0
    zeros = xp.ungather(xp.cast(is_zero, result.dtype), dim, index, tuple(result.shape))
    lone = is_zero & (xp.gather(zeros, dim, index) == 1)
    without = xp.scatter_reduce(input, dim, index, xp.where(lone, 1, src), "prod", include_self=include_self)
    divided = xp.gather(result, dim, index) / xp.where(is_zero, 1, src)
    return xp.where(lone, xp.gather(without, dim, index), divided)


def check_reducible(op_name, input, reduce):
    """Raise NotImplementedError where a reduction makes no sense of a dtype."""
    if reduce in ("amax", "amin"):
        checks.ordered(op_name, input)
    if reduce == "mean" and input.dtype.category == checks.BOOL:
        raise NotImplementedError(f"{op_name}: the mean of bools is not implemented; pass them as numbers")


def prepare_scatter_reduce(input, dim, index, src, reduce, include_self):
    needs_tensor("scatter_reduce", "src", 4, src)
    if reduce not in ("sum", "prod", "mean", "amax", "amin"):
        raise RuntimeError(f"reduce argument must be either sum, prod, mean, amax or amin, got {reduce}")
    check_reducible("scatter_reduce", input, reduce)
    return input, check_scatter("scatter_reduce", input, dim, index, src), index, src, reduce, include_self


def scatter_reduce_input(xp, grad, input, dim, index, src, reduce, include_self, result):
    return grad * xp.conj(self_factor(xp, input, dim, index, src, reduce, include_self, result))


def scatter_reduce_src(xp, grad, input, dim, index, src, reduce, include_self, result):
    factor = source_factor(xp, input, dim, index, src, reduce, include_self, result)
    return for_source(xp, xp.gather(grad, dim, index) * xp.conj(factor), src.shape)


def scatter_reduce_input_tangent(xp, tangent, input, dim, index, src, reduce, include_self, result):
    return tangent * self_factor(xp, input, dim, index, src, reduce, include_self, result)


def scatter_reduce_src_tangent(xp, tangent, input, dim, index, src, reduce, include_self, result):
    factor = source_factor(xp, input, dim, index, src, reduce, include_self, result)
    return xp.ungather(covered(xp, tangent, index) * factor, dim, index, tuple(result.shape))


scatter_reduce = op(
    "scatter_reduce(input, dim, index, src, reduce, *, include_self=True)",
    "Elements of ``src`` that meet at a position along ``dim`` reduced to one, with the input's unless told otherwise. "
    "Of 'amax' and 'amin', those that tie share the gradient.",
    vjp={"input": scatter_reduce_input, "src": scatter_reduce_src},
    jvp={"input": scatter_reduce_input_tangent, "src": scatter_reduce_src_tangent},
    batch=batch_along(),
    operands=("input", "index", "src"),
    prepare=prepare_scatter_reduce,
    inplace=True,
    out=True,
    samples=lambda t: (
        [
            ((t(3, 4), dim, t.integers(0, 3, 2, 4), t(2, 4), reduce), {"include_self": include_self})
            for reduce in ("sum", "prod", "mean", "amax", "amin")
            for dim, include_self in ((0, True), (-1, False))
        ]
        + [((t(), 0, t.integers(0, 1), t(), "prod"), {}), ((t(3), 0, t.integers(0, 3, 2), t(4), "mean"), {})]
    ),
    errors=lambda t: [((t(3), 0, t.integers(0, 3, 2), t(2), "median"), {}, RuntimeError)],
)


def reduced_slices(xp, input, dim, index, source, reduce, include_self):
    """``scatter_reduce`` with the vector of positions repeated over the other dims."""
    ndim = max(input.ndim, 1)
    shape = tuple(input.shape) or (1,)
    source = xp.reshape(source, (*shape[:dim], index.shape[0] if index.ndim else 1, *shape[dim + 1 :]))
    index = xp.reshape(index, tuple([-1 if d == dim else 1 for d in range(ndim)]))
    index = xp.expand(index, tuple(source.shape))
    found = xp.scatter_reduce(xp.reshape(input, shape), dim, index, source, reduce, include_self=include_self)
    return xp.reshape(found, tuple(input.shape))


def prepare_index_reduce(input, dim, index, source, reduce, include_self):
    if reduce not in ("prod", "mean", "amax", "amin"):
        raise RuntimeError(f"index_reduce(): Expected reduce to be one of prod, mean, amax or amin but got {reduce}.")
    check_reducible("index_reduce", input, reduce)
    input, dim, index, source, _ = prepare_index_add(input, dim, index, source, 1)
    return input, dim, index, source, reduce, include_self


index_reduce = composite(
    "index_reduce(input, dim, index, source, reduce, *, include_self=True)",
    "Slices of ``source`` that meet at a position along ``dim`` reduced to one, with the input's unless told otherwise.",
    reduced_slices,
    operands=("input", "index", "source"),
    prepare=prepare_index_reduce,
    inplace=True,
    out=True,
    samples=lambda t: [
        ((t(3, 4), dim, t.integers(0, 3, size), t(*shape), reduce), {"include_self": include_self})
        for reduce in ("prod", "mean", "amax", "amin")
        for dim, size, shape, include_self in ((0, 5, (5, 4), True), (-1, 2, (3, 2), False))
    ],
    errors=lambda t: [((t(3), 0, t.integers(0, 3, 2), t(2), "sum"), {}, RuntimeError)],
)
