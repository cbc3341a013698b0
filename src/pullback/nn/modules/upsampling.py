"""PyTorch's place for Upsample and UpsamplingBilinear2d and UpsamplingNearest2d."""

from .resampling import Upsample, UpsamplingBilinear2d, UpsamplingNearest2d

__all__ = ["Upsample", "UpsamplingBilinear2d", "UpsamplingNearest2d"]
