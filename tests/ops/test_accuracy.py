"""Values and gradients in float64 against mpmath's, in units in the last place, over the whole range of float64.

Four units are allowed. Where a function has zeros that float64 numbers come near to, its values there are differences of
larger terms: the error is then counted in units of ``size``, which is that of the terms (an envelope, for what oscillates).
"""

import math
from dataclasses import dataclass
from typing import Any

import mpmath as mp
import numpy as np
import pytest

import pullback

DIGITS = 50
UNITS = 4

# Sizes over the whole range, and more of them where functions change.
WIDE = [10.0**e for e in np.arange(-300, 301, 37.7)]
NARROW = [10.0**e for e in np.arange(-3, 3.01, 0.23)]
SIZES = sorted([*WIDE, *NARROW])
EITHER = [*[-x for x in reversed(SIZES)], *SIZES]


def near(*places):
    """Numbers beside others, at all distances."""
    return [place + sign * 10.0**e for place in places for e in np.arange(-15, -0.9, 1.7) for sign in (-1, 1)]


def between(low, high, count=60):
    return [float(x) for x in np.linspace(low, high, count)]


def within(low, high, points=EITHER):
    return [x for x in points if low <= x <= high]


@dataclass
class Function:
    """A function of ours, mpmath's value and derivative, and the points at which they are compared."""

    ours: Any
    value: Any
    slope: Any
    points: list
    size: Any = None  # the size that errors are relative to: those of the terms of value and slope
    units: float = UNITS


def of(name):
    return lambda t, x: getattr(t.special, name)(x)


pi, root_pi = mp.pi, mp.sqrt(mp.pi)
special = pullback.special


def density(x):
    return mp.exp(-x * x / 2) / mp.sqrt(2 * mp.pi)


def below(x):
    """The normal distribution function."""
    return mp.erfc(-x / mp.sqrt(2)) / 2


def scaled_erfc(x):
    """By the asymptotic series where mpmath's own functions underflow."""
    if x < 1e4:
        return mp.exp(x * x) * mp.erfc(x)
    return sum((-1) ** k * mp.fac2(2 * k - 1) / (2 * x * x) ** k for k in range(8)) / (x * mp.sqrt(mp.pi))


def erfcx_slope(x):
    if x < 1e4:
        return 2 * x * scaled_erfc(x) - 2 / mp.sqrt(mp.pi)
    return 2 / mp.sqrt(mp.pi) * sum((-1) ** k * mp.fac2(2 * k - 1) / (2 * x * x) ** k for k in range(1, 8))


def log_below(x):
    return mp.log(below(x)) if x < 0 else mp.log1p(-below(-x))


def inverse_below(p):
    """By Newton's method from SciPy's value."""
    from scipy.special import ndtri

    y = mp.mpf(float(ndtri(float(p))))
    for _ in range(4):
        y -= (below(y) - p) / density(y)
    return y


def inverse_erf(x):
    return inverse_below((1 + x) / 2) / mp.sqrt(2) if abs(x) > 1e-5 else root_pi / 2 * (x + mp.pi * x**3 / 12)


def envelope(order):
    """The size of Bessel's functions where they oscillate."""
    return lambda x: mp.hypot(mp.besselj(order, x), mp.bessely(order, abs(x))) if abs(x) > 1 else 0


def airy_size(x):
    return mp.hypot(mp.airyai(x), mp.airybi(x)) if x < -1 else 0


def airy_slope_size(x):
    return mp.hypot(mp.airyai(x, derivative=1), mp.airybi(x, derivative=1)) if x < 0 else 0


def sinc_slope(x):
    """The derivative of ``sin(x) / x``."""
    return -x / 3 + x**3 / 30 if abs(x) < 1e-10 else (mp.cos(x) - mp.sinc(x)) / x


