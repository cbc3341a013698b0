"""What a graph is said to keep is what it keeps: counted against NumPy's own memory, each storage once."""

import gc
import tracemalloc

import pytest

import pullback as P

graph = P.autograd.graph


def entries(outputs):
    return [(e.node.name(), e.name, e.nbytes, e.is_leaf) for e in graph.saved_tensors(outputs)]


def test_entries_are_what_the_rules_read():
    x = P.ones(10, requires_grad=True)
    c = P.ones(10)
    assert entries((x * c).exp() + 1) == [("ExpBackward0", "result", 40, False), ("MulBackward0", "other", 40, False)]
    assert entries(x * x) == [("MulBackward0", "other", 40, True), ("MulBackward0", "input", 40, True)]
    assert entries(x + c) == []
    assert entries(x) == []


def test_a_storage_is_counted_once_however_many_views_are_saved():
    x = P.ones(100, requires_grad=True)
    y = x.exp()
    report = graph.memory_report([y[:50].sin() * y[50:].cos(), y.view(10, 10).tanh()])
    assert report.total == 400 + 200 + 200 + 400  # y itself, both operands of the product, and the tanh
    assert report.leaves == 0
    assert sum(report.by_operation.values()) == sum(report.by_line.values()) == report.total


@pytest.mark.parametrize("freed", [False, True])
def test_the_total_is_what_numpy_holds(freed):
    x = P.randn(300, 300, requires_grad=True)
    f = lambda: ((x @ x).tanh().softmax(0) * x.sin()).logsumexp(1).sum()
    f()  # functions are made when they are first called
    gc.collect()
    tracemalloc.start()
    y = f()
    held = tracemalloc.get_traced_memory()[0]
    if freed:
        y.backward()
        assert graph.memory_report(y).total == 0
    else:
        assert graph.memory_report(y).total == pytest.approx(held, rel=0.02)
    tracemalloc.stop()


def test_packed_values_and_budgets_are_counted_by_what_is_kept():
    x = P.ones(100, requires_grad=True)
    with graph.saved_tensors_hooks(lambda t: t.half(), lambda t: t.float()):
        assert graph.memory_report(x.exp()).total == 200
    with graph.saved_tensors_hooks(lambda t: t.numpy().tobytes(), lambda b: b):
        assert graph.memory_report(x.exp()).total == 0
    with graph.memory_budget(500) as budget:
        y = x.exp().sin().exp().sin()
    assert graph.memory_report(y).total == budget.held == 400


def test_lines_and_edges():
    x = P.ones(100, requires_grad=True)
    y = x.exp()
    edge = graph.GradientEdge(y.grad_fn, 0)
    report = graph.memory_report(edge)
    assert list(report.by_line) == [y.grad_fn.line()]
    assert "test_memory_report.py" in str(report) and "400 B" in str(report)


def test_writes_through_views_are_counted():
    x = P.ones(10, requires_grad=True)
    y = x * 1
    y[2:4] = y[5:7].detach().clone().requires_grad_().exp()
    y[0].mul_(P.ones(()).requires_grad_() * 2)
    assert graph.memory_report(y).total > 0


def test_bytes_are_told_by_module():
    model = P.nn.Sequential(P.nn.Linear(10, 20), P.nn.Sequential(P.nn.Tanh(), P.nn.Softmax(1)))
    x = P.ones(30, 10)
    for _ in range(2):  # the second call is another graph
        y = model(x).exp()
    assert graph.memory_report(y).by_module == {
        "1.0 (Tanh)": 2400,
        "1.1 (Softmax)": 2400,
        "": 2400,
        "0 (Linear)": 1200,
    }
