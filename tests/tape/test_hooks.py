"""Hooks: when each runs, what it is shown, what it may return, and what goes when it goes."""

import weakref
from contextlib import contextmanager

import numpy as np
import pytest

import pullback
from both import Cases, compare

cases = Cases()


def leaf(torch, *values):
    return torch.tensor(values, requires_grad=True)


def accumulator(x):
    return x.view_as(x).grad_fn.next_functions[0][0]


def hooked_leaf(torch):
    """A leaf with a hook of every kind, registered against their order, and their log."""
    x, log = leaf(torch, 1.0, 2.0), []
    x.node = node = accumulator(x)  # in torch its hooks last as long as somebody holds it
    x.register_post_accumulate_grad_hook(lambda t: log.append(("post-accumulate", t.grad.tolist())))
    node.register_hook(lambda gi, go: log.append(("post", gi, go[0].tolist(), x.grad.tolist())))
    node.register_prehook(lambda go: log.append(("pre", go[0].tolist(), x.grad)))
    x.register_hook(lambda g: log.append(("first", g.tolist())) or g * 2)
    x.register_hook(lambda g: log.append(("second", g.tolist())))
    return x, log


def hooked_node(torch):
    """A non-leaf with a hook of every kind, registered against their order, its leaf, what is made of it, and the log."""
    x, log = leaf(torch, 1.0, 2.0), []
    y = x * 3
    y.retain_grad()
    y.grad_fn.register_hook(
        lambda gi, go: log.append(("post", [None if g is None else g.tolist() for g in gi], go[0].tolist()))
    )
    y.grad_fn.register_prehook(lambda go: log.append(("pre", go[0].tolist(), y.grad.tolist())) or (go[0] * 10,))
    y.register_hook(lambda g: log.append(("tensor", g.tolist())) or g * 2)
    return x, y, (y * y).sum(), log


# -- the order: a row each ---------------------------------------------------------------------------------------------


@cases("of a leaf: tensor hooks in turn, prehooks, accumulation, post-accumulate hooks, post hooks")
def _(torch):
    x, log = hooked_leaf(torch)
    (x * 3).sum().backward()
    return log


@cases("of a leaf that grad() asks for: its tensor hooks only")
def _(torch):
    x, log = hooked_leaf(torch)
    return torch.autograd.grad((x * 3).sum(), x), x.grad, log


@cases("of a leaf among the inputs of backward(): all of them")
def _(torch):
    x, log = hooked_leaf(torch)
    (x * 3).sum().backward(inputs=[x])
    return log


@cases("of a leaf that is not among the inputs: none")
def _(torch):
    x, log = hooked_leaf(torch)
    w = leaf(torch, 1.0, 2.0)
    (x * w).sum().backward(inputs=[w])
    return log


@cases("of a node: tensor hooks, retained gradient, prehooks, the node, post hooks")
def _(torch):
    x, y, z, log = hooked_node(torch)
    z.backward()
    return log, x.grad, y.grad


@cases("of a node on grad()'s way: the same")
def _(torch):
    x, y, z, log = hooked_node(torch)
    return torch.autograd.grad(z, x), y.grad, log


@cases("of a node that is grad()'s end: tensor hooks and the retained gradient, for the node does not run")
def _(torch):
    _, y, z, log = hooked_node(torch)
    return torch.autograd.grad(z, y), y.grad, log


@cases("of a node that is an input of grad() and on the way to another: it returns what came before the hooks")
def _(torch):
    x, y, z, log = hooked_node(torch)
    return torch.autograd.grad(z, [x, y]), y.grad, log


@cases("of a node that is the end of backward(inputs=...): it runs, with no gradients for its own inputs")
def _(torch):
    x, y, z, log = hooked_node(torch)
    z.backward(inputs=[y])
    return log, y.grad, x.grad


