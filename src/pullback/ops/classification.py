"""Losses of class scores: ``nll_loss`` and ``cross_entropy``, of classes by number or of probabilities.

Training loops call these at every step, so that they are one node each, with the derivative written out. What both
share is the *share* of each class: how much each of an element's scores counts in its loss. It is the class's weight
for the target, zero elsewhere and where the target is ``ignore_index``, and mixed with all classes by label smoothing.
"""

from ..dtypes import int64, uint8
from .losses import floating, given_reduction, in_single, no_derivative
from .steps import INTERNAL, need_tensors
from .table import op, overload


def class_dim(input):
    """The dimension of the classes: the second, or the only one."""
    return 1 if input.ndim > 1 else 0


def by_class(xp, values, ndim):
    """Values, one a class, as a tensor that broadcasts along the classes."""
    return xp.reshape(values, (values.shape[0], *[1] * (ndim - 2)))


def shares_of(xp, input, target, weight, ignore_index, label_smoothing=0.0):
    """How much each score counts in its element's loss."""
    d = class_dim(input)
    classes = input.shape[d]
    target = xp.unsqueeze(target, d)
    weights = 1 if weight is None else by_class(xp, weight, input.ndim)
    chosen = xp.cast(xp.where(target == by_class(xp, xp.arange(classes), input.ndim), weights, 0), input.dtype)
    if label_smoothing:
        chosen = chosen * (1 - label_smoothing) + weights * (label_smoothing / classes)
    return xp.where(target == ignore_index, 0, chosen)


def total_of(xp, input, target, weight, ignore_index):
    """What a mean divides by: the sum of the targets' weights, without those to be ignored."""
    if weight is None:
        return xp.cast(xp.sum(target != ignore_index), input.dtype)
    return xp.sum(shares_of(xp, input, target, weight, ignore_index))


def reduced(xp, losses, input, target, weight, ignore_index, reduction):
    if reduction == "none":
        return losses
    total = xp.sum(losses)
    return total / total_of(xp, input, target, weight, ignore_index) if reduction == "mean" else total


def flowing(xp, grad, input, target, weight, ignore_index, reduction):
    """The cotangent of each element's loss, as a tensor that broadcasts along the classes."""
    if reduction == "none":
        return xp.unsqueeze(grad, class_dim(input))
    return grad / total_of(xp, input, target, weight, ignore_index) if reduction == "mean" else grad


op(
    "checked_classes(target, classes, ignore_index)",
    "The target itself; IndexError if a class is neither below ``classes`` nor to be ignored.",
    operands=("target",),
    batch=lambda xp, op, args, batched, size: xp.call(op, args),
    samples=lambda t: [((t.integers(0, 3, 4), 3, -100), {})],
    **INTERNAL,
)


def formula_nll_loss(xp, input, target, weight, ignore_index=-100, reduction="mean", label_smoothing=0.0):
    target = xp.checked_classes(target, input.shape[class_dim(input)], ignore_index)
    shares = shares_of(xp, input, target, weight, ignore_index, label_smoothing)
    counted = xp.where(shares == 0, 0, input) * shares  # a score of -inf that does not count is no NaN
    losses = -xp.sum(counted, class_dim(input))
    return reduced(xp, losses, input, target, weight, ignore_index, reduction)


@in_single
def formula_cross_entropy(xp, input, target, weight, ignore_index=-100, reduction="mean", label_smoothing=0.0):
    scores = xp.log_softmax(input, class_dim(input))
    return formula_nll_loss(xp, scores, target, weight, ignore_index, reduction, label_smoothing)


def pull_nll_loss(xp, grad, input, target, weight, ignore_index, reduction):
    flow = flowing(xp, grad, input, target, weight, ignore_index, reduction)
    return shares_of(xp, input, target, weight, ignore_index) * -flow


@in_single
def formula_slope(xp, input, target, weight, ignore_index, reduction, label_smoothing):
    """The softmax, times the sum of the shares, less the shares."""
    d = class_dim(input)
    shares = shares_of(xp, input, target, weight, ignore_index, label_smoothing)
    slope = xp.softmax(input, d) * xp.sum(shares, d, True) - shares
    return slope / total_of(xp, input, target, weight, ignore_index) if reduction == "mean" else slope


