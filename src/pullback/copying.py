"""Copies of tensors by Python's protocols: ``copy.copy``, ``copy.deepcopy`` and ``pickle``.

A tensor is taken apart into the array that owns its memory, and how it lies in that; so tensors that share memory still
do so in one deep copy, or one pickle, of both. What comes back is a leaf.
"""

import copy
import warnings
from typing import Any

import numpy as np

from .attributes import current
from .info import address
from .tape.storage import owner
from .tape.value import GRAD, Tensor, new


def take_apart(tensor: Any) -> tuple[np.ndarray, tuple | None]:
    """The owner of a tensor's memory, and (shape, dtype, offset in bytes, strides) in it; None if it is all of it."""
    data = current(tensor)._data
    if type(data) is not np.ndarray:
        raise RuntimeError("a value of a transform (vmap, grad, jvp, trace) cannot be copied or pickled")
    whole = owner(data)
    if whole is data or (whole.shape, whole.strides, whole.dtype) == (data.shape, data.strides, data.dtype):
        return whole, None
    if not (whole.flags.c_contiguous or whole.flags.f_contiguous):
        return data.copy("K"), None  # memory from elsewhere, whose gaps a copy of it would not have
    return whole, (data.shape, data.dtype, address(data) - address(whole), data.strides)


def put_together(whole: np.ndarray, place: tuple | None) -> np.ndarray:
    """The array that lies so in the memory of ``whole``."""
    if place is None:
        return whole
    shape, dtype, offset, strides = place
    return np.ndarray(shape, dtype, whole.view(np.uint8) if whole.ndim else whole, offset, strides)


def own_attributes(tensor: Any) -> dict[str, Any]:
    """What a user has set on a tensor."""
    return {name: value for name, value in tensor.__dict__.items() if not hasattr(Tensor, name)}


def rebuilt(kind: type, whole: np.ndarray, place: tuple | None, requires_grad: bool, attributes: dict) -> Tensor:
    """A leaf of a class of tensors."""
    tensor = new(kind)
    tensor._data, tensor._fn, tensor._flags = put_together(whole, place), None, GRAD if requires_grad else 0
    tensor.__dict__.update(attributes)
    return tensor


def reduce(self: Any, protocol: Any) -> tuple:
    whole, place = take_apart(self)
    for hook in (self._hooks or {}).values():
        warnings.warn(
            f"backward hook {hook!r} on tensor will not be serialized: register it again on what is loaded",
            stacklevel=2,
        )
    return rebuilt, (type(self), whole, place, self.requires_grad, own_attributes(self))


def deep_copy(self: Any, memo: dict) -> Tensor:
    if id(self) in memo:
        return memo[id(self)]
    if not self.is_leaf:
        raise RuntimeError(
            "Only Tensors created explicitly by the user (graph leaves) support the deepcopy protocol at the moment: this "
            f"one was computed by {self.grad_fn.name()}. Copy tensor.detach(), or use tensor.clone() to keep its history."
        )
    whole, place = take_apart(self)
    made: Any = rebuilt(type(self), copied_once(whole, memo), place, self.requires_grad, {})
    memo[id(self)] = made
    made._grad = copy.deepcopy(self._grad, memo)
    made.__dict__.update(copy.deepcopy(own_attributes(self), memo))
    return made


def copied_once(whole: np.ndarray, memo: dict) -> np.ndarray:
    """The copy of a storage: one for all tensors in it."""
    key = id(whole)
    if key not in memo:
        memo[key] = whole.copy("K")
        memo.setdefault(id(memo), []).append(whole)  # kept alive, so that no other object takes its id
    return memo[key]


Tensor.__reduce_ex__ = reduce  # type: ignore[assignment]
Tensor.__deepcopy__ = deep_copy  # type: ignore[attr-defined]
