"""Resampling, sampling by a grid, folding and unusual pooling, over arguments that samples do not reach.

The truth is torch's, adjoint identities, and what is known of infinities and NaN.
"""

import itertools
import math

import numpy as np
import pytest

import pullback
from numeric import agree

pytestmark = pytest.mark.parity
IMAGES = {1: (2, 3, 7), 2: (2, 3, 6, 5), 3: (1, 2, 4, 3, 5)}
MODES = [(mode, n) for mode in ("nearest", "nearest-exact", "area") for n in (1, 2, 3)]
MODES += [("linear", 1), ("bilinear", 2), ("bicubic", 2), ("trilinear", 3)]
SIZES = [{"size": 9}, {"size": 3}, {"size": 1}, {"scale_factor": 2}, {"scale_factor": 0.6}, {"scale_factor": 1.7}]


def both(torch, call, *arrays):
    """A call's value and the gradients of its floating arguments, in each library."""
    found = []
    for lib in (pullback, torch):
        tensors = [lib.tensor(a, requires_grad=a.dtype.kind == "f") for a in arrays]
        result = call(lib, *tensors)
        upstream = np.random.default_rng(1).standard_normal(tuple(result.shape))
        inputs = [t for t in tensors if t.requires_grad]
        grads = lib.autograd.grad(result, inputs, lib.tensor(upstream)) if inputs else ()
        found.append([t.detach().numpy() for t in (result, *grads)])
    return found


def random(*shape):
    return np.random.default_rng(0).standard_normal(shape)


@pytest.mark.parametrize("options", SIZES, ids=str)
@pytest.mark.parametrize("mode, n", MODES)
def test_interpolation_is_torchs_for_every_mode_and_size(mode, n, options, torch):
    recompute = [{"recompute_scale_factor": True}] if "scale_factor" in options else []
    corners = [{"align_corners": True}] if "linear" in mode or mode == "bicubic" else []
    for more in ({}, *recompute, *corners):
        call = lambda lib, x, more=more: lib.nn.functional.interpolate(x, mode=mode, **options, **more)
        for got, want in zip(*both(torch, call, random(*IMAGES[n])), strict=True):
            agree(got, want, f"{mode} {options} {more}", 1e-12)


@pytest.mark.parametrize("mode", ["bilinear", "bicubic", "lanczos"])
@pytest.mark.parametrize("options", [{"size": (3, 4)}, {"size": (9, 2)}, {"scale_factor": 0.6}], ids=str)
def test_interpolation_averages_where_it_shrinks(mode, options, torch):
    call = lambda lib, x: lib.nn.functional.interpolate(x, mode=mode, antialias=True, **options)
    for got, want in zip(*both(torch, call, random(2, 3, 8, 7)), strict=True):
        agree(got, want, f"{mode} {options}", 1e-12)


@pytest.mark.parametrize(
    "mode, antialias", [("nearest", False), *itertools.product(("bilinear", "bicubic"), (False, True))]
)
def test_bytes_are_resampled_in_fixed_point_as_torch_has_it(mode, antialias, torch):
    image = np.random.default_rng(0).integers(0, 256, (2, 3, 11, 9)).astype(np.uint8)
    for size in ((5, 4), (20, 31), (11, 4), (7, 9)):
        call = lambda lib, x, size=size: lib.nn.functional.interpolate(x, size=size, mode=mode, antialias=antialias)
        got, want = both(torch, call, image)
        np.testing.assert_array_equal(got[0], want[0])


def test_large_images_are_resampled_in_blocks_to_the_same_values(torch):
    for size in ((300, 500), (61, 77)):
        call = lambda lib, x, size=size: lib.nn.functional.interpolate(x, size=size, mode="bicubic")
        for got, want in zip(*both(torch, call, random(1, 2, 200, 210)), strict=True):
            agree(got, want, f"{size}", 1e-11)


def test_an_infinity_spoils_only_what_is_made_of_it(torch):
    image = random(1, 1, 40, 40)
    image[0, 0, 20, 20], image[0, 0, 3, 5] = math.inf, math.nan
    call = lambda lib, x: lib.nn.functional.interpolate(x, size=(70, 70), mode="bilinear")
    with np.errstate(invalid="ignore"):
        got, want = both(torch, call, image)
    np.testing.assert_array_equal(np.isfinite(got[0]), np.isfinite(want[0]))


EVERY = list(itertools.product(("bilinear", "nearest", "bicubic"), ("zeros", "border", "reflection"), (False, True)))


