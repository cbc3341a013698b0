"""The namespace of ``torch.fft``: functions made from the table when they are first asked for."""

from .naming import served
from .tensor import fft_functions

__getattr__, __dir__ = served(fft_functions, globals())
