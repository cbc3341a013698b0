"""Calling a module: its hooks before and after ``forward``, and before and after the part of the graph that it recorded.

Hooks of all modules run before a module's own. Backward hooks see the gradients at two boundaries in the graph (see
``boundary.py``); the module's inputs and outputs are left as they are.
"""

import warnings
from collections import OrderedDict
from collections.abc import Callable
from functools import partial
from typing import Any
from weakref import ref

import numpy as np

from ... import tree
from ...attributes import RemovableHandle, add_hook
from ...clock import tick
from ...tape.lines import module_calls
from ...tape.modes import modes
from ...tape.promotion import dtype_of
from ...tape.value import Tensor, wrap
from . import boundary
from .state import State

__all__ = [  # noqa: RUF022 (the order of the page)
    "register_module_forward_pre_hook", "register_module_forward_hook", "register_module_full_backward_pre_hook",
    "register_module_full_backward_hook", "register_module_backward_hook", "register_module_parameter_registration_hook",
    "register_module_buffer_registration_hook", "register_module_module_registration_hook",
]  # fmt: skip

_everywhere: OrderedDict = OrderedDict()  # the hooks of all modules, as pairs (kind, hook)
_registrations: OrderedDict = OrderedDict()


def _global(kind: str, of: OrderedDict = _everywhere) -> list:
    return [hook for its_kind, hook in of.values() if its_kind == kind]


