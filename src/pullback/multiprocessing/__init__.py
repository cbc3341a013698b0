"""``torch.multiprocessing``: the standard library's, with PyTorch's :func:`spawn`.

Tensors go through queues and pipes as copies. What :meth:`Tensor.share_memory_` was called on is shared with the
processes that are forked afterwards.
"""

import multiprocessing
from multiprocessing import *  # noqa: F403
from typing import Any

from .spawn import (
    ProcessContext,
    ProcessException,
    ProcessExitedException,
    ProcessRaisedException,
    SpawnContext,
    spawn,
    start_processes,
)

__all__ = [
    *multiprocessing.__all__,  # type: ignore[attr-defined]
    "ProcessContext", "ProcessException", "ProcessExitedException", "ProcessRaisedException", "SpawnContext",
    "get_all_sharing_strategies", "get_sharing_strategy", "set_sharing_strategy", "spawn", "start_processes",
]  # fmt: skip

_strategy = "file_descriptor"


def get_all_sharing_strategies() -> set[str]:
    """The ways in which PyTorch shares tensors, as names that can be set."""
    return {"file_descriptor", "file_system"}


def get_sharing_strategy() -> str:
    """The way that was set."""
    return _strategy


def set_sharing_strategy(new_strategy: str) -> None:
    """Set the way; it makes no difference here."""
    global _strategy
    if new_strategy not in get_all_sharing_strategies():
        raise AssertionError(f"expected one of {get_all_sharing_strategies()}, but got {new_strategy!r}")
    _strategy = new_strategy


def __getattr__(name: str) -> Any:
    return getattr(multiprocessing, name)
