"""NumPy's functions on tensors: ``np.sin(tensor)`` and ``np.concatenate([tensor, array])`` are recorded as ours are.

Responsible for what ``Tensor.__array_ufunc__`` and ``Tensor.__array_function__`` answer: one table for ufuncs, one for
functions, each from NumPy's name, with NumPy's parameters, to operations. What neither knows is NumPy's own work, on the
tensors' memory, as long as no gradient is lost by that. Loaded when NumPy first asks.
"""

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from . import creation, dtypes
from .conversion import to_numpy
from .tape.storage import mark_written
from .tape.value import Tensor, wrap
from .tensor import NAMESPACES, functions


class _Torch:
    """The functions of ``torch`` by name."""

    def __getattr__(self, name: str) -> Callable:
        if name not in functions:
            raise AttributeError(name)
        return functions[name]


T: Any = _Torch()

# -- ufuncs ------------------------------------------------------------------------------------------------------------

# Ufuncs whose operation has another name, or is a formula; the others are operations by their own names.
UFUNCS: dict[str, Any] = {
    "power": "pow", "equal": "eq", "mod": "remainder", "conjugate": "conj", "invert": "bitwise_not", "rint": "round",
    "bitwise_invert": "bitwise_not", "left_shift": "bitwise_left_shift", "right_shift": "bitwise_right_shift",
    "fabs": "abs", "degrees": "rad2deg", "radians": "deg2rad",
    "cbrt": lambda x: T.sign(x) * T.abs(x) ** (1 / 3),
    "divmod": lambda x, y: (T.floor_divide(x, y), T.remainder(x, y)),
    "modf": lambda x: (x - T.trunc(x), T.trunc(x)),
    "vecdot": lambda x, y: T.sum(T.conj(x) * y, dim=-1),
    "matvec": lambda x, y: T.squeeze(T.matmul(x, T.unsqueeze(y, -1)), -1),
    "vecmat": lambda x, y: T.squeeze(T.matmul(T.unsqueeze(T.conj(x), -2), y), -2),
}  # fmt: skip
REDUCTIONS = {
    "add": "sum", "multiply": "prod", "maximum": "amax", "minimum": "amin", "logical_and": "all", "logical_or": "any",
    "logaddexp": "logsumexp",
}  # fmt: skip
SCANS = {"add": "cumsum", "multiply": "cumprod", "maximum": "cummax", "minimum": "cummin", "logaddexp": "logcumsumexp"}


def apply_ufunc(ufunc: Any, method: str, inputs: tuple, kwargs: dict) -> Any:
    """A ufunc, or one of its methods, on tensors."""
    found = METHODS[method](ufunc.__name__) if method in METHODS else None
    described = f"numpy.{ufunc.__name__}" + ("" if method == "__call__" else f".{method}")
    return answer(found, described, getattr(ufunc, method), inputs, kwargs)


def elementwise(name: str) -> Any:
    found = UFUNCS.get(name, name)
    function = found if callable(found) else functions.get(found)

    def compute(*operands: Any, dtype: Any = None, where: Any = True, casting: str = "", subok: bool = True) -> Any:
        if where is not True:
            raise TypeError(f"numpy.{name}: where= has no counterpart; use torch.where on the result")
        return function(*[operand(each, dtype) for each in operands])

    return function and compute


def reduce(name: str) -> Any:
    return FUNCTIONS.get(REDUCTIONS.get(name)) and partial(FUNCTIONS[REDUCTIONS[name]], axis=0)


def accumulate(name: str) -> Any:
    def compute(array: Any, axis: int = 0, dtype: Any = None) -> Any:
        result = functions[SCANS[name]](operand(array, dtype), axis)
        return result[0] if isinstance(result, tuple) else result

    return compute if name in SCANS else None


def outer(name: str) -> Any:
    function = elementwise(name)
    return function and (
        lambda a, b, **options: function(operand(a).reshape(*np.shape(a), *[1] * np.ndim(b)), b, **options)
    )


def at(name: str) -> Any:
    signs = {"add": 1, "subtract": -1}
    return name in signs and (lambda a, indices, b: add_at(a, indices, operand(b) * signs[name]))


