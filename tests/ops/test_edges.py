"""Elementwise operations where their values and derivatives are conventions: at kinks, ties, zeros, infinities and NaN.

The truth is torch's, in every dtype that both have.
"""

import itertools
import math
from contextlib import suppress

import numpy as np
import pytest
from cases import quiet

import pullback
from numeric import array

INF, NAN = math.inf, math.nan
REAL = [
    -INF,
    -1e4,
    -30.0,
    -7.0,
    -6.0,
    -3.0,
    -2.5,
    -1.0,
    -0.5,
    -0.0,
    0.0,
    1e-3,
    0.5,
    1.0,
    1.5,
    2.5,
    3.0,
    6.0,
    7.0,
    30.0,
    1e4,
    INF,
    NAN,
]
PARTS = [-INF, -2.0, -0.0, 0.0, 0.5, 3.0, INF, NAN]
COMPLEX = [complex(a, b) for a, b in itertools.product([-2.0, -0.5, 0.0, 0.5, 3.0], repeat=2)]
INTEGERS = [-7, -2, -1, 0, 1, 2, 3, 7]
DTYPES = {
    **dict.fromkeys(("float32", "float64", "float16", "bfloat16"), REAL),
    **dict.fromkeys(("complex64", "complex128"), COMPLEX),
    **dict.fromkeys(("int64", "int8"), INTEGERS),
    "uint8": [abs(n) for n in INTEGERS],
    "bool": [False, True],
}
TOLERANCE = {
    "float16": 2e-3,
    "bfloat16": 1.6e-2,
    "float32": 2e-6,
    "complex64": 1e-5,
    "float64": 1e-12,
    "complex128": 1e-11,
}

