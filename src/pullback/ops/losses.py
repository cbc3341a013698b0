"""Losses of numbers: of an input against a target of the same shape, element by element, and then reduced.

Those that PyTorch has as one node are one operation here, a formula with its vjp written out; those that it composes of
several are overloads that run the parts as steps.
"""

from warnings import warn

from .steps import INTERNAL, extent, need_tensors, perform
from .table import COMMON, TABLE, op, overload

HOME = {"method": False, "homes": ("nn.functional",)}
REDUCTIONS = ("mean", "sum", "none")


def given_reduction(reduction, size_average=None, reduce=None):
    """How a call says to reduce, be it in PyTorch's old way by two flags."""
    if size_average is not None or reduce is not None:
        reduction = "none" if reduce is False else "sum" if size_average is False else "mean"
        warn(
            f"size_average and reduce args will be deprecated, please use reduction='{reduction}' instead.",
            stacklevel=5,
        )
    if reduction not in REDUCTIONS:
        raise ValueError(f"{reduction} is not a valid value for reduction; expected 'mean', 'sum' or 'none'")
    return reduction


def floating(name, input):
    """Raise unless the input's dtype is a real floating one."""
    if not input.dtype.is_floating_point:
        raise NotImplementedError(f'"{name}" not implemented for {input.dtype}; expected a floating-point tensor')


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
    warn(
        f"{name}: Using a target size ({list(target.shape)}) that is different to the input size ({list(input.shape)}). "
        "This will likely lead to incorrect results due to broadcasting. Please ensure they have the same size.",
        stacklevel=5,
    )
    return perform(TABLE["broadcast_tensors"], [input, target])


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


def weighted(losses, weight, reduction):
    """Losses by a weight of their own shape; a mean divides by the sum of weights."""
    if weight.shape != losses.shape:
        raise ValueError(
            f"Weights and input must have the same size, got {list(weight.shape)} and {list(losses.shape)}"
        )
    total = reduced(losses * weight, "none" if reduction == "none" else "sum")
    return total / weight.sum() if reduction == "mean" else total


def choose_mse_loss(input, target, size_average, reduce, reduction, weight):
    need_tensors("mse_loss", input=input, target=target)
    reduction = given_reduction(reduction, size_average, reduce)
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
