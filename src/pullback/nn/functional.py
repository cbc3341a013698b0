"""``torch.nn.functional``: the operations of the table that live in that namespace. Names, nothing else."""

from ..naming import served
from ..tensor import functional_functions

__getattr__, __dir__ = served(functional_functions, globals())
