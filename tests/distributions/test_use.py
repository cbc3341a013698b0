"""Distributions in use: what is refused, validation, function transforms, SciPy's values, and gradients by quantiles."""

import math

import numpy as np
import pytest
from samples_of_distributions import ALL, built
from scipy import special, stats

import pullback

REFUSED = [
    lambda T, D: D.Normal(0.0, -1.0),
    lambda T, D: D.Normal("a", 1.0),
    lambda T, D: D.Normal(T.zeros(2), T.ones(3)),
    lambda T, D: D.Uniform(1.0, 0.0),
    lambda T, D: D.Bernoulli(),
    lambda T, D: D.Bernoulli(0.5, 0.5),
    lambda T, D: D.Bernoulli(1.5),
    lambda T, D: D.Geometric(0.0),
    lambda T, D: D.Categorical(T.tensor(0.5)),
    lambda T, D: D.Categorical(T.tensor([-1.0, 2.0])),
    lambda T, D: D.Dirichlet(T.tensor(1.0)),
    lambda T, D: D.Multinomial(T.tensor([2]), T.ones(3)),
    lambda T, D: D.Binomial(T.tensor([3, 4]), T.tensor(0.5)).enumerate_support(),
    lambda T, D: D.MultivariateNormal(T.zeros(2)),
    lambda T, D: D.MultivariateNormal(T.tensor(0.0), T.eye(2)),
    lambda T, D: D.MultivariateNormal(T.zeros(2), T.ones(2)),
    lambda T, D: D.MultivariateNormal(T.zeros(2), -T.eye(2)),
    lambda T, D: D.LowRankMultivariateNormal(T.zeros(2), T.ones(3, 1), T.ones(2)),
    lambda T, D: D.LowRankMultivariateNormal(T.zeros(2), T.ones(2, 1), T.ones(3)),
    lambda T, D: D.Wishart(T.tensor(0.5), T.eye(2)),
    lambda T, D: D.LKJCholesky(1),
    lambda T, D: D.Independent(D.Normal(0.0, 1.0), 1),
    lambda T, D: D.MixtureSameFamily(D.Normal(0.0, 1.0), D.Normal(0.0, 1.0)),
    lambda T, D: D.MixtureSameFamily(D.Categorical(T.ones(3)), D.Normal(T.zeros(2), 1.0)),
    lambda T, D: D.TransformedDistribution(D.Normal(0.0, 1.0), 3),
    lambda T, D: D.TransformedDistribution(D.Normal(0.0, 1.0), D.StickBreakingTransform()),
    lambda T, D: D.Normal(0.0, 1.0).log_prob(3),
    lambda T, D: D.Normal(T.zeros(3), 1.0).log_prob(T.zeros(4)),
    lambda T, D: D.Dirichlet(T.ones(3)).log_prob(T.ones(4) / 4),
    lambda T, D: D.Dirichlet(T.ones(3)).log_prob(T.ones(3)),
    lambda T, D: D.Bernoulli(0.5).log_prob(T.tensor(0.3)),
    lambda T, D: D.Exponential(1.0).cdf(T.tensor(-1.0)),
    lambda T, D: D.Bernoulli(0.5).rsample(),
    lambda T, D: D.Bernoulli(0.5).cdf(T.tensor(1.0)),
    lambda T, D: D.Gamma(1.0, 1.0).icdf(T.tensor(0.5)),
    lambda T, D: D.Normal(0.0, 1.0).enumerate_support(),
    lambda T, D: D.Poisson(3.0).entropy(),
    lambda T, D: D.AffineTransform(0.0, 1.0, cache_size=2),
    lambda T, D: D.ReshapeTransform((2,), (3,)),
    lambda T, D: D.StickBreakingTransform().forward_shape(()),
]


@pytest.mark.parametrize("call", REFUSED)
def test_what_torch_refuses_is_refused_with_its_type(torch, call):
    with pytest.raises(Exception) as theirs:
        call(torch, torch.distributions)
    with pytest.raises(theirs.type) as ours:
        call(pullback, pullback.distributions)
    assert type(ours.value) is theirs.type


def test_errors_name_the_parameter_the_constraint_and_the_values():
    with pytest.raises(
        ValueError, match=r"Expected parameter scale .*to satisfy the constraint GreaterThan\(lower_bound=0.0\)"
    ):
        pullback.distributions.Normal(0.0, -1.0)
    with pytest.raises(ValueError, match=r"to be within the support \(Boolean\(\)\) of the distribution Bernoulli"):
        pullback.distributions.Bernoulli(0.5).log_prob(pullback.tensor(0.3))


def test_validation_can_be_turned_off():
    D = pullback.distributions
    assert D.Normal(0.0, -1.0, validate_args=False).scale.item() == -1
    D.Distribution.set_default_validate_args(False)
    try:
        assert D.Normal(0.0, -1.0).scale.item() == -1
    finally:
        D.Distribution.set_default_validate_args(True)
    assert D.Normal(0.0, 1.0, validate_args=False).expand([2])._validate_args is False


