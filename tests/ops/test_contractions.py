"""Products that run as several steps, and convolutions and pooling of random geometry: values and derivatives are torch's."""

import random

import numpy as np
import pytest
from cases import quiet

import pullback
from numeric import agree, array, noise

EQUATIONS = [
    ("ij,jk->ik", (2, 3), (3, 4)),
    ("ij,jk", (2, 3), (3, 4)),
    ("ij->ji", (2, 3)),
    ("ii->i", (3, 3)),
    ("ii", (3, 3)),
    ("ij->j", (2, 3)),
    ("i...->", (2, 3)),
    ("ijij->ij", (2, 3, 2, 3)),
    ("iij,jk->ik", (2, 2, 3), (3, 4)),
    ("i,j->ij", (2,), (3,)),
    ("ij,ij->ij", (2, 3), (2, 3)),
    ("ij,ij->", (2, 3), (2, 3)),
    ("...ij,...jk->...ik", (6, 1, 2, 3), (5, 3, 4)),
    ("b...i,ji->b...j", (2, 3, 5, 4), (6, 4)),
    ("a...b->b...", (2, 3, 4, 5)),
    ("ij,jk->ik", (2, 1), (3, 4)),
    ("ij,jk->ij", (1, 3), (3, 4)),
    ("ij,jk,kl->il", (2, 3), (3, 4), (4, 5)),
    ("abc,cd,de,ea->b", (2, 3, 4), (4, 5), (5, 2), (2, 2)),
    ("i,i,i->i", (3,), (3,), (3,)),
    ("i,->i", (3,), ()),
    ("bhqd,bhkd->bhqk", (2, 3, 4, 5), (2, 3, 6, 5)),
    ("ij,kj->ik", (2, 0), (3, 0)),
    ("ij,kj->ik", (0, 3), (2, 3)),
]
CALLS = {
    "einsum by lists": (lambda lib, x, y: lib.einsum(x, [..., 0, 1], y, [1, 2], [..., 2, 0]), (5, 2, 3), (3, 4)),
    "tensordot": (lambda lib, x, y: lib.tensordot(x, y), (2, 3, 4), (3, 4, 5)),
    "tensordot of none": (lambda lib, x, y: lib.tensordot(x, y, 0), (2,), (3,)),
    "tensordot by lists": (lambda lib, x, y: lib.tensordot(x, y, ([0, -1], [1, 0])), (2, 5, 3), (3, 2)),
    "inner": (lambda lib, x, y: lib.inner(x, y), (2, 5, 3), (4, 3)),
    "inner with a scalar": (lambda lib, x, y: lib.inner(x, y), (), (4, 3)),
    "outer": (lambda lib, x, y: lib.outer(x, y), (2,), (3,)),
    "vecdot": (lambda lib, x, y: lib.linalg.vecdot(x, y, dim=0), (2, 3), (2, 1)),
    "matrix_power 0": (lambda lib, x: lib.matrix_power(x, 0), (3, 3)),
    "matrix_power 1": (lambda lib, x: lib.matrix_power(x, 1), (3, 3)),
    "matrix_power 5": (lambda lib, x: lib.matrix_power(x, 5), (2, 3, 3)),
    "multi_dot": (lambda lib, *x: lib.linalg.multi_dot(list(x)), (3,), (3, 4), (4, 2)),
    "bilinear": (lambda lib, *x: lib.nn.functional.bilinear(*x), (2, 6, 3), (2, 6, 4), (5, 3, 4), (5,)),
    "linear with a vector": (lambda lib, x, w: lib.nn.functional.linear(x, w), (4, 2, 3), (3,)),
}
RANKS = [
    ((3,), (3,)),
    ((2, 3), (3,)),
    ((3,), (3, 2)),
    ((3,), (5, 3, 4)),
    ((2, 3), (5, 3, 4)),
    ((6, 1, 2, 3), (5, 3, 4)),
]


def agree_with_torch(torch, function, shapes, what, dtype="float64"):
    """Compare the value, the gradients and the gradients of those, for random numbers."""
    rng = np.random.default_rng(0)
    arrays = [noise(rng, np.empty(shape, dtype)) for shape in shapes]
    ours = results(pullback, function, arrays)
    with quiet():
        theirs = results(torch, function, arrays)
    for kind, got, want in zip(("value", "gradients", "second gradients"), ours, theirs, strict=True):
        for number, (g, w) in enumerate(zip(got, want, strict=True)):
            agree(g, w, f"{what} {dtype} {kind} {number}", rtol=1e-8)


