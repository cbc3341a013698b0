"""An interpreter of the table over numbers of any precision: arrays of mpmath's, for tests of the rules' formulas.

Elementwise operations have mpmath's functions for kernels, written here from their definitions; what only moves, picks, adds
or compares elements runs the NumPy kernel on arrays of objects. A rule that is written in terms of ``xp`` and operators runs
as it stands. A Python float in a rule stands for the number that it is, or, where it is the float nearest to one of
``CONSTANTS`` or to a simple fraction, for that.
"""

import functools

import exact_special
import mpmath
import numpy as np
from mpmath import mp

from pullback.interpreters import Value
from pullback.interpreters.dispatch import bind_operators, values
from pullback.kernels.numpy import KERNELS

DIGITS = 80


def constants():
    """Numbers that rules write as floats, by these."""
    with mp.workdps(2 * DIGITS):
        pi, log2 = mp.pi(), mp.log(2)
        found = [
            pi,
            pi / 2,
            pi / 4,
            2 * pi,
            pi / 180,
            180 / pi,
            1 / pi,
            2 / pi,
            log2,
            1 / log2,
            mp.log(10),
            1 / mp.log(10),
        ]
        found += [mp.sqrt(n) for n in (2, 3, 5)] + [
            mp.sqrt(pi),
            mp.sqrt(2 * pi),
            mp.sqrt(pi / 2),
            mp.log(pi),
            mp.log(2 * pi),
        ]
        found += [
            mp.sqrt(2 / pi),
            2 / mp.sqrt(pi),
            mp.sqrt(pi) / 2,
            1 / mp.sqrt(2 * pi),
            1 / mp.sqrt(2),
            1 / mp.sqrt(pi),
        ]
        found += [mp.log(2 * pi) / 2, log2 / 2, log2**2, mp.log(10) ** 2]
        found += [mp.mpf(p) / q for q in range(1, 41) for p in range(1, 121)]
        return {float(c) * sign: c * sign for c in found for sign in (1, -1)}


CONSTANTS = constants()


class Exact(Value):
    """An array of mpmath's numbers, real or complex."""

    __slots__ = ("array",)
    rank = 1
    shape = property(lambda self: self.array.shape)
    ndim = property(lambda self: self.array.ndim)
    dtype = property(lambda self: np.dtype("complex128" if is_complex(self.array) else "float64"))

    def __init__(self, array):
        self.array = array

    @staticmethod
    def interpret(op, args, top):
        if op.composite:
            return op.composite(values, *args)
        return wrapped((ELEMENTWISE.get(op.name) or KERNELS[op.name])(*map(held, args)))


bind_operators(Exact)


def is_complex(array):
    return any(isinstance(x, mpmath.mpc) for x in array.flat)


def number(x):
    """A number as mpmath's."""
    if isinstance(x, np.ndarray):
        x = x.item()
    if isinstance(x, (mpmath.mpf, mpmath.mpc)):
        return x
    if isinstance(x, (float, np.floating)):
        return CONSTANTS.get(float(x), mp.mpf(float(x)))
    return mp.mpc(complex(x)) if isinstance(x, (complex, np.complexfloating)) else mp.mpf(int(x))


convert = np.frompyfunc(number, 1, 1)


def exact(array):
    """An array of floats as exact numbers."""
    return Exact(objects(convert(np.asarray(array))))


def objects(result):
    found = np.empty(np.shape(result), object)
    found[...] = result
    return found


def held(a):
    """What kernels get for an argument."""
    if isinstance(a, Exact):
        return a.array
    if isinstance(a, (list, tuple)):
        return type(a)(map(held, a))
    if isinstance(a, np.ndarray) and a.dtype.kind in "fc":
        return objects(convert(a))
    return number(a) if isinstance(a, (float, complex)) else a


def wrapped(result):
    """A kernel's result: exact numbers, or plain booleans and integers."""
    if isinstance(result, (list, tuple)):
        return tuple(map(wrapped, result))
    if isinstance(result, np.ndarray) and result.dtype != object:
        return result if result.dtype.kind in "biu" else exact(result)
    if isinstance(result, (bool, np.bool_, np.integer)):
        return np.asarray(result)
    return exact(objects(result))


