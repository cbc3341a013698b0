"""The generalised Pareto and the continuous Bernoulli distribution."""

import math
from typing import Any

from . import constraints
from .constraints import real, unit_interval
from .discrete import Chances
from .distribution import Distribution, ExponentialFamily
from .functions import F, formula
from .location_scale import LOC_SCALE
from .utils import broadcast_all, clamp_probs

__all__ = ["ContinuousBernoulli", "GeneralizedPareto"]


class GeneralizedPareto(Distribution, rsample=True, **LOC_SCALE, concentration=real):
    """The generalised Pareto distribution: what excesses over a high threshold ``loc`` follow in the limit."""

    def __init__(self, loc: Any, scale: Any, concentration: Any, validate_args: Any = None) -> None:
        self.declare(validate_args, loc=loc, scale=scale, concentration=concentration)

    @constraints.dependent_property(is_discrete=False, event_dim=0)
    def support(self) -> Any:
        is_bounded = self.concentration < 0
        safe = F.where(is_bounded, self.concentration, -1)
        return constraints.interval(self.loc, F.where(is_bounded, self.loc - self.scale / safe, math.inf))

    def _nonzero(self) -> tuple:
        """Whether the concentration is as good as zero, and it where it is not."""
        is_zero = F.isclose(self.concentration, F.zeros_like(self.concentration))
        return is_zero, F.where(is_zero, 1, self.concentration)

    _draw = lambda self, shape: self.icdf(F.rand(shape, dtype=self.loc.dtype))

    def log_survival_function(self, value: Any) -> Any:
        """The logarithm of the probability of a sample above ``value``."""
        is_zero, k = self._nonzero()
        z = (value - self.loc) / self.scale
        return F.where(is_zero, -z, -F.log1p(F.where(is_zero, 0, k * z)) / k)

    _log_density = lambda self, value: (1 + self.concentration) * self.log_survival_function(value) - self.scale.log()

    def log_cdf(self, value: Any) -> Any:
        """The logarithm of the probability of a sample of at most ``value``."""
        return F.log1p(-F.exp(self.log_survival_function(value)))

    _cumulative = lambda self, value: -F.expm1(self.log_survival_function(value))

    def icdf(self, value: Any) -> Any:
        is_zero, k = self._nonzero()
        logarithm = F.log1p(-value)
        return self.loc + self.scale * F.where(is_zero, -logarithm, F.expm1(-k * logarithm) / k)

    @property
    def mean(self) -> Any:
        k = self.concentration
        return F.where(k < 1, self.loc + self.scale / (1 - F.where(k < 1, k, 0)), math.inf)

    @property
    def variance(self) -> Any:
        k = self.concentration
        safe = F.where(k < 0.5, k, 0)
        return F.where(k < 0.5, self.scale.square() / ((1 - safe).square() * (1 - 2 * safe)), math.inf)

    mode = formula(lambda self: self.loc)

    entropy = lambda self: (F.log(self.scale) + self.concentration + 1).expand(self._batch_shape)


class ContinuousBernoulli(Chances, ExponentialFamily, support=unit_interval, rsample=True, carrier=0):
    """The continuous Bernoulli distribution over [0, 1], of density proportional to ``p**x (1 - p)**(1 - x)``.

    (Loaiza-Ganem and Cunningham, 2019.) Near ``p = 1/2``, between ``lims``, functions of ``p`` that divide by ``1 - 2 p``
    are replaced by their Taylor series.
    """

    def __init__(
        self, probs: Any = None, logits: Any = None, lims: Any = (0.499, 0.501), validate_args: Any = None
    ) -> None:
        self._lims = lims
        self.declare_chances(validate_args, probs, logits)
        if probs is not None:
            self.probs = clamp_probs(self.probs)

    def _regions(self) -> tuple:
        """Whether ``probs`` are off the middle; they there (elsewhere the lower limit); and they in the middle, less 1/2."""
        low, high = self._lims
        is_off = (self.probs <= low) | (self.probs > high)
        middle = F.where(is_off, 0.5, self.probs) - 0.5
        return is_off, F.where(is_off, self.probs, low), middle

    def _log_constant(self) -> Any:
        is_off, p, x = self._regions()
        q = F.where(p <= 0.5, p, 0)
        r = F.where(p >= 0.5, p, 1)
        exact = F.log(F.abs(F.log1p(-p) - F.log(p))) - F.where(p <= 0.5, F.log1p(-2 * q), F.log(2 * r - 1))
        return F.where(is_off, exact, math.log(2) + (4 / 3 + 104 / 45 * x.square()) * x.square())

    @property
    def mean(self) -> Any:
        is_off, p, x = self._regions()
        exact = p / (2 * p - 1) + 1 / (F.log1p(-p) - F.log(p))
        return F.where(is_off, exact, 0.5 + (1 / 3 + 16 / 45 * x.square()) * x)

    @property
    def variance(self) -> Any:
        is_off, p, x = self._regions()
        exact = p * (p - 1) / (1 - 2 * p).square() + 1 / (F.log1p(-p) - F.log(p)).square()
        square = x.square()
        return F.where(is_off, exact, 1 / 12 - (1 / 15 - 128 / 945 * square) * square)

    _draw = lambda self, shape: self.icdf(F.rand(shape, dtype=self.probs.dtype))

    def _log_density(self, value: Any) -> Any:
        logits, value = broadcast_all(self.logits, value)
        return -F.nn.binary_cross_entropy_with_logits(logits, value, reduction="none") + self._log_constant()

    def _cumulative(self, value: Any) -> Any:
        is_off, p, _ = self._regions()
        exact = (F.pow(p, value) * F.pow(1 - p, 1 - value) + p - 1) / (2 * p - 1)
        inside = F.where(is_off, exact, value)
        return F.where(value <= 0, 0.0, F.where(value >= 1, 1.0, inside)).to(self.probs.dtype)

    def icdf(self, value: Any) -> Any:
        is_off, p, _ = self._regions()
        exact = (F.log1p(-p + value * (2 * p - 1)) - F.log1p(-p)) / (F.log(p) - F.log1p(-p))
        return F.where(is_off, exact, value)

    def entropy(self) -> Any:
        at_zero, at_one = F.log1p(-self.probs), F.log(self.probs)
        return self.mean * (at_zero - at_one) - self._log_constant() - at_zero

    _natural_params = formula(lambda self: (self.logits,))

    def _log_normalizer(self, x: Any) -> Any:
        """``log((exp(x) - 1) / x)``, of which the series is taken where it is as good as ``log(1 + x/2)``."""
        low, high = self._lims
        is_off = (x <= low - 0.5) | (x > high - 0.5)
        safe = F.where(is_off, x, 1)
        exact = F.log(F.abs(F.expm1(safe))) - F.log(F.abs(safe))
        return F.where(is_off, exact, 0.5 * x + x.square() / 24 - x.square().square() / 2880)