def results(lib, function, arrays):
    """The value, its gradients for a random cotangent, and theirs for random weights."""
    rng = np.random.default_rng(1)
    inputs = [lib.tensor(a, requires_grad=True) for a in arrays]
    value = function(lib, *inputs)
    cotangent = lib.tensor(noise(rng, array(value)), requires_grad=True)
    first = lib.autograd.grad(value, inputs, cotangent, create_graph=True, materialize_grads=True)
    weights = [lib.tensor(noise(rng, array(g))) for g in first]
    pairs = [(g, w) for g, w in zip(first, weights, strict=True) if g.requires_grad]
    wanted = [*inputs, cotangent]
    if not pairs:
        return [array(value)], [array(g) for g in first], [np.zeros_like(array(x)) for x in wanted]
    second = lib.autograd.grad([g for g, _ in pairs], wanted, [w for _, w in pairs], materialize_grads=True)
    return [array(value)], [array(g) for g in first], [array(g) for g in second]


@pytest.mark.parametrize("dtype", ("float64", "complex128"))
@pytest.mark.parametrize("case", EQUATIONS, ids=str)
def test_einsum_is_torchs(case, dtype, torch):
    equation, *shapes = case
    agree_with_torch(torch, lambda lib, *x: lib.einsum(equation, *x), shapes, f"einsum {case}", dtype)


@pytest.mark.parametrize("name", CALLS)
def test_products_in_several_steps_are_torchs(name, torch):
    function, *shapes = CALLS[name]
    agree_with_torch(torch, function, shapes, name)


@pytest.mark.parametrize("shapes", RANKS, ids=str)
def test_matmul_of_all_ranks_is_torchs(shapes, torch):
    agree_with_torch(torch, lambda lib, x, y: lib.matmul(x, y), shapes, f"matmul {shapes}")
    agree_with_torch(torch, lambda lib, x, y: x @ y, shapes, f"{shapes[0]} @ {shapes[1]}")


def geometry(rng):
    """Random sizes of a convolution: dims, groups, kernel, stride, dilation, padding, input and channels a group."""
    n = rng.choice([1, 2, 2, 3])
    each = {
        name: tuple(rng.choice(values) for _ in range(n))
        for name, values in {
            "kernel": [1, 2, 3],
            "stride": [1, 1, 2, 3],
            "dilation": [1, 1, 2],
            "padding": [0, 1, 2],
            "size": [5, 6, 7],
        }.items()
    }
    batch = rng.choice([(), (1,), (3,)])
    return n, batch, rng.choice([1, 1, 2, 3]), rng.choice([1, 2]), rng.choice([1, 2]), each


@pytest.mark.parametrize("seed", range(40))
def test_convolutions_of_random_geometry_are_torchs(seed, torch):
    rng = random.Random(seed)
    n, batch, groups, inner, outer, each = geometry(rng)
    settings = {"stride": each["stride"], "dilation": each["dilation"], "groups": groups}
    padding = rng.choice([each["padding"], "same" if max(each["stride"]) == 1 else "valid"])
    image = (*batch, inner * groups, *each["size"])
    weight, bias = (outer * groups, inner, *each["kernel"]), (outer * groups,)

    def forward(lib, *x):
        return getattr(lib.nn.functional, f"conv{n}d")(*x, **settings, padding=padding)

    agree_with_torch(torch, forward, [image, weight, bias], f"conv{n}d {seed}")
    extra = tuple(rng.randrange(max(s, d)) for s, d in zip(each["stride"], each["dilation"], strict=True))

    def transposed(lib, *x):
        function = getattr(lib.nn.functional, f"conv_transpose{n}d")
        return function(*x, **settings, padding=each["padding"], output_padding=extra)

    weight = (inner * groups, outer, *each["kernel"])
    agree_with_torch(torch, transposed, [image, weight, bias], f"conv_transpose{n}d {seed}")


@pytest.mark.parametrize("seed", range(30))
def test_maximum_and_its_place_are_torchs_among_ties_infinities_and_nans(seed, torch):
    rng = random.Random(seed)
    kernel, stride = rng.choice([1, 2, 3, 4]), rng.choice([1, 2, 3])
    settings = {
        "padding": rng.randint(0, kernel // 2),
        "dilation": rng.choice([1, 2]),
        "ceil_mode": rng.random() < 0.5,
        "return_indices": True,
    }
    values = np.random.default_rng(seed).choice(
        [-np.inf, -1.0, 0.0, 1.0, np.nan], (2, 8, 9), p=[0.5, 0.2, 0.2, 0.08, 0.02]
    )
    found = [lib.nn.functional.max_pool2d(lib.tensor(values), kernel, stride, **settings) for lib in (pullback, torch)]
    for got, want in zip(*found, strict=True):
        agree(array(got), array(want), f"max_pool2d {kernel} {stride} {settings}", rtol=0)
