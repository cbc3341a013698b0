"""``torch.testing``: comparing results, and making tensors to compare with."""

import math
import warnings
from collections.abc import Callable, Mapping, Sequence
from numbers import Number
from types import SimpleNamespace
from typing import Any

import numpy as np

from . import dtypes
from .creation import empty
from .from_data import as_tensor, tensor
from .sampling import randint
from .tape.value import Tensor
from .tensor import functions

__all__ = ["assert_allclose", "assert_close", "make_tensor"]

TOLERANCES = {  # rtol and atol; integers and booleans must be equal
    dtypes.float16: (1e-3, 1e-5),
    dtypes.bfloat16: (1.6e-2, 1e-5),
    dtypes.float32: (1.3e-6, 1e-5),
    dtypes.float64: (1e-7, 1e-7),
    dtypes.complex64: (1.3e-6, 1e-5),
    dtypes.complex128: (1e-7, 1e-7),
}
WIDEST = {float: dtypes.float64, complex: dtypes.complex128}  # Python's numbers


def assert_close(
    actual: Any,
    expected: Any,
    *,
    allow_subclasses: bool = True,
    rtol: float | None = None,
    atol: float | None = None,
    equal_nan: bool = False,
    check_device: bool = True,
    check_dtype: bool = True,
    check_layout: bool = True,
    check_stride: bool = False,
    msg: str | Callable[[str], str] | None = None,
) -> None:
    """Raise unless ``|actual - expected| <= atol + rtol * |expected|`` for all elements.

    Args:
        actual, expected: tensors, numbers, NumPy arrays, None, or sequences and mappings of them.
        rtol, atol: both or none; the defaults depend on the dtypes.
        equal_nan: NaN equals NaN.
        check_dtype, check_stride: dtypes, and strides, must agree too. ``check_device``, ``check_layout`` and
            ``allow_subclasses`` have no effect: there is one device, and one layout.
        msg: the error's message, or a function that makes it of the usual one.

    Raises:
        AssertionError: they differ; says how many elements do, where most, and by how much.
        TypeError: two things of different kinds. ValueError: only one of ``rtol`` and ``atol`` is given.

    >>> import pullback as torch
    >>> torch.testing.assert_close(torch.tensor([1.0, 2.0]), torch.tensor([1.0, 2.5]))
    Traceback (most recent call last):
    AssertionError: Tensor-likes are not close!
    <BLANKLINE>
    Mismatched elements: 1 / 2 (50.0%)
    Greatest absolute difference: 0.5 at index (1,) (up to 1e-05 allowed)
    Greatest relative difference: 0.20000000298023224 at index (1,) (up to 1.3e-06 allowed)
    """
    if (rtol is None) != (atol is None):
        missing = "rtol" if rtol is None else "atol"
        raise ValueError(f"Both 'rtol' and 'atol' must be either specified or omitted, but got no {missing}.")
    settings = SimpleNamespace(rtol=rtol, atol=atol, equal_nan=equal_nan, dtype=check_dtype, stride=check_stride)
    found = difference(actual, expected, "", settings)
    if found:
        raise AssertionError(found if msg is None else msg(found) if callable(msg) else msg)


def difference(a: Any, e: Any, place: str, settings: Any) -> str:
    """What is wrong, or an empty string; ``place`` says which item of the whole these are."""
    text = ""
    if isinstance(a, Mapping) and isinstance(e, Mapping):
        keys: Any = e
        if a.keys() != e.keys():
            missing, more = [k for k in e if k not in a], [k for k in a if k not in e]
            text = f"Missing keys in the actual mapping: {missing}\nAdditional keys in the actual mapping: {more}"
            text = f"The keys of the mappings do not match:\n{text}"
    elif all(isinstance(s, Sequence) and not isinstance(s, str) for s in (a, e)):
        keys = range(len(e))
        if len(a) != len(e):
            text = f"The length of the sequences mismatch: {len(a)} != {len(e)}"
    else:
        keys, text = (), difference_of_leaves(a, e, settings)
    if text:
        return f"{text}\n\nThe failure occurred for item {place}" if place else text
    return next(filter(None, (difference(a[k], e[k], f"{place}[{k!r}]", settings) for k in keys)), "")


def difference_of_leaves(a: Any, e: Any, settings: Any) -> str:
    if a is None or e is None:
        return "" if a is e else f"None mismatch: {a} is not {e}"
    if isinstance(a, bool) and isinstance(e, bool):
        return "" if a is e else f"Booleans mismatch: {a} is not {e}"
    if isinstance(a, Number) and isinstance(e, Number):
        if settings.dtype and type(a) is not type(e):
            return f"The (d)types do not match: {type(a)} != {type(e)}."
        a, e = tensor(a, dtype=WIDEST.get(type(a))), tensor(e, dtype=WIDEST.get(type(e)))
    elif isinstance(a, np.ndarray) and isinstance(e, np.ndarray):
        a, e = as_tensor(a), as_tensor(e)
    elif not (isinstance(a, Tensor) and isinstance(e, Tensor)):
        raise TypeError(f"No comparison pair was able to handle inputs of type {type(a)} and {type(e)}.")
    checked = {"shape": (a.shape, e.shape), "dtype": (a.dtype, e.dtype), "stride()": (a.stride(), e.stride())}
    for attribute in ["shape", *["dtype"] * settings.dtype, *["stride()"] * settings.stride]:
        if checked[attribute][0] != checked[attribute][1]:
            return "The values for attribute {!r} do not match: {} != {}.".format(attribute, *checked[attribute])
    return difference_of_arrays(a, e, settings)


