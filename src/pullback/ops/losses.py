"""Losses of numbers: of an input against a target of the same shape, element by element, and then reduced.

Those that PyTorch has as one node are one operation here, a formula with its vjp written out; those that it composes of
several are overloads that run the parts as steps.
"""

from ..dtypes import float32
from ..source import warn_user
from .joining import common_shape
from .steps import INTERNAL, extent, need_tensors, perform
from .table import COMMON, op, overload

HOME = {"method": False, "homes": ("nn.functional",)}
BOTH = {"method": False, "homes": ("torch", "nn.functional")}
REDUCTIONS = ("none", "mean", "sum")  # by their numbers, which PyTorch's functions outside `nn.functional` take


def given_reduction(reduction, size_average=None, reduce=None):
    """How a call says to reduce, be it in PyTorch's old way by two flags."""
    if size_average is not None or reduce is not None:
        reduction = "none" if reduce is False else "sum" if size_average is False else "mean"
        warn_user(f"size_average and reduce args will be deprecated, please use reduction='{reduction}' instead.")
    if type(reduction) is int and 0 <= reduction < 3:
        return REDUCTIONS[reduction]
    if reduction == "elementwise_mean":
        warn_user("reduction='elementwise_mean' is deprecated. Please use reduction='mean' instead.")
        return "mean"
    if reduction not in REDUCTIONS:
        raise ValueError(f"{reduction} is not a valid value for reduction; expected 'mean', 'sum' or 'none'")
    return reduction


def floating(name, input):
    """Raise unless the input's dtype is a real floating one."""
    if not input.dtype.is_floating_point:
        raise NotImplementedError(f'"{name}" not implemented for {input.dtype}; expected a floating-point tensor')


def real(name, *tensors):
    """Raise for complex tensors, which losses are not defined for."""
    for tensor in tensors:
        if tensor.dtype.is_complex:
            raise NotImplementedError(f'"{name}" not implemented for {tensor.dtype}; expected real numbers')


def in_single(formula):
    """The formula, computed in float32 where the input has half precision, and rounded once."""

    def computed(xp, input, *args):
        half = input.dtype
        if half.itemsize != 2:
            return formula(xp, input, *args)
        wide = [xp.cast(a, float32) if getattr(a, "dtype", None) == half else a for a in args]
        return xp.cast(formula(xp, xp.cast(input, float32), *wide), half)

    return computed


def no_derivative(name, argument, value):
    if value.requires_grad:
        raise RuntimeError(f"{name}: the derivative for '{argument}' is not implemented; detach it")


def reduced(losses, reduction):
    """Tensors reduced, as a step."""
    return losses if reduction == "none" else losses.mean() if reduction == "mean" else losses.sum()


def same_shape(name, input, target):
    """Both operands broadcast to one shape, with PyTorch's warning where they had different ones."""
    if input.shape == target.shape:
        return input, target
    warn_user(
        f"{name}: Using a target size ({list(target.shape)}) that is different to the input size ({list(input.shape)}). "
        "This will likely lead to incorrect results due to broadcasting. Please ensure they have the same size."
    )
    return broadcast(name, input, target)


def broadcast(name, input, target):
    """Both operands as views of the shape that they broadcast to."""
    shape = common_shape(name, [tuple(input.shape), tuple(target.shape)])
    return input.expand(shape), target.expand(shape)


def fold(xp, losses, reduction):
    """Values reduced, in a formula."""
    return losses if reduction == "none" else xp.mean(losses) if reduction == "mean" else xp.sum(losses)


def unfold(grad, reduction, shape):
    """The cotangent of each element's loss."""
    return grad / extent(shape) if reduction == "mean" else grad


def pull_mse(grad, error, reduction, shape):
    return error * (unfold(grad, reduction, shape) * 2)


mse_loss = op(
    "mse_loss(input, target, *, reduction='mean')",
    "The squared error, by default its mean.",
    composite=lambda xp, input, target, reduction="mean": fold(xp, xp.square(input - target), reduction),
    types=COMMON,
    operands=("input", "target"),
    vjp={
        "input": lambda xp, grad, input, target, reduction, input_shape: pull_mse(
            grad, input - target, reduction, input_shape
        ),
        "target": lambda xp, grad, input, target, reduction, input_shape: pull_mse(
            grad, target - input, reduction, input_shape
        ),
    },
    real=True,
    samples=lambda t: pair_samples(t),
    **INTERNAL,
)


