"""``torch.jit``: what scripts and libraries say to TorchScript. There is none here: all they compile runs as it is written.

So it goes in PyTorch with ``PYTORCH_JIT=0``: ``script`` and ``trace`` give back what they are given, and nothing is ever
being scripted. Programs in TorchScript's own file format can be neither read nor written.
"""

import builtins
import types
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Final, NamedTuple, Union, get_args, get_origin

from .autograd import no_grad
from .futures import Future
from .nn import Module

__all__ = [
    "Attribute", "Error", "Final", "Future", "ScriptFunction", "ScriptModule", "annotate", "enable_onednn_fusion",
    "export", "fork", "freeze", "ignore", "interface", "is_scripting", "is_tracing", "isinstance", "load",
    "onednn_fusion_enabled", "optimize_for_inference", "optimized_execution", "save", "script", "script_if_tracing",
    "script_method", "set_fusion_strategy", "strict_fusion", "trace", "trace_module", "unused", "wait",
]  # fmt: skip


class Error(RuntimeError):
    """What a TorchScript program raises in PyTorch. Here exceptions keep their own type."""


class TracerWarning(Warning):
    """PyTorch's warning of what a trace does not see. Here it is never given: nothing is frozen."""


class Attribute(NamedTuple):
    """A value, and its type for TorchScript."""

    value: Any
    type: Any


class ScriptModule(Module):
    """The class of scripted modules, for ``isinstance``; here a subclass of it is a module like any other."""


class RecursiveScriptModule(ScriptModule):
    """The class of modules that PyTorch's ``script`` makes; here there are none."""


class ScriptFunction:
    """The class of functions that PyTorch's ``script`` makes; here there are none."""


# -- compiling: what is given comes back -------------------------------------------------------------------------------


def script(obj: Any, optimize: None = None, _frames_up: int = 0, _rcb: Any = None, example_inputs: Any = None) -> Any:
    """The function, class or module itself."""
    if builtins.isinstance(obj, (str, int, float)) or not callable(obj):
        raise RuntimeError(
            f"torch.jit.script: expected a function, a class or a module, got a {type(obj).__name__}: {obj!r}"
        )
    return obj


def trace(
    func: Callable, example_inputs: Any = None, *_: Any, example_kwarg_inputs: dict | None = None, **options: Any
):
    """The function or module itself, after one run on the example, so that what does not fit is told now.

    PyTorch freezes the branches that this run takes; here each later call takes its own.
    """
    if example_inputs is None and example_kwarg_inputs is None:
        raise RuntimeError("torch.jit.trace: give example_inputs or example_kwarg_inputs")
    inputs = example_inputs if builtins.isinstance(example_inputs, (tuple, list)) else (example_inputs,)
    with no_grad():
        if example_kwarg_inputs is None:
            func(*inputs)
        else:
            func(**example_kwarg_inputs)
    return func


def trace_module(mod: Module, inputs: dict[str, Any], *_: Any, **options: Any) -> Module:
    """The module itself, after one run of each method that ``inputs`` names, on the inputs that it has for it."""
    for name, given in inputs.items():
        trace(getattr(mod, name), given)
    return mod


def script_if_tracing(fn: Callable) -> Callable:
    """The function itself."""
    return fn


def freeze(mod: Module, preserved_attrs: list[str] | None = None, optimize_numerics: bool = True) -> Module:
    """The module itself, which must be in evaluation mode."""
    if mod.training:
        raise RuntimeError(
            "Freezing is currently only implemented for modules in eval mode. Please call .eval() on your module before freezing."
        )
    return mod


def optimize_for_inference(mod: Module, other_methods: list[str] | None = None) -> Module:
    """The module itself, in evaluation mode."""
    return mod.eval() if mod.training else mod


# -- marks for the compiler --------------------------------------------------------------------------------------------


def _mark(fn: Any) -> Any:
    """The function itself: the mark is for a compiler that is not here."""
    return fn


export = unused = interface = script_method = _mark


def ignore(drop: Any = False, **options: Any) -> Any:
    """The decorated function itself; takes it at once, or after ``drop``."""
    return drop if callable(drop) else _mark


def annotate(the_type: Any, the_value: Any) -> Any:
    """The value."""
    return the_value


def is_scripting() -> bool:
    """Whether TorchScript compiles this call: never."""
    return False


def is_tracing() -> bool:
    """Whether a trace runs: never, a trace's run is one like any other."""
    return False


def isinstance(obj: Any, target_type: Any) -> bool:
    """Whether an object is of a type, which may be a container's with its elements' (``list[Tensor]``), or a tuple of types."""
    if builtins.isinstance(target_type, tuple):
        return any(isinstance(obj, each) for each in target_type)
    kind, parameters = get_origin(target_type), get_args(target_type)
    if kind is None:
        return builtins.isinstance(obj, target_type if target_type is not None else type(None))
    if kind in (Union, types.UnionType):
        return any(isinstance(obj, each) for each in parameters)
    if not builtins.isinstance(obj, kind):
        return False
    if kind is dict:
        return all(isinstance(key, parameters[0]) and isinstance(value, parameters[1]) for key, value in obj.items())
    if kind is tuple:
        return len(obj) == len(parameters) and all(map(isinstance, obj, parameters))
    return all(isinstance(each, parameters[0]) for each in obj)


# -- tasks, settings, files --------------------------------------------------------------------------------------------


def fork(func: Callable, *args: Any, **kwargs: Any) -> Future:
    """The future of ``func(*args, **kwargs)``, which runs at once, as it does in PyTorch outside TorchScript."""
    future: Future = Future()
    future.set_result(func(*args, **kwargs))
    return future


def wait(future: Future) -> Any:
    """What a forked task returned."""
    return future.wait()


@contextmanager
def optimized_execution(should_optimize: bool) -> Iterator[None]:
    """A block in which TorchScript optimises, or not: nothing changes."""
    yield


class strict_fusion:
    """A block in which TorchScript must fuse all: nothing changes."""

    def __enter__(self) -> None:
        pass

    def __exit__(self, *exc: Any) -> None:
        pass


def set_fusion_strategy(strategy: list[tuple[str, int]]) -> list[tuple[str, int]]:
    """Take a strategy for TorchScript's fusion, which changes nothing, and return that of PyTorch."""
    return [("STATIC", 2), ("DYNAMIC", 10)]


def enable_onednn_fusion(enabled: bool) -> None:
    """Take a setting that changes nothing."""


def onednn_fusion_enabled() -> bool:
    """Whether oneDNN fuses: no."""
    return False


def save(m: Any, f: Any, _extra_files: dict | None = None) -> None:
    """Raise: there are no TorchScript programs to write."""
    raise NotImplementedError(
        f"torch.jit.save: Pullback has no TorchScript, so the {type(m).__name__} cannot be written as a program; save its state_dict()"
    )


def load(f: Any, map_location: Any = None, _extra_files: dict | None = None, _restore_shapes: bool = False) -> Any:
    """Raise: TorchScript programs cannot be read."""
    raise NotImplementedError(
        f"torch.jit.load: Pullback has no TorchScript, so the program {f!r} cannot be read; build the module in Python and load a state_dict"
    )
