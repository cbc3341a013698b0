"""Grad modes: what is recorded, for whom, and for how long."""

import asyncio
import contextvars
import copy
import pickle
import threading

import pytest

import pullback
import pullback as torch
from pullback.tape import modes, value


@pytest.fixture
def x():
    return torch.ones(2, requires_grad=True)


def test_no_grad_and_enable_grad_nest(x):
    with torch.no_grad():
        assert not (x * 2).requires_grad
        with torch.enable_grad():
            assert (x * 2).requires_grad
        assert not torch.is_grad_enabled()
    assert torch.is_grad_enabled()


def test_modes_are_put_back_after_an_exception(x):
    with pytest.raises(KeyError), torch.no_grad():
        raise KeyError
    assert torch.is_grad_enabled()


def test_modes_decorate_functions_and_generators(x):
    @torch.no_grad()
    def double(t):
        return t * 2

    @torch.no_grad
    def bare(t):
        return t * 2

    @torch.no_grad()
    def items(t):
        for _ in range(2):
            yield (t * 2).requires_grad

    assert not double(x).requires_grad
    assert not bare(x).requires_grad
    inside = items(x)
    assert next(inside) is False
    assert torch.is_grad_enabled()  # the generator's mode does not leak to its consumer
    assert list(inside) == [False]


def test_set_grad_enabled_acts_at_once_as_a_function_and_for_the_block_as_a_context(x):
    torch.set_grad_enabled(False)
    assert not torch.is_grad_enabled()
    torch.set_grad_enabled(True)
    with torch.set_grad_enabled(False):
        assert not torch.is_grad_enabled()
    assert torch.is_grad_enabled()


def test_modes_belong_to_their_thread():
    seen = []
    with torch.no_grad():
        thread = threading.Thread(target=lambda: seen.append(torch.is_grad_enabled()))
        thread.start()
        thread.join()
    assert seen == [True]


def test_factories_keep_requires_grad_under_no_grad():
    with torch.no_grad():
        assert torch.ones(2, requires_grad=True).requires_grad


def test_setting_requires_grad_is_checked(x):
    with pytest.raises(RuntimeError, match="only Tensors of floating point dtype"):
        torch.tensor([1, 2]).requires_grad_()
    with pytest.raises(RuntimeError, match="leaf variables"):
        (x * 2).requires_grad_(False)


def test_inference_tensors_cannot_enter_a_graph_or_be_written_outside(x):
    with torch.inference_mode():
        y = torch.ones(2) * 2
        y.add_(1)
        assert torch.is_inference_mode_enabled()
        assert not x[0:1].is_inference()
    assert y.is_inference()
    with pytest.raises(RuntimeError, match="Inference tensors cannot be saved for backward"):
        x * y
    with pytest.raises(RuntimeError, match="Inplace update to inference tensor"):
        y.add_(1)
    assert (x * y.clone()).requires_grad


def test_a_task_keeps_its_modes_while_it_waits_and_others_see_none_of_it():
    async def quiet(x, go):
        with torch.no_grad():
            await go.wait()
            return (x * 2).requires_grad, torch.is_grad_enabled()

    async def loud(x, go):
        await asyncio.sleep(0)
        seen = (x * 2).requires_grad, torch.is_grad_enabled()
        go.set()
        return seen

    async def both():
        x, go = torch.ones(2, requires_grad=True), asyncio.Event()
        return await asyncio.gather(quiet(x, go), loud(x, go))

    assert asyncio.run(both()) == [(False, False), (True, True)]


def test_a_task_that_outlives_the_block_it_was_made_in_keeps_the_blocks_mode(x):
    async def later():
        await asyncio.sleep(0)
        return (x * 2).requires_grad

    async def main():
        with torch.no_grad():
            task = asyncio.ensure_future(later())
        return (x * 2).requires_grad, await task

    assert asyncio.run(main()) == (True, False)
    assert not modes.switch.on  # nobody holds a mode any more


def test_a_thread_starts_with_the_defaults_even_in_a_copy_of_the_context(x):
    seen = []
    with torch.no_grad(), torch.inference_mode():
        context = contextvars.copy_context()

        def look():
            seen.append((torch.is_grad_enabled(), torch.is_inference_mode_enabled(), (x * 2).requires_grad))
            with torch.no_grad():
                seen.append((x * 2).requires_grad)
            seen.append((x * 2).requires_grad)

        thread = threading.Thread(target=lambda: context.run(look))
        thread.start()
        thread.join()
    assert seen == [(True, False, True), False, True]


def test_one_instance_serves_nested_blocks_and_several_threads(x):
    mode, inside, go = torch.no_grad(), threading.Barrier(2), []
    with mode:
        with mode:
            assert not torch.is_grad_enabled()
        assert not torch.is_grad_enabled()

    def work():
        inside.wait(10)
        with mode:
            inside.wait(10)
            inside.wait(10)
        go.append(torch.is_grad_enabled())

    thread = threading.Thread(target=work)
    thread.start()
    with torch.enable_grad():
        inside.wait(10)
        with torch.no_grad(), mode:
            inside.wait(10)
        inside.wait(10)
        assert torch.is_grad_enabled()
    thread.join()
    assert go == [True]


