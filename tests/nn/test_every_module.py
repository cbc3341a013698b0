"""Every module of ``torch.nn``, from a table of arguments and inputs: initial values, state, printed form, outputs, gradients.

An input is a shape (normal numbers), or a function of a random generator; those of floating numbers are differentiated.
"""

import pickle

import numpy as np
import pytest

import pullback
from pullback import nn

pytestmark = pytest.mark.parity

x1, x2, x3 = (2, 4, 9), (2, 4, 7, 6), (2, 4, 5, 6, 5)  # batches of signals, images and volumes
plain = (3, 4)


def whole(high, *shape):
    return lambda rng: rng.integers(0, high, shape)


def signs(*shape):
    return lambda rng: rng.choice([-1, 1], shape)


def shares(*shape):
    return lambda rng: rng.uniform(0.1, 0.9, shape)


def logarithms(*shape):
    return lambda rng: np.log(rng.dirichlet(np.ones(shape[-1]), shape[:-1]))


ALWAYS = {  # of plain activations the options: each is called on a matrix
    "CELU": [{}, {"alpha": 0.7}], "ELU": [{}, {"alpha": 0.7}], "GELU": [{}, {"approximate": "tanh"}], "GLU": [{}, {"dim": 1}],
    "Hardshrink": [{}, {"lambd": 0.3}], "Hardsigmoid": [{}], "Hardswish": [{}], "LeakyReLU": [{}, {"negative_slope": 0.2}],
    "Hardtanh": [{}, {"min_val": -0.5, "max_val": 0.8}], "LogSigmoid": [{}], "LogSoftmax": [{"dim": 0}], "Mish": [{}],
    "PReLU": [{}, {"num_parameters": 4, "init": 0.1}], "RReLU": [{}, {"lower": 0.2, "upper": 0.3}], "ReLU": [{}],
    "ReLU6": [{}], "SELU": [{}], "SiLU": [{}], "Sigmoid": [{}], "Softmax": [{"dim": 1}], "Softmin": [{"dim": 1}],
    "Softplus": [{}, {"beta": 2.0, "threshold": 1.0}], "Softshrink": [{}, {"lambd": 0.3}], "Softsign": [{}], "Tanh": [{}],
    "Tanhshrink": [{}], "Threshold": [{"threshold": 0.1, "value": 2.0}], "Identity": [{}], "Flatten": [{}, {"start_dim": 0}],
}  # fmt: skip
LAYERS = {  # name: (arguments, options, inputs)
    "Linear": [((4, 3), {}, [plain]), ((4, 3, False), {}, [(4,)])],
    "Bilinear": [((4, 3, 2), {}, [(5, 4), (5, 3)]), ((4, 3, 2, False), {}, [(4,), (3,)])],
    "Unflatten": [((1, (2, 2)), {}, [plain])],
    "Softmax2d": [((), {}, [x2]), ((), {}, [(4, 3, 2)])],
    **{f"Conv{n}d": [((4, 6, 3), {}, [x]), ((4, 6, 2, 2, 1, 1, 2, False), {}, [x[1:]]), ((4, 2, 3), {"padding": 1,
        "padding_mode": mode}, [x])] for n, x, mode in ((1, x1, "reflect"), (2, x2, "circular"), (3, x3, "replicate"))},
    **{f"ConvTranspose{n}d": [((4, 6, 2), {}, [x]), ((4, 6, 3, 2, 1, 1, 2, False, 2), {}, [x[1:]])] for n, x in (
        (1, x1), (2, x2), (3, (2, 4, 2, 3, 2)))},
    **{f"MaxPool{n}d": [((2,), {}, [x]), ((3, 2, 1), {"ceil_mode": True}, [x[1:]])] for n, x in ((1, x1), (2, x2), (3, x3))},
    **{f"AvgPool{n}d": [((2,), {}, [x]), ((3, 2, 1), {"ceil_mode": True, "count_include_pad": False}, [x])] for n, x in (
        (1, x1), (2, x2), (3, x3))},
    **{f"LPPool{n}d": [((2, 2), {}, [x]), ((3, 2), {"stride": 1, "ceil_mode": True}, [x])] for n, x in (
        (1, x1), (2, x2), (3, x3))},
    **{f"Adaptive{kind}Pool{n}d": [((2,), {}, [x])] for kind in ("Avg", "Max") for n, x in ((1, x1), (2, x2), (3, x3))},
    "FractionalMaxPool2d": [((2,), {"output_size": 3}, [x2])], "FractionalMaxPool3d": [((2,), {"output_ratio": 0.5}, [x3])],
    **{f"{kind}Pad{n}d": [((1,), {}, [x]), ((tuple([1, 2] * n),), {}, [x[1:]])] for kind in (
        "Zero", "Reflection", "Replication", "Circular") for n, x in ((1, x1), (2, x2), (3, x3))},
    **{f"ConstantPad{n}d": [((2, 0.5), {}, [x])] for n, x in ((1, x1), (2, x2), (3, x3))},
    **{f"BatchNorm{n}d": [((4,), {}, [x]), ((4, 1e-3, None, False), {}, [x]), ((4, 1e-3, 0.3, True, False), {}, [x])]
       for n, x in ((1, x1), (2, x2), (3, x3))},
    **{f"InstanceNorm{n}d": [((4,), {}, [x]), ((4, 1e-3, 0.3, True, True), {}, [x])] for n, x in ((1, x1), (2, x2), (3, x3))},
    "LayerNorm": [((4,), {}, [plain]), (((3, 4), 1e-3), {"bias": False}, [(2, 3, 4)])],
    "GroupNorm": [((2, 4), {}, [x1]), ((4, 4, 1e-3, False), {}, [x2])],
    "RMSNorm": [((4,), {}, [plain]), (((3, 4), 1e-3, False), {}, [(2, 3, 4)])],
    "LocalResponseNorm": [((2,), {}, [x2]), ((3, 0.1, 0.5, 2.0), {}, [x1])],
    **{name: [((0.4,), {}, [x])] for name, x in (("Dropout", plain), ("Dropout1d", x1), ("Dropout2d", x2), ("Dropout3d", x3),
        ("AlphaDropout", plain), ("FeatureAlphaDropout", x2))},
    "Embedding": [((7, 3), {"padding_idx": 2}, [whole(7, 2, 5)])],
    "EmbeddingBag": [((7, 3), {"mode": mode}, [whole(7, 2, 5)]) for mode in ("sum", "mean", "max")],
    **{name: [((4, 3), {}, [(5, 2, 4)]), ((4, 3, 2), {"batch_first": True, "bidirectional": True}, [(2, 5, 4)])] for name in (
        "RNN", "LSTM", "GRU")},
    **{name: [((4, 3), {}, [plain]), ((4, 3, False), {}, [(4,)])] for name in ("RNNCell", "LSTMCell", "GRUCell")},
    "MultiheadAttention": [((4, 2), {}, [(5, 2, 4)] * 3), ((4, 2), {"batch_first": True, "kdim": 3, "vdim": 2}, [
        (2, 5, 4), (2, 6, 3), (2, 6, 2)])],
    "TransformerEncoderLayer": [((4, 2, 6), {}, [(5, 2, 4)]), ((4, 2, 6, 0.2, "gelu"), {"norm_first": True}, [(5, 2, 4)])],
    "TransformerDecoderLayer": [((4, 2, 6), {"dropout": 0.0}, [(5, 2, 4), (3, 2, 4)])],
    "Transformer": [((4, 2, 1, 1, 6), {"dropout": 0.0, "batch_first": True}, [(2, 5, 4), (2, 3, 4)])],
    "CosineSimilarity": [((), {"dim": 1}, [plain, plain])], "PairwiseDistance": [((3.0,), {"keepdim": True}, [plain, plain])],
    "PixelShuffle": [((2,), {}, [x2])], "PixelUnshuffle": [((2,), {}, [(2, 3, 4, 6)])], "ChannelShuffle": [((2,), {}, [x2])],
    "Upsample": [((), {"scale_factor": 2.0, "mode": "bilinear"}, [x2]), ((5,), {"mode": "linear"}, [x1])],
    "UpsamplingNearest2d": [((5,), {}, [x2])], "UpsamplingBilinear2d": [((), {"scale_factor": 2}, [x2])],
    "Fold": [(((4, 5), 2), {}, [(2, 8, 12)])], "Unfold": [((2, 1, 1, 2), {}, [x2])],
    "SyncBatchNorm": [((4,), {}, [plain])],
    "L1Loss": [((), {}, [plain, plain])], "MSELoss": [((), {"reduction": "none"}, [plain, plain])],
    "SmoothL1Loss": [((), {"beta": 0.5}, [plain, plain])], "HuberLoss": [((), {"delta": 0.5}, [plain, plain])],
    "NLLLoss": [((), {"ignore_index": 1}, [plain, whole(4, 3)])],
    "CrossEntropyLoss": [((), {"label_smoothing": 0.1}, [plain, whole(4, 3)]), ((), {}, [x2, whole(4, 2, 7, 6)])],
    "KLDivLoss": [((), {"reduction": "batchmean"}, [logarithms(3, 4), shares(3, 4)])],
    "BCELoss": [((), {}, [shares(3, 4), shares(3, 4)])], "BCEWithLogitsLoss": [((), {}, [plain, shares(3, 4)])],
    "HingeEmbeddingLoss": [((), {"margin": 0.5}, [plain, signs(3, 4)])], "SoftMarginLoss": [((), {}, [plain, signs(3, 4)])],
    "CosineEmbeddingLoss": [((0.1,), {}, [plain, plain, signs(3)])],
    "MarginRankingLoss": [((0.1,), {}, [(3,), (3,), signs(3)])], "TripletMarginLoss": [((), {"swap": True}, [plain] * 3)],
    "TripletMarginWithDistanceLoss": [((), {"margin": 0.5}, [plain] * 3)],
    "MultiLabelMarginLoss": [((), {}, [plain, whole(4, 3, 4)])], "MultiMarginLoss": [((), {"p": 2}, [plain, whole(4, 3)])],
    "MultiLabelSoftMarginLoss": [((), {}, [plain, shares(3, 4)])], "PoissonNLLLoss": [((), {"full": True}, [plain, shares(3, 4)])],
    "GaussianNLLLoss": [((), {"full": True}, [plain, plain, shares(3, 4)])],
    "CTCLoss": [((), {}, [logarithms(6, 2, 4), lambda rng: rng.integers(1, 4, (2, 3)), lambda rng: np.array([6, 5]),
        lambda rng: np.array([3, 2])])],
    "AdaptiveLogSoftmaxWithLoss": [((4, 9, [3, 6]), {"div_value": 2.0}, [plain, whole(9, 3)])],
}  # fmt: skip
ELSEWHERE = {  # what is no layer with an input, or has tests of its own
    *(
        "Module",
        "Container",
        "Sequential",
        "ModuleList",
        "ModuleDict",
        "ParameterList",
        "ParameterDict",
        "Parameter",
        "Buffer",
    ),
    *(
        "RNNBase",
        "RNNCellBase",
        "UninitializedParameter",
        "UninitializedBuffer",
        "CrossMapLRN2d",
        "LinearCrossEntropyLoss",
    ),
    *(
        "LinearCrossEntropyOptions",
        "MaxUnpool1d",
        "MaxUnpool2d",
        "MaxUnpool3d",
        "TransformerEncoder",
        "TransformerDecoder",
    ),
    *("DataParallel", "NLLLoss2d"),
}
CASES = [(name, (), options, [plain]) for name, several in ALWAYS.items() for options in several]
CASES += [(name, *case) for name, cases in LAYERS.items() for case in cases]
ONCE = {  # whose second derivatives torch lacks
    *("MultiLabelMarginLoss", "MultiMarginLoss", "Hardsigmoid", "EmbeddingBag", "CTCLoss"),
    *("TransformerEncoderLayer", "TransformerDecoderLayer", "Transformer"),
}


