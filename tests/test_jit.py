"""``torch.jit``, ``torch.compiler`` and ``torch.futures``: what libraries say to compilers changes nothing."""

import threading

import pytest

import pullback as pb
from pullback import compiler, futures, jit, nn


@jit.script
def double(x: pb.Tensor) -> pb.Tensor:
    return 2 * x


class Scripted(jit.ScriptModule):
    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(pb.ones(2))

    @jit.script_method
    def forward(self, x):
        return self.helper(x) if not jit.is_scripting() else x

    @jit.ignore(drop=True)
    def helper(self, x):
        return x * self.weight

    @jit.export
    @jit.unused
    @compiler.disable(recursive=False)
    def other(self, x):
        return x


def test_scripted_functions_and_modules_run_as_they_are_written():
    module = Scripted()
    assert jit.script(module) is module and isinstance(module, jit.ScriptModule)
    assert double(module(pb.ones(2))).tolist() == [2, 2] and module.other(1) == 1
    assert jit.freeze(module.eval()) is module and jit.optimize_for_inference(module) is module


def test_a_traced_function_has_run_once_and_takes_its_own_branches_later():
    calls = []

    def absolute(x):
        calls.append(x)
        return x if x > 0 else -x

    traced = jit.trace(absolute, pb.tensor(1.0))
    assert traced(pb.tensor(-3.0)).item() == 3 and len(calls) == 2
    with pytest.raises(RuntimeError, match="give example_inputs"):
        jit.trace(absolute)
    with pytest.raises(RuntimeError, match=r"expected a function.*3"):
        jit.script(3)
    with pytest.raises(RuntimeError, match=r"eval\(\)"):
        jit.freeze(nn.Linear(1, 1))


@pytest.mark.parametrize("value", [1, [1], ["a"], {"a": 1}, (1, "a"), (1,), {1: "a"}], ids=repr)
@pytest.mark.parametrize(
    "kind",
    [
        int,
        list[int],
        dict[str, int],
        tuple[int, str],
        int | None,
        str | list[str],
        (int, list[str]),
    ],
    ids=repr,
)
def test_isinstance_knows_the_elements_of_containers(value, kind, torch):
    assert jit.isinstance(value, kind) == torch.jit.isinstance(value, kind)


def test_programs_in_files_are_refused_with_what_to_do():
    with pytest.raises(NotImplementedError, match="state_dict"):
        jit.save(nn.Linear(1, 1), "m.pt")
    with pytest.raises(NotImplementedError, match=r"m\.pt"):
        jit.load("m.pt")


def test_the_compiler_never_compiles():
    assert not (
        compiler.is_compiling() or compiler.is_dynamo_compiling() or compiler.is_exporting() or jit.is_tracing()
    )
    with compiler.set_stance("force_eager"):
        assert compiler.list_backends() == []


def test_a_future_hands_its_result_to_waiters_and_callbacks():
    future = futures.Future()
    twice = future.then(lambda done: 2 * done.value())
    failing = future.then(lambda done: 1 / 0)
    threading.Timer(0.01, lambda: future.set_result(21)).start()
    assert future.wait() == 21 and twice.wait() == 42
    with pytest.raises(ZeroDivisionError):
        futures.wait_all([twice, failing])
    with pytest.raises(RuntimeError, match="already completed"):
        future.set_result(1)
    assert futures.collect_all([]).wait() == [] and jit.wait(jit.fork(double, 2)) == 4
    with pytest.raises(RuntimeError, match="not there yet"):
        futures.Future().value()