def test_a_subclass_with_its_own_constructor_says_how_it_expands():
    D = pullback.distributions

    class Half(D.Normal):
        def __init__(self, loc):
            super().__init__(loc, 0.5)

    assert Half(0.0).log_prob(pullback.tensor(0.0)).item() == D.Normal(0.0, 0.5).log_prob(pullback.tensor(0.0)).item()
    with pytest.raises(NotImplementedError, match=r"must also define a custom \.expand"):
        Half(0.0).expand([2])

    class Plain(D.Distribution):
        arg_constraints = {}

    with pytest.raises(NotImplementedError):
        Plain().expand([2])


def test_modules_have_torchs_names(torch):
    import pkgutil

    theirs = {m.name for m in pkgutil.iter_modules(torch.distributions.__path__)}
    missing = [name for name in sorted(theirs) if not hasattr(pullback.distributions, name)]
    assert missing == []
    assert set(torch.distributions.__all__) <= set(pullback.distributions.__all__)
    from pullback.distributions.multivariate_normal import MultivariateNormal

    assert MultivariateNormal is pullback.distributions.MultivariateNormal


SCIPY = {
    "normal": lambda: stats.norm([0.5, -1.0], [[0.3], [2.0]]),
    "laplace": lambda: stats.laplace([0.5, -1.0], [0.3, 2.0]),
    "cauchy": lambda: stats.cauchy([0.5, -1.0], [0.3, 2.0]),
    "student": lambda: stats.t([0.5, 1.5, 5.0], [0.5, -1.0, 2.0], [0.3, 2.0, 1.0]),
    "uniform": lambda: stats.uniform([-1.0, 0.5], [1.3, 1.5]),
    "pareto-general": lambda: stats.genpareto([0.3, -0.4, 0.0], [0.5, -1.0, 0.0], [0.3, 2.0, 1.0]),
    "von-mises": lambda: stats.vonmises([0.3, 5.0, 400.0], [0.5, -1.0, 2.0]),
    "exponential": lambda: stats.expon(0, [1 / 0.3, 1 / 4.0]),
    "gamma": lambda: stats.gamma([0.3, 1.0, 7.0], 0, [0.5, 2.0, 1.0]),
    "chi2": lambda: stats.chi2([0.5, 3.0, 9.0]),
    "beta": lambda: stats.beta([0.3, 1.0, 7.0], [2.0, 0.5, 1.5]),
    "fisher": lambda: stats.f([1.5, 3.0, 9.0], [0.5, 5.0, 4.5]),
    "log-normal": lambda: stats.lognorm([0.3, 1.1], 0, np.exp([0.5, -1.0])),
    "half-normal": lambda: stats.halfnorm(0, [0.3, 2.0]),
    "half-cauchy": lambda: stats.halfcauchy(0, [0.3, 2.0]),
    "inverse-gamma": lambda: stats.invgamma([0.8, 1.5, 7.0], 0, [2.0, 0.5, 1.0]),
    "gumbel": lambda: stats.gumbel_r([0.5, -1.0], [0.3, 2.0]),
    "pareto": lambda: stats.pareto([0.7, 1.5, 4.0], 0, [0.3, 2.0, 1.0]),
    "weibull": lambda: stats.weibull_min([1.7, 4.0], 0, [0.3, 2.0]),
    "bernoulli": lambda: stats.bernoulli([0.3, 0.5, 0.8]),
    "binomial": lambda: stats.binom(7, [0.3, 0.5]),
    "geometric": lambda: stats.geom([0.3, 0.5], -1),
    "negative-binomial": lambda: stats.nbinom([3.0, 7.5], [0.7, 0.5]),
    "poisson": lambda: stats.poisson([0.3, 4.0, 30.0]),
}


@pytest.mark.parametrize("name", SCIPY)
def test_densities_and_distribution_functions_are_scipys(name):
    d, _ = built(pullback, name)
    reference, value = SCIPY[name](), d.sample((50,))
    log_density = getattr(reference, "logpdf", None) if hasattr(reference.dist, "pdf") else reference.logpmf
    np.testing.assert_allclose(d.log_prob(value).numpy(), log_density(value.numpy()), rtol=1e-7, atol=1e-9)
    try:
        found = d.cdf(value).numpy()
    except NotImplementedError:
        return
    np.testing.assert_allclose(found, reference.cdf(value.numpy()), rtol=1e-7, atol=1e-12)


@pytest.mark.parametrize("name", [n for n in SCIPY if n not in ("von-mises", "student", "cauchy", "half-cauchy")])
def test_moments_and_entropies_are_scipys(name):
    d, _ = built(pullback, name)
    reference = SCIPY[name]()
    for ours, theirs in (("mean", "mean"), ("variance", "var"), ("entropy", "entropy")):
        try:
            found = getattr(d, ours)
            found = found().numpy() if ours == "entropy" else found.numpy()
        except NotImplementedError:
            continue
        wanted = getattr(reference, theirs)()
        known = np.isfinite(wanted) & np.isfinite(found)
        np.testing.assert_allclose(found[known], np.asarray(wanted)[known], rtol=1e-6, err_msg=ours)


