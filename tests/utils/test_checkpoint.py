"""Checkpointing: the same gradients with less memory, in every use of autograd, and what is said where a second run differs."""

import gc
import tracemalloc
from functools import partial

import pytest

import pullback as P
from pullback import nn
from pullback.utils import checkpoint as C


def programs(lib, keep):
    """Named programs over a library; ``keep(f, *args, **kwargs)`` calls a function, checkpointed or not."""
    F = lib.nn.functional

    def block(x, w, scale=1.0):
        return F.dropout((x @ w).tanh() * scale, 0.5).exp()

    def simple(x, w):
        keep(block, x, w, scale=0.5).sum().backward()
        return x.grad, w.grad

    def nested(x, w):
        inner = lambda a: keep(block, keep(block, a, w) * 0.5, w).sin()
        keep(lambda a: keep(inner, a * 2) + inner(a), x).sum().backward()
        return x.grad, w.grad

    def closure(x, w):
        keep(lambda a: block(a, w), x).sum().backward()
        return x.grad, w.grad

    def no_input_requires_grad(x, w):
        keep(lambda a: block(a, w), x.detach()).sum().backward()
        return w.grad

    def with_grad(x, w):
        return lib.autograd.grad(keep(block, x, w).sum(), [w, x])

    def with_inputs(x, w):
        keep(block, x, w).sum().backward(inputs=[w])
        return w.grad, x.grad

    def twice(x, w):
        y = keep(block, x, w).sum()
        y.backward(retain_graph=True)
        y.backward()
        return x.grad

    def second_order(x, w):
        (g,) = lib.autograd.grad(keep(block, x, w).sum(), x, create_graph=True)
        return lib.autograd.grad((g**2).sum(), [x, w])

    def nested_structures(x, w):
        out = keep(
            lambda given, *, bias: {"a": given["x"] @ given["w"] + bias, "b": given["x"].exp()},
            {"x": x, "w": w},
            bias=w,
        )
        (out["a"] * out["b"]).sum().backward()
        return x.grad, w.grad

    def hooks_inside(x, w):
        seen = []

        def f(a):
            b = a.exp()
            b.register_hook(lambda g: seen.append(1) or g * 2)
            return b * a

        keep(f, x).sum().backward()
        return x.grad, lib.tensor(len(seen))

    def writes_inside(x, w):
        def f(a):
            b = a * 1
            b[0] = a[1].sin()
            return b.mul_(w).exp()

        keep(f, x).sum().backward()
        return x.grad, w.grad

    def random_numbers_go_on_as_before(x, w):
        y = keep(block, x, w).sum()
        before = lib.rand(2)
        y.backward()
        return before, lib.rand(2)

    def without_grad_mode(x, w):
        with lib.no_grad():
            return keep(block, x, w)

    return {k: v for k, v in locals().items() if callable(v) and k not in ("keep", "block")}


def values(found):
    return [
        None if t is None else t.detach().double().numpy()
        for t in (found if isinstance(found, (tuple, list)) else [found])
    ]


def run(lib, program, keep):
    lib.manual_seed(0)
    x, w = (lib.randn(3, 3, dtype=lib.float64).requires_grad_() for _ in range(2))
    return values(programs(lib, keep)[program](x, w))


@pytest.mark.parametrize("program", list(programs(P, None)))
def test_gradients_are_those_without_checkpointing_and_pytorchs(torch, program):
    plain = run(P, program, lambda f, *args, **kwargs: f(*args, **kwargs))
    mine = run(P, program, C.checkpoint)
    from torch.utils.checkpoint import checkpoint

    theirs = run(torch, program, partial(checkpoint, use_reentrant=False))
    for a, b, c in zip(mine, plain, theirs, strict=True):
        assert (a is b is c is None) or (a == pytest.approx(b, rel=1e-12) and a == pytest.approx(c, rel=1e-9))


