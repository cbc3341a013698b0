"""Counting: ``bincount`` and histograms. Results have derivatives by the weights alone, in which they are linear.

A histogram is made of steps: the edges of its bins, the bin of each element (those outside have one more bin, which is
dropped), and the sums of the weights in each bin.
"""

from collections import namedtuple
from functools import cache

from ..dtypes import float32, float64, int64
from .checks import INTEGER
from .searching import search
from .shape import integer
from .steps import INTERNAL, is_tensor, need_tensors, perform
from .table import op, overload

# -- bincount ----------------------------------------------------------------------------------------------------------


def prepare_bincount(input, weights, minlength):
    if input.dtype.category != INTEGER:
        raise NotImplementedError(f'"bincount_cpu" not implemented for {input.dtype}; bincount counts integers')
    if input.ndim != 1:
        raise RuntimeError(f"bincount only supports 1-d non-negative integral inputs, got shape {list(input.shape)}")
    minlength = integer("bincount", "minlength", minlength)
    if minlength < 0:
        raise RuntimeError(f"bincount: minlength should be >= 0, but is {minlength}")
    if weights is not None and tuple(weights.shape) != tuple(input.shape):
        raise RuntimeError(
            f"bincount: weights should be 1-d and have the same length as input, {input.shape[0]}, but have shape "
            f"{list(weights.shape)}"
        )
    return input, weights, minlength


weighted = op(
    "weighted_counts(input, weights, minlength=0)",
    "How often each integer from zero on occurs in a vector, or the sums of the weights of its occurrences; the result has at "
    "least ``minlength`` elements.",
    vjp={"weights": lambda xp, grad, input: xp.index_select(grad, 0, input)},
    jvp={"weights": lambda xp, tangent, input, minlength: xp.weighted_counts(input, tangent, minlength)},
    operands=("input", "weights"),
    node="BincountBackward0",
    samples=lambda t: [((t.integers(0, 5, 7), t(7), 0), {}), ((t.integers(0, 5, 7), t(7), 8), {})],
    **INTERNAL,
)
plain_counts = op(
    "counts(input, minlength=0)",
    weighted.doc,
    samples=lambda t: [((t.integers(0, 5, 7), 0), {}), ((t.integers(0, 5, 0), 3), {})],
    **INTERNAL,
)


def choose_bincount(input, weights, minlength):
    input, weights, minlength = prepare_bincount(input, weights, minlength)
    if weights is None:
        return plain_counts, (input, minlength)
    if weights.dtype not in (float32, float64):
        weights = (weights.real if weights.dtype.is_complex else weights).to(float64)
    return weighted, (input, weights, minlength)


overload("bincount(input, weights=None, minlength=0)", weighted.doc, choose_bincount)

# -- histograms --------------------------------------------------------------------------------------------------------

linear_edges = op(
    "linear_edges(low, high, bins)",
    "The edges of ``bins`` bins of one width between two values; around values that are equal, a bin of width one.",
    operands=("low", "high"),
    batch="elementwise",
    samples=lambda t: [((t(low=0, high=1), t(low=2, high=3), 4), {})],
    **INTERNAL,
)


def between(input, edges):
    """The bin between edges in which each element is, the last edge being in the last bin; one more for those in none."""
    found = perform(search, edges, input, False, True) - 1
    return within(input, edges, found)


def linearly(input, edges):
    """As :func:`between`, computed from the first and the last of the edges of bins of one width."""
    low, count = edges[0], edges.shape[0] - 1
    share = ((input - low) * count / (edges[-1] - low)).nan_to_num(0, 0, 0)
    return within(input, edges, share.to(int64))


def within(input, edges, places):
    """The places of elements between the first and the last edge; of those outside, the number of bins."""
    count = edges.shape[0] - 1
    is_inside = (input >= edges[0]) & (input <= edges[-1])
    return places.clamp(max=count - 1).masked_fill(~is_inside, count)


def check_bins(name, bins):
    bins = integer(name, "bins", bins)
    if bins < 1:
        raise RuntimeError(f"torch.histogram(): bins must be > 0, but got {bins} for dimension 0")
    return bins


def need_float(name, input, *kinds):
    if input.dtype not in (float32, float64) and input.dtype.name not in kinds:
        raise NotImplementedError(f'"{name}" not implemented for {input.dtype}; expected a floating dtype')


def limits_of(name, input, limits):
    """The lowest and the highest value that a histogram reaches to, as tensors."""
    if limits is not None and limits[0] > limits[1]:
        raise RuntimeError(
            f"{name}: min should not exceed max, but got min {limits[0]} max {limits[1]}; max must be larger than min"
        )
    if limits is not None:
        return tuple(input.new_zeros(()) + float(value) for value in limits)
    flat = input.detach()
    return (flat.min(), flat.max()) if flat.numel() else (input.new_zeros(()), input.new_zeros(()) + 1)


def choose_histc(input, bins, min, max):
    bins = check_bins("histc", bins)
    if min > max:
        raise RuntimeError(f"torch.histc: max must be larger than min, but they are {max} and {min}")
    need_float("histogram_cpu", input, "float16", "bfloat16")
    low, high = limits_of("torch.histc", input, None if min == max else (min, max))
    flat = input.detach().flatten()
    places = linearly(flat, perform(linear_edges, low, high, bins))
    return None, totals(places, flat.new_ones(flat.shape), bins)


def totals(places, weights, bins):
    """The sum of the weights in each bin."""
    return weights.new_zeros(bins + 1).index_add(0, places, weights)[:bins]


overload(
    "histc(input, bins=100, min=0, max=0)",
    "How many elements are in each of ``bins`` bins of one width from ``min`` to ``max``, or of the elements' own range where "
    "these are equal. Elements outside are not counted.",
    choose_histc,
    out=True,
)


