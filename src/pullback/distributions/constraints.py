"""Constraints: the sets in which parameters and samples of distributions lie. ``check(value)`` says where a value does.

A constraint is over ``event_dim`` rightmost dims together, and gives one answer for them.
"""

from typing import TYPE_CHECKING, Any

from .. import dtypes
from .functions import F, formula

__all__ = [
    "Constraint", "MixtureSameFamilyConstraint", "boolean", "cat", "corr_cholesky", "dependent", "dependent_property",
    "greater_than", "greater_than_eq", "half_open_interval", "independent", "integer_interval", "interval",
    "is_dependent", "less_than", "lower_cholesky", "lower_triangular", "multinomial", "nonnegative",
    "nonnegative_integer", "one_hot", "positive", "positive_definite", "positive_integer", "positive_semidefinite",
    "real", "real_vector", "simplex", "square", "stack", "symmetric", "unit_interval"
]  # fmt: skip

TOLERANCE = 1e-6


class Constraint:
    """A set of values; ``is_discrete`` says whether it is countable."""

    is_discrete: Any = False
    event_dim: Any = 0
    shown: tuple[str, ...] = ()  # the attributes that its text shows

    if TYPE_CHECKING:

        def __getattr__(self, name: str) -> Any: ...

    def check(self, value: Any) -> Any:
        """A boolean for every event of ``value``: whether it lies in the set."""
        raise NotImplementedError

    def __repr__(self) -> str:
        arguments = ", ".join(f"{name}={getattr(self, name)}" for name in self.shown)
        return f"{type(self).__name__[1:]}({arguments})"


class _Dependent(Constraint):
    """A set that depends on the distribution's parameters, and cannot be checked by itself."""

    def __init__(self, *, is_discrete: Any = NotImplemented, event_dim: Any = NotImplemented) -> None:
        self._is_discrete, self._event_dim = is_discrete, event_dim

    is_discrete = formula(lambda self: known("is_discrete", self._is_discrete))

    event_dim = formula(lambda self: known("event_dim", self._event_dim))

    def __call__(self, *, is_discrete: Any = NotImplemented, event_dim: Any = NotImplemented) -> "_Dependent":
        """The same, with what is known of it."""
        is_discrete = self._is_discrete if is_discrete is NotImplemented else is_discrete
        event_dim = self._event_dim if event_dim is NotImplemented else event_dim
        return _Dependent(is_discrete=is_discrete, event_dim=event_dim)

    def check(self, value: Any) -> Any:
        raise ValueError("Cannot determine validity of dependent constraint")


def known(name: str, value: Any) -> Any:
    if value is NotImplemented:
        raise NotImplementedError(f".{name} cannot be determined statically")
    return value


def is_dependent(constraint: Any) -> bool:
    """Whether a constraint depends on the parameters of its distribution."""
    return isinstance(constraint, _Dependent)


class _DependentProperty(property, _Dependent):
    """A property that gives a constraint, once there is a distribution; on the class, a dependent constraint."""

    def __init__(self, fn: Any = None, *, is_discrete: Any = NotImplemented, event_dim: Any = NotImplemented) -> None:
        super().__init__(fn)
        self._is_discrete, self._event_dim = is_discrete, event_dim

    def __call__(self, fn: Any) -> "_DependentProperty":  # type: ignore[override]
        """As a decorator: ``@dependent_property(event_dim=1)``."""
        return _DependentProperty(fn, is_discrete=self._is_discrete, event_dim=self._event_dim)


class _IndependentConstraint(Constraint):
    """A constraint whose last batch dims count as part of the event, all of which must hold."""

    def __init__(self, base_constraint: Constraint, reinterpreted_batch_ndims: int) -> None:
        self.base_constraint, self.reinterpreted_batch_ndims = base_constraint, reinterpreted_batch_ndims

    is_discrete = formula(lambda self: self.base_constraint.is_discrete)

    event_dim = formula(lambda self: self.base_constraint.event_dim + self.reinterpreted_batch_ndims)

    def check(self, value: Any) -> Any:
        result = self.base_constraint.check(value)
        if result.dim() < self.reinterpreted_batch_ndims:
            raise ValueError(f"Expected value.dim() >= {self.event_dim} but got {value.dim()}")
        kept = result.dim() - self.reinterpreted_batch_ndims
        return result.reshape(*result.shape[:kept], -1).all(-1)

    def __repr__(self) -> str:
        return f"IndependentConstraint({self.base_constraint!r}, {self.reinterpreted_batch_ndims})"


