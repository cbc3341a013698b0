"""Activations: modules that hold the options of a function of ``nn.functional``, and call it."""

import warnings
from typing import Any

from ...creation import full
from .. import functional as F
from .. import init as initial
from ..parameter import Parameter
from .module import Module


class Activation(Module):
    """A function as a module; its options become attributes, are shown, and are passed on at every call."""

    function: str

    def __init__(self) -> None:
        self._begin()

    def _begin(self, **options: Any) -> None:
        Module.__init__(self)
        self.__dict__.update(options, _options=tuple(options))

    def forward(self, input: Any) -> Any:
        """The function of the input."""
        return getattr(F, self.function)(input, **{name: getattr(self, name) for name in self._options})

    def extra_repr(self) -> str:
        shown = [name for name in self._options if name != "inplace" or self.inplace]
        return ", ".join(f"{name}={getattr(self, name)!r}" for name in shown)


class ReLU(Activation):
    """``max(x, 0)``."""

    function = "relu"

    def __init__(self, inplace: bool = False) -> None:
        self._begin(inplace=inplace)


class ReLU6(Activation):
    """``min(max(x, 0), 6)``."""

    function = "relu6"

    def __init__(self, inplace: bool = False) -> None:
        self._begin(inplace=inplace)


class Hardtanh(Activation):
    """``x`` cut to ``[min_val, max_val]``."""

    function = "hardtanh"

    def __init__(
        self,
        min_val: float = -1.0,
        max_val: float = 1.0,
        inplace: bool = False,
        min_value: float | None = None,
        max_value: float | None = None,
    ) -> None:
        for old, new, value in (("min_value", "min_val", min_value), ("max_value", "max_val", max_value)):
            if value is not None:
                words = f"keyword argument `{old}` is deprecated and rename to `{new}`"
                warnings.warn(words, FutureWarning, stacklevel=2)
        min_val = min_val if min_value is None else min_value
        max_val = max_val if max_value is None else max_value
        if not max_val > min_val:
            raise ValueError(f"Hardtanh: max_val must be larger than min_val, got min_val={min_val}, max_val={max_val}")
        self._begin(min_val=min_val, max_val=max_val, inplace=inplace)


class Sigmoid(Activation):
    """``1 / (1 + exp(-x))``."""

    function = "sigmoid"


class Tanh(Activation):
    """The hyperbolic tangent."""

    function = "tanh"


class SiLU(Activation):
    """``x * sigmoid(x)``."""

    function = "silu"

    def __init__(self, inplace: bool = False) -> None:
        self._begin(inplace=inplace)


class Mish(Activation):
    """``x * tanh(softplus(x))``."""

    function = "mish"

    def __init__(self, inplace: bool = False) -> None:
        self._begin(inplace=inplace)


class GELU(Activation):
    """``x`` times the normal distribution function of ``x``, or (``approximate="tanh"``) its approximation by tanh."""

    function = "gelu"

    def __init__(self, approximate: str = "none") -> None:
        self._begin(approximate=approximate)


class ELU(Activation):
    """``x`` where it is positive, ``alpha * (exp(x) - 1)`` elsewhere."""

    function = "elu"

    def __init__(self, alpha: float = 1.0, inplace: bool = False) -> None:
        self._begin(alpha=alpha, inplace=inplace)


class CELU(Activation):
    """``max(0, x) + min(0, alpha * (exp(x / alpha) - 1))``."""

    function = "celu"

    def __init__(self, alpha: float = 1.0, inplace: bool = False) -> None:
        self._begin(alpha=alpha, inplace=inplace)


class SELU(Activation):
    """The scaled ELU that keeps mean 0 and variance 1 (Klambauer et al., 2017)."""

    function = "selu"

    def __init__(self, inplace: bool = False) -> None:
        self._begin(inplace=inplace)


class LeakyReLU(Activation):
    """``x`` where it is positive, ``negative_slope * x`` elsewhere."""

    function = "leaky_relu"

    def __init__(self, negative_slope: float = 0.01, inplace: bool = False) -> None:
        self._begin(negative_slope=negative_slope, inplace=inplace)


class Threshold(Activation):
    """``x`` where it is above ``threshold``, ``value`` elsewhere."""

    function = "threshold"

    def __init__(self, threshold: float, value: float, inplace: bool = False) -> None:
        self._begin(threshold=threshold, value=value, inplace=inplace)


