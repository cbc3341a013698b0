"""What can be asked about tensors and dtypes: where the elements lie, what two dtypes make together.

Responsible for questions that read no element.
"""

import math
from typing import Any

import numpy as np

from . import dtypes
from .attributes import Size, current
from .devices import CPU, memory_format, strided
from .forms import address
from .naming import torch_name
from .ops.table import TABLE, Op
from .tape.fast import call
from .tape.promotion import dtype_of, entry
from .tape.record import broadcast
from .tape.storage import owner
from .tape.value import Tensor

# -- memory ------------------------------------------------------------------------------------------------------------


def array_of(tensor: Any) -> np.ndarray:
    """The array of a tensor whose memory is asked for."""
    data = current(tensor)._data
    if type(data) is not np.ndarray:
        raise RuntimeError(
            "Cannot access data pointer of Tensor that doesn't have storage: it is a value of a transform"
        )
    return data


def stride(self: Any, dim: int | None = None) -> Any:
    """The step from one element to the next along each dim, or along one, in elements."""
    data = current(self)._data
    if type(data) is np.ndarray and data.size:
        steps = tuple([s // data.itemsize for s in data.strides])
    else:
        shape = [max(n, 1) for n in data.shape]
        steps = tuple([math.prod(shape[d + 1 :]) for d in range(len(shape))])
    if dim is None:
        return steps
    if not -len(steps) <= dim < len(steps):
        if not steps:
            raise IndexError(f"Dimension specified as {dim} but tensor has no dimensions")
        raise IndexError(
            f"Dimension out of range (expected to be in range of [{-len(steps)}, {len(steps) - 1}], but got {dim})"
        )
    return steps[dim]


ORDERS = {"channels_last": (0, 2, 3, 1), "channels_last_3d": (0, 2, 3, 4, 1)}


def is_contiguous(self: Any, memory_format: memory_format | None = None) -> bool:
    """Whether the elements lie in memory in row-major order without gaps; or in the order of a memory format."""
    data = current(self)._data
    if type(data) is not np.ndarray:
        return True
    order = ORDERS.get(getattr(memory_format, "name", ""))
    if order is None:
        return data.flags.c_contiguous
    return data.ndim == len(order) and data.transpose(order).flags.c_contiguous


def storage_offset(self: Any) -> int:
    """How many elements lie in the storage before the first of this tensor."""
    data = array_of(self)
    return (address(data) - address(owner(data))) // data.itemsize


def data_ptr(self: Any) -> int:
    """The address of the first element; 0 where there is none."""
    data = array_of(self)
    return address(data) if data.size else 0


class UntypedStorage:
    """The memory that a tensor and its views share."""

    __slots__ = ("_owner",)

    def __init__(self, array: np.ndarray) -> None:
        self._owner = owner(array)

    def data_ptr(self) -> int:
        """The address of the first byte."""
        return address(self._owner) if self._owner.nbytes else 0

    def nbytes(self) -> int:
        """The size in bytes."""
        return self._owner.nbytes

    size = __len__ = nbytes

    def __sizeof__(self) -> int:
        return object.__sizeof__(self) + self.nbytes()

    device, dtype = CPU, dtypes.uint8
    is_cuda = False

    def _flat(self, dtype: dtypes.dtype) -> np.ndarray:
        """The memory as numbers of a dtype."""
        flat = self._owner.ravel(order="K").view(np.uint8)
        return flat[: flat.size // dtype.itemsize * dtype.itemsize].view(dtype.numpy)

    def tolist(self) -> list[int]:
        """The bytes as a list."""
        return self._flat(self.dtype).tolist()

    def __getitem__(self, index: Any) -> Any:
        """One byte, or the part of a slice, which shares the memory."""
        found = self._flat(self.dtype)[index]
        if not isinstance(index, slice):
            return found.tolist()
        part = object.__new__(UntypedStorage)
        part._owner = found
        return part

    @property
    def __array_interface__(self) -> dict[str, Any]:
        return self._flat(self.dtype).__array_interface__

    def untyped(self) -> "UntypedStorage":
        """The storage itself."""
        return self

    _untyped = untyped  # as programs for old versions ask

    @classmethod
    def from_file(cls, filename: Any, shared: bool = False, nbytes: int = 0) -> "UntypedStorage":
        """The bytes of a file, mapped into memory; where it is not ``shared``, writes do not reach the file."""
        return cls(np.memmap(filename, np.uint8, "r+" if shared else "c", shape=(nbytes,)).view(np.ndarray))

    def __iter__(self) -> Any:
        return iter(self.tolist())

    def __repr__(self) -> str:
        lines = [f" {byte}" for byte in self.tolist()]
        return "\n".join([*lines, f"[torch.storage.UntypedStorage(device=cpu) of size {self.nbytes()}]"])

    def __eq__(self, other: object) -> bool:
        return isinstance(other, UntypedStorage) and self._owner is other._owner

    def __hash__(self) -> int:
        return id(self._owner)


def untyped_storage(self: Any) -> UntypedStorage:
    """The memory that this tensor shares with its views."""
    return UntypedStorage(array_of(self))


def is_same_size(self: Any, other: Any) -> bool:
    """Whether the shapes are equal."""
    return tuple(self.shape) == tuple(other.shape)


def get_device(self: Any) -> int:
    """The number of the device; -1 for the CPU."""
    return -1


# -- parts -------------------------------------------------------------------------------------------------------------


def real_part(self: Any) -> Any:
    """The real parts; a real tensor itself."""
    return call(TABLE["real"], (self,)) if self.is_complex() else self


def imaginary_part(self: Any) -> Any:
    """The imaginary parts of a complex tensor."""
    if not self.is_complex():
        raise RuntimeError("imag is not implemented for tensors with non-complex dtypes.")
    return call(TABLE["imag"], (self,))


# -- layouts that do not exist here ------------------------------------------------------------------------------------

LAYOUTS = {
    "values": "sparse", "indices": "sparse coordinate", "coalesce": "sparse coordinate",
    "is_coalesced": "sparse coordinate", "crow_indices": "sparse row compressed",
    "col_indices": "sparse row compressed", "ccol_indices": "sparse column compressed",
    "row_indices": "sparse column compressed",
}  # fmt: skip


def dense_only(name: str, layout: str) -> Any:
    """A method of tensors of another layout: it raises PyTorch's error."""

    def method(self: Any) -> Any:
        raise RuntimeError(f"{name} expected {layout} tensor layout but got Strided")

    method.__name__, method.__doc__ = name, f"Of a tensor of {layout} layout; there are none here."
    return method


def to_dense(self: Any, dtype: Any = None, *, masked_grad: bool | None = None) -> Any:
    """The tensor itself, which is dense, or in another dtype."""
    return self if dtype is None else self.to(dtype)


# -- dtypes ------------------------------------------------------------------------------------------------------------


def is_tensor(obj: Any) -> bool:
    """Whether an object is a tensor."""
    return isinstance(obj, Tensor)


def is_storage(obj: Any) -> bool:
    """Whether an object is a tensor's storage."""
    return isinstance(obj, UntypedStorage)


def expect_tensor(name: str, input: Any) -> dtypes.dtype:
    if not isinstance(input, Tensor):
        raise TypeError(f"{name}(): argument 'input' (position 1) must be Tensor, not {type(input).__name__}")
    return dtype_of(input._data)


def is_floating_point(input: Any) -> bool:
    """Whether the dtype is a floating one."""
    return expect_tensor("is_floating_point", input).is_floating_point


def is_complex(input: Any) -> bool:
    """Whether the dtype is a complex one."""
    return expect_tensor("is_complex", input).is_complex


def is_signed(input: Any) -> bool:
    """Whether the dtype has negative numbers."""
    return expect_tensor("is_signed", input).is_signed


def is_conj(input: Any) -> bool:
    """Whether conjugation is put off: never here, where it is computed at once."""
    expect_tensor("is_conj", input)
    return False


def is_neg(input: Any) -> bool:
    """Whether a change of sign is put off: never here."""
    expect_tensor("is_neg", input)
    return False


def is_distributed(input: Any) -> bool:
    """Whether the elements are spread over processes: never here."""
    expect_tensor("is_distributed", input)
    return False


def detach_(input: Any) -> Any:
    """Drop the tensor's history in place."""
    expect_tensor("detach_", input)
    return input.detach_()


def is_inference(input: Any) -> bool:
    """Whether the tensor was made in inference mode."""
    expect_tensor("is_inference", input)
    return input.is_inference()


def detach(input: Any) -> Any:
    """A tensor with the same memory and no history."""
    expect_tensor("detach", input)
    return input.detach()


def is_nonzero(input: Any) -> bool:
    """Whether the only element is not zero."""
    expect_tensor("is_nonzero", input)
    return bool(input)


def numel(input: Any) -> int:
    """The number of elements."""
    expect_tensor("numel", input)
    return input.numel()


def broadcast_shapes(*shapes: Any) -> Size:
    """The shape that tensors of these shapes broadcast to."""
    found: tuple = ()
    for shape in shapes:
        found = broadcast(BROADCAST, found, (shape,) if isinstance(shape, int) else tuple(shape))
    return Size(found)


def typename(obj: Any) -> str:
    """The name of a tensor's type, such as ``torch.FloatTensor``; of another object's class."""
    if isinstance(obj, Tensor):
        return obj.type()  # type: ignore[attr-defined]
    kind = obj if isinstance(obj, type) else type(obj)
    module = getattr(kind, "__module__", "builtins")
    return kind.__qualname__ if module == "builtins" else f"{torch_name(module)}.{kind.__qualname__}"


def expect_dtypes(name: str, *given: Any) -> None:
    for position, each in enumerate(given, 1):
        if not isinstance(each, dtypes.dtype):
            raise TypeError(f"{name}(): argument (position {position}) must be torch.dtype, not {type(each).__name__}")


def promote_types(type1: dtypes.dtype, type2: dtypes.dtype) -> dtypes.dtype:
    """The smallest dtype that holds the values of both."""
    expect_dtypes("promote_types", type1, type2)
    return dtypes.promote_types(type1, type2)


def can_cast(from_: dtypes.dtype, to: dtypes.dtype) -> bool:
    """Whether promotion's rules allow the conversion: never to a lower category, as from floating to integer."""
    expect_dtypes("can_cast", from_, to)
    return dtypes.can_cast(from_, to)


def result_type(tensor1: Any, tensor2: Any) -> dtypes.dtype:
    """The dtype of an operation's result on two tensors or numbers."""
    for operand in (tensor1, tensor2):
        if not isinstance(operand, (Tensor, bool, int, float, complex)):
            raise TypeError(f"result_type(): expected tensors or numbers, got {type(operand).__name__}")
    return dtypes.result_dtype([entry(tensor1), entry(tensor2)])


BROADCAST = Op("broadcast_shapes(input)", "Named in errors only.")

IS_NOT = (
    *(
        "cuda",
        "sparse",
        "sparse_csr",
        "quantized",
        "nested",
        "meta",
        "mps",
        "xpu",
        "mkldnn",
        "ipu",
        "mtia",
        "maia",
        "xla",
    ),
    "vulkan",
)
METHODS = (
    *(stride, is_contiguous, storage_offset, data_ptr, untyped_storage, is_same_size, get_device),
    *(is_floating_point, is_complex, is_signed, is_conj, is_neg, is_distributed, is_nonzero, to_dense),
    *[dense_only(name, layout) for name, layout in LAYOUTS.items()],
)
PROPERTIES = {
    "real": real_part, "imag": imaginary_part,
    "device": lambda self: CPU, "layout": lambda self: strided, "itemsize": lambda self: self.dtype.itemsize,
    "nbytes": lambda self: self.numel() * self.dtype.itemsize, "is_cpu": lambda self: True,
    **{f"is_{kind}": lambda self: False for kind in IS_NOT},
}  # fmt: skip
for method in METHODS:
    setattr(Tensor, method.__name__, method)
WRITERS: dict[str, Any] = {
    "real": lambda self, value: self.real.copy_(value),
    "imag": lambda self, value: self.imag.copy_(value),
}
for name, read in PROPERTIES.items():
    setattr(Tensor, name, property(read, WRITERS.get(name), doc=read.__doc__))
Tensor.element_size = lambda self: self.dtype.itemsize  # type: ignore[attr-defined]
Tensor.sparse_dim = lambda self: 0  # type: ignore[attr-defined]
Tensor.dense_dim = lambda self: self.ndim  # type: ignore[attr-defined]
Tensor.const_data_ptr = data_ptr  # type: ignore[attr-defined]
Tensor.name = property(lambda self: None)  # type: ignore[attr-defined]
Tensor.volatile = property(lambda self: False)  # type: ignore[attr-defined]
Tensor.is_pinned = lambda self: False  # type: ignore[attr-defined]

__all__ = [
    "UntypedStorage",
    "broadcast_shapes",
    "can_cast",
    "detach",
    "detach_",
    "get_device",
    "is_complex",
    "is_conj",
    "is_distributed",
    "is_floating_point",
    "is_inference",
    "is_neg",
    "is_nonzero",
    "is_same_size",
    "is_signed",
    "is_storage",
    "is_tensor",
    "numel",
    "promote_types",
    "result_type",
    "typename",
]  # fmt: skip
