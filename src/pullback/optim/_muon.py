"""Muon."""

from typing import Any

import numpy as np

from .. import dtypes
from .optimizer import Optimizer, check_single


class Muon(Optimizer):
    """Steps along the orthogonal matrix that is nearest to the mean of the gradient (Jordan et al., 2024).

    For the matrices of hidden layers; the other parameters go to another optimizer.

    Args:
        params: matrices, or groups of them.
        lr: the learning rate.
        weight_decay: how much the parameter shrinks, times the learning rate.
        momentum: how much of the running mean is kept at each step.
        nesterov: look ahead along the mean.
        ns_coefficients: of the polynomial ``a x + b x³ + c x⁵`` by which singular values go to one.
        eps: the least norm that the mean is divided by at first.
        ns_steps: how often the polynomial is applied.
        adjust_lr_fn: how the rate grows with the matrix: ``"original"`` (also None), or ``"match_rms_adamw"``.
    """

    _elementwise = False

    def __init__(
        self,
        params: Any,
        lr: Any = 1e-3,
        weight_decay: float = 0.1,
        momentum: float = 0.95,
        nesterov: bool = True,
        ns_coefficients: tuple[float, float, float] = (3.4445, -4.7750, 2.0315),
        eps: float = 1e-7,
        ns_steps: int = 5,
        adjust_lr_fn: str | None = None,
    ) -> None:
        check_single(lr)
        for name, value in [("Learning rate", lr), ("momentum", momentum), ("weight decay", weight_decay)]:
            if not value >= 0.0:
                raise ValueError(f"{name} should be >= 0 but is: {value}")
        if adjust_lr_fn not in (None, "original", "match_rms_adamw"):
            raise ValueError(f"Adjust learning rate function {adjust_lr_fn} is not supported")
        names = dict(lr=lr, weight_decay=weight_decay, momentum=momentum, nesterov=nesterov)
        more = dict(ns_coefficients=ns_coefficients, eps=eps, ns_steps=ns_steps, adjust_lr_fn=adjust_lr_fn)
        super().__init__(params, {**names, **more})

    def _check_members(self, params: list) -> None:
        super()._check_members(params)
        for param in params:
            if param.ndim != 2:
                raise ValueError(
                    f"Muon only supports 2D parameters whereas we found a parameter with size: {param.size()}"
                )

    def _state_of(self, param: Any, group: dict[str, Any]) -> dict[str, Any]:
        if param.is_complex():
            raise RuntimeError("Muon does not support complex parameters")
        return super()._state_of(param, group)

    def _initial(self, group: dict[str, Any]) -> dict[str, float]:
        return {"momentum_buffer": 0}

    def _update(self, param: Any, grad: Any, state: dict[str, Any], options: dict[str, Any]) -> Any:
        momentum, lr, (rows, columns) = options["momentum"], options["lr"], param.shape
        mean = state["momentum_buffer"] = state["momentum_buffer"] + (grad - state["momentum_buffer"]) * (1 - momentum)
        direction = grad + (mean - grad) * momentum if options["nesterov"] else mean
        change = orthogonal(direction, options["ns_coefficients"], options["ns_steps"], options["eps"])
        by_size = 0.2 * max(rows, columns) ** 0.5 if options["adjust_lr_fn"] == "match_rms_adamw" else None
        rate = lr * (by_size or max(1, rows / columns) ** 0.5)
        return param * (1 - lr * options["weight_decay"]) - change * rate


def orthogonal(matrix: Any, coefficients: tuple, steps: int, eps: float) -> Any:
    """About ``U Vᵀ`` of a matrix ``U S Vᵀ``, by Newton and Schulz's iteration, rounded to bfloat16 as in PyTorch."""
    if steps >= 100:
        raise ValueError("Number of steps must be less than 100 for computational efficiency")
    if len(coefficients) != 3:
        raise ValueError("Coefficients must be a tuple of exactly 3 values")
    a, b, c = coefficients
    is_tall = matrix.shape[0] > matrix.shape[1]
    x = half(matrix.T if is_tall else matrix)
    x = half(x / max(float(half((x * x).sum() ** 0.5)), eps))
    for _ in range(steps):
        gram = half(x @ x.T)
        x = half(x * a + half(gram * b + (gram @ gram) * c) @ x)
    return x.T if is_tall else x


def half(value: Any) -> Any:
    """Rounded to bfloat16, in float32."""
    if hasattr(value, "is_leaf"):
        return value.to(dtypes.bfloat16).float()
    return np.asarray(value).astype(dtypes.bfloat16.numpy).astype("f4")
