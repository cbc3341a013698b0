"""Losses of margins: between the scores of right classes and all others, and between distances."""

from ..dtypes import int64
from .distances import distance
from .losses import HOME, fold, given_reduction, no_derivative, reduced
from .steps import INTERNAL, need_tensors, perform
from .table import TABLE, op, overload

op(
    "within(target, low, high, message)",
    "The target itself; RuntimeError, with a message of the first of them, if any element is below ``low``, or not below ``high``.",
    operands=("target",),
    batch=lambda xp, op, args, batched, size: xp.call(op, args),
    samples=lambda t: [((t.integers(0, 3, 4), 0, 3, "out of range: {}"), {})],
    errors=lambda t: [((t.integers(3, 4, 4), 0, 3, "out of range: {}"), {}, RuntimeError)],
    **INTERNAL,
)


def at_classes(xp, target, classes):
    """Whether each of the target's elements is each of the classes, along a new last dim."""
    return xp.unsqueeze(target, target.ndim) == xp.arange(classes)


def formula_multi_margin(xp, input, target, weight, p=1, margin=1.0, reduction="mean"):
    last, classes = input.ndim - 1, input.shape[-1]
    chosen = at_classes(xp, xp.within(target, 0, classes, "multi_margin_loss: target out of range: {}"), classes)
    right = xp.sum(xp.where(chosen, input, 0), last, True)
    lack = xp.where(chosen, 0, xp.relu(input - right + margin))
    losses = xp.sum(lack * lack if p == 2 else lack, last)
    if weight is not None:
        losses = losses * xp.sum(xp.where(chosen, weight, 0), last)
    return fold(xp, losses / classes, reduction)


def formula_multilabel_margin(xp, input, target, reduction="mean"):
    last, classes = input.ndim - 1, input.shape[-1]
    target = xp.within(target, -1, classes, "multilabel_margin_loss: argument #2 'target' is out of range: {}")
    counts = xp.unsqueeze(xp.cumsum(xp.cast(target < 0, int64), last) == 0, last + 1)  # up to the first -1
    chosen = at_classes(xp, target, classes) & counts
    right = xp.unsqueeze(xp.gather(input, last, xp.clamp_min(target, 0)), last + 1)
    lack = xp.relu(xp.unsqueeze(input, last) - right + 1)
    lack = xp.where(counts & ~xp.any(chosen, last, True), lack, 0)
    return fold(xp, xp.sum(lack, (last, last + 1)) / classes, reduction)


REDUCTIONS = ("mean", "sum", "none")
multi_margin_loss = op(
    "multi_margin_loss(input, target, weight, p=1, margin=1.0, *, reduction='mean')",
    "What each wrong class lacks to be ``margin`` below the target's score, to the power ``p``, over all classes.",
    composite=formula_multi_margin,
    operands=("input",),
    real=True,
    samples=lambda t: [
        *[((t(3, 4), t.integers(0, 4, 3), None), {"reduction": r}) for r in REDUCTIONS],
        ((t(3, 4), t.integers(0, 4, 3), t(4, low=0.5), 2, 0.3), {}),
        ((t(4), t.integers(0, 4), None), {}),
    ],
    **INTERNAL,
)
multilabel_margin_loss = op(
    "multilabel_margin_loss(input, target, *, reduction='mean')",
    "What each class that is no target lacks to be 1 below each target's score, over all classes.",
    composite=formula_multilabel_margin,
    operands=("input",),
    real=True,
    samples=lambda t: [
        *[((t(3, 4), t.integers(-1, 4, 3, 4)), {"reduction": r}) for r in REDUCTIONS],
        ((t(4), t.integers(-1, 4, 4)), {}),
        ((t(2, 3), t.integers(0, 3, 2, 3)), {}),
    ],
    **INTERNAL,
)


def check_scores(name, input, target):
    """Raise PyTorch's error unless the input is scores, (C,) or (N, C), and the target is of integers."""
    if input.ndim > 2 or not (input.shape[-1:] or (1,))[0]:
        raise RuntimeError(
            f"{name}: Expected non-empty vector or matrix with optional 0-dim batch size, but got: {list(input.shape)}"
        )
    if not input.dtype.is_floating_point or input.dtype.itemsize == 2:
        raise NotImplementedError(f'"{name}" not implemented for {input.dtype}; expected float32 or float64')
    if target.dtype is not int64:
        raise RuntimeError(f"{name}: expected scalar type Long for target but found {target.dtype}")


def check_class_weight(name, input, weight):
    """Raise PyTorch's error unless there is a weight, without gradient, for each class."""
    need_tensors(name, weight=weight)
    classes = (input.shape[-1:] or (1,))[0]
    if weight.numel() != classes:
        raise RuntimeError(f"{name}: inconsistent weight size, expected {classes} but got {list(weight.shape)}")
    if weight.dtype is not input.dtype:
        raise RuntimeError(f"{name}: expected scalar type {input.dtype} for weight but found {weight.dtype}")
    no_derivative(name, "weight", weight)


