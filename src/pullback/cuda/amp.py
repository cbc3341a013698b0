"""``torch.cuda.amp``: older names of ``torch.amp``, for this kind of device."""

from typing import Any

from ..amp import GradScaler as AnyGradScaler
from ..amp import autocast as any_autocast
from ..amp import custom_bwd as any_custom_bwd
from ..amp import custom_fwd as any_custom_fwd
from ..dtypes import float16
from ..source import warn_user

__all__ = ["GradScaler", "autocast", "custom_bwd", "custom_fwd"]


def _warn(name: str) -> None:
    warn_user(
        f"`torch.cuda.amp.{name}(args...)` is deprecated. Please use `torch.amp.{name}('cuda', args...)` instead.",
        FutureWarning,
    )


class autocast(any_autocast):
    """An older name of ``torch.amp.autocast("cuda", ...)``."""

    def __init__(self, enabled: bool = True, dtype: Any = None, cache_enabled: bool | None = True) -> None:
        _warn("autocast")
        super().__init__("cuda", float16 if dtype is None else dtype, enabled, cache_enabled)


class GradScaler(AnyGradScaler):
    """An older name of ``torch.amp.GradScaler("cuda", ...)``."""

    def __init__(self, *args: Any, **options: Any) -> None:
        _warn("GradScaler")
        super().__init__("cuda", *args, **options)


def custom_fwd(fwd: Any = None, **options: Any) -> Any:
    """An older name of ``torch.amp.custom_fwd(..., device_type="cuda")``."""
    _warn("custom_fwd")
    return any_custom_fwd(fwd, device_type="cuda", **options)


def custom_bwd(bwd: Any) -> Any:
    """An older name of ``torch.amp.custom_bwd(..., device_type="cuda")``."""
    _warn("custom_bwd")
    return any_custom_bwd(bwd, device_type="cuda")
