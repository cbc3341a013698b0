"""Random numbers of distributions: PyTorch's for the same seed, and how gamma and beta samples move with their parameters."""

import numpy as np
import pytest
from scipy import special

import pullback

DTYPES = ["float32", "float64"]


def same(torch, make, rest=True):
    """Both libraries' results from one seed, and the next numbers of both streams, are equal."""
    results = []
    for T in (pullback, torch):
        T.manual_seed(5)
        results.append([make(T), T.randn(3), T.rand(1)])
    for ours, theirs in zip(*results, strict=True):
        assert str(ours.dtype) == str(theirs.dtype)
        np.testing.assert_array_equal(ours.tolist(), theirs.tolist())


FILLS = [
    ("cauchy_", ()), ("cauchy_", (0.5, 2.0)), ("log_normal_", ()), ("log_normal_", (0.3, 0.7)), ("geometric_", (0.3,)),
    ("geometric_", (0.004,)), ("exponential_", (2.5,)),
]  # fmt: skip


@pytest.mark.parametrize("dtype", [*DTYPES, "float16", "bfloat16"])
@pytest.mark.parametrize("name, args", FILLS)
@pytest.mark.parametrize("shape", [(), (0,), (3,), (4, 50)])
def test_fills_are_torchs_numbers(torch, name, args, shape, dtype):
    same(torch, lambda T: getattr(T.zeros(shape, dtype=getattr(T, dtype)), name)(*args))


@pytest.mark.parametrize("name, args", FILLS)
def test_fills_write_through_views_in_the_order_of_memory(torch, name, args):
    def write(T):
        base = T.zeros(4, 6)
        getattr(base.t()[1:], name)(*args)
        return base

    same(torch, write)


@pytest.mark.parametrize("dtype", ["int64", "uint8", "int8"])
def test_geometric_fills_integers(torch, dtype):
    same(torch, lambda T: T.zeros(20, dtype=getattr(T, dtype)).geometric_(0.2))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("shape", [0.001, 0.1, 0.9, 1.0, 2.5, 1000.0])
def test_gamma_samples_are_torchs_numbers(torch, shape, dtype):
    same(torch, lambda T: T._standard_gamma(T.full((3, 50), shape, dtype=getattr(T, dtype))))
    same(torch, lambda T: T._sample_dirichlet(T.full((20, 4), shape, dtype=getattr(T, dtype))))


@pytest.mark.parametrize("dtype", [*DTYPES, "float16", "bfloat16"])
@pytest.mark.parametrize("rate", [0.0, 0.3, 4.0, 9.75, 10.0, 300.0])
def test_poisson_counts_are_torchs_numbers(torch, rate, dtype):
    same(torch, lambda T: T.poisson(T.full((3, 50), rate, dtype=getattr(T, dtype)).t()))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("count", [0.0, 1.0, 7.0, 100.0, 1000.0, 100000.0])
def test_binomial_counts_are_torchs_numbers(torch, count, dtype):
    def draw(T):
        prob = T.tensor([-0.5, 0.0, 0.01, 0.3, 0.5, 0.6, 0.99, 1.0, 1.5, float("nan")], dtype=getattr(T, dtype))
        return T.binomial(T.full((20, 10), count, dtype=prob.dtype), prob)

    same(torch, draw)


@pytest.mark.filterwarnings("ignore:.*out of bounds")
@pytest.mark.parametrize(
    "dtype, low, high",
    [
        ("float32", 0, 2**30), ("float32", 0, 2**25), ("float32", -(2**26) - 3, 2**25 + 1), ("float16", 0, 5000),
        ("float16", -4097, 10), ("bfloat16", 0, 1000), ("float64", 0, 2**60), ("float32", -5, 5), ("int64", -(2**40), 2**40),
    ],
)  # fmt: skip
def test_integers_of_a_range_are_torchs_where_a_float_does_not_hold_its_ends(torch, dtype, low, high):
    same(torch, lambda T: T.zeros(50, dtype=getattr(T, dtype)).random_(low, high))


def test_counts_of_infinite_parameters_end():
    assert pullback.poisson(pullback.tensor([np.inf])).tolist() == [np.inf]
    assert np.isnan(pullback.binomial(pullback.tensor([np.inf]), pullback.tensor([0.5])).item())


