"""The engine: what backward and grad compute, accumulate, refuse and free."""

import gc
import sys
import tracemalloc
import weakref

import numpy as np
import pytest

import pullback as torch


def leaf(*values, dtype=torch.float64):
    return torch.tensor(values, dtype=dtype, requires_grad=True)


def test_gradients_are_summed_over_all_paths():
    x = leaf(2.0, 3.0)
    y = x * x
    (y * x + y).sum().backward()
    np.testing.assert_allclose(x.grad.numpy(), 3 * x.detach().numpy() ** 2 + 2 * x.detach().numpy())


def test_backward_adds_to_the_gradient_that_is_there():
    x = leaf(1.0, 2.0)
    y = (x * x).sum()
    y.backward(retain_graph=True)
    first = x.grad
    y.backward()
    assert x.grad is first
    np.testing.assert_allclose(first.numpy(), [4.0, 8.0])


def test_a_diamond_of_shared_gradients_does_not_write_into_a_buffer_that_someone_sees():
    x, y = leaf(1.0), leaf(2.0)
    upstream = torch.tensor([5.0], dtype=torch.float64)
    (x + y).backward(upstream)
    (x + y).backward(upstream)
    np.testing.assert_array_equal(upstream.numpy(), [5.0])
    assert x.grad is not y.grad
    assert not np.shares_memory(x.grad.numpy(), y.grad.numpy())
    np.testing.assert_array_equal(x.grad.numpy(), [10.0])


def test_third_order_derivatives_by_create_graph():
    x = torch.tensor(2.0, dtype=torch.float64, requires_grad=True)
    y = x * x * x * x
    for expected in (32.0, 48.0, 48.0, 24.0):
        (y,) = torch.autograd.grad(y, x, create_graph=True)
        assert y.item() == pytest.approx(expected)


def test_gradients_reach_intermediate_tensors_and_nothing_else():
    x = leaf(1.0, 2.0)
    y = x * x
    z = (y * y).sum()
    (gy,) = torch.autograd.grad(z, y, retain_graph=True)
    np.testing.assert_allclose(gy.numpy(), [2.0, 8.0])
    assert x.grad is None


def test_backward_with_inputs_touches_only_those():
    x, y = leaf(1.0), leaf(2.0)
    (x * y).sum().backward(inputs=[x])
    assert x.grad is not None
    assert y.grad is None


def test_unused_inputs_raise_or_give_none_or_zeros():
    x, y = leaf(1.0), leaf(2.0)
    z = (x * x).sum()
    with pytest.raises(RuntimeError, match="allow_unused=True"):
        torch.autograd.grad(z, [x, y], retain_graph=True)
    assert torch.autograd.grad(z, [x, y], allow_unused=True, retain_graph=True)[1] is None
    zeros = torch.autograd.grad(z, [x, y], materialize_grads=True)[1]
    np.testing.assert_array_equal(zeros.numpy(), [0.0])


@pytest.mark.parametrize(
    ("act", "error", "message"),
    [
        (lambda x: (x * x).backward(), RuntimeError, "grad can be implicitly created only for scalar outputs"),
        (lambda x: (x * x).backward(torch.ones(3, dtype=torch.float64)), RuntimeError, r"Mismatch in shape.*\[3\]"),
        (lambda x: x.detach().sum().backward(), RuntimeError, "does not require grad and does not have a grad_fn"),
        (lambda x: torch.autograd.grad(x.sum(), x.detach()), RuntimeError, "does not require grad"),
        (lambda x: torch.autograd.backward([x.sum(), x.sum()], [None]), RuntimeError, "got 2 tensors and 1 gradients"),
        (lambda x: x.sum().backward(inputs=[]), RuntimeError, "cannot be empty"),
    ],
)
def test_bad_requests_are_refused_in_words(act, error, message):
    with pytest.raises(error, match=message):
        act(leaf(1.0, 2.0))


def test_second_backward_names_the_line_that_freed_the_graph():
    x = leaf(1.0)
    y = (x * x).sum()  # recorded here
    y.backward()
    with pytest.raises(RuntimeError, match="backward through the graph a second time") as caught:
        y.backward()
    assert "y = (x * x).sum()" in str(caught.value)
    assert "y.backward()" in str(caught.value)


def test_a_graph_that_saved_nothing_can_be_walked_twice():
    x = leaf(1.0)
    y = (x + x).sum()
    y.backward()
    y.backward()
    np.testing.assert_array_equal(x.grad.numpy(), [4.0])


def test_promoted_and_broadcast_operands_get_gradients_of_their_own_shape_and_dtype():
    x = torch.tensor([[1.0], [2.0]], dtype=torch.float32, requires_grad=True)
    y = torch.tensor([1.0, 2.0, 3.0], dtype=torch.float64, requires_grad=True)
    (x * y).sum().backward()
    assert (x.grad.dtype, tuple(x.grad.shape)) == (torch.float32, (2, 1))
    assert (y.grad.dtype, tuple(y.grad.shape)) == (torch.float64, (3,))
    np.testing.assert_allclose(x.grad.numpy(), [[6.0], [6.0]])


