"""What is done to the parameters of a model together."""

from importlib import import_module as _import_module
from typing import Any as _Any

from ...naming import missing_attribute as _missing_attribute
from . import rnn
from .clip_grad import clip_grad_norm_, clip_grad_value_, clip_grads_with_norm_, get_total_norm
from .convert_parameters import parameters_to_vector, vector_to_parameters

__all__ = [
    "clip_grad_norm_",
    "clip_grad_value_",
    "clip_grads_with_norm_",
    "get_total_norm",
    "parameters_to_vector",
    "rnn",
    "vector_to_parameters",
]


def __getattr__(name: str) -> _Any:
    if name == "stateless":
        return _import_module(f"{__name__}.{name}")
    raise _missing_attribute(__name__, name, [*globals(), "stateless"])
