"""Gamma distributions, and those made of gamma variables: chi-squared, F, beta and Dirichlet. And the exponential one.

Samples are differentiable by all parameters (``ops/implicit.py``).
"""

import math
from typing import Any

from ..attributes import Size
from ..tape.modes import no_grad
from .constraints import independent, nonnegative, positive, simplex, unit_interval
from .distribution import Distribution, ExponentialFamily
from .functions import F, formula
from .utils import broadcast_all, finfo, unfilled

__all__ = ["Beta", "Chi2", "Dirichlet", "Exponential", "FisherSnedecor", "Gamma"]


class Exponential(ExponentialFamily, support=nonnegative, rsample=True, carrier=0, rate=positive):
    """The exponential distribution of rate ``rate``: the time to the next event of a Poisson process."""

    def __init__(self, rate: Any, validate_args: Any = None) -> None:
        self.declare(validate_args, rate=rate)

    mean = formula(lambda self: self.rate.reciprocal())

    mode = formula(lambda self: F.zeros_like(self.rate))

    stddev = formula(lambda self: self.rate.reciprocal())

    variance = formula(lambda self: self.rate.square().reciprocal())

    _draw = lambda self, shape: unfilled(self.rate, shape).exponential_() / self.rate

    _log_density = lambda self, value: self.rate.log() - self.rate * value

    _cumulative = lambda self, value: 1 - F.exp(-self.rate * value)

    icdf = lambda self, value: -F.log1p(-value) / self.rate

    entropy = lambda self: 1 - F.log(self.rate)

    _natural_params = formula(lambda self: (-self.rate,))

    _log_normalizer = lambda self, x: -F.log(-x)


class Gamma(ExponentialFamily, support=nonnegative, rsample=True, carrier=0, concentration=positive, rate=positive):
    """The gamma distribution of shape ``concentration`` and of rate (the inverse of the scale) ``rate``."""

    def __init__(self, concentration: Any, rate: Any, validate_args: Any = None) -> None:
        self.declare(validate_args, concentration=concentration, rate=rate)

    mean = formula(lambda self: self.concentration / self.rate)

    mode = formula(lambda self: ((self.concentration - 1) / self.rate).clamp(min=0))

    variance = formula(lambda self: self.concentration / self.rate.square())

    def _draw(self, shape: Any) -> Any:
        sample = F._standard_gamma(self.concentration.expand(shape)) / self.rate.expand(shape)
        with no_grad():
            least = sample.detach().clamp(min=finfo(sample).tiny) - sample.detach()
        return sample + least

    def _log_density(self, value: Any) -> Any:
        value = F.as_tensor(value, dtype=self.rate.dtype)
        a = self.concentration
        return F.xlogy(a, self.rate) + F.xlogy(a - 1, value) - self.rate * value - F.lgamma(a)

    _cumulative = lambda self, value: F.gammainc(self.concentration, self.rate * value)

    def entropy(self) -> Any:
        a = self.concentration
        return a - F.log(self.rate) + F.lgamma(a) + (1 - a) * F.digamma(a)

    _natural_params = formula(lambda self: (self.concentration - 1, -self.rate))

    _log_normalizer = lambda self, x, y: F.lgamma(x + 1) + (x + 1) * F.log(-y.reciprocal())


class Chi2(Gamma, df=positive):
    """The chi-squared distribution: the sum of ``df`` squares of standard normal variables."""

    def __init__(self, df: Any, validate_args: Any = None) -> None:
        half = 0.5 * df
        super().__init__(half, 0.5, validate_args=validate_args)

    @property
    def df(self) -> Any:
        """The degrees of freedom."""
        return self.concentration * 2


