"""Shuffles: channels traded for resolution and back, and groups of channels interleaved.

Dims count from the back in ``pixel_shuffle`` and ``pixel_unshuffle``, each of which is the other's transpose;
``channel_shuffle`` has the channels in dim 1, and its transpose is that with as many groups as each has channels.
"""

from operator import index

from .shape import trailing
from .steps import need_tensors
from .table import LINEAR, op


def positive(name, argument, value, words):
    """``value`` as an int; raises unless it is one, and positive."""
    if isinstance(value, bool) or not hasattr(value, "__index__"):
        raise TypeError(f"{name}(): argument '{argument}' (position 2) must be int, not {type(value).__name__}")
    if index(value) <= 0:
        raise RuntimeError(f"{name}: {words}, but got {argument}={value}")
    return index(value)


def prepared(name, argument, check):
    """The preparation of a pixel shuffle: an image, and a positive factor that fits it."""

    def prepare(input, factor):
        need_tensors(name, input=input)
        if input.ndim < 3:
            raise RuntimeError(
                f"{name} expects input to have at least 3 dimensions, but got input with {input.ndim} dimension(s)"
            )
        factor = positive(name, argument, factor, f"{name} expects a positive {argument}")
        check(input.shape, factor)
        return input, factor

    return prepare


def check_channels(shape, factor):
    if shape[-3] % factor**2:
        raise RuntimeError(
            "pixel_shuffle expects its input's 'channel' dimension to be divisible by the square of upscale_factor, but "
            f"input.size(-3)={shape[-3]} is not divisible by {factor**2}"
        )


def check_pixels(shape, factor):
    for dim, words in ((-2, "height"), (-1, "width")):
        if shape[dim] % factor:
            raise RuntimeError(
                f"pixel_unshuffle expects {words} to be divisible by downscale_factor, but input.size({dim})={shape[dim]} is "
                f"not divisible by {factor}"
            )


op(
    "pixel_shuffle(input, upscale_factor)",
    "Each ``upscale_factor ** 2`` channels of images (..., C, H, W) as one of higher resolution: (..., C / r², H * r, W * r).",
    vjp={"input": lambda xp, grad, upscale_factor: xp.pixel_unshuffle(grad, upscale_factor)},
    jvp=LINEAR,
    batch=trailing,
    operands=("input",),
    prepare=prepared("pixel_shuffle", "upscale_factor", check_channels),
    method=False,
    homes=("torch", "nn.functional"),
    samples=lambda t: [((t(*shape), r), {}) for shape, r in (((2, 8, 2, 3), 2), ((9, 1, 2), 3), ((0, 4, 2, 2), 1))],
    errors=lambda t: [
        ((t(4, 2), 2), {}, RuntimeError),
        ((t(2, 6, 2, 3), 2), {}, RuntimeError),
        ((t(4, 2, 3), 0), {}, RuntimeError),
        ((t(4, 2, 3), 2.0), {}, TypeError),
    ],
)
op(
    "pixel_unshuffle(input, downscale_factor)",
    "Images (..., C, H, W) of lower resolution, with more channels: (..., C * r², H / r, W / r).",
    vjp={"input": lambda xp, grad, downscale_factor: xp.pixel_shuffle(grad, downscale_factor)},
    jvp=LINEAR,
    batch=trailing,
    operands=("input",),
    prepare=prepared("pixel_unshuffle", "downscale_factor", check_pixels),
    method=False,
    homes=("torch", "nn.functional"),
    samples=lambda t: [((t(*shape), r), {}) for shape, r in (((2, 2, 4, 6), 2), ((1, 3, 6), 3), ((0, 4, 2, 2), 1))],
    errors=lambda t: [
        ((t(4, 2), 2), {}, RuntimeError),
        ((t(2, 3, 4), 2), {}, RuntimeError),
        ((t(2, 4, 3), 2), {}, RuntimeError),
        ((t(4, 2, 2), -1), {}, RuntimeError),
    ],
)


def prepare_channels(input, groups):
    need_tensors("channel_shuffle", input=input)
    if input.ndim <= 2:
        raise RuntimeError(f"channel_shuffle expects input with > 2 dims, but got input with sizes {list(input.shape)}")
    groups = positive("channel_shuffle", "groups", groups, "Number of groups to divide channels in must be positive")
    if input.shape[1] % groups:
        raise RuntimeError(
            f"channel_shuffle: Number of channels must be divisible by groups. Got {input.shape[1]} channels and {groups} groups."
        )
    return input, groups


def batch_channels(xp, op, args, batched, size):
    """A batch is more images."""
    input, groups = args
    shape = tuple(input.shape)
    return xp.reshape(xp.call(op, (xp.reshape(input, (size * shape[1], *shape[2:])), groups)), shape)


def declare_channel_shuffle(name, homes):
    op(
        f"{name}(input, groups)",
        "The channels of (N, C, ...) in another order: the first of each group, then the second of each, and so on.",
        vjp={"input": lambda xp, grad, groups: xp.channel_shuffle(grad, max(grad.shape[1] // groups, 1))},
        jvp=LINEAR,
        batch=batch_channels,
        operands=("input",),
        prepare=prepare_channels,
        method=False,
        homes=homes,
        node="ChannelShuffleBackward0",
        samples=lambda t: [
            ((t(2, 6, 2), 3), {}),
            ((t(2, 4, 2, 3), 2), {}),
            ((t(2, 0, 3), 2), {}),
            ((t(1, 3, 2), 1), {}),
        ],
        errors=lambda t: [
            ((t(4, 2), 2), {}, RuntimeError),
            ((t(2, 3, 4), 2), {}, RuntimeError),
            ((t(2, 4, 3), 0), {}, RuntimeError),
        ],
    )


declare_channel_shuffle("channel_shuffle", ("torch", "nn.functional"))
declare_channel_shuffle("native_channel_shuffle", ("torch", "nn.functional"))
