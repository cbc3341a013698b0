"""The named tuples that operations with several outputs return, as ``torch.return_types`` has them."""

from collections import namedtuple
from functools import cache
from typing import Any


@cache
def named_tuple(name: str, fields: tuple[str, ...]) -> type:
    """The type of what the operation ``name`` returns."""
    made = namedtuple(name, fields, module="pullback.return_types")  # type: ignore[misc]

    def show(self: Any) -> str:
        body = ",\n".join(f"{f}={value!r}" for f, value in zip(fields, self, strict=True))
        return f"torch.return_types.{name}(\n{body})"

    made.__repr__ = show  # type: ignore[assignment,method-assign]
    return made


def returned(name: str, **values: Any) -> Any:
    """What an overload returns: a named tuple of these values."""
    return named_tuple(name, tuple(values))(*values.values())
