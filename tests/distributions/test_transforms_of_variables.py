"""Transforms and constraints beside PyTorch's: values, inverses, volumes, shapes, and what leads to which constraint."""

import math
import pickle

import numpy as np
import pytest

import pullback

REALS = [[-1.5, 0.3, 2.0], [0.7, -0.2, 1.1]]
POSITIVE = [[0.5, 0.3, 2.0], [0.7, 1.2, 1.1]]
SIX = [[-0.5, 0.3, 1.0, 0.7, -0.2, 0.4]]
SQUARE = [[[0.5, 0.3], [-0.2, 1.1]], [[0.1, 2.0], [0.7, -1.0]]]

# By name: how the transform is made, and an input of it.
TRANSFORMS = {
    "exp": (lambda T, D: D.ExpTransform(), REALS),
    "abs": (lambda T, D: D.AbsTransform(), POSITIVE),
    "sigmoid": (lambda T, D: D.SigmoidTransform(), REALS),
    "softplus": (lambda T, D: D.SoftplusTransform(), REALS),
    "tanh": (lambda T, D: D.TanhTransform(), REALS),
    "power": (lambda T, D: D.PowerTransform(T.tensor([2.0, -0.5, 3.0], dtype=T.float64)), POSITIVE),
    "affine": (lambda T, D: D.AffineTransform(0.5, -2.0), REALS),
    "affine-tensors": (
        lambda T, D: D.AffineTransform(T.tensor([1.0, 2.0, 3.0]).double(), T.tensor([-1.0, 0.5, 2.0]).double(), event_dim=1),
        REALS,
    ),
    "softmax": (lambda T, D: D.SoftmaxTransform(), REALS),
    "stick-breaking": (lambda T, D: D.StickBreakingTransform(), REALS),
    "corr-cholesky": (lambda T, D: D.CorrCholeskyTransform(), SIX),
    "lower-cholesky": (lambda T, D: D.LowerCholeskyTransform(), SQUARE),
    "positive-definite": (lambda T, D: D.PositiveDefiniteTransform(), SQUARE),
    "reshape": (lambda T, D: D.ReshapeTransform((3,), (3, 1)), REALS),
    "cumulative": (lambda T, D: D.CumulativeDistributionTransform(D.Normal(T.zeros(3).double(), 2.0)), REALS),
    "independent": (lambda T, D: D.IndependentTransform(D.ExpTransform(), 1), REALS),
    "compose": (lambda T, D: D.ComposeTransform([D.ExpTransform(), D.AffineTransform(1.0, 2.0), D.PowerTransform(T.tensor(0.5).double())]), REALS),
    "compose-of-events": (lambda T, D: D.ComposeTransform([D.AffineTransform(0.1, 2.0), D.StickBreakingTransform()]), REALS),
    "identity": (lambda T, D: D.identity_transform, REALS),
    "stack": (lambda T, D: D.StackTransform([D.ExpTransform(), D.AffineTransform(0.0, 2.0), D.TanhTransform()], dim=1), REALS),
    "cat": (lambda T, D: D.CatTransform([D.ExpTransform(), D.SigmoidTransform()], dim=-1, lengths=[1, 2]), REALS),
    "inverse": (lambda T, D: D.ComposeTransform([D.ExpTransform(), D.AffineTransform(0.0, 3.0)]).inv, POSITIVE),
}  # fmt: skip
names = pytest.mark.parametrize("name", TRANSFORMS)


def made(T, name):
    make, data = TRANSFORMS[name]
    return make(T, T.distributions), T.tensor(data, dtype=T.float64, requires_grad=True)


def outcome(call):
    try:
        return call()
    except Exception as error:
        return type(error)


@names
def test_values_inverses_volumes_and_gradients_are_torchs(torch, name):
    results = []
    for T in (pullback, torch):
        transform, x = made(T, name)
        y = transform(x)
        back = transform.inv(y)
        volume = outcome(lambda: transform.log_abs_det_jacobian(x, y))  # noqa: B023
        wanted = [v for v in (y, back, volume) if hasattr(v, "sum") and v.requires_grad]
        gradients = [T.autograd.grad((v * v).sum(), x, retain_graph=True)[0] for v in wanted]
        results.append([y, back, volume, *gradients])
    for ours, theirs in zip(*results, strict=True):
        if isinstance(theirs, type):
            assert ours is theirs
        else:
            np.testing.assert_allclose(ours.detach().numpy(), theirs.detach().numpy(), rtol=1e-6, atol=1e-9)


