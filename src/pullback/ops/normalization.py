"""Normalisation: of each channel over a batch, of the last dims, of groups of channels; and by the mean square alone.

Batch, layer and group norm are one computation on a *layout*, ``(shape, affine, dims)``: the input, seen in ``shape``,
is shifted and scaled over ``dims``, then by weight and bias, seen in ``affine``. The mean and variance are computed once
and passed along as ``stats``: kernels use them, while the formulas, from which come derivatives of higher order and
those of transforms, compute them from the input.
"""

from ..dtypes import float32
from .batching import full_batch
from .steps import INTERNAL, extent, need_tensors, perform
from .table import TABLE, op, overload

HOME = {"method": False, "homes": ("nn.functional",)}

# For the samples, inputs (2, 3, 4) in the layout of each kind of norm.
LAYOUTS: dict[str, tuple] = {
    "batch": ((2, 3, 4), (3, 1), (0, 2)),
    "layer": ((6, 4), (4,), (1,)),
    "group": ((2, 3, 1, 4), (3, 1, 1), (2, 3)),
}


def formula_mean_and_var(xp, input, layout):
    shape, _, dims = layout
    x = xp.reshape(widened(xp, input), shape)
    mean = xp.mean(x, dims, True)
    return xp.stack([mean, xp.mean(xp.square(x - mean), dims, True)], 0)


mean_and_var = op(
    "mean_and_var(input, layout)",
    "The mean and the variance of each group of elements, stacked.",
    composite=formula_mean_and_var,
    operands=("input",),
    samples=lambda t: [((t(2, 3, 4), LAYOUTS[name]), {}) for name in ("batch", "layer")],
    **INTERNAL,
)


def widened(xp, value):
    return xp.cast(value, float32) if value.dtype.itemsize == 2 else value


def standardised(xp, input, layout, eps):
    """The input, seen in the layout's shape, at mean 0 and variance 1; and what it was multiplied by."""
    shape, _, dims = layout
    x = xp.reshape(widened(xp, input), shape)
    x = x - xp.mean(x, dims, True)
    scale = xp.rsqrt(xp.mean(xp.square(x), dims, True) + eps)
    return x * scale, scale


def affine_map(xp, x, affine, weight, bias):
    if weight is not None:
        x = x * xp.reshape(widened(xp, weight), affine)
    return x if bias is None else x + xp.reshape(widened(xp, bias), affine)


def formula_norm(xp, input, stats, layout, eps, weight=None, bias=None):
    x, _ = standardised(xp, input, layout, eps)
    x = affine_map(xp, x, layout[1], weight, bias)
    return xp.cast(xp.reshape(x, tuple(input.shape)), input.dtype)


def formula_slope(xp, grad, input, stats, layout, eps, weight=None):
    shape, affine, dims = layout
    x, scale = standardised(xp, input, layout, eps)
    flow = affine_map(xp, xp.reshape(widened(xp, grad), shape), affine, weight, None)
    slope = flow - xp.mean(flow, dims, True) - x * xp.mean(flow * x, dims, True)
    return xp.cast(xp.reshape(slope * scale, tuple(input.shape)), input.dtype)


def formula_weight_slope(xp, grad, input, stats, layout, eps):
    x, _ = standardised(xp, input, layout, eps)
    return xp.reshape(xp.sum_to_size(xp.reshape(widened(xp, grad), layout[0]) * x, layout[1]), (-1,))


def pull_bias(xp, grad, layout, bias_shape, bias_dtype):
    grad = xp.reshape(widened(xp, grad), layout[0])
    if layout[1][-1] == 1:  # the inner dim first, for which NumPy is fastest
        grad = xp.sum(grad, (len(layout[0]) - 1,), True)
    return xp.cast(xp.reshape(xp.sum_to_size(grad, layout[1]), bias_shape), bias_dtype)


def pull_weight(xp, grad, input, stats, layout, eps, weight_shape, weight_dtype):
    slope = xp.norm_weight_slope(grad, input, stats, layout, eps)
    return xp.cast(xp.reshape(slope, weight_shape), weight_dtype)


