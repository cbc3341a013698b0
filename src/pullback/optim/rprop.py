"""Resilient backpropagation."""

from typing import Any

import numpy as np

from .optimizer import Optimizer, check_rate, number


class Rprop(Optimizer):
    """Steps by the gradient's sign, each element's growing while the sign stays (Riedmiller and Braun, 1993).

    Args:
        params: the parameters, or groups of them.
        lr: the first step.
        etas: what an element's step is multiplied by where the sign has changed, and where it has not.
        step_sizes: the least and the largest step.
        maximize: go up the gradient.
        differentiable: record the update, so that it can be differentiated.
        foreach, capturable: accepted, and without effect: there is one implementation.
    """

    def __init__(
        self,
        params: Any,
        lr: Any = 1e-2,
        etas: tuple[float, float] = (0.5, 1.2),
        step_sizes: tuple[float, float] = (1e-6, 50),
        *,
        capturable: bool = False,
        foreach: bool | None = None,
        maximize: bool = False,
        differentiable: bool = False,
    ) -> None:
        check_rate(lr)
        if not 0.0 < etas[0] < 1.0 < etas[1]:
            raise ValueError(f"Invalid eta values: {etas[0]}, {etas[1]}")
        super().__init__(
            params,
            dict(
                lr=lr,
                etas=etas,
                step_sizes=step_sizes,
                foreach=foreach,
                maximize=maximize,
                differentiable=differentiable,
                capturable=capturable,
            ),
        )

    def _initial(self, group: dict[str, Any]) -> dict[str, float]:
        return {"step": 0, "prev": 0, "step_size": number(group["lr"])}

    def _update(self, param: Any, grad: Any, state: dict[str, Any], options: dict[str, Any]) -> Any:
        (less, more), (least, most) = options["etas"], options["step_sizes"]
        if options["maximize"]:
            grad = -grad
        product = grad * state["prev"]
        turned = product < 0
        size = state["step_size"]
        size = np.clip(np.where(turned, size * less, np.where(product > 0, size * more, size)), least, most)
        state["step_size"] = size
        grad = state["prev"] = np.where(turned, 0 * grad, grad)  # no step where the minimum was passed
        return param - np.sign(grad) * size
