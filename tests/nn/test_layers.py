"""Every layer against PyTorch's: initial weights bit for bit, names, printed form, outputs and gradients."""

import re
import warnings
from pathlib import Path

import numpy as np
import pytest

import pullback as pb
from pullback import nn
from pullback.nn import functional

# (how the layer is made, the shape of its input)
LAYERS = [
    (lambda nn: nn.Linear(5, 3), (4, 5)),
    (lambda nn: nn.Linear(5, 3, bias=False), (2, 4, 5)),
    (lambda nn: nn.Linear(20, 30), (20,)),
    (lambda nn: nn.Identity(3, x=2), (2, 3)),
    (lambda nn: nn.Conv1d(3, 4, 3), (2, 3, 9)),
    (lambda nn: nn.Conv1d(4, 4, 3, padding="same", dilation=2, groups=2), (2, 4, 9)),
    (lambda nn: nn.Conv2d(2, 4, 3), (2, 2, 6, 7)),
    (lambda nn: nn.Conv2d(2, 4, (3, 2), stride=2, padding=(1, 0), bias=False), (2, 2, 6, 7)),
    (lambda nn: nn.Conv2d(4, 6, 3, padding="same", groups=2), (1, 4, 6, 5)),
    (lambda nn: nn.Conv2d(2, 3, 2, padding="valid", dilation=2), (2, 6, 5)),
    (lambda nn: nn.Conv2d(2, 3, 3, padding=1, padding_mode="reflect"), (2, 2, 5, 5)),
    (lambda nn: nn.Conv2d(2, 3, 3, padding=1, padding_mode="circular"), (2, 2, 5, 5)),
    (lambda nn: nn.Conv2d(2, 3, (2, 3), padding="same", padding_mode="replicate"), (2, 2, 5, 5)),
    (lambda nn: nn.MaxPool1d(2), (2, 3, 8)),
    (lambda nn: nn.MaxPool2d(2), (2, 3, 6, 7)),
    (lambda nn: nn.MaxPool2d(3, stride=2, padding=1, ceil_mode=True), (2, 3, 6, 7)),
    (lambda nn: nn.AvgPool1d(2), (2, 3, 8)),
    (lambda nn: nn.AvgPool2d(2), (2, 3, 6, 7)),
    (lambda nn: nn.AvgPool2d(3, stride=2, padding=1, count_include_pad=False), (2, 3, 6, 7)),
    (lambda nn: nn.AdaptiveAvgPool2d(2), (2, 3, 6, 7)),
    (lambda nn: nn.Flatten(), (2, 3, 4)),
    (lambda nn: nn.Flatten(0, 1), (2, 3, 4)),
    (lambda nn: nn.Unflatten(1, (2, 3)), (2, 6, 4)),
    (lambda nn: nn.Dropout(0.0), (3, 4)),
    (lambda nn: nn.Dropout(0.5, inplace=False).eval(), (3, 4)),
    (lambda nn: nn.LayerNorm(4), (3, 4)),
    (lambda nn: nn.LayerNorm((3, 4), elementwise_affine=False), (2, 3, 4)),
    (lambda nn: nn.LayerNorm([4], eps=1e-3, bias=False), (2, 3, 4)),
    (lambda nn: nn.GroupNorm(2, 4), (3, 4, 5)),
    (lambda nn: nn.BatchNorm1d(4), (3, 4)),
    (lambda nn: nn.BatchNorm1d(4, affine=False, track_running_stats=False), (3, 4, 5)),
    (lambda nn: nn.BatchNorm2d(3, momentum=None), (2, 3, 4, 4)),
    (lambda nn: nn.BatchNorm2d(3, eps=1e-3, momentum=0.3).eval(), (2, 3, 4, 4)),
    (lambda nn: nn.PReLU(), (3, 4)),
    (lambda nn: nn.PReLU(4, init=0.1), (3, 4)),
    (lambda nn: nn.Sequential(nn.Linear(4, 8), nn.Tanh(), nn.Linear(8, 2), nn.LogSoftmax(dim=1)), (3, 4)),
    *[
        (lambda nn, name=name, options=options: getattr(nn, name)(**options), (3, 4))
        for name, options in [
            ("ReLU", {}), ("ReLU6", {}), ("Sigmoid", {}), ("Tanh", {}), ("SiLU", {}), ("Mish", {}), ("Softsign", {}),
            ("GELU", {}), ("GELU", {"approximate": "tanh"}), ("ELU", {"alpha": 0.7}), ("CELU", {"alpha": 0.7}),
            ("SELU", {}), ("LeakyReLU", {"negative_slope": 0.2}), ("Threshold", {"threshold": 0.1, "value": 2.0}),
            ("Hardtanh", {"min_val": -0.5, "max_val": 0.8}), ("Softplus", {"beta": 2.0, "threshold": 1.0}),
            ("Tanhshrink", {}), ("LogSigmoid", {}), ("Hardsigmoid", {}), ("Hardswish", {}), ("Hardshrink", {"lambd": 0.3}),
            ("Softshrink", {"lambd": 0.3}), ("GLU", {"dim": 1}), ("Softmax", {"dim": 0}), ("Softmin", {"dim": 1}),
            ("LogSoftmax", {"dim": -1}),
        ]
    ],
]  # fmt: skip


