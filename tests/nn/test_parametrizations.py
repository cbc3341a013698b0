"""Parametrized, normalised, pruned and fused weights: the same programs run by both libraries."""

import copy
import importlib
import pickle
import warnings

import pytest

import pullback
from both import Cases, outcome

cases = Cases()


def agree(ours, theirs):
    """Whether nested values are equal, numbers up to rounding."""
    if isinstance(theirs, float):
        return isinstance(ours, float) and ours == pytest.approx(theirs, rel=1e-4, abs=2e-5, nan_ok=True)
    if isinstance(theirs, (list, tuple)):
        return len(ours) == len(theirs) and all(map(agree, ours, theirs))
    return ours == theirs


def linear(torch, *sizes):
    torch.manual_seed(0)
    return torch.nn.Linear(*(sizes or (4, 3)))


def state_of(module):
    return [(name, value.tolist()) for name, value in module.state_dict().items()]


def used(torch, module, *shape):
    """What a module gives, its gradients and its state."""
    torch.manual_seed(1)
    x = torch.randn(*(shape or (2, 4)))
    result = module(x)
    result.square().sum().backward()
    return result, [(name, p.grad) for name, p in module.named_parameters()], state_of(module), repr(module)


def symmetric(torch):
    class Symmetric(torch.nn.Module):
        def forward(self, x):
            return x.triu() + x.triu(1).mT

        def right_inverse(self, x):
            return x.triu()

    return Symmetric()


def simple(torch, function, inverse=None):
    class Simple(torch.nn.Module):
        def forward(self, *x):
            return function(*x)

    if inverse:
        Simple.right_inverse = lambda self, x: inverse(x)
    return Simple()


@cases("a weight is computed from another")
def _(torch):
    parametrize, layer = torch.nn.utils.parametrize, linear(torch, 3, 3)
    held = layer.weight
    parametrize.register_parametrization(layer, "weight", symmetric(torch))
    assert layer.parametrizations.weight.original is held
    first = used(torch, layer, 2, 3), parametrize.is_parametrized(layer), parametrize.is_parametrized(layer, "bias")
    layer.weight = torch.arange(9.0).reshape(3, 3)
    second = layer.weight, held, parametrize.type_before_parametrizations(layer).__name__, type(layer).__name__
    parametrize.register_parametrization(layer, "weight", simple(torch, torch.exp))
    third = layer.weight, len(layer.parametrizations.weight)
    with parametrize.cached():
        assert layer.weight is layer.weight
    assert layer.weight is not layer.weight
    parametrize.remove_parametrizations(layer, "weight")
    return (
        first,
        second,
        third,
        layer.weight,
        layer.weight is held,
        repr(layer),
        [name for name, _ in layer.named_parameters()],
    )


@cases("a weight is computed from several")
def _(torch):
    parametrize, layer = torch.nn.utils.parametrize, linear(torch, 2, 2)
    total = simple(torch, lambda a, b: a + b, lambda w: (w / 4, w * 3 / 4))
    parametrize.register_parametrization(layer, "weight", total)
    log = [used(torch, layer, 2, 2), layer.parametrizations.weight.ntensors, layer.parametrizations.weight.is_tensor]
    layer.weight = torch.ones(2, 2)
    log.append(state_of(layer))
    parametrize.remove_parametrizations(layer, "weight")
    return log, state_of(layer), layer.weight.requires_grad


@cases("a parametrization is removed with its effect")
def _(torch):
    layer = linear(torch, 3, 3)
    torch.nn.utils.parametrize.register_parametrization(layer, "weight", symmetric(torch))
    torch.nn.utils.parametrize.remove_parametrizations(layer, "weight", leave_parametrized=False)
    return layer.weight, type(layer).__name__


@cases("a buffer is computed from another")
def _(torch):
    module = torch.nn.Module()
    module.register_buffer("scale", torch.ones(2))
    torch.nn.utils.parametrize.register_parametrization(module, "scale", simple(torch, torch.exp))
    return module.scale, state_of(module), repr(module)


@cases("a parametrized module is copied, and its state is loaded")
def _(torch):
    parametrize, layer, other = torch.nn.utils.parametrize, linear(torch, 3, 3), torch.nn.Linear(3, 3)
    parametrize.register_parametrization(layer, "weight", symmetric(torch))
    twin = copy.deepcopy(layer)
    twin.parametrizations.weight.original.data.zero_()
    parametrize.transfer_parametrizations_and_params(layer, other)
    equal = torch.equal(other.weight, layer.weight)
    twin.load_state_dict(layer.state_dict())
    return equal, twin.weight, layer.weight


