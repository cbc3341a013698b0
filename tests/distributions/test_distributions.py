"""Every distribution beside PyTorch's: samples of one seed, densities, moments, and gradients of them."""

import copy
import pickle
import warnings

import numpy as np
import pytest
from samples_of_distributions import ALL, CONTINUOUS, DISCRETE, built

import pullback

names = pytest.mark.parametrize("name", ALL)
APPROXIMATE = (
    "gamma",
    "chi2",
    "beta",
    "fisher",
    "dirichlet",
    "inverse-gamma",
    "student",
    "wishart",
    "wishart-tril",
    "wishart-precision",
)


def outcome(call):
    """What a call gives: the result, or the type of its error."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return call()
        except Exception as error:
            return type(error)


def assert_same(ours, theirs, rtol=1e-7, what=""):
    if isinstance(theirs, type) or isinstance(ours, type):
        assert ours == theirs, f"{what}: {ours} instead of {theirs}"
        return
    assert str(ours.dtype) == str(theirs.dtype), what
    assert tuple(ours.shape) == tuple(theirs.shape), what
    np.testing.assert_allclose(
        ours.detach().numpy(), theirs.detach().numpy(), rtol=rtol, atol=rtol * 1e-3, err_msg=what
    )


@names
@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("method", ["sample", "rsample"])
def test_samples_are_torchs_numbers(torch, name, dtype, method):
    results = []
    for T in (pullback, torch):
        T.manual_seed(3)
        d, _ = built(T, name, dtype=dtype)
        drawn = [outcome(lambda shape=shape: getattr(d, method)(T.Size(shape))) for shape in ((), (5,), (2, 4))]  # noqa: B023
        results.append([*drawn, T.rand(3)])
    for ours, theirs in zip(*results, strict=True):
        assert_same(ours, theirs, rtol=1e-10 if dtype == "float64" else 2e-4)


@names
def test_attributes_and_moments_are_torchs(torch, name):
    (ours, _), (theirs, _) = (built(T, name) for T in (pullback, torch))
    assert repr(ours) == repr(theirs)
    for attribute in ("batch_shape", "event_shape", "has_rsample", "has_enumerate_support"):
        assert getattr(ours, attribute) == getattr(theirs, attribute)
    assert repr(ours.support) == repr(theirs.support)
    for attribute in ("mean", "mode", "variance", "stddev"):
        if (name, attribute) != ("kumaraswamy", "mode"):  # NaN in PyTorch
            pair = [outcome(lambda: getattr(d, attribute)) for d in (ours, theirs)]  # noqa: B023
            assert_same(*pair, rtol=1e-3 if name == "von-mises" else 1e-7, what=attribute)
    for method in ("entropy", "perplexity", "enumerate_support"):
        assert_same(*(outcome(getattr(d, method)) for d in (ours, theirs)), what=method)
    assert_same(*(outcome(lambda: d.enumerate_support(expand=False)) for d in (ours, theirs)))  # noqa: B023


@names
def test_densities_and_their_gradients_are_torchs(torch, name):
    (_, _), (source, _) = (built(T, name) for T in (pullback, torch))
    torch.manual_seed(1)
    values = outcome(lambda: source.sample((4,))).numpy()
    for method in ("log_prob", "cdf"):
        results = []
        for T in (pullback, torch):
            d, leaves = built(T, name, requires_grad=True)
            value = T.tensor(values, requires_grad=values.dtype.kind == "f")
            results.append(outcome(lambda: with_gradients(T, getattr(d, method)(value), [*leaves, value])))  # noqa: B023
        compare_lists(*results, method, name)


@names
def test_quantiles_and_their_gradients_are_torchs(torch, name):
    results = []
    for T in (pullback, torch):
        d, leaves = built(T, name, requires_grad=True)
        places = T.linspace(0.05, 0.95, 5, dtype=T.float64).reshape(5, *[1] * len(d.batch_shape)).requires_grad_()
        results.append(outcome(lambda: with_gradients(T, d.icdf(places), [*leaves, places])))  # noqa: B023
    compare_lists(*results, "icdf", name)


@names
def test_gradients_of_entropies_are_torchs(torch, name):
    results = []
    for T in (pullback, torch):
        d, leaves = built(T, name, requires_grad=True)
        results.append(outcome(lambda: with_gradients(T, d.entropy(), leaves)))  # noqa: B023
    compare_lists(*results, "entropy", name)


@pytest.mark.parametrize("name", CONTINUOUS)
def test_gradients_of_samples_are_torchs(torch, name):
    results = []
    for T in (pullback, torch):
        d, leaves = built(T, name, requires_grad=True)
        T.manual_seed(3)
        results.append(outcome(lambda: with_gradients(T, d.rsample((6,)), leaves)))  # noqa: B023
    compare_lists(*results, "rsample", name, 1e-2 if name in APPROXIMATE else 1e-7)


def with_gradients(T, result, leaves):
    """A result, and the gradients of a sum of it with weights."""
    weights = T.linspace(-1, 2, result.numel(), dtype=T.float64).reshape(result.shape)
    finite = T.where(T.isfinite(result), result, T.zeros((), dtype=T.float64))
    wanted = [leaf for leaf in leaves if leaf.requires_grad]
    gradients = T.autograd.grad((finite * weights).sum(), wanted, allow_unused=True)
    return [result, *[T.zeros(1) if g is None else g for g in gradients]]


def compare_lists(ours, theirs, what, name, rtol=1e-7):
    if theirs in (RuntimeError, NotImplementedError) and isinstance(ours, list):  # PyTorch lacks that gradient
        return
    if isinstance(ours, type) or isinstance(theirs, type):
        assert ours == theirs, f"{what}: {ours} instead of {theirs}"
        return
    for a, b in zip(ours, theirs, strict=True):
        rtol = 1e-3 if name == "von-mises" else rtol
        if not bool(b.isnan().any()) or bool(a.isnan().any()):  # where PyTorch's is NaN, ours may be a number
            assert_same(a, b, rtol, what)


@names
def test_expanded_distributions_are_torchs(torch, name):
    results = []
    for T in (pullback, torch):
        d, _ = built(T, name)
        wide = d.expand(T.Size((2, *d.batch_shape)))
        T.manual_seed(2)
        value = outcome(lambda: wide.sample((3,)))  # noqa: B023
        calls = (lambda: repr(wide), lambda: wide.batch_shape, lambda: wide.event_shape, lambda: wide.mean)  # noqa: B023
        results.append([value, outcome(lambda: wide.log_prob(value)), *map(outcome, calls)])  # noqa: B023
    for ours, theirs in zip(*results, strict=True):
        if hasattr(theirs, "dtype"):
            assert_same(ours, theirs, 1e-6)
        elif theirs is not RuntimeError:  # (PyTorch's generalised Pareto distribution mixes dtypes)
            assert ours == theirs


@names
def test_copies_are_equal(name):
    d, _ = built(pullback, name)
    value = d.sample()
    d.log_prob(value)
    for twin in (copy.deepcopy(d), pickle.loads(pickle.dumps(d))):
        assert repr(twin) == repr(d)
        np.testing.assert_array_equal(twin.log_prob(value).numpy(), d.log_prob(value).numpy())


@pytest.mark.parametrize("name", sorted(set(DISCRETE) - {"multinomial", "multinomial-logits"}))
def test_enumerated_values_have_probability_one(name):
    d, _ = built(pullback, name)
    if not d.has_enumerate_support:
        return
    np.testing.assert_allclose(d.log_prob(d.enumerate_support()).exp().sum(0).numpy(), 1)
