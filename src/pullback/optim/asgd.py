"""Averaged stochastic gradient descent."""

from typing import Any

from .optimizer import Optimizer, check_at_least_zero, check_rate, decayed, number


class ASGD(Optimizer):
    """Averaged stochastic gradient descent (Polyak and Juditsky, 1992): a falling rate, and the parameters' mean in ``ax``.

    Args:
        params: the parameters, or groups of them.
        lr: the learning rate.
        lambd: how fast the rate falls, and the parameters shrink.
        alpha: the power by which the rate falls.
        t0: the step from which on parameters are averaged.
        weight_decay: added to the gradient, times the parameter.
        maximize: go up the gradient.
        differentiable: record the update, so that it can be differentiated.
        foreach, capturable: accepted, and without effect: there is one implementation.
    """

    _scalars = ("step", "eta", "mu")

    def __init__(
        self,
        params: Any,
        lr: Any = 1e-2,
        lambd: float = 1e-4,
        alpha: float = 0.75,
        t0: float = 1e6,
        weight_decay: float = 0,
        foreach: bool | None = None,
        maximize: bool = False,
        differentiable: bool = False,
        capturable: bool = False,
    ) -> None:
        check_rate(lr)
        check_at_least_zero("weight_decay value", weight_decay)
        super().__init__(
            params,
            dict(
                lr=lr,
                lambd=lambd,
                alpha=alpha,
                t0=t0,
                weight_decay=weight_decay,
                foreach=foreach,
                maximize=maximize,
                differentiable=differentiable,
                capturable=capturable,
            ),
        )

    def _initial(self, group: dict[str, Any]) -> dict[str, float]:
        return {"step": 0, "eta": number(group["lr"]), "mu": 1, "ax": 0}

    def _update(self, param: Any, grad: Any, state: dict[str, Any], options: dict[str, Any]) -> Any:
        lr, step, eta, mu = options["lr"], state["step"], float(state["eta"]), float(state["mu"])
        param, grad = decayed(param, grad, options)
        param = param * (1 - options["lambd"] * eta) - grad * eta
        state["ax"] = param if mu == 1 else state["ax"] + (param - state["ax"]) * mu
        state["eta"] = lr / (1 + options["lambd"] * lr * step) ** options["alpha"]
        state["mu"] = 1 / max(1, step - options["t0"])
        return param
