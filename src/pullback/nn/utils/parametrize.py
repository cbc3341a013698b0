"""Tensors of a module that are computed from others: ``register_parametrization`` and its kin.

Responsible for the modules' attributes, not for any parametrization. A module with parametrizations is of a class derived
from its own, which computes the tensors when they are read, and takes values that are assigned to them apart. Invariant: the
parameters that an optimizer holds stay the objects that they are.
"""

import copy
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from typing import Any

from ...tape.modes import no_grad
from ...tape.value import Tensor
from ..modules.container import ModuleDict, ModuleList
from ..modules.module import Module
from ..parameter import Parameter

__all__ = [
    "ParametrizationList", "cached", "is_parametrized", "register_parametrization", "remove_parametrizations",
    "transfer_parametrizations_and_params", "type_before_parametrizations",
]  # fmt: skip

_cache: dict[tuple[int, str], Any] = {}
_users_of_cache = 0


@contextmanager
def cached() -> Iterator[None]:
    """Compute each parametrized tensor once while this lasts, however often it is read."""
    global _users_of_cache
    _users_of_cache += 1
    try:
        yield
    finally:
        _users_of_cache -= 1
        if not _users_of_cache:
            _cache.clear()


class ParametrizationList(ModuleList):
    """The modules that compute one tensor, one after another, and what the first of them starts from.

    That is ``original``, or, where the last ``right_inverse`` returned several tensors, ``original0``, ``original1``, …

    Args:
        modules: the parametrizations.
        original: the tensor that they take the place of.
        unsafe: whether the dtype and shape of the tensor may change.
    """

    original: Tensor

    def __init__(self, modules: Sequence[Module], original: Any, unsafe: bool = False) -> None:
        if not modules:
            raise ValueError("ParametrizationList requires one or more modules.")
        super().__init__(modules)
        self.unsafe = unsafe
        shape, dtype = original.shape, original.dtype
        start = self._start_of(original)
        self.is_tensor = isinstance(start, Tensor)
        self.ntensors = 1 if self.is_tensor else len(start)
        if isinstance(start, Tensor):
            self._check_start(start, dtype)
            original.data = start.detach()  # type: ignore[attr-defined]
            add(self, "original", original)
        else:
            for i, part in enumerate(start):
                add(self, f"original{i}", as_kind_of(original, part, i))
        if not unsafe:
            check_result(self(), shape, dtype)

    def _start_of(self, original: Any) -> Any:
        start = original
        with no_grad():
            for module in reversed(list(self)):
                if hasattr(module, "right_inverse"):
                    try:
                        start = module.right_inverse(start)
                    except NotImplementedError:
                        pass
        if not isinstance(start, (Tensor, Sequence)):
            raise ValueError(
                f"'right_inverse' must return a Tensor or a Sequence of tensors (list, tuple...). Got {type(start).__name__}"
            )
        return start

    def _check_start(self, start: Any, dtype: Any) -> None:
        if start.dtype != dtype:
            raise ValueError(
                "When `right_inverse` outputs one tensor, it may not change the dtype.\n"
                f"original.dtype: {dtype}\nright_inverse(original).dtype: {start.dtype}"
            )

    def originals(self) -> list:
        """What the first parametrization gets."""
        return [self.original] if self.is_tensor else [getattr(self, f"original{i}") for i in range(self.ntensors)]

    def right_inverse(self, value: Any) -> None:
        """Set the originals so that the tensor becomes ``value``; every parametrization must have a ``right_inverse``."""
        with no_grad():
            for module in reversed(list(self)):
                if not hasattr(module, "right_inverse"):
                    raise RuntimeError(f"parametrization {type(module).__name__} does not implement right_inverse.")
                value = module.right_inverse(value)
            originals = self.originals()
            values = self._checked(value, originals)
            for original, part in zip(originals, values, strict=True):
                original.data = part.detach()

    def _checked(self, value: Any, originals: list) -> list:
        if self.is_tensor and not isinstance(value, Tensor):
            raise ValueError(f"`right_inverse` should return a tensor. Got {type(value).__name__}")
        if not self.is_tensor and not isinstance(value, Sequence):
            raise ValueError(f"'right_inverse' must return a sequence of tensors. Got {type(value).__name__}.")
        values = [value] if self.is_tensor else list(value)
        if len(values) != len(originals):
            raise ValueError(
                f"'right_inverse' must return a sequence of tensors of length {len(originals)}. Got a sequence of length "
                f"{len(values)}."
            )
        for i, (part, original) in enumerate(zip(values, originals, strict=True)):
            if not isinstance(part, Tensor):
                raise ValueError(
                    f"`right_inverse` must return a sequence of tensors. Got element {i} of type {type(part)}"
                )
            if part.dtype != original.dtype:  # type: ignore[attr-defined]
                raise ValueError(
                    f"The tensor returned by `right_inverse` has dtype {part.dtype} while `original` has dtype "  # type: ignore[attr-defined]
                    f"{original.dtype}"
                )
        return values

    def forward(self) -> Any:
        """The tensor."""
        first, *rest = self
        result = first(*self.originals())
        for module in rest:
            result = module(result)
        return result


