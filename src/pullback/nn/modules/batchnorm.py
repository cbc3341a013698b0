"""Normalisation of each channel over a batch, with running statistics."""

from typing import Any

from ... import dtypes
from ...creation import ones, zeros
from ...from_data import tensor
from .. import functional as F
from .module import Module
from .normalization import add_weight_and_bias, reset_weight_and_bias


class NormBase(Module):
    """What batch and instance norms share: weight, bias and running statistics, for each channel."""

    _version = 2  # since 2, the state has num_batches_tracked
    dims: tuple[int, ...]  # how many dimensions an input may have

    def __init__(
        self,
        num_features: int,
        eps: float = 1e-5,
        momentum: float | None = 0.1,
        affine: bool = True,
        track_running_stats: bool = True,
        device: Any = None,
        dtype: Any = None,
        *,
        bias: bool = True,
    ) -> None:
        super().__init__()
        self.num_features, self.eps, self.momentum = num_features, eps, momentum
        self.affine, self.track_running_stats = affine, track_running_stats
        add_weight_and_bias(self, (num_features,), affine, bias, device, dtype)
        tracked = track_running_stats
        self.register_buffer("running_mean", zeros((num_features,), device=device, dtype=dtype) if tracked else None)
        self.register_buffer("running_var", ones((num_features,), device=device, dtype=dtype) if tracked else None)
        self.register_buffer("num_batches_tracked", tensor(0, dtype=dtypes.long) if tracked else None)

    def reset_running_stats(self) -> None:
        """Forget the running statistics: mean 0, variance 1, no batches."""
        if self.track_running_stats:
            self.running_mean.zero_()
            self.running_var.fill_(1)
            self.num_batches_tracked.zero_()

    def reset_parameters(self) -> None:
        """Forget the running statistics, and set the weight to 1 and the bias to 0."""
        self.reset_running_stats()
        reset_weight_and_bias(self)

    def _check(self, input: Any) -> None:
        if input.dim() not in self.dims:
            expected = " or ".join(f"{n}D" for n in self.dims)
            raise ValueError(f"expected {expected} input (got {input.dim()}D input)")

    def _load_from_state_dict(self, state_dict: Any, prefix: str, local_metadata: dict, *rest: Any) -> None:
        key, version = prefix + "num_batches_tracked", local_metadata.get("version")
        if (version is None or version < 2) and self.track_running_stats and key not in state_dict:
            state_dict[key] = (
                tensor(0, dtype=dtypes.long) if self.num_batches_tracked is None else self.num_batches_tracked
            )
        super()._load_from_state_dict(state_dict, prefix, local_metadata, *rest)

    def extra_repr(self) -> str:
        return (
            f"{self.num_features}, eps={self.eps}, momentum={self.momentum}, affine={self.affine}, "
            f"bias={self.bias is not None}, track_running_stats={self.track_running_stats}"
        )


class BatchNorm(NormBase):
    """What the batch norms share: the choice between the running statistics and the batch's own."""

    def forward(self, input: Any) -> Any:
        """A tensor of the input's shape; in training, the running statistics are updated."""
        self._check(input)
        by_batch = self.training or self.running_mean is None
        return F.batch_norm(
            input,
            self.running_mean if not self.training or self.track_running_stats else None,
            self.running_var if not self.training or self.track_running_stats else None,
            self.weight,
            self.bias,
            by_batch,
            self._count_batch(),
            self.eps,
        )

    def _count_batch(self) -> float:
        """Count the batch in training; returns the weight that it has in the running statistics."""
        momentum = 0.0 if self.momentum is None else self.momentum
        if self.training and self.track_running_stats and self.num_batches_tracked is not None:
            self.num_batches_tracked.add_(1)
            if self.momentum is None:
                momentum = 1.0 / float(self.num_batches_tracked)
        return momentum


class BatchNorm1d(BatchNorm):
    """Batch norm of (N, C) or (N, C, L); see :class:`BatchNorm2d`."""

    dims = (2, 3)


class BatchNorm2d(BatchNorm):
    """Shift and scale each channel of (N, C, H, W) to mean 0 and variance 1, then by a learnt weight and bias.

    In training the mean and variance are the batch's, and running ones follow them; in evaluation they are those.

    Args:
        eps: added to the variance.
        momentum: the weight of a batch in the running statistics; None for the mean over all batches.
        affine: whether there are a weight and a bias.
        track_running_stats: whether there are running statistics.
    """

    dims = (4,)


class BatchNorm3d(BatchNorm):
    """Batch norm of (N, C, D, H, W); see :class:`BatchNorm2d`."""

    dims = (5,)


class SyncBatchNorm(BatchNorm):
    """Batch norm over the batches of all processes, of which there is one: a batch norm of two or more dimensions.

    Args:
        process_group: accepted, and without effect.
    """

    def __init__(
        self,
        num_features: int,
        eps: float = 1e-5,
        momentum: float | None = 0.1,
        affine: bool = True,
        track_running_stats: bool = True,
        process_group: Any = None,
        device: Any = None,
        dtype: Any = None,
        *,
        bias: bool = True,
    ) -> None:
        super().__init__(num_features, eps, momentum, affine, track_running_stats, device, dtype, bias=bias)
        self.process_group = process_group

    def _check(self, input: Any) -> None:
        if input.dim() < 2:
            raise ValueError(f"expected at least 2D input (got {input.dim()}D input)")

    @classmethod
    def convert_sync_batchnorm(cls, module: Module, process_group: Any = None) -> Module:
        """The module with a SyncBatchNorm, of the same parameters, in the place of every batch norm."""
        result = module
        if isinstance(module, BatchNorm):
            options = (module.num_features, module.eps, module.momentum, module.affine, module.track_running_stats)
            result = cls(*options, process_group, bias=module.bias is not None)
            result._parameters, result._buffers = module._parameters, module._buffers
            result.training = module.training
        for name, child in module.named_children():
            result.add_module(name, cls.convert_sync_batchnorm(child, process_group))
        return result


_NormBase, _BatchNorm = NormBase, BatchNorm
