"""Variances and standard deviations."""

from math import inf

from ..source import warn_user
from .batching import shifted
from .checks import FLOATING, flag, reduced_dims
from .reductions import INTERNAL, count, kept, real_product
from .table import composite, op, overload


def freedom(shape, dim, correction):
    """The degrees of freedom that a variance divides by; never below zero."""
    return max(count(shape, dim) - correction, 0)


def slope_of_var(xp, input, dim, correction):
    """The derivative of a variance with respect to each element."""
    left = freedom(input.shape, dim, correction)
    return xp.mul(input - xp.mean(input, dim, True), 2 / left if left else inf)


def halved(xp, value, result):
    """``value / (2 * result)``, the derivative of a square root; 0 at 0, by PyTorch's convention for ``std``."""
    zero = result == 0
    return xp.where(zero, 0, value / xp.where(zero, 1, 2 * result))


def prepare_moment(name):
    def prepare(input, dim, correction, keepdim):
        if input.dtype.category < FLOATING:
            raise RuntimeError(
                f"{name}: std and var only support floating point and complex dtypes, but got {input.dtype}"
            )
        flag(name, "keepdim", keepdim)
        dim = reduced_dims(name, dim, input.ndim)
        if count(input.shape, dim) <= correction:
            warn_user(
                f"{name}(): degrees of freedom is <= 0. Correction should be strictly less than the reduction factor (input "
                f"numel divided by output numel): {correction} against {count(input.shape, dim)}"
            )
        return input, dim, correction, keepdim

    return prepare


def moment_samples(t):
    ample = [((t(2, 3, 4),), case) for case in ({}, {"dim": 1}, {"dim": (0, -1), "keepdim": True}, {"correction": 0})]
    return [*ample, ((t(2, 3), 1), {"correction": 0.5}), ((t(4, 0), 0), {})]


var = op(
    "var(input, dim=None, *, correction=1, keepdim=False)",
    "The variance over ``dim``, or of all elements: squared distances from the mean, divided by the number of elements "
    "less ``correction`` (by zero where that is not positive). Real for complex inputs.",
    vjp={
        "input": lambda xp, grad, input, dim, correction, keepdim, input_shape: (
            kept(xp, grad, input_shape, dim, keepdim) * slope_of_var(xp, input, dim, correction)
        )
    },
    jvp={
        "input": lambda xp, tangent, input, dim, correction, keepdim: xp.sum(
            real_product(xp, tangent, slope_of_var(xp, input, dim, correction)), dim, keepdim
        )
    },
    batch=shifted("dim", whole=True),
    prepare=prepare_moment("var"),
    samples=lambda t: [*moment_samples(t), ((t(),), {"correction": 0})],
    errors=lambda t: [((t(2, 3), 2), {}, IndexError), ((t.integers(0, 9, 3),), {}, RuntimeError)],
    **INTERNAL,
)
std = op(
    "std(input, dim=None, *, correction=1, keepdim=False)",
    "The standard deviation over ``dim``, or of all elements: the square root of :func:`var`. The gradient where it is "
    "zero is zero.",
    vjp={
        "input": lambda xp, grad, input, result, dim, correction, keepdim, input_shape: (
            kept(xp, halved(xp, grad, result), input_shape, dim, keepdim) * slope_of_var(xp, input, dim, correction)
        )
    },
    jvp={
        "input": lambda xp, tangent, input, result, dim, correction, keepdim: halved(
            xp, xp.sum(real_product(xp, tangent, slope_of_var(xp, input, dim, correction)), dim, keepdim), result
        )
    },
    batch=shifted("dim", whole=True),
    prepare=prepare_moment("std"),
    samples=moment_samples,
    errors=lambda t: [((t(2, 3), 2), {}, IndexError), ((t.integers(0, 9, 3),), {}, RuntimeError)],
    **INTERNAL,
)


def moment_and_mean(name, moment):
    """The operation that returns a moment and the mean together."""
    return composite(
        f"{name}(input, dim=None, *, correction=1, keepdim=False)",
        f"A tuple of :func:`{moment.name}` and :func:`mean`, over ``dim`` or of all elements.",
        lambda xp, input, dim=None, correction=1, keepdim=False: (
            xp.call(moment, (input, dim, correction, keepdim)),
            xp.mean(input, dim, keepdim),
        ),
        outputs=("*",),
        prepare=prepare_moment(name),
        samples=moment_samples,
        **INTERNAL,
    )


var_mean = moment_and_mean("var_mean", var)
std_mean = moment_and_mean("std_mean", std)


def choose_moment(moment):
    """The choice among PyTorch's signatures: ``(unbiased)``, ``(dim, unbiased, keepdim)``, ``(dim, *, correction, keepdim)``."""

    def choose(input, dim, unbiased, keepdim, correction):
        if isinstance(dim, bool):
            dim, unbiased = None, dim
        if unbiased is not None and correction is not None:
            raise TypeError(f"{moment.name}(): got both 'unbiased' and 'correction'; pass correction alone")
        if correction is None:
            correction = 0 if unbiased is False else 1
        correction = correction.item() if hasattr(correction, "item") else correction
        return moment, (input, dim, correction, keepdim)

    return choose


for moment in (var, std, var_mean, std_mean):
    overload(
        f"{moment.name}(input, dim=None, unbiased=None, keepdim=False, *, correction=None)",
        moment.doc,
        choose_moment(moment),
        method=moment in (var, std),
        out=moment in (var, std),
    )
