"""Divergences between families of distributions, by the entropy of one and the mean log density of the other."""

import math
from collections.abc import Callable
from typing import Any

from .discrete import Bernoulli, Binomial, Poisson
from .functions import F
from .gamma import Beta, Exponential, Gamma
from .kl import infinite_unless, register_kl
from .location_scale import Laplace, Normal, Uniform
from .rare import ContinuousBernoulli
from .transformed import Gumbel, Pareto
from .utils import euler_constant


@register_kl(ContinuousBernoulli, ContinuousBernoulli)
def continuous_bernoulli(p: Any, q: Any) -> Any:
    constants = p._log_constant() + F.log1p(-p.probs) - q._log_constant() - F.log1p(-q.probs)
    return p.mean * (p.logits - q.logits) + constants


# -- between families --------------------------------------------------------------------------------------------------

# The least and the largest value of each family, the mean of log x, and the mean of exp(-t x).
ENDS: dict[type, Callable] = {
    Beta: lambda p: (0, 1),
    ContinuousBernoulli: lambda p: (0, 1),
    Exponential: lambda p: (0, math.inf),
    Gamma: lambda p: (0, math.inf),
    Gumbel: lambda p: (-math.inf, math.inf),
    Laplace: lambda p: (-math.inf, math.inf),
    Normal: lambda p: (-math.inf, math.inf),
    Pareto: lambda p: (p.scale, math.inf),
    Uniform: lambda p: (p.low, p.high),
}
LOG: dict[type, Callable] = {
    Beta: lambda p: F.digamma(p.concentration1) - F.digamma(p.concentration1 + p.concentration0),
    Exponential: lambda p: -p.rate.log() - euler_constant,
    Gamma: lambda p: F.digamma(p.concentration) - p.rate.log(),
    Pareto: lambda p: p.scale.log() + p.alpha.reciprocal(),
    Uniform: lambda p: (F.xlogy(p.high, p.high) - F.xlogy(p.low, p.low)) / (p.high - p.low) - 1,
}
LAPLACE: dict[type, Callable] = {
    Exponential: lambda p, t: p.rate / (p.rate + t),
    Gamma: lambda p, t: (1 + t / p.rate) ** -p.concentration,
    Gumbel: lambda p, t: F.exp(F.lgamma(1 + p.scale * t) - p.loc * t),
    Normal: lambda p, t: F.exp(0.5 * (p.scale * t).square() - p.loc * t),
    Uniform: lambda p, t: (F.exp(-p.low * t) - F.exp(-p.high * t)) / (t * (p.high - p.low)),
}


def of(table: dict, p: Any) -> Callable:
    """The entry of the class of ``p``, or of the class that it comes from."""
    return next(table[c] for c in type(p).__mro__ if c in table)


def in_normal(p: Any, q: Any) -> Any:
    spread = p.variance + (p.mean - q.loc).square()
    return -0.5 * spread / q.scale.square() - q.scale.log() - 0.5 * math.log(2 * math.pi)


def in_exponential(p: Any, q: Any) -> Any:
    return q.rate.log() - q.rate * p.mean


def in_gamma(p: Any, q: Any) -> Any:
    a, rate = q.concentration, q.rate
    return a * rate.log() - F.lgamma(a) + (a - 1) * of(LOG, p)(p) - rate * p.mean


def in_gumbel(p: Any, q: Any) -> Any:
    t = q.scale.reciprocal()
    return -q.scale.log() - (p.mean - q.loc) * t - F.exp(q.loc * t) * of(LAPLACE, p)(p, t)


def in_laplace(p: Any, q: Any) -> Any:
    """Of a normal variable, whose mean distance from a point is elementary."""
    gap = (p.loc - q.loc) / p.scale
    distance = p.scale * (math.sqrt(2 / math.pi) * F.exp(-0.5 * gap.square()) + gap * F.erf(gap / math.sqrt(2)))
    return -(2 * q.scale).log() - distance / q.scale


def in_beta(p: Any, q: Any) -> Any:
    """Of a uniform variable."""
    a, b = q.concentration1, q.concentration0
    at_rest = (F.xlogy(1 - p.low, 1 - p.low) - F.xlogy(1 - p.high, 1 - p.high)) / (p.high - p.low) - 1
    constant = F.lgamma(a + b) - F.lgamma(a) - F.lgamma(b)
    return constant + (a - 1) * of(LOG, p)(p) + (b - 1) * at_rest


def in_continuous_bernoulli(p: Any, q: Any) -> Any:
    return p.mean * q.logits + F.log1p(-q.probs) + q._log_constant()


def in_uniform(p: Any, q: Any) -> Any:
    return -(q.high - q.low).log() + 0 * p.mean


def in_pareto(p: Any, q: Any) -> Any:
    return q.alpha.log() + q.alpha * q.scale.log() - (q.alpha + 1) * of(LOG, p)(p)


# The mean of each log density, and the families under which it is known. Others lie partly outside, but for two.
BETWEEN: dict[type, tuple] = {
    Normal: (in_normal, (Beta, ContinuousBernoulli, Exponential, Gamma, Gumbel, Laplace, Pareto, Uniform)),
    Exponential: (in_exponential, (Beta, ContinuousBernoulli, Gamma, Pareto, Uniform)),
    Gamma: (in_gamma, (Beta, Exponential, Pareto, Uniform)),
    Gumbel: (in_gumbel, (Exponential, Gamma, Normal, Uniform, Gumbel)),
    Laplace: (in_laplace, (Normal,)),
    Beta: (in_beta, (Uniform,)),
    ContinuousBernoulli: (in_continuous_bernoulli, (Beta, Uniform)),
    Uniform: (in_uniform, (Beta, ContinuousBernoulli)),
    Pareto: (in_pareto, (Uniform,)),
}
UNKNOWN = ((ContinuousBernoulli, Beta), (ContinuousBernoulli, Gamma))


def between(log_density: Callable) -> Callable:
    """The divergence by the entropy of ``p`` and the mean of the log density of ``q``; infinite where ``p`` lies outside."""

    def divergence(p: Any, q: Any) -> Any:
        (low, high), (least, most) = of(ENDS, p)(p), of(ENDS, q)(q)
        value = -p.entropy() - log_density(p, q)
        return infinite_unless(F.as_tensor(low >= least) & F.as_tensor(high <= most), value)

    return divergence


def outside(p: Any, q: Any) -> Any:
    """Infinite: ``p`` can always take values that ``q`` cannot."""
    return F.full(F.broadcast_shapes(p.batch_shape, q.batch_shape), math.inf, dtype=p.mean.dtype)


for family, (log_density, known) in BETWEEN.items():
    for other in ENDS:
        if other in known:
            register_kl(other, family)(between(log_density))
        elif family not in (Normal, Gumbel, Laplace, other) and (other, family) not in UNKNOWN:
            register_kl(other, family)(outside)


register_kl(Bernoulli, Poisson)(lambda p, q: -p.entropy() - (p.probs * q.rate.log() - q.rate))


register_kl(Poisson, Bernoulli)(outside)
register_kl(Poisson, Binomial)(outside)
