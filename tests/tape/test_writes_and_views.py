"""Writes in place and views beside torch: what is refused, what is counted, whose history follows whose."""

import warnings

import numpy as np
import pytest

import pullback

# -- what is refused ---------------------------------------------------------------------------------------------------


def leaf(torch, *shape):
    size = int(np.prod(shape))
    return torch.tensor(np.linspace(0.5, 2, size).reshape(shape), dtype=torch.float64, requires_grad=True)


def constant(torch, *shape):
    return leaf(torch, *shape).detach().clone()


def unrecorded_view(torch, tensor):
    with torch.no_grad():
        return tensor[1:]


def out_of_no_grad(torch):
    y = leaf(torch, 3) * 1
    unrecorded_view(torch, y).mul_(2)


def seen_after_its_base_was_written(torch):
    y = leaf(torch, 3) * 1
    view = unrecorded_view(torch, y)
    y.mul_(2)
    return view.grad_fn


def used_after_its_base_was_written(torch):
    y = leaf(torch, 3) * 1
    view = unrecorded_view(torch, y)
    y.mul_(2)
    return view * 2


def stale_saved_input(torch):
    y = leaf(torch, 3) * 1
    z = y * y
    y.add_(1)
    z.sum().backward()


def stale_by_a_detached_tensor(torch):
    y = leaf(torch, 3) * 1
    z = y * y
    y.detach()[0] = 1
    z.sum().backward()


def stale_by_a_declared_write(torch):
    y = leaf(torch, 3) * 1
    z = y * y
    torch.autograd.graph.increment_version(y)
    z.sum().backward()


def stale_data_of_a_data(torch):
    w, d = leaf(torch, 3), leaf(torch, 3).data
    z = w * d
    d.add_(1)
    z.sum().backward()


def nested_contexts(torch):
    mutation = torch.autograd.graph.allow_mutation_on_saved_tensors
    with mutation(), mutation():
        pass


def backward_outside(torch):
    with torch.autograd.graph.allow_mutation_on_saved_tensors():
        z = leaf(torch, 3).sin()
    z.sum().backward()


def moved_into_the_graph(torch):
    x = leaf(torch, 3)
    y = x * 2
    x.requires_grad_(False)
    x.mul_(leaf(torch, 3))
    y.sum().backward()


def inference_version(torch):
    with torch.inference_mode():
        x = torch.ones(2)
    return x._version


def out_with_grad(torch):
    torch.add(leaf(torch, 2), 1, out=constant(torch, 2))


