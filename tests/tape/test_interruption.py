"""Exceptions at any point: what they leave behind in tensors, graphs and modes."""

import gc
import signal
import sys
import threading

import numpy as np
import pytest

import pullback as torch
from pullback.interpreters.dispatch import current_level
from pullback.source import HOUSE
from pullback.tape import engine, modes, storage, value
from pullback.tape.hooks import running


class Stop(Exception):
    """Raised where a test wants it."""


class Raising(torch.autograd.Function):
    """The identity, whose backward raises what it was given."""

    @staticmethod
    def forward(ctx, x, error):
        ctx.error = error
        return x.clone()

    @staticmethod
    def backward(ctx, grad):
        if ctx.error is not None:
            raise ctx.error
        return grad, None


def check_undisturbed():
    """Modes, levels, locks and fast paths are as at the start."""
    if modes.switch.on:
        gc.collect()  # the traceback of an exception may have kept a context
    assert (torch.is_grad_enabled(), torch.is_inference_mode_enabled()) == (True, False)
    assert not modes.switch.on
    assert current_level() == 0
    assert running.get() is None
    assert torch.Tensor in value.plain
    free = []

    def take():
        for lock in (engine.accumulating, storage._lock):
            with lock:
                free.append(True)

    thread = threading.Thread(target=take, daemon=True)
    thread.start()
    thread.join(10)
    assert free == [True, True]


def raise_stop(*args):
    raise Stop


REGISTRATIONS = {
    "a tensor's hook": lambda y, x: y.register_hook(raise_stop),
    "a node's prehook": lambda y, x: y.grad_fn.register_prehook(raise_stop),
    "a node's hook": lambda y, x: y.grad_fn.register_hook(raise_stop),
    "a leaf's hook": lambda y, x: x.register_hook(raise_stop),
    "a leaf's post-accumulate hook": lambda y, x: x.register_post_accumulate_grad_hook(raise_stop),
}


@pytest.mark.parametrize("where", REGISTRATIONS)
def test_a_hook_that_raises_leaves_the_graph_walkable(where):
    x, w = torch.tensor([2.0], requires_grad=True), torch.tensor([3.0], requires_grad=True)
    y = x * w
    z = y.exp().log().sum()
    handle = REGISTRATIONS[where](y, x)
    with pytest.raises(Stop):
        z.backward(retain_graph=True)
    check_undisturbed()
    handle.remove()
    x.grad = w.grad = None
    z.backward(retain_graph=True)
    np.testing.assert_allclose([x.grad.item(), w.grad.item()], [3.0, 2.0], rtol=1e-5)


@pytest.mark.parametrize("error", [Stop(), KeyboardInterrupt(), MemoryError(), GeneratorExit()], ids=repr)
@pytest.mark.parametrize("create_graph", [False, True])
def test_a_rule_that_raises_changes_no_gradient(error, create_graph):
    x, w = torch.tensor([2.0], requires_grad=True), torch.tensor([3.0], requires_grad=True)
    w.grad = torch.tensor([10.0])
    y = x * w
    z = (Raising.apply(y, error) * w).sum()
    with pytest.raises(type(error)):
        z.backward(retain_graph=True, create_graph=create_graph)
    check_undisturbed()
    assert x.grad is None
    assert w.grad.tolist() == [10.0]


def test_the_saved_values_of_nodes_that_ran_stay_freed():
    x = torch.tensor([2.0], requires_grad=True)
    y = Raising.apply(x * x, Stop())
    z = (y * y).sum()
    with pytest.raises(Stop):
        z.backward()
    with pytest.raises(RuntimeError, match="a second time"):
        z.backward()


@pytest.mark.parametrize(
    ("backward", "message"),
    [
        (lambda ctx, grad: (grad, grad), "incorrect number of gradients"),
        (lambda ctx, grad: torch.ones(7), "shape"),
        (lambda ctx, grad: "gradient", "Tensor|tensor|Variable"),
    ],
)
def test_a_custom_function_with_a_wrong_gradient_changes_nothing(backward, message):
    class Wrong(torch.autograd.Function):
        forward = staticmethod(lambda ctx, x: x * 2)

    Wrong.backward = staticmethod(backward)
    x = torch.ones(2, requires_grad=True)
    with pytest.raises((RuntimeError, TypeError), match=message):
        (Wrong.apply(x) + x).sum().backward()
    check_undisturbed()
    assert x.grad is None


def test_exceptions_inside_transforms_and_modes_put_everything_back():
    def bad(x):
        with torch.no_grad():
            torch.func.grad(raise_stop)(x.sum())

    x = torch.ones(2)
    for transform in (torch.func.grad, torch.func.vmap, torch.func.jacrev, torch.func.jacfwd, torch.func.hessian):
        with pytest.raises(Stop):
            transform(bad)(x)
        check_undisturbed()


def test_an_operation_in_place_that_refuses_its_arguments_has_written_nothing():
    x = torch.ones(3, requires_grad=True)
    y = x * 1
    z = y * y
    for refused in (
        lambda: y.add_(torch.ones(4)),
        lambda: y.copy_(torch.ones(5)),
        lambda: y.__setitem__(9, 1.0),
        lambda: y.index_fill_(0, torch.tensor([7]), 1.0),
        lambda: y.mul_("two"),
    ):
        with pytest.raises((RuntimeError, IndexError, TypeError)):
            refused()
    assert y._version == 0
    z.sum().backward()
    assert x.grad.tolist() == [2.0] * 3


