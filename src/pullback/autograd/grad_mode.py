"""The modes by the module that PyTorch has them in: ``from torch.autograd.grad_mode import no_grad``."""

from ..tape.modes import BareDecorator as _NoParamDecoratorContextManager  # noqa: F401
from ..tape.modes import DecoratorContextManager as _DecoratorContextManager  # noqa: F401
from ..tape.modes import (
    enable_grad,
    enforce_grad_layout_policy,
    inference_mode,
    no_grad,
    set_grad_enabled,
    set_multithreading_enabled,
)

__all__ = [
    "enable_grad",
    "enforce_grad_layout_policy",
    "inference_mode",
    "no_grad",
    "set_grad_enabled",
    "set_multithreading_enabled",
]
