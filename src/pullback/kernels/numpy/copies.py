"""NumPy kernels of views as copies: the view's kernel, and then a copy in the order of the elements."""

from collections.abc import Callable
from typing import Any

from ...ops.copies import COPIES, UNSAFE
from . import complex_numbers, shape, slicing, striding, transposition  # noqa: F401  (the kernels of views)
from .registry import KERNELS, kernel


def copied(found: Any) -> Any:
    return tuple([each.copy() for each in found]) if isinstance(found, tuple) else found.copy()


def copying(view: Callable) -> Callable:
    return lambda *args: copied(view(*args))


for view, copy in COPIES.items():
    KERNELS[copy.name] = copying(KERNELS[view.name])
for view, unsafe in UNSAFE.items():
    KERNELS[unsafe.name] = KERNELS[view.name]
KERNELS["narrowed_copy"] = KERNELS["slice_copy"]


@kernel
def alias_copy(input):
    return input.copy()


@kernel
def detach_copy(input):
    return input.copy()
