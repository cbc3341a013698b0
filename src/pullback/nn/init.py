"""Initial values of parameters: each function fills a tensor in place, unrecorded, and returns it.

The numbers are PyTorch's, for the same seed.
"""

import functools
import math
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np

from .. import random
from ..tape.modes import no_grad
from ..tape.storage import mark_written
from ..tape.value import Tensor

# -- plain fills -------------------------------------------------------------------------------------------------------


def fill(tensor: Any, values: Any, name: str) -> Any:
    """Write values into a tensor's memory, which its graph then knows to have changed."""
    if not isinstance(tensor, Tensor):
        raise TypeError(f"{name}: expected a Tensor, got {type(tensor).__name__}")
    tensor._data[...] = values
    mark_written(tensor._data, name)
    return tensor


def uniform_(tensor: Any, a: float = 0.0, b: float = 1.0, generator: Any = None) -> Any:
    """Fill with numbers spread evenly over [a, b)."""
    return fill(tensor, random.uniform(tensor._data.shape, tensor._data.dtype, a, b, generator), "uniform_")


def normal_(tensor: Any, mean: float = 0.0, std: float = 1.0, generator: Any = None) -> Any:
    """Fill with numbers from the normal distribution."""
    return fill(tensor, random.normal(tensor._data.shape, tensor._data.dtype, mean, std, generator), "normal_")


def trunc_normal_(
    tensor: Any, mean: float = 0.0, std: float = 1.0, a: float = -2.0, b: float = 2.0, generator: Any = None
) -> Any:
    """Fill with numbers from the normal distribution cut to [a, b], by rejection (von Neumann, 1951)."""
    if mean < a - 2 * std or mean > b + 2 * std:
        warnings.warn(
            "mean is more than 2 std from [a, b] in nn.init.trunc_normal_. The distribution of values may be incorrect.",
            stacklevel=2,
        )
    share = _normal_cdf((b - mean) / std) - _normal_cdf((a - mean) / std)
    draw = _cut_normals if share > 0.3 else _accepted_uniforms
    return fill(tensor, draw(tensor._data, mean, std, a, b, generator), "trunc_normal_")


def _normal_cdf(x: float) -> float:
    return (1.0 + math.erf(x / math.sqrt(2.0))) / 2.0


def _cut_normals(like: Any, mean: float, std: float, a: float, b: float, generator: Any) -> Any:
    """Normal numbers, drawn anew where they fall outside; for an interval that most fall into."""
    low, high = like.dtype.type(a), like.dtype.type(b)
    numbers = random.normal(like.shape, like.dtype, mean, std, generator)
    while (outside := (numbers < low) | (numbers > high)).any():
        numbers = np.where(outside, random.normal(like.shape, like.dtype, mean, std, generator), numbers)
    return numbers


def _accepted_uniforms(like: Any, mean: float, std: float, a: float, b: float, generator: Any) -> Any:
    """Uniform numbers, each accepted in proportion to its density; for an interval that few normal ones fall into."""
    peak = -0.5 * ((max(a, min(mean, b)) - mean) / std) ** 2
    numbers, pending, kind = np.empty_like(like), np.ones(like.shape, bool), like.dtype.type
    while pending.any():
        drawn = random.uniform(like.shape, like.dtype, a, b, generator)
        numbers = np.where(pending, drawn, numbers)
        with np.errstate(divide="ignore"):
            heights = np.log(random.uniform(like.shape, like.dtype, generator=generator))
        pending &= heights > np.square((drawn - kind(mean)) / kind(std)) * kind(-0.5) - kind(peak)
    return numbers


def constant_(tensor: Any, val: float) -> Any:
    """Fill with one value."""
    return fill(tensor, val, "constant_")


def ones_(tensor: Any) -> Any:
    """Fill with ones."""
    return fill(tensor, 1, "ones_")


def zeros_(tensor: Any) -> Any:
    """Fill with zeros."""
    return fill(tensor, 0, "zeros_")


def eye_(tensor: Any) -> Any:
    """Fill a matrix with the identity."""
    if tensor._data.ndim != 2:
        raise ValueError("Only tensors with 2 dimensions are supported")
    return fill(tensor, np.eye(*tensor._data.shape), "eye_")


def dirac_(tensor: Any, groups: int = 1) -> Any:
    """Fill the weight of a convolution so that it passes as many channels on unchanged as it can."""
    shape = tensor._data.shape
    if len(shape) not in (3, 4, 5):
        raise ValueError("Only tensors with 3, 4, or 5 dimensions are supported")
    if shape[0] % groups:
        raise ValueError("dim 0 must be divisible by groups")
    values, block, centre = np.zeros(shape), shape[0] // groups, tuple(size // 2 for size in shape[2:])
    for group in range(groups):
        for channel in range(min(block, shape[1])):
            values[(group * block + channel, channel, *centre)] = 1
    return fill(tensor, values, "dirac_")


# -- scaled by the number of connections -------------------------------------------------------------------------------

GAINS = {"tanh": 5.0 / 3, "relu": math.sqrt(2.0), "selu": 3.0 / 4}
UNIT_GAINS = ("linear", "sigmoid", *(f"conv{t}{n}d" for t in ("", "_transpose") for n in (1, 2, 3)))


