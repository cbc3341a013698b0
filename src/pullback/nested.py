"""From Python data to arrays: numbers, nested sequences of them, and whatever else a tensor can be made from.

Responsible for the shape and the dtype that PyTorch would infer, and for its errors. Knows tensors only as elements of a
sequence, by their ``item()``.
"""

import math
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
    kind = type(data)
    if kind in CATEGORY:
        return fill([data], dtype or of_categories({CATEGORY[kind]})).reshape(())
    if is_sequence(data):
        shape = shape_of(data)
        leaves = leaves_of(data, shape)
        return fill(plain(leaves), dtype or infer(leaves)).reshape(shape)
    if isinstance(data, (str, bytes)):
        raise TypeError(f"new(): invalid data type '{kind.__name__}'; expected numbers, or nested sequences of numbers")
    return fill(plain([data]), dtype or infer([data])).reshape(())


def is_sequence(data: Any) -> bool:
    """Whether PyTorch looks for elements inside; a tensor is one element, and so is an array without dimensions."""
    if isinstance(data, (list, tuple)):
        return True
    if isinstance(data, (str, bytes, dict, set)) or hasattr(data, "requires_grad"):
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


def infer(leaves: list) -> dtypes.dtype:
    """The dtype that holds all elements: the default dtype for floats, int64 for ints, an array's own for its elements."""
    kinds = set(map(type, leaves))
    if kinds <= CATEGORY.keys():
        return of_categories({CATEGORY[kind] for kind in kinds})
    found: dtypes.dtype | None = None
    for each in {infer_one(leaf) for leaf in leaves}:
        found = each if found is None else dtypes.promote_types(found, each)
    assert found is not None
    return found


def of_categories(categories: set[int]) -> dtypes.dtype:
    """The dtype of Python numbers, by the highest category among them; of none at all, the default."""
    highest = max(categories, default=2)
    if highest < 2:
        return dtypes.int64 if highest else dtypes.bool
    return dtypes.get_default_dtype() if highest == 2 else dtypes.default_complex()


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


def plain(leaves: list) -> list:
    """The elements as Python numbers, so that one conversion fits all."""
    if set(map(type, leaves)) <= CATEGORY.keys():
        return leaves
    return [leaf if type(leaf) in CATEGORY else number(leaf) for leaf in leaves]


def number(leaf: Any) -> Any:
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
        if not isinstance(number, complex) and math.isfinite(number) and abs(number) > dtypes.finfo(dtype).max:
            raise does_not_fit(number, dtype)
        return number
    limits = dtypes.iinfo(dtype)
    if not math.isfinite(number) or not min(limits.min, -limits.max) <= int(number) <= limits.max:
        raise does_not_fit(number, dtype)
    return int(number) if dtype.is_signed else int(number) % 2**limits.bits


def one(value: Any, dtype: dtypes.dtype) -> Any:
    """A Python number as NumPy's scalar of a dtype; RuntimeError where it does not fit."""
    return fill([fitting(value, dtype)], dtype)[0]


def does_not_fit(number: Any, dtype: dtypes.dtype) -> RuntimeError:
    return RuntimeError(f"value cannot be converted to type {dtype.name} without overflow: {number}")
