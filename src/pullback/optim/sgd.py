"""Stochastic gradient descent."""

from typing import Any

from numpy import multiply, ndarray, negative, zeros_like

from ..tape.value import wrap
from .optimizer import Optimizer, check_at_least_zero, number


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
        check_at_least_zero("learning rate", lr)
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

    def _options(self, group: dict[str, Any]) -> tuple:
        names = "lr", "momentum", "dampening", "weight_decay", "nesterov", "maximize"
        return tuple([number(group[name]) for name in names])

    def _begin(self, state: dict, param: ndarray, options: tuple) -> tuple[list[ndarray], tuple]:
        momentum = options[1]
        if not momentum:
            return [], options
        if "momentum_buffer" not in state:
            # The first direction is the gradient itself: nothing is kept, and nothing dampened.
            state["momentum_buffer"] = wrap(zeros_like(param))
            options = (*options[:2], 0, *options[3:])
        return [state["momentum_buffer"]._data], options

    def _update_array(self, param: ndarray, grad: ndarray, held: list[ndarray], spare: ndarray, numbers: tuple) -> None:
        lr, momentum, dampening, weight_decay, nesterov, maximize = numbers
        if maximize:
            grad = negative(grad)
        if weight_decay:
            grad = grad + multiply(param, weight_decay, out=spare)
        if momentum:
            (direction,) = held
            direction *= momentum
            direction += multiply(grad, 1 - dampening, out=spare) if dampening else grad
            grad = grad + multiply(direction, momentum, out=spare) if nesterov else direction
        param -= multiply(grad, lr, out=spare)

    def _update_tensor(self, param: Any, grad: Any, state: dict, group: dict[str, Any]) -> None:
        momentum, held = group["momentum"], state.get("momentum_buffer")
        if group["maximize"]:
            grad = -grad
        if number(group["weight_decay"]):
            grad = grad + param * group["weight_decay"]
        if momentum:
            direction = grad.clone() if held is None else held * momentum + grad * (1 - group["dampening"])
            state["momentum_buffer"] = direction
            grad = grad + direction * momentum if group["nesterov"] else direction
        param.sub_(grad * group["lr"])
