"""Functions made from source text: the house's own, so that they are not taken for the user's code."""

import os
import sys
import warnings
from collections.abc import Callable
from types import FunctionType
from typing import Any

HOUSE = os.path.dirname(os.path.abspath(__file__)) + os.sep


def define(name: str, text: str, scope: dict[str, Any]) -> Callable:
    """Execute a definition in ``scope`` and return what it defines as ``name``."""
    scope["__name__"] = "pullback.source"  # the module that warnings are filed under
    exec(compile(text, f"{HOUSE}<{name}>", "exec"), scope)
    return scope[name]


def twin(function: Any, name: str | None = None) -> Any:
    """Another function object that does the same, also where the first one's code was exchanged (``overrides``)."""
    own = getattr(function, "unwatched", function)
    made = FunctionType(own.__code__, own.__globals__, name or own.__name__, own.__defaults__, own.__closure__)
    made.__kwdefaults__, made.__doc__, made.__module__ = own.__kwdefaults__, own.__doc__, own.__module__
    return made


def warn_user(message: str, category: type[Warning] = UserWarning) -> None:
    """Warn at the nearest line outside this package."""
    frame, depth = sys._getframe(1), 2
    while frame.f_back is not None and frame.f_code.co_filename.startswith(HOUSE):
        frame, depth = frame.f_back, depth + 1
    warnings.warn(message, category, stacklevel=depth)
