"""Losses: modules that hold the options of a loss function of ``nn.functional``, and call it."""

import math
import warnings
from dataclasses import dataclass
from typing import Any

from .. import functional as F
from .distance import PairwiseDistance
from .linear import Linear
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


# -- of margins, counts and sequences ----------------------------------------------------------------------------------


class OptionedLoss(Loss):
    """A loss whose options are attributes, and are passed on to its function at every call."""

    function: str
    _options: tuple = ()

    def _keep(self, **options: Any) -> None:
        self._options = tuple(options)
        for name, value in options.items():
            setattr(self, name, value)

    def _of(self, *tensors: Any) -> Any:
        options = {name: getattr(self, name) for name in self._options}
        return getattr(F, self.function)(*tensors, **options, reduction=self.reduction)


class TargetLoss(OptionedLoss):
    """One of an input and a target."""

    def forward(self, input: Any, target: Any) -> Any:
        """The loss of an input and a target."""
        return self._of(input, target)


class SoftMarginLoss(TargetLoss):
    """``log(1 + exp(-target * input))``, of targets 1 and -1."""

    function = "soft_margin_loss"


class HingeEmbeddingLoss(TargetLoss):
    """The input, a distance, where the target is 1, and what it lacks to ``margin`` where the target is -1."""

    function = "hinge_embedding_loss"

    def __init__(
        self,
        margin: float = 1.0,
        size_average: bool | None = None,
        reduce: bool | None = None,
        reduction: str = "mean",
    ) -> None:
        super().__init__(size_average, reduce, reduction)
        self._keep(margin=margin)


class PairLoss(OptionedLoss):
    """What the losses of two inputs, a target and a margin share."""

    def __init__(
        self,
        margin: float = 0.0,
        size_average: bool | None = None,
        reduce: bool | None = None,
        reduction: str = "mean",
    ) -> None:
        super().__init__(size_average, reduce, reduction)
        self._keep(margin=margin)

    def forward(self, input1: Any, input2: Any, target: Any) -> Any:
        """The loss of two inputs and a target."""
        return self._of(input1, input2, target)


class CosineEmbeddingLoss(PairLoss):
    """``1 - cos`` of the angle between two inputs' rows where the target is 1, ``max(0, cos - margin)`` where it is -1.

    Inputs are (N, D) and targets (N,), or one of each.
    """

    function = "cosine_embedding_loss"


class MarginRankingLoss(PairLoss):
    """``max(0, margin - target * (input1 - input2))``, of scores and targets (1 and -1) of one shape."""

    function = "margin_ranking_loss"


class TripletMarginLoss(OptionedLoss):
    """``max(0, margin + d(anchor, positive) - d(anchor, negative))``, of distances of order ``p``."""

    function = "triplet_margin_loss"

    def __init__(
        self,
        margin: float = 1.0,
        p: float = 2.0,
        eps: float = 1e-6,
        swap: bool = False,
        size_average: bool | None = None,
        reduce: bool | None = None,
        reduction: str = "mean",
    ) -> None:
        if margin <= 0:
            raise ValueError(f"TripletMarginLoss: expected margin to be greater than 0, got {margin} instead")
        super().__init__(size_average, reduce, reduction)
        self._keep(margin=margin, p=p, eps=eps, swap=swap)

    def forward(self, anchor: Any, positive: Any, negative: Any) -> Any:
        """Three tensors of one shape, (N, D) or (D,)."""
        return self._of(anchor, positive, negative)


class TripletMarginWithDistanceLoss(OptionedLoss):
    """:class:`TripletMarginLoss` with any function of two tensors as the distance; by default ``pairwise_distance``."""

    function = "triplet_margin_with_distance_loss"

    def __init__(
        self, *, distance_function: Any = None, margin: float = 1.0, swap: bool = False, reduction: str = "mean"
    ) -> None:
        if margin <= 0:
            raise ValueError(
                f"TripletMarginWithDistanceLoss: expected margin to be greater than 0, got {margin} instead"
            )
        measure = distance_function or PairwiseDistance()
        super().__init__(reduction=reduction)
        self._keep(distance_function=measure, margin=margin, swap=swap)

    def forward(self, anchor: Any, positive: Any, negative: Any) -> Any:
        """Three tensors of one shape, (N, D) or (D,)."""
        return self._of(anchor, positive, negative)


class MultiLabelMarginLoss(TargetLoss):
    """What each class that is no target lacks to be 1 below each target's score, over all classes."""

    function = "multilabel_margin_loss"


class MultiLabelSoftMarginLoss(WeightedLoss):
    """The binary cross entropy of the sigmoid of scores, averaged over the classes."""

    def forward(self, input: Any, target: Any) -> Any:
        """Scores and targets 0 or 1, (N, C)."""
        return F.multilabel_soft_margin_loss(input, target, weight=self.weight, reduction=self.reduction)


class MultiMarginLoss(WeightedLoss):
    """What each wrong class lacks to be ``margin`` below the target's score, to the power ``p``, over all classes."""

    def __init__(
        self,
        p: int = 1,
        margin: float = 1.0,
        weight: Any = None,
        size_average: bool | None = None,
        reduce: bool | None = None,
        reduction: str = "mean",
    ) -> None:
        super().__init__(weight, size_average, reduce, reduction)
        if p not in (1, 2):
            raise ValueError(f"only p == 1 and p == 2 supported, got {p}")
        if weight is not None and weight.dim() != 1:
            raise ValueError(f"MultiMarginLoss: expected weight to be None or 1D tensor, got {weight.dim()}D instead")
        self.p, self.margin = p, margin

    def forward(self, input: Any, target: Any) -> Any:
        """Scores (N, C) and classes (N,)."""
        options = {"p": self.p, "margin": self.margin, "weight": self.weight, "reduction": self.reduction}
        return F.multi_margin_loss(input, target, **options)


