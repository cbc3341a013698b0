"""Adagrad."""

from typing import Any

import numpy as np

from .optimizer import Optimizer, check_at_least_zero, check_rate, decayed


class Adagrad(Optimizer):
    """Steps scaled by the root of the sum of all squared gradients (Duchi, Hazan and Singer, 2011).

    Args:
        params: the parameters, or groups of them.
        lr: the learning rate.
        lr_decay: how fast the learning rate falls with the steps.
        weight_decay: added to the gradient, times the parameter.
        initial_accumulator_value: where the sums begin.
        eps: added to what is divided by, so that it is not zero.
        maximize: go up the gradient.
        differentiable: record the update, so that it can be differentiated.
        foreach, fused: accepted, and without effect: there is one implementation.
    """

    def __init__(
        self,
        params: Any,
        lr: Any = 1e-2,
        lr_decay: float = 0,
        weight_decay: float = 0,
        initial_accumulator_value: float = 0,
        eps: float = 1e-10,
        foreach: bool | None = None,
        *,
        maximize: bool = False,
        differentiable: bool = False,
        fused: bool | None = None,
    ) -> None:
        check_rate(lr)
        check_at_least_zero("lr_decay value", lr_decay)
        check_at_least_zero("weight_decay value", weight_decay)
        check_at_least_zero("initial_accumulator_value value", initial_accumulator_value)
        check_at_least_zero("epsilon value", eps)
        super().__init__(
            params,
            dict(
                lr=lr,
                lr_decay=lr_decay,
                eps=eps,
                weight_decay=weight_decay,
                initial_accumulator_value=initial_accumulator_value,
                foreach=foreach,
                maximize=maximize,
                differentiable=differentiable,
                fused=fused,
            ),
        )
        for group in self.param_groups:
            for param in group["params"]:
                self.state[param] = self._state_of(param, group)  # known before the first step, as in PyTorch

    def _initial(self, group: dict[str, Any]) -> dict[str, float]:
        return {"step": 0, "sum": group["initial_accumulator_value"]}

    def _update(self, param: Any, grad: Any, state: dict[str, Any], options: dict[str, Any]) -> Any:
        param, grad = decayed(param, grad, options)
        total = state["sum"] = state["sum"] + grad * grad
        rate = options["lr"] / (1 + (state["step"] - 1) * options["lr_decay"])
        return param - grad / (np.sqrt(total) + options["eps"]) * rate
