"""The Kullback-Leibler divergence of two distributions in closed form, for pairs of classes that are registered.

Within a family each pair has its formula; see ``kl_between`` for others.
"""

import math
import warnings
from collections.abc import Callable
from typing import Any

from ..tape.backward import grad
from ..tape.modes import enable_grad
from .categorical import Categorical, OneHotCategorical
from .compound import Independent
from .discrete import Bernoulli, Binomial, Geometric, Poisson
from .distribution import Distribution, ExponentialFamily
from .functions import F
from .gamma import Beta, Dirichlet, Exponential, Gamma
from .location_scale import Cauchy, Laplace, Normal, Uniform
from .multivariate import MultivariateNormal, mahalanobis
from .transformed import HalfNormal, Pareto, TransformedDistribution
from .utils import sum_rightmost

__all__ = ["kl_divergence", "register_kl"]

_KL_REGISTRY: dict[tuple[type, type], Callable] = {}
_found: dict[tuple[type, type], Callable | None] = {}  # what the dispatch came to


def register_kl(type_p: type, type_q: type) -> Callable:
    """Enter a function ``f(p, q)`` for two classes and their subclasses: ``@register_kl(Normal, Normal)``.

    The most special entry counts; where two are equally special, the one that fits ``p`` better, with a warning.
    """
    for name, given in (("type_p", type_p), ("type_q", type_q)):
        if not (isinstance(given, type) and issubclass(given, Distribution)):
            raise TypeError(f"Expected {name} to be a Distribution subclass but got {given}")

    def enter(function: Callable) -> Callable:
        _KL_REGISTRY[type_p, type_q] = function
        _found.clear()
        return function

    return enter


def dispatch(type_p: type, type_q: type) -> Callable | None:
    fitting = [(a, b) for a, b in _KL_REGISTRY if issubclass(type_p, a) and issubclass(type_q, b)]
    if not fitting:
        return None
    order_p, order_q = type_p.__mro__.index, type_q.__mro__.index
    by_p = min(fitting, key=lambda pair: (order_p(pair[0]), order_q(pair[1])))
    by_q = min(fitting, key=lambda pair: (order_q(pair[1]), order_p(pair[0])))
    if _KL_REGISTRY[by_p] is not _KL_REGISTRY[by_q]:
        names = [f"{a.__name__}, {b.__name__}" for a, b in (by_p, by_q)]
        warnings.warn(
            f"Ambiguous kl_divergence({type_p.__name__}, {type_q.__name__}). Please register_kl({names[0]}) or ({names[1]})",
            RuntimeWarning,
            stacklevel=3,
        )
    return _KL_REGISTRY[by_p]


def kl_divergence(p: Distribution, q: Distribution) -> Any:
    """The Kullback-Leibler divergence ``E_p (log p - log q)``, a number for each element of the batch.

    Raises:
        NotImplementedError: no formula is registered for the two classes.
    """
    pair = type(p), type(q)
    if pair not in _found:
        _found[pair] = dispatch(*pair)
    function = _found[pair]
    if function is None:
        raise NotImplementedError(
            f"No KL(p || q) is implemented for p type {pair[0].__name__} and q type {pair[1].__name__}"
        )
    return function(p, q)


def is_inside(p: Any, q: Any) -> Any:
    """Whether a bounded interval lies in another."""
    return (q.low <= p.low) & (p.high <= q.high)


def infinite_unless(condition: Any, value: Any) -> Any:
    return F.where(condition, value, math.inf)


# -- within a family ---------------------------------------------------------------------------------------------------


@register_kl(Bernoulli, Bernoulli)
def bernoulli(p: Any, q: Any) -> Any:
    of_one = p.probs * (F.softplus(-q.logits) - F.softplus(-p.logits))
    of_zero = (1 - p.probs) * (F.softplus(q.logits) - F.softplus(p.logits))
    of_one = F.where(p.probs == 0, 0, infinite_unless(q.probs != 0, of_one))
    return of_one + F.where(p.probs == 1, 0, infinite_unless(q.probs != 1, of_zero))


register_kl(Beta, Beta)(lambda p, q: kl_divergence(p._dirichlet, q._dirichlet))


@register_kl(Binomial, Binomial)
def binomial(p: Any, q: Any) -> Any:
    if bool((p.total_count < q.total_count).any()):
        raise NotImplementedError("KL between Binomials where q.total_count > p.total_count is not implemented")
    each = p.probs * (p.logits - q.logits) + (-p.probs).log1p() - (-q.probs).log1p()
    return infinite_unless(p.total_count <= q.total_count, p.total_count * each)


@register_kl(Categorical, Categorical)
def categorical(p: Any, q: Any) -> Any:
    terms = infinite_unless(q.probs != 0, p.probs * (p.logits - q.logits))
    return F.where(p.probs == 0, 0, terms).sum(-1)


register_kl(OneHotCategorical, OneHotCategorical)(lambda p, q: categorical(p._categorical, q._categorical))


