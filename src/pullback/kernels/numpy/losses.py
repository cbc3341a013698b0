"""Kernels of losses: the commonest calls written out; the others are left to the formulas of the table."""

import numpy as np

from ...ops.table import TABLE
from .. import arrays
from .kinds import F32, F64
from .registry import KERNELS, kernel


@kernel
def checked_classes(target, classes, ignore_index):
    wrong = ((target < 0) | (target >= classes)) & (target != ignore_index)
    if wrong.any():
        raise IndexError(f"Target {target[wrong].flat[0]} is out of bounds.")
    return target


def is_plain(input, target, weight, ignore_index, label_smoothing):
    """Whether a call is of rows of scores with one class each, none of them to be ignored, and nothing else."""
    if input.ndim != 2 or weight is not None or label_smoothing or ignore_index >= 0 or not input.size:
        return False
    if (input.dtype is not F32 and input.dtype is not F64) or target.dtype != np.int64:
        return False
    return target.view(np.uint64).max() < input.shape[1]  # negative ones become large


def cross_entropy(input, target, weight, ignore_index=-100, reduction="mean", label_smoothing=0.0):
    if not is_plain(input, target, weight, ignore_index, label_smoothing):
        return formula(input, target, weight, ignore_index, reduction, label_smoothing)
    scores = input - input.max(1, keepdims=True)
    losses = np.log(np.exp(scores).sum(1))
    losses -= scores[np.arange(len(scores)), target]
    return summed(losses, reduction)


formula = lambda *args: TABLE["cross_entropy"].composite(arrays, *args)
for form in ("", "_2d", "_viewed", "_smooth"):
    KERNELS["cross_entropy" + form] = cross_entropy


@kernel
def cross_entropy_slope(input, target, weight, ignore_index, reduction, label_smoothing):
    if not is_plain(input, target, weight, ignore_index, label_smoothing):
        return TABLE["cross_entropy_slope"].composite(
            arrays, input, target, weight, ignore_index, reduction, label_smoothing
        )
    slope = np.exp(input - input.max(1, keepdims=True))
    slope /= slope.sum(1, keepdims=True)
    slope[np.arange(len(slope)), target] -= 1
    if reduction == "mean":
        slope /= len(slope)
    return slope


def summed(losses, reduction):
    if reduction == "none":
        return losses
    total = np.add.reduce(losses, None)
    return total / losses.dtype.type(losses.size) if reduction == "mean" else total


@kernel
def mse_loss(input, target, reduction="mean"):
    error = input - target
    if (error.dtype is not F32 and error.dtype is not F64) or reduction == "none":
        return TABLE["mse_loss"].composite(arrays, input, target, reduction)
    error = error.ravel()
    total = np.dot(error, error)
    return total / total.dtype.type(error.size) if reduction == "mean" else total


@kernel
def binary_cross_entropy(input, target, weight, reduction="mean"):
    for name, values in (("input", input), ("target", target)):
        if not ((values >= 0) & (values <= 1)).all():
            raise RuntimeError(f"binary_cross_entropy: all elements of {name} should be between 0 and 1")
    return TABLE["binary_cross_entropy"].composite(arrays, input, target, weight, reduction)


@kernel
def variance(input, eps):
    if (input < 0).any():
        raise ValueError("gaussian_nll_loss: var has negative entry/entries")
    return np.maximum(input, input.dtype.type(eps))


@kernel
def soft_margin_loss(input, target, reduction="mean"):
    if input.dtype.kind != "c":
        return TABLE["soft_margin_loss"].composite(arrays, input, target, reduction)
    return summed(np.log(1 + np.exp(-input * target)), reduction)


@kernel
def within(target, low, high, message):
    wrong = (target < low) | (target >= high)
    if wrong.any():
        raise RuntimeError(f"{message.format(target[wrong].flat[0])} (expected {low} to {high - 1})")
    return target