class Hooked(State):
    """The part of a module that calls ``forward``."""

    _forward_hooks: OrderedDict
    _forward_pre_hooks: OrderedDict
    _backward_hooks: OrderedDict
    _backward_pre_hooks: OrderedDict
    _is_full_backward_hook: bool | None

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        own = self._forward_pre_hooks or self._forward_hooks or self._backward_hooks or self._backward_pre_hooks
        start = tick()
        output = self._call_with_hooks(args, kwargs) if own or _everywhere else self.forward(*args, **kwargs)
        module_calls.append((ref(self), start, tick()))  # 0.3 µs; memory reports sort nodes by module with it
        return output

    _call_impl = __call__
    _compiled_call_impl: Any = None

    def compile(self, *args: Any, **kwargs: Any) -> None:
        """Mark the module as compiled. It runs as before: there is nothing that compiles it."""
        self._compiled_call_impl = True

    def __getstate__(self) -> dict:
        return {name: value for name, value in self.__dict__.items() if name != "_compiled_call_impl"}

    def _no_forward(self, *args: Any, **kwargs: Any) -> Any:
        raise NotImplementedError(f'Module [{type(self).__name__}] is missing the required "forward" function')

    forward: Callable[..., Any] = _no_forward

    def _call_with_hooks(self, args: tuple, kwargs: dict) -> Any:
        called: set = set()
        try:
            for pre_hook in [*_global("forward_pre"), *self._forward_pre_hooks.values()]:
                args, kwargs = pre_hook(self, args, kwargs)
            part = BackwardHooks(self)
            args = part.enter(args)
            output = self.forward(*args, **kwargs)
            for hook in [*_global("forward"), *self._forward_hooks.values()]:
                called.add(hook)
                output = hook(self, args, kwargs, output)
            return part.leave(args, output)
        except Exception:
            for hook in [*_global("forward"), *self._forward_hooks.values()]:
                if hook.always_call and hook not in called:
                    self._call_anyway(hook, args, kwargs)
            raise

    def _call_anyway(self, hook: "ForwardHook", args: tuple, kwargs: dict) -> None:
        """Call a hook although the module's call failed; that failure is what the caller shall see."""
        try:
            hook(self, args, kwargs, None)
        except Exception as error:
            warnings.warn(
                "module forward hook with ``always_call=True`` raised an exception that was silenced as another error "
                f"was raised in forward: {error}",
                stacklevel=3,
            )

    def register_forward_pre_hook(
        self, hook: Callable, *, prepend: bool = False, with_kwargs: bool = False
    ) -> RemovableHandle:
        """Call ``hook(module, args)`` before ``forward``; what it returns, if not None, replaces the arguments.

        Args:
            prepend: run it before the hooks that are there, not after.
            with_kwargs: call ``hook(module, args, kwargs)``, which returns None or ``(args, kwargs)``.
        """
        return add_hook(self._forward_pre_hooks, ForwardPreHook(hook, with_kwargs), prepend)

    def register_forward_hook(
        self, hook: Callable, *, prepend: bool = False, with_kwargs: bool = False, always_call: bool = False
    ) -> RemovableHandle:
        """Call ``hook(module, args, output)`` after ``forward``; what it returns, if not None, replaces the output.

        Args:
            prepend: run it before the hooks that are there, not after.
            with_kwargs: call ``hook(module, args, kwargs, output)``.
            always_call: run it also where ``forward`` or another hook raised, with None for the output.
        """
        return add_hook(self._forward_hooks, ForwardHook(hook, with_kwargs, always_call), prepend)

    def register_full_backward_pre_hook(self, hook: Callable, prepend: bool = False) -> RemovableHandle:
        """Call ``hook(module, grad_output)`` when the gradients of the module's outputs are all there.

        ``grad_output`` is a tuple, with None for what is no tensor or got no gradient; a tuple that the hook returns
        takes its place in the module's own backward pass.
        """
        return add_hook(self._backward_pre_hooks, hook, prepend)

    def register_full_backward_hook(self, hook: Callable, prepend: bool = False) -> RemovableHandle:
        """Call ``hook(module, grad_input, grad_output)`` when the gradients of the module's inputs are computed.

        ``grad_input`` is a tuple with an entry for each positional argument: None for what is no tensor, zeros for a tensor
        that gets no gradient; a tuple that the
        hook returns takes its place. The gradients of the module's parameters are there by then.

        Raises:
            RuntimeError: the module has hooks of :meth:`register_backward_hook`.

        >>> import pullback as torch
        >>> from pullback import nn
        >>> module = nn.ReLU(inplace=True)
        >>> handle = module.register_full_backward_hook(lambda module, grad_input, grad_output: print(grad_input))
        >>> x = torch.tensor([1.0, -1.0], requires_grad=True)
        >>> module(x * 2).sum().backward()
        (tensor([1., 0.]),)
        """
        self._set_kind(True)
        return add_hook(self._backward_hooks, hook, prepend)

    def register_backward_hook(self, hook: Callable) -> RemovableHandle:
        """The old form of :meth:`register_full_backward_hook`, which sees the gradients of the module's last operation."""
        self._set_kind(False)
        return add_hook(self._backward_hooks, hook)

    def _set_kind(self, is_full: bool) -> None:
        if self._is_full_backward_hook is (not is_full):
            raise RuntimeError(
                "Cannot use both regular backward hooks and full backward hooks on a single Module. Please use only one of "
                "them."
            )
        self._is_full_backward_hook = is_full


class ForwardPreHook:
    """A hook before ``forward``, called in one way whatever it was registered with."""

    __slots__ = ("hook", "with_kwargs")

    def __init__(self, hook: Callable, with_kwargs: bool) -> None:
        self.hook, self.with_kwargs = hook, with_kwargs

    def __call__(self, module: Any, args: tuple, kwargs: dict) -> tuple[tuple, dict]:
        if not self.with_kwargs:
            result = self.hook(module, args)
            return (args if result is None else result if isinstance(result, tuple) else (result,)), kwargs
        result = self.hook(module, args, kwargs)
        if result is None:
            return args, kwargs
        if isinstance(result, tuple) and len(result) == 2:
            return result
        raise RuntimeError(f"forward pre-hook must return None or a tuple of (new_args, new_kwargs), but got {result}.")


class ForwardHook:
    """A hook after ``forward``, called in one way whatever it was registered with."""

    __slots__ = ("always_call", "hook", "with_kwargs")

    def __init__(self, hook: Callable, with_kwargs: bool, always_call: bool) -> None:
        self.hook, self.with_kwargs, self.always_call = hook, with_kwargs, always_call

    def __call__(self, module: Any, args: tuple, kwargs: dict, output: Any) -> Any:
        result = self.hook(module, args, kwargs, output) if self.with_kwargs else self.hook(module, args, output)
        return output if result is None else result