def add_at(a: Any, indices: Any, values: Any) -> None:
    places = [operand(np.asarray(each)) for each in (indices if isinstance(indices, tuple) else (indices,))]
    a.index_put_(places, operand(values if isinstance(values, Tensor) else np.asarray(values), a.dtype), True)


METHODS: dict[str, Callable] = {
    "__call__": elementwise, "reduce": reduce, "accumulate": accumulate, "outer": outer, "at": at,
}  # fmt: skip


# -- functions ---------------------------------------------------------------------------------------------------------


def reduction(name: str, **settings: Any) -> Callable:
    """A reduction with NumPy's parameters."""

    def compute(a: Any, axis: Any = None, dtype: Any = None, keepdims: Any = False, **more: Any) -> Any:
        a = operand(a, dtype)
        if axis is None and not keepdims and name != "logsumexp":
            return functions[name](a, **settings, **more)
        axis = dims_of(a, None) if axis is None else axis
        return functions[name](a, dim=axis, keepdim=bool(keepdims), **settings, **more)

    return compute


def product(a: Any, axis: Any = None, dtype: Any = None, keepdims: Any = False) -> Any:
    a = operand(a, dtype)
    for dim in sorted({d % a.ndim for d in dims_of(a, axis)}, reverse=True):
        a = T.prod(a, dim, bool(keepdims))
    return a


def dims_of(a: Any, axis: Any) -> tuple:
    return tuple(range(a.ndim)) if axis is None else axis if isinstance(axis, tuple) else (axis,)


def spread(name: str) -> Callable:
    """``var`` and ``std``, which NumPy divides by n."""
    compute = reduction(name)
    return lambda a, axis=None, dtype=None, ddof=0, keepdims=False: compute(a, axis, dtype, keepdims, correction=ddof)


def quantile(name: str, scale: float = 1) -> Callable:
    def compute(a: Any, q: Any, axis: Any = None, method: str = "linear", keepdims: bool = False) -> Any:
        q = q * scale if isinstance(q, (float, int)) else operand(np.asarray(q) * scale, a.dtype)
        return functions[name](a, q, axis, keepdims, interpolation=method)

    return compute


def flat_or(name: str) -> Callable:
    """A function along one axis, or of all elements in a row."""
    return lambda a, axis=None, dtype=None: functions[name](
        *((operand(a, dtype).reshape(-1), 0) if axis is None else (operand(a, dtype), axis))
    )


def concatenate(arrays: Any, axis: Any = 0) -> Any:
    parts = [operand(each) for each in arrays]
    return T.cat([each.reshape(-1) for each in parts] if axis is None else parts, axis or 0)


def split(ary: Any, indices_or_sections: Any, axis: int = 0) -> list:
    if isinstance(indices_or_sections, int) and ary.shape[axis] % indices_or_sections:
        raise ValueError(
            f"array split does not result in an equal division: {ary.shape[axis]} by {indices_or_sections}"
        )
    return array_split(ary, indices_or_sections, axis)


def array_split(ary: Any, indices_or_sections: Any, axis: int = 0) -> list:
    whole = indices_or_sections if isinstance(indices_or_sections, int) else tuple(map(int, indices_or_sections))
    return list(T.tensor_split(ary, whole, axis))


def dot(a: Any, b: Any) -> Any:
    a, b = operand(a), operand(b)
    if not np.ndim(a) or not np.ndim(b):
        return a * b
    return T.matmul(a, b) if b.ndim < 3 else T.tensordot(a, b, ([-1], [-2]))


def take(a: Any, indices: Any, axis: Any = None, mode: str = "raise") -> Any:
    if axis is None:
        a, axis = a.reshape(-1), 0
    return a[(slice(None),) * (axis % a.ndim) + (operand(np.asarray(indices)),)]


def diff(a: Any, n: int = 1, axis: int = -1) -> Any:
    for _ in range(n):
        a = T.narrow(a, axis, 1, a.shape[axis] - 1) - T.narrow(a, axis, 0, a.shape[axis] - 1)
    return a


def average(a: Any, axis: Any = None, weights: Any = None, *, keepdims: bool = False) -> Any:
    total = reduction("sum")
    if weights is None:
        return reduction("mean")(a, axis, keepdims=keepdims)
    weights = operand(weights)
    if axis is not None and weights.shape != a.shape:
        weights = weights.reshape([-1 if d == axis % a.ndim else 1 for d in range(a.ndim)]).expand(a.shape)
    return total(a * weights, axis, keepdims=keepdims) / total(weights, axis, keepdims=keepdims)


