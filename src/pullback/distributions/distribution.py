"""What a distribution is: parameters that broadcast to a batch of distributions, each over events of one shape.

A distribution declares the constraints of its parameters (``arg_constraints``), and sets them in ``__init__`` by
``declare``. The base validates them, expands them to another batch shape, and shows them. Invariant: a sample's shape is
``sample_shape + batch_shape + event_shape``.
"""

import warnings
from typing import TYPE_CHECKING, Any, ClassVar

from ..attributes import Size
from ..tape.backward import grad
from ..tape.modes import enable_grad, no_grad
from ..tape.value import Tensor
from .constraints import Constraint, is_dependent
from .functions import F
from .utils import broadcast_all, is_true_everywhere, lazy_property

__all__ = ["Distribution", "ExponentialFamily"]


def undefined(self: Any) -> Any:
    raise NotImplementedError(f"{type(self).__name__} defines no arg_constraints, or no support")


class Distribution:
    """The base class of all distributions.

    Args:
        batch_shape: the shape of the batch of distributions.
        event_shape: the shape of one event.
        validate_args: whether parameters, and values given to ``log_prob`` and ``cdf``, are checked against their
            constraints; by default, as :meth:`set_default_validate_args` said.
    """

    has_rsample: Any = False
    has_enumerate_support: Any = False
    _validate_args = __debug__
    arg_constraints: ClassVar[Any] = property(undefined)
    support: ClassVar[Any] = property(undefined)

    if TYPE_CHECKING:  # parameters are set by name

        def __getattr__(self, name: str) -> Any: ...

    def __init_subclass__(
        cls, support: Any = None, rsample: Any = None, enumerable: Any = None, carrier: Any = None, **parameters: Any
    ) -> None:
        """What the head of a distribution declares: its support, what it can do, and its parameters' constraints."""
        facts = {
            "support": support,
            "has_rsample": rsample,
            "has_enumerate_support": enumerable,
            "_mean_carrier_measure": carrier,
        }
        facts["arg_constraints"] = parameters or None
        for name, value in facts.items():
            if value is not None:
                setattr(cls, name, value)

    @staticmethod
    def set_default_validate_args(value: bool) -> None:
        """Turn validation on or off, for all distributions that do not say otherwise."""
        if value not in (True, False):
            raise ValueError(f"set_default_validate_args: expected a bool, got {value!r}")
        Distribution._validate_args = value

    def __init__(self, batch_shape: Any = (), event_shape: Any = (), validate_args: Any = None) -> None:
        self._batch_shape, self._event_shape = Size(batch_shape), Size(event_shape)
        if validate_args is not None:
            self._validate_args = validate_args
        if self._validate_args:
            self._check_parameters()

    def declare(self, validate_args: Any, **parameters: Any) -> None:
        """Set parameters of scalar events, broadcast against each other."""
        for name, value in zip(parameters, broadcast_all(*parameters.values()), strict=True):
            setattr(self, name, value)
        Distribution.__init__(self, getattr(self, next(iter(parameters))).shape, validate_args=validate_args)

    @property
    def batch_shape(self) -> Size:
        """The shape over which parameters are batched."""
        return self._batch_shape

    @property
    def event_shape(self) -> Size:
        """The shape of a single sample, without batching."""
        return self._event_shape

    # -- validation --

    def _constraints(self) -> dict[str, Constraint]:
        try:
            return self.arg_constraints
        except NotImplementedError:
            warnings.warn(
                f"{type(self)} does not define `arg_constraints`. Please set `arg_constraints = {{}}` or initialize the "
                "distribution with `validate_args=False` to turn off validation.",
                stacklevel=4,
            )
            return {}

    def _check_parameters(self) -> None:
        for name, constraint in self._constraints().items():
            is_lazy = name not in self.__dict__ and isinstance(getattr(type(self), name, None), lazy_property)
            if is_dependent(constraint) or is_lazy:
                continue
            value = getattr(self, name)
            if not is_true_everywhere(constraint.check(value)):
                raise ValueError(
                    f"Expected parameter {name} ({type(value).__name__} of shape {tuple(value.shape)}) of distribution "
                    f"{self!r} to satisfy the constraint {constraint!r}, but found invalid values:\n{value}"
                )

    def _validate_sample(self, value: Any) -> None:
        """Raise ValueError unless a value has the shape of a sample, and lies in the support."""
        if Tensor not in type(value).__mro__:
            raise ValueError(f"The value argument to log_prob must be a Tensor, not {type(value).__name__}")
        event_start = len(value.shape) - len(self._event_shape)
        if value.shape[event_start:] != self._event_shape:
            raise ValueError(
                f"The right-most size of value must match event_shape: {value.shape} vs {self._event_shape}."
            )
        expected = self._batch_shape + self._event_shape
        for given, own in zip(reversed(value.shape), reversed(expected), strict=False):
            if given != 1 and own != 1 and given != own:
                raise ValueError(
                    f"Value is not broadcastable with batch_shape+event_shape: {value.shape} vs {expected}."
                )
        try:
            support = self.support
        except NotImplementedError:
            warnings.warn(
                f"{type(self)} does not define `support` to enable sample validation. Please initialize the distribution "
                "with `validate_args=False` to turn off validation.",
                stacklevel=4,
            )
            return
        if not is_true_everywhere(support.check(value)):
            raise ValueError(
                f"Expected value argument ({type(value).__name__} of shape {tuple(value.shape)}) to be within the support "
                f"({support!r}) of the distribution {self!r}, but found invalid values:\n{value}"
            )

    # -- shapes --

    def _get_checked_instance(self, cls: Any, _instance: Any = None) -> Any:
        """A new instance for ``expand`` to fill; a subclass with an ``__init__`` of its own must say how it is expanded."""
        if _instance is None and type(self).__init__ is not cls.__init__:
            raise NotImplementedError(
                f"Subclass {type(self).__name__} of {cls.__name__} that defines a custom __init__ method must also define "
                "a custom .expand() method."
            )
        return type(self).__new__(type(self)) if _instance is None else _instance

    def expand(self, batch_shape: Any, _instance: Any = None) -> Any:
        """The distribution with its parameters expanded to ``batch_shape``, without copies."""
        own = next(c for c in type(self).__mro__ if c.__module__.startswith(__package__))
        if own is Distribution:
            raise NotImplementedError(f"{type(self).__name__} does not define expand()")
        new, batch_shape = self._get_checked_instance(own, _instance), Size(batch_shape)
        self._expand_into(new, batch_shape)
        Distribution.__init__(new, batch_shape, self._event_shape, validate_args=False)
        new._validate_args = self._validate_args
        return new

    def _expand_into(self, new: Any, batch_shape: Size) -> None:
        """Give ``new`` all that this one has, expanded where it is batched, but not what was computed when asked for."""
        for name, value in self.__dict__.items():
            if name in self.arg_constraints and isinstance(value, Tensor):
                event: Any = Size(value.shape)[len(value.shape) - self.arg_constraints[name].event_dim :]  # type: ignore[attr-defined]
                value = value.expand(batch_shape + event)  # type: ignore[attr-defined]
            elif isinstance(value, Distribution):
                value = value.expand(batch_shape + value.batch_shape[len(self._batch_shape) :])
            elif isinstance(value, Tensor) and value.shape == self._batch_shape:  # type: ignore[attr-defined]
                value = value.expand(batch_shape)  # type: ignore[attr-defined]
            elif isinstance(getattr(type(self), name, None), lazy_property):
                continue
            new.__dict__[name] = value

    def _extended_shape(self, sample_shape: Any = ()) -> Size:
        return Size(sample_shape) + self._batch_shape + self._event_shape

    # -- what subclasses define --

    def _log_density(self, value: Any) -> Any:
        raise NotImplementedError

    def _cumulative(self, value: Any) -> Any:
        raise NotImplementedError

    def log_prob(self, value: Any) -> Any:
        """The logarithm of the density (or of the probability) at ``value``."""
        if self._validate_args:
            self._validate_sample(value)
        return self._log_density(value)

    def cdf(self, value: Any) -> Any:
        """The probability of a sample of at most ``value``."""
        if self._validate_args:
            self._validate_sample(value)
        return self._cumulative(value)

    def icdf(self, value: Any) -> Any:
        """The quantile: the inverse of :meth:`cdf`."""
        raise NotImplementedError

    @property
    def mean(self) -> Any:
        """The mean."""
        raise NotImplementedError

    @property
    def mode(self) -> Any:
        """Where the density is largest."""
        raise NotImplementedError(f"{type(self)} does not implement mode")

    @property
    def variance(self) -> Any:
        """The variance."""
        raise NotImplementedError

    @property
    def stddev(self) -> Any:
        """The standard deviation."""
        return self.variance.sqrt()

    def _draw(self, shape: Any) -> Any:
        """Samples of this (whole) shape."""
        raise NotImplementedError

    def sample(self, sample_shape: Any = ()) -> Any:
        """Samples, without a gradient by the parameters."""
        with no_grad():
            return self.rsample(sample_shape) if self.has_rsample else self._draw(self._extended_shape(sample_shape))

    def rsample(self, sample_shape: Any = ()) -> Any:
        """Samples that are differentiable functions of the parameters."""
        if not self.has_rsample:
            raise NotImplementedError(f"{type(self).__name__} has no samples with gradients")
        return self._draw(self._extended_shape(sample_shape))

    def sample_n(self, n: int) -> Any:
        """``n`` samples (deprecated)."""
        warnings.warn("sample_n(n) will be deprecated. Use .sample((n,)) instead.", FutureWarning, stacklevel=2)
        return self.sample((n,))

    def enumerate_support(self, expand: bool = True) -> Any:
        """All values that a discrete distribution can take, along a first dim."""
        raise NotImplementedError

    def entropy(self) -> Any:
        """The entropy, in nats."""
        raise NotImplementedError

    def perplexity(self) -> Any:
        """The exponential of the entropy."""
        return F.exp(self.entropy())

    def __repr__(self) -> str:
        values = {name: self.__dict__[name] for name in self.arg_constraints if name in self.__dict__}
        shown = [f"{name}: {v if v.numel() == 1 else v.size()}" for name, v in values.items()]
        return f"{type(self).__name__}({', '.join(shown)})"

    def _enumerated(self, values: Any, expand: bool) -> Any:
        values = values.reshape((-1,) + (1,) * len(self._batch_shape))
        return values.expand((-1, *self._batch_shape)) if expand else values


class ExponentialFamily(Distribution):
    """Distributions of density ``exp(<t(x), θ> - F(θ) + k(x))``, whose entropy follows from the log normaliser ``F``.

    (Nielsen and Nock, "Entropies and cross-entropies of exponential families", 2010.)
    """

    _natural_params: Any  # θ
    _log_normalizer: Any  # F, a method

    def entropy(self) -> Any:
        if not hasattr(self, "_mean_carrier_measure"):
            raise NotImplementedError(f"{type(self).__name__}: the mean of its carrier measure has no closed form")
        parameters = [p.detach().requires_grad_() for p in self._natural_params]
        with enable_grad():
            normalizer = self._log_normalizer(*parameters)
            means = grad(normalizer.sum(), parameters, create_graph=True)
        result = normalizer - self._mean_carrier_measure
        for parameter, mean in zip(parameters, means, strict=True):
            result = result - (parameter * mean).reshape((*self._batch_shape, -1)).sum(-1)
        return result
