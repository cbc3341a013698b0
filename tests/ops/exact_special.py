"""The special functions for the exact interpreter (``exact.py``), by mpmath, or from their definitions."""

from mpmath import mp


def moment(x, n):
    """``2 / sqrt(π)`` times the integral of ``t**n * exp(-t**2 - 2xt)`` over positive t, by parts."""
    below, found = mp.exp(x * x) * mp.erfc(x), 1 / mp.sqrt(mp.pi) - x * mp.exp(x * x) * mp.erfc(x)
    if n == 0:
        return below
    for k in range(1, int(n)):
        below, found = found, mp.mpf(k) / 2 * below - x * found
    return found


def ndtr(x):
    return mp.erfc(-x / mp.sqrt(2)) / 2


def ndtri(p):
    return mp.sqrt(2) * mp.erfinv(2 * p - 1)


def gamma_slope(a, x, n):
    density = x ** (a - 1) * mp.exp(-x) / mp.gamma(a)
    return mp.diff(lambda t: mp.gammainc(t, 0, x, regularized=True), a, int(n)) / density


def beta_slope(x, a, b, m, n):
    density = x ** (a - 1) * (1 - x) ** (b - 1) / mp.beta(a, b)
    return mp.diff(lambda s, t: mp.betainc(s, t, 0, x, regularized=True), (a, b), (int(m), int(n))) / density


def slope_of(function, x, order):
    return mp.diff(function, x, int(order)) if order else function(x)


def gamma_density(a, x, order=0):
    return slope_of(lambda s: mp.power(x, s - 1) * mp.exp(-x) * mp.rgamma(s), a, order)


def igamma(a, x, order=0):
    return slope_of(lambda s: mp.gammainc(s, 0, x, regularized=True), a, order)


BESSEL = {
    "j": mp.besselj,
    "y": mp.bessely,
    "i": mp.besseli,
    "k": mp.besselk,
    "scaled i": lambda order, x: mp.exp(-abs(x)) * mp.besseli(order, x),
    "scaled k": lambda order, x: mp.exp(x) * mp.besselk(order, x),
}
PLACES = {
    "bessel_j": "j", "bessel_y": "y", "modified_bessel_i": "i", "modified_bessel_k": "k", "i": "i",
    "scaled_modified_bessel_k": "scaled k",
}  # fmt: skip

POLYNOMIALS = {
    "t": mp.chebyt,
    "u": mp.chebyu,
    "v": lambda n, x: mp.chebyu(n, x) - (mp.chebyu(n - 1, x) if n else 0),
    "w": lambda n, x: mp.chebyu(n, x) + (mp.chebyu(n - 1, x) if n else 0),
    "h": mp.hermite,
    "he": lambda n, x: mp.hermite(n, x / mp.sqrt(2)) / mp.sqrt(2) ** n,
    "l": lambda n, x: mp.laguerre(n, 0, x),
    "p": mp.legendre,
}
NAMES = {
    "hermite_polynomial_h": "h",
    "hermite_polynomial_he": "he",
    "laguerre_polynomial_l": "l",
    "legendre_polynomial_p": "p",
}
NAMES |= {f"chebyshev_polynomial_{kind}": kind for kind in "tuvw"}
NAMES |= {f"shifted_chebyshev_polynomial_{kind}": f"shifted {kind}" for kind in "tuvw"}


def polynomial(x, n, family, order=0):
    if n < 0:
        return mp.mpf(0)
    *shifted, kind = family.split()
    function = POLYNOMIALS[kind]
    return slope_of((lambda t: function(int(n), 2 * t - 1)) if shifted else lambda t: function(int(n), t), x, order)


FUNCTIONS = {
    "gamma_slope": gamma_slope, "beta_slope": beta_slope,
    "exp_square": lambda x, scale: mp.exp(scale * x * x), "erfcx": lambda x: moment(x, 0), "erfcx_moment": moment,
    "erfinv_slope": lambda x: mp.sqrt(mp.pi) / 2 * mp.exp(mp.erfinv(x) ** 2), "ndtr": ndtr, "ndtri": ndtri,
    "log_ndtr": lambda x: mp.log(ndtr(x)), "hazard": lambda x: mp.npdf(x) / ndtr(x), "ndtri_slope": lambda p: 1 / mp.npdf(ndtri(p)),
    "xlog1py": lambda x, y: x * mp.log1p(y), "entr": lambda x: -x * mp.log(x), "spherical_bessel_j0": mp.sinc,
    "sinc_slope": lambda x, order, unit: slope_of(lambda t: mp.sinc(unit * t), x, order),
    "bessel": lambda x, family, order: BESSEL[family](int(order), x), "airy_ai": mp.airyai,
    "airy_slope": lambda x: mp.airyai(x, derivative=1), "ldexp": lambda x, n: x * mp.power(2, n),
    "heaviside": lambda x, values: mp.mpf(x > 0), "zeta": mp.zeta, "zeta_slope": lambda s, a, order: mp.zeta(s, a, int(order)),
    "mvlgamma": lambda x, p: mp.fsum(mp.loggamma(x - mp.mpf(j) / 2) for j in range(int(p))) + p * (p - 1) * mp.log(mp.pi) / 4,
    "polynomial": polynomial, "i0e": lambda x: BESSEL["scaled i"](0, x), "i1e": lambda x: BESSEL["scaled i"](1, x),
    "igamma": igamma, "igamma_slope": igamma, "gamma_density": gamma_density, "igammac": lambda a, x: mp.gammainc(a, x, regularized=True),
}  # fmt: skip
FUNCTIONS |= {
    f"{name}{order}": lambda x, family=family, order=order: BESSEL[family](order, x)
    for name, family in PLACES.items()
    for order in (0, 1)
}
FUNCTIONS |= {name: lambda x, n, family=family: polynomial(x, n, family) for name, family in NAMES.items()}
