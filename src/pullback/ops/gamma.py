"""The gamma function's family: its logarithm and the derivatives of that, its incomplete forms, and Hurwitz's zeta function."""

from .arithmetic import WRITABLE
from .complex_numbers import HIDDEN
from .elementwise import function
from .floating import two_tensors
from .steps import times
from .table import FLOATING, elementwise, overload

REAL = {"real": True}

function(
    "lgamma(input)",
    "The logarithm of the absolute value of the gamma function.",
    lambda xp, input: xp.digamma(input),
    (0.3, 5),
    homes=("torch", "special:gammaln"),
    **REAL,
)
function(
    "digamma(input)",
    "The derivative of ``lgamma``.",
    lambda xp, input: xp.polygamma(input, 1),
    (0.3, 5),
    homes=("torch", "special", "special:psi"),
    **REAL,
)


def check_order(input, n):
    """Raise RuntimeError for a derivative of negative order."""
    if n < 0:
        raise RuntimeError(f"polygamma(n, x) does not support negative n, but got {n}")
    return input, n


polygamma = elementwise(
    "polygamma(input, n)",
    "The ``n``-th derivative of ``digamma``.",
    derivative=lambda xp, input, n: xp.polygamma(input, n + 1),
    operands=("input",),
    types=FLOATING,
    real=True,
    prepare=check_order,
    samples=lambda t: (
        [((t(2, 3, low=0.5, high=4), n), {}) for n in (0, 1, 2, 3)] + [((t(2, 0), 1), {}), ((t(3), 1), {})]
    ),
    errors=lambda t: [((t(3), -1), {}, RuntimeError)],
    **HIDDEN,
)


def in_either_order(n, input):
    """The method's tensor comes first, the function's order."""
    n, input = (n, input) if isinstance(n, int) else (input, n)
    if not isinstance(n, int):
        raise TypeError(f"polygamma(): argument 'n' must be int, not {type(n).__name__}")
    return polygamma, (input, n)


overload("polygamma(n, input)", polygamma.doc, in_either_order, out=True, homes=("torch", "special"))
overload(
    "polygamma_(input, n)",
    f"In-place form of :func:`polygamma`. {polygamma.doc}",
    lambda input, n: (polygamma, (input, n), True),
    function=False,
)


def check_dimension(input, p):
    """Raise unless the dimension of the multivariate gamma function is a positive int."""
    if type(p) is not int:
        raise TypeError(f"mvlgamma(): argument 'p' (position 2) must be int, not {type(p).__name__}")
    if p < 1:
        raise RuntimeError(f"mvlgamma: p has to be greater than or equal to 1, but got {p}")
    return input, p


elementwise(
    "mvlgamma(input, p)",
    "The logarithm of the gamma function of ``p`` dimensions: the sum of ``lgamma(input - j / 2)`` for j from 0 to p - 1, and "
    "``p (p - 1) log(π) / 4``.",
    derivative=lambda xp, input, p: sum((xp.digamma(input - j / 2) for j in range(1, p)), xp.digamma(input)),
    operands=("input",),
    types=FLOATING,
    real=True,
    prepare=check_dimension,
    samples=lambda t: [
        *[((t(*shape, low=2.2, high=6), 3), {}) for shape in ((), (2, 3), (0, 2))],
        ((t(4, low=0.3, high=3), 1), {}),
    ],
    errors=lambda t: [((t(3), 0), {}, RuntimeError), ((t(3), 1.5), {}, TypeError)],
    homes=("torch", "special:multigammaln"),
    node="MvlgammaBackward0",
    **WRITABLE,
)

# -- the zeta function -------------------------------------------------------------------------------------------------


def zeta_samples(*rest):
    """Orders above one and positive arguments that broadcast."""

    def samples(t):
        shapes = (((2, 3), (3,)), ((2, 1), (3,)), ((), ()), ((2, 0), (1,)))
        return [((t(*a, low=1.6, high=5), t(*b, low=0.3, high=4), *rest), {}) for a, b in shapes]

    return samples


