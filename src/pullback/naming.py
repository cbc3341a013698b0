"""What to say when a name is missing: its PyTorch name, and the nearest names that exist.

Knows nothing of Pullback's modules; whoever looks a name up passes the names that there are. Imports nothing but
``sys``, so that the front door can use it for free.
"""

import sys
from collections.abc import Callable, Iterable
from typing import Any


def missing_attribute(module_name: str, attribute: str, names: Iterable[str]) -> AttributeError | ImportError:
    """The error that a module's ``__getattr__`` raises for a name that the module does not have.

    It is an ImportError where the name was asked for by ``from module import name``, else an AttributeError. Must be
    called by ``__getattr__`` itself, since the asking line is looked for two frames up.

    >>> raise missing_attribute("pullback", "tensr", ["tensor", "zeros"])
    Traceback (most recent call last):
    AttributeError: module 'torch' has no attribute 'tensr' in Pullback; nearest: tensor
    """
    message = f"module '{torch_name(module_name)}' has no attribute '{attribute}'"
    if attribute.startswith("__"):  # the import system and inspect ask for these, and expect a no
        return AttributeError(message, name=attribute)
    message += f" in Pullback{_nearest(attribute, names)}"
    # Python swallows an AttributeError during `from module import name`, and with it the nearest names.
    if _is_importing_from(sys._getframe(2)):
        return ImportError(message, name=module_name)
    return AttributeError(message, name=attribute)


def missing_module(full_name: str, names: Iterable[str]) -> ModuleNotFoundError:
    """The error for importing a module that Pullback does not have; ``names`` are the modules beside it."""
    parent, _, child = full_name.rpartition(".")
    nearest = _nearest(child, names, prefix=f"{torch_name(parent)}.")
    return ModuleNotFoundError(f"No module named '{torch_name(full_name)}' in Pullback{nearest}", name=full_name)


def torch_name(module_name: str) -> str:
    """The name that PyTorch's users know a module of Pullback by: ``pullback.nn`` is ``torch.nn``."""
    return "torch" + module_name.removeprefix("pullback") if module_name.startswith("pullback") else module_name


def _nearest(name: str, names: Iterable[str], prefix: str = "") -> str:
    import difflib

    public = sorted({other for other in names if not other.startswith("_")})
    near = difflib.get_close_matches(name, public, n=3, cutoff=0.6)
    if not near:  # nn.relu for nn.ReLU: another case is nearer than difflib thinks
        near = [other for other in public if other.lower() == name.lower()]
    return f"; nearest: {', '.join(prefix + other for other in near)}" if near else ""


def _is_importing_from(frame) -> bool:
    from dis import opmap

    return frame.f_lasti >= 0 and frame.f_code.co_code[frame.f_lasti] == opmap["IMPORT_FROM"]


def served(functions: Any, module: dict) -> tuple[Callable, Callable]:
    """``__getattr__`` and ``__dir__`` of a module whose functions are made from the table when they are first asked for."""

    def __getattr__(name: str) -> Any:
        if name in functions:
            found = module[name] = functions[name]
            found.__module__ = module["__name__"]  # by which it is pickled
            return found
        raise missing_attribute(module["__name__"], name, __dir__())

    def __dir__() -> list[str]:
        return sorted({*module, *functions.names()})

    return __getattr__, __dir__
