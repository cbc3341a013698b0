"""Lazy layers become what they stand for, with PyTorch's initial values; and the layers that only pass on what they hold."""

import copy
import pickle

import numpy as np
import pytest

import pullback as pb
from both import Cases, compare
from pullback import nn

cases = Cases()
LAYERS = {  # name, arguments, the shape of an input
    "LazyLinear": [((3,), (2, 4)), ((3, False), (4,))],
    "LazyConv1d": [((2, 3), (2, 4, 7)), ((2, 3), (4, 7))],
    "LazyConv2d": [((4, (3, 2), 2, 1, 1, 2, False, "reflect"), (2, 4, 7, 7))],
    "LazyConv3d": [((2, 3), (2, 4, 5, 5, 5))],
    "LazyConvTranspose1d": [((2, 3), (2, 4, 5))],
    "LazyConvTranspose2d": [((4, 3, 2, 1, 1, 2, False, 2), (2, 4, 5, 5))],
    "LazyConvTranspose3d": [((2, 3), (2, 4, 3, 3, 3))],
    "LazyBatchNorm1d": [((), (2, 4)), ((1e-3, None, False), (3, 4, 5))],
    "LazyBatchNorm2d": [((1e-3, 0.2, True, False), (2, 4, 3, 3))],
    "LazyBatchNorm3d": [((), (2, 4, 3, 3, 3))],
    "LazyInstanceNorm1d": [((), (2, 4, 3))],
    "LazyInstanceNorm2d": [((), (2, 4, 3, 3))],
    "LazyInstanceNorm3d": [((1e-3, 0.3), (2, 4, 3, 3, 3))],
}


def state_of(module):
    return {name: (tuple(value.shape), value.tolist()) for name, value in module.state_dict().items()}


@pytest.mark.parametrize("name", LAYERS)
def test_a_lazy_layer_becomes_what_it_stands_for(name, torch):
    for arguments, shape in LAYERS[name]:
        found = []
        for lib in (pb, torch):
            lib.manual_seed(4)
            layer = getattr(lib.nn, name)(*arguments)
            before = repr(layer), layer.has_uninitialized_params(), list(layer.state_dict())
            data = np.random.default_rng(0).standard_normal(shape).astype("f4")
            output = layer.eval()(lib.tensor(data)).detach().numpy()
            found.append(((before, repr(layer), type(layer).__name__, state_of(layer)), output))
        assert found[0][0] == found[1][0]
        np.testing.assert_allclose(found[0][1], found[1][1], rtol=1e-5, atol=1e-5)


@cases("a lazy layer takes the shapes of a loaded state")
def _(torch):
    layer = torch.nn.LazyLinear(2)
    layer.load_state_dict({"weight": torch.ones(2, 3), "bias": torch.zeros(2)})
    return type(layer).__name__, layer.weight, layer(torch.ones(1, 3)), repr(layer)


@cases("a lazy state is loaded into a lazy layer")
def _(torch):
    layer = torch.nn.LazyLinear(2)
    layer.load_state_dict(torch.nn.LazyLinear(2).state_dict())
    return repr(layer), layer.has_uninitialized_params(), repr(layer.weight)


@cases("a lazy layer is copied, pickled and converted")
def _(torch):
    layer = pickle.loads(pickle.dumps(copy.deepcopy(torch.nn.LazyLinear(2)))).to(torch.float64)
    return layer(torch.ones(1, 3, dtype=torch.float64)).dtype, repr(layer), len(layer._forward_pre_hooks)


