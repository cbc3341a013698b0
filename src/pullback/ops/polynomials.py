"""Orthogonal polynomials: each family is a recurrence of three terms, which its kernel runs, and so are its derivatives."""

from .complex_numbers import HIDDEN
from .table import FLOATING, elementwise


def degrees(*rest, low=-1.5, high=1.5):
    """Sample calls with degrees as tensors, which broadcast, and as numbers; those below zero give zero."""

    def samples(t):
        return [
            ((t(2, 3, low=low, high=high), t.integers(0, 8, 3), *rest), {}),
            ((t(3, low=low, high=high), t.integers(-1, 12, 2, 1, dtype="float64"), *rest), {}),
            *[((t(4, low=low, high=high), n, *rest), {}) for n in (0, 1, 5)],
            ((t(low=low, high=high), t.integers(3, 4), *rest), {}),
            ((t(2, 0), t.integers(0, 3, 1), *rest), {}),
        ]

    return samples


def polynomial(name, words, family):
    """Declare one family; its derivative of every order is an operation of its own, without torch's name."""
    elementwise(
        f"{name}(x, n)",
        f"The {words} of degree ``n``, at each element of ``x``; zero for a negative degree.",
        derivative=lambda xp, x, n: xp.polynomial(x, n, family, 1),
        types=FLOATING,
        real=True,
        method=False,
        homes=("special",),
        out=True,
        samples=lambda t: [*degrees()(t), ((0.3, t.integers(0, 8, 3, dtype="float64")), {})],
    )


elementwise(
    "polynomial(input, n, family, order)",
    "The derivative of some order of the orthogonal polynomial of a family and of degree ``n``.",
    derivative=lambda xp, input, n, family, order: xp.polynomial(input, n, family, order + 1),
    operands=("input", "n"),
    types=FLOATING,
    real=True,
    samples=lambda t: [call for family in ("t", "shifted w", "he", "l", "p") for call in degrees(family, 2)(t)[:3]],
    **HIDDEN,
)
for kind, which in (("t", "first"), ("u", "second"), ("v", "third"), ("w", "fourth")):
    polynomial(f"chebyshev_polynomial_{kind}", f"Chebyshev polynomial of the {which} kind", kind)
    words = f"Chebyshev polynomial of the {which} kind of ``2 * x - 1``"
    polynomial(f"shifted_chebyshev_polynomial_{kind}", words, f"shifted {kind}")
polynomial("hermite_polynomial_h", "physicists' Hermite polynomial", "h")
polynomial("hermite_polynomial_he", "probabilists' Hermite polynomial", "he")
polynomial("laguerre_polynomial_l", "Laguerre polynomial", "l")
polynomial("legendre_polynomial_p", "Legendre polynomial", "p")
