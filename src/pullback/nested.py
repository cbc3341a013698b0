"""From Python data to arrays: numbers, nested sequences of them, and whatever else a tensor can be made from.

Responsible for the shape and the dtype that PyTorch would infer, and for its errors. Knows tensors only as elements of a
sequence, by their ``item()``.
"""

import math
from functools import cache, reduce
from itertools import chain
from typing import Any

import numpy as np

from . import dtypes

NUMBERS = (bool, int, float, complex)  # in the order of the dtypes' categories
CATEGORY = {kind: category for category, kind in enumerate(NUMBERS)}


def array_of(data: Any, dtype: dtypes.dtype | None = None) -> np.ndarray:
    """A new array that holds ``data``, in the dtype given or the one that its elements imply.

    Raises:
        ValueError: sequences of one depth differ in length, or an integer passes 64 bits.
        TypeError, RuntimeError: an element is no number, or does not fit the dtype.
    """
    if isinstance(data, (str, bytes)):
        raise TypeError(
            f"new(): invalid data type '{type(data).__name__}'; expected numbers, or nested sequences of them"
        )
    shape: list[int] = []
    leaves = [data]
    if is_sequence(data):
        shape = shape_of(data)
        leaves = leaves_of(data, shape)
    kinds = set(map(type, leaves))
    if kinds <= CATEGORY.keys():
        return fill(leaves, dtype or of_categories(kinds)).reshape(shape)
    return fill([number(leaf) for leaf in leaves], dtype or common_dtype(leaves)).reshape(shape)


def is_sequence(data: Any) -> bool:
    """Whether PyTorch looks for elements inside; a tensor is one element, and so is an array without dimensions."""
    if isinstance(data, (list, tuple)):
        return True
    if type(data) in CATEGORY or isinstance(data, (str, bytes, dict, set)) or hasattr(data, "requires_grad"):
        return False
    return hasattr(data, "__len__") and hasattr(data, "__getitem__") and getattr(data, "ndim", 1) > 0


def shape_of(data: Any) -> list[int]:
    """The lengths met on the way down the first elements."""
    shape = []
    while is_sequence(data):
        shape.append(len(data))
        if not shape[-1]:
            break
        data = data[0]
    return shape


def leaves_of(data: Any, shape: list[int]) -> list:
    """All elements, in row-major order."""
    level = list(data)
    for dim, length in enumerate(shape[1:], 1):
        if not (set(map(type, level)) <= {list, tuple} and set(map(len, level)) == {length}):
            check_level(level, dim, length)
        level = list(chain.from_iterable(level))
    return level


def check_level(level: list, dim: int, length: int) -> None:
    for item in level:
        if not is_sequence(item):
            raise TypeError(f"not a sequence: expected one of length {length} at dim {dim}, got {type(item).__name__}")
        if len(item) != length:
            raise ValueError(f"expected sequence of length {length} at dim {dim} (got {len(item)})")


def of_categories(kinds: set[type]) -> dtypes.dtype:
    """The dtype of Python numbers: the highest kind decides; floats, and no numbers at all, are of the default dtype."""
    highest = max([CATEGORY[kind] for kind in kinds], default=2)
    if highest < 2:
        return dtypes.int64 if highest else dtypes.bool
    return dtypes.get_default_dtype() if highest == 2 else dtypes.default_complex()


def common_dtype(leaves: list) -> dtypes.dtype:
    """The dtype that holds all elements, of which some bring their own."""
    return reduce(dtypes.promote_types, {infer_one(leaf) for leaf in leaves})


def infer_one(leaf: Any) -> dtypes.dtype:
    dtype = getattr(leaf, "dtype", None)
    if dtype is not None and hasattr(leaf, "item"):
        return dtype if isinstance(dtype, dtypes.dtype) else dtypes.from_numpy(dtype)
    if isinstance(leaf, NUMBERS):
        return dtypes.of_scalar(leaf)
    if isinstance(leaf, str):
        raise ValueError("too many dimensions 'str'; expected numbers")
    raise RuntimeError(
        f"Could not infer dtype of {type(leaf).__name__}; expected numbers, or nested sequences of numbers"
    )


def number(leaf: Any) -> Any:
    """An element as a Python number."""
    if type(leaf) in CATEGORY:
        return leaf
    if getattr(leaf, "ndim", 0) and math.prod(leaf.shape) != 1:
        raise ValueError("only one element tensors can be converted to Python scalars")
    if hasattr(leaf, "item"):
        return leaf.item()
    if isinstance(leaf, NUMBERS):
        return leaf
    if is_sequence(leaf):
        raise TypeError(
            f"expected a number, got a {type(leaf).__name__}: the elements are not nested to the same depth"
        )
    infer_one(leaf)  # raises for what is no number
    raise AssertionError


def fill(numbers: list, dtype: dtypes.dtype) -> np.ndarray:
    """A flat array of Python numbers."""
    narrow = dtype.itemsize < 4 and dtype.category >= 2  # by way of float32, as PyTorch rounds them
    try:
        with np.errstate(over="ignore"):
            array = np.array(numbers, np.float32 if narrow else dtype.numpy)
            return array.astype(dtype.numpy) if narrow else array
    except (OverflowError, ValueError):
        if dtype.category >= 2:
            raise
        return np.array([element(number, dtype) for number in numbers], dtype.numpy)
    except TypeError:
        raise TypeError(f"must be real number, not complex: complex numbers cannot become {dtype}") from None


def element(number: Any, dtype: dtypes.dtype) -> Any:
    if isinstance(number, int) and dtype is dtypes.int64 and not -(2**63) <= number < 2**63:
        raise ValueError(f"Overflow when unpacking long long: {number} does not fit into 64 bits")
    return fitting(number, dtype)


def fitting(number: Any, dtype: dtypes.dtype) -> Any:
    """A Python number as one that ``dtype`` holds: fractions are cut off, negative ones wrap around in unsigned types.

    Raises:
        RuntimeError: it does not fit.
    """
    if dtype is dtypes.bool:
        return bool(number)
    if isinstance(number, complex) and not dtype.is_complex:
        if number.imag:
            raise does_not_fit(number, dtype)
        number = number.real
    if dtype.category >= 2:
        if not isinstance(number, complex) and math.isfinite(number) and abs(number) > bounds(dtype)[1]:
            raise does_not_fit(number, dtype)
        return number
    low, high = bounds(dtype)
    if not math.isfinite(number) or not min(low, -high) <= int(number) <= high:
        raise does_not_fit(number, dtype)
    return int(number) if dtype.is_signed else int(number) % int(high + 1)


@cache
def bounds(dtype: dtypes.dtype) -> tuple[Any, Any]:
    """The least and the largest number of a dtype."""
    limits = dtypes.finfo(dtype) if dtype.category >= 2 else dtypes.iinfo(dtype)
    return limits.min, limits.max


def one(value: Any, dtype: dtypes.dtype) -> Any:
    """A Python number as NumPy's scalar of a dtype; RuntimeError where it does not fit."""
    kind = np.float32 if dtype.itemsize < 4 and dtype.category >= 2 else dtype.numpy.type
    return kind(fitting(value, dtype))


def does_not_fit(number: Any, dtype: dtypes.dtype) -> RuntimeError:
    return RuntimeError(f"value cannot be converted to type {dtype.name} without overflow: {number}")
