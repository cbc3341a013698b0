"""How an array library computes each operation of the table: one kernel an operation, on raw arrays.

A kernel has its operation's parameters, in order and with the same defaults. An operation that is declared as a
formula needs none: the formula, run on arrays, is its kernel.
"""

import warnings
from collections.abc import Callable
from functools import partial
from typing import Any

from ..ops.table import TABLE, Op


class Arrays:
    """The namespace ``xp`` of rules that run on raw NumPy arrays: ``xp.sin`` is the kernel of ``sin``."""

    recorded = False

    def __getattr__(self, name: str) -> Callable:
        if name not in TABLE:
            raise AttributeError(f"there is no operation {name!r} in the table")
        found = kernel_of(TABLE[name])
        setattr(self, name, found)
        return found

    @staticmethod
    def call(op: Op, args: Any) -> Any:
        return kernel_of(op)(*args)


def kernel_of(op: Op) -> Callable:
    """The NumPy kernel of an operation, found on first use and then kept in the record."""
    if op.kernel is None:
        from .numpy import KERNELS

        if op.name in KERNELS:
            op.kernel = KERNELS[op.name]
        elif op.composite:
            op.kernel = partial(op.composite, arrays)
        else:
            raise NotImplementedError(f"{op.name}: the table has no NumPy kernel for it")
    return op.kernel


arrays = Arrays()

# The logarithm of zero is minus infinity, and PyTorch does not warn of it. NumPy would, at the cost of a context per
# operation to silence it; its warnings about floating-point results are ignored where they come from our code.
warnings.filterwarnings("ignore", category=RuntimeWarning, module=r"pullback\.")
