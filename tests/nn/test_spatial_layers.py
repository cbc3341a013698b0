"""Layers over images and signals against PyTorch's: initial weights, names, printed form, outputs and gradients."""

import numpy as np
import pytest

import pullback as pb
from pullback import nn

pytestmark = pytest.mark.parity
# (how the layer is made, the shape of its input)
LAYERS = [
    (
        lambda nn: nn.Conv3d(2, 4, 3),
        (
            2,
            2,
            5,
            5,
            5,
        ),
    ),
    (
        lambda nn: nn.Conv3d(2, 4, (3, 2, 1), 2, 1, 1, 2, False, "replicate"),
        (
            2,
            2,
            5,
            5,
            5,
        ),
    ),
    (
        lambda nn: nn.Conv3d(2, 4, 3, padding="same"),
        (
            2,
            5,
            5,
            5,
        ),
    ),
    (
        lambda nn: nn.ConvTranspose1d(2, 4, 3),
        (
            2,
            2,
            5,
        ),
    ),
    (
        lambda nn: nn.ConvTranspose1d(2, 4, 3, stride=2, padding=1, output_padding=1, groups=2, bias=False, dilation=2),
        (
            2,
            2,
            5,
        ),
    ),
    (
        lambda nn: nn.ConvTranspose2d(2, 4, (3, 2), 2, output_padding=(1, 0)),
        (
            2,
            2,
            5,
            4,
        ),
    ),
    (
        lambda nn: nn.ConvTranspose3d(2, 4, 3),
        (
            2,
            2,
            3,
            3,
            3,
        ),
    ),
    (
        lambda nn: nn.MaxPool3d(2),
        (
            2,
            3,
            4,
            4,
            4,
        ),
    ),
    (
        lambda nn: nn.AvgPool3d(2),
        (
            2,
            3,
            4,
            4,
            4,
        ),
    ),
    (
        lambda nn: nn.AvgPool3d(2, 1, 1, True, False, 3),
        (
            2,
            3,
            4,
            4,
            4,
        ),
    ),
    (
        lambda nn: nn.LPPool1d(2, 3),
        (
            2,
            3,
            7,
        ),
    ),
    (
        lambda nn: nn.LPPool2d(1.5, (2, 3), stride=1, ceil_mode=True),
        (
            2,
            3,
            7,
            7,
        ),
    ),
    (
        lambda nn: nn.LPPool3d(2, 2),
        (
            2,
            3,
            4,
            4,
            4,
        ),
    ),
    (
        lambda nn: nn.FractionalMaxPool2d(2, output_size=3),
        (
            2,
            3,
            7,
            7,
        ),
    ),
    (
        lambda nn: nn.FractionalMaxPool2d(3, output_ratio=(0.5, 0.5)),
        (
            2,
            3,
            7,
            7,
        ),
    ),
    (
        lambda nn: nn.FractionalMaxPool3d(2, output_size=(2, 2, 3)),
        (
            2,
            3,
            5,
            5,
            5,
        ),
    ),
    (
        lambda nn: nn.AdaptiveAvgPool1d(3),
        (
            2,
            3,
            7,
        ),
    ),
    (
        lambda nn: nn.AdaptiveAvgPool3d((2, None, 3)),
        (
            2,
            3,
            5,
            5,
            5,
        ),
    ),
    (
        lambda nn: nn.AdaptiveMaxPool1d(3),
        (
            2,
            3,
            7,
        ),
    ),
    (
        lambda nn: nn.AdaptiveMaxPool2d((2, None)),
        (
            2,
            3,
            5,
            5,
        ),
    ),
    (
        lambda nn: nn.AdaptiveMaxPool3d(2),
        (
            2,
            3,
            5,
            5,
            5,
        ),
    ),
    (
        lambda nn: nn.ConstantPad1d(2, 1.5),
        (
            2,
            3,
            4,
        ),
    ),
    (
        lambda nn: nn.ConstantPad1d((3, 1), 0),
        (
            2,
            3,
            4,
        ),
    ),
    (
        lambda nn: nn.ConstantPad2d(2, 3.5),
        (
            2,
            3,
            4,
            4,
        ),
    ),
    (
        lambda nn: nn.ConstantPad3d((1, 2, 3, 4, 0, 0), 3.5),
        (
            2,
            3,
            4,
            4,
            4,
        ),
    ),
    (
        lambda nn: nn.ZeroPad1d(2),
        (
            2,
            3,
            4,
        ),
    ),
    (
        lambda nn: nn.ZeroPad2d((1, -1, 0, 2)),
        (
            2,
            3,
            4,
            4,
        ),
    ),
    (
        lambda nn: nn.ZeroPad3d(1),
        (
            2,
            3,
            4,
            4,
            4,
        ),
    ),
    (
        lambda nn: nn.ReflectionPad1d(2),
        (
            2,
            3,
            4,
        ),
    ),
    (
        lambda nn: nn.ReflectionPad2d((1, 2, 0, 1)),
        (
            2,
            3,
            4,
            4,
        ),
    ),
    (
        lambda nn: nn.ReflectionPad3d(1),
        (
            2,
            3,
            4,
            4,
            4,
        ),
    ),
    (
        lambda nn: nn.ReplicationPad1d((3, 1)),
        (
            2,
            3,
            4,
        ),
    ),
    (
        lambda nn: nn.ReplicationPad2d(2),
        (
            2,
            3,
            4,
            4,
        ),
    ),
    (
        lambda nn: nn.ReplicationPad3d(1),
        (
            2,
            3,
            4,
            4,
            4,
        ),
    ),
    (
        lambda nn: nn.CircularPad1d(2),
        (
            2,
            3,
            4,
        ),
    ),
    (
        lambda nn: nn.CircularPad2d((1, 2, 0, 1)),
        (
            2,
            3,
            4,
            4,
        ),
    ),
    (
        lambda nn: nn.CircularPad3d(1),
        (
            2,
            3,
            4,
            4,
            4,
        ),
    ),
    (
        lambda nn: nn.Upsample(scale_factor=2),
        (
            2,
            3,
            4,
        ),
    ),
    (
        lambda nn: nn.Upsample(size=(3, 5), mode="bilinear", align_corners=True),
        (
            2,
            3,
            4,
            4,
        ),
    ),
    (
        lambda nn: nn.Upsample(scale_factor=(2, 1.5), mode="bicubic", recompute_scale_factor=True),
        (
            2,
            3,
            4,
            4,
        ),
    ),
    (
        lambda nn: nn.Upsample(7),
        (
            2,
            3,
            4,
        ),
    ),
    (
        lambda nn: nn.UpsamplingNearest2d(scale_factor=2),
        (
            2,
            3,
            4,
            4,
        ),
    ),
    (
        lambda nn: nn.UpsamplingBilinear2d(size=(3, 5)),
        (
            2,
            3,
            4,
            4,
        ),
    ),
    (
        lambda nn: nn.PixelShuffle(2),
        (
            2,
            8,
            3,
            3,
        ),
    ),
    (
        lambda nn: nn.PixelUnshuffle(2),
        (
            2,
            2,
            4,
            6,
        ),
    ),
    (
        lambda nn: nn.ChannelShuffle(2),
        (
            2,
            4,
            3,
        ),
    ),
    (
        lambda nn: nn.Fold((4, 5), (2, 3)),
        (
            2,
            18,
            9,
        ),
    ),
    (
        lambda nn: nn.Fold(output_size=4, kernel_size=2, dilation=1, padding=0, stride=2),
        (
            1,
            4,
            4,
        ),
    ),
    (
        lambda nn: nn.Unfold((2, 3), padding=1, stride=2),
        (
            2,
            3,
            5,
            5,
        ),
    ),
    (
        lambda nn: nn.RMSNorm(5),
        (
            2,
            3,
            5,
        ),
    ),
    (
        lambda nn: nn.RMSNorm((3, 5), eps=0.1, elementwise_affine=False),
        (
            2,
            3,
            5,
        ),
    ),
    (
        lambda nn: nn.LocalResponseNorm(2),
        (
            2,
            4,
            5,
        ),
    ),
    (
        lambda nn: nn.LocalResponseNorm(3, 0.1, 0.5, 2.0),
        (
            2,
            4,
            5,
            5,
        ),
    ),
    (
        lambda nn: nn.BatchNorm3d(3),
        (
            2,
            3,
            2,
            2,
            2,
        ),
    ),
    (
        lambda nn: nn.InstanceNorm1d(3),
        (
            2,
            3,
            5,
        ),
    ),
    (
        lambda nn: nn.InstanceNorm1d(3),
        (
            3,
            5,
        ),
    ),
    (
        lambda nn: nn.InstanceNorm2d(3, affine=True, track_running_stats=True),
        (
            2,
            3,
            5,
            5,
        ),
    ),
    (
        lambda nn: nn.InstanceNorm3d(3, 0.1, 0.2, True),
        (
            2,
            3,
            2,
            2,
            2,
        ),
    ),
]
UNPOOLED = [("1d", 2, (2, 3, 7)), ("2d", (2, 3), (1, 2, 5, 7)), ("3d", 2, (1, 2, 4, 4, 4))]