@cases("of a node among several inputs of backward()")
def _(torch):
    x, y, z, log = hooked_node(torch)
    z.backward(inputs=[x, y])
    return log, y.grad, x.grad


@cases("retain_grad stores what hooks leave that were registered after it")
def _(torch):
    y = leaf(torch, 1.0) * 2
    y.retain_grad()
    y.register_hook(lambda g: g * 5)
    y.sum().backward()
    return y.grad


@cases("a hook stays at the history it was registered on, retain_grad follows the tensor through writes")
def _(torch):
    log, y = [], leaf(torch, 1.0, 2.0) * 2
    y.retain_grad()
    y.register_hook(lambda g: log.append(("before the write", g.tolist())))
    y.mul_(3)
    y.register_hook(lambda g: log.append(("after it", g.tolist())))
    y.sum().backward()
    return log, y.grad


@cases("an earlier node's hook finds the gradient of a later node's leaf")
def _(torch):
    log, x, w = [], leaf(torch, 1.0), leaf(torch, 3.0)
    y = x * 2
    y.register_hook(lambda g: log.append(w.grad))
    (y * w).sum().backward()
    return log


@cases("of a node with several outputs: one call for all of them, None for those without a gradient")
def _(torch):
    log, x = [], leaf(torch, 1.0, 2.0, 3.0)
    a, b, _ = x.unbind(0)
    a.grad_fn.register_prehook(lambda go: log.append(list(go)))
    a.grad_fn.register_hook(lambda gi, go: log.append([gi, go]))
    b.register_hook(lambda g: g * 2)
    (a + b).backward()
    return log, x.grad


@cases("hooks see the mode of the pass: recorded under create_graph, not recorded else")
def _(torch):
    log, x = [], leaf(torch, 1.0, 2.0)
    y = x * x
    y.register_hook(lambda g: log.append((torch.is_grad_enabled(), g.requires_grad)))
    x.register_post_accumulate_grad_hook(lambda t: log.append(torch.is_grad_enabled()))
    (y * x).sum().backward(retain_graph=True)
    (y * x).sum().backward(create_graph=True)
    return log


@cases("what a hook computes under create_graph is differentiated")
def _(torch):
    x = leaf(torch, 2.0)
    y = x * x
    y.register_hook(lambda g: g * y)
    (g,) = torch.autograd.grad(y.sum(), x, create_graph=True)
    return g.detach(), torch.autograd.grad(g.sum(), x)


# -- what comes and goes -----------------------------------------------------------------------------------------------


@cases("a hook removed by another is still called in that round")
def _(torch):
    log, y = [], leaf(torch, 1.0) * 2
    y.register_hook(lambda g: log.append("a") or last.remove())
    last = y.register_hook(lambda g: log.append("b"))
    for _ in range(2):
        y.sum().backward(retain_graph=True)
    return log


@cases("a hook registered by another is called where its turn is to come")
def _(torch):
    log, x = [], leaf(torch, 1.0)
    y = x * 2

    def add(g):
        y.register_hook(lambda g: log.append("too late"))
        x.register_hook(lambda g: log.append("leaf"))

    y.register_hook(add)
    y.sum().backward()
    return log


@cases("a handle removes once, is a context manager, and survives its tensor")
def _(torch):
    x = leaf(torch, 1.0)
    with x.register_hook(lambda g: g * 2):
        x.sum().backward()
    handle = x.register_hook(lambda g: g * 2)
    handle.remove()
    handle.remove()
    x.sum().backward()
    dead = leaf(torch, 1.0).register_hook(lambda g: g)
    dead.remove()
    return x.grad


@cases("a post-accumulate hook may clear the gradient and change the leaf: an optimizer in the backward pass")
def _(torch):
    log, x = [], leaf(torch, 1.0, 2.0)

    def step(t):
        log.append((t.grad.tolist(), torch.is_grad_enabled()))
        t.sub_(t.grad, alpha=0.5)
        t.grad = None

    x.register_post_accumulate_grad_hook(step)
    x.register_post_accumulate_grad_hook(lambda t: log.append(t.grad))
    for _ in range(2):
        (x * x).sum().backward()
    return log, x


