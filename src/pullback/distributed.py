"""``torch.distributed``: training in several processes, which Pullback does not have. A script asks ``is_available()``.

What a single process may ask is answered as in PyTorch's builds without it; what else there is in PyTorch raises.
"""

from typing import Any

__all__ = ["is_available"]


def is_available() -> bool:
    """Whether there is training in several processes: no."""
    return False


def is_initialized() -> bool:
    """Whether this process is one of several that train together: no."""
    return False


def is_nccl_available() -> bool:
    """Whether GPUs can talk to each other by NCCL: no."""
    return False


is_gloo_available = is_mpi_available = is_ucc_available = is_xccl_available = is_nccl_available
is_torchelastic_launched = is_initialized


def __getattr__(name: str) -> Any:
    message = (
        f"torch.distributed.{name}: Pullback trains in one process. A script asks torch.distributed.is_available(), which "
        "is False here, or whether WORLD_SIZE is set."
    )
    if name.startswith("_"):
        raise AttributeError(message, name=name)

    def refused(*args: Any, **options: Any) -> Any:
        raise RuntimeError(message)

    refused.__name__ = refused.__qualname__ = name
    return refused
