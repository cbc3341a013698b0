"""The namespace of ``torch.special``: functions made from the table when they are first asked for."""

from typing import Any

from .naming import missing_attribute
from .tensor import special_functions


def __getattr__(name: str) -> Any:
    if name in special_functions:
        found = globals()[name] = special_functions[name]
        return found
    raise missing_attribute(__name__, name, {**globals(), **special_functions.records})


def __dir__() -> list[str]:
    return special_functions.names()