op(
    "cross_entropy_slope(input, target, weight, ignore_index, reduction, label_smoothing)",
    "The derivative of ``cross_entropy`` with respect to each score.",
    composite=formula_slope,
    operands=("input",),
    real=True,
    samples=lambda t: [
        ((t(3, 4), t.integers(0, 4, 3), None, -100, "mean", 0.0), {}),
        ((t(3, 4), t.integers(0, 4, 3), t(4, low=0.5, high=2), 1, "sum", 0.25), {}),
        ((t(2, 3, 4), t.integers(0, 3, 2, 4), None, 2, "none", 0.0), {}),
    ],
    **INTERNAL,
)


def pull_cross_entropy(xp, grad, input, target, weight, ignore_index, reduction, label_smoothing):
    slope = xp.cross_entropy_slope(input, target, weight, ignore_index, reduction, label_smoothing)
    return slope * (xp.unsqueeze(grad, class_dim(input)) if reduction == "none" else grad)


def nll_form(name, node):
    """``nll_loss`` for some ranks of its input, under the name of node that PyTorch has for them."""
    return op(
        f"{name}(input, target, weight, *, ignore_index=-100, reduction='mean')",
        "Minus the score of each target class, by default their mean.",
        composite=formula_nll_loss,
        operands=("input", "target"),
        vjp={"input": pull_nll_loss},
        real=True,
        node=node,
        samples=lambda t: samples_of(name, t, {}),
        **INTERNAL,
    )


def entropy_form(name, node):
    """``cross_entropy`` for some ranks of its input, likewise."""
    smoothing = {"label_smoothing": 0.25} if name.endswith("_smooth") else {}
    return op(
        f"{name}(input, target, weight, *, ignore_index=-100, reduction='mean', label_smoothing=0.0)",
        "Minus the logarithm of the softmax of the scores at each target class, by default the mean.",
        composite=formula_cross_entropy,
        operands=("input", "target"),
        vjp={"input": pull_cross_entropy},
        real=True,
        node=node,
        samples=lambda t: samples_of(name, t, smoothing),
        **INTERNAL,
    )


def samples_of(name, t, more):
    form = name.rsplit("_", 1)[1]
    shapes = {"2d": ((2, 3, 2, 2), (2, 3, 4)), "viewed": ((2, 3, 4),)}.get(form, ((4, 3), (3,), (0, 3)))
    reductions = ("none",) if form == "viewed" else ("mean", "sum") if form == "2d" else ("mean", "sum", "none")
    found = []
    for shape in shapes:
        targets = shape[:1] + shape[2:] if len(shape) > 1 else ()
        for reduction in reductions[not shape[0] :]:  # the mean of nothing is NaN
            found.append(((t(*shape), t.integers(0, 3, *targets), None), {"reduction": reduction, **more}))
        if shape[0] > 1:
            weight, target = t(3, low=0.5, high=2), t.integers(0, 3, *targets)
            found.append(((t(*shape), target, weight), {"reduction": reductions[0], **more}))
            found.append(((t(*shape), target, weight), {"ignore_index": 1, "reduction": reductions[-1], **more}))
    return found


NODES = {"": "NllLossBackward0", "_2d": "NllLoss2DBackward0", "_viewed": "ViewBackward0", "_smooth": "AddBackward0"}
nll_forms = {form: nll_form(f"nll_loss{form}", node) for form, node in NODES.items() if form != "_smooth"}
entropy_forms = {form: entropy_form(f"cross_entropy{form}", node) for form, node in NODES.items()}


def form_of(ndim, reduction):
    """Which of the forms serves: PyTorch has a loss of pictures, and reshapes what has other dims into one."""
    if ndim < 3:
        return ""
    return "_viewed" if reduction == "none" and ndim != 4 else "_2d"


def check_classes(name, input, target, weight):
    """Raise PyTorch's error for scores, classes and weights that do not go together."""
    shape, targets = tuple(input.shape), tuple(target.shape)
    if not shape:
        raise ValueError(f"{name}: Expected 1 or more dimensions (got 0)")
    if len(shape) > 1 and (not targets or shape[0] != targets[0]):
        given = targets[0] if targets else "none: it has no dimensions"
        raise ValueError(f"{name}: Expected input batch_size ({shape[0]}) to match target batch_size ({given}).")
    expected = shape[:1] + shape[2:] if len(shape) > 1 else ()
    if targets != expected:
        error = RuntimeError if expected else ValueError
        raise error(
            f"{name}: size mismatch. Expected target size {list(expected)}, got {list(targets)}; the input's size is "
            f"{list(shape)}, whose classes are dim {class_dim(input)}"
        )
    if target.dtype is not int64 and target.dtype is not uint8:
        raise RuntimeError(f"{name}: expected target dtype to be Long or Byte, but got {target.dtype}")
    floating(name, input)
    if weight is not None:
        check_weight(name, input, weight)
        no_derivative(name, "weight", weight)


