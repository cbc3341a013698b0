"""``unfold`` takes the windows of an image apart into columns; ``fold``, its transpose, adds columns up to an image.

Canonical arguments are pairs of ints, for height and width.
"""

from .checks import INTEGER
from .shape import trailing
from .steps import INTERNAL, need_tensors, sizes
from .table import LINEAR, TABLE, op, overload

PARAMS = ("kernel_size", "dilation", "padding", "stride")
SETTINGS = ((2, 2), (1, 2), (1, 0), (2, 1))


op(
    "im2col(input, kernel_size, dilation, padding, stride)",
    "The windows of images (..., C, H, W), as columns (..., C * kernel, places).",
    vjp={
        "input": lambda xp, grad, kernel_size, dilation, padding, stride, input_shape: xp.col2im(
            grad, input_shape[-2:], kernel_size, dilation, padding, stride
        )
    },
    jvp=LINEAR,
    batch=trailing,
    operands=("input",),
    node="Im2ColBackward0",
    samples=lambda t: [((t(2, 3, 4, 5), *SETTINGS), {}), ((t(2, 3, 3), (2, 1), (1, 1), (0, 0), (1, 1)), {})],
    **INTERNAL,
)
op(
    "col2im(input, output_size, kernel_size, dilation, padding, stride)",
    "Images (..., C, *output_size) that are sums of windows, given as columns (..., C * kernel, places).",
    vjp={
        "input": lambda xp, grad, kernel_size, dilation, padding, stride: xp.im2col(
            grad, kernel_size, dilation, padding, stride
        )
    },
    jvp=LINEAR,
    batch=trailing,
    operands=("input",),
    node="Col2ImBackward0",
    samples=lambda t: [
        ((t(2, 12, 9), (4, 5), *SETTINGS), {}),
        ((t(6, 6), (3, 3), (2, 1), (1, 1), (0, 0), (1, 1)), {}),
    ],
    **INTERNAL,
)


# -- arguments ---------------------------------------------------------------------------------------------------------


def check_input(name, input, ndim, words):
    """Raise PyTorch's error unless there are images or columns of a dtype that has such kernels."""
    need_tensors(name, input=input)
    shape = tuple(input.shape)
    if len(shape) not in (ndim, ndim + 1) or 0 in shape[len(shape) - ndim :]:
        raise RuntimeError(
            f"{name}: Expected {ndim}D or {ndim + 1}D (batch mode) tensor with possibly 0 batch size and other non-zero "
            f"dimensions for input, {words}, but got: {list(shape)}"
        )
    if input.dtype.category == INTEGER:
        raise NotImplementedError(f"{name}: not implemented for {input.dtype}; expected a floating or complex dtype")


def pair(name, argument, value):
    """An argument that is an int, or one each for height and width."""
    if isinstance(value, (tuple, list)) and len(value) != 2:
        raise RuntimeError(f"{name}: It is expected {argument} equals to 2, but got size {len(value)}")
    return sizes(name, argument, value, 2)


def windows_of(name, *given):
    """Kernel size, dilation, padding and stride as pairs, checked."""
    found = [pair(name, argument, value) for argument, value in zip(PARAMS, given, strict=True)]
    for argument, value in zip(PARAMS, found, strict=True):
        if min(value) < (argument != "padding"):
            words = "non-negative" if argument == "padding" else "greater than zero"
            raise RuntimeError(f"{name}: {argument.replace('_', ' ')} should be {words}, but got {argument}={value}")
    return found


def places_of(spatial, kernel, dilation, padding, stride):
    """How many windows there are along height and width."""
    return tuple(
        (n + 2 * p - d * (k - 1) - 1) // s + 1
        for n, k, d, p, s in zip(spatial, kernel, dilation, padding, stride, strict=True)
    )


def described(**settings):
    return ", ".join(f"{name}={value}" for name, value in settings.items())


def choose_unfold(input, kernel_size, dilation, padding, stride):
    settings = windows_of("unfold", kernel_size, dilation, padding, stride)
    check_input("unfold", input, 3, "images (N, C, H, W) or (C, H, W)")
    places = places_of(input.shape[-2:], *settings)
    if min(places) < 1:
        raise RuntimeError(
            f"unfold: Given input with spatial size {tuple(input.shape[-2:])}, "
            f"{described(**dict(zip(PARAMS, settings, strict=True)))}, calculated shape of the array of sliding blocks as "
            f"{places}, but its components must be at least one."
        )
    return TABLE["im2col"], (input, *settings)


def choose_fold(input, output_size, kernel_size, dilation, padding, stride):
    output_size = pair("fold", "output_size", output_size)
    settings = windows_of("fold", kernel_size, dilation, padding, stride)
    check_input("fold", input, 2, "columns (N, C * kernel, places) or without N")
    kernel = settings[0]
    rows, columns = input.shape[-2:]
    if rows % (kernel[0] * kernel[1]):
        raise RuntimeError(
            f"fold: Expected size of input's dimension {input.ndim - 2} to be divisible by the product of kernel_size, but got "
            f"input.size({input.ndim - 2})={rows} and kernel_size={kernel}."
        )
    places = places_of(output_size, *settings)
    if places[0] * places[1] != columns or min(places) < 1:
        raise RuntimeError(
            f"fold: Given output_size={output_size}, {described(**dict(zip(PARAMS, settings, strict=True)))}, expected size of "
            f"input's dimension {input.ndim - 1} to match the calculated number of sliding blocks {places[0]} * {places[1]} = "
            f"{places[0] * places[1]}, but got input.size({input.ndim - 1})={columns}."
        )
    return TABLE["col2im"], (input, output_size, *settings)


HOME = {"method": False, "homes": ("nn.functional",)}
overload(
    "unfold(input, kernel_size, dilation=1, padding=0, stride=1)",
    "The windows of images (N, C, H, W), or of one without N, as columns: (N, C * kernel, places).",
    choose_unfold,
    **HOME,
)
overload(
    "fold(input, output_size, kernel_size, dilation=1, padding=0, stride=1)",
    "The transpose of ``nn.functional.unfold``: images (N, C, *output_size) in which the elements of columns "
    "(N, C * kernel, places) are summed at the places that they come from.",
    choose_fold,
    **HOME,
)
