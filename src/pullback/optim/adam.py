"""Adam and AdamW."""

from typing import Any

import numpy as np

from .optimizer import Optimizer, check_moments, decayed


class Adam(Optimizer):
    """Adam: steps along the mean of the gradient, scaled by the root of the mean of its square (Kingma and Ba, 2015).

    Args:
        params: the parameters, or groups of them.
        lr: the learning rate.
        betas: how much of the two running means is kept at each step.
        eps: added to the root.
        weight_decay: added to the gradient, times the parameter.
        amsgrad: scale by the largest mean of the square so far (Reddi et al., 2018).
        maximize: go up the gradient.
        differentiable: record the update, so that it can be differentiated.
        foreach, capturable, fused: accepted, and without effect: there is one implementation.
        decoupled_weight_decay: shrink the parameter instead of changing the gradient, as AdamW does.
    """

    def __init__(
        self,
        params: Any,
        lr: Any = 1e-3,
        betas: tuple[Any, Any] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0,
        amsgrad: bool = False,
        *,
        foreach: bool | None = None,
        maximize: bool = False,
        capturable: bool = False,
        differentiable: bool = False,
        fused: bool | None = None,
        decoupled_weight_decay: bool = False,
    ) -> None:
        check_moments(lr, eps, betas, weight_decay)
        super().__init__(
            params,
            dict(
                lr=lr,
                betas=betas,
                eps=eps,
                weight_decay=weight_decay,
                amsgrad=amsgrad,
                maximize=maximize,
                foreach=foreach,
                capturable=capturable,
                differentiable=differentiable,
                fused=fused,
                decoupled_weight_decay=decoupled_weight_decay,
            ),
        )

    def _initial(self, group: dict[str, Any]) -> dict[str, float]:
        largest = {"max_exp_avg_sq": 0} if group["amsgrad"] else {}
        return {"step": 0, "exp_avg": 0, "exp_avg_sq": 0, **largest}

    def _update(self, param: Any, grad: Any, state: dict[str, Any], options: dict[str, Any]) -> Any:
        (beta1, beta2), step = options["betas"], state["step"]
        param, grad = decayed(param, grad, options)
        mean, square = moments(grad, state, beta1, beta2)
        if options["amsgrad"]:
            square = state["max_exp_avg_sq"] = np.maximum(state["max_exp_avg_sq"], square)
        scale = np.sqrt(square) / (1 - beta2**step) ** 0.5 + options["eps"]
        return param - mean / scale * (options["lr"] / (1 - beta1**step))


def moments(grad: Any, state: dict[str, Any], beta1: Any, beta2: Any) -> tuple[Any, Any]:
    """The running means of the gradient and of its square, after a step."""
    mean = state["exp_avg"] = state["exp_avg"] + (grad - state["exp_avg"]) * (1 - beta1)
    square = state["exp_avg_sq"] = state["exp_avg_sq"] * beta2 + grad * grad * (1 - beta2)
    return mean, square


class AdamW(Adam):
    """Adam with weight decay that shrinks the parameters instead of changing the gradient (Loshchilov, Hutter, 2019)."""

    def __init__(
        self,
        params: Any,
        lr: Any = 1e-3,
        betas: tuple[Any, Any] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 1e-2,
        amsgrad: bool = False,
        *,
        maximize: bool = False,
        foreach: bool | None = None,
        capturable: bool = False,
        differentiable: bool = False,
        fused: bool | None = None,
    ) -> None:
        super().__init__(
            params,
            lr,
            betas,
            eps,
            weight_decay,
            amsgrad,
            foreach=foreach,
            maximize=maximize,
            capturable=capturable,
            differentiable=differentiable,
            fused=fused,
            decoupled_weight_decay=True,
        )
