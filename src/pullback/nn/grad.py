"""The gradients of convolutions as functions: by the input, of which only the shape matters, and by the weight."""

from typing import Any

from ..creation import zeros
from ..func import vjp
from . import functional as F


def pulled_back(linear: Any, size: Any, dtype: Any, cotangent: Any) -> Any:
    """The gradient of a linear function by its argument, of which only shape and dtype matter."""
    return vjp(linear, zeros(tuple(size), dtype=dtype))[1](cotangent)[0]


def named(function: Any, name: str, doc: str) -> Any:
    function.__name__ = function.__qualname__ = name
    function.__doc__ = doc
    return function


def by_input(spatial: int, name: str) -> Any:
    convolution = getattr(F, f"conv{spatial}d")

    def gradient(
        input_size: Any,
        weight: Any,
        grad_output: Any,
        stride: Any = 1,
        padding: Any = 0,
        dilation: Any = 1,
        groups: int = 1,
    ) -> Any:
        options = (stride, padding, dilation, groups)
        return pulled_back(lambda x: convolution(x, weight, None, *options), input_size, weight.dtype, grad_output)

    return named(gradient, name, f"The gradient of ``conv{spatial}d`` by its input, of shape ``input_size``.")


def by_weight(spatial: int, name: str) -> Any:
    convolution = getattr(F, f"conv{spatial}d")

    def gradient(
        input: Any,
        weight_size: Any,
        grad_output: Any,
        stride: Any = 1,
        padding: Any = 0,
        dilation: Any = 1,
        groups: int = 1,
    ) -> Any:
        options = (stride, padding, dilation, groups)
        return pulled_back(lambda w: convolution(input, w, None, *options), weight_size, input.dtype, grad_output)

    return named(gradient, name, f"The gradient of ``conv{spatial}d`` by its weight, of shape ``weight_size``.")


conv1d_input, conv2d_input, conv3d_input = (by_input(n, f"conv{n}d_input") for n in (1, 2, 3))
conv1d_weight, conv2d_weight, conv3d_weight = (by_weight(n, f"conv{n}d_weight") for n in (1, 2, 3))
