"""What all optimizers' steps have in common: blocks of parameters, recorded steps, hooks, and states that are passed on."""

import copy
import pickle

import numpy as np
import pytest

import pullback as pb
from pullback import nn, optim
from pullback.optim import blocks
from pullback.optim.optimizer import Optimizer, register_optimizer_step_post_hook, register_optimizer_step_pre_hook

NAMES = ["SGD", "Adam", "AdamW", "NAdam", "RAdam", "Adamax", "Adagrad", "Adadelta", "RMSprop", "Rprop", "ASGD"]
SHAPES = [(3, 4), (5,), (), (0, 2), (20, 30), (7, 1)]


def parameters(seed=0, dtype=pb.float64):
    rng = np.random.default_rng(seed)
    return [nn.Parameter(pb.tensor(rng.standard_normal(shape), dtype=dtype)) for shape in SHAPES]


def with_gradients(params, seed):
    rng = np.random.default_rng(seed)
    for p in params:
        p.grad = pb.tensor(rng.standard_normal(tuple(p.shape)), dtype=p.dtype)


def options(name):
    return {"momentum": 0.9, "lr": 0.1} if name == "SGD" else {}


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("size", [7, 1 << 20])
def test_results_do_not_depend_on_the_blocks(name, size, monkeypatch):
    together, alone = parameters(), parameters()
    one = getattr(optim, name)(together, **options(name))
    others = [getattr(optim, name)([p], **options(name)) for p in alone]
    for step in range(3):
        with_gradients(together, step)
        with_gradients(alone, step)
        with monkeypatch.context() as patch:
            patch.setattr(blocks, "BLOCK", size)
            one.step()
        for other in others:
            other.step()
    for p, q in zip(together, alone, strict=True):
        np.testing.assert_array_equal(p.detach().numpy(), q.detach().numpy())


@pytest.mark.parametrize("name", NAMES)
def test_parameters_and_their_memory_stay_the_same(name):
    params = parameters()
    params.append(nn.Parameter(pb.ones(4, 3, dtype=pb.float64).t()))
    held = [p.detach() for p in params]
    optimizer = getattr(optim, name)(params, **options(name))
    for step in range(2):
        with_gradients(params, step)
        optimizer.step()
    for p, alias in zip(params, held, strict=True):
        assert p.detach().tolist() == alias.tolist() and p.data_ptr() == alias.data_ptr()


def test_a_step_on_many_parameters_is_noticed_by_each_ones_graph():
    params = [nn.Parameter(pb.ones(3)) for _ in range(4)]
    losses = [(p**2).sum() for p in params]
    with_gradients(params, 0)
    optim.Adam(params).step()
    for loss in losses:
        with pytest.raises(RuntimeError, match=r"Adam\.step"):
            loss.backward()


def test_parameters_that_miss_steps_keep_their_own_count():
    params = [nn.Parameter(pb.ones(3)) for _ in range(3)]
    optimizer = optim.NAdam(params)
    for step in range(3):
        with_gradients(params, step)
        params[1].grad = None if step == 1 else params[1].grad
        optimizer.step()
    assert [optimizer.state[p]["step"].item() for p in params] == [3, 2, 3]


# -- recorded steps ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", [name for name in NAMES if name not in ("Rprop", "ASGD")])
def test_recorded_steps_give_the_gradients_of_rates_and_beginnings(name):
    def loss(rate, begin):
        w = begin.clone()
        optimizer = getattr(optim, name)([w], **{**options(name), "lr": rate}, differentiable=True)
        for step in range(3):
            w.grad = pb.cos(w * (step + 1)) + w
            optimizer.step()
        return (w**2).sum()

    rate = pb.tensor(0.1, dtype=pb.float64, requires_grad=True)
    begin = pb.tensor([1.0, -2.0], dtype=pb.float64, requires_grad=True)
    assert pb.autograd.gradcheck(loss, (rate, begin), eps=1e-6, atol=1e-5)


# -- hooks -------------------------------------------------------------------------------------------------------------