elementwise(
    "zeta(input, other)",
    "Hurwitz's zeta function, the sum of ``(other + k) ** -input`` for k from 0 on; ``input`` is above 1.",
    derivative={
        "input": lambda xp, input, other: xp.zeta_slope(input, other, 1),
        "other": lambda xp, input, other: -input * xp.zeta(input + 1, other),
    },
    types=FLOATING,
    real=True,
    method=False,
    node=("SpecialZetaBackward2", "SpecialZetaBackward0", "SpecialZetaBackward1"),
    homes=("special",),
    out=True,
    samples=lambda t: [
        *zeta_samples()(t),
        ((t(2, 3, low=1.6, high=5), 1.5), {}),
        ((2.5, t(3, low=0.3, high=3)), {}),
    ],
)
elementwise(
    "zeta_slope(input, other, order)",
    "The derivative of ``zeta`` of some order with respect to ``input``.",
    derivative={
        "input": lambda xp, input, other, order: xp.zeta_slope(input, other, order + 1),
        "other": lambda xp, input, other, order: (
            -(input * xp.zeta_slope(input + 1, other, order) + order * zeta_of_order(xp, input + 1, other, order - 1))
        ),
    },
    operands=("input", "other"),
    types=FLOATING,
    real=True,
    samples=lambda t: [*zeta_samples(1)(t), *zeta_samples(2)(t)],
    **HIDDEN,
)


def zeta_of_order(xp, input, other, order):
    return xp.zeta_slope(input, other, order) if order else xp.zeta(input, other)


# -- the incomplete gamma functions ------------------------------------------------------------------------------------


def shapes_and_places(*rest):
    """Positive shapes and places that broadcast, on both sides of the middle of the distribution."""

    def samples(t):
        pairs = (((2, 3), (3,)), ((2, 1), (3,)), ((), ()), ((2, 0), (1,)))
        calls = [((t(*a, low=0.3, high=4), t(*b, low=0.3, high=4), *rest), {}) for a, b in pairs]
        return [*calls, ((t(2, 3, low=20, high=40), t(3, low=20, high=40), *rest), {})]

    return samples


def incomplete(name, other_name, doc, sign):
    elementwise(
        f"{name}(input, other)",
        f"The regularised {doc} of shape ``input`` from 0 to ``other``.",
        derivative={
            "input": lambda xp, input, other: times(xp.igamma_slope(input, other, 1), sign),
            "other": lambda xp, input, other: times(xp.gamma_density(input, other, 0), sign),
        },
        real=True,
        prepare=two_tensors(name),
        samples=shapes_and_places(),
        errors=lambda t: [
            ((t(3), 1.0), {}, TypeError),
            ((t.integers(1, 9, 3), t.integers(1, 9, 3)), {}, NotImplementedError),
        ],
        homes=("torch", f"special:{other_name}"),
        **WRITABLE,
    )


incomplete("igamma", "gammainc", "lower incomplete gamma function: the integral of the gamma density", 1)
incomplete("igammac", "gammaincc", "upper incomplete gamma function: 1 less the integral of the gamma density", -1)
elementwise(
    "igamma_slope(input, other, order)",
    "The derivative of ``igamma`` of some order with respect to ``input``.",
    derivative={
        "input": lambda xp, input, other, order: xp.igamma_slope(input, other, order + 1),
        "other": lambda xp, input, other, order: xp.gamma_density(input, other, order),
    },
    operands=("input", "other"),
    real=True,
    samples=lambda t: [*shapes_and_places(1)(t), *shapes_and_places(2)(t)],
    **HIDDEN,
)


def density_slope(xp, input, other, result, order):
    """From ``x g' = (a - 1 - x) g``, differentiated by a."""
    slope = ((input - 1) / other - 1) * result
    return slope + order / other * xp.gamma_density(input, other, order - 1) if order else slope


elementwise(
    "gamma_density(input, other, order)",
    "The derivative of some order, with respect to the shape ``input``, of the gamma density at ``other``.",
    derivative={
        "input": lambda xp, input, other, order: xp.gamma_density(input, other, order + 1),
        "other": density_slope,
    },
    operands=("input", "other"),
    real=True,
    samples=lambda t: [*shapes_and_places(0)(t), *shapes_and_places(2)(t)],
    **HIDDEN,
)