def pad(array: Any, pad_width: Any, mode: str = "constant", constant_values: Any = 0) -> Any:
    widths = np.broadcast_to(pad_width, (array.ndim, 2))[::-1].reshape(-1).tolist()
    return NAMESPACES["nn.functional"]["pad"](array, widths, mode, constant_values if mode == "constant" else None)


def trapezoid(y: Any, x: Any = None, dx: float = 1.0, axis: int = -1) -> Any:
    steps = dx if x is None else diff(operand(x), axis=axis if np.ndim(x) > 1 else -1)
    count = y.shape[axis] - 1
    heights = (T.narrow(y, axis, 0, count) + T.narrow(y, axis, 1, count)) / 2
    if np.ndim(steps) == 1:
        return T.sum(T.movedim(heights, axis, -1) * steps, dim=-1)
    return T.sum(heights * steps, dim=axis)


def unsqueeze(a: Any, axis: Any) -> Any:
    axes = axis if isinstance(axis, tuple) else (axis,)
    for dim in sorted(each % (a.ndim + len(axes)) for each in axes):
        a = T.unsqueeze(a, dim)
    return a


# Functions of NumPy whose results no gradient flows through, whatever requires grad.
GRADIENTLESS = {
    *("heaviside", "nextafter", "spacing", "allclose", "array_equal", "array_equiv", "argpartition", "bincount"),
    *(
        "digitize",
        "histogram",
        "isin",
        "iscomplexobj",
        "isrealobj",
        "lexsort",
        "searchsorted",
        "result_type",
        "can_cast",
    ),
    *("may_share_memory", "shares_memory", "common_type", "min_scalar_type"),
}
FUNCTIONS: dict[Any, Callable] = {
    **{
        name: lambda a, dtype=None, name=name: getattr(creation, name)(a, dtype=as_dtype(dtype))
        for name in ("zeros_like", "ones_like", "empty_like")
    },
    "full_like": lambda a, fill_value, dtype=None: creation.full_like(a, fill_value, dtype=as_dtype(dtype)),
    "astype": lambda x, dtype, copy=True: operand(x, dtype), "unstack": lambda x, axis=0: T.unbind(x, axis),
    "append": lambda arr, values, axis=None: concatenate([arr, values], axis), "trapezoid": trapezoid,
    "extract": lambda condition, arr: arr[operand(condition)],
    **{name: reduction(name) for name in ("sum", "mean", "amax", "amin", "all", "any", "nansum", "nanmean", "logsumexp")},
    "max": reduction("amax"), "min": reduction("amin"), "prod": product, "std": spread("std"), "var": spread("var"),
    "count_nonzero": lambda a, axis=None: T.count_nonzero(a, axis), "average": average,
    "ptp": lambda a, axis=None, keepdims=False: reduction("amax")(a, axis, None, keepdims) - reduction("amin")(a, axis, None, keepdims),
    "argmax": lambda a, axis=None, keepdims=False: T.argmax(a, axis, bool(keepdims)),
    "argmin": lambda a, axis=None, keepdims=False: T.argmin(a, axis, bool(keepdims)),
    "quantile": quantile("quantile"), "percentile": quantile("quantile", 0.01),
    "nanquantile": quantile("nanquantile"), "nanpercentile": quantile("nanquantile", 0.01),
    "median": lambda a, axis=None, keepdims=False: quantile("quantile")(a, 0.5, axis, "linear", keepdims),
    "nanmedian": lambda a, axis=None, keepdims=False: quantile("nanquantile")(a, 0.5, axis, "linear", keepdims),
    **{name: flat_or(name) for name in ("cumsum", "cumprod")}, "cumulative_sum": flat_or("cumsum"), "cumulative_prod": flat_or("cumprod"),
    "sort": lambda a, axis=-1, stable=None: T.sort(a, dim=axis)[0] if axis is not None else T.sort(a.reshape(-1))[0],
    "argsort": lambda a, axis=-1, stable=None: T.argsort(a, dim=axis), "unique": lambda ar: T.unique(ar),
    "clip": lambda a, a_min=None, a_max=None, min=None, max=None: T.clamp(
        operand(a), operand(a_min if min is None else min), operand(a_max if max is None else max)
    ),
    "where": lambda condition, *xy: T.where(operand(condition), *map(operand, xy)) if xy else T.nonzero(condition, as_tuple=True),
    "nonzero": lambda a: T.nonzero(a, as_tuple=True), "argwhere": lambda a: T.nonzero(a),
    "flatnonzero": lambda a: T.nonzero(a.reshape(-1)).reshape(-1),
    "reshape": lambda a, shape, order="C", copy=None: T.reshape(a, shape if isinstance(shape, tuple) else (shape,)),
    "ravel": lambda a: a.reshape(-1), "transpose": lambda a, axes=None: T.permute(a, axes or tuple(range(a.ndim))[::-1]),
    "matrix_transpose": lambda x: T.transpose(x, -1, -2), "permute_dims": lambda a, axes: T.permute(a, axes),
    "swapaxes": lambda a, axis1, axis2: T.transpose(a, axis1, axis2),
    "moveaxis": lambda a, source, destination: T.movedim(a, source, destination),
    "squeeze": lambda a, axis=None: T.squeeze(a) if axis is None else T.squeeze(a, axis),
    "expand_dims": unsqueeze, "broadcast_to": lambda array, shape: T.broadcast_to(array, shape),
    "broadcast_arrays": lambda *args: tuple(T.broadcast_tensors(*map(operand, args))),
    "concatenate": concatenate, "concat": concatenate, "split": split, "array_split": array_split,
    "stack": lambda arrays, axis=0: T.stack([operand(each) for each in arrays], axis),
    **{name: lambda tup, name=name: functions[name]([operand(each) for each in tup]) for name in ("vstack", "hstack", "dstack", "column_stack")},
    **{name: lambda *given, name=name: functions[name](*given) for name in ("atleast_1d", "atleast_2d", "atleast_3d", "hsplit", "vsplit", "dsplit")},
    "meshgrid": lambda *xi, indexing="xy": list(T.meshgrid(*map(operand, xi), indexing=indexing)),
    "tile": lambda A, reps: T.tile(A, reps if isinstance(reps, tuple) else (reps,)),
    "repeat": lambda a, repeats, axis=None: T.repeat_interleave(a, operand(repeats), axis),
    "roll": lambda a, shift, axis=None: T.roll(a, shift, axis),
    "flip": lambda m, axis=None: T.flip(m, dims_of(m, axis)), "fliplr": lambda m: T.flip(m, (1,)), "flipud": lambda m: T.flip(m, (0,)),
    "rot90": lambda m, k=1, axes=(0, 1): T.rot90(m, k, axes), "pad": pad, "diff": diff,
    "dot": dot, "vdot": lambda a, b: T.sum(T.conj(operand(a)).reshape(-1) * operand(b).reshape(-1)),
    "inner": lambda a, b: T.tensordot(operand(a), operand(b), ([-1], [-1])) if np.ndim(a) and np.ndim(b) else a * b,
    "outer": lambda a, b: T.outer(operand(a).reshape(-1), operand(b).reshape(-1)), "kron": lambda a, b: T.kron(operand(a), operand(b)),
    "tensordot": lambda a, b, axes=2: T.tensordot(operand(a), operand(b), axes),
    "einsum": lambda subscripts, *operands, optimize=False: T.einsum(subscripts, *map(operand, operands)),
    "cross": lambda a, b, axis=-1: T.cross(operand(a), operand(b), dim=axis),
    "trace": lambda a, offset=0, axis1=0, axis2=1: T.sum(T.diagonal(a, offset, axis1, axis2), dim=-1),
    "diagonal": lambda a, offset=0, axis1=0, axis2=1: T.diagonal(a, offset, axis1, axis2),
    "diag": lambda v, k=0: T.diag(v, k), "tril": lambda m, k=0: T.tril(m, k), "triu": lambda m, k=0: T.triu(m, k),
    "take": take, "take_along_axis": lambda arr, indices, axis=-1: T.take_along_dim(arr, operand(indices), axis),
    "round": lambda a, decimals=0: T.round(a, decimals=decimals), "around": lambda a, decimals=0: T.round(a, decimals=decimals),
    "fix": lambda x: T.trunc(x), "copy": lambda a: T.clone(a), "copyto": lambda dst, src: dst.copy_(operand(src)) and None,
    "nan_to_num": lambda x, copy=True, nan=0.0, posinf=None, neginf=None: T.nan_to_num(x, nan, posinf, neginf),
    "isclose": lambda a, b, rtol=1e-5, atol=1e-8, equal_nan=False: T.isclose(operand(a), operand(b), rtol, atol, equal_nan),
    **{name: lambda x, name=name: functions[name](x) for name in ("real", "angle", "sinc", "isneginf", "isposinf", "isreal")},
    "imag": lambda val: T.imag(val) if val.is_complex() else val * 0,
    "shape": lambda a: tuple(a.shape), "ndim": lambda a: a.ndim, "size": lambda a, axis=None: a.numel() if axis is None else a.shape[axis],
}  # fmt: skip


