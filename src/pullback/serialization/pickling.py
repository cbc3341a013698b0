"""The pickle inside a file of ``torch.save``: what stands there for tensors, dtypes and classes, by PyTorch's names.

Responsible for the pickle, and for collecting the storages that it names; ``archive`` and ``legacy`` write these down.
Invariant: a storage is collected once, whoever shares it, and its key says where it is found.
"""

import pickle
import sys
import warnings
from collections import OrderedDict
from collections.abc import Callable
from types import FunctionType
from typing import Any

import numpy as np

from .. import _tensor, _utils, dtypes
from ..attributes import Size
from ..copying import own_attributes, take_apart
from ..devices import device, layout, strided
from ..forms import address
from ..info import UntypedStorage
from ..memory import STORAGE_KINDS, TypedStorage
from ..naming import torch_name
from ..nn.parameter import Buffer, Parameter
from ..tape.promotion import dtype_of
from ..tape.storage import owner
from ..tape.value import Tensor

KIND_OF: dict[Any, Any] = {kind.dtype: kind for kind in STORAGE_KINDS.values()}

HOMES: dict[Any, str] = {  # where PyTorch looks for what it has in several places
    Parameter: "torch.nn.parameter",
    Buffer: "torch.nn.parameter",
    TypedStorage: "torch.storage",
    UntypedStorage: "torch.storage",
}


class Stored:
    """A storage of the file, and the dtype of whoever was the first to name it."""

    def __init__(self, key: str, whole: np.ndarray, dtype: dtypes.dtype | None) -> None:
        self.key, self.whole = key, whole
        self.kind = KIND_OF.get(dtype, UntypedStorage)
        self.dtype = dtype if dtype is not None and dtype in KIND_OF else dtypes.uint8

    def bytes(self) -> memoryview:
        """The memory, in the order in which it lies."""
        return self.whole.ravel(order="K").view(np.uint8).data

    def numel(self) -> int:
        return self.whole.nbytes // self.dtype.itemsize


def torch_names(obj: Any, name: str) -> tuple[str, str]:
    """The module and the name by which PyTorch finds what a pickle refers to by name."""
    module = getattr(obj, "__module__", None) or ""
    if module != "pullback" and not module.startswith("pullback."):
        return pickle.whichmodule(obj, name), name  # type: ignore[attr-defined]
    if obj in HOMES:
        return HOMES[obj], name
    for package in parents(module):  # torch.nn.Linear, wherever the class is defined
        if vars(sys.modules[package]).get(name) is obj:
            return torch_name(package), name
    return torch_name(module), name


def parents(module: str) -> list[str]:
    """``pullback``, ``pullback.nn``, and so on down to the module."""
    parts = module.split(".")
    return [".".join(parts[:n]) for n in range(1, len(parts) + 1) if ".".join(parts[:n]) in sys.modules]


def pickler_class(pickle_module: Any) -> type:
    """The class that pickles for a file, over the one of a module such as ``pickle`` or ``dill``."""
    base: Any = getattr(pickle_module, "_Pickler", pickle_module.Pickler)  # the one whose names can be changed

    class Pickler(base):
        """Pickles tensors as PyTorch does, and keeps their storages in ``stored``."""

        with_view = ()  # what the ids of the old format have at their end

        def __init__(self, *args: Any, **kwargs: Any) -> None:
            super().__init__(*args, **kwargs)
            self.stored: dict[Any, Stored] = {}

        def persistent_id(self, obj: Any) -> Any:
            if isinstance(obj, TypedStorage):
                obj = self.storage(obj._untyped_storage._owner, obj.dtype)
            elif isinstance(obj, UntypedStorage):
                obj = self.storage(obj._owner, None)
            if type(obj) is not Stored:
                return None
            return ("storage", obj.kind, obj.key, "cpu", obj.numel(), *self.with_view)

        def storage(self, whole: np.ndarray, dtype: dtypes.dtype | None) -> Stored:
            """What the file has of the storage that an array owns."""
            found = self.stored.get(id(whole))
            if found is None:
                found = self.stored[id(whole)] = Stored(str(len(self.stored)), whole, dtype)
            return found

        def reducer_override(self, obj: Any) -> Any:
            if isinstance(obj, Tensor) and type(obj).__reduce_ex__ is Tensor.__reduce_ex__:
                return reduce_tensor(obj, self.storage)
            reduce = REDUCERS.get(type(obj))
            if reduce is not None:
                return reduce(obj)
            inherited = getattr(super(), "reducer_override", None)
            return NotImplemented if inherited is None else inherited(obj)

        def save_global(self, obj: Any, name: str | None = None) -> None:
            write_global(self, obj, name, super().save_global)

    if hasattr(base, "dispatch"):  # functions do not ask save_global
        own = base.dispatch.get(FunctionType, base.save_global)
        Pickler.dispatch = {  # type: ignore[attr-defined]
            **base.dispatch,
            FunctionType: lambda self, obj: write_global(self, obj, None, lambda obj, name: own(self, obj)),
        }
    return Pickler