class BackwardHooks:
    """The backward hooks of one call of a module, and the gradients of its outputs while its part is walked."""

    def __init__(self, module: Any) -> None:
        own, is_full = list(module._backward_hooks.values()), module._is_full_backward_hook
        self.module = module
        self.before = [*_global("full_backward_pre"), *module._backward_pre_hooks.values()]
        self.after = [*_global("full_backward"), *(own if is_full else ())]
        self.legacy = [*_global("backward"), *(own if is_full is False else ())]
        self.edges: list = []  # by which the inputs' gradients arrive
        self.level = self.since = 0
        self.grad_outputs: Any = None

    def enter(self, args: tuple) -> tuple:
        """The arguments as ``forward`` gets them: a tensor that is there twice has two edges."""
        if self.before or self.after:
            args = tuple(boundary.told_apart(args))
            starts = boundary.tracked(args)
            self.edges, self.level = [boundary.edge_of(t) for t in starts], starts[0]._level if starts else 0
            self.input_places = places(args, starts)
            self.kinds = [(tuple(a._data.shape), dtype_of(a._data)) if isinstance(a, Tensor) else None for a in args]
            self.since = tick()
        return args

    def leave(self, args: tuple, output: Any) -> Any:
        """The output, hung where the hooks see its gradients."""
        if self.legacy:
            self.watch_last(args, output)
        if not (self.before or self.after):
            return output
        flat = not isinstance(output, (Tensor, tuple))  # of a tuple the hooks see each entry, of a dict each leaf
        given, spec = tree.flatten(output, is_leaf=None if flat else lambda part: part is not output)
        return tree.unflatten(self.hang(given), spec)

    def hang(self, outputs: list) -> list:
        if not (ends := boundary.tracked(outputs)) or modes.floor > ends[0]._level:
            return outputs
        outputs = boundary.told_apart(outputs, self.since)
        ends, edges = boundary.tracked(outputs), self.edges
        self.output_places, self.edges = places(outputs, ends), []
        if edges and self.level == ends[0]._level:
            first = boundary.before_inputs(edges, ends, self.since)
            if self.after:
                first.register_hook(self.at_inputs)
        else:
            self.input_places = self.kinds = [None] * len(self.input_places)
        last = boundary.after_outputs(ends, tick())
        last.register_prehook(self.at_outputs)
        return outputs

    def at_outputs(self, grads: tuple) -> tuple:
        """Call the hooks that come before: the gradients of the outputs are there."""
        shown = tuple([None if k is None else grads[k] for k in self.output_places])
        for hook in self.before:
            shown = replaced(hook(self.module, shown), shown, "Backward pre hook", "grad_output")
        self.grad_outputs = shown
        if self.after and not any(k is not None for k in self.input_places):
            warnings.warn(
                "Full backward hook is firing when gradients are computed with respect to module outputs since no inputs "
                f"require gradients ({type(self.module).__name__})",
                stacklevel=2,
            )
            self.at_inputs((), ())
        return tuple([g for k, g in zip(self.output_places, shown, strict=True) if k is not None])

    def at_inputs(self, grads: tuple, _: tuple) -> tuple | None:
        """Call the hooks that come after: the gradients of the inputs are there."""
        if self.grad_outputs is None:
            return None
        given = [None if k is None else grads[k] for k in self.input_places]
        shown = first = tuple([zeros(of) if g is None else g for g, of in zip(given, self.kinds, strict=True)])
        for hook in self.after:
            shown = replaced(hook(self.module, shown, self.grad_outputs), shown, "Backward hook", "grad_input")
        self.grad_outputs = None
        kept = [g if new is old else new for g, old, new in zip(given, first, shown, strict=True)]
        return tuple([g for k, g in zip(self.input_places, kept, strict=True) if k is not None])

    def watch_last(self, args: tuple, output: Any) -> None:
        """The old form: hooks of the node that made the first output."""
        outputs = [t for t in tree.leaves(output) if isinstance(t, Tensor)]
        node: Any = outputs[0].grad_fn if outputs else None  # type: ignore[attr-defined]
        if node is None:
            return
        sources = {t.grad_fn for t in args if isinstance(t, Tensor)}  # type: ignore[attr-defined]
        if len(outputs) > 1 or sources != {source for source, _ in node.next_functions}:
            warnings.warn(
                "Using a non-full backward hook when the forward contains multiple autograd Nodes is deprecated and will be "
                "removed in future versions. This hook will be missing some gradients. Please use "
                "register_full_backward_hook to get the documented behavior.",
                FutureWarning,
                stacklevel=4,
            )
        for hook in self.legacy:
            node.register_hook(partial(hook, self.module))


