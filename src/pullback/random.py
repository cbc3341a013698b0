"""PyTorch's random stream on the CPU, number for number, as NumPy arrays.

Responsible for the generator (a 32-bit Mersenne Twister, as in PyTorch), its state, and the distributions that fill
arrays in row-major order. Not responsible for tensors, or for what dtype or device a caller means.

Invariant: after the same seed and the same calls, the arrays equal PyTorch's and the generator has consumed the same
number of draws, so what follows is equal too. Where PyTorch computes in float32 with fused multiply-adds, so does this.
A half-precision array is computed in float32 and rounded; a complex one is an array of twice as many reals.
"""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Sequence
from threading import RLock
from typing import Any
from weakref import WeakSet

import numpy as np

Shape = Sequence[int]

# -- the generator -----------------------------------------------------------------------------------------------------

# A state is laid out as PyTorch's own, so that either can read what the other saved. `next` is the position in the
# key; `left` repeats it; the `normal` fields hold the second value of the last pair that a short `normal` made.
_STATE = np.dtype(
    {
        "names": ["seed", "left", "seeded", "next", "key", "normal", "has_normal"],
        "formats": ["<u8", "<i4", "<i4", "<u8", ("<u8", 624), "<f8", "<i4"],
        "offsets": [0, 8, 12, 16, 24, 5024, 5040],
        "itemsize": 5056,
    }
)


class Generator:
    """A stream of random numbers of its own, e.g. `Generator().manual_seed(0)`.

    `get_state` and `set_state` exchange a uint8 array of 5056 bytes, laid out as PyTorch's. Threads may share a generator:
    what one call draws is consecutive in the stream.
    """

    __slots__ = ("__weakref__", "_bits", "_lock", "_normal", "_seed")

    def __init__(self, device: object = "cpu") -> None:
        if str(device) != "cpu":
            raise RuntimeError(f"Generator: expected device 'cpu', got '{device}'; random numbers are made on the CPU")
        self._lock = RLock()
        _generators.add(self)
        self._start(67280421310721)  # PyTorch's own default

    @property
    def device(self) -> str:
        return "cpu"

    def _start(self, seed: int) -> None:
        with self._lock:
            self._seed = seed
            self._normal: float | None = None
            self._bits: Any = None  # made when first drawn from, since numpy.random takes milliseconds to import

    def _stream(self) -> Any:
        """NumPy's Mersenne Twister in its legacy form, whose seeding by one 32-bit integer is PyTorch's."""
        bits = self._bits
        if bits is None:
            with self._lock:  # two threads must not both begin at the start
                bits = self._bits = self._bits or np.random.RandomState(self._seed & 0xFFFFFFFF)
        return bits

    def manual_seed(self, seed: int) -> Generator:
        """Restart the stream at `seed`, an integer of 64 bits of which the low 32 count."""
        if isinstance(seed, bool) or not hasattr(seed, "__index__"):
            raise RuntimeError(f"manual_seed expected a long, but got {type(seed).__name__}")
        seed = seed.__index__()
        if not -(2**63) <= seed < 2**64:
            raise ValueError(f"Overflow when unpacking long long: a seed lies in [-2**63, 2**64), got {seed}")
        self._start(seed % 2**64)
        return self

    def seed(self) -> int:
        """Restart the stream at a seed taken from the operating system, and return it."""
        self._start(int.from_bytes(os.urandom(8), "little"))
        return self._seed

    def initial_seed(self) -> int:
        """The seed that the stream was last started at."""
        return self._seed

    def get_state(self) -> np.ndarray:
        """All that decides the numbers to come, as 5056 bytes (uint8)."""
        state = np.zeros((), _STATE)
        with self._lock:
            twister, normal = self._stream().get_state(legacy=False)["state"], self._normal
            state["seed"], state["seeded"], state["key"] = self._seed, 1, twister["key"]
        state["next"], state["left"] = twister["pos"], 625 - twister["pos"]
        if normal is not None:
            state["normal"], state["has_normal"] = normal, 1
        return np.frombuffer(bytearray(state.tobytes()), np.uint8)

    def set_state(self, new_state: np.ndarray) -> Generator:
        """Continue from where `get_state` (this one's, or PyTorch's) was called."""
        state = _parse_state(np.asarray(new_state))
        with self._lock:
            self._start(int(state["seed"]))
            # `left`, not `next`: in a fresh PyTorch generator, whose key has yet to be advanced, `next` is 0.
            self._stream().set_state(("MT19937", state["key"].astype(np.uint32), 625 - int(state["left"])))
            self._normal = float(state["normal"]) if state["has_normal"] else None
        return self

    def clone_state(self) -> Generator:
        """A new generator that will give the same numbers as this one."""
        return Generator().set_state(self.get_state())

    def __reduce__(self) -> tuple:
        return _restored, (self.get_state(),)

    def draws32(self, count: int) -> np.ndarray:
        """The next `count` draws of 32 bits, as unsigned integers of 32 or 64 bits."""
        if count < 2000:
            return self._stream()._bit_generator.random_raw(count)  # 0.6 µs for one against 5; slower an element
        return self._stream().randint(0, 2**32, count, np.uint32)

    def draws64(self, count: int) -> np.ndarray:
        """The next `2 * count` draws in pairs, the first of a pair being the high half (uint64)."""
        if count < 500:
            pairs = self._stream()._bit_generator.random_raw(2 * count)
            return pairs[0::2] << 32 | pairs[1::2]
        return self._stream().randint(0, 2**64, count, np.uint64)

    def uniform32(self, count: int) -> np.ndarray:
        """`count` float32 in [0, 1): the low 24 bits of a draw each."""
        numbers = (self.draws32(count) & 0xFFFFFF).astype(np.float32)
        numbers *= np.float32(2.0**-24)
        return numbers

    def uniform64(self, count: int) -> np.ndarray:
        """`count` float64 in [0, 1): the low 53 bits of two draws each."""
        numbers = (self.draws64(count) & np.uint64(2**53 - 1)).astype(np.float64)
        numbers *= 2.0**-53
        return numbers


