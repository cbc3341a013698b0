"""Borders around the last dimensions: modules that hold the widths, and call ``pad``."""

from typing import Any

from .. import functional as F
from .conv import each
from .module import Module


class Padding(Module):
    """What the paddings share: ``padding`` is one width, or two for each of the ``spatial`` last dims, the last first."""

    spatial: int
    mode = "constant"

    def __init__(self, padding: Any) -> None:
        super().__init__()
        self.padding = each(padding, 2 * self.spatial)

    def forward(self, input: Any) -> Any:
        """The input with its border."""
        return F.pad(input, self.padding, self.mode)

    def extra_repr(self) -> str:
        return f"{self.padding}"


class ConstantPad(Padding):
    """What the paddings with a constant share."""

    def __init__(self, padding: Any, value: float) -> None:
        super().__init__(padding)
        self.value = value

    def forward(self, input: Any) -> Any:
        """The input with its border."""
        return F.pad(input, self.padding, "constant", self.value)

    def extra_repr(self) -> str:
        return f"padding={self.padding}, value={self.value}"


class ZeroPad(ConstantPad):
    """What the paddings with zeros share."""

    def __init__(self, padding: Any) -> None:
        super().__init__(padding, 0.0)

    def extra_repr(self) -> str:
        return f"{self.padding}"


class ReflectionPad(Padding):
    """What the paddings by reflection share."""

    mode = "reflect"


class ReplicationPad(Padding):
    """What the paddings by replication share."""

    mode = "replicate"


class CircularPad(Padding):
    """What the circular paddings share."""

    mode = "circular"

    def forward(self, input: Any) -> Any:
        """The input with its border."""
        if input.dim() not in (self.spatial + 1, self.spatial + 2):
            raise ValueError(f"expected {self.spatial + 1}D or {self.spatial + 2}D input (got {input.dim()}D input)")
        return super().forward(input)


class ConstantPad1d(ConstantPad):
    """Pads the last dim of the input with a constant ``value``."""

    spatial = 1


class ConstantPad2d(ConstantPad):
    """Pads the last two dims of the input with a constant ``value``."""

    spatial = 2


class ConstantPad3d(ConstantPad):
    """Pads the last three dims of the input with a constant ``value``."""

    spatial = 3


class ZeroPad1d(ZeroPad):
    """Pads the last dim of the input with zeros."""

    spatial = 1


class ZeroPad2d(ZeroPad):
    """Pads the last two dims of the input with zeros."""

    spatial = 2


class ZeroPad3d(ZeroPad):
    """Pads the last three dims of the input with zeros."""

    spatial = 3


class ReflectionPad1d(ReflectionPad):
    """Pads the last dim of the input with its own elements, mirrored at the edges."""

    spatial = 1


class ReflectionPad2d(ReflectionPad):
    """Pads the last two dims of the input with its own elements, mirrored at the edges."""

    spatial = 2


class ReflectionPad3d(ReflectionPad):
    """Pads the last three dims of the input with its own elements, mirrored at the edges."""

    spatial = 3


class ReplicationPad1d(ReplicationPad):
    """Pads the last dim of the input with the elements at its edges."""

    spatial = 1


class ReplicationPad2d(ReplicationPad):
    """Pads the last two dims of the input with the elements at its edges."""

    spatial = 2


class ReplicationPad3d(ReplicationPad):
    """Pads the last three dims of the input with the elements at its edges."""

    spatial = 3


class CircularPad1d(CircularPad):
    """Pads the last dim of the input with the elements of the other side."""

    spatial = 1


class CircularPad2d(CircularPad):
    """Pads the last two dims of the input with the elements of the other side."""

    spatial = 2


class CircularPad3d(CircularPad):
    """Pads the last three dims of the input with the elements of the other side."""

    spatial = 3