FUNCTIONS = {
    "exp2": Function(of("exp2"), lambda x: mp.mpf(2) ** x, lambda x: mp.log(2) * mp.mpf(2) ** x, within(-1000, 1000)),
    "expm1": Function(
        of("expm1"), mp.expm1, mp.exp, within(-1, 700)
    ),  # the gradient is that of the result, as in torch
    "log1p": Function(of("log1p"), mp.log1p, lambda x: 1 / (1 + x), [*within(-0.99, 1e301), *near(0)]),
    "logit": Function(
        of("logit"),
        lambda x: mp.log(x) - mp.log1p(-x),
        lambda x: 1 / (x * (1 - x)),
        [*within(1e-301, 0.99), *between(0.01, 0.99), *near(0.5), *[1 - 10.0**e for e in range(-15, -1)]],
    ),
    "entr": Function(
        of("entr"),
        lambda x: -x * mp.log(x),
        lambda x: -1 - mp.log(x),
        [*SIZES, *near(1, math.exp(-1))],
        (None, lambda x: 1),
    ),
    "sigmoid": Function(of("expit"), lambda x: 1 / (1 + mp.exp(-x)), None, between(-700, 700)),
    "softplus": Function(
        lambda t, x: t.nn.functional.softplus(x, threshold=1e4),
        lambda x: mp.log1p(mp.exp(x)),
        lambda x: 1 / (1 + mp.exp(-x)),
        [*between(-700, 700), *within(-1e4, 1e4)],
    ),
    "logsigmoid": Function(
        lambda t, x: t.nn.functional.logsigmoid(x),
        lambda x: -mp.log1p(mp.exp(-x)),
        lambda x: 1 / (1 + mp.exp(x)),
        [*between(-700, 700), *within(-1e4, 1e4)],
    ),
    "sinc": Function(
        of("sinc"),
        lambda x: mp.sincpi(x),
        lambda x: mp.pi * sinc_slope(mp.pi * x),
        within(-1e15, 1e15),
        (None, lambda x: 1 / abs(x) if abs(x) > 0.5 else 0),
    ),
    "spherical_bessel_j0": Function(
        of("spherical_bessel_j0"),
        mp.sinc,
        sinc_slope,
        within(-1e15, 1e15),
        (None, lambda x: 1 / abs(x) if abs(x) > 2 else 0),
    ),
    "erf": Function(of("erf"), mp.erf, lambda x: 2 / root_pi * mp.exp(-x * x), [*within(-26, 26), *between(-26, 26)]),
    "erfc": Function(
        of("erfc"), mp.erfc, lambda x: -2 / root_pi * mp.exp(-x * x), [*within(-26, 26), *between(-26, 26)]
    ),
    "erfcx": Function(of("erfcx"), scaled_erfc, erfcx_slope, [*within(-26, 1e150), *between(-26, 26)]),
    "erfinv": Function(
        of("erfinv"),
        inverse_erf,
        lambda x: root_pi / 2 * mp.exp(inverse_erf(x) ** 2),
        [*within(-0.99, 0.99), *between(-0.99, 0.99), *[1 - 10.0**e for e in range(-15, -1)]],
    ),
    "ndtr": Function(of("ndtr"), below, density, [*within(-37, 37), *between(-37, 37)]),
    "log_ndtr": Function(
        of("log_ndtr"), log_below, lambda x: density(x) / below(x), [*within(-1e5, 37), *between(-40, 37)]
    ),
    "ndtri": Function(
        of("ndtri"),
        inverse_below,
        lambda p: 1 / density(inverse_below(p)),
        [*within(1e-300, 0.99), *between(0.01, 0.99), *[1 - 10.0**e for e in range(-15, -1)]],
    ),
    "lgamma": Function(
        of("gammaln"),
        mp.loggamma,
        mp.digamma,
        [*within(1e-300, 1e300), *between(0.05, 12), *near(1, 2)],
        (None, lambda x: 1 if 1 < x < 2 else 0),
    ),
    "digamma": Function(
        of("digamma"), mp.digamma, lambda x: mp.psi(1, x), [*SIZES, *between(0.05, 12), *near(1.4616321449683623)]
    ),
    "trigamma": Function(
        lambda t, x: t.polygamma(1, x), lambda x: mp.psi(1, x), lambda x: mp.psi(2, x), within(1e-90, 1e90)
    ),
    "polygamma 4": Function(
        lambda t, x: t.polygamma(4, x), lambda x: mp.psi(4, x), lambda x: mp.psi(5, x), within(1e-40, 1e40)
    ),
    "polygamma 200": Function(
        lambda t, x: t.polygamma(200, x),
        lambda x: mp.psi(200, x),
        lambda x: mp.psi(201, x),
        between(7, 900),
        units=4000,  # the factorial's logarithm, which is 863, is rounded
    ),
    "zeta": Function(
        lambda t, x: t.special.zeta(x, t.full_like(x, 1.25)),
        lambda s: mp.zeta(s, 1.25),
        lambda s: mp.zeta(s, 1.25, 1),
        [*between(1.001, 40), *near(1.5)],
    ),
    "bessel_j0": Function(
        of("bessel_j0"), lambda x: mp.besselj(0, x), lambda x: -mp.besselj(1, x), EITHER, (envelope(0), envelope(1))
    ),
    "bessel_j1": Function(
        of("bessel_j1"),
        lambda x: mp.besselj(1, x),
        lambda x: (mp.besselj(0, x) - mp.besselj(2, x)) / 2,
        EITHER,
        (envelope(1), envelope(0)),
    ),
    "bessel_y0": Function(
        of("bessel_y0"), lambda x: mp.bessely(0, x), lambda x: -mp.bessely(1, x), SIZES, (envelope(0), envelope(1))
    ),
    "bessel_y1": Function(
        of("bessel_y1"),
        lambda x: mp.bessely(1, x),
        lambda x: (mp.bessely(0, x) - mp.bessely(2, x)) / 2,
        within(1e-150, 1e300),
        (envelope(1), envelope(0)),
    ),
    "i0": Function(of("i0"), lambda x: mp.besseli(0, x), lambda x: mp.besseli(1, x), within(-700, 700)),
    "i1": Function(
        of("i1"), lambda x: mp.besseli(1, x), lambda x: (mp.besseli(0, x) + mp.besseli(2, x)) / 2, within(-700, 700)
    ),
    "i0e": Function(
        of("i0e"),
        lambda x: mp.besseli(0, x) * mp.exp(-abs(x)),
        lambda x: (mp.besseli(1, x) - mp.sign(x) * mp.besseli(0, x)) * mp.exp(-abs(x)),
        within(-1e4, 1e4),
        (None, lambda x: mp.besseli(0, x) * mp.exp(-abs(x))),
    ),
    "i1e": Function(
        of("i1e"),
        lambda x: mp.besseli(1, x) * mp.exp(-abs(x)),
        lambda x: ((mp.besseli(0, x) + mp.besseli(2, x)) / 2 - mp.sign(x) * mp.besseli(1, x)) * mp.exp(-abs(x)),
        within(-1e4, 1e4),
        (None, lambda x: mp.besseli(0, x) * mp.exp(-abs(x))),
    ),
    "modified_bessel_k0": Function(
        of("modified_bessel_k0"), lambda x: mp.besselk(0, x), lambda x: -mp.besselk(1, x), within(1e-300, 700)
    ),
    "modified_bessel_k1": Function(
        of("modified_bessel_k1"),
        lambda x: mp.besselk(1, x),
        lambda x: -(mp.besselk(0, x) + mp.besselk(2, x)) / 2,
        within(1e-150, 700),
    ),
    "scaled_modified_bessel_k0": Function(
        of("scaled_modified_bessel_k0"),
        lambda x: mp.besselk(0, x) * mp.exp(x),
        lambda x: (mp.besselk(0, x) - mp.besselk(1, x)) * mp.exp(x),
        within(1e-300, 1e4),
        (None, lambda x: mp.besselk(1, x) * mp.exp(x)),
    ),
    "scaled_modified_bessel_k1": Function(
        of("scaled_modified_bessel_k1"),
        lambda x: mp.besselk(1, x) * mp.exp(x),
        lambda x: (mp.besselk(1, x) - (mp.besselk(0, x) + mp.besselk(2, x)) / 2) * mp.exp(x),
        within(1e-150, 1e4),
        (None, lambda x: mp.besselk(1, x) * mp.exp(x)),
    ),
    "airy_ai": Function(
        of("airy_ai"),
        mp.airyai,
        lambda x: mp.airyai(x, derivative=1),
        [*within(-1e9, 100), *between(-30, 100)],
        (airy_size, airy_slope_size),
        units=5,  # of SciPy's, and of the exponential that they are scaled by
    ),
}


