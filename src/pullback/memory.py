"""The memory of tensors, by PyTorch's names: storages, resizing in place, and taking over another tensor's memory.

Nothing here is differentiable. What changes a tensor's memory refuses tensors that require grad, and values of transforms,
which have none. Invariant: a storage is the array that owns the memory (``tape/storage.py``), whoever shows it.
"""

from mmap import mmap
from typing import Any

import numpy as np

from . import dtypes
from .arguments import as_shape, check_tensor
from .attributes import Attributes, current
from .devices import CPU
from .forms import address, contiguous_steps, resized, take_memory
from .info import UntypedStorage, array_of, stride
from .kernels.numpy.shape import restrided
from .tape.promotion import dtype_of
from .tape.storage import memory, owner
from .tape.value import GRAD, Tensor, wrap

# -- storages ----------------------------------------------------------------------------------------------------------


class TypedStorage:
    """A storage as numbers of one dtype, one after another."""

    __slots__ = ("_untyped_storage", "dtype")

    device = CPU
    is_cuda = False

    def __init__(self, storage: UntypedStorage, dtype: dtypes.dtype) -> None:
        self._untyped_storage, self.dtype = storage, dtype

    def untyped(self) -> UntypedStorage:
        """The same memory without a dtype."""
        return self._untyped_storage

    def _numbers(self) -> Tensor:
        return wrap(self._untyped_storage._flat(self.dtype))

    def __len__(self) -> int:
        return self._untyped_storage.nbytes() // self.dtype.itemsize

    size = __len__

    def __getitem__(self, index: Any) -> Any:
        return self._numbers()[index].tolist()  # type: ignore[index]

    def __setitem__(self, index: Any, value: Any) -> None:
        self._numbers()[index] = value  # type: ignore[index]

    def __iter__(self) -> Any:
        return iter(self.tolist())

    def __eq__(self, other: object) -> bool:
        return isinstance(other, TypedStorage) and self._untyped_storage == other._untyped_storage

    def __hash__(self) -> int:
        return hash(self._untyped_storage)

    def fill_(self, value: Any) -> "TypedStorage":
        """Write one number everywhere."""
        self._numbers().fill_(value)  # type: ignore[attr-defined]
        return self

    def tolist(self) -> list:
        """The numbers as a list."""
        return self._numbers().tolist()  # type: ignore[attr-defined]

    def nbytes(self) -> int:
        """The size in bytes."""
        return self._untyped_storage.nbytes()

    def element_size(self) -> int:
        """The size of one number in bytes."""
        return self.dtype.itemsize

    def data_ptr(self) -> int:
        """The address of the first byte."""
        return self._untyped_storage.data_ptr()

    def __repr__(self) -> str:
        lines = [f" {number}" for number in self.tolist()]
        return "\n".join([*lines, f"[torch.storage.TypedStorage(dtype={self.dtype}, device=cpu) of size {len(self)}]"])


class StorageKind(type):
    """The class of ``FloatStorage`` and its kin, names by which pickles tell a storage's dtype: a storage is an instance
    of the kind of its dtype."""

    dtype: dtypes.dtype

    def __instancecheck__(cls, instance: Any) -> bool:
        return isinstance(instance, TypedStorage) and instance.dtype is cls.dtype

    def __call__(cls, *args: Any, **kwargs: Any) -> Any:
        raise TypeError(f"{cls.__name__} is only a name here: make a tensor, and ask for its storage()")


# The dtypes that have a kind; other dtypes' storages are untyped in pickles.
KIND_WORDS = {
    "Double": dtypes.float64, "Float": dtypes.float32, "Half": dtypes.float16, "BFloat16": dtypes.bfloat16,
    "Long": dtypes.int64, "Int": dtypes.int32, "Short": dtypes.int16, "Char": dtypes.int8, "Byte": dtypes.uint8,
    "Bool": dtypes.bool, "ComplexDouble": dtypes.complex128, "ComplexFloat": dtypes.complex64,
}  # fmt: skip
STORAGE_KINDS = {
    f"{word}Storage": StorageKind(f"{word}Storage", (), {"dtype": dtype, "__module__": "pullback"})
    for word, dtype in KIND_WORDS.items()
}
globals().update(STORAGE_KINDS)
UntypedStorage.__module__ = TypedStorage.__module__ = "pullback.storage"  # as which they are shown and pickled


def storage(self: Any) -> TypedStorage:
    """The memory that this tensor shares with its views, as numbers of its dtype."""
    return TypedStorage(UntypedStorage(array_of(self)), self.dtype)


# -- other memory, or more or less of it -------------------------------------------------------------------------------


def check_resizable(tensor: Any) -> None:
    if tensor.requires_grad:
        raise RuntimeError("cannot resize variables that require grad")


def resize_(self: Any, *sizes: Any, size: Any = None, memory_format: Any = None) -> Any:
    """Give the tensor another shape in place: its memory is seen row by row, and is new if it does not suffice.

    Where it does not, the elements that there were are copied to the front of new memory, which views that were made
    before do not see (in PyTorch they do).

    Raises:
        RuntimeError: the tensor requires grad.
    """
    check_resizable(self)
    shape = as_shape("resize_", sizes, size)
    if tuple(self.shape) != shape:
        take_memory(self, resized(array_of(self), shape))
    return self


def resize_as_(self: Any, the_template: Any, *, memory_format: Any = None) -> Any:
    """Give the tensor the shape of another in place, as :meth:`resize_` does."""
    check_tensor("resize_as_", the_template)
    return resize_(self, tuple(the_template.shape))


