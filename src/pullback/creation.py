"""Functions that create tensors of given numbers; ``sampling`` has those of random ones, ``from_data`` the rest.

What they make is an ordinary tensor inside transforms too: a leaf, of level 0.
"""

import math
import warnings
from typing import Any, Unpack

import numpy as np

from . import dtypes, nested
from .arguments import Options, as_count, as_dtype, as_number, as_shape, check_tensor, made
from .random import _scaled as fused
from .tape.promotion import dtype_of
from .tape.value import Tensor

# -- of one number -----------------------------------------------------------------------------------------------------


def empty(*sizes: Any, size: Any = None, out: Any = None, dtype: Any = None, **options: Unpack[Options]) -> Tensor:
    """A tensor whose elements are whatever the memory held."""
    return made("empty", np.empty(as_shape("empty", sizes, size), as_dtype("empty", dtype).numpy), options, out)


def zeros(*sizes: Any, size: Any = None, out: Any = None, dtype: Any = None, **options: Unpack[Options]) -> Tensor:
    """A tensor of zeros: ``zeros(2, 3)`` or ``zeros((2, 3))``."""
    return made("zeros", np.zeros(as_shape("zeros", sizes, size), as_dtype("zeros", dtype).numpy), options, out)


def ones(*sizes: Any, size: Any = None, out: Any = None, dtype: Any = None, **options: Unpack[Options]) -> Tensor:
    """A tensor of ones: ``ones(2, 3)`` or ``ones((2, 3))``."""
    return made("ones", np.ones(as_shape("ones", sizes, size), as_dtype("ones", dtype).numpy), options, out)


def full(size: Any, fill_value: Any, *, out: Any = None, dtype: Any = None, **options: Unpack[Options]) -> Tensor:
    """A tensor of one number, in that number's dtype where none is given."""
    shape = as_shape("full", (), size)
    value = as_number("full", "fill_value", fill_value, 2)
    return made("full", filled(shape, value, as_dtype("full", dtype, dtypes.of_scalar(value))), options, out)


def filled(shape: tuple, value: Any, dtype: dtypes.dtype) -> np.ndarray:
    return np.full(shape, nested.one(value, dtype), dtype.numpy)


def scalar_tensor(s: Any, *, dtype: Any = None, **options: Unpack[Options]) -> Tensor:
    """A tensor without dimensions."""
    value, kind = as_number("scalar_tensor", "s", s), as_dtype("scalar_tensor", dtype)
    return made("scalar_tensor", filled((), value, kind), options)


def empty_strided(size: Any, stride: Any, *, dtype: Any = None, **options: Unpack[Options]) -> Tensor:
    """A tensor of given shape and strides (in elements) on memory of its own."""
    shape, strides = as_shape("empty_strided", (), size), as_shape("empty_strided", (), stride)
    if len(shape) != len(strides):
        raise RuntimeError(
            f"dimensionality of sizes ({len(shape)}) must match dimensionality of strides ({len(strides)})"
        )
    kind = as_dtype("empty_strided", dtype).numpy
    extent = 0 if 0 in shape else 1 + sum((n - 1) * s for n, s in zip(shape, strides, strict=True))
    steps = [s * kind.itemsize for s in strides]
    return made("empty_strided", np.lib.stride_tricks.as_strided(np.empty(extent, kind), shape, steps), options)


def empty_permuted(size: Any, physical_layout: Any, *, dtype: Any = None, **options: Unpack[Options]) -> Tensor:
    """A tensor whose dims lie in memory in the given order, the farthest apart first."""
    shape, order = as_shape("empty_permuted", (), size), tuple(physical_layout)
    if sorted(order) != [d for d, _ in enumerate(shape)]:
        raise RuntimeError(
            f"empty_permuted: the physical layout {list(order)} must name each of the {len(shape)} dims of size {list(shape)} "
            "once"
        )
    array = np.empty([shape[d] for d in order], as_dtype("empty_permuted", dtype).numpy)
    return made("empty_permuted", array.transpose(np.argsort(order)), options)


