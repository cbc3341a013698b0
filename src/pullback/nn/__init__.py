"""Neural networks: modules, parameters, and the functions they are made of."""

from . import attention, functional, init, modules, parameter, utils
from .modules import *  # noqa: F403
from .modules import __all__ as _names
from .parameter import Buffer, Parameter

__all__ = ["Buffer", "Parameter", "attention", "functional", "init", "modules", "parameter", "utils", *_names]
