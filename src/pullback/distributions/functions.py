"""The functions of ``torch`` as this package calls them: ``F.log(x)``, ``F.rand(shape)``, ``F.linalg.cholesky(a)``.

Names, nothing else; the front door, which has them all, stands above this package.
"""

from collections.abc import Callable
from typing import Any

from .. import creation, from_data, info, sampling
from ..tensor import functional_functions, functions, linalg_functions, special_functions


class Functions:
    """Functions of the table, looked up when they are first asked for."""

    def __init__(self, *tables: Any, **others: Any) -> None:
        self._tables = tables
        self.__dict__.update(others)

    def __getattr__(self, name: str) -> Any:
        for table in self._tables:
            if name in table:
                found = self.__dict__[name] = table[name]
                return found
        raise AttributeError(f"torch has no function {name!r} in Pullback")


def members(*modules: Any) -> dict[str, Any]:
    return {name: vars(module)[name] for module in modules for name in module.__all__}


F = Functions(
    functions,
    functional_functions,
    special_functions,
    linalg=Functions(linalg_functions),
    nn=Functions(functional_functions),
    **members(creation, from_data, info, sampling),
)


def formula(function: Callable) -> Any:
    """A property given by a formula: ``mean = formula(lambda self: self.loc)``."""
    return property(function)