# -- like another tensor -----------------------------------------------------------------------------------------------


def array_like(name: str, input: Any, dtype: Any, value: Any, options: Options) -> np.ndarray:
    """A new array with the shape of a tensor, the order of its dimensions in memory, and one number (or None) in it."""
    check_tensor(name, input)
    kind = as_dtype(name, dtype, dtype_of(input._data))
    data, shape = input._data, tuple(input.shape)
    ordered = type(data) is np.ndarray and not data.flags.c_contiguous and 0 not in data.strides
    ordered = ordered and getattr(options.get("memory_format"), "name", "preserve_format") == "preserve_format"
    if not value and value is not None and not ordered:
        return np.zeros(shape, kind.numpy)
    array = np.empty_like(data, kind.numpy, subok=False) if ordered else np.empty(shape, kind.numpy)
    if value is not None:
        array.fill(nested.one(value, kind))
    return array


def empty_like(input: Tensor, *, dtype: Any = None, **options: Unpack[Options]) -> Tensor:
    """A tensor like ``input`` in shape and dtype, whose elements are whatever the memory held."""
    return made("empty_like", array_like("empty_like", input, dtype, None, options), options)


def zeros_like(input: Tensor, *, dtype: Any = None, **options: Unpack[Options]) -> Tensor:
    """Zeros like ``input`` in shape and dtype."""
    return made("zeros_like", array_like("zeros_like", input, dtype, 0, options), options)


def ones_like(input: Tensor, *, dtype: Any = None, **options: Unpack[Options]) -> Tensor:
    """Ones like ``input`` in shape and dtype."""
    return made("ones_like", array_like("ones_like", input, dtype, 1, options), options)


def full_like(input: Tensor, fill_value: Any, *, dtype: Any = None, **options: Unpack[Options]) -> Tensor:
    """One number, in the shape and dtype of ``input``."""
    value = as_number("full_like", "fill_value", fill_value, 2)
    return made("full_like", array_like("full_like", input, dtype, value, options), options)


def new_empty(self: Tensor, *sizes: Any, size: Any = None, dtype: Any = None, **options: Unpack[Options]) -> Tensor:
    """A tensor of this one's dtype, whose elements are whatever the memory held."""
    return empty(*sizes, size=size, dtype=as_dtype("new_empty", dtype, dtype_of(self._data)), **options)


def new_empty_strided(self: Tensor, size: Any, stride: Any, *, dtype: Any = None, **options: Unpack[Options]) -> Tensor:
    """A tensor of this one's dtype, of given shape and strides (in elements)."""
    return empty_strided(size, stride, dtype=as_dtype("new_empty_strided", dtype, dtype_of(self._data)), **options)


def new_zeros(self: Tensor, *sizes: Any, size: Any = None, dtype: Any = None, **options: Unpack[Options]) -> Tensor:
    """Zeros of this tensor's dtype."""
    return zeros(*sizes, size=size, dtype=as_dtype("new_zeros", dtype, dtype_of(self._data)), **options)


def new_ones(self: Tensor, *sizes: Any, size: Any = None, dtype: Any = None, **options: Unpack[Options]) -> Tensor:
    """Ones of this tensor's dtype."""
    return ones(*sizes, size=size, dtype=as_dtype("new_ones", dtype, dtype_of(self._data)), **options)


def new_full(self: Tensor, size: Any, fill_value: Any, *, dtype: Any = None, **options: Unpack[Options]) -> Tensor:
    """One number, in this tensor's dtype."""
    return full(size, fill_value, dtype=as_dtype("new_full", dtype, dtype_of(self._data)), **options)


# -- ranges ------------------------------------------------------------------------------------------------------------