@cases("hooks of a leaf outlive a change of requires_grad")
def _(torch):
    log, x = [], leaf(torch, 1.0)
    x.register_hook(lambda g: log.append(g))
    x.requires_grad_(False)
    x.requires_grad_(True)
    x.sum().backward()
    return log


@cases("a hook that writes its gradient in place hands on what it wrote")
def _(torch):
    x, y = leaf(torch, 1.0, 2.0), leaf(torch, 1.0)
    x.register_hook(lambda g: g.mul_(2))
    loss = (x * 3).sum()
    loss.register_hook(lambda g: g.add_(1))
    loss.backward()
    y.register_hook(lambda g: g.clamp_(-1, 1) and None)
    (y * 5).sum().backward()
    return x.grad, y.grad


# -- what hooks may return ---------------------------------------------------------------------------------------------

RETURNED = {
    "a list": lambda g: [1],
    "another shape": lambda g: g.sum(),
    "another dtype": lambda g: g.double(),
}


def add_return_cases():
    for what, hook in RETURNED.items():
        cases(f"a leaf's hook that returns {what} is refused")(
            lambda torch, hook=hook: run(torch, lambda x, y: x.register_hook(hook))
        )
        cases(f"a tensor's hook that returns {what} is refused")(
            lambda torch, hook=hook: run(torch, lambda x, y: y.register_hook(hook))
        )
        cases(f"a prehook that returns {what} in a tuple is refused")(
            lambda torch, hook=hook: run(torch, lambda x, y: y.grad_fn.register_prehook(lambda go: (hook(go[0]),)))
        )
        cases(f"a post hook that returns {what} in a tuple is refused")(
            lambda torch, hook=hook: run(
                torch, lambda x, y: y.grad_fn.register_hook(lambda gi, go: (hook(gi[0]), gi[1]))
            )
        )


def run(torch, register):
    x, c = leaf(torch, 1.0, 2.0), torch.tensor([3.0, 4.0])
    y = x * c
    register(x, y)
    (y * 2).sum().backward()
    return x.grad


NODE_RETURNED = {
    "a tensor": lambda go: go[0] * 2,
    "a list": lambda go: [go[0]],
    "too many": lambda go: (go[0],) * 3,
    "None for a gradient": lambda go: (None,),
}


def add_node_return_cases():
    for what, hook in NODE_RETURNED.items():
        cases(f"a prehook returns {what}")(
            lambda torch, hook=hook: run(torch, lambda x, y: y.grad_fn.register_prehook(hook))
        )
        cases(f"a post hook returns {what}")(
            lambda torch, hook=hook: run(
                torch,
                lambda x, y: y.grad_fn.register_hook(lambda gi, go: (None, None) if hook(gi) == (None,) else hook(gi)),
            )
        )


add_return_cases()
add_node_return_cases()


@cases("a post hook cannot give a gradient where there is none")
def _(torch):
    return run(torch, lambda x, y: y.grad_fn.register_hook(lambda gi, go: (gi[0], gi[0])))


@cases("a hook needs a tensor that requires grad")
def _(torch):
    torch.ones(2).register_hook(print)


@cases("a post-accumulate hook needs one too")
def _(torch):
    torch.ones(2).register_post_accumulate_grad_hook(print)


@cases("a post-accumulate hook needs a leaf")
def _(torch):
    (leaf(torch, 1.0) * 2).register_post_accumulate_grad_hook(print)


@cases("an exception of a hook is the pass's")
def _(torch):
    y = leaf(torch, 1.0) * 2

    def fail(g):
        raise KeyError("from the hook")

    y.register_hook(fail)
    (y * 2).sum().backward()


# -- several tensors ---------------------------------------------------------------------------------------------------


