"""PyTorch's place for PixelShuffle and PixelUnshuffle."""

from .resampling import PixelShuffle, PixelUnshuffle

__all__ = ["PixelShuffle", "PixelUnshuffle"]
