"""Tensors from what is there already: Python numbers and sequences, NumPy arrays, buffers and other tensors."""

import os
import warnings
from typing import Any, Unpack

import numpy as np

from . import dtypes, nested
from .arguments import Options, as_dtype, as_shape, made
from .attributes import Size
from .devices import check_device
from .interpreters import values
from .tape.inplace import type_name
from .tape.promotion import dtype_of
from .tape.value import GRAD, Tensor, new


def tensor(data: Any, *, dtype: Any = None, **options: Unpack[Options]) -> Tensor:
    """A new leaf that holds a copy of ``data``: a number, nested sequences of numbers, an array or a tensor.

    Floats become the default dtype, integers int64; arrays, NumPy's scalars and tensors keep theirs.

    >>> import pullback as torch
    >>> torch.tensor([[1, 2], [3, 4.5]])
    tensor([[1.0000, 2.0000],
            [3.0000, 4.5000]])
    """
    wanted = None if dtype is None else as_dtype("tensor", dtype)
    warn_of_copying(data, "torch.tensor(sourceTensor)")
    return copied("tensor", data, wanted, options)


def warn_of_copying(data: Any, call: str) -> None:
    if isinstance(data, Tensor):
        warnings.warn(
            "To copy construct from a tensor, it is recommended to use sourceTensor.detach().clone() or "
            f"sourceTensor.detach().clone().requires_grad_(True), rather than {call}.",
            UserWarning,
            stacklevel=3,
        )


def copied(name: str, data: Any, dtype: dtypes.dtype | None, options: Options) -> Tensor:
    """A new leaf with the numbers that ``data`` holds."""
    if isinstance(data, Tensor):
        held: Any = data.detach()  # type: ignore[attr-defined]
        if type(held._data) is not np.ndarray:  # a value of a transform stays one
            held = held.clone() if dtype in (None, held.dtype) else held.to(dtype)
            return held.requires_grad_() if options.get("requires_grad") else held
        copy = made(name, copied_array(held._data, dtype), options)
        copy._why = (f"torch.{name}() copied a tensor", held._why[1]) if data._flags & GRAD else held._why
        return copy
    array = array_from(data)
    array = nested.array_of(data, dtype) if array is None else copied_array(array, dtype)
    return made(name, array, options)


def copied_array(array: np.ndarray, dtype: dtypes.dtype | None) -> np.ndarray:
    """A copy in another dtype or the same, with the same order of dimensions in memory."""
    return array.copy("K") if dtype is None or dtype.numpy == array.dtype else values.cast(array, dtype)


def array_from(data: Any) -> np.ndarray | None:
    """The array that ``data`` is, shows as, or is a list of; None where it is none of these."""
    if isinstance(data, (list, tuple)):
        if not data or type(data[0]) is not np.ndarray or not data[0].ndim:
            return None
        same = all(type(each) is np.ndarray and each.shape == data[0].shape for each in data)
        return checked_array(np.stack(data)) if same else None
    if isinstance(data, np.ndarray):
        return checked_array(data)
    if not isinstance(data, np.generic) and hasattr(data, "__array__"):
        return checked_array(np.asarray(data))
    return array_of_dlpack(data) if hasattr(data, "__dlpack__") else None


class Capsule:
    """A bare DLPack capsule as an object that has the protocol."""

    def __init__(self, capsule: Any) -> None:
        self.capsule = capsule

    def __dlpack__(self, **ignored: Any) -> Any:
        return self.capsule

    def __dlpack_device__(self) -> tuple[int, int]:
        return (1, 0)


def array_of_dlpack(data: Any, copy: bool | None = None) -> np.ndarray:
    data = Capsule(data) if type(data).__name__ == "PyCapsule" else data
    if not hasattr(data, "__dlpack__"):
        raise RuntimeError(
            f"from_dlpack received an invalid capsule: expected one, or __dlpack__, not {type(data).__name__}"
        )
    try:
        return checked_array(np.from_dlpack(data, copy=copy))
    except ValueError as error:
        if "apsule" not in str(error):
            raise
        raise RuntimeError(
            "from_dlpack received an invalid capsule. Note that DLTensor capsules can be consumed only once, so you might "
            "have already constructed a tensor from it once."
        ) from None


def from_dlpack(ext_tensor: Any, *, device: Any = None, copy: bool | None = None) -> Tensor:
    """A tensor on the memory of another library's array, through DLPack: an object with ``__dlpack__``, or a capsule.

    >>> import numpy as np
    >>> array = np.zeros(2)
    >>> torch.from_dlpack(array)[0] = 1
    >>> array
    array([1., 0.])
    """
    check_device(device)
    return made("from_dlpack", array_of_dlpack(ext_tensor, copy), {})


