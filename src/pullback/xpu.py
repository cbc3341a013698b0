"""``torch.xpu``: GPUs of Intel, of which there are none here."""

from typing import Any, NoReturn


def is_available() -> bool:
    """Whether there is such a GPU: no."""
    return False


def is_initialized() -> bool:
    """Whether it is in use: no."""
    return False


def device_count() -> int:
    """The number of such GPUs."""
    return 0


def _nothing(*args: Any, **options: Any) -> None:
    """Nothing, as in PyTorch where there is no such GPU."""


empty_cache = manual_seed = manual_seed_all = seed = seed_all = _nothing


def _none(*args: Any, **options: Any) -> NoReturn:
    """Raises AssertionError: there is no such GPU."""
    raise AssertionError("Torch not compiled with XPU enabled: a script asks torch.xpu.is_available() first")


current_device = get_device_name = get_device_properties = set_device = synchronize = _none
