"""Pooling by powers, at random steps, and back: modules that hold the options of a function, and call it."""

from typing import Any

from .. import functional as F
from .conv import each
from .module import Module


class LPPool(Module):
    """What the power-average poolings share."""

    def __init__(self, norm_type: float, kernel_size: Any, stride: Any = None, ceil_mode: bool = False) -> None:
        super().__init__()
        self.norm_type, self.kernel_size, self.stride, self.ceil_mode = norm_type, kernel_size, stride, ceil_mode

    def extra_repr(self) -> str:
        return (
            f"norm_type={self.norm_type}, kernel_size={self.kernel_size}, stride={self.stride}, "
            f"ceil_mode={self.ceil_mode}"
        )


class LPPool1d(LPPool):
    """The p-norm of each window along the last dimension."""

    def forward(self, input: Any) -> Any:
        """(N, C, L) → (N, C, L')."""
        return F.lp_pool1d(input, float(self.norm_type), self.kernel_size, self.stride, self.ceil_mode)


class LPPool2d(LPPool):
    """The p-norm of each window of the last two dimensions."""

    def forward(self, input: Any) -> Any:
        """(N, C, H, W) → (N, C, H', W')."""
        return F.lp_pool2d(input, float(self.norm_type), self.kernel_size, self.stride, self.ceil_mode)


class LPPool3d(LPPool):
    """The p-norm of each window of the last three dimensions."""

    def forward(self, input: Any) -> Any:
        """(N, C, D, H, W) → (N, C, D', H', W')."""
        return F.lp_pool3d(input, float(self.norm_type), self.kernel_size, self.stride, self.ceil_mode)


class FractionalMaxPool(Module):
    """What the fractional max poolings share: windows at random steps.

    Args:
        output_size: how many windows there are; or else
        output_ratio: by what factor, between 0 and 1, the size shrinks.
        return_indices: give the positions of the largest values, too.
    """

    spatial: int

    def __init__(
        self,
        kernel_size: Any,
        output_size: Any = None,
        output_ratio: Any = None,
        return_indices: bool = False,
        _random_samples: Any = None,
    ) -> None:
        super().__init__()
        name, n = type(self).__name__, self.spatial
        if (output_size is None) == (output_ratio is None):
            words = "requires specifying either an output size, or a pooling ratio"
            both = "only one of output_size and output_ratio may be specified"
            raise ValueError(f"{name} {words}" if output_size is None else f"{name}: {both}")
        self.kernel_size, self.return_indices = each(kernel_size, n), return_indices
        self.output_size = None if output_size is None else each(output_size, n)
        self.output_ratio = None if output_ratio is None else each(output_ratio, n)
        for ratio in self.output_ratio or ():
            if not 0 < ratio < 1:
                raise ValueError(f"{name}: output_ratio must be between 0 and 1 (got {output_ratio})")
        self.register_buffer("_random_samples", _random_samples)

    def forward(self, input: Any) -> Any:
        """(N, C, …) → (N, C, *output_size)."""
        pool = getattr(F, f"fractional_max_pool{self.spatial}d")
        options = (self.kernel_size, self.output_size, self.output_ratio, self.return_indices)
        return pool(input, *options, _random_samples=self._random_samples)


class FractionalMaxPool2d(FractionalMaxPool):
    """The largest value of windows at random steps over the last two dimensions."""

    spatial = 2


class FractionalMaxPool3d(FractionalMaxPool):
    """The largest value of windows at random steps over the last three dimensions."""

    spatial = 3


class MaxUnpool(Module):
    """What the unpoolings share: zeros with elements put back to where a max pooling took them from."""

    spatial: int

    def __init__(self, kernel_size: Any, stride: Any = None, padding: Any = 0) -> None:
        super().__init__()
        self.kernel_size = each(kernel_size, self.spatial)
        self.stride = each(kernel_size if stride is None else stride, self.spatial)
        self.padding = each(padding, self.spatial)

    def forward(self, input: Any, indices: Any, output_size: Any = None) -> Any:
        """(N, C, …) → (N, C, *output_size)."""
        unpool = getattr(F, f"max_unpool{self.spatial}d")
        return unpool(input, indices, self.kernel_size, self.stride, self.padding, output_size)

    def extra_repr(self) -> str:
        return f"kernel_size={self.kernel_size}, stride={self.stride}, padding={self.padding}"


class MaxUnpool1d(MaxUnpool):
    """Undoes :class:`MaxPool1d`, whose indices it takes."""

    spatial = 1


class MaxUnpool2d(MaxUnpool):
    """Undoes :class:`MaxPool2d`, whose indices it takes."""

    spatial = 2


class MaxUnpool3d(MaxUnpool):
    """Undoes :class:`MaxPool3d`, whose indices it takes."""

    spatial = 3
