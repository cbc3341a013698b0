"""Dropout, in its forms."""

from typing import Any

from .. import functional as F
from .module import Module


class DropoutBase(Module):
    """What the forms of dropout share.

    Args:
        p: the probability that an element, or a channel, is dropped.
        inplace: whether the result is written into the input.

    Raises:
        ValueError: ``p`` is not in [0, 1].
    """

    function: str

    def __init__(self, p: float = 0.5, inplace: bool = False) -> None:
        super().__init__()
        if not 0 <= p <= 1:
            raise ValueError(f"dropout probability has to be between 0 and 1, but got {p}")
        self.p, self.inplace = p, inplace

    def forward(self, input: Any) -> Any:
        """A tensor of the input's shape."""
        return getattr(F, self.function)(input, self.p, self.training, self.inplace)

    def extra_repr(self) -> str:
        return f"p={self.p}, inplace={self.inplace}"


class Dropout(DropoutBase):
    """In training, set each element to 0 with probability ``p`` and scale the others by ``1 / (1 - p)``."""

    function = "dropout"


class Dropout1d(DropoutBase):
    """:class:`Dropout` of whole channels of inputs (N, C, L) or (C, L)."""

    function = "dropout1d"


class Dropout2d(DropoutBase):
    """:class:`Dropout` of whole channels of inputs (N, C, H, W) or (N, C, L)."""

    function = "dropout2d"


class Dropout3d(DropoutBase):
    """:class:`Dropout` of whole channels of inputs (N, C, D, H, W) or (C, D, H, W)."""

    function = "dropout3d"


class AlphaDropout(DropoutBase):
    """Dropout that keeps mean 0 and variance 1: elements fall to what SELU tends to at minus infinity."""

    function = "alpha_dropout"


class FeatureAlphaDropout(DropoutBase):
    """:class:`AlphaDropout` of whole channels of inputs (N, C, …)."""

    function = "feature_alpha_dropout"


_DropoutNd = DropoutBase
