"""Distributions of a transformed variable, and those that are best made so."""

import math
from typing import Any, ClassVar

from ..attributes import Size
from ..tape.modes import no_grad
from . import constraints
from .compound import Independent
from .constraints import nonnegative, positive, real, simplex, unit_interval
from .distribution import Distribution
from .functions import F, formula
from .gamma import Exponential, Gamma
from .location_scale import Cauchy, Normal, Uniform
from .transforms import (
    AbsTransform,
    AffineTransform,
    ComposeTransform,
    ExpTransform,
    PowerTransform,
    StickBreakingTransform,
    Transform,
)
from .utils import broadcast_all, euler_constant, finfo, sum_rightmost

__all__ = [
    "Gumbel", "HalfCauchy", "HalfNormal", "InverseGamma", "Kumaraswamy", "LogNormal", "LogisticNormal", "Pareto",
    "TransformedDistribution", "Weibull"
]  # fmt: skip


class TransformedDistribution(Distribution):
    """The distribution of ``transforms[-1](...(transforms[0](x)))``, where ``x`` has the distribution ``base_distribution``."""

    arg_constraints: ClassVar[Any] = {}

    def __init__(self, base_distribution: Distribution, transforms: Any, validate_args: Any = None) -> None:
        if not isinstance(transforms, (Transform, list)):
            raise ValueError(f"transforms must be a Transform or list, but was {transforms}")
        self.transforms = [transforms] if isinstance(transforms, Transform) else transforms
        if not all(isinstance(t, Transform) for t in self.transforms):
            raise ValueError("transforms must be a Transform or a list of Transforms")
        whole = ComposeTransform(self.transforms)
        domain_dim, base_dim = whole.domain.event_dim, len(base_distribution.event_shape)
        self.base_dist, shape = fitting_base(base_distribution, whole, domain_dim)
        cut = len(shape) - (whole.codomain.event_dim + max(base_dim - domain_dim, 0))
        super().__init__(shape[:cut], shape[cut:], validate_args)

    has_rsample = formula(lambda self: self.base_dist.has_rsample)

    @constraints.dependent_property(is_discrete=False)
    def support(self) -> Any:
        if not self.transforms:
            return self.base_dist.support
        codomain = self.transforms[-1].codomain
        missing = len(self._event_shape) - codomain.event_dim
        return constraints.independent(codomain, missing) if missing > 0 else codomain

    def sample(self, sample_shape: Any = ()) -> Any:
        with no_grad():
            return self._forward(self.base_dist.sample(sample_shape))

    def rsample(self, sample_shape: Any = ()) -> Any:
        return self._forward(self.base_dist.rsample(sample_shape))

    def _forward(self, x: Any) -> Any:
        for transform in self.transforms:
            x = transform(x)
        return x

    def _log_density(self, value: Any) -> Any:
        event_dim, total = len(self._event_shape), 0.0
        for transform in reversed(self.transforms):
            x = transform.inv(value)
            event_dim += transform.domain.event_dim - transform.codomain.event_dim
            volume = transform.log_abs_det_jacobian(x, value)
            total = total - sum_rightmost(volume, event_dim - transform.domain.event_dim)
            value = x
        return total + sum_rightmost(self.base_dist.log_prob(value), event_dim - len(self.base_dist.event_shape))

    def _turned(self, place: Any) -> Any:
        """A place in the distribution as the base has it: from the other end, where the transforms turn the order."""
        sign: Any = 1
        for transform in self.transforms:
            sign = sign * transform.sign
        return place if isinstance(sign, int) and sign == 1 else sign * (place - 0.5) + 0.5

    def _cumulative(self, value: Any) -> Any:
        for transform in reversed(self.transforms):
            value = transform.inv(value)
        if self.base_dist._validate_args:
            self.base_dist._validate_sample(value)
        return self._turned(self.base_dist.cdf(value))

    icdf = lambda self, value: self._forward(self.base_dist.icdf(self._turned(value)))


def fitting_base(base: Distribution, whole: Transform, domain_dim: int) -> tuple[Distribution, Size]:
    """The base with the batch shape and the event dims that its transforms need, and the shape of what they give."""
    shape = base.batch_shape + base.event_shape
    if len(shape) < domain_dim:
        raise ValueError(f"base_distribution needs to have shape with size at least {domain_dim}, but got {shape}.")
    result = whole.forward_shape(shape)
    expanded = whole.inverse_shape(result)
    if shape != expanded:
        base = base.expand(expanded[: len(expanded) - len(base.event_shape)])
    missing = domain_dim - len(base.event_shape)
    return (Independent(base, missing) if missing > 0 else base), result


