"""From tensors to Python, NumPy and text, and from one dtype to another.

Responsible for the methods that read a tensor's elements out. Invariant: only :func:`concrete` looks for them, so that
values of transforms, which have none to show, are refused in one place.
"""

import warnings
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from . import dtypes, printing
from .arguments import PYTHON_TYPES, as_dtype
from .attributes import current
from .devices import check_device
from .devices import device as Device
from .interpreters.batched import Batched
from .interpreters.dispatch import depth_of
from .interpreters.dual import Dual
from .interpreters.traced import Traced
from .ops.table import TABLE
from .tape import forward
from .tape.fast import call
from .tape.inplace import type_name
from .tape.lines import describe, here
from .tape.promotion import dtype_of
from .tape.value import Tensor, is_dual, known, wrap
from .tensor import functions

# -- elements ----------------------------------------------------------------------------------------------------------


def concrete(tensor: Any, asked: str) -> np.ndarray:
    """The array that a tensor holds; below tapes and dual numbers, the array of primal values.

    Raises:
        RuntimeError: the tensor stands for a whole batch, or for a step of a program.
    """
    value = tensor
    while type(value) is not np.ndarray:
        if isinstance(value, Tensor):
            value = current(value)._data
        elif hasattr(value, "primal"):  # a dual number or a series
            value = value.primal
        elif isinstance(value, Traced):
            raise RuntimeError(f"trace: {asked} reads a value that is only known when the program runs")
        else:
            raise RuntimeError(f"{BATCH_ASKED.get(asked, ASKED.format('.item()'))} {no_one_value()}")
    return value


ASKED = "vmap: It looks like you're calling {} on a Tensor."
NO_STORAGE = f"{ASKED} Cannot access data pointer of Tensor that doesn't have storage."
BATCH_ASKED = {
    "bool()": "vmap: It looks like you're attempting to use a Tensor in some data-dependent control flow.",
    ".numpy()": NO_STORAGE.format(".numpy()"),
    ".tolist()": NO_STORAGE.format(".tolist()"),
}


def no_one_value() -> str:
    return (
        f"At {describe(here())}: inside vmap the tensor stands for a whole batch, so there is no one value. Rewrite `if "
        "condition: a else: b` as torch.where(condition, a, b), or have the function run element by element with "
        'vmap(..., fallback="loop").'
    )


def single(self: Any, asked: str) -> Any:
    """The only element, as Python's number."""
    array = concrete(self, asked)
    if array.size != 1:
        raise ValueError(f"only one element tensors can be converted to Python scalars, this one has {array.size}")
    return array.item()


def item(self: Any) -> Any:
    """The only element, as a Python number.

    Raises:
        RuntimeError: there are more elements, or none.
    """
    array = self._data
    if type(array) is not np.ndarray:
        array = concrete(self, ".item()")
    if array.size != 1:
        raise RuntimeError(f"a Tensor with {array.size} elements cannot be converted to Scalar")
    return array.item()


def tolist(self: Any) -> Any:
    """The elements in nested lists; of a tensor without dimensions, the number."""
    return concrete(self, ".tolist()").tolist()


def to_bool(self: Any) -> bool:
    array = self._data
    if type(array) is not np.ndarray:
        array = concrete(self, "bool()")
    if array.size != 1:
        amount = "more than one value" if array.size else "no values"
        raise RuntimeError(
            f"Boolean value of Tensor with {amount} is ambiguous: its shape is {list(array.shape)}. Use .any() or .all()"
        )
    return bool(array)


def to_float(self: Any) -> float:
    return float(real_number(self, "float()", "double"))


def to_int(self: Any) -> int:
    value = single(self, "int()")
    return int(real(value, "int64_t"))


def to_complex(self: Any) -> complex:
    return complex(single(self, "complex()"))


def real_number(self: Any, asked: str, target: str) -> Any:
    warn_of_history(self)
    return real(single(self, asked), target)


