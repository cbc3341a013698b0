"""Distances and similarities of vectors, and the losses that compare them, which are formulas run as recorded steps."""

from math import inf

from .checks import FLOATING
from .checks import dim as checked_dim
from .creation import with_value
from .losses import BOTH, HOME, broadcast, given_reduction, reduced
from .matrix_checks import is_half, need_broadcast
from .norms import steepest
from .steps import INTERNAL, fitted, need_tensors, perform
from .systems import batch_matrices
from .table import COMMON, TABLE, composite, op, overload


def choose_cosine_similarity(x1, x2, dim, eps):
    need_tensors("cosine_similarity", x1=x1, x2=x2)
    if not (x1.dtype.is_floating_point or x2.dtype.is_floating_point):
        raise RuntimeError(
            f"cosine_similarity: expected common dtype to be floating point, but got {x1.dtype} and {x2.dtype}"
        )
    if x1.shape != x2.shape:
        x1, x2 = broadcast("cosine_similarity", x1, x2)
    if x1.dtype is not x2.dtype:
        x1, x2 = x1.to(wider(x1, x2)), x2.to(wider(x1, x2))
    dim = checked_dim("cosine_similarity", dim, x1.ndim)
    return None, (directions(x1, dim, eps) * directions(x2, dim, eps)).sum(dim)


def wider(x1, x2):
    return (x1.detach().reshape(-1)[:0] + x2.detach().reshape(-1)[:0]).dtype


def directions(x, dim, eps):
    """Vectors along ``dim`` divided by their lengths, which are taken as ``eps`` where they are smaller."""
    length = x.norm(2, dim, True)
    taken = length.detach().clamp_min(eps)
    return x / perform(with_value, length, taken)  # PyTorch's gradient knows nothing of the limit


overload(
    "cosine_similarity(x1, x2, dim=1, eps=1e-08)",
    "The cosine of the angle between vectors along ``dim``, which broadcast against each other; lengths below ``eps`` "
    "count as ``eps``.",
    choose_cosine_similarity,
    **BOTH,
)


def choose_pairwise_distance(x1, x2, p, eps, keepdim):
    need_tensors("pairwise_distance", x1=x1, x2=x2)
    return None, distance(x1, x2, p, eps, keepdim)


def distance(x1, x2, p, eps, keepdim=False):
    return (x1 - x2 + eps).norm(p, -1, keepdim)


overload(
    "pairwise_distance(x1, x2, p=2.0, eps=1e-06, keepdim=False)",
    "The norm of order ``p`` of ``x1 - x2 + eps`` over the last dim.",
    choose_pairwise_distance,
    **BOTH,
)


def choose_normalize(input, p, dim, eps):
    need_tensors("normalize", input=input)
    length = input.norm(p, dim, True).clamp_min(eps)
    return TABLE["div"], (input, length.expand(input.shape), None)


overload(
    "normalize(input, p=2.0, dim=1, eps=1e-12)",
    "The input divided by its norm of order ``p`` over ``dim``; norms below ``eps`` count as ``eps``.",
    choose_normalize,
    out=True,
    **HOME,
)


# -- all pairs of points -----------------------------------------------------------------------------------------------

MODES = ("use_mm_for_euclid_dist_if_necessary", "use_mm_for_euclid_dist", "donot_use_mm_for_euclid_dist")


def differences(xp, x1, x2):
    return xp.unsqueeze(x1, x1.ndim - 1) - xp.unsqueeze(x2, x2.ndim - 2)


def slopes(xp, x1, x2, result, p):
    """The derivatives of each distance by the coordinates of the first point. Those that tie in the infinite norm each get it all."""
    apart, distance = differences(xp, x1, x2), xp.unsqueeze(result, result.ndim)
    if p == inf:
        return xp.sgn(apart) * (xp.abs(apart) == distance)
    return steepest(xp, apart, distance, p, (apart.ndim - 1,))


def weights(xp, grad, result):
    """The cotangents of distances, divided by them; zero where a distance is zero."""
    zero = result == 0
    return xp.where(zero, 0, grad / xp.where(zero, 1, result))