def name_of(case):
    return repr(case[0](nn)).replace("\n", "")[:60]


@pytest.mark.parametrize("case", LAYERS, ids=name_of)
def test_layers_are_pytorchs_in_every_respect(case, torch):
    make, shape = case
    ours, theirs = made(make, pb), made(make, torch)
    assert repr(ours) == repr(theirs)
    assert list(ours.state_dict()) == list(theirs.state_dict())
    for mode in ("train", "eval"):
        getattr(ours, mode)(), getattr(theirs, mode)()
        for got, want in zip(results(ours, shape, pb), results(theirs, shape, torch), strict=True):
            np.testing.assert_allclose(got, want, rtol=2e-4, atol=2e-5)


def made(make, lib):
    lib.manual_seed(3)
    return make(lib.nn)


def results(layer, shape, lib):
    """Output, gradients of the input and the parameters, and the state afterwards."""
    lib.manual_seed(4)
    rng = np.random.default_rng(5)
    x = lib.tensor(abs(rng.standard_normal(shape)).astype("f4"), requires_grad=True)
    y = layer(x)
    upstream = lib.tensor(rng.standard_normal(tuple(y.shape)).astype("f4"))
    grads = lib.autograd.grad(y, [x, *layer.parameters()], upstream)
    return [t.detach().numpy() for t in (y, *grads, *layer.state_dict().values())]


