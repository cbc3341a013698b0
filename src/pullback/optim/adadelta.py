"""Adadelta."""

from typing import Any

import numpy as np

from .optimizer import Optimizer, check_at_least_zero, check_rate, decayed


class Adadelta(Optimizer):
    """Steps in the units of the parameter: scaled by the ratio of the running sizes of steps and gradients (Zeiler, 2012).

    Args:
        params: the parameters, or groups of them.
        lr: the learning rate.
        rho: how much of the running sizes is kept at each step.
        eps: added to what is divided by, so that it is not zero.
        weight_decay: added to the gradient, times the parameter.
        maximize: go up the gradient.
        differentiable: record the update, so that it can be differentiated.
        foreach, capturable: accepted, and without effect: there is one implementation.
    """

    def __init__(
        self,
        params: Any,
        lr: Any = 1.0,
        rho: float = 0.9,
        eps: float = 1e-6,
        weight_decay: float = 0,
        foreach: bool | None = None,
        *,
        capturable: bool = False,
        maximize: bool = False,
        differentiable: bool = False,
    ) -> None:
        check_rate(lr)
        if not 0.0 <= rho <= 1.0:
            raise ValueError(f"Invalid rho value: {rho}")
        check_at_least_zero("epsilon value", eps)
        check_at_least_zero("weight_decay value", weight_decay)
        super().__init__(
            params,
            dict(
                lr=lr,
                rho=rho,
                eps=eps,
                weight_decay=weight_decay,
                maximize=maximize,
                capturable=capturable,
                foreach=foreach,
                differentiable=differentiable,
            ),
        )

    def _initial(self, group: dict[str, Any]) -> dict[str, float]:
        return {"step": 0, "square_avg": 0, "acc_delta": 0}

    def _update(self, param: Any, grad: Any, state: dict[str, Any], options: dict[str, Any]) -> Any:
        rho, eps = options["rho"], options["eps"]
        param, grad = decayed(param, grad, options)
        square = state["square_avg"] = state["square_avg"] * rho + grad * grad * (1 - rho)
        delta = np.sqrt(state["acc_delta"] + eps) / np.sqrt(square + eps) * grad
        state["acc_delta"] = state["acc_delta"] * rho + delta * delta * (1 - rho)
        return param - delta * options["lr"]