def checked_array(array: np.ndarray) -> np.ndarray:
    """The array, if tensors can hold it.

    Raises:
        TypeError: tensors have no such dtype.
        ValueError: a stride is negative or no multiple of the element's size, or bytes are swapped.
    """
    dtypes.from_numpy(array.dtype)
    if any(stride < 0 for stride in array.strides):
        raise ValueError(
            "At least one stride in the given numpy array is negative, and tensors with negative strides are not "
            f"currently supported: strides are {array.strides} bytes. Make a copy of the array with array.copy()."
        )
    if any(stride % array.itemsize for stride in array.strides):
        raise ValueError(
            "given numpy array strides not a multiple of the element byte size: strides are "
            f"{array.strides} bytes, an element has {array.itemsize}. Copy the numpy array to reallocate the memory."
        )
    return array


def from_numpy(ndarray: np.ndarray) -> Tensor:
    """A tensor that shares the array's memory: what is written to one is seen in the other."""
    if not isinstance(ndarray, np.ndarray):
        raise TypeError(f"expected np.ndarray (got {type(ndarray).__name__})")
    checked_array(ndarray)
    if not ndarray.flags.writeable:
        warnings.warn(
            "The given NumPy array is not writable, and tensors are: writing to this one is refused where it is noticed. "
            "Copy the array first to write to it.",
            UserWarning,
            stacklevel=2,
        )
    return made("from_numpy", ndarray.view(np.ndarray), {})


def frombuffer(buffer: Any, *, dtype: Any, count: int = -1, offset: int = 0, requires_grad: bool = False) -> Tensor:
    """A one-dimensional tensor that shares the memory of an object with the buffer protocol."""
    kind = as_dtype("frombuffer", dtype)
    try:
        length, readonly = memoryview(buffer).nbytes, memoryview(buffer).readonly
    except TypeError:
        raise ValueError("object does not implement Python buffer protocol.") from None
    if not length or not count:
        raise ValueError(f"both buffer length ({length}) and count ({count}) must not be 0")
    if not 0 <= offset < length:
        raise ValueError(
            f"offset ({offset} bytes) must be non-negative and no greater than buffer length ({length} bytes) minus 1"
        )
    if count < 0 and (length - offset) % kind.itemsize:
        raise ValueError(
            f"buffer length ({length - offset} bytes) after offset ({offset} bytes) must be a multiple of element size "
            f"({kind.itemsize})"
        )
    if count * kind.itemsize > length - offset:
        raise ValueError(
            f"requested buffer length ({count} * {kind.itemsize} bytes) after offset ({offset} bytes) must not be greater "
            f"than actual buffer length ({length} bytes)"
        )
    if readonly:
        warnings.warn("The given buffer is not writable; clone() the tensor to write to it.", UserWarning, stacklevel=2)
    return made("frombuffer", np.frombuffer(buffer, kind.numpy, count, offset), {"requires_grad": requires_grad})


def from_file(
    filename: str, shared: bool | None = None, size: int = 0, *, dtype: Any = None, **options: Unpack[Options]
) -> Tensor:
    """The first ``size`` elements of a binary file; ``shared`` memory is the file itself, which is made if need be.

    Raises:
        RuntimeError: the file cannot be opened, or is too small.
    """
    kind = as_dtype("from_file", dtype).numpy
    try:
        if shared and not os.path.exists(filename):
            np.zeros(size, kind).tofile(filename)
        held = os.path.getsize(filename)
    except OSError as error:
        raise RuntimeError(f"unable to open file <{filename}>: {error.strerror} ({error.errno})") from None
    if held < size * kind.itemsize:
        raise RuntimeError(
            f"file <{filename}> size <{held}> is smaller than the required mapping size <{size * kind.itemsize}>"
        )
    mapped = np.memmap(filename, kind, "r+" if shared else "c", shape=size) if size else np.empty(0, kind)
    return made("from_file", np.asarray(mapped), options)


def as_tensor(data: Any, dtype: Any = None, device: Any = None) -> Tensor:
    """A tensor that holds ``data``, sharing memory (and, of a tensor, history) where neither dtype changes."""
    wanted = None if dtype is None else as_dtype("as_tensor", dtype)
    check_device(device)
    if isinstance(data, np.ndarray):
        data = from_numpy(data)
    if isinstance(data, Tensor):
        return data if wanted is None else data.to(wanted)  # type: ignore[attr-defined]
    return copied("as_tensor", data, wanted, {})


def asarray(
    obj: Any, *, dtype: Any = None, device: Any = None, copy: bool | None = None, requires_grad: bool | None = None
) -> Tensor:
    """A tensor that holds ``obj``: sharing its memory (``copy=False``), not (``True``), or where possible (None)."""
    wanted = None if dtype is None else as_dtype("asarray", dtype)
    check_device(device)
    source = shared(obj, wanted)
    if source is None:
        if copy is False:
            raise ValueError("can't alias arbitrary sequence into a tensor.")
        return copied("asarray", obj, wanted, {"requires_grad": bool(requires_grad)})
    found = dtype_of(source._data)
    if copy is False and wanted not in (None, found):
        raise ValueError(f"can't alias tensor with dtype '{found.name}' into dtype '{wanted.name}'.")  # type: ignore[union-attr]
    result: Any = source
    if requires_grad is False:
        result = result.detach()
    result = result.to(wanted or found, copy=bool(copy))
    return result.requires_grad_() if requires_grad and result.is_leaf else result


