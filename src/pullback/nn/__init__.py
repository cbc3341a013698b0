"""Neural networks: modules, parameters, and the functions they are made of."""

from importlib import import_module as _import_module
from typing import Any as _Any

from ..naming import missing_attribute as _missing_attribute
from . import attention, functional, init, modules, parallel, parameter, utils
from .modules import *  # noqa: F403
from .modules import __all__ as _names
from .parallel import DataParallel
from .parameter import Buffer, Parameter, UninitializedBuffer, UninitializedParameter

__all__ = [
    "Buffer",
    "DataParallel",
    "Parameter",
    "UninitializedBuffer",
    "UninitializedParameter",
    "attention",
    "factory_kwargs",
    "functional",
    "init",
    "modules",
    "parallel",
    "parameter",
    "utils",
    *_names,
]
_WHEN_USED = ("common_types", "grad")


def factory_kwargs(kwargs: _Any) -> dict:
    """``device``, ``dtype`` and ``memory_format`` among the arguments of a module's constructor, for those of its tensors.

    Raises TypeError where there are others.
    """
    given = dict(kwargs or {})
    found = {**given.pop("factory_kwargs", {}), **given}
    unknown = set(found) - {"device", "dtype", "memory_format"}
    if unknown:
        raise TypeError(f"unexpected kwargs {unknown}")
    return found


def __getattr__(name: str) -> _Any:
    if name in _WHEN_USED:
        return _import_module(f"{__name__}.{name}")
    raise _missing_attribute(__name__, name, [*globals(), *_WHEN_USED])
