"""Parametrizations for :mod:`~pullback.nn.utils.parametrize`: weights of norm one, of spectral norm one, orthogonal ones."""

from enum import Enum, auto
from typing import Any

from ... import linalg
from ...creation import eye
from ...dtypes import finfo
from ...sampling import randn
from ...tape.modes import no_grad
from ...tensor import functions
from .. import functional as F
from ..modules.conv import TransposedConvolution
from ..modules.module import Module
from . import parametrize

__all__ = ["orthogonal", "spectral_norm", "weight_norm"]


# -- orthogonal --------------------------------------------------------------------------------------------------------


class _OrthMaps(Enum):
    matrix_exp = auto()
    cayley = auto()
    householder = auto()


def _is_orthogonal(Q: Any, eps: float | None = None) -> bool:
    n, k = Q.shape[-2:]
    tolerance = 10 * n * finfo(Q.dtype).eps if eps is None else eps
    unit: Any = eye(k, dtype=Q.dtype)
    return bool(((Q.mH @ Q - unit).abs() <= tolerance + 1e-5 * unit.abs()).all())


def _make_orthogonal(A: Any) -> Any:
    """The Q of a QR decomposition whose R has a positive diagonal."""
    reflections, tau = functions["geqrf"](A)
    Q = linalg.householder_product(reflections, tau)
    return Q * reflections.diagonal(dim1=-2, dim2=-1).sgn().unsqueeze(-2)


class _Orthogonal(Module):
    """A matrix with orthonormal columns (or rows) from one without, by the exponential of a skew matrix or its kin.

    Source: Lezcano-Casado and Martínez-Rubio, "Cheap orthogonal constraints in neural networks", 2019; the base by which
    the result is multiplied is their dynamic trivialization.
    """

    base: Any

    def __init__(self, weight: Any, orthogonal_map: _OrthMaps, *, use_trivialization: bool = True) -> None:
        super().__init__()
        if weight.is_complex() and orthogonal_map is _OrthMaps.householder:
            raise ValueError("The householder parametrization does not support complex tensors.")
        self.shape, self.orthogonal_map = weight.shape, orthogonal_map
        if use_trivialization:
            self.register_buffer("base", None)

    def forward(self, X: Any) -> Any:
        """The orthogonal matrix, of the shape of X."""
        is_wide = X.shape[-2] < X.shape[-1]
        X = X.mT if is_wide else X
        Q = self._reflected(X) if self.orthogonal_map is _OrthMaps.householder else self._rotated(X)
        if hasattr(self, "base"):
            Q = self.base @ Q
        return Q.mT if is_wide else Q

    def _rotated(self, X: Any) -> Any:
        n, k = X.shape[-2:]
        lower = F.pad(X.tril(), (0, n - k))
        A = lower - lower.mH
        if self.orthogonal_map is _OrthMaps.matrix_exp:
            Q = linalg.matrix_exp(A)
        else:
            unit = eye(n, dtype=A.dtype)
            Q = linalg.solve(unit - 0.5 * A, unit + 0.5 * A)
        return Q[..., :k]

    def _reflected(self, X: Any) -> Any:
        A = X.tril(diagonal=-1)
        Q = linalg.householder_product(A, 2.0 / (1.0 + (A * A).sum(dim=-2)))
        return Q * X.diagonal(dim1=-2, dim2=-1).int().unsqueeze(-2)

    def right_inverse(self, Q: Any) -> Any:
        """What :meth:`forward` takes to Q, which must be orthogonal unless there is a base."""
        if Q.shape != self.shape:
            raise ValueError(
                f"Expected a matrix or batch of matrices of shape {self.shape}. Got a tensor of shape {Q.shape}."
            )
        is_wide = Q.shape[-2] < Q.shape[-1]
        tall = Q.mT if is_wide else Q
        if hasattr(self, "base"):
            self.base = self._base_of(tall)
            unit: Any = eye(*Q.shape[-2:], dtype=Q.dtype)
            return (0 - unit).expand(Q.shape)
        if self.orthogonal_map is not _OrthMaps.householder:
            raise NotImplementedError(
                "It is not possible to assign to the matrix exponential or the Cayley parametrizations when "
                "use_trivialization=False."
            )
        return self._reflections_of(tall, is_wide)

    def _base_of(self, Q: Any) -> Any:
        n, k = Q.shape[-2:]
        if n == k:
            return Q.clone() if _is_orthogonal(Q) else _make_orthogonal(Q)
        rest = randn(*Q.shape[:-2], n, n - k, dtype=Q.dtype)
        return _make_orthogonal(functions["cat"]([Q, rest], dim=-1))

    def _reflections_of(self, Q: Any, is_wide: bool) -> Any:
        A, tau = functions["geqrf"](Q)
        signs = A.diagonal(dim1=-2, dim2=-1).sign()
        signs = functions["where"](
            tau == 0, -signs, signs
        )  # no reflection there, where forward has one of a unit vector
        k = Q.shape[-1]
        diagonal = F.pad(functions["diag_embed"](signs), (0, 0, 0, Q.shape[-2] - k))
        A = A.tril(diagonal=-1) + A.triu(diagonal=1) + diagonal
        return A.mT if is_wide else A


