"""Distributions over counts: Bernoulli, binomial, geometric, negative binomial, Poisson."""

import math
from typing import Any

from . import constraints
from .constraints import (
    boolean,
    greater_than_eq,
    half_open_interval,
    nonnegative,
    nonnegative_integer,
    real,
    unit_interval,
)
from .distribution import Distribution, ExponentialFamily
from .functions import F, formula
from .utils import broadcast_all, finfo, is_true_everywhere, lazy_property, logits_to_probs, probs_to_logits, unfilled

__all__ = ["Bernoulli", "Binomial", "Geometric", "NegativeBinomial", "Poisson"]

CHANCE = {"probs": unit_interval, "logits": real}


class Chances(Distribution, **CHANCE):
    """What those share that are given by ``probs`` or by ``logits``: the other is computed when it is asked for."""

    is_binary = True
    _event_dims = 0

    def check_one(self, probs: Any, logits: Any) -> None:
        if (probs is None) == (logits is None):
            raise ValueError("Either `probs` or `logits` must be specified, but not both.")

    def declare_chances(self, validate_args: Any, probs: Any, logits: Any, **others: Any) -> None:
        """As ``declare``, for the one that is given and for other parameters."""
        self.check_one(probs, logits)
        given = {"logits": logits} if probs is None else {"probs": probs}
        self.declare(validate_args, **others, **given)

    @lazy_property
    def logits(self) -> Any:
        return probs_to_logits(self.probs, is_binary=self.is_binary)

    @lazy_property
    def probs(self) -> Any:
        return logits_to_probs(self.logits, is_binary=self.is_binary)

    _param = formula(lambda self: self.__dict__.get("probs", self.__dict__.get("logits")))

    @property
    def param_shape(self) -> Any:
        """The shape of the parameter that was given."""
        return self._param.size()


class Bernoulli(Chances, ExponentialFamily, support=boolean, enumerable=True, carrier=0):
    """A coin: one with probability ``probs`` (or log-odds ``logits``), else zero."""

    def __init__(self, probs: Any = None, logits: Any = None, validate_args: Any = None) -> None:
        self.declare_chances(validate_args, probs, logits)

    mean = formula(lambda self: self.probs)

    mode = formula(lambda self: F.where(self.probs == 0.5, math.nan, (self.probs >= 0.5).to(self.probs.dtype)))

    variance = formula(lambda self: self.probs * (1 - self.probs))

    _draw = lambda self, shape: F.bernoulli(self.probs.expand(shape))

    def _log_density(self, value: Any) -> Any:
        logits, value = broadcast_all(self.logits, value)
        return -F.nn.binary_cross_entropy_with_logits(logits, value, reduction="none")

    entropy = lambda self: F.nn.binary_cross_entropy_with_logits(self.logits, self.probs, reduction="none")

    def enumerate_support(self, expand: bool = True) -> Any:
        return self._enumerated(F.arange(2, dtype=self._param.dtype), expand)

    _natural_params = formula(lambda self: (F.logit(self.probs),))

    _log_normalizer = lambda self, x: F.log(1 + F.exp(x))


class Binomial(Chances, enumerable=True, total_count=nonnegative_integer, **CHANCE):
    """The number of successes in ``total_count`` trials."""

    def __init__(self, total_count: Any = 1, probs: Any = None, logits: Any = None, validate_args: Any = None) -> None:
        self.check_one(probs, logits)
        chance = logits if probs is None else probs
        count, chance = broadcast_all(total_count, chance)
        self.total_count = count.to(chance.dtype)
        setattr(self, "logits" if probs is None else "probs", chance)
        super().__init__(chance.shape, validate_args=validate_args)

    @constraints.dependent_property(is_discrete=True, event_dim=0)
    def support(self) -> Any:
        return constraints.integer_interval(0, self.total_count)

    mean = formula(lambda self: self.total_count * self.probs)

    mode = formula(lambda self: ((self.total_count + 1) * self.probs).floor().clamp(max=self.total_count))

    variance = formula(lambda self: self.total_count * self.probs * (1 - self.probs))

    _draw = lambda self, shape: F.binomial(self.total_count.expand(shape), self.probs.expand(shape))

    def _log_density(self, value: Any) -> Any:
        n = self.total_count
        ways = F.lgamma(n + 1) - F.lgamma(value + 1) - F.lgamma(n - value + 1)
        return ways + value * self.logits - n * F.softplus(self.logits)

    def entropy(self) -> Any:
        self._count()
        values = self.enumerate_support(False)
        logarithms = self._log_density(values)
        return -(F.exp(logarithms) * logarithms).sum(0)

    def _count(self) -> int:
        """The number of trials, where it is one for all."""
        total = int(self.total_count.max())
        if not bool(self.total_count.min() == total):
            raise NotImplementedError(
                "Inhomogeneous total count not supported by `enumerate_support` and `entropy`: all must be equal"
            )
        return total

    def enumerate_support(self, expand: bool = True) -> Any:
        return self._enumerated(F.arange(1 + self._count(), dtype=self._param.dtype), expand)


