"""Memory budgets: the same gradients, bit for bit, with saved tensors under a number of bytes."""

import gc
import tracemalloc

import pytest

import pullback as P
from pullback import nn

graph = P.autograd.graph


def mlp(depth=12):
    return nn.Sequential(*[m for _ in range(depth) for m in (nn.Linear(64, 64), nn.Tanh(), nn.LayerNorm(64))])


def convolutions():
    return nn.Sequential(
        nn.Unflatten(1, (1, 8, 8)), *[m for i in range(4) for m in (nn.Conv2d(1 if not i else 4, 4, 3, padding=1), nn.ReLU())],
        nn.MaxPool2d(2), nn.Flatten(), nn.Dropout(0.3), nn.Linear(64, 3), nn.LogSoftmax(1),
    )  # fmt: skip


def gradients(model, context):
    P.manual_seed(1)
    x = P.randn(32, 64)
    model.zero_grad()
    with context as budget:
        loss = (model(x) ** 2).mean()
    loss.backward()
    return [p.grad for p in model.parameters()], budget


class unlimited:
    def __enter__(self):
        return None

    def __exit__(self, *exc):
        pass


@pytest.mark.parametrize("make", [mlp, convolutions])
@pytest.mark.parametrize("share", [2, 0.5, 0.2])
def test_gradients_are_the_same_bits_under_any_budget(make, share):
    P.manual_seed(0)
    model = make()
    expected, _ = gradients(model, unlimited())
    _, full = gradients(model, graph.memory_budget(1 << 30))
    found, budget = gradients(model, graph.memory_budget(int(full.peak * share)))
    assert all(P.equal(a, b) for a, b in zip(found, expected, strict=True))
    assert budget.peak <= max(budget.nbytes, 1)
    assert (budget.dropped > 0) == (budget.recomputed > 0) == (share < 1)
    assert budget.held == 0


def test_real_memory_follows_the_budget_and_returns_to_its_baseline_without_the_collector():
    model, x = mlp(20), P.randn(512, 64)

    def saved(context):
        gc.collect()
        gc.disable()
        tracemalloc.start()
        try:
            start = tracemalloc.get_traced_memory()[0]
            with context:
                loss = (model(x) ** 2).mean()
            held = tracemalloc.get_traced_memory()[0] - start
            loss.backward()
            del loss
            model.zero_grad()
            return held, tracemalloc.get_traced_memory()[0] - start
        finally:
            tracemalloc.stop()
            gc.enable()

    plain, _ = saved(unlimited())
    saved(graph.memory_budget(plain // 4))
    held, left = saved(graph.memory_budget(plain // 4))
    assert held < 0.4 * plain
    assert left < 100_000


@pytest.mark.filterwarnings("ignore:memory_budget")
def test_writes_in_place_are_seen():
    x, w = P.randn(8, 8, requires_grad=True), P.randn(8, 8, requires_grad=True)

    def f():
        y = x.exp()
        z = y * w
        z.mul_(y.detach())
        return (z.sin() * z).sum()

    expected = P.autograd.grad(f(), [x, w])
    with graph.memory_budget(300):
        found = f()
    assert all(P.equal(a, b) for a, b in zip(P.autograd.grad(found, [x, w]), expected, strict=True))


def test_a_source_that_was_written_since_is_an_error_and_no_wrong_gradient():
    data = P.randn(100)
    x = P.randn(100, requires_grad=True)
    with graph.memory_budget(0), pytest.warns(UserWarning, match="cannot be computed again"):
        y = ((x * data).exp() * 2).sin().sum()
    data.zero_()
    with pytest.raises(RuntimeError, match="modified by an inplace operation since"):
        y.backward()


def test_second_order_and_a_graph_walked_twice():
    x = P.randn(20, requires_grad=True)
    f = lambda: (x.sin().exp().sin() * x).sum()
    (g,) = P.autograd.grad(f(), x, create_graph=True)
    (expected,) = P.autograd.grad(g.sum(), x)
    with graph.memory_budget(100):
        y = f()
        (g,) = P.autograd.grad(y, x, create_graph=True)
        assert P.allclose(P.autograd.grad(g.sum(), x, retain_graph=True)[0], expected)
    y.backward()
    assert P.allclose(x.grad, g)


def test_dropped_random_draws_are_never_drawn_again():
    P.manual_seed(0)
    x = P.randn(50, requires_grad=True)
    with graph.memory_budget(100), pytest.warns(UserWarning, match="cannot be computed again"):
        y = P.nn.functional.dropout(x.exp(), 0.5)
    y.sum().backward()
    assert P.equal(x.grad != 0, y != 0)


def test_a_negative_budget_is_refused():
    with pytest.raises(ValueError, match="got -1"):
        graph.memory_budget(-1)
