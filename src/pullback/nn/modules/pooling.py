"""Pooling: modules that hold the options of a pooling function, and call it."""

from typing import Any

from .. import functional as F
from .module import Module


class MaxPool(Module):
    """What the max-pooling modules share."""

    def __init__(
        self,
        kernel_size: Any,
        stride: Any = None,
        padding: Any = 0,
        dilation: Any = 1,
        return_indices: bool = False,
        ceil_mode: bool = False,
    ) -> None:
        super().__init__()
        self.kernel_size, self.stride = kernel_size, kernel_size if stride is None else stride
        self.padding, self.dilation = padding, dilation
        self.return_indices, self.ceil_mode = return_indices, ceil_mode

    def _options(self) -> dict[str, Any]:
        return dict(
            kernel_size=self.kernel_size,
            stride=self.stride,
            padding=self.padding,
            dilation=self.dilation,
            ceil_mode=self.ceil_mode,
            return_indices=self.return_indices,
        )

    def extra_repr(self) -> str:
        return (
            f"kernel_size={self.kernel_size}, stride={self.stride}, padding={self.padding}, "
            f"dilation={self.dilation}, ceil_mode={self.ceil_mode}"
        )


class MaxPool1d(MaxPool):
    """The largest value in each window along the last dimension; see :class:`MaxPool2d`."""

    def forward(self, input: Any) -> Any:
        """(N, C, L) → (N, C, L')."""
        return F.max_pool1d(input, **self._options())


class MaxPool2d(MaxPool):
    """The largest value in each window of the last two dimensions.

    Args:
        kernel_size: the window's size, one number or one each for height and width.
        stride: how far the window moves; by default its own size.
        padding: how far the window reaches over the edges, at most half its size.
        dilation: the distance of the elements of a window.
        return_indices: give the positions of the largest values, too.
        ceil_mode: also pool the windows at the end that begin inside and reach over the edge.
    """

    def forward(self, input: Any) -> Any:
        """(N, C, H, W) → (N, C, H', W')."""
        return F.max_pool2d(input, **self._options())


class MaxPool3d(MaxPool):
    """The largest value in each window of the last three dimensions; see :class:`MaxPool2d`."""

    def forward(self, input: Any) -> Any:
        """(N, C, D, H, W) → (N, C, D', H', W')."""
        return F.max_pool3d(input, **self._options())


class AvgPool1d(Module):
    """The mean of each window along the last dimension; see :class:`AvgPool2d`."""

    def __init__(
        self,
        kernel_size: Any,
        stride: Any = None,
        padding: Any = 0,
        ceil_mode: bool = False,
        count_include_pad: bool = True,
    ) -> None:
        super().__init__()
        single = lambda value: tuple(value) if isinstance(value, (tuple, list)) else (value,)
        self.kernel_size, self.stride = single(kernel_size), single(kernel_size if stride is None else stride)
        self.padding, self.ceil_mode, self.count_include_pad = single(padding), ceil_mode, count_include_pad

    def forward(self, input: Any) -> Any:
        """(N, C, L) → (N, C, L')."""
        return F.avg_pool1d(input, self.kernel_size, self.stride, self.padding, self.ceil_mode, self.count_include_pad)

    def extra_repr(self) -> str:
        return f"kernel_size={self.kernel_size}, stride={self.stride}, padding={self.padding}"


class AvgPool(Module):
    """What AvgPool2d and AvgPool3d share: their options.

    Args:
        kernel_size, stride, padding, ceil_mode: as in :class:`MaxPool2d`.
        count_include_pad: count the padding, which is 0, as elements.
        divisor_override: divide the sum by this number instead.
    """

    def __init__(
        self,
        kernel_size: Any,
        stride: Any = None,
        padding: Any = 0,
        ceil_mode: bool = False,
        count_include_pad: bool = True,
        divisor_override: int | None = None,
    ) -> None:
        super().__init__()
        self.kernel_size, self.stride = kernel_size, kernel_size if stride is None else stride
        self.padding, self.ceil_mode = padding, ceil_mode
        self.count_include_pad, self.divisor_override = count_include_pad, divisor_override

    def forward(self, input: Any) -> Any:
        """(N, C, …) → (N, C, …'), the windows' means."""
        return self._pool(
            input,
            self.kernel_size,
            self.stride,
            self.padding,
            self.ceil_mode,
            self.count_include_pad,
            self.divisor_override,
        )

    def extra_repr(self) -> str:
        return f"kernel_size={self.kernel_size}, stride={self.stride}, padding={self.padding}"


class AvgPool2d(AvgPool):
    """The mean of each window of the last two dimensions; see :class:`AvgPool` for its options."""

    _pool = staticmethod(lambda *args: F.avg_pool2d(*args))


class AvgPool3d(AvgPool):
    """The mean of each window of the last three dimensions; see :class:`AvgPool` for its options."""

    _pool = staticmethod(lambda *args: F.avg_pool3d(*args))


class Adaptive(Module):
    """What the adaptive poolings share: windows chosen so that the output has the size ``output_size`` (None: the input's)."""

    def __init__(self, output_size: Any) -> None:
        super().__init__()
        self.output_size = output_size

    def extra_repr(self) -> str:
        return f"output_size={self.output_size}"


class AdaptiveAvgPool1d(Adaptive):
    """The mean over windows chosen so that the output has the length ``output_size``."""

    def forward(self, input: Any) -> Any:
        """(N, C, L) → (N, C, output_size)."""
        return F.adaptive_avg_pool1d(input, self.output_size)


class AdaptiveAvgPool2d(Adaptive):
    """The mean over windows chosen so that the output has the size ``output_size`` (None: the input's)."""

    def forward(self, input: Any) -> Any:
        """(N, C, H, W) → (N, C, *output_size)."""
        return F.adaptive_avg_pool2d(input, self.output_size)


class AdaptiveAvgPool3d(Adaptive):
    """The mean over windows chosen so that the output has the size ``output_size`` (None: the input's)."""

    def forward(self, input: Any) -> Any:
        """(N, C, D, H, W) → (N, C, *output_size)."""
        return F.adaptive_avg_pool3d(input, self.output_size)


class AdaptiveMaxPool(Adaptive):
    """What the adaptive max poolings share: ``return_indices`` gives the positions of the largest values, too."""

    def __init__(self, output_size: Any, return_indices: bool = False) -> None:
        super().__init__(output_size)
        self.return_indices = return_indices


class AdaptiveMaxPool1d(AdaptiveMaxPool):
    """The largest value of windows chosen so that the output has the length ``output_size``."""

    def forward(self, input: Any) -> Any:
        """(N, C, L) → (N, C, output_size)."""
        return F.adaptive_max_pool1d(input, self.output_size, self.return_indices)


class AdaptiveMaxPool2d(AdaptiveMaxPool):
    """The largest value of windows chosen so that the output has the size ``output_size``."""

    def forward(self, input: Any) -> Any:
        """(N, C, H, W) → (N, C, *output_size)."""
        return F.adaptive_max_pool2d(input, self.output_size, self.return_indices)


class AdaptiveMaxPool3d(AdaptiveMaxPool):
    """The largest value of windows chosen so that the output has the size ``output_size``."""

    def forward(self, input: Any) -> Any:
        """(N, C, D, H, W) → (N, C, *output_size)."""
        return F.adaptive_max_pool3d(input, self.output_size, self.return_indices)


_MaxPoolNd, _AvgPoolNd = MaxPool, AvgPool
_AdaptiveAvgPoolNd, _AdaptiveMaxPoolNd = Adaptive, AdaptiveMaxPool
