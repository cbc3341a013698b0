"""Fractional max pooling (Graham 2014): windows at random steps, so that sizes shrink by any factor.

The steps of a channel follow from one random number for each dim, drawn by an operation of its own: derivatives see the
numbers that the value saw, and vmap draws for each element of the batch.
"""

from .checks import FLOATING
from .pooling import at_indices, batch_images, to_indices
from .sampling import each_element
from .steps import INTERNAL, need_tensors, perform, sizes
from .table import op, overload

fractional_samples = op(
    "fractional_samples(input, dims, generator=None)",
    "For each channel of images with so many ``dims``, a random number in [0, 1) for each dim.",
    operands=("input",),
    batch=each_element,
    samples=lambda t: [],
    **INTERNAL,
)


def wanted_size(name, input, output_size, output_ratio, n):
    """The output size: as asked for, or by its ratio to the input's."""
    if output_size is None and output_ratio is None:
        raise ValueError(f"{name} requires specifying either an output_size or an output_ratio")
    if output_size is not None:
        return sizes(name, "output_size", output_size, n)
    ratios = output_ratio if isinstance(output_ratio, (tuple, list)) else (output_ratio,) * n
    return tuple(int(size * ratio) for size, ratio in zip(input.shape[-n:], ratios, strict=True))


def check_fractional(name, input, kernel, wanted, n):
    """Raise PyTorch's error unless the windows fit into floating images."""
    shape = tuple(input.shape)
    if len(shape) not in (n + 1, n + 2) or 0 in shape[-n - 1 :]:
        raise RuntimeError(
            f"{name}: Expected input to be {n + 1}D or {n + 2}D, with non-zero size for non-batch dimensions, but got "
            f"{list(shape)}"
        )
    for size, k, count in zip(shape[-n:], kernel, wanted, strict=True):
        if count + k - 1 > size - (n == 3):  # as PyTorch has it
            raise RuntimeError(
                f"{name}: pool of size {k} too large relative to input of size {size}, for {count} windows"
            )
    if input.dtype.category != FLOATING:
        raise NotImplementedError(f"{name}: not implemented for {input.dtype}; expected a floating dtype")


def fitting_samples(name, input, samples, n):
    """The random numbers that were given, for each channel; raises PyTorch's error unless there are enough."""
    lead = tuple(input.shape[:-n])
    if samples.dtype is not input.dtype:
        raise RuntimeError(f"{name}: Expect _random_samples to have the same dtype as input")
    full = (1, *lead)[-2:]
    if samples.ndim != 3 or samples.shape[0] < full[0] or tuple(samples.shape[1:]) != (full[1], n):
        raise RuntimeError(
            f"{name}: Expect _random_samples.size(0) no less then input batch size, and its shape to be {[*full, n]}, but got "
            f"{list(samples.shape)}"
        )
    return samples[: full[0]].reshape((*lead, n))


def declare(n):
    name, image = f"fractional_max_pool{n}d", (5, 4, 4)[:n]
    step = op(
        f"{name}_by(input, kernel_size, output_size, samples)",
        "The maximum of windows at steps that follow from random numbers, and where it is.",
        outputs=("values", "indices"),
        vjp={
            "input": lambda xp, grad, indices, output_size, input_shape: to_indices(
                xp, grad, indices, input_shape, input_shape[: -len(output_size)]
            )
        },
        jvp={
            "input": lambda xp, tangent, indices, output_size, input_shape: (
                at_indices(xp, tangent, indices, input_shape[: -len(output_size)]),
            )
        },
        operands=("input",),
        batch=batch_images,
        real=True,
        node=f"FractionalMaxPool{n}DBackward0",
        samples=lambda t: [
            ((t(2, 2, *image), (2,) * n, (3, 2, 2)[:n], t(2, 2, n, low=0, high=1)), {}),
            ((t(2, *image), (2, 3, 1)[:n], (1, 2, 3)[:n], t(2, n, low=0, high=1)), {}),
        ],
        **INTERNAL,
    )

    def pooled(input, kernel_size, output_size, output_ratio, samples):
        need_tensors(name, input=input)
        kernel = sizes(name, "kernel_size", kernel_size, n)
        wanted = wanted_size(name, input, output_size, output_ratio, n)
        check_fractional(name, input, kernel, wanted, n)
        drawn = (
            perform(fractional_samples, input.detach(), n, None)
            if samples is None
            else fitting_samples(name, input, samples, n)
        )
        return perform(step, input, kernel, wanted, drawn)

    def choose(input, kernel_size, output_size, output_ratio, return_indices, samples):
        values, indices = pooled(input, kernel_size, output_size, output_ratio, samples)
        return None, (values, indices) if return_indices else values

    def choose_both(input, kernel_size, output_size, output_ratio, return_indices, samples):
        return None, tuple(pooled(input, kernel_size, output_size, output_ratio, samples))

    for public, chooser, more in (
        (name, choose, "with ``return_indices`` also"),
        (f"{name}_with_indices", choose_both, "and"),
    ):
        overload(
            f"{public}(input, kernel_size, output_size=None, output_ratio=None, return_indices=False, _random_samples=None)",
            f"The maximum of windows at random steps, ``output_size`` of them or ``output_ratio`` of the input's size; {more} "
            "where each is, as an index into the flattened spatial dims.",
            chooser,
            method=False,
            homes=("nn.functional",),
        )


declare(2)
declare(3)
