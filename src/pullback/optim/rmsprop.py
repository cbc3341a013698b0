"""RMSprop."""

from typing import Any

import numpy as np

from .optimizer import Optimizer, check_at_least_zero, check_rate, decayed


class RMSprop(Optimizer):
    """Steps scaled by the root of a running mean of the squared gradient (Hinton's lectures, 2012; centred: Graves, 2013).

    Args:
        params: the parameters, or groups of them.
        lr: the learning rate.
        alpha: how much of the running mean is kept at each step.
        eps: added to what is divided by, so that it is not zero.
        weight_decay: added to the gradient, times the parameter.
        momentum: how much of the last step's direction is kept.
        centered: scale by the variance of the gradient, not by its square.
        maximize: go up the gradient.
        differentiable: record the update, so that it can be differentiated.
        foreach, capturable: accepted, and without effect: there is one implementation.
    """

    def __init__(
        self,
        params: Any,
        lr: Any = 1e-2,
        alpha: float = 0.99,
        eps: float = 1e-8,
        weight_decay: float = 0,
        momentum: float = 0,
        centered: bool = False,
        capturable: bool = False,
        foreach: bool | None = None,
        maximize: bool = False,
        differentiable: bool = False,
    ) -> None:
        check_rate(lr)
        check_at_least_zero("epsilon value", eps)
        check_at_least_zero("momentum value", momentum)
        check_at_least_zero("weight_decay value", weight_decay)
        check_at_least_zero("alpha value", alpha)
        super().__init__(
            params,
            dict(
                lr=lr,
                momentum=momentum,
                alpha=alpha,
                eps=eps,
                centered=centered,
                weight_decay=weight_decay,
                capturable=capturable,
                foreach=foreach,
                maximize=maximize,
                differentiable=differentiable,
            ),
        )

    def _initial(self, group: dict[str, Any]) -> dict[str, float]:
        momentum = {"momentum_buffer": 0} if group["momentum"] > 0 else {}
        centered = {"grad_avg": 0} if group["centered"] else {}
        return {"step": 0, "square_avg": 0, **momentum, **centered}

    def _update(self, param: Any, grad: Any, state: dict[str, Any], options: dict[str, Any]) -> Any:
        alpha, momentum = options["alpha"], options["momentum"]
        param, grad = decayed(param, grad, options)
        scale = state["square_avg"] = state["square_avg"] * alpha + grad * grad * (1 - alpha)
        if options["centered"]:
            mean = state["grad_avg"] = state["grad_avg"] + (grad - state["grad_avg"]) * (1 - alpha)
            scale = scale - mean * mean
        direction = grad / (np.sqrt(scale) + options["eps"])
        if momentum > 0:
            direction = state["momentum_buffer"] = state["momentum_buffer"] * momentum + direction
        return param - direction * options["lr"]
