"""Random arrays for the operations of ``ops/sampling.py``, from PyTorch's random stream."""

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from ... import random as stream
from ... import rejection
from .registry import KERNELS, kernel


def in_memory_order(like: np.ndarray, make: Callable) -> np.ndarray:
    """``make(shape)`` with the shape of ``like``, its numbers drawn in the order of the elements of ``like`` in memory."""
    if like.flags.c_contiguous:
        return make(like.shape)
    order = sorted(range(like.ndim), key=lambda d: -like.strides[d])
    made = make(tuple([like.shape[d] for d in order]))
    return made.transpose(np.argsort(order))


@kernel
def uniform(input: np.ndarray, low: float = 0, to: float = 1, generator: Any = None) -> np.ndarray:
    return in_memory_order(input, lambda shape: stream.uniform(shape, input.dtype, low, to, generator))


@kernel
def normal(input: np.ndarray, mean: float = 0, std: float = 1, generator: Any = None) -> np.ndarray:
    def make(shape: tuple) -> np.ndarray:
        if input.flags.c_contiguous:
            return stream.normal(shape, input.dtype, mean, std, generator)
        # PyTorch makes them pair by pair here, which the stream does for fewer than 16.
        count = math.prod(shape)
        pieces = [stream.normal((min(7, count - i),), input.dtype, mean, std, generator) for i in range(0, count, 7)]
        return np.concatenate([np.empty(0, input.dtype), *pieces]).reshape(shape)

    return in_memory_order(input, make)


@kernel
def exponential(input: np.ndarray, lambd: float = 1, generator: Any = None) -> np.ndarray:
    return in_memory_order(input, lambda shape: stream.exponential(shape, input.dtype, lambd, generator))


@kernel
def cauchy(input: np.ndarray, median: float = 0, sigma: float = 1, generator: Any = None) -> np.ndarray:
    return in_memory_order(input, lambda shape: stream.cauchy(shape, input.dtype, median, sigma, generator))


@kernel
def log_normal(input: np.ndarray, mean: float = 1, std: float = 2, generator: Any = None) -> np.ndarray:
    return in_memory_order(input, lambda shape: stream.log_normal(shape, input.dtype, mean, std, generator))


@kernel
def geometric(input: np.ndarray, p: float, generator: Any = None) -> np.ndarray:
    return in_memory_order(input, lambda shape: stream.geometric(shape, input.dtype, p, generator))


@kernel
def bernoulli(input: np.ndarray, p: Any = 0.5, generator: Any = None) -> np.ndarray:
    if isinstance(p, (int, float)):
        return in_memory_order(input, lambda shape: stream.bernoulli(float(p), shape, generator))
    chances = np.asarray(p)
    if chances.ndim > input.ndim or any(
        m not in (1, n) for m, n in zip(chances.shape[::-1], input.shape[::-1], strict=False)
    ):
        raise RuntimeError(
            f"bernoulli_: the probabilities' shape {list(chances.shape)} does not expand to the tensor's {list(input.shape)}"
        )
    return stream.bernoulli(chances, input.shape, generator)


@kernel
def sampled_bernoulli(input: np.ndarray, generator: Any = None) -> np.ndarray:
    if input.dtype.kind != "f" and input.dtype.name != "bfloat16":
        raise NotImplementedError(
            f'"bernoulli" not implemented for {input.dtype.name}: probabilities are of a floating dtype'
        )
    return stream.bernoulli(np.asarray(input), input.shape, generator).astype(input.dtype)


# How many integers from 0 on each floating dtype represents without a gap.
EXACT = {"float16": 2**11, "bfloat16": 2**8, "float32": 2**24, "float64": 2**53}


@kernel
def random(input: np.ndarray, low: Any = None, to: Any = None, generator: Any = None) -> np.ndarray:
    kind = input.dtype
    if to is not None:
        return in_memory_order(input, lambda shape: stream.randint(low, to, shape, kind, generator))
    if kind.kind in "biu":
        most = 1 if kind.kind == "b" else int(np.iinfo(kind).max)
    else:
        most = EXACT.get(kind.name, 0)
    if most + 1 == 2**31:  # one draw each here, where `randint` takes two for so wide a range
        drawer = generator or stream.default_generator
        return in_memory_order(
            input, lambda shape: (drawer.draws32(math.prod(shape)) % 2**31).astype(kind).reshape(shape)
        )
    return in_memory_order(input, lambda shape: stream.randint(0, most + 1, shape, kind, generator))


@kernel
def multinomial(input: np.ndarray, num_samples: int, replacement: bool = False, generator: Any = None) -> np.ndarray:
    return stream.multinomial(input, num_samples, replacement, generator)


def normal_of(mean: Any, std: Any, generator: Any = None) -> np.ndarray:
    shape = np.broadcast_shapes(np.shape(mean), np.shape(std))
    kind = mean.dtype if isinstance(mean, np.ndarray) else std.dtype
    if not np.all(np.asarray(std) >= 0):
        raise RuntimeError("normal expects all elements of std >= 0.0")
    standard = stream.normal(shape, kind, 0.0, 1.0, generator)
    standard *= np.asarray(std).astype(kind)
    standard += np.asarray(mean).astype(kind)
    return standard


KERNELS.update(normal_of_mean=normal_of, normal_of_std=normal_of, normal_of_mean_and_std=normal_of)


def check_dtype(name: str, array: np.ndarray, halves: bool = False) -> None:
    if array.dtype not in (np.float32, np.float64) and not (halves and array.dtype.name in ("float16", "bfloat16")):
        raise NotImplementedError(f'"{name}" not implemented for {array.dtype.name}; expected a floating dtype')


@kernel
def poisson(input: np.ndarray, generator: Any = None) -> np.ndarray:
    check_dtype("poisson", input, halves=True)
    if not np.all(input >= 0):
        raise RuntimeError("invalid Poisson rate, expected rate to be non-negative")
    return rejection.poisson(input, generator)


@kernel
def binomial(count: np.ndarray, prob: np.ndarray, generator: Any = None) -> np.ndarray:
    check_dtype("binomial", count)
    count, prob = np.broadcast_arrays(count, prob)
    return rejection.binomial(count, prob, generator)


@kernel
def _standard_gamma(input: np.ndarray, generator: Any = None) -> np.ndarray:
    check_dtype("gamma", input)
    return rejection.gamma(input, generator)


@kernel
def _sample_dirichlet(input: np.ndarray, generator: Any = None) -> np.ndarray:
    check_dtype("dirichlet", input)
    return rejection.dirichlet(input, generator)
