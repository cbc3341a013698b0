"""Divergences: PyTorch's for all pairs that it has, the mean of the log ratio, and how a pair is found."""

import math
import warnings

import numpy as np
import pytest

import pullback
from pullback.distributions import kl

# A few of each family, among them some that lie in others and some that do not.
EXAMPLES = {
    "Bernoulli": [{"probs": [0.3, 0.0, 1.0]}, {"probs": [0.6, 0.2, 0.4]}],
    "Beta": [{"concentration1": [0.7, 2.0, 3.0], "concentration0": [1.5, 2.5, 0.8]}, {"concentration1": 2.0, "concentration0": [1.0, 2.0, 3.0]}],
    "Binomial": [{"total_count": [4.0], "probs": [0.3, 0.5, 0.9]}, {"total_count": [4.0], "probs": [0.6, 0.2, 0.4]}],
    "Categorical": [{"probs": [[0.2, 0.0, 0.8]]}, {"probs": [[0.2, 0.3, 0.5], [0.5, 0.5, 0.0]]}],
    "Cauchy": [{"loc": [0.3, -1.0, 2.0], "scale": 1.0}, {"loc": 0.5, "scale": [0.5, 1.0, 2.0]}],
    "ContinuousBernoulli": [{"probs": [0.3, 0.5, 0.9]}, {"probs": [0.6, 0.2, 0.4]}],
    "Dirichlet": [{"concentration": [[0.3, 0.5, 0.9]]}, {"concentration": [[3.0, 1.0, 2.0], [0.5, 0.7, 0.9]]}],
    "Exponential": [{"rate": [0.3, 0.5, 0.9]}, {"rate": [0.6, 2.0, 4.0]}],
    "Gamma": [{"concentration": [0.7, 2.0, 3.0], "rate": [1.5, 2.5, 0.8]}, {"concentration": 2.0, "rate": [1.0, 2.0, 3.0]}],
    "Geometric": [{"probs": [0.3, 0.5, 0.9]}, {"probs": [0.6, 0.2, 0.4]}],
    "Gumbel": [{"loc": [0.3, -1.0, 2.0], "scale": 1.0}, {"loc": 0.5, "scale": [0.5, 1.0, 2.0]}],
    "HalfNormal": [{"scale": [0.3, 0.5, 0.9]}, {"scale": [0.6, 2.0, 4.0]}],
    "Laplace": [{"loc": [0.3, -1.0, 2.0], "scale": 1.0}, {"loc": 0.5, "scale": [0.5, 1.0, 2.0]}],
    "LogNormal": [{"loc": [0.3, -1.0, 2.0], "scale": 1.0}, {"loc": 0.5, "scale": [0.5, 1.0, 2.0]}],
    "LowRankMultivariateNormal": [
        {"loc": [0.3, -1.0], "cov_factor": [[1.0], [0.5]], "cov_diag": [0.3, 0.7]},
        {"loc": [[0.0, 1.0], [1.0, 2.0]], "cov_factor": [[1.0, 0.2], [0.5, 2.0]], "cov_diag": [1.3, 0.7]},
    ],
    "MultivariateNormal": [
        {"loc": [0.3, -1.0], "covariance_matrix": [[2.0, 0.3], [0.3, 1.0]]},
        {"loc": [[0.0, 1.0], [1.0, 2.0]], "scale_tril": [[1.0, 0.0], [0.5, 2.0]]},
    ],
    "Normal": [{"loc": [0.3, -1.0, 2.0], "scale": 1.0}, {"loc": 0.5, "scale": [0.5, 1.0, 2.0]}],
    "OneHotCategorical": [{"probs": [[0.2, 0.0, 0.8]]}, {"probs": [[0.2, 0.3, 0.5], [0.5, 0.5, 0.0]]}],
    "Pareto": [{"scale": [0.7, 2.0, 3.0], "alpha": [1.5, 2.5, 0.8]}, {"scale": 0.5, "alpha": [1.0, 2.0, 3.0]}],
    "Poisson": [{"rate": [0.3, 0.5, 9.0]}, {"rate": [0.6, 2.0, 4.0]}],
    "Uniform": [{"low": [0.1, 0.2, -1.0], "high": [0.5, 3.0, 0.5]}, {"low": [0.0, -1.0, -2.0], "high": [1.0, 4.0, 3.0]}],
    "Wishart": [{"df": 3.0, "covariance_matrix": [[2.0, 0.3], [0.3, 1.0]]}, {"df": 4.0, "covariance_matrix": [[1.0, 0.1], [0.1, 1.0]]}],
}  # fmt: skip
ABSTRACT = {"ExponentialFamily": "Wishart", "TransformedDistribution": "LogNormal"}
PAIRS = sorted(
    (ABSTRACT.get(a.__name__, a.__name__), ABSTRACT.get(b.__name__, b.__name__))
    for a, b in kl._KL_REGISTRY
    if a.__name__ != "Independent"
)