def name_of(case):
    return repr(case[0](nn)).replace("\n", "")[:60]


@pytest.fixture(params=LAYERS, ids=name_of)
def both(request, torch):
    """A layer made by both libraries after the same seed, and the shape of its input."""
    make, shape = request.param
    torch.manual_seed(3)
    pb.manual_seed(3)
    return make(nn), make(torch.nn), shape


def state_of(module):
    return {name: np.asarray(tensor.numpy()) for name, tensor in module.state_dict().items()}


def test_initial_weights_names_and_printed_form_are_pytorchs(both):
    ours, theirs, _ = both
    assert repr(ours) == repr(theirs)
    mine, its = state_of(ours), state_of(theirs)
    assert list(mine) == list(its)
    for name in its:
        np.testing.assert_array_equal(mine[name], its[name], err_msg=name)
        assert mine[name].dtype == its[name].dtype
    assert [name for name, _ in ours.named_parameters()] == [name for name, _ in theirs.named_parameters()]


def test_outputs_and_gradients_are_pytorchs(both, torch):
    ours, theirs, shape = both
    rng = np.random.default_rng(0)
    data = rng.standard_normal(shape).astype("f4")
    x, t = pb.tensor(data, requires_grad=True), torch.tensor(data, requires_grad=True)
    y, z = ours(x), theirs(t)
    compare(y, z, "output")
    upstream = rng.standard_normal(tuple(z.shape)).astype("f4")
    y.backward(pb.tensor(upstream))
    z.backward(torch.tensor(upstream))
    compare(x.grad, t.grad, "the input's gradient")
    for (name, p), (_, q) in zip(ours.named_parameters(), theirs.named_parameters(), strict=True):
        compare(p.grad, q.grad, name)
    for name, value in state_of(theirs).items():  # running statistics
        np.testing.assert_allclose(state_of(ours)[name], value, rtol=1e-5, atol=1e-6, err_msg=name)


def compare(ours, theirs, what):
    np.testing.assert_allclose(ours.detach().numpy(), theirs.detach().numpy(), rtol=2e-4, atol=2e-5, err_msg=what)


# -- layers whose input is not just floats -----------------------------------------------------------------------------