def test_hooks_are_called_around_a_step_in_order():
    seen = []
    p = nn.Parameter(pb.ones(1))
    optimizer = optim.SGD([p])
    handles = [
        register_optimizer_step_pre_hook(lambda *args: seen.append("all before")),
        register_optimizer_step_post_hook(lambda *args: seen.append("all after")),
        optimizer.register_step_pre_hook(lambda *args: seen.append("before")),
        optimizer.register_step_post_hook(lambda *args: seen.append("after")),
    ]
    optimizer.step()
    assert seen == ["all before", "before", "after", "all after"]
    for handle in handles:
        handle.remove()
    optimizer.step(lambda: seen.append("closure"))
    assert seen[4:] == ["closure"]


def test_a_hook_may_replace_the_arguments_of_a_step_by_a_pair_only():
    optimizer = optim.SGD([nn.Parameter(pb.ones(1))])
    handle = optimizer.register_step_pre_hook(lambda o, args, kwargs: ((o, lambda: 7), {}))
    assert optimizer.step(lambda: 5) == 7
    handle.remove()
    optimizer.register_step_pre_hook(lambda *args: 3)
    with pytest.raises(RuntimeError, match="must return None or a tuple"):
        optimizer.step()


class Own(Optimizer):
    def __init__(self, params, lr=0.5):
        super().__init__(params, {"lr": lr})

    @pb.no_grad()
    def step(self, closure=None):
        for group in self.param_groups:
            for p in group["params"]:
                p.add_(p.grad, alpha=-group["lr"])


def test_own_optimizers_have_hooks_and_can_be_copied():
    seen = []
    p = nn.Parameter(pb.ones(1))
    p.grad = pb.ones(1)
    optimizer = Own([p])
    optimizer.register_step_post_hook(lambda *args: seen.append(1))
    optimizer.step()
    assert p.item() == 0.5 and seen == [1]
    for made in (pickle.loads(pickle.dumps(optimizer)), copy.deepcopy(optimizer)):
        made.param_groups[0]["params"][0].grad = pb.ones(1)
        made.step()
        assert made.param_groups[0]["params"][0].item() == 0.0


def test_hooks_see_and_replace_states():
    p = nn.Parameter(pb.ones(1))
    optimizer, seen = optim.SGD([p], lr=0.5), []
    optimizer.register_state_dict_pre_hook(lambda o: seen.append("second"))
    optimizer.register_state_dict_pre_hook(lambda o: seen.append("first"), prepend=True)
    optimizer.register_state_dict_post_hook(lambda o, state: {**state, "more": 1})
    state = optimizer.state_dict()
    assert seen == ["first", "second"] and state.pop("more") == 1
    state["param_groups"][0]["lr"] = 0.25
    optimizer.register_load_state_dict_pre_hook(lambda o, given: state)
    optimizer.register_load_state_dict_post_hook(lambda o: seen.append(o.param_groups[0]["lr"]))
    optimizer.load_state_dict({})
    assert seen[-1] == 0.25


@pytest.mark.parametrize("name", [*NAMES, "Adafactor"])
def test_states_go_to_pytorch_and_back(name, torch):
    """Three steps here, three in torch with the state, and three here again are nine steps in torch."""

    def made(library, values):
        params = [library.nn.Parameter(library.tensor(v)) for v in values]
        return params, getattr(library.optim, name)(params, **options(name))

    def walk(library, params, optimizer, seeds):
        for seed in seeds:
            rng = np.random.default_rng(seed)
            for p in params:
                p.grad = library.tensor(rng.standard_normal(tuple(p.shape)))
            optimizer.step()
        return [p.detach().numpy().copy() for p in params]

    def moved(library, state):
        def move(value):
            return library.tensor(value.numpy().copy()) if hasattr(value, "numpy") else value

        return {**state, "state": {k: {n: move(v) for n, v in s.items()} for k, s in state["state"].items()}}

    begin = [np.random.default_rng(0).standard_normal((3, 2)), np.random.default_rng(1).standard_normal(4)]
    expected = walk(torch, *made(torch, begin), range(6))
    ours = made(pb, begin)
    theirs = made(torch, walk(pb, *ours, range(3)))
    theirs[1].load_state_dict(moved(torch, ours[1].state_dict()))
    again = made(pb, walk(torch, *theirs, range(3, 5)))
    again[1].load_state_dict(moved(pb, theirs[1].state_dict()))
    for mine, its in zip(walk(pb, *again, [5]), expected, strict=True):
        np.testing.assert_allclose(mine, its, rtol=1e-7)
