"""Around training: data, checkpoints, and weights on disk."""

from importlib import import_module as _import_module
from typing import Any as _Any

from ..naming import missing_attribute as _missing_attribute
from . import data

__all__ = ["data"]

_SUBMODULES = (  # loaded when they are first asked for
    "_pytree", "benchmark", "checkpoint", "collect_env", "cpp_extension", "hooks", "model_zoo", "safetensors", "tensorboard",
)  # fmt: skip


def __getattr__(name: str) -> _Any:
    if name in _SUBMODULES:
        return _import_module(f"{__name__}.{name}")
    raise _missing_attribute(__name__, name, __dir__())


def __dir__() -> list[str]:
    return sorted({*globals(), *_SUBMODULES})
