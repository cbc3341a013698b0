"""A module's state with hooks, modules put in places, and containers: the same programs run by both libraries."""

import copy
import pickle

import pytest

import pullback as pb
from both import Cases, compare
from pullback import nn

cases = Cases()


def tree(torch):
    return torch.nn.Sequential(torch.nn.Linear(2, 2), torch.nn.Sequential(torch.nn.ReLU(), torch.nn.BatchNorm1d(2)))


PLACES = ["", "5", "1.0", "7.a", "0.weight", "0.weight.x", "1.new"]
for place in PLACES:
    for strict in (False, True):

        @cases(f"a module is put at {place!r}, strict={strict}")
        def _(torch, place=place, strict=strict):
            module = tree(torch)
            module.set_submodule(place, torch.nn.Tanh(), strict=strict)
            return repr(module)


@cases("only modules are put in places")
def _(torch):
    tree(torch).set_submodule("1.0", 3)


@cases("hooks see a state before and after it is written")
def _(torch):
    module, log = tree(torch), []
    module[1].register_state_dict_pre_hook(lambda m, prefix, keep: log.append(("pre", prefix, keep)))
    module.register_state_dict_post_hook(lambda m, state, prefix, meta: log.append((sorted(state), prefix, meta)))
    handle = module._register_state_dict_hook(lambda m, state, prefix, meta: {"other": len(state)})
    changed = module.state_dict(prefix="net.")
    handle.remove()
    return log, changed, list(module.state_dict())


@cases("a hook after writing returns nothing")
def _(torch):
    module = tree(torch)
    module.register_state_dict_post_hook(lambda *_: {})
    module.state_dict()


@cases("arguments of state_dict by position are deprecated")
def _(torch):
    return sorted(tree(torch).state_dict({}, "net.", True))


@cases("a hook before loading may rename keys")
def _(torch):
    module, log = torch.nn.Sequential(torch.nn.Linear(1, 1)), []

    def rename(owner, state, prefix, meta, strict, missing, unexpected, errors):
        log.append((type(owner).__name__, prefix, meta, strict, missing, unexpected, errors))
        state[prefix + "weight"] = state.pop(prefix + "kernel")

    module[0].register_load_state_dict_pre_hook(rename)
    module[0]._register_load_state_dict_pre_hook(lambda state, prefix, *_: log.append(prefix))
    module[0]._register_load_state_dict_pre_hook(lambda m, state, *_: log.append(sorted(state)), with_module=True)
    module.load_state_dict({"0.kernel": torch.tensor([[3.0]]), "0.bias": torch.tensor([4.0])})
    return log, module(torch.ones(1))


@cases("a hook after loading may forgive what is missing")
def _(torch):
    module, log = tree(torch), []
    module.register_load_state_dict_post_hook(lambda m, keys: log.append(len(keys.missing_keys)))
    module.register_load_state_dict_post_hook(lambda m, keys: keys.missing_keys.clear())
    return str(module.load_state_dict({})), log


@cases("a hook after loading that forgives nothing leaves the error")
def _(torch):
    module = tree(torch)
    module.register_load_state_dict_post_hook(lambda m, keys: None)
    module.load_state_dict({})


@cases("a hook after loading returns nothing")
def _(torch):
    module = tree(torch)
    module.register_load_state_dict_post_hook(lambda m, keys: 5)
    module.load_state_dict({}, strict=False)


@cases("numbers of old states are vectors of one element")
def _(torch):
    module = torch.nn.Module()
    module.register_buffer("step", torch.tensor(2))
    module.load_state_dict({"step": torch.tensor([7])})
    return module.step


@cases("arguments of Module that nobody takes")
def _(torch):
    class Child(torch.nn.Module):
        def __init__(self, **options):
            super().__init__(**options)

    Child(size=3)


@cases("arguments go on to a second base where wanted")
def _(torch):
    class Sized:
        def __init__(self, size):
            self.size = size

    class Both(torch.nn.Module, Sized):
        call_super_init = True

    return Both(3).size


@cases("to takes its arguments in every order")
def _(torch):
    module, like = torch.nn.Linear(1, 1), torch.ones(1, dtype=torch.float64)
    calls = [
        *[lambda: module.to(torch.float64), lambda: module.to("cpu"), lambda: module.to("cpu", torch.float16)],
        *[
            lambda: module.to(dtype=torch.float32),
            lambda: module.to(like),
            lambda: module.to(None),
            lambda: module.to(),
        ],
        *[lambda: module.to(memory_format=torch.channels_last), lambda: module.type(torch.float32)],
        *[lambda: module.to_empty(device="cpu"), lambda: module.share_memory()],
    ]
    return [call().weight.dtype for call in calls]


@cases("to takes no integers")
def _(torch):
    torch.nn.Linear(1, 1).to(torch.int64)


