"""Optimizers: paths against PyTorch's for tables of options, groups, state, and what is said of bad ones."""

import copy
import pickle
from itertools import product

import numpy as np
import pytest

import pullback as pb
from pullback import nn, optim

SGD = [
    {"lr": 0.1},
    {"lr": 0.1, "momentum": 0.9},
    {"lr": 0.1, "momentum": 0.9, "dampening": 0.3},
    {"lr": 0.1, "momentum": 0.9, "nesterov": True},
    {"lr": 0.1, "momentum": 0.9, "nesterov": True, "weight_decay": 0.1, "maximize": True},
    {"lr": 0.1, "weight_decay": 0.1},
    {"lr": 0.1, "maximize": True},
]
ADAM = [
    {},
    {"lr": 0.1, "betas": (0.8, 0.9), "eps": 1e-3},
    {"lr": 0.05, "weight_decay": 0.2},
    {"lr": 0.05, "amsgrad": True},
    {"lr": 0.05, "amsgrad": True, "maximize": True, "weight_decay": 0.1},
]
DECAY = [{"weight_decay": 0.1}, {"weight_decay": 0.1, "maximize": True}]
OTHERS = {
    "NAdam": [{}, {"lr": 0.1, "betas": (0.8, 0.9), "eps": 1e-3, "momentum_decay": 0.1}, *DECAY]
    + [{"weight_decay": 0.1, "decoupled_weight_decay": True}],
    "RAdam": [{}, {"lr": 0.1, "betas": (0.8, 0.9), "eps": 1e-3}, {"betas": (0.5, 0.5)}, *DECAY]
    + [{"weight_decay": 0.1, "decoupled_weight_decay": True}],
    "Adamax": [{}, {"lr": 0.1, "betas": (0.8, 0.9), "eps": 1e-3}, *DECAY],
    "Adagrad": [{}, {"lr": 0.1, "lr_decay": 0.1, "initial_accumulator_value": 0.5, "eps": 1e-3}, *DECAY],
    "Adadelta": [{}, {"lr": 0.5, "rho": 0.7, "eps": 1e-2}, *DECAY],
    "RMSprop": [{}, {"lr": 0.1, "alpha": 0.7, "eps": 1e-2, "momentum": 0.5}, {"centered": True, "eps": 1e-2}, *DECAY]
    + [{"centered": True, "momentum": 0.9, "eps": 1e-2}],
    "Rprop": [{}, {"lr": 0.1, "etas": (0.6, 1.5), "step_sizes": (0.01, 0.2)}, {"maximize": True}],
    "ASGD": [{}, {"lr": 0.1, "lambd": 0.1, "alpha": 0.5, "t0": 3}, *DECAY],
}
ONE_BY_ONE = {
    "Adafactor": [{}, {"lr": 0.1, "beta2_decay": -0.5, "eps": (1e-3, 1e-2), "d": 2.0}, *DECAY],
}
CASES = [("SGD", o) for o in SGD] + list(product(["Adam", "AdamW"], ADAM))
CASES += [(name, o) for name, options in OTHERS.items() for o in options]
TOLERANCE = {"float32": 1e-6, "float64": 1e-12, "complex128": 1e-12}
SHAPES = [(3, 4), (5,), ()]


REAL_ONLY = [(name, o) for name, options in ONE_BY_ONE.items() for o in options]


def start(library, dtype, shapes=SHAPES):
    rng = np.random.default_rng(0)
    made = []
    for shape in shapes:
        values = rng.standard_normal(shape) + (1j * rng.standard_normal(shape) if dtype == "complex128" else 0)
        made.append(library.nn.Parameter(library.tensor(np.asarray(values, dtype))))
    return made


def gradients(dtype, steps, shapes=SHAPES):
    rng = np.random.default_rng(1)
    for _ in range(steps):
        parts = [rng.standard_normal(s) + (1j * rng.standard_normal(s) if dtype == "complex128" else 0) for s in shapes]
        yield [np.asarray(p, dtype) for p in parts]


