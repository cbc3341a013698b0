"""Transforms of transforms, on functions that are no toys, against derivatives that NumPy found without the package."""

import functions as truth
import numpy as np
import pytest
from functions import attention, network, point, rosenbrock

import pullback
from numeric import agree
from pullback.compile import trace
from pullback.func import grad, hessian, jacfwd, jacrev, jvp, vjp, vmap

each_function = pytest.mark.parametrize("function", (rosenbrock, network, attention), ids=lambda f: f.__name__)
LOOSE = 1e-6  # the truth is itself a finite difference


def ours(function):
    """The function on tensors."""
    return lambda x: function(pullback, x)


def tensor(array):
    return pullback.tensor(np.asarray(array))


def rows(function, count=3):
    return np.stack([point(function, seed) for seed in range(count)])


def same(got, want, rtol=LOOSE):
    agree(
        got.detach().numpy(), want, "the transform", rtol=rtol, atol=rtol * (1 + float(np.abs(want).max(initial=0.0)))
    )


@each_function
def test_value_is_numpys(function):
    x = point(function)
    same(ours(function)(tensor(x)), truth.value(function, x), 1e-12)


@each_function
def test_grad(function):
    x = point(function)
    same(grad(ours(function))(tensor(x)), truth.gradient(function, x), 1e-11)


@each_function
def test_backward_and_func_grad_are_one(function):
    x = tensor(point(function)).requires_grad_()
    ours(function)(x).backward()
    same(x.grad, grad(ours(function))(x.detach()).numpy(), 1e-14)


@each_function
def test_vjp_with_a_cotangent(function):
    x = point(function)
    out, pull = vjp(ours(function), tensor(x))
    same(out, truth.value(function, x), 1e-12)
    same(pull(tensor(2.5))[0], 2.5 * truth.gradient(function, x), 1e-11)


@each_function
def test_jvp_is_the_directional_derivative(function):
    x, w = point(function), point(function, 1)
    out, tangent = jvp(ours(function), (tensor(x),), (tensor(w),))
    same(out, truth.value(function, x), 1e-12)
    same(tangent, truth.gradient(function, x) @ w, 1e-11)


def grad_of_grad(f, x, w):
    return grad(lambda y: (grad(f)(y) * w).sum())(x)


def jvp_of_grad(f, x, w):
    return jvp(grad(f), (x,), (w,))[1]


def grad_of_jvp(f, x, w):
    return grad(lambda y: jvp(f, (y,), (w,))[1])(x)


def vjp_of_grad(f, x, w):
    return vjp(grad(f), x)[1](w)[0]


def tape_of_grad(f, x, w):
    y = x.clone().requires_grad_()
    return pullback.autograd.grad((grad(f)(y) * w).sum(), y)[0]


def grad_of_tape(f, x, w):
    y = x.clone().requires_grad_()
    (g,) = pullback.autograd.grad(f(y), y, create_graph=True)
    return pullback.autograd.grad(g, y, w)[0]


HESSIAN_PRODUCTS = (grad_of_grad, jvp_of_grad, grad_of_jvp, vjp_of_grad, tape_of_grad, grad_of_tape)
each_product = pytest.mark.parametrize("product", HESSIAN_PRODUCTS, ids=lambda f: f.__name__)


@each_function
@each_product
def test_hessian_vector_product(function, product):
    x, w = point(function), point(function, 1)
    same(product(ours(function), tensor(x), tensor(w)), truth.hessian_times(function, x, w))


@each_function
@pytest.mark.parametrize("product", HESSIAN_PRODUCTS[:4], ids=lambda f: f.__name__)
def test_vmap_over_a_hessian_vector_product(function, product):
    xs, ws = rows(function), rows(function)[::-1].copy()
    got = vmap(lambda x, w: product(ours(function), x, w))(tensor(xs), tensor(ws))
    same(got, np.stack([truth.hessian_times(function, x, w) for x, w in zip(xs, ws, strict=True)]))


@each_function
def test_jvp_of_jvp_is_the_second_directional_derivative(function):
    x, w = point(function), point(function, 1)
    _, second = jvp(lambda y: jvp(ours(function), (y,), (tensor(w),))[1], (tensor(x),), (tensor(w),))
    same(second, w @ truth.hessian_times(function, x, w))


@each_function
def test_vmap_of_grad_is_a_gradient_a_row(function):
    xs = rows(function)
    same(vmap(grad(ours(function)))(tensor(xs)), np.stack([truth.gradient(function, x) for x in xs]), 1e-11)


@each_function
def test_grad_of_vmap_weighs_the_rows_gradients(function):
    xs, weights = rows(function), np.array([2.0, -1.0, 0.5])
    got = grad(lambda ys: (vmap(ours(function))(ys) * tensor(weights)).sum())(tensor(xs))
    same(got, np.stack([c * truth.gradient(function, x) for c, x in zip(weights, xs, strict=True)]), 1e-11)