op(
    "norm_slope(grad, input, stats, layout, eps, weight=None)",
    "The gradient of a norm's input.",
    composite=formula_slope,
    operands=("grad", "input", "weight"),
    samples=lambda t: [
        ((t(2, 3, 4), t(2, 3, 4), None, LAYOUTS["batch"], 0.1, t(3)), {}),
        ((t(2, 3, 4), t(2, 3, 4), None, LAYOUTS["layer"], 0.1), {}),
    ],
    **INTERNAL,
)
op(
    "norm_weight_slope(grad, input, stats, layout, eps)",
    "The gradient of a norm's weight, in one dimension.",
    composite=formula_weight_slope,
    operands=("grad", "input"),
    samples=lambda t: [((t(2, 3, 4), t(2, 3, 4), None, LAYOUTS["group"], 0.1), {})],
    **INTERNAL,
)


def norm(name, node, kind):
    """Declare a norm, under PyTorch's name of its node."""
    count = LAYOUTS[kind][1][0]
    return op(
        f"{name}(input, stats, layout, eps, weight=None, bias=None)",
        "The input at mean 0 and variance 1, times a weight, plus a bias.",
        composite=formula_norm,
        operands=("input", "weight", "bias"),
        vjp={
            "input": lambda xp, grad, input, stats, layout, eps, weight: xp.norm_slope(
                grad, input, stats, layout, eps, weight
            ),
            "weight": pull_weight,
            "bias": pull_bias,
        },
        node=node,
        samples=lambda t: [
            ((t(2, 3, 4), None, LAYOUTS[kind], 0.1, t(count), t(count)), {}),
            ((t(2, 3, 4), None, LAYOUTS[kind], 0.1), {}),
        ],
        real=True,
        **INTERNAL,
    )


batch_norm_by_batch = norm("batch_norm_by_batch", "NativeBatchNormBackward0", "batch")
layer_norm = norm("layer_norm_of", "NativeLayerNormBackward0", "layer")
group_norm = norm("group_norm_of", "NativeGroupNormBackward0", "group")


# -- by running statistics ---------------------------------------------------------------------------------------------


def rescaled(xp, weight, var, eps):
    """What batch norm by statistics multiplies by."""
    scale = xp.rsqrt(widened(xp, var) + eps)
    return scale if weight is None else scale * widened(xp, weight)


def formula_by_statistics(xp, input, mean, var, affine, eps, weight=None, bias=None):
    scale = rescaled(xp, weight, var, eps)
    shift = -widened(xp, mean) * scale
    shift = shift if bias is None else shift + widened(xp, bias)
    x = widened(xp, input) * xp.reshape(scale, affine) + xp.reshape(shift, affine)
    return xp.cast(x, input.dtype)


def pull_by_statistics(xp, grad, var, affine, eps, weight, input_dtype):
    scale = xp.reshape(rescaled(xp, weight, var, eps), affine)
    return xp.cast(widened(xp, grad) * scale, input_dtype)


def pull_its_weight(xp, grad, input, mean, var, affine, eps, weight_dtype):
    x = widened(xp, input) - xp.reshape(widened(xp, mean), affine)
    total = xp.reshape(xp.sum_to_size(widened(xp, grad) * x, affine), (-1,))
    return xp.cast(total * xp.rsqrt(widened(xp, var) + eps), weight_dtype)


def pull_its_bias(xp, grad, affine, bias_dtype):
    return xp.cast(xp.reshape(xp.sum_to_size(widened(xp, grad), affine), (-1,)), bias_dtype)


batch_norm_by_statistics = op(
    "batch_norm_by_statistics(input, mean, var, affine, eps, weight=None, bias=None)",
    "The input shifted and scaled by a given mean and variance of each channel, then by a weight and a bias.",
    composite=formula_by_statistics,
    operands=("input", "weight", "bias"),
    vjp={"input": pull_by_statistics, "weight": pull_its_weight, "bias": pull_its_bias},
    node="NativeBatchNormBackward0",
    samples=lambda t: [
        ((t(2, 3, 4), t(3), t(3, low=0.5), (3, 1), 0.1, t(3), t(3)), {}),
        ((t(2, 3), t(3), t(3, low=0.5), (3,), 0.1), {}),
    ],
    real=True,
    **INTERNAL,
)


# -- batch norm --------------------------------------------------------------------------------------------------------


