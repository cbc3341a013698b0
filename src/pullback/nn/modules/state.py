"""A module's state written down as a dict of tensors, and read back.

Responsible for ``state_dict`` and ``load_state_dict``. Invariant: a ``load_state_dict`` that raises has changed nothing:
first every module compares its part with what is there, and only then is anything copied. (Where hooks wait for the end of
loading, missing and unexpected keys are errors only after they have had their say.)
"""

import warnings
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import Any, NamedTuple

from ...attributes import RemovableHandle, add_hook
from ...tape.modes import no_grad
from ...tape.value import Tensor
from ..parameter import Parameter, is_lazy

EXTRA = "_extra_state"


class IncompatibleKeys(NamedTuple):
    """What did not fit when a state was loaded with ``strict=False``."""

    missing_keys: list[str]
    unexpected_keys: list[str]

    def __repr__(self) -> str:
        if not self.missing_keys and not self.unexpected_keys:
            return "<All keys matched successfully>"
        return f"_IncompatibleKeys(missing_keys={self.missing_keys}, unexpected_keys={self.unexpected_keys})"


class Loading(OrderedDict):
    """A state on its way into modules, with the copies that are made once all of it has been found to fit."""

    def __init__(self, state: Mapping) -> None:
        super().__init__(state)
        self.pending: list[Callable] = []
        self.is_watched = False  # a hook waits for the end, and may say that what is missing is no error
        if hasattr(state, "_metadata"):
            self._metadata = state._metadata