@each_function
def test_grad_of_vmap_of_grad(function):
    xs, ws = rows(function), rows(function)[::-1].copy()
    got = grad(lambda ys: (vmap(grad(ours(function)))(ys) * tensor(ws)).sum())(tensor(xs))
    same(got, np.stack([truth.hessian_times(function, x, w) for x, w in zip(xs, ws, strict=True)]))


@each_function
def test_vmap_of_grad_of_vmap(function):
    batches = np.stack([rows(function), rows(function)[::-1]])
    got = vmap(grad(lambda ys: vmap(ours(function))(ys).sum()))(tensor(batches))
    same(got, np.stack([[truth.gradient(function, x) for x in xs] for xs in batches]), 1e-11)


@each_function
def test_vmap_of_vmap(function):
    batches = np.stack([rows(function), rows(function)[::-1]])
    same(vmap(vmap(ours(function)))(tensor(batches)), [[truth.value(function, x) for x in xs] for xs in batches], 1e-12)


@each_function
def test_vmap_along_other_dims(function):
    xs = rows(function)
    want = np.stack([truth.gradient(function, x) for x in xs])
    same(vmap(grad(ours(function)), in_dims=1)(tensor(xs.T)), want, 1e-11)
    same(vmap(grad(ours(function)), in_dims=-1, out_dims=1)(tensor(xs.T)), want.T, 1e-11)


TWICE = {
    "hessian": hessian,
    "jacfwd_of_jacrev": lambda f: jacfwd(jacrev(f)),
    "jacrev_of_jacrev": lambda f: jacrev(jacrev(f)),
    "jacrev_of_jacfwd": lambda f: jacrev(jacfwd(f)),
    "jacfwd_of_jacfwd": lambda f: jacfwd(jacfwd(f)),
}


@each_function
@pytest.mark.parametrize("twice", TWICE.values(), ids=TWICE.keys())
def test_hessian(function, twice):
    x = point(function)
    same(twice(ours(function))(tensor(x)), truth.hessian(function, x))


@pytest.mark.parametrize("jacobian", (jacrev, jacfwd), ids=("jacrev", "jacfwd"))
def test_jacobian_of_a_gradient_is_the_hessian(jacobian):
    x = point(attention)
    same(jacobian(grad(ours(attention)))(tensor(x)), truth.hessian(attention, x))


@each_function
def test_third_derivative(function):
    x, w = point(function), point(function, 1)
    once = lambda f: lambda y: (grad(f)(y) * tensor(w)).sum()
    same(grad(once(once(ours(function))))(tensor(x)), truth.third_along(function, x, w), 1e-3)


@each_function
def test_third_derivative_by_create_graph(function):
    x, w = tensor(point(function)).requires_grad_(), tensor(point(function, 1))
    out = ours(function)(x)
    for _ in range(2):
        (g,) = pullback.autograd.grad(out, x, create_graph=True)
        out = (g * w).sum()
    (third,) = pullback.autograd.grad(out, x)
    same(third, truth.third_along(function, x.detach().numpy(), w.numpy()), 1e-3)


TRACED = {
    "value": lambda f: f,
    "grad": grad,
    "hvp": lambda f: lambda x: jvp_of_grad(f, x, x),
    "grad_of_grad": lambda f: lambda x: grad_of_grad(f, x, tensor(np.ones(x.shape))),
    "vmap_of_grad": lambda f: lambda x: vmap(grad(f))(pullback.stack([x, 2.0 * x])),
    "hessian": hessian,
}


@each_function
@pytest.mark.parametrize("transform", TRACED.values(), ids=TRACED.keys())
def test_trace_of_a_transform_replays_it_on_other_numbers(function, transform):
    transformed = transform(ours(function))
    program = trace(transformed, tensor(point(function)))
    other = tensor(point(function, 5))
    same(program(other), transformed(other).detach().numpy(), 1e-12)


@each_function
def test_transforms_of_a_program(function):
    """A program is a function like any other: it can be differentiated and batched."""
    x = point(function)
    program = trace(ours(function), tensor(x))
    xs = rows(function)
    same(grad(program)(tensor(xs[1])), truth.gradient(function, xs[1]), 1e-11)
    same(vmap(program)(tensor(xs)), [truth.value(function, row) for row in xs], 1e-12)


@each_function
def test_trace_of_the_tape_writes_the_backward_pass_down(function):
    def gradient(x):
        y = x.clone()
        y = y if y.requires_grad else y.detach().requires_grad_()
        return pullback.autograd.grad(function(pullback, y), y)[0]

    program = trace(gradient, tensor(point(function)))
    other = point(function, 5)
    same(program(tensor(other)), truth.gradient(function, other), 1e-11)