def check_parameter(name, channels, **given):
    """Raise PyTorch's error unless each tensor, where there is one, has an element for each channel."""
    for argument, value in given.items():
        if value is not None and tuple(value.shape) != (channels,):
            raise RuntimeError(f"{name}: {argument} should contain {channels} elements not {extent(value.shape)}")


def check_dtypes(name, input, *others):
    """Raise PyTorch's error unless all have the input's floating dtype, or it is a half and they are float32."""
    if not input.dtype.is_floating_point:
        raise NotImplementedError(f'"{name}" not implemented for {input.dtype}; expected a floating-point tensor')
    for other in others:
        mixed = other is not None and other.dtype is not input.dtype
        if mixed and not (input.dtype.itemsize == 2 and other.dtype is float32):
            raise RuntimeError(
                f"{name}: mixed dtype (CPU): all inputs must share same datatype, but got {input.dtype} and {other.dtype}"
            )


def channel_layout(shape):
    """The layout of each channel of a batch (N, C, ...)."""
    inner = extent(shape[2:])
    if len(shape) == 2:
        return tuple(shape), (shape[1],), (0,)
    return (shape[0], shape[1], inner), (shape[1], 1), (0, 2)


def choose_batch_norm(input, running_mean, running_var, weight, bias, training, momentum, eps):
    need_tensors("batch_norm", input=input)
    shape = tuple(input.shape)
    if training and eps < 0:
        raise ValueError(f"batch_norm eps must be positive during training, but got {eps}")
    if training and len(shape) > 1 and extent((shape[0], *shape[2:])) == 1:
        raise ValueError(f"Expected more than 1 value per channel when training, got input size {list(shape)}")
    check_statistics("batch_norm", shape, running_mean, running_var, training)
    channels = shape[1] if len(shape) > 1 else 0
    check_parameter(
        "batch_norm", channels, running_mean=running_mean, running_var=running_var, weight=weight, bias=bias
    )
    check_dtypes("batch_norm", input, running_mean, running_var, weight, bias)
    if not training:
        affine = (shape[1], *[1] * (len(shape) - 2))
        return batch_norm_by_statistics, (input, running_mean, running_var, affine, eps, weight, bias)
    return by_batch(input, running_mean, running_var, weight, bias, momentum, eps)


def check_statistics(name, shape, mean, var, training):
    if training and (mean is None) != (var is None):
        raise ValueError(f"{name}: running_mean and running_var must either both be None or neither be None")
    if not training and (mean is None or var is None):
        missing = "running_mean" if mean is None else "running_var"
        raise RuntimeError(f"{name}: {missing} must be defined in evaluation mode")
    if len(shape) < 2:
        given = 0 if mean is None else extent(mean.shape)
        raise RuntimeError(
            f"{name}: expected an input (N, C, ...), got shape {list(shape)}: running_mean should contain 0 elements not {given}"
        )


def by_batch(input, running_mean, running_var, weight, bias, momentum, eps):
    """Batch norm by the batch's own statistics, which the running ones follow."""
    layout = channel_layout(tuple(input.shape))
    stats = perform(mean_and_var, input.detach(), layout)
    count = extent(input.shape) / max(input.shape[1], 1)
    if running_mean is not None and count:
        follow(running_mean, stats[0], momentum, 1)
    if running_var is not None and count:
        follow(running_var, stats[1], momentum, count / (count - 1) if count > 1 else 1)
    return batch_norm_by_batch, (input, stats, layout, eps, weight, bias)


def batch_moved(xp, op, args, batched, size):
    if not batched[0]:
        raise RuntimeError(
            "Batch norm got a batched tensor as input while the running_mean or running_var, which will be updated in place, "
            "were not batched. Map them too, or normalise by the batch alone, without running statistics."
        )
    return xp.call(op, (args[0], full_batch(xp, args[1], batched[1], size), *args[2:]))


moved = op(
    "moved_statistic(running, latest, momentum, factor)",
    "A running statistic after it moved towards the latest one.",
    operands=("running", "latest"),
    batch=batch_moved,
    samples=lambda t: [((t(3), t(3), 0.1, 1.25), {})],
    **INTERNAL,
)


