"""Transforms: differentiable maps between spaces, with their inverses and the logarithms of their Jacobians' determinants.

A transform acts on the ``event_dim`` rightmost dims together, and is batched over the others. With ``cache_size=1`` it
remembers its last pair: the inverse of what it just gave is what it was given, exactly.
"""

import math
import weakref
from collections.abc import Callable, Sequence
from numbers import Number
from typing import TYPE_CHECKING, Any

from ..attributes import Size
from ..tape.value import Tensor
from . import constraints
from .constraints import (
    corr_cholesky,
    dependent_property,
    independent,
    interval,
    lower_cholesky,
    positive,
    positive_definite,
    real,
    real_vector,
    simplex,
    unit_interval,
)
from .distribution import Distribution
from .functions import F, formula
from .utils import broadcast_all, finfo, lazy_property, sum_rightmost, tril_matrix_to_vec, vec_to_tril_matrix

__all__ = [
    "AbsTransform", "AffineTransform", "ComposeTransform", "CorrCholeskyTransform",
    "CumulativeDistributionTransform", "ExpTransform", "IndependentTransform", "LowerCholeskyTransform",
    "PositiveDefiniteTransform", "PowerTransform", "ReshapeTransform", "SigmoidTransform", "SoftmaxTransform",
    "SoftplusTransform", "StickBreakingTransform", "TanhTransform", "Transform", "identity_transform"
]  # fmt: skip


class Transform:
    """The base class of all transforms: a subclass has ``_call``, and ``_inverse`` and ``log_abs_det_jacobian`` if it can.

    Args:
        cache_size: 1 to remember the last pair of input and output, 0 (the default) not to.
    """

    bijective: Any = False

    def __init_subclass__(cls, **facts: Any) -> None:
        """The head of a transform declares its domain, codomain, sign, and whether it is bijective."""
        for name, value in facts.items():
            setattr(cls, name, value)

    if TYPE_CHECKING:

        def __getattr__(self, name: str) -> Any: ...

    def __init__(self, cache_size: int = 0) -> None:
        if cache_size not in (0, 1):
            raise ValueError(f"cache_size must be 0 or 1, got {cache_size}")
        self._cache_size = cache_size
        self._inv: Any = None
        self._pair: tuple = (None, None)

    def __getstate__(self) -> dict:
        return self.__dict__ | {"_inv": None}

    @property
    def event_dim(self) -> int:
        """How many rightmost dims belong together, where that is the same for input and output."""
        if self.domain.event_dim == self.codomain.event_dim:
            return self.domain.event_dim
        raise ValueError("Please use either .domain.event_dim or .codomain.event_dim, which differ")

    @property
    def inv(self) -> "Transform":
        """The inverse transform; the inverse of that is this one."""
        inverse = self._inv() if self._inv is not None else None
        if inverse is None:
            inverse = _InverseTransform(self)
            self._inv = weakref.ref(inverse)
        return inverse

    @property
    def sign(self) -> Any:
        """Of the derivative, 1 or -1, for transforms of one variable."""
        raise NotImplementedError

    def _arguments(self) -> tuple:
        """What ``__init__`` was given, but for the size of the cache."""
        return ()

    def with_cache(self, cache_size: int = 1) -> "Transform":
        """The same transform with a cache of this size."""
        if self._cache_size == cache_size:
            return self
        if type(self).__init__ is Transform.__init__:
            return type(self)(cache_size=cache_size)
        if not type(self).__module__.startswith(__package__):
            raise NotImplementedError(f"{type(self)}.with_cache is not implemented")
        make: Any = type(self)
        return make(*self._arguments(), cache_size=cache_size)

    def __eq__(self, other: object) -> bool:
        if type(self) is not type(other) or not type(self).__module__.startswith(__package__):
            return self is other
        return equal_arguments(self._arguments(), other._arguments())  # type: ignore[attr-defined]

    __hash__ = object.__hash__

    def __call__(self, x: Any) -> Any:
        """The image of ``x``."""
        return self._remembered(x, 0, self._call)

    _inv_call = lambda self, y: self._remembered(y, 1, self._inverse)

    def _remembered(self, given: Any, side: int, compute: Callable) -> Any:
        if self._cache_size and self._pair[side] is given and given is not None:
            return self._pair[1 - side]
        found = compute(given)
        if self._cache_size:
            self._pair = (found, given) if side else (given, found)
        return found

    def _call(self, x: Any) -> Any:
        raise NotImplementedError

    def _inverse(self, y: Any) -> Any:
        raise NotImplementedError

    def log_abs_det_jacobian(self, x: Any, y: Any) -> Any:
        """``log |dy/dx|`` at an input and its output."""
        raise NotImplementedError

    def __repr__(self) -> str:
        return f"{type(self).__name__}()"

    def forward_shape(self, shape: Any) -> Size:
        """The shape of the output for an input of this shape."""
        return Size(shape)

    def inverse_shape(self, shape: Any) -> Size:
        """The shape of the input for an output of this shape."""
        return Size(shape)


