"""Distributions of one real variable with a location and a scale."""

import math
from typing import Any

from .. import dtypes
from . import constraints
from .constraints import positive, real
from .distribution import Distribution, ExponentialFamily
from .functions import F, formula
from .gamma import Chi2
from .utils import finfo, lazy_property, standard_normal, unfilled

__all__ = ["Cauchy", "Laplace", "Normal", "StudentT", "Uniform", "VonMises"]

LOC_SCALE = {"loc": real, "scale": positive}


class LocationScale(Distribution, support=real, rsample=True, **LOC_SCALE):
    """What those share whose density is symmetric about ``loc``."""

    def __init__(self, loc: Any, scale: Any, validate_args: Any = None) -> None:
        self.declare(validate_args, loc=loc, scale=scale)

    mean = formula(lambda self: self.loc)

    mode = formula(lambda self: self.loc)


class Normal(LocationScale, ExponentialFamily, carrier=0):
    """The normal distribution of mean ``loc`` and standard deviation ``scale``."""

    stddev = formula(lambda self: self.scale)

    variance = formula(lambda self: self.scale.square())

    _draw = lambda self, shape: self.loc + standard_normal(shape, self.loc) * self.scale

    def _log_density(self, value: Any) -> Any:
        standard = (value - self.loc) / self.scale
        return -standard.square() / 2 - self.scale.log() - math.log(math.sqrt(2 * math.pi))

    _cumulative = lambda self, value: 0.5 * (1 + F.erf((value - self.loc) * self.scale.reciprocal() / math.sqrt(2)))

    icdf = lambda self, value: self.loc + self.scale * F.erfinv(2 * value - 1) * math.sqrt(2)

    entropy = lambda self: 0.5 + 0.5 * math.log(2 * math.pi) + F.log(self.scale)

    _natural_params = formula(lambda self: (self.loc / self.scale.square(), -0.5 / self.scale.square()))

    _log_normalizer = lambda self, x, y: -0.25 * x.square() / y + 0.5 * F.log(-math.pi / y)


class Laplace(LocationScale):
    """The Laplace distribution, whose density falls exponentially to both sides of ``loc``."""

    variance = formula(lambda self: 2 * self.scale.square())

    stddev = formula(lambda self: 2**0.5 * self.scale)

    def _draw(self, shape: Any) -> Any:
        u = unfilled(self.loc, shape).uniform_(finfo(self.loc).eps - 1, 1)
        return self.loc - self.scale * u.sign() * F.log1p(-u.abs())

    _log_density = lambda self, value: -F.log(2 * self.scale) - F.abs(value - self.loc) / self.scale

    def _cumulative(self, value: Any) -> Any:
        distance = value - self.loc
        return 0.5 - 0.5 * distance.sign() * F.expm1(-distance.abs() / self.scale)

    def icdf(self, value: Any) -> Any:
        centred = value - 0.5
        return self.loc - self.scale * centred.sign() * F.log1p(-2 * centred.abs())

    entropy = lambda self: 1 + F.log(2 * self.scale)


class Cauchy(LocationScale):
    """The Cauchy distribution: the ratio of two normal variables, without mean or variance."""

    mean = formula(lambda self: F.full(self._extended_shape(), math.nan, dtype=self.loc.dtype))

    variance = formula(lambda self: F.full(self._extended_shape(), math.inf, dtype=self.loc.dtype))

    _draw = lambda self, shape: self.loc + unfilled(self.loc, shape).cauchy_() * self.scale

    def _log_density(self, value: Any) -> Any:
        return -math.log(math.pi) - self.scale.log() - ((value - self.loc) / self.scale).square().log1p()

    _cumulative = lambda self, value: F.atan((value - self.loc) / self.scale) / math.pi + 0.5

    icdf = lambda self, value: F.tan(math.pi * (value - 0.5)) * self.scale + self.loc

    entropy = lambda self: math.log(4 * math.pi) + self.scale.log()


