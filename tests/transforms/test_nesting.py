"""Derivative operators nested in any order, and under vmap, against derivatives in closed form."""

import itertools
import random

import numpy as np
import pytest

import pullback
from numeric import agree
from pullback.autograd import forward_ad
from pullback.func import grad, jacfwd, jacobian, jacrev, jvp, linearize, vjp, vmap

ONE = np.float64(1.0)


def one():
    return pullback.tensor(ONE)


def by_dual_level(f):
    def derivative(a):
        with forward_ad.dual_level():
            tangent = forward_ad.unpack_dual(f(forward_ad.make_dual(a, one()))).tangent
            return pullback.zeros_like(a) if tangent is None else tangent

    return derivative


def by_tape(f):
    def derivative(a):
        b = a if a.requires_grad else a.detach().requires_grad_()
        with pullback.enable_grad():
            return pullback.autograd.grad(f(b), b, create_graph=True, materialize_grads=True)[0]

    return derivative


OPERATORS = {
    "grad": grad,
    "jvp": lambda f: lambda a: jvp(f, (a,), (one(),))[1],
    "vjp": lambda f: lambda a: vjp(f, a)[1](one())[0],
    "linearize": lambda f: lambda a: linearize(f, a)[1](one()),
    "jacrev": jacrev,
    "jacfwd": jacfwd,
    "jacobian": jacobian,
    "dual level": by_dual_level,
}


def smooth(a):
    """sin 2a + a⁵, and its k-th derivative below."""
    return pullback.sin(2 * a) + a**5


def written(a):
    """The same, by writes through a view."""
    y = pullback.zeros(3, dtype=pullback.float64)
    y[0] = 2 * a
    v = y[:2]
    v[1:].add_(a)
    v[1:].pow_(5)
    v[0].sin_()
    return y.sum()


def truth(a, k):
    power = np.prod([5.0 - i for i in range(k)]) * a ** (5 - k) if k <= 5 else 0 * a
    return 2.0**k * np.sin(2 * a + k * np.pi / 2) + power


def nested(names, function):
    for name in names:
        function = OPERATORS[name](function)
    return function


@pytest.mark.parametrize("function", (smooth, written))
@pytest.mark.parametrize("names", [*itertools.product(OPERATORS, repeat=2)], ids=" of ".join)
def test_every_pair_of_operators(names, function):
    at = np.float64(0.7)
    agree(nested(names, function)(pullback.tensor(at)).numpy(), truth(at, 2), "the second derivative", rtol=1e-8)
    batch = np.array([0.7, -0.3])
    got = vmap(nested(names, function))(pullback.tensor(batch))
    agree(got.numpy(), truth(batch, 2), "the second derivatives of a batch", rtol=1e-8)


def random_nestings(count, depth):
    rng = random.Random(5)
    return [tuple(rng.choice([*OPERATORS, "vmap"]) for _ in range(depth)) for _ in range(count)]


@pytest.mark.parametrize("names", random_nestings(60, 4), ids=" of ".join)
def test_random_nestings_with_vmap_anywhere(names):
    """A vmap inside maps over three copies that differ by a factor, whose sum is taken: six times the derivative."""
    factors = pullback.tensor(np.array([1.0, 2.0, 3.0]))
    function, scale = smooth, 1.0
    for name in names:
        if name == "vmap":
            function, scale = (lambda f: lambda a: vmap(lambda c: c * f(a))(factors).sum())(function), 6 * scale
        else:
            function = OPERATORS[name](function)
    at, order = np.float64(0.7), sum(name != "vmap" for name in names)
    agree(function(pullback.tensor(at)).numpy(), scale * truth(at, order), " of ".join(names), rtol=1e-7)


@pytest.mark.parametrize("name", OPERATORS)
def test_the_tape_outside_of_every_operator_and_inside(name):
    at = np.float64(0.7)
    outside = by_tape(OPERATORS[name](smooth))(pullback.tensor(at))
    agree(outside.detach().numpy(), truth(at, 2), "backward through the operator", rtol=1e-8)
    inside = OPERATORS[name](by_tape(smooth))
    if name not in ("linearize", "jvp", "jacfwd", "dual level"):  # whose variables do not require grad, and detach
        agree(inside(pullback.tensor(at)).detach().numpy(), truth(at, 2), "the operator through backward", rtol=1e-8)