def real(value: Any, target: str) -> Any:
    if not isinstance(value, complex):
        return value
    if value.imag:
        raise RuntimeError(f"value cannot be converted to type {target} without overflow: {value} is not real")
    return value.real


def warn_of_history(self: Any) -> None:
    if self.requires_grad:
        warnings.warn(
            "Converting a tensor with requires_grad=True to a scalar may lead to unexpected behavior.\n"
            "Consider using tensor.detach() first.",
            UserWarning,
            stacklevel=4,
        )


def to_index(self: Any) -> int:
    array = concrete(self, "an index")
    if array.size != 1 or array.dtype.kind not in "biu":
        raise TypeError(
            "only integer tensors of a single element can be converted to an index, this one has "
            f"{array.size} of {dtype_of(array)}"
        )
    return int(array.item())


def iterate(self: Any) -> Iterator:
    if not self.dim():
        raise TypeError("iteration over a 0-d tensor")
    return iter(self.unbind(0))


def contains(self: Any, element: Any) -> bool:
    if not isinstance(element, (Tensor, bool, int, float, complex)):
        raise RuntimeError(f"Tensor.__contains__ only supports Tensor or scalar, but you passed in a {type(element)}.")
    return bool(concrete(functions["eq"](self, element), "in").any())


def backwards(self: Any) -> Any:
    return functions["flip"](self, (0,)) if self.ndim else self


def equal(input: Any, other: Any) -> bool:
    """Whether two tensors have the same shape and equal elements; NaN equals nothing."""
    expect_tensors("equal", input, other)
    ours, theirs = concrete(input, "torch.equal()"), concrete(other, "torch.equal()")
    return ours.shape == theirs.shape and bool(np.array_equal(ours, theirs))


def allclose(input: Any, other: Any, rtol: float = 1e-5, atol: float = 1e-8, equal_nan: bool = False) -> bool:
    """Whether all elements satisfy ``|input - other| <= atol + rtol * |other|``."""
    expect_tensors("allclose", input, other)
    return bool(concrete(functions["isclose"](input, other, rtol, atol, equal_nan), "torch.allclose()").all())


def expect_tensors(name: str, *given: Any) -> None:
    for argument, value in zip(("input", "other"), given, strict=True):
        if not isinstance(value, Tensor):
            raise TypeError(f"{name}(): argument '{argument}' must be Tensor, not {type(value).__name__}")


# -- NumPy -------------------------------------------------------------------------------------------------------------


def to_numpy(self: Any, *, force: bool = False) -> np.ndarray:
    """An array that shares the tensor's memory.

    Raises:
        RuntimeError: the tensor requires grad, and it is not asked for by ``force``.
    """
    if not force:
        check_no_history(self)
    return concrete(self, ".numpy()").view()


def check_no_history(tensor: Any) -> None:
    while isinstance(tensor, Tensor):
        if tensor.requires_grad:  # type: ignore[attr-defined]
            raise RuntimeError("Can't call numpy() on Tensor that requires grad. Use tensor.detach().numpy() instead.")
        tensor = tensor._data


