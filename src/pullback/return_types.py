"""``torch.return_types``: the named tuples that operations with several results return, by name."""

from typing import Any

from .naming import missing_attribute
from .ops.table import TABLE
from .tape.record import return_type


def __getattr__(name: str) -> Any:
    for op in TABLE.values():
        if op.outputs not in ((), ("*",)) and return_type(op).__name__ == name:
            return return_type(op)
    raise missing_attribute(__name__, name, __dir__())


def __dir__() -> list[str]:
    return sorted({return_type(op).__name__ for op in TABLE.values() if op.outputs not in ((), ("*",))})
