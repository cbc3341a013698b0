"""Adam by the infinity norm."""

from typing import Any

import numpy as np

from .optimizer import Optimizer, check_moments, decayed


class Adamax(Optimizer):
    """Adam with the largest gradient of late as its scale (Kingma and Ba, 2015, section 7).

    Args:
        params: the parameters, or groups of them.
        lr: the learning rate.
        betas: how much of the mean, and of the largest gradient, is kept at each step.
        eps: added to what is divided by, so that it is not zero.
        weight_decay: added to the gradient, times the parameter.
        maximize: go up the gradient.
        differentiable: record the update, so that it can be differentiated.
        foreach, capturable: accepted, and without effect: there is one implementation.
    """

    def __init__(
        self,
        params: Any,
        lr: Any = 2e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0,
        foreach: bool | None = None,
        *,
        maximize: bool = False,
        differentiable: bool = False,
        capturable: bool = False,
    ) -> None:
        check_moments(lr, eps, betas, weight_decay)
        super().__init__(
            params,
            dict(
                lr=lr,
                betas=betas,
                eps=eps,
                weight_decay=weight_decay,
                foreach=foreach,
                maximize=maximize,
                differentiable=differentiable,
                capturable=capturable,
            ),
        )

    def _initial(self, group: dict[str, Any]) -> dict[str, float]:
        return {"step": 0, "exp_avg": 0, "exp_inf": 0}

    def _update(self, param: Any, grad: Any, state: dict[str, Any], options: dict[str, Any]) -> Any:
        beta1, beta2 = options["betas"]
        param, grad = decayed(param, grad, options)
        mean = state["exp_avg"] = state["exp_avg"] + (grad - state["exp_avg"]) * (1 - beta1)
        largest = state["exp_inf"] = np.maximum(state["exp_inf"] * beta2, np.abs(grad) + options["eps"])
        return param - mean / largest * (options["lr"] / (1 - beta1 ** state["step"]))
