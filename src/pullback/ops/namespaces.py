"""``torch.ops``: the operations that users declared by ``torch.library``, by namespace and name. Knows only their names."""

from typing import Any

operations: dict[str, dict[str, Any]] = {}


class OpNamespace:
    """The operations of one namespace: ``torch.ops.mylib``."""

    def __init__(self, name: str) -> None:
        self._name = name

    def __getattr__(self, name: str) -> Any:
        found = operations.get(self._name, {})
        if name not in found:
            raise AttributeError(
                f"'_OpNamespace' '{self._name}' object has no attribute '{name}'; it has {sorted(found)}"
            )
        return found[name]

    def __dir__(self) -> list[str]:
        return sorted(operations.get(self._name, {}))
