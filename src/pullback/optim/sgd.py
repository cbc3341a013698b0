"""Stochastic gradient descent."""

from typing import Any

from .optimizer import Optimizer, check_at_least_zero, check_rate, decayed


class SGD(Optimizer):
    """Stochastic gradient descent, with momentum if wanted (Sutskever et al., 2013).

    Args:
        params: the parameters, or groups of them.
        lr: the learning rate.
        momentum: how much of the last step's direction is kept.
        dampening: how much less the new gradient counts in the direction.
        weight_decay: added to the gradient, times the parameter.
        nesterov: look ahead along the direction; needs momentum and no dampening.
        maximize: go up the gradient.
        foreach, fused: accepted, and without effect: there is one implementation.
        differentiable: record the update, so that it can be differentiated.

    >>> import pullback as torch
    >>> from pullback.optim import SGD
    >>> x = torch.tensor([1.0], requires_grad=True)
    >>> (x**2).sum().backward()
    >>> SGD([x], lr=0.1).step()
    >>> x
    tensor([0.8000], requires_grad=True)
    """

    def __init__(
        self,
        params: Any,
        lr: Any = 1e-3,
        momentum: float = 0,
        dampening: float = 0,
        weight_decay: Any = 0,
        nesterov: bool = False,
        *,
        maximize: bool = False,
        foreach: bool | None = None,
        differentiable: bool = False,
        fused: bool | None = None,
    ) -> None:
        check_rate(lr)
        check_at_least_zero("momentum value", momentum)
        check_at_least_zero("weight_decay value", weight_decay)
        if nesterov and (momentum <= 0 or dampening != 0):
            raise ValueError("Nesterov momentum requires a momentum and zero dampening")
        super().__init__(
            params,
            dict(
                lr=lr,
                momentum=momentum,
                dampening=dampening,
                weight_decay=weight_decay,
                nesterov=nesterov,
                maximize=maximize,
                foreach=foreach,
                differentiable=differentiable,
                fused=fused,
            ),
        )

    def _update(self, param: Any, grad: Any, state: dict[str, Any], options: dict[str, Any]) -> Any:
        param, grad = decayed(param, grad, options)
        momentum = options["momentum"]
        if momentum:
            direction = grad  # the first one: nothing is kept, and nothing dampened
            if "momentum_buffer" in state:
                direction = state["momentum_buffer"] * momentum + grad * (1 - options["dampening"])
            state["momentum_buffer"] = direction
            grad = grad + direction * momentum if options["nesterov"] else direction
        return param - grad * options["lr"]