def as_kind_of(original: Any, part: Any, number: int) -> Any:
    """One of several originals: a parameter where the tensor was one."""
    if not isinstance(part, Tensor):
        raise ValueError(
            f"'right_inverse' must return a Tensor or a Sequence of tensors (list, tuple...). Got element {number} of the "
            f"sequence with type {type(part).__name__}."
        )
    if isinstance(original, Parameter):
        return Parameter(part, original.requires_grad)  # type: ignore[attr-defined]
    return part.requires_grad_(original.requires_grad)  # type: ignore[attr-defined]


def check_result(result: Any, shape: Any, dtype: Any) -> None:
    if not isinstance(result, Tensor):
        raise ValueError(f"A parametrization must return a tensor. Got {type(result).__name__}.")
    for what, before, after in (("dtype", dtype, result.dtype), ("shape", shape, result.shape)):  # type: ignore[attr-defined]
        if before != after:
            raise ValueError(
                f"Registering a parametrization may not change the {what} of the tensor, unless `unsafe` flag is enabled.\n"
                f"unparametrized {what}: {before}\nparametrized {what}: {after}"
            )


def add(module: Module, name: str, tensor: Any) -> None:
    register = module.register_parameter if isinstance(tensor, Parameter) else module.register_buffer
    register(name, tensor)


@cache
def parametrized(kind: Any) -> Any:
    """The class of modules of a class some of whose tensors are computed."""

    def __getattr__(self: Any, name: str) -> Any:
        computed = self.__dict__["_modules"].get("parametrizations", ())
        if name not in computed:
            return kind.__getattr__(self, name)  # type: ignore[attr-defined]
        if not _users_of_cache:
            return computed[name]()
        if (id(self), name) not in _cache:
            _cache[id(self), name] = computed[name]()
        return _cache[id(self), name]

    def __setattr__(self: Any, name: str, value: Any) -> None:
        computed = self.__dict__["_modules"].get("parametrizations", ())
        if name in computed:
            computed[name].right_inverse(value)
        else:
            kind.__setattr__(self, name, value)

    def __deepcopy__(self: Any, memo: dict) -> Any:
        replica = memo[id(self)] = object.__new__(type(self))
        replica.__dict__.update(copy.deepcopy(self.__dict__, memo))
        return replica

    def __getstate__(self: Any) -> Any:
        raise RuntimeError(
            "Serialization of parametrized modules is only supported through state_dict(): save module.state_dict(), or "
            "remove the parametrizations"
        )

    methods = (__getattr__, __setattr__, __deepcopy__, __getstate__)
    return type(f"Parametrized{kind.__name__}", (kind,), {method.__name__: method for method in methods})


def register_parametrization(
    module: Module, tensor_name: str, parametrization: Module, *, unsafe: bool = False
) -> Module:
    """Let a parameter or buffer of a module be what ``parametrization`` makes of it, from now on; returns the module.

    What was the tensor is ``module.parametrizations.<name>.original``. Where the parametrization has a ``right_inverse``,
    the original becomes what that returns, and values may be assigned to the tensor. A second parametrization of the same
    tensor acts on what the first returns.

    Args:
        unsafe: allow a change of the tensor's shape or dtype, and do not check that.

    Raises:
        ValueError: the module has no such tensor, or the parametrization changes its shape or dtype.

    >>> import pullback as torch
    >>> class Positive(torch.nn.Module):
    ...     def forward(self, x):
    ...         return x.exp()
    >>> layer = torch.nn.utils.parametrize.register_parametrization(torch.nn.Linear(2, 1), "weight", Positive())
    >>> bool((layer.weight > 0).all()), list(layer.state_dict())
    (True, ['bias', 'parametrizations.weight.original'])
    """
    parametrization.train(module.training)
    if is_parametrized(module, tensor_name):
        computed: Any = module.parametrizations[tensor_name]
        if not unsafe:
            check_next(getattr(module, tensor_name), parametrization)
        computed.append(parametrization)
        computed.unsafe |= unsafe
    elif tensor_name in module._buffers or tensor_name in module._parameters:
        first = ParametrizationList([parametrization], getattr(module, tensor_name), unsafe)
        delattr(module, tensor_name)
        if not is_parametrized(module):
            kind: Any = type(module)
            module.__class__ = parametrized(kind)
            module.parametrizations = ModuleDict()
        module.parametrizations[tensor_name] = first
    else:
        raise ValueError(
            f"Module '{module}' does not have a parameter, a buffer, or a parametrized element with name '{tensor_name}'"
        )
    return module


