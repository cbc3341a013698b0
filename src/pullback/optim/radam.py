"""Rectified Adam."""

from typing import Any

import numpy as np

from .adam import moments
from .optimizer import Optimizer, check_moments, decayed


class RAdam(Optimizer):
    """Adam whose scaling waits until the variance of its scale is known, and is rectified by it (Liu et al., 2020).

    Args:
        params: the parameters, or groups of them.
        lr: the learning rate.
        betas: how much of the two running means is kept at each step.
        eps: added to what is divided by, so that it is not zero.
        weight_decay: added to the gradient, times the parameter.
        decoupled_weight_decay: shrink the parameter instead of changing the gradient, as AdamW does.
        maximize: go up the gradient.
        differentiable: record the update, so that it can be differentiated.
        foreach, capturable: accepted, and without effect: there is one implementation.
    """

    def __init__(
        self,
        params: Any,
        lr: Any = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0,
        decoupled_weight_decay: bool = False,
        *,
        foreach: bool | None = None,
        maximize: bool = False,
        capturable: bool = False,
        differentiable: bool = False,
    ) -> None:
        check_moments(lr, eps, betas, weight_decay)
        super().__init__(
            params,
            dict(
                lr=lr,
                betas=betas,
                eps=eps,
                weight_decay=weight_decay,
                maximize=maximize,
                foreach=foreach,
                capturable=capturable,
                decoupled_weight_decay=decoupled_weight_decay,
                differentiable=differentiable,
            ),
        )

    def _initial(self, group: dict[str, Any]) -> dict[str, float]:
        return {"step": 0, "exp_avg": 0, "exp_avg_sq": 0}

    def _update(self, param: Any, grad: Any, state: dict[str, Any], options: dict[str, Any]) -> Any:
        (beta1, beta2), step = options["betas"], state["step"]
        param, grad = decayed(param, grad, options)
        mean, square = moments(grad, state, beta1, beta2)
        rate = options["lr"] / (1 - beta1**step)
        kept = 1 - beta2**step
        most = 2 / (1 - beta2) - 1  # the length of a simple mean that corresponds to this one, in the end
        length = most - 2 * step * beta2**step / kept
        if length <= 5:
            return param - mean * rate
        variance = (length - 4) * (length - 2) * most / ((most - 4) * (most - 2) * length)
        return param - mean / (np.sqrt(square) + options["eps"]) * (rate * (variance * kept) ** 0.5)
