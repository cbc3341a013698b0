"""Automatic differentiation: ``backward``, ``grad``, and the modes that decide what is recorded."""

from ..tape.backward import backward, grad
from ..tape.modes import enable_grad, inference_mode, is_grad_enabled, no_grad, set_grad_enabled

__all__ = ["backward", "enable_grad", "grad", "inference_mode", "is_grad_enabled", "no_grad", "set_grad_enabled"]
