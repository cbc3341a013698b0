"""Losses that are minus the logarithm of a distribution's density, or a divergence: formulas run as recorded steps."""

from math import log, pi

from ..source import warn_user
from .losses import HOME, given_reduction, reduced
from .steps import INTERNAL, is_tensor, need_tensors, perform
from .table import TABLE, op, overload


def choose_kl_div(input, target, size_average, reduce, reduction, log_target):
    need_tensors("kl_div", input=input, target=target)
    if size_average is not None or reduce is not None:
        reduction = given_reduction(reduction, size_average, reduce)
    elif reduction == "mean":
        warn_user(
            "reduction: 'mean' divides the total loss by both the batch size and the support size. 'batchmean' divides only "
            "by the batch size, and aligns with the KL div math definition."
        )
    elif reduction != "batchmean":
        reduction = given_reduction(reduction)
    losses = target.exp() * (target - input) if log_target else target.xlogy(target) - target * input
    if reduction == "batchmean":
        return None, losses.sum() / (input.shape[0] if input.ndim else 1)
    return None, reduced(losses, reduction)


overload(
    "kl_div(input, target, size_average=None, reduce=None, reduction='mean', log_target=False)",
    "The divergence of Kullback and Leibler, ``target * (log(target) - input)``: the input holds log-probabilities, the "
    "target probabilities, or with ``log_target`` their logarithms. ``'batchmean'`` divides the sum by the batch size.",
    choose_kl_div,
    **HOME,
)


def choose_poisson_nll_loss(input, target, log_input, full, size_average, eps, reduce, reduction):
    need_tensors("poisson_nll_loss", input=input, target=target)
    reduction = given_reduction(reduction, size_average, reduce)
    losses = input.exp() - target * input if log_input else input - target * (input + eps).log()
    return None, reduced(losses + stirling(target) if full else losses, reduction)


def stirling(target):
    """Stirling's approximation of ``log(target!)``, of targets above 1; zero for others."""
    above = target > 1
    where = TABLE["where"]
    value = perform(where, above, target, 2)
    return perform(where, above, value * value.log() - value + 0.5 * (2 * pi * value).log(), 0)


overload(
    "poisson_nll_loss(input, target, log_input=True, full=False, size_average=None, eps=1e-08, reduce=None, "
    "reduction='mean')",
    "The negative log likelihood of counts under Poisson distributions whose rates are ``exp(input)``, or the input "
    "itself where not ``log_input``. ``full`` adds Stirling's approximation of the term of the target alone.",
    choose_poisson_nll_loss,
    **HOME,
)

variance = op(
    "variance(input, eps)",
    "The variance, no less than ``eps``, which gradients pass as if it were not cut off; ValueError if any is negative.",
    operands=("input",),
    vjp={"input": lambda xp, grad: grad},
    jvp={"input": lambda xp, tangent: tangent},
    batch=lambda xp, op, args, batched, size: xp.call(op, args),
    real=True,
    samples=lambda t: [
        ((t(2, 3, low=0.5, high=2), 1e-6), {}),
        ((t(low=0.5, high=2), 0.1), {}),
        ((t(0, low=0.5), 0.1), {}),
    ],
    **INTERNAL,
)


def choose_gaussian_nll_loss(input, target, var, full, eps, reduction):
    name = "gaussian_nll_loss"
    need_tensors(name, input=input, target=target)
    if reduction not in ("none", "mean", "sum"):
        raise ValueError(f"{reduction} is not valid: expected 'none', 'mean' or 'sum'")
    if not is_tensor(var):
        if var < 0:
            raise ValueError(f"{name}: var has negative entry/entries: {var}")
        var = input.new_full(input.shape, var)
    elif var.shape != input.shape:
        var = fitting_variance(input, var)
    var = perform(variance, var, eps)
    losses = 0.5 * (var.log() + (input - target).square() / var)
    return None, reduced(losses + 0.5 * log(2 * pi) if full else losses, reduction)


def fitting_variance(input, var):
    """A variance of one value for each row, as a tensor that broadcasts along the rows."""
    shape, given = tuple(input.shape), tuple(var.shape)
    if given == shape[:-1]:
        return var.unsqueeze(-1)
    if len(given) == len(shape) and given[:-1] == shape[:-1] and given[-1] == 1:
        return var
    raise ValueError(
        f"gaussian_nll_loss: var is of incorrect size: {list(given)}, for an input of size {list(shape)}; expected the "
        "same size, or one value in the last dim"
    )


overload(
    "gaussian_nll_loss(input, target, var, full=False, eps=1e-06, reduction='mean')",
    "The negative log likelihood of targets under normal distributions of mean ``input`` and variance ``var``, which is "
    "taken as ``eps`` where it is smaller. ``full`` adds the constant ``log(2π) / 2``.",
    choose_gaussian_nll_loss,
    **HOME,
)
