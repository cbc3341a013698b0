"""Adam and AdamW."""

from math import sqrt
from typing import Any

from numpy import divide, maximum, multiply, ndarray, negative, subtract, zeros, zeros_like
from numpy import sqrt as sqrt_of

from ..dtypes import get_default_dtype
from ..tape.value import wrap
from .optimizer import Optimizer, check_at_least_zero, number


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
        check_at_least_zero("learning rate", lr)
        check_at_least_zero("epsilon value", eps)
        for i, beta in enumerate(betas):
            if not 0.0 <= number(beta) < 1.0:
                raise ValueError(f"Invalid beta parameter at index {i}: {beta}")
        check_at_least_zero("weight_decay value", weight_decay)
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

    def _options(self, group: dict[str, Any]) -> tuple:
        names = "lr", "eps", "weight_decay", "decoupled_weight_decay", "amsgrad", "maximize"
        beta1, beta2 = group["betas"]
        return number(beta1), number(beta2), *[number(group[name]) for name in names]

    def _begin(self, state: dict, param: ndarray, options: tuple) -> tuple[list[ndarray], tuple]:
        beta1, beta2, lr, _, _, _, amsgrad, _ = options
        if not state:
            start(state, param, amsgrad)
        step = state["step"]._data
        step += 1
        count = step.item()
        held = [state[name]._data for name in (NAMES if amsgrad else NAMES[:2])]
        return held, (*options, lr / (1 - beta1**count), sqrt(1 - beta2**count))

    def _update_array(self, param: ndarray, grad: ndarray, held: list[ndarray], spare: ndarray, numbers: tuple) -> None:
        beta1, beta2, lr, eps, weight_decay, decoupled, amsgrad, maximize, rate, root = numbers
        mean, square = held[:2]
        if maximize:
            grad = negative(grad)
        if weight_decay and decoupled:
            param *= 1 - lr * weight_decay
        elif weight_decay:
            grad = grad + multiply(param, weight_decay, out=spare)
        subtract(grad, mean, out=spare)
        spare *= 1 - beta1
        mean += spare
        multiply(grad, grad, out=spare)
        spare *= 1 - beta2
        square *= beta2
        square += spare
        if amsgrad:
            square = maximum(held[2], square, out=held[2])
        sqrt_of(square, out=spare)
        spare /= root
        spare += eps
        divide(mean, spare, out=spare)
        spare *= rate
        param -= spare

    def _update_tensor(self, param: Any, grad: Any, state: dict, group: dict[str, Any]) -> None:
        (beta1, beta2), lr, weight_decay = group["betas"], group["lr"], group["weight_decay"]
        if not state:
            zero = param.detach() * 0
            state.update(step=wrap(zeros((), "f4")), exp_avg=zero, exp_avg_sq=zero, max_exp_avg_sq=zero)
            if not group["amsgrad"]:
                del state["max_exp_avg_sq"]
        state["step"] = state["step"] + 1
        count = float(state["step"])
        if group["maximize"]:
            grad = -grad
        if weight_decay and group["decoupled_weight_decay"]:
            param.mul_(1 - lr * weight_decay)
        elif weight_decay:
            grad = grad + param * weight_decay
        mean = state["exp_avg"] = state["exp_avg"] * beta1 + grad * (1 - beta1)
        square = state["exp_avg_sq"] = state["exp_avg_sq"] * beta2 + grad * grad * (1 - beta2)
        if group["amsgrad"]:
            square = state["max_exp_avg_sq"] = state["max_exp_avg_sq"].maximum(square)
        scale = square.sqrt() / sqrt(1 - beta2**count) + group["eps"]
        param.sub_(mean / scale * (lr / (1 - beta1**count)))


NAMES = "exp_avg", "exp_avg_sq", "max_exp_avg_sq"


def start(state: dict, param: ndarray, amsgrad: bool) -> None:
    """A parameter's state before its first step. The count is a tensor, as in PyTorch's state dicts."""
    state["step"] = wrap(zeros((), "f8" if get_default_dtype().name == "float64" else "f4"))
    for name in NAMES if amsgrad else NAMES[:2]:
        state[name] = wrap(zeros_like(param))


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
