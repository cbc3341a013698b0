"""Differences and integrals of samples: ``diff``, ``gradient`` and the trapezoidal rule.

All are made of recorded steps, which are slices and arithmetic; so every derivative is there.
"""

from .arithmetic import NUMBERS
from .checks import BOOL
from .checks import dim as one_dim
from .checks import dims as several
from .joining import cat
from .shape import integer
from .steps import is_tensor, need_tensors, perform
from .table import TABLE, overload


def part(input, dim, start, stop):
    """The elements from ``start`` up to ``stop`` along a dim; a negative ``stop`` counts from the end."""
    size = input.shape[dim]
    stop = max(size + stop, 0) if stop < 0 else stop
    return perform(TABLE["slice"], input, dim, min(start, size), max(stop, min(start, size)), 1)


def ends(input, dim):
    """All elements along a dim but the first, and all but the last."""
    return part(input, dim, 1, input.shape[dim]), part(input, dim, 0, -1)


# -- the trapezoidal rule ----------------------------------------------------------------------------------------------


def check_samples(name, y, x, dim, dx):
    """Raise PyTorch's error for bad arguments; return the dim, not negative."""
    need_tensors(name, y=y)
    if x is not None:
        need_tensors(name, y=y, x=x)
        if dx is not None:
            raise TypeError(f"{name}() received an invalid combination of arguments: pass either x or dx, not both")
    if not y.ndim:
        raise IndexError(f"{name}: Dimension specified as {dim} but tensor has no dimensions")
    dim = one_dim(name, dim, y.ndim)
    if y.dtype.category == BOOL or (x is not None and x.dtype.category == BOOL):
        raise RuntimeError(f"{name}: received a bool input for `y` or `x`, but bool is not supported")
    if isinstance(dx, complex) or (is_tensor(dx) and dx.dtype.is_complex):
        raise RuntimeError(f"{name}: Currently, we only support dx as a real number.")
    return dim


def widths(name, y, x, dim):
    """The distances between the places ``x`` of the samples, so shaped that they broadcast against them."""
    if x.ndim == 1 and y.ndim != 1:
        if x.shape[0] != y.shape[dim]:
            raise RuntimeError(
                f"{name}: There must be one `x` value for each sample point, but there are {x.shape[0]} and {y.shape[dim]}"
            )
        x = x.reshape([-1 if d == dim else 1 for d in range(y.ndim)])
    elif x.ndim < y.ndim:
        x = x.reshape((1,) * (y.ndim - x.ndim) + tuple(x.shape))
    after, before = ends(x, dim)
    return after - before


def choose_trapezoid(name):
    def choose(y, x, dim, dx):
        dim = check_samples(name, y, x, dim, dx)
        if not y.shape[dim]:
            return None, y.new_zeros([n for d, n in enumerate(y.shape) if d != dim])
        if x is not None:
            after, before = ends(y, dim)
            return TABLE["div"], ((widths(name, y, x, dim) * (after + before)).sum(dim), 2.0)
        inner = y.sum(dim) - (y.select(dim, 0) + y.select(dim, -1)) * 0.5
        return TABLE["mul"], (inner, 1 if dx is None else dx)

    return choose


def choose_cumulative(y, x, dim, dx):
    name = "cumulative_trapezoid"
    dim = check_samples(name, y, x, dim, dx)
    after, before = ends(y, dim)
    if x is not None:
        return TABLE["div"], ((widths(name, y, x, dim) * (after + before)).cumsum(dim), 2.0)
    return TABLE["cumsum"], ((1 if dx is None else dx) / 2 * (after + before), dim, None)


for name in ("trapezoid", "trapz"):
    overload(
        f"{name}(y, x=None, *, dim=-1, dx=None)",
        "The integral along a dimension of samples ``y`` that are ``dx`` (by default 1) apart, or lie at ``x``, by the "
        "trapezoidal rule.",
        choose_trapezoid("trapezoid"),
        method=False,
    )
overload(
    "cumulative_trapezoid(y, x=None, *, dim=-1, dx=None)",
    "The integrals along a dimension up to each sample but the first, as :func:`trapezoid` computes them.",
    choose_cumulative,
    method=False,
)

# -- differences -------------------------------------------------------------------------------------------------------


def choose_diff(input, n, dim, prepend, append):
    n = integer("diff", "n", n)
    if not input.ndim:
        raise RuntimeError("diff expects input to be at least one-dimensional")
    if n < 0:
        raise RuntimeError(f"diff: order must be non-negative but got {n}")
    dim = one_dim("diff", dim, input.ndim)
    for other in (prepend, append):
        if other is not None:
            check_extension(input, other, dim)
    if not n:
        return TABLE["clone"], (input, None)
    pieces = [piece for piece in (prepend, input, append) if piece is not None]
    input = perform(cat, pieces, dim) if len(pieces) > 1 else input
    is_bool = input.dtype.category == BOOL
    for _ in range(min(n, input.shape[dim])):
        after, before = ends(input, dim)
        input = after.logical_xor(before) if is_bool else after - before
    return None, input


