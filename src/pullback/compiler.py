"""``torch.compiler``: what scripts and libraries say to PyTorch's compiler. Here all runs as it is written.

Its questions are answered with no, its marks give back what they are put on, and its settings change nothing.
"""

from collections.abc import Callable
from typing import Any

__all__ = [
    "allow_in_graph", "assume_constant_result", "compile", "cudagraph_mark_step_begin", "disable", "is_compiling",
    "is_dynamo_compiling", "is_exporting", "list_backends", "reset", "set_stance", "substitute_in_graph",
]  # fmt: skip


def compile(
    model: Callable | None = None,
    *,
    fullgraph: bool = False,
    dynamic: bool | None = None,
    backend: str | Callable = "inductor",
    mode: str | None = None,
    options: dict | None = None,
    disable: bool = False,
) -> Any:
    """The function or module itself, which runs as it is written; or a decorator that gives it back.

    Raises:
        RuntimeError: both a mode and options are given.
    """
    if mode is not None and options is not None:
        raise RuntimeError("Either mode or options can be specified, but both can't be specified at the same time.")
    if model is not None and not callable(model):
        raise TypeError(f"torch.compile: expected a function or a module, got a {type(model).__name__}")
    return _itself if model is None else model


def is_compiling() -> bool:
    """Whether this call is being compiled or exported: never."""
    return False


def is_dynamo_compiling() -> bool:
    """Whether this call is being compiled: never."""
    return False


def is_exporting() -> bool:
    """Whether this call is being exported: never."""
    return False


def disable(fn: Any = None, recursive: bool = True, *, reason: str | None = None) -> Any:
    """The decorated function itself; takes it at once, or as a decorator with options."""
    return _itself if fn is None else fn


def allow_in_graph(fn: Any) -> Any:
    """The function itself, or the list of functions."""
    return fn


def assume_constant_result(fn: Callable) -> Callable:
    """The function itself."""
    return fn


def substitute_in_graph(original_fn: Callable, **options: Any) -> Callable:
    """A decorator for what a compiler takes in the place of ``original_fn``; the decorated function itself."""
    return _itself


def reset() -> None:
    """Forget what was compiled, which is nothing."""


def cudagraph_mark_step_begin() -> None:
    """Mark the beginning of a step for CUDA graphs, of which there are none."""


def list_backends(exclude_tags: tuple[str, ...] = ("debug", "experimental")) -> list[str]:
    """The names of compilers: none."""
    return []


class set_stance:
    """How the compiler behaves from now on, in a ``with`` block, or in a decorated function: it changes nothing."""

    def __init__(self, stance: str = "default", *, skip_guard_eval_unsafe: bool = False, force_backend: Any = None):
        self.stance = stance

    def __call__(self, fn: Callable) -> Callable:
        return fn

    def __enter__(self) -> None:
        pass

    def __exit__(self, *exc: Any) -> None:
        pass


def _itself(fn: Any) -> Any:
    return fn