def choose_multi_margin_loss(input, target, p, margin, weight, size_average, reduce, reduction):
    name = "multi_margin_loss"
    need_tensors(name, input=input, target=target)
    reduction = given_reduction(reduction, size_average, reduce)
    if p not in (1, 2):
        raise ValueError(f"{name}: only p == 1 and p == 2 supported, got {p}")
    rows = input.shape[0] if input.ndim > 1 else 1
    if target.ndim > 1 or target.numel() != rows:
        raise RuntimeError(
            f"{name}: target tensor should be 1-D with size equal to the number of input samples (batch size). Expected "
            f"target size [{rows}], but got {list(target.shape)}. Input has shape {list(input.shape)}."
        )
    if weight is not None:
        check_class_weight(name, input, weight)
    check_scores(name, input, target)
    if input.ndim < 2:
        input = input.reshape((*target.shape, input.numel()))
    return multi_margin_loss, (input, target, weight, p, margin, reduction)


overload(
    "multi_margin_loss(input, target, p=1, margin=1.0, weight=None, size_average=None, reduce=None, reduction='mean')",
    "For scores (N, C) and classes (N,), the mean over classes of ``max(0, margin - score[target] + score)`` to the power "
    "``p``, 1 or 2, times the target's ``weight``; by default the mean over the batch. Also (C,) and ().",
    choose_multi_margin_loss,
    **HOME,
)


def choose_multilabel_margin_loss(input, target, size_average, reduce, reduction):
    name = "multilabel_margin_loss"
    need_tensors(name, input=input, target=target)
    reduction = given_reduction(reduction, size_average, reduce)
    fits = target.numel() == input.numel() if input.ndim < 2 else target.shape == input.shape
    if not fits or target.ndim > 2:
        raise RuntimeError(
            f"{name}: inconsistent target size: {list(target.shape)} for input of size: {list(input.shape)}"
        )
    check_scores(name, input, target)
    if not input.ndim:
        input = input.reshape((1,))
    return multilabel_margin_loss, (input, target.reshape(tuple(input.shape)), reduction)


overload(
    "multilabel_margin_loss(input, target, size_average=None, reduce=None, reduction='mean')",
    "For scores and targets (N, C), each row's targets being the classes up to its first -1: the sum of ``max(0, 1 - "
    "score[target] + score[other])`` over targets and other classes, divided by C; by default the mean. Also (C,).",
    choose_multilabel_margin_loss,
    **HOME,
)


def choose_multilabel_soft_margin_loss(input, target, weight, size_average, reduce, reduction):
    name = "multilabel_soft_margin_loss"
    need_tensors(name, input=input, target=target)
    reduction = given_reduction(reduction, size_average, reduce)
    log = TABLE["logsigmoid"]
    losses = -(target * perform(log, input) + (1 - target) * perform(log, -input))
    if weight is not None:
        losses = losses * weight
    if not input.ndim:
        raise IndexError(f"{name}: Dimension specified as -1 but tensor has no dimensions")
    return None, reduced(losses.sum(input.ndim - 1) / input.shape[-1], reduction)


overload(
    "multilabel_soft_margin_loss(input, target, weight=None, size_average=None, reduce=None, reduction='mean')",
    "The binary cross entropy of the sigmoid of the scores, averaged over the classes, the last dim; by default the mean.",
    choose_multilabel_soft_margin_loss,
    **HOME,
)


def choose_triplet(anchor, positive, negative, distance_function, margin, swap, reduction):
    name = "triplet_margin_with_distance_loss"
    need_tensors(name, anchor=anchor, positive=positive, negative=negative)
    if reduction not in REDUCTIONS:
        raise ValueError(f"{reduction} is not a valid value for reduction")
    if margin <= 0:
        raise ValueError(f"margin must be greater than 0, got {margin}")
    if not anchor.ndim == positive.ndim == negative.ndim:
        raise RuntimeError(
            f"{name}: The anchor, positive, and negative tensors are expected to have the same number of dimensions, but "
            f"got: anchor {anchor.ndim}D, positive {positive.ndim}D, and negative {negative.ndim}D inputs"
        )
    measure = distance_function or (lambda a, b: distance(a, b, 2.0, 1e-6))
    near, far = measure(anchor, positive), measure(anchor, negative)
    if swap:
        far = far.minimum(measure(positive, negative))
    return None, reduced((margin + near - far).clamp_min(0), reduction)


overload(
    "triplet_margin_with_distance_loss(anchor, positive, negative, *, distance_function=None, margin=1.0, swap=False, "
    "reduction='mean')",
    "As ``triplet_margin_loss``, with any function of two tensors as the distance; by default ``pairwise_distance``.",
    choose_triplet,
    **HOME,
)
