"""Reductions: sums, means, products and truth over one, several or all dimensions; and what all reductions share.

Canonical arguments: ``dim`` is None for all dimensions, or a tuple of non-negative ints; one int where PyTorch takes
only one. A zero-dim input's ``dim`` is None.
"""

from math import nan

from .batching import shifted
from .checks import COMPLEX, FLOATING, dtype_or_none, flag, reduced_dims
from .checks import dim as one_dim
from .table import LINEAR, composite, op, overload

INTERNAL = {"function": False, "method": False}


def reduced_shape(shape, dim):
    """The shape after a reduction that keeps its dims."""
    if dim is None:
        return (1,) * len(shape)
    over = {d % len(shape) for d in (dim if isinstance(dim, tuple) else (dim,))} if shape else ()
    return tuple(1 if d in over else n for d, n in enumerate(shape))


def kept(xp, value, shape, dim, keepdim):
    """A reduced value with its reduced dims put back, of size one, so that it broadcasts against the input."""
    return value if keepdim or dim is None else xp.reshape(value, reduced_shape(shape, dim))


def spread(xp, grad, shape, dim, keepdim):
    """A reduced gradient, repeated in the shape before the reduction."""
    return xp.expand(kept(xp, grad, shape, dim, keepdim), shape)


def count(shape, dim):
    """How many elements a reduction makes one of."""
    number = 1
    for size in shape if dim is None else [shape[d] for d in (dim if isinstance(dim, tuple) else (dim,))]:
        number *= size
    return number


def rows(xp, value):
    """A batch of values, each flattened."""
    return xp.reshape(value, (value.shape[0], count(value.shape[1:], None)))


def like(xp, grad, dtype, input_dtype):
    """A gradient in the input's dtype, where the operation was told another one to compute in."""
    return grad if dtype is None else xp.cast(grad, input_dtype)


def as_dtype(xp, input, dtype):
    """The input in the dtype that the operation was told to compute in."""
    return input if dtype is None else xp.cast(input, dtype)


def along(input, dim):
    """One dim as a reduction takes it: a zero-dim input has none."""
    return dim if input.ndim else None


def others_of(xp, input, dtype):
    """For each of all elements, the product of the others, in one dimension."""
    return xp.others(xp.reshape(as_dtype(xp, input, dtype), (count(input.shape, None),)), 0)


def real_product(xp, tangent, slope):
    """The real part of ``conj(slope) * tangent``: how a real result moves along a tangent."""
    return xp.real(xp.conj(slope) * tangent)


def prepared(name):
    """The preparation of a reduction over any dims with ``keepdim`` and ``dtype``."""

    def prepare(input, dim, keepdim, dtype):
        flag(name, "keepdim", keepdim)
        dtype_or_none(name, dtype)
        return input, reduced_dims(name, dim, input.ndim), keepdim, dtype

    return prepare


def over_dims(t):
    """Sample inputs of a reduction over any dims."""
    cases = [
        {},
        {"dim": 1},
        {"dim": -1, "keepdim": True},
        {"dim": (0, 2)},
        {"dim": (-1, 1), "keepdim": True},
        {"dim": ()},
    ]
    samples = [((t(2, 3, 4),), case) for case in cases] + [((t(),), {}), ((t(),), {"dim": 0}), ((t(1, 3),), {"dim": 0})]
    return samples


def over_dims_or_nothing(t):
    """Sample inputs of a reduction that has an identity, so that it can go over no elements."""
    return [*over_dims(t), ((t(0, 3),), {}), ((t(0, 3),), {"dim": 0}), ((t(0, 3),), {"dim": 1})]


def bad_dims(t):
    """Bad arguments of a reduction over any dims."""
    return [
        ((t(2, 3),), {"dim": 2}, IndexError),
        ((t(2, 3),), {"dim": (0, -2)}, RuntimeError),
        ((t(2, 3),), {"dim": 1.5}, TypeError),
        ((t(2, 3), 0, 1), {}, TypeError),
    ]