def equal_arguments(ours: Sequence, theirs: Sequence) -> bool:
    return len(ours) == len(theirs) and all(
        bool((a == b).all()) if isinstance(a, Tensor) or isinstance(b, Tensor) else a == b
        for a, b in zip(ours, theirs, strict=True)
    )


class _InverseTransform(Transform):
    """The inverse of a transform, which it calls."""

    def __init__(self, transform: Transform) -> None:
        super().__init__(cache_size=transform._cache_size)
        self._inv: Transform = transform

    def __getstate__(self) -> dict:
        return self.__dict__

    inv = formula(lambda self: self._inv)

    domain = constraints.dependent_property(is_discrete=False)(lambda self: self._inv.codomain)

    codomain = constraints.dependent_property(is_discrete=False)(lambda self: self._inv.domain)

    bijective = formula(lambda self: self._inv.bijective)

    sign = formula(lambda self: self._inv.sign)

    def with_cache(self, cache_size: int = 1) -> Transform:
        return self._inv.with_cache(cache_size).inv

    _arguments = lambda self: (self._inv,)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._inv!r})"

    def __call__(self, x: Any) -> Any:
        return self._inv._inv_call(x)

    _inv_call = lambda self, y: self._inv(y)

    log_abs_det_jacobian = lambda self, x, y: -self._inv.log_abs_det_jacobian(y, x)

    forward_shape = lambda self, shape: self._inv.inverse_shape(shape)

    inverse_shape = lambda self, shape: self._inv.forward_shape(shape)


# -- transforms made of others -----------------------------------------------------------------------------------------