@pytest.mark.parametrize("mode, padding, align", EVERY)
def test_sampling_by_a_grid_is_torchs_far_outside_and_at_the_elements(mode, padding, align, torch):
    call = lambda lib, x, g: lib.nn.functional.grid_sample(x, g, mode, padding, align)
    far, exact = 3 * random(2, 4, 3, 2), np.round(2 * random(2, 4, 3, 2)) / 2
    for grid in (far, exact):
        for got, want in zip(*both(torch, call, random(2, 3, 5, 3), grid), strict=True):
            agree(got, want, f"{mode} {padding} {align}", 1e-11)


@pytest.mark.parametrize(
    "mode, padding", list(itertools.product(("bilinear", "nearest", "bicubic"), ("zeros", "border", "reflection")))
)
def test_places_that_are_no_numbers_give_what_torch_gives(mode, padding, torch):
    grid = np.array([[[[math.nan, 0.0], [0.0, math.nan], [math.inf, 0.0], [0.0, -math.inf], [1e20, 0.0]]]])
    image = np.arange(1.0, 13.0).reshape(1, 1, 3, 4)
    values = [
        lib.nn.functional.grid_sample(lib.tensor(image), lib.tensor(grid), mode, padding, False).numpy()
        for lib in (pullback, torch)
    ]
    np.testing.assert_array_equal(*values)


def test_sampling_at_the_identitys_grid_gives_the_image_back():
    image = pullback.tensor(random(2, 3, 5, 4))
    theta = pullback.eye(3, dtype=pullback.float64)[:2].expand(2, 2, 3)
    for align in (False, True):
        grid = pullback.nn.functional.affine_grid(theta, image.shape, align_corners=align)
        again = pullback.nn.functional.grid_sample(image, grid, align_corners=align)
        agree(again.numpy(), image.numpy(), "identity", 1e-12)


SETTINGS = list(itertools.product((2, (3, 1)), (1, (2, 1)), (0, (1, 2)), (1, (2, 3))))


@pytest.mark.parametrize("settings", SETTINGS, ids=str)
def test_folding_is_the_transpose_of_unfolding(settings):
    image = pullback.tensor(random(2, 3, 7, 8))
    columns = pullback.nn.functional.unfold(image, *settings)
    other = pullback.tensor(np.random.default_rng(1).standard_normal(columns.shape))
    folded = pullback.nn.functional.fold(other, (7, 8), *settings)
    assert float((columns * other).sum()) == pytest.approx(float((image * folded).sum()), rel=1e-12)


@pytest.mark.parametrize("n", [2, 3])
def test_fractional_pooling_takes_the_steps_of_pytorchs_stream(n, torch):
    image = random(2, 3, *(9, 8, 7)[:n]).astype("f4")
    for options in ({"output_size": 3}, {"output_ratio": (0.5,) * n}):
        found = []
        for lib in (pullback, torch):
            lib.manual_seed(1)
            pool = getattr(lib.nn.functional, f"fractional_max_pool{n}d_with_indices")
            found.append([t.numpy() for t in (*pool(lib.tensor(image), 2, **options), lib.rand(1))])
        for got, want in zip(*found, strict=True):
            np.testing.assert_array_equal(got, want)


def test_each_element_of_a_batch_takes_steps_of_its_own():
    pool = lambda x: pullback.nn.functional.fractional_max_pool2d(x, 2, 4)
    images = pullback.arange(81.0).reshape(1, 9, 9).expand(20, 1, 9, 9)
    found = pullback.func.vmap(pool, randomness="different")(images)
    assert len({tuple(each.reshape(-1).tolist()) for each in found}) > 1


NORMS = {
    "native_batch_norm": lambda t, x, w: t.native_batch_norm(x, w, w, None, None, True, 0.1, 1e-5),
    "native_layer_norm": lambda t, x, w: t.native_layer_norm(x, (3, 2), None, None, 1e-5),
    "native_group_norm": lambda t, x, w: t.native_group_norm(x, w, w, 2, 4, 6, 2, 1e-5),
    "batch_norm": lambda t, x, w: (t.batch_norm(x, w, w, None, None, True, 0.1, 1e-5, False),),
    "instance_norm": lambda t, x, w: (t.instance_norm(x, w, w, None, None, True, 0.1, 1e-5, False),),
    "layer_norm": lambda t, x, w: (t.layer_norm(x, (2,), cudnn_enable=False),),
    "group_norm": lambda t, x, w: (t.group_norm(x, 2, w, w, cudnn_enabled=False),),
}


@pytest.mark.parametrize("name", NORMS)
def test_norms_of_torch_give_their_statistics(name, torch):
    x, w = random(2, 4, 3, 2), random(4)
    got, want = ([t.numpy() for t in NORMS[name](lib, lib.tensor(x), lib.tensor(w))] for lib in (pullback, torch))
    for a, b in zip(got, want, strict=True):
        agree(a, b, name, 1e-9)


