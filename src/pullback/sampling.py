"""Functions that create random tensors, and the generators that they draw from.

The numbers are PyTorch's: ``random`` makes them, as arrays. Sampling from distributions whose parameters are tensors,
and filling tensors in place, are operations of the table (``ops/sampling.py``).
"""

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Unpack

import numpy as np

from . import dtypes, random
from .arguments import Options, as_count, as_dtype, as_shape, made
from .creation import array_like
from .devices import CPU, check_device
from .devices import device as Device
from .interpreters import values
from .interpreters.batched import Batched, drawing_vmaps, vmaps
from .ops.sampling import NORMAL_OF
from .out import write_out
from .tape.fast import call
from .tape.promotion import dtype_of
from .tape.value import Tensor, wrap

# -- generators --------------------------------------------------------------------------------------------------------


class Generator(random.Generator):
    """A stream of random numbers of its own: ``torch.rand(3, generator=torch.Generator().manual_seed(0))``."""

    __slots__ = ()

    def __init__(self, device: Any = "cpu") -> None:
        check_device(device)
        super().__init__()

    @property
    def device(self) -> Device:  # type: ignore[override]
        """Where the numbers are made."""
        return CPU

    def get_state(self) -> Tensor:  # type: ignore[override]
        """All that decides the numbers to come, as a tensor of 5056 bytes (uint8)."""
        return wrap(super().get_state())

    def set_state(self, new_state: Tensor) -> "Generator":  # type: ignore[override]
        """Continue from where :meth:`get_state` was called."""
        if not isinstance(new_state, Tensor) or dtype_of(new_state._data) is not dtypes.uint8:
            raise TypeError("RNG state must be a torch.ByteTensor")
        super().set_state(new_state._data)
        return self

    def clone_state(self) -> "Generator":
        """A new generator that will give the same numbers as this one."""
        return Generator().set_state(self.get_state())

    def __reduce__(self) -> tuple:
        return restored, (random.Generator.get_state(self),)


def restored(state: np.ndarray) -> Generator:
    return Generator().set_state(wrap(state))


default_generator = random.default_generator = Generator()
default_generator.seed()


def manual_seed(seed: int) -> Generator:
    """Restart the default stream at ``seed``, and return its generator."""
    return default_generator.manual_seed(int(seed))  # type: ignore[return-value]


def seed() -> int:
    """Restart the default stream at a seed taken from the operating system, and return it."""
    return default_generator.seed()


def initial_seed() -> int:
    """The seed that the default stream was last started at."""
    return default_generator.initial_seed()


def get_rng_state() -> Tensor:
    """The state of the default stream, as a tensor of bytes."""
    return default_generator.get_state()


def set_rng_state(new_state: Tensor) -> None:
    """Put the default stream where :func:`get_rng_state` was called."""
    default_generator.set_state(new_state)


@contextmanager
def fork_rng(devices: Any = None, enabled: bool = True, **ignored: Any) -> Iterator[None]:
    """Give the default stream its state back at the end of the block."""
    state = default_generator.get_state() if enabled else None
    try:
        yield
    finally:
        if state is not None:
            default_generator.set_state(state)


for function in (fork_rng, get_rng_state, set_rng_state):  # torch.random.fork_rng, as PyTorch has it
    setattr(random, function.__name__, function)


def check_generator(name: str, generator: Any) -> None:
    if generator is not None and not isinstance(generator, random.Generator):
        raise TypeError(f"{name}(): argument 'generator' must be torch.Generator, not {type(generator).__name__}")


def drawn(name: str, shape: tuple, draw: Callable, options: Options, out: Any = None) -> Tensor:
    """The leaf with the random numbers that ``draw(shape)`` gives; inside vmap, with each element's own if it has such."""
    alone = drawing_vmaps() if vmaps.get() else []
    if not alone:
        return made(name, draw(shape), options, out)
    tensor: Any = made(name, draw((*[v.size for v in alone], *shape)), {**options, "requires_grad": False})
    for v in alone:
        tensor = wrap(Batched(tensor, v.level))
    if out is not None:
        return write_out(out, tensor)
    return tensor.requires_grad_() if options.get("requires_grad") else tensor


def like(array: np.ndarray, shape: tuple) -> np.ndarray:
    """An array of a shape and the dtype of another; itself, which may lie otherwise in memory, where that is its own."""
    return array if array.shape == tuple(shape) else np.empty(shape, array.dtype)


# -- new tensors -------------------------------------------------------------------------------------------------------


def rand(
    *sizes: Any, size: Any = None, generator: Any = None, out: Any = None, dtype: Any = None, **options: Unpack[Options]
) -> Tensor:
    """Random numbers, spread evenly over [0, 1): ``rand(2, 3)`` or ``rand((2, 3))``."""
    check_generator("rand", generator)
    shape, kind = as_shape("rand", sizes, size), as_dtype("rand", dtype)
    return drawn("rand", shape, lambda shape: random.uniform(shape, kind.numpy, generator=generator), options, out)