@register_kl(Dirichlet, Dirichlet)
def dirichlet(p: Any, q: Any) -> Any:
    a, b = p.concentration, q.concentration
    total = a.sum(-1)
    constants = F.lgamma(total) - F.lgamma(b.sum(-1)) + (F.lgamma(b) - F.lgamma(a)).sum(-1)
    return constants + ((a - b) * (F.digamma(a) - F.digamma(total).unsqueeze(-1))).sum(-1)


@register_kl(Exponential, Exponential)
def exponential(p: Any, q: Any) -> Any:
    ratio = q.rate / p.rate
    return ratio - ratio.log() - 1


@register_kl(ExponentialFamily, ExponentialFamily)
def exponential_family(p: Any, q: Any) -> Any:
    """The Bregman divergence of the log normaliser between the natural parameters."""
    if type(p) is not type(q):
        raise NotImplementedError(
            f"The cross KL-divergence between different exponential families cannot be computed using Bregman divergences: "
            f"{type(p).__name__} and {type(q).__name__}"
        )
    ours = [x.detach().requires_grad_() for x in p._natural_params]
    theirs = q._natural_params
    with enable_grad():
        normalizer = p._log_normalizer(*ours)
        means = grad(normalizer.sum(), ours, create_graph=True)
    result = q._log_normalizer(*theirs) - normalizer
    for a, b, mean in zip(ours, theirs, means, strict=True):
        result = result - sum_rightmost((b - a) * mean, len(q.event_shape))
    return result


@register_kl(Gamma, Gamma)
def gamma(p: Any, q: Any) -> Any:
    a, b = p.concentration, q.concentration
    constants = b * (p.rate / q.rate).log() + F.lgamma(b) - F.lgamma(a)
    return constants + (a - b) * F.digamma(a) + (q.rate - p.rate) * (a / p.rate)


register_kl(Geometric, Geometric)(lambda p, q: -p.entropy() - F.log1p(-q.probs) / p.probs - q.logits)


register_kl(HalfNormal, HalfNormal)(lambda p, q: kl_divergence(p.base_dist, q.base_dist))


@register_kl(Laplace, Laplace)
def laplace(p: Any, q: Any) -> Any:
    ratio, distance = p.scale / q.scale, (p.loc - q.loc).abs()
    return -ratio.log() + distance / q.scale + ratio * F.exp(-distance / p.scale) - 1


@register_kl(Normal, Normal)
def normal(p: Any, q: Any) -> Any:
    ratio = (p.scale / q.scale).square()
    return 0.5 * (ratio + ((p.loc - q.loc) / q.scale).square() - 1 - ratio.log())


@register_kl(Cauchy, Cauchy)
def cauchy(p: Any, q: Any) -> Any:
    """(Chyzak and Nielsen, 2019.)"""
    gap = (p.scale + q.scale).square() + (p.loc - q.loc).square()
    return gap.log() - (4 * p.scale * q.scale).log()


@register_kl(Pareto, Pareto)
def pareto(p: Any, q: Any) -> Any:
    ratio = q.alpha / p.alpha
    return infinite_unless(p.scale >= q.scale, q.alpha * (p.scale / q.scale).log() - ratio.log() + ratio - 1)


register_kl(Poisson, Poisson)(lambda p, q: F.xlogy(p.rate, p.rate / q.rate) - (p.rate - q.rate))


register_kl(Uniform, Uniform)(
    lambda p, q: infinite_unless(is_inside(p, q), ((q.high - q.low) / (p.high - p.low)).log())
)


@register_kl(TransformedDistribution, TransformedDistribution)
def transformed(p: Any, q: Any) -> Any:
    if p.transforms != q.transforms or p.event_shape != q.event_shape:
        raise NotImplementedError("KL of transformed distributions: their transforms or event shapes differ")
    return kl_divergence(p.base_dist, q.base_dist)


@register_kl(Independent, Independent)
def independent(p: Any, q: Any) -> Any:
    if p.reinterpreted_batch_ndims != q.reinterpreted_batch_ndims:
        raise NotImplementedError("KL of Independent distributions: their reinterpreted_batch_ndims differ")
    return sum_rightmost(kl_divergence(p.base_dist, q.base_dist), p.reinterpreted_batch_ndims)


# -- multivariate normal distributions ---------------------------------------------------------------------------------


def multivariate_normals(p: Any, q: Any, trace: Any, distance: Any) -> Any:
    """From ``tr(Σ_q⁻¹ Σ_p)`` and the squared distance of the means in the metric of ``q``."""
    if p.event_shape != q.event_shape:
        raise ValueError(
            f"KL-divergence between multivariate normals with different event shapes cannot be computed: "
            f"{p.event_shape} and {q.event_shape}"
        )
    return q._half_log_det() - p._half_log_det() + 0.5 * (trace() + distance() - p.event_shape[0])


@register_kl(MultivariateNormal, MultivariateNormal)
def to_multivariate_normal(p: Any, q: Any) -> Any:
    factor = q._unbroadcasted_scale_tril
    solved = lambda: F.linalg.solve_triangular(factor, p._root, upper=False)
    return multivariate_normals(
        p, q, lambda: solved().square().sum((-2, -1)), lambda: mahalanobis(factor, q.loc - p.loc)
    )