def pull_first(xp, grad, x1, x2, result, p, shape):
    """The gradient of the first points. Euclidean ones need no difference of each pair, only sums weighted by the cotangent."""
    if p != 2:
        return fitted(xp, xp.sum(xp.unsqueeze(grad, grad.ndim) * slopes(xp, x1, x2, result, p), grad.ndim - 1), shape)
    centre = xp.sum(x2, x2.ndim - 2, True) / max(x2.shape[-2], 1)  # lest sums of far points cancel
    each = weights(xp, grad, result)
    total = xp.sum(each, each.ndim - 1, True)
    return fitted(xp, total * (x1 - centre) - xp.matmul(each, x2 - centre), shape)


def pull_second(xp, grad, x1, x2, result, p, shape):
    swapped = [xp.transpose(d, d.ndim - 2, d.ndim - 1) for d in (grad, result)]
    return pull_first(xp, swapped[0], x2, x1, swapped[1], p, shape)


def push_first(xp, tangent, x1, x2, result, p):
    return xp.sum(xp.unsqueeze(tangent, tangent.ndim - 1) * slopes(xp, x1, x2, result, p), result.ndim)


def push_second(xp, tangent, x1, x2, result, p):
    return -xp.sum(xp.unsqueeze(tangent, tangent.ndim - 2) * slopes(xp, x1, x2, result, p), result.ndim)


def check_points(op_name, points, p, is_empty=False):
    if points.dtype.category != FLOATING:
        raise RuntimeError(f"{op_name} only supports floating-point dtypes, got: {points.dtype}")
    if p < 0:
        raise RuntimeError(f"{op_name} only supports non-negative p values, but got {p}")
    if is_half(points) and not is_empty:
        raise NotImplementedError(
            f"{op_name}: not implemented for {points.dtype}; convert the points, as with .float()"
        )


def prepare_cdist(x1, x2, p, compute_mode):
    need_tensors("cdist", x1=x1, x2=x2)
    if compute_mode not in MODES:
        raise ValueError(f"{compute_mode} is not a valid value for compute_mode; it may be one of {', '.join(MODES)}")
    for name, points in (("X1", x1), ("X2", x2)):
        if points.ndim < 2:
            raise RuntimeError(f"cdist only supports at least 2D tensors, {name} got: {points.ndim}D")
    if x1.shape[-1] != x2.shape[-1]:
        raise RuntimeError(
            f"cdist: X1 and X2 must have the same number of columns. X1: {x1.shape[-1]} X2: {x2.shape[-1]}"
        )
    need_broadcast("cdist", tuple(x1.shape[:-2]), tuple(x2.shape[:-2]))
    for points in (x1, x2):
        check_points("cdist", points, p, 0 in x1.shape or 0 in x2.shape)
    if x1.dtype is not x2.dtype:
        raise RuntimeError(f"cdist: expected scalar type {x1.dtype} but found {x2.dtype}")
    return x1, x2, p, compute_mode


cdist = op(
    "cdist(x1, x2, p=2.0, compute_mode='use_mm_for_euclid_dist_if_necessary')",
    "The distances of order ``p`` of each row of ``x1`` from each row of ``x2``, whose batches broadcast; their gradient where two "
    "points coincide is zero. ``compute_mode`` is accepted, and all modes compute as exactly.",
    vjp={
        "x1": lambda xp, grad, x1, x2, result, p, x1_shape: pull_first(xp, grad, x1, x2, result, p, x1_shape),
        "x2": lambda xp, grad, x1, x2, result, p, x2_shape: pull_second(xp, grad, x1, x2, result, p, x2_shape),
    },
    jvp={"x1": push_first, "x2": push_second},
    batch=batch_matrices,
    prepare=prepare_cdist,
    real=True,
    method=False,
    samples=lambda t: [
        *[((t(3, 2), t(4, 2), p), {}) for p in (0, 0.5, 1, 1.5, 2, 3, inf)],
        ((t(2, 1, 3, 2), t(4, 5, 2)), {}),
        ((t(2, 3, 2), t(4, 2), 1), {}),
        ((t.integers(0, 2, 3, 2, dtype="float64"), t.integers(0, 2, 4, 2, dtype="float64"), inf), {}),
        ((t.integers(0, 2, 3, 2, dtype="float64"), t.integers(0, 2, 4, 2, dtype="float64"), 2), {}),
        ((t.integers(0, 2, 3, 2, dtype="float64"), t.integers(0, 2, 4, 2, dtype="float64"), 1), {}),
        ((t(0, 2), t(3, 2)), {}),
        ((t(2, 0), t(3, 0)), {}),
    ],
    errors=lambda t: [
        ((t(3), t(2, 3)), {}, RuntimeError),
        ((t(2, 3), t(2, 2)), {}, RuntimeError),
        ((t(2, 2, 3), t(3, 2, 3)), {}, RuntimeError),
        ((t(2, 3), t(2, 3), -1), {}, RuntimeError),
        ((t(2, 3), t(2, 3, dtype="float32")), {}, RuntimeError),
        ((t(2, 3), t(2, 3)), {"compute_mode": "mm"}, ValueError),
        ((t(2, 3, dtype="float16"), t(2, 3, dtype="float16")), {}, NotImplementedError),
    ],
)