class State:
    """The part of a Module that writes its state down and reads it back."""

    _version = 1
    T_destination = Any
    _parameters: dict[str, Any]
    _buffers: dict[str, Any]
    _modules: dict[str, Any]
    _non_persistent_buffers_set: set[str]
    _state_dict_hooks: OrderedDict
    _state_dict_pre_hooks: OrderedDict
    _load_state_dict_pre_hooks: OrderedDict
    _load_state_dict_post_hooks: OrderedDict

    def state_dict(self, *args: Any, destination: Any = None, prefix: str = "", keep_vars: bool = False) -> Any:
        """The parameters and persistent buffers of this module and all below it, by path, in an OrderedDict.

        The tensors share their memory with the module.

        Args:
            destination: a dict to add to, instead of a new one.
            prefix: put before every path.
            keep_vars: give the parameters themselves, not detached tensors.
        """
        if args:
            warnings.warn(
                "Positional args are being deprecated, use kwargs instead: state_dict(destination=, prefix=, keep_vars=)",
                FutureWarning,
                stacklevel=2,
            )
            destination, prefix, keep_vars = args + (destination, prefix, keep_vars)[len(args) :]
        if destination is None:
            destination = OrderedDict()
            destination._metadata = OrderedDict()
        metadata = {"version": self._version}
        if hasattr(destination, "_metadata"):
            destination._metadata[prefix[:-1]] = metadata
        for pre_hook in self._state_dict_pre_hooks.values():
            pre_hook(self, prefix, keep_vars)
        self._save_to_state_dict(destination, prefix, keep_vars)
        for name, module in self._modules.items():
            if module is not None:
                module.state_dict(destination=destination, prefix=f"{prefix}{name}.", keep_vars=keep_vars)
        for hook in self._state_dict_hooks.values():
            destination = hook(self, destination, prefix, metadata)
        return destination

    def register_state_dict_pre_hook(self, hook: Callable) -> RemovableHandle:
        """Call ``hook(module, prefix, keep_vars)`` before :meth:`state_dict` writes this module down."""
        return add_hook(self._state_dict_pre_hooks, hook)

    def register_state_dict_post_hook(self, hook: Callable) -> RemovableHandle:
        """Call ``hook(module, state_dict, prefix, local_metadata)`` after; it may change the dict, and returns None."""
        return add_hook(self._state_dict_hooks, partial(_returning_nothing, hook))

    def _register_state_dict_hook(self, hook: Callable) -> RemovableHandle:
        """The old form of :meth:`register_state_dict_post_hook`, whose hook may return another dict."""
        return add_hook(self._state_dict_hooks, partial(_returning_state, hook))

    def register_load_state_dict_pre_hook(self, hook: Callable) -> RemovableHandle:
        """Call a hook before this module reads its part of a state, which the hook may change.

        It gets ``(module, state_dict, prefix, local_metadata, strict, missing_keys, unexpected_keys, error_msgs)``.
        """
        return add_hook(self._load_state_dict_pre_hooks, hook)

    def _register_load_state_dict_pre_hook(self, hook: Callable, with_module: bool = False) -> RemovableHandle:
        """The old form of :meth:`register_load_state_dict_pre_hook`, whose hook need not get the module."""
        return add_hook(self._load_state_dict_pre_hooks, hook if with_module else lambda module, *rest: hook(*rest))

    def register_load_state_dict_post_hook(self, hook: Callable) -> RemovableHandle:
        """Call ``hook(module, incompatible_keys)`` when a state was loaded into this module and all below it.

        The hook may take keys out of the two lists, which then are no errors.
        """
        return add_hook(self._load_state_dict_post_hooks, hook)

    def _own_state(self) -> Iterator[tuple[str, Tensor]]:
        """This module's own parameters and persistent buffers."""
        for name, tensor in (*self._parameters.items(), *self._buffers.items()):
            if tensor is not None and name not in self._non_persistent_buffers_set:
                yield name, tensor

    def _has_extra_state(self) -> bool:
        return type(self).get_extra_state is not State.get_extra_state

    def _save_to_state_dict(self, destination: Any, prefix: str, keep_vars: bool) -> None:
        """Write this module's own part; a subclass that keeps more than tensors may extend it."""
        for name, tensor in self._own_state():
            destination[prefix + name] = tensor if keep_vars or is_lazy(tensor) else tensor.detach()  # type: ignore[attr-defined]
        if self._has_extra_state():
            destination[prefix + EXTRA] = self.get_extra_state()

    def get_extra_state(self) -> Any:
        """State beside tensors; a subclass that has some defines this and :meth:`set_extra_state`."""
        raise RuntimeError("Reached a code path in Module.get_extra_state() that should never be called.")

    def set_extra_state(self, state: Any) -> None:
        """Take back what :meth:`get_extra_state` returned."""
        raise RuntimeError("Reached a code path in Module.set_extra_state() that should never be called.")

    def load_state_dict(self, state_dict: Mapping, strict: bool = True, assign: bool = False) -> IncompatibleKeys:
        """Copy a state into this module and all below it. Nothing is changed unless all of it fits.

        Args:
            state_dict: what :meth:`state_dict` returned.
            strict: missing and unexpected keys are errors.
            assign: take over the given tensors themselves, with their dtype, instead of copying their values.

        Raises:
            RuntimeError: keys are missing or unexpected (if ``strict``), or shapes differ; all of them are named.
            TypeError: ``state_dict`` is no mapping.
        """
        if not isinstance(state_dict, Mapping):
            raise TypeError(f"Expected state_dict to be dict-like, got {type(state_dict)}.")
        found, errors = IncompatibleKeys([], []), []
        loading = Loading(state_dict)
        metadata = getattr(state_dict, "_metadata", None)
        self._load_below(loading, "", metadata, assign, (found, errors))
        if errors or not loading.is_watched:
            self._check_loading(found, errors, strict)
        with no_grad():
            for copy in loading.pending:
                copy()
        self._check_loading(found, [], strict)
        return found

    def _check_loading(self, found: IncompatibleKeys, errors: list[str], strict: bool) -> None:
        if strict:
            errors = (
                key_errors("Missing", found.missing_keys) + key_errors("Unexpected", found.unexpected_keys) + errors
            )
        if errors:
            raise RuntimeError(f"Error(s) in loading state_dict for {type(self).__name__}:\n\t" + "\n\t".join(errors))

    def _load_below(self, loading: Loading, prefix: str, metadata: Any, assign: bool, reports: tuple) -> None:
        found, errors = reports
        local = {} if metadata is None else dict(metadata.get(prefix[:-1], {}))
        if assign:
            local["assign_to_params_buffers"] = True
        arguments = (loading, prefix, local, True, *found, errors)
        for pre_hook in self._load_state_dict_pre_hooks.values():
            pre_hook(self, *arguments)
        self._load_from_state_dict(*arguments)
        for name, module in self._modules.items():
            if module is not None:
                module._load_below(loading, f"{prefix}{name}.", metadata, assign, reports)
        for hook in self._load_state_dict_post_hooks.values():
            loading.is_watched = True
            loading.pending.append(partial(_after_loading, hook, self, found))

    def _load_from_state_dict(
        self,
        state_dict: Any,
        prefix: str,
        local_metadata: dict,
        strict: bool,
        missing_keys: list[str],
        unexpected_keys: list[str],
        error_msgs: list[str],
    ) -> None:
        """Compare this module's own part with the state, and plan its copies; a subclass may extend it."""
        assign = local_metadata.get("assign_to_params_buffers", False)
        pending = getattr(state_dict, "pending", None)
        for name, own in self._own_state():
            key = prefix + name
            if key not in state_dict:
                if strict:
                    missing_keys.append(key)
                continue
            error = misfit(key, own, state_dict[key])
            if error:
                error_msgs.append(error)
                continue
            load = Load(self, name, own, state_dict[key], assign)
            load() if pending is None else pending.append(load)
        self._load_extra_state(state_dict, prefix, strict, missing_keys)
        if strict:
            unexpected_keys.extend(key for key in state_dict if self._is_unexpected(key, prefix))

    def _load_extra_state(self, state_dict: Any, prefix: str, strict: bool, missing_keys: list[str]) -> None:
        key, pending = prefix + EXTRA, getattr(state_dict, "pending", None)
        if not self._has_extra_state():
            return
        if key in state_dict:
            load = lambda: self.set_extra_state(state_dict[key])
            load() if pending is None else pending.append(load)
        elif strict:
            missing_keys.append(key)

    def _is_unexpected(self, key: str, prefix: str) -> bool:
        """Whether a key claims to belong to this module, which has nothing of that name."""
        if not key.startswith(prefix):
            return False
        name, _, rest = key[len(prefix) :].partition(".")
        if rest:
            return name not in self._modules
        if name == EXTRA:
            return not self._has_extra_state()
        return name not in dict(self._own_state())


