"""The public losses against torch's: values, gradients, second derivatives, graph nodes, legacy arguments and errors."""

import warnings
from contextlib import contextmanager

import numpy as np
import pytest

import pullback
from numeric import agree, array

pytestmark = pytest.mark.parity
RNG = np.random.default_rng(7)
REDUCTIONS = ("mean", "sum", "none")


@contextmanager
def quiet():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def real(*shape, low=-2.0, high=2.0):
    return RNG.uniform(low, high, shape)


def chance(*shape):
    return real(*shape, low=0.1, high=0.9)


def classes(*shape, count=5):
    return RNG.integers(0, count, shape)


def signs(*shape):
    return np.where(RNG.random(shape) < 0.5, -1.0, 1.0)


X, Y, P, Q, W = real(4, 5), real(4, 5), chance(4, 5), chance(4, 5), real(4, 5, low=0.5)
T, CW, S = np.array([0, 3, 1, 4]), real(5, low=0.5), signs(4, 5)
PICTURE, VOLUME = real(2, 5, 3, 2), real(2, 5, 3)

# name -> (function, operands to differentiate, other operands, settings)
CALLS = {
    "mse": ("mse_loss", [X, Y], [], {}),
    "mse by weight": ("mse_loss", [X, Y], [], {"weight": W}),
    "l1": ("l1_loss", [X, Y], [], {}),
    "l1 by weight": ("l1_loss", [X, Y], [], {"weight": W}),
    "smooth l1": ("smooth_l1_loss", [X, Y], [], {"beta": 0.7}),
    "smooth l1 of beta 0": ("smooth_l1_loss", [X, Y], [], {"beta": 0.0}),
    "huber": ("huber_loss", [X, Y], [], {"delta": 0.7}),
    "huber by weight": ("huber_loss", [X, Y], [], {"weight": W}),
    "binary": ("binary_cross_entropy", [P, Q], [], {}),
    "binary by weight": ("binary_cross_entropy", [P, Q], [], {"weight": W[0]}),
    "binary at the ends": ("binary_cross_entropy", [np.array([0.0, 1, 0, 1])], [np.array([0.0, 1, 1, 0])], {}),
    "logits": ("binary_cross_entropy_with_logits", [X * 20, Q], [], {}),
    "logits by weights": ("binary_cross_entropy_with_logits", [X, Q], [], {"weight": W, "pos_weight": CW}),
    "soft margin": ("soft_margin_loss", [X], [S], {}),
    "kl": ("kl_div", [X, P], [], {}),
    "kl of logarithms": ("kl_div", [X, Y], [], {"log_target": True}),
    "poisson": ("poisson_nll_loss", [X, P], [], {}),
    "poisson of rates": ("poisson_nll_loss", [P], [5 * Q], {"log_input": False, "full": True}),
    "gaussian": ("gaussian_nll_loss", [X, Y, P], [], {}),
    "gaussian of rows": ("gaussian_nll_loss", [X, Y, P[:, 0]], [], {"full": True}),
    "gaussian of columns": ("gaussian_nll_loss", [X, Y, P[:, :1]], [], {}),
    "gaussian cut off": ("gaussian_nll_loss", [X, Y, P * 0.02], [], {"eps": 0.01}),
    "hinge": ("hinge_embedding_loss", [X], [S], {}),
    "hinge of zeros": ("hinge_embedding_loss", [X], [S * (P > 0.4)], {"margin": 0.3}),
    "ranking": ("margin_ranking_loss", [X, Y], [S], {"margin": 0.4}),
    "cosine embedding": ("cosine_embedding_loss", [X, Y], [S[:, 0]], {"margin": -0.2}),
    "cosine embedding of one": ("cosine_embedding_loss", [X[0], Y[0]], [S[0, 0]], {}),
    "triplet": ("triplet_margin_loss", [X, Y, P], [], {}),
    "triplet swapped": ("triplet_margin_loss", [X, Y, P], [], {"swap": True, "p": 3, "margin": 5.0}),
    "nll": ("nll_loss", [X], [T], {}),
    "nll by weight": ("nll_loss", [X], [T], {"weight": CW, "ignore_index": 3}),
    "nll of one": ("nll_loss", [X[0]], [T[1]], {"weight": CW}),
    "nll of pictures": ("nll_loss", [PICTURE], [classes(2, 3, 2)], {"weight": CW, "ignore_index": 0}),
    "nll of volumes": ("nll_loss", [VOLUME], [classes(2, 3)], {}),
    "entropy": ("cross_entropy", [X], [T], {}),
    "entropy of bytes": ("cross_entropy", [X], [T.astype("uint8")], {}),
    "entropy by weight": ("cross_entropy", [X], [T], {"weight": CW, "ignore_index": 3}),
    "entropy, ignoring": ("cross_entropy", [X], [np.array([0, -100, 1, -100])], {}),
    "entropy smoothed": ("cross_entropy", [X], [T], {"label_smoothing": 0.2}),
    "entropy smoothed by weight": (
        "cross_entropy", [X], [T], {"label_smoothing": 0.2, "weight": CW, "ignore_index": 1},
    ),
    "entropy of one": ("cross_entropy", [X[0]], [T[1]], {"label_smoothing": 0.2}),
    "entropy of pictures": ("cross_entropy", [PICTURE], [classes(2, 3, 2)], {"weight": CW}),
    "entropy of volumes": ("cross_entropy", [VOLUME], [classes(2, 3)], {"ignore_index": 2}),
    "entropy of five dims": ("cross_entropy", [PICTURE[..., None]], [classes(2, 3, 2, 1)], {}),
    "entropy of large scores": ("cross_entropy", [X * 1e4], [T], {}),
    "entropy of probabilities": ("cross_entropy", [X, P], [], {}),
    "entropy of probabilities by weight": ("cross_entropy", [X, P], [], {"weight": CW, "label_smoothing": 0.3}),
    "entropy of pictures of probabilities": ("cross_entropy", [PICTURE, np.abs(PICTURE)], [], {"weight": CW}),
    "entropy of probabilities of one": ("cross_entropy", [X[0], P[0]], [], {}),
}  # fmt: skip
PLAIN = {
    "cosine": ("cosine_similarity", [X, Y], [], {}),
    "cosine of rows": ("cosine_similarity", [X, Y[0]], [], {"dim": -1, "eps": 0.5}),
    "cosine of zeros": ("cosine_similarity", [X * 0, Y], [], {"dim": 0}),
    "distance": ("pairwise_distance", [X, Y], [], {}),
    "distance of order 1": ("pairwise_distance", [X, Y[0]], [], {"p": 1.0, "keepdim": True}),
    "distance of the largest": ("pairwise_distance", [X, Y], [], {"p": float("inf")}),
    "normalize": ("normalize", [X], [], {}),
    "normalize of order 1": ("normalize", [PICTURE], [], {"p": 1.0, "dim": -1}),
    "normalize of zeros": ("normalize", [X * 0], [], {"dim": 0}),
}
EVERY = [(f"{name}, {r}", (f, a, b, {**s, "reduction": r})) for name, (f, a, b, s) in CALLS.items() for r in REDUCTIONS]
EVERY += PLAIN.items()
each_call = pytest.mark.parametrize("call", [call for _, call in EVERY], ids=[name for name, _ in EVERY])