def check_next(before: Any, parametrization: Any) -> None:
    """That a further parametrization keeps the shape and dtype of a tensor, and so does its right inverse."""
    after = parametrization(before)
    if not isinstance(after, Tensor):
        raise ValueError(f"A parametrization must return a tensor. Got {type(after).__name__}.")
    words = "Registering a parametrization may not change the {} of the tensor, unless the `unsafe` flag is enabled."
    check_kept(words, "parametrization(module.weight).", before, after)
    if hasattr(parametrization, "right_inverse"):
        try:
            back = parametrization.right_inverse(after)
        except NotImplementedError:
            return
        if not isinstance(back, Tensor):
            raise ValueError(f"parametrization.right_inverse must return a tensor. Got: {type(back).__name__}")
        words = (
            "The tensor returned by parametrization.right_inverse must have the same {} as module.weight, unless the "
            "`unsafe` flag is enabled."
        )
        check_kept(words, "returned ", before, back)


def check_kept(words: str, who: str, before: Any, after: Any) -> None:
    for what in ("dtype", "shape"):
        old, new = getattr(before, what), getattr(after, what)
        if old != new:
            raise ValueError(f"{words.format(what)}\nmodule.weight.{what}: {old}\n{who}{what}: {new}")


def is_parametrized(module: Module, tensor_name: str | None = None) -> bool:
    """Whether any tensor of a module, or the named one, has a parametrization."""
    computed = module.__dict__.get("_modules", {}).get("parametrizations")
    if not isinstance(computed, ModuleDict):
        return False
    return len(computed) > 0 if tensor_name is None else tensor_name in computed


def remove_parametrizations(module: Module, tensor_name: str, leave_parametrized: bool = True) -> Module:
    """Make a tensor a parameter (or buffer) again, of the value that it has, or (``leave_parametrized=False``) had.

    Raises:
        ValueError: the tensor has no parametrization, or no single original to go back to.
    """
    if not is_parametrized(module, tensor_name):
        raise ValueError(f"Module {module} does not have a parametrization on {tensor_name}")
    computed = module.parametrizations[tensor_name]
    if not (computed.is_tensor or leave_parametrized):
        raise ValueError(
            "Cannot leave unparametrized (`leave_parametrized=False`) a tensor that is parametrized in terms of a sequence "
            "of tensors."
        )
    value = getattr(module, tensor_name)
    original: Any = computed.original if computed.is_tensor else Parameter(value) if value.requires_grad else value
    if leave_parametrized:
        original.data = value.detach()
    del module.parametrizations[tensor_name]
    if not len(module.parametrizations):
        del module.parametrizations
        module.__class__ = type(module).__bases__[0]
    add(module, tensor_name, original)
    return module


def type_before_parametrizations(module: Module) -> type:
    """The class that a module had before any parametrization."""
    return type(module).__bases__[0] if is_parametrized(module) else type(module)


def transfer_parametrizations_and_params(
    from_module: Module, to_module: Module, tensor_name: str | None = None
) -> Module:
    """Give a module the parametrizations (of one tensor, or of all) of another, with the originals' values."""
    if not is_parametrized(from_module):
        return to_module
    names = list(from_module.parametrizations) if tensor_name is None else [tensor_name]
    for name in names:
        computed = from_module.parametrizations[name]
        if not hasattr(to_module, name):
            setattr(to_module, name, Parameter(getattr(from_module, name).detach().clone()))
        for parametrization in computed:
            register_parametrization(to_module, name, parametrization)
        for own, other in zip(to_module.parametrizations[name].originals(), computed.originals(), strict=True):
            own.data = other.detach().clone()
    return to_module
