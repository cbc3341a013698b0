"""Distributions over matrices: Wishart's, and Cholesky factors of correlation matrices."""

import math
import warnings
from typing import Any

from ..attributes import Size
from ..tape.modes import no_grad
from . import constraints
from .constraints import corr_cholesky, positive, positive_definite
from .distribution import Distribution, ExponentialFamily
from .functions import F, formula
from .gamma import Beta, Chi2
from .multivariate import COVARIANCE, FromCovariance, half_log_det
from .utils import broadcast_all, finfo

__all__ = ["LKJCholesky", "Wishart"]


class Wishart(FromCovariance, ExponentialFamily, support=positive_definite, rsample=True, carrier=0):
    """The Wishart distribution: of the sum of ``df`` outer products of normal vectors of this covariance."""

    def __init__(
        self,
        df: Any,
        covariance_matrix: Any = None,
        precision_matrix: Any = None,
        scale_tril: Any = None,
        validate_args: Any = None,
    ) -> None:
        given = {"covariance_matrix": covariance_matrix, "scale_tril": scale_tril, "precision_matrix": precision_matrix}
        name, matrix = self.take_one(given)
        event_shape = matrix.shape[-2:]
        self.df = check_df(df, matrix)
        batch_shape = F.broadcast_shapes(matrix.shape[:-2], self.df.shape)
        self.df = self.df.expand(batch_shape)
        setattr(self, name, matrix.expand((*batch_shape, *event_shape)))
        Distribution.__init__(self, batch_shape, event_shape, False)
        self._validate_args = Distribution._validate_args if validate_args is None else validate_args
        if self._validate_args:
            self._check_parameters()
        self.factorise(name, matrix)

    arg_constraints = formula(lambda self: {**COVARIANCE, "df": constraints.greater_than(self._event_shape[-1] - 1)})

    mean = formula(lambda self: self._matrix_df * self.covariance_matrix)

    _matrix_df = formula(lambda self: self.df.reshape((*self._batch_shape, 1, 1)))

    @property
    def mode(self) -> Any:
        factor = self._matrix_df - self.covariance_matrix.shape[-1] - 1
        return F.where(factor <= 0, math.nan, factor) * self.covariance_matrix

    @property
    def variance(self) -> Any:
        v = self.covariance_matrix
        diagonal = v.diagonal(dim1=-2, dim2=-1)
        return self._matrix_df * (v.square() + diagonal.unsqueeze(-1) * diagonal.unsqueeze(-2))

    def rsample(self, sample_shape: Any = (), max_try_correction: int | None = None) -> Any:
        """By Bartlett's decomposition; what came out singular is drawn again.

        PyTorch draws all samples twice, and keeps the second ones. So does this, for their numbers to be equal.
        """
        shape, tries = Size(sample_shape), 10 if max_try_correction is None else max_try_correction
        first = self._bartlett(shape)
        if not tries:
            return first
        sample = self._bartlett(Size((shape.numel(),)))
        for _ in range(tries - 1):
            is_singular = ~constraints.positive_definite.check(sample).reshape(len(sample), -1).all(-1)
            if not bool(is_singular.any()):
                break
            sample = F.index_put(sample, (is_singular,), self._bartlett(Size((int(is_singular.sum()),))))
        return sample.reshape(first.shape)

    def _bartlett(self, sample_shape: Size) -> Any:
        """The factor times a triangular matrix of chi variables on the diagonal, and normal ones below."""
        p = self._event_shape[-1]
        places = F.arange(p).to(self.df.dtype)
        chi = Chi2(self.df.unsqueeze(-1) - places, validate_args=False).rsample(sample_shape)
        diagonal = chi.sqrt().clamp(min=finfo(chi).tiny).diag_embed()
        rows, columns = F.tril_indices(p, p, -1)
        below = F.randn((*sample_shape, *self._batch_shape, p * (p - 1) // 2), dtype=chi.dtype)
        flat = F.zeros((*below.shape[:-1], p * p), dtype=chi.dtype)
        noise = diagonal + flat.scatter(-1, (rows * p + columns).expand(below.shape), below).reshape(diagonal.shape)
        root = self._unbroadcasted_scale_tril @ noise
        return root @ root.mT

    def _log_density(self, value: Any) -> Any:
        p, factor = self._event_shape[-1], self._unbroadcasted_scale_tril
        solved = F.cholesky_solve(value, factor.expand(value.shape) if factor.dim() < value.dim() else factor)
        return (
            -self.df * (0.5 * p * math.log(2) + half_log_det(factor))
            - F.mvlgamma(self.df / 2, p=p)
            + 0.5 * (self.df - p - 1) * F.linalg.slogdet(value).logabsdet
            - 0.5 * solved.diagonal(dim1=-2, dim2=-1).sum(-1)
        )

    def entropy(self) -> Any:
        p, nu = self._event_shape[-1], self.df
        psi = F.digamma(nu.unsqueeze(-1) / 2 - F.arange(p).to(nu.dtype) / 2).sum(-1)
        log_det = half_log_det(self._unbroadcasted_scale_tril)
        return (
            (p + 1) * (0.5 * p * math.log(2) + log_det)
            + F.mvlgamma(nu / 2, p=p)
            - 0.5 * (nu - p - 1) * psi
            + nu * p / 2
        )

    _natural_params = formula(lambda self: (-0.5 * self.precision_matrix, 0.5 * (self.df - self._event_shape[-1] - 1)))

    def _log_normalizer(self, x: Any, y: Any) -> Any:
        p = self._event_shape[-1]
        z = y + 0.5 * (p + 1)
        return z * (-F.linalg.slogdet(-2 * x).logabsdet + p * math.log(2)) + F.mvlgamma(z, p=p)


def check_df(df: Any, matrix: Any) -> Any:
    df = F.tensor(df, dtype=matrix.dtype) if isinstance(df, (int, float)) else df
    p = matrix.shape[-1]
    if bool((df <= p - 1).any()):
        raise ValueError(f"Value of df={df} expected to be greater than ndim - 1 = {p - 1}.")
    if bool((df < p).any()):
        warnings.warn(
            "Low df values detected. Singular samples are highly likely to occur for ndim - 1 < df < ndim.",
            stacklevel=4,
        )
    return df


class LKJCholesky(Distribution, support=corr_cholesky, concentration=positive):
    """Cholesky factors of correlation matrices, of density in proportion to the determinant to the power ``concentration`` - 1.

    (Lewandowski, Kurowicka and Joe, "Generating random correlation matrices based on vines and extended onion method", 2009.)
    """

    def __init__(self, dim: int, concentration: Any = 1.0, validate_args: Any = None) -> None:
        if dim < 2:
            raise ValueError(f"Expected dim to be an integer greater than or equal to 2. Found dim={dim}.")
        self.dim = dim
        (self.concentration,) = broadcast_all(concentration)
        # Row k (from the second on) has its squared length below the diagonal from Beta(k/2, concentration + (dim - 1 - k)/2).
        rows = F.arange(dim - 1).to(self.concentration.dtype)
        rows = F.cat([F.zeros(1, dtype=rows.dtype), rows])
        below = rows + 0.5
        above = self.concentration.unsqueeze(-1) + 0.5 * (dim - 2) - 0.5 * rows
        self._beta = Beta(below, above)
        super().__init__(self.concentration.shape, (dim, dim), validate_args)

    def sample(self, sample_shape: Any = ()) -> Any:
        """By the onion method: each row is a random direction of a random length."""
        with no_grad():
            length = self._beta.sample(sample_shape).unsqueeze(-1)
            normal = F.randn(self._extended_shape(sample_shape), dtype=length.dtype).tril(-1)
            direction = normal / F.linalg.vector_norm(normal, dim=-1, keepdim=True)
            direction = F.cat([F.zeros_like(direction[..., :1, :]), direction[..., 1:, :]], -2)
            factor = length.sqrt() * direction
            diagonal = (1 - factor.square().sum(-1)).clamp(min=finfo(factor).tiny).sqrt()
            return factor + diagonal.diag_embed()

    def _log_density(self, value: Any) -> Any:
        d, eta = self.dim, self.concentration
        order = 2 * (eta.unsqueeze(-1) - 1) + d - F.arange(2, d + 1).to(value.dtype)
        density = (order * value.diagonal(dim1=-2, dim2=-1)[..., 1:].log()).sum(-1)
        m = d - 1
        alpha = eta + 0.5 * m
        constant = 0.5 * m * math.log(math.pi) + F.mvlgamma(alpha - 0.5, p=m) - F.lgamma(alpha) * m
        return density - constant
