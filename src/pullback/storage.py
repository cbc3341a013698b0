"""``torch.storage``: the memory of tensors, and how ``pickle`` finds it."""

import io
from typing import Any

from .info import UntypedStorage
from .memory import TypedStorage
from .serialization import load

__all__ = ["TypedStorage", "UntypedStorage"]


def _load_from_bytes(content: bytes) -> Any:
    """A storage as PyTorch pickles it: as the content of a file of ``torch.save``."""
    return load(io.BytesIO(content), weights_only=False)