def test_a_decorated_generator_takes_what_is_sent_and_thrown_and_gives_its_value_back():
    closed = []

    @torch.no_grad()
    def talk():
        try:
            given = yield torch.is_grad_enabled()
            try:
                yield given, torch.is_grad_enabled()
            except KeyError as error:
                yield error.args, torch.is_grad_enabled()
            return "done"
        finally:
            closed.append(torch.is_grad_enabled())

    def run():
        return (yield from talk())

    conversation = run()
    assert next(conversation) is False
    assert conversation.send(3) == (3, False)
    assert conversation.throw(KeyError("k")) == (("k",), False)
    with pytest.raises(StopIteration) as end:
        next(conversation)
    assert end.value.value == "done"
    other = talk()
    next(other)
    other.close()
    assert closed == [False, False]  # closing runs in the mode too
    assert torch.is_grad_enabled()


def test_coroutines_and_asynchronous_generators_run_in_the_mode():
    @torch.no_grad()
    async def work():
        await asyncio.sleep(0)
        return torch.is_grad_enabled()

    @torch.inference_mode()
    async def items():
        for _ in range(2):
            await asyncio.sleep(0)
            yield torch.is_inference_mode_enabled()

    async def main():
        return await work(), [item async for item in items()], torch.is_grad_enabled()

    assert asyncio.run(main()) == (False, [True, True], True)


def test_a_decorated_class_stays_a_class_and_warns():
    with pytest.warns(FutureWarning, match="Decorating classes is deprecated"):

        @torch.no_grad()
        class Model:
            def __init__(self):
                self.seen = torch.is_grad_enabled()

    assert isinstance(Model(), Model)
    assert Model().seen is False


@pytest.mark.parametrize(
    "program",
    [
        lambda torch: torch.set_grad_enabled(1),
        lambda torch: torch.set_grad_enabled(None),
        lambda torch: torch.autograd.grad_mode.set_multithreading_enabled(True).mode,
        lambda torch: repr(torch.set_grad_enabled(True)),
        lambda torch: torch.set_grad_enabled(mode=True).mode,
        lambda torch: [torch.set_grad_enabled(False)(torch.is_grad_enabled)(), torch.is_grad_enabled()],
        lambda torch: issubclass(torch.no_grad, torch.autograd.grad_mode._DecoratorContextManager),
        lambda torch: in_blocks(torch, torch.inference_mode, torch.enable_grad),
        lambda torch: in_blocks(torch, torch.no_grad, lambda: torch.inference_mode(False)),
        lambda torch: in_blocks(torch, torch.inference_mode, lambda: torch.inference_mode(False)),
        lambda torch: in_blocks(torch, lambda: torch.set_grad_enabled(False), torch.enable_grad, torch.no_grad),
        lambda torch: set_inside(torch, torch.no_grad, True),
        lambda torch: set_inside(torch, torch.enable_grad, False),
        lambda torch: set_inside(torch, torch.inference_mode, True),
    ],
)
def test_modes_answer_as_pytorchs(torch, program):
    assert outcome(program, pullback) == outcome(program, torch)
    assert pullback.is_grad_enabled()
    assert not pullback.is_inference_mode_enabled()


def outcome(program, library):
    try:
        return program(library)
    except Exception as error:
        return type(error).__name__, str(error).split(":")[0]


def state(torch):
    return torch.is_grad_enabled(), torch.is_inference_mode_enabled()


def in_blocks(torch, *blocks):
    """The modes inside nested blocks, and after each is left."""
    if not blocks:
        return [state(torch)]
    with blocks[0]():
        inside = in_blocks(torch, *blocks[1:])
    return [*inside, state(torch)]


def set_inside(torch, block, mode):
    """A mode set by a call lasts until the block around it ends."""
    with block():
        torch.set_grad_enabled(mode)
        seen = state(torch)
    return seen, state(torch)


def test_a_mode_of_ones_own_decorates_too():
    from pullback.autograd.grad_mode import _DecoratorContextManager

    class Named(_DecoratorContextManager):
        def __init__(self, name):
            self.name = name

        def __enter__(self):
            log.append(f"enter {self.name}")

        def __exit__(self, *exc):
            log.append(f"leave {self.name}")

        def clone(self):
            return Named(self.name)

    log = []
    assert Named("a")(lambda: len(log))() == 1
    assert log == ["enter a", "leave a"]


def test_arguments_that_are_no_modes_are_refused():
    with pytest.raises(TypeError, match="set_grad_enabled"):
        torch.no_grad(False)
    with pytest.raises(TypeError, match="must be bool"):
        torch.inference_mode(1)