def test_a_write_that_stops_halfway_is_noted():
    x = torch.tensor([1.0, 3e38], requires_grad=True)
    y = x * 1
    z = y * torch.ones(2)
    z = (z * 1e-30) * y
    with np.errstate(over="raise"), torch.no_grad(), pytest.raises(FloatingPointError):
        y.mul_(10.0)
    assert y._version == 1
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        z.sum().backward()


# -- interrupts --------------------------------------------------------------------------------------------------------


def interrupted_at(n, work):
    """Run ``work`` with a KeyboardInterrupt at the n-th point where Python looks for signals in the package; whether it came.

    Those points are the starts of functions, and the returns of functions in C. Left out are the start of ``__exit__``,
    where an interrupt is lost to every context manager that is written in Python, and that of ``note_write``, which
    comes right after a write.
    """
    count = 0

    def profile(frame, event, arg):
        nonlocal count
        code = frame.f_code
        if event not in ("call", "c_return") or not code.co_filename.startswith(HOUSE):
            return
        if code.co_name in ("__exit__", "note_write", "<genexpr>"):  # a generator is also called to be closed
            return
        count += 1
        if count == n:
            raise KeyboardInterrupt

    sys.setprofile(profile)
    try:
        work()
    except KeyboardInterrupt:
        return True
    finally:
        sys.setprofile(None)
    return False


def at_each_point(prepare, work, check, step=1):
    """Interrupt ``work(state)`` at its first point, its second, ...; ``check(state, done)`` after each."""
    for n in range(1, 5000, step):
        state = prepare()
        came = interrupted_at(n, lambda state=state: work(state))
        check(state, not came)
        if not came:
            return
    raise AssertionError("work has no end")


def leaves_and_loss():
    x, w = torch.tensor([2.0, 1.0], requires_grad=True), torch.tensor([3.0, 1.0], requires_grad=True)
    b = torch.tensor([1.0, 0.5], requires_grad=True)
    w.grad = torch.tensor([10.0, 10.0])
    y = x * w
    return x, w, b, (y.exp().log() * y[0:1] + b).sum()


def gradients(state):
    return [None if t.grad is None else t.grad.tolist() for t in state[:3]]


PASSES = {
    "plain": lambda state: state[3].backward(),
    "recorded": lambda state: state[3].backward(create_graph=True),
    "into some": lambda state: state[3].backward(inputs=state[:3]),
}


@pytest.mark.parametrize("way", PASSES)
@pytest.mark.parametrize("with_hooks_elsewhere", [False, True])
def test_an_interrupted_pass_adds_all_gradients_or_none(way, with_hooks_elsewhere):
    other = torch.ones(2, requires_grad=True)
    if with_hooks_elsewhere:
        other.register_hook(lambda grad: None)
    before = gradients(leaves_and_loss())
    state = leaves_and_loss()
    PASSES[way](state)
    after = gradients(state)

    def check(state, done):
        assert gradients(state) in ((after,) if done else (before, after))
        check_undisturbed()

    at_each_point(leaves_and_loss, PASSES[way], check)


def test_a_retained_graph_can_be_walked_after_an_interrupt():
    state = leaves_and_loss()
    expected = [g.tolist() for g in torch.autograd.grad(state[3], state[:3])]

    def check(state, done):
        again = torch.autograd.grad(state[3], state[:3], retain_graph=True)
        assert [g.tolist() for g in again] == expected

    at_each_point(leaves_and_loss, lambda state: state[3].backward(retain_graph=True), check, step=2)
    at_each_point(
        leaves_and_loss, lambda state: torch.autograd.grad(state[3], state[:3], create_graph=True), check, step=7
    )


def test_modes_and_levels_are_put_back_wherever_the_interrupt_comes():
    def work(state):
        with torch.no_grad():
            state[0] * 2
            with torch.enable_grad(), torch.inference_mode():
                state[0].exp()
        torch.set_grad_enabled(True)
        torch.func.vmap(torch.func.grad(lambda v: v.sin() * v))(state[1].detach())

    at_each_point(leaves_and_loss, work, lambda state, done: check_undisturbed(), step=3)


def test_an_interrupted_write_is_noted_if_it_was_done():
    def prepare():
        x = torch.tensor([1.0, 2.0, 3.0], requires_grad=True)
        y = x * 1
        return x, y, y * y

    def check(state, done):
        _, y, z = state
        if y.tolist() != [1.0, 2.0, 3.0]:
            assert y._version > 0
            with pytest.raises(RuntimeError, match="modified by an inplace operation"):
                z.sum().backward()
        check_undisturbed()

    for write in (
        lambda state: state[1].mul_(2.0),
        lambda state: state[1][1:].exp_(),
        lambda state: state[1].__setitem__(0, 5.0),
        lambda state: state[1].detach().add_(1.0),
        lambda state: state[1].copy_(torch.zeros(3)),
    ):
        at_each_point(prepare, write, check)


@pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="the platform has no interval timers")
def test_a_real_signal_leaves_gradients_whole():
    def stop(*args):
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGALRM, stop)
    try:
        leaves = [torch.ones(50, requires_grad=True) for _ in range(4)]
        for k in range(60):
            steps = 0
            signal.setitimer(signal.ITIMER_REAL, 0.0005 + 0.0001 * k)
            try:
                while True:
                    for leaf in leaves:
                        leaf.grad = None
                    steps += 1
                    sum((leaf * leaf).sum() for leaf in leaves).backward()
            except KeyboardInterrupt:
                pass
            finally:
                signal.setitimer(signal.ITIMER_REAL, 0)
            sums = {None if leaf.grad is None else leaf.grad.sum().item() for leaf in leaves}
            assert sums <= {None, 100.0}
            check_undisturbed()
    finally:
        signal.signal(signal.SIGALRM, before)
