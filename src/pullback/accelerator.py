"""``torch.accelerator``: there is none."""

from typing import Any, NoReturn

__all__ = [
    "current_accelerator", "current_device_idx", "current_device_index", "current_stream", "device_count", "empty_cache",
    "is_available", "set_device_idx", "set_device_index", "set_stream", "synchronize",
]  # fmt: skip


def is_available() -> bool:
    """Whether there is an accelerator: no."""
    return False


def device_count() -> int:
    """The number of accelerators."""
    return 0


def current_accelerator(check_available: bool = False) -> None:
    """The device of the accelerator: there is none."""


def _none(*args: Any, **options: Any) -> NoReturn:
    """Raises RuntimeError: there is no accelerator."""
    raise RuntimeError(
        "Cannot access accelerator device when none is available. A script asks torch.accelerator.is_available() first."
    )


current_device_idx = current_device_index = current_stream = empty_cache = _none
set_device_idx = set_device_index = set_stream = synchronize = _none