def check_extension(input, other, dim):
    """Raise RuntimeError unless a tensor can be joined to the input along a dim."""
    need_tensors("diff", input=input, prepend=other)
    if other.ndim != input.ndim:
        raise RuntimeError(
            f"diff expects prepend or append to be the same dimension as input, but they have {other.ndim} and {input.ndim}"
        )
    for d, (mine, theirs) in enumerate(zip(input.shape, other.shape, strict=True)):
        if d != dim and mine != theirs:
            raise RuntimeError(
                "diff expects the shape of tensor to prepend or append to match that of input except along the differencing "
                f"dimension; input.size({d}) = {mine}, but got tensor.size({d}) = {theirs}"
            )


overload(
    "diff(input, n=1, dim=-1, prepend=None, append=None)",
    "The ``n``-th differences of neighbours along a dimension (for bools, whether they differ), after ``prepend`` and "
    "``append`` were joined to it.",
    choose_diff,
    out=True,
)

# -- the gradient ------------------------------------------------------------------------------------------------------


def steps_of(input, spacing, dims):
    """For each dim, the distance between samples, or a tensor of where they lie."""
    if spacing is None:
        return [1.0] * len(dims)
    if type(spacing) in NUMBERS or (is_tensor(spacing) and not spacing.ndim):
        return [spacing] * len(dims)
    if not isinstance(spacing, (list, tuple)):
        raise TypeError(f"gradient(): argument 'spacing' must be a number or a sequence, not {type(spacing).__name__}")
    if len(spacing) != len(dims):
        raise RuntimeError(
            "torch.gradient expected spacing to be unspecified, a scalar, or a list of length equal to the number of dims, "
            f"{len(dims)}, but got a list of length {len(spacing)}"
        )
    for d, step in zip(dims, spacing, strict=True):
        if is_tensor(step) and tuple(step.shape) != (input.shape[d],):
            raise RuntimeError(
                f"torch.gradient expected each element of spacing to have one value for each sample: {input.shape[d]} along "
                f"dim {d}, but its shape is {list(step.shape)}"
            )
    return list(spacing)


def choose_gradient(input, spacing, dim, edge_order):
    if edge_order not in (1, 2):
        raise RuntimeError(f"torch.gradient only supports edge_order=1 and edge_order=2, but got {edge_order}")
    if input.dtype.name == "uint8":
        raise RuntimeError("torch.gradient does not support uint8 input.")
    dims = tuple(range(input.ndim)) if dim is None else several("gradient", dim, input.ndim)
    steps = steps_of(input, spacing, dims)
    if any(input.shape[d] < edge_order + 1 for d in dims):
        raise RuntimeError(
            "torch.gradient expected each dimension size to be at least edge_order+1, but the input's shape is "
            f"{list(input.shape)} and edge_order is {edge_order}"
        )
    return None, tuple([slopes(input, d, step, edge_order) for d, step in zip(dims, steps, strict=True)])


def slopes(input, dim, step, edge_order):
    """The derivative along a dim: central differences inside, and one-sided ones at the edges."""
    size = input.shape[dim]
    if not is_tensor(step) or not step.ndim:
        gaps = [step] * (size - 1)
    else:
        after, before = ends(step, 0)
        gaps = (after - before).unbind()
    first = edge(input, dim, list(range(3)), gaps[:2], edge_order)
    last = edge(input, dim, [size - 1, size - 2, size - 3], [-gap for gap in gaps[::-1][:2]], edge_order)
    return perform(cat, [first, *([inside(input, dim, step)] if size > 2 else []), last], dim)


def edge(input, dim, places, gaps, order):
    """The derivative at the first of some samples, to first or second order (Fornberg, 1988)."""
    values = [part(input, dim, i, i + 1) for i in places[: order + 1]]
    if order == 1:
        return (values[1] - values[0]) / gaps[0]
    a, b = gaps
    return (
        values[0] * (-(2 * a + b) / (a * (a + b))) + values[1] * ((a + b) / (a * b)) - values[2] * (a / (b * (a + b)))
    )


def inside(input, dim, step):
    """The derivative at all samples but the first and the last, to second order."""
    size = input.shape[dim]
    before, here, after = (part(input, dim, i, size - 2 + i) for i in range(3))
    if not is_tensor(step) or not step.ndim:
        return (after - before) / (step * 2)
    later, earlier = ends(step, 0)
    gaps = (later - earlier).reshape([-1 if d == dim else 1 for d in range(input.ndim)])
    a, b = part(gaps, dim, 0, -1), part(gaps, dim, 1, size - 1)
    return before * (-b / (a * (a + b))) + here * ((b - a) / (a * b)) + after * (a / (b * (a + b)))


overload(
    "gradient(input, *, spacing=None, dim=None, edge_order=1)",
    "The derivatives, along each of ``dim`` (by default all), of a function given by samples, which are ``spacing`` apart or lie "
    "at the places of a tensor for each dim: by differences of second order, at the edges of order ``edge_order``.",
    choose_gradient,
    method=False,
)
