"""Order statistics: the element of a given rank, the median, the mode, and quantiles."""

from math import prod

from ..dtypes import int64
from .batching import shifted
from .checks import BOOL, FLOATING, dim, flag, not_empty, ordered, reduced_dims
from .extremes import mean_of, share
from .reductions import INTERNAL, reduced_shape, rows
from .sorting import at_indices, from_indices, whole
from .table import composite, op, overload


def rankable(name, input):
    """Raise NotImplementedError for dtypes whose elements PyTorch does not rank."""
    ordered(name, input)
    if input.dtype.category == BOOL and input.ndim and 0 not in input.shape:
        raise NotImplementedError(f"{name}: not implemented for torch.bool")


def prepare_rank(name):
    def prepare(input, d, keepdim):
        rankable(name, input)
        flag(name, "keepdim", keepdim)
        d = dim(name, d, input.ndim)
        not_empty(name, input.shape, d)
        return input, d, keepdim

    return prepare


def prepare_rank_all(name):
    def prepare(input):
        rankable(name, input)
        return (input,)

    return prepare


def median_all(name, which, along):
    return op(
        f"{name}_all(input)",
        f"The {which} of all elements. Those that tie share the gradient evenly.",
        vjp={
            "input": lambda xp, grad, input, result, input_dtype: share(
                xp, grad, xp.matches(input, result), None, input_dtype
            )
        },
        jvp={"input": lambda xp, tangent, input, result: mean_of(xp, tangent, xp.matches(input, result), None, False)},
        batch=lambda xp, op, args, batched, size: xp.call(along, (rows(xp, args[0]), 1, False))[0],
        prepare=prepare_rank_all(name),
        node=f"{name.capitalize()}Backward0",
        samples=lambda t: [((t(2, 3),), {}), ((t(5),), {}), ((t(),), {})],
        **INTERNAL,
    )


def median_dim(name, which):
    return op(
        f"{name}_dim(input, dim, keepdim=False)",
        f"The {which} over a dimension, as ``values``, and where it is, as ``indices``: of those that tie, one, which receives the "
        "gradient.",
        outputs=("values", "indices"),
        vjp={"input": from_indices},
        jvp={"input": at_indices},
        operands=("input",),
        batch=shifted("dim"),
        prepare=prepare_rank(name),
        node=f"{name.capitalize()}Backward1",
        samples=lambda t: [((t(2, 3, 4), 1), {}), ((t(3, 4), -1, True), {}), ((t(), 0), {}), ((t(0, 3), 1), {})],
        errors=lambda t: [((t(2, 3), 2), {}, IndexError), ((t(0, 3), 0), {}, IndexError)],
        **INTERNAL,
    )


def median(name, which, note):
    over = median_dim(name, which)
    of_all = median_all(name, which, over)
    overload(
        f"{name}(input, dim=None, keepdim=False)",
        f"The {which} of all elements, or over ``dim`` with its indices: {note}.",
        lambda input, dim, keepdim: (of_all, (input,)) if dim is None else (over, (input, dim, keepdim)),
        out=True,
    )


median("median", "median", "the lower of the two middle elements; NaN where there is one")
median("nanmedian", "median, NaN aside,", "the lower of the two middle elements that are not NaN")


def prepare_kthvalue(input, k, d, keepdim):
    flag("kthvalue", "keepdim", keepdim)
    k, d = whole("kthvalue", "k", k), dim("kthvalue", d, input.ndim)
    not_empty("kthvalue", input.shape, d)
    size = input.shape[d] if input.ndim else 1
    if not 1 <= k <= size:
        raise RuntimeError(f"kthvalue(): selected number k out of range for dimension {d}: {k} of {size}")
    rankable("kthvalue", input)
    return input, k, d, keepdim


op(
    "kthvalue(input, k, dim=-1, keepdim=False)",
    "The ``k``-th smallest element along a dimension, counted from 1, as ``values``, and where it is, as ``indices``. NaN counts "
    "as the largest.",
    outputs=("values", "indices"),
    vjp={"input": from_indices},
    jvp={"input": at_indices},
    operands=("input",),
    batch=shifted("dim"),
    prepare=prepare_kthvalue,
    out=True,
    samples=lambda t: [((t(2, 3, 4), 2), {}), ((t(3, 4), 3, 0, True), {}), ((t(), 1), {}), ((t(0, 3), 1), {})],
    errors=lambda t: [
        ((t(3), 0), {}, RuntimeError),
        ((t(3), 4), {}, RuntimeError),
        ((t(3), 1, 1), {}, IndexError),
        ((t(0, 3), 1, 0), {}, IndexError),
    ],
)


def prepare_mode(input, d, keepdim):
    ordered("mode", input)
    flag("mode", "keepdim", keepdim)
    d = dim("mode", d, input.ndim)
    not_empty("mode", input.shape, d)
    return input, d, keepdim


op(
    "mode(input, dim=-1, keepdim=False)",
    "The most frequent element along a dimension (the smallest of several), as ``values``, and where it last occurs, as "
    "``indices``, which receives the gradient.",
    outputs=("values", "indices"),
    vjp={"input": from_indices},
    jvp={"input": at_indices},
    batch=shifted("dim"),
    prepare=prepare_mode,
    out=True,
    samples=lambda t: [
        ((t(2, 3, 4),), {}),
        ((t.integers(0, 3, 5, 6), 0, True), {}),
        ((t.bools(2, 5),), {}),
        ((t(),), {}),
        ((t(0, 3),), {}),
    ],
    errors=lambda t: [((t(2, 3), 2), {}, IndexError), ((t(0, 3), 0), {}, IndexError)],
)

