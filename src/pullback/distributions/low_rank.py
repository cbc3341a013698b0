"""Normal distributions of vectors whose covariance is of low rank but for a diagonal, and their divergences."""

from typing import Any

from .constraints import independent, positive, real, real_vector
from .distribution import Distribution
from .functions import F, formula
from .kl import multivariate_normals, register_kl, to_multivariate_normal
from .multivariate import LOG_TAU, MultivariateNormal, half_log_det, mahalanobis, times
from .utils import lazy_property, standard_normal

__all__ = ["LowRankMultivariateNormal"]


class LowRankMultivariateNormal(
    Distribution,
    support=real_vector,
    rsample=True,
    loc=real_vector,
    cov_factor=independent(real, 2),
    cov_diag=independent(positive, 1),
):
    """The normal distribution of vectors whose covariance is ``cov_factor @ cov_factor.mT + diag(cov_diag)``.

    All is computed by a matrix of the factor's rank (the matrix determinant lemma, Woodbury's identity).
    """

    def __init__(self, loc: Any, cov_factor: Any, cov_diag: Any, validate_args: Any = None) -> None:
        check_low_rank(loc, cov_factor, cov_diag)
        event_shape = loc.shape[-1:]
        batch_shape = F.broadcast_shapes(loc.shape[:-1], cov_factor.shape[:-2], cov_diag.shape[:-1])
        self._factor, self._diagonal = cov_factor, cov_diag
        self.loc = loc.expand(batch_shape + event_shape)
        self.cov_factor = cov_factor.expand(batch_shape + cov_factor.shape[-2:])
        self.cov_diag = cov_diag.expand(batch_shape + event_shape)
        self._capacitance_tril = capacitance_factor(cov_factor, cov_diag)
        super().__init__(batch_shape, event_shape, validate_args)

    _whole = lambda self, matrix: matrix.expand(self._batch_shape + self._event_shape + self._event_shape)

    mean = formula(lambda self: self.loc)

    mode = formula(lambda self: self.loc)

    @lazy_property
    def variance(self) -> Any:  # type: ignore[override]
        return (self._factor.square().sum(-1) + self._diagonal).expand(self._batch_shape + self._event_shape)

    @lazy_property
    def scale_tril(self) -> Any:
        """The Cholesky factor of the covariance, by that of a matrix whose eigenvalues are not below one."""
        root = self._diagonal.sqrt().unsqueeze(-1)
        scaled = self._factor / root
        inner = scaled @ scaled.mT + F.eye(scaled.shape[-2], dtype=scaled.dtype)
        return self._whole(root * F.linalg.cholesky(inner))

    @lazy_property
    def covariance_matrix(self) -> Any:
        return self._whole(self._factor @ self._factor.mT + self._diagonal.diag_embed())

    @lazy_property
    def precision_matrix(self) -> Any:
        weighted = self._factor.mT / self._diagonal.unsqueeze(-2)
        solved = F.linalg.solve_triangular(self._capacitance_tril, weighted, upper=False)
        return self._whole(self._diagonal.reciprocal().diag_embed() - solved.mT @ solved)

    def _draw(self, shape: Any) -> Any:
        of_factor = standard_normal(shape[:-1] + self.cov_factor.shape[-1:], self.loc)
        of_diagonal = standard_normal(shape, self.loc)
        return self.loc + times(self._factor, of_factor) + self._diagonal.sqrt() * of_diagonal

    _root = formula(lambda self: F.cat([self.cov_factor, self.cov_diag.sqrt().diag_embed()], -1))  # of the covariance

    _half_log_det = lambda self: half_log_det(self._capacitance_tril) + 0.5 * self._diagonal.log().sum(-1)

    def _log_density(self, value: Any) -> Any:
        distance = low_rank_mahalanobis(self._factor, self._diagonal, value - self.loc, self._capacitance_tril)
        return -0.5 * (self._event_shape[0] * LOG_TAU + distance) - self._half_log_det()

    entropy = lambda self: (0.5 * self._event_shape[0] * (1 + LOG_TAU) + self._half_log_det()).expand(self._batch_shape)


def check_low_rank(loc: Any, cov_factor: Any, cov_diag: Any) -> None:
    if loc.dim() < 1:
        raise ValueError("loc must be at least one-dimensional.")
    n = loc.shape[-1]
    if cov_factor.dim() < 2:
        raise ValueError("cov_factor must be at least two-dimensional, with optional leading batch dimensions")
    if cov_factor.shape[-2] != n:
        raise ValueError(f"cov_factor must be a batch of matrices with shape {n} x m, got {cov_factor.shape}")
    if cov_diag.dim() < 1 or cov_diag.shape[-1] != n:
        raise ValueError(f"cov_diag must be a batch of vectors with shape {loc.shape[-1:]}, got {cov_diag.shape}")


def capacitance_factor(factor: Any, diagonal: Any) -> Any:
    """The Cholesky factor of ``I + Wᵀ D⁻¹ W``."""
    inner = (factor.mT / diagonal.unsqueeze(-2)) @ factor
    return F.linalg.cholesky(inner + F.eye(factor.shape[-1], dtype=factor.dtype))


def low_rank_mahalanobis(factor: Any, diagonal: Any, difference: Any, capacitance: Any) -> Any:
    weighted = times(factor.mT / diagonal.unsqueeze(-2), difference)
    return (difference.square() / diagonal).sum(-1) - mahalanobis(capacitance, weighted)


@register_kl(LowRankMultivariateNormal, LowRankMultivariateNormal)
@register_kl(MultivariateNormal, LowRankMultivariateNormal)
def to_low_rank(p: Any, q: Any) -> Any:
    factor, diagonal, capacitance = q._factor, q._diagonal, q._capacitance_tril

    def trace() -> Any:
        columns = p._root.mT
        whole = factor.unsqueeze(-3), diagonal.unsqueeze(-2), columns, capacitance.unsqueeze(-3)
        return low_rank_mahalanobis(*whole).sum(-1)

    return multivariate_normals(p, q, trace, lambda: low_rank_mahalanobis(factor, diagonal, q.loc - p.loc, capacitance))


register_kl(LowRankMultivariateNormal, MultivariateNormal)(to_multivariate_normal)
