"""The namespace of ``torch.linalg``: functions made from the table when they are first asked for, and their exception."""

from .errors import LinAlgError
from .naming import served
from .tensor import linalg_functions

__all__ = ["LinAlgError"]

__getattr__, __dir__ = served(linalg_functions, globals())
