"""The namespace of ``torch.special``: functions made from the table when they are first asked for."""

from .naming import served
from .tensor import special_functions

__getattr__, __dir__ = served(special_functions, globals())