def _parse_state(state: np.ndarray) -> np.ndarray:
    if state.dtype != np.uint8:
        raise TypeError(f"RNG state must be a torch.ByteTensor, got an array of {state.dtype}")
    if state.size != _STATE.itemsize:
        raise RuntimeError(
            f"Expected a CPUGeneratorImplState of size {_STATE.itemsize} but found the input RNG state size to be "
            f"{state.size}"
        )
    parsed = np.frombuffer(state.tobytes(), _STATE)[0]
    if parsed["seeded"] != 1 or not 1 <= parsed["left"] <= 624 or parsed["next"] > 624:
        raise RuntimeError("Invalid mt19937 state")
    return parsed


def _restored(state: np.ndarray) -> Generator:
    return Generator().set_state(state)


_generators: WeakSet[Generator] = WeakSet()  # whose locks are free in a forked child

if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=lambda: [g._lock._at_fork_reinit() for g in _generators])  # type: ignore[attr-defined]


default_generator = Generator()
default_generator.seed()


def manual_seed(seed: int) -> Generator:
    """Restart the default stream at `seed` and return its generator."""
    return default_generator.manual_seed(int(seed))


def seed() -> int:
    """Restart the default stream at a seed taken from the operating system, and return it."""
    return default_generator.seed()


def initial_seed() -> int:
    """The seed that the default stream was last started at."""
    return default_generator.initial_seed()


# -- arithmetic in the array's own precision ---------------------------------------------------------------------------


def _is_wide(np_dtype: Any, name: str) -> bool:
    """Whether numbers of this type are computed in float64; the float32 and half-precision ones are not."""
    if np_dtype.kind not in ("fc" if name in ("normal", "uniform") else "f") and np_dtype.name != "bfloat16":
        raise NotImplementedError(f'"{name}" not implemented for {np_dtype.name}; expected a floating dtype')
    return np_dtype.char in "dD"


def _real_count(shape: Shape, np_dtype: np.dtype) -> int:
    return math.prod(shape) * (2 if np_dtype.kind == "c" else 1)


def _shaped(numbers: np.ndarray, shape: Shape, np_dtype: np.dtype) -> np.ndarray:
    """A flat array of float32 or float64 as an array of `np_dtype`, pairs becoming complex numbers."""
    converted = numbers.view(np_dtype) if np_dtype.kind == "c" else numbers.astype(np_dtype, copy=False)
    return converted.reshape(shape)