def apply_function(function: Any, args: tuple, kwargs: dict) -> Any:
    """One of NumPy's functions on tensors."""
    module = function.__module__.removeprefix("numpy").removeprefix(".")
    found = NAMESPACES[module].get(function.__name__) if module in NAMESPACES else FUNCTIONS.get(function.__name__)
    if module:
        kwargs = {
            {"axis": "dim", "axes": "dim", "keepdims": "keepdim"}.get(name, name): value
            for name, value in kwargs.items()
        }
    return answer(found, f"{function.__module__}.{function.__name__}", function._implementation, args, kwargs)


# -- answers -----------------------------------------------------------------------------------------------------------


def answer(found: Any, name: str, own: Callable, args: tuple, kwargs: dict) -> Any:
    """The operation's result, stored in ``out`` where that is given; NumPy's own, where there is no operation."""
    if not found:
        return by_numpy(name, own, args, kwargs)
    out = kwargs.pop("out", None)
    given = {key: value for key, value in kwargs.items() if value is not np._NoValue}
    try:
        result = found(*[operand(each) if isinstance(each, np.ndarray) else each for each in args], **given)
    except TypeError as error:
        if "unexpected keyword argument" not in str(error):
            raise
        raise TypeError(f"{name}: of tensors, it has fewer parameters than of arrays: {error}") from None
    return result if out is None else stored(result, out[0] if isinstance(out, tuple) else out)