def places(values: Any, tensors: list) -> list:
    """For each value which of the tensors it is, or None."""
    return [next((k for k, t in enumerate(tensors) if t is value), None) for value in values]


def zeros(kind: tuple | None) -> Any:
    """What is shown for a tensor that gets no gradient, and (None) for what is no tensor."""
    return None if kind is None else wrap(np.zeros(kind[0], kind[1].numpy))


def replaced(found: Any, shown: tuple, who: str, what: str) -> tuple:
    """What a hook returned in place of what it was shown."""
    found = shown if found is None else (found,) if isinstance(found, Tensor) else tuple(found)
    if len(found) != len(shown):
        raise RuntimeError(f"{who} returned an invalid number of {what}, got {len(found)}, but expected {len(shown)}")
    return found


# -- hooks of all modules ----------------------------------------------------------------------------------------------


def register_module_forward_pre_hook(hook: Callable) -> RemovableHandle:
    """Call ``hook(module, args)`` before the ``forward`` of every module."""
    return add_hook(_everywhere, ("forward_pre", ForwardPreHook(hook, False)))


def register_module_forward_hook(
    hook: Callable, *, with_kwargs: bool = False, always_call: bool = False
) -> RemovableHandle:
    """Call ``hook(module, args, output)`` after the ``forward`` of every module; see :meth:`Module.register_forward_hook`."""
    return add_hook(_everywhere, ("forward", ForwardHook(hook, with_kwargs, always_call)))


def register_module_full_backward_pre_hook(hook: Callable) -> RemovableHandle:
    """Call ``hook(module, grad_output)`` for every module; see :meth:`Module.register_full_backward_pre_hook`."""
    return add_hook(_everywhere, ("full_backward_pre", hook))


def register_module_full_backward_hook(hook: Callable) -> RemovableHandle:
    """Call ``hook(module, grad_input, grad_output)`` for every module; see :meth:`Module.register_full_backward_hook`."""
    return _add_backward("full_backward", "backward", hook)


def register_module_backward_hook(hook: Callable) -> RemovableHandle:
    """The old form of :func:`register_module_full_backward_hook`; see :meth:`Module.register_backward_hook`."""
    return _add_backward("backward", "full_backward", hook)


def _add_backward(kind: str, other: str, hook: Callable) -> RemovableHandle:
    if _global(other):
        raise RuntimeError(
            "Cannot use both regular backward hooks and full backward hooks as a global Module hook. Please use only one of "
            "them."
        )
    return add_hook(_everywhere, (kind, hook))


def register_module_parameter_registration_hook(hook: Callable) -> RemovableHandle:
    """Call ``hook(module, name, parameter)`` when a parameter is registered; what it returns, if not None, replaces it."""
    return add_hook(_registrations, ("parameter", hook))


def register_module_buffer_registration_hook(hook: Callable) -> RemovableHandle:
    """Call ``hook(module, name, buffer)`` when a buffer is registered; what it returns, if not None, replaces it."""
    return add_hook(_registrations, ("buffer", hook))


def register_module_module_registration_hook(hook: Callable) -> RemovableHandle:
    """Call ``hook(module, name, child)`` when a module is registered; what it returns, if not None, replaces it."""
    return add_hook(_registrations, ("module", hook))


def registered(kind: str, module: Any, name: str, value: Any) -> Any:
    """What is to be registered, after the hooks of all modules have seen it."""
    if _registrations and not (kind == "parameter" and value is None):
        for hook in _global(kind, _registrations):
            changed = hook(module, name, value)
            value = value if changed is None else changed
    return value