# Sums and means. The sum of all elements has an entry of its own, as PyTorch has two nodes for the two.

sum_all = op(
    "sum_all(input, *, dtype=None)",
    "The sum of all elements.",
    vjp={
        "input": lambda xp, grad, dtype, input_shape, input_dtype: like(
            xp, xp.expand(grad, input_shape), dtype, input_dtype
        )
    },
    jvp=LINEAR,
    batch=lambda xp, op, args, batched, size: xp.sum(rows(xp, args[0]), 1, dtype=args[1]),
    node="SumBackward0",
    samples=lambda t: [((t(2, 3),), {}), ((t(),), {}), ((t(0),), {})],
    **INTERNAL,
)
sum = op(
    "sum(input, dim=None, keepdim=False, *, dtype=None)",
    "The sum over ``dim``, or of all elements. Integers and bools are summed in int64; ``dtype`` is cast to first.",
    vjp={
        "input": lambda xp, grad, dim, keepdim, dtype, input_shape, input_dtype: like(
            xp, spread(xp, grad, input_shape, dim, keepdim), dtype, input_dtype
        )
    },
    jvp=LINEAR,
    batch=shifted("dim", whole=True),
    prepare=prepared("sum"),
    node="SumBackward1",
    samples=over_dims_or_nothing,
    errors=bad_dims,
    **INTERNAL,
)
overload(
    "sum(input, dim=None, keepdim=False, *, dtype=None)",
    sum.doc,
    lambda input, dim, keepdim, dtype: (
        (sum_all, (input, dtype)) if dim is None and not keepdim else (sum, (input, dim, keepdim, dtype))
    ),
    out=True,
)


def check_mean(input, dtype):
    """Raise PyTorch's error for the mean of integers, which would need another dtype."""
    dtype_or_none("mean", dtype)
    if (dtype or input.dtype).category < FLOATING:
        which, found = ("Input", input.dtype) if dtype is None else ("Optional", dtype)
        raise RuntimeError(
            f"mean(): could not infer output dtype. {which} dtype must be either a floating point or complex dtype. "
            f"Got: {found}. Pass a floating dtype, as in mean(dtype=torch.float32)"
        )


def prepare_mean(input, dim, keepdim, dtype):
    check_mean(input, dtype)
    return prepared("mean")(input, dim, keepdim, dtype)


def prepare_mean_all(input, dtype):
    check_mean(input, dtype)
    return input, dtype


mean_all = op(
    "mean_all(input, *, dtype=None)",
    "The mean of all elements.",
    vjp={
        "input": lambda xp, grad, dtype, input_shape, input_dtype: like(
            xp, xp.expand(grad / max(count(input_shape, None), 1), input_shape), dtype, input_dtype
        )
    },
    jvp=LINEAR,
    batch=lambda xp, op, args, batched, size: xp.mean(rows(xp, args[0]), 1, dtype=args[1]),
    prepare=prepare_mean_all,
    node="MeanBackward0",
    samples=lambda t: [((t(2, 3),), {}), ((t(),), {})],
    **INTERNAL,
)
mean = op(
    "mean(input, dim=None, keepdim=False, *, dtype=None)",
    "The mean over ``dim``, or of all elements; NaN where there are none. Integers need a floating ``dtype``.",
    vjp={
        "input": lambda xp, grad, dim, keepdim, dtype, input_shape, input_dtype: like(
            xp, spread(xp, grad / max(count(input_shape, dim), 1), input_shape, dim, keepdim), dtype, input_dtype
        )
    },
    jvp=LINEAR,
    batch=shifted("dim", whole=True),
    prepare=prepare_mean,
    node="MeanBackward1",
    samples=over_dims_or_nothing,
    errors=bad_dims,
    **INTERNAL,
)
overload(
    "mean(input, dim=None, keepdim=False, *, dtype=None)",
    mean.doc,
    lambda input, dim, keepdim, dtype: (
        (mean_all, (input, dtype)) if dim is None and not keepdim else (mean, (input, dim, keepdim, dtype))
    ),
    out=True,
)

