"""Function transforms: ``grad``, ``vjp``, ``jvp``, ``vmap`` and what is made of them. Any nesting works."""

from importlib import import_module as _import_module
from typing import Any as _Any

from ..naming import missing_attribute as _missing_attribute
from .derivatives import grad, grad_and_value, hessian, jacfwd, jacrev, jvp, vjp
from .vectorize import vmap

__all__ = ["grad", "grad_and_value", "hessian", "jacfwd", "jacrev", "jvp", "vjp", "vmap"]

# Names, and the module that has them, loaded when they are first asked for.
_NAMES = {
    **dict.fromkeys(("jet", "taylor"), "higher_order"),
    **dict.fromkeys(("custom_fixed_point", "custom_root", "linear_solve"), "implicit"),
}


def __getattr__(name: str) -> _Any:
    if name in _NAMES:
        found = globals()[name] = getattr(_import_module(f"{__name__}.{_NAMES[name]}"), name)
        return found
    raise _missing_attribute(__name__, name, __dir__())


def __dir__() -> list[str]:
    return sorted({*globals(), *_NAMES})