def made(lib, case):
    name, arguments, options, _ = case
    lib.manual_seed(7)
    return getattr(lib.nn, name)(*arguments, **options)


def inputs_of(lib, case):
    rng = np.random.default_rng(3)
    values = [kind(rng) if callable(kind) else rng.standard_normal(kind) for kind in case[3]]
    return [lib.tensor(v, requires_grad=v.dtype.kind == "f") for v in values]


def parts(result):
    if isinstance(result, (tuple, list)):
        return [part for each in result for part in parts(each)]
    return [] if result is None or not hasattr(result, "requires_grad") else [result]


def weighed(lib, tensors):
    """One number of several tensors, whose derivatives depend on all of their entries."""
    total = 0
    for tensor in tensors:
        flat = tensor.reshape(-1)
        total = total + (flat * lib.linspace(-1, 2, len(flat), dtype=flat.dtype) + 0.3 * flat * flat).sum()
    return total


def run(lib, case, training, twice):
    """What a module of float64 gives, with its first and second derivatives by the inputs and parameters."""
    module = made(lib, case).double().train(training)
    inputs = inputs_of(lib, case)
    leaves = [t for t in inputs if t.requires_grad] + list(module.parameters())
    lib.manual_seed(11)
    results = [part for part in parts(module(*inputs)) if part.is_floating_point()]
    found = [*results, *[value for _, value in module.state_dict().items()]]
    tracked = [part for part in results if part.requires_grad]
    if tracked and leaves:
        grads = lib.autograd.grad(weighed(lib, tracked), leaves, create_graph=twice, allow_unused=True)
        found += grads
        again = [g for g in grads if g is not None and g.requires_grad]
        if twice and again:
            found += lib.autograd.grad(weighed(lib, again), leaves, allow_unused=True)
    return [None if value is None else value.detach().numpy() for value in found]


