"""Reading the arguments that functions making tensors share: sizes, dtypes, numbers and where the tensor goes.

Every such function makes its array and ends in :func:`made`.
"""

import operator
from typing import Any, TypedDict

import numpy as np

from . import dtypes, nested
from .devices import check_device, check_layout
from .out import write_out
from .tape.modes import modes
from .tape.value import CARE, Tensor, wrap

PYTHON_TYPES = {bool: dtypes.bool, int: dtypes.int64, float: dtypes.float64, complex: dtypes.complex128}


def as_dtype(name: str, dtype: Any, default: dtypes.dtype | None = None) -> dtypes.dtype:
    """A ``dtype=`` argument; the default (or the default dtype) for None."""
    if isinstance(dtype, dtypes.dtype):
        return dtype
    if dtype is None:
        return default or dtypes.get_default_dtype()
    if isinstance(dtype, type) and dtype in PYTHON_TYPES:
        return PYTHON_TYPES[dtype]
    raise TypeError(f"{name}(): argument 'dtype' must be torch.dtype, not {type(dtype).__name__}")


def as_shape(name: str, sizes: tuple, size: Any = None) -> tuple[int, ...]:
    """The shape given as several integers, as one sequence of them, or by the keyword ``size``."""
    if size is not None:
        if sizes:
            raise TypeError(f"{name}() got multiple values for argument 'size'")
        sizes = (size,)
        if not isinstance(size, (tuple, list)):
            raise TypeError(f"{name}(): argument 'size' must be tuple of ints, not {type(size).__name__}")
    elif not sizes:
        raise TypeError(f'{name}() missing 1 required positional arguments: "size"')
    given = sizes[0] if len(sizes) == 1 and isinstance(sizes[0], (tuple, list)) else sizes
    shape = tuple([n if type(n) is int else as_size(name, n, i) for i, n in enumerate(given)])
    if shape and min(shape) < 0:
        raise RuntimeError(f"{name}: Trying to create tensor with negative dimension {min(shape)}: {list(shape)}")
    return shape


def as_size(name: str, n: Any, position: int) -> int:
    if not isinstance(n, bool) and hasattr(n, "__index__"):
        return operator.index(n)
    raise TypeError(
        f"{name}(): argument 'size' (position 1) must be tuple of ints, but found element of type "
        f"{type(n).__name__} at pos {position}"
    )


def as_count(name: str, argument: str, n: Any, position: int = 1) -> int:
    """An integer argument that says how many, or which."""
    if isinstance(n, bool) or not hasattr(n, "__index__"):
        raise TypeError(f"{name}(): argument '{argument}' (position {position}) must be int, not {type(n).__name__}")
    return operator.index(n)


def as_number(name: str, argument: str, value: Any, position: int = 1) -> Any:
    """A Python number; tensors without dimensions and NumPy's scalars are read."""
    if isinstance(value, Tensor) and not value.ndim and not value.requires_grad:  # type: ignore[attr-defined]
        return value.item()  # type: ignore[attr-defined]
    if isinstance(value, np.generic) and value.dtype.kind in "biufc":
        return value.item()
    if isinstance(value, nested.NUMBERS):
        return value
    raise TypeError(f"{name}(): argument '{argument}' (position {position}) must be Number, not {type(value).__name__}")


def check_tensor(name: str, value: Any) -> None:
    if not isinstance(value, Tensor):
        raise TypeError(f"{name}(): argument 'input' (position 1) must be Tensor, not {type(value).__name__}")


class Options(TypedDict, total=False):
    """The keywords that all functions making tensors take; the last two are accepted and change nothing."""

    device: Any  # "cpu", or None
    layout: Any  # strided, or None
    requires_grad: bool
    pin_memory: bool
    memory_format: Any


def made(name: str, array: np.ndarray, options: Options, out: Tensor | None = None) -> Tensor:
    """The leaf that holds a new array; or ``out``, with the array written into it."""
    if options:
        check_options(name, options)
    if out is not None:
        return write_out(out, wrap(array))
    tensor = wrap(array)
    if modes.inference:
        tensor._inference, tensor._flags = True, CARE
    return tensor.requires_grad_() if options.get("requires_grad") else tensor  # type: ignore[attr-defined]


def check_options(name: str, options: Options) -> None:
    for keyword in options:
        if keyword not in Options.__annotations__:
            raise TypeError(f"{name}() got an unexpected keyword argument '{keyword}'")
    check_device(options.get("device"))
    check_layout(options.get("layout"))
