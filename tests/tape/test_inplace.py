"""Writes in place: stale saved values, views, re-rooted histories, and what is refused."""

import numpy as np
import pytest

import pullback as torch


def leaf(*values):
    return torch.tensor(values, dtype=torch.float64, requires_grad=True)


def test_a_destroyed_value_names_the_line_that_saved_it_and_the_line_that_wrote_it():
    x = leaf(1.0, 2.0)
    y = x * 1
    z = y * y  # saves y
    y.add_(1)  # destroys it
    with pytest.raises(RuntimeError, match="modified by an inplace operation") as caught:
        z.sum().backward()
    message = str(caught.value)
    assert "z = y * y" in message
    assert "y.add_(1)" in message


def test_a_saved_result_is_watched_too():
    x = leaf(1.0)
    y = x.exp()
    y.mul_(2)
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        y.sum().backward()


def test_writes_before_the_value_is_saved_do_no_harm():
    x = leaf(1.0, 2.0)
    y = x * 1
    y.add_(1)
    (y * y).sum().backward()
    np.testing.assert_allclose(x.grad.numpy(), [4.0, 6.0])


def test_the_old_value_of_an_overwritten_operand_is_kept_for_the_other_operand():
    x, w = leaf(2.0), leaf(3.0)
    y = x * 1
    y.mul_(w)
    y.sum().backward()
    assert (x.grad.item(), w.grad.item()) == (3.0, 2.0)


def test_a_write_through_a_view_reaches_the_base():
    x, w = leaf(1.0, 2.0, 3.0), leaf(10.0)
    y = x * 1
    y[1:2].mul_(w)
    np.testing.assert_array_equal(y.detach().numpy(), [1.0, 20.0, 3.0])
    (y * torch.tensor([1.0, 2.0, 3.0], dtype=torch.float64)).sum().backward()
    np.testing.assert_allclose(x.grad.numpy(), [1.0, 20.0, 3.0])
    assert w.grad.item() == 4.0


def test_a_view_made_before_a_write_to_the_base_follows_its_history():
    x = leaf(1.0, 2.0)
    y = x * 1
    view = y[0]
    y.mul_(5)
    view.backward()
    np.testing.assert_array_equal(x.grad.numpy(), [5.0, 0.0])


def test_siblings_see_each_others_writes():
    x = leaf(1.0, 2.0)
    y = x * 1
    first, same = y[0:1], y[0:1]
    first.mul_(7)
    same.sum().backward()
    np.testing.assert_array_equal(x.grad.numpy(), [7.0, 0.0])


def test_chains_of_views():
    x = torch.ones(2, 3, dtype=torch.float64, requires_grad=True)
    y = x * 1
    y.transpose(0, 1)[1].mul_(4)
    y.sum().backward()
    np.testing.assert_array_equal(x.grad.numpy(), [[1, 4, 1], [1, 4, 1]])


def test_a_value_that_requires_grad_written_into_a_plain_tensor_gives_it_a_history():
    x = leaf(3.0)
    y = torch.zeros(3, dtype=torch.float64)
    y[1] = x[0] * 2
    assert y.requires_grad
    (y * y).sum().backward()
    assert x.grad.item() == 24.0


def test_create_graph_through_a_write_to_a_view():
    x = leaf(2.0, 3.0)
    y = x * x
    y[0:1].mul_(y[1:2].detach() * 1)
    (g,) = torch.autograd.grad((y * y).sum(), x, create_graph=True)
    # y = (9 x0^2, x1^2): d/dx of 81 x0^4 + x1^4, and its derivative
    np.testing.assert_allclose(g.detach().numpy(), [81 * 4 * 8, 4 * 27])
    (h,) = torch.autograd.grad(g.sum(), x)
    np.testing.assert_allclose(h.numpy(), [81 * 12 * 4, 12 * 9])


@pytest.mark.parametrize(
    ("act", "message"),
    [
        (lambda x: x.add_(1), "a leaf Variable that requires grad is being used in an in-place operation"),
        (lambda x: x[0:1].add_(1), "a view of a leaf Variable that requires grad"),
        (lambda x: (x * 1).expand(3, 2).add_(1), "more than one element of the written-to tensor"),
        (lambda x: (x * 1).add_(torch.ones(3, 2, dtype=torch.float64)), "doesn't match the broadcast shape"),
        (lambda x: torch.ones(2, dtype=torch.int64).add_(x.detach()), "can't be cast to the desired output type Long"),
    ],
)
def test_refused_writes_change_nothing(act, message):
    x = leaf(1.0, 2.0)
    with pytest.raises(RuntimeError, match=message):
        act(x)
    np.testing.assert_array_equal(x.detach().numpy(), [1.0, 2.0])
    assert x._version == 0


def test_leaves_can_be_written_under_no_grad():
    x = leaf(1.0)
    with torch.no_grad():
        x -= 0.5
    assert x.item() == 0.5
    assert x.is_leaf
    assert x._version == 1


def test_detached_tensors_share_the_watch_and_data_does_not():
    x = leaf(1.0)
    y = x * 1
    z = y * y
    y.detach().add_(1)
    with pytest.raises(RuntimeError, match="inplace"):
        z.sum().backward()
    y = x * 1
    z = y * y
    y.data.add_(1)
    z.sum().backward()


def test_retain_grad_follows_a_tensor_through_writes():
    x = leaf(1.0)
    y = x * 1
    y.retain_grad()
    y.mul_(3)
    (y * 5).sum().backward()
    assert y.grad.item() == 5.0


@pytest.mark.parametrize("op", ["add_", "mul_", "div_", "pow_", "atan2_", "hypot_", "lerp_"])
@pytest.mark.parametrize("through_view", [False, True])
def test_gradients_of_a_promoted_write_have_the_dtypes_of_what_they_are_gradients_of(op, through_view):
    x = torch.tensor([1.5, 2.0], requires_grad=True)
    w = torch.tensor([0.5, 2.5], dtype=torch.float32 if op == "lerp_" else torch.float64, requires_grad=True)
    y = x * 1
    target = y[:] if through_view else y
    getattr(target, op)(*([w, 0.5] if op == "lerp_" else [w]))
    for create_graph in (False, True):
        grads = torch.autograd.grad((y * y).sum(), [x, w], retain_graph=True, create_graph=create_graph)
        assert [g.dtype for g in grads] == [x.dtype, w.dtype]


def test_a_saved_value_of_a_formula_is_watched_where_not_all_inputs_need_grad():
    x = leaf(3.0, 1.0, 2.0)
    y = x * 1
    z = torch.take_along_dim(y.detach(), y.argsort(), 0) + torch.take_along_dim(y, y.argsort(), 0)
    y[y > 2] = 0.0
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        z.sum().backward()


def test_a_view_that_gets_its_history_by_a_write_elsewhere_can_retain_its_grad():
    base = torch.tensor([1.0, 2.0])
    view, scale = base.view(-1, 1)[1], leaf(3.0)
    base[1:] *= scale.float()
    view.retain_grad()
    assert view.retains_grad
    (view * 5).sum().backward()
    assert view.grad.tolist() == [5.0]


@pytest.mark.parametrize("name", ["eq_", "ne_", "lt_", "gt_", "le_", "ge_"])
def test_comparisons_in_place_end_the_history_of_what_was_there(name):
    x = torch.tensor([1.0, 2.0, 3.0], requires_grad=True)
    y = x * 1
    getattr(y[1:], name)(2)
    assert torch.autograd.grad(y.sum(), x)[0].tolist() == [1, 0, 0]