def check_weight(input, weight):
    """Raise RuntimeError unless there is a weight, of the input's dtype, for each point."""
    shape = tuple(input.shape[:-1])
    if weight is None:
        return
    if tuple(weight.shape) != shape:
        raise RuntimeError(
            "torch.histogramdd: if weight tensor is provided it should have the same shape as the input tensor excluding its "
            f"innermost dimension, but got input with shape {list(input.shape)} and weight with shape {list(weight.shape)}"
        )
    if weight.dtype is not input.dtype:
        raise RuntimeError(
            "torch.histogramdd: if weight tensor is provided, input tensor and weight tensor should have the same dtype, but got "
            f"input({input.dtype}), and weight({weight.dtype})"
        )


def edges_of(input, bins, limits):
    """The edges of the bins of one dimension, from their number or as they are given."""
    if not is_tensor(bins):
        low, high = limits_of("torch.histogramdd", input, limits)
        return perform(linear_edges, low, high, check_bins("histogram", bins))
    if bins.ndim != 1 or not bins.shape[0]:
        raise RuntimeError(
            "torch.histogramdd: bins tensor should have one dimension, and should have at least 1 element, but got shape "
            f"{list(bins.shape)}"
        )
    if bins.dtype is not input.dtype:
        raise RuntimeError(
            "torch.histogramdd: input tensor and bins tensors should have the same dtype, but got input with dtype "
            f"{input.dtype} and bins with dtype {bins.dtype}"
        )
    check_bins("histogram", bins.shape[0] - 1)
    if limits is not None:
        raise TypeError("histogram(): pass a range, or a tensor of edges, but not both")
    return bins


def tallied(points, edges, weight, density):
    """The sums of weights (by default, of ones) in a grid of bins, from points of shape (number, dims)."""
    sides = [len(e) - 1 for e in edges]
    weight = points.detach().new_ones(len(points)) if weight is None else weight.flatten()
    place = is_out = points.new_zeros(points.shape[0], dtype=int64)
    for d, (e, side) in enumerate(zip(edges, sides, strict=True)):
        found = between(points.detach()[:, d], e.detach())
        place, is_out = place * side + found, (found == side).logical_or(is_out)
    total = 1
    for side in sides:
        total *= side
    counts = totals(place.masked_fill(is_out, total), weight, total).reshape(sides)
    if density:
        counts = counts / counts.sum()
        for d, e in enumerate(edges):
            counts = counts / e.diff().reshape([-1 if i == d else 1 for i in range(len(edges))])
    return counts


def pairs_of(limits, dims):
    """The range of each dim from a flat sequence of numbers."""
    if limits is None:
        return [None] * dims
    if len(limits) != 2 * dims:
        raise RuntimeError(
            f"torch.histogramdd: for a {dims}-dimensional histogram range should have {2 * dims} elements, but got {len(limits)}"
        )
    return [tuple(limits[2 * d : 2 * d + 2]) for d in range(dims)]


def choose_histogram(input, bins, range, weight, density):
    need_float("histogramdd", input)
    points = input.reshape((*input.shape, 1))
    check_weight(points, weight)
    (limits,) = pairs_of(range, 1)
    edges = edges_of(input, bins, limits)
    return histogram, (tallied(points.reshape(-1, 1), [edges], weight, density), edges)


histogram = op(
    "paired_histogram(hist, bin_edges)",
    "A histogram and the edges of its bins, as one result.",
    outputs=("hist", "bin_edges"),
    composite=lambda xp, hist, bin_edges: (hist, bin_edges),
    operands=("hist", "bin_edges"),
    node="HistogramBackward0",
    samples=lambda t: [((t(3), t(4)), {})],
    **INTERNAL,
)
overload(
    "histogram(input, bins, *, range=None, weight=None, density=False)",
    "How many elements, or what sum of weights, is in each bin, as ``hist``, and the edges of the bins, as ``bin_edges``. ``bins`` "
    "is their number, or a tensor of edges; ``density`` makes the integral of the histogram one.",
    choose_histogram,
)


def choose_histogramdd(input, bins, range, weight, density):
    need_tensors("histogramdd", input=input)
    need_float("histogramdd", input)
    if input.ndim < 2:
        raise RuntimeError(f"torch.histogramdd: input tensor should have at least 2 dimensions, but got {input.ndim}")
    check_weight(input, weight)
    dims = input.shape[-1]
    bins = [bins] * dims if hasattr(bins, "__index__") and not is_tensor(bins) else bins
    if len(bins) != dims:
        raise RuntimeError(
            f"histogramdd: The size of bins must be equal to the innermost dimension of the input, {dims}, but is {len(bins)}"
        )
    points = input.reshape(-1, dims)
    limits = pairs_of(range, dims)
    edges = [edges_of(points[:, d], b, pair) for d, (b, pair) in enumerate(zip(bins, limits, strict=True))]
    return None, result_type()(tallied(points, edges, weight, density), tuple(edges))


@cache
def result_type():
    """The named tuple that ``histogramdd`` returns."""
    made = namedtuple("histogramdd", ("hist", "bin_edges"))  # type: ignore
    made.__repr__ = lambda self: f"torch.return_types.histogramdd(\nhist={self.hist!r},\nbin_edges={self.bin_edges!r})"  # type: ignore
    return made


overload(
    "histogramdd(input, bins, range=None, weight=None, density=False)",
    "A histogram of several dims, of the points that the last dimension holds: ``hist``, and for each dim the ``bin_edges``. "
    "``bins`` has for each dim the number of bins, or a tensor of edges; ``range`` a lowest and a highest value.",
    choose_histogramdd,
    method=False,
)
