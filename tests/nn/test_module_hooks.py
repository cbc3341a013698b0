"""Hooks of modules: when they run, what they see, what they may replace, and that they disturb nothing."""

import warnings
from collections import namedtuple

import numpy as np
import pytest

import pullback
from both import Cases, compare

cases = Cases()


def leaf(torch, *values):
    return torch.tensor(values, requires_grad=True)


def plain(grads):
    return [g if g is None or isinstance(g, str) else g.tolist() for g in grads]


def log_of(module):
    """The log of both backward hooks of a module."""
    log = []
    module.register_full_backward_pre_hook(lambda m, go: log.append(("pre", plain(go))))
    module.register_full_backward_hook(lambda m, gi, go: log.append(("post", plain(gi), plain(go))))
    return log


def module_of(torch, function):
    class Made(torch.nn.Module):
        def forward(self, *args, **kwargs):
            return function(*args, **kwargs)

    return Made()


# -- full backward hooks: what they see --------------------------------------------------------------------------------

CALLS = {
    "one input and output": (lambda x: x * x, lambda t, x: (x,)),
    "an output that is the input": (lambda x: x, lambda t, x: (x,)),
    "two outputs": (lambda x: (x * 2, x * x), lambda t, x: (x,)),
    "an unused output": (lambda x: (x * 2, (x * x).detach()), lambda t, x: (x,)),
    "an output that makes another": (lambda x: (lambda h: (h, h * h))(x * 2), lambda t, x: (x,)),
    "outputs that are no tensors": (lambda x: (x * 2, "a", None), lambda t, x: (x,)),
    "two inputs": (lambda x, y: x * y, lambda t, x: (x, leaf(t, 3.0, 4.0))),
    "an input twice": (lambda x, y: x * y, lambda t, x: (x, x)),
    "a non-leaf input": (lambda x: x * x, lambda t, x: (x * 2,)),
    "inputs without a gradient": (lambda x, y, z: x * y.sum(), lambda t, x: (x, t.ones(2), t.tensor([1, 2]))),
    "inputs that are no tensors": (lambda x, n, s: x * n, lambda t, x: (x, 3, "a")),
}


def add_call_cases():
    for what, (function, arguments) in CALLS.items():

        def run(torch, function=function, arguments=arguments):
            module, x = module_of(torch, function), leaf(torch, 1.0, -2.0)
            log = log_of(module)
            out = module(*arguments(torch, x))
            first = out[0] if isinstance(out, tuple) else out
            others = [o for o in (out[1:] if isinstance(out, tuple) else ()) if isinstance(o, torch.Tensor)]
            (x + first * 3 + sum(o for o in others if o.requires_grad)).sum().backward()
            return log, x.grad, out is x

        cases(f"they see a call with {what}")(run)


add_call_cases()


@cases("they see a keyword argument's gradient go by, and do not show it")
def _(torch):
    module, x, y = module_of(torch, lambda x, y: x * y), leaf(torch, 1.0), leaf(torch, 2.0)
    log = log_of(module)
    module(x, y=y).sum().backward()
    return log, x.grad, y.grad


@cases("a named tuple stays one")
def _(torch):
    Pair = namedtuple("Pair", "a b")
    module = module_of(torch, lambda x: Pair(x * 2, x * 3))
    log = log_of(module)
    out = module(leaf(torch, 1.0))
    out.a.sum().backward()
    return type(out).__name__, log


@cases("where no input requires grad they run at the outputs, and warn")
def _(torch):
    module = torch.nn.Linear(2, 1)
    log = log_of(module)
    module(torch.tensor([1.0, 2.0])).sum().backward()
    return log, module.weight.grad


@cases("they do nothing under no_grad")
def _(torch):
    module = torch.nn.Tanh()
    log = log_of(module)
    with torch.no_grad():
        out = module(leaf(torch, 1.0))
    return log, out.requires_grad


@cases("they see each call of a module, and each pass")
def _(torch):
    module, x = torch.nn.ReLU(), leaf(torch, 1.0, -2.0)
    log = log_of(module)
    out = module(module(x) * 2).sum()
    out.backward(retain_graph=True)
    out.backward()
    return log, x.grad