class PoissonNLLLoss(OptionedLoss):
    """The negative log likelihood of counts under Poisson distributions whose rates, or their logarithms, are the input."""

    function = "poisson_nll_loss"

    def __init__(
        self,
        log_input: bool = True,
        full: bool = False,
        size_average: bool | None = None,
        eps: float = 1e-8,
        reduce: bool | None = None,
        reduction: str = "mean",
    ) -> None:
        super().__init__(size_average, reduce, reduction)
        self._keep(log_input=log_input, full=full, eps=eps)

    def forward(self, log_input: Any, target: Any) -> Any:
        """Rates, or their logarithms, and counts."""
        return self._of(log_input, target)


class GaussianNLLLoss(OptionedLoss):
    """The negative log likelihood of targets under normal distributions of mean ``input`` and variance ``var``."""

    function = "gaussian_nll_loss"

    def __init__(self, *, full: bool = False, eps: float = 1e-6, reduction: str = "mean") -> None:
        super().__init__(reduction=reduction)
        self._keep(full=full, eps=eps)

    def forward(self, input: Any, target: Any, var: Any) -> Any:
        """Means, targets and variances."""
        return self._of(input, target, var)


class CTCLoss(OptionedLoss):
    """Minus the log-probability that a sequence of distributions is read as a target, repetitions and blanks left out.

    Args:
        blank: the class of blanks.
        zero_infinity: whether targets that cannot be read cost nothing.
    """

    function = "ctc_loss"

    def __init__(self, blank: int = 0, reduction: str = "mean", zero_infinity: bool = False) -> None:
        super().__init__(reduction=reduction)
        self._keep(blank=blank, zero_infinity=zero_infinity)

    def forward(self, log_probs: Any, targets: Any, input_lengths: Any, target_lengths: Any) -> Any:
        """Log-probabilities (T, N, C) or (T, C), targets, and the lengths of both."""
        return self._of(log_probs, targets, input_lengths, target_lengths)


class NLLLoss2d(NLLLoss):
    """The old name of :class:`NLLLoss`."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        warnings.warn("NLLLoss2d has been deprecated. Please use NLLLoss instead.", FutureWarning, stacklevel=2)
        super().__init__(*args, **kwargs)


@dataclass
class LinearCrossEntropyOptions:
    """How PyTorch saves memory in :class:`LinearCrossEntropyLoss`; here nothing depends on it."""

    allow_retain_graph: bool = False
    batch_chunk_size: int | None = None
    chunking_method: str | None = "auto"
    acc_policy: str = "auto"
    acc_dtype: Any = None

    def __post_init__(self) -> None:
        if self.acc_policy not in ("accurate", "balanced", "compact", "auto"):
            raise ValueError(f"invalid acc_policy: {self.acc_policy!r}")


class LinearCrossEntropyLoss(WeightedLoss):
    """:class:`CrossEntropyLoss` of the scores that a layer of its own gives.

    Args:
        in_features, num_classes: the sizes of the layer's input, and of its output.
        out_features: more dimensions of the output, behind that of the classes.
        bias: whether the layer has a bias.
        weight, ignore_index, label_smoothing, reduction: as for :class:`CrossEntropyLoss`.
    """

    def __init__(
        self,
        in_features: int,
        num_classes: int,
        *,
        out_features: tuple[int, ...] = (),
        bias: bool = False,
        device: Any = None,
        dtype: Any = None,
        reduction: str = "mean",
        weight: Any = None,
        ignore_index: int | None = None,
        label_smoothing: float = 0.0,
        options: LinearCrossEntropyOptions | None = None,
    ) -> None:
        super().__init__(weight, reduction=reduction)
        self.num_classes, self.out_features, self.options = num_classes, out_features, options
        self.ignore_index, self.label_smoothing = ignore_index, label_smoothing
        size = num_classes * math.prod(out_features)
        self.linear = Linear(in_features, size, bias=bias, device=device, dtype=dtype)

    def forward(self, input: Any, target: Any) -> Any:
        """Inputs (N, in_features) and classes (N, …), or probabilities (N, C, …)."""
        linear: Any = self.linear
        shape = (self.num_classes, *self.out_features)
        return F.linear_cross_entropy(
            *(input, linear.weight.reshape(*shape, -1), target),
            linear_bias=None if linear.bias is None else linear.bias.reshape(shape),
            weight=self.weight,
            reduction=self.reduction,
            ignore_index=self.ignore_index,
            label_smoothing=self.label_smoothing,
            options=self.options,
        )

    def extra_repr(self) -> str:
        shown = ("num_classes", "out_features", "reduction", "ignore_index", "label_smoothing", "options")
        values = {name: getattr(self, name) for name in shown}
        parts = [f"in_features={self.linear.in_features}", *[f"{name}={value}" for name, value in values.items()]]
        return ", ".join([*parts[:3], f"bias={self.linear.bias is not None}", *parts[3:]])


_Loss, _WeightedLoss = Loss, WeightedLoss