def test_the_function_runs_once_forward_and_once_backward():
    runs = []
    x = P.ones(2, requires_grad=True)
    y = C.checkpoint(lambda x: runs.append(1) or x.exp().sin().exp(), x)
    assert len(runs) == 1
    y.sum().backward()
    assert len(runs) == 2


def test_the_second_run_stops_as_soon_as_it_can():
    reached = []
    x = P.ones(2, requires_grad=True)
    f = lambda x: (x.exp(), reached.append(1))[0]
    C.checkpoint(f, x).sum().backward()
    assert len(reached) == 1
    C.checkpoint(f, x, early_stop=False).sum().backward()
    assert len(reached) == 3
    with C.set_checkpoint_early_stop(False):
        C.checkpoint(f, x).sum().backward()
    assert len(reached) == 5


def test_memory_stays_with_the_inputs_and_returns_to_its_baseline_without_the_collector():
    P.manual_seed(0)
    layers = [nn.Sequential(nn.Linear(128, 128), nn.Tanh(), nn.Tanh(), nn.Tanh()) for _ in range(8)]
    x = P.randn(256, 128)

    def peak(call):
        gc.collect()
        gc.disable()
        tracemalloc.start()
        try:
            start = tracemalloc.get_traced_memory()[0]
            y = x
            for layer in layers:
                y = call(layer, y)
            saved = tracemalloc.get_traced_memory()[0] - start
            y.sum().backward()
            del y
            for layer in layers:
                layer.zero_grad()
            return saved, tracemalloc.get_traced_memory()[0] - start
        finally:
            tracemalloc.stop()
            gc.enable()

    plain, _ = peak(lambda layer, y: layer(y))
    peak(C.checkpoint)
    mine, left = peak(C.checkpoint)
    assert mine < 0.4 * plain
    assert left < 50_000


@pytest.mark.parametrize("segments", [1, 2, 3, 5])
def test_sequences_are_checkpointed_in_segments(segments):
    P.manual_seed(0)
    model = nn.Sequential(*[nn.Linear(4, 4) for _ in range(5)])
    x = P.randn(2, 4)
    model(x).sum().backward()
    expected = [p.grad for p in model.parameters()]
    model.zero_grad()
    C.checkpoint_sequential(model, segments, x).sum().backward()
    assert all(P.equal(p.grad, e) for p, e in zip(model.parameters(), expected, strict=True))
    with pytest.raises(ValueError, match="between 1 and 5"):
        C.checkpoint_sequential(model, 6, x)


class Switch:
    """A function that does something else on its second run."""

    def __init__(self, first, second):
        self.functions = iter([first, second])

    def __call__(self, x):
        return next(self.functions)(x)


@pytest.mark.parametrize(
    "second, phrase",
    [
        (lambda x: x.exp(), "saved metadata: SinBackward0 at test_checkpoint.py"),
        (lambda x: x[:1].sin(), r"recomputed metadata: SinBackward0 at .* which saved torch.float32\[1\]"),
        (
            lambda x: x * 2,
            "Number of tensors saved during recomputation: 0; the first that is missing is of SinBackward0",
        ),
    ],
)
def test_the_first_operation_that_differs_is_named(second, phrase):
    y = C.checkpoint(Switch(lambda x: x.sin(), second), P.ones(2, requires_grad=True))
    with pytest.raises(C.CheckpointError, match=phrase):
        y.sum().backward()


def test_debug_lists_what_the_first_run_saved():
    with C.set_checkpoint_debug_enabled(True):
        y = C.checkpoint(Switch(lambda x: x.sin().cos(), lambda x: x.exp()), P.ones(2, requires_grad=True))
    with pytest.raises(C.CheckpointError, match=r"(?s)0: SinBackward0.*1: CosBackward0"):
        y.sum().backward()