class StudentT(Distribution, support=real, rsample=True, df=positive, **LOC_SCALE):
    """Student's distribution of ``df`` degrees of freedom: a normal variable over the root of its estimated variance."""

    def __init__(self, df: Any, loc: Any = 0.0, scale: Any = 1.0, validate_args: Any = None) -> None:
        self.declare(validate_args, df=df, loc=loc, scale=scale)

    mean = formula(lambda self: F.where(self.df <= 1, math.nan, self.loc))

    mode = formula(lambda self: self.loc)

    @property
    def variance(self) -> Any:
        finite = F.where(self.df > 2, self.df, 4)
        variance = F.where(self.df > 2, self.scale.square() * finite / (finite - 2), math.inf)
        return F.where(self.df <= 1, math.nan, variance)

    def rsample(self, sample_shape: Any = ()) -> Any:
        numerator = standard_normal(self._extended_shape(sample_shape), self.loc)
        square = Chi2(self.df, validate_args=False).rsample(sample_shape)
        return self.loc + self.scale * (numerator * F.rsqrt(square / self.df))

    def _log_density(self, value: Any) -> Any:
        standard = (value - self.loc) / self.scale
        half = self.df / 2
        constant = F.lgamma(half + 0.5) - F.lgamma(half) - 0.5 * (self.df.log() + math.log(math.pi))
        return constant - self.scale.log() - (half + 0.5) * F.log1p(standard.square() / self.df)

    def entropy(self) -> Any:
        half = self.df / 2
        logarithm = F.lgamma(half) + math.lgamma(0.5) - F.lgamma(half + 0.5)  # of the beta function
        slope = F.digamma(half + 0.5) - F.digamma(half)
        return self.scale.log() + (half + 0.5) * slope + 0.5 * self.df.log() + logarithm


class Uniform(Distribution, rsample=True):
    """The uniform distribution over [low, high)."""

    def __init__(self, low: Any, high: Any, validate_args: Any = None) -> None:
        self.declare(validate_args, low=low, high=high)

    @property
    def arg_constraints(self) -> dict:  # type: ignore[override]
        return {"low": constraints.less_than(self.high), "high": constraints.greater_than(self.low)}

    @constraints.dependent_property(is_discrete=False, event_dim=0)
    def support(self) -> Any:
        return constraints.interval(self.low, self.high)

    mean = formula(lambda self: (self.high + self.low) / 2)

    mode = formula(lambda self: math.nan * self.high)

    stddev = formula(lambda self: (self.high - self.low) / 12**0.5)

    variance = formula(lambda self: (self.high - self.low).square() / 12)

    def rsample(self, sample_shape: Any = ()) -> Any:
        u = F.rand(self._extended_shape(sample_shape), dtype=self.low.dtype)
        return self.low + u * (self.high - self.low)

    def _log_density(self, value: Any) -> Any:
        is_inside = (self.low <= value) & (self.high > value)
        return F.log(is_inside.to(self.low.dtype)) - F.log(self.high - self.low)

    _cumulative = lambda self, value: ((value - self.low) / (self.high - self.low)).clamp(min=0, max=1)

    icdf = lambda self, value: value * (self.high - self.low) + self.low

    entropy = lambda self: F.log(self.high - self.low)


class VonMises(Distribution, support=real, loc=real, concentration=positive):
    """The von Mises distribution of an angle: a circular counterpart of the normal one."""

    def __init__(self, loc: Any, concentration: Any, validate_args: Any = None) -> None:
        self.declare(validate_args, loc=loc, concentration=concentration)

    def _log_density(self, value: Any) -> Any:
        k = self.concentration
        # i0(k) = i0e(k) exp(k), which overflows
        return k * (F.cos(value - self.loc) - 1) - math.log(2 * math.pi) - F.log(F.i0e(k))

    def _draw(self, shape: Any) -> Any:
        k, loc = self.concentration.detach().double(), self.loc.detach().double()
        r = self._proposal(k).expand(shape)
        k, found = k.expand(shape), F.zeros(shape, dtype=k.dtype)
        done = F.zeros(shape, dtype=dtypes.bool)
        while not bool(done.all()):
            u, height, side = F.rand((3, *shape), dtype=k.dtype).unbind()
            z = F.cos(math.pi * u)
            f = (1 + r * z) / (r + z)
            c = k * (r - f)
            accept = (c * (2 - c) - height > 0) | ((c / height).log() + 1 - c >= 0)
            found = F.where(accept, (side - 0.5).sign() * f.acos(), found)
            done = done | accept
        return ((found + math.pi + loc) % (2 * math.pi) - math.pi).to(self.loc.dtype)

    @staticmethod
    def _proposal(k: Any) -> Any:
        tau = 1 + (1 + 4 * k.square()).sqrt()
        rho = (tau - (2 * tau).sqrt()) / (2 * k)
        return F.where(k < 1e-5, 1 / k + k, (1 + rho.square()) / (2 * rho))  # the exact form cancels for small k

    @property
    def mean(self) -> Any:
        """The circular mean."""
        return self.loc

    mode = formula(lambda self: self.loc)

    @lazy_property
    def variance(self) -> Any:  # type: ignore[override]
        """The circular variance."""
        return 1 - F.i1e(self.concentration) / F.i0e(self.concentration)
