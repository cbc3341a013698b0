"""Writes in place and saved values: declaring a write, judging writes as PyTorch does, and keeping what one would destroy."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any
from weakref import WeakSet

from numpy import ndarray

from ..clock import tick
from ..tape.inplace import note_write
from ..tape.modes import DecoratorContextManager
from ..tape.saved import saved_tensors_hooks
from ..tape.storage import describe_write, keepers, owner, strict, write_since
from ..tape.value import Tensor, wrap

__all__ = ["allow_mutation_on_saved_tensors", "increment_version", "strict_versions"]


def increment_version(tensor: Tensor | Iterable[Tensor]) -> None:
    """Declare that a tensor (or each of several) was written where nobody could notice, by NumPy or foreign code.

    What was saved of it for a backward pass is stale from then on.

    Raises:
        RuntimeError: something that is no tensor, or an inference tensor, which has no version.

    >>> import pullback as torch
    >>> x = torch.zeros(3)
    >>> x.numpy()[0] = 1
    >>> torch.autograd.graph.increment_version(x)
    >>> x._version
    1
    """
    tensors = [tensor] if isinstance(tensor, Tensor) or not isinstance(tensor, Iterable) else list(tensor)
    for each in tensors:
        if not isinstance(each, Tensor):
            raise RuntimeError(f"increment_version expects each element to be a tensor, but got {type(each).__name__}")
        if each._inference:
            raise RuntimeError("increment_version: Inference tensors do not track version counter.")
    for each in tensors:
        note_write(each, "increment_version")


class strict_versions(DecoratorContextManager):
    """Context manager and decorator: backward passes inside refuse every later write to a saved value's storage.

    That is PyTorch's rule; Pullback's own refuses only those that touched the value.

    Args:
        mode: whether the strict rule holds inside.

    >>> import pullback as torch
    >>> a = torch.ones(2, requires_grad=True) * 1
    >>> a[0] = a[1].sin()
    >>> a.sum().backward(retain_graph=True)
    >>> with torch.autograd.graph.strict_versions():
    ...     a.sum().backward()
    Traceback (most recent call last):
    RuntimeError: one of the variables needed for gradient computation has been modified by an inplace operation: ...
    """

    def __init__(self, mode: bool = True) -> None:
        self.mode = mode

    def __enter__(self) -> None:
        strict.enter(self.mode)

    def __exit__(self, *exc: object) -> None:
        strict.leave()

    def clone(self) -> "strict_versions":
        return strict_versions(self.mode)


class Kept:
    """A value that a node saved: the array itself, or a copy once it was about to be overwritten."""

    __slots__ = ("__weakref__", "data", "moment")

    def __init__(self, data: Any) -> None:
        self.data, self.moment = data, tick()


class Keeper:
    """What :func:`allow_mutation_on_saved_tensors` knows: the values saved inside, by their storages."""

    def __init__(self) -> None:
        self.saved: dict[int, WeakSet] = {}

    def pack(self, tensor: Tensor) -> Kept:
        kept = Kept(tensor._data)
        if type(kept.data) is ndarray:
            self.saved.setdefault(id(owner(kept.data)), WeakSet()).add(kept)
        return kept

    def unpack(self, kept: Kept) -> Tensor:
        if _keeper.get() is not self:
            raise AssertionError(
                "Trying to backward outside of the 'allow_mutation_on_saved_tensors' context in which the graph was "
                "originally recorded."
            )
        write = write_since(kept.data, kept.moment) if type(kept.data) is ndarray else None
        if write is not None:
            raise RuntimeError(
                "one of the variables needed for gradient computation has been modified by an inplace operation that "
                f"could not be foreseen: {describe_write(write)}"
            )
        return wrap(kept.data)

    def preserve(self, data: Any) -> None:
        """Copy what was saved of a storage that is about to be written."""
        for kept in self.saved.pop(id(owner(data)), ()):
            kept.data, kept.moment = kept.data.copy(), tick()

    def clear(self) -> None:
        """Forget the values; the context's graphs can be walked no more."""
        self.saved.clear()


_keeper: ContextVar[Keeper | None] = ContextVar("allow_mutation_on_saved_tensors", default=None)


@contextmanager
def allow_mutation_on_saved_tensors() -> Iterator[Keeper]:
    """Context manager: what is saved inside for a backward pass may be overwritten; it is copied just before that.

    The backward pass must run inside as well.

    Raises:
        RuntimeError: on entering it inside another one.
        AssertionError: a backward pass outside of a graph that was recorded inside.

    >>> import pullback as torch
    >>> x = torch.tensor([2.0, 3.0], requires_grad=True)
    >>> with torch.autograd.graph.allow_mutation_on_saved_tensors():
    ...     y = x * 1
    ...     z = y * y
    ...     y.zero_()  # y was saved for the derivative of z
    ...     z.sum().backward()
    tensor([0., 0.], grad_fn=<ZeroBackward0>)
    >>> x.grad
    tensor([4., 6.])
    """
    if _keeper.get() is not None:
        raise RuntimeError("allow_mutation_on_saved_tensors contexts cannot be nested")
    keeper = Keeper()
    token = _keeper.set(keeper)
    keepers.append(keeper.preserve)
    try:
        with saved_tensors_hooks(keeper.pack, keeper.unpack):
            yield keeper
    finally:
        keepers.remove(keeper.preserve)
        _keeper.reset(token)
        keeper.clear()
