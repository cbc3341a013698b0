"""Function transforms: ``grad``, ``vjp``, ``jvp``, ``vmap`` and what is made of them. Any nesting works."""

from importlib import import_module as _import_module
from typing import Any as _Any

from ..naming import missing_attribute as _missing_attribute
from .derivatives import grad, grad_and_value, jvp, linearize, vjp
from .vectorize import vmap

# Names with the module that has them, loaded when they are first asked for.
_MODULES = {
    "higher_order": ("jet", "taylor"),
    "implicit": ("custom_fixed_point", "custom_root", "linear_solve"),
    "jacobians": ("hessian", "jacfwd", "jacobian", "jacrev"),
    "modules": ("debug_unwrap", "functional_call", "functionalize", "replace_all_batch_norm_modules_", "stack_module_state"),
    "rearranging": ("rearrange",),
}  # fmt: skip
_NAMES = {name: module for module, names in _MODULES.items() for name in names}

__all__ = ["grad", "grad_and_value", "jvp", "linearize", "vjp", "vmap", *_NAMES]


def __getattr__(name: str) -> _Any:
    if name in _NAMES:
        found = globals()[name] = getattr(_import_module(f"{__name__}.{_NAMES[name]}"), name)
        return found
    raise _missing_attribute(__name__, name, __dir__())


def __dir__() -> list[str]:
    return sorted({*globals(), *_NAMES})
