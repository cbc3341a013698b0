"""Convolutions over one, two and three dims, and their transposes.

The sum of ``cotangent * convolution(input, weight)`` is linear in each of its three tensors. Its derivatives with
respect to them are three operations, each bilinear in the other two: ``convolution``, ``convolution_input`` and
``convolution_weight``. The derivatives of each are the other two again, so that every order is there.

Canonical arguments: ``stride`` and ``dilation`` are tuples of ints, ``padding`` a tuple of pairs (before, after), one for
each spatial dim. A tensor without a batch dim has one dim less.
"""

from typing import Any

from .batching import full_batch, logical_ndim
from .products import no_bools, same_dtype
from .steps import INTERNAL, need_tensors, sizes
from .table import BILINEAR, op

# Checks.

WORDS = {1: ("2D", "3D"), 2: ("3D", "4D"), 3: ("4D", "5D")}


def check_rank(name, input, n):
    """Raise unless the input has a channel dim, ``n`` spatial ones, and perhaps one for the batch."""
    if input.ndim not in (n + 1, n + 2):
        unbatched, batched = WORDS[n]
        raise RuntimeError(
            f"Expected {unbatched} (unbatched) or {batched} (batched) input to {name}, but got input of size: {list(input.shape)}"
        )


def check_operands(name, input, weight, bias, n):
    """Raise unless input, weight and bias have the right ranks, one dtype, and a dtype that has products."""
    need_tensors(name, input=input, weight=weight)
    check_rank(name, input, n)
    if weight.ndim != n + 2:
        raise RuntimeError(
            f"{name}: expected weight to have {n + 2} dimensions, but got weight of size {list(weight.shape)}"
        )
    for other, tensor in (("weight", weight), ("bias", bias)):
        if tensor is not None and tensor.dtype is not input.dtype:
            raise RuntimeError(
                f"{name}: Input type ({input.dtype}) and {other} type ({tensor.dtype}) should be the same"
            )
    no_bools(name, input, weight)
    if 0 in weight.shape[2:]:
        raise RuntimeError(
            f"{name}: kernel size should be greater than zero, but got weight of size {list(weight.shape)}"
        )


def check_bias(name, bias, channels, weight):
    if bias is not None and tuple(bias.shape) != (channels,):
        raise RuntimeError(
            f"{name}: Given weight of size {list(weight.shape)}, expected bias to be 1-dimensional with {channels} elements, "
            f"but got bias of size {list(bias.shape)} instead"
        )


def per_dim(name, argument, value, n):
    """An argument of one int, or of one for each spatial dim, as a tuple."""
    if isinstance(value, (tuple, list)) and len(value) not in (1, n):
        raise RuntimeError(
            f"{name}: expected {argument} to be a single integer value or a list of {n} values to match the convolution "
            f"dimensions, but got {argument}={list(value)}"
        )
    return sizes(name, argument, value, n)


def strides_of(name, stride, dilation, n):
    stride, dilation = per_dim(name, "stride", stride, n), per_dim(name, "dilation", dilation, n)
    if min(stride) <= 0:
        raise RuntimeError(f"{name}: non-positive stride is not supported, got stride={list(stride)}")
    if min(dilation) <= 0:
        raise RuntimeError(f"{name}: dilation should be greater than zero, but got {list(dilation)}")
    return stride, dilation


