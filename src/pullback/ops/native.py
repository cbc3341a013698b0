"""Operations of ``nn.functional`` in the forms that ``torch`` itself has, with other arguments, or with more results.

Everything here is a call of other operations, whose rules it has.
"""

from math import prod

from .convolution import prepared
from .normalization import choose_batch_norm, choose_group_norm, choose_instance_norm, choose_layer_norm
from .shape import sizes
from .steps import perform
from .table import TABLE, overload
from .writing import needs_tensor


def form(signature, doc, choose, home=None):
    """Declare a function of torch; ``home`` is its name there where the table has another of that name."""
    overload(signature, doc, choose, method=False, homes=(f"torch:{home}" if home else "torch",))


# -- normalisation -----------------------------------------------------------------------------------------------------

form(
    "torch_batch_norm(input, weight, bias, running_mean, running_var, training, momentum, eps, cudnn_enabled=False)",
    "Each channel at mean 0 and variance 1, by the batch or by running statistics, as ``nn.functional.batch_norm`` does it.",
    lambda input, weight, bias, mean, var, training, momentum, eps, _: choose_batch_norm(
        input, mean, var, weight, bias, training, momentum, eps
    ),
    "batch_norm",
)
form(
    "torch_instance_norm(input, weight, bias, running_mean, running_var, use_input_stats, momentum, eps, "
    "cudnn_enabled=False)",
    "Each channel of each sample at mean 0 and variance 1, as ``nn.functional.instance_norm`` does it.",
    lambda input, weight, bias, mean, var, use_input_stats, momentum, eps, _: choose_instance_norm(
        input, mean, var, weight, bias, use_input_stats, momentum, eps
    ),
    "instance_norm",
)
form(
    "torch_layer_norm(input, normalized_shape, weight=None, bias=None, eps=1e-05, cudnn_enable=True)",
    "The last dims at mean 0 and variance 1, as ``nn.functional.layer_norm`` does it.",
    lambda *args: choose_layer_norm(*args[:-1]),
    "layer_norm",
)
form(
    "torch_group_norm(input, num_groups, weight=None, bias=None, eps=1e-05, cudnn_enabled=True)",
    "Groups of channels at mean 0 and variance 1, as ``nn.functional.group_norm`` does it.",
    lambda *args: choose_group_norm(*args[:-1]),
    "group_norm",
)


def standardized(input, dims, eps):
    """The input at mean 0 and variance 1 over dims; with the mean and one over the deviation, which keep those dims."""
    mean = input.mean(dims, True)
    scale = (input.var(dims, correction=0, keepdim=True) + eps).rsqrt()
    return (input - mean) * scale, mean, scale


def affine(value, weight, bias):
    value = value if weight is None else value * weight
    return value if bias is None else value + bias


def choose_native_layer_norm(input, normalized_shape, weight, bias, eps):
    choose_layer_norm(input, normalized_shape, weight, bias, eps)  # for its checks
    value, *statistics = standardized(input, tuple(range(-len(sizes("layer_norm", "shape", normalized_shape)), 0)), eps)
    return None, (affine(value, weight, bias), *statistics)


form(
    "native_layer_norm(input, normalized_shape, weight, bias, eps)",
    "As ``layer_norm``, with the mean and one over the standard deviation.",
    choose_native_layer_norm,
)


def choose_native_group_norm(input, weight, bias, N, C, HxW, group, eps):
    if C % group or prod(input.shape) != N * C * HxW:
        raise RuntimeError(
            f"native_group_norm: Expected number of channels in input to be divisible by num_groups, and {N} * {C} * {HxW} "
            f"elements, but got input of shape {list(input.shape)} and num_groups={group}"
        )
    value, mean, scale = standardized(input.reshape(N, group, -1), (2,), eps)
    channels = (1, C, *[1] * (input.ndim - 2))
    weight, bias = (None if p is None else p.reshape(channels) for p in (weight, bias))
    return None, (affine(value.reshape(input.shape), weight, bias), mean.reshape(N, group), scale.reshape(N, group))


form(
    "native_group_norm(input, weight, bias, N, C, HxW, group, eps)",
    "As ``group_norm``, with the mean and one over the standard deviation of each group.",
    choose_native_group_norm,
)


def choose_native_batch_norm(input, weight, bias, running_mean, running_var, training, momentum, eps):
    """Statistics of the batch are updated as in ``batch_norm``, and given back; those that run are not."""
    step, args = choose_batch_norm(input, running_mean, running_var, weight, bias, training, momentum, eps)
    dims = tuple(d for d in range(input.ndim) if d != 1)
    result = perform(step, *args)
    if not training:
        return None, (result, input.new_zeros(0), input.new_zeros(0))
    _, mean, scale = standardized(input.detach(), dims, eps)
    return None, (result, mean.reshape(-1), scale.reshape(-1))


form(
    "native_batch_norm(input, weight, bias, running_mean, running_var, training, momentum, eps)",
    "As ``batch_norm``, with the mean and one over the standard deviation of the batch's channels.",
    choose_native_batch_norm,
)


# -- convolution -------------------------------------------------------------------------------------------------------


def choose_convolution(input, weight, bias, stride, padding, dilation, transposed, output_padding, groups):
    n = weight.ndim - 2
    if input.ndim != weight.ndim or n not in (1, 2, 3):
        raise RuntimeError(
            f"convolution: Expected {weight.ndim}-dimensional input for {weight.ndim}-dimensional weight "
            f"{list(weight.shape)}, but got {input.ndim}-dimensional input of size {list(input.shape)} instead"
        )
    if transposed:
        return TABLE[f"conv_transpose{n}d"], (input, weight, bias, stride, padding, output_padding, groups, dilation)
    return TABLE[f"conv{n}d"], (input, weight, bias, stride, padding, dilation, groups)


form(
    "torch_convolution(input, weight, bias, stride, padding, dilation, transposed, output_padding, groups)",
    "A convolution, or its transpose, over as many dims as ``weight`` has beyond two.",
    choose_convolution,
    "convolution",
)


def choose_conv_tbc(input, weight, bias, pad=0):
    for name, each in (("input", input), ("weight", weight), ("bias", bias)):
        needs_tensor("conv_tbc", name, 1, each)
    if input.ndim != 3:
        raise RuntimeError(
            f"conv_tbc: Input must have 3 dims: time, batch, in_channel; its shape is {list(input.shape)}"
        )
    if weight.ndim != 3:
        raise RuntimeError(
            f"conv_tbc: Weight tensor must have 3 dims: kernel_width, in_channels, out_channels; not {weight.ndim}"
        )
    if input.shape[2] != weight.shape[1]:
        raise RuntimeError(
            f"conv_tbc: Input dim 2 (input channels) is not == dim 1 in the weight tensor: {input.shape[2]}, "
            f"{weight.shape[1]}"
        )
    if tuple(bias.shape) != (weight.shape[2],):
        raise RuntimeError(
            f"conv_tbc: Bias size must equal dim 2 in the weight tensor (output channels), {weight.shape[2]}, not "
            f"{list(bias.shape)}"
        )
    args = prepared("conv1d", 1)(input.permute(1, 2, 0), weight.permute(2, 1, 0), bias, 1, pad, 1, 1)
    return None, perform(TABLE["conv1d"], *args).permute(2, 0, 1)


overload(
    "conv_tbc(input, weight, bias, pad=0)",
    "A convolution over the first dimension of a (time, batch, channel) input, with kernels of (width, in, out) channels.",
    choose_conv_tbc,
    method=False,
    homes=("torch", "nn.functional"),
)
