"""``torch.amp``: automatic mixed precision, and the scaling of gradients that half precision needs."""

from .autocast_mode import (
    _enter_autocast,
    _exit_autocast,
    autocast,
    custom_bwd,
    custom_fwd,
    is_autocast_available,
)
from .grad_scaler import GradScaler

__all__ = ["GradScaler", "autocast", "custom_bwd", "custom_fwd", "is_autocast_available"]
__all__ += ["_enter_autocast", "_exit_autocast"]
