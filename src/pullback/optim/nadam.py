"""Adam with Nesterov's momentum."""

from typing import Any

import numpy as np

from .adam import moments
from .optimizer import Optimizer, check_at_least_zero, check_moments, decayed


class NAdam(Optimizer):
    """Adam with Nesterov's momentum, whose share grows with the steps (Dozat, 2016).

    Args:
        params: the parameters, or groups of them.
        lr: the learning rate.
        betas: how much of the two running means is kept at each step.
        eps: added to what is divided by, so that it is not zero.
        weight_decay: added to the gradient, times the parameter.
        momentum_decay: how fast the momentum grows to the first of ``betas``.
        decoupled_weight_decay: shrink the parameter instead of changing the gradient, as AdamW does.
        maximize: go up the gradient.
        differentiable: record the update, so that it can be differentiated.
        foreach, capturable: accepted, and without effect: there is one implementation.
    """

    _scalars = ("step", "mu_product")

    def __init__(
        self,
        params: Any,
        lr: Any = 2e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0,
        momentum_decay: float = 4e-3,
        decoupled_weight_decay: bool = False,
        *,
        foreach: bool | None = None,
        maximize: bool = False,
        capturable: bool = False,
        differentiable: bool = False,
    ) -> None:
        check_moments(lr, eps, betas, weight_decay)
        check_at_least_zero("momentum_decay value", momentum_decay)
        super().__init__(
            params,
            dict(
                lr=lr,
                betas=betas,
                eps=eps,
                weight_decay=weight_decay,
                momentum_decay=momentum_decay,
                decoupled_weight_decay=decoupled_weight_decay,
                maximize=maximize,
                foreach=foreach,
                capturable=capturable,
                differentiable=differentiable,
            ),
        )

    def _initial(self, group: dict[str, Any]) -> dict[str, float]:
        return {"step": 0, "mu_product": 1, "exp_avg": 0, "exp_avg_sq": 0}

    def _update(self, param: Any, grad: Any, state: dict[str, Any], options: dict[str, Any]) -> Any:
        (beta1, beta2), lr, step = options["betas"], options["lr"], state["step"]
        param, grad = decayed(param, grad, options)
        now, then = [beta1 * (1 - 0.5 * 0.96 ** (t * options["momentum_decay"])) for t in (step, step + 1)]
        state["mu_product"] = state["mu_product"] * now
        product = float(state["mu_product"])
        mean, square = moments(grad, state, beta1, beta2)
        scale = np.sqrt(square / (1 - beta2**step)) + options["eps"]
        ahead = grad * (lr * (1 - now) / (1 - product)) + mean * (lr * then / (1 - product * then))
        return param - ahead / scale