CONVOLUTIONS = [
    ((2, 4, 6), (6, 2, 3), [2], [1], [1], False, [0], 2),
    ((2, 4, 6, 5), (4, 3, 3, 2), [2, 1], [1, 0], [1, 2], True, [1, 0], 2),
    ((1, 2, 4, 4, 3), (3, 2, 2, 2, 2), [1, 1, 1], [0, 1, 0], [1, 1, 1], False, [0, 0, 0], 1),
]


@pytest.mark.parametrize("case", CONVOLUTIONS, ids=str)
def test_torchs_general_convolution_is_each_special_one(case, torch):
    shape, kernel, *options = case
    call = lambda lib, x, w: lib.convolution(x, w, None, *options)
    for got, want in zip(*both(torch, call, random(*shape), random(*kernel)), strict=True):
        agree(got, want, str(case), 1e-11)


REFUSED = [
    (lambda F, x: F.interpolate(x), ValueError, "size or scale_factor"),
    (lambda F, x: F.interpolate(x, 3, 2.0), ValueError, "only one of"),
    (lambda F, x: F.interpolate(x, (3,)), ValueError, "same number of spatial dimensions"),
    (lambda F, x: F.interpolate(x, 3, align_corners=True), ValueError, "align_corners"),
    (lambda F, x: F.interpolate(x, 3, mode="linear"), NotImplementedError, "needs 3D input"),
    (lambda F, x: F.interpolate(x, 3, mode="cubic"), NotImplementedError, "Input Error"),
    (lambda F, x: F.interpolate(x, 3, antialias=True), ValueError, "Anti-alias"),
    (lambda F, x: F.interpolate(x, 0), RuntimeError, "greater than 0"),
    (lambda F, x: F.interpolate(x, 3.5), TypeError, "size"),
    (lambda F, x: F.interpolate(x, 3, mode="lanczos"), ValueError, "antialias=True"),
    (lambda F, x: F.interpolate(x.long(), 3), NotImplementedError, "int64"),
    (lambda F, x: F.unfold(x, 9), RuntimeError, "sliding blocks"),
    (lambda F, x: F.unfold(x, (2, 2, 2)), RuntimeError, "kernel_size"),
    (lambda F, x: F.unfold(x[:, :0], 2), RuntimeError, "3D or 4D"),
    (lambda F, x: F.unfold(x, 2, stride=0), RuntimeError, "greater than zero"),
    (lambda F, x: F.fold(x[0], 4, 2), RuntimeError, "divisible by the product"),
    (lambda F, x: F.fold(x[0, :, :4], 5, 2), RuntimeError, "number of sliding blocks"),
    (lambda F, x: F.grid_sample(x, x, "cubic"), ValueError, "mode"),
    (lambda F, x: F.grid_sample(x, x[:1], align_corners=False), RuntimeError, "same batch size"),
    (lambda F, x: F.affine_grid(x[0, :2, :2, :3], (2, 1, 4), False), NotImplementedError, "4D and 5D"),
    (lambda F, x: F.max_unpool2d(x, x.int(), 2), RuntimeError, "int64"),
    (lambda F, x: F.max_unpool2d(x, x.long() + 999, 2), RuntimeError, "invalid max index"),
    (lambda F, x: F.max_unpool2d(x, x.long(), 2, output_size=(99, 99)), ValueError, "output_size"),
    (lambda F, x: F.fractional_max_pool2d(x, 2), ValueError, "output_size or an output_ratio"),
    (lambda F, x: F.fractional_max_pool2d(x, 5, 4), RuntimeError, "too large"),
    (lambda F, x: F.lp_pool2d(x, 0, 2), ZeroDivisionError, "norm_type"),
    (lambda F, x: F.conv_transpose2d(x, x, output_padding=-1), RuntimeError, "output_padding"),
    (lambda F, x: F.conv2d(x, x, stride=True), TypeError, "stride"),
    (lambda F, x: F.batch_norm(x, x[0, 0, 0, :3], None, training=True), ValueError, "both be None"),
]


@pytest.mark.parametrize("number", range(len(REFUSED)))
def test_what_torch_refuses_is_refused_with_its_type_and_words(number, torch):
    call, error, words = REFUSED[number]
    image = random(2, 3, 5, 6)
    with pytest.raises(error):
        call(torch.nn.functional, torch.tensor(image))
    with pytest.raises(error, match=words):
        call(pullback.nn.functional, pullback.tensor(image))