class ComposeTransform(Transform):
    """Several transforms one after another, the first one first."""

    def __init__(self, parts: list, cache_size: int = 0) -> None:
        super().__init__(cache_size)
        self.parts = [part.with_cache(cache_size) for part in parts] if cache_size else parts

    _arguments = lambda self: (self.parts,)

    @constraints.dependent_property(is_discrete=False)
    def domain(self) -> Any:  # type: ignore[override]
        if not self.parts:
            return constraints.real
        needed = self.parts[-1].codomain.event_dim
        for part in reversed(self.parts):
            needed = max(needed + part.domain.event_dim - part.codomain.event_dim, part.domain.event_dim)
        return with_event_dim(self.parts[0].domain, needed)

    @constraints.dependent_property(is_discrete=False)
    def codomain(self) -> Any:  # type: ignore[override]
        if not self.parts:
            return constraints.real
        needed = self.parts[0].domain.event_dim
        for part in self.parts:
            needed = max(needed + part.codomain.event_dim - part.domain.event_dim, part.codomain.event_dim)
        return with_event_dim(self.parts[-1].codomain, needed)

    @lazy_property
    def bijective(self) -> bool:  # type: ignore[override]
        return all(part.bijective for part in self.parts)

    @lazy_property
    def sign(self) -> Any:  # type: ignore[override]
        return math.prod([part.sign for part in self.parts])

    @property
    def inv(self) -> Transform:
        inverse = self._inv() if self._inv is not None else None
        if inverse is None:
            inverse = ComposeTransform([part.inv for part in reversed(self.parts)])
            self._inv, inverse._inv = weakref.ref(inverse), weakref.ref(self)
        return inverse

    def __call__(self, x: Any) -> Any:
        for part in self.parts:
            x = part(x)
        return x

    _inv_call = lambda self, y: self.inv(y)

    def log_abs_det_jacobian(self, x: Any, y: Any) -> Any:
        if not self.parts:
            return F.zeros_like(x)
        points = [x]
        for part in self.parts[:-1]:
            points.append(part(points[-1]))
        points.append(y)
        event_dim, total = self.domain.event_dim, 0
        for part, before, after in zip(self.parts, points, points[1:], strict=False):
            total = total + sum_rightmost(part.log_abs_det_jacobian(before, after), event_dim - part.domain.event_dim)
            event_dim += part.codomain.event_dim - part.domain.event_dim
        return total

    def forward_shape(self, shape: Any) -> Size:
        for part in self.parts:
            shape = part.forward_shape(shape)
        return Size(shape)

    def inverse_shape(self, shape: Any) -> Size:
        for part in reversed(self.parts):
            shape = part.inverse_shape(shape)
        return Size(shape)

    def __repr__(self) -> str:
        return f"{type(self).__name__}(\n    " + ",\n    ".join(map(repr, self.parts)) + "\n)"


def with_event_dim(constraint: Any, event_dim: int) -> Any:
    missing = event_dim - constraint.event_dim
    return constraints.independent(constraint, missing) if missing > 0 else constraint


identity_transform = ComposeTransform([])


class IndependentTransform(Transform):
    """A transform of which some rightmost batch dims count as part of the event."""

    def __init__(self, base_transform: Transform, reinterpreted_batch_ndims: int, cache_size: int = 0) -> None:
        super().__init__(cache_size)
        self.base_transform = base_transform.with_cache(cache_size)
        self.reinterpreted_batch_ndims = reinterpreted_batch_ndims

    _arguments = lambda self: (self.base_transform, self.reinterpreted_batch_ndims)

    domain = dependent_property(lambda self: independent(self.base_transform.domain, self.reinterpreted_batch_ndims))

    @constraints.dependent_property(is_discrete=False)
    def codomain(self) -> Any:  # type: ignore[override]
        return constraints.independent(self.base_transform.codomain, self.reinterpreted_batch_ndims)

    bijective = formula(lambda self: self.base_transform.bijective)

    sign = formula(lambda self: self.base_transform.sign)

    def _call(self, x: Any) -> Any:
        check_dims(x, self.domain.event_dim)
        return self.base_transform(x)

    def _inverse(self, y: Any) -> Any:
        check_dims(y, self.codomain.event_dim)
        return self.base_transform.inv(y)

    def log_abs_det_jacobian(self, x: Any, y: Any) -> Any:
        return sum_rightmost(self.base_transform.log_abs_det_jacobian(x, y), self.reinterpreted_batch_ndims)

    forward_shape = lambda self, shape: self.base_transform.forward_shape(shape)

    inverse_shape = lambda self, shape: self.base_transform.inverse_shape(shape)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.base_transform!r}, {self.reinterpreted_batch_ndims})"


def check_dims(value: Any, least: int) -> None:
    if value.dim() < least:
        raise ValueError(f"Too few dimensions on input: expected {least} or more, got {value.dim()}")


