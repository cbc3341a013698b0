"""The namespace of ``torch.linalg``: functions made from the table when they are first asked for."""

from .naming import served
from .tensor import linalg_functions

__getattr__, __dir__ = served(linalg_functions, globals())