def stored(result: Any, out: Any) -> Any:
    if isinstance(out, Tensor):
        return out.copy_(result)  # type: ignore[attr-defined]
    np.copyto(out, to_numpy(result), casting="same_kind")
    return out


def by_numpy(name: str, own: Callable, args: tuple, kwargs: dict) -> Any:
    """NumPy's own function on the tensors' memory.

    Raises:
        TypeError: a tensor requires grad, which the result would not know of.
    """
    written: list[Tensor] = []

    def plain(value: Any, is_out: bool = False) -> Any:
        if isinstance(value, (tuple, list)):
            return type(value)([plain(each, is_out) for each in value])
        if not isinstance(value, Tensor):
            return value
        if value.requires_grad and name.split(".")[1] not in GRADIENTLESS:  # type: ignore[attr-defined]
            raise TypeError(
                f"{name} has no counterpart among the differentiable operations, and a tensor here requires grad. Call it on "
                "tensor.detach().numpy(), or write it in functions of torch"
            )
        written.extend([value] * is_out)
        return to_numpy(value, force=True)

    result = own(*plain(args), **{key: plain(value, key == "out") for key, value in kwargs.items()})
    for out in written:
        mark_written(out._data, name)
    return written[0] if len(written) == 1 else result


def operand(value: Any, dtype: Any = None) -> Any:
    """An argument as operations take it: arrays as tensors, NumPy's scalars as Python's; in a dtype of NumPy's or ours."""
    if isinstance(value, (np.ndarray, list)):
        value = np.ascontiguousarray(value).reshape(np.shape(value))
        dtypes.from_numpy(value.dtype)
        value = wrap(value)
    elif isinstance(value, np.generic):
        value = value.item()
    if dtype is None or not isinstance(value, Tensor):
        return value
    return value.to(as_dtype(dtype))  # type: ignore[attr-defined]


def as_dtype(dtype: Any) -> Any:
    return dtype if dtype is None or isinstance(dtype, dtypes.dtype) else dtypes.from_numpy(np.dtype(dtype))
