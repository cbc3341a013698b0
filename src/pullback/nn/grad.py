"""The gradients of convolutions as functions: by the input, of which only the shape matters, and by the weight."""

from typing import Any

from ..creation import zeros
from ..func import vjp
from . import functional as F


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
        _, pull = vjp(lambda x: convolution(x, weight, None, *options), zeros(tuple(input_size), dtype=weight.dtype))
        return pull(grad_output)[0]

    gradient.__name__ = gradient.__qualname__ = name
    gradient.__doc__ = f"The gradient of ``conv{spatial}d`` by its input, of shape ``input_size``."
    return gradient


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
        _, pull = vjp(lambda w: convolution(input, w, None, *options), zeros(tuple(weight_size), dtype=input.dtype))
        return pull(grad_output)[0]

    gradient.__name__ = gradient.__qualname__ = name
    gradient.__doc__ = f"The gradient of ``conv{spatial}d`` by its weight, of shape ``weight_size``."
    return gradient


conv1d_input, conv2d_input, conv3d_input = (by_input(n, f"conv{n}d_input") for n in (1, 2, 3))
conv1d_weight, conv2d_weight, conv3d_weight = (by_weight(n, f"conv{n}d_weight") for n in (1, 2, 3))