def as_array(self: Any, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
    array = to_numpy(self)
    if dtype is None and not copy:
        return array
    return np.array(array, dtype=dtype, copy=copy)


def to_dlpack(
    self: Any, *, stream: Any = None, max_version: Any = None, dl_device: Any = None, copy: Any = None
) -> Any:
    """A DLPack capsule on the tensor's memory, for another array library.

    Raises:
        BufferError: the tensor requires grad, or its dtype or the device asked for is not one of the exchange's.
    """
    if self.requires_grad:
        raise BufferError("Can't export tensors that require gradient, use tensor.detach()")
    assert stream is None, "stream should be None on cpu."
    return concrete(self, "__dlpack__()").__dlpack__(max_version=max_version, dl_device=dl_device, copy=copy)


def dlpack_device(self: Any) -> tuple[int, int]:
    return concrete(self, "__dlpack_device__()").__dlpack_device__()


# -- text --------------------------------------------------------------------------------------------------------------


def show(self: Any) -> str:
    if type(current(self)._data) is not np.ndarray:
        return show_value(self)
    node = self.grad_fn
    text = printing.format_tensor(
        self._data,
        dtype_of(self._data),
        requires_grad=self.requires_grad,
        grad_fn_name=None if node is None else node.name(),
        tangent=forward.tangent_at(self, forward.levels_of(self)[-1]) if is_dual(self) else None,
        prefix="tensor(" if type(self) in known else type(self).__name__ + "(",
    )
    return f"Parameter({text})" if "_is_param" in self.__dict__ else text


def show_value(value: Any) -> str:
    """A value of a transform: what it is, and what it holds."""
    if isinstance(value, np.ndarray):
        return show(wrap(value))
    if isinstance(value, Tensor):
        if type(value._data) is np.ndarray:
            return show(value)
        held = show_value(value._data)
        return (
            held
            if not isinstance(value._data, Tensor)
            else nested(f"GradTrackingTensor(lvl={depth_of(value._level)}", held)
        )
    if isinstance(value, Batched):
        return nested(f"BatchedTensor(lvl={depth_of(value.level)}, bdim=0", show_value(value.value))
    if isinstance(value, Dual):
        return nested(
            f"DualTensor(lvl={depth_of(value.level)}, tangent={show_value(value.tangent)}", show_value(value.primal)
        )
    if isinstance(value, Traced):
        return nested(f"TracedTensor({value.var.name}", show_value(value.value))
    return repr(value)


def nested(opening: str, held: str) -> str:
    return f"{opening}, value=\n    " + held.replace("\n", "\n    ") + "\n)"


def formatted(self: Any, spec: str) -> str:
    if not self.ndim and (spec or type(self) in known):
        try:
            return format(item(self), spec)
        except RuntimeError:  # it stands for a batch, or for a step of a program, which has a text but no number
            if spec:
                raise
    return object.__format__(self, spec)


# -- dtypes ------------------------------------------------------------------------------------------------------------


def to(
    self: Any,
    *args: Any,
    dtype: Any = None,
    device: Any = None,
    non_blocking: bool = False,
    copy: bool = False,
    memory_format: Any = None,
) -> Any:
    """The tensor in another dtype: ``to(dtype)``, ``to(device, dtype)`` or ``to(other)``; itself where nothing changes.

    Gradients go through. ``copy=True`` asks for new memory in any case; the only device is the CPU.
    """
    rest: tuple = ()
    if args:
        dtype, device, rest = first_of(args, dtype, device)
    check_device(device)
    copy = copy or bool(rest[1:] and rest[1])
    return converted(self, self.dtype if dtype is None else as_dtype("to", dtype), copy)


def first_of(args: tuple, dtype: Any, device: Any) -> tuple:
    """What the positional arguments of :func:`to` mean: (dtype, device, the rest)."""
    first = args[0]
    if isinstance(first, Tensor):
        return dtype_of(first._data), device, args[1:]
    if isinstance(first, dtypes.dtype) or first in PYTHON_TYPES:
        return first, device, args[1:]
    if first is None or isinstance(first, (str, int, Device)):
        return (args[1] if len(args) > 1 else dtype), first, args[2:]
    raise TypeError(
        f"to() received an invalid combination of arguments - got ({type(first).__name__}), but expected a torch.dtype, "
        "a torch.device or a Tensor"
    )


def converted(tensor: Any, dtype: dtypes.dtype, copy: bool = False) -> Any:
    held = tensor.dtype
    if dtype is held:
        return functions["clone"](tensor) if copy else tensor
    if held.is_complex and not dtype.is_complex and dtype is not dtypes.bool:
        warnings.warn("Casting complex values to real discards the imaginary part", UserWarning, stacklevel=3)
    with np.errstate(over="ignore", invalid="ignore"):  # what does not fit becomes inf, or some integer, as in PyTorch
        return call(TABLE["cast"], (tensor, dtype))


def type_(self: Any, dtype: Any = None, non_blocking: bool = False) -> Any:
    """The type's name, as ``"torch.FloatTensor"``; or the tensor in a dtype, given as such or by that name."""
    if dtype is None:
        return f"torch.{type_name(self.dtype)}Tensor"
    if not isinstance(dtype, (dtypes.dtype, type)):
        name = dtype if isinstance(dtype, str) else getattr(dtype, "name", "")
        known = {f"torch.{type_name(each)}Tensor": each for each in dtypes.ALL}
        if name not in known:
            raise ValueError(f"invalid type: {dtype!r}; expected a torch.dtype, or a name such as 'torch.FloatTensor'")
        dtype = known[name]
    return converted(self, as_dtype("type", dtype))


def type_as(self: Any, other: Tensor) -> Any:
    """The tensor in the dtype of another."""
    return converted(self, dtype_of(other._data))


def apply_(self: Any, callable: Callable) -> Any:
    """Replace each element by what a Python function makes of it: slow, and without a gradient."""
    return replaced_by("apply_", self, callable, ())


def map_(self: Any, other: Any, callable: Callable) -> Any:
    """Replace each element by what a Python function makes of it and of another tensor's: slow, and without a gradient."""
    return replaced_by("map_", self, callable, (other,))


def map2_(self: Any, x: Any, y: Any, callable: Callable) -> Any:
    """As :meth:`map_`, with two other tensors."""
    return replaced_by("map2_", self, callable, (x, y))


def replaced_by(name: str, tensor: Any, function: Callable, others: tuple) -> Any:
    if tensor.requires_grad or any(other.requires_grad for other in others):
        raise RuntimeError(f"Can't call {name}() on Variable that requires grad. Use var.detach().{name}() instead.")
    for other in others:
        if other.dtype is not tensor.dtype:
            expected, got = (f"torch.{type_name(each.dtype)}Tensor" for each in (tensor, other))
            raise TypeError(f"{name}: expected {expected} for 'other' (got {got})")
    array = concrete(tensor, f".{name}()")
    rows = np.broadcast_arrays(array, *[concrete(other, f".{name}()") for other in others])
    found = [function(*row) for row in zip(*[row.ravel().tolist() for row in rows], strict=True)]
    return tensor.copy_(wrap(np.array(found).reshape(array.shape)))


def converter(name: str, dtype: dtypes.dtype) -> Callable:
    def convert(self: Any, memory_format: Any = None) -> Any:
        return converted(self, dtype)

    convert.__name__, convert.__doc__ = name, f"The tensor in {dtype.name}; itself if that is its dtype."
    return convert


def cpu(self: Any, memory_format: Any = None) -> Any:
    """The tensor itself, since it is on the CPU."""
    return self


def cuda(self: Any, device: Any = None, non_blocking: bool = False, memory_format: Any = None) -> Any:
    """Not available."""
    check_device("cuda" if device is None else device)
    return self


CONVERTERS = ("float", "double", "half", "bfloat16", "int", "long", "short", "bool", "cfloat", "cdouble")
MEMBERS = {
    **{name: converter(name, getattr(dtypes, name)) for name in CONVERTERS},
    "char": converter("char", dtypes.int8), "byte": converter("byte", dtypes.uint8),
    "apply_": apply_, "map_": map_, "map2_": map2_, "to": to, "type": type_, "type_as": type_as, "cpu": cpu, "cuda": cuda,
    "equal": equal, "allclose": allclose, "item": item, "tolist": tolist, "__bool__": to_bool, "__float__": to_float, "__int__": to_int,
    "__complex__": to_complex, "__index__": to_index, "__iter__": iterate, "__contains__": contains,
    "__reversed__": backwards, "__repr__": show, "__format__": formatted,
    "numpy": to_numpy, "__array__": as_array, "__dlpack__": to_dlpack, "__dlpack_device__": dlpack_device, "__array_priority__": 1000,
}  # fmt: skip
for name, member in MEMBERS.items():
    setattr(Tensor, name, member)

__all__ = ["allclose", "equal"]
