"""Limits on gradients, between ``backward()`` and ``step()``."""

import warnings
from collections.abc import Iterable
from math import inf
from typing import Any

import numpy as np

from ...tape.storage import mark_written
from ...tape.value import Tensor, wrap


def members(given: Any) -> list:
    return [given] if isinstance(given, Tensor) else list(given)


def gradients(parameters: Any) -> list:
    return [p._grad for p in members(parameters) if p._grad is not None]


def get_total_norm(
    tensors: Any, norm_type: float = 2.0, error_if_nonfinite: bool = False, foreach: bool | None = None
) -> Any:
    """The norm of several tensors, as of one vector of all their elements.

    Args:
        norm_type: the order; ``inf`` for the largest magnitude.
        error_if_nonfinite: raise RuntimeError where the norm is infinite or not a number.
        foreach: accepted, and without effect.
    """
    arrays = [t._data for t in members(tensors)]
    if not arrays:
        return wrap(np.zeros((), np.float32))
    order = float(norm_type)
    norms = np.array([np.linalg.norm(a.reshape(-1), order) for a in arrays], np.result_type(*arrays).type(0).real.dtype)
    total = norms.max() if order == inf else np.linalg.norm(norms, order)
    if error_if_nonfinite and not np.isfinite(total):
        raise RuntimeError(
            f"The total norm of order {norm_type} for gradients from `parameters` is non-finite, so it cannot be clipped. "
            "To disable this error and scale the gradients by the non-finite norm anyway, set `error_if_nonfinite=False`"
        )
    return wrap(np.asarray(total, norms.dtype))


def clip_grads_with_norm_(parameters: Any, max_norm: float, total_norm: Any, foreach: bool | None = None) -> None:
    """Scale the gradients in place, given their norm, so that it is at most ``max_norm``."""
    factor = max_norm / (float(total_norm) + 1e-6)
    scale(gradients(parameters), 1.0 if factor > 1.0 else factor)


def clip_grad_norm_(
    parameters: Tensor | Iterable[Tensor],
    max_norm: float,
    norm_type: float = 2.0,
    error_if_nonfinite: bool = False,
    foreach: bool | None = None,
) -> Any:
    """Scale the gradients in place so that their norm, as of one vector, is at most ``max_norm``.

    Args:
        norm_type: the order of the norm; ``inf`` for the largest magnitude.
        error_if_nonfinite: raise RuntimeError where the norm is infinite or not a number.
        foreach: accepted, and without effect.

    Returns:
        The norm before.
    """
    parameters = members(parameters)
    total = get_total_norm(gradients(parameters), norm_type, error_if_nonfinite)
    clip_grads_with_norm_(parameters, float(max_norm), total)
    return total


def clip_grad_value_(parameters: Any, clip_value: float, foreach: bool | None = None) -> None:
    """Cut the gradients' elements in place to ``[-clip_value, clip_value]``."""
    for grad in gradients(parameters):
        np.clip(grad._data, -float(clip_value), float(clip_value), out=grad._data)
        mark_written(grad._data, "clip_grad_value_")


def scale(grads: list, factor: float) -> None:
    for grad in grads:
        grad._data *= factor
        mark_written(grad._data, "clip_grad_norm_")


def clip_grad_norm(
    parameters: Any,
    max_norm: float,
    norm_type: float = 2.0,
    error_if_nonfinite: bool = False,
    foreach: bool | None = None,
) -> Any:
    """The old name of :func:`clip_grad_norm_`, which warns."""
    warnings.warn(
        "`torch.nn.utils.clip_grad_norm` is now deprecated in favor of `torch.nn.utils.clip_grad_norm_`.",
        FutureWarning,
        stacklevel=2,
    )
    return clip_grad_norm_(parameters, max_norm, norm_type, error_if_nonfinite, foreach)