def follow(running, latest, momentum, factor):
    """Move a running statistic towards the latest one."""
    running = running.detach()
    latest = latest.reshape(running.shape).to(running.dtype)
    running.copy_(perform(moved, running, latest, momentum, factor))


overload(
    "batch_norm(input, running_mean, running_var, weight=None, bias=None, training=False, momentum=0.1, eps=1e-05)",
    "Each channel of (N, C, ...) at mean 0 and variance 1, then times ``weight`` plus ``bias``. In training the statistics "
    "are the batch's, and the running ones follow them in place, with the unbiased variance; else they are those.",
    choose_batch_norm,
    **HOME,
)


# -- instance norm -----------------------------------------------------------------------------------------------------


def choose_instance_norm(input, running_mean, running_var, weight, bias, use_input_stats, momentum, eps):
    need_tensors("instance_norm", input=input)
    shape = tuple(input.shape)
    if use_input_stats and extent(shape[2:]) == 1:
        raise ValueError(f"Expected more than 1 spatial element when training, got input size {list(shape)}")
    if not use_input_stats and (running_mean is None or running_var is None):
        raise RuntimeError("Expected running_mean and running_var to be defined when use_input_stats is false")
    check_dtypes("instance_norm", input, running_mean, running_var, weight, bias)
    check_parameter(
        "instance_norm", shape[1], running_mean=running_mean, running_var=running_var, weight=weight, bias=bias
    )
    samples = shape[0]
    as_one = input.reshape(1, samples * shape[1], *shape[2:])
    mean, var, *affine = [None if p is None else p.repeat(samples) for p in (running_mean, running_var, weight, bias)]
    step, args = choose_batch_norm(as_one, mean, var, affine[0], affine[1], use_input_stats, momentum, eps)
    for running, each in ((running_mean, mean), (running_var, var)):
        if use_input_stats and each is not None:
            running.detach().copy_(each.reshape(samples, -1).mean(0))
    return None, perform(step, *args).reshape(shape)


overload(
    "instance_norm(input, running_mean=None, running_var=None, weight=None, bias=None, use_input_stats=True, momentum=0.1, "
    "eps=1e-05)",
    "Each channel of each sample of (N, C, ...) at mean 0 and variance 1, then times ``weight`` plus ``bias``.",
    choose_instance_norm,
    **HOME,
)


# -- layer norm, group norm --------------------------------------------------------------------------------------------


def check_normalized_shape(name, input, normalized_shape, **given):
    """Raise PyTorch's error unless the shape is that of the input's last dims, and of the parameters."""
    if not isinstance(normalized_shape, (tuple, list)):
        raise TypeError(
            f"{name}(): argument 'normalized_shape' (position 2) must be tuple of ints, not "
            f"{type(normalized_shape).__name__}"
        )
    shape = tuple(normalized_shape)
    if not shape:
        raise RuntimeError(
            f"{name}: Expected normalized_shape to be at least 1-dimensional, i.e., containing at least one element, but got "
            "normalized_shape = []"
        )
    for argument, value in given.items():
        if value is not None and tuple(value.shape) != shape:
            raise RuntimeError(
                f"{name}: Expected {argument} to be of same shape as normalized_shape, but got {argument} of shape "
                f"{list(value.shape)} and normalized_shape = {list(shape)}"
            )
    if tuple(input.shape[-len(shape) :]) != shape:
        raise RuntimeError(
            f"{name}: Given normalized_shape={list(shape)}, expected input with shape [*, {', '.join(map(str, shape))}], but "
            f"got input of size {list(input.shape)}"
        )
    return shape


def choose_layer_norm(input, normalized_shape, weight, bias, eps):
    need_tensors("layer_norm", input=input)
    shape = check_normalized_shape("layer_norm", input, normalized_shape, weight=weight, bias=bias)
    check_dtypes("layer_norm", input, weight, bias)
    width = extent(shape)
    layout = (extent(input.shape[: input.ndim - len(shape)]), width), (width,), (1,)
    return layer_norm, (input, perform(mean_and_var, input.detach(), layout), layout, eps, weight, bias)


overload(
    "layer_norm(input, normalized_shape, weight=None, bias=None, eps=1e-05)",
    "The last dims, of ``normalized_shape``, at mean 0 and variance 1, then times ``weight`` plus ``bias``.",
    choose_layer_norm,
    **HOME,
)


