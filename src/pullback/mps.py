"""``torch.mps``: GPUs of Apple's computers, of which there are none here."""

from typing import Any, NoReturn


def is_available() -> bool:
    """Whether there is such a GPU: no."""
    return False


def device_count() -> int:
    """The number of such GPUs."""
    return 0


def manual_seed(seed: int) -> None:
    """Seed the GPU's random stream: there is none."""


def seed() -> None:
    """Seed the GPU's random stream from the operating system: there is none."""


def _none(*args: Any, **options: Any) -> NoReturn:
    """Raises RuntimeError: there is no such GPU."""
    raise RuntimeError("Cannot execute this without MPS backend: a script asks torch.backends.mps.is_available() first")


current_allocated_memory = driver_allocated_memory = recommended_max_memory = empty_cache = synchronize = _none
get_rng_state = set_rng_state = set_per_process_memory_fraction = _none