SQUARE = {
    "the transpose": lambda x: x.add_(x.t()),
    "a row": lambda x: x.add_(x[0]),
    "an element": lambda x: x.mul_(x[0, 0]),
    "rows that are shifted": lambda x: x[1:].copy_(x[:-1]),
    "rows that are shifted, by an index": lambda x: x.__setitem__(slice(1, None), x[:-1]),
    "itself, by index_add_": lambda x: x.index_add_(0, x.long()[0] * 0, x),
    "itself, by an index tensor": lambda x: x.__setitem__(x.long()[0] * 0, x),
    "itself, by scatter_": lambda x: x.scatter_(0, x.long() * 0, x),
}
REFUSED = [
    lambda torch: leaf(torch, 3).add_(1),
    lambda torch: leaf(torch, 3)[1:].add_(1),
    lambda torch: leaf(torch, 2, 3)[0][1:].zero_(),
    lambda torch: leaf(torch, 3).__setitem__(0, 1.0),
    lambda torch: leaf(torch, 3).copy_(leaf(torch, 3)),
    lambda torch: leaf(torch, 3, 3).t_(),
    lambda torch: leaf(torch, 3).sign_(),
    lambda torch: constant(torch, 3).expand(2, 3).add_(1),
    lambda torch: constant(torch, 3).expand(2, 3).copy_(constant(torch, 2, 3)),
    lambda torch: constant(torch, 1).expand(3).__setitem__(slice(None), constant(torch, 3)),
    lambda torch: constant(torch, 3).add_(constant(torch, 2, 3)),
    lambda torch: constant(torch, 3).copy_(constant(torch, 4)),
    lambda torch: constant(torch, 3).long().add_(0.5),
    lambda torch: constant(torch, 3).long().mul_(constant(torch, 3)),
    lambda torch: constant(torch, 3).mul_(1j),
    lambda torch: constant(torch, 3).add_(torch.ones(3, dtype=torch.complex128)),
    lambda torch: constant(torch, 3).bool().add_(1),
    lambda torch: (leaf(torch, 3) * 1)[1:].detach_(),
    lambda torch: setattr(leaf(torch, 3) * 1, "requires_grad", False),
    lambda torch: (leaf(torch, 3) * 1).requires_grad_(False),
    lambda torch: setattr(leaf(torch, 3), "data", constant(torch, 3).long()),
    lambda torch: setattr(constant(torch, 3), "data", 1.0),
    lambda torch: torch.autograd.graph.increment_version(1),
    out_of_no_grad,
    seen_after_its_base_was_written,
    used_after_its_base_was_written,
    stale_saved_input,
    stale_by_a_detached_tensor,
    stale_by_a_declared_write,
    stale_data_of_a_data,
    nested_contexts,
    backward_outside,
    moved_into_the_graph,
    inference_version,
    out_with_grad,
]


def raised(action, *args):
    try:
        action(*args)
    except Exception as error:
        return type(error)
    return None


@pytest.mark.parametrize("number", range(len(REFUSED)))
def test_what_torch_refuses_is_refused_with_its_exception(torch, number):
    expected = raised(REFUSED[number], torch)
    assert expected is not None
    assert raised(REFUSED[number], pullback) is expected


@pytest.mark.parametrize("operand", SQUARE)
def test_a_write_is_refused_where_the_operand_overlaps_with_the_target(torch, operand):
    for library in (torch, pullback):
        x = constant(library, 3, 3)
        before = x.numpy().copy()
        with pytest.raises(RuntimeError, match=r"refers? to a single memory location"):
            SQUARE[operand](x)
        np.testing.assert_array_equal(x.numpy(), before)


# -- what is accepted --------------------------------------------------------------------------------------------------


def whole(torch, x, w):
    x.mul_(w)


def by_itself(torch, x, w):
    x.add_(x)


def broadcast(torch, x, w):
    x.mul_(w[0])


def transposed(torch, x, w):
    x.t()[1].mul_(w[0])


def diagonal(torch, x, w):
    x.diagonal().copy_(w[0])


def flat(torch, x, w):
    x.view(-1)[2:5] *= w.reshape(-1)[:3]


def masked(torch, x, w):
    x[x > 1] = w[0, 0]


def masked_in_place(torch, x, w):
    x[x > 1] *= 2


def indexed(torch, x, w):
    x[torch.tensor([0, 2])] += w[:2]


def accumulated(torch, x, w):
    x.index_put_((torch.tensor([0, 0]),), w[:2], accumulate=True)


def across_dtypes(torch, x, w):
    x.copy_(w.to(torch.float32))


def promoted(torch, x, w):
    y = x.to(torch.float32)
    y.mul_(w)
    x.copy_(y)


def filled(torch, x, w):
    x[1].fill_(3.0)
    x[2] = w[0, 1]


def disjoint_rows(torch, x, w):
    x[0].mul_(w[0])
    x[1].add_(x[2])


def through_a_sibling(torch, x, w):
    first, second = x[:2], x[1:]
    first.mul_(w[:2])
    second.add_(w[1:])


def by_a_list(torch, x, w):
    x[[0, 1]] = x[[1, 0]] * w[:2]


WRITES = [
    whole, by_itself, broadcast, transposed, diagonal, flat, masked, masked_in_place, indexed, accumulated, across_dtypes,
    promoted, filled, disjoint_rows, through_a_sibling, by_a_list,
]  # fmt: skip