@cases("a parametrized module is not pickled")
def _(torch):
    layer = linear(torch, 3, 3)
    pickle.dumps(torch.nn.utils.parametrize.register_parametrization(layer, "weight", symmetric(torch)))


WRONG = {
    "shape": (lambda x: x.sum(), None),
    "dtype": (lambda x: x.double(), None),
    "type": (lambda x: 3, None),
    "type of the inverse": (lambda x: x, lambda x: 3),
    "shape of the inverse": (lambda x: x, lambda x: x[0]),
    "dtype of the inverse": (lambda x: x, lambda x: x.double()),
}
for what, functions in WRONG.items():
    for unsafe in (False, True):

        @cases(f"a parametrization of another {what}, unsafe={unsafe}")
        def _(torch, functions=functions, unsafe=unsafe):
            layer = linear(torch)
            made = simple(torch, *functions)
            return repr(torch.nn.utils.parametrize.register_parametrization(layer, "weight", made, unsafe=unsafe))

    @cases(f"a second parametrization of another {what}")
    def _(torch, functions=functions):
        layer = linear(torch)
        torch.nn.utils.parametrize.register_parametrization(layer, "weight", simple(torch, torch.exp))
        torch.nn.utils.parametrize.register_parametrization(layer, "weight", simple(torch, *functions))


@cases("a tensor that is not there is not parametrized")
def _(torch):
    torch.nn.utils.parametrize.register_parametrization(linear(torch), "nothing", symmetric(torch))


@cases("what has no parametrization loses none")
def _(torch):
    torch.nn.utils.parametrize.remove_parametrizations(linear(torch), "weight")


@cases("a weight without a right inverse is not assigned")
def _(torch):
    layer = linear(torch)
    torch.nn.utils.parametrize.register_parametrization(layer, "weight", simple(torch, torch.exp))
    layer.weight = torch.ones(3, 4)


for dim in (0, 1, -1, None):

    @cases(f"weights are norms and directions along {dim}")
    def _(torch, dim=dim):
        layer = torch.nn.utils.parametrizations.weight_norm(linear(torch), dim=dim)
        log = used(torch, layer)
        layer.weight = torch.ones(3, 4)
        old = torch.nn.utils.weight_norm(linear(torch), dim=dim)
        log = log, layer.weight, used(torch, old)
        layer.load_state_dict(old.state_dict())
        log = log, layer.weight, type(old.weight) is torch.Tensor
        torch.nn.utils.remove_weight_norm(old)
        return log, state_of(old), len(old._forward_pre_hooks)


def made(torch, kind):
    torch.manual_seed(0)
    return {
        "linear": lambda: (torch.nn.Linear(4, 3), (2, 4)),
        "convolution": lambda: (torch.nn.Conv1d(4, 3, 2), (2, 4, 5)),
        "transposed": lambda: (torch.nn.ConvTranspose2d(4, 3, 2), (2, 4, 3, 3)),
    }[kind]()


for kind in ("linear", "convolution", "transposed"):

    @cases(f"the spectral norm of a {kind} layer")
    def _(torch, kind=kind):
        layer, shape = made(torch, kind)
        layer = torch.nn.utils.parametrizations.spectral_norm(layer, n_power_iterations=2)
        log = [used(torch, layer, *shape), used(torch, layer.eval(), *shape)]
        layer.weight = torch.ones(layer.weight.shape)
        return log, layer.weight

    @cases(f"the old spectral norm of a {kind} layer")
    def _(torch, kind=kind):
        layer, shape = made(torch, kind)
        layer = torch.nn.utils.spectral_norm(layer)
        log = [used(torch, layer, *shape), used(torch, layer.eval(), *shape), dict(layer.state_dict()._metadata[""])]
        torch.nn.utils.remove_spectral_norm(layer)
        return log, state_of(layer), repr(layer)


for shape in ((3, 3), (4, 2), (2, 4)):
    for chosen in ("matrix_exp", "cayley", "householder", None):
        for trivialized in (True, False):

            @cases(f"an orthogonal weight of {shape} by {chosen}, trivialized={trivialized}")
            def _(torch, shape=shape, chosen=chosen, trivialized=trivialized):
                layer = linear(torch, *shape)
                orthogonal = torch.nn.utils.parametrizations.orthogonal
                orthogonal(layer, orthogonal_map=chosen, use_trivialization=trivialized)
                log = used(torch, layer, 2, shape[0])
                if trivialized or chosen == "householder":
                    wanted = torch.eye(4)[[1, 0, 2, 3]][: shape[1], : shape[0]] * -1
                    layer.weight = wanted
                    assert torch.allclose(layer.weight, wanted, atol=1e-6)
                return log