def made(lib, value, dtype, requires_grad=False):
    """An array as a library's tensor; anything else as it is."""
    if not isinstance(value, (np.ndarray, np.generic)):
        return value
    floating = np.asarray(value).dtype.kind == "f"
    tensor = lib.tensor(np.asarray(value), dtype=getattr(lib, dtype) if floating else None)
    return tensor.requires_grad_() if requires_grad else tensor


def outcome(lib, call, dtype="float64"):
    """The result, the operands, and their gradients for a random cotangent, itself differentiable."""
    name, operands, others, settings = call
    leaves = [made(lib, a, dtype, True) for a in operands]
    rest = [made(lib, a, dtype) for a in others]
    result = getattr(lib.nn.functional, name)(*leaves, *rest, **{k: made(lib, v, dtype) for k, v in settings.items()})
    cotangent = made(lib, np.cos(np.arange(array(result).size)).reshape(result.shape) + 0.5, dtype)
    return result, leaves, lib.autograd.grad(result, leaves, cotangent, create_graph=True, allow_unused=True)


def curvature(lib, leaves, gradients):
    """The gradient of a mixture of the gradients."""
    total = sum((g * (g.detach() + 0.5)).sum() for g in gradients if g is not None and g.requires_grad)
    return lib.autograd.grad(total, leaves, allow_unused=True) if hasattr(total, "dtype") else []