class MixtureSameFamilyConstraint(Constraint):
    """The support of a mixture: that of the components, which have one more batch dim than a value."""

    def __init__(self, base_constraint: Constraint) -> None:
        if not isinstance(base_constraint, Constraint):
            raise AssertionError(f"base_constraint must be a Constraint, got {type(base_constraint)}")
        self.base_constraint = base_constraint

    is_discrete = formula(lambda self: self.base_constraint.is_discrete)

    event_dim = formula(lambda self: self.base_constraint.event_dim)

    def check(self, value: Any) -> Any:
        """Whether the value is in the support of every component."""
        place = -1 - self.event_dim
        if value.dim() < self.event_dim:
            raise ValueError(f"Expected value.dim() >= {self.event_dim} but got {value.dim()}")
        return self.base_constraint.check(value.unsqueeze(place)).all(-1)

    def __repr__(self) -> str:
        return f"MixtureSameFamilyConstraint({self.base_constraint!r})"


# -- numbers -----------------------------------------------------------------------------------------------------------


class _Real(Constraint):
    check = lambda self, value: value == value


class _Boolean(Constraint):
    is_discrete = True

    check = lambda self, value: (value == 0) | (value == 1)


class Bounded(Constraint):
    """Constraints by limits, which are numbers or tensors."""

    def __init__(self, *bounds: Any, **named: Any) -> None:
        for name, bound in (dict(zip(self.shown, bounds, strict=False)) | named).items():
            setattr(self, name, bound)
        if any(name not in self.__dict__ for name in self.shown):
            raise TypeError(f"{type(self).__name__[1:]} takes {' and '.join(self.shown)}")


class Above(Bounded):
    shown = ("lower_bound",)


class Below(Bounded):
    shown = ("upper_bound",)


class Between(Bounded):
    shown = ("lower_bound", "upper_bound")


class _GreaterThan(Above):
    check = lambda self, value: self.lower_bound < value


class _GreaterThanEq(Above):
    check = lambda self, value: self.lower_bound <= value


class _LessThan(Below):
    check = lambda self, value: value < self.upper_bound


class _Interval(Between):
    check = lambda self, value: (self.lower_bound <= value) & (value <= self.upper_bound)


class _HalfOpenInterval(Between):
    check = lambda self, value: (self.lower_bound <= value) & (value < self.upper_bound)


class _IntegerInterval(Between):
    is_discrete = True

    check = lambda self, value: (value % 1 == 0) & (self.lower_bound <= value) & (value <= self.upper_bound)


class _IntegerLessThan(Below):
    is_discrete = True

    check = lambda self, value: (value % 1 == 0) & (value <= self.upper_bound)


class _IntegerGreaterThan(Above):
    is_discrete = True

    check = lambda self, value: (value % 1 == 0) & (value >= self.lower_bound)


# -- vectors -----------------------------------------------------------------------------------------------------------


class _Simplex(Constraint):
    event_dim = 1

    check = lambda self, value: (value >= 0).all(-1) & ((value.sum(-1) - 1).abs() < TOLERANCE)


class _OneHot(Constraint):
    is_discrete = True
    event_dim = 1

    check = lambda self, value: ((value == 0) | (value == 1)).all(-1) & (value.sum(-1) == 1)


class _Multinomial(Constraint):
    """Counts that sum to ``upper_bound``, or less."""

    is_discrete = True
    event_dim = 1

    def __init__(self, upper_bound: Any) -> None:
        self.upper_bound = upper_bound

    check = lambda self, value: (value >= 0).all(-1) & (value.sum(-1) <= self.upper_bound)


# -- matrices ----------------------------------------------------------------------------------------------------------


class Matrices(Constraint):
    event_dim = 2


class _LowerTriangular(Matrices):
    check = lambda self, value: (value.tril() == value).flatten(-2).all(-1)


class _LowerCholesky(Matrices):
    def check(self, value: Any) -> Any:
        diagonal_is_positive = (value.diagonal(dim1=-2, dim2=-1) > 0).all(-1)
        return lower_triangular.check(value) & diagonal_is_positive


