"""Normalisation of each channel of each sample."""

from typing import Any
from warnings import warn

from .. import functional as F
from .batchnorm import NormBase


class InstanceNorm(NormBase):
    """What the instance norms share: each channel of each sample by itself, with running statistics only where asked for."""

    def __init__(
        self,
        num_features: int,
        eps: float = 1e-5,
        momentum: float = 0.1,
        affine: bool = False,
        track_running_stats: bool = False,
        device: Any = None,
        dtype: Any = None,
        *,
        bias: bool = True,
    ) -> None:
        super().__init__(num_features, eps, momentum, affine, track_running_stats, device, dtype, bias=bias)

    def forward(self, input: Any) -> Any:
        """A tensor of the input's shape; in training, the running statistics, where there are, are updated."""
        self._check(input)
        unbatched = input.dim() == self.dims[0]
        channels = input.shape[0 if unbatched else 1]
        if channels != self.num_features:
            words = f"expected input's size at dim={0 if unbatched else 1} to match num_features ({self.num_features})"
            if self.affine:
                raise ValueError(f"{words}, but got: {channels}.")
            warn(f"input's size at dim={0 if unbatched else 1} does not match num_features, {words}.", stacklevel=2)
        result = F.instance_norm(
            input.unsqueeze(0) if unbatched else input,
            self.running_mean,
            self.running_var,
            self.weight,
            self.bias,
            self.training or not self.track_running_stats,
            self.momentum if self.momentum is not None else 0.0,
            self.eps,
        )
        return result.squeeze(0) if unbatched else result


class InstanceNorm1d(InstanceNorm):
    """Instance norm of (N, C, L) or (C, L)."""

    dims = (2, 3)


class InstanceNorm2d(InstanceNorm):
    """Instance norm of (N, C, H, W) or (C, H, W)."""

    dims = (3, 4)


class InstanceNorm3d(InstanceNorm):
    """Instance norm of (N, C, D, H, W) or (C, D, H, W)."""

    dims = (4, 5)


_InstanceNorm = InstanceNorm
