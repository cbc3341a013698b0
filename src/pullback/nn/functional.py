"""``torch.nn.functional``: the operations of the table that live in that namespace. Names, nothing else."""

from typing import Any

from ..naming import missing_attribute
from ..tensor import functional_functions


def __getattr__(name: str) -> Any:
    """Make a function when it is first asked for."""
    if name in functional_functions:
        made = globals()[name] = functional_functions[name]
        return made
    raise missing_attribute(__name__, name, __dir__())


def __dir__() -> list[str]:
    return [*globals(), *functional_functions.names()]