def to_more_digits(reference):
    """A function of mpmath's that is right to so many digits absolutely, but small."""

    def precise(*args):
        with mp.workdps(3 * DIGITS):
            return reference(*args)

    return precise


# Functions of two numbers, at pairs of them: the derivative is that by the first, or by the second where it says so.
PAIRS = {
    "logaddexp": Function(
        lambda t, x, y: t.logaddexp(x, y),
        lambda x, y: max(x, y) + mp.log1p(mp.exp(-abs(x - y))),
        (lambda x, y: 1 / (1 + mp.exp(y - x)), lambda x, y: 1 / (1 + mp.exp(x - y))),
        [(x, y) for x in (-40.0, -1.5, 0.0, 3.0, 600.0) for y in (-600.0, -37.0, -1.0, 0.0, 2.5, 40.0)],
    ),
    "logaddexp2": Function(
        lambda t, x, y: t.logaddexp2(x, y),
        lambda x, y: max(x, y) + mp.log1p(mp.mpf(2) ** -abs(x - y)) / mp.log(2),
        (lambda x, y: 1 / (1 + mp.mpf(2) ** (y - x)), lambda x, y: 1 / (1 + mp.mpf(2) ** (x - y))),
        [(x, y) for x in (-40.0, -1.5, 0.0, 3.0, 700.0) for y in (-20.0, -1.0, 0.0, 2.5, 40.0)],
    ),
    "xlogy": Function(
        lambda t, x, y: t.xlogy(x, y),
        lambda x, y: x * mp.log(y),
        (lambda x, y: mp.log(y), lambda x, y: x / y),
        [(x, y) for x in (-3.5, 1e-200, 0.7, 1e100) for y in (*SIZES, *near(1))],
    ),
    "xlog1py": Function(
        lambda t, x, y: t.special.xlog1py(x, y),
        lambda x, y: x * mp.log1p(y),
        (lambda x, y: mp.log1p(y), lambda x, y: x / (1 + y)),
        [(x, y) for x in (-3.5, 1e-200, 0.7, 1e100) for y in (*SIZES, *within(-0.99, 0))],
    ),
    "zeta": Function(
        lambda t, x, y: t.special.zeta(x, y),
        to_more_digits(lambda s, q: mp.zeta(s, q)),
        (to_more_digits(lambda s, q: mp.zeta(s, q, 1)), to_more_digits(lambda s, q: -s * mp.zeta(s + 1, q))),
        [(s, q) for s in (1.001, 1.5, 2.0, 7.25, 30.0) for q in (0.01, 0.3, 1.0, 2.5, 40.0, 1e4)],
    ),
    "igamma": Function(
        lambda t, a, x: t.igamma(a, x),
        lambda a, x: mp.gammainc(a, 0, x, regularized=True),
        (
            to_more_digits(lambda a, x: mp.diff(lambda b: mp.gammainc(b, 0, x, regularized=True), a)),
            lambda a, x: mp.exp((a - 1) * mp.log(x) - x - mp.loggamma(a)),
        ),
        [(a, a * r) for a in (0.05, 0.7, 1.0, 3.5, 12.0, 80.0) for r in (0.1, 0.5, 0.97, 1.0, 1.2, 2.0, 5.0)],
        units=512,  # the exponent of the density is rounded: SciPy's values, and derivatives in the tails
    ),
    "igammac": Function(
        lambda t, a, x: t.igammac(a, x),
        lambda a, x: mp.gammainc(a, x, mp.inf, regularized=True),
        (None, lambda a, x: -mp.exp((a - 1) * mp.log(x) - x - mp.loggamma(a))),
        [(a, a * r) for a in (0.05, 0.7, 1.0, 3.5, 12.0, 80.0) for r in (0.1, 0.5, 0.97, 1.0, 1.2, 2.0, 5.0)],
        units=512,
    ),
}


