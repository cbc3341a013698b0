"""Further forms of convolutions: of any number of dims and either direction, and with the time first."""

from .products import same_dtype
from .steps import need_tensors
from .table import TABLE, composite, overload


def ints(argument, value):
    """A list of ints; raises unless it is one."""
    if not isinstance(value, (tuple, list)):
        raise TypeError(f"convolution(): argument '{argument}' must be tuple of ints, not {type(value).__name__}")
    return tuple(value)


def choose_convolution(input, weight, bias, stride, padding, dilation, transposed, output_padding, groups):
    need_tensors("convolution", input=input, weight=weight)
    n = weight.ndim - 2
    stride, padding, dilation = ints("stride", stride), ints("padding", padding), ints("dilation", dilation)
    if n < 1:
        raise RuntimeError(
            f"convolution: weight should have at least three dimensions, but got one of size {list(weight.shape)}"
        )
    if input.ndim != weight.ndim:
        raise RuntimeError(
            f"convolution: Expected {n + 2}-dimensional input for {n + 2}-dimensional weight {list(weight.shape)}, but got "
            f"{input.ndim}-dimensional input of size {list(input.shape)} instead"
        )
    if n > 3:
        raise RuntimeError(f"convolution: at most three spatial dims are supported, but weight has {n}")
    if transposed:
        output_padding = ints("output_padding", output_padding)
        args = (input, weight, bias, stride, padding, output_padding, groups, dilation)
        return TABLE[f"conv_transpose{n}d"], args
    return TABLE[f"conv{n}d"], (input, weight, bias, stride, padding, dilation, groups)


overload(
    "convolution_in_torch(input, weight, bias, stride, padding, dilation, transposed, output_padding, groups)",
    "The convolution of a batch of inputs with one to three spatial dims, or its transpose where ``transposed``.",
    choose_convolution,
    method=False,
    homes=("torch:convolution",),
)


def prepare_tbc(input, weight, bias, pad):
    need_tensors("conv_tbc", input=input, weight=weight, bias=bias)
    same_dtype("conv_tbc", input, weight)
    same_dtype("conv_tbc", input, bias)
    shapes = f"got input {list(input.shape)}, weight {list(weight.shape)} and bias {list(bias.shape)}"
    if input.ndim != 3:
        raise RuntimeError(f"conv_tbc: Input must have 3 dims: time, batch, in_channel; {shapes}")
    if weight.ndim != 3:
        raise RuntimeError(
            f"conv_tbc: Weight tensor must have 3 dims: kernel_width, in_channels, out_channels; {shapes}"
        )
    if input.shape[2] != weight.shape[1]:
        raise RuntimeError(f"conv_tbc: Input dim 2 (input channels) is not == dim 1 in the weight tensor; {shapes}")
    if tuple(bias.shape) != (weight.shape[2],):
        raise RuntimeError(f"conv_tbc: Bias size must equal dim 2 in the weight tensor (output channels); {shapes}")
    if input.shape[0] + 2 * pad - weight.shape[0] + 1 < 0:
        raise RuntimeError(
            f"conv_tbc: the kernel is wider than the padded input, of which a negative dimension comes; {shapes}"
        )
    return input, weight, bias, pad


composite(
    "conv_tbc(input, weight, bias, pad=0)",
    "The convolution over time of (time, batch, channels) with kernels (width, channels, out), padded by ``pad`` zeros.",
    lambda xp, input, weight, bias, pad: xp.permute(
        xp.conv1d(xp.permute(input, (1, 2, 0)), xp.permute(weight, (2, 1, 0)), bias, (1,), ((pad, pad),), (1,), 1),
        (2, 0, 1),
    ),
    operands=("input", "weight", "bias"),
    prepare=prepare_tbc,
    method=False,
    homes=("torch", "nn.functional"),
    samples=lambda t: [((t(4, 2, 3), t(2, 3, 2), t(2)), {}), ((t(2, 1, 2), t(3, 2, 2), t(2), 1), {})],
    errors=lambda t: [
        ((t(4, 2), t(2, 3, 2), t(2)), {}, RuntimeError),
        ((t(4, 2, 3), t(2, 3), t(2)), {}, RuntimeError),
        ((t(4, 2, 3), t(2, 2, 2), t(2)), {}, RuntimeError),
        ((t(4, 2, 3), t(2, 3, 2), t(3)), {}, RuntimeError),
        ((t(4, 2, 3), t(6, 3, 2), t(2)), {}, RuntimeError),
    ],
)