def name_of(case):
    return f"{case[0]}{case[1]}{case[2]}"


@pytest.mark.parametrize("case", CASES, ids=name_of)
def test_a_module_is_pytorchs(case, torch):
    ours, theirs = made(pullback, case), made(torch, case)
    assert repr(ours) == repr(theirs)
    mine, its = ours.state_dict(), theirs.state_dict()
    assert list(mine) == list(its)
    for key in its:
        np.testing.assert_array_equal(mine[key].numpy(), its[key].numpy(), err_msg=key)
        assert str(mine[key].dtype) == str(its[key].dtype)
    assert [name for name, _ in ours.named_parameters()] == [name for name, _ in theirs.named_parameters()]
    for training in (True, False):
        twice = case[0] not in ONCE
        for value, expected in zip(
            run(pullback, case, training, twice), run(torch, case, training, twice), strict=True
        ):
            if value is None or expected is None:  # no gradient, and zeros, are the same to whoever steps
                assert not np.any(value) and not np.any(expected)
            else:
                np.testing.assert_allclose(value, expected, rtol=1e-7, atol=1e-8, err_msg=f"training={training}")


@pytest.mark.parametrize("case", CASES, ids=name_of)
def test_a_module_is_pickled(case):
    module = made(pullback, case)
    again = pickle.loads(pickle.dumps(module))
    assert repr(again) == repr(module) and list(again.state_dict()) == list(module.state_dict())


def test_the_table_has_every_module(torch):
    public = [name for name in dir(torch.nn) if isinstance(getattr(torch.nn, name), type)]
    lazy = [name for name in public if name.startswith("Lazy")]
    assert set(public) - {case[0] for case in CASES} - ELSEWHERE - set(lazy) == set()
    assert [name for name in public if not hasattr(nn, name)] == []