class ReshapeTransform(Transform, bijective=True):
    """Events of one shape taken for events of another with as many elements."""

    def __init__(self, in_shape: Any, out_shape: Any, cache_size: int = 0) -> None:
        self.in_shape, self.out_shape = Size(in_shape), Size(out_shape)
        if self.in_shape.numel() != self.out_shape.numel():
            raise ValueError(f"in_shape, out_shape have different numbers of elements: {in_shape}, {out_shape}")
        super().__init__(cache_size)

    _arguments = lambda self: (self.in_shape, self.out_shape)

    domain = dependent_property(lambda self: independent(real, len(self.in_shape)))

    codomain = dependent_property(lambda self: independent(real, len(self.out_shape)))

    _call = lambda self, x: x.reshape(x.shape[: x.dim() - len(self.in_shape)] + self.out_shape)

    _inverse = lambda self, y: y.reshape(y.shape[: y.dim() - len(self.out_shape)] + self.in_shape)

    log_abs_det_jacobian = lambda self, x, y: F.zeros(x.shape[: x.dim() - len(self.in_shape)], dtype=x.dtype)

    forward_shape = lambda self, shape: replaced_shape(shape, self.in_shape, self.out_shape)

    inverse_shape = lambda self, shape: replaced_shape(shape, self.out_shape, self.in_shape)


def replaced_shape(shape: Any, old: Size, new: Size) -> Size:
    if len(shape) < len(old):
        raise ValueError("Too few dimensions on input")
    cut = len(shape) - len(old)
    if tuple(shape[cut:]) != old:
        raise ValueError(f"Shape mismatch: expected {Size(shape[cut:])} but got {old}")
    return Size(shape[:cut]) + new


# -- transforms of one variable ----------------------------------------------------------------------------------------


class ExpTransform(Transform, domain=real, codomain=positive, bijective=True, sign=1):
    """``y = exp(x)``."""

    _call = lambda self, x: x.exp()

    _inverse = lambda self, y: y.log()

    log_abs_det_jacobian = lambda self, x, y: x


class PowerTransform(Transform, domain=positive, codomain=positive, bijective=True):
    """``y = x ** exponent``, of positive numbers."""

    def __init__(self, exponent: Any, cache_size: int = 0) -> None:
        super().__init__(cache_size)
        (self.exponent,) = broadcast_all(exponent)

    _arguments = lambda self: (self.exponent,)

    @lazy_property
    def sign(self) -> Any:  # type: ignore[override]
        return self.exponent.sign()

    _call = lambda self, x: x.pow(self.exponent)

    _inverse = lambda self, y: y.pow(1 / self.exponent)

    log_abs_det_jacobian = lambda self, x, y: (self.exponent * y / x).abs().log()

    forward_shape = lambda self, shape: F.broadcast_shapes(shape, self.exponent.shape)

    inverse_shape = forward_shape


def clipped_sigmoid(x: Any) -> Any:
    return F.sigmoid(x).clamp(min=finfo(x).tiny, max=1.0 - finfo(x).eps)


class SigmoidTransform(Transform, domain=real, codomain=unit_interval, bijective=True, sign=1):
    """``y = 1 / (1 + exp(-x))``."""

    _call = lambda self, x: clipped_sigmoid(x)

    def _inverse(self, y: Any) -> Any:
        y = y.clamp(min=finfo(y).tiny, max=1.0 - finfo(y).eps)
        return y.log() - (-y).log1p()

    log_abs_det_jacobian = lambda self, x, y: -F.softplus(-x) - F.softplus(x)


class SoftplusTransform(Transform, domain=real, codomain=positive, bijective=True, sign=1):
    """``y = log(1 + exp(x))``."""

    _call = lambda self, x: F.softplus(x)

    _inverse = lambda self, y: (-y).expm1().neg().log() + y

    log_abs_det_jacobian = lambda self, x, y: -F.softplus(-x)