def orthogonal(
    module: Module, name: str = "weight", orthogonal_map: str | None = None, *, use_trivialization: bool = True
) -> Module:
    """Keep a matrix (or batch of them) of a module orthogonal, or its longer side's vectors orthonormal.

    Args:
        orthogonal_map: ``"matrix_exp"``, ``"cayley"`` or ``"householder"``; by default the first for square and complex
            matrices, the last for others.
        use_trivialization: multiply by a fixed orthogonal matrix, which is what an assignment sets.

    Raises:
        ValueError: no such tensor, no matrix, or no such map.
    """
    weight = tensor_of(module, name)
    if weight.ndim < 2:
        raise ValueError(f"Expected a matrix or batch of matrices. Got a tensor of {weight.ndim} dimensions.")
    if orthogonal_map is None:
        is_general = weight.shape[-2] == weight.shape[-1] or weight.is_complex()
        orthogonal_map = "matrix_exp" if is_general else "householder"
    chosen = getattr(_OrthMaps, orthogonal_map, None)
    if chosen is None:
        raise ValueError(
            f'orthogonal_map has to be one of "matrix_exp", "cayley", "householder". Got: {orthogonal_map}'
        )
    made = _Orthogonal(weight, chosen, use_trivialization=use_trivialization)
    parametrize.register_parametrization(module, name, made, unsafe=True)
    return module


def tensor_of(module: Module, name: str) -> Any:
    weight = getattr(module, name, None)
    if weight is None:
        raise ValueError(f"Module '{module}' has no parameter or buffer with name '{name}'")
    return weight


# -- of weights as magnitude and direction -----------------------------------------------------------------------------


class _WeightNorm(Module):
    def __init__(self, dim: int | None = 0) -> None:
        super().__init__()
        self.dim = -1 if dim is None else dim

    def forward(self, weight_g: Any, weight_v: Any) -> Any:
        """``weight_g`` times ``weight_v`` of norm one."""
        return weight_v * (weight_g / functions["norm_except_dim"](weight_v, 2, self.dim))

    def right_inverse(self, weight: Any) -> tuple:
        """The norms and the weight."""
        return functions["norm_except_dim"](weight, 2, self.dim), weight


def weight_norm(module: Module, name: str = "weight", dim: int = 0) -> Module:
    """Learn a weight's norms (over all dims but ``dim``; None for all) and its direction apart.

    States of the old :func:`pullback.nn.utils.weight_norm` are loaded too. Source: Salimans and Kingma, 2016.
    """
    tensor_of(module, name)
    parametrize.register_parametrization(module, name, _WeightNorm(dim), unsafe=True)

    def rename(state: Any, prefix: str, *_: Any) -> None:
        old = [f"{prefix}{name}_g", f"{prefix}{name}_v"]
        if all(key in state for key in old):
            for i, key in enumerate(old):
                state[f"{prefix}parametrizations.{name}.original{i}"] = state.pop(key)

    module._register_load_state_dict_pre_hook(rename)
    return module


# -- spectral norm -----------------------------------------------------------------------------------------------------


class _SpectralNorm(Module):
    _u: Any
    _v: Any

    def __init__(self, weight: Any, n_power_iterations: int = 1, dim: int = 0, eps: float = 1e-12) -> None:
        super().__init__()
        if not -weight.ndim <= dim < weight.ndim:
            raise IndexError(
                f"Dimension out of range (expected to be in range of [-{weight.ndim}, {weight.ndim - 1}] but got {dim})"
            )
        if n_power_iterations <= 0:
            raise ValueError(
                f"Expected n_power_iterations to be positive, but got n_power_iterations={n_power_iterations}"
            )
        self.dim, self.eps, self.n_power_iterations = dim % weight.ndim, eps, n_power_iterations
        if weight.ndim > 1:
            matrix = self._matrix(weight.detach())
            for name, size in zip(("_u", "_v"), matrix.shape, strict=True):
                self.register_buffer(name, F.normalize(matrix.new_empty(size).normal_(), dim=0, eps=eps))
            self._iterate(matrix, 15)

    def _matrix(self, weight: Any) -> Any:
        return weight.movedim(self.dim, 0).flatten(1)

    def _iterate(self, matrix: Any, times: int) -> None:
        """Power iteration towards the largest singular value's vectors."""
        with no_grad():
            matrix = matrix.detach()
            for _ in range(times):
                self._u.copy_(F.normalize(matrix.mv(self._v), dim=0, eps=self.eps))
                self._v.copy_(F.normalize(matrix.mH.mv(self._u), dim=0, eps=self.eps))

    def forward(self, weight: Any) -> Any:
        """The weight divided by its largest singular value, as far as it is known."""
        if weight.ndim == 1:
            return F.normalize(weight, dim=0, eps=self.eps)
        matrix = self._matrix(weight)
        if self.training:
            self._iterate(matrix, self.n_power_iterations)
        u, v = self._u.clone(), self._v.clone()  # these are written before the next backward pass
        return weight / functions["vdot"](u, matrix.mv(v))

    def right_inverse(self, value: Any) -> Any:
        """The value, which is taken to have the norm."""
        return value


def spectral_norm(
    module: Module, name: str = "weight", n_power_iterations: int = 1, eps: float = 1e-12, dim: int | None = None
) -> Module:
    """Divide a weight, as a matrix with ``dim`` first, by its largest singular value (Miyato et al., 2018).

    Args:
        n_power_iterations: how many steps towards that are made whenever the weight is read in training.
        dim: by default 1 for transposed convolutions, 0 for others.
    """
    weight = tensor_of(module, name)
    if dim is None:
        dim = 1 if isinstance(module, TransposedConvolution) else 0
    parametrize.register_parametrization(module, name, _SpectralNorm(weight, n_power_iterations, dim, eps))
    return module
