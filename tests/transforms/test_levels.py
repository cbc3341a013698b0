"""Who a value belongs to: nested transforms that must not take each other's derivatives or batches for their own."""

import numpy as np
import pytest

import pullback
from numeric import agree
from pullback.func import grad, grad_and_value, jacrev, jvp, vjp, vmap


def tensor(values):
    return pullback.tensor(values, dtype=pullback.float64)


def same(got, want):
    agree(got.detach().numpy(), want, "the transform", rtol=1e-12)


def test_inner_grad_does_not_see_the_outer_variable():
    """d/dx [x · d/dy (x + y)] = 1, the classic case of perturbation confusion."""
    same(grad(lambda x: x * grad(lambda y: x + y)(tensor(1.0)))(tensor(2.0)), 1.0)


def test_inner_jvp_does_not_see_the_outer_tangent():
    one = tensor(1.0)
    derivative = lambda f: lambda x: jvp(f, (x,), (one,))[1]
    same(derivative(lambda x: x * derivative(lambda y: x + y)(one))(tensor(2.0)), 1.0)


@pytest.mark.parametrize("outer", ("grad", "jvp"))
@pytest.mark.parametrize("inner", ("grad", "jvp"))
def test_inner_derivative_may_depend_on_the_outer_variable(outer, inner):
    """d/dx [x · d/dy (x² y)] at any y is d/dx x³ = 3x²."""
    modes = {"grad": grad, "jvp": lambda f: lambda x: jvp(f, (x,), (tensor(1.0),))[1]}
    f = lambda x: x * modes[inner](lambda y: x**2 * y)(tensor(3.0))
    same(modes[outer](f)(tensor(2.0)), 12.0)


def test_inner_derivative_with_respect_to_the_outer_variable_itself():
    """The same value is the variable of both levels: d/dx [d/dy sin(xy) at y = x] = d/dx x cos x²."""
    x = 0.7
    got = grad(lambda a: grad(lambda b: pullback.sin(a * b))(a))(tensor(x))
    same(got, np.cos(x * x) - 2 * x * x * np.sin(x * x))


def test_three_levels_of_grad_in_each_other():
    """d/dx [x · d/dy (y · d/dz (x y z²))] at y = 3, z = 1: inner 2xyz, then 4xyz, so 24 x."""
    f = lambda x: x * grad(lambda y: y * grad(lambda z: x * y * z**2)(tensor(1.0)))(tensor(3.0))
    same(grad(f)(tensor(2.0)), 48.0)


def test_vmap_in_vmap_makes_the_outer_product():
    a, b = tensor([1.0, 2.0, 3.0]), tensor([10.0, 20.0])
    same(vmap(lambda x: vmap(lambda y: x * y)(b))(a), np.outer([1, 2, 3], [10, 20]))


def test_inner_vmap_that_returns_the_outer_variable_repeats_it():
    a, b = tensor([1.0, 2.0, 3.0]), tensor([10.0, 20.0])
    same(vmap(lambda x: vmap(lambda y: x)(b))(a), [[1, 1], [2, 2], [3, 3]])


def test_vmap_in_vmap_swaps_dims():
    a = tensor(np.arange(6.0).reshape(2, 3))
    same(vmap(vmap(lambda x: 2 * x), in_dims=1, out_dims=1)(a), 2 * np.arange(6.0).reshape(2, 3))


def test_grad_in_vmap_of_a_function_of_an_outer_batch():
    """For each x of the batch, d/dy (x y²) at y = 3."""
    same(vmap(lambda x: grad(lambda y: x * y**2)(tensor(3.0)))(tensor([1.0, 2.0])), [6, 12])


def test_constant_cotangent_in_a_vmap_is_handed_down():
    """The batch's values never reach the linear function, so at that level no operand is the batch's own."""
    same(vmap(lambda x: grad(lambda y: 3.0 * y)(tensor(2.0)) + x)(tensor([1.0, 2.0])), [4, 5])


def test_vjp_function_may_be_called_in_a_vmap_that_opened_later():
    _, pull = vjp(lambda x: x**2, tensor([1.0, 2.0, 3.0]))
    got = vmap(lambda g: pull(g)[0])(tensor(np.eye(3)))
    same(got, np.diag([2.0, 4.0, 6.0]))


def test_vjp_function_may_be_differentiated_after_its_level_closed():
    same(grad(lambda x: vjp(lambda y: y**3, x)[1](tensor(1.0))[0])(tensor(2.0)), 12.0)


def test_outer_backward_reaches_a_closure_through_vmap():
    w = tensor([1.0, 2.0]).requires_grad_()
    xs = tensor([[1.0, 3.0], [5.0, 7.0], [2.0, 4.0]])
    vmap(lambda x: (w * x**2).sum())(xs).backward(tensor([1.0, 10.0, 100.0]))
    same(w.grad, (np.array([1.0, 10.0, 100.0])[:, None] * xs.numpy() ** 2).sum(0))


def test_outer_backward_reaches_a_closure_through_grad():
    w, x = tensor([1.0, 2.0]).requires_grad_(), tensor([3.0, 4.0])
    g = grad(lambda y: (w * y**2).sum())(x)
    same(g, [6.0, 16.0])
    g.backward(tensor([1.0, 10.0]))
    same(w.grad, [6.0, 80.0])


def test_outer_backward_reaches_a_closure_through_jvp():
    w = tensor([1.0, 2.0]).requires_grad_()
    out, tangent = jvp(lambda y: (w * y**2).sum(), (tensor([3.0, 4.0]),), (tensor([1.0, 10.0]),))
    (out + tangent).backward()
    same(w.grad, [9.0 + 6.0, 16.0 + 80.0])


