"""``torch.cpu.amp``: older names of ``torch.amp``, for this kind of device."""

from typing import Any

from ..amp import GradScaler as AnyGradScaler
from ..amp import autocast as any_autocast
from ..dtypes import bfloat16
from ..source import warn_user

__all__ = ["GradScaler", "autocast"]


def _warn(name: str) -> None:
    warn_user(
        f"`torch.cpu.amp.{name}(args...)` is deprecated. Please use `torch.amp.{name}('cpu', args...)` instead.",
        FutureWarning,
    )


class autocast(any_autocast):
    """An older name of ``torch.amp.autocast("cpu", ...)``."""

    def __init__(self, enabled: bool = True, dtype: Any = None, cache_enabled: bool | None = True) -> None:
        _warn("autocast")
        super().__init__("cpu", bfloat16 if dtype is None else dtype, enabled, cache_enabled)


class GradScaler(AnyGradScaler):
    """An older name of ``torch.amp.GradScaler("cpu", ...)``."""

    def __init__(self, *args: Any, **options: Any) -> None:
        _warn("GradScaler")
        super().__init__("cpu", *args, **options)