def _scaled(numbers: np.ndarray, scale: float, shift: float) -> np.ndarray:
    """`numbers * scale + shift`, rounded once to the precision of `numbers`."""
    scale, shift = numbers.dtype.type(scale), numbers.dtype.type(shift)
    if scale == 1:
        return numbers + shift if shift else numbers
    if not shift:
        return numbers * scale
    return _fused64(numbers, scale, shift) if numbers.dtype == np.float64 else _fused32(numbers, scale, shift)


def _fused32(a: Any, b: Any, c: Any) -> np.ndarray:
    """float32 `a * b + c` rounded once: exact in float64, but for the last of 53 bits."""
    exact = np.multiply(a, b, dtype=np.float64)
    exact += c
    return exact.astype(np.float32)


def _fused64(a: np.ndarray, b: Any, c: Any) -> np.ndarray:
    """float64 `a * b + c` rounded once, by Dekker's exact product and Knuth's exact sum."""
    product = a * b
    a_high, b_high = _high_half(a), _high_half(b)
    a_low, b_low = a - a_high, b - b_high
    product_error = ((a_high * b_high - product) + a_high * b_low + a_low * b_high) + a_low * b_low
    total = product + c
    added = total - product
    return total + (((product - (total - added)) + (c - added)) + product_error)


def _high_half(x: Any) -> Any:
    """The upper 26 bits of a float64 (Veltkamp's splitting), whose products with each other are exact."""
    scaled = x * 134217729.0  # 2**27 + 1
    return scaled - (scaled - x)


def _libm(function: Callable[[float], float], numbers: np.ndarray) -> np.ndarray:
    """`function` of each element by the C library, as in PyTorch; NumPy's vector code differs in the last bit."""
    return np.fromiter(map(function, numbers.ravel().tolist()), np.float64, numbers.size).reshape(numbers.shape)


# -- uniform and normal ------------------------------------------------------------------------------------------------


def uniform(
    shape: Shape, np_dtype: Any, low: float = 0.0, high: float = 1.0, generator: Generator | None = None
) -> np.ndarray:
    """Numbers spread evenly over [low, high)."""
    np_dtype, generator = np.dtype(np_dtype), generator or default_generator
    if not low <= high:
        raise RuntimeError(f"uniform_ expects to return a [from, to) range, but found from={low} > to={high}")
    wide, count = _is_wide(np_dtype, "uniform"), _real_count(shape, np_dtype)
    numbers = generator.uniform64(count) if wide else generator.uniform32(count)
    if (low, high) != (0, 1):
        numbers = _scaled(numbers, numbers.dtype.type(high) - numbers.dtype.type(low), low)
    return _below(_shaped(numbers, shape, np_dtype), low, high)


def _below(result: np.ndarray, low: float, high: float) -> np.ndarray:
    """Move what rounding lifted to `high`, which is outside of the range, to `low`, as PyTorch does."""
    if (low, high) == (0, 1) and result.dtype.itemsize > 2:
        return result  # nothing was rounded
    reals = result.view(result.real.dtype) if result.dtype.kind == "c" and result.ndim else result
    reals[reals == np.asarray(high, np.float64).astype(reals.dtype)] = low
    return result


def normal(
    shape: Shape, np_dtype: Any, mean: float = 0.0, std: float = 1.0, generator: Generator | None = None
) -> np.ndarray:
    """Numbers from the normal distribution.

    Each part of a complex number has the mean `mean`, as PyTorch has it, and the standard deviation `std / √2`.
    """
    np_dtype, generator = np.dtype(np_dtype), generator or default_generator
    if not std >= 0:
        raise RuntimeError(f"normal expects std >= 0.0, but found std {std}")
    if np_dtype.kind == "c":
        std /= math.sqrt(2)
    count, wide = _real_count(shape, np_dtype), _is_wide(np_dtype, "normal")
    if count < 16:
        numbers = _scaled(_short_normal(count, generator), std, mean).astype(np.float64 if wide else np.float32)
    else:
        numbers = _scaled(_long_normal(count, np_dtype, generator), std, mean)
    return _shaped(numbers, shape, np_dtype)


