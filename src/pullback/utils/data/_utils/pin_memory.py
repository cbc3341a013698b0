"""Pinned memory, which belongs to a GPU: here all memory stays as it is."""

from typing import Any


def pin_memory(data: Any, device: Any = None) -> Any:
    """The same data: there is no accelerator whose transfers pinned memory would speed up."""
    return data
