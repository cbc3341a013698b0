"""``torch._utils``: the functions by which files of ``torch.save`` say how a tensor is put together, under their names there.

They read what a file says, and trust none of it: every shape is held against the memory that the file really has.
"""

from typing import Any

import numpy as np

from .dtypes import dtype as Dtype
from .info import UntypedStorage
from .memory import TypedStorage
from .nn.parameter import Parameter
from .tape.value import GRAD, Tensor, wrap

MOST_DIMS = 64  # NumPy's


class Unread(UntypedStorage):
    """A storage whose memory is filled when the pickle is read, and what is then to be done with it."""

    __slots__ = ("then",)

    def __init__(self, array: np.ndarray) -> None:
        super().__init__(array)
        self.then: list = []


def laid_out(storage: Any, dtype: Any, offset: Any, size: Any, stride: Any) -> np.ndarray:
    """The array of a dtype that lies so in a storage; offset and strides count elements."""
    untyped = storage._untyped_storage if isinstance(storage, TypedStorage) else storage
    if not isinstance(untyped, UntypedStorage) or not isinstance(dtype, Dtype):
        raise TypeError(
            f"a tensor needs a storage and a dtype, not {type(storage).__name__} and {type(dtype).__name__}"
        )
    shape, steps = whole_numbers("size", size), whole_numbers("stride", stride)
    if len(shape) != len(steps) or len(shape) > MOST_DIMS or type(offset) is not int or offset < 0:
        raise ValueError(f"a tensor of {len(shape)} sizes cannot have {len(steps)} strides and the offset {offset!r}")
    memory = untyped._flat(dtype)
    last = offset + sum((n - 1) * s for n, s in zip(shape, steps, strict=True))
    if 0 not in shape and last >= memory.size:
        raise RuntimeError(
            f"setStorage: sizes {list(shape)}, strides {list(steps)}, storage offset {offset}, and itemsize "
            f"{dtype.itemsize} requiring a storage size of {(last + 1) * dtype.itemsize} are out of bounds for storage of "
            f"size {untyped.nbytes()}"
        )
    if 0 in shape:
        return np.empty(shape, dtype.numpy)
    return np.ndarray(shape, memory.dtype, memory, offset * dtype.itemsize, [s * dtype.itemsize for s in steps])


def whole_numbers(name: str, given: Any) -> tuple:
    if not isinstance(given, (tuple, list)) or any(type(n) is not int or not 0 <= n < 1 << 62 for n in given):
        raise ValueError(f"a tensor's {name} must be a tuple of whole numbers that are not negative")
    return tuple(given)


def _rebuild_tensor(storage: Any, storage_offset: Any, size: Any, stride: Any) -> Tensor:
    return wrap(laid_out(storage, getattr(storage, "dtype", None), storage_offset, size, stride))


def _rebuild_tensor_v2(
    storage: Any,
    storage_offset: Any,
    size: Any,
    stride: Any,
    requires_grad: Any,
    backward_hooks: Any,
    metadata: Any = None,
) -> Tensor:
    """A tensor in a storage that knows its dtype."""
    kind = getattr(storage, "dtype", None)
    return _rebuild_tensor_v3(storage, storage_offset, size, stride, requires_grad, backward_hooks, kind, metadata)


def _rebuild_tensor_v3(
    storage: Any, storage_offset: Any, size: Any, stride: Any, requires_grad: Any, backward_hooks: Any, dtype: Any,
    metadata: Any = None,
) -> Tensor:  # fmt: skip
    """A tensor in a storage that need not be of its dtype. The metadata say what PyTorch leaves to be done later."""
    tensor = wrap(laid_out(storage, dtype, storage_offset, size, stride))
    marks = metadata if isinstance(metadata, dict) else {}
    for compute in [each for mark, each in (("conj", np.conj), ("neg", np.negative)) if marks.get(mark)]:
        then = getattr(getattr(storage, "_untyped_storage", storage), "then", None)
        if then is None:
            tensor._data = compute(tensor._data)
        else:
            then.append((tensor, compute))
    if requires_grad:
        tensor.requires_grad_()  # type: ignore[attr-defined]
    return tensor


def _rebuild_parameter(data: Any, requires_grad: Any, backward_hooks: Any) -> Parameter:
    return Parameter(data, bool(requires_grad))


def _rebuild_parameter_with_state(data: Any, requires_grad: Any, backward_hooks: Any, state: Any) -> Any:
    return with_attributes(Parameter(data, bool(requires_grad)), state)


def with_attributes(tensor: Any, state: Any) -> Any:
    """A tensor with what a user had set on it.

    Raises:
        ValueError: an attribute would hide one that every tensor has.
    """
    parts = state if isinstance(state, tuple) else (state,)
    for part in parts:
        for name, value in (part or {}).items():
            if not isinstance(name, str) or hasattr(Tensor, name):
                raise ValueError(f"a tensor's own attribute {name!r} is not set from a file")
            tensor.__dict__[name] = value
    return tensor


def of_type(kind: Any, tensor: Tensor) -> Any:
    """A tensor as one of a subclass."""
    if not (isinstance(kind, type) and issubclass(kind, Tensor)):
        raise TypeError(f"a tensor's type must be a class of tensors, not {kind!r:.80}")
    if kind is Tensor or type(tensor) is kind:
        return tensor
    made = object.__new__(kind)
    made._data, made._fn, made._flags = tensor._data, None, tensor._flags & GRAD
    return made
