"""Where the NumPy kernels are entered, by the name of their operation."""

from collections.abc import Callable

KERNELS: dict[str, Callable] = {}


def kernel(function: Callable) -> Callable:
    """Enter a function as the kernel of the operation of the same name (a trailing underscore is dropped)."""
    KERNELS[function.__name__.rstrip("_")] = function
    return function


# Kernels that write their result into the first argument, for in-place forms that can do better than to compute the
# whole result and copy it: `INTO["copy"](target, source)`.
INTO: dict[str, Callable] = {}


def kernel_into(function: Callable) -> Callable:
    """Enter ``copy_into(target, ...)`` as the in-place kernel of ``copy``."""
    INTO[function.__name__.removesuffix("_into")] = function
    return function


# The bare ufunc of an operation whose kernel has more parameters than that, for the fast paths.
UFUNCS: dict[str, Callable] = {}
