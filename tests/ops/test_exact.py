"""Elementwise and reduction rules in exact-enough arithmetic: 80 digits, against differences, to 1e-25.

What finite differences of floats cannot see (a constant with a wrong last digit, a formula that cancels) shows here.
"""

import mpmath
import numpy as np
import pytest
from cases import DIFFERENTIABLE, fill, inspect_signature
from exact import ELEMENTWISE, FUNCTIONS, Exact, convert, exact, objects, precise
from mpmath import mp
from samples import interval, is_elementwise

import pullback
from pullback.interpreters import run, values
from pullback.interpreters.dual import push, read
from pullback.ops.table import TABLE, rule_names
from pullback.tape.value import Tensor

STEP, TOLERANCE = mp.mpf(10) ** -30, mp.mpf(10) ** -25
# Operations whose kernels work on the memory of floats (LAPACK, FFT, windows seen as memory), so that they have no exact
# version: these rules are linear, or are checked by the identities of their families.
FLOATS_ONLY = {
    "fractional_max_pool",
    "grid_",
    "expand",
    "flip",
    "conv",
    "max_pool",
    "_fft",
    "linalg",
    "solve",
    "cholesky",
    "lu",
    "qr",
    "svd",
    "eig",
    "ldl",
    "geqrf",
    "orgqr",
    "ormqr",
    "cofactor",
    "cdist",
    "resample",
    "upsample",
    "frexp",
    "nextafter",
    "strided",
    "grid_sampl",
    "lstsq",
}
# Elementwise operations whose value is no function of numbers: a random one, a choice of elements.
NO_FUNCTIONS = {
    "binomial",
    "covered",
    "sloped",
    "normal_of_mean",
    "normal_of_std",
    "normal_of_mean_and_std",
    "dropout_by_mask",
    "masked_fill",
    "zero",
}


def is_covered(op):
    return op.vjp and not op.lists and not op.name.endswith("_copy") and not any(map(op.name.startswith, FLOATS_ONLY))


SCANS = {"cumsum", "cumprod", "logcumsumexp", "cummax", "cummin", "prod_all"}


def is_suitable(case):
    """Whether a case is one of finite numbers, some; scans of one number are no scans."""
    is_plain = all(d == "float64" for d in case.dtypes) and all(
        leaf.size and np.isfinite(leaf).all() for leaf in case.leaves
    )
    return is_plain and (case.op.name not in SCANS or case.leaves[0].ndim > 0)


CASES = [case for case in DIFFERENTIABLE if is_covered(case.op) and is_suitable(case)]


def arguments(case, leaves):
    """The arguments of a case as rules get them, exact numbers in the place of its leaves."""
    tensors = case.tensors(pullback)
    args = [fill(a, tensors, pullback) for a in case.args]
    bound = inspect_signature(case.op).bind(*args, **{k: fill(a, tensors, pullback) for k, a in case.kwargs.items()})
    bound.apply_defaults()
    args = tuple(bound.arguments.values())
    args = case.op.prepare(*args) if case.op.prepare else args
    places = {id(t): i for i, t in enumerate(tensors)}
    found = [replaced(a, places, leaves) for a in args]
    operands = case.op.operands if case.op.broadcasts else ()
    return [
        exact(a) if n in operands and isinstance(a, float) else a for n, a in zip(case.op.params, found, strict=True)
    ]


def replaced(a, places, leaves):
    if isinstance(a, Tensor):
        return Exact(leaves[places[id(a)]])
    return type(a)([replaced(b, places, leaves) for b in a]) if isinstance(a, list) else a


def random_like(rng, array):
    return objects(convert(np.asarray(rng.uniform(0.5, 2, array.shape) * rng.choice([-1, 1], array.shape))))


def outputs(result):
    """The arrays of those outputs that have a derivative."""
    return [r.array for r in (result if isinstance(result, tuple) else (result,)) if isinstance(r, Exact)]


def inner(left, right):
    """The real inner product, of complex numbers too."""
    pairs = (zip(x.flat, y.flat, strict=True) for x, y in zip(left, right, strict=True))
    return mp.fsum(mp.re(mp.conj(a) * b) for each in pairs for a, b in each)


def differences(op, at, leaves, directions):
    """The derivative of the outputs along a direction, by a central difference."""
    ends = [
        outputs(run(op, at([objects(leaf + s * STEP * d) for leaf, d in zip(leaves, directions, strict=True)])))
        for s in (1, -1)
    ]
    return [objects((high - low) / (2 * STEP)) for high, low in zip(*ends, strict=True)]


def pulled(op, args, result, cotangents, moving):
    """Each differentiable argument's gradient, summed to its shape as the engine does."""
    several = [Exact(c) for c in cotangents]
    for name in op.diff:
        a = args[op.params.index(name)]
        if id(getattr(a, "array", None)) in moving:
            rule = op.vjp[name]
            flowing, *names = rule_names(rule)
            given = [read(op, n, args, result) for n in names]
            yield a, summed(rule(values, several if flowing == "grads" else several[0], *given).array, a.shape)


def summed(grad, shape):
    while grad.ndim > len(shape):
        grad = objects(grad.sum(0))
    for dim, n in enumerate(shape):
        if n == 1 and grad.shape[dim] != 1:
            grad = objects(grad.sum(dim, keepdims=True))
    assert grad.shape == shape
    return grad


