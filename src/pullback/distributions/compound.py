"""Distributions made of others: batch dims taken for event dims, and mixtures."""

from typing import Any, ClassVar

from ..attributes import Size
from ..tape.modes import no_grad
from . import constraints
from .categorical import Categorical
from .distribution import Distribution
from .functions import F, formula
from .utils import sum_rightmost

__all__ = ["Independent", "MixtureSameFamily"]


class Independent(Distribution):
    """A distribution of which the last ``reinterpreted_batch_ndims`` batch dims count as part of the event."""

    arg_constraints: ClassVar[Any] = {}

    def __init__(
        self, base_distribution: Distribution, reinterpreted_batch_ndims: int, validate_args: Any = None
    ) -> None:
        batch = base_distribution.batch_shape
        if reinterpreted_batch_ndims > len(batch):
            raise ValueError(
                "Expected reinterpreted_batch_ndims <= len(base_distribution.batch_shape), actual "
                f"{reinterpreted_batch_ndims} vs {len(batch)}"
            )
        shape = batch + base_distribution.event_shape
        cut = len(batch) - reinterpreted_batch_ndims
        self.base_dist, self.reinterpreted_batch_ndims = base_distribution, reinterpreted_batch_ndims
        super().__init__(shape[:cut], shape[cut:], validate_args)

    has_rsample = formula(lambda self: self.base_dist.has_rsample)

    @property
    def has_enumerate_support(self) -> bool:  # type: ignore[override]
        return not self.reinterpreted_batch_ndims and self.base_dist.has_enumerate_support

    @constraints.dependent_property
    def support(self) -> Any:
        base, dims = self.base_dist.support, self.reinterpreted_batch_ndims
        return constraints.independent(base, dims) if dims else base

    mean = formula(lambda self: self.base_dist.mean)

    mode = formula(lambda self: self.base_dist.mode)

    variance = formula(lambda self: self.base_dist.variance)

    def sample(self, sample_shape: Any = ()) -> Any:
        return self.base_dist.sample(sample_shape)

    def rsample(self, sample_shape: Any = ()) -> Any:
        return self.base_dist.rsample(sample_shape)

    log_prob = lambda self, value: sum_rightmost(self.base_dist.log_prob(value), self.reinterpreted_batch_ndims)

    entropy = lambda self: sum_rightmost(self.base_dist.entropy(), self.reinterpreted_batch_ndims)

    def enumerate_support(self, expand: bool = True) -> Any:
        if self.reinterpreted_batch_ndims:
            raise NotImplementedError("Enumeration over cartesian product is not implemented")
        return self.base_dist.enumerate_support(expand=expand)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.base_dist}, {self.reinterpreted_batch_ndims})"


class MixtureSameFamily(Distribution, rsample=False):
    """A mixture: each event is of one of the components along the last batch dim, chosen by a categorical distribution."""

    arg_constraints: ClassVar[Any] = {}

    def __init__(
        self, mixture_distribution: Categorical, component_distribution: Distribution, validate_args: Any = None
    ) -> None:
        check_mixture(mixture_distribution, component_distribution)
        self._mixture_distribution, self._component_distribution = mixture_distribution, component_distribution
        self._num_component = mixture_distribution.logits.shape[-1]
        super().__init__(component_distribution.batch_shape[:-1], component_distribution.event_shape, validate_args)

    @constraints.dependent_property
    def support(self) -> Any:
        return constraints.MixtureSameFamilyConstraint(self._component_distribution.support)

    @property
    def mixture_distribution(self) -> Categorical:
        """The distribution of the component's number."""
        return self._mixture_distribution

    @property
    def component_distribution(self) -> Distribution:
        """The components, along the last batch dim."""
        return self._component_distribution

    def _over_events(self, weights: Any) -> Any:
        """Weights (..., components) with dims of one for the events."""
        return weights.reshape(weights.shape + (1,) * len(self._event_shape))

    _component_dim = formula(lambda self: -1 - len(self._event_shape))

    def _averaged(self, values: Any) -> Any:
        return (self._over_events(self._mixture_distribution.probs) * values).sum(self._component_dim)

    mean = formula(lambda self: self._averaged(self._component_distribution.mean))

    @property
    def variance(self) -> Any:
        """The mean of the variances, and the variance of the means."""
        means = self._component_distribution.mean
        spread = (means - self.mean.unsqueeze(self._component_dim)).square()
        return self._averaged(self._component_distribution.variance) + self._averaged(spread)

    _padded = lambda self, value: value.unsqueeze(self._component_dim)

    def _cumulative(self, value: Any) -> Any:
        return (self._component_distribution.cdf(self._padded(value)) * self._mixture_distribution.probs).sum(-1)

    def _log_density(self, value: Any) -> Any:
        logs = self._component_distribution.log_prob(self._padded(value))
        return F.logsumexp(logs + F.log_softmax(self._mixture_distribution.logits, -1), -1)

    def sample(self, sample_shape: Any = ()) -> Any:
        with no_grad():
            shape, event = Size(sample_shape), self._event_shape
            chosen = self._mixture_distribution.sample(shape)
            samples = self._component_distribution.sample(shape)
            dim = len(shape) + len(self._batch_shape)
            index = chosen.reshape(chosen.shape + (1,) * (1 + len(event)))
            return samples.gather(dim, index.expand(*chosen.shape, 1, *event)).squeeze(dim)

    def __repr__(self) -> str:
        return f"MixtureSameFamily(\n  {self._mixture_distribution},\n  {self._component_distribution})"


def check_mixture(mixture: Any, component: Any) -> None:
    """Raise ValueError unless the mixing distribution fits the components."""
    if not isinstance(mixture, Categorical):
        raise ValueError("The Mixture distribution needs to be an instance of torch.distributions.Categorical")
    if not isinstance(component, Distribution):
        raise ValueError("The Component distribution needs to be an instance of torch.distributions.Distribution")
    batch = component.batch_shape[:-1]
    for own, other in zip(reversed(mixture.batch_shape), reversed(batch), strict=False):
        if own != 1 and other != 1 and own != other:
            raise ValueError(
                f"`mixture_distribution.batch_shape` ({mixture.batch_shape}) is not compatible with "
                f"`component_distribution.batch_shape`({batch})"
            )
    count, components = mixture.logits.shape[-1], component.batch_shape[-1]
    if count != components:
        raise ValueError(
            f"`mixture_distribution component` ({count}) does not equal `component_distribution.batch_shape[-1]` "
            f"({components})"
        )