def pair_samples(t, low=-2, high=2, **options):
    """Sample calls on inputs and targets of several shapes, with each reduction."""
    found = []
    for shape, reduction in (((2, 3), "mean"), ((2, 3), "sum"), ((2, 3), "none"), ((), "mean"), ((0, 2), "sum")):
        pair = (t(*shape, low=low, high=high), t(*shape, low=low, high=high))
        found.append((pair, {"reduction": reduction, **options}))
    return found


def check_element_weight(weight, input):
    if weight.shape != input.shape:
        raise ValueError(f"Weights and input must have the same size, got {list(weight.shape)} and {list(input.shape)}")


def weighted(losses, weight, reduction):
    """Losses by a weight of their own shape; a mean divides by the sum of weights."""
    check_element_weight(weight, losses)
    total = reduced(losses * weight, "none" if reduction == "none" else "sum")
    return total / weight.sum() if reduction == "mean" else total


def choose_mse_loss(input, target, size_average, reduce, reduction, weight):
    need_tensors("mse_loss", input=input, target=target)
    reduction = given_reduction(reduction, size_average, reduce)
    if weight is not None:
        check_element_weight(weight, input)
    else:
        real("mse_loss", input, target)
    input, target = same_shape("mse_loss", input, target)
    if not (input.dtype.is_floating_point or target.dtype.is_floating_point):
        floating("mse_loss", input)
    if weight is not None:
        return None, weighted(perform(mse_loss, input, target, "none"), weight, reduction)
    return mse_loss, (input, target, reduction)


overload(
    "mse_loss(input, target, size_average=None, reduce=None, reduction='mean', weight=None)",
    "The squared error of an input against a target of the same shape: by default its mean, or the mean by ``weight``.",
    choose_mse_loss,
    **HOME,
)


def choose_l1_loss(input, target, size_average, reduce, reduction, weight):
    need_tensors("l1_loss", input=input, target=target)
    reduction = given_reduction(reduction, size_average, reduce)
    input, target = same_shape("l1_loss", input, target)
    losses = (input - target).abs()
    return None, reduced(losses, reduction) if weight is None else weighted(losses, weight, reduction)


overload(
    "l1_loss(input, target, size_average=None, reduce=None, reduction='mean', weight=None)",
    "The absolute error of an input against a target of the same shape: by default its mean, or the mean by ``weight``. "
    "The derivative where they are equal is zero.",
    choose_l1_loss,
    **HOME,
)


# -- square near zero, straight beyond ---------------------------------------------------------------------------------


@in_single
def formula_smooth_l1(xp, input, target, reduction="mean", beta=1.0):
    error = xp.abs(input - target)
    return fold(xp, xp.where(error < beta, error * error * (0.5 / beta), error - 0.5 * beta), reduction)


def pull_smooth_l1(xp, grad, error, reduction, beta):
    return xp.clamp(error * (1 / beta), -1, 1) * unfold(grad, reduction, error.shape)


smooth_l1_loss = op(
    "smooth_l1_loss(input, target, *, reduction='mean', beta=1.0)",
    "``error² / (2 beta)`` of errors smaller than ``beta``, and ``|error| - beta / 2`` of others; by default the mean.",
    composite=formula_smooth_l1,
    types=COMMON,
    operands=("input", "target"),
    vjp={
        "input": lambda xp, grad, input, target, reduction, beta: pull_smooth_l1(
            xp, grad, input - target, reduction, beta
        ),
        "target": lambda xp, grad, input, target, reduction, beta: pull_smooth_l1(
            xp, grad, target - input, reduction, beta
        ),
    },
    real=True,
    node="SmoothL1LossBackward0",
    samples=lambda t: pair_samples(t) + pair_samples(t, beta=0.3)[:2],
    **INTERNAL,
)


def choose_smooth_l1_loss(input, target, size_average, reduce, reduction, beta):
    need_tensors("smooth_l1_loss", input=input, target=target)
    reduction = given_reduction(reduction, size_average, reduce)
    if beta < 0:
        raise RuntimeError(f"smooth_l1_loss does not support negative values for beta, got {beta}.")
    real("smooth_l1_loss", input, target)
    input, target = same_shape("smooth_l1_loss", input, target)
    if beta == 0:
        return None, reduced((input - target).abs(), reduction)
    floating("smooth_l1_loss", input if input.dtype.is_floating_point else target)
    return smooth_l1_loss, (input, target, reduction, beta)


overload(
    "smooth_l1_loss(input, target, size_average=None, reduce=None, reduction='mean', beta=1.0)",
    f"{smooth_l1_loss.doc} The absolute error where ``beta`` is zero.",
    choose_smooth_l1_loss,
    **HOME,
)