@each_call
def test_value_and_derivatives_are_torchs(call, torch):
    with quiet():
        ours, theirs = outcome(pullback, call), outcome(torch, call)
        agree(array(ours[0]), array(theirs[0]), "value", 1e-9)
        compare(ours[2], theirs[2], "gradient")
        if not np.isin(array(ours[1][0]), (0, 1)).all():  # there, where derivatives are infinite, ours differ
            compare(curvature(pullback, *ours[1:]), curvature(torch, *theirs[1:]), "second derivative")


def compare(got, want, what):
    for i, (g, w) in enumerate(zip(got, want, strict=False)):
        if w is None or g is None:
            assert all(v is None or not array(v).any() for v in (g, w)), f"{what} {i}"
        else:
            agree(array(g), array(w), f"{what} {i}", 1e-7)


@each_call
@pytest.mark.parametrize("dtype", ("float32", "float16", "bfloat16"))
def test_value_in_lower_precision_is_torchs(call, dtype, torch):
    with quiet():
        try:
            want = outcome(torch, call, dtype)
        except (RuntimeError, NotImplementedError):
            return
        got = outcome(pullback, call, dtype)
    rtol = {"float32": 1e-5, "float16": 1e-2, "bfloat16": 6e-2}[dtype]
    assert str(got[0].dtype) == str(want[0].dtype)
    bounded(got[0], want[0], rtol)
    for g, w, leaf in zip(got[2], want[2], got[1], strict=True):
        assert (g is None) == (w is None)
        if g is not None:
            assert g.dtype is leaf.dtype
            bounded(g, w, rtol)


def bounded(got, want, rtol):
    """Raise unless values agree, to the precision of the largest."""
    got, want = array(got).astype("float64"), array(want).astype("float64")
    finite = np.isfinite(want)
    scale = np.abs(want[finite]).max(initial=1e-3)
    assert np.allclose(got[finite], want[finite], rtol=rtol, atol=rtol * scale)


NAMED = [call for name, call in EVERY if "distance" not in name and not name.startswith("kl")]


@pytest.mark.parametrize("call", NAMED, ids=lambda call: call[0])
def test_node_is_named_as_torchs(call, torch):
    with quiet():
        ours, theirs = outcome(pullback, call), outcome(torch, call)
    assert ours[0].grad_fn.name().rstrip("01") == theirs[0].grad_fn.name().rstrip("01")


@pytest.mark.parametrize("flags", [(None, False), (False, None), (True, True), (False, True), (True, None)])
@pytest.mark.parametrize("name", ["mse_loss", "cross_entropy", "kl_div", "hinge_embedding_loss"])
def test_legacy_flags_say_how_to_reduce(name, flags, torch):
    target = T if name == "cross_entropy" else S
    settings = {"size_average": flags[0], "reduce": flags[1]}
    call = (name, [X], [target], settings)
    with pytest.warns(UserWarning, match="size_average and reduce args will be deprecated"):
        got = outcome(pullback, call)
    with quiet():
        agree(array(got[0]), array(outcome(torch, call)[0]), name, 1e-9)