def calculate_gain(nonlinearity: str, param: Any = None) -> float:
    """The factor by which weights before a nonlinearity are scaled; ``param`` is leaky_relu's negative slope."""
    if nonlinearity in UNIT_GAINS:
        return 1
    if nonlinearity in GAINS:
        return GAINS[nonlinearity]
    if nonlinearity != "leaky_relu":
        raise ValueError(f"Unsupported nonlinearity {nonlinearity}")
    if param is None:
        param = 0.01
    if isinstance(param, bool) or not isinstance(param, (int, float)):
        raise ValueError(f"negative_slope {param} not a valid number")
    return math.sqrt(2.0 / (1 + param**2))


def _calculate_fan_in_and_fan_out(tensor: Any) -> tuple[int, int]:
    shape = tensor._data.shape
    if len(shape) < 2:
        raise ValueError("Fan in and fan out can not be computed for tensor with fewer than 2 dimensions")
    receptive = math.prod(shape[2:])
    return shape[1] * receptive, shape[0] * receptive


def _calculate_correct_fan(tensor: Any, mode: str) -> int:
    modes = ("fan_in", "fan_out")
    if mode.lower() not in modes:
        raise ValueError(f"Mode {mode} not supported, please use one of {list(modes)}")
    return _calculate_fan_in_and_fan_out(tensor)[modes.index(mode.lower())]


def xavier_uniform_(tensor: Any, gain: float = 1.0, generator: Any = None) -> Any:
    """Fill with uniform numbers of variance ``2 gain² / (fan_in + fan_out)`` (Glorot and Bengio, 2010)."""
    bound = math.sqrt(3.0) * gain * math.sqrt(2.0 / float(sum(_calculate_fan_in_and_fan_out(tensor))))
    return uniform_(tensor, -bound, bound, generator)


def xavier_normal_(tensor: Any, gain: float = 1.0, generator: Any = None) -> Any:
    """Fill with normal numbers of variance ``2 gain² / (fan_in + fan_out)`` (Glorot and Bengio, 2010)."""
    std = gain * math.sqrt(2.0 / float(sum(_calculate_fan_in_and_fan_out(tensor))))
    return normal_(tensor, 0.0, std, generator)


def kaiming_uniform_(
    tensor: Any, a: float = 0, mode: str = "fan_in", nonlinearity: str = "leaky_relu", generator: Any = None
) -> Any:
    """Fill with uniform numbers of variance ``gain² / fan`` (He et al., 2015)."""
    if not all(tensor._data.shape):
        return _nothing_to_fill(tensor)
    std = calculate_gain(nonlinearity, a) / math.sqrt(_calculate_correct_fan(tensor, mode))
    bound = math.sqrt(3.0) * std
    return uniform_(tensor, -bound, bound, generator)


def kaiming_normal_(
    tensor: Any, a: float = 0, mode: str = "fan_in", nonlinearity: str = "leaky_relu", generator: Any = None
) -> Any:
    """Fill with normal numbers of variance ``gain² / fan`` (He et al., 2015)."""
    if not all(tensor._data.shape):
        return _nothing_to_fill(tensor)
    std = calculate_gain(nonlinearity, a) / math.sqrt(_calculate_correct_fan(tensor, mode))
    return normal_(tensor, 0.0, std, generator)


def _nothing_to_fill(tensor: Any) -> Any:
    warnings.warn("Initializing zero-element tensors is a no-op", stacklevel=3)
    return tensor


def orthogonal_(tensor: Any, gain: float = 1, generator: Any = None) -> Any:
    """Fill with a (semi-)orthogonal matrix: the Q of a normal one's QR (Saxe et al., 2013)."""
    data = tensor._data
    if data.ndim < 2:
        raise ValueError("Only tensors with 2 or more dimensions are supported")
    if not data.size:
        return tensor
    rows, columns = data.shape[0], data.size // data.shape[0]
    drawn = random.normal((rows, columns), data.dtype, 0.0, 1.0, generator)
    drawn = drawn.astype(np.float32) if data.dtype.itemsize == 2 else drawn
    q, r = np.linalg.qr(drawn.T if rows < columns else drawn)
    q = q * np.sign(np.diag(r))
    return fill(tensor, (gain * (q.T if rows < columns else q)).reshape(data.shape), "orthogonal_")


def sparse_(tensor: Any, sparsity: float, std: float = 0.01, generator: Any = None) -> Any:
    """Fill a matrix with normal numbers, and the share ``sparsity`` of each column with zeros (Martens, 2010)."""
    data = tensor._data
    if data.ndim != 2:
        raise ValueError("Only tensors with 2 dimensions are supported")
    rows, columns = data.shape
    with no_grad():
        normal_(tensor, 0, std, generator)
        for column in range(columns):
            data[random.randperm(rows)[: math.ceil(sparsity * rows)], column] = 0
    return tensor


# -- the old names -----------------------------------------------------------------------------------------------------


def _old(function: Any) -> Callable:
    """A function under its old name, without the underscore, which warns."""
    name = function.__name__[:-1]

    @functools.wraps(function)
    def deprecated(*args: Any, **kwargs: Any) -> Any:
        words = f"`nn.init.{name}` is now deprecated in favor of `nn.init.{name}_`."
        warnings.warn(words, FutureWarning, stacklevel=2)
        return function(*args, **kwargs)

    deprecated.__name__ = name
    deprecated.__doc__ = f"The old name of :func:`{name}_`."
    return deprecated


uniform, normal, constant, eye, dirac = map(_old, (uniform_, normal_, constant_, eye_, dirac_))
xavier_uniform, xavier_normal = map(_old, (xavier_uniform_, xavier_normal_))
kaiming_uniform, kaiming_normal = map(_old, (kaiming_uniform_, kaiming_normal_))
orthogonal, sparse = map(_old, (orthogonal_, sparse_))