@cases("a module that is compiled runs, and is copied and pickled as before")
def _(torch):
    module = torch.nn.Linear(1, 1)
    state = module.state_dict()
    if torch is pb:
        module.compile(mode="default")
    return sorted(state) == sorted(pickle.loads(pickle.dumps(copy.deepcopy(module))).state_dict())


@cases("a sequence of modules times a number")
def _(torch):
    layers = torch.nn.Sequential(torch.nn.ReLU(), torch.nn.Tanh())
    three = torch.nn.Sequential(torch.nn.ReLU())
    three *= 3
    return repr(layers * 2), repr(2 * layers), repr(three)


@cases("a dict of parameters is a dict")
def _(torch):
    first = torch.nn.ParameterDict({"a": torch.ones(2), "b": torch.zeros(1)})
    other = torch.nn.ParameterDict({"c": torch.ones(1)})
    log = [first.get("z"), first.get("a"), first.setdefault("r", torch.ones(1)), list(reversed(first))]
    log += [repr(first), repr(first | other), repr({"x": torch.ones(1)} | first), repr(first.copy())]
    log += [first.popitem()[0], repr(first.fromkeys(["p", "q"], 2))]
    first |= other
    log += [list(first.keys()), len(list(first.values())), sorted(first.state_dict())]
    first.clear()
    return [*log, repr(first), len(first)]


@cases("a list of parameters prints and is sliced")
def _(torch):
    found = torch.nn.ParameterList([torch.ones(2), 3, torch.zeros(2, 1)])
    found.extend([torch.ones(1)])
    return repr(found), repr(found[1:3]), len(found), repr(torch.nn.ParameterList())


BAD = {
    "a list of parameters is not called": lambda nn, torch: nn.ParameterList([torch.ones(1)])(1),
    "a dict of parameters is not called": lambda nn, torch: nn.ParameterDict({"a": torch.ones(1)})(1),
    "a list of parameters is made of several": lambda nn, torch: nn.ParameterList(torch.ones(2)),
    "a dict of parameters has names": lambda nn, torch: nn.ParameterDict({3: torch.ones(1)}),
    "a list of modules is made of several": lambda nn, torch: nn.ModuleList(3),
    "a list of modules is indexed by numbers": lambda nn, torch: nn.ModuleList([nn.ReLU()])["a"],
    "a list of modules is not called": lambda nn, torch: nn.ModuleList([nn.ReLU()])(1),
    "a sequence of modules has an end": lambda nn, torch: nn.Sequential(nn.ReLU())[5],
    "a dict of modules has names without dots": lambda nn, torch: nn.ModuleDict({"a.b": nn.ReLU()}),
    "a dict of modules keeps its methods": lambda nn, torch: nn.ModuleDict({"keys": nn.ReLU()}),
}
for sentence, program in BAD.items():
    cases(sentence)(lambda torch, program=program: repr(program(torch.nn, torch)))


@cases("the old container warns")
def _(torch):
    return repr(torch.nn.Container(first=torch.nn.ReLU()))


OLD = ["uniform", "normal", "xavier_uniform", "xavier_normal", "kaiming_uniform", "kaiming_normal", "orthogonal", "eye"]
for name in OLD:

    @cases(f"init.{name} is an old name")
    def _(torch, name=name):
        torch.manual_seed(3)
        return [[round(x, 5) for x in row] for row in getattr(torch.nn.init, name)(torch.empty(2, 3)).tolist()]


@pytest.mark.parametrize("sentence", cases)
def test_modules_do_as_in_torch(sentence, torch):
    compare(torch, cases[sentence])


def test_a_shape_that_does_not_fit_changes_nothing_even_where_hooks_wait():
    module = nn.Linear(2, 1)
    before = {name: value.clone() for name, value in module.state_dict().items()}
    module.register_load_state_dict_post_hook(lambda *_: None)
    with pytest.raises(RuntimeError, match="size mismatch for bias"):
        module.load_state_dict({"weight": pb.ones(1, 2), "bias": pb.ones(2)})
    assert all(pb.equal(value, before[name]) for name, value in module.state_dict().items())


@pytest.mark.parametrize(
    "factor, error, words",
    [(0, ValueError, "Non-positive multiplication factor 0"), (1.5, TypeError, "unsupported operand type"),
     (-1, ValueError, "factor -1")],
)  # fmt: skip
def test_a_sequence_is_repeated_a_whole_number_of_times(factor, error, words):
    with pytest.raises(error, match=words):
        nn.Sequential(nn.ReLU()) * factor


@pytest.mark.parametrize("move", ["xpu", "mtia"])
def test_there_are_no_accelerators(move):
    with pytest.raises(AssertionError, match=r"not compiled with .* Linear stays on the CPU"):
        getattr(nn.Linear(1, 1), move)()