def randn(
    *sizes: Any, size: Any = None, generator: Any = None, out: Any = None, dtype: Any = None, **options: Unpack[Options]
) -> Tensor:
    """Random numbers of the normal distribution, with mean 0 and standard deviation 1: ``randn(2, 3)``."""
    check_generator("randn", generator)
    shape, kind = as_shape("randn", sizes, size), as_dtype("randn", dtype)
    return drawn("randn", shape, lambda shape: random.normal(shape, kind.numpy, generator=generator), options, out)


def randint(
    low: Any = 0,
    high: Any = None,
    size: Any = None,
    *,
    generator: Any = None,
    out: Any = None,
    dtype: Any = None,
    **options: Unpack[Options],
) -> Tensor:
    """Random integers of [low, high): ``randint(high, size)`` or ``randint(low, high, size)``; int64 by default."""
    check_generator("randint", generator)
    if size is None:
        low, high, size = 0, low, high
    elif high is None:
        low, high = 0, low
    low, high = as_count("randint", "low", low), as_count("randint", "high", high, 2)
    shape, kind = as_shape("randint", (), size), as_dtype("randint", dtype, dtypes.int64)
    draw = lambda shape: random.randint(low, high, shape, kind.numpy, generator)
    return drawn("randint", shape, draw, options, out)


def randperm(
    n: int, *, generator: Any = None, out: Any = None, dtype: Any = None, **options: Unpack[Options]
) -> Tensor:
    """The integers below ``n`` in a random order; int64 by default."""
    check_generator("randperm", generator)
    count, kind = as_count("randperm", "n", n), as_dtype("randperm", dtype, dtypes.int64)

    def draw(shape: tuple) -> np.ndarray:
        each = [random.randperm(count, kind.numpy, generator) for _ in range(math.prod(shape[:-1]))]
        return np.array(each, kind.numpy).reshape(shape)

    return drawn("randperm", (count,), draw, options, out)


def rand_like(input: Tensor, *, generator: Any = None, dtype: Any = None, **options: Unpack[Options]) -> Tensor:
    """Random numbers of [0, 1), in the shape and dtype of ``input``."""
    check_generator("rand_like", generator)
    array = array_like("rand_like", input, dtype, None, options)
    draw = lambda shape: values.uniform(like(array, shape), 0.0, 1.0, generator=generator)
    return drawn("rand_like", array.shape, draw, options)


def randn_like(input: Tensor, *, generator: Any = None, dtype: Any = None, **options: Unpack[Options]) -> Tensor:
    """Random numbers of the standard normal distribution, in the shape and dtype of ``input``."""
    check_generator("randn_like", generator)
    array = array_like("randn_like", input, dtype, None, options)
    draw = lambda shape: values.normal(like(array, shape), 0.0, 1.0, generator=generator)
    return drawn("randn_like", array.shape, draw, options)


def randint_like(
    input: Tensor, low: int, high: Any = None, *, generator: Any = None, dtype: Any = None, **options: Unpack[Options]
) -> Tensor:
    """Random integers of [low, high), in the shape and dtype of ``input``: ``randint_like(x, high)`` starts at 0."""
    check_generator("randint_like", generator)
    low, high = (0, low) if high is None else (low, high)
    low, high = as_count("randint_like", "low", low, 2), as_count("randint_like", "high", high, 3)
    array = array_like("randint_like", input, dtype, None, options)
    draw = lambda shape: values.random(like(array, shape), low, high, generator=generator)
    return drawn("randint_like", array.shape, draw, options)


def normal(
    mean: Any = 0.0,
    std: Any = 1.0,
    size: Any = None,
    *,
    generator: Any = None,
    out: Any = None,
    dtype: Any = None,
    **options: Unpack[Options],
) -> Tensor:
    """Random numbers of normal distributions: of given ``size``, or one for each element of ``mean`` and ``std``."""
    check_generator("normal", generator)
    tensors = tuple(name for name, value in (("mean", mean), ("std", std)) if isinstance(value, Tensor))
    if tensors:
        result = call(NORMAL_OF[tensors], (mean, std, generator))
        return result if out is None else made("normal", result._data, {}, out)
    if size is None:
        raise TypeError(
            "normal() received an invalid combination of arguments: expected tensors, or numbers and a size"
        )
    shape, kind = as_shape("normal", (), size), as_dtype("normal", dtype)
    draw = lambda shape: random.normal(shape, kind.numpy, float(mean), float(std), generator)
    return drawn("normal", shape, draw, options, out)


__all__ = [
    "Generator", "default_generator", "get_rng_state", "initial_seed", "manual_seed", "normal", "rand", "rand_like",
    "randint", "randint_like", "randn", "randn_like", "randperm", "seed", "set_rng_state",
]  # fmt: skip