def resize(self: Any, *sizes: Any) -> Any:
    """The tensor in another shape with as many elements; PyTorch keeps this form for old programs."""
    return self.reshape(as_shape("resize", sizes)) if self.requires_grad else self.view(as_shape("resize", sizes))


def resize_as(self: Any, tensor: Any) -> Any:
    """The tensor in the shape of another with as many elements."""
    return resize(self, tuple(tensor.shape))


def as_strided_(input: Any, size: Any, stride: Any, storage_offset: int | None = None) -> Any:
    """Let the tensor itself be seen with other sizes and strides, as :func:`as_strided` sees it."""
    check_tensor("as_strided_", input)
    return input.as_strided_(size, stride, storage_offset)


def set_(self: Any, source: Any = None, storage_offset: int = 0, size: Any = None, stride: Any = None) -> Any:
    """Let the tensor share the memory of a tensor or a storage, all of it or as sizes and strides say; without, have none.

    Raises:
        RuntimeError: the tensor requires grad, or the dtypes differ.
    """
    if self._flags & GRAD:
        raise RuntimeError("a leaf Variable that requires grad is being used in an in-place operation: set_()")
    kind = self.dtype
    if isinstance(source, Tensor) and dtype_of(source._data) is not kind:
        raise RuntimeError(
            f"Could not set tensor of type {TYPE_NAMES.get(dtype_of(source._data).name)} to a tensor of type "
            f"{TYPE_NAMES.get(kind.name)}"
        )
    take_memory(self, memory_seen(source, kind, storage_offset, size, stride))
    self._kin = Attributes.detach(source)._kin if isinstance(source, Tensor) else None
    return self


TYPE_NAMES = {
    "float32": "float", "float64": "double", "int64": "long int", "int32": "int", "int16": "short int", "bool": "bool",
    "float16": "c10::Half", "bfloat16": "c10::BFloat16", "complex64": "c10::complex<float>", "uint8": "unsigned char",
    "complex128": "c10::complex<double>", "int8": "signed char",
}  # fmt: skip


def memory_seen(source: Any, kind: dtypes.dtype, offset: int, size: Any, strides: Any) -> np.ndarray:
    """The memory of a tensor or a storage as an array, or a part of it by sizes and strides."""
    if source is None:
        return np.empty(0, kind.numpy)
    if isinstance(source, Tensor) and size is None:
        return array_of(source)
    untyped = UntypedStorage(array_of(source)) if isinstance(source, Tensor) else source
    flat = getattr(untyped, "_untyped_storage", untyped)._flat(kind)
    if size is None:
        return flat
    shape = tuple(size)
    steps = contiguous_steps(shape, flat.itemsize) if not strides else tuple(s * flat.itemsize for s in strides)
    last = offset + sum((n - 1) * s for n, s in zip(shape, steps, strict=True)) // flat.itemsize
    if 0 not in shape and (offset < 0 or last >= flat.size):
        raise RuntimeError(
            f"setStorage: sizes {list(shape)}, strides {list(strides or ())}, storage offset {offset}, and itemsize "
            f"{flat.itemsize} are out of bounds for storage of size {flat.nbytes}"
        )
    return restrided(flat, shape, steps, offset * flat.itemsize)


def is_set_to(self: Any, tensor: Any) -> bool:
    """Whether two tensors show the same memory in the same way."""
    mine, other = array_of(self), array_of(tensor)
    same = mine.shape == other.shape and mine.strides == other.strides and owner(mine) is owner(other)
    return same and address(mine) == address(other)


# -- where memory is, and in which order -------------------------------------------------------------------------------


def dim_order(self: Any, *, ambiguity_check: Any = False) -> tuple[int, ...]:
    """The dims from the one whose elements lie farthest apart to the one whose lie closest together.

    Raises:
        RuntimeError: ``ambiguity_check`` is set, and other orders would do as well.
    """
    steps = stride(current(self))
    if ambiguity_check is True and (1 in self.shape or len(set(steps)) < len(steps)):
        raise RuntimeError(
            "The tensor does not have unique dim order, or cannot map to exact one of the given memory formats."
        )
    return tuple(sorted(range(len(steps)), key=lambda d: -steps[d]))


def pin_memory(self: Any, device: Any = None) -> Any:
    """Not available: memory is pinned for an accelerator, and there is none."""
    raise RuntimeError("Cannot access accelerator device when none is available.")


def share_memory_(self: Any) -> Any:
    """Move this tensor's elements into memory that processes which are forked from now on have in common with this one."""
    data = self._data
    if type(data) is np.ndarray and data.size and not is_shared(self):
        common = np.ndarray(data.shape, data.dtype, mmap(-1, data.nbytes))
        common[...] = data
        self.data = wrap(common)
    return self


def is_shared(self: Any) -> bool:
    """Whether forked processes have this tensor's memory in common (:meth:`share_memory_`)."""
    return type(self._data) is np.ndarray and isinstance(memory(self._data).base, mmap)


def module_load(self: Any, other: Any, assign: bool = False) -> Any:
    """What a module's ``load_state_dict`` puts in this tensor's place: this one with the other's values, or the other."""
    return other.detach() if assign else self.copy_(other).detach()


METHODS = (
    *(storage, resize_, resize_as_, resize, resize_as, set_, is_set_to, dim_order, pin_memory, share_memory_),
    is_shared,
    *(module_load,),
)
for method in METHODS:
    setattr(Tensor, method.__name__, method)

__all__ = ["TypedStorage", "as_strided_", "resize_as_", *STORAGE_KINDS]
