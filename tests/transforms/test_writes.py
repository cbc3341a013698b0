"""In-place writes inside transforms: the values of batches, duals, traces and tapes have no memory, and behave as if."""

import numpy as np
import pytest

import pullback
from numeric import agree
from pullback.compile import trace
from pullback.func import grad, jacfwd, jacrev, jvp, vjp, vmap


def tensor(values):
    return pullback.tensor(values, dtype=pullback.float64)


def write_one(x):
    """(2b, b, c)"""
    y = x.clone()
    y[0] = 2 * x[1]
    return y


def write_into_zeros(x):
    """(a², 3b, 0): tracked values written into a tensor that nobody tracks."""
    y = pullback.zeros(3, dtype=pullback.float64)
    y[0] = x[0] ** 2
    y[1] = 3 * x[1]
    return y


def write_through_views(x):
    """(a, 10b + 1, 10c + 1)·: a view is scaled, another shifted."""
    y = x.clone()
    tail = y[1:]
    tail.mul_(10.0)
    y[1:].add_(1.0)
    return y


def write_to_the_base_and_read_the_view(x):
    """(b, 2c): the view sees what was written to its base."""
    y = x.clone()
    tail = y[1:]
    y.mul_(tensor([1.0, 1.0, 2.0]))
    return tail


def accumulate(x):
    """(a + ab, ab + abc, abc)"""
    total = pullback.zeros(3, dtype=pullback.float64)
    product = x[0]
    for i in range(3):
        total[i] += product
        product = product * x[min(i + 1, 2)]
        if i < 2:
            total[i] += product
    return total


def write_masked(x):
    """Elements above one are squared in place."""
    y = x * 1.0
    y[1:] = pullback.where(x[1:] > 1.0, x[1:] ** 2, y[1:])
    return y


X = np.array([0.5, 2.0, 3.0])
A, B, C = X
WRITERS = {
    write_one: ([2 * B, B, C], [[0, 2, 0], [0, 1, 0], [0, 0, 1]]),
    write_into_zeros: ([A**2, 3 * B, 0], [[2 * A, 0, 0], [0, 3, 0], [0, 0, 0]]),
    write_through_views: ([A, 10 * B + 1, 10 * C + 1], [[1, 0, 0], [0, 10, 0], [0, 0, 10]]),
    write_to_the_base_and_read_the_view: ([B, 2 * C], [[0, 1, 0], [0, 0, 2]]),
    accumulate: (
        [A + A * B, A * B + A * B * C, A * B * C],
        [[1 + B, A, 0], [B + B * C, A + A * C, A * B], [B * C, A * C, A * B]],
    ),
    write_masked: ([A, B**2, C**2], [[1, 0, 0], [0, 2 * B, 0], [0, 0, 2 * C]]),
}
each_writer = pytest.mark.parametrize("writer", WRITERS, ids=lambda f: f.__name__)


def same(got, want):
    agree(got.detach().numpy(), want, "the transform", rtol=1e-12)


@each_writer
def test_eager_and_backward(writer):
    value, jacobian = WRITERS[writer]
    x = tensor(X).requires_grad_()
    out = writer(x)
    same(out, value)
    cotangent = np.arange(1.0, 1.0 + len(value))
    out.backward(tensor(cotangent))
    same(x.grad, cotangent @ np.array(jacobian))


@each_writer
def test_vjp_and_jvp(writer):
    value, jacobian = WRITERS[writer]
    cotangent, direction = np.arange(1.0, 1.0 + len(value)), np.array([1.0, -2.0, 0.5])
    out, pull = vjp(writer, tensor(X))
    same(out, value)
    same(pull(tensor(cotangent))[0], cotangent @ np.array(jacobian))
    out, tangent = jvp(writer, (tensor(X),), (tensor(direction),))
    same(out, value)
    same(tangent, np.array(jacobian) @ direction)


@each_writer
def test_jacobians(writer):
    same(jacrev(writer)(tensor(X)), WRITERS[writer][1])
    same(jacfwd(writer)(tensor(X)), WRITERS[writer][1])


@each_writer
def test_vmap(writer):
    batch = np.stack([X, X, X])
    same(vmap(writer)(tensor(batch)), np.stack([WRITERS[writer][0]] * 3))
    same(vmap(writer, in_dims=1)(tensor(batch.T)), np.stack([WRITERS[writer][0]] * 3))


@each_writer
def test_vmap_of_grad_and_grad_of_vmap(writer):
    value, jacobian = WRITERS[writer]
    batch, cotangent = tensor(np.stack([X, X])), np.arange(1.0, 1.0 + len(value))
    want = np.stack([cotangent @ np.array(jacobian)] * 2)
    same(vmap(grad(lambda x: (writer(x) * tensor(cotangent)).sum()))(batch), want)
    same(grad(lambda xs: (vmap(writer)(xs) * tensor(cotangent)).sum())(batch), want)


@each_writer
def test_trace(writer):
    program = trace(writer, tensor(X + 0.25))
    same(program(tensor(X)), WRITERS[writer][0])
    derivative = trace(jacrev(writer), tensor(X + 0.25))
    same(derivative(tensor(X)), WRITERS[writer][1])


def test_write_to_an_argument_stays_inside_grad():
    """A function may write to what it was given; the caller's tensor is another one."""
    x = tensor(X)

    def f(y):
        y = y * 1.0
        y.mul_(2.0)
        return (y**2).sum()

    same(grad(f)(x), 8 * X)
    same(x, X)


def test_second_derivative_through_a_write():
    f = lambda x: (write_one(x) ** 3).sum()
    got = grad(lambda x: grad(f)(x).sum())(tensor(X))
    same(got, [0.0, 6 * (2 * B) * 4 + 6 * B, 6 * C])


def test_write_of_a_batched_value_into_an_unbatched_tensor():
    """The tensor becomes a batch by being written to."""

    def f(x):
        y = pullback.zeros(2, dtype=pullback.float64)
        y[1] = x
        return y

    same(vmap(f)(tensor([1.0, 2.0, 3.0])), [[0, 1], [0, 2], [0, 3]])


def test_in_place_chain_keeps_every_gradient():
    x = tensor(X)
    f = lambda x: x.clone().mul_(3.0).add_(x).exp_().sum()
    same(grad(f)(x), 4 * np.exp(4 * X))
    same(vmap(grad(f))(tensor(np.stack([X, X]))), np.stack([4 * np.exp(4 * X)] * 2))
