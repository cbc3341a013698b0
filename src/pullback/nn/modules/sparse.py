"""Embeddings: tables of vectors, looked up one by one or bag by bag. Their gradients are dense, also where ``sparse``."""

from typing import Any

from ...creation import empty
from ...tape.modes import no_grad
from .. import functional as F
from .. import init
from ..parameter import Parameter
from .module import Module


class Table(Module):
    """What the embeddings share: the table, its first values, and how rows are scaled when they are looked up."""

    padding_idx: int | None

    def __init__(
        self,
        num_embeddings: int,
        embedding_dim: int,
        padding_idx: int | None,
        max_norm: float | None,
        norm_type: float,
        scale_grad_by_freq: bool,
        sparse: bool,
        weight: Any,
        freeze: bool,
        device: Any,
        dtype: Any,
    ) -> None:
        super().__init__()
        if padding_idx is not None and not -num_embeddings <= padding_idx < num_embeddings:
            raise AssertionError(f"Padding_idx must be within num_embeddings: got {padding_idx} for {num_embeddings}")
        self.num_embeddings, self.embedding_dim = num_embeddings, embedding_dim
        self.padding_idx = padding_idx if padding_idx is None else padding_idx % num_embeddings
        self.max_norm, self.norm_type = max_norm, norm_type
        self.scale_grad_by_freq, self.sparse = scale_grad_by_freq, sparse
        if weight is not None and tuple(weight.shape) != (num_embeddings, embedding_dim):
            raise AssertionError("Shape of weight does not match num_embeddings and embedding_dim")
        made = empty((num_embeddings, embedding_dim), device=device, dtype=dtype) if weight is None else weight
        self.weight = Parameter(made, requires_grad=not freeze)
        if weight is None:
            self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw new initial values from the normal distribution."""
        init.normal_(self.weight)
        if self.padding_idx is not None:
            with no_grad():
                self.weight[self.padding_idx].fill_(0)  # type: ignore[index]

    def _shown(self, *names: str) -> str:
        """The sizes, and of these settings those that are not what they are by default."""
        defaults = {"padding_idx": None, "max_norm": None, "norm_type": 2, "scale_grad_by_freq": False, "sparse": False}
        values = {name: getattr(self, name) for name in names}
        shown = [f"{name}={value!r}" for name, value in values.items() if name == "mode" or value != defaults[name]]
        return ", ".join([f"{self.num_embeddings}, {self.embedding_dim}", *shown])


def rows_and_columns(embeddings: Any) -> tuple[int, int]:
    if embeddings.dim() != 2:
        raise AssertionError("Embeddings parameter is expected to be 2-dimensional")
    return tuple(embeddings.shape)  # type: ignore[return-value]


class Embedding(Table):
    """A table of ``num_embeddings`` learnt vectors of size ``embedding_dim``, looked up by integers.

    Args:
        padding_idx: a row that begins at 0 and gets no gradient.
        max_norm: rows that are looked up are first scaled, in place, to a norm of order ``norm_type`` of at most this.
        scale_grad_by_freq: whether a row's gradient is divided by how often it was looked up.
    """

    def __init__(
        self,
        num_embeddings: int,
        embedding_dim: int,
        padding_idx: int | None = None,
        max_norm: float | None = None,
        norm_type: float = 2.0,
        scale_grad_by_freq: bool = False,
        sparse: bool = False,
        _weight: Any = None,
        _freeze: bool = False,
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        super().__init__(
            *(num_embeddings, embedding_dim, padding_idx, max_norm, norm_type),
            *(scale_grad_by_freq, sparse, _weight, _freeze, device, dtype),
        )

    def forward(self, input: Any) -> Any:
        """Integers (…) → (…, embedding_dim)."""
        settings = (self.padding_idx, self.max_norm, self.norm_type, self.scale_grad_by_freq, self.sparse)
        return F.embedding(input, self.weight, *settings)

    @classmethod
    def from_pretrained(
        cls,
        embeddings: Any,
        freeze: bool = True,
        padding_idx: int | None = None,
        max_norm: float | None = None,
        norm_type: float = 2.0,
        scale_grad_by_freq: bool = False,
        sparse: bool = False,
    ) -> "Embedding":
        """An embedding over given vectors, (num_embeddings, embedding_dim), that are not learnt if ``freeze``."""
        settings: Any = (padding_idx, max_norm, norm_type, scale_grad_by_freq, sparse, embeddings, freeze)
        return cls(*rows_and_columns(embeddings), *settings)

    def extra_repr(self) -> str:
        return self._shown("padding_idx", "max_norm", "norm_type", "scale_grad_by_freq", "sparse")


class EmbeddingBag(Table):
    """The sums, means or largest elements of bags of rows of a table.

    Args:
        mode: ``"sum"``, ``"mean"`` or ``"max"``.
        include_last_offset: whether the offsets that begin the bags have one more, the end of the last.
        padding_idx: a row that begins at 0 and does not count.
        max_norm, norm_type, scale_grad_by_freq: as for :class:`Embedding`.
    """

    def __init__(
        self,
        num_embeddings: int,
        embedding_dim: int,
        max_norm: float | None = None,
        norm_type: float = 2.0,
        scale_grad_by_freq: bool = False,
        mode: str = "mean",
        sparse: bool = False,
        _weight: Any = None,
        include_last_offset: bool = False,
        padding_idx: int | None = None,
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        super().__init__(
            *(num_embeddings, embedding_dim, padding_idx, max_norm, norm_type),
            *(scale_grad_by_freq, sparse, _weight, False, device, dtype),
        )
        self.mode, self.include_last_offset = mode, include_last_offset

    def forward(self, input: Any, offsets: Any = None, per_sample_weights: Any = None) -> Any:
        """Integers (B, N), or (N,) and offsets (B,) → (B, embedding_dim)."""
        return F.embedding_bag(
            *(input, self.weight, offsets, self.max_norm, self.norm_type, self.scale_grad_by_freq, self.mode),
            *(self.sparse, per_sample_weights, self.include_last_offset, self.padding_idx),
        )

    @classmethod
    def from_pretrained(
        cls,
        embeddings: Any,
        freeze: bool = True,
        max_norm: float | None = None,
        norm_type: float = 2.0,
        scale_grad_by_freq: bool = False,
        mode: str = "mean",
        sparse: bool = False,
        include_last_offset: bool = False,
        padding_idx: int | None = None,
    ) -> "EmbeddingBag":
        """Bags over given vectors, (num_embeddings, embedding_dim), that are not learnt if ``freeze``."""
        settings: Any = (
            max_norm,
            norm_type,
            scale_grad_by_freq,
            mode,
            sparse,
            embeddings,
            include_last_offset,
            padding_idx,
        )
        made = cls(*rows_and_columns(embeddings), *settings)
        made.weight.requires_grad = not freeze  # type: ignore[attr-defined]
        return made

    def extra_repr(self) -> str:
        return self._shown("max_norm", "norm_type", "scale_grad_by_freq", "mode", "padding_idx")
