"""Covariance and correlation of variables given by observations: made of recorded steps, with all their derivatives."""

from ..source import warn_user
from .checks import BOOL, FLOATING, INTEGER
from .shape import integer
from .steps import is_tensor, need_tensors, perform
from .table import TABLE, overload


def check_weights(kind, weights, count, category):
    """Raise RuntimeError unless there is one weight, of the right kind and not negative, for each observation."""
    need_tensors("cov", input=weights)
    words = {INTEGER: "integral", FLOATING: "floating point"}[category]
    if weights.ndim > 1:
        raise RuntimeError(
            f"cov(): expected {kind} to have one or fewer dimensions but got {kind} with {weights.ndim} dimensions"
        )
    if weights.dtype.category != category:
        raise RuntimeError(
            f"cov(): expected {kind} to have {words} dtype but got {kind} with {weights.dtype._word} dtype"
        )
    if weights.numel() != count:
        raise RuntimeError(
            f"cov(): expected {kind} to have the same numel as there are observations in the input but got "
            f"{weights.numel()} != {count}"
        )
    if count and holds((weights < 0).any()):
        raise RuntimeError(f"cov(): {kind} cannot be negative")


def holds(condition):
    """Whether a condition on weights is known to hold; inside ``vmap`` it has no one value, and nothing is known."""
    try:
        return bool(condition)
    except RuntimeError:
        return False


def freedom(count, weights, aweights, correction):
    """What a covariance divides by: the total weight less the correction, never below zero."""
    if weights is None:
        return max(count - correction, 0)
    total = weights.sum()
    if holds(total == 0):
        raise RuntimeError("cov(): weights sum to zero, can't be normalized")
    if aweights is not None and correction:
        return total - correction * (weights * aweights).sum() / total
    return total - correction


def covariance(input, correction, fweights, aweights):
    name, correction = "cov", integer("cov", "correction", correction)
    if input.ndim > 2:
        raise RuntimeError(
            f"{name}(): expected input to have two or fewer dimensions but got an input with {input.ndim} dimensions"
        )
    if input.dtype.category == BOOL:
        raise RuntimeError(f"{name}(): bool dtype is not supported for input")
    rows = input.reshape(1, -1) if input.ndim < 2 else input
    count, weights = rows.shape[1], None
    if fweights is not None:
        check_weights("fweights", fweights, count, INTEGER)
        weights = fweights
    if aweights is not None:
        check_weights("aweights", aweights, count, FLOATING)
        weights = aweights if weights is None else weights * aweights
    divisor = freedom(count, weights, aweights, correction)
    divisor = positive(divisor) if rows.shape[0] else divisor
    if weights is None:
        apart = rows - rows.sum(1, keepdim=True) / count if count else rows / 1
        weighted = apart
    else:
        apart = rows - (rows * weights).sum(1, keepdim=True) / weights.sum()
        weighted = apart * weights
    return (weighted @ apart.T.conj() / divisor).squeeze()


def positive(divisor):
    """The degrees of freedom, or zero, with a warning, where there are none."""
    if holds(divisor <= 0):
        warn_user(
            "cov(): degrees of freedom is <= 0. Correction should be strictly less than the number of observations.",
            UserWarning,
        )
    return divisor.clamp(min=0) if is_tensor(divisor) else max(divisor, 0)


overload(
    "cov(input, *, correction=1, fweights=None, aweights=None)",
    "The covariances of the variables that are the rows of a matrix, whose columns are observations: of complex ones, "
    "``E[(x - Ex) conj(y - Ey)]``. Observations may be repeated ``fweights`` times, and count as much as ``aweights`` say.",
    lambda input, correction, fweights, aweights: (None, covariance(input, correction, fweights, aweights)),
)


def correlation(input):
    found = covariance(input, 1, None, None)
    if not found.ndim:
        return found / found
    deviations = found.diagonal().real.sqrt()
    found = found / deviations.unsqueeze(1) / deviations.unsqueeze(0)
    if found.dtype.is_complex:
        return perform(TABLE["complex"], found.real.clamp(-1, 1), found.imag.clamp(-1, 1))
    return found.clamp(-1, 1)


overload(
    "corrcoef(input)",
    "The correlation coefficients of the variables that are the rows of a matrix: covariances divided by both standard deviations.",
    lambda input: (None, correlation(input)),
)
