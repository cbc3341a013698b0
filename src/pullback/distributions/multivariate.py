"""Distributions over vectors and matrices that are given by a covariance: normal, Wishart; and of correlation matrices."""

import math
from typing import Any

from . import constraints
from .constraints import real_vector
from .distribution import Distribution
from .functions import F, formula
from .utils import lazy_property, standard_normal

__all__ = ["MultivariateNormal"]

LOG_TAU = math.log(2 * math.pi)
COVARIANCE = {
    "covariance_matrix": constraints.positive_definite,
    "precision_matrix": constraints.positive_definite,
    "scale_tril": constraints.lower_cholesky,
}


def times(matrix: Any, vector: Any) -> Any:
    """Products of a batch of matrices and a batch of vectors."""
    return (matrix @ vector.unsqueeze(-1)).squeeze(-1)


def mahalanobis(factor: Any, difference: Any) -> Any:
    """The squared length of ``factor⁻¹ difference``, for lower triangular factors; both are broadcast."""
    solved = F.linalg.solve_triangular(factor, difference.unsqueeze(-1), upper=False)
    return solved.squeeze(-1).square().sum(-1)


def half_log_det(factor: Any) -> Any:
    """Half the logarithm of the determinant of ``factor @ factor.mT``, for triangular factors."""
    return factor.diagonal(dim1=-2, dim2=-1).log().sum(-1)


def factor_of_inverse(precision: Any) -> Any:
    """The lower Cholesky factor of a matrix's inverse: that of the matrix turned about, turned about, transposed, inverted."""
    factor = F.linalg.cholesky(F.flip(precision, (-2, -1)))
    upper = F.flip(factor, (-2, -1)).mT
    eye = F.eye(precision.shape[-1], dtype=precision.dtype)
    return F.linalg.solve_triangular(upper, eye, upper=False)


class FromCovariance(Distribution):
    """What those share that are given by a covariance matrix, its inverse or its Cholesky factor.

    The factor is what all is computed with (``_unbroadcasted_scale_tril``, of the batch shape that was given).
    """

    def take_one(self, given: dict[str, Any]) -> tuple[str, Any]:
        """The name and value of the one that was given, a batch of matrices."""
        present = {name: value for name, value in given.items() if value is not None}
        if len(present) != 1:
            raise ValueError("Exactly one of covariance_matrix or precision_matrix or scale_tril may be specified.")
        ((name, matrix),) = present.items()
        if matrix.dim() < 2:
            raise ValueError(f"{name} must be at least two-dimensional, with optional leading batch dimensions")
        return name, matrix

    def factorise(self, name: str, matrix: Any) -> None:
        """Keep the Cholesky factor of a matrix that has been found valid."""
        if name == "scale_tril":
            self._unbroadcasted_scale_tril = matrix
        else:
            factor = F.linalg.cholesky if name == "covariance_matrix" else factor_of_inverse
            self._unbroadcasted_scale_tril = factor(matrix)

    def _whole(self, matrix: Any) -> Any:
        """A matrix expanded to the batch shape."""
        return matrix.expand(self._batch_shape + matrix.shape[-2:])

    @lazy_property
    def scale_tril(self) -> Any:
        return self._whole(self._unbroadcasted_scale_tril)

    @lazy_property
    def covariance_matrix(self) -> Any:
        factor = self._unbroadcasted_scale_tril
        return self._whole(factor @ factor.mT)

    @lazy_property
    def precision_matrix(self) -> Any:
        return self._whole(F.cholesky_inverse(self._unbroadcasted_scale_tril))


class MultivariateNormal(FromCovariance, support=real_vector, rsample=True, loc=real_vector, **COVARIANCE):
    """The normal distribution of vectors, given by its mean ``loc`` and one of three matrices that tell the covariance."""

    def __init__(
        self,
        loc: Any,
        covariance_matrix: Any = None,
        precision_matrix: Any = None,
        scale_tril: Any = None,
        validate_args: Any = None,
    ) -> None:
        if loc.dim() < 1:
            raise ValueError("loc must be at least one-dimensional.")
        given = {"covariance_matrix": covariance_matrix, "scale_tril": scale_tril, "precision_matrix": precision_matrix}
        name, matrix = self.take_one(given)
        batch_shape = F.broadcast_shapes(matrix.shape[:-2], loc.shape[:-1])
        setattr(self, name, matrix.expand((*batch_shape, *matrix.shape[-2:])))
        self.loc = loc.expand((*batch_shape, loc.shape[-1]))
        super().__init__(batch_shape, self.loc.shape[-1:], validate_args)
        self.factorise(name, matrix)

    _root = formula(lambda self: self.scale_tril)
    _half_log_det = lambda self: half_log_det(self._unbroadcasted_scale_tril)

    mean = formula(lambda self: self.loc)

    mode = formula(lambda self: self.loc)

    @property
    def variance(self) -> Any:
        return self._unbroadcasted_scale_tril.square().sum(-1).expand(self._batch_shape + self._event_shape)

    def rsample(self, sample_shape: Any = ()) -> Any:
        return self.loc + times(
            self._unbroadcasted_scale_tril, standard_normal(self._extended_shape(sample_shape), self.loc)
        )

    def _log_density(self, value: Any) -> Any:
        factor = self._unbroadcasted_scale_tril
        distance = mahalanobis(factor, value - self.loc)
        return -0.5 * (self._event_shape[0] * LOG_TAU + distance) - half_log_det(factor)

    def entropy(self) -> Any:
        factor = self._unbroadcasted_scale_tril
        return (0.5 * self._event_shape[0] * (1 + LOG_TAU) + half_log_det(factor)).expand(self._batch_shape)
