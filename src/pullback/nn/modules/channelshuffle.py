"""PyTorch's place for ChannelShuffle."""

from .resampling import ChannelShuffle

__all__ = ["ChannelShuffle"]