op(
    "upper_pairs(n)",
    "All pairs of numbers below ``n`` of which the first is smaller, as two rows.",
    operands=("n",),
    **INTERNAL,
)


def pair_distances(xp, input, p=2.0):
    n = input.shape[0]
    first, second = xp.upper_pairs(n)
    flat = xp.reshape(xp.cdist(input, input, p), (n * n,))
    return xp.index_select(flat, 0, first * n + second)


def prepare_pdist(input, p):
    need_tensors("pdist", input=input)
    if input.ndim != 2:
        raise RuntimeError(f"pdist only supports 2D tensors, got: {input.ndim}D")
    check_points("pdist", input, p, input.shape[0] < 2 or 0 in input.shape)
    return input, p


composite(
    "pdist(input, p=2.0)",
    "The distances of order ``p`` of each two rows of a matrix: the rows of ``cdist(input, input, p)`` above the diagonal, joined.",
    pair_distances,
    operands=("input",),
    prepare=prepare_pdist,
    real=True,
    method=False,
    homes=("torch", "nn.functional"),
    samples=lambda t: [
        *[((t(4, 2), p), {}) for p in (0, 0.5, 1, 2, 3, inf)],
        ((t(1, 2),), {}),
        ((t(3, 0),), {}),
    ],
    errors=lambda t: [((t(3),), {}, RuntimeError), ((t(2, 3), -1), {}, RuntimeError)],
)


def prepare_dist(input, other, p):
    need_tensors("dist", input=input, other=other)
    need_broadcast("dist", tuple(input.shape), tuple(other.shape))
    if max(input.dtype.category, other.dtype.category) < FLOATING:
        raise RuntimeError(
            f"dist: norm(): input dtype should be either floating point or complex. Got {input.dtype} and {other.dtype}"
        )
    return input, other, p


composite(
    "dist(input, other, p=2)",
    "The norm of order ``p`` of all elements of ``input - other``, which broadcast.",
    lambda xp, input, other, p=2: xp.linalg_vector_norm(input - other, p),
    types=COMMON,
    operands=("input", "other"),
    prepare=prepare_dist,
    node="DistBackward0",
    samples=lambda t: [
        *[((t(2, 3), t(3), p), {}) for p in (0, 1, 2, 3, inf, -inf)],
        ((t(), t(2)), {}),
        ((t(0), t(0)), {}),
    ],
    errors=lambda t: [((t(3), t(4)), {}, RuntimeError), ((t.integers(0, 3, 3), t.integers(0, 3, 3)), {}, RuntimeError)],
)


# -- losses ------------------------------------------------------------------------------------------------------------


def chosen(condition, value):
    """The value where a condition holds, and zero elsewhere."""
    return value.where(condition, 0)


def choose_hinge_embedding_loss(input, target, margin, size_average, reduce, reduction):
    need_tensors("hinge_embedding_loss", input=input, target=target)
    reduction = given_reduction(reduction, size_average, reduce)
    losses = chosen(target != 1, (margin - input).clamp_min(0)) + chosen(target != -1, input)
    return None, reduced(losses, reduction)


