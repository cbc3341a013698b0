"""Entering elementwise kernels, with the kinds of dtypes that they are for.

NumPy's functions take other dtypes than PyTorch's (they order complex numbers, and round bools), and combine Python
numbers with small dtypes in another way: an integer that does not fit is an error and not wrapped around, a float beside
bfloat16 gives float32. An entered kernel makes that right for all dtypes but float32 and float64, for which nothing is to
be done: their fast paths take the bare function.
"""

from collections.abc import Callable
from functools import update_wrapper
from typing import Any

import numpy as np

from ... import dtypes
from .registry import INTO, KERNELS, UFUNCS

F32, F64 = np.dtype("float32"), np.dtype("float64")
EVERY = "bifc"  # bool, integer, floating, complex
KINDS = {"b": "b", "i": "i", "u": "i", "f": "f", "V": "f", "c": "c"}  # NumPy's letters, V being that of bfloat16
WORDS = {"b": "bool", "i": "integer", "f": "floating", "c": "complex"}


def defined_for(kinds: str, **options: Any) -> Callable:
    """Enter a function as the kernel of the operation of the same name, for dtypes of these kinds."""
    return lambda function: enter(function.__name__.rstrip("_"), function, kinds, **options)


def enter(
    name: str, compute: Callable, kinds: str = EVERY, *, rounds_numbers: bool = False, wraps_numbers: bool = True
) -> Callable:
    """Enter ``compute`` as a kernel.

    float16 and bfloat16 are computed in float32, and rounded once; where ``rounds_numbers``, in themselves, to which
    Python numbers are rounded first (that is, where a result is one of the operands, or a comparison of them). Python
    integers beside integer arrays are wrapped around, unless ``wraps_numbers`` is False.
    """

    has_floating = "f" in kinds

    def kernel(*operands: Any, **options: Any) -> Any:
        dtype = dtype_of(operands)
        if (dtype is F32 or dtype is F64 or dtype is None) and has_floating:
            return compute(*operands, **options)
        kind = KINDS[dtype.kind]
        if kind not in kinds:
            raise refusal(name, dtype, kinds)
        if kind == "i" and wraps_numbers:
            operands = tuple([wrapped(a, dtype) if type(a) is int else a for a in operands])
        elif kind == "f" and dtype.itemsize == 2:
            if not rounds_numbers:
                return in_single(compute, dtype, operands, options)
            operands = tuple([dtype.type(a) if type(a) in (int, float) else a for a in operands])
        return compute(*operands, **options)

    KERNELS[name] = update_wrapper(kernel, compute)
    if has_floating:
        UFUNCS[name] = compute
    return compute


def dtype_of(operands: Any) -> Any:
    """The dtype of the first operand that is no Python number."""
    for a in operands:
        dtype = getattr(a, "dtype", None)
        if dtype is not None:
            return dtype
    return None


def wrapped(number: int, dtype: np.dtype) -> Any:
    """A Python integer as an array element of an integer dtype, modulo what that can hold."""
    limits = np.iinfo(dtype)
    return number if limits.min <= number <= limits.max else np.asarray(number).astype(dtype)


def in_single(compute: Callable, dtype: np.dtype, operands: Any, options: dict) -> Any:
    result = compute(*[a.astype(F32) if hasattr(a, "dtype") and a.dtype == dtype else a for a in operands], **options)
    return result.astype(dtype) if result.dtype is F32 else result


def refusal(name: str, dtype: np.dtype, kinds: str) -> NotImplementedError:
    """PyTorch's error for a dtype that an operation is not defined for."""
    expected = " or ".join(WORDS[kind] for kind in kinds)
    return NotImplementedError(
        f"\"{name}\" not implemented for '{dtypes.from_numpy(dtype)._word}'; expected {expected}"
    )


def enter_into(name: str, ufunc: Callable) -> None:
    """Enter the in-place kernel of an operation that a ufunc of NumPy's computes."""
    kernel = KERNELS[name]

    def write(target: Any, *operands: Any) -> None:
        if target.dtype is F32 or target.dtype is F64:
            ufunc(target, *operands, out=target, casting="unsafe")
        else:
            target[...] = kernel(target, *operands)

    INTO[name] = write