class FisherSnedecor(Distribution, support=positive, rsample=True, df1=positive, df2=positive):
    """The F distribution: the ratio of two chi-squared variables, each over its degrees of freedom."""

    def __init__(self, df1: Any, df2: Any, validate_args: Any = None) -> None:
        self.declare(validate_args, df1=df1, df2=df2)

    def _defined(self, least: float, value: Any) -> Any:
        """A function of ``df2``, and NaN where that is not above ``least``."""
        is_defined = self.df2 > least
        return F.where(is_defined, value(F.where(is_defined, self.df2, least + 1)), math.nan)

    mean = formula(lambda self: self._defined(2, lambda df2: df2 / (df2 - 2)))

    @property
    def mode(self) -> Any:
        mode = (self.df1 - 2) / self.df1 * self.df2 / (self.df2 + 2)
        return F.where(self.df1 <= 2, math.nan, mode)

    @property
    def variance(self) -> Any:
        return self._defined(
            4, lambda df2: 2 * df2.square() * (self.df1 + df2 - 2) / (self.df1 * (df2 - 2).square() * (df2 - 4))
        )

    def rsample(self, sample_shape: Any = ()) -> Any:
        above, below = (Gamma(df / 2, df / 2, validate_args=False).rsample(sample_shape) for df in (self.df1, self.df2))
        tiny = finfo(below).tiny
        return (above / below.clamp(min=tiny)).clamp(min=tiny)

    def _log_density(self, value: Any) -> Any:
        a, b, ratio = self.df1 / 2, self.df2 / 2, self.df1 / self.df2
        constant = F.lgamma(a + b) - F.lgamma(a) - F.lgamma(b) + a * ratio.log()
        return constant + (a - 1) * value.log() - (a + b) * F.log1p(ratio * value)


class Dirichlet(ExponentialFamily, support=simplex, rsample=True, concentration=independent(positive, 1)):
    """The Dirichlet distribution over the simplex, with a vector of concentrations."""

    def __init__(self, concentration: Any, validate_args: Any = None) -> None:
        if concentration.dim() < 1:
            raise ValueError("`concentration` parameter must be at least one-dimensional.")
        self.concentration = concentration
        super().__init__(concentration.shape[:-1], concentration.shape[-1:], validate_args)

    _draw = lambda self, shape: F._sample_dirichlet(self.concentration.expand(shape))

    def _log_density(self, value: Any) -> Any:
        a = self.concentration
        return F.xlogy(a - 1, value).sum(-1) + F.lgamma(a.sum(-1)) - F.lgamma(a).sum(-1)

    mean = formula(lambda self: self.concentration / self.concentration.sum(-1, True))

    @property
    def mode(self) -> Any:
        """At a vertex where no concentration is above one."""
        excess = (self.concentration - 1).clamp(min=0)
        mode = excess / excess.sum(-1, True)
        is_at_vertex = (self.concentration < 1).all(dim=-1, keepdim=True)
        vertex = F.one_hot(mode.nan_to_num().argmax(dim=-1), self.concentration.shape[-1]).to(mode.dtype)
        return F.where(is_at_vertex, vertex, mode)

    @property
    def variance(self) -> Any:
        total = self.concentration.sum(-1, True)
        return self.concentration * (total - self.concentration) / (total.square() * (total + 1))

    def entropy(self) -> Any:
        a = self.concentration
        total, k = a.sum(-1), a.shape[-1]
        return F.lgamma(a).sum(-1) - F.lgamma(total) - (k - total) * F.digamma(total) - ((a - 1) * F.digamma(a)).sum(-1)

    _natural_params = formula(lambda self: (self.concentration,))

    _log_normalizer = lambda self, x: F.lgamma(x).sum(-1) - F.lgamma(x.sum(-1))


class Beta(ExponentialFamily, support=unit_interval, rsample=True, concentration1=positive, concentration0=positive):
    """The beta distribution over [0, 1]: the first component of a Dirichlet variable of two."""

    def __init__(self, concentration1: Any, concentration0: Any, validate_args: Any = None) -> None:
        pair = F.stack(broadcast_all(concentration1, concentration0), -1)
        self._dirichlet = Dirichlet(pair, validate_args=validate_args)
        super().__init__(self._dirichlet.batch_shape, validate_args=validate_args)

    concentration1 = formula(lambda self: self._dirichlet.concentration[..., 0])

    concentration0 = formula(lambda self: self._dirichlet.concentration[..., 1])

    mean = formula(lambda self: self.concentration1 / (self.concentration1 + self.concentration0))

    mode = formula(lambda self: self._dirichlet.mode[..., 0])

    @property
    def variance(self) -> Any:
        total = self.concentration1 + self.concentration0
        return self.concentration1 * self.concentration0 / (total.square() * (total + 1))

    def rsample(self, sample_shape: Any = ()) -> Any:
        return self._dirichlet.rsample(Size(sample_shape)).select(-1, 0)

    _log_density = lambda self, value: self._dirichlet.log_prob(F.stack([value, 1.0 - value], -1))

    entropy = lambda self: self._dirichlet.entropy()

    _natural_params = formula(lambda self: (self.concentration1, self.concentration0))

    _log_normalizer = lambda self, x, y: F.lgamma(x) + F.lgamma(y) - F.lgamma(x + y)