def write_global(pickler: Any, obj: Any, name: str | None, otherwise: Callable) -> None:
    """Refer to a class or a function by name: what is Pullback's, by PyTorch's name."""
    name = name or getattr(obj, "__qualname__", None) or obj.__name__
    module = getattr(obj, "__module__", None) or ""
    if module.split(".")[0] != "pullback" or "." in name:
        otherwise(obj, name)
        return
    home, name = torch_names(obj, name)
    if pickler.proto >= 4:
        pickler.save(home)
        pickler.save(name)
        pickler.write(pickle.STACK_GLOBAL)
    else:
        pickler.write(pickle.GLOBAL + f"{home}\n{name}\n".encode())
    pickler.memoize(obj)


# -- what stands for what ----------------------------------------------------------------------------------------------


def reduce_tensor(tensor: Any, storage: Callable) -> tuple:
    """The function of ``torch._utils`` that puts a tensor together, and its arguments."""
    if tensor._hooks:
        warnings.warn(
            "backward hooks on a tensor are not saved with it: register them again on what is loaded", stacklevel=2
        )
    state, kind = own_attributes(tensor), type(tensor)
    if kind is Parameter:
        function, args = laid_out(tensor, storage, False)
        data = Rebuilt(function, args)
        if state:
            return _utils._rebuild_parameter_with_state, (data, tensor.requires_grad, OrderedDict(), state)
        return _utils._rebuild_parameter, (data, tensor.requires_grad, OrderedDict())
    function, args = laid_out(tensor, storage, tensor.requires_grad)
    if kind is Buffer:
        kind, state = Tensor, {**state, Buffer.mark: True}
    if kind is Tensor and not state:
        return function, args
    return _tensor._rebuild_from_type_v2, (function, kind, args, state)


def laid_out(tensor: Any, storage: Callable, requires_grad: bool) -> tuple:
    """How a tensor lies in its storage, in elements."""
    whole, _ = take_apart(tensor)
    data = tensor._data if owner(tensor._data) is whole else whole
    dtype = dtype_of(data)
    offset = address(data) - address(whole)
    if data.size and (min((0, *data.strides)) < 0 or any(n % data.itemsize for n in (offset, *data.strides))):
        whole = data = data.copy()
        offset = 0
    if not data.size:
        whole, offset = np.empty(0, data.dtype) if not whole.nbytes else whole, 0
    stored = storage(whole, dtype)
    place = (stored, offset // data.itemsize, tuple(data.shape), steps_of(data), requires_grad, OrderedDict())
    return (_utils._rebuild_tensor_v2, place) if stored.dtype is dtype else (_utils._rebuild_tensor_v3, (*place, dtype))


def steps_of(data: np.ndarray) -> tuple:
    """An array's strides in elements."""
    if data.size:
        return tuple([s // data.itemsize for s in data.strides])
    shape = [max(n, 1) for n in data.shape]
    return tuple([int(np.prod(shape[d + 1 :], dtype=np.int64)) for d in range(len(shape))])


class Rebuilt:
    """A tensor that stands in a pickle for itself, by the function and the arguments that put it together."""

    def __init__(self, function: Callable, args: tuple) -> None:
        self.reduced = function, args


def get_layout(name: str) -> layout:
    """The layout of a name: ``torch.strided`` is the only one."""
    if name != "torch.strided":
        raise RuntimeError(f"Pullback has no tensors of the layout {name}")
    return strided


get_layout.__module__, get_layout.__qualname__ = "pullback.serialization", "_get_layout"  # PyTorch's name

REDUCERS: dict[type, Callable] = {
    Rebuilt: lambda obj: obj.reduced,
    Size: lambda obj: (Size, (tuple(obj),)),
    device: lambda obj: (device, (obj.type,) if obj.index is None else (obj.type, obj.index)),
    layout: lambda obj: (get_layout, (repr(obj),)),
}