class _CorrCholesky(Matrices):
    """Cholesky factors of correlation matrices: their rows have length one."""

    def check(self, value: Any) -> Any:
        slack = dtypes.finfo(value.dtype).eps * value.shape[-1] * 10
        is_unit = ((F.linalg.vector_norm(value.detach(), dim=-1) - 1).abs() <= slack).all(-1)
        return lower_cholesky.check(value) & is_unit


class _Square(Matrices):
    check = lambda self, value: F.full(value.shape[:-2], value.shape[-2] == value.shape[-1], dtype=dtypes.bool)


class _Symmetric(_Square):
    def check(self, value: Any) -> Any:
        is_square = super().check(value)
        if value.shape[-2] != value.shape[-1]:
            return is_square
        return F.isclose(value, value.mT, atol=TOLERANCE).flatten(-2).all(-1)


class _PositiveSemidefinite(_Symmetric):
    def check(self, value: Any) -> Any:
        is_symmetric = super().check(value)
        return is_symmetric & (F.linalg.eigvalsh(value) >= 0).all(-1) if is_symmetric.all() else is_symmetric


class _PositiveDefinite(_Symmetric):
    def check(self, value: Any) -> Any:
        is_symmetric = super().check(value)
        return is_symmetric & (F.linalg.cholesky_ex(value).info == 0) if is_symmetric.all() else is_symmetric


# -- several side by side ----------------------------------------------------------------------------------------------


class Joined(Constraint):
    """Constraints for the parts of a value along ``dim``."""

    is_discrete = formula(lambda self: any(c.is_discrete for c in self.cseq))


class _Cat(Joined):
    def __init__(self, cseq: Any, dim: int = 0, lengths: Any = None) -> None:
        self.cseq, self.dim = checked_sequence(cseq), dim
        self.lengths = [1] * len(self.cseq) if lengths is None else list(lengths)
        if len(self.lengths) != len(self.cseq):
            raise AssertionError(f"expected {len(self.cseq)} lengths, one for each constraint, got {len(self.lengths)}")

    event_dim = formula(lambda self: max(c.event_dim for c in self.cseq))

    def check(self, value: Any) -> Any:
        parts = F.split(value, self.lengths, self.dim)
        return F.cat([c.check(part) for c, part in zip(self.cseq, parts, strict=True)], self.dim)


class _Stack(Joined):
    def __init__(self, cseq: Any, dim: int = 0) -> None:
        self.cseq, self.dim = checked_sequence(cseq), dim

    @property
    def event_dim(self) -> int:  # type: ignore[override]
        dim = max(c.event_dim for c in self.cseq)
        return dim + 1 if self.dim + dim < 0 else dim

    def check(self, value: Any) -> Any:
        parts = F.unbind(value, self.dim)
        return F.stack([c.check(part) for c, part in zip(self.cseq, parts, strict=True)], self.dim)


def checked_sequence(cseq: Any) -> list:
    if not all(isinstance(c, Constraint) for c in cseq):
        raise AssertionError("All elements of cseq must be Constraint instances")
    return list(cseq)


dependent = _Dependent()
dependent_property = _DependentProperty
independent = _IndependentConstraint
boolean = _Boolean()
one_hot = _OneHot()
nonnegative_integer = _IntegerGreaterThan(0)
positive_integer = _IntegerGreaterThan(1)
integer_interval = _IntegerInterval
real = _Real()
real_vector = independent(real, 1)
positive = _GreaterThan(0.0)
nonnegative = _GreaterThanEq(0.0)
greater_than = _GreaterThan
greater_than_eq = _GreaterThanEq
less_than = _LessThan
multinomial = _Multinomial
unit_interval = _Interval(0.0, 1.0)
interval = _Interval
half_open_interval = _HalfOpenInterval
simplex = _Simplex()
lower_triangular = _LowerTriangular()
lower_cholesky = _LowerCholesky()
corr_cholesky = _CorrCholesky()
square = _Square()
symmetric = _Symmetric()
positive_semidefinite = _PositiveSemidefinite()
positive_definite = _PositiveDefinite()
cat = _Cat
stack = _Stack