@names
def test_facts_are_torchs(torch, name):
    (ours, x), (theirs, _) = (made(T, name) for T in (pullback, torch))
    shape = tuple(x.shape)
    facts = {
        "repr": repr,
        "domain": lambda t: repr(t.domain),
        "codomain": lambda t: repr(t.codomain),
        "bijective": lambda t: t.bijective,
        "event_dim": lambda t: t.event_dim,
        "shape": lambda t: tuple(t.forward_shape(shape)),
        "sign": lambda t: np.asarray(t.sign).tolist(),
        "inverse": lambda t: repr(t.inv),
        "inverse of the inverse": lambda t: t.inv.inv is t,
        "inverse shape": lambda t: tuple(t.inverse_shape(t.forward_shape(shape))),
    }
    for fact, read in facts.items():
        assert outcome(lambda: read(ours)) == outcome(lambda: read(theirs)), fact  # noqa: B023


@pytest.mark.parametrize(
    "name", [n for n in TRANSFORMS if n not in ("abs", "softmax", "lower-cholesky", "positive-definite")]
)
def test_volumes_are_determinants_of_jacobians(name):
    transform, x = made(pullback, name)
    event = pullback.distributions.transforms.ComposeTransform([transform]).domain.event_dim
    x = x.detach()
    if name in (
        "stick-breaking",
        "compose-of-events",
        "corr-cholesky",
        "cumulative",
        "cat",
        "stack",
        "power",
        "affine-tensors",
    ):
        return  # compared with PyTorch alone: the Jacobian is not square, or differs along the batch
    volume = transform.log_abs_det_jacobian(x, transform(x))
    item = x[0] if event else x[0, 0]
    jacobian = pullback.func.jacrev(lambda v: transform(v).reshape(-1))(item.reshape(-1) if not event else item)
    expected = math.log(abs(np.linalg.det(np.atleast_2d(jacobian.numpy()))))
    np.testing.assert_allclose(volume.reshape(-1)[0].item(), expected, rtol=1e-9)


@names
def test_a_cache_returns_the_very_input(name):
    transform, x = made(pullback, name)
    if name == "identity":
        return
    cached = transform.with_cache(1)
    y = cached(x)
    assert cached.inv(y) is x or name in ("compose", "compose-of-events", "inverse", "independent", "stack", "cat")
    twin = pickle.loads(pickle.dumps(transform))
    np.testing.assert_array_equal(twin(x).detach().numpy(), transform(x).detach().numpy())


def test_a_scale_that_broadcasts_counts_for_every_element():
    transform = pullback.distributions.AffineTransform(0.0, pullback.tensor([2.0]), event_dim=1)
    x = pullback.zeros(3)
    np.testing.assert_allclose(transform.log_abs_det_jacobian(x, x).item(), 3 * math.log(2), rtol=1e-6)


def test_transforms_are_equal_by_what_they_were_made_of():
    D = pullback.distributions
    assert D.AffineTransform(1.0, 2.0) == D.AffineTransform(1.0, 2.0)
    assert D.AffineTransform(1.0, 2.0) != D.AffineTransform(1.0, 3.0)
    assert D.ComposeTransform([D.ExpTransform()]) == D.ComposeTransform([D.ExpTransform()])
    assert D.ExpTransform() != D.TanhTransform()
    assert D.PowerTransform(pullback.tensor(2.0)) == D.PowerTransform(pullback.tensor(2.0))


