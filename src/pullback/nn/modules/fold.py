"""PyTorch's place for Fold and Unfold."""

from .resampling import Fold, Unfold

__all__ = ["Fold", "Unfold"]
