"""Functions made from source text: the house's own, so that they are not taken for the user's code."""

import os
from collections.abc import Callable
from typing import Any

HOUSE = os.path.dirname(os.path.abspath(__file__)) + os.sep


def define(name: str, text: str, scope: dict[str, Any]) -> Callable:
    """Execute a definition in ``scope`` and return what it defines as ``name``."""
    scope["__name__"] = "pullback.source"  # the module that warnings are filed under
    exec(compile(text, f"{HOUSE}<{name}>", "exec"), scope)
    return scope[name]