CONSTRAINTS = {
    "real": lambda c: c.real,
    "real_vector": lambda c: c.real_vector,
    "positive": lambda c: c.positive,
    "nonnegative": lambda c: c.nonnegative,
    "greater_than": lambda c: c.greater_than(-2.0),
    "greater_than_eq": lambda c: c.greater_than_eq(-1.5),
    "less_than": lambda c: c.less_than(0.5),
    "interval": lambda c: c.interval(-1.0, 2.0),
    "half_open": lambda c: c.half_open_interval(-1.0, 2.0),
    "unit_interval": lambda c: c.unit_interval,
    "boolean": lambda c: c.boolean,
    "nonnegative_integer": lambda c: c.nonnegative_integer,
    "positive_integer": lambda c: c.positive_integer,
    "integer_interval": lambda c: c.integer_interval(0, 2),
    "simplex": lambda c: c.simplex,
    "one_hot": lambda c: c.one_hot,
    "multinomial": lambda c: c.multinomial(3),
    "independent": lambda c: c.independent(c.positive, 1),
    "lower_triangular": lambda c: c.lower_triangular,
    "lower_cholesky": lambda c: c.lower_cholesky,
    "corr_cholesky": lambda c: c.corr_cholesky,
    "square": lambda c: c.square,
    "symmetric": lambda c: c.symmetric,
    "positive_definite": lambda c: c.positive_definite,
    "positive_semidefinite": lambda c: c.positive_semidefinite,
    "stack": lambda c: c.stack([c.real, c.positive, c.less_than(0.0)], -1),
    "cat": lambda c: c.cat([c.real, c.positive], -1, [1, 2]),
}
VALUES = [
    REALS,
    POSITIVE,
    [[0.0, 1.0, 0.0], [0.2, 0.3, 0.5], [1.0, 1.0, 1.0]],
    [[1.0, 0.0, 0.0], [0.6, 0.8, 0.0], [0.0, 0.6, 0.8]],
    [[2.0, 0.1, 0.0], [0.1, 1.0, 0.3], [0.0, 0.3, 1.0]],
    [[1.0, 1.0, 1.0], [1.0, 1.0, 1.0], [1.0, 1.0, 1.0]],
    [[1.0, math.nan, 2.0], [-1.0, math.inf, 0.0]],
]


@pytest.mark.parametrize("name", CONSTRAINTS)
def test_constraints_hold_where_torchs_do(torch, name):
    ours, theirs = (CONSTRAINTS[name](T.distributions.constraints) for T in (pullback, torch))
    assert repr(ours) == repr(theirs)
    assert (ours.is_discrete, ours.event_dim) == (theirs.is_discrete, theirs.event_dim)
    for value in VALUES:
        if np.ndim(value) == 2 and len(value) != 3 and ours.event_dim == 2:
            continue
        a, b = (outcome(lambda: c.check(T.tensor(value))) for c, T in ((ours, pullback), (theirs, torch)))  # noqa: B023
        assert (a if isinstance(b, type) else a.tolist()) == (b if isinstance(b, type) else b.tolist()), value


@pytest.mark.parametrize("name", CONSTRAINTS)
@pytest.mark.parametrize("registry", ["biject_to", "transform_to"])
def test_the_transform_to_a_constraint_is_torchs(torch, name, registry):
    found = []
    for T in (pullback, torch):
        constraint = CONSTRAINTS[name](T.distributions.constraints)
        found.append(outcome(lambda: getattr(T.distributions, registry)(constraint)))  # noqa: B023
    ours, theirs = found
    assert (repr(ours) if not isinstance(ours, type) else ours) == (
        repr(theirs) if not isinstance(theirs, type) else theirs
    )
    if not isinstance(ours, type) and name not in ("cat",):
        data = SIX if name == "corr_cholesky" else SQUARE if ours.domain.event_dim == 2 else REALS
        values = [t(T.tensor(data, dtype=T.float64)) for t, T in ((ours, pullback), (theirs, torch))]
        np.testing.assert_allclose(values[0].numpy(), values[1].numpy(), rtol=1e-7)


def test_a_transform_of_ones_own_is_registered():
    D = pullback.distributions

    class Even(D.constraints.Constraint):
        pass

    with pytest.raises(NotImplementedError, match="Cannot transform Even constraints"):
        D.biject_to(Even())
    D.biject_to.register(Even, lambda c: D.ExpTransform())
    assert isinstance(D.biject_to(Even()), D.ExpTransform)
    with pytest.raises(TypeError):
        D.transform_to.register(3, lambda c: None)