class Softplus(Activation):
    """``log(1 + exp(beta * x)) / beta``; ``x`` itself where ``beta * x`` is above ``threshold``."""

    function = "softplus"

    def __init__(self, beta: float = 1.0, threshold: float = 20.0) -> None:
        self._begin(beta=beta, threshold=threshold)


class Softsign(Activation):
    """``x / (1 + |x|)``."""

    function = "softsign"


class Tanhshrink(Activation):
    """``x - tanh(x)``."""

    function = "tanhshrink"


class LogSigmoid(Activation):
    """``log(1 / (1 + exp(-x)))``."""

    function = "logsigmoid"


class Hardsigmoid(Activation):
    """``x / 6 + 1 / 2`` cut to [0, 1]."""

    function = "hardsigmoid"

    def __init__(self, inplace: bool = False) -> None:
        self._begin(inplace=inplace)


class Hardswish(Activation):
    """``x * hardsigmoid(x)``."""

    function = "hardswish"

    def __init__(self, inplace: bool = False) -> None:
        self._begin(inplace=inplace)


class Hardshrink(Activation):
    """``x`` where its magnitude is above ``lambd``, 0 elsewhere."""

    function = "hardshrink"

    def __init__(self, lambd: float = 0.5) -> None:
        self._begin(lambd=lambd)

    def extra_repr(self) -> str:
        return str(self.lambd)


class Softshrink(Activation):
    """``x`` moved towards 0 by ``lambd``, and 0 within that distance."""

    function = "softshrink"

    def __init__(self, lambd: float = 0.5) -> None:
        self._begin(lambd=lambd)

    def extra_repr(self) -> str:
        return str(self.lambd)


class GLU(Activation):
    """The first half along a dimension times the sigmoid of the second."""

    function = "glu"

    def __init__(self, dim: int = -1) -> None:
        self._begin(dim=dim)


class Softmax(Activation):
    """``exp(x)`` divided by its sum along ``dim``."""

    function = "softmax"

    def __init__(self, dim: int | None = None) -> None:
        self._begin(dim=dim)


class LogSoftmax(Activation):
    """The logarithm of the softmax along ``dim``."""

    function = "log_softmax"

    def __init__(self, dim: int | None = None) -> None:
        self._begin(dim=dim)


class Softmin(Activation):
    """The softmax of ``-x`` along ``dim``."""

    function = "softmin"

    def __init__(self, dim: int | None = None) -> None:
        self._begin(dim=dim)


class PReLU(Module):
    """``x`` where it is positive, a learnt slope times ``x`` elsewhere; one slope, or one a channel."""

    def __init__(self, num_parameters: int = 1, init: float = 0.25, device: Any = None, dtype: Any = None) -> None:
        super().__init__()
        self.num_parameters, self.init = num_parameters, init
        self.weight = Parameter(full((num_parameters,), init, device=device, dtype=dtype))

    def reset_parameters(self) -> None:
        """Set every slope to its initial value."""
        initial.constant_(self.weight, self.init)

    def forward(self, input: Any) -> Any:
        """The function of the input, of shape (N, C, …) or any where there is one slope."""
        return F.prelu(input, self.weight)

    def extra_repr(self) -> str:
        return f"num_parameters={self.num_parameters}"


class RReLU(Activation):
    """``x`` where positive, and elsewhere its product with a slope drawn from [lower, upper), in training."""

    function = "rrelu"

    def __init__(self, lower: float = 0.125, upper: float = 1 / 3, inplace: bool = False) -> None:
        self._begin(lower=lower, upper=upper, inplace=inplace)

    def forward(self, input: Any) -> Any:
        """The function of the input."""
        return F.rrelu(input, self.lower, self.upper, self.training, self.inplace)


class Softmax2d(Module):
    """The softmax over the channels of each place of pictures, (N, C, H, W) or (C, H, W)."""

    def forward(self, input: Any) -> Any:
        """A tensor of the input's shape."""
        if input.dim() not in (3, 4):
            raise ValueError(f"Softmax2d: expected input to be 3D or 4D, got {input.dim()}D instead")
        return F.softmax(input, -3)