MADE_INSIDE = [
    "torch.ones(2)", "torch.tensor([1.0])", "torch.rand(2)", "n.new_zeros(2)", "torch.ones(2, requires_grad=True)",
    "torch.nn.Linear(2, 2).weight", "torch.stack([n, n])", "n * 2", "r * 2", "n.view(2)", "n[0]", "n.detach()",
    "r.detach()", "n.sort()[0]", "n.sort()[1]", "n.max(0)[1]", "n.unbind()[0]", "n.to(torch.float64)", "n.float()",
    "torch.meshgrid(torch.ones(2), torch.ones(2), indexing='ij')[0]", "n.clone()", "n.add_(1)", "r.add_(1)",
    "n.requires_grad_()", "n.copy_(r)", "n.data", "n.expand(3, 2)", "torch.ones(2).view(2).add_(1)",
]  # fmt: skip
USED_OUTSIDE = [
    "i * 2", "i + r", "i * r", "r * i", "r / i", "i / r", "r * i[0]", "r * i.detach()", "r * i.clone()",
    "(r + i).sum().backward()", "i.view(2)", "i[0]", "i.unbind()[0]", "i.detach()", "i.data", "i.clone()", "i.t()",
    "i.clone().requires_grad_()", "i.requires_grad_()", "i.requires_grad_(False)", "i.add_(1)", "i.view(2).add_(1)",
    "i[0].mul_(2)", "i.data.add_(1)", "i.detach().add_(1)", "i.__setitem__(0, 1.0)", "i.zero_()", "i.unsqueeze_(0)",
    "i.normal_()", "i._version", "i.view(2)._version", "n.add_(i)", "n.copy_(i)", "r.clone().add_(i)",
    "r.clone().mul_(i)", "copy.deepcopy(i)", "pickle.loads(pickle.dumps(i))", "torch.nn.Parameter(i)",
    "torch.nn.Parameter(i, requires_grad=False)", "torch.stack([i, i])", "torch.cat([i, r])", "torch.addcmul(n, i, r)",
    "torch.nn.functional.linear(r, i.view(1, 2))", "torch.add(n, n, out=i)", "torch.add(i, i, out=n)", "i.sum()",
    "i.reshape(2)", "i.contiguous()", "i.to(torch.float64)", "torch.func.grad(lambda x: (x * i).sum())(n)",
]  # fmt: skip


def seen(library, expression, inside):
    """What comes of an expression: of a tensor, what it is; of an error, its type and PyTorch's phrase for it."""
    n, r = library.ones(2), library.ones(2, requires_grad=True)
    with library.inference_mode():
        i = library.ones(2)
    try:
        with library.inference_mode(inside):
            found = eval(expression, {"torch": library, "n": n, "r": r, "i": i, "copy": copy, "pickle": pickle})
    except RuntimeError as error:
        return next((phrase for phrase in PHRASES if phrase.lower() in str(error).lower()), str(error))
    if not isinstance(found, library.Tensor):
        return found
    return found.is_inference(), found.requires_grad, found.is_leaf


PHRASES = [
    "inference tensors cannot be saved for backward", "inplace update to inference tensor outside InferenceMode",
    "do not track version counter", "setting requires_grad=True on inference tensor",
]  # fmt: skip


@pytest.mark.parametrize("expression", MADE_INSIDE)
def test_what_inference_mode_makes_is_as_in_pytorch(torch, expression):
    assert seen(pullback, expression, True) == seen(torch, expression, True)


@pytest.mark.parametrize("expression", USED_OUTSIDE)
def test_inference_tensors_do_outside_what_they_do_in_pytorch(torch, expression):
    assert seen(pullback, expression, False) == seen(torch, expression, False)


def test_enable_grad_records_nothing_inside_inference_mode(x):
    with torch.inference_mode(), torch.enable_grad():
        y = x * 2
    assert (y.requires_grad, y.is_inference()) == (False, True)


def test_inference_tensors_are_ordinary_values_inside_transforms():
    with torch.inference_mode():
        scale = torch.full((2,), 3.0)
        found = torch.func.grad(lambda x: (x * x * scale).sum())(torch.ones(2))
    assert found.tolist() == [6.0, 6.0]


def test_a_task_that_outlives_a_block_keeps_what_the_block_set():
    from pullback.overrides import TorchFunctionMode

    class Count(TorchFunctionMode):
        calls = 0

        def __torch_function__(self, func, types, args=(), kwargs=None):
            self.calls += 1
            return func(*args, **(kwargs or {}))

    packed, count, x = [], Count(), torch.ones(3, requires_grad=True)
    with count, torch.autograd.graph.saved_tensors_hooks(lambda t: packed.append(t) or t, lambda t: t):
        task = contextvars.copy_context()
    x.sin()
    assert (count.calls, len(packed)) == (0, 0)
    task.run(lambda: x.sin())
    assert (count.calls, len(packed)) == (1, 1)
    del task
    assert torch.Tensor in value.plain