REFUSED = [
    lambda T: T.zeros(3).cauchy_(0, 0),
    lambda T: T.zeros(3, dtype=T.int64).cauchy_(),
    lambda T: T.zeros(3).cauchy_(sigma="a"),
    lambda T: T.zeros(3).log_normal_(0, -1),
    lambda T: T.zeros(3, dtype=T.bool).log_normal_(),
    lambda T: T.zeros(3).geometric_(0),
    lambda T: T.zeros(3).geometric_(1),
    lambda T: T.zeros(3).geometric_(),
    lambda T: T.zeros(3, dtype=T.bool).geometric_(0.5),
    lambda T: T.poisson(T.zeros(3, dtype=T.int64)),
    lambda T: T.poisson(-T.ones(3)),
    lambda T: T.poisson(1.0),
    lambda T: T.binomial(T.ones(3, dtype=T.int64), T.ones(3)),
    lambda T: T.binomial(T.ones(3), T.ones(3, dtype=T.float64)),
    lambda T: T.binomial(T.ones(3, dtype=T.float16), T.ones(3, dtype=T.float16)),
    lambda T: T._standard_gamma(T.ones(3, dtype=T.int64)),
    lambda T: T._sample_dirichlet(T.ones(3, dtype=T.float16)),
    lambda T: T.func.vmap(T.poisson)(T.ones(3)),
]


@pytest.mark.parametrize("call", REFUSED)
def test_what_torch_refuses_is_refused_with_its_type(torch, call):
    with pytest.raises(Exception) as theirs:
        call(torch)
    with pytest.raises(theirs.type):
        call(pullback)


@pytest.mark.parametrize("a", [1e-3, 0.2, 0.9, 1.0, 3.7, 60.0, 1e4])
@pytest.mark.parametrize("place", [1e-3, 0.3, 0.8, 0.999])
def test_a_gamma_sample_moves_as_its_quantile(a, place):
    x, h = special.gammaincinv(a, place), 1e-4 * a
    if x < 1e-250:
        pytest.skip("the quantile is no number of float64's range")
    quantiles = [np.log(special.gammaincinv(a + step * h, place)) for step in (-2, -1, 1, 2)]
    slope = x * np.dot([1, -8, 8, -1], quantiles) / (12 * h)
    found = pullback._standard_gamma_grad(*pullback.tensor([a, x], dtype=pullback.float64))
    np.testing.assert_allclose(found.item(), slope, rtol=1e-6)


@pytest.mark.parametrize("a", [0.05, 0.9, 3.0, 80.0])
@pytest.mark.parametrize("b", [0.05, 0.7, 2.0, 500.0])
@pytest.mark.parametrize("place", [1e-2, 0.4, 0.99])
def test_a_component_of_a_dirichlet_sample_moves_as_the_beta_quantile(a, b, place):
    x, h = special.betaincinv(a, b, place), 1e-4 * a
    if not 1e-100 < x < 1 - 1e-9:
        pytest.skip("too near an end for differences of the quantile")
    quantiles = [np.log(special.betaincinv(a + step * h, b, place)) for step in (-2, -1, 1, 2)]
    slope = x * np.dot([1, -8, 8, -1], quantiles) / (12 * h)
    found = pullback._dirichlet_grad(*pullback.tensor([x, a, a + b], dtype=pullback.float64))
    np.testing.assert_allclose(found.item() * (1 - x), slope, rtol=2e-6)


def test_gradients_of_dirichlet_samples_are_torchs(torch):
    results = []
    for T in (pullback, torch):
        T.manual_seed(1)
        alpha = T.tensor([[0.3, 1.0, 3.0], [50.0, 0.1, 2.0]], dtype=T.float64, requires_grad=True)
        sample = T._sample_dirichlet(alpha) if T is pullback else T.distributions.Dirichlet(alpha).rsample()
        (sample * T.arange(6.0).reshape(2, 3)).sum().backward()
        results.append(alpha.grad.tolist())
    np.testing.assert_allclose(*results, rtol=1e-3)  # PyTorch's are approximate


@pytest.mark.parametrize("sample", [pullback._standard_gamma, pullback._sample_dirichlet])
def test_samples_have_tangents_and_second_derivatives(sample):
    alpha = pullback.tensor([[0.4, 1.5, 6.0]], dtype=pullback.float64)

    def seeded(alpha):
        pullback.manual_seed(3)
        return sample(alpha)

    tangent, cotangent = pullback.tensor([[0.3, -1.0, 2.0]]), pullback.tensor([[1.5, 0.2, -0.7]])
    _, forward = pullback.func.jvp(seeded, (alpha,), (tangent.double(),))
    _, pull = pullback.func.vjp(seeded, alpha)
    (pulled,) = pull(cotangent.double())
    np.testing.assert_allclose((forward * cotangent).sum().item(), (pulled * tangent).sum().item(), rtol=1e-9)
    fixed = seeded(alpha)
    assert pullback.autograd.gradcheck(lambda a: sample_slope(sample, a, fixed), (alpha.requires_grad_(),), atol=1e-5)


def sample_slope(sample, alpha, fixed):
    """The gradient's formula at a fixed sample, which finite differences can follow."""
    if sample is pullback._standard_gamma:
        return pullback._standard_gamma_grad(alpha, fixed)
    return pullback._dirichlet_grad(fixed, alpha, alpha.sum(-1, keepdim=True).expand(alpha.shape))
