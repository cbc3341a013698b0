"""Parameters as one vector."""

from collections.abc import Iterable
from typing import Any

from ...tensor import functions


def parameters_to_vector(parameters: Iterable) -> Any:
    """All elements of the parameters, in order, in one dimension. Recorded, like any operation."""
    return functions["cat"]([p.reshape(-1) for p in parameters], 0)


def vector_to_parameters(vec: Any, parameters: Iterable) -> None:
    """Give the parameters the elements of a vector, in order. They share its memory from then on."""
    position = 0
    for parameter in parameters:
        count = parameter.numel()
        parameter.data = vec[position : position + count].view_as(parameter).data
        position += count
