"""``torch.backends.cudnn``: settings of a library for GPUs, which can be set and change nothing."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

enabled = True
benchmark = False
benchmark_limit = 10
deterministic = False
allow_tf32 = True


def is_available() -> bool:
    """Whether cuDNN computes: no."""
    return False


def version() -> None:
    """The version of cuDNN: there is none."""


def is_acceptable(tensor: Any) -> bool:
    """Whether cuDNN could compute with a tensor: no."""
    return False


@contextmanager
def flags(**settings: Any) -> Iterator[None]:
    """Change settings of this module for a while."""
    here = globals()
    before = {name: here[name] for name in settings}
    here.update(settings)
    try:
        yield
    finally:
        here.update(before)