@pytest.mark.parametrize("dims, kernel, shape", UNPOOLED)
def test_unpooling_puts_maxima_back(dims, kernel, shape, torch):
    data = np.random.default_rng(0).standard_normal(shape).astype("f4")
    found = []
    for lib in (pb, torch):
        pool = getattr(lib.nn, f"MaxPool{dims}")(kernel, return_indices=True)
        unpool = getattr(lib.nn, f"MaxUnpool{dims}")(kernel)
        values, indices = pool(lib.tensor(data))
        found.append((repr(unpool), unpool(values, indices, output_size=shape).numpy()))
    assert found[0][0] == found[1][0]
    np.testing.assert_array_equal(found[0][1], found[1][1])


@pytest.mark.parametrize("size", [(6, 6), (7, 6), (2, 3, 7, 7)])
def test_a_transposed_convolution_gives_the_size_that_is_asked_for(size, torch):
    found = []
    for lib in (pb, torch):
        lib.manual_seed(0)
        layer = lib.nn.ConvTranspose2d(2, 3, 2, stride=2)
        found.append(layer(lib.ones(2, 2, 3, 3), output_size=size).detach().numpy())
    np.testing.assert_allclose(*found, rtol=1e-5)


@pytest.mark.parametrize(
    "make",
    [
        lambda nn: nn.ConvTranspose2d(2, 3, 2, stride=2)(pb.ones(2, 2, 3, 3), output_size=(9, 7)),
        lambda nn: nn.ConvTranspose2d(2, 3, 2, padding_mode="reflect"),
        lambda nn: nn.FractionalMaxPool2d(2),
        lambda nn: nn.FractionalMaxPool2d(2, 3, (0.5, 0.5)),
        lambda nn: nn.FractionalMaxPool3d(2, output_ratio=1.5),
        lambda nn: nn.InstanceNorm2d(3, affine=True)(pb.ones(2, 4, 4, 4)),
        lambda nn: nn.BatchNorm3d(3)(pb.ones(2, 3, 4)),
        lambda nn: nn.CircularPad2d(1)(pb.ones(3, 3)),
    ],
)
def test_what_does_not_fit_raises_a_value_error(make):
    with pytest.raises(ValueError):
        make(nn)