# -- elementwise kernels -----------------------------------------------------------------------------------------------


def each(function):
    """A function of numbers as one of arrays of them; None and words are constants."""

    def apply(*args):
        given = [objects(a if a is None or isinstance(a, str) else convert(a)) for a in args]
        return np.frompyfunc(function, len(given), 1)(*given)

    return apply


def clamp(x, low=None, high=None):
    x = x if low is None or x >= low else low
    return x if high is None or x <= high else high


def sign(x):
    return x / abs(x) if x else mp.mpf(0)


def remainder(x, y):
    return x - y * mp.floor(x / y)


def fmod(x, y):
    return x - y * truncated(x / y)


def truncated(x):
    return mp.floor(x) if x >= 0 else mp.ceil(x)


def rounded(x, decimals=0):
    return mp.nint(x * 10 ** int(decimals)) / 10 ** int(decimals)


def logaddexp(x, y, base=mp.e):
    return mp.log(mp.power(base, x) + mp.power(base, y)) / mp.log(base)


def polygamma(x, n):
    return mp.psi(int(n), x)


def xlogy(x, y):
    return x * mp.log(y) if x else mp.mpf(0)


def logit(x, eps=None):
    x = x if eps is None else clamp(x, eps, 1 - eps)
    return mp.log(x / (1 - x))


def divide(x, y, rounding_mode=None):
    return {None: lambda q: q, "floor": mp.floor, "trunc": truncated}[rounding_mode](x / y)


def identity(x, *rest):
    return x


FUNCTIONS = {
    "exp": mp.exp, "exp2": lambda x: mp.power(2, x), "expm1": mp.expm1, "log": mp.log, "log2": lambda x: mp.log(x, 2),
    "log10": mp.log10, "log1p": mp.log1p, "sin": mp.sin, "cos": mp.cos, "tan": mp.tan, "asin": mp.asin, "acos": mp.acos,
    "atan": mp.atan, "atan2": mp.atan2, "sinh": mp.sinh, "cosh": mp.cosh, "tanh": mp.tanh, "asinh": mp.asinh,
    "acosh": mp.acosh, "atanh": mp.atanh, "sigmoid": lambda x: 1 / (1 + mp.exp(-x)), "sqrt": mp.sqrt,
    "rsqrt": lambda x: 1 / mp.sqrt(x), "square": lambda x: x * x, "reciprocal": lambda x: 1 / x, "neg": lambda x: -x,
    "abs": abs, "sign": sign, "sgn": sign, "conj": mp.conj, "conj_physical": mp.conj, "real": mp.re, "imag": mp.im,
    "angle": mp.arg, "complex": mp.mpc, "polar": lambda r, a: mp.mpc(r * mp.cos(a), r * mp.sin(a)),
    "deg2rad": lambda x: x * mp.pi / 180, "rad2deg": lambda x: x * 180 / mp.pi, "relu": lambda x: max(x, mp.mpf(0)),
    "leaky_relu": lambda x, slope=0.01: x if x > 0 else slope * x,
    "hardtanh": lambda x, low=-1, high=1: clamp(x, low, high),
    "add": lambda x, y, alpha=1: x + alpha * y, "sub": lambda x, y, alpha=1: x - alpha * y,
    "rsub": lambda x, y, alpha=1: y - alpha * x, "mul": lambda x, y: x * y, "div": divide,
    "addcmul": lambda x, a, b, value=1: x + value * a * b, "addcdiv": lambda x, a, b, value=1: x + value * a / b,
    "lerp": lambda x, y, w: x + w * (y - x), "pow": lambda x, y: x**y, "hypot": lambda x, y: mp.sqrt(x * x + y * y),
    "copysign": lambda x, y: abs(x) if y >= 0 else -abs(x), "floor": mp.floor, "ceil": mp.ceil, "trunc": truncated,
    "round": rounded, "frac": lambda x: x - truncated(x), "floor_divide": lambda x, y: mp.floor(x / y),
    "remainder": remainder, "fmod": fmod, "maximum": max, "minimum": min, "fmax": max, "fmin": min, "clamp": clamp,
    "clamp_min": lambda x, low: clamp(x, low), "clamp_max": lambda x, high: clamp(x, None, high), "nan_to_num": identity,
    "erf": mp.erf, "erfc": mp.erfc, "erfinv": mp.erfinv, "lgamma": lambda x: mp.re(mp.loggamma(x)), "digamma": mp.digamma,
    "polygamma": polygamma, "xlogy": xlogy, "logaddexp": logaddexp, "logaddexp2": lambda x, y: logaddexp(x, y, 2),
    "logit": logit, "sinc": lambda x: mp.sincpi(x),
}  # fmt: skip
TESTS = {
    "eq": lambda x, y: x == y, "ne": lambda x, y: x != y, "lt": lambda x, y: x < y, "le": lambda x, y: x <= y,
    "gt": lambda x, y: x > y, "ge": lambda x, y: x >= y, "isnan": mp.isnan, "isinf": mp.isinf, "isfinite": mp.isfinite,
}  # fmt: skip


