"""Saved tensors: hooks that pack and unpack them, and looking at what a node saved."""

import os

import numpy as np
import pytest

import pullback as P

graph = P.autograd.graph


def leaf(lib, *values):
    return lib.tensor(values, dtype=lib.float64, requires_grad=True)


def test_hooks_see_what_pytorchs_hooks_see(torch):
    def program(lib):
        log = []

        def pack(t):
            log.append(("pack", t is x, t is c, str(t.dtype), tuple(t.shape), lib.is_grad_enabled()))
            return t.detach()

        def unpack(t):
            log.append("unpack")
            return t

        x, c = leaf(lib, 1.0, 2.0), lib.tensor([3.0, 4.0], dtype=lib.float64)
        with lib.autograd.graph.saved_tensors_hooks(pack, unpack):
            y = ((x * x).exp() * c).sum()
        log.append("backward")
        y.backward()
        return log, [round(v, 6) for v in x.grad.tolist()]

    assert program(P) == program(torch)


def test_only_the_innermost_pair_counts_and_only_inside():
    calls = []
    hooks = lambda name: graph.saved_tensors_hooks(lambda t: calls.append(name) or t, lambda t: t)
    x = leaf(P, 1.0)
    with hooks("outer"):
        with hooks("inner"):
            x.exp()
        x.exp()
    x.exp()
    assert calls == ["inner", "outer"]


@pytest.mark.parametrize("order", [1, 2, 3])
def test_derivatives_of_any_order_do_not_depend_on_hooks(order):
    def derivative(x):
        y = (x.sin() * P.nn.functional.gelu(x) + P.softmax(x, 0) ** 2).sum()
        for _ in range(order):
            (y,) = P.autograd.grad(y.sum(), x, create_graph=True)
        return y

    x = leaf(P, 0.1, 0.5, -0.7)
    with graph.saved_tensors_hooks(lambda t: t.tolist(), lambda held: P.tensor(held, dtype=P.float64)):
        packed = derivative(x)
    assert P.allclose(packed, derivative(x), rtol=1e-14)


def test_hooks_leave_transforms_alone_and_see_the_callers_own_tape():
    seen = []
    x, w = leaf(P, 0.1, 0.5), leaf(P, 2.0, 3.0)
    with graph.saved_tensors_hooks(lambda t: seen.append(t) or t.tolist(), lambda v: P.tensor(v, dtype=P.float64)):
        assert P.allclose(P.func.grad(lambda x: (x.sin() * x).sum())(x.detach()), x.cos() * x + x.sin())
        first = len(seen)
        y = P.func.grad(lambda x: (x**2 * w).sum())(x)
    assert not any(t.requires_grad and t.grad_fn is None and t is not x for t in seen[:first])
    y.sum().backward()
    assert P.allclose(w.grad, 2 * x) and P.allclose(x.grad, 2 * w)


def test_a_writes_node_is_packed_too():
    seen = []
    with graph.saved_tensors_hooks(lambda t: seen.append(t.tolist()) or t.clone(), lambda t: t):
        x = leaf(P, 2.0)
        y = x * 1
        y[:] = y.exp()
        y.mul_(P.tensor([3.0], dtype=P.float64))
    y.sum().backward()
    assert x.grad.item() == pytest.approx(3 * np.exp(2.0))
    assert [np.exp(2.0)] in seen and [3.0] in seen


def refused(lib, case):
    x = leaf(lib, 1.0, 2.0)
    hooks = lib.autograd.graph.saved_tensors_hooks
    same = lambda t: t
    if case == "writing in pack":
        with hooks(lambda t: t.add_(1), same):
            (x * 2).exp()
    elif case == "no tensor from unpack":
        with hooks(same, lambda t: 3):
            y = x.exp()
        y.sum().backward()
    elif case == "disabled":
        with lib.autograd.graph.disable_saved_tensors_hooks("not here"), hooks(same, same):
            pass
    elif case == "registered twice":
        saved = x.exp().grad_fn._raw_saved_result
        saved.register_hooks(same, same)
        saved.register_hooks(same, same)
    elif case == "registered after release":
        y = x.exp()
        y.sum().backward()
        y.grad_fn._raw_saved_result.register_hooks(same, same)
    elif case == "read after release":
        y = x.exp()
        y.sum().backward()
        y.grad_fn._saved_result
    else:
        raise AssertionError(case)


@pytest.mark.parametrize(
    "case, kind, phrase",
    [
        ("writing in pack", RuntimeError, "pack hook is modifying its input in place"),
        ("no tensor from unpack", TypeError, "unpack_hook expected to be a Tensor but got result of type int"),
        ("disabled", RuntimeError, "not here"),
        ("registered twice", RuntimeError, "hooks have already been set"),
        ("registered after release", RuntimeError, "after it has been freed"),
        ("read after release", RuntimeError, "a second time"),
    ],
)
def test_refusals_are_in_pytorchs_words(case, kind, phrase):
    with pytest.raises(kind, match=phrase):  # torch itself is left out: it does not survive some of these
        refused(P, case)


def test_saved_values_can_be_looked_at_with_their_history():
    x = leaf(P, 1.0, 2.0)
    y = x * 3 * x
    node = y.grad_fn
    assert node._saved_other is x
    assert node._saved_self.grad_fn is node.next_functions[0][0]
    assert (x**2).grad_fn._saved_exponent == 2
    assert x.exp().grad_fn._saved_result.requires_grad
    assert x.exp().grad_fn._raw_saved_result is not None
    assert (x * x.detach()).grad_fn._raw_saved_self is None  # only `other` is needed
    with pytest.raises(AttributeError, match="saved nothing called 'nothing'"):
        node._saved_nothing


def test_hooks_can_be_registered_on_one_saved_tensor():
    x = leaf(P, 1.0, 2.0)
    y = x.exp() * x
    y.grad_fn._raw_saved_self.register_hooks(lambda t: t.numpy().tobytes(), lambda b: P.tensor(np.frombuffer(b)))
    y.sum().backward()
    assert P.allclose(x.grad, x.exp() * (1 + x))


@pytest.mark.parametrize("context", ["save_on_cpu", "save_on_disk", "save_compressed"])
def test_ready_made_packers_change_no_gradient(context, tmp_path):
    x = P.randn(50, 50, requires_grad=True)
    arguments = (tmp_path, 0) if context == "save_on_disk" else ()
    with getattr(graph, context)(*arguments):
        y = ((x @ x).tanh() * x).sum()
    if context == "save_on_disk":
        assert os.listdir(tmp_path)
    y.backward()
    found, x.grad = x.grad, None
    ((x @ x).tanh() * x).sum().backward()
    assert P.equal(found, x.grad)
    del y
    assert not os.listdir(tmp_path)


def test_small_tensors_and_leaves_can_be_left_alone():
    seen = []
    x, big = leaf(P, 1.0), P.randn(100, requires_grad=True)
    with graph.saved_tensors_hooks(
        lambda t: seen.append(tuple(t.shape)) or t, lambda t: t, min_bytes=100, skip_leaves=True
    ):
        x.exp(), big.exp(), big * big
    assert seen == [(100,)]


def test_an_exception_inside_the_context_puts_everything_back():
    calls = []
    with pytest.raises(KeyError), graph.saved_tensors_hooks(lambda t: calls.append(t) or t, lambda t: t):
        raise KeyError
    leaf(P, 1.0).exp()
    assert not calls
