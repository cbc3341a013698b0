"""Adafactor."""

from typing import Any

import numpy as np

from ..dtypes import finfo, from_numpy
from .optimizer import Optimizer, check_single, number


class Adafactor(Optimizer):
    """Steps scaled by a running mean of the squared gradient that is kept as a row and a column (Shazeer, Stern, 2018).

    Args:
        params: the parameters, or groups of them.
        lr: the largest relative step.
        beta2_decay: the power of the step by which the running mean changes.
        eps: the least mean square that is divided by (the dtype's precision, if None), and the least size of a parameter.
        d: the largest size of a step before it is scaled.
        weight_decay: how much the parameter shrinks, times the learning rate.
        foreach: accepted, and without effect: there is one implementation.
        maximize: go up the gradient.
    """

    _elementwise = False

    def __init__(
        self,
        params: Any,
        lr: Any = 1e-2,
        beta2_decay: float = -0.8,
        eps: tuple[float | None, float] = (None, 1e-3),
        d: float = 1.0,
        weight_decay: float = 0.0,
        *,
        foreach: bool | None = None,
        maximize: bool = False,
    ) -> None:
        check_single(lr)
        check_options(number(lr), beta2_decay, eps, d, weight_decay)
        names = dict(lr=lr, beta2_decay=beta2_decay, eps=eps, d=d, weight_decay=weight_decay)
        super().__init__(params, {**names, "foreach": foreach, "maximize": maximize})

    def _initial(self, group: dict[str, Any]) -> dict[str, float]:
        return {"step": 0}

    def _state_of(self, param: Any, group: dict[str, Any]) -> dict[str, Any]:
        if param.is_complex():
            raise RuntimeError("Adafactor does not support complex parameters")
        return super()._state_of(param, group)

    def _update(self, param: Any, grad: Any, state: dict[str, Any], options: dict[str, Any]) -> Any:
        lr, step, (least, smallest) = options["lr"], state["step"], options["eps"]
        if 0 in param.shape:
            return param
        least = precision(param) if least is None else least
        grad = -grad if options["maximize"] else grad
        rate = min(number(lr), step**-0.5) * max(smallest, size(param))
        if options["weight_decay"]:
            param = param * (1 - lr * options["weight_decay"])
        square = mean_square(grad, state, step ** options["beta2_decay"], least)
        change = grad / np.sqrt(np.clip(square, least * least, None))
        return param - change * (rate / max(1.0, size(change) / options["d"]))


def mean_square(grad: Any, state: dict[str, Any], weight: float, least: float) -> Any:
    """The running mean of the squared gradient; that of a matrix is a column of the rows' means, times a row of the columns'."""
    square = grad * grad
    if len(grad.shape) < 2:
        state["variance"] = towards(state.get("variance"), square, weight)
        return state["variance"]
    rows = state["row_var"] = towards(state.get("row_var"), square.mean(-1)[..., None], weight)
    columns = state["col_var"] = towards(state.get("col_var"), square.mean(-2)[..., None, :], weight)
    return rows * columns / np.clip(rows.mean(-2)[..., None, :], least, None)


def towards(held: Any, value: Any, weight: float) -> Any:
    return value * weight if held is None else held + (value - held) * weight


def size(value: Any) -> float:
    """The root of the mean square."""
    return float((value * value).mean()) ** 0.5


def precision(param: Any) -> float:
    return finfo(from_numpy(param.dtype) if isinstance(param.dtype, np.dtype) else param.dtype).eps


def check_options(lr: float, beta2_decay: float, eps: tuple, d: float, weight_decay: float) -> None:
    """Raise PyTorch's errors for options out of range."""
    for name, value, low in [("Learning rate", lr, 0), ("weight_decay", weight_decay, 0)]:
        if not low <= value:
            raise ValueError(f"{name} should be >= 0 but is: {value}")
    if not beta2_decay <= 0.0:
        raise ValueError(f"beta2_decay should be <= 0 but is: {beta2_decay}")
    for i, value in enumerate(eps):
        if value is not None and not value >= 0.0:
            raise ValueError(f"epsilon{i + 1} should be >= 0 but is: {value}")
    if not d >= 1.0:
        raise ValueError(f"Clipping threshold d should be >= 1 but is: {d}")