def shared(obj: Any, dtype: dtypes.dtype | None) -> Tensor | None:
    """A tensor on the memory of ``obj``, or None where it has no memory to share."""
    if isinstance(obj, Tensor):
        return obj
    if isinstance(obj, np.ndarray):
        return from_numpy(obj)
    if isinstance(obj, (bytes, bytearray, memoryview)):
        return frombuffer(obj, dtype=dtype or dtypes.get_default_dtype())
    return from_dlpack(obj) if hasattr(obj, "__dlpack__") or type(obj).__name__ == "PyCapsule" else None


def new_tensor(self: Tensor, data: Any, *, dtype: Any = None, **options: Unpack[Options]) -> Tensor:
    """A copy of ``data`` as a leaf of this tensor's dtype."""
    warn_of_copying(data, "tensor.new_tensor(sourceTensor)")
    return copied("new_tensor", data, as_dtype("new_tensor", dtype, dtype_of(self._data)), options)


Tensor.new_tensor = new_tensor  # type: ignore[attr-defined]


# -- PyTorch's first constructors --------------------------------------------------------------------------------------


def construct(kind: type, args: tuple, dtype: dtypes.dtype, device: Any) -> Tensor:
    """``Tensor(2, 3)``, uninitialised; or ``Tensor([1, 2])``, from data; always of one dtype."""
    check_device(device)
    if len(args) == 1 and isinstance(args[0], Tensor):
        return Tensor.as_subclass(args[0], kind)  # type: ignore[attr-defined]
    made = new(kind)
    made._data, made._fn, made._flags = array_for(args, dtype), None, 0
    return made


def array_for(args: tuple, dtype: dtypes.dtype) -> np.ndarray:
    data = args[0] if len(args) == 1 else None
    if not args or data is None or isinstance(data, (int, Size)):
        return np.empty(as_shape("new", args or (0,)), dtype.numpy)
    if isinstance(data, (float, complex)):
        raise TypeError(f"new(): data must be a sequence (got {type(data).__name__}); use torch.tensor for a number")
    array = array_from(data)
    return nested.array_of(data, dtype) if array is None else copied_array(array, dtype)


def new_tensor_object(kind: type, *args: Any, device: Any = None, **unknown: Any) -> Tensor:
    if unknown:
        raise TypeError(f"new() received an invalid combination of arguments: unexpected keywords {sorted(unknown)}")
    return construct(kind, args, dtypes.get_default_dtype(), device)


def new_like(self: Tensor, *args: Any, device: Any = None) -> Tensor:
    """A tensor of this one's dtype, of the sizes given or with the data of a list; an old form of ``new_tensor``."""
    return construct(Tensor, args, dtype_of(self._data), device)


Tensor.new = new_like  # type: ignore[attr-defined]
Tensor.__new__ = new_tensor_object  # type: ignore[assignment]


class LegacyType:
    """``torch.FloatTensor`` and its like: a constructor, and something to ask ``isinstance`` about."""

    def __init__(self, dtype: dtypes.dtype) -> None:
        self.dtype, self.name = dtype, f"torch.{type_name(dtype)}Tensor"

    def __call__(self, *args: Any, device: Any = None) -> Tensor:
        return construct(Tensor, args, self.dtype, device)

    def __instancecheck__(self, value: Any) -> bool:
        return isinstance(value, Tensor) and dtype_of(value._data) is self.dtype

    def __repr__(self) -> str:
        return f"<class '{self.name}'>"


FloatTensor, DoubleTensor = LegacyType(dtypes.float32), LegacyType(dtypes.float64)
HalfTensor, BFloat16Tensor = LegacyType(dtypes.float16), LegacyType(dtypes.bfloat16)
LongTensor, IntTensor, ShortTensor = LegacyType(dtypes.int64), LegacyType(dtypes.int32), LegacyType(dtypes.int16)
CharTensor, ByteTensor, BoolTensor = LegacyType(dtypes.int8), LegacyType(dtypes.uint8), LegacyType(dtypes.bool)

__all__ = [
    "BFloat16Tensor", "BoolTensor", "ByteTensor", "CharTensor", "DoubleTensor", "FloatTensor", "HalfTensor",
    "IntTensor", "LongTensor", "ShortTensor", "as_tensor", "asarray", "from_dlpack", "from_file", "from_numpy",
    "frombuffer",
    "tensor",
]  # fmt: skip