@pytest.mark.parametrize("options", [{}, {"padding_idx": 2}, {"padding_idx": -1}])
def test_embeddings_look_up_rows(options, torch):
    torch.manual_seed(1)
    pb.manual_seed(1)
    ours, theirs = nn.Embedding(6, 3, **options), torch.nn.Embedding(6, 3, **options)
    assert repr(ours) == repr(theirs)
    np.testing.assert_array_equal(ours.weight.detach().numpy(), theirs.weight.detach().numpy())
    index = np.array([[1, 2, 2], [5, 0, 1]])
    y, z = ours(pb.tensor(index)), theirs(torch.tensor(index))
    compare(y, z, "output")
    upstream = np.random.default_rng(0).standard_normal(z.shape).astype("f4")
    y.backward(pb.tensor(upstream))
    z.backward(torch.tensor(upstream))
    compare(ours.weight.grad, theirs.weight.grad, "weight")


@pytest.mark.parametrize("p", [0.0, 0.3, 1.0])
def test_dropout_draws_pytorchs_stream(p, torch):
    torch.manual_seed(2)
    pb.manual_seed(2)
    data = np.random.default_rng(0).standard_normal((50, 7)).astype("f4")
    np.testing.assert_array_equal(
        nn.Dropout(p)(pb.tensor(data)).numpy(), torch.nn.Dropout(p)(torch.tensor(data)).numpy()
    )


def test_pooling_gives_indices_where_wanted(torch):
    data = np.random.default_rng(0).standard_normal((2, 3, 6, 6)).astype("f4")
    values, indices = nn.MaxPool2d(2, return_indices=True)(pb.tensor(data))
    expected, places = torch.nn.MaxPool2d(2, return_indices=True)(torch.tensor(data))
    compare(values, expected, "values")
    np.testing.assert_array_equal(indices.numpy(), places.numpy())


SCORES = np.random.default_rng(1).standard_normal((6, 4)).astype("f4")
OTHERS = np.random.default_rng(2).standard_normal((6, 4)).astype("f4")
CLASSES = np.array([0, 3, 1, 2, 2, 0])
SHARES = np.random.default_rng(3).dirichlet(np.ones(4), 6).astype("f4")
LOSSES = [
    ("MSELoss", {}, SCORES, OTHERS),
    ("L1Loss", {}, SCORES, OTHERS),
    ("SmoothL1Loss", {"beta": 0.5}, SCORES, OTHERS),
    ("HuberLoss", {"delta": 0.5}, SCORES, OTHERS),
    ("CrossEntropyLoss", {}, SCORES, CLASSES),
    ("CrossEntropyLoss", {"label_smoothing": 0.1, "ignore_index": 2}, SCORES, CLASSES),
    ("CrossEntropyLoss", {}, SCORES, SHARES),
    ("NLLLoss", {}, SCORES, CLASSES),
    ("BCELoss", {}, SHARES, SHARES[::-1].copy()),
    ("BCEWithLogitsLoss", {}, SCORES, SHARES),
    ("KLDivLoss", {}, SCORES, SHARES),
    ("KLDivLoss", {"log_target": True}, SCORES, OTHERS),
]


@pytest.mark.filterwarnings("ignore:reduction. 'mean' divides")
@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
@pytest.mark.parametrize("name, options, data, target", LOSSES)
def test_losses_are_pytorchs(name, options, data, target, reduction, torch):
    ours, theirs = (getattr(module, name)(reduction=reduction, **options) for module in (nn, torch.nn))
    assert repr(ours) == repr(theirs)
    x, t = pb.tensor(data, requires_grad=True), torch.tensor(data, requires_grad=True)
    y, z = ours(x, pb.tensor(target)), theirs(t, torch.tensor(target))
    compare(y, z, "loss")
    y.sum().backward()
    z.sum().backward()
    compare(x.grad, t.grad, "gradient")


@pytest.mark.parametrize("name", ["CrossEntropyLoss", "NLLLoss"])
def test_class_weights_are_state(name, torch):
    weight = np.array([0.5, 1.0, 2.0, 0.1], "f4")
    ours, theirs = getattr(nn, name)(weight=pb.tensor(weight)), getattr(torch.nn, name)(weight=torch.tensor(weight))
    assert list(ours.state_dict()) == list(theirs.state_dict()) == ["weight"]
    compare(ours(pb.tensor(SCORES), pb.tensor(CLASSES)), theirs(torch.tensor(SCORES), torch.tensor(CLASSES)), "loss")