def three(torch):
    x, log = leaf(torch, 1.0, 2.0), []
    return x, x * 2, x * 3, x * 4, log


@cases("a multi-grad hook is called once a pass, with None for what the pass does not compute, until it is removed")
def _(torch):
    _, a, b, c, log = three(torch)
    handle = torch.autograd.graph.register_multi_grad_hook([a, b, c], lambda gs: log.append(list(gs)))
    for roots in ((a + b), c, (a + b)):
        roots.sum().backward(retain_graph=True)
    handle.remove()
    (a + b + c).sum().backward()
    return log


@cases("in mode 'any' it is called with the first gradient")
def _(torch):
    _, a, b, c, log = three(torch)
    with torch.autograd.graph.register_multi_grad_hook([a, b, c], log.append, mode="any"):
        (a + b).sum().backward(retain_graph=True)
        c.sum().backward(retain_graph=True)
    (a + b).sum().backward()
    return log


@cases("it takes leaves, repeated tensors, and outputs of one node")
def _(torch):
    x, a, b, _, log = three(torch)
    torch.autograd.graph.register_multi_grad_hook([x, a, a], lambda gs: log.append(list(gs)))
    p, q, r = leaf(torch, 1.0, 2.0, 3.0).unbind(0)
    torch.autograd.graph.register_multi_grad_hook([p, q, r], lambda gs: log.append(list(gs)))
    (a + b).sum().backward()
    (p + q).backward()
    return log


@cases("it counts what grad() and inputs= ask for")
def _(torch):
    _, a, b, _, log = three(torch)
    torch.autograd.graph.register_multi_grad_hook([a, b], lambda gs: log.append(list(gs)))
    torch.autograd.grad((a + b).sum(), a, retain_graph=True)
    (a + b).sum().backward(inputs=[a])
    return log


@cases("it runs between the hooks registered before and after it, and sees what those before left")
def _(torch):
    _, a, b, _, log = three(torch)
    a.register_hook(lambda g: log.append("before") or g * 5)
    torch.autograd.graph.register_multi_grad_hook([a, b], lambda gs: log.append(list(gs)))
    a.register_hook(lambda g: log.append("after") or g * 2)
    (a + b).sum().backward()
    return log


@cases("what it returns is ignored")
def _(torch):
    x, a, b, _, _ = three(torch)
    torch.autograd.graph.register_multi_grad_hook([a, b], lambda gs: 3)
    (a + b).sum().backward()
    return x.grad


@cases("an unknown mode is refused")
def _(torch):
    torch.autograd.graph.register_multi_grad_hook([leaf(torch, 1.0)], print, mode="some")


@cases("a pass that failed leaves nothing for the next")
def _(torch):
    _, a, b, _, log = three(torch)
    torch.autograd.graph.register_multi_grad_hook([a, b], lambda gs: log.append(list(gs)))
    handle = a.register_hook(lambda g: 1 / 0)
    try:
        (a + b).sum().backward(retain_graph=True)
    except ZeroDivisionError:
        handle.remove()
    (a + b).sum().backward()
    return log[-1]


@cases("it is called where a custom function gives no gradient")
def _(torch):
    class First(torch.autograd.Function):
        @staticmethod
        def forward(ctx, a, b):
            return a * b

        @staticmethod
        def backward(ctx, g):
            return g, None

    _, a, b, _, log = three(torch)
    torch.autograd.graph.register_multi_grad_hook([a, b], lambda gs: log.append(list(gs)))
    First.apply(a, b).sum().backward()
    return log


# -- nodes -------------------------------------------------------------------------------------------------------------


