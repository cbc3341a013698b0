"""``torch.ops``: the operations that users declared by ``torch.library``, by namespace and name, and the table's as ``aten``.

Knows only their names.
"""

from collections.abc import Callable
from functools import cache
from typing import Any

from .table import OVERLOADS, TABLE

operations: dict[str, dict[str, Any]] = {}


class Packet:
    """A name of the table, as ``torch.ops.aten.mm`` and ``torch.ops.aten.mm.default`` (there is one, whatever the overload)."""

    function_of: Callable  # the public function of a name, which tensors supply

    def __init__(self, name: str) -> None:
        self.name = self.__name__ = name

    def __getattr__(self, overload: str) -> "Packet":
        if overload.startswith("_"):
            raise AttributeError(overload)
        return self

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self.function_of(self.name)(*args, **kwargs)

    def __repr__(self) -> str:
        return f"aten.{self.name}.default"


packet_of = cache(Packet)


class OpNamespace:
    """The operations of one namespace: ``torch.ops.mylib``."""

    def __init__(self, name: str) -> None:
        self._name = name

    def __getattr__(self, name: str) -> Any:
        if self._name == "aten" and (name in TABLE or name in OVERLOADS):
            return packet_of(name)
        found = operations.get(self._name, {})
        if name not in found:
            raise AttributeError(
                f"'_OpNamespace' '{self._name}' object has no attribute '{name}'; it has {sorted(found)}"
            )
        return found[name]

    def __dir__(self) -> list[str]:
        return sorted(operations.get(self._name, {}))
