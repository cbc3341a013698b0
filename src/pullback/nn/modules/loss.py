"""Losses: modules that hold the options of a loss function of ``nn.functional``, and call it."""

import warnings
from typing import Any

from .. import functional as F
from .module import Module


class Loss(Module):
    """What all losses share: how the elements' losses are reduced to one number, if they are.

    ``size_average`` and ``reduce`` are PyTorch's old way to say ``reduction``.
    """

    reduction: str

    def __init__(self, size_average: bool | None = None, reduce: bool | None = None, reduction: str = "mean") -> None:
        super().__init__()
        if size_average is not None or reduce is not None:
            reduction = "none" if reduce is False else "sum" if size_average is False else "mean"
            warnings.warn(
                f"size_average and reduce args will be deprecated, please use reduction='{reduction}' instead.",
                stacklevel=3,
            )
        self.reduction = reduction


class WeightedLoss(Loss):
    """A loss with a weight, which is state of the module."""

    weight: Any

    def __init__(
        self, weight: Any = None, size_average: bool | None = None, reduce: bool | None = None, reduction: str = "mean"
    ) -> None:
        super().__init__(size_average, reduce, reduction)
        self.register_buffer("weight", weight)


class L1Loss(Loss):
    """The mean (or sum, or each) of ``|input - target|``."""

    def forward(self, input: Any, target: Any) -> Any:
        """Input and target have one shape."""
        return F.l1_loss(input, target, reduction=self.reduction)


class MSELoss(Loss):
    """The mean (or sum, or each) of ``(input - target)²``."""

    def forward(self, input: Any, target: Any) -> Any:
        """Input and target have one shape."""
        return F.mse_loss(input, target, reduction=self.reduction)


class SmoothL1Loss(Loss):
    """Quadratic where the error is below ``beta``, linear beyond: ``d² / (2 beta)`` and ``d - beta / 2``."""

    def __init__(
        self,
        size_average: bool | None = None,
        reduce: bool | None = None,
        reduction: str = "mean",
        beta: float = 1.0,
    ) -> None:
        super().__init__(size_average, reduce, reduction)
        self.beta = beta

    def forward(self, input: Any, target: Any) -> Any:
        """Input and target have one shape."""
        return F.smooth_l1_loss(input, target, reduction=self.reduction, beta=self.beta)


class HuberLoss(Loss):
    """Quadratic where the error is below ``delta``, linear beyond: ``d² / 2`` and ``delta (d - delta / 2)``."""

    def __init__(self, reduction: str = "mean", delta: float = 1.0) -> None:
        super().__init__(reduction=reduction)
        self.delta = delta

    def forward(self, input: Any, target: Any) -> Any:
        """Input and target have one shape."""
        return F.huber_loss(input, target, reduction=self.reduction, delta=self.delta)


class NLLLoss(WeightedLoss):
    """Minus the log-probability that ``input`` gives to each target class; see :class:`CrossEntropyLoss`."""

    def __init__(
        self,
        weight: Any = None,
        size_average: bool | None = None,
        ignore_index: int = -100,
        reduce: bool | None = None,
        reduction: str = "mean",
    ) -> None:
        super().__init__(weight, size_average, reduce, reduction)
        self.ignore_index = ignore_index

    def forward(self, input: Any, target: Any) -> Any:
        """Log-probabilities (N, C, …) and classes (N, …)."""
        return F.nll_loss(input, target, weight=self.weight, ignore_index=self.ignore_index, reduction=self.reduction)


class CrossEntropyLoss(WeightedLoss):
    """Minus the logarithm of the probability that the softmax of ``input`` gives to each target class.

    Args:
        weight: a factor for each class.
        ignore_index: a class whose elements count for nothing.
        reduction: ``"mean"`` (weighted), ``"sum"`` or ``"none"``.
        label_smoothing: the share of the target that is spread over all classes.
    """

    def __init__(
        self,
        weight: Any = None,
        size_average: bool | None = None,
        ignore_index: int = -100,
        reduce: bool | None = None,
        reduction: str = "mean",
        label_smoothing: float = 0.0,
    ) -> None:
        super().__init__(weight, size_average, reduce, reduction)
        self.ignore_index, self.label_smoothing = ignore_index, label_smoothing

    def forward(self, input: Any, target: Any) -> Any:
        """Scores (N, C, …), and classes (N, …) or probabilities (N, C, …)."""
        return F.cross_entropy(
            input,
            target,
            weight=self.weight,
            ignore_index=self.ignore_index,
            reduction=self.reduction,
            label_smoothing=self.label_smoothing,
        )


class KLDivLoss(Loss):
    """The divergence of Kullback and Leibler from ``input``, log-probabilities, to ``target``, probabilities.

    Args:
        reduction: ``"batchmean"`` is the mathematical definition; ``"mean"`` divides by the number of elements.
        log_target: whether the target, too, holds log-probabilities.
    """

    def __init__(
        self,
        size_average: bool | None = None,
        reduce: bool | None = None,
        reduction: str = "mean",
        log_target: bool = False,
    ) -> None:
        super().__init__(size_average, reduce, reduction)
        self.log_target = log_target

    def forward(self, input: Any, target: Any) -> Any:
        """Input and target have one shape."""
        return F.kl_div(input, target, reduction=self.reduction, log_target=self.log_target)


class BCELoss(WeightedLoss):
    """The cross entropy of probabilities and targets in [0, 1]: ``-(t log p + (1 - t) log(1 - p))``."""

    def forward(self, input: Any, target: Any) -> Any:
        """Input and target have one shape."""
        return F.binary_cross_entropy(input, target, weight=self.weight, reduction=self.reduction)


class BCEWithLogitsLoss(WeightedLoss):
    """The cross entropy of the sigmoid of ``input`` and targets in [0, 1], computed without overflow.

    Args:
        weight: a factor for each element.
        pos_weight: a factor for the positive part of each class.
    """

    pos_weight: Any

    def __init__(
        self,
        weight: Any = None,
        size_average: bool | None = None,
        reduce: bool | None = None,
        reduction: str = "mean",
        pos_weight: Any = None,
    ) -> None:
        super().__init__(weight, size_average, reduce, reduction)
        self.register_buffer("pos_weight", pos_weight)

    def forward(self, input: Any, target: Any) -> Any:
        """Input and target have one shape."""
        return F.binary_cross_entropy_with_logits(
            input, target, weight=self.weight, reduction=self.reduction, pos_weight=self.pos_weight
        )
