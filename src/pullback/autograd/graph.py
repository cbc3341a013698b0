"""``torch.autograd.graph``: nodes and edges of the graph, what it saved, and contexts that change how it is recorded.

Names only, but for three that mean something to a compiler or a GPU; what the others do is in ``tape/``.
"""

from typing import Any as _Any

from ..naming import missing_attribute as _missing_attribute
from ..tape.backward import GradientEdge, get_gradient_edge
from ..tape.graph import Node
from ..tape.saved import (
    disable_saved_tensors_hooks,
    saved_tensors_hooks,
)
from .hooks import node_creation_hook, register_multi_grad_hook

__all__ = [
    "GradientEdge",
    "Node",
    "disable_saved_tensors_hooks",
    "get_gradient_edge",
    "node_creation_hook",
    "register_multi_grad_hook",
    "saved_tensors_hooks",
]

# Names with the module that has them, loaded when they are first asked for.
_NAMES = {
    "allow_mutation_on_saved_tensors": "mutation",
    "increment_version": "mutation",
    "memory_budget": "budget",
    "memory_report": "memory",
    "saved_tensors": "memory",
    "save_compressed": "packers",
    "save_on_cpu": "packers",
    "save_on_disk": "packers",
    "strict_versions": "mutation",
}


def region_activation_memory_budget(budget: float) -> _Any:
    """PyTorch's budget for compiled regions, a share of what they would save.

    Raises:
        RuntimeError: always, as in PyTorch's eager mode; :class:`memory_budget` takes a number of bytes instead.
    """
    raise RuntimeError(
        "region_activation_memory_budget can only be used inside a compiled region; here use "
        "torch.autograd.graph.memory_budget(nbytes)"
    )


def set_warn_on_accumulate_grad_stream_mismatch(enabled: bool) -> None:
    """Accepted as in PyTorch, where it concerns the streams of a GPU."""


def set_override_stale_capture_stream(enabled: bool) -> None:
    """Accepted as in PyTorch, where it concerns the streams of a GPU."""


def __getattr__(name: str) -> _Any:
    if name in _NAMES:
        from importlib import import_module

        found = globals()[name] = getattr(import_module(f"pullback.autograd.{_NAMES[name]}"), name)
        return found
    raise _missing_attribute(__name__, name, __dir__())


def __dir__() -> list[str]:
    return sorted({*globals(), *_NAMES})
