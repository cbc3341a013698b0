"""``torch._tensor``: how files of ``torch.save`` say that a tensor is of a subclass, or has attributes of its own."""

from typing import Any

from . import _utils
from .tape.value import Tensor

__all__ = ["Tensor"]


def _rebuild_from_type_v2(func: Any, new_type: Any, args: Any, state: Any) -> Any:
    """What one of the functions of ``torch._utils`` puts together, as a tensor of a type, with attributes."""
    name = getattr(func, "__name__", "")
    rebuild: Any = getattr(_utils, name, None) if name.startswith("_rebuild") else None
    if rebuild is None or rebuild is not func:
        raise TypeError("_rebuild_from_type_v2: only a function of torch._utils puts a tensor together")
    return _utils.with_attributes(_utils.of_type(new_type, rebuild(*args)), state)