@pytest.mark.parametrize("write", WRITES, ids=lambda write: write.__name__)
@pytest.mark.parametrize("source", ["node", "view", "constant"])
def test_writes_have_torchs_values_gradients_and_versions(torch, write, source):
    if write is through_a_sibling and source == "constant":
        pytest.skip("PyTorch takes the second view for a leaf; see docs/differences.md")
    found = []
    for library in (torch, pullback):
        x, w = leaf(library, 3, 3), leaf(library, 3, 3)
        y = {"node": x * 1, "view": (x * 1)[:], "constant": x.detach().clone()}[source]
        before = y[1:]
        write(library, y, w)
        upstream = library.tensor(np.arange(9.0).reshape(3, 3))
        ((y * upstream).sum() + (before * before).sum()).backward() if y.requires_grad else None
        grads = [None if t.grad is None else t.grad.numpy() for t in (x, w)]
        found.append([y.detach().numpy(), *grads, y._version, before._version, y.requires_grad, before.is_leaf])
    for mine, theirs in zip(found[1], found[0], strict=True):
        np.testing.assert_equal(mine, theirs) if theirs is None else np.testing.assert_allclose(mine, theirs, rtol=1e-6)


# -- versions ----------------------------------------------------------------------------------------------------------


def versions_of_relatives(torch):
    x = torch.zeros(2, 3)
    view, detached, data = x[0], x.detach(), x.data
    for write in (
        lambda: x.add_(1),
        lambda: view.mul_(2),
        lambda: detached.zero_(),
        lambda: data.add_(1),
        lambda: x.__setitem__(0, 1.0),
        lambda: exec("x[0] += 1", {"x": x}),
        lambda: x.t_(),
        lambda: x.copy_(x),
        lambda: torch.autograd.graph.increment_version([x, data]),
        lambda: x[:0].fill_(1),
    ):
        write()
        yield [t._version for t in (x, view, detached, data)]


def versions_after_data_was_assigned(torch):
    x = torch.zeros(2)
    x.add_(1)
    x.data = torch.ones(2)
    yield x._version
    other = torch.ones(2)
    other.add_(1)
    x.data = other
    x.mul_(2)
    yield x._version, other._version, other.tolist()


@pytest.mark.parametrize("program", [versions_of_relatives, versions_after_data_was_assigned])
def test_versions_count_as_torchs(torch, program):
    assert list(program(pullback)) == list(program(torch))


# -- views -------------------------------------------------------------------------------------------------------------


def flags(tensor):
    return tensor.requires_grad, tensor.is_leaf, tensor.grad_fn is None


def views_without_a_history(torch):
    x = leaf(torch, 3)
    view = unrecorded_view(torch, x * 1)
    yield flags(view)
    z = view * 2
    yield z.requires_grad, [edge[0] for edge in z.grad_fn.next_functions]
    z.sum().backward()
    yield view.grad, x.grad


def views_of_a_constant_that_begins_to_require_grad(torch):
    x = torch.zeros(3)
    view = x[1:]
    x.requires_grad_()
    yield flags(view)
    (view * 2).sum().backward()
    yield x.grad
    with torch.no_grad():
        x.add_(1)
    yield flags(view)
    (view * 2).sum().backward()
    yield x.grad.tolist()


def views_that_are_leaves(torch):
    x = torch.zeros(3)
    view = x[1:].requires_grad_()
    yield flags(view), x.requires_grad
    x.mul_(2)
    yield flags(view)
    x.mul_(leaf(torch, 1)[0])
    yield flags(view)


def views_of_a_base_that_is_detached(torch):
    y = leaf(torch, 3) * 1
    view = y[1:]
    y.detach_()
    yield flags(view), flags(y)