def test_tensor_hooks_see_and_replace_gradients_in_order():
    x = leaf(1.0)
    y = x * 3
    seen = []
    y.register_hook(lambda g: seen.append(("first", g.item())) or g * 2)
    handle = y.register_hook(lambda g: seen.append(("removed", g.item())))
    y.register_hook(lambda g: seen.append(("second", g.item())))
    handle.remove()
    x.register_hook(lambda g: seen.append(("leaf", g.item())))
    y.sum().backward()
    assert seen == [("first", 1.0), ("second", 2.0), ("leaf", 6.0)]
    assert x.grad.item() == 6.0


def test_a_leaf_hook_runs_as_soon_as_the_leaf_is_complete():
    order = []
    early, late = leaf(1.0), leaf(1.0)
    y = late * 2
    y.register_hook(lambda g: order.append("older node"))
    z = y * early
    early.register_post_accumulate_grad_hook(lambda t: order.append("early leaf"))
    z.sum().backward()
    assert order == ["early leaf", "older node"]


def test_retained_gradients_of_intermediate_tensors():
    x = leaf(1.0, 2.0)
    y = x * x
    y.retain_grad()
    (y * 3).sum().backward()
    np.testing.assert_array_equal(y.grad.numpy(), [3.0, 3.0])


def test_reading_the_grad_of_a_non_leaf_warns():
    y = leaf(1.0) * 2
    with pytest.warns(UserWarning, match="not a leaf"):
        assert y.grad is None


def test_several_outputs_of_one_operation_each_get_their_gradient():
    x = leaf(1.0, 2.0, 3.0)
    a, _, c = x.unbind(0)
    (a * 2 + c * 5).backward()
    np.testing.assert_array_equal(x.grad.numpy(), [2.0, 0.0, 5.0])


def test_backward_inside_a_hook():
    x, w = leaf(2.0), leaf(3.0)
    y = x * x

    def inner(g):
        with torch.enable_grad():  # a pass that is not recorded runs without grad mode
            (w * w).sum().backward()

    y.register_hook(inner)
    y.sum().backward()
    assert w.grad.item() == 6.0
    assert x.grad.item() == 4.0


def test_batched_cotangents_give_a_batch_of_gradients():
    x = leaf(1.0, 2.0, 3.0)
    y = x * x
    (jac,) = torch.autograd.grad(y, x, torch.eye(3, dtype=torch.float64), is_grads_batched=True)
    np.testing.assert_allclose(jac.numpy(), np.diag([2.0, 4.0, 6.0]))


def test_a_chain_of_a_million_nodes_builds_runs_and_is_freed_with_the_default_recursion_limit():
    assert sys.getrecursionlimit() <= 3000
    x = torch.tensor([1.0], requires_grad=True)
    c = torch.tensor([1.0])
    y = x
    for _ in range(1_000_000):
        y = y * c
    y.backward(torch.ones(1))
    assert x.grad.item() == 1.0
    node = weakref.ref(y.grad_fn)
    del y
    assert node() is None


def test_a_graph_leaves_nothing_for_the_cycle_collector():
    x = torch.ones(50, requires_grad=True)

    def step():
        y = (x * x).sum()
        (g,) = torch.autograd.grad(y, x, create_graph=True)
        (g * g).sum().backward()
        x.grad = None

    step()
    gc.collect()
    gc.disable()
    try:
        tracemalloc.start()
        for _ in range(2500):  # CPython keeps up to 2,000 freed tuples of a size
            step()
        before = tracemalloc.get_traced_memory()[0]
        for _ in range(500):
            step()
        grown = tracemalloc.get_traced_memory()[0] - before
    finally:
        tracemalloc.stop()
        gc.enable()
    assert grown < 2000


def test_an_exception_in_a_hook_leaves_gradients_and_modes_as_they_were():
    x = leaf(1.0)
    y = x * 2

    def fail(g):
        raise ValueError("from the hook")

    y.register_hook(fail)
    with pytest.raises(ValueError, match="from the hook"):
        y.sum().backward()
    assert x.grad is None
    assert torch.is_grad_enabled()


def test_next_functions_lead_to_the_leaves():
    x = leaf(1.0)
    y = (x * 2) + x
    assert y.grad_fn.name() == "AddBackward0"
    (mul, nr), (accumulate, _) = y.grad_fn.next_functions
    assert (mul.name(), nr) == ("MulBackward0", 0)
    assert accumulate.name() == "torch::autograd::AccumulateGrad"
    assert accumulate.variable is x
    assert mul.next_functions[0][0] is accumulate


def test_a_gradient_edge_names_one_of_several_outputs():
    from pullback.tape.backward import GradientEdge

    x = leaf(1.0, 2.0, 3.0)
    pieces = x.unbind(0)
    loss = pieces[0] * 2 + pieces[2] * 5
    edge = GradientEdge(pieces[2].grad_fn, pieces[2].output_nr)
    assert torch.autograd.grad(loss, edge)[0].item() == 5.0


def test_a_grad_whose_form_was_changed_is_refused_before_anything_is_added():
    x, w = torch.ones(2, 3, requires_grad=True), torch.ones(2, 3, requires_grad=True)
    (x * w).sum().backward()
    w.grad.unsqueeze_(-1)
    with pytest.raises(RuntimeError, match="must match the size"):
        (x * w).sum().backward()
    assert x.grad.tolist() == [[1.0] * 3] * 2