def slope_of(quantile, at):
    h = 1e-4 * at
    return np.dot([1, -8, 8, -1], [quantile(at + k * h) for k in (-2, -1, 1, 2)]) / (12 * h)


@pytest.mark.parametrize("concentration", [0.4, 1.0, 3.0, 40.0])
def test_gamma_samples_move_as_their_quantile(concentration):
    a, rate = (pullback.tensor(v, dtype=pullback.float64, requires_grad=True) for v in (concentration, 2.0))
    x = pullback.distributions.Gamma(a, rate).rsample()
    x.backward()
    place = special.gammainc(concentration, 2 * x.item())
    np.testing.assert_allclose(
        a.grad.item(), slope_of(lambda c: special.gammaincinv(c, place) / 2, concentration), rtol=1e-6
    )
    np.testing.assert_allclose(rate.grad.item(), -x.item() / 2)


@pytest.mark.parametrize("c1, c0", [(0.4, 2.0), (3.0, 0.7), (20.0, 50.0)])
def test_beta_samples_move_as_their_quantile(c1, c0):
    a, b = (pullback.tensor(v, dtype=pullback.float64, requires_grad=True) for v in (c1, c0))
    x = pullback.distributions.Beta(a, b).rsample()
    x.backward()
    place = special.betainc(c1, c0, x.item())
    np.testing.assert_allclose(a.grad.item(), slope_of(lambda c: special.betaincinv(c, c0, place), c1), rtol=1e-5)
    np.testing.assert_allclose(b.grad.item(), slope_of(lambda c: special.betaincinv(c1, c, place), c0), rtol=1e-5)


def test_dirichlet_samples_have_the_gradient_of_their_mean_on_average():
    pullback.manual_seed(0)
    a = pullback.tensor([0.7, 2.0, 4.0], dtype=pullback.float64, requires_grad=True)
    d = pullback.distributions.Dirichlet(a)
    weights = pullback.tensor([1.0, -2.0, 0.5], dtype=pullback.float64)
    (estimate,) = pullback.autograd.grad((d.rsample((20000,)) @ weights).mean(), a)
    (exact,) = pullback.autograd.grad(d.mean @ weights, a)
    np.testing.assert_allclose(estimate.numpy(), exact.numpy(), atol=0.01)


@pytest.mark.parametrize("name", [n for n in ALL if "wishart" not in n])
def test_densities_pass_through_vmap_and_both_modes(name):
    d, _ = built(pullback, name)
    values = d.sample((3,))
    batched = pullback.func.vmap(d.log_prob)(values)
    np.testing.assert_allclose(batched.numpy(), d.log_prob(values).numpy(), rtol=1e-10)
    if values.dtype.is_floating_point and name not in ("von-mises",):
        tangent = pullback.ones_like(values)
        _, forward = pullback.func.jvp(lambda v: without_checks(d).log_prob(v), (values,), (tangent,))
        _, pull = pullback.func.vjp(lambda v: without_checks(d).log_prob(v), values)
        (backward,) = pull(pullback.ones_like(batched))
        np.testing.assert_allclose(forward.sum().item(), backward.sum().item(), rtol=1e-7, atol=1e-9)


def without_checks(d):
    d._validate_args = False
    return d


@pytest.mark.parametrize("name", ["Normal", "Laplace", "Cauchy", "Gumbel", "LogNormal"])
def test_samples_of_a_batch_under_vmap_are_those_of_the_batch(name):
    make, loc = getattr(pullback.distributions, name), pullback.tensor([0.5, 1.0, 2.0])
    pullback.manual_seed(0)
    mapped = pullback.func.vmap(lambda v: make(v, 1.0).sample(), randomness="different")(loc)
    pullback.manual_seed(0)
    np.testing.assert_allclose(mapped.numpy(), make(loc, 1.0).sample().numpy(), rtol=1e-6)


def test_a_distribution_is_made_inside_of_transforms():
    D, F = pullback.distributions, pullback.func
    x = pullback.tensor([0.3, -1.0, 2.0], dtype=pullback.float64)
    density = lambda loc, scale: D.Normal(loc, scale).log_prob(pullback.tensor(0.5, dtype=pullback.float64))
    slopes = F.vmap(F.grad(density))(x, x.exp())
    np.testing.assert_allclose(slopes.numpy(), ((0.5 - x) / x.exp() ** 2).numpy())
    with pytest.raises(ValueError, match="Expected parameter scale"):
        F.vmap(density)(x, x)
    sampled = F.vmap(lambda rate: D.Gamma(2.0, rate).rsample(), randomness="different")(x.exp())
    assert sampled.shape == (3,)
    assert math.isfinite(sampled.sum().item())