@cases("nodes have a name, notes, a number that grows, and are called by hand")
def _(torch):
    x = leaf(torch, 1.0, 2.0)
    y = x * torch.tensor([3.0, 4.0])
    node = y.grad_fn
    node.metadata["note"] = 1
    later = (y * 2).grad_fn
    return (
        node.name(), node.metadata, y.grad_fn is node, node._sequence_nr() < later._sequence_nr(), node.requires_grad,
        isinstance(node, torch.autograd.graph.Node), issubclass(type(node), torch.autograd.graph.Node),
        isinstance(3, torch.autograd.graph.Node), node.next_functions[1], node(torch.tensor([1.0, 1.0])),
    )  # fmt: skip


@cases("a leaf's node is one as long as it is held, and says so")
def _(torch):
    x = leaf(torch, 1.0)
    node = accumulator(x)
    return (
        node is torch.autograd.graph.get_gradient_edge(x).node, node is (x * 2).grad_fn.next_functions[0][0],
        node.variable is x, node.next_functions, node.name(), type(node).__name__,
    )  # fmt: skip


@cases("hooks are listed by the tensor")
def _(torch):
    x, hook = leaf(torch, 1.0), lambda g: g
    before = x._backward_hooks
    x.register_hook(hook)
    return before, list(x._backward_hooks.values()) == [hook]


@pytest.mark.parametrize("sentence", cases)
def test_hooks_do_as_in_torch(sentence, torch):
    compare(torch, cases[sentence])


# -- where Pullback does more ------------------------------------------------------------------------------------------


def test_a_multi_grad_hook_takes_leaves_in_grad_too():
    x, a, _, _, log = three(pullback)
    pullback.autograd.graph.register_multi_grad_hook([x, a], lambda gs: log.append([g.tolist() for g in gs]))
    pullback.autograd.grad(a.sum(), x)
    assert log == [[[2.0, 2.0], [1.0, 1.0]]]


def test_hooks_are_not_called_where_no_gradient_arrives():
    class Nothing(pullback.autograd.Function):
        @staticmethod
        def forward(ctx, a, b):
            return a * b

        @staticmethod
        def backward(ctx, g):
            return g, None

    x, log = leaf(pullback, 1.0), []
    x.register_hook(log.append)
    y = x * 2
    y.register_hook(log.append)
    Nothing.apply(leaf(pullback, 1.0), y).sum().backward()
    assert log == [] and x.grad is None


def test_a_hook_of_a_leaf_node_lives_with_the_leaf_though_nobody_holds_the_node():
    x, log = leaf(pullback, 1.0), []
    accumulator(x).register_hook(lambda gi, go: log.append(go[0].item()))
    for _ in range(2):
        (x * 3).sum().backward()
    assert log == [3.0, 3.0]


def test_a_hook_that_writes_what_others_wait_for_is_told_so():
    x, w = leaf(pullback, 1.0), leaf(pullback, 1.0)
    a, b = x * 1, w * 1
    b.register_hook(lambda g: g.mul_(2))  # which is a's gradient too
    with pytest.raises(RuntimeError, match="modified by an inplace operation") as caught:
        ((a + b) * 3).sum().backward()
    assert "g.mul_(2)" in str(caught.value)
    assert x.grad is None and w.grad is None


def test_a_post_hook_that_writes_one_of_two_equal_gradients_is_told_so():
    x, w = leaf(pullback, 1.0), leaf(pullback, 1.0)
    y = x + w
    y.grad_fn.register_hook(lambda gi, go: gi[0].mul_(2) and None)
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        (y * 3).sum().backward()


def test_what_a_hook_keeps_is_not_changed_by_later_passes():
    x, seen = leaf(pullback, 1.0, 2.0), []
    x.register_hook(seen.append)
    for _ in range(3):
        (x * 3).sum().backward()
    assert [g.tolist() for g in seen] == [[3.0, 3.0]] * 3
    assert x.grad.tolist() == [9.0, 9.0]


def test_passes_are_quick_again_when_the_last_hook_is_removed():
    from pullback.tape.engine import waited_for

    x = leaf(pullback, 1.0)
    handle = x.register_hook(lambda g: None)
    assert id(x) in waited_for
    handle.remove()
    x.sum().backward()
    assert id(x) not in waited_for
    x.register_hook(lambda g: g * 7)
    x.grad = None
    x.sum().backward()
    assert x.grad.item() == 7.0