def example(T, name, which):
    parameters = {
        key: T.tensor(value, dtype=T.float64, requires_grad=True) for key, value in EXAMPLES[name][which].items()
    }
    return getattr(T.distributions, name)(**parameters), list(parameters.values())


@pytest.mark.parametrize("p_name, q_name", PAIRS)
@pytest.mark.parametrize("p_which, q_which", [(0, 1), (1, 0), (0, 0)])
def test_divergences_and_their_gradients_are_torchs(torch, p_name, q_name, p_which, q_which):
    results = []
    for T in (pullback, torch):
        (p, p_leaves), (q, q_leaves) = example(T, p_name, p_which), example(T, q_name, q_which)
        divergence = T.distributions.kl_divergence(p, q)
        finite = T.where(T.isfinite(divergence), divergence, T.zeros((), dtype=T.float64))
        leaves = [*p_leaves, *q_leaves]
        gradients = T.autograd.grad(finite.sum(), leaves, allow_unused=True) if finite.requires_grad else []
        results.append([divergence, *[T.zeros(1) if g is None else g for g in gradients]])
    (ours, *our_gradients), (theirs, *their_gradients) = results
    wanted = np.broadcast_to(theirs.detach().numpy(), ours.shape)
    if {p_name, q_name} == {"ContinuousBernoulli", "Uniform"}:  # PyTorch's is infinite where both are over [0, 1]
        wanted = np.where(np.isinf(wanted), ours.detach().numpy(), wanted)
    np.testing.assert_allclose(ours.detach().numpy(), wanted, rtol=1e-6, atol=1e-9)
    if bool(torch.isfinite(theirs).all()):
        for a, b in zip(our_gradients, their_gradients, strict=True):
            np.testing.assert_allclose(a.numpy(), b.numpy(), rtol=1e-6, atol=1e-9)


def test_all_of_torchs_pairs_are_there(torch):
    theirs = {(a.__name__, b.__name__) for a, b in torch.distributions.kl._KL_REGISTRY}
    assert {(a.__name__, b.__name__) for a, b in kl._KL_REGISTRY} == theirs


@pytest.mark.parametrize("p_name, q_name", [(a, b) for a, b in PAIRS if not {a, b} & {"Wishart", "Cauchy"}])
def test_a_divergence_is_the_mean_of_the_log_ratio(p_name, q_name, monkeypatch):
    monkeypatch.setattr(pullback.distributions.Distribution, "_validate_args", False)
    pullback.manual_seed(0)
    (p, _), (q, _) = example(pullback, p_name, 0), example(pullback, q_name, 1)
    value = p.sample((20000, 1))
    with np.errstate(all="ignore"):
        ratio = (p.log_prob(value) - q.log_prob(value)).detach().numpy()
        found = pullback.distributions.kl_divergence(p, q).detach().numpy()
    outside = ~np.isfinite(ratio).all(0)
    for expected, ratios, skipped in zip(
        np.broadcast_to(found, ratio.shape[1:]).ravel(), ratio.reshape(20000, -1).T, outside.ravel(), strict=True
    ):
        if math.isfinite(expected) and not skipped:
            assert abs(ratios.mean() - expected) < 5 * ratios.std() / math.sqrt(20000) + 1e-6


def test_independent_distributions_sum_their_divergences():
    D = pullback.distributions
    p, q = (D.Normal(pullback.tensor(loc), 1.0) for loc in ([0.0, 1.0], [1.0, 3.0]))
    whole = D.kl_divergence(D.Independent(p, 1), D.Independent(q, 1))
    np.testing.assert_allclose(whole.item(), D.kl_divergence(p, q).sum().item())
    with pytest.raises(NotImplementedError):
        D.kl_divergence(D.Independent(p, 1), D.Independent(q, 0))


def test_pairs_without_a_formula_are_named():
    D = pullback.distributions
    with pytest.raises(
        NotImplementedError, match=r"No KL\(p \|\| q\) is implemented for p type Normal and q type StudentT"
    ):
        D.kl_divergence(D.Normal(0.0, 1.0), D.StudentT(3.0))


def test_the_most_special_pair_counts_and_an_ambiguous_one_warns(monkeypatch):
    D = pullback.distributions

    class Mine(D.Normal):
        pass

    monkeypatch.setattr(kl, "_KL_REGISTRY", dict(kl._KL_REGISTRY))
    D.register_kl(Mine, D.Normal)(lambda p, q: "left")
    assert D.kl_divergence(Mine(0.0, 1.0), Mine(0.0, 1.0)) == "left"
    D.register_kl(D.Normal, Mine)(lambda p, q: "right")
    with pytest.warns(RuntimeWarning, match="Ambiguous kl_divergence"):
        assert D.kl_divergence(Mine(0.0, 1.0), Mine(0.0, 1.0)) == "left"
    with warnings.catch_warnings():
        D.register_kl(Mine, Mine)(lambda p, q: "both")
        assert D.kl_divergence(Mine(0.0, 1.0), Mine(0.0, 1.0)) == "both"
    kl._found.clear()
    with pytest.raises(TypeError):
        D.register_kl(int, D.Normal)
