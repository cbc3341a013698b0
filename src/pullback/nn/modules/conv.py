"""Convolutions."""

from typing import Any

from ...creation import empty
from .. import functional as F
from ..parameter import Parameter
from .linear import reset_weight_and_bias
from .module import Module

PADDINGS = {"zeros": "constant", "reflect": "reflect", "replicate": "replicate", "circular": "circular"}


class Convolution(Module):
    """What convolutions share: options as tuples, initial values, padding and printing."""

    spatial: int  # the number of dimensions that the kernel moves along
    is_transposed = False
    output_padding: tuple = ()

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: Any,
        stride: Any = 1,
        padding: Any = 0,
        dilation: Any = 1,
        groups: int = 1,
        bias: bool = True,
        padding_mode: str = "zeros",
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        super().__init__()
        check_channels(in_channels, out_channels, groups)
        check_padding(padding, stride, padding_mode, self.spatial)
        self.in_channels, self.out_channels, self.groups, self.padding_mode = (
            in_channels,
            out_channels,
            groups,
            padding_mode,
        )
        self.kernel_size, self.stride = each(kernel_size, self.spatial), each(stride, self.spatial)
        self.padding = padding if isinstance(padding, str) else each(padding, self.spatial)
        self.dilation = each(dilation, self.spatial)
        ends = (in_channels, out_channels) if self.is_transposed else (out_channels, in_channels)
        shape = (ends[0], ends[1] // groups, *self.kernel_size)
        self.weight = Parameter(empty(shape, device=device, dtype=dtype))
        self.register_parameter("bias", Parameter(empty((out_channels,), device=device, dtype=dtype)) if bias else None)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw new initial values."""
        reset_weight_and_bias(self.weight, self.bias)

    def _padded(self, input: Any) -> tuple[Any, Any]:
        """The input, padded where the convolution itself does not do it, and the padding left to the convolution."""
        if self.padding_mode == "zeros":
            return input, self.padding
        return F.pad(input, self._amounts(), mode=PADDINGS[self.padding_mode]), 0

    def _amounts(self) -> tuple[int, ...]:
        """How far to pad each side, last dimension first."""
        amounts: list[int] = []
        for dim in reversed(range(self.spatial)):
            if isinstance(self.padding, str):
                total = self.dilation[dim] * (self.kernel_size[dim] - 1) if self.padding == "same" else 0
                amounts += [total // 2, total - total // 2]
            else:
                amounts += [self.padding[dim]] * 2
        return tuple(amounts)

    def extra_repr(self) -> str:
        none = (0,) * self.spatial
        text = f"{self.in_channels}, {self.out_channels}, kernel_size={self.kernel_size}, stride={self.stride}"
        if self.padding != none:
            text += f", padding={self.padding}"
        if self.dilation != (1,) * self.spatial:
            text += f", dilation={self.dilation}"
        if any(self.output_padding):
            text += f", output_padding={self.output_padding}"
        if self.groups != 1:
            text += f", groups={self.groups}"
        if self.bias is None:
            text += ", bias=False"
        if self.padding_mode != "zeros":
            text += f", padding_mode={self.padding_mode}"
        return text


class Conv1d(Convolution):
    """Cross-correlation of (N, C, L) or (C, L) with ``weight``, (out_channels, in_channels / groups, kernel_size).

    Args:
        padding: zeros added on both sides, or ``"valid"`` (none), or ``"same"`` (so that the length stays).
        padding_mode: ``"zeros"``, ``"reflect"``, ``"replicate"`` or ``"circular"``.
        groups: split the channels into this many independent convolutions.
    """

    spatial = 1

    def forward(self, input: Any) -> Any:
        """(N, C, L) → (N, out_channels, L')."""
        input, padding = self._padded(input)
        return F.conv1d(input, self.weight, self.bias, self.stride, padding, self.dilation, self.groups)


class Conv2d(Convolution):
    """Cross-correlation of (N, C, H, W) or (C, H, W) with ``weight``, (out_channels, in_channels / groups, kH, kW).

    Args:
        kernel_size, stride, dilation: one number, or one for each of the height and the width.
        padding: zeros added on both sides, or ``"valid"`` (none), or ``"same"`` (so that height and width stay).
        padding_mode: ``"zeros"``, ``"reflect"``, ``"replicate"`` or ``"circular"``.
        groups: split the channels into this many independent convolutions.

    >>> import pullback as torch
    >>> from pullback import nn
    >>> nn.Conv2d(1, 8, 3, padding=1)(torch.ones(2, 1, 8, 8)).shape
    torch.Size([2, 8, 8, 8])
    """

    spatial = 2

    def forward(self, input: Any) -> Any:
        """(N, C, H, W) → (N, out_channels, H', W')."""
        input, padding = self._padded(input)
        return F.conv2d(input, self.weight, self.bias, self.stride, padding, self.dilation, self.groups)


class Conv3d(Convolution):
    """Cross-correlation of (N, C, D, H, W) or (C, D, H, W) with ``weight``; see :class:`Conv2d`."""

    spatial = 3

    def forward(self, input: Any) -> Any:
        """(N, C, D, H, W) → (N, out_channels, D', H', W')."""
        input, padding = self._padded(input)
        return F.conv3d(input, self.weight, self.bias, self.stride, padding, self.dilation, self.groups)


class TransposedConvolution(Convolution):
    """What transposed convolutions share: the transpose, as a linear map, of a convolution with the same options.

    Args:
        output_padding: added to one side of the result's size, to choose among those that the convolution takes to the
            input's.
    """

    is_transposed = True

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: Any,
        stride: Any = 1,
        padding: Any = 0,
        output_padding: Any = 0,
        groups: int = 1,
        bias: bool = True,
        dilation: Any = 1,
        padding_mode: str = "zeros",
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        if padding_mode != "zeros":
            raise ValueError(f'Only "zeros" padding mode is supported for {type(self).__name__}, got {padding_mode!r}')
        options = (kernel_size, stride, padding, dilation, groups, bias, padding_mode, device, dtype)
        super().__init__(in_channels, out_channels, *options)
        self.output_padding = each(output_padding, self.spatial)

    def forward(self, input: Any, output_size: Any = None) -> Any:
        """(N, C, …) → (N, out_channels, …), of the spatial dims ``output_size`` where that is given."""
        transpose = getattr(F, f"conv_transpose{self.spatial}d")
        extra = self.output_padding if output_size is None else self._output_padding(input, tuple(output_size))
        return transpose(input, self.weight, self.bias, self.stride, self.padding, extra, self.groups, self.dilation)

    def _output_padding(self, input: Any, output_size: tuple) -> tuple:
        """The output padding that gives a size."""
        n, spatial = self.spatial, input.shape[-self.spatial :]
        if len(output_size) == input.dim():
            output_size = output_size[-n:]
        if len(output_size) != n:
            raise ValueError(
                f"{type(self).__name__}: for {input.dim()}D input, output_size must have {n} or {input.dim()} elements (got "
                f"{len(output_size)})"
            )
        options = zip(spatial, self.stride, self.padding, self.dilation, self.kernel_size, strict=True)
        least = [(size - 1) * s - 2 * p + d * (k - 1) + 1 for size, s, p, d, k in options]
        most = [size + s - 1 for size, s in zip(least, self.stride, strict=True)]
        if any(not low <= size <= high for low, size, high in zip(least, output_size, most, strict=True)):
            raise ValueError(
                f"requested an output size of {output_size}, but valid sizes range from {least} to {most} (for an input of "
                f"{spatial})"
            )
        return tuple(size - low for size, low in zip(output_size, least, strict=True))


class ConvTranspose1d(TransposedConvolution):
    """The transpose of :class:`Conv1d`, with ``weight`` of (in_channels, out_channels / groups, kernel_size)."""

    spatial = 1


class ConvTranspose2d(TransposedConvolution):
    """The transpose of :class:`Conv2d`, with ``weight`` of (in_channels, out_channels / groups, kH, kW)."""

    spatial = 2


class ConvTranspose3d(TransposedConvolution):
    """The transpose of :class:`Conv3d`, with ``weight`` of (in_channels, out_channels / groups, kD, kH, kW)."""

    spatial = 3


def check_channels(in_channels: int, out_channels: int, groups: int) -> None:
    if groups <= 0:
        raise ValueError(f"groups must be a positive integer, got {groups}")
    if in_channels % groups:
        raise ValueError(f"in_channels must be divisible by groups, got in_channels={in_channels}, groups={groups}")
    if out_channels % groups:
        raise ValueError(f"out_channels must be divisible by groups, got out_channels={out_channels}, groups={groups}")


def check_padding(padding: Any, stride: Any, mode: str, spatial: int) -> None:
    if isinstance(padding, str):
        if padding not in ("same", "valid"):
            raise ValueError(f"Invalid padding string {padding!r}, should be one of {{'valid', 'same'}}")
        if padding == "same" and any(s != 1 for s in each(stride, spatial)):
            raise ValueError("padding='same' is not supported for strided convolutions")
    if mode not in PADDINGS:
        raise ValueError(f"padding_mode must be one of {set(PADDINGS)}, but got padding_mode='{mode}'")


def each(value: Any, count: int) -> tuple:
    """One number for each dimension."""
    return tuple(value) if isinstance(value, (tuple, list)) else (value,) * count


_ConvNd, _ConvTransposeNd = Convolution, TransposedConvolution