class OfBase(TransformedDistribution, rsample=True):
    """What those share whose parameters are their base's."""

    _inner = formula(lambda self: self.base_dist)

    loc = formula(lambda self: self._inner.loc)

    scale = formula(lambda self: self._inner.scale)


LOC_SCALE = {"loc": real, "scale": positive}


class LogNormal(OfBase, support=positive, **LOC_SCALE):
    """The distribution of the exponential of a normal variable."""

    def __init__(self, loc: Any, scale: Any, validate_args: Any = None) -> None:
        super().__init__(Normal(loc, scale), ExpTransform(), validate_args)

    mean = formula(lambda self: (self.loc + self.scale.square() / 2).exp())

    mode = formula(lambda self: (self.loc - self.scale.square()).exp())

    @property
    def variance(self) -> Any:
        square = self.scale.square()
        return square.expm1() * (2 * self.loc + square).exp()

    entropy = lambda self: self.base_dist.entropy() + self.loc


class LogisticNormal(OfBase, support=simplex, **LOC_SCALE):
    """Points of the simplex whose stick-breaking coordinates are normal."""

    def __init__(self, loc: Any, scale: Any, validate_args: Any = None) -> None:
        base = Normal(loc, scale, validate_args=validate_args)
        if not base.batch_shape:
            base = base.expand([1])
        super().__init__(base, StickBreakingTransform(), validate_args)

    _inner = formula(lambda self: self.base_dist.base_dist)


class Folded(OfBase, support=nonnegative, scale=positive):
    """The distribution of the absolute value of a variable that is symmetric about zero."""

    mode = formula(lambda self: F.zeros_like(self.scale))

    _log_density = lambda self, value: F.where(value >= 0, self.base_dist.log_prob(value) + math.log(2), -math.inf)

    _cumulative = lambda self, value: 2 * self.base_dist.cdf(value) - 1

    icdf = lambda self, value: self.base_dist.icdf((value + 1) / 2)

    entropy = lambda self: self.base_dist.entropy() - math.log(2)


class HalfNormal(Folded):
    """The distribution of the absolute value of a normal variable of mean zero."""

    def __init__(self, scale: Any, validate_args: Any = None) -> None:
        super().__init__(Normal(0, scale, validate_args=False), AbsTransform(), validate_args)

    mean = formula(lambda self: self.scale * math.sqrt(2 / math.pi))

    variance = formula(lambda self: self.scale.square() * (1 - 2 / math.pi))


class HalfCauchy(Folded):
    """The distribution of the absolute value of a Cauchy variable about zero."""

    def __init__(self, scale: Any, validate_args: Any = None) -> None:
        super().__init__(Cauchy(0, scale, validate_args=False), AbsTransform(), validate_args)

    mean = formula(lambda self: F.full(self._extended_shape(), math.inf, dtype=self.scale.dtype))

    variance = formula(lambda self: self.base_dist.variance)


class InverseGamma(OfBase, support=positive, concentration=positive, rate=positive):
    """The distribution of the inverse of a gamma variable."""

    def __init__(self, concentration: Any, rate: Any, validate_args: Any = None) -> None:
        base = Gamma(concentration, rate, validate_args=validate_args)
        super().__init__(base, PowerTransform(-F.ones((), dtype=base.rate.dtype)), validate_args)

    concentration = formula(lambda self: self.base_dist.concentration)

    rate = formula(lambda self: self.base_dist.rate)

    @property
    def mean(self) -> Any:
        above = self.concentration > 1
        return F.where(above, self.rate / (F.where(above, self.concentration, 2) - 1), math.inf)

    mode = formula(lambda self: self.rate / (self.concentration + 1))

    @property
    def variance(self) -> Any:
        above = self.concentration > 2
        a = F.where(above, self.concentration, 3)
        return F.where(above, self.rate.square() / ((a - 1).square() * (a - 2)), math.inf)

    def entropy(self) -> Any:
        a = self.concentration
        return a + self.rate.log() + F.lgamma(a) - (1 + a) * F.digamma(a)