UNARY = [
    "exp",
    "exp2",
    "expm1",
    "log",
    "log2",
    "log10",
    "log1p",
    "sin",
    "cos",
    "tan",
    "asin",
    "acos",
    "atan",
    "sinh",
    "cosh",
    "tanh",
    "sigmoid",
    "asinh",
    "acosh",
    "atanh",
    "square",
    "sqrt",
    "rsqrt",
    "reciprocal",
    "neg",
    "abs",
    "sign",
    "sgn",
    "floor",
    "ceil",
    "trunc",
    "round",
    "frac",
    "deg2rad",
    "rad2deg",
    "angle",
    "erf",
    "erfc",
    "erfinv",
    "lgamma",
    "digamma",
    "logit",
    "sinc",
    "isnan",
    "isinf",
    "isfinite",
    "isposinf",
    "isneginf",
    "isreal",
    "signbit",
    "logical_not",
    "nan_to_num",
    "relu",
    "selu",
    "celu",
    "hardshrink",
]
FUNCTIONAL = [
    "relu",
    "relu6",
    "gelu",
    "silu",
    "mish",
    "softplus",
    "elu",
    "selu",
    "celu",
    "leaky_relu",
    "hardtanh",
    "hardsigmoid",
    "hardswish",
    "logsigmoid",
    "softsign",
    "tanhshrink",
    "softshrink",
    "hardshrink",
]
SPECIAL = ["entr", "erfcx", "i0", "i0e", "i1", "i1e", "log_ndtr", "ndtr", "ndtri", "expm1", "log1p"]
BINARY = [
    "add",
    "sub",
    "mul",
    "div",
    "floor_divide",
    "remainder",
    "fmod",
    "pow",
    "float_power",
    "maximum",
    "minimum",
    "fmax",
    "fmin",
    "clamp_min",
    "clamp_max",
    "atan2",
    "hypot",
    "copysign",
    "xlogy",
    "logaddexp",
    "logaddexp2",
    "ldexp",
    "eq",
    "ne",
    "lt",
    "le",
    "gt",
    "ge",
    "logical_and",
    "logical_or",
    "logical_xor",
    "bitwise_and",
]
CALLS = {
    "clamp both": lambda t, x: t.clamp(x, -1, 3),
    "clamp crossed": lambda t, x: t.clamp(x, 3, -1),
    "clamp max": lambda t, x: t.clamp(x, max=0.5),
    "threshold": lambda t, x: t.nn.functional.threshold(x, 0.5, 9.0),
    "gelu tanh": lambda t, x: t.nn.functional.gelu(x, approximate="tanh"),
    "softplus 2, 3": lambda t, x: t.nn.functional.softplus(x, 2, 3),
    "leaky_relu -0.5": lambda t, x: t.nn.functional.leaky_relu(x, -0.5),
    "hardtanh -0.5, 3": lambda t, x: t.nn.functional.hardtanh(x, -0.5, 3),
    "round 1": lambda t, x: t.round(x, decimals=1),
    "nan_to_num 1, 2, 3": lambda t, x: t.nan_to_num(x, 1.0, 2.0, 3.0),
    "logit 0.1": lambda t, x: t.logit(x, 0.1),
    "igamma 1.5": lambda t, x: t.igamma(t.full_like(x.detach(), 1.5), x),
    "igammac 1.5": lambda t, x: t.igammac(t.full_like(x.detach(), 1.5), x),
    "polygamma 1": lambda t, x: t.polygamma(1, x),
    **{f"x ** {n}": lambda t, x, n=n: x**n for n in (-3, -2, -1, -0.5, 0, 0.5, 1, 1.5, 2, 3, 4, 5, 6)},
    **{f"{n} ** x": lambda t, x, n=n: n**x for n in (-2, -1.5, 0, 1, 2, 2.5)},
    **{f"x // {n}": lambda t, x, n=n: x // n for n in (-2, 3, 0.7)},
    **{f"x % {n}": lambda t, x, n=n: x % n for n in (-2, 3, 0.7)},
    **{f"{n} - x": lambda t, x, n=n: n - x for n in (-2, 0.1)},
    **{f"{n} / x": lambda t, x, n=n: n / x for n in (-2, 0.1)},
    **{
        f"x {name} 0.1": lambda t, x, name=name: getattr(t, name)(x, 0.1)
        for name in ("add", "mul", "div", "eq", "lt", "clamp_min")
    },
    **{
        f"x {name} 300": lambda t, x, name=name: getattr(t, name)(x, 300)
        for name in ("add", "mul", "eq", "bitwise_and")
    },
    **{name: lambda t, x, name=name: getattr(t, name)(x) for name in UNARY},
    **{f"special {name}": lambda t, x, name=name: getattr(t.special, name)(x) for name in SPECIAL},
    **{f"functional {name}": lambda t, x, name=name: getattr(t.nn.functional, name)(x) for name in FUNCTIONAL},
}
TERNARY = {
    "clamp": lambda t, a, b, c: t.clamp(a, b, c),
    "where": lambda t, a, b, c: t.where(a > 0, b, c),
    "lerp": lambda t, a, b, c: t.lerp(a, b, c),
    "addcmul": lambda t, a, b, c: t.addcmul(a, b, c, value=2),
    "addcdiv": lambda t, a, b, c: t.addcdiv(a, b, c, value=2),
    "div floor": lambda t, a, b, c: t.div(a, b, rounding_mode="floor"),
    "div trunc": lambda t, a, b, c: t.div(a, b, rounding_mode="trunc"),
    "isclose": lambda t, a, b, c: t.isclose(a, b, 0.5, 1.0, True),
}  # fmt: skip


# Where torch's result is no convention but a slip, or an accuracy that we need not share.
DIFFERENT = {
    "acosh": lambda x: x < 1,  # torch differentiates where the value is NaN
    "copysign": lambda x: ~np.isfinite(x),  # torch divides infinities
    "gelu tanh": np.isinf,
    "functional gelu": np.isinf,
    "functional hardsigmoid": np.isnan,  # torch: 0
    **dict.fromkeys(("celu", "selu", "functional elu", "functional selu", "functional celu"), np.isnan),  # torch: 1
    "functional hardswish": np.isnan,  # torch: 1
    "logit": lambda x: x == 0,  # torch forgets the sign of -0
    **dict.fromkeys(
        ("digamma", "lgamma", "polygamma 1"), lambda x: (x <= 0) | np.isinf(x)
    ),  # torch: large at the poles
    **dict.fromkeys(("pow", "float_power", "0 ** x"), lambda x: np.iscomplex(x) | (np.iscomplexobj(x) & (x == 0))),
    **dict.fromkeys(("special i1", "special i1e"), np.isnan),  # torch: 1/2
    **dict.fromkeys(("igamma 1.5", "igammac 1.5"), lambda x: x == INF),  # torch: NaN, and not 0
    "special log_ndtr": lambda x: x < -9,  # torch loses digits, and adds what is not there
    "sinc": lambda x: x == 1e-3,  # both lose digits
    **dict.fromkeys(("x ** 0.5", "x ** -0.5", "x ** 1.5"), lambda x: (x == -INF) | (x == 0)),  # torch: as pow in halves
    **dict.fromkeys(("clamp both", "clamp crossed"), lambda x: x.dtype == np.uint8),  # torch wraps negative limits
}

LOOSE = ("digamma", "polygamma 1", "functional hardsigmoid")  # torch computes these to nine digits


def outcome(lib, function, operands, dtype):
    """Value and gradients (None where there are none) in a library, or None where it refuses."""
    tensors = [lib.tensor(values, dtype=getattr(lib, dtype)) for values in operands]
    if "float" in dtype or "complex" in dtype:
        tensors = [t.requires_grad_() for t in tensors]
    try:
        with quiet(), np.errstate(all="ignore"):
            result = function(lib, *tensors)
    except (RuntimeError, TypeError, NotImplementedError):
        return None
    gradients = []
    if result.requires_grad and "NotImplemented" not in result.grad_fn.name():
        with quiet(), np.errstate(all="ignore"), suppress(NotImplementedError):
            gradients = lib.autograd.grad(result, tensors, lib.ones_like(result), allow_unused=True)
        gradients = [g if g is None else g.clone() for g in gradients]  # torch has gradients of zero without memory
    return str(result.dtype), array(result), [g if g is None else array(g) for g in gradients]


def comparable(operands, dtype, what):
    """The points of the operands where the libraries should agree."""
    arrays = [np.asarray(o, None if dtype == "bfloat16" else dtype) for o in operands]
    kept = ~np.any([np.broadcast_to(DIFFERENT[what](a), a.shape) for a in arrays], axis=0)
    return [list(itertools.compress(o, kept)) for o in operands]


def check(torch, function, operands, dtype, what):
    """Raise unless the libraries agree where torch has a result."""
    if what in DIFFERENT:
        operands = comparable(operands, dtype, what)
    want = outcome(torch, function, operands, dtype)
    if want is None:
        return
    got = outcome(pullback, function, operands, dtype)
    assert got is not None, f"{what} {dtype}: refused"
    assert got[0] == want[0], f"{what} {dtype}: dtype {got[0]}, expected {want[0]}"
    rtol = 1e-8 if dtype == "float64" and what in LOOSE else TOLERANCE.get(dtype, 2e-6)
    compare(got[1], want[1], operands, rtol, f"{what} {dtype}")
    for i, (g, w) in enumerate(zip(got[2], want[2], strict=False)):
        if g is not None and w is not None:
            compare(g, w, operands, rtol, f"{what} {dtype} gradient {i}")


def compare(got, want, operands, rtol, what):
    assert got.shape == want.shape, what
    wide = np.result_type(got.dtype, np.float64)
    with np.errstate(all="ignore"):
        same = np.isclose(got.astype(wide), want.astype(wide), rtol=rtol, atol=rtol, equal_nan=True)
    assert same.all(), f"{what}: " + "; ".join(
        f"at {[o[i] for o in operands]} {got[i]!r}, expected {want[i]!r}" for i in np.flatnonzero(~same)[:6]
    )


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", CALLS)
def test_value_and_derivative_where_they_are_conventions(name, dtype, torch):
    check(torch, CALLS[name], [DTYPES[dtype]], dtype, name)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", BINARY)
def test_value_and_derivatives_of_pairs_where_they_are_conventions(name, dtype, torch):
    values = PARTS if DTYPES[dtype] is REAL else DTYPES[dtype]
    pairs = list(zip(*itertools.product(values, repeat=2), strict=True))
    check(torch, lambda t, a, b: getattr(t, name)(a, b), [list(p) for p in pairs], dtype, name)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", TERNARY)
def test_value_and_derivatives_of_triples_where_they_are_conventions(name, dtype, torch):
    values = PARTS if DTYPES[dtype] is REAL else DTYPES[dtype][:5]
    triples = list(zip(*itertools.product(values, repeat=3), strict=True))
    check(torch, TERNARY[name], [list(p) for p in triples], dtype, name)