def _returning_nothing(hook: Callable, module: Any, state: Any, prefix: str, metadata: dict) -> Any:
    if hook(module, state, prefix, metadata) is not None:
        raise RuntimeError("state_dict post-hook must return None")
    return state


def _returning_state(hook: Callable, module: Any, state: Any, prefix: str, metadata: dict) -> Any:
    changed = hook(module, state, prefix, metadata)
    return state if changed is None else changed


def _after_loading(hook: Callable, module: Any, found: IncompatibleKeys) -> None:
    if hook(module, found) is not None:
        raise AssertionError(
            "Hooks registered with ``register_load_state_dict_post_hook`` are not expected to return new values, if "
            "incompatible_keys need to be modified, it should be done inplace."
        )


class Load:
    """One tensor of a state, and where it goes."""

    def __init__(self, owner: State, name: str, own: Tensor, given: Any, assign: bool) -> None:
        self.owner, self.name, self.own, self.given, self.assign = owner, name, own, given, assign

    def __call__(self) -> None:
        own: Any = self.own
        if is_lazy(own):
            if is_lazy(self.given):
                return
            own.materialize(self.given.shape)
        if not self.assign:
            own.copy_(self.given.reshape(own.shape) if not own.ndim else self.given)
            return
        given = self.given
        if isinstance(own, Parameter):
            if isinstance(given, Parameter):
                given.requires_grad_(own.requires_grad)  # type: ignore[attr-defined]
            else:
                given = Parameter(given, requires_grad=own.requires_grad)  # type: ignore[attr-defined]
        setattr(self.owner, self.name, given)


def misfit(key: str, own: Any, given: Any) -> str | None:
    """Why a value of a state cannot be copied into a tensor; None where it can."""
    if not isinstance(given, Tensor):
        return (
            f'While copying the parameter named "{key}", expected torch.Tensor or Tensor-like object from checkpoint but '
            f"received {type(given)}"
        )
    if is_lazy(own):
        return None
    is_old_scalar = not own.shape and tuple(given.shape) == (1,)  # type: ignore[attr-defined]
    if given.shape != own.shape and not is_old_scalar:  # type: ignore[attr-defined]
        return (
            f"size mismatch for {key}: copying a param with shape {given.shape} from checkpoint, "  # type: ignore[attr-defined]
            f"the shape in current model is {own.shape}."
        )
    return None


def key_errors(kind: str, keys: list[str]) -> list[str]:
    return [f"{kind} key(s) in state_dict: " + ", ".join(f'"{key}"' for key in keys) + ". "] if keys else []