@cases("they see what the call of a forward pre-hook gave, and what a forward hook made")
def _(torch):
    module = torch.nn.Tanh()
    module.register_forward_pre_hook(lambda m, args: (args[0] * 2,))
    module.register_forward_hook(lambda m, args, out: out * 5)
    log = log_of(module)
    module(leaf(torch, 0.0)).sum().backward()
    return log


@cases("they see recorded gradients under create_graph, and run in the pass over those")
def _(torch):
    module, x, log = torch.nn.Tanh(), leaf(torch, 0.0), []
    module.register_full_backward_hook(lambda m, gi, go: log.append((gi[0].requires_grad, go[0].requires_grad)))
    (g,) = torch.autograd.grad((module(x) ** 2).sum(), x, create_graph=True)
    g.sum().backward()
    return log, x.grad


@cases("grad() of the input runs them, of the output none, of a parameter the first")
def _(torch):
    logs = []
    for of in (lambda m, x, y: x, lambda m, x, y: y, lambda m, x, y: m.weight):
        module, x = torch.nn.Linear(2, 1), leaf(torch, 1.0, 2.0)
        log = log_of(module)
        out = module(x)
        torch.autograd.grad((out * 2).sum(), of(module, x, out))
        logs.append([entry[0] for entry in log])
    return logs


@cases("hooks that are removed between the call and the pass still run")
def _(torch):
    module, log = torch.nn.Tanh(), []
    handle = module.register_full_backward_hook(lambda m, gi, go: log.append("called"))
    out = module(leaf(torch, 1.0))
    handle.remove()
    out.sum().backward()
    return log


# -- order -------------------------------------------------------------------------------------------------------------


@cases("from outside in and out again, the parameters' gradients first")
def _(torch):
    nn = torch.nn
    net, log = nn.Sequential(nn.Linear(2, 2), nn.Tanh(), nn.Sequential(nn.Linear(2, 1))), []
    for name, module in net.named_modules():
        module.register_full_backward_pre_hook(lambda m, go, name=name: log.append("pre " + name))
        module.register_full_backward_hook(
            lambda m, gi, go, name=name: log.append(
                ("post " + name, [p.grad is not None for p in m.parameters(recurse=False)])
            )
        )
    net(leaf(torch, 1.0, 2.0)).sum().backward()
    return log


@cases("hooks of all modules before a module's own; prepended ones before others")
def _(torch):
    log, everywhere = [], torch.nn.modules.module
    module = torch.nn.Tanh()

    def note(text):
        return lambda *args: log.append(text)

    handles = [
        everywhere.register_module_forward_pre_hook(note("all: forward pre")),
        everywhere.register_module_forward_hook(note("all: forward")),
        everywhere.register_module_full_backward_pre_hook(note("all: backward pre")),
        everywhere.register_module_full_backward_hook(note("all: backward")),
    ]
    for first in (False, True):
        module.register_forward_pre_hook(note(f"forward pre {first}"), prepend=first)
        module.register_forward_hook(note(f"forward {first}"), prepend=first)
        module.register_full_backward_pre_hook(note(f"backward pre {first}"), prepend=first)
        module.register_full_backward_hook(note(f"backward {first}"), prepend=first)
    module(leaf(torch, 1.0)).sum().backward()
    for handle in handles:
        handle.remove()
    module(leaf(torch, 1.0)).sum().backward()
    return log


@cases("registration hooks of all modules see and replace what is registered")
def _(torch):
    nn, log = torch.nn, []
    everywhere = nn.modules.module
    handles = [
        everywhere.register_module_parameter_registration_hook(lambda m, n, p: log.append(("parameter", n))),
        everywhere.register_module_buffer_registration_hook(lambda m, n, b: log.append(("buffer", n))),
        everywhere.register_module_module_registration_hook(lambda m, n, c: log.append(("module", n))),
        everywhere.register_module_parameter_registration_hook(lambda m, n, p: nn.Parameter(p.detach() * 7)),
    ]
    module = nn.Module()
    module.w = nn.Parameter(torch.ones(1))
    module.register_parameter("v", None)
    module.register_buffer("b", torch.ones(1))
    module.c = nn.ReLU()
    module.add_module("d", nn.ReLU())
    module.b = torch.ones(1)
    module.c = None
    for handle in handles:
        handle.remove()
    return log, module.w


