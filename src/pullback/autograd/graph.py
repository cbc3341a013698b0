"""``torch.autograd.graph``: nodes and edges of the graph, what it saved, and contexts that change how it is recorded.

Names only; what they do is in ``tape/``.
"""

from ..tape.backward import GradientEdge
from ..tape.graph import Node
from ..tape.saved import (
    disable_saved_tensors_hooks,
    save_compressed,
    save_on_cpu,
    save_on_disk,
    saved_tensors_hooks,
)

__all__ = [
    "GradientEdge",
    "Node",
    "disable_saved_tensors_hooks",
    "save_compressed",
    "save_on_cpu",
    "save_on_disk",
    "saved_tensors_hooks",
]
