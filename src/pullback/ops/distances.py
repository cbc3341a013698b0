"""Distances and similarities of vectors, and the losses that compare them: formulas run as recorded steps."""

from .checks import dim as checked_dim
from .losses import BOTH, HOME, broadcast, given_reduction, reduced
from .steps import need_tensors, perform
from .table import TABLE, overload


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
    return x / x.norm(2, dim, True).clamp_min(eps)


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


# -- losses ------------------------------------------------------------------------------------------------------------


def chosen(condition, value):
    """The value where a condition holds, and zero elsewhere."""
    return perform(TABLE["where"], condition, value, 0)


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
    return None, reduced((-target * (input1 - input2) + margin).clamp_min(0), reduction)


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