def test_a_node_creation_hook_sees_every_node_that_is_made_inside():
    x, names = leaf(pullback, 1.0, 2.0), []
    with pullback.autograd.graph.node_creation_hook(lambda node: names.append(node.name())):
        y = (x * x).exp()
        y[0].mul_(2)
        z = y.sum()
    z * 2
    assert names == [
        "MulBackward0",
        "ExpBackward0",
        "SelectBackward0",
        "MulBackward0",
        "CopySlices",
        "SumBackward0",
    ] or (names[:2] == ["MulBackward0", "ExpBackward0"] and names[-1] == "SumBackward0" and "CopySlices" in names)


def test_a_node_creation_hook_may_give_each_node_a_prehook_and_a_post_hook():
    x, log = leaf(pullback, 1.0, 2.0), []

    def pair(node):
        name = node.name()
        return lambda go: log.append(("pre", name)), lambda gi, go: log.append(("post", name))

    with pullback.autograd.graph.node_creation_hook(pair):
        y = x.exp().sum()
    y.backward()
    assert log == [("pre", "SumBackward0"), ("post", "SumBackward0"), ("pre", "ExpBackward0"), ("post", "ExpBackward0")]


def test_nodes_run_within_a_context_manager_also_where_one_fails():
    log = []

    @contextmanager
    def noting(node):
        log.append("enter " + node.name())
        try:
            yield
        finally:
            log.append("leave " + node.name())

    class Bad(pullback.autograd.Function):
        @staticmethod
        def forward(ctx, a):
            return a * 1

        @staticmethod
        def backward(ctx, g):
            raise ValueError("from backward")

    x = leaf(pullback, 1.0)
    with pullback.autograd.graph.node_creation_hook.from_context_manager(noting):
        y = Bad.apply(x).sum()
    with pytest.raises(ValueError, match="from backward"):
        y.backward()
    assert log == ["enter SumBackward0", "leave SumBackward0", "enter BadBackward", "leave BadBackward"]


def test_a_hook_on_a_tensor_does_not_keep_the_tensor():
    x = leaf(pullback, 1.0)
    y = x * 2
    y.register_hook(lambda g: g)
    seen = weakref.ref(y)
    z = y.sum()
    del y
    assert seen() is None
    z.backward()
    assert x.grad.item() == 2.0


def test_hooks_see_a_batch_in_a_batched_pass():
    x, shapes = leaf(pullback, 1.0, 2.0), []
    y = x * x
    y.register_hook(lambda g: shapes.append(tuple(g.shape)) or g * 10)
    cotangents = pullback.tensor([[1.0, 0.0], [0.0, 1.0], [1.0, 1.0]])
    (found,) = pullback.autograd.grad(y, x, cotangents, is_grads_batched=True)
    assert shapes == [(2,)]
    np.testing.assert_allclose(found.numpy(), [[20.0, 0.0], [0.0, 40.0], [20.0, 40.0]])


def test_hooks_stay_with_a_tensor_that_is_detached_in_place(torch):
    logs = []
    for lib in (pullback, torch):
        log = []
        x = lib.ones(3, requires_grad=True)
        y = x * 2
        z = y.exp()
        handle = y.register_hook(lambda g, log=log: log.append(g.tolist()) or g * 3)
        y.detach_().requires_grad_()
        y.sum().backward()
        z.sum().backward()
        handle.remove()
        y.sum().backward()
        logs.append((log, y.grad.tolist(), x.grad.tolist()))
    np.testing.assert_allclose(
        np.concatenate([np.ravel(part) for part in logs[0]]),
        np.concatenate([np.ravel(part) for part in logs[1]]),
        rtol=1e-6,
    )