def test_the_old_words_for_reduction_are_understood():
    with pytest.warns(UserWarning, match="reduction='sum'"):
        assert nn.MSELoss(size_average=False).reduction == "sum"


# -- initial values ----------------------------------------------------------------------------------------------------

FILLS = [
    ("uniform_", (-1.0, 2.0)), ("normal_", (1.0, 2.0)), ("constant_", (3.0,)), ("ones_", ()), ("zeros_", ()),
    ("eye_", ()), ("xavier_uniform_", (2.0,)), ("xavier_normal_", ()), ("kaiming_uniform_", ()),
    ("kaiming_normal_", (0.1, "fan_out")), ("trunc_normal_", ()), ("trunc_normal_", (0.5, 0.2, 0.0, 0.9)),
    ("orthogonal_", (2.0,)), ("sparse_", (0.4,)),
]  # fmt: skip


@pytest.mark.parametrize("shape", [(7, 9), (9, 4)])
@pytest.mark.parametrize("name, args", FILLS)
def test_initial_values_are_pytorchs(name, args, shape, torch):
    torch.manual_seed(4)
    pb.manual_seed(4)
    ours = getattr(nn.init, name)(pb.empty(shape), *args)
    theirs = getattr(torch.nn.init, name)(torch.empty(shape), *args)
    exact = name not in ("trunc_normal_", "orthogonal_")
    np.testing.assert_allclose(ours.numpy(), theirs.numpy(), rtol=0 if exact else 1e-4, atol=0 if exact else 1e-6)
    assert pb.rand(1).item() == torch.rand(1).item()


def test_convolutions_begin_as_the_identity_where_wanted(torch):
    shape = (4, 2, 3, 3)
    ours, theirs = nn.init.dirac_(pb.empty(shape), 2), torch.nn.init.dirac_(torch.empty(shape), 2)
    np.testing.assert_array_equal(ours.numpy(), theirs.numpy())


def test_initialising_a_parameter_is_not_recorded():
    parameter = nn.Parameter(pb.empty(3, 3))
    assert nn.init.normal_(parameter) is parameter and parameter.is_leaf and parameter.grad_fn is None


@pytest.mark.parametrize("name", ["linear", "conv2d", "tanh", "relu", "selu", "leaky_relu"])
def test_gains_are_pytorchs(name, torch):
    assert nn.init.calculate_gain(name) == torch.nn.init.calculate_gain(name)


# -- nn.functional and nn.utils ----------------------------------------------------------------------------------------


def test_every_function_that_a_module_calls_exists():
    sources = Path(nn.modules.__file__).parent.glob("*.py")
    named = {name for path in sources for name in re.findall(r'\bF\.(\w+)|function = "(\w+)"', path.read_text())}
    assert sorted({a or b for a, b in named} - set(dir(functional))) == []


def test_a_missing_function_names_the_nearest():
    with pytest.raises(AttributeError, match=r"torch.nn.functional.*softmacks.*nearest: softmax"):
        functional.softmacks
    assert "softmax" in dir(functional)


def with_gradients(library, shapes=((3, 4), (5,)), seed=5):
    rng = np.random.default_rng(seed)
    parameters = [library.nn.Parameter(library.tensor(rng.standard_normal(s).astype("f4"))) for s in shapes]
    for p in parameters:
        p.grad = library.tensor(rng.standard_normal(tuple(p.shape)).astype("f4"))
    return parameters