def padding_of(name, padding, kernel, stride, dilation):
    """``padding`` as pairs (before, after)."""
    if isinstance(padding, str):
        if padding not in ("valid", "same"):
            raise RuntimeError(f"{name}: Invalid padding string: '{padding}', should be one of 'valid', 'same'")
        if padding == "valid":
            return ((0, 0),) * len(kernel)
        if max(stride) > 1:
            raise RuntimeError(
                f"{name}: padding='same' is not supported for strided convolutions, got stride={list(stride)}"
            )
        total = [d * (k - 1) for d, k in zip(dilation, kernel, strict=True)]
        return tuple((t // 2, t - t // 2) for t in total)
    padding = per_dim(name, "padding", padding, len(kernel))
    if min(padding) < 0:
        raise RuntimeError(f"{name}: negative padding is not supported, got padding={list(padding)}")
    return tuple((p, p) for p in padding)


def check_groups(name, groups):
    if isinstance(groups, bool) or not hasattr(groups, "__index__"):
        raise TypeError(f"{name}(): argument 'groups' must be int, not {type(groups).__name__}")
    if groups <= 0:
        raise RuntimeError(f"{name}: non-positive groups is not supported, got groups={groups}")


def check_channels(name, input, weight, groups, n):
    out, inner = weight.shape[:2]
    if out < groups or out % groups:
        raise RuntimeError(
            f"{name}: Given groups={groups}, expected weight to be divisible by {groups} at dimension 0, but got weight of size "
            f"{list(weight.shape)} instead"
        )
    channels = input.shape[-n - 1]
    if channels != inner * groups:
        raise RuntimeError(
            f"{name}: Given groups={groups}, weight of size {list(weight.shape)}, expected input{list(input.shape)} to have "
            f"{inner * groups} channels, but got {channels} channels instead"
        )


def check_fit(name, spatial, kernel, padding, dilation):
    """Raise unless the kernel fits into the padded input."""
    padded = [s + before + after for s, (before, after) in zip(spatial, padding, strict=True)]
    reach = [d * (k - 1) + 1 for d, k in zip(dilation, kernel, strict=True)]
    if any(p < r for p, r in zip(padded, reach, strict=True)):
        raise RuntimeError(
            f"{name}: Calculated padded input size per channel: ({' x '.join(map(str, padded))}). Kernel size: "
            f"({' x '.join(map(str, reach))}). Kernel size can't be greater than actual input size"
        )


def prepared(name, n):
    """The preparation of a convolution over ``n`` dims."""

    def prepare(input, weight, bias, stride, padding, dilation, groups):
        check_operands(name, input, weight, bias, n)
        stride, dilation = strides_of(name, stride, dilation, n)
        kernel = tuple(weight.shape[2:])
        padding = padding_of(name, padding, kernel, stride, dilation)
        check_groups(name, groups)
        check_channels(name, input, weight, groups, n)
        check_bias(name, bias, weight.shape[0], weight)
        check_fit(name, input.shape[-n:], kernel, padding, dilation)
        return input, weight, bias, stride, padding, dilation, groups

    return prepare


def prepared_transpose(name, n):
    """The preparation of a transposed convolution over ``n`` dims."""

    def prepare(input, weight, bias, stride, padding, output_padding, groups, dilation):
        check_operands(name, input, weight, bias, n)
        stride, dilation = strides_of(name, stride, dilation, n)
        if isinstance(padding, str):
            raise TypeError(f"{name}(): argument 'padding' must be tuple of ints, not str")
        padding = padding_of(name, padding, tuple(weight.shape[2:]), stride, dilation)
        output_padding = per_dim(name, "output_padding", output_padding, n)
        if min(output_padding) < 0:
            raise RuntimeError(f"{name}: negative output_padding is not supported, got {list(output_padding)}")
        check_groups(name, groups)
        if any(o >= max(s, d) for o, s, d in zip(output_padding, stride, dilation, strict=True)):
            raise RuntimeError(
                f"{name}: output padding must be smaller than either stride or dilation, but got "
                f"output_padding={list(output_padding)}, stride={list(stride)}, dilation={list(dilation)}"
            )
        check_transposed(name, input, weight, bias, groups, n)
        size = transposed_size(input.shape[-n:], weight.shape[2:], stride, padding, output_padding, dilation)
        if min(size) < 1:
            raise RuntimeError(
                f"{name}: Given input size per channel: ({' x '.join(map(str, input.shape[-n:]))}). Calculated output size per "
                f"channel: ({' x '.join(map(str, size))}). Output size is too small"
            )
        return input, weight, bias, stride, padding, output_padding, groups, dilation

    return prepare


def check_transposed(name, input, weight, bias, groups, n):
    channels = input.shape[-n - 1]
    if channels != weight.shape[0] or channels % groups:
        raise RuntimeError(
            f"{name}: Given transposed=1, weight of size {list(weight.shape)}, expected input{list(input.shape)} to have "
            f"{weight.shape[0]} channels, divisible by groups={groups}, but got {channels} channels instead"
        )
    check_bias(name, bias, weight.shape[1] * groups, weight)


def transposed_size(spatial, kernel, stride, padding, output_padding, dilation):
    """The spatial size of a transposed convolution's result."""
    return tuple(
        (i - 1) * s - before - after + d * (k - 1) + o + 1
        for i, k, s, (before, after), o, d in zip(
            spatial, kernel, stride, padding, output_padding, dilation, strict=True
        )
    )


def prepare_bilinear(first, second, *rest):
    same_dtype("convolution", first, second)
    return first, second, *rest


# Rules that the three operations share.


def sum_to_bias(xp, grad, n):
    """The gradient of the bias: sums over all dims but the channels'."""
    channel = grad.ndim - n - 1
    return xp.sum(grad, tuple(d for d in range(grad.ndim) if d != channel))


def as_bias(xp, bias, n):
    """A bias in a shape that broadcasts against the result."""
    return xp.reshape(bias, (*bias.shape, *[1] * n))


def cropped(maps, shape):
    """Images without their last rows and columns, which an output padding wider than the stride leaves out."""
    return maps if tuple(maps.shape) == shape else maps[tuple(slice(size) for size in shape)]


def with_channels(xp, maps, is_batched, size, n):
    """Put the batch into the channels, in front of them: (B, N, C, …) becomes (N, B·C, …)."""
    maps = full_batch(xp, maps, is_batched, size)
    channel = maps.ndim - n - 1
    if channel > 1:
        maps = xp.transpose(maps, 0, 1)
    shape = tuple(maps.shape)
    return xp.reshape(maps, (*shape[: channel - 1], size * shape[channel], *shape[channel + 1 :]))


def without_channels(xp, maps, size, n):
    """The batch out of the channels: (N, B·C, …) becomes (B, N, C, …)."""
    shape, channel = tuple(maps.shape), maps.ndim - n - 1
    maps = xp.reshape(maps, (*shape[:channel], size, shape[channel] // size, *shape[channel + 1 :]))
    return xp.transpose(maps, 0, 1) if channel else maps


def batch_maps(xp, op, args, batched, size):
    """A batch of images is more images; a batch of weights is more groups."""
    args, n = list(args), len(args[op.params.index("stride")])
    bias = None
    if "bias" in op.params:
        position = op.params.index("bias")
        bias, args[position] = args[position], None
        bias_batched = batched[position]
    if batched[1]:
        args[0] = with_channels(xp, args[0], batched[0], size, n)
        args[1] = xp.reshape(args[1], (size * args[1].shape[1], *args[1].shape[2:]))
        groups = op.params.index("groups")
        args[groups] *= size
        result = without_channels(xp, xp.call(op, args), size, n)
    elif batched[0] and logical_ndim(args[0], True) == n + 2:
        shape = tuple(args[0].shape)
        args[0] = xp.reshape(args[0], (size * shape[1], *shape[2:]))
        result = xp.call(op, args)
        result = xp.reshape(result, (size, shape[1], *result.shape[1:]))
    else:
        result = xp.call(op, args)
    if bias is None:
        return result
    bias = as_bias(xp, bias, n)
    if not bias_batched:
        return result + bias
    if not (batched[0] or batched[1]):
        return result + (bias if result.ndim == n + 1 else xp.unsqueeze(bias, 1))
    return result + (bias if result.ndim == n + 2 else xp.unsqueeze(bias, 1))


def batch_weight(xp, op, args, batched, size):
    """A batch of derivatives by the weight is one of more groups."""
    args, n = list(args), len(args[op.params.index("stride")])
    args[0] = with_channels(xp, args[0], batched[0], size, n)
    args[1] = with_channels(xp, args[1], batched[1], size, n)
    args[op.params.index("groups")] *= size
    result = xp.call(op, args)
    return xp.reshape(result, (size, result.shape[0] // size, *result.shape[1:]))


# The operations.

CONVOLUTION: dict[str, Any] = {
    "vjp": {
        "input": lambda xp, grad, weight, stride, padding, dilation, groups, input_shape: xp.convolution_input(
            grad, xp.conj(weight), input_shape[-len(stride) :], stride, padding, dilation, groups
        ),
        "weight": lambda xp, grad, input, stride, padding, dilation, groups, weight_shape: xp.convolution_weight(
            grad, xp.conj(input), weight_shape[2:], stride, padding, dilation, groups
        ),
        "bias": lambda xp, grad, stride: sum_to_bias(xp, grad, len(stride)),
    },
    "jvp": {
        "input": lambda xp, tangent, weight, stride, padding, dilation, groups: xp.convolution(
            tangent, weight, None, stride, padding, dilation, groups
        ),
        "weight": lambda xp, tangent, input, stride, padding, dilation, groups: xp.convolution(
            input, tangent, None, stride, padding, dilation, groups
        ),
        "bias": lambda xp, tangent, stride: as_bias(xp, tangent, len(stride)),
    },
    "product": ("input", "weight"),
    "batch": batch_maps,
    "node": "ConvolutionBackward0",
}
op(
    "convolution(input, weight, bias=None, stride=(1,), padding=((0, 0),), dilation=(1,), groups=1)",
    "The convolution (in truth the cross-correlation) of a batch of images of any number of dims with kernels.",
    samples=lambda t: [
        ((t(2, 2, 4), t(3, 2, 2)), {}),
        ((t(2, 5), t(2, 2, 2), t(2), (2,), ((1, 0),), (1,), 1), {}),
        ((t(2, 5, 4), t(2, 1, 2, 2), t(2), (2, 1), ((0, 1), (1, 1)), (1, 2), 2), {}),
    ],
    prepare=prepare_bilinear,
    **CONVOLUTION,
    **INTERNAL,
)
op(
    "convolution_input(cotangent, weight, size, stride, padding, dilation, groups)",
    "The derivative of a convolution's sum with ``cotangent`` by its input, whose spatial dims are ``size``.",
    vjp={
        "cotangent": lambda xp, grad, weight, stride, padding, dilation, groups, cotangent_shape: cropped(
            xp.convolution(grad, xp.conj(weight), None, stride, padding, dilation, groups), cotangent_shape
        ),
        "weight": lambda xp, grad, cotangent, stride, padding, dilation, groups, weight_shape: xp.convolution_weight(
            xp.conj(cotangent), grad, weight_shape[2:], stride, padding, dilation, groups
        ),
    },
    jvp=BILINEAR,
    operands=("cotangent", "weight"),
    batch=batch_maps,
    prepare=prepare_bilinear,
    samples=lambda t: [
        ((t(2, 3, 3), t(3, 2, 2), (4,), (1,), ((0, 0),), (1,), 1), {}),
        ((t(2, 3), t(2, 2, 2), (5,), (2,), ((1, 0),), (1,), 1), {}),
        ((t(2, 2, 2, 2), t(2, 1, 2, 2), (3, 3), (2, 2), ((0, 1), (1, 1)), (1, 2), 2), {}),
    ],
    **INTERNAL,
)
op(
    "convolution_weight(cotangent, input, size, stride, padding, dilation, groups)",
    "The derivative of a convolution's sum with ``cotangent`` by its weight, whose spatial dims are ``size``.",
    vjp={
        "cotangent": lambda xp, grad, input, stride, padding, dilation, groups, cotangent_shape: cropped(
            xp.convolution(xp.conj(input), grad, None, stride, padding, dilation, groups), cotangent_shape
        ),
        "input": lambda xp, grad, cotangent, stride, padding, dilation, groups, input_shape: xp.convolution_input(
            xp.conj(cotangent), grad, input_shape[-len(stride) :], stride, padding, dilation, groups
        ),
    },
    jvp=BILINEAR,
    operands=("cotangent", "input"),
    batch=batch_weight,
    prepare=prepare_bilinear,
    samples=lambda t: [
        ((t(2, 3, 3), t(2, 2, 4), (2,), (1,), ((0, 0),), (1,), 1), {}),
        ((t(2, 3), t(2, 5), (2,), (2,), ((1, 0),), (1,), 1), {}),
        ((t(2, 2, 2, 2), t(2, 2, 3, 3), (2, 2), (2, 2), ((0, 1), (1, 1)), (1, 2), 2), {}),
    ],
    **INTERNAL,
)
TRANSPOSED = {
    "vjp": {
        "input": lambda xp, grad, weight, stride, padding, groups, dilation, input_shape: cropped(
            xp.convolution(grad, xp.conj(weight), None, stride, padding, dilation, groups), input_shape
        ),
        "weight": lambda xp, grad, input, stride, padding, groups, dilation, weight_shape: xp.convolution_weight(
            xp.conj(input), grad, weight_shape[2:], stride, padding, dilation, groups
        ),
        "bias": CONVOLUTION["vjp"]["bias"],
    },
    "jvp": {
        "input": lambda xp, tangent, weight, stride, padding, groups, dilation, result_shape: xp.convolution_input(
            tangent, weight, result_shape[-len(stride) :], stride, padding, dilation, groups
        ),
        "weight": lambda xp, tangent, input, stride, padding, groups, dilation, result_shape: xp.convolution_input(
            input, tangent, result_shape[-len(stride) :], stride, padding, dilation, groups
        ),
        "bias": CONVOLUTION["jvp"]["bias"],
    },
    "product": ("input", "weight"),
    "batch": batch_maps,
    "node": "ConvolutionBackward0",
}


def samples_of(n):
    """Sample calls of a convolution over ``n`` dims."""

    def samples(t):
        image, kernel = (5, 4, 3)[:n], (2, 3, 2)[:n]
        return [
            ((t(2, 2, *image), t(3, 2, *kernel), t(3)), {}),
            ((t(2, 2, *image), t(2, 1, *kernel)), {"padding": 1, "groups": 2, "stride": 2}),
            ((t(1, 2, *image), t(2, 2, *[2] * n), t(2)), {"dilation": 2, "padding": (1,) * n}),
            ((t(1, 1, *image), t(2, 1, *kernel)), {"padding": "same"}),
            ((t(2, 2, *image), t(3, 2, *[1] * n), t(3)), {"padding": "valid"}),
            ((t(0, 2, *image), t(3, 2, *kernel), t(3)), {}),
        ]

    return samples


def errors_of(n):
    def errors(t):
        image, kernel = (5, 4, 3)[:n], (2, 3, 2)[:n]
        return [
            ((t(*image[1:], 2), t(3, 2, *kernel)) if n > 1 else (t(4), t(3, 2, 2)), {}, RuntimeError),
            ((t(1, 3, *image), t(3, 2, *kernel)), {}, RuntimeError),
            ((t(1, 2, *image), t(3, 2, *kernel), t(2)), {}, RuntimeError),
            ((t(1, 2, *image), t(3, 2, *[7] * n)), {}, RuntimeError),
            ((t(1, 2, *image), t(3, 2, *kernel)), {"stride": 0}, RuntimeError),
            ((t(1, 2, *image), t(3, 2, *kernel)), {"padding": -1}, RuntimeError),
            ((t(1, 2, *image), t(3, 2, *kernel)), {"padding": "some"}, RuntimeError),
            ((t(1, 2, *image), t(3, 2, *kernel)), {"padding": "same", "stride": 2}, RuntimeError),
            ((t(1, 2, *image), t(3, 2, *kernel, dtype="float32")), {}, RuntimeError),
        ]

    return errors


def transposed_samples_of(n):
    """Sample calls of a transposed convolution over ``n`` dims."""

    def samples(t):
        image, kernel = (3, 2, 2)[:n], (2, 3, 2)[:n]
        return [
            ((t(2, 3, *image), t(3, 2, *kernel), t(2)), {}),
            ((t(2, 2, *image), t(2, 1, *kernel), t(2)), {"groups": 2, "stride": 2, "output_padding": 1}),
            ((t(1, 2, *image), t(2, 2, *[2] * n)), {"dilation": 2, "padding": 1}),
            ((t(0, 3, *image), t(3, 2, *kernel)), {}),
        ]

    return samples


def transposed_errors_of(n):
    def errors(t):
        image, kernel = (3, 2, 2)[:n], (2, 3, 2)[:n]
        return [
            ((t(1, 2, *image), t(3, 2, *kernel)), {}, RuntimeError),
            ((t(1, 3, *image), t(3, 2, *kernel)), {"output_padding": 1}, RuntimeError),
            ((t(1, 3, *image), t(3, 2, *kernel), t(3)), {}, RuntimeError),
        ]

    return errors


FORMS = {"method": False, "homes": ("torch", "nn.functional")}
for n in (1, 2, 3):
    op(
        f"conv{n}d(input, weight, bias=None, stride=1, padding=0, dilation=1, groups=1)",
        f"The convolution (in truth the cross-correlation) of a batch of inputs, (N, C, …) with {n} spatial dims, or of one "
        "without N, with kernels ``weight`` of shape (out, C / groups, …). ``padding`` is by zeros: numbers, or ``'same'`` or "
        "``'valid'``. In and out channels are split into ``groups`` that do not meet.",
        prepare=prepared(f"conv{n}d", n),
        samples=samples_of(n),
        errors=errors_of(n),
        **CONVOLUTION,
        **FORMS,
    )
    op(
        f"conv_transpose{n}d(input, weight, bias=None, stride=1, padding=0, output_padding=0, groups=1, dilation=1)",
        f"The transpose of the convolution over {n} dims, as a linear map: from its results' shape to its inputs'. ``weight`` "
        "has the shape (C, out / groups, …); ``output_padding`` decides among the shapes that the convolution takes to this one.",
        prepare=prepared_transpose(f"conv_transpose{n}d", n),
        samples=transposed_samples_of(n),
        errors=transposed_errors_of(n),
        **TRANSPOSED,
        **FORMS,
    )