@in_single
def formula_huber(xp, input, target, reduction="mean", delta=1.0):
    error = xp.abs(input - target)
    return fold(xp, xp.where(error <= delta, error * error * 0.5, delta * (error - 0.5 * delta)), reduction)


def pull_huber(xp, grad, error, reduction, delta):
    return xp.clamp(error, -delta, delta) * unfold(grad, reduction, error.shape)


huber_loss = op(
    "huber_loss(input, target, *, reduction='mean', delta=1.0)",
    "``error² / 2`` of errors up to ``delta``, and ``delta (|error| - delta / 2)`` of others; by default the mean.",
    composite=formula_huber,
    types=COMMON,
    operands=("input", "target"),
    vjp={
        "input": lambda xp, grad, input, target, reduction, delta: pull_huber(
            xp, grad, input - target, reduction, delta
        ),
        "target": lambda xp, grad, input, target, reduction, delta: pull_huber(
            xp, grad, target - input, reduction, delta
        ),
    },
    real=True,
    samples=lambda t: pair_samples(t) + pair_samples(t, delta=0.3)[:2],
    **INTERNAL,
)


def choose_huber_loss(input, target, reduction, delta, weight):
    need_tensors("huber_loss", input=input, target=target)
    reduction = given_reduction(reduction)
    if delta <= 0:
        raise RuntimeError(f"huber_loss does not support non-positive values for delta, got {delta}.")
    real("huber_loss", input, target)
    input, target = same_shape("huber_loss", input, target)
    floating("huber_loss", input if input.dtype.is_floating_point else target)
    if weight is None:
        return huber_loss, (input, target, reduction, delta)
    check_element_weight(weight, input)
    return None, reduced(perform(huber_loss, input, target, "none", delta) * weight, reduction)


overload(
    "huber_loss(input, target, reduction='mean', delta=1.0, weight=None)",
    f"{huber_loss.doc} ``weight`` is a factor of each loss.",
    choose_huber_loss,
    **HOME,
)


# -- of yes and no -----------------------------------------------------------------------------------------------------


def times_weight(losses, weight):
    return losses if weight is None else losses * weight


@in_single
def formula_binary(xp, input, target, weight, reduction="mean"):
    losses = target * log_of(xp, input) + (1 - target) * log_of_rest(xp, input)
    return fold(xp, times_weight(-losses, weight), reduction)


def log_of(xp, input):
    """The logarithm, no less than -100, by PyTorch's convention for this loss."""
    return xp.clamp_min(xp.log(input), -100)


def log_of_rest(xp, input):
    return xp.clamp_min(xp.log1p(-input), -100)


binary_cross_entropy = op(
    "binary_cross_entropy(input, target, weight, *, reduction='mean')",
    "``-(t log p + (1 - t) log(1 - p))`` of probabilities and targets in [0, 1], by default its mean. Logarithms are cut "
    "off at -100.",
    composite=formula_binary,
    operands=("input", "target"),
    vjp={
        "input": lambda xp, grad, input, target, weight, reduction, input_shape: times_weight(
            (input - target) / xp.clamp_min((1 - input) * input, 1e-12) * unfold(grad, reduction, input_shape), weight
        ),
        "target": lambda xp, grad, input, weight, reduction, input_shape: times_weight(
            (log_of_rest(xp, input) - log_of(xp, input)) * unfold(grad, reduction, input_shape), weight
        ),
    },
    real=True,
    samples=lambda t: [
        ((*pair, weight), settings)
        for pair, settings in pair_samples(t, 0.1, 0.9)
        for weight in (None, t(*pair[0].shape, low=0.5, high=2))
    ],
    **INTERNAL,
)


def choose_binary_cross_entropy(input, target, weight, size_average, reduce, reduction):
    name = "binary_cross_entropy"
    need_tensors(name, input=input, target=target)
    reduction = given_reduction(reduction, size_average, reduce)
    if input.shape != target.shape:
        raise ValueError(
            f"{name}: Using a target size ({list(target.shape)}) that is different to the input size ({list(input.shape)}) "
            "is deprecated. Please ensure they have the same size."
        )
    floating(name, input)
    for given in (target, weight):
        if given is not None and given.dtype is not input.dtype:
            raise RuntimeError(f"{name}: Found dtype {given.dtype} but expected {input.dtype}")
    return binary_cross_entropy, (input, target, constant_weight(name, "weight", weight, input), reduction)


def constant_weight(name, argument, weight, input):
    """A weight as a tensor of the input's shape."""
    if weight is None:
        return None
    need_tensors(name, weight=weight)
    no_derivative(name, argument, weight)
    return weight if weight.shape == input.shape else weight.expand(input.shape)


