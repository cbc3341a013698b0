"""``import torch`` gives Pullback: the import hook behind ``pullback run``.

Responsible for the names ``torch`` and ``torch.…`` in ``sys.modules`` while a script runs, and for what is said about a
name that Pullback lacks. Not responsible for running the script (``cli``) nor for what the modules hold. Invariants:
``torch.x`` *is* ``pullback.x``, the same module object, executed once; after the run, ``sys.modules``, ``sys.meta_path``
and Pullback's modules are as they were; a real torch is never replaced. While it is called torch, Pullback's version is
that of the PyTorch whose words it speaks, which is what scripts compare.
"""

import importlib
import importlib.util
import pkgutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any

from pullback import version
from pullback.naming import missing_attribute, missing_module
from pullback.torch_version import TorchVersion


@contextmanager
def torch_is_pullback() -> Iterator[None]:
    """Let ``import torch`` and every import below it resolve to Pullback, until the block ends.

    Raises RuntimeError if the real torch has been imported before: its objects are already in someone's hands.
    """
    install()
    try:
        yield
    finally:
        uninstall()


_installed: list["TorchImporter"] = []


def install() -> None:
    """Let ``import torch`` give Pullback from now on, in this process and in those that it starts by ``multiprocessing``."""
    if _installed:
        return
    _refuse_real_torch()
    importer = TorchImporter()
    _installed.append(importer)
    sys.meta_path.insert(0, importer)
    importer.teach_modules()
    importer.teach_processes()
    show_version(TorchVersion(f"{version.API}+pullback{version.PACKAGE}"))


def uninstall() -> None:
    """Undo :func:`install`."""
    while _installed:
        importer = _installed.pop()
        sys.meta_path.remove(importer)
        importer.undo()
        show_version(version.PACKAGE)


def show_version(shown: str) -> None:
    version.__version__ = sys.modules["pullback"].__version__ = shown  # type: ignore[attr-defined]


def load_ipython_extension(shell: Any) -> None:
    """``%load_ext pullback`` in a notebook: ``import torch`` gives Pullback from now on."""
    install()


def unload_ipython_extension(shell: Any) -> None:
    """``%unload_ext pullback``: undo that."""
    uninstall()


def _refuse_real_torch() -> None:
    torch = sys.modules.get("torch")
    if torch is not None and torch.__name__ != "pullback":
        where = getattr(torch, "__file__", None) or "an unknown place"
        raise RuntimeError(
            f"torch has already been imported from {where}, so `import torch` cannot give Pullback in this process; "
            "start a fresh one, or write `import pullback as torch`"
        )


class TorchImporter:
    """A finder and loader for ``sys.meta_path`` that answers for ``torch`` and all below it."""

    def __init__(self) -> None:
        self._aliases: list[str] = []
        self._taught: dict[ModuleType, object] = {}  # module -> the __getattr__ that it had, or None
        self._specs: dict[str, ModuleSpec | None] = {}

    def find_spec(self, full_name: str, path=None, target=None) -> ModuleSpec | None:
        if full_name != "torch" and not full_name.startswith("torch."):
            return None
        real_name = _real_name(full_name)
        if not _is_module(real_name):
            raise missing_module(full_name, _modules_beside(real_name))
        return ModuleSpec(full_name, self)  # type: ignore[arg-type]  # a loader by its methods, not by its base

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        module = importlib.import_module(_real_name(spec.name))
        self._specs[spec.name] = module.__spec__
        return module

    def exec_module(self, module: ModuleType) -> None:
        """Give the module its own spec back, which importlib has just replaced by the alias's."""
        alias = module.__spec__.name  # type: ignore[union-attr]
        module.__spec__ = self._specs.pop(alias)
        self._aliases.append(alias)
        self.teach_modules()

    def teach_modules(self) -> None:
        """Make every loaded module of Pullback name the nearest names when asked for one that it lacks."""
        for name, module in list(sys.modules.items()):
            is_ours = name == "pullback" or name.startswith("pullback.")
            if is_ours and module not in self._taught and not getattr(module.__spec__, "_initializing", False):
                self._teach(module)

    def _teach(self, module: ModuleType) -> None:
        own = self._taught[module] = vars(module).get("__getattr__")

        def __getattr__(name: str):
            try:
                if own is not None:
                    value = own(name)
                    self.teach_modules()  # it may have been a module, loaded on first use
                    return value
            except AttributeError:
                pass
            raise missing_attribute(module.__name__, name, dir(module))

        vars(module)["__getattr__"] = __getattr__

    def teach_processes(self) -> None:
        """Let processes that ``multiprocessing`` starts anew, rather than by forking, import ``pullback.preload`` first."""
        from multiprocessing import spawn

        self._command_line = spawn.get_command_line

        def get_command_line(**options: Any) -> list[str]:
            line = self._command_line(**options)
            if "-c" in line:
                line[line.index("-c") + 1] = f"import pullback.preload; {line[line.index('-c') + 1]}"
            return line

        spawn.get_command_line = get_command_line
        preload("pullback.preload")

    def undo(self) -> None:
        """Forget every alias, and give every module its own ``__getattr__`` back."""
        from multiprocessing import spawn

        spawn.get_command_line = self._command_line
        preload("__main__")
        for alias in self._aliases:
            sys.modules.pop(alias, None)
        for module, own in self._taught.items():
            if own is None:
                del vars(module)["__getattr__"]
            else:
                vars(module)["__getattr__"] = own
        self._taught.clear()


def preload(module: str) -> None:
    """Say what the server that forks processes imports first, where there can be one."""
    from multiprocessing import get_all_start_methods, get_context

    if "forkserver" in get_all_start_methods():
        get_context("forkserver").set_forkserver_preload([module])


def _real_name(alias: str) -> str:
    return "pullback" + alias.removeprefix("torch")


def _is_module(real_name: str) -> bool:
    """Whether PyTorch's users would find a module there: ``pullback.compile`` is a function to them.

    A module may have the name of a function that it holds: ``torch.autograd.gradcheck`` is both.
    """
    parent, _, child = real_name.rpartition(".")
    shown = getattr(importlib.import_module(parent), child, sys) if parent else sys
    if not isinstance(shown, ModuleType) and getattr(shown, "__module__", None) != real_name:
        return False
    return real_name in sys.modules or importlib.util.find_spec(real_name) is not None


def _modules_beside(real_name: str) -> list[str]:
    parent = sys.modules[real_name.rpartition(".")[0]]
    found = [module.name for module in pkgutil.iter_modules(getattr(parent, "__path__", []))]
    return [name for name in found if isinstance(getattr(parent, name, sys), ModuleType)]
