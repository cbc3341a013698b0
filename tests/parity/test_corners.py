"""Corners of nn.functional and of the transforms that the table's samples do not reach, against torch.

Each program takes the library; what it returns must be the same, and where it raises the exception must be of one type.
"""

import warnings

import numpy as np
import pytest

import pullback
from both import Cases
from numeric import agree

pytestmark = pytest.mark.parity
corner = Cases()


def row(t, *shape, seed=0):
    return t.tensor(np.random.default_rng(seed).uniform(-1, 1, shape))


@corner("cosine_similarity of vectors shorter than eps has the gradient of the lengths themselves")
def _(t):
    x, y = row(t, 3, 4).requires_grad_(), row(t, 4, seed=1).requires_grad_()
    return t.autograd.grad((t.nn.functional.cosine_similarity(x, y, -1, 5.0) ** 2).sum(), [x, y])


@corner("cross_entropy of probabilities has a derivative by the weights of the classes")
def _(t):
    x, p, w = (row(t, *shape).requires_grad_() for shape in ((3, 4), (3, 4), (4,)))
    return t.autograd.grad(t.nn.functional.cross_entropy(x, p.abs(), w, label_smoothing=0.2), [x, p, w])


@corner("cross_entropy of classes has none")
def _(t):
    return t.nn.functional.cross_entropy(row(t, 3, 4), t.tensor([0, 1, 3]), row(t, 4).requires_grad_())


@corner("attention takes a mask beside is_causal where it has four dims")
def _(t):
    q, k, v = row(t, 2, 2, 3, 4), row(t, 2, 2, 5, 4, seed=1), row(t, 2, 2, 5, 4, seed=2)
    attend = t.nn.functional.scaled_dot_product_attention
    return [attend(q, k, v, mask, is_causal=True) for mask in (row(t, 3, 5), row(t, 3, 5) > 0.3)]


@corner("attention refuses a mask beside is_causal elsewhere")
def _(t):
    x = row(t, 2, 3, 4)
    return t.nn.functional.scaled_dot_product_attention(x, x, x, row(t, 3, 3), is_causal=True)


@corner("batch norm of no samples leaves the running statistics alone")
def _(t):
    mean, var = row(t, 3), row(t, 3, seed=1)
    return t.nn.functional.batch_norm(row(t, 0, 3), mean, var, training=True), mean, var


@corner("running statistics that are mapped move inside vmap")
def _(t):
    mean, var = row(t, 2, 3), row(t, 2, 3, seed=1)
    normalise = lambda x, m, v: (t.nn.functional.batch_norm(x, m, v, training=True), m * 1)
    return t.func.vmap(normalise)(row(t, 2, 5, 3), mean, var), mean, var


@corner("running statistics that are not mapped cannot follow a mapped input")
def _(t):
    mean, var = row(t, 3), row(t, 3, seed=1)
    return t.func.vmap(lambda x: t.nn.functional.batch_norm(x, mean, var, training=True))(row(t, 2, 5, 3))


@corner("embedding with max_norm scales the rows of mapped tables")
def _(t):
    look = lambda w: t.nn.functional.embedding(t.tensor([0, 2]), w, max_norm=0.5)
    return t.func.vmap(look)(row(t, 2, 4, 3))


@corner("a write to a detached value inside vmap is seen by the value")
def _(t):
    x = row(t, 2, 3)
    return t.func.vmap(lambda a: (a.detach().mul_(2), a.detach()[0].add_(1), a * 1))(x), x


@corner("a write to a detached value inside vmap changes no derivative around it")
def _(t):
    square = lambda a: (a.detach().mul_(2), a * a)[1]
    return t.func.grad(lambda x: t.func.vmap(square)(x * 1).sum())(row(t, 2, 3))


def outcome(t, program):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return arrays(t, program(t))
        except Exception as error:
            return type(error)


def arrays(t, found):
    if isinstance(found, t.Tensor):
        return [found.detach().numpy()]
    return [a for each in found for a in arrays(t, each)]


@pytest.mark.parametrize("sentence", corner)
def test_corners_are_as_in_torch(torch, sentence):
    ours, theirs = outcome(pullback, corner[sentence]), outcome(torch, corner[sentence])
    if isinstance(theirs, type):
        assert ours is theirs
    else:
        assert isinstance(ours, list), ours
        for got, want in zip(ours, theirs, strict=True):
            agree(got, want, sentence)
