"""The adaptive softmax, for many classes of which most are rare."""

from collections import namedtuple
from collections.abc import Sequence
from typing import Any

from ...tensor import functions
from .. import functional as F
from .container import ModuleList, Sequential
from .linear import Linear
from .module import Module

_ASMoutput = namedtuple("_ASMoutput", "output loss")


class AdaptiveLogSoftmaxWithLoss(Module):
    """The log-probabilities of many classes, of which the frequent ones stand in a head and the others in clusters.

    The head gives a score for each frequent class and for each cluster; a cluster's classes have a projection that is the
    smaller the rarer they are. Grave et al., Efficient softmax approximation for GPUs (2017).

    Args:
        in_features: the size of the inputs.
        n_classes: the number of classes, sorted by frequency, the most frequent first.
        cutoffs: at which classes clusters begin, in increasing order.
        div_value: by which factor each cluster's projection is smaller than the one before.
        head_bias: whether the head has a bias.
    """

    def __init__(
        self,
        in_features: int,
        n_classes: int,
        cutoffs: Sequence[int],
        div_value: float = 4.0,
        head_bias: bool = False,
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        super().__init__()
        given = list(cutoffs)
        if not given:
            raise ValueError("cutoffs should be a sequence of length larger than 0")
        within = given[0] > 0 and given[-1] <= n_classes - 1
        if given != sorted(set(given)) or not within or any(int(c) != c for c in given):
            raise ValueError(
                "cutoffs should be a sequence of unique, positive integers sorted in an increasing order, where each value "
                f"is between 1 and n_classes-1; got {given} for {n_classes} classes"
            )
        self.in_features, self.n_classes, self.div_value, self.head_bias = in_features, n_classes, div_value, head_bias
        self.cutoffs = [*given, n_classes]
        self.shortlist_size, self.n_clusters = self.cutoffs[0], len(given)
        self.head_size = self.shortlist_size + self.n_clusters
        made: dict[str, Any] = {"device": device, "dtype": dtype}
        self.head = Linear(in_features, self.head_size, bias=head_bias, **made)
        self.tail = ModuleList()
        for i, (start, end) in enumerate(zip(given, self.cutoffs[1:], strict=True), 1):
            size = int(in_features // div_value**i)
            parts = (Linear(in_features, size, bias=False, **made), Linear(size, end - start, bias=False, **made))
            self.tail.append(Sequential(*parts))

    def reset_parameters(self) -> None:
        """Draw new initial values."""
        for linear in (self.head, *[part for cluster in self.tail for part in cluster]):  # type: ignore[attr-defined]
            linear.reset_parameters()

    def log_prob(self, input: Any) -> Any:
        """The log-probabilities of all classes: (N, in_features) → (N, n_classes)."""
        head = F.log_softmax(self.head(input), 1)
        parts = [head[:, : self.shortlist_size]]
        for i, cluster in enumerate(self.tail):
            parts.append(F.log_softmax(cluster(input), 1) + head[:, self.shortlist_size + i, None])
        return functions["cat"](parts, 1)

    def predict(self, input: Any) -> Any:
        """The most probable class of each row: (N, in_features) → (N,)."""
        return self.log_prob(input).argmax(1)

    def forward(self, input_: Any, target_: Any) -> _ASMoutput:
        """Inputs (N, in_features) and classes (N,), or one of each: each target's log-probability, and minus their mean.

        Only the clusters that targets belong to are computed.
        """
        input, target = input_, target_
        check_targets(input, target, self.n_classes)
        alone = input.dim() == 1
        rows, classes = (input.unsqueeze(0), target.unsqueeze(0)) if alone else (input, target)
        head = F.log_softmax(self.head(rows), 1)
        places = classes.clamp(max=self.shortlist_size - 1)
        output = rows.new_zeros(len(rows))
        for i, (start, end) in enumerate(zip(self.cutoffs, self.cutoffs[1:], strict=False)):
            inside = ((classes >= start) & (classes < end)).nonzero().squeeze(1)
            if len(inside):
                places = places.index_fill(0, inside, self.shortlist_size + i)
                scores = F.log_softmax(self.tail[i](rows[inside]), 1)
                found = scores.gather(1, (classes[inside] - start).unsqueeze(1)).squeeze(1)
                output = output.index_copy(0, inside, found)
        output = output + head.gather(1, places.unsqueeze(1)).squeeze(1)
        loss = (-output).mean()
        return _ASMoutput(output.squeeze(0) if alone else output, loss)


def check_targets(input: Any, target: Any, n_classes: int) -> None:
    """Raise PyTorch's error for targets that do not go with the input."""
    if target.dim() not in (0, 1):
        raise RuntimeError("0D or 1D target tensor expected, multi-target not supported")
    if target.dim() == 1 and input.shape[0] != target.shape[0]:
        raise RuntimeError("Input and target should have the same size in the batch dimension.")
    expected = 2 if target.dim() == 1 else 1
    if input.dim() != expected:
        raise RuntimeError(
            f"{target.dim()}D target tensor expects {expected}D input tensors, but found inputs with size {input.shape}"
        )
    if target.numel() and not (int(target.min()) >= 0 and int(target.max()) < n_classes):
        raise RuntimeError(
            f"Target values should be in [0, {n_classes - 1}], but values in range [{int(target.min())}, "
            f"{int(target.max())}] were found. "
        )
