"""Distributions over a finite number of categories: categorical, one-hot, multinomial."""

import math
from typing import Any

from ..attributes import Size
from . import constraints
from .constraints import one_hot, real_vector, simplex
from .discrete import Binomial, Chances
from .distribution import Distribution
from .functions import F, formula
from .utils import finfo

__all__ = ["Categorical", "Multinomial", "OneHotCategorical", "OneHotCategoricalStraightThrough"]

WEIGHTS = {"probs": simplex, "logits": real_vector}


class Categorical(Chances, enumerable=True, **WEIGHTS):
    """Integers below K, in proportion to the K last elements of ``probs``, or of ``exp(logits)``."""

    is_binary = False

    def __init__(self, probs: Any = None, logits: Any = None, validate_args: Any = None) -> None:
        self.check_one(probs, logits)
        name, given = ("logits", logits) if probs is None else ("probs", probs)
        if given.dim() < 1:
            raise ValueError(f"`{name}` parameter must be at least one-dimensional.")
        if probs is None:
            self.logits = logits - logits.logsumexp(dim=-1, keepdim=True)
        else:
            self.probs = probs / probs.sum(-1, keepdim=True)
        self._num_events = given.size()[-1]
        super().__init__(given.size()[:-1], validate_args=validate_args)

    @constraints.dependent_property(is_discrete=True, event_dim=0)
    def support(self) -> Any:
        return constraints.integer_interval(0, self._num_events - 1)

    mean = formula(lambda self: F.full(self._extended_shape(), math.nan, dtype=self.probs.dtype))

    mode = formula(lambda self: self.probs.argmax(dim=-1))

    variance = formula(lambda self: self.mean)

    def sample(self, sample_shape: Any = ()) -> Any:
        sample_shape = Size(sample_shape)
        rows = self.probs.detach().reshape(-1, self._num_events)
        return F.multinomial(rows, sample_shape.numel(), True).T.reshape(self._extended_shape(sample_shape))

    def _log_density(self, value: Any) -> Any:
        index, logits = F.broadcast_tensors(value.long().unsqueeze(-1), self.logits)
        return logits.gather(-1, index[..., :1]).squeeze(-1)

    entropy = lambda self: -(self.logits.clamp(min=finfo(self.logits).min) * self.probs).sum(-1)

    def enumerate_support(self, expand: bool = True) -> Any:
        return self._enumerated(F.arange(self._num_events), expand)


class OverCategories(Distribution, **WEIGHTS):
    """Distributions over vectors that are made of a categorical variable."""

    def __init__(self, probs: Any = None, logits: Any = None, validate_args: Any = None) -> None:
        self._categorical = Categorical(probs, logits)
        super().__init__(self._categorical.batch_shape, self._categorical.param_shape[-1:], validate_args)

    _param = formula(lambda self: self._categorical._param)

    @property
    def probs(self) -> Any:
        """The probability of each category."""
        return self._categorical.probs

    @property
    def logits(self) -> Any:
        """The logarithms of the probabilities."""
        return self._categorical.logits

    @property
    def param_shape(self) -> Any:
        """The shape of the parameter that was given."""
        return self._categorical.param_shape


class OneHotCategorical(OverCategories, support=one_hot, enumerable=True):
    """Vectors with a one in the place of a category, and zeros elsewhere."""

    mean = formula(lambda self: self.probs)

    mode = formula(lambda self: F.one_hot(self.probs.argmax(dim=-1), self.probs.shape[-1]).to(self.probs.dtype))

    variance = formula(lambda self: self.probs * (1 - self.probs))

    def sample(self, sample_shape: Any = ()) -> Any:
        return F.one_hot(self._categorical.sample(sample_shape), self._event_shape[0]).to(self.probs.dtype)

    _log_density = lambda self, value: self._categorical.log_prob(value.argmax(-1))

    entropy = lambda self: self._categorical.entropy()

    def enumerate_support(self, expand: bool = True) -> Any:
        n = self._event_shape[0]
        values = F.eye(n, dtype=self._param.dtype).reshape((n,) + (1,) * len(self._batch_shape) + (n,))
        return values.expand((n, *self._batch_shape, n)) if expand else values


class OneHotCategoricalStraightThrough(OneHotCategorical, rsample=True):
    """One-hot vectors whose gradient is that of the probabilities (Bengio, Léonard and Courville, 2013)."""

    def rsample(self, sample_shape: Any = ()) -> Any:
        return self.sample(sample_shape) + (self.probs - self.probs.detach())


class Multinomial(OverCategories):
    """How often each category is drawn in ``total_count`` independent draws."""

    def __init__(self, total_count: int = 1, probs: Any = None, logits: Any = None, validate_args: Any = None) -> None:
        if not isinstance(total_count, int):
            raise NotImplementedError("inhomogeneous total_count is not supported: it must be an int")
        self.total_count = total_count
        super().__init__(probs, logits, validate_args)

    @constraints.dependent_property(is_discrete=True, event_dim=1)
    def support(self) -> Any:
        return constraints.multinomial(self.total_count)

    mean = formula(lambda self: self.probs * self.total_count)

    variance = formula(lambda self: self.total_count * self.probs * (1 - self.probs))

    def sample(self, sample_shape: Any = ()) -> Any:
        shape = Size(sample_shape)
        drawn = self._categorical.sample(Size((self.total_count,)) + shape).movedim(0, -1)
        counts = F.zeros(self._extended_shape(shape), dtype=self.probs.dtype)
        return counts.scatter_add(-1, drawn, F.ones(drawn.shape, dtype=counts.dtype))

    def _log_density(self, value: Any) -> Any:
        logits, value = F.broadcast_tensors(self.logits, value)
        logits = logits.masked_fill((value == 0) & (logits == -math.inf), 0)
        ways = F.lgamma(value.sum(-1) + 1) - F.lgamma(value + 1).sum(-1)
        return ways + (logits * value).sum(-1)

    def entropy(self) -> Any:
        """The entropy of the sequence of draws, less what is not told by the counts."""
        n = F.tensor(float(self.total_count), dtype=self.probs.dtype)
        support = F.arange(1, self.total_count + 1, dtype=self.probs.dtype).reshape((-1,) + (1,) * self.probs.dim())
        counts = Binomial(self.total_count, probs=self.probs, validate_args=False)
        untold = F.exp(counts.log_prob(support)) * F.lgamma(support + 1)
        return n * self._categorical.entropy() - F.lgamma(n + 1) + untold.sum((0, -1))