# -- what they may replace ---------------------------------------------------------------------------------------------


def replacing(torch, pre=None, post=None):
    module, x = module_of(torch, lambda x: x * x), leaf(torch, 1.0, -2.0)
    seen = []
    if pre:
        module.register_full_backward_pre_hook(pre)
    if post:
        module.register_full_backward_hook(post)
    module.register_full_backward_hook(lambda m, gi, go: seen.append((plain(gi), plain(go))))
    (module(x) * 3).sum().backward()
    return seen, x.grad


cases("a gradient of the input is replaced")(lambda torch: replacing(torch, post=lambda m, gi, go: (gi[0] * 10,)))
cases("a gradient of the output is replaced")(lambda torch: replacing(torch, pre=lambda m, go: (go[0] * 10,)))
cases("too many gradients of inputs are refused")(lambda torch: replacing(torch, post=lambda m, gi, go: (gi[0], gi[0])))
cases("too many gradients of outputs are refused")(lambda torch: replacing(torch, pre=lambda m, go: (go[0], go[0])))


# -- the old form ------------------------------------------------------------------------------------------------------


@cases("the old hook sees the last operation, and warns")
def _(torch):
    module, x, log = torch.nn.ReLU(), leaf(torch, 1.0, -2.0), []
    module.register_backward_hook(lambda m, gi, go: log.append((plain(gi), plain(go))) or (gi[0] * 5,))
    (module(x) * 3).sum().backward()
    return log, x.grad


@cases("old and full hooks do not go together on a module")
def _(torch):
    module = torch.nn.ReLU()
    module.register_backward_hook(lambda m, gi, go: None)
    module.register_full_backward_hook(lambda m, gi, go: None)


@cases("nor the other way round")
def _(torch):
    module = torch.nn.ReLU()
    module.register_full_backward_hook(lambda m, gi, go: None)
    module.register_backward_hook(lambda m, gi, go: None)


@pytest.mark.parametrize("sentence", cases)
def test_module_hooks_do_as_in_torch(sentence, torch):
    compare(torch, cases[sentence])


# -- where Pullback does more ------------------------------------------------------------------------------------------


def test_old_and_full_hooks_do_not_go_together_for_all_modules():
    everywhere = pullback.nn.modules.module
    refused = pytest.raises(RuntimeError, match="Cannot use both regular backward hooks and full backward hooks")
    with everywhere.register_module_backward_hook(lambda m, gi, go: None), refused:
        everywhere.register_module_full_backward_hook(lambda m, gi, go: None)
    everywhere.register_module_full_backward_hook(lambda m, gi, go: None).remove()


def test_a_single_tensor_replaces_the_only_gradient():
    _, grad = replacing(pullback, pre=lambda m, go: go[0] * 10, post=lambda m, gi, go: gi[0] * 2)
    assert grad.tolist() == [120.0, -240.0]


@pytest.mark.parametrize("kind", [dict, list])
def test_outputs_in_other_containers_are_seen_leaf_by_leaf(kind):
    module = module_of(pullback, lambda x: {"p": x * 2, "q": x * 3} if kind is dict else [x * 2, x * 3])
    log, x = log_of(module), leaf(pullback, 1.0)
    out = module(x)
    (out["q"] if kind is dict else out[1]).sum().backward()
    assert type(out) is kind
    assert log == [("pre", [None, [1.0]]), ("post", [[3.0]], [None, [1.0]])]


def test_outputs_are_no_views_and_inputs_are_what_was_given():
    given = []
    module = module_of(pullback, lambda x: given.append(x) or x * 2)
    log_of(module)
    x = leaf(pullback, 1.0)
    out = module(x)
    assert given[0] is x
    assert not out._is_view() and out._base is None


