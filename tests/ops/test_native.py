"""The forms of nn's operations that torch itself has, beside torch's."""

import pytest

import pullback
from numeric import agree, array


def leaves(t):
    x = ((t.arange(24.0).reshape(2, 3, 4) * 7) % 5 - 2).double()
    image = (t.arange(48.0).reshape(1, 3, 4, 4) % 7).double()
    kernels = ((t.arange(54.0).reshape(2, 3, 3, 3) * 3) % 5 - 2).double()
    times = ((t.arange(54.0).reshape(3, 9, 2)[:, :3] * 5) % 7 - 3).double()
    three, four = t.tensor([1.0, 2.0, 3.0]).double(), t.arange(1.0, 5.0).double()
    return [v.requires_grad_() for v in (x, three, four, image, kernels, times)]


CALLS = {
    "batch_norm in training": lambda t, x, w, *_: t.batch_norm(x, w, w, None, None, True, 0.1, 1e-5, False),
    "batch_norm": lambda t, x, w, *_: t.batch_norm(x, w, w, w.detach(), w.detach(), False, 0.1, 1e-5, False),
    "instance_norm": lambda t, x, w, *_: t.instance_norm(x, w, w, None, None, True, 0.1, 1e-5, False),
    "layer_norm": lambda t, x, w, v, *_: t.layer_norm(x, (4,), v, v, 1e-5, True),
    "group_norm": lambda t, x, w, *_: t.group_norm(x, 3, w, w, 1e-5, False),
    "native_layer_norm": lambda t, x, w, v, *_: t.native_layer_norm(x, (4,), v, v, 1e-5)[0],
    "native_layer_norm without weight": lambda t, x, *_: t.native_layer_norm(x, (3, 4), None, None, 1e-5)[0],
    "native_group_norm": lambda t, x, w, *_: t.native_group_norm(x, w, w, 2, 3, 4, 3, 1e-5),
    "native_batch_norm in training": lambda t, x, w, *_: t.native_batch_norm(x, w, w, None, None, True, 0.1, 1e-5)[0],
    "native_batch_norm": lambda t, x, w, *_: t.native_batch_norm(x, w, None, w.detach(), w.detach(), False, 0.1, 1e-5),
    "convolution": lambda t, x, w, v, i, k, s: t.convolution(i, k, None, [1, 1], [1, 1], [1, 1], False, [0, 0], 1),
    "transposed convolution": lambda t, x, w, v, i, k, s: t.convolution(
        i[:, :2], k, w, [2, 2], [1, 1], [1, 1], True, [1, 1], 1
    ),
    "conv_tbc": lambda t, x, w, v, i, k, s: t.conv_tbc(x.transpose(1, 2).contiguous(), s.contiguous(), w[:2], 1),
}


def outcome(t, name):
    given = leaves(t)
    found = CALLS[name](t, *given)
    outputs = found if isinstance(found, tuple) else (found,)
    tracked = [o for o in outputs if o.requires_grad]
    cotangents = [t.arange(1.0, o.numel() + 1).double().reshape(o.shape) for o in tracked]
    gradients = t.autograd.grad(tracked, given, cotangents, allow_unused=True)
    return [array(o) for o in outputs], [None if g is None else array(g) for g in gradients]


@pytest.mark.parametrize("name", CALLS)
def test_results_and_gradients_are_torchs(name, torch):
    for got, want in zip(outcome(pullback, name), outcome(torch, name), strict=True):
        for g, w in zip(got, want, strict=True):
            assert (g is None) == (w is None)
            if g is not None:
                agree(g, w, name, rtol=1e-9, atol=1e-9)


def test_native_layer_norm_gives_the_statistics_of_each_row(torch):
    for got, want in zip(
        *(t.native_layer_norm(leaves(t)[0], (4,), None, None, 1e-5) for t in (pullback, torch)), strict=True
    ):
        agree(array(got), array(want), "statistics", rtol=1e-12)


def test_native_batch_norm_gives_the_batchs_statistics(torch):
    def statistics(t):
        x = leaves(t)[0]
        return t.native_batch_norm(x.detach(), None, None, None, None, True, 0.1, 1e-5)[1:]

    for got, want in zip(statistics(pullback), statistics(torch), strict=True):
        agree(array(got), array(want), "statistics", rtol=1e-12)


@pytest.mark.parametrize(
    "call",
    [
        lambda t, x, w, *_: t.native_layer_norm(x, (5,), None, None, 1e-5),
        lambda t, x, w, *_: t.native_group_norm(x, w, w, 2, 3, 4, 2, 1e-5),
        lambda t, x, w, v, i, k, s: t.convolution(i[0], k, None, [1, 1], [1, 1], [1, 1], False, [0, 0], 1),
        lambda t, x, w, v, i, k, s: t.conv_tbc(x, s, w),
        lambda t, x, w, v, i, k, s: t.conv_tbc(x[0], s, w),
        lambda t, x, w, v, i, k, s: t.conv_tbc(x.transpose(1, 2), s, w),
        lambda t, x, w, v, i, k, s: t.conv_tbc(x.transpose(1, 2), s, None),
    ],
)
def test_bad_arguments_raise_torchs_exception_type(call, torch):
    raised = []
    for t in (pullback, torch):
        with pytest.raises(Exception) as caught:
            call(t, *leaves(t))
        raised.append(caught.type)
    assert raised[0] is raised[1]