def walk(library, name, options, dtype, steps=10):
    """The parameters after some steps along given gradients, and the optimizer."""
    parameters = start(library, dtype)
    optimizer = getattr(library.optim, name)(parameters, **options)
    for step in gradients(dtype, steps):
        for p, g in zip(parameters, step, strict=True):
            p.grad = library.tensor(g)
        optimizer.step()
    return parameters, optimizer


def compare(ours, theirs, rtol, what=""):
    ours, theirs = np.asarray(ours.detach().numpy()), np.asarray(theirs.detach().numpy())
    scale = max(1, np.abs(theirs).max(initial=0))  # the gradients are about 1
    np.testing.assert_allclose(ours, theirs, rtol=rtol, atol=rtol * scale / 10, err_msg=what)


@pytest.mark.parametrize("dtype", TOLERANCE)
@pytest.mark.parametrize("name, options", CASES + REAL_ONLY)
def test_ten_steps_are_pytorchs(name, options, dtype, torch):
    if dtype == "complex128" and (name, options) in REAL_ONLY:
        pytest.skip("PyTorch's refuses complex parameters too")
    ours, mine = walk(pb, name, options, dtype)
    theirs, its = walk(torch, name, options, dtype)
    for p, q in zip(ours, theirs, strict=True):
        compare(p, q, TOLERANCE[dtype])
    for number, state in its.state_dict()["state"].items():
        assert set(mine.state_dict()["state"][number]) == set(state)
        for key, value in state.items():
            if value is not None:
                compare(mine.state_dict()["state"][number][key], value, TOLERANCE[dtype], key)


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
@pytest.mark.parametrize("name", ["SGD", "Adam"])
def test_half_precision_parameters_move_and_keep_their_dtype(name, dtype):
    parameter = nn.Parameter(pb.ones(4, dtype=getattr(pb, dtype)))
    parameter.grad = pb.full((4,), 0.5, dtype=parameter.dtype)
    getattr(optim, name)([parameter], lr=0.125).step()
    assert parameter.dtype is getattr(pb, dtype) and all(x < 1 for x in parameter.tolist())


@pytest.mark.parametrize("name", ["SGD", "Adam", "AdamW"])
def test_printed_form_and_groups_are_pytorchs(name, torch):
    def made(library):
        a, b, c = start(library, "float32")
        optimizer = getattr(library.optim, name)([{"params": [a, b]}, {"params": c, "lr": 0.5}], lr=0.01)
        optimizer.add_param_group({"params": library.nn.Parameter(library.tensor([1.0])), "weight_decay": 0.25})
        return optimizer

    ours, theirs = made(pb), made(torch)
    assert repr(ours) == repr(theirs)
    mine, its = ours.state_dict()["param_groups"], theirs.state_dict()["param_groups"]
    assert mine == its and [list(group) for group in mine] == [list(group) for group in its]


def test_named_parameters_keep_their_names(torch):
    ours = optim.SGD(nn.Linear(2, 2).named_parameters(), lr=0.1).state_dict()
    theirs = torch.optim.SGD(torch.nn.Linear(2, 2).named_parameters(), lr=0.1).state_dict()
    assert ours == theirs


# -- the step ----------------------------------------------------------------------------------------------------------


def test_parameters_without_a_gradient_stay():
    still, moved = start(pb, "float32", [(2,), (2,)])
    before = still.tolist()
    moved.grad = pb.ones(2)
    optimizer = optim.Adam([still, moved])
    optimizer.step()
    assert still.tolist() == before and list(optimizer.state) == [moved]


def test_a_closure_is_evaluated_with_gradients_on():
    x = nn.Parameter(pb.tensor([3.0]))
    optimizer = optim.SGD([x], lr=0.1)

    def closure():
        optimizer.zero_grad()
        loss = (x**2).sum()
        loss.backward()
        return loss

    with pb.no_grad():
        assert optimizer.step(closure).item() == 9.0
    assert x.item() == pytest.approx(2.4)