def arange(
    start: Any = None, end: Any = None, step: Any = 1, *, out: Any = None, dtype: Any = None, **options: Unpack[Options]
) -> Tensor:
    """The numbers from ``start`` up to, not including, ``end``: ``arange(end)``, ``arange(start, end, step=1)``.

    Integers give int64, floats the default dtype.
    """
    if start is None or end is None:
        start, end = 0, start if end is None else end
    if end is None:
        raise TypeError(
            "arange() received an invalid combination of arguments - got (), but expected at least (Number end)"
        )
    start, end, step = [as_number("arange", name, n) for name, n in (("start", start), ("end", end), ("step", step))]
    floating = any(isinstance(n, float) for n in (start, end, step))
    kind = as_dtype("arange", dtype, dtypes.get_default_dtype() if floating else dtypes.int64)
    check_kind("arange", kind, dtypes.bool, dtypes.complex64, dtypes.complex128)
    check_range(start, end, step)
    if kind is dtypes.int64:
        start, end, step = int(start), int(end), int(step)
        check_range(start, end, step)
        return made("arange", counted(start, step, -((start - end) // step), kind), options, out)
    return made("arange", counted(start, step, math.ceil((end - start) / step), kind), options, out)


def range(
    start: Any = 0, end: Any = None, step: Any = 1, *, out: Any = None, dtype: Any = None, **options: Unpack[Options]
) -> Tensor:
    """The numbers from ``start`` to ``end``, inclusive; deprecated in favour of :func:`arange`."""
    warnings.warn(
        "torch.range is deprecated and will be removed in a future release because its behavior is inconsistent with "
        "Python's range builtin. Instead, use torch.arange, which produces values in [start, end).",
        UserWarning,
        stacklevel=2,
    )
    start, end, step = [as_number("range", "start, end, step", n) for n in (start, end, step)]
    check_range(start, end, step)
    count = math.floor((end - start) / step) + 1
    return made("range", counted(start, step, count, as_dtype("range", dtype)), options, out)


def check_range(start: Any, end: Any, step: Any) -> None:
    if any(isinstance(n, complex) for n in (start, end, step)):
        raise RuntimeError("value cannot be converted to type double without overflow: expected real bounds")
    if not step:
        raise RuntimeError(f"step must be nonzero, got {step}")
    if not (math.isfinite(start) and math.isfinite(end)):
        raise RuntimeError(f"unsupported range: {start} -> {end}")
    if (end - start) * step < 0:
        raise RuntimeError(f"upper bound and lower bound inconsistent with step sign: {start} -> {end} by {step}")


def check_kind(name: str, kind: dtypes.dtype, *refused: dtypes.dtype) -> None:
    if kind in refused:
        raise NotImplementedError(f'"{name}_cpu" not implemented for {kind}')


def counted(start: Any, step: Any, count: int, kind: dtypes.dtype) -> np.ndarray:
    """``count`` numbers from ``start`` on, computed in int64 or float64."""
    if kind.category < 2:
        return (int(start) + int(step) * np.arange(count)).astype(kind.numpy)
    return (float(start) + float(step) * np.arange(count)).astype(kind.numpy)


def linspace(
    start: Any, end: Any, steps: int, *, out: Any = None, dtype: Any = None, **options: Unpack[Options]
) -> Tensor:
    """``steps`` numbers, evenly spaced from ``start`` to ``end``, both included."""
    return made("linspace", spaced("linspace", start, end, steps, dtype)[0], options, out)


def logspace(
    start: Any,
    end: Any,
    steps: int,
    base: float = 10.0,
    *,
    out: Any = None,
    dtype: Any = None,
    **options: Unpack[Options],
) -> Tensor:
    """``steps`` powers of ``base``, whose exponents are evenly spaced from ``start`` to ``end``, both included."""
    exponents, kind = spaced("logspace", start, end, steps, dtype, whole=False)
    powers = np.power(exponents.dtype.type(base), exponents) if steps else exponents
    return made("logspace", powers.astype(kind.numpy), options, out)


def spaced(name: str, start: Any, end: Any, steps: int, dtype: Any, whole: bool = True) -> tuple[Any, dtypes.dtype]:
    """Evenly spaced numbers, and the dtype that is wanted of them, which they have where ``whole``.

    As PyTorch does, each half counts from its own end, and a product and a sum are rounded once.
    """
    for end_name, bound in (("start", start), ("end", end)):
        if isinstance(bound, Tensor) and bound.ndim:  # type: ignore[attr-defined]
            raise RuntimeError(
                f"{name} only supports 0-dimensional start and end tensors, but got {end_name} with {bound.ndim} dimension(s)."  # type: ignore[attr-defined]
            )
    start, end = as_number(name, "start", start), as_number(name, "end", end, 2)
    steps = as_count(name, "steps", steps, 3)
    if steps < 0:
        raise RuntimeError(f"number of steps must be non-negative, got {steps}")
    is_complex = isinstance(start, complex) or isinstance(end, complex)
    kind = as_dtype(name, dtype, dtypes.default_complex() if is_complex else None)
    check_kind(name, kind, dtypes.bool)
    numbers = halves(start, end, steps, kind.numpy.type if kind.category >= 2 else np.float64)
    return numbers.astype(kind.numpy) if whole else numbers, kind


def halves(start: Any, end: Any, steps: int, number: Any) -> np.ndarray:
    first, last = number(start), number(end)
    if steps < 2:
        return np.full(steps, first)
    step = (last - first) / number(steps - 1)
    forward = np.arange(steps // 2).astype(number)
    backward = np.arange(steps - steps // 2 - 1, -1, -1).astype(number)
    if number in (np.float32, np.float64):
        return np.concatenate((fused(forward, step, first), fused(backward, -step, last)))
    return np.concatenate((first + step * forward, last - step * backward))


# -- matrices ----------------------------------------------------------------------------------------------------------


def eye(n: int, m: int | None = None, *, out: Any = None, dtype: Any = None, **options: Unpack[Options]) -> Tensor:
    """The identity matrix, of shape (n, n) or (n, m)."""
    rows = as_count("eye", "n", n)
    columns = rows if m is None else as_count("eye", "m", m, 2)
    for name, count in (("n", rows), ("m", columns)):
        if count < 0:
            raise RuntimeError(f"{name} must be greater or equal to 0, got {count}")
    return made("eye", np.eye(rows, columns, dtype=as_dtype("eye", dtype).numpy), options, out)


def tril_indices(row: int, col: int, offset: int = 0, *, dtype: Any = None, **options: Unpack[Options]) -> Tensor:
    """The indices of the lower triangle of a (row, col) matrix, as two rows; ``offset`` moves the diagonal up."""
    return made("tril_indices", triangle("tril_indices", row, col, offset, dtype, np.tril), options)


def triu_indices(row: int, col: int, offset: int = 0, *, dtype: Any = None, **options: Unpack[Options]) -> Tensor:
    """The indices of the upper triangle of a (row, col) matrix, as two rows; ``offset`` moves the diagonal up."""
    return made("triu_indices", triangle("triu_indices", row, col, offset, dtype, np.triu), options)


def triangle(name: str, row: int, col: int, offset: int, dtype: Any, part: Any) -> np.ndarray:
    row, col, offset = as_count(name, "row", row), as_count(name, "col", col, 2), as_count(name, "offset", offset, 3)
    for side, count in (("row", row), ("col", col)):
        if count < 0:
            raise RuntimeError(f"{side} must be non-negative, got {count}")
    kind = as_dtype(name, dtype, dtypes.int64)
    if kind not in (dtypes.int32, dtypes.int64):
        raise NotImplementedError(f'"{name}" not implemented for {kind}; expected int32 or int64')
    return np.array(np.nonzero(part(np.ones((row, col), bool), offset)), kind.numpy)


for member in (new_empty, new_empty_strided, new_zeros, new_ones, new_full):
    setattr(Tensor, member.__name__, member)

__all__ = [
    "arange", "empty", "empty_like", "empty_permuted", "empty_strided", "eye", "full", "full_like", "linspace", "logspace", "ones",
    "ones_like", "range", "scalar_tensor", "tril_indices", "triu_indices", "zeros", "zeros_like",
]  # fmt: skip
