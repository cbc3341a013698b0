"""From functions to programs."""

from .trace import trace

__all__ = ["trace"]
