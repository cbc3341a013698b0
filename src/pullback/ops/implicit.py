"""How the samples of gamma and Dirichlet distributions move with their parameters: implicit reparametrisation.

A sample ``x`` of distribution function ``F(x; a)`` keeps its place ``F`` in the distribution as the parameter changes, so
``dx/da = -F_a / p``, with the density ``p = F_x`` (Figurnov, Mohamed and Mnih, "Implicit reparameterization gradients",
2018). Here stand the derivatives of ``F`` by its parameters, of any order, relative to the density. Each one's own
derivatives are those of the next order, so that gradients of samples have gradients.
"""

from functools import cache
from math import comb

from .steps import INTERNAL
from .table import FLOATING, composite, elementwise


def density_ratio(m, n, log_derivative):
    """The derivative ``m`` times by ``a`` and ``n`` times by ``b`` of a density, over the density.

    ``log_derivative(i, j)`` are those of its logarithm. (The recurrence of the complete Bell polynomials, in two variables.)
    """
    known = cache(log_derivative)
    ratios = {(0, 0): 1}  # in a table, for a function that calls itself is a cycle, and keeps its arrays
    for i, j in [(i, j) for i in range(m + 1) for j in range(n + 1) if i or j]:
        down = (i - 1, j) if i else (0, j - 1)  # one derivative is of the logarithm: the others are shared out
        ratios[i, j] = sum(
            comb(down[0], k) * comb(down[1], h) * known(down[0] - k + (i > 0), down[1] - h + (i == 0)) * ratios[k, h]
            for k in range(down[0] + 1)
            for h in range(down[1] + 1)
        )
    return ratios[m, n]


def gamma_log_derivative(polygamma, log_x, a):
    """Derivatives by ``a`` of ``(a - 1) log x - x - lgamma(a)``, where ``polygamma(a, k)`` is that of lgamma's derivative."""
    return lambda i, j: (log_x if i == 1 else 0) - polygamma(a, i - 1)


def beta_log_derivative(polygamma, log_x, log_rest, a, b):
    """Derivatives of ``(a - 1) log x + (b - 1) log(1 - x) - lgamma(a) - lgamma(b) + lgamma(a + b)``."""

    def log_derivative(i, j):
        shared = polygamma(a + b, i + j - 1)
        if i and j:
            return shared
        log, parameter = (log_x, a) if i else (log_rest, b)
        return (log if i + j == 1 else 0) + (shared - polygamma(parameter, i + j - 1))

    return log_derivative


def gamma_ratio(xp, input, output, n):
    return density_ratio(n, 0, gamma_log_derivative(xp.polygamma, xp.log(output), input))


elementwise(
    "gamma_slope(input, output, n)",
    "The ``n``-th derivative by ``input`` of the standard gamma distribution function at ``output``, over the density.",
    derivative={
        "input": lambda xp, input, output, n, result: (
            xp.gamma_slope(input, output, n + 1) - result * gamma_ratio(xp, input, output, 1)
        ),
        "output": lambda xp, input, output, n, result: (
            gamma_ratio(xp, input, output, n) - result * ((input - 1) / output - 1)
        ),
    },
    operands=("input", "output"),
    types=FLOATING,
    real=True,
    samples=lambda t: [
        ((t(2, 3, low=low, high=high), t(3, low=0.2, high=4), n), {})
        for low, high, n in ((0.1, 0.9, 1), (1.2, 3, 1), (4, 9, 2))
    ],
    **INTERNAL,
)


def beta_ratio(xp, input, a, b, m, n):
    return density_ratio(m, n, beta_log_derivative(xp.polygamma, xp.log(input), xp.log1p(-input), a, b))


elementwise(
    "beta_slope(input, a, b, m, n)",
    "The derivative, ``m`` times by ``a`` and ``n`` times by ``b``, of the beta distribution function at ``input``, over "
    "the density.",
    derivative={
        "input": lambda xp, input, a, b, m, n, result: (
            beta_ratio(xp, input, a, b, m, n) - result * ((a - 1) / input - (b - 1) / (1 - input))
        ),
        "a": lambda xp, input, a, b, m, n, result: (
            xp.beta_slope(input, a, b, m + 1, n) - result * beta_ratio(xp, input, a, b, 1, 0)
        ),
        "b": lambda xp, input, a, b, m, n, result: (
            xp.beta_slope(input, a, b, m, n + 1) - result * beta_ratio(xp, input, a, b, 0, 1)
        ),
    },
    operands=("input", "a", "b"),
    types=FLOATING,
    real=True,
    samples=lambda t: [
        ((t(2, 3, low=0.1, high=0.9), t(3, low=low, high=high), t(3, low=low, high=high), m, n), {})
        for low, high, m, n in ((0.1, 0.9, 1, 0), (1.2, 3, 1, 0), (4, 9, 1, 1), (0.6, 2, 0, 2))
    ],
    **INTERNAL,
)

composite(
    "_standard_gamma_grad(input, output)",
    "The derivative of a sample ``output`` of the standard gamma distribution by its shape ``input``.",
    lambda xp, input, output: -xp.gamma_slope(input, output, 1),
    operands=("input", "output"),
    method=False,
    real=True,
    samples=lambda t: [((t(2, 3, low=0.2, high=5), t(3, low=0.01, high=0.05)), {})],  # where PyTorch is exact as well
)
composite(
    "_dirichlet_grad(x, alpha, total)",
    "How a component ``x`` of a Dirichlet sample moves with its concentration ``alpha``, the sum of all being ``total``; "
    "over ``1 - x``.",
    lambda xp, x, alpha, total: -xp.beta_slope(x, alpha, total - alpha, 1, 0) / (1 - x),
    method=False,
    real=True,
    samples=lambda t: [((t(2, 3, low=0.01, high=0.1), t(3, low=0.2, high=2), t(2, 3, low=2.1, high=3)), {})],
)