def difference_of_arrays(a: Any, e: Any, settings: Any) -> str:
    rtol, atol = settings.rtol, settings.atol
    if rtol is None:
        rtol, atol = map(max, zip(*(TOLERANCES.get(t.dtype, (0.0, 0.0)) for t in (a, e)), strict=True))
    kind = dtypes.promote_types(a.dtype, e.dtype)
    kind = kind if kind.category >= 2 else dtypes.int64
    x, y = (np.asarray(t.detach().to(kind)._data) for t in (a, e))
    exact = not (rtol or atol)
    with np.errstate(all="ignore"):
        wrong = x != y if exact and kind is dtypes.int64 else ~np.isclose(x, y, rtol, atol, settings.equal_nan)
        apart = np.abs(x - y) * wrong
        gaps = {"absolute": (apart, atol), "relative": (np.where(wrong, apart / np.abs(y), 0), rtol)}
    if not wrong.any():
        return ""
    equal, allowed = ("equal", "") if exact else ("close", " (up to {} allowed)")
    if not x.ndim:
        head = f"Scalars are not {equal}!\n\nExpected {y} but got {x}."
        return head + "".join(f"\n{name.title()} difference: {g}{allowed.format(t)}" for name, (g, t) in gaps.items())
    text = f"Tensor-likes are not {equal}!\n\nMismatched elements: {wrong.sum()} / {wrong.size} ({wrong.mean():.1%})"
    for name, (gap, most) in gaps.items():
        index = tuple(map(int, np.unravel_index(gap.argmax(), gap.shape)))
        text += f"\nGreatest {name} difference: {gap[index].item()} at index {index}{allowed.format(most)}"
    return text


def assert_allclose(
    actual: Any, expected: Any, rtol: Any = None, atol: Any = None, equal_nan: bool = True, msg: Any = ""
) -> None:
    """The older form of :func:`assert_close`, with looser defaults; data that is no tensor becomes one. Deprecated."""
    text = "`torch.testing.assert_allclose()` is deprecated since 1.12; use `torch.testing.assert_close()` instead"
    warnings.warn(text, FutureWarning, stacklevel=2)
    a: Any = as_tensor(actual)
    e = as_tensor(expected, dtype=a.dtype)
    if rtol is None and atol is None:
        rtol, atol = (1e-3, 1e-3) if a.dtype is dtypes.float16 else (1e-4, 1e-5)
    assert_close(a, e, rtol=rtol, atol=atol, equal_nan=equal_nan, check_dtype=False, msg=msg or None)


def make_tensor(
    *shape: Any,
    dtype: Any,
    device: Any = None,
    low: float | None = None,
    high: float | None = None,
    requires_grad: bool = False,
    noncontiguous: bool = False,
    exclude_zero: bool = False,
    memory_format: Any = None,
) -> Tensor:
    """A tensor of random numbers from ``low`` up to, not including, ``high``: by default -9 to 9, or what the dtype holds.

    Args:
        noncontiguous: every second element of a larger tensor. exclude_zero: the least positive number instead of zeros.

    Raises:
        ValueError: a limit is NaN, ``low`` is not below ``high``, or integers should require grad.
    """
    size = tuple(shape[0]) if len(shape) == 1 and isinstance(shape[0], Sequence) else shape
    strided = noncontiguous and math.prod(size) > 1
    size = (*size[:-1], 2 * size[-1]) if strided else size
    floating, signed = dtype.category >= 2, dtype.is_signed or dtype.category == 3
    default = (-9, 9) if floating else (0, 2) if dtype is dtypes.bool else (-9 if signed else 0, 10)
    low, high = (d if given is None else given for given, d in zip((low, high), default, strict=True))
    if low != low or high != high:
        raise ValueError(f"`low` and `high` cannot be NaN, but got low={low} and high={high}")
    if low > high or (low == high and not floating):
        raise ValueError(f"`low` must be less than `high`, but got {low} >= {high}")
    if requires_grad and not floating:
        raise ValueError(f"`requires_grad=True` is not supported for boolean and integral dtypes, but got {dtype=}")
    if dtype.category == 3:
        parts: Any = empty((*size, 2), dtype=dtypes.float64 if dtype.itemsize == 16 else dtypes.float32)
        made: Any = functions["view_as_complex"](parts.uniform_(low, high))
    elif floating:
        made = empty(size, dtype=dtype)
        made.uniform_(low, high)
    else:
        most = 2 if dtype is dtypes.bool else high
        made = randint(math.ceil(low), math.ceil(min(high, most)), size, dtype=dtype)
    if strided:
        made = made[..., 1::2]
    if exclude_zero:
        made[made == 0] = dtypes.finfo(dtype).tiny if floating else 1
    return made.requires_grad_(requires_grad)
