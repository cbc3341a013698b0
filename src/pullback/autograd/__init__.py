"""Automatic differentiation: ``backward``, ``grad``, the modes that decide what is recorded, and all that looks into a graph."""

from importlib import import_module as _import_module
from typing import Any as _Any

from ..naming import missing_attribute as _missing_attribute
from ..tape.backward import backward, grad
from ..tape.modes import enable_grad, inference_mode, is_grad_enabled, no_grad, set_grad_enabled

__all__ = ["backward", "enable_grad", "grad", "inference_mode", "is_grad_enabled", "no_grad", "set_grad_enabled"]

# Modules, and names with the module that has them, loaded when they are first asked for.
_SUBMODULES = ("anomaly_mode", "function", "functional", "grad_mode", "graph")
_NAMES: dict[str, str] = {
    "Function": "function",
    "detect_anomaly": "anomaly_mode",
    "enforce_grad_layout_policy": "grad_mode",
    "explain": "explanations",
    "safe_where": "masks",
    "set_detect_anomaly": "anomaly_mode",
    "set_multithreading_enabled": "grad_mode",
    "zero_cotangent": "masks",
}


def __getattr__(name: str) -> _Any:
    if name in _SUBMODULES:
        return _import_module(f"{__name__}.{name}")
    if name in _NAMES:
        found = globals()[name] = getattr(_import_module(f"{__name__}.{_NAMES[name]}"), name)
        return found
    raise _missing_attribute(__name__, name, __dir__())


def __dir__() -> list[str]:
    return sorted({*globals(), *_SUBMODULES, *_NAMES})