# Products. Each element's gradient is the product of the others, which no zero spoils.


def prepare_prod(input, dim, keepdim, dtype):
    flag("prod", "keepdim", keepdim)
    dtype_or_none("prod", dtype)
    return input, one_dim("prod", dim, input.ndim), keepdim, dtype


def formula_others(xp, input, dim):
    """The product of what comes before each element, times that of what comes after."""
    ones = xp.ones_like(input)
    if not input.ndim or not input.shape[dim]:
        return ones
    size = input.shape[dim]
    edge = xp.slice(ones, dim, 0, 1, 1)
    before = xp.cat([edge, xp.cumprod(xp.slice(input, dim, 0, size - 1, 1), dim)], dim)
    backwards = xp.flip(xp.slice(input, dim, 1, size, 1), (dim,))
    return before * xp.cat([xp.flip(xp.cumprod(backwards, dim), (dim,)), edge], dim)


others = composite(
    "others(input, dim)",
    "The product of all other elements along a dimension, for each element.",
    formula_others,
    operands=("input",),
    samples=lambda t: [((t(2, 3), 1), {}), ((t.integers(0, 2, 3, 4, dtype="float64"), 0), {}), ((t(),), {"dim": 0})],
    **INTERNAL,
)
prod_all = op(
    "prod_all(input, *, dtype=None)",
    "The product of all elements.",
    vjp={
        "input": lambda xp, grad, input, dtype, input_shape, input_dtype: like(
            xp, grad * xp.conj(xp.reshape(others_of(xp, input, dtype), input_shape)), dtype, input_dtype
        )
    },
    jvp={
        "input": lambda xp, tangent, input, dtype, input_shape: xp.sum(
            tangent * xp.reshape(others_of(xp, input, dtype), input_shape)
        )
    },
    batch=lambda xp, op, args, batched, size: xp.prod(rows(xp, args[0]), 1, dtype=args[1]),
    node="ProdBackward0",
    samples=lambda t: [((t(2, 3),), {}), ((t(),), {}), ((t(0),), {})],
    **INTERNAL,
)
prod = op(
    "prod(input, dim, keepdim=False, *, dtype=None)",
    "The product over one dimension, or of all elements. Integers and bools are multiplied in int64.",
    vjp={
        "input": lambda xp, grad, input, dim, keepdim, dtype, input_shape, input_dtype: like(
            xp,
            kept(xp, grad, input_shape, dim, keepdim) * xp.conj(xp.others(as_dtype(xp, input, dtype), dim)),
            dtype,
            input_dtype,
        )
    },
    jvp={
        "input": lambda xp, tangent, input, dim, keepdim, dtype: xp.sum(
            tangent * xp.others(as_dtype(xp, input, dtype), dim), along(input, dim), keepdim
        )
    },
    operands=("input",),
    batch=shifted("dim"),
    prepare=prepare_prod,
    node="ProdBackward1",
    samples=lambda t: [
        ((t(2, 3, 4), 1), {}),
        ((t(2, 3, 4), -1, True), {}),
        ((t.integers(-1, 2, 4, 3, dtype="float64"), 1), {}),
        ((t(), 0), {}),
        ((t(0, 3), 0), {}),
        ((t(0, 3), 1), {}),
    ],
    errors=lambda t: [((t(2, 3), 2), {}, IndexError), ((t(2, 3), (0, 1)), {}, TypeError)],
    **INTERNAL,
)
overload(
    "prod(input, dim=None, keepdim=False, *, dtype=None)",
    prod.doc,
    lambda input, dim, keepdim, dtype: (
        (prod_all, (input, dtype)) if dim is None else (prod, (input, dim, keepdim, dtype))
    ),
    out=True,
)

