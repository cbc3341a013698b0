"""The namespace of ``torch.signal``: its window functions are in ``torch.signal.windows``."""

from . import windows

__all__ = ["windows"]