def views_of_a_tensor_that_is_transposed_in_place(torch):
    x = leaf(torch, 2, 3)
    y = x * 1
    view = y[0]
    y.t_()
    yield flags(view), tuple(y.shape), y._is_view()
    y[0].mul_(5)
    yield view.tolist()
    (view * view).sum().backward()
    yield x.grad.tolist()


def retained_gradients_of_a_view(torch):
    x = leaf(torch, 3)
    y = x * 1
    view = y[1:]
    view.retain_grad()
    y.mul_(2)
    (view * view).sum().backward()
    yield view.grad.tolist(), x.grad.tolist()


def hooks_stay_where_they_were_registered(torch):
    calls = []
    x = leaf(torch, 3)
    y = x * 1
    y.register_hook(lambda grad: calls.append(("before", grad.tolist())))
    y.mul_(3)
    y.register_hook(lambda grad: calls.append(("after", grad.tolist())))
    y.sum().backward()
    yield calls


def plain_accumulation_into_a_recorded_gradient(torch):
    x = leaf(torch, 2)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # PyTorch's, of a reference cycle
        (x * x).sum().backward(create_graph=True)
    kept = x.grad
    yield kept.requires_grad
    x.sum().backward()
    yield x.grad is kept, x.grad.requires_grad, kept.tolist()


def leaves_that_no_longer_require_grad(torch):
    x, w = leaf(torch, 2), leaf(torch, 2)
    y = x * w
    x.requires_grad_(False)
    y.sum().backward()
    yield x.grad, w.grad.tolist()


def recorded_gradients_are_leaves_own(torch):
    x = leaf(torch, 2)
    y = x * 1
    y.retain_grad()
    (g,) = torch.autograd.grad((y * y).sum(), y, create_graph=True)
    yield y.grad is g, y.grad.tolist()


STORIES = [
    views_without_a_history, views_of_a_constant_that_begins_to_require_grad, views_that_are_leaves,
    views_of_a_base_that_is_detached, views_of_a_tensor_that_is_transposed_in_place, retained_gradients_of_a_view,
    hooks_stay_where_they_were_registered, plain_accumulation_into_a_recorded_gradient, leaves_that_no_longer_require_grad,
    recorded_gradients_are_leaves_own,
]  # fmt: skip


@pytest.mark.parametrize("story", STORIES, ids=lambda story: story.__name__)
def test_views_and_gradients_tell_torchs_story(torch, story):
    assert list(story(pullback)) == list(story(torch))


# -- regions -----------------------------------------------------------------------------------------------------------


def recorded(*values):
    return pullback.tensor(values, dtype=pullback.float64, requires_grad=True) * 1


def test_a_write_beside_the_saved_part_does_no_harm():
    a = recorded(1.0, 2.0)
    x = a.grad_fn.next_functions[0][0].variable
    a[0] = a[1].sin()
    a.sum().backward()
    np.testing.assert_allclose(x.grad.numpy(), [0.0, np.cos(2.0) + 1])


def test_strict_versions_refuse_it_as_torch_does():
    a = recorded(1.0, 2.0)
    a[0] = a[1].sin()
    with (
        pullback.autograd.graph.strict_versions(),
        pytest.raises(RuntimeError, match="modified by an inplace operation"),
    ):
        a.sum().backward(retain_graph=True)
    with pullback.autograd.graph.strict_versions(), pullback.autograd.graph.strict_versions(False):
        a.sum().backward(retain_graph=True)
    a.sum().backward()