class Geometric(Chances, support=nonnegative_integer):
    """The number of failures before the first success."""

    def __init__(self, probs: Any = None, logits: Any = None, validate_args: Any = None) -> None:
        self.declare_chances(validate_args, probs, logits)
        if self._validate_args and probs is not None and not is_true_everywhere(self.probs > 0):
            raise ValueError(
                f"Expected parameter probs ({type(self.probs).__name__} of shape {tuple(self.probs.shape)}) of "
                f"distribution {self!r} to be positive but found invalid values:\n{self.probs}"
            )

    mean = formula(lambda self: 1 / self.probs - 1)

    mode = formula(lambda self: F.zeros_like(self.probs))

    variance = formula(lambda self: (1 / self.probs - 1) / self.probs)

    def sample(self, sample_shape: Any = ()) -> Any:
        shape, probs = self._extended_shape(sample_shape), self.probs.detach()
        u = unfilled(probs, shape).uniform_(finfo(probs).tiny, 1)
        return (u.log() / (-probs.expand(shape)).log1p()).floor()

    def _log_density(self, value: Any) -> Any:
        value, probs = broadcast_all(value, self.probs)
        return F.xlog1py(F.where((probs == 1) & (value == 0), 0, value), -probs) + probs.log()

    entropy = lambda self: F.nn.binary_cross_entropy_with_logits(self.logits, self.probs, reduction="none") / self.probs


class NegativeBinomial(
    Chances,
    support=nonnegative_integer,
    total_count=greater_than_eq(0),
    probs=half_open_interval(0.0, 1.0),
    logits=real,
):
    """The number of successes, of probability ``probs`` each, before ``total_count`` failures."""

    def __init__(self, total_count: Any, probs: Any = None, logits: Any = None, validate_args: Any = None) -> None:
        self.check_one(probs, logits)
        name, chance = ("logits", logits) if probs is None else ("probs", probs)
        self.total_count, chance = broadcast_all(total_count, chance)
        setattr(self, name, chance)
        self.total_count = self.total_count.to(chance.dtype)
        super().__init__(chance.shape, validate_args=validate_args)

    mean = formula(lambda self: self.total_count * F.exp(self.logits))

    mode = formula(lambda self: ((self.total_count - 1) * self.logits.exp()).floor().clamp(min=0.0))

    variance = formula(lambda self: self.mean / F.sigmoid(-self.logits))

    def _draw(self, shape: Any) -> Any:
        rate = F._standard_gamma(self.total_count.detach().expand(shape)) / F.exp(-self.logits.detach()).expand(shape)
        return F.poisson(rate.clamp(min=finfo(rate).tiny))

    def _log_density(self, value: Any) -> Any:
        n = self.total_count
        likelihood = n * F.logsigmoid(-self.logits) + value * F.logsigmoid(self.logits)
        ways = F.lgamma(n + value) - F.lgamma(1 + value) - F.lgamma(n)
        return likelihood + ways.masked_fill(n + value == 0, 0)


class Poisson(ExponentialFamily, support=nonnegative_integer, rate=nonnegative):
    """The number of events where ``rate`` are expected."""

    def __init__(self, rate: Any, validate_args: Any = None) -> None:
        self.declare(validate_args, rate=rate)

    mean = formula(lambda self: self.rate)

    mode = formula(lambda self: self.rate.floor())

    variance = formula(lambda self: self.rate)

    _draw = lambda self, shape: F.poisson(self.rate.expand(shape))

    def _log_density(self, value: Any) -> Any:
        rate, value = broadcast_all(self.rate, value)
        return F.xlogy(value, rate) - rate - F.lgamma(value + 1)

    _natural_params = formula(lambda self: (F.log(self.rate),))

    _log_normalizer = lambda self, x: F.exp(x)