def only_class(input, target):
    """The target of one row of scores, which may come as a tensor of one element."""
    return target.reshape(()) if input.ndim == 1 and tuple(target.shape) == (1,) else target


def check_weight(name, input, weight):
    need_tensors(name, weight=weight)
    classes = input.shape[class_dim(input)]
    if tuple(weight.shape) != (classes,):
        raise RuntimeError(
            f"{name}: weight tensor should be defined either for all {classes} classes or no classes but got weight tensor "
            f"of shape: {list(weight.shape)}"
        )
    if weight.dtype is not input.dtype:
        raise RuntimeError(f"{name}: expected scalar type {input.dtype} for weight but found {weight.dtype}")


def choose_nll_loss(input, target, weight, size_average, ignore_index, reduce, reduction):
    need_tensors("nll_loss", input=input, target=target)
    target = only_class(input, target)
    reduction = given_reduction(reduction, size_average, reduce)
    check_classes("nll_loss", input, target, weight)
    return nll_forms[form_of(input.ndim, reduction)], (input, target, weight, ignore_index, reduction)


overload(
    "nll_loss(input, target, weight=None, size_average=None, ignore_index=-100, reduce=None, reduction='mean')",
    "The negative log likelihood: minus the score, a log-probability, of each target class, times the class's "
    "``weight``. Scores (N, C, d1, ...), or (C,), and classes (N, d1, ...); ``'mean'`` divides by the sum of weights.",
    choose_nll_loss,
    method=False,
    homes=("nn.functional",),
)


def choose_cross_entropy(input, target, weight, size_average, ignore_index, reduce, reduction, label_smoothing):
    need_tensors("cross_entropy", input=input, target=target)
    reduction = given_reduction(reduction, size_average, reduce)
    if not 0 <= label_smoothing <= 1:
        raise RuntimeError(f"cross_entropy: label_smoothing must be between 0.0 and 1.0. Got: {label_smoothing}")
    if input.shape == target.shape:
        check_probabilities(input, target, ignore_index)
        return None, of_probabilities(input, target, weight, reduction, label_smoothing)
    target = only_class(input, target)
    check_classes("cross_entropy", input, target, weight)
    form = "_smooth" if label_smoothing else form_of(input.ndim, reduction)
    return entropy_forms[form], (input, target, weight, ignore_index, reduction, label_smoothing)


def check_probabilities(input, target, ignore_index):
    if not target.dtype.is_floating_point:
        raise RuntimeError(
            f"cross_entropy: Expected floating point type for target with class probabilities, got {target.dtype}; a target "
            f"of the input's shape, {list(input.shape)}, holds probabilities"
        )
    if ignore_index >= 0:
        raise RuntimeError("cross_entropy: ignore_index is not supported for floating point target")
    floating("cross_entropy", input)


def of_probabilities(input, target, weight, reduction, label_smoothing):
    """The loss of targets that are probabilities of each class."""
    d = class_dim(input)
    if weight is not None:
        check_weight("cross_entropy", input, weight)
        weight = weight.reshape(-1, *[1] * (input.ndim - 2))
    if label_smoothing:
        target = target * (1 - label_smoothing) + label_smoothing / input.shape[d]
    counted = input.log_softmax(d) * target
    counted = counted if weight is None else counted * weight
    if reduction == "none":
        return -counted.sum(d)
    total = -counted.sum()
    return total if reduction == "sum" else total / (counted.numel() / max(input.shape[d], 1))


overload(
    "cross_entropy(input, target, weight=None, size_average=None, ignore_index=-100, reduce=None, reduction='mean', "
    "label_smoothing=0.0)",
    "Minus the logarithm of the probability that the softmax of the scores gives to each target class. Scores "
    "(N, C, d1, ...), or (C,), and classes (N, d1, ...), or probabilities of the scores' own shape; ``'mean'`` divides "
    "by the sum of the targets' weights. ``label_smoothing`` spreads that share of each target over all classes.",
    choose_cross_entropy,
    method=False,
    homes=("nn.functional",),
)