@cases("a lazy module of one's own")
def _(torch):
    class Scale(torch.nn.modules.lazy.LazyModuleMixin, torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.factor = torch.nn.UninitializedParameter()
            self.register_buffer("shift", torch.nn.UninitializedBuffer())

        def initialize_parameters(self, x):
            if self.has_uninitialized_params():
                with torch.no_grad():
                    self.factor.materialize(x.shape)
                    self.factor.fill_(2)
                    self.shift.materialize((1,))
                    self.shift.fill_(1)

        def forward(self, x):
            return x * self.factor + self.shift

    scale = Scale()
    first = repr(scale.factor), repr(scale.shift), isinstance(scale.factor, torch.nn.Parameter)
    result = scale(torch.ones(2))
    result.sum().backward()
    return first, result, scale.factor.grad, type(scale.factor).__name__, list(scale.state_dict())


BAD = {
    "a parameter without a shape has none": lambda torch: torch.nn.LazyLinear(2).weight.shape,
    "a state without shapes is not loaded": lambda torch: torch.nn.Linear(2, 2).load_state_dict(
        torch.nn.LazyLinear(2).state_dict()
    ),
    "an input has the dims of a convolution's": lambda torch: torch.nn.LazyConv2d(2, 3)(torch.ones(3)),
    "images are what the old norm takes": lambda torch: torch.nn.CrossMapLRN2d(3)(torch.ones(2, 2)),
    "a synchronised norm takes batches": lambda torch: torch.nn.SyncBatchNorm(2)(torch.ones(2)),
    "there are no processes": lambda torch: torch.nn.parallel.DistributedDataParallel(torch.nn.Linear(1, 1)),
    "constructors have few options": lambda torch: torch.nn.factory_kwargs({"size": 1}),
}
for sentence, program in BAD.items():
    cases(sentence)(lambda torch, program=program: repr(program(torch)))


@cases("batch norms are made ones of all processes")
def _(torch):
    layers = torch.nn.Sequential(torch.nn.Conv2d(2, 3, 1), torch.nn.Sequential(torch.nn.BatchNorm2d(3, affine=False)))
    converted = torch.nn.SyncBatchNorm.convert_sync_batchnorm(layers.eval())
    return repr(converted), list(converted.state_dict()), converted[1][0].training


@cases("the old norm over channels gives PyTorch's values")
def _(torch):
    x = torch.arange(48.0).reshape(2, 6, 2, 2) / 10
    norms = [torch.nn.CrossMapLRN2d(size, 0.3, 0.5, 2.0) for size in (2, 3, 4, 5)]
    return [[round(value, 4) for value in norm(x).flatten().tolist()] for norm in norms], repr(norms[0])


@cases("parallel modules pass on to the module they hold")
def _(torch):
    torch.manual_seed(0)
    module = torch.nn.DataParallel(torch.nn.Linear(2, 1))
    state = module.state_dict()
    torch.nn.modules.utils.consume_prefix_in_state_dict_if_present(state, "module.")
    return repr(module), list(module.state_dict()), list(state), list(state._metadata), module(torch.ones(1, 2)).shape


@cases("gradients of convolutions are functions")
def _(torch):
    torch.manual_seed(0)
    x, weight = torch.arange(100.0).reshape(1, 4, 5, 5), torch.arange(72.0).reshape(4, 2, 3, 3)
    grad = torch.ones(1, 4, 3, 3)
    options = (grad, 2, 1, 1, 2)
    return torch.nn.grad.conv2d_input(x.shape, weight, *options), torch.nn.grad.conv2d_weight(x, weight.shape, *options)


@pytest.mark.parametrize("sentence", cases)
def test_layers_do_as_in_torch(sentence, torch):
    compare(torch, cases[sentence])


@pytest.mark.parametrize("use", [lambda p: p + 1, lambda p: p.numel(), pb.relu, lambda p: p.detach()])
def test_a_parameter_without_a_shape_is_of_no_use(use):
    with pytest.raises(ValueError, match=r"Attempted to use an uninitialized parameter in \w+"):
        use(nn.LazyLinear(2).weight)


@pytest.mark.parametrize("size", [1, 2, 3, 4])
def test_the_old_norm_over_channels_has_its_own_derivatives(size):
    norm = nn.CrossMapLRN2d(size, 0.3, 0.5, 2.0)
    x = pb.rand(1, 4, 2, 1, dtype=pb.float64, requires_grad=True)
    assert pb.autograd.gradcheck(norm, (x,)) and pb.autograd.gradgradcheck(norm, (x,))


def test_the_bases_of_layers_have_the_names_that_libraries_look_for():
    from pullback.nn.modules.batchnorm import _BatchNorm, _NormBase
    from pullback.nn.modules.conv import _ConvNd
    from pullback.nn.modules.instancenorm import _InstanceNorm
    from pullback.nn.modules.loss import _Loss, _WeightedLoss
    from pullback.nn.modules.utils import _ntuple, _pair

    assert issubclass(nn.SyncBatchNorm, _BatchNorm) and not issubclass(nn.InstanceNorm1d, _BatchNorm)
    assert issubclass(nn.InstanceNorm1d, _InstanceNorm) and issubclass(_InstanceNorm, _NormBase)
    assert issubclass(nn.ConvTranspose1d, _ConvNd) and issubclass(nn.MSELoss, _Loss)
    assert issubclass(nn.NLLLoss, _WeightedLoss) and _pair(2) == (2, 2) and _ntuple(3)([1, 2, 3]) == (1, 2, 3)
