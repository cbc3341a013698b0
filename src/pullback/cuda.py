"""``torch.cuda``, as far as a script without a GPU needs it: the answer that there is none."""

from typing import Any


def is_available() -> bool:
    """Whether there is a GPU to compute on: no."""
    return False


def device_count() -> int:
    """The number of GPUs."""
    return 0


def manual_seed(seed: int) -> None:
    """Seed the current GPU; PyTorch ignores this where there is none."""


def manual_seed_all(seed: int) -> None:
    """Seed all GPUs; PyTorch ignores this where there are none."""


def __getattr__(name: str) -> Any:
    raise AttributeError(
        f"module 'torch.cuda' has no attribute '{name}' in Pullback, which computes on the CPU; "
        "torch.cuda.is_available() is False"
    )