def test_a_failing_second_run_leaves_modes_and_random_numbers_as_they_were():
    def fail(x):
        raise KeyError

    P.manual_seed(0)
    y = C.checkpoint(Switch(lambda x: x.sin(), fail), P.ones(2, requires_grad=True))
    state = P.get_rng_state()
    with pytest.raises(KeyError):
        y.sum().backward()
    assert P.is_grad_enabled() and P.equal(P.get_rng_state(), state)
    seen = []
    with P.autograd.graph.saved_tensors_hooks(lambda t: seen.append(t) or t, lambda t: t):
        P.ones(2, requires_grad=True).exp()
    assert len(seen) == 1


def test_inside_transforms_checkpoint_changes_nothing():
    x = P.tensor([0.5, 1.0])
    f = lambda x: (C.checkpoint(lambda x: x.sin().exp(), x) * x).sum()
    g = lambda x: (x.sin().exp() * x).sum()
    assert P.equal(P.func.hessian(f)(x), P.func.hessian(g)(x))
    assert P.equal(P.func.vmap(P.func.grad(f))(x.expand(3, 2)), P.func.vmap(P.func.grad(g))(x.expand(3, 2)))


# -- by policy ---------------------------------------------------------------------------------------------------------


def kept_and_run_again(policy, **options):
    """Which operations' kernels ran in the second run of a checkpoint with a policy."""
    seen = []

    class Watching:
        def around_compute(self, inner):
            return lambda op, raw: seen.append(op.name) or inner(op, raw)

    from pullback.tape.watch import layer_on

    P.manual_seed(0)
    x, w = (P.randn(3, 3, requires_grad=True) for _ in range(2))
    f = lambda x: P.mm(P.mm(x, w).tanh(), w).tanh()
    contexts = partial(C.create_selective_checkpoint_contexts, policy, **options)
    loss = C.checkpoint(f, x, context_fn=contexts).sum()
    with layer_on("budget", Watching()):
        loss.backward()
    f(x.detach().requires_grad_()).sum().backward()
    (expected,) = P.autograd.grad(f(x).sum(), x)
    assert P.equal(x.grad, expected)
    return seen


def test_a_policy_decides_what_is_kept():
    assert kept_and_run_again([]) == ["mm", "tanh", "mm", "tanh"]
    assert kept_and_run_again(["mm"]) == ["tanh", "tanh"]
    assert kept_and_run_again([P.mm]) == kept_and_run_again([P.ops.aten.mm.default]) == ["tanh", "tanh"]
    products = {P.ops.aten.mm.default, P.ops.aten.bmm.default}
    assert kept_and_run_again(lambda ctx, op, *args: op in products) == ["tanh", "tanh"]
    policy = lambda ctx, op, *args: (
        C.CheckpointPolicy.MUST_SAVE if op.name == "tanh" else C.CheckpointPolicy.PREFER_RECOMPUTE
    )
    assert kept_and_run_again(policy) == ["mm", "mm"]


def test_a_kept_result_that_was_written_is_refused():
    x = P.ones(2, 2, requires_grad=True)
    kept = []

    def f(x):
        kept.append(P.mm(x, x))
        return kept[-1].exp()

    for allowed in (False, True):
        contexts = partial(C.create_selective_checkpoint_contexts, ["mm"], allow_cache_entry_mutation=allowed)
        y = C.checkpoint(f, x, context_fn=contexts)
        with P.no_grad():
            kept[-1].add_(1)
        if allowed:
            y.sum().backward()
        else:
            with pytest.raises(RuntimeError, match="result 0 of mm was written in place"):
                y.sum().backward()


def test_wrong_arguments_are_refused():
    x = P.ones(2, requires_grad=True)
    with pytest.raises(ValueError, match="determinism_check should be one of"):
        C.checkpoint(P.sin, x, determinism_check="always")
    contexts = partial(C.create_selective_checkpoint_contexts, lambda ctx, op, *args: "yes")
    with pytest.raises(TypeError, match="must return a CheckpointPolicy or a bool, got 'yes'"):
        C.checkpoint(P.sin, x, context_fn=contexts)