ERRORS = {
    "there are three maps": lambda torch, layer: torch.nn.utils.parametrizations.orthogonal(layer, orthogonal_map="x"),
    "orthogonal tensors are matrices": lambda torch, layer: torch.nn.utils.parametrizations.orthogonal(layer, "bias"),
    "iterations are counted from one": lambda torch, layer: torch.nn.utils.spectral_norm(layer, n_power_iterations=0),
    "iterations are counted from one too": lambda torch, layer: torch.nn.utils.parametrizations.spectral_norm(
        layer, n_power_iterations=0
    ),
    "a weight has one spectral norm": lambda torch, layer: torch.nn.utils.spectral_norm(
        torch.nn.utils.spectral_norm(layer)
    ),
    "a spectral norm is removed once": lambda torch, layer: torch.nn.utils.remove_spectral_norm(layer),
    "a weight norm is removed once": lambda torch, layer: torch.nn.utils.remove_weight_norm(layer),
    "a tensor has a spectral norm": lambda torch, layer: torch.nn.utils.parametrizations.spectral_norm(
        layer, "nothing"
    ),
    "no more is pruned than there is": lambda torch, layer: torch.nn.utils.prune.l1_unstructured(layer, "weight", 13),
    "a share is at most one": lambda torch, layer: torch.nn.utils.prune.l1_unstructured(layer, "weight", 1.5),
    "an amount is a number": lambda torch, layer: torch.nn.utils.prune.l1_unstructured(layer, "weight", "x"),
    "slices are of matrices": lambda torch, layer: torch.nn.utils.prune.random_structured(layer, "bias", 1, 0),
    "slices are along a dimension": lambda torch, layer: torch.nn.utils.prune.random_structured(layer, "weight", 1, 5),
    "what is not pruned stays": lambda torch, layer: torch.nn.utils.prune.remove(layer, "weight"),
    "fusion is for evaluation": lambda torch, layer: torch.nn.utils.fuse_linear_bn_eval(layer, torch.nn.BatchNorm1d(3)),
    "modules without tensors have no values to skip": lambda torch, layer: torch.nn.utils.skip_init(torch.nn.ReLU),
}
for sentence, program in ERRORS.items():
    cases(sentence)(lambda torch, program=program: repr(program(torch, linear(torch))))

PRUNINGS = {
    "nothing": lambda prune, torch, layer: prune.identity(layer, "weight"),
    "three at random": lambda prune, torch, layer: prune.random_unstructured(layer, "weight", 3),
    "a third at random": lambda prune, torch, layer: prune.random_unstructured(layer, "weight", 0.34),
    "the smallest": lambda prune, torch, layer: prune.l1_unstructured(layer, "weight", 0.25),
    "the least important": lambda prune, torch, layer: prune.l1_unstructured(
        layer, "weight", 2, importance_scores=torch.arange(12.0).reshape(3, 4)
    ),
    "a row at random": lambda prune, torch, layer: prune.random_structured(layer, "weight", 1, 0),
    "half of the columns": lambda prune, torch, layer: prune.random_structured(layer, "weight", 0.5, 1),
    "the smallest rows": lambda prune, torch, layer: prune.ln_structured(layer, "weight", 0.34, 2, 0),
    "the smallest columns": lambda prune, torch, layer: prune.ln_structured(layer, "weight", 2, float("inf"), -1),
    "by a mask": lambda prune, torch, layer: prune.custom_from_mask(layer, "weight", torch.eye(3, 4)),
}
for sentence, program in PRUNINGS.items():

    @cases(f"pruned: {sentence}")
    def _(torch, program=program):
        prune, layer = torch.nn.utils.prune, linear(torch)
        program(prune, torch, layer)
        log = used(torch, layer), prune.is_pruned(torch.nn.Sequential(layer))
        prune.remove(layer, "weight")
        return log, state_of(layer), len(layer._forward_pre_hooks), prune.is_pruned(layer)


