"""Modules as functions: functional_call, ensembles, per-sample gradients."""

import numpy as np
import pytest
from outcomes import check

import pullback
from numeric import agree
from pullback import nn
from pullback.func import functional_call, grad, jvp, replace_all_batch_norm_modules_, stack_module_state, vmap


def linear(T):
    layer = T.nn.Linear(3, 2)
    with T.no_grad():
        layer.weight.copy_(T.arange(6.0).reshape(2, 3) / 4)
        layer.bias.copy_(T.tensor([0.5, -1.0]))
    return layer


def tied(T):
    model = T.nn.Sequential(T.nn.Linear(3, 3), T.nn.Linear(3, 3))
    with T.no_grad():
        for p in model.parameters():
            p.copy_(T.arange(float(p.numel())).reshape(p.shape) / 9)
    model[1].weight = model[0].weight
    return model


def x(T):
    return T.tensor([1.0, -2.0, 3.0])


def call(make, state, *args, **options):
    """A program: call a module with a state."""
    return lambda T: T.func.functional_call(make(T), state(T), *[a(T) if callable(a) else a for a in args], **options)


def doubled(T):
    return {name: 2 * p for name, p in linear(T).named_parameters()}


def zero(T, *names):
    return {name: T.zeros(3, 3) for name in names}


CALLS = {
    "all parameters": call(linear, doubled, lambda T: (x(T),)),
    "a single argument": call(linear, doubled, x),
    "keywords": call(linear, doubled, (), lambda T: {"input": x(T)}),
    "several dicts": call(linear, lambda T: ({"weight": T.ones(2, 3)}, {"bias": T.ones(2)}), x),
    "one parameter": call(linear, lambda T: {"bias": T.ones(2)}, x),
    "a name twice": call(linear, lambda T: ({"bias": T.ones(2)}, {"bias": T.ones(2)}), x),
    "an unknown name": call(linear, lambda T: {"foo": T.ones(2)}, x),
    "an unknown module": call(linear, lambda T: {"a.foo": T.ones(2)}, x),
    "no tensor": call(linear, lambda T: {"bias": 3}, x),
    "no dict": call(linear, lambda T: 3, x),
    "no arguments": call(linear, doubled),
    "strict": call(linear, doubled, x, strict=True),
    "strict, and one is missing": call(linear, lambda T: {"bias": T.ones(2)}, x, strict=True),
    "strict, and one is unknown": call(linear, lambda T: {**doubled(T), "foo": T.ones(2)}, x, strict=True),
    "the older name": lambda T: T.nn.utils.stateless.functional_call(linear(T), doubled(T), (x(T),)),
    "tied weights": call(tied, lambda T: zero(T, "0.weight"), x),
    "tied weights by the other name": call(tied, lambda T: zero(T, "1.weight"), x),
    "untied weights": call(tied, lambda T: zero(T, "0.weight"), x, tie_weights=False),
    "two values for tied weights": call(tied, lambda T: zero(T, "0.weight", "1.weight"), x),
    "two values for untied weights": call(tied, lambda T: zero(T, "0.weight", "1.weight"), x, tie_weights=False),
    "a stack of none": lambda T: T.func.stack_module_state([]),
    "a stack of modes": lambda T: T.func.stack_module_state([linear(T), linear(T).eval()]),
    "a stack of classes": lambda T: T.func.stack_module_state([linear(T), T.nn.ReLU()]),
    "a stack of frozen and not": lambda T: T.func.stack_module_state([linear(T), linear(T).requires_grad_(False)]),
    "a stack": lambda T: T.func.stack_module_state([linear(T), linear(T)]),
    "a stack of buffers": lambda T: T.func.stack_module_state([T.nn.BatchNorm1d(2), T.nn.BatchNorm1d(2)])[1],
}


@pytest.mark.parametrize("program", CALLS.values(), ids=CALLS.keys())
def test_modules_are_functions_as_torchs(program, torch):
    check(program, torch)


def test_the_module_is_left_as_it_was_even_after_an_error():
    layer = linear(pullback)
    before = (layer.weight, layer.bias, dict(layer._parameters), dict(layer._buffers))
    with pytest.raises(RuntimeError):
        functional_call(layer, {"weight": pullback.ones(2, 2), "new": pullback.ones(1)}, x(pullback))
    after = (layer.weight, layer.bias, dict(layer._parameters), dict(layer._buffers))
    assert all(a is b for a, b in zip(before[:2], after[:2], strict=True))
    assert [list(d) for d in before[2:]] == [list(d) for d in after[2:]]


def network():
    pullback.manual_seed(1)
    return nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 1))


def test_gradients_of_each_sample_are_those_of_a_loop():
    model, inputs, targets = network(), pullback.randn(5, 3), pullback.randn(5, 1)
    params = {name: p.detach() for name, p in model.named_parameters()}
    loss = lambda p, a, b: ((functional_call(model, p, a) - b) ** 2).sum()
    each = vmap(grad(loss), in_dims=(None, 0, 0))(params, inputs, targets)
    for i in range(5):
        model.zero_grad()
        ((model(inputs[i]) - targets[i]) ** 2).sum().backward()
        for name, p in model.named_parameters():
            agree(each[name][i].numpy(), p.grad.numpy(), name, rtol=1e-5)


def test_an_ensemble_is_its_models():
    models = [network() for _ in range(3)]
    for i, m in enumerate(models):
        with pullback.no_grad():
            m[0].bias += i
    state, a = stack_module_state(models), pullback.randn(7, 3)
    base = network()
    got = vmap(lambda p, b, a: functional_call(base, (p, b), a), in_dims=(0, 0, None))(*state, a)
    for out, m in zip(got, models, strict=True):
        agree(out.detach().numpy(), m(a).detach().numpy(), "a model of the ensemble", rtol=1e-5)
    got.sum().backward()
    assert all(p.is_leaf and p.grad is not None and len(p.grad) == 3 for p in state[0].values())


def test_forward_mode_through_a_module():
    model, a = network(), pullback.randn(3)
    params = {name: p.detach() for name, p in model.named_parameters()}
    ones = {name: pullback.ones_like(p) for name, p in params.items()}
    _, pushed = jvp(lambda p: functional_call(model, p, a), (params,), (ones,))
    step = lambda h: functional_call(model, {n: p.double() + h for n, p in params.items()}, a.double())
    agree(pushed.numpy(), ((step(1e-6) - step(-1e-6)) / 2e-6).detach().numpy(), "the tangent", rtol=1e-4)


def test_batch_norm_without_running_statistics_can_be_mapped():
    model = replace_all_batch_norm_modules_(nn.Sequential(nn.Linear(3, 2), nn.BatchNorm1d(2)))
    assert model[1].running_mean is None and not model[1].track_running_stats
    batches = pullback.randn(4, 6, 3)
    got = vmap(lambda a: functional_call(model, {}, a))(batches)
    want = np.stack([model(a).detach().numpy() for a in batches])
    agree(got.detach().numpy(), want, "batch norm of each batch", rtol=1e-4, atol=1e-5)


def test_a_loop_over_time_maps_and_differentiates():
    cell = nn.Linear(5, 3)

    def last(sequence):
        h = pullback.zeros(3)
        for step in sequence:
            h = pullback.tanh(cell(pullback.cat([h, step])))
        return h.sum()

    sequences = pullback.randn(4, 6, 2)
    got = vmap(grad(last))(sequences)
    leaf = sequences.clone().requires_grad_()
    sum(last(s) for s in leaf).backward()
    agree(got.detach().numpy(), leaf.grad.numpy(), "the gradient of each sequence", rtol=1e-5)