def test_gradients_are_left_as_they_were():
    x = nn.Parameter(pb.tensor([3.0, 1.0]))
    for name, options in CASES:
        x.grad = pb.tensor([0.25, -2.0])
        getattr(optim, name)([x], **options).step()
        assert x.grad.tolist() == [0.25, -2.0]


def test_a_graph_that_saved_the_old_value_notices_the_step():
    x = nn.Parameter(pb.tensor([3.0]))
    loss = (x**2).sum()
    x.grad = pb.ones(1)
    before = x._version
    optim.SGD([x], lr=0.1).step()
    assert x._version > before and x.is_leaf
    with pytest.raises(RuntimeError, match=r"SGD\.step at test_optimizers\.py"):
        loss.backward()


def test_hooks_run_around_the_step():
    log, x = [], nn.Parameter(pb.ones(1))
    optimizer = optim.SGD([x], lr=0.1)
    optimizer.register_step_pre_hook(lambda o, args, kwargs: log.append("before"))
    handle = optimizer.register_step_post_hook(lambda o, args, kwargs: log.append("after"))
    optimizer.step()
    handle.remove()
    optimizer.step()
    assert log == ["before", "after", "before"]


def test_gradients_are_dropped_or_filled_with_zeros():
    x = nn.Parameter(pb.ones(2))
    optimizer = optim.SGD([x], lr=0.1)
    x.grad = pb.ones(2)
    optimizer.zero_grad(set_to_none=False)
    assert x.grad.tolist() == [0, 0]
    optimizer.zero_grad()
    assert x.grad is None


@pytest.mark.parametrize("name, options", CASES)
def test_a_recorded_step_can_be_differentiated(name, options):
    """d(x after a step)/d(gradient) by the graph and by a difference."""

    def after(slope):
        x = pb.tensor([1.0, -2.0], dtype=pb.float64, requires_grad=True)
        x = x * 1.0  # a step is written into a tensor that was computed
        x.retain_grad()
        optimizer = getattr(optim, name)([x], **options, differentiable=True)
        for factor in (1.0, 0.5):
            x._grad = slope * factor
            optimizer.step()
        return x

    base = np.array([0.3, 0.7])
    slope = pb.tensor(base, requires_grad=True)
    after(slope).sum().backward()
    plus, minus = (after(pb.tensor(base + h)).sum().item() for h in (1e-6, -1e-6))
    assert slope.grad.sum().item() == pytest.approx((plus - minus) / 2e-6, rel=1e-4, abs=1e-7)


@pytest.mark.parametrize("name, options", CASES)
def test_the_formula_on_tensors_is_that_on_arrays(name, options):
    plain, recorded = [nn.Parameter(pb.tensor([1.0, -2.0], dtype=pb.float64)) for _ in range(2)]
    one, other = (getattr(optim, name)([p], **options) for p in (plain, recorded))
    for _ in range(3):
        plain.grad = recorded.grad = pb.tensor([0.3, 0.7], dtype=pb.float64)
        one.step()
        with pb.no_grad():
            group = other.param_groups[0]
            other._step_tensor(recorded, recorded.grad, other._state_of(recorded, group), group)
    np.testing.assert_allclose(plain.detach().numpy(), recorded.detach().numpy(), rtol=1e-13)


def test_learning_rates_may_be_tensors():
    x = nn.Parameter(pb.ones(1))
    x.grad = pb.ones(1)
    optim.SGD([x], lr=pb.tensor(0.25)).step()
    assert x.item() == 0.75


def test_a_loop_over_many_steps_makes_no_new_arrays():
    """The state and the parameter keep their memory."""
    x = nn.Parameter(pb.ones(5))
    optimizer = optim.Adam([x])
    x.grad = pb.ones(5)
    optimizer.step()
    memory = x.data_ptr(), optimizer.state[x]["exp_avg"].data_ptr()
    optimizer.step()
    assert (x.data_ptr(), optimizer.state[x]["exp_avg"].data_ptr()) == memory


# -- state -------------------------------------------------------------------------------------------------------------