@pytest.mark.parametrize("norm_type", [2.0, 1.0, float("inf"), 3])
@pytest.mark.parametrize("max_norm", [0.5, 100.0])
def test_norms_are_clipped_as_in_pytorch(norm_type, max_norm, torch):
    ours, theirs = with_gradients(pb), with_gradients(torch)
    norm = nn.utils.clip_grad_norm_(ours, max_norm, norm_type)
    compare(norm, torch.nn.utils.clip_grad_norm_(theirs, max_norm, norm_type), "norm")
    for p, q in zip(ours, theirs, strict=True):
        compare(p.grad, q.grad, "gradient")


def test_values_are_clipped_as_in_pytorch(torch):
    ours, theirs = with_gradients(pb), with_gradients(torch)
    nn.utils.clip_grad_value_(ours, 0.3)
    torch.nn.utils.clip_grad_value_(theirs, 0.3)
    for p, q in zip(ours, theirs, strict=True):
        compare(p.grad, q.grad, "gradient")


def test_a_norm_that_is_not_finite_may_be_an_error():
    (parameter, _) = with_gradients(pb)
    parameter.grad[0, 0] = float("nan")
    with pytest.raises(RuntimeError, match="non-finite"):
        nn.utils.clip_grad_norm_([parameter], 1.0, error_if_nonfinite=True)
    assert nn.utils.clip_grad_norm_([nn.Parameter(pb.ones(2))], 1.0).item() == 0


def test_parameters_become_a_vector_and_back():
    parameters = with_gradients(pb)
    vector = nn.utils.parameters_to_vector(parameters)
    assert vector.shape == (17,) and vector.requires_grad
    nn.utils.vector_to_parameters(pb.arange(17.0), parameters)
    assert parameters[1].tolist() == [12, 13, 14, 15, 16] and parameters[0].shape == (3, 4)


@pytest.mark.parametrize(
    "name, names",
    [
        ("SoftMarginLoss", ["input", "target"]), ("CosineEmbeddingLoss", ["input1", "input2", "target"]),
        ("TripletMarginLoss", ["anchor", "positive", "negative"]), ("PoissonNLLLoss", ["log_input", "target"]),
        ("GaussianNLLLoss", ["input", "target", "var"]),
    ],
)  # fmt: skip
def test_losses_take_their_tensors_by_name(name, names, torch):
    found = []
    for lib in (pb, torch):
        shapes = [(3,) if (name, each) == ("CosineEmbeddingLoss", "target") else (3, 4) for each in names]
        found.append(
            getattr(lib.nn, name)()(**{each: lib.ones(shape) for each, shape in zip(names, shapes, strict=True)}).item()
        )
    assert found[0] == pytest.approx(found[1], rel=1e-6)


@pytest.mark.parametrize("name", ["Sigmoid", "Tanh", "SoftMarginLoss", "MultiLabelMarginLoss", "Softsign"])
def test_layers_refuse_options_that_they_do_not_have(name):
    with pytest.raises(TypeError, match="unexpected keyword argument 'size'"):
        getattr(nn, name)(size=3)


def test_the_old_names_of_the_limits_warn():
    with pytest.warns(FutureWarning, match="`min_value` is deprecated"):
        assert nn.Hardtanh(min_value=-2.0).min_val == -2


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float64"])
@pytest.mark.parametrize("options", [{}, {"mean": 5.0, "a": 0.0}, {"mean": 0.5, "std": 0.1, "a": 0.4, "b": 0.6}])
def test_cut_normal_numbers_are_pytorchs_in_other_dtypes(dtype, options, torch):
    found = []
    for lib in (pb, torch):
        lib.manual_seed(3)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            found.append(lib.nn.init.trunc_normal_(lib.empty(20, 17, dtype=getattr(lib, dtype)), **options).tolist())
    np.testing.assert_allclose(*found, rtol=1e-12 if dtype == "float64" else 1e-3)


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_orthogonal_matrices_of_half_precision(dtype):
    drawn = nn.init.orthogonal_(pb.empty(5, 3, dtype=getattr(pb, dtype))).float()
    np.testing.assert_allclose((drawn.T @ drawn).numpy(), np.eye(3), atol=0.02)