def errors(got, want, sizes):
    """Errors in units in the last place of the true values, or of their sizes where these are larger."""
    found = []
    for g, w, s in zip(got, want, sizes, strict=True):
        scale = max(abs(w), abs(s), mp.mpf(2) ** -1022)
        if scale > np.finfo(float).max:
            found.append(0.0 if math.isinf(g) else math.inf)
        else:
            found.append(
                float(abs(mp.mpf(float(g)) - w) / float(np.spacing(float(scale)))) if math.isfinite(g) else math.inf
            )
    return np.array(found)


def judge(name, what, function, points, got, reference, size=None):
    exact = [[mp.mpf(float(x)) for x in np.atleast_1d(point)] for point in points]
    want = [reference(*point) for point in exact]
    sizes = [size(*point) if size else 0 for point in exact]
    found = errors(got, want, sizes)
    worst = np.argsort(-np.nan_to_num(found, posinf=1e99))[:4]
    assert found.max() <= function.units, f"{name}, {what}: " + "; ".join(
        f"{found[i]:.3g} units at {points[i]!r}: {got[i]!r}, not {mp.nstr(want[i], 18)}"
        for i in worst
        if found[i] > function.units
    )


@pytest.mark.parametrize("name", FUNCTIONS)
def test_value_and_gradient_are_within_four_units_of_the_truth(name):
    function = FUNCTIONS[name]
    points = sorted(set(function.points))
    x = pullback.tensor(points, dtype=pullback.float64, requires_grad=True)
    value = function.ours(pullback, x)
    value_size, slope_size = function.size or (None, None)
    with mp.workdps(DIGITS):
        judge(name, "value", function, points, value.detach().numpy(), function.value, value_size)
        if function.slope is not None:
            (slope,) = pullback.autograd.grad(value.sum(), x)
            judge(name, "gradient", function, points, slope.numpy(), function.slope, slope_size)