NETS = {
    "between layers": lambda nn, inplace: nn.Sequential(
        nn.Linear(4, 3), nn.ReLU(inplace), nn.Linear(3, 2), nn.Hardtanh(inplace=inplace)
    ),
    "at first": lambda nn, inplace: nn.Sequential(nn.ReLU(inplace)),
    "on a view": lambda nn, inplace: nn.Sequential(
        nn.Flatten(0), nn.Hardtanh(-2, 2, inplace=inplace), nn.ReLU(inplace)
    ),
    "on a view of a layer's output": lambda nn, inplace: nn.Sequential(
        nn.Linear(4, 3), nn.Flatten(0), nn.ReLU(inplace), nn.Tanh()
    ),
}


@pytest.mark.parametrize("where", NETS)
def test_activations_in_place_are_seen_as_those_out_of_place(where):
    results = []
    for inplace in (False, True):
        pullback.manual_seed(0)
        net, log = NETS[where](pullback.nn, inplace), []
        for name, module in net.named_modules():
            module.register_full_backward_pre_hook(lambda m, go, name=name, log=log: log.append((name, plain(go))))
            module.register_full_backward_hook(
                lambda m, gi, go, name=name, log=log: log.append((name, plain(gi), plain(go)))
            )
        x = pullback.tensor([[1.0, -2.0, 3.0, 0.5], [2.0, 1.0, -1.0, -0.5]], requires_grad=True)
        out = net(x * 1)
        (out * out).sum().backward()
        results.append((log, x.grad.tolist(), [p.grad.tolist() for p in net.parameters()]))
    assert len(results[0][0]) == 2 * len(list(net.modules()))
    assert results[0] == results[1]


def test_a_write_after_the_module_is_differentiated_and_seen():
    module = pullback.nn.Hardtanh()
    log, x = log_of(module), leaf(pullback, 0.5, -2.0)
    out = module(x)
    out.mul_(3)
    out.sum().backward()
    assert log == [("pre", [[3.0, 3.0]]), ("post", [[3.0, 0.0]], [[3.0, 3.0]])]
    assert x.grad.tolist() == [3.0, 0.0]


def test_hooks_change_no_gradient():
    def gradients(hooked):
        pullback.manual_seed(0)
        nn = pullback.nn
        net = nn.Sequential(nn.Linear(3, 4), nn.LayerNorm(4), nn.GELU(), nn.Linear(4, 2))
        if hooked:
            for module in net.modules():
                log_of(module)
        x = pullback.ones(5, 3, requires_grad=True)
        (x.sum() + net(x).exp().sum()).backward()
        return [x.grad.numpy(), *[p.grad.numpy() for p in net.parameters()]]

    for bare, hooked in zip(gradients(False), gradients(True), strict=True):
        np.testing.assert_array_equal(bare, hooked)


def test_checkpointed_modules_are_seen():
    from pullback.utils.checkpoint import checkpoint

    module = pullback.nn.Tanh()
    log, x = log_of(module), leaf(pullback, 0.0)
    checkpoint(lambda x: module(x) * 2, x, use_reentrant=False).sum().backward()
    assert log == [("pre", [[2.0]]), ("post", [[2.0]], [[2.0]])]
    assert x.grad.item() == 2.0


def test_an_always_called_hook_of_all_modules_gets_keyword_arguments_too():
    def fail(x, k):
        raise ValueError("from forward")

    module, log = module_of(pullback, fail), []
    handle = pullback.nn.modules.module.register_module_forward_hook(
        lambda m, args, kwargs, out: log.append((len(args), kwargs, out)), with_kwargs=True, always_call=True
    )
    with handle, pytest.raises(ValueError, match="from forward"):
        module(pullback.ones(1), k=3)
    assert log == [(1, {"k": 3}, None)]


def test_a_module_with_hooks_inside_grad_works_as_without():
    module = pullback.nn.Tanh()
    log = log_of(module)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = pullback.func.grad(lambda x: module(x).sum())(pullback.tensor([0.0, 0.0]))
    assert found.tolist() == [1.0, 1.0]
    assert len(log) == 2