@pytest.mark.parametrize(
    ("saved", "written", "stale"),
    [
        (lambda a: a[0], lambda a: a[1], False),
        (lambda a: a[:, 0], lambda a: a[:, 1], False),
        (lambda a: a[::2], lambda a: a[1::2], False),
        (lambda a: a.t()[0], lambda a: a[:, 1:], False),
        (lambda a: a.view(-1)[3:5], lambda a: a[0], False),
        (lambda a: a[0], lambda a: a[:, 1], True),
        (lambda a: a.t()[0], lambda a: a[2, :1], True),
        (lambda a: a, lambda a: a[2, 2], True),
        (lambda a: a[0, 0], lambda a: a, True),
        (lambda a: a.diagonal(), lambda a: a[1:, 0], False),
    ],
)
def test_stale_is_what_shares_an_element_with_what_was_written(saved, written, stale):
    a = pullback.ones(3, 3, dtype=pullback.float64, requires_grad=True) * 1
    z = saved(a).sin()
    written(a).mul_(2)
    if stale:
        with pytest.raises(RuntimeError, match="modified by an inplace operation"):
            z.sum().backward()
    else:
        z.sum().backward()


def test_after_many_writes_a_saved_value_counts_as_touched_rather_than_as_clean():
    a = pullback.ones(100, dtype=pullback.float64, requires_grad=True) * 1
    z = a[0].sin()
    a[0] = 2.0
    for i in range(1, 100):
        a[i] = 1.0
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        z.backward()


def test_what_is_written_keeps_no_memory_alive():
    import gc
    import weakref

    gc.disable()
    try:
        a = pullback.ones(4, 4)
        a[1:].view(-1)[2:5] = 2.0
        gone = weakref.ref(a._data)
        del a
        assert gone() is None
    finally:
        gc.enable()


# -- writes to what was saved ------------------------------------------------------------------------------------------


def test_mutation_of_saved_tensors_keeps_what_was_saved():
    x = leaf(pullback, 3)
    with pullback.autograd.graph.allow_mutation_on_saved_tensors():
        y = x * 1
        z = y * y + y[1:].sin().sum()
        y[0] = 5.0
        y.zero_()
        z.sum().backward()
    x = x.detach().numpy(), x.grad.numpy()
    np.testing.assert_allclose(x[1], 2 * x[0] + [0, *3 * np.cos(x[0][1:])])


def test_mutation_of_saved_results_has_the_true_gradient():
    x = leaf(pullback, 3)
    with pullback.autograd.graph.allow_mutation_on_saved_tensors():
        y = x.exp()
        z = (y * 2).sum()
        y.zero_()
        z.backward()
    np.testing.assert_allclose(x.grad.numpy(), 2 * np.exp(x.detach().numpy()))


def test_strided_negation_in_place_is_right():
    for dtype, step in (("float32", 4), ("float64", 8), ("int32", 4), ("int64", 8)):
        data = np.arange(1, 10 * step + 1).astype(dtype)
        x = pullback.from_numpy(data.copy())
        x[::step].neg_()
        data[::step] = -data[::step].copy()
        np.testing.assert_array_equal(x.numpy(), data)


# -- lines -------------------------------------------------------------------------------------------------------------


def quick_method(y):
    y.detach().add_(1)  # here


def quick_operator(y):
    z = y.detach()
    z += 1  # here


def quick_item(y):
    y.detach()[0] = 1  # here


def item_by_a_list(y):
    y.detach()[[0]] = 1  # here


def augmented_item(y):
    y.detach()[:2] *= 2  # here


def copying(y):
    y.detach().copy_(y.sin())  # here


def filling(y):
    y.detach().fill_(2.0)  # here


def out_of_an_operation(y):
    pullback.add(1, y.detach() * 2, out=y.detach())  # here


def form(y):
    with pullback.no_grad():
        y.view(-1)[1:].mul_(3)  # here


@pytest.mark.parametrize(
    "write",
    [
        quick_method,
        quick_operator,
        quick_item,
        item_by_a_list,
        augmented_item,
        copying,
        filling,
        out_of_an_operation,
        form,
    ],
    ids=lambda write: write.__name__,
)
def test_the_error_shows_the_line_that_wrote(write):
    y = leaf(pullback, 3) * 1
    z = (y * y).sum()
    write(y)
    with pytest.raises(RuntimeError, match=r"overwritten by .*# here"):
        z.backward()
