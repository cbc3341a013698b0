"""Kernels for implicit reparametrisation: distribution functions differentiated by their parameters, over the density.

A derivative of ``F(x) = ∫ p(t) dt`` is the integral of the density's derivative, ``p(t) W(t)`` with a polynomial ``W`` in
the logarithm of ``t``, over the tail on the side of ``x`` where ``W`` (of the first order) has one sign: nothing cancels.
With ``t = x exp(±s)``, or the same in odds for the beta distribution, the integrand is ``exp(-φ(s)) W`` with a convex ``φ``,
without singularities or tails of other lengths as long as the parameter of that tail is at least one; one Gauss rule
up to where ``φ`` reaches ``DEPTH`` gives ten digits. A parameter below one is raised by one first (DLMF 8.8.5, 8.17.20, 8.17.21).
"""

from functools import cache

import numpy as np

from ...ops.implicit import beta_log_derivative, density_ratio, gamma_log_derivative
from .gamma import digamma, polygamma
from .registry import kernel

DEPTH = 40.0  # the integral is cut off where the integrand has fallen by exp(-40)
NODES = 64


@cache
def gauss_rule():
    """Nodes and weights of Gauss and Legendre's rule on [0, 1]."""
    nodes, weights = np.polynomial.legendre.leggauss(NODES)
    return list(zip((nodes + 1) / 2, weights / 2, strict=True))


def integral(exponent, slope, curvature, weight):
    """``∫ exp(-exponent(s)) weight(s) ds`` from zero; ``slope`` and ``curvature`` are the exponent's at zero."""
    reach = reach_of(exponent, slope, curvature)
    total = np.zeros_like(reach)
    for node, share in gauss_rule():
        s = reach * node
        total += share * np.exp(-exponent(s)) * weight(s)
    return total * reach


def reach_of(exponent, slope, curvature):
    """A number a little above that at which a convex exponent reaches ``DEPTH``: guessed, doubled, and shortened."""
    reach = 2 * DEPTH / (slope + np.sqrt(slope * slope + 2 * DEPTH * curvature))
    while (short := exponent(reach) < DEPTH).any():
        reach = np.where(short, 2 * reach, reach)
    for _ in range(4):
        reach = np.where(exponent(0.7 * reach) >= DEPTH, 0.7 * reach, reach)
    return reach


def on_float64(function):
    """A kernel over float64 arrays of one shape, its result in the operands' dtype."""

    def kernel_of(*args):
        arrays = np.broadcast_arrays(*[np.asarray(a) for a in args if not isinstance(a, int)])
        orders = [a for a in args if isinstance(a, int)]
        with np.errstate(all="ignore"):
            result = function(*[np.array(a, np.float64) for a in arrays], *orders)
        return result.astype(arrays[0].dtype)

    kernel_of.__name__ = function.__name__
    return kernel_of


@kernel
@on_float64
def gamma_slope(input, output, n):
    log_x = np.log(output)
    raised = (input < 1) & (log_x < digamma(input + 1))
    a = input + raised
    result = gamma_tail(a, output, log_x, n)
    edge = density_ratio(
        n, 0, gamma_log_derivative(polygamma, log_x, a)
    )  # of F(a) - F(a + 1) = x**a exp(-x) / Γ(a + 1)
    return np.where(raised, output / input * (result + edge), result)


def gamma_tail(a, x, log_x, n):
    side = np.where(log_x < digamma(a), -1.0, 1.0)
    ratio = ratio_at(n, 0, gamma_log_derivative(polygamma, 0, a))
    exponent = lambda s: x * np.expm1(side * s) - a * side * s
    return -side * x * integral(exponent, side * (x - a), x, lambda s: ratio(log_x + side * s))


def ratio_at(m, n, log_derivative):
    """``density_ratio`` as a function of the logarithms in it, from the part of the derivatives that has none."""
    known = cache(log_derivative)

    def ratio(*logs):
        return density_ratio(m, n, lambda i, j: known(i, j) + (logs[j] if i + j == 1 else 0))

    return ratio


@kernel
@on_float64
def beta_slope(input, a, b, m, n):
    logs = np.log(input), np.log1p(-input)
    if m:
        return beta_part(input, 1 - input, *logs, a, b, m, n)
    return -beta_part(1 - input, input, *logs[::-1], b, a, n, m)  # F(x; a, b) = 1 - F(1 - x; b, a)


def beta_part(x, rest, log_x, log_rest, a, b, m, n):
    raised = (a < 1) & (log_x < digamma(a + 1) - digamma(a + b))
    above = a + raised
    lifted = (b < 1) & (log_x >= digamma(above) - digamma(above + b))
    result = beta_tail(x, rest, log_x, log_rest, above, b + lifted, m, n)
    # F(a, b) = F(a, b + 1) - x**a (1 - x)**b / (b B(a, b)), and with a + 1 the same but for the sign.
    edge = density_ratio(m, n, edge_derivative(log_x, log_rest, above, b, False))
    result = np.where(lifted, rest / b * ((above + b) * result - x * edge), result)
    edge = density_ratio(m, n, edge_derivative(log_x, log_rest, a, b, True))
    return np.where(raised, x / a * ((a + b) * result + rest * edge), result)


def edge_derivative(log_x, log_rest, a, b, of_a):
    """Logarithmic derivatives of ``x**a (1 - x)**b / (a B(a, b))`` (``of_a``), or over ``b B(a, b)``."""

    def log_derivative(i, j):
        shared = polygamma(a + b, i + j - 1)
        if i and j:
            return shared
        parameter, log, raised = (a, log_x, of_a) if i else (b, log_rest, not of_a)
        return (log if i + j == 1 else 0) + (shared - polygamma(parameter + raised, i + j - 1))

    return log_derivative


def beta_tail(x, rest, log_x, log_rest, a, b, m, n):
    """Over the odds ``x exp(±s) / (1 - x)``; the exponent is that of a tail below, with all exchanged for one above."""
    below = log_x < digamma(a) - digamma(a + b)
    choose = lambda first, second: (np.where(below, first, second), np.where(below, second, first))
    (near, far), (p, q), (log_near, log_far) = choose(x, rest), choose(a, b), choose(log_x, log_rest)
    ratio = ratio_at(m, n, beta_log_derivative(polygamma, 0, 0, a, b))
    loss, gain = lambda s: np.log1p(far * np.expm1(s)), lambda s: np.log1p(near * np.expm1(-s))
    exponent = lambda s: p * loss(s) + q * gain(s)
    weight = lambda s: ratio(*choose(log_near - loss(s), log_far - gain(s)))
    found = integral(exponent, p * far - q * near, (a + b) * x * rest, weight)
    return np.where(below, 1.0, -1.0) * x * rest * found