def choose_group_norm(input, num_groups, weight, bias, eps):
    need_tensors("group_norm", input=input)
    shape = tuple(input.shape)
    if len(shape) < 2:
        raise RuntimeError(f"group_norm: Expected at least 2 dimensions for input tensor but received {len(shape)}")
    if num_groups == 0:
        raise ZeroDivisionError("group_norm: num_groups is 0")
    samples, channels = shape[:2]
    if samples * channels // num_groups * extent(shape[2:]) == 1:
        raise ValueError(f"Expected more than 1 value per channel when training, got input size {list(shape)}")
    if num_groups < 0 or channels % num_groups:
        raise RuntimeError(
            "group_norm: Expected number of channels in input to be divisible by num_groups, but got input of shape "
            f"{list(shape)} and num_groups={num_groups}"
        )
    for name, value in (("weight", weight), ("bias", bias)):
        if value is not None and tuple(value.shape) != (channels,):
            raise RuntimeError(
                f"group_norm: Expected {name} to be a vector of size equal to the number of channels in input, but got {name} "
                f"of shape {list(value.shape)} and input of shape {list(shape)}"
            )
    check_dtypes("group_norm", input, weight, bias)
    layout = group_layout(shape, num_groups)
    return group_norm, (input, perform(mean_and_var, input.detach(), layout), layout, eps, weight, bias)


def group_layout(shape, groups):
    """The layout of groups of the channels of each sample, (N, C, ...)."""
    members = shape[1] // groups
    if len(shape) == 2:
        return (shape[0], groups, members), (groups, members), (2,)
    return (shape[0], groups, members, extent(shape[2:])), (groups, members, 1), (2, 3)


overload(
    "group_norm(input, num_groups, weight=None, bias=None, eps=1e-05)",
    "Groups of the channels of each sample of (N, C, ...) at mean 0 and variance 1, then each channel times its ``weight`` "
    "plus its ``bias``.",
    choose_group_norm,
    **HOME,
)


# -- without a mean ----------------------------------------------------------------------------------------------------


def choose_rms_norm(input, normalized_shape, weight, eps):
    need_tensors("rms_norm", input=input)
    shape = check_normalized_shape("rms_norm", input, normalized_shape, weight=weight)
    if not (input.dtype.is_floating_point or input.dtype.is_complex):
        raise NotImplementedError(f"rms_norm: not implemented for {input.dtype}; expected a floating-point tensor")
    eps = finfo_eps(input) if eps is None else eps
    x = input.to(float32) if input.dtype.itemsize == 2 else input
    dims = tuple(range(-len(shape), 0))
    x = x * (x * x).mean(dims, True).add(eps).rsqrt()
    x = x if weight is None else x * weight
    return None, x.to(input.dtype)


def finfo_eps(input):
    """The spacing of the numbers after 1 in the dtype that the mean square is computed in."""
    return 2.0**-52 if input.dtype.itemsize == 8 else 2.0**-23


overload(
    "rms_norm(input, normalized_shape, weight=None, eps=None)",
    "The last dims, of ``normalized_shape``, divided by the root of their mean square, then times ``weight``.",
    choose_rms_norm,
    homes=("torch", "nn.functional"),
    method=False,
)


def choose_local_response_norm(input, size, alpha, beta, k):
    need_tensors("local_response_norm", input=input)
    if input.ndim < 3:
        raise ValueError(f"Expected 3D or higher dimensionality input (got {input.ndim} dimensions)")
    if 0 in input.shape:
        return None, input
    if size < 1:
        raise RuntimeError(f"local_response_norm: size must be greater than zero, but got {size}")
    below, above = size // 2, (size - 1) // 2
    squares = (input * input).transpose(1, -1)  # padding is of the last dims
    padded = perform(TABLE["constant_pad_nd"], squares, (below, above), 0)
    sums = padded.unfold(-1, size, 1).sum(-1).transpose(1, -1)
    return None, input / (sums * (alpha / size) + k) ** beta


overload(
    "local_response_norm(input, size, alpha=0.0001, beta=0.75, k=1.0)",
    "Each element of (N, C, ...) divided by a power of the sum of squares over ``size`` neighbouring channels.",
    choose_local_response_norm,
    **HOME,
)
