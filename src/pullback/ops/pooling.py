"""Pooling: the maximum or the mean of each window of an image, over one, two or three dims.

Windows are over the last dims; all others are a batch. Where a window's maximum is a tie, the first has the gradient.
Canonical arguments: ``kernel_size``, ``stride``, ``padding`` and ``dilation`` are tuples with one int for each dim.
"""

from math import prod

from .batching import full_batch
from .checks import BOOL, COMPLEX, FLOATING
from .steps import INTERNAL, need_tensors, perform, sizes
from .table import LINEAR, TABLE, op, overload

# Sizes and checks.


def pooled_size(spatial, kernel, stride, padding, dilation, ceil_mode):
    """How many windows there are along each dim; with ``ceil_mode``, also such that begin inside and reach over the end."""
    found = []
    for size, k, s, p, d in zip(spatial, kernel, stride, padding, dilation, strict=True):
        room = size + 2 * p - d * (k - 1) - 1
        count = (-(-room // s) if ceil_mode else room // s) + 1
        if ceil_mode and (count - 1) * s >= size + p:
            count -= 1
        found.append(count)
    return tuple(found)


def check_input(name, input, n):
    need_tensors(name, input=input)
    if input.ndim not in (n + 1, n + 2):
        raise RuntimeError(
            f"{name}: Expected {n + 1}D or {n + 2}D (batch mode) tensor with optional 0 dim batch size for input, but got: "
            f"{list(input.shape)}"
        )
    if 0 in input.shape[-n - 1 :]:
        raise RuntimeError(
            f"{name}: Expected {n + 1}D or {n + 2}D (batch mode) tensor with optional 0 dim batch size for input, but got "
            f"an empty one: {list(input.shape)}"
        )
    if input.dtype.category in (BOOL, COMPLEX):
        raise NotImplementedError(f"{name}: not implemented for {input.dtype}; expected a real dtype")


def window_of(name, kernel_size, stride, padding, dilation, n):
    """The four arguments as tuples, checked."""
    kernel = sizes(name, "kernel_size", kernel_size, n)
    absent = stride is None or (isinstance(stride, (tuple, list)) and not stride)
    stride = kernel if absent else sizes(name, "stride", stride, n)
    padding, dilation = sizes(name, "padding", padding, n), sizes(name, "dilation", dilation, n)
    for argument, values in (("kernel_size", kernel), ("stride", stride), ("dilation", dilation)):
        if min(values) <= 0:
            zero = "stride should not be zero" if argument == "stride" else f"{argument} should be greater than zero"
            raise RuntimeError(f"{name}: {zero}, but got {argument}={list(values)}")
    for k, p, d in zip(kernel, padding, dilation, strict=True):
        if p < 0 or p > (d * (k - 1) + 1) // 2:
            raise RuntimeError(
                f"{name}: pad should be at most half of effective kernel size, and not negative, but got pad={p}, "
                f"kernel_size={k} and dilation={d}"
            )
    return kernel, stride, padding, dilation


def check_size(name, input, found, n):
    if min(found) < 1:
        shown = "x".join(map(str, input.shape[-n - 1 :]))
        raise RuntimeError(
            f"{name}: Given input size: ({shown}). Calculated output size: "
            f"({'x'.join(map(str, (input.shape[-n - 1], *found)))}). Output size is too small"
        )


def prepared_max(name, n):
    def prepare(input, kernel_size, stride, padding, dilation, ceil_mode):
        check_input(name, input, n)
        window = window_of(name, kernel_size, stride, padding, dilation, n)
        check_size(name, input, pooled_size(input.shape[-n:], *window, bool(ceil_mode)), n)  # type: ignore[call-arg]
        return input, *window, bool(ceil_mode)

    return prepare


def prepared_mean(name, n):
    def prepare(input, kernel_size, stride, padding, ceil_mode, count_include_pad, divisor_override=None):
        check_input(name, input, n)
        kernel, stride, padding, dilation = window_of(name, kernel_size, stride, padding, 1, n)
        if divisor_override == 0:
            raise RuntimeError(f"{name}: divisor must be not zero, got divisor_override=0")
        check_size(name, input, pooled_size(input.shape[-n:], kernel, stride, padding, dilation, bool(ceil_mode)), n)
        settings = (bool(ceil_mode), bool(count_include_pad))
        return input, kernel, stride, padding, *settings, *([divisor_override] if n > 1 else [])

    return prepare


def batch_images(xp, op, args, batched, size):
    """Windows are over the last dims, so a batch is one more dim in front."""
    return xp.call(op, [full_batch(xp, a, b, size) if is_array(a) else a for a, b in zip(args, batched, strict=True)])


def is_array(value):
    return hasattr(value, "ndim")


# Maxima. Two operations are linear and each other's transpose, given the image and its maxima: one picks from an image the
# elements at the places of the maxima, the other puts elements there.

WINDOW = "kernel_size, stride, padding, dilation, ceil_mode"


def maxima(t):
    """An image, its maxima, and their window."""
    image, window = t(2, 4, 5), ((2, 3), (2, 1), (1, 0), (1, 1), True)
    return image, perform(TABLE["max_pool2d"], image, *window), window


def pick_samples(t):
    image, peaks, window = maxima(t)
    return [((t(2, 4, 5), image, peaks, *window), {})]


def put_samples(t):
    image, peaks, window = maxima(t)
    return [((t(*peaks.shape), image, peaks, *window), {})]


op(
    f"max_pool_pick(tangent_image, image, peaks, {WINDOW})",
    "The elements of one image at the places of another's maxima.",
    vjp={
        "tangent_image": lambda xp, grad, image, peaks, kernel_size, stride, padding, dilation, ceil_mode: (
            xp.max_pool_put(grad, image, peaks, kernel_size, stride, padding, dilation, ceil_mode)
        )
    },
    jvp=LINEAR,
    operands=("tangent_image",),
    batch=batch_images,
    samples=pick_samples,
    **INTERNAL,
)
op(
    f"max_pool_put(cotangent, image, peaks, {WINDOW})",
    "Zeros with elements added at the places of an image's maxima.",
    vjp={
        "cotangent": lambda xp, grad, image, peaks, kernel_size, stride, padding, dilation, ceil_mode: xp.max_pool_pick(
            grad, image, peaks, kernel_size, stride, padding, dilation, ceil_mode
        )
    },
    jvp=LINEAR,
    operands=("cotangent",),
    batch=batch_images,
    samples=put_samples,
    **INTERNAL,
)


def max_samples(n):
    def samples(t):
        image = (5, 4, 3)[:n]
        return [
            ((t(2, 2, *image), 2), {}),
            ((t(2, *image), (3, 2, 2)[:n]), {"stride": 1, "padding": 1}),
            ((t(1, 2, *image), 2), {"dilation": 2, "stride": (2, 1, 1)[:n]}),
            ((t(2, 2, *image), 2), {"ceil_mode": True, "padding": 1}),
            ((t(0, 2, *image), 2), {}),
        ]

    return samples


def max_errors(n):
    image = (5, 4, 3)[:n]
    return lambda t: [
        ((t(5), 2), {}, RuntimeError),
        ((t(1, 2, *image), 7), {}, RuntimeError),
        ((t(1, 2, *image), 2), {"padding": 2}, RuntimeError),
        ((t(1, 2, *image), (2,) * (n + 1)), {}, RuntimeError),
    ]


MAX = "The maximum of each window; its gradient goes to the first of a window's maxima."
MAX_NODES = {1: "SqueezeBackward1", 2: "MaxPool2DWithIndicesBackward0", 3: "MaxPool3DWithIndicesBackward0"}


def choose_max(n):
    def choose(input, kernel_size, stride, padding, dilation, ceil_mode, return_indices):
        name = f"max_pool{n}d" + ("_with_indices" if return_indices else "")
        return TABLE[name], (input, kernel_size, stride, padding, dilation, ceil_mode)

    return choose


def declare_max(n):
    signature = "(input, kernel_size, stride=None, padding=0, dilation=1, ceil_mode=False)"
    forms = {"batch": batch_images, "node": MAX_NODES[n], "method": False, "operands": ("input",), "real": True}
    op(
        f"max_pool{n}d{signature}",
        MAX,
        vjp={
            "input": lambda xp, grad, input, result, kernel_size, stride, padding, dilation, ceil_mode: xp.max_pool_put(
                grad, input, result, kernel_size, stride, padding, dilation, ceil_mode
            )
        },
        jvp={
            "input": lambda xp, tangent, input, result, kernel_size, stride, padding, dilation, ceil_mode: (
                xp.max_pool_pick(tangent, input, result, kernel_size, stride, padding, dilation, ceil_mode)
            )
        },
        prepare=prepared_max(f"max_pool{n}d", n),
        samples=max_samples(n),
        errors=max_errors(n),
        **forms,
    )
    op(
        f"max_pool{n}d_with_indices{signature}",
        MAX + " Also where each is, as an index into the image's flattened spatial dims.",
        outputs=("values", "indices"),
        vjp={
            "input": lambda xp, grad, input, values, kernel_size, stride, padding, dilation, ceil_mode: xp.max_pool_put(
                grad, input, values, kernel_size, stride, padding, dilation, ceil_mode
            )
        },
        jvp={
            "input": lambda xp, tangent, input, values, kernel_size, stride, padding, dilation, ceil_mode: (
                xp.max_pool_pick(tangent, input, values, kernel_size, stride, padding, dilation, ceil_mode),
            )
        },
        prepare=prepared_max(f"max_pool{n}d", n),
        homes=("torch", "nn.functional") if n == 1 else ("nn.functional",),
        samples=lambda t: max_samples(n)(t)[:4],
        **forms,
    )
    overload(
        f"max_pool{n}d{signature[:-1]}, return_indices=False)",
        MAX + " With ``return_indices``, also where it is, as an index into the image's flattened spatial dims.",
        choose_max(n),
        method=False,
        homes=("nn.functional",),
    )


# Means. Both operations are linear, and each other's transpose.

MEAN = "kernel_size, stride, padding, ceil_mode, count_include_pad, divisor_override"
op(
    f"mean_pool(image, {MEAN})",
    "The mean of each window.",
    vjp={
        "image": lambda xp, grad, kernel_size, stride, padding, ceil_mode, count_include_pad, divisor_override, image_shape: (
            xp.mean_pool_spread(
                grad,
                image_shape[-len(kernel_size) :],
                kernel_size,
                stride,
                padding,
                ceil_mode,
                count_include_pad,
                divisor_override,
            )
        )
    },
    jvp=LINEAR,
    operands=("image",),
    batch=batch_images,
    samples=lambda t: [((t(2, 4, 5), (2, 3), (2, 1), (1, 0), True, False, None), {})],
    **INTERNAL,
)
op(
    f"mean_pool_spread(cotangent, size, {MEAN})",
    "An image of spatial dims ``size`` with each element's share added to all of its window.",
    vjp={
        "cotangent": lambda xp, grad, kernel_size, stride, padding, ceil_mode, count_include_pad, divisor_override: (
            xp.mean_pool(grad, kernel_size, stride, padding, ceil_mode, count_include_pad, divisor_override)
        )
    },
    jvp=LINEAR,
    operands=("cotangent",),
    batch=batch_images,
    samples=lambda t: [((t(2, 3, 3), (4, 5), (2, 3), (2, 1), (1, 0), True, False, None), {})],
    **INTERNAL,
)
MEAN_NODES = {1: "SqueezeBackward1", 2: "AvgPool2DBackward0", 3: "AvgPool3DBackward0"}
PULL_MEAN = {
    1: lambda xp, grad, kernel_size, stride, padding, ceil_mode, count_include_pad, input_shape: xp.mean_pool_spread(
        grad, input_shape[-1:], kernel_size, stride, padding, ceil_mode, count_include_pad, None
    ),
    2: lambda xp, grad, kernel_size, stride, padding, ceil_mode, count_include_pad, divisor_override, input_shape: (
        xp.mean_pool_spread(
            grad,
            input_shape[-len(kernel_size) :],
            kernel_size,
            stride,
            padding,
            ceil_mode,
            count_include_pad,
            divisor_override,
        )
    ),
}


def declare_mean(n):
    image, divisor = (5, 4, 3)[:n], ", divisor_override=None" if n > 1 else ""
    op(
        f"avg_pool{n}d(input, kernel_size, stride=None, padding=0, ceil_mode=False, count_include_pad=True{divisor})",
        "The mean of each window. Padded zeros count, unless ``count_include_pad`` is false"
        + ("; ``divisor_override`` divides the sum instead of the count." if n > 1 else "."),
        vjp={"input": PULL_MEAN[min(n, 2)]},
        jvp=LINEAR,
        operands=("input",),
        real=True,
        batch=batch_images,
        prepare=prepared_mean(f"avg_pool{n}d", n),
        method=False,
        homes=("torch", "nn.functional") if n == 1 else ("nn.functional",),
        node=MEAN_NODES[n],
        samples=lambda t: [
            ((t(2, 2, *image), 2), {}),
            ((t(2, *image), (3, 2, 2)[:n]), {"stride": 1, "padding": 1}),
            ((t(1, 2, *image), 3), {"stride": 2, "padding": 1, "count_include_pad": False}),
            ((t(2, 2, *image), 2), {"ceil_mode": True, "padding": 1}),
            ((t(0, 2, *image), 2), {}),
            *([((t(1, 2, *image), 2), {"divisor_override": 3})] if n > 1 else []),
        ],
        errors=lambda t: [
            ((t(1, 2, *image), 7), {}, RuntimeError),
            ((t(1, 2, *image), 2), {"padding": 2}, RuntimeError),
        ],
    )


# Adaptive pooling: the windows are as many as asked for, and as equal as they can be.


def adapted(name, input, output_size, n):
    """The output size as a tuple, with the input's own where it is None."""
    check_adaptive(name, input, n)
    given = output_size if isinstance(output_size, (tuple, list)) else (output_size,) * n
    if len(given) != n:
        error = ValueError if n > 1 and len(given) >= input.ndim else RuntimeError
        raise error(f"{name}: output_size must be {n} ints, got {list(given)} for an input of {input.ndim} dimensions")
    if n == 1 and None in given:
        raise TypeError(f"{name}(): argument 'output_size' (position 2) must be tuple of ints, not NoneType")
    own = [size if wanted is None else wanted for wanted, size in zip(given, input.shape[-n:], strict=True)]
    found = sizes(name, "output_size", tuple(own), n)
    if min(found) < 0:
        raise RuntimeError(
            f"{name}: elements of output_size must be greater than or equal to 0 but received {list(found)}"
        )
    return found


def check_adaptive(name, input, n):
    need_tensors(name, input=input)
    first = input.ndim - n - ("max" in name or n == 3)  # there, the channels' dim may not be empty either
    if input.ndim not in (n + 1, n + 2):
        raise RuntimeError(f"{name}(): Expected {n + 1}D or {n + 2}D tensor, but got {list(input.shape)}")
    for dim in range(first, input.ndim):
        if input.shape[dim] == 0:
            raise RuntimeError(
                f"{name}(): Expected input to have non-zero size for non-batch dimensions, but input has sizes "
                f"{list(input.shape)} with dimension {dim} being empty"
            )
    if input.dtype.category != FLOATING and 0 not in input.shape:
        raise NotImplementedError(f"{name}: not implemented for {input.dtype}; expected a floating dtype")


op(
    "adaptive_mean_spread(cotangent, size)",
    "The transpose of adaptive mean pooling of images of spatial dims ``size``.",
    vjp={"cotangent": lambda xp, grad, size, cotangent_shape: xp.adaptive_mean(grad, cotangent_shape[-len(size) :])},
    jvp=LINEAR,
    operands=("cotangent",),
    batch=batch_images,
    samples=lambda t: [((t(2, 3, 2), (5, 4)), {})],
    **INTERNAL,
)
op(
    "adaptive_mean(image, output_size)",
    "Adaptive mean pooling over as many last dims as ``output_size`` has.",
    vjp={
        "image": lambda xp, grad, output_size, image_shape: xp.adaptive_mean_spread(
            grad, image_shape[-len(output_size) :]
        )
    },
    jvp=LINEAR,
    operands=("image",),
    batch=batch_images,
    samples=lambda t: [((t(2, 5, 4), (3, 2)), {})],
    **INTERNAL,
)
ADAPTIVE = (
    "each of ``output_size`` windows along each dim, of sizes that differ by one at most and overlap by one at most."
)


def adaptive_samples(n):
    image = (5, 4, 3)[:n]
    return lambda t: [
        ((t(2, 2, *image), (3, 2, 2)[:n]), {}),
        ((t(2, *image), 2), {}),
        ((t(2, *image), (7, 1, 3)[:n]), {}),
        ((t(0, 2, *image), 2), {}),
    ]


def declare_adaptive_mean(n):
    record = op(
        f"adaptive_avg_pool{n}d(input, output_size)",
        "The mean of " + ADAPTIVE,
        vjp={
            "input": lambda xp, grad, output_size, input_shape: xp.adaptive_mean_spread(
                grad, input_shape[-len(output_size) :]
            )
        },
        jvp=LINEAR,
        batch=batch_images,
        operands=("input",),
        real=True,
        prepare=lambda input, output_size: (input, adapted(f"adaptive_avg_pool{n}d", input, output_size, n)),
        node="SqueezeBackward1" if n == 1 else f"AdaptiveAvgPool{n}DBackward0",
        samples=adaptive_samples(n),
        **INTERNAL,
    )

    def choose(input, output_size):
        wanted = adapted(f"adaptive_avg_pool{n}d", input, output_size, n)
        if n > 1 and set(wanted) == {1}:
            return TABLE["mean"], (input, tuple(range(input.ndim - n, input.ndim)), True, None)
        return record, (input, wanted)

    homes = ("torch", "nn.functional") if n == 1 else ("nn.functional",)
    overload(record.name + record.signature, record.doc, choose, method=False, homes=homes)


def at_indices(xp, value, indices, lead):
    """The elements of images at indices into their flattened spatial dims."""
    flat = xp.reshape(value, (*lead, prod(value.shape[len(lead) :])))
    places = tuple(indices.shape)[len(lead) :]
    found = xp.gather(flat, len(lead), xp.reshape(indices, (*lead, prod(places))))
    return xp.reshape(found, (*lead, *places))


def to_indices(xp, value, indices, shape, lead):
    """Zeros with elements added at indices into the flattened spatial dims."""
    count = prod(tuple(indices.shape)[len(lead) :])
    zeros = xp.new_zeros(value, (*lead, prod(shape[len(lead) :])))
    summed = xp.scatter_add(zeros, len(lead), xp.reshape(indices, (*lead, count)), xp.reshape(value, (*lead, count)))
    return xp.reshape(summed, shape)


def choose_adaptive_max(n):
    def choose(input, output_size, return_indices):
        result = perform_adaptive_max(n, input, output_size)
        return None, tuple(result) if return_indices else result[0]

    return choose


def perform_adaptive_max(n, input, output_size):
    name = f"adaptive_max_pool{n}d"
    return perform(TABLE[f"{name}_with_indices"], input, adapted(name, input, output_size, n))


def declare_adaptive_max(n):
    op(
        f"adaptive_max_pool{n}d_with_indices(input, output_size)",
        "The maximum of " + ADAPTIVE + " Also where each is, as an index into the image's flattened spatial dims.",
        outputs=("values", "indices"),
        vjp={
            "input": lambda xp, grad, output_size, indices, input_shape: to_indices(
                xp, grad, indices, input_shape, input_shape[: -len(output_size)]
            )
        },
        jvp={
            "input": lambda xp, tangent, output_size, indices, input_shape: (
                at_indices(xp, tangent, indices, input_shape[: -len(output_size)]),
            )
        },
        operands=("input",),
        real=True,
        batch=batch_images,
        prepare=lambda input, output_size: (input, adapted(f"adaptive_max_pool{n}d", input, output_size, n)),
        method=False,
        # torch.adaptive_max_pool1d gives both, nn.functional's only the values
        homes=("torch", "nn.functional") if n == 1 else ("nn.functional",),
        aliases=("adaptive_max_pool1d",) if n == 1 else (),
        node="SqueezeBackward1" if n == 1 else f"AdaptiveMaxPool{n}DBackward0",
        samples=adaptive_samples(n),
    )
    overload(
        f"adaptive_max_pool{n}d(input, output_size, return_indices=False)",
        "The maximum of " + ADAPTIVE + " With ``return_indices``, also where it is.",
        choose_adaptive_max(n),
        method=False,
        homes=("nn.functional",),
    )


for n in (1, 2, 3):
    declare_max(n)
    declare_mean(n)
    declare_adaptive_mean(n)
    declare_adaptive_max(n)
