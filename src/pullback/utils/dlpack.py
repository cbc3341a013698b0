"""``torch.utils.dlpack``: tensors to and from other array libraries, on the same memory."""

from typing import Any

from ..from_data import from_dlpack
from ..tape.value import Tensor

__all__ = ["from_dlpack", "to_dlpack"]


def to_dlpack(tensor: Tensor) -> Any:
    """A DLPack capsule on a tensor's memory; it can be consumed once."""
    return tensor.__dlpack__()  # type: ignore[attr-defined]
