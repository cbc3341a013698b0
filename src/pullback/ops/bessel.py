"""Bessel's functions of orders zero and one, with their derivatives of every order, and Airy's function.

The derivative of a Bessel function is made of its neighbours of order one less and one more (Abramowitz and Stegun, 9.1.27
and 9.6.26). Those of orders above one are operations that users do not see.
"""

from .complex_numbers import HIDDEN
from .elementwise import function
from .special import SPECIAL
from .table import FLOATING, elementwise, rule_names

# Of each family: the derivative of order n is a * f(n - 1) + b * f(n + 1) + c * f(n) (c by the sign of the input for the
# scaled function of the first kind, which is even or odd), and f(-1) is s * f(1).
FAMILIES = {
    "j": (0.5, -0.5, 0, -1),
    "y": (0.5, -0.5, 0, -1),
    "i": (0.5, 0.5, 0, 1),
    "k": (-0.5, -0.5, 0, 1),
    "scaled i": (0.5, 0.5, -1, 1),
    "scaled k": (-0.5, -0.5, 1, 1),
}


def slope(xp, input, family, order):
    """The derivative of a Bessel function."""
    a, b, c, s = FAMILIES[family]
    above = xp.bessel(input, family, order + 1)
    total = b * above + (a * xp.bessel(input, family, order - 1) if order else a * s * above)
    if not c:
        return total
    same = xp.bessel(input, family, order)
    return total + (c * xp.sign(input) * same if family == "scaled i" else c * same)


elementwise(
    "bessel(input, family, order)",
    "The Bessel function of some family, such as ``'j'`` or ``'scaled i'``, and of some order.",
    derivative=lambda xp, input, family, order: slope(xp, input, family, order),
    operands=("input",),
    types=FLOATING,
    real=True,
    samples=lambda t: [
        ((t(2, 3, low=low, high=6), family, order), {})
        for order in (0, 1, 2, 5)
        for family, low in (("j", -6), ("y", 0.3), ("i", -6), ("k", 0.3), ("scaled i", -6), ("scaled k", 0.3))
    ],
    **HIDDEN,
)


def of_input(derivative):
    return derivative


def of_x(derivative):
    """A derivative that reads torch's other name of the input."""
    return lambda xp, x: derivative(xp, x)


def bessel(name, doc, family, order, domain, of_input=of_input, **fields):
    derivative = of_input(lambda xp, input: slope(xp, input, family, order))
    (parameter,) = rule_names(derivative)
    doc = f"The {doc} of order {('zero', 'one')[order]}."
    function(f"{name}({parameter})", doc, derivative, domain, **(SPECIAL | fields))


EVERYWHERE, RIGHT = (-3, 3), (0.3, 3)  # torch has less than nine digits of J and Y beyond
FIRST, SECOND = "Bessel function of the first kind", "Bessel function of the second kind"
MODIFIED = "modified Bessel function of the"
for order in (0, 1):
    bessel(f"bessel_j{order}", FIRST, "j", order, EVERYWHERE)
    bessel(f"bessel_y{order}", f"{SECOND}, for positive numbers,", "y", order, RIGHT)
    bessel(f"modified_bessel_i{order}", f"{MODIFIED} first kind", "i", order, EVERYWHERE)
    bessel(f"modified_bessel_k{order}", f"{MODIFIED} second kind", "k", order, RIGHT)
    scaled = f"{MODIFIED} second kind, times ``exp(x)``,"
    bessel(f"scaled_modified_bessel_k{order}", scaled, "scaled k", order, RIGHT, of_x)
    scaled = f"{MODIFIED} first kind, times ``exp(-abs(input))``,"
    bessel(f"i{order}e", scaled, "scaled i", order, EVERYWHERE, node=f"SpecialI{order}EBackward0")
I0 = {"homes": ("torch", "special"), "method": True, "inplace": True}
bessel("i0", f"{MODIFIED} first kind", "i", 0, EVERYWHERE, **I0)
bessel("i1", f"{MODIFIED} first kind", "i", 1, EVERYWHERE, node="SpecialI1Backward0")

function(
    "airy_ai(x)",
    "The Airy function ``Ai``, which solves ``f'' = x f`` and falls off to the right.",
    lambda xp, x: xp.airy_slope(x),
    (-2, 4),  # torch has seven digits to the left
    **SPECIAL,
)
elementwise(
    "airy_slope(input)",
    "The derivative of the Airy function.",
    derivative=lambda xp, input: input * xp.airy_ai(input),
    types=FLOATING,
    real=True,
    domain=EVERYWHERE,
    **HIDDEN,
)
