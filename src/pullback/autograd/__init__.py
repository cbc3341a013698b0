"""Automatic differentiation: ``backward``, ``grad``, the modes that decide what is recorded, and all that looks into a graph."""

import sys as _sys
from importlib import import_module as _import_module
from types import ModuleType as _ModuleType
from typing import Any as _Any

from ..naming import missing_attribute as _missing_attribute
from ..tape.backward import backward, grad
from ..tape.modes import enable_grad, inference_mode, is_grad_enabled, no_grad, set_grad_enabled

__all__ = ["backward", "enable_grad", "grad", "inference_mode", "is_grad_enabled", "no_grad", "set_grad_enabled"]

# Modules, and names with the module that has them, loaded when they are first asked for.
_SUBMODULES = (
    "anomaly_mode",
    "forward_ad",
    "function",
    "functional",
    "grad_mode",
    "graph",
    "profiler",
    "profiler_util",
)
_NAMES: dict[str, str] = {
    "Function": "function",
    "NestedIOFunction": "function",
    "Variable": "variable",
    "detect_anomaly": "anomaly_mode",
    "enforce_grad_layout_policy": "grad_mode",
    "explain": "explanations",
    "gradcheck": "gradcheck",
    "gradgradcheck": "gradcheck",
    "safe_where": "masks",
    "set_detect_anomaly": "anomaly_mode",
    "set_multithreading_enabled": "grad_mode",
    "variable": "variable",
    "zero_cotangent": "masks",
}


class _Package(_ModuleType):
    """Here `gradcheck` and `variable` are functions, whose modules have the same names, and would take their places."""

    def __setattr__(self, name: str, value: _Any) -> None:
        super().__setattr__(name, getattr(value, name) if _NAMES.get(name) == name else value)


_sys.modules[__name__].__class__ = _Package


def __getattr__(name: str) -> _Any:
    if name in _SUBMODULES:
        return _import_module(f"{__name__}.{name}")
    if name in _NAMES:
        found = globals()[name] = getattr(_import_module(f"{__name__}.{_NAMES[name]}"), name)
        return found
    raise _missing_attribute(__name__, name, __dir__())


def __dir__() -> list[str]:
    return sorted({*globals(), *_SUBMODULES, *_NAMES})
