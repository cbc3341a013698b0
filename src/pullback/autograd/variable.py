"""``Variable``, PyTorch's old name of a tensor that can require grad."""

import warnings
from typing import Any

from ..tape.value import Tensor, wrap

__all__ = ["Variable"]


class VariableMeta(type):
    """Takes every tensor for an instance."""

    def __instancecheck__(cls, instance: Any) -> bool:
        return isinstance(instance, Tensor)


class Variable(metaclass=VariableMeta):
    """``Variable(data, requires_grad=False)``: a tensor over the memory of ``data``, without its history.

    Since PyTorch 0.4 tensors do what it did, and every tensor is an instance. ``volatile`` has no effect.

    >>> import pullback as torch
    >>> torch.autograd.Variable(torch.ones(2), requires_grad=True)
    tensor([1., 1.], requires_grad=True)
    """

    def __new__(cls, data: Any = None, requires_grad: bool = False, volatile: Any = None) -> Any:
        if volatile is not None:
            text = "volatile was removed and now has no effect. Use `with torch.no_grad():` instead."
            warnings.warn(text, stacklevel=2)
        if data is not None and not isinstance(data, Tensor):
            raise TypeError(f"Variable data has to be a tensor, but got {type(data).__name__}")
        made: Any = wrap([]) if data is None else data.detach()  # type: ignore[attr-defined]
        return made.requires_grad_(requires_grad)


def variable(*args: Any, **kwargs: Any) -> Any:
    """Deprecated in PyTorch, and refused."""
    raise RuntimeError("torch.autograd.variable(...) is deprecated, use torch.tensor(...) instead")