overload(
    "binary_cross_entropy(input, target, weight=None, size_average=None, reduce=None, reduction='mean')",
    f"{binary_cross_entropy.doc} ``weight`` broadcasts against the input.",
    choose_binary_cross_entropy,
    **HOME,
)


@in_single
def formula_binary_logits(xp, input, target, weight, pos_weight, reduction="mean"):
    losses = (1 - target) * input - positive_factor(target, pos_weight) * xp.logsigmoid(input)
    return fold(xp, times_weight(losses, weight), reduction)


def positive_factor(target, pos_weight):
    """What the loss of being called positive counts: ``pos_weight`` for positive targets."""
    return 1 if pos_weight is None else (pos_weight - 1) * target + 1


def slope_of_logits(xp, input, target, weight, pos_weight):
    gain = target if pos_weight is None else target * pos_weight
    return times_weight(xp.sigmoid(input) * (gain + 1 - target) - gain, weight)


def slope_of_targets(xp, input, weight, pos_weight):
    slope = -input if pos_weight is None else -input - (pos_weight - 1) * xp.logsigmoid(input)
    return times_weight(slope, weight)


binary_cross_entropy_with_logits = op(
    "binary_cross_entropy_with_logits(input, target, weight, pos_weight, *, reduction='mean')",
    "The binary cross entropy of the sigmoid of the input, computed without overflow; by default its mean.",
    composite=formula_binary_logits,
    types=COMMON,
    operands=("input", "target"),
    vjp={
        "input": lambda xp, grad, input, target, weight, pos_weight, reduction: (
            slope_of_logits(xp, input, target, weight, pos_weight) * unfold(grad, reduction, input.shape)
        ),
        "target": lambda xp, grad, input, weight, pos_weight, reduction: (
            slope_of_targets(xp, input, weight, pos_weight) * unfold(grad, reduction, input.shape)
        ),
    },
    real=True,
    samples=lambda t: [
        ((*pair, weight), {"pos_weight": t(*pair[0].shape[-1:], low=0.5, high=2) if positive else None, **settings})
        for pair, settings in pair_samples(t)
        for weight, positive in ((None, False), (t(*pair[0].shape, low=0.5, high=2), True))
    ],
    **INTERNAL,
)


def choose_with_logits(input, target, weight, size_average, reduce, reduction, pos_weight):
    name = "binary_cross_entropy_with_logits"
    need_tensors(name, input=input, target=target)
    reduction = given_reduction(reduction, size_average, reduce)
    if input.shape != target.shape:
        raise ValueError(
            f"{name}: Target size ({list(target.shape)}) must be the same as input size ({list(input.shape)})"
        )
    real(name, input, target)
    weight = constant_weight(name, "weight", weight, input)
    pos_weight = constant_weight(name, "pos_weight", pos_weight, input)
    return binary_cross_entropy_with_logits, (input, target, weight, pos_weight, reduction)


overload(
    "binary_cross_entropy_with_logits(input, target, weight=None, size_average=None, reduce=None, reduction='mean', "
    "pos_weight=None)",
    f"{binary_cross_entropy_with_logits.doc} ``weight`` is a factor of each loss, ``pos_weight`` one of the part of "
    "positive targets; both broadcast against the input.",
    choose_with_logits,
    **HOME,
)


@in_single
def formula_soft_margin(xp, input, target, reduction="mean"):
    return fold(xp, -xp.logsigmoid(input * target), reduction)


soft_margin_loss = op(
    "soft_margin_loss(input, target, *, reduction='mean')",
    "``log(1 + exp(-target * input))`` of targets 1 and -1, computed without overflow; by default its mean.",
    composite=formula_soft_margin,
    types=COMMON,
    operands=("input", "target"),
    vjp={
        "input": lambda xp, grad, input, target, reduction: (
            target * (xp.sigmoid(-(input * target)) * -unfold(grad, reduction, input.shape))
        )
    },
    real=True,
    samples=lambda t: pair_samples(t),
    **INTERNAL,
)


def choose_soft_margin_loss(input, target, size_average, reduce, reduction):
    need_tensors("soft_margin_loss", input=input, target=target)
    reduction = given_reduction(reduction, size_average, reduce)
    no_derivative("soft_margin_loss", "target", target)
    if input.shape != target.shape:
        input, target = broadcast("soft_margin_loss", input, target)
    return soft_margin_loss, (input, target, reduction)


overload(
    "soft_margin_loss(input, target, size_average=None, reduce=None, reduction='mean')",
    soft_margin_loss.doc,
    choose_soft_margin_loss,
    **HOME,
)