def check(op, at, leaves, seed, moving):
    """Raise unless vjp and jvp are those of differences; ``at(leaves)`` gives the arguments, ``moving`` the leaves to
    differentiate by."""
    rng = np.random.default_rng(seed)
    args = at(leaves)
    result = run(op, args)
    directions = [objects(random_like(rng, leaf) * (i in moving)) for i, leaf in enumerate(leaves)]
    slopes = differences(op, at, leaves, directions)
    cotangents = [random_like(rng, out) for out in outputs(result)]
    along = {id(leaves[i]): directions[i] for i in moving}
    if op.vjp:
        pairs = list(pulled(op, args, result, cotangents, along))
        close(
            inner([g for _, g in pairs], [along[id(a.array)] for a, _ in pairs]),
            inner(cotangents, slopes),
            f"{op.name} vjp",
        )
    if op.jvp and not op.composite:
        tangents = [along.get(id(getattr(a, "array", None))) for a in args]
        tangents = [
            Exact(t) if n in op.diff and t is not None else None for n, t in zip(op.params, tangents, strict=True)
        ]
        moved = push(op, tangents, args, result)
        for got, want in zip(outputs(moved), slopes, strict=False):
            for a, b in zip(got.flat, want.flat, strict=True):
                close(a, b, f"{op.name} jvp")


def close(got, want, what):
    assert abs(got - want) <= TOLERANCE * (1 + abs(want)), f"{what}: {got}, expected {want}"


@pytest.mark.parametrize("case", CASES, ids=str)
def test_rules_are_exact_at_their_samples(case):
    with precise():
        leaves = [objects(convert(np.asarray(leaf, float))) for leaf in case.leaves]
        check(case.op, lambda moved: arguments(case, moved), leaves, case.seed, case.diff)


DOMAINS = {"logit": (0.0, 1.0), "erfinv_slope": (-1.0, 1.0), "ndtri_slope": (0.0, 1.0)}  # where the table names none


def hard_points(op, rng):
    """Numbers near the ends of an operation's domain and near zero, and large ones; off its kinks."""
    low, high = DOMAINS.get(op.name) or interval(op)
    points = [low + (high - low) * u for u in (1e-9, 1e-3, 1 - 1e-3, 1 - 1e-9)] + list(rng.uniform(low, high, 4))
    if low < 0 < high:
        points += [1e-12, -1e-12, 3e-5, -3e-5]
    if op.name not in DOMAINS:
        domain = op.domain or (-np.inf, np.inf)
        points += [17.3] * (domain[1] == np.inf) + [-17.3] * (domain[0] == -np.inf)
    return np.asarray(points)


COMPLEX_ONLY = {"real", "imag", "conj", "conj_physical", "angle"}
UNARY = [
    op
    for op in TABLE.values()
    if op.name in FUNCTIONS.keys() - COMPLEX_ONLY
    and op.vjp
    and op.name != "clamp"
    and len(op.params) - len(op.defaults) == 1
]


@pytest.mark.parametrize("op", UNARY, ids=lambda op: op.name)
def test_rules_are_exact_near_the_ends_of_the_domain_and_near_zero(op):
    with precise():
        leaf = objects(convert(hard_points(op, np.random.default_rng(len(op.name)))))
        check(op, lambda moved: [Exact(moved[0]), *op.defaults.values()], [leaf], 1, [0])


BRANCHES = [
    "sqrt",
    "log",
    "log2",
    "log10",
    "log1p",
    "asin",
    "acos",
    "atan",
    "asinh",
    "acosh",
    "atanh",
    "pow",
    "tan",
    "tanh",
]


@pytest.mark.parametrize("name", BRANCHES)
def test_complex_rules_are_exact_beside_branch_cuts_and_poles(name):
    """Holomorphic functions: the conjugate of the vjp is the derivative; along the cuts from both sides."""
    op = TABLE[name]
    with precise():
        points = [mp.mpc(x, y) for x in (-2.5, -0.7, 0.4, 1.8) for y in (1e-9, -1e-9, 0.6, -1.4)]
        z = objects(np.array(points, object))
        rest = [mp.mpc(0.3, 1.1)] if name == "pow" else []
        result = run(op, [Exact(z), *map(number_of, rest)])
        one = Exact(objects(np.array([mp.mpc(1)] * len(points), object)))
        args = [Exact(z), *map(number_of, rest)]
        found = op.vjp["input"](values, one, *[read(op, n, args, result) for n in rule_names(op.vjp["input"])[1:]])
        ends = [run(op, [Exact(z + s * STEP), *map(number_of, rest)]).array for s in (1, -1)]
        for got, want in zip(found.array.flat, ((ends[0] - ends[1]) / (2 * STEP)).flat, strict=True):
            close(mp.conj(got), want, f"{name} at a complex number")


def number_of(x):
    return Exact(objects(np.array([x], object)))


def test_every_elementwise_operation_is_covered():
    known = FUNCTIONS.keys() | ELEMENTWISE.keys() | NO_FUNCTIONS
    missing = [
        n
        for n, op in TABLE.items()
        if is_elementwise(op) and is_covered(op) and n not in known and op.batch == "elementwise"
    ]
    assert not missing, f"give these their mpmath function in tests/ops/exact.py: {missing}"


def test_the_check_sees_a_wrong_digit():
    op = TABLE["erf"]
    with precise(), pytest.raises(AssertionError):
        close(
            mpmath.mpf(op.vjp["input"](values, exact([1.0]), exact([0.5])).array[0]) * (1 + mp.mpf(10) ** -24),
            mp.diff(mp.erf, 0.5),
            "erf",
        )
