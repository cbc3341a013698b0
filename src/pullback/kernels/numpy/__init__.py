"""NumPy's kernels, one file a family. What NumPy lacks comes from SciPy, imported where it is first called.

The families are imported when a table of kernels is first asked for: by the first operation, not by ``import pullback``.
"""

from importlib import import_module
from typing import Any


def __getattr__(name: str) -> Any:
    """``KERNELS``, ``INTO`` and ``UFUNCS`` of ``registry``, with those of all families in them."""
    if name not in ("KERNELS", "INTO", "UFUNCS"):
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from pkgutil import iter_modules

    for family in iter_modules(__path__):
        import_module(f"{__name__}.{family.name}")
    found = globals()[name] = getattr(import_module(f"{__name__}.registry"), name)
    return found
