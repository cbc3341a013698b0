"""The old home of :func:`pullback.func.functional_call`."""

from ...func import functional_call

__all__ = ["functional_call"]