BAD = {
    "batch sizes": ("cross_entropy", [X], [T[:3]], {}),
    "no dims": ("cross_entropy", [X], [T[0]], {}),
    "too many targets": ("cross_entropy", [X[0]], [T], {}),
    "spatial sizes": ("cross_entropy", [PICTURE], [classes(2, 3, 3)], {}),
    "class too large": ("cross_entropy", [X], [T + 2], {}),
    "class below zero": ("nll_loss", [X], [-T - 1], {}),
    "class of a picture": ("cross_entropy", [PICTURE], [classes(2, 3, 2) + 4], {}),
    "int32 classes": ("cross_entropy", [X], [T.astype("int32")], {}),
    "floating classes": ("nll_loss", [X], [T.astype("float64")], {}),
    "integer probabilities": ("cross_entropy", [X], [classes(4, 5)], {}),
    "ignored probabilities": ("cross_entropy", [X, P], [], {"ignore_index": 1}),
    "smoothing": ("cross_entropy", [X], [T], {"label_smoothing": 1.5}),
    "weights": ("cross_entropy", [X], [T], {"weight": CW[:3]}),
    "reduction": ("cross_entropy", [X], [T], {"reduction": "median"}),
    "mse reduction": ("mse_loss", [X, Y], [], {"reduction": "median"}),
    "mse shapes": ("mse_loss", [X, Y[:3]], [], {}),
    "mse weight": ("mse_loss", [X, Y], [], {"weight": CW}),
    "binary shapes": ("binary_cross_entropy", [P, Q[0]], [], {}),
    "binary input": ("binary_cross_entropy", [P + 1], [Q], {}),
    "binary target": ("binary_cross_entropy", [P], [Q + 1], {}),
    "logits shapes": ("binary_cross_entropy_with_logits", [X, Q[0]], [], {}),
    "beta": ("smooth_l1_loss", [X, Y], [], {"beta": -1.0}),
    "delta": ("huber_loss", [X, Y], [], {"delta": 0.0}),
    "variance": ("gaussian_nll_loss", [X, Y, -P], [], {}),
    "variance shape": ("gaussian_nll_loss", [X, Y, P[0]], [], {}),
    "variance number": ("gaussian_nll_loss", [X, Y], [-1.0], {}),
    "ranking dims": ("margin_ranking_loss", [X, Y], [S[0]], {}),
    "cosine target": ("cosine_embedding_loss", [X, Y], [S], {}),
    "cosine dims": ("cosine_embedding_loss", [X, Y], [S[0, 0]], {}),
    "triplet margin": ("triplet_margin_loss", [X, Y, P], [], {"margin": -1.0}),
    "triplet dims": ("triplet_margin_loss", [X, Y, P[0]], [], {}),
    "cosine dim": ("cosine_similarity", [X, Y], [], {"dim": 2}),
    "cosine integers": ("cosine_similarity", [], [T[None], T[None]], {}),
}


@pytest.mark.parametrize("call", BAD.values(), ids=BAD)
def test_bad_arguments_raise_torchs_exception(call, torch):
    with quiet():
        with pytest.raises(Exception) as theirs:
            outcome(torch, call)
        with pytest.raises(theirs.type):
            outcome(pullback, call)


def test_weights_and_signs_have_no_derivative(torch):
    for name, call in {"weight": ("nll_loss", X, T), "target": ("soft_margin_loss", X, S)}.items():
        for lib in (pullback, torch):
            operands = [made(lib, a, "float64") for a in call[1:]]
            settings = {"weight": lib.ones(5).double().requires_grad_()} if name == "weight" else {}
            if name == "target":
                operands[1].requires_grad_()
            with pytest.raises(RuntimeError):
                getattr(lib.nn.functional, call[0])(*operands, **settings)


def test_a_class_out_of_bounds_is_found_in_a_batch():
    x, t = pullback.randn(3, 4, 5), pullback.tensor([[0, 1, 2, 3]] * 2 + [[0, 1, 2, 7]])
    with pytest.raises(IndexError, match="Target 7 is out of bounds"):
        pullback.func.vmap(pullback.nn.functional.cross_entropy)(x, t)


def test_one_row_of_scores_takes_its_class_in_a_row(torch):
    got, want = (lib.nn.functional.nll_loss(lib.tensor(X[0]), lib.tensor(T[1:2])) for lib in (pullback, torch))
    agree(array(got), array(want), "nll_loss")


def test_shapes_that_broadcast_warn_and_have_torchs_gradients(torch):
    for name in ("mse_loss", "l1_loss", "smooth_l1_loss", "huber_loss"):
        call = (name, [X, Y[0]], [], {})
        with pytest.warns(UserWarning, match="Using a target size"):
            ours = outcome(pullback, call)
        with quiet():
            compare(ours[2], outcome(torch, call)[2], name)
