"""What the hooks share that compute a tensor of a module before every call: being found, and being taken out."""

from typing import Any

from ..modules.module import Module


class HookedWeight:
    """A hook before a module's calls that sets its tensor ``name``."""

    word: str  # what users call it
    name: str

    def remove(self, module: Module) -> None:
        """Undo what the hook has done to the module."""
        raise NotImplementedError

    @classmethod
    def found(cls, module: Module, name: str) -> Any:
        """The key and the hook of this class for a tensor; None where there is none."""
        for key, entry in module._forward_pre_hooks.items():
            if isinstance(entry.hook, cls) and entry.hook.name == name:
                return key, entry.hook
        return None

    @classmethod
    def check_first(cls, module: Module, name: str) -> None:
        if cls.found(module, name):
            raise RuntimeError(f"Cannot register two {cls.word} hooks on the same parameter {name}")

    @classmethod
    def take_out(cls, module: Module, name: str) -> Module:
        """Remove the hook, and return the module."""
        found = cls.found(module, name)
        if not found:
            raise ValueError(f"{cls.word} of '{name}' not found in {module}")
        found[1].remove(module)
        del module._forward_pre_hooks[found[0]]
        return module
