"""``torch.nn.attention``: which implementation of attention is to run. There is one here, whatever is asked for."""

from collections.abc import Iterator
from contextlib import contextmanager
from enum import Enum
from typing import Any

SDPBackend = Enum(
    "SDPBackend",
    {
        "ERROR": -1,
        "MATH": 0,
        "FLASH_ATTENTION": 1,
        "EFFICIENT_ATTENTION": 2,
        "CUDNN_ATTENTION": 3,
        "OVERRIDEABLE": 4,
    },
)


@contextmanager
def sdpa_kernel(backends: Any, set_priority: bool = False) -> Iterator[None]:
    """A block in which ``scaled_dot_product_attention`` may use these implementations; it computes the same in all.

    Raises:
        AssertionError: ``backends`` is neither a :class:`SDPBackend` nor a list of them.
    """
    given = backends if isinstance(backends, list) else [backends]
    if not all(isinstance(backend, SDPBackend) for backend in given):
        raise AssertionError(
            f"Backend must be an instance of SDPBackend or a list of SDPBackend instances, got {type(backends).__name__}"
        )
    yield


__all__ = ["SDPBackend", "sdpa_kernel"]
