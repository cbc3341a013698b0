"""Normalisation within one sample: of the last dims, of groups of channels, by the mean square, by neighbouring channels."""

from typing import Any

from ...creation import arange, ones, zeros
from .. import functional as F
from .. import init
from ..parameter import Parameter
from .module import Module


class LayerNorm(Module):
    """Shift and scale the last dimensions to mean 0 and variance 1, then by a learnt weight and bias.

    Args:
        normalized_shape: the sizes of the last dimensions; one number for one dimension.
        eps: added to the variance.
        elementwise_affine: whether there are a weight and (``bias``) a bias.
    """

    def __init__(
        self,
        normalized_shape: Any,
        eps: float = 1e-5,
        elementwise_affine: bool = True,
        bias: bool = True,
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        super().__init__()
        self.normalized_shape = (normalized_shape,) if isinstance(normalized_shape, int) else tuple(normalized_shape)
        self.eps, self.elementwise_affine = eps, elementwise_affine
        add_weight_and_bias(self, self.normalized_shape, elementwise_affine, bias, device, dtype)

    def reset_parameters(self) -> None:
        """Set the weight to 1 and the bias to 0."""
        reset_weight_and_bias(self)

    def forward(self, input: Any) -> Any:
        """A tensor of the input's shape, (…, *normalized_shape)."""
        return F.layer_norm(input, self.normalized_shape, self.weight, self.bias, self.eps)

    def extra_repr(self) -> str:
        return (
            f"{self.normalized_shape}, eps={self.eps}, elementwise_affine={self.elementwise_affine}, "
            f"bias={self.bias is not None}"
        )


class GroupNorm(Module):
    """Normalise each of ``num_groups`` groups of the channels of a sample, then scale and shift each channel."""

    def __init__(
        self,
        num_groups: int,
        num_channels: int,
        eps: float = 1e-5,
        affine: bool = True,
        device: Any = None,
        dtype: Any = None,
        *,
        bias: bool = True,
    ) -> None:
        super().__init__()
        if num_channels % num_groups:
            raise ValueError(f"num_channels ({num_channels}) must be divisible by num_groups ({num_groups})")
        self.num_groups, self.num_channels, self.eps, self.affine = num_groups, num_channels, eps, affine
        add_weight_and_bias(self, (num_channels,), affine, bias, device, dtype)

    def reset_parameters(self) -> None:
        """Set the weight to 1 and the bias to 0."""
        reset_weight_and_bias(self)

    def forward(self, input: Any) -> Any:
        """A tensor of the input's shape, (N, C, …)."""
        return F.group_norm(input, self.num_groups, self.weight, self.bias, self.eps)

    def extra_repr(self) -> str:
        return (
            f"{self.num_groups}, {self.num_channels}, eps={self.eps}, affine={self.affine}, "
            f"bias={self.bias is not None}"
        )


class RMSNorm(Module):
    """Divide the last dimensions by the root of their mean square, then scale by a learnt weight.

    Args:
        normalized_shape: the sizes of the last dimensions; one number for one dimension.
        eps: added to the mean square; None for the spacing of the dtype's numbers after 1.
    """

    def __init__(
        self,
        normalized_shape: Any,
        eps: float | None = None,
        elementwise_affine: bool = True,
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        super().__init__()
        self.normalized_shape = (normalized_shape,) if isinstance(normalized_shape, int) else tuple(normalized_shape)
        self.eps, self.elementwise_affine = eps, elementwise_affine
        weight = Parameter(ones(self.normalized_shape, device=device, dtype=dtype)) if elementwise_affine else None
        self.register_parameter("weight", weight)

    def reset_parameters(self) -> None:
        """Set the weight to 1."""
        if self.weight is not None:
            init.ones_(self.weight)

    def forward(self, x: Any) -> Any:
        """A tensor of x's shape, (…, *normalized_shape)."""
        return F.rms_norm(x, self.normalized_shape, self.weight, self.eps)

    def extra_repr(self) -> str:
        return f"{self.normalized_shape}, eps={self.eps}, elementwise_affine={self.elementwise_affine}"


class LocalResponseNorm(Module):
    """Divide each element of (N, C, …) by a power of the sum of squares over ``size`` neighbouring channels."""

    def __init__(self, size: int, alpha: float = 1e-4, beta: float = 0.75, k: float = 1.0) -> None:
        super().__init__()
        self.size, self.alpha, self.beta, self.k = size, alpha, beta, k

    def forward(self, input: Any) -> Any:
        """A tensor of the input's shape."""
        return F.local_response_norm(input, self.size, self.alpha, self.beta, self.k)

    def extra_repr(self) -> str:
        return f"{self.size}, alpha={self.alpha}, beta={self.beta}, k={self.k}"


def add_weight_and_bias(module: Module, shape: tuple, affine: bool, bias: bool, device: Any, dtype: Any) -> None:
    """Give a normalising module its learnt scale, 1, and shift, 0."""
    weight = Parameter(ones(shape, device=device, dtype=dtype)) if affine else None
    module.register_parameter("weight", weight)
    shift = Parameter(zeros(shape, device=device, dtype=dtype)) if affine and bias else None
    module.register_parameter("bias", shift)


def reset_weight_and_bias(module: Any) -> None:
    if module.weight is not None:
        init.ones_(module.weight)
    if module.bias is not None:
        init.zeros_(module.bias)


class CrossMapLRN2d(Module):
    """The old form of :class:`LocalResponseNorm`, for images: over the ``size`` channels around each, an odd number.

    Of an even ``size`` the window is one smaller, and ``alpha`` is still divided by ``size``. As in PyTorch, the first
    channel belongs to the window of every later channel.
    """

    def __init__(self, size: int, alpha: float = 1e-4, beta: float = 0.75, k: float = 1) -> None:
        super().__init__()
        self.size, self.alpha, self.beta, self.k = size, alpha, beta, k

    def forward(self, input: Any) -> Any:
        """A tensor of the input's shape, (N, C, H, W)."""
        if input.dim() != 4:
            raise ValueError(f"CrossMapLRN2d: Expected input to be 4D, got {input.dim()}D instead.")
        channels: Any = arange(input.shape[1])
        reach, steps = (self.size + 1) // 2, channels - channels.unsqueeze(1)
        window = (steps < reach) & ((steps > -reach) | (channels == 0))
        sums = (window.to(input.dtype) @ input.square().flatten(2)).reshape(input.shape)
        return input * (self.k + self.alpha / self.size * sums) ** -self.beta

    def extra_repr(self) -> str:
        return f"{self.size}, alpha={self.alpha}, beta={self.beta}, k={self.k}"