@cases("a weight is pruned again and again")
def _(torch):
    prune, layer = torch.nn.utils.prune, linear(torch)
    prune.l1_unstructured(layer, "weight", 2)
    prune.random_unstructured(layer, "weight", 0.5)
    prune.ln_structured(layer, "weight", 1, 1, 0)
    prune.l1_unstructured(layer, "weight", 1)
    return used(torch, layer), len(layer._forward_pre_hooks)


@cases("several weights are pruned as one")
def _(torch):
    prune = torch.nn.utils.prune
    torch.manual_seed(0)
    layers = torch.nn.Sequential(torch.nn.Linear(4, 3), torch.nn.Linear(3, 2))
    chosen = [(layers[0], "weight"), (layers[1], "weight"), (layers[1], "bias")]
    prune.global_unstructured(chosen, prune.L1Unstructured, amount=5)
    first = [getattr(*pair) for pair in chosen]
    prune.global_unstructured(chosen, prune.RandomUnstructured, amount=0.4)
    return first, [getattr(*pair) for pair in chosen]


@cases("batch norms become part of what is before them")
def _(torch):
    torch.manual_seed(0)
    conv, norm, x = torch.nn.Conv2d(2, 3, 3, bias=False).eval(), torch.nn.BatchNorm2d(3), torch.randn(2, 2, 5, 5)
    back, over = torch.nn.ConvTranspose1d(2, 3, 3).eval(), torch.nn.BatchNorm1d(3)
    layer, y = torch.nn.Linear(4, 3).eval(), torch.randn(2, 4)
    norm(conv(x)), over(layer(y))
    fused = torch.nn.utils.fuse_conv_bn_eval(conv, norm.eval())
    wide = torch.nn.utils.fuse_conv_bn_eval(back, over.eval(), transpose=True)
    flat = torch.nn.utils.fuse_linear_bn_eval(layer, over)
    assert torch.allclose(fused(x), norm(conv(x)), atol=1e-5) and torch.allclose(flat(y), over(layer(y)), atol=1e-5)
    return state_of(fused), state_of(wide), state_of(flat), fused.bias.requires_grad, flat.bias.requires_grad


@cases("initial values are skipped, and the random stream stays")
def _(torch):
    torch.manual_seed(0)
    return torch.nn.utils.skip_init(torch.nn.Linear, 3, 2).weight.shape, torch.rand(1)


@cases("weights are laid out for images")
def _(torch):
    layers = torch.nn.Sequential(torch.nn.Conv2d(2, 3, 2), torch.nn.Conv3d(2, 2, 2))
    utils = torch.nn.utils
    utils.convert_conv2d_weight_memory_format(layers, torch.channels_last)
    utils.convert_conv3d_weight_memory_format(layers, torch.contiguous_format)
    return [layer.weight.shape for layer in layers]


@cases("the old name of clip_grad_norm_ warns")
def _(torch):
    return torch.nn.utils.clip_grad_norm(linear(torch).parameters(), 1.0)


@pytest.mark.parametrize("sentence", cases)
def test_weights_are_as_in_torch(sentence, torch):
    program = cases[sentence]
    importlib.import_module("torch.nn.utils.prune")
    expected, found = outcome(torch, program), outcome(pullback, program)
    if expected[0] == "raised":
        assert found[:2] == expected[:2], f"torch raises {expected[1:]}, Pullback did {found}"
        assert expected[2].split("\n")[0][:40] in found[2]
    else:
        assert agree(found, expected), f"torch: {expected}\nPullback: {found}"


def test_functions_keep_the_names_of_their_modules():
    importlib.import_module("pullback.nn.utils.weight_norm")
    importlib.import_module("pullback.nn.utils.spectral_norm")
    assert callable(pullback.nn.utils.weight_norm) and callable(pullback.nn.utils.spectral_norm)


def test_a_copy_loses_its_parametrization_alone():
    layer = pullback.nn.utils.parametrizations.weight_norm(pullback.nn.Linear(2, 1))
    twin = copy.deepcopy(layer)
    pullback.nn.utils.parametrize.remove_parametrizations(twin, "weight")
    assert type(twin) is pullback.nn.Linear and pullback.equal(twin.weight, layer.weight)


def test_a_parametrized_weight_is_learnt():
    layer = pullback.nn.utils.parametrizations.weight_norm(pullback.nn.Linear(2, 1))
    optimizer = pullback.optim.SGD(layer.parameters(), lr=0.1)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        losses = []
        for _ in range(20):
            optimizer.zero_grad()
            loss = (layer(pullback.ones(1, 2)) - 3).square().sum()
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
    assert losses[-1] < losses[0] / 10