def resumed(library, name, options, pause):
    """Ten steps, in the middle of which parameters and optimizer are made anew from their state."""
    parameters = start(library, "float64")
    optimizer = getattr(library.optim, name)(parameters, **options)
    for number, step in enumerate(gradients("float64", 10)):
        if number == 5:
            parameters, optimizer = pause(parameters, optimizer)
        for p, g in zip(parameters, step, strict=True):
            p.grad = library.tensor(g)
        optimizer.step()
    return parameters


@pytest.mark.parametrize("name, options", CASES)
def test_training_resumes_from_a_state(name, options):
    def pause(parameters, optimizer):
        fresh = [nn.Parameter(p.detach().clone()) for p in parameters]
        other = getattr(optim, name)(fresh, lr=123.0)
        other.load_state_dict(copy.deepcopy(optimizer.state_dict()))
        return fresh, other

    expected, _ = walk(pb, name, options, "float64")
    for p, q in zip(resumed(pb, name, options, pause), expected, strict=True):
        assert p.tolist() == q.tolist()


def test_training_resumes_from_a_pickle():
    def pause(parameters, optimizer):
        return pickle.loads(pickle.dumps((parameters, optimizer)))

    expected, _ = walk(pb, "Adam", {}, "float64")
    for p, q in zip(resumed(pb, "Adam", {}, pause), expected, strict=True):
        assert p.tolist() == q.tolist()


def test_a_state_takes_the_parameters_dtype_but_the_count_does_not():
    _, optimizer = walk(pb, "Adam", {}, "float64", steps=2)
    narrow = start(pb, "float32")
    other = optim.Adam(narrow)
    other.load_state_dict(optimizer.state_dict())
    state = other.state[narrow[0]]
    assert state["exp_avg"].dtype is pb.float32 and state["step"].item() == 2
    assert state["exp_avg"] is not optimizer.state_dict()["state"][0]["exp_avg"]


# -- bad options -------------------------------------------------------------------------------------------------------

W = [1.0]
BAD = [
    lambda o, t, p: o.SGD([], lr=0.1),
    lambda o, t, p: o.SGD(p, lr=0.1),
    lambda o, t, p: o.SGD([1.0], lr=0.1),
    lambda o, t, p: o.SGD([{"params": {p}}], lr=0.1),
    lambda o, t, p: o.SGD([p * 2], lr=0.1),
    lambda o, t, p: o.SGD([p], lr=-0.1),
    lambda o, t, p: o.SGD([p], lr=0.1, momentum=-1),
    lambda o, t, p: o.SGD([p], lr=0.1, weight_decay=-1),
    lambda o, t, p: o.SGD([p], lr=0.1, nesterov=True),
    lambda o, t, p: o.SGD([{"params": [p]}, {"params": [p]}], lr=0.1),
    lambda o, t, p: o.SGD([p], lr=0.1).add_param_group([p]),
    lambda o, t, p: o.SGD([p], lr=0.1).add_param_group({"params": [p]}),
    lambda o, t, p: o.Adam([p], betas=(1.0, 0.9)),
    lambda o, t, p: o.Adam([p], betas=(0.9, -0.1)),
    lambda o, t, p: o.Adam([p], eps=-1),
    lambda o, t, p: o.AdamW([p], lr=-1),
    lambda o, t, p: o.SGD([p], lr=0.1).load_state_dict({"state": {}, "param_groups": []}),
    lambda o, t, p: o.SGD([p], lr=0.1).load_state_dict({"state": {}, "param_groups": [{"params": [0, 1]}]}),
]


@pytest.mark.parametrize("number", range(len(BAD)))
def test_bad_options_get_pytorchs_error(number, torch):
    with pytest.raises(Exception) as theirs:
        BAD[number](torch.optim, torch, torch.tensor(W, requires_grad=True))
    with pytest.raises(type(theirs.value)) as ours:
        BAD[number](optim, pb, pb.tensor(W, requires_grad=True))
    assert str(ours.value) == str(theirs.value)


def test_a_parameter_twice_in_a_group_is_warned_of():
    x = nn.Parameter(pb.ones(1))
    with pytest.warns(UserWarning, match="duplicate parameters"):
        optim.SGD([x, x], lr=0.1)