overload(
    "hinge_embedding_loss(input, target, margin=1.0, size_average=None, reduce=None, reduction='mean')",
    "The input, a distance, where the target is 1, and what it lacks to ``margin`` where the target is -1.",
    choose_hinge_embedding_loss,
    **HOME,
)


def choose_margin_ranking_loss(input1, input2, target, margin, size_average, reduce, reduction):
    need_tensors("margin_ranking_loss", input1=input1, input2=input2, target=target)
    reduction = given_reduction(reduction, size_average, reduce)
    if not input1.ndim == input2.ndim == target.ndim:
        raise RuntimeError(
            f"margin_ranking_loss : All input tensors should have same dimension but got sizes: input1: "
            f"{list(input1.shape)}, input2: {list(input2.shape)}, target: {list(target.shape)}"
        )
    return None, reduced((-target * (input1 - input2) + float(margin)).clamp_min(0), reduction)


overload(
    "margin_ranking_loss(input1, input2, target, margin=0, size_average=None, reduce=None, reduction='mean')",
    "``max(0, margin - target * (input1 - input2))``: the target is 1 where the first input should be larger, else -1.",
    choose_margin_ranking_loss,
    **HOME,
)


def check_cosine_target(input1, input2, target):
    """Raise PyTorch's error unless there is one target for each pair of vectors."""
    if target.ndim > 1:
        raise RuntimeError(
            f"cosine_embedding_loss: 0D or 1D target tensor expected, multi-target not supported: got {target.ndim}D"
        )
    if not input1.ndim == input2.ndim == target.ndim + 1:
        raise RuntimeError(
            f"cosine_embedding_loss: {target.ndim}D target tensor expects {target.ndim + 1}D input tensors, but found "
            f"inputs with sizes {list(input1.shape)} and {list(input2.shape)}."
        )


def choose_cosine_embedding_loss(input1, input2, target, margin, size_average, reduce, reduction):
    need_tensors("cosine_embedding_loss", input1=input1, input2=input2, target=target)
    reduction = given_reduction(reduction, size_average, reduce)
    check_cosine_target(input1, input2, target)
    squares = ((input1 * input1).sum(-1) + 1e-12) * ((input2 * input2).sum(-1) + 1e-12)
    cosine = (input1 * input2).sum(-1) / squares.sqrt()
    losses = chosen(target == 1, 1 - cosine) + chosen(target == -1, (cosine - margin).clamp_min(0))
    return None, reduced(losses, reduction)


overload(
    "cosine_embedding_loss(input1, input2, target, margin=0, size_average=None, reduce=None, reduction='mean')",
    "``1 - cos`` of the angle between the rows of two inputs where the target is 1, and ``max(0, cos - margin)`` where "
    "it is -1. Inputs (N, D) and targets (N,), or (D,) and ().",
    choose_cosine_embedding_loss,
    **HOME,
)


def choose_triplet_margin_loss(anchor, positive, negative, margin, p, eps, swap, size_average, reduce, reduction):
    need_tensors("triplet_margin_loss", anchor=anchor, positive=positive, negative=negative)
    reduction = given_reduction(reduction, size_average, reduce)
    if margin <= 0:
        raise ValueError(f"margin must be greater than 0, got {margin}")
    if not anchor.ndim == positive.ndim == negative.ndim:
        raise RuntimeError(
            "triplet_margin_loss: The anchor, positive, and negative tensors are expected to have the same number of "
            f"dimensions, but got: anchor {anchor.ndim}D, positive {positive.ndim}D, and negative {negative.ndim}D inputs"
        )
    near, far = distance(anchor, positive, p, eps), distance(anchor, negative, p, eps)
    if swap:
        far = far.minimum(distance(positive, negative, p, eps))
    return None, reduced((margin + near - far).clamp_min(0), reduction)


overload(
    "triplet_margin_loss(anchor, positive, negative, margin=1.0, p=2, eps=1e-06, swap=False, size_average=None, "
    "reduce=None, reduction='mean')",
    "``max(0, margin + d(anchor, positive) - d(anchor, negative))`` of distances of order ``p`` over the last dim. With "
    "``swap``, the negative may be nearer to the positive, and then that distance counts.",
    choose_triplet_margin_loss,
    **HOME,
)