class TanhTransform(Transform, domain=real, codomain=interval(-1.0, 1.0), bijective=True, sign=1):
    """``y = tanh(x)``; with a cache, for its inverse is imprecise near 1 and -1."""

    _call = lambda self, x: x.tanh()

    _inverse = lambda self, y: F.atanh(y)

    log_abs_det_jacobian = lambda self, x, y: 2 * (math.log(2) - x - F.softplus(-2 * x))


class AbsTransform(Transform, domain=real, codomain=positive):
    """``y = |x|``, of which the inverse is the positive number."""

    _call = lambda self, x: x.abs()

    _inverse = lambda self, y: y


class AffineTransform(Transform, bijective=True):
    """``y = loc + scale * x``, of events of ``event_dim`` dims."""

    def __init__(self, loc: Any, scale: Any, event_dim: int = 0, cache_size: int = 0) -> None:
        super().__init__(cache_size)
        self.loc, self.scale, self._event_dim = loc, scale, event_dim

    _arguments = lambda self: (self.loc, self.scale, self._event_dim)

    event_dim = formula(lambda self: self._event_dim)

    domain = dependent_property(lambda self: with_event_dim(real, self._event_dim))

    codomain = dependent_property(lambda self: with_event_dim(real, self._event_dim))

    @property
    def sign(self) -> Any:
        if isinstance(self.scale, Number):
            return (self.scale > 0) - (self.scale < 0)  # type: ignore[operator]
        return self.scale.sign()

    _call = lambda self, x: self.loc + self.scale * x

    _inverse = lambda self, y: (y - self.loc) / self.scale

    def log_abs_det_jacobian(self, x: Any, y: Any) -> Any:
        is_number = isinstance(self.scale, Number)
        slope = F.full_like(x, math.log(abs(self.scale))) if is_number else F.abs(self.scale).log()  # type: ignore[arg-type]
        if not self._event_dim:
            return slope.expand(x.shape)
        kept = x.dim() - self._event_dim
        return slope.expand(F.broadcast_shapes(slope.shape, x.shape)).reshape(*x.shape[:kept], -1).sum(-1)

    def forward_shape(self, shape: Any) -> Size:
        return F.broadcast_shapes(shape, getattr(self.loc, "shape", ()), getattr(self.scale, "shape", ()))

    inverse_shape = forward_shape


class CumulativeDistributionTransform(Transform, bijective=True, codomain=unit_interval, sign=1):
    """The distribution function of a distribution of one variable, which makes its samples uniform."""

    def __init__(self, distribution: Distribution, cache_size: int = 0) -> None:
        super().__init__(cache_size)
        self.distribution = distribution

    _arguments = lambda self: (self.distribution,)

    domain = formula(lambda self: self.distribution.support)

    _call = lambda self, x: self.distribution.cdf(x)

    _inverse = lambda self, y: self.distribution.icdf(y)

    log_abs_det_jacobian = lambda self, x, y: self.distribution.log_prob(x)


# -- transforms of vectors ---------------------------------------------------------------------------------------------


class SoftmaxTransform(Transform, domain=real_vector, codomain=simplex):
    """``y = exp(x)`` over its sum: onto the simplex, many to one."""

    _call = lambda self, x: F.softmax(x, dim=-1)

    _inverse = lambda self, y: y.log()

    def forward_shape(self, shape: Any) -> Size:
        check_rank(shape, 1)
        return Size(shape)

    inverse_shape = forward_shape


def check_rank(shape: Any, least: int) -> None:
    if len(shape) < least:
        raise ValueError("Too few dimensions on input")