# Quantiles.

INTERPOLATIONS = ("linear", "lower", "higher", "midpoint", "nearest")


def prepare_quantile(name):
    def prepare(input, q, d, keepdim, interpolation):
        if input.dtype.category != FLOATING or input.dtype.itemsize < 4:
            raise RuntimeError(f"{name}() input tensor must be either float or double dtype, but got {input.dtype}")
        if 0 in input.shape and not prod(input.shape):
            raise RuntimeError(f"{name}() input tensor must be non-empty, but its shape is {tuple(input.shape)}")
        if hasattr(q, "dtype"):
            check_quantile_tensor(name, q, input.dtype)
        elif not 0 <= q <= 1:
            raise RuntimeError(f"{name}() q must be in the range [0, 1] but got {q}")
        if interpolation not in INTERPOLATIONS:
            raise RuntimeError(
                f"{name}() interpolation must be one of linear, lower, higher, midpoint or nearest, but got {interpolation}"
            )
        d = reduced_dims(name, None if d is None else dim(name, d, input.ndim), input.ndim)
        return input, q, d and d[0], keepdim, interpolation

    return prepare


def check_quantile_tensor(name, q, dtype):
    if q.ndim > 1:
        raise RuntimeError(f"{name}() q must be a scalar or 1D tensor, but its shape is {tuple(q.shape)}")
    if q.dtype is not dtype:
        raise RuntimeError(f"{name}() q tensor must be same dtype as the input tensor: {q.dtype} against {dtype}")


def rank_of(xp, lines, q, skip_nan):
    """The rank, which may lie between two elements, of a quantile of sorted lines; NaN, which comes last, ranks as itself."""
    axis, size = lines.ndim - 1, lines.shape[-1]
    end = xp.slice(lines, axis, size - 1, size, 1)
    if not hasattr(q, "dtype"):
        q = xp.full_like(end, q)
    if skip_nan:
        present = xp.sum(xp.isnan(lines) == 0, axis, True, dtype=lines.dtype)
        return q * xp.where(present == 0, 0, present - 1)
    return xp.where(xp.isnan(end), size - 1, q * (size - 1))


def element(xp, lines, rank):
    """The elements of sorted lines at ranks that are whole numbers."""
    return xp.gather(lines, lines.ndim - 1, xp.cast(rank, int64))


def interpolated(xp, lines, rank, how):
    """The elements of sorted lines at ranks, interpolated where a rank lies between two."""
    if how == "nearest":
        return element(xp, lines, xp.round(rank))
    if how == "higher":
        return element(xp, lines, xp.ceil(rank))
    below = xp.floor(rank)
    low = element(xp, lines, below)
    if how == "lower":
        return low
    return xp.lerp(low, element(xp, lines, xp.ceil(rank)), 0.5 if how == "midpoint" else rank - below)


def quantile(name, skip_nan, note):
    def formula(xp, input, q, dim=None, keepdim=False, interpolation="linear"):
        shape = reduced_shape(input.shape, dim)
        if dim is None:
            lines = xp.reshape(input, (prod(input.shape),))
        else:
            lines = xp.transpose(input, dim, input.ndim - 1)
        lines, _ = xp.sort(lines, lines.ndim - 1)
        found = interpolated(xp, lines, rank_of(xp, lines, q, skip_nan), interpolation)
        if dim is not None:
            found = xp.transpose(found, dim, input.ndim - 1)
        if getattr(q, "ndim", 0) == 0:
            return xp.reshape(
                found, shape if keepdim else tuple(n for d, n in enumerate(shape) if dim not in (None, d))
            )
        axis = dim or 0
        found = xp.permute(found, (axis, *[d for d in range(found.ndim) if d != axis]))
        return xp.reshape(found, (q.shape[0], *shape)) if keepdim else found

    return composite(
        f"{name}(input, q, dim=None, keepdim=False, *, interpolation='linear')",
        "The ``q``-th quantile over one dimension, or of all elements; of a tensor of several ``q``, the results along a new first "
        f"dimension. {note}",
        formula,
        operands=("input", "q"),
        prepare=prepare_quantile(name),
        out=True,
        samples=lambda t: (
            [((t(4, 5), 0.3), {})]
            + [((t(4, 5), 0.7, 1), {"interpolation": how}) for how in INTERPOLATIONS]
            + [
                ((t(3, 4, 5), t(2, low=0.1, high=0.9), 0), {}),
                ((t(3, 4), t(2, low=0.1, high=0.9)), {"keepdim": True}),
                ((t(3, 4), t(2, low=0.1, high=0.9), 1, True), {}),
                ((t(3, 4), 0.2, 0, True), {}),
                ((t(), 0.2), {}),
            ]
        ),
        errors=lambda t: [
            ((t(3), 1.5), {}, RuntimeError),
            ((t(0), 0.5), {}, RuntimeError),
            ((t(3), 0.5, 1), {}, IndexError),
            ((t(3), 0.5), {"interpolation": "cubic"}, RuntimeError),
        ],
    )


quantile("quantile", False, "NaN where an element is NaN.")
quantile("nanquantile", True, "NaN elements are left out.")