# Sums and means that skip NaN.


def real_only(name, input):
    """Raise PyTorch's error for complex inputs."""
    if input.dtype.category == COMPLEX:
        raise RuntimeError(f"{name}: does not support complex inputs, but got {input.dtype}")


def prepare_nansum(input, dim, keepdim, dtype):
    real_only("nansum", input)
    return prepared("nansum")(input, dim, keepdim, dtype)


def prepare_nanmean(input, dim, keepdim, dtype):
    real_only("nanmean", input)
    if input.dtype.category < FLOATING:
        raise RuntimeError(f"nanmean(): expected input to have floating point or complex dtype but got {input.dtype}")
    return prepared("nanmean")(input, dim, keepdim, dtype)


def nan_samples(t):
    some = t(2, 3, 4)
    some = some.masked_fill(some > 1, nan)
    return [((some,), {}), ((some, 1), {}), ((some, (0, -1), True), {}), ((t(),), {})]


composite(
    "nansum(input, dim=None, keepdim=False, *, dtype=None)",
    "The sum over ``dim``, or of all elements, with NaN taken as zero.",
    lambda xp, input, dim=None, keepdim=False, dtype=None: xp.sum(
        xp.where(xp.isnan(input), 0, input), dim, keepdim, dtype=dtype
    ),
    operands=("input",),
    prepare=prepare_nansum,
    out=True,
    samples=nan_samples,
    errors=bad_dims,
)
composite(
    "nanmean(input, dim=None, keepdim=False, *, dtype=None)",
    "The mean over ``dim``, or of all elements, of those that are not NaN.",
    lambda xp, input, dim, keepdim, dtype: (
        xp.sum(xp.where(xp.isnan(input), 0, input), dim, keepdim, dtype=dtype)
        / xp.sum(xp.isnan(input) == 0, dim, keepdim, dtype=dtype or input.dtype)
    ),
    operands=("input",),
    prepare=prepare_nanmean,
    node="DivBackward0",
    out=True,
    samples=nan_samples,
    errors=bad_dims,
)

# Truth, which has no derivative.


def batch_truth(xp, op, args, batched, size):
    """``dim=()`` reduces nothing here, unlike in the other reductions."""
    return xp.call(op, args) if args[1] == () else shifted("dim", whole=True)(xp, op, args, batched, size)


def prepare_truth(name):
    def prepare(input, dim, keepdim):
        flag(name, "keepdim", keepdim)
        return input, () if isinstance(dim, (tuple, list)) and not dim else reduced_dims(name, dim, input.ndim), keepdim

    return prepare


for name, which in (("any", "any element is"), ("all", "all elements are")):
    op(
        f"{name}(input, dim=None, keepdim=False)",
        f"Whether {which} nonzero, over ``dim`` or over all dims; an empty tuple of dims tests each element. The result is "
        "of dtype bool (uint8 for uint8).",
        batch=batch_truth,
        prepare=prepare_truth(name),
        out=True,
        samples=lambda t: (
            [((t.bools(2, 3, 4), *args), kwargs) for (_, *args), kwargs in over_dims(t)[:6]]
            + [((t(0, 3), 0), {}), ((t(),), {}), ((t.integers(0, 2, 3, 2), 0), {})]
        ),
        errors=bad_dims,
    )
op(
    "count_nonzero(input, dim=None)",
    "The number of elements that are not zero, as int64, over ``dim`` or over all dims.",
    batch=shifted("dim", whole=True),
    prepare=lambda input, dim: (input, reduced_dims("count_nonzero", dim, input.ndim)),
    star="dim",
    samples=lambda t: [
        ((t.integers(0, 2, 2, 3),), {}),
        ((t.bools(2, 3), 0), {}),
        ((t(2, 3), (0, -1)), {}),
        ((t(),), {}),
    ],
    errors=lambda t: [((t(2, 3), 2), {}, IndexError)],
)
