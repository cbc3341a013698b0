"""``torch.autograd.graph``: nodes and edges of the graph, what it saved, and contexts that change how it is recorded.

Names only; what they do is in ``tape/``.
"""

from ..tape.backward import GradientEdge
from ..tape.graph import Node

__all__ = ["GradientEdge", "Node"]
