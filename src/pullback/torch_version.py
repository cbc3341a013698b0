"""``torch.torch_version``: a version that is a string, and is compared as a version."""

import re
from typing import Any


class TorchVersion(str):
    """A version such as ``"2.13.0+pullback0.1.0"``, less than ``"3"`` and ``(2, 14)``.

    >>> TorchVersion("2.13.0+cpu") > "2.4", TorchVersion("2.13.0") >= (2, 13)
    (True, True)
    """

    def _order(self, other: Any) -> int:
        mine, theirs = release(self), release(other)
        return (mine > theirs) - (mine < theirs)

    def __lt__(self, other: Any) -> bool:
        return self._order(other) < 0

    def __le__(self, other: Any) -> bool:
        return self._order(other) <= 0

    def __gt__(self, other: Any) -> bool:
        return self._order(other) > 0

    def __ge__(self, other: Any) -> bool:
        return self._order(other) >= 0


def release(version: Any) -> list[int]:
    """The numbers of a version, as a string or a tuple, without zeros at the end."""
    if not isinstance(version, str):
        version = ".".join(map(str, version))
    found = re.match(r"\s*v?(\d+(?:\.\d+)*)", version)
    numbers = [int(part) for part in found[1].split(".")] if found else []
    while numbers and not numbers[-1]:
        numbers.pop()
    return numbers