@pytest.mark.parametrize("name", PAIRS)
def test_values_and_gradients_of_pairs_are_within_the_units_allowed(name):
    function = PAIRS[name]
    columns = [
        pullback.tensor(c, dtype=pullback.float64, requires_grad=True) for c in zip(*function.points, strict=True)
    ]
    value = function.ours(pullback, *columns)
    gradients = pullback.autograd.grad(value.sum(), columns)
    with mp.workdps(DIGITS):
        judge(name, "value", function, function.points, value.detach().numpy(), function.value)
        for number, (gradient, slope) in enumerate(zip(gradients, function.slope, strict=True)):
            if slope is not None:
                judge(name, f"gradient {number}", function, function.points, gradient.numpy(), slope)


ROWS = [[0.0, -40.0, -3.0], [0.0, -750.0, -750.0], [5.0, 4.0, 3.0], [1000.0, 1000.0, 998.0], [-1e5, -1e5, -1e5 - 36]]


def sum_of_exponentials(row):
    """The logarithm, with the largest taken out, and its gradient."""
    top = max(row)
    rest = mp.fsum(mp.exp(x - top) for x in row) - 1
    return top + mp.log1p(rest), [mp.exp(x - top) / (1 + rest) for x in row]


@pytest.mark.parametrize("row", ROWS, ids=str)
def test_sums_of_exponentials_keep_what_is_tiny_beside_the_largest(row):
    x = pullback.tensor(row, dtype=pullback.float64, requires_grad=True)
    function = Function(None, None, None, row)
    with mp.workdps(DIGITS):
        total, shares = sum_of_exponentials([mp.mpf(v) for v in row])
        for ours in (pullback.logsumexp(x, 0), pullback.logcumsumexp(x, 0)[-1]):
            judge("logsumexp", str(row), function, [0.0], ours.detach().numpy().reshape(1), lambda _: total)
        (gradient,) = pullback.autograd.grad(pullback.logsumexp(x, 0), x)
        judge("logsumexp", "gradient", function, range(3), gradient.numpy(), lambda i: shares[int(i)])
        logs = pullback.log_softmax(x, 0)
        judge(
            "log_softmax",
            str(row),
            function,
            range(3),
            logs.detach().numpy(),
            lambda i: mp.mpf(row[int(i)]) - total,
            lambda i: abs(row[int(i)] - max(row)),
        )
        (gradient,) = pullback.autograd.grad(logs[1], x)  # the gradient of what is not the largest, at the largest
        judge("log_softmax", "gradient", function, [0], -gradient.numpy()[:1], lambda _: shares[0])


POLYNOMIALS = {
    "chebyshev_polynomial_t": mp.chebyt,
    "chebyshev_polynomial_u": mp.chebyu,
    "hermite_polynomial_h": mp.hermite,
    "laguerre_polynomial_l": lambda n, x, **options: mp.laguerre(n, 0, x, **options),
    "legendre_polynomial_p": mp.legendre,
}


@pytest.mark.parametrize("name", POLYNOMIALS)
def test_orthogonal_polynomials_are_those_of_mpmath(name):
    """The recurrence rounds in each step: errors are counted in units of the largest value on the way."""
    points = [(n, x) for n in (0, 1, 2, 5, 17, 30) for x in (-1.0, -0.7, -1e-9, 0.0, 0.3, 1.0, 1.25, 3.0)]
    x = pullback.tensor([p[1] for p in points], dtype=pullback.float64, requires_grad=True)
    n = pullback.tensor([p[0] for p in points])
    value = getattr(special, name)(x, n)
    (slope,) = pullback.autograd.grad(value.sum(), x)
    function, reference = Function(None, None, None, points, units=64), POLYNOMIALS[name]

    def reference_of(n, x):
        return reference(int(n), x, zeroprec=500)

    def derivative(n, x):
        return mp.diff(lambda y: reference_of(n, y), x) if n else mp.mpf(0)

    def largest_of(f):
        return lambda n, x: max(abs(f(k, x)) for k in range(int(n) + 1))

    with mp.workdps(DIGITS):
        judge(name, "value", function, points, value.detach().numpy(), reference_of, largest_of(reference_of))
        judge(name, "gradient", function, points, slope.numpy(), derivative, largest_of(derivative))