def where(condition, input, other):
    picked = np.broadcast_arrays(np.asarray(condition, bool), objects(input), objects(other))
    return np.where(picked[0], picked[1], picked[2])


def test(function):
    return lambda *args: np.asarray(each(function)(*args), bool)


def reduction(ufunc):
    return lambda input, dim=None, keepdim=False, dtype=None: ufunc.reduce(objects(input), axis=dim, keepdims=keepdim)


def mean(input, dim=None, keepdim=False, dtype=None):
    total = reduction(np.add)(input, dim, keepdim)
    return total * np.size(total) / mp.mpf(input.size)


def norm(input, p, dim, keepdim, dtype=None):
    sizes = ELEMENTWISE["abs"](input)
    if p in (mp.inf, -mp.inf):
        return reduction(np.maximum if p > 0 else np.minimum)(sizes, dim, keepdim)
    if not p:
        return reduction(np.add)(ELEMENTWISE["sign"](sizes), dim, keepdim)
    return ELEMENTWISE["pow"](reduction(np.add)(ELEMENTWISE["pow"](sizes, p), dim, keepdim), 1 / mp.mpf(p))


FUNCTIONS |= exact_special.FUNCTIONS
ELEMENTWISE = {name: each(function) for name, function in FUNCTIONS.items()}
ELEMENTWISE |= {name: test(function) for name, function in TESTS.items()}
ELEMENTWISE |= {
    "sum": reduction(np.add),
    "sum_all": lambda input, dtype=None: reduction(np.add)(input),
    "prod": reduction(np.multiply),
    "prod_all": lambda input, dtype=None: reduction(np.multiply)(input),
    "mean": mean,
    "norm": norm,
    "cumsum": lambda input, dim, dtype=None: np.cumsum(input, dim),
    "cumprod": lambda input, dim, dtype=None: np.cumprod(input, dim),
    "logcumsumexp": lambda input, dim: ELEMENTWISE["log"](np.cumsum(ELEMENTWISE["exp"](input), dim)),
    "log_of_sum": lambda input, dim: ELEMENTWISE["log"](reduction(np.add)(input, dim, True)),
    "mean_all": lambda input, dtype=None: mean(input),
    "where": where,
    "clone": identity,
    "contiguous": identity,
    "positive": identity,
    "cast": identity,
    "copy": lambda input, source: np.broadcast_to(source, np.shape(input)),
    "zeros_like": lambda input, *rest: objects(convert(np.zeros(np.shape(input)))),
    "ones_like": lambda input, *rest: objects(convert(np.ones(np.shape(input)))),
    "view_as_real": lambda input: np.stack([ELEMENTWISE["real"](input), ELEMENTWISE["imag"](input)], -1),
    "view_as_complex": lambda input: ELEMENTWISE["complex"](input[..., 0], input[..., 1]),
}
precise = functools.partial(mp.workdps, DIGITS)
