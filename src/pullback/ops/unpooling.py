"""Max unpooling: zeros with elements put back at the places that a max pooling took them from."""

from .checks import FLOATING
from .pooling import at_indices, batch_images
from .steps import INTERNAL, extent, need_tensors, sizes
from .table import LINEAR, op, overload

NODES = {1: "SqueezeBackward1", 2: "MaxUnpool2DBackward0", 3: "MaxUnpool3DBackward0"}


def sizes_of(name, input, kernel_size, stride, padding, output_size, n):
    """The spatial dims of the result: those asked for, or the smallest that the pooling can have had."""
    kernel = sizes(name, "kernel_size", kernel_size, n)
    stride = kernel if stride is None else sizes(name, "stride", stride, n)
    padding = sizes(name, "padding", padding, n)
    own = tuple(
        (size - 1) * s + k - 2 * p for size, k, s, p in zip(input.shape[-n:], kernel, stride, padding, strict=True)
    )
    if output_size is None:
        return own
    if len(output_size) not in (n, n + 2):
        raise ValueError(
            f"{name}: output_size should be a sequence containing {n} or {n + 2} elements, but it has a length of "
            f"'{len(output_size)}'"
        )
    wanted = tuple(output_size)[-n:]
    for d, (size, default, step) in enumerate(zip(wanted, own, stride, strict=True)):
        if not default - step < size < default + step:
            raise ValueError(
                f'{name}: invalid output_size "{wanted}" (dim {d} must be between {default - step} and {default + step})'
            )
    return wanted


def check_unpooling(name, input, indices, n):
    """Raise PyTorch's error unless there is an int64 index for each element of floating images."""
    need_tensors(name, input=input, indices=indices)
    if indices.dtype.name != "int64":
        raise RuntimeError(f"{name}: elements in indices should be type int64 but got: {indices.dtype}")
    if input.ndim not in (n + 1, n + 2):
        raise RuntimeError(
            f"{name}: Input to max_unpooling{n}d should be a {n + 1}d or {n + 2}d Tensor, but got a tensor with {input.ndim} "
            "dimensions."
        )
    if input.shape != indices.shape:
        raise RuntimeError(
            f"{name}: Expected shape of indices to be same as that of the input tensor ({list(input.shape)}) but got indices "
            f"tensor with shape: {list(indices.shape)}"
        )
    if 0 in input.shape[-n - 1 :]:
        raise RuntimeError(
            f"{name}: Expected input to have non-zero size for non-batch dimensions, but got {list(input.shape)}"
        )
    if input.dtype.category != FLOATING:
        raise NotImplementedError(f"{name}: not implemented for {input.dtype}; expected a floating dtype")


def declare(n):
    name, size = f"max_unpool{n}d", (4, 3, 2)[:n]
    step = op(
        f"unpool{n}d(input, indices, output_size)",
        "Zeros of spatial dims ``output_size`` with elements at indices into the flattened spatial dims.",
        vjp={
            "input": lambda xp, grad, indices, input_shape, output_size: at_indices(
                xp, grad, indices, input_shape[: -len(output_size)]
            )
        },
        jvp=LINEAR,
        batch=batch_images,
        operands=("input",),
        real=True,
        node=NODES[n],
        samples=lambda t: [((t(2, 3, *[1] * (n - 1)), distinct_indices(t, n, size), size), {})],
        **INTERNAL,
    )

    def choose(input, indices, kernel_size, stride, padding, output_size):
        check_unpooling(name, input, indices, n)
        return step, (input, indices, sizes_of(name, input, kernel_size, stride, padding, output_size, n))

    overload(
        f"{name}(input, indices, kernel_size, stride=None, padding=0, output_size=None)",
        "Zeros with the elements of ``input`` at the ``indices`` that max pooling with the same window gave; ``output_size`` "
        "decides among the sizes that it takes to this one.",
        choose,
        method=False,
        homes=("nn.functional",),
    )


def distinct_indices(t, n, size):
    """Indices of shape (2, 3, 1, ...), no two of a channel equal."""
    return t.permutation(extent(size))[:3].reshape((1, 3, *[1] * (n - 1))).repeat((2, *[1] * n))


for n in (1, 2, 3):
    declare(n)