def test_outer_backward_reaches_a_closure_through_vmap_of_grad():
    w = tensor([1.0, 2.0]).requires_grad_()
    xs = tensor([[1.0, 3.0], [5.0, 7.0]])
    vmap(grad(lambda x: (w * x**2).sum()))(xs).sum().backward()
    same(w.grad, (2 * xs.numpy()).sum(0))


def test_outer_backward_reaches_the_arguments_of_every_transform():
    x = tensor([1.0, 2.0, 3.0]).requires_grad_()
    total = vmap(lambda y: y**2)(x).sum() + grad(lambda y: (y**3).sum())(x).sum()
    total.backward()
    same(x.grad, 2 * x.detach().numpy() + 6 * x.detach().numpy())


def test_transforms_leave_no_level_open_after_an_error():
    def fail(x):
        raise ZeroDivisionError

    for transform in (grad(fail), vmap(fail), lambda x: jvp(fail, (x,), (x,)), lambda x: vjp(fail, x)):
        with pytest.raises(ZeroDivisionError):
            transform(tensor([1.0]))
    x = tensor(2.0).requires_grad_()
    grad(lambda y: x * y**2)(tensor(3.0)).backward()
    same(x.grad, 6.0)


def test_grad_of_a_constant_is_zero():
    same(grad(lambda x: tensor(3.0))(tensor([1.0, 2.0])), [0, 0])
    same(grad(lambda x: (0.0 * x.detach()).sum())(tensor([1.0, 2.0])), [0, 0])


def test_tangent_of_a_constant_is_zero():
    out, tangent = jvp(lambda x: tensor([3.0, 4.0]), (tensor(1.0),), (tensor(1.0),))
    same(out, [3, 4])
    same(tangent, [0, 0])


def test_vmap_of_a_constant_repeats_it():
    same(vmap(lambda x: tensor([3.0, 4.0]))(tensor([1.0, 2.0, 3.0])), [[3, 4]] * 3)


def test_gradient_of_an_unused_argument_is_zero():
    first, second = grad(lambda x, y: (x**2).sum(), argnums=(0, 1))(tensor([1.0, 2.0]), tensor([5.0]))
    same(first, [2, 4])
    same(second, [0])
    _, pull = vjp(lambda x, y: x * 2, tensor(1.0), tensor([5.0, 6.0]))
    same(pull(tensor(1.0))[1], [0, 0])


def test_integer_arguments_are_batched_and_passed_through():
    table, picks = tensor([10.0, 20.0, 30.0]), pullback.tensor([2, 0])
    same(vmap(lambda i: table[i] * 2)(picks), [60, 20])
    got = vmap(grad(lambda x, i: (x**2)[i]), in_dims=(None, 0))(table, picks)
    same(got, [[0, 0, 60], [20, 0, 0]])
    same(grad(lambda x, n: (x**n).sum())(tensor([2.0]), pullback.tensor(3)), [12])


def test_grad_by_an_integer_argument_raises():
    with pytest.raises(RuntimeError):
        grad(lambda n: (n * 2.0).sum())(pullback.tensor([1, 2]))


def test_grad_of_a_function_that_gives_no_scalar_raises():
    with pytest.raises(RuntimeError, match="scalar"):
        grad(lambda x: x * 2)(tensor([1.0, 2.0]))


def test_vmap_over_batches_of_different_sizes_raises():
    with pytest.raises(ValueError, match="size"):
        vmap(lambda x, y: x + y)(tensor([1.0, 2.0]), tensor([1.0, 2.0, 3.0]))


def test_nested_structures_go_in_and_out():
    model = {"w": tensor([1.0, 2.0]), "b": [tensor(3.0)]}
    loss = lambda m, x: ((m["w"] * x).sum() + m["b"][0]) ** 2
    gradient, value = grad_and_value(loss)(model, tensor([1.0, 1.0]))
    same(value, 36.0)
    same(gradient["w"], [12, 12])
    same(gradient["b"][0], 12.0)
    batch = vmap(grad(loss), in_dims=(None, 0))(model, tensor([[1.0, 1.0], [0.0, 0.0]]))
    same(batch["w"], [[12, 12], [0, 0]])
    same(batch["b"][0], [12, 6])


def test_aux_is_the_callers_tensor():
    gradient, aux = grad(lambda x: ((x**2).sum(), {"twice": 2 * x}), has_aux=True)(tensor([1.0, 2.0]))
    same(gradient, [2, 4])
    same(aux["twice"] + 1, [3, 5])


def test_jacobian_of_several_outputs_and_arguments():
    f = lambda x, y: (x * y.sum(), y**2)
    (a, b), (c, d) = jacrev(f, argnums=(0, 1))(tensor([1.0, 2.0]), tensor([3.0, 4.0, 5.0]))
    same(a, 12 * np.eye(2))
    same(b, [[1, 1, 1], [2, 2, 2]])
    same(c, np.zeros((3, 2)))
    same(d, np.diag([6.0, 8.0, 10.0]))


def test_grad_works_under_no_grad_and_records_nothing_for_the_outside():
    x = tensor(3.0).requires_grad_()
    with pullback.no_grad():
        got = grad(lambda y: y**2)(x)
    same(got, 6.0)
    assert not got.requires_grad


def test_no_grad_inside_a_function_makes_constants():
    def f(x):
        with pullback.no_grad():
            factor = x * 10
        return factor * x

    same(grad(f)(tensor(2.0)), 20.0)


def test_detach_inside_a_transform_drops_only_the_derivative():
    same(grad(lambda x: x.detach() * x)(tensor(3.0)), 3.0)
    same(vmap(lambda x: x.detach() * 2)(tensor([1.0, 2.0])), [2, 4])