def _short_normal(count: int, generator: Generator) -> np.ndarray:
    """Fewer than 16 normal numbers, made in pairs in float64; a second one left over is kept for the next call."""
    with generator._lock:
        numbers = [] if generator._normal is None or not count else [generator._normal]
        if numbers:
            generator._normal = None
        uniforms = generator.uniform64((count - len(numbers) + 1) // 2 * 2).tolist()
        for angle, height in zip(uniforms[::2], uniforms[1::2], strict=True):
            radius = math.sqrt(-2.0 * math.log1p(-height))
            numbers += radius * math.cos(2.0 * math.pi * angle), radius * math.sin(2.0 * math.pi * angle)
        if len(numbers) > count:
            generator._normal = numbers.pop()
    return np.array(numbers, np.float64)


def _long_normal(count: int, np_dtype: np.dtype, generator: Generator) -> np.ndarray:
    """16 or more normal numbers by Box and Muller's transform (1958) of blocks of 16 uniform ones.

    A last block that is not full is made from 16 more uniform numbers and takes the place of the last 16 results.
    """
    whole, partial = count // 16 * 16, count % 16 > 0
    # PyTorch also draws the numbers of a block that is not full, to no use, but not in half precision.
    drawn = (whole if np_dtype.itemsize == 2 else count) + 16 * partial
    wide = _is_wide(np_dtype, "normal")
    uniforms = (generator.uniform64 if wide else generator.uniform32)(drawn)
    blocks = np.concatenate((uniforms[:whole], uniforms[drawn - 16 * partial :])).reshape(-1, 2, 8)
    for start in range(0, len(blocks), 1024):  # so many that the temporaries stay in the cache
        (_polar64 if wide else _polar32)(blocks[start : start + 1024])
    numbers = np.empty(count, uniforms.dtype)
    numbers[:whole] = blocks[: whole // 16].ravel()
    numbers[-16:] = blocks[-1].ravel()
    return numbers


def _polar64(blocks: np.ndarray) -> None:
    """Replace each block's uniform numbers, (n, 2, 8), by normal ones: eight cosines and then eight sines."""
    radius = np.sqrt(-2.0 * _libm(math.log, 1.0 - blocks[:, 0]))
    angle = np.zeros(radius.shape, np.complex128)
    angle.imag = 2.0 * math.pi * blocks[:, 1]
    on_circle = np.exp(angle)  # NumPy leaves this one to the C library, so its parts are that library's cos and sin
    np.multiply(radius, on_circle.real, out=blocks[:, 0])
    np.multiply(radius, on_circle.imag, out=blocks[:, 1])


def _polar32(blocks: np.ndarray) -> None:
    """`_polar64` in float32, by the polynomials that PyTorch's vector code uses."""
    radius = np.sqrt(np.float32(-2.0) * _log32(np.float32(1.0) - blocks[:, 0]))
    cosine, sine = _cos_sin32(np.float32(2.0 * math.pi) * blocks[:, 1])
    np.multiply(radius, cosine, out=blocks[:, 0])
    np.multiply(radius, sine, out=blocks[:, 1])


# The polynomials of logf, cosf and sinf in Moshier's Cephes library (1992), highest power first.
_LOG: tuple[float, ...] = (7.0376836292e-2, -1.1514610310e-1, 1.1676998740e-1, -1.2420140846e-1, 1.4249322787e-1)
_LOG += (-1.6668057665e-1, 2.0000714765e-1, -2.4999993993e-1, 3.3333331174e-1)
_COS = (2.443315711809948e-5, -1.388731625493765e-3, 4.166664568298827e-2)
_SIN = (-1.9515295891e-4, 8.3321608736e-3, -1.6666654611e-1)
_LN2 = np.float32(0.693359375), np.float32(-2.12194440e-4)  # in two parts, high and low
_EIGHTH_TURN = -0.78515625, -2.4187564849853515625e-4, -3.77489497744594108e-8  # −π/4 in three parts


def _polynomial32(coefficients: Sequence[float], x: np.ndarray) -> np.ndarray:
    """Horner's rule in float32 with fused multiply-adds."""
    wide, value = x.astype(np.float64), np.full(x.shape, coefficients[0], np.float32)
    for coefficient in coefficients[1:]:
        value = _fused32(wide, value, np.float32(coefficient))
    return value


def _log32(x: np.ndarray) -> np.ndarray:
    """The natural logarithm of positive normal float32, with the roundings of the vectorised Cephes `logf`."""
    fraction, exponent = np.frexp(x)
    small = (fraction < np.float32(math.sqrt(0.5))).astype(np.float32)
    exponent = exponent.astype(np.float32) - small
    fraction = fraction * small + (fraction - np.float32(1))
    square = fraction * fraction
    curve = _polynomial32(_LOG, fraction) * fraction
    curve = _fused32(curve, square, exponent * _LN2[1])
    curve -= square * np.float32(0.5)
    return _fused32(exponent, _LN2[0], fraction + curve)


def _cos_sin32(angle: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Cosine and sine of float32 angles in [0, 2π], with the roundings of the vectorised Cephes `sincosf`."""
    octant = ((angle * np.float32(4 / math.pi)).astype(np.int32) + 1) & ~1
    turns = octant.astype(np.float64)
    for part in _EIGHTH_TURN:
        angle = _fused32(turns, np.float32(part), angle)
    square = angle * angle
    cosine = _fused32(_polynomial32(_COS, square) * square, square, square * np.float32(-0.5)) + np.float32(1)
    sine = _fused32(_polynomial32(_SIN, square) * square, angle, angle)
    swapped = ((octant & 2) >> 1).astype(np.float32)  # 0 or 1: np.where takes four times as long as the products
    kept = np.float32(1) - swapped
    return (
        _negated(cosine * kept + sine * swapped, (octant + 2) & 4),
        _negated(sine * kept + cosine * swapped, octant & 4),
    )


def _negated(numbers: np.ndarray, bit: np.ndarray) -> np.ndarray:
    """float32 `numbers` with the sign changed where `bit`, 0 or 4, is set, by moving it onto the sign bit."""
    return (numbers.view(np.int32) ^ (bit << 29)).view(np.float32)


# -- integers ----------------------------------------------------------------------------------------------------------


def randint(
    low: int, high: int, shape: Shape, np_dtype: Any = np.int64, generator: Generator | None = None
) -> np.ndarray:
    """Integers from [low, high), as numbers of `np_dtype`: one draw each, or two where the range reaches 2**28."""
    np_dtype, generator = np.dtype(np_dtype), generator or default_generator
    _check_integer_bounds(low, high, np_dtype)
    low, high = _representable(low, high, np_dtype)
    count, span = math.prod(shape), high - low
    if span < 2**28:
        offsets = (generator.draws32(count) % np.uint32(span)).astype(np.int64)
    else:
        offsets = (generator.draws64(count) % np.uint64(span)).view(np.int64)
    offsets += np.int64(low) if low < 2**63 else 0  # wraps around where the range is wider than int64, as it should
    return offsets.astype(np_dtype, copy=False).reshape(shape)


_DIGITS = {"float16": 11, "bfloat16": 8, "float32": 24, "float64": 53}  # of the binary fractions


def _representable(low: int, high: int, np_dtype: np.dtype) -> tuple[int, int]:
    """Bounds moved inwards, as PyTorch does it, where a floating dtype would round one of them out of the range."""
    digits = _DIGITS.get(np_dtype.name)
    if digits is None or max(abs(low), abs(high)) > 2**62:
        return low, high
    rounded = lambda number: int(np.asarray(float(number)).astype(np_dtype).astype(np.float64))
    step = lambda number: 1 << (abs(number).bit_length() - digits)
    first, last = rounded(low + 1), rounded(high - 1)
    return first + step(low + 1) if first < low else low, last - step(high - 1) if last >= high else high


def _check_integer_bounds(low: int, high: int, np_dtype: np.dtype) -> None:
    if low >= high:
        raise RuntimeError(f"random_ expects 'from' to be less than 'to', but got from={low} >= to={high}")
    if np_dtype.kind == "c":
        raise RuntimeError("check_random_bounds handles only integral, floating-point and boolean types")
    if np_dtype.kind not in "biu":
        return
    least, most = (0, 1) if np_dtype.kind == "b" else (np.iinfo(np_dtype).min, np.iinfo(np_dtype).max)
    for name, value in (("from", low), ("to - 1", high - 1)):
        if not least <= value <= most:
            raise RuntimeError(f"{name} is out of bounds for {np_dtype.name}: {value} is not in [{least}, {most}]")


def randperm(n: int, np_dtype: Any = np.int64, generator: Generator | None = None) -> np.ndarray:
    """The integers below `n` in a random order, by Fisher and Yates's shuffle from the front."""
    np_dtype, generator = np.dtype(np_dtype), generator or default_generator
    if n < 0:
        raise RuntimeError(f"Trying to create tensor with negative dimension {n}: [{n}]")
    _check_permutation_fits(n, np_dtype)
    positions = np.arange(max(n - 1, 0), dtype=np.uint32)
    partners = generator.draws32(len(positions)) % (np.uint32(n) - positions) + positions
    order = list(range(n))
    # Each swap depends on those before it; a Python list makes about seven million of them in a second.
    for i, j in enumerate(partners.tolist()):
        order[i], order[j] = order[j], order[i]
    return np.array(order, np.int64).astype(np_dtype, copy=False)


def _check_permutation_fits(n: int, np_dtype: np.dtype) -> None:
    if np_dtype.kind in "iu":
        most = int(np.iinfo(np_dtype).max)
    else:
        most = {"float16": 2**11, "bfloat16": 2**8, "float32": 2**24}.get(np_dtype.name, 2**53) + 1
    if n > most:
        raise RuntimeError(f"n cannot be greater than {most} for {np_dtype.name}, got {n}")


# -- other distributions -----------------------------------------------------------------------------------------------


def bernoulli(p: float | np.ndarray, shape: Shape | None = None, generator: Generator | None = None) -> np.ndarray:
    """Booleans, each true with probability `p`, a number or an array that broadcasts to `shape`.

    A number, or float64 probabilities, are compared with 53 random bits an element; narrower ones with 24.
    """
    generator = generator or default_generator
    least, most = (p.min(initial=1), p.max(initial=0)) if isinstance(p, np.ndarray) else (p, p)
    if not (least >= 0 and most <= 1):
        raise RuntimeError(f"bernoulli_ expects p to be in [0, 1], but got p={least if least < 0 else most}")
    shape = np.shape(p) if shape is None else shape
    if isinstance(p, np.ndarray) and p.dtype != np.float64:
        return generator.uniform32(math.prod(shape)).reshape(shape) < p.astype(np.float32)
    return generator.uniform64(math.prod(shape)).reshape(shape) < p


def exponential(shape: Shape, np_dtype: Any, lambd: float = 1.0, generator: Generator | None = None) -> np.ndarray:
    """Numbers from the exponential distribution of rate `lambd`, by inverting its distribution function."""
    np_dtype, generator = np.dtype(np_dtype), generator or default_generator
    if not lambd > 0:
        raise RuntimeError(f"exponential_ expects lambda > 0.0, but found lambda={lambd}")
    _is_wide(np_dtype, "exponential")
    negated = -generator.uniform64(math.prod(shape))
    return _rounded(-1.0 / lambd * _log1p(negated, np_dtype), shape, np_dtype)


def _log1p(numbers: np.ndarray, np_dtype: np.dtype) -> np.ndarray:
    """The logarithm, by NumPy where the result is to be rounded from float64: that hides the last bit, in which it differs."""
    return _libm(math.log1p, numbers) if np_dtype == np.float64 else np.log1p(numbers)


def _rounded(numbers: np.ndarray, shape: Shape, np_dtype: np.dtype) -> np.ndarray:
    """float64 numbers as an array of `np_dtype`, half-precision ones by way of float32."""
    return _shaped(numbers if np_dtype == np.float64 else numbers.astype(np.float32), shape, np_dtype)


def cauchy(
    shape: Shape, np_dtype: Any, median: float = 0.0, sigma: float = 1.0, generator: Generator | None = None
) -> np.ndarray:
    """Numbers from the Cauchy distribution, by inverting its distribution function."""
    np_dtype, generator = np.dtype(np_dtype), generator or default_generator
    if not sigma > 0:
        raise RuntimeError(f"cauchy_ expects sigma > 0.0, but found sigma={sigma}")
    _is_wide(np_dtype, "cauchy")
    angles = math.pi * (generator.uniform64(math.prod(shape)) - 0.5)
    return _rounded(median + sigma * _libm(math.tan, angles), shape, np_dtype)


def log_normal(
    shape: Shape, np_dtype: Any, mean: float = 1.0, std: float = 2.0, generator: Generator | None = None
) -> np.ndarray:
    """Numbers whose logarithms are normal, each made in float64 as those of a `normal` of fewer than 16."""
    np_dtype, generator = np.dtype(np_dtype), generator or default_generator
    if not std > 0:
        raise RuntimeError(f"log_normal_ expects std > 0.0, but found std={std}")
    _is_wide(np_dtype, "log_normal")
    return _rounded(_exp(_scaled(_short_normal(math.prod(shape), generator), std, mean)), shape, np_dtype)


def _exp(numbers: np.ndarray) -> np.ndarray:
    """The exponentials as the C library rounds them."""
    return _libm(math.exp, np.minimum(numbers, 709.7)) if np.all(numbers < 709.7) else np.exp(numbers)


def geometric(shape: Shape, np_dtype: Any, p: float, generator: Generator | None = None) -> np.ndarray:
    """The number of the first trial that succeeds, each with probability `p`, in any dtype of numbers."""
    np_dtype, generator = np.dtype(np_dtype), generator or default_generator
    if not 0 < p < 1:
        raise RuntimeError(f"geometric_ expects p to be in (0, 1), but got p={p}")
    if np_dtype.kind not in "iuf" and np_dtype.name != "bfloat16":
        raise NotImplementedError(f'"geometric" not implemented for {np_dtype.name}')
    logarithms = _libm(math.log, np.fmax(generator.uniform64(math.prod(shape)), 5e-324))
    return np.ceil(logarithms / math.log1p(-p)).astype(np_dtype).reshape(shape)


def multinomial(
    weights: np.ndarray, n: int, replacement: bool = False, generator: Generator | None = None
) -> np.ndarray:
    """`n` indices (int64) into the last of one or two dims of `weights`, chosen in proportion to them."""
    weights, generator = np.asarray(weights), generator or default_generator
    _check_weights(weights, n, replacement)
    if n == 1 or not replacement:
        return _race(weights, n, generator)
    rows = weights.reshape(-1, weights.shape[-1])
    uniforms = generator.uniform64(len(rows) * n).reshape(len(rows), n)
    chosen = [np.searchsorted(_cumulative(row), points) for row, points in zip(rows, uniforms, strict=True)]
    return np.array(chosen, np.int64).reshape(*weights.shape[:-1], n)


def _race(weights: np.ndarray, n: int, generator: Generator) -> np.ndarray:
    """The first `n` to arrive when each index takes an exponential time of rate its weight: drawn without return."""
    times = exponential(weights.shape, weights.dtype, 1.0, generator)
    with np.errstate(divide="ignore", invalid="ignore"):
        scores = weights / times
    if n == 1:
        return scores.argmax(axis=-1, keepdims=True)
    return np.argsort(-scores, axis=-1, kind="stable")[..., :n]


def _cumulative(row: np.ndarray) -> np.ndarray:
    """The distribution function of one row of weights, summed from left to right in the row's precision."""
    sums = np.cumsum(row, dtype=np.float32 if row.dtype.itemsize == 2 else row.dtype)
    sums /= sums[-1]
    sums[-1] = 1  # rounding may have left it below a number that will be looked for
    return sums.astype(np.float64)


def _check_weights(weights: np.ndarray, n: int, replacement: bool) -> None:
    if weights.ndim not in (1, 2):
        raise RuntimeError(f"prob_dist must be 1 or 2 dim, got {weights.ndim} dims")
    if weights.dtype.kind != "f" and weights.dtype.name != "bfloat16":
        raise RuntimeError(f"multinomial only supports floating-point dtypes for input, got: {weights.dtype.name}")
    if n <= 0:
        raise RuntimeError(f"cannot sample n_sample <= 0 samples, got {n}")
    if not replacement and n > weights.shape[-1]:
        raise RuntimeError(
            "cannot sample n_sample > prob_dist.size(-1) samples without replacement: "
            f"n_sample is {n}, prob_dist.size(-1) is {weights.shape[-1]}"
        )
    if weights.shape[-1] > 2**24:
        raise RuntimeError(f"number of categories cannot exceed 2^24, got {weights.shape[-1]}")
    if not np.all((weights >= 0) & (weights < np.inf)):
        raise RuntimeError("probability tensor contains either `inf`, `nan` or element < 0")
    if not np.all(weights.sum(axis=-1, dtype=np.float64) > 0):
        raise RuntimeError("invalid multinomial distribution (sum of probabilities <= 0)")
