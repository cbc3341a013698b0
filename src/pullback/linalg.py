"""The namespace of ``torch.linalg``: functions made from the table when they are first asked for."""

from typing import Any

from .naming import missing_attribute
from .tensor import linalg_functions


def __getattr__(name: str) -> Any:
    if name in linalg_functions:
        found = globals()[name] = linalg_functions[name]
        return found
    raise missing_attribute(__name__, name, {**globals(), **linalg_functions.records})


def __dir__() -> list[str]:
    return linalg_functions.names()
