"""Which transform leads from unconstrained reals to a constraint: ``biject_to`` (one to one) and ``transform_to`` (simpler).

>>> from pullback.distributions import constraints, transform_to
>>> transform_to(constraints.simplex)
SoftmaxTransform()
"""

from collections.abc import Callable
from typing import Any

from . import constraints, transforms

__all__ = ["ConstraintRegistry", "biject_to", "transform_to"]


class ConstraintRegistry:
    """Factories of transforms, by the class of the constraint that they lead to."""

    def __init__(self) -> None:
        self._registry: dict[type, Callable] = {}

    def register(self, constraint: Any, factory: Callable | None = None) -> Callable:
        """Enter a factory ``f(constraint)``, for a class of constraints or that of an instance; also as a decorator."""
        if factory is None:
            return lambda factory: self.register(constraint, factory)
        kind = type(constraint) if isinstance(constraint, constraints.Constraint) else constraint
        if not isinstance(kind, type) or not issubclass(kind, constraints.Constraint):
            raise TypeError(
                f"Expected constraint to be either a Constraint subclass or instance, but got {constraint!r}"
            )
        self._registry[kind] = factory
        return factory

    def __call__(self, constraint: Any) -> transforms.Transform:
        """The transform from the reals to ``constraint``."""
        try:
            factory = self._registry[type(constraint)]
        except KeyError:
            raise NotImplementedError(f"Cannot transform {type(constraint).__name__} constraints") from None
        return factory(constraint)


biject_to = ConstraintRegistry()
transform_to = ConstraintRegistry()
BOTH = (biject_to, transform_to)


def above(constraint: Any) -> transforms.Transform:
    return transforms.ComposeTransform(
        [transforms.ExpTransform(), transforms.AffineTransform(constraint.lower_bound, 1)]
    )


def below(constraint: Any) -> transforms.Transform:
    return transforms.ComposeTransform(
        [transforms.ExpTransform(), transforms.AffineTransform(constraint.upper_bound, -1)]
    )


def between(constraint: Any) -> transforms.Transform:
    low, high = constraint.lower_bound, constraint.upper_bound
    if isinstance(low, (int, float)) and isinstance(high, (int, float)) and (low, high) == (0, 1):
        return transforms.SigmoidTransform()
    return transforms.ComposeTransform([transforms.SigmoidTransform(), transforms.AffineTransform(low, high - low)])


def enter(registry: ConstraintRegistry) -> None:
    """The constraints whose transform depends on those of others."""
    registry.register(
        constraints._IndependentConstraint,
        lambda c: transforms.IndependentTransform(registry(c.base_constraint), c.reinterpreted_batch_ndims),
    )


for registry in BOTH:
    enter(registry)
    registry.register(constraints._Real, lambda c: transforms.identity_transform)
    registry.register(constraints._GreaterThan, above)
    registry.register(constraints._GreaterThanEq, above)
    registry.register(constraints._LessThan, below)
    registry.register(constraints._Interval, between)
    registry.register(constraints._HalfOpenInterval, between)
    registry.register(constraints._CorrCholesky, lambda c: transforms.CorrCholeskyTransform())

biject_to.register(constraints._Simplex, lambda c: transforms.StickBreakingTransform())
transform_to.register(constraints._Simplex, lambda c: transforms.SoftmaxTransform())
transform_to.register(constraints._LowerCholesky, lambda c: transforms.LowerCholeskyTransform())
transform_to.register(constraints._PositiveDefinite, lambda c: transforms.PositiveDefiniteTransform())
transform_to.register(constraints._PositiveSemidefinite, lambda c: transforms.PositiveDefiniteTransform())
