"""Around training: data, and weights on disk."""

from . import data

__all__ = ["data"]