class Gumbel(TransformedDistribution, support=real, **LOC_SCALE):
    """The Gumbel distribution: of the largest of many independent variables, in the limit."""

    def __init__(self, loc: Any, scale: Any, validate_args: Any = None) -> None:
        self.loc, self.scale = broadcast_all(loc, scale)
        limits = finfo(self.loc)
        low, high = F.full_like(self.loc, limits.tiny), F.full_like(self.loc, 1 - limits.eps)
        to_log = ExpTransform().inv
        turned = AffineTransform(loc=0, scale=-F.ones_like(self.scale))
        placed = AffineTransform(loc=self.loc, scale=-self.scale)
        base = Uniform(low, high, validate_args=validate_args)
        super().__init__(base, [to_log, turned, to_log, placed], validate_args)

    def _log_density(self, value: Any) -> Any:
        y = (self.loc - value) / self.scale
        return (y - y.exp()) - self.scale.log()

    mean = formula(lambda self: self.loc + self.scale * euler_constant)

    mode = formula(lambda self: self.loc)

    stddev = formula(lambda self: math.pi / math.sqrt(6) * self.scale)

    variance = formula(lambda self: self.stddev.square())

    entropy = lambda self: self.scale.log() + (1 + euler_constant)


class Pareto(TransformedDistribution, alpha=positive, scale=positive):
    """The Pareto distribution: a power law of exponent ``alpha`` above ``scale``."""

    def __init__(self, scale: Any, alpha: Any, validate_args: Any = None) -> None:
        self.scale, self.alpha = broadcast_all(scale, alpha)
        base = Exponential(self.alpha, validate_args=validate_args)
        super().__init__(base, [ExpTransform(), AffineTransform(loc=0, scale=self.scale)], validate_args)

    @constraints.dependent_property(is_discrete=False, event_dim=0)
    def support(self) -> Any:
        return constraints.greater_than_eq(self.scale)

    @property
    def mean(self) -> Any:
        a = self.alpha.clamp(min=1)
        return a * self.scale / (a - 1)

    mode = formula(lambda self: self.scale)

    @property
    def variance(self) -> Any:
        a = self.alpha.clamp(min=2)
        return self.scale.square() * a / ((a - 1).square() * (a - 2))

    entropy = lambda self: (self.scale / self.alpha).log() + (1 + self.alpha.reciprocal())


class Weibull(TransformedDistribution, support=positive, scale=positive, concentration=positive):
    """The Weibull distribution: a power of an exponential variable, times ``scale``."""

    def __init__(self, scale: Any, concentration: Any, validate_args: Any = None) -> None:
        self.scale, self.concentration = broadcast_all(scale, concentration)
        powered = PowerTransform(exponent=self.concentration.reciprocal())
        base = Exponential(F.ones_like(self.scale), validate_args=validate_args)
        super().__init__(base, [powered, AffineTransform(loc=0, scale=self.scale)], validate_args)

    _moment = lambda self, n: F.exp(F.lgamma(1 + n * self.concentration.reciprocal()))

    mean = formula(lambda self: self.scale * self._moment(1))

    @property
    def mode(self) -> Any:
        k = self.concentration
        return self.scale * ((k - 1) / k) ** k.reciprocal()

    variance = formula(lambda self: self.scale.square() * (self._moment(2) - self._moment(1).square()))

    def entropy(self) -> Any:
        inverse = self.concentration.reciprocal()
        return euler_constant * (1 - inverse) + F.log(self.scale * inverse) + 1


class Kumaraswamy(
    TransformedDistribution, support=unit_interval, rsample=True, concentration1=positive, concentration0=positive
):
    """Kumaraswamy's distribution over [0, 1], much like the beta one, with a quantile function in closed form."""

    def __init__(self, concentration1: Any, concentration0: Any, validate_args: Any = None) -> None:
        self.concentration1, self.concentration0 = broadcast_all(concentration1, concentration0)
        base = Uniform(F.zeros_like(self.concentration0), F.ones_like(self.concentration0), validate_args=validate_args)
        transforms = [
            PowerTransform(exponent=self.concentration0.reciprocal()),
            AffineTransform(loc=1.0, scale=-1.0),
            PowerTransform(exponent=self.concentration1.reciprocal()),
        ]
        super().__init__(base, transforms, validate_args)

    def _moment(self, n: int) -> Any:
        a, b = 1 + n / self.concentration1, self.concentration0
        return b * F.exp(F.lgamma(a) + F.lgamma(b) - F.lgamma(a + b))

    mean = formula(lambda self: self._moment(1))

    @property
    def mode(self) -> Any:
        """NaN where a concentration is below one: the density is then largest at an end."""
        a, b = self.concentration1, self.concentration0
        return F.where((a < 1) | (b < 1), math.nan, ((a - 1) / (a * b - 1)) ** a.reciprocal())

    variance = formula(lambda self: self._moment(2) - self._moment(1).square())

    def entropy(self) -> Any:
        a, b = self.concentration1, self.concentration0
        harmonic = F.digamma(b + 1) + euler_constant
        return 1 - b.reciprocal() + (1 - a.reciprocal()) * harmonic - a.log() - b.log()