class StickBreakingTransform(Transform, domain=real_vector, codomain=simplex, bijective=True):
    """From n reals to the simplex of n + 1 components: each takes the part ``sigmoid(x - offset)`` of what is left.

    The offsets make zero the centre of the simplex.
    """

    @staticmethod
    def _offsets(x: Any) -> Any:
        return F.arange(x.shape[-1], 0, -1).to(x.dtype).log()

    def _call(self, x: Any) -> Any:
        part = clipped_sigmoid(x - self._offsets(x))
        left = (1 - part).cumprod(-1)
        return F.pad(part, [0, 1], value=1) * F.pad(left, [1, 0], value=1)

    def _inverse(self, y: Any) -> Any:
        taken = y[..., :-1]
        left = (1 - taken.cumsum(-1)).clamp(min=finfo(y).tiny)
        return taken.log() - left.log() + self._offsets(taken)

    def log_abs_det_jacobian(self, x: Any, y: Any) -> Any:
        x = x - self._offsets(x)
        return (-x + F.logsigmoid(x) + y[..., :-1].log()).sum(-1)

    def forward_shape(self, shape: Any) -> Size:
        check_rank(shape, 1)
        return Size((*shape[:-1], shape[-1] + 1))

    def inverse_shape(self, shape: Any) -> Size:
        check_rank(shape, 1)
        return Size((*shape[:-1], shape[-1] - 1))


class CorrCholeskyTransform(Transform, domain=real_vector, codomain=corr_cholesky, bijective=True):
    """From n (n - 1) / 2 reals to the Cholesky factor of a correlation matrix (n, n), row by row as by breaking sticks.

    (Lewandowski, Kurowicka and Joe, 2009: the tangents hyperbolic are partial correlations.)
    """

    def _call(self, x: Any) -> Any:
        eps = finfo(x).eps
        partial = vec_to_tril_matrix(F.tanh(x).clamp(min=-1 + eps, max=1 - eps), diag=-1)
        left = (1 - partial.square()).sqrt().cumprod(-1)
        partial = partial + F.eye(partial.shape[-1], dtype=x.dtype)
        return partial * F.pad(left[..., :-1], [1, 0], value=1)

    def _inverse(self, y: Any) -> Any:
        left = 1 - y.square().cumsum(-1)
        before = F.pad(left[..., :-1], [1, 0], value=1)
        partial = tril_matrix_to_vec(y, diag=-1) / tril_matrix_to_vec(before, diag=-1).sqrt()
        return (partial.log1p() - (-partial).log1p()) / 2

    def log_abs_det_jacobian(self, x: Any, y: Any) -> Any:
        left = tril_matrix_to_vec(1 - y.square().cumsum(-1), diag=-2)
        of_tanh = -2 * (x + F.softplus(-2 * x) - math.log(2)).sum(-1)
        return 0.5 * left.log().sum(-1) + of_tanh

    def forward_shape(self, shape: Any) -> Size:
        check_rank(shape, 1)
        count = shape[-1]
        n = round((0.25 + 2 * count) ** 0.5 + 0.5)
        if n * (n - 1) // 2 != count:
            raise ValueError("Input is not a flattend lower-diagonal number (n (n - 1) / 2)")
        return Size((*shape[:-1], n, n))

    def inverse_shape(self, shape: Any) -> Size:
        check_rank(shape, 2)
        if shape[-2] != shape[-1]:
            raise ValueError("Input is not square")
        return Size((*shape[:-2], shape[-1] * (shape[-1] - 1) // 2))


class LowerCholeskyTransform(Transform, domain=independent(real, 2), codomain=lower_cholesky):
    """Square matrices to lower triangular ones with a positive diagonal, by the exponential of the diagonal."""

    _call = lambda self, x: x.tril(-1) + x.diagonal(dim1=-2, dim2=-1).exp().diag_embed()

    _inverse = lambda self, y: y.tril(-1) + y.diagonal(dim1=-2, dim2=-1).log().diag_embed()


class PositiveDefiniteTransform(Transform, domain=independent(real, 2), codomain=positive_definite):
    """Square matrices to positive definite ones, which are the products of a Cholesky factor with its transpose."""

    def _call(self, x: Any) -> Any:
        factor = LowerCholeskyTransform()(x)
        return factor @ factor.mT

    _inverse = lambda self, y: LowerCholeskyTransform().inv(F.linalg.cholesky(y))
