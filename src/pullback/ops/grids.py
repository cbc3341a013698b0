"""Sampling images at places given by a grid, and the grids of affine maps.

A sample is a sum of elements near a place, with weights that are products of one for each coordinate. So it is linear in
the image, and its derivatives by coordinates are sums of the same elements with derivatives of the weights. Three
operations are closed under differentiation: :func:`grid_gather`, whose weights are differentiated ``orders[i]`` times by
coordinate ``i``, its transpose ``grid_scatter``, and ``grid_slope``, which has the gradient of the grid at once.

``settings`` are ``(mode, padding_mode, align_corners)`` as in ``torch.grid_sampler``: modes bilinear, nearest and bicubic
are 0, 1 and 2; padding by zeros, by the border and by reflection are 0, 1 and 2.
"""

from operator import index

from ..source import warn_user
from .batching import full_batch
from .checks import FLOATING, flag
from .steps import INTERNAL, need_tensors
from .table import LINEAR, TABLE, op, overload

BILINEAR, NEAREST, BICUBIC = range(3)
ZEROS, BORDER, REFLECTION = range(3)
MODES = {"bilinear": BILINEAR, "nearest": NEAREST, "bicubic": BICUBIC}
PADDINGS = {"zeros": ZEROS, "border": BORDER, "reflection": REFLECTION}


def batch_images(xp, op, args, batched, size):
    """A batch of images and grids is more images and grids."""
    args = list(args)
    tensors = [i for i, a in enumerate(args) if hasattr(a, "ndim")]
    for i in tensors:
        full = full_batch(xp, args[i], batched[i], size)
        args[i] = xp.reshape(full, (size * full.shape[1], *full.shape[2:]))
    result = xp.call(op, args)
    return xp.reshape(result, (size, result.shape[0] // size, *result.shape[1:]))


def raised(orders, i):
    """The orders with one more derivative by coordinate ``i``."""
    return (*orders[:i], orders[i] + 1, *orders[i + 1 :])


def along(xp, tangent, i):
    """The part of a grid's tangent along coordinate ``i``, in a shape that broadcasts against samples (N, C, ...)."""
    return xp.unsqueeze(xp.select(tangent, tangent.ndim - 1, i), 1)


def push_gather(xp, tangent, input, grid, settings, orders):
    return sum(
        along(xp, tangent, i) * xp.grid_gather(input, grid, settings, raised(orders, i)) for i in range(len(orders))
    )


def push_scatter(xp, tangent, cotangent, grid, size, settings, orders):
    return sum(
        xp.grid_scatter(along(xp, tangent, i) * cotangent, grid, size, settings, raised(orders, i))
        for i in range(len(orders))
    )


def formula_slope(xp, grad, input, grid, settings, orders):
    slopes = [xp.sum(grad * xp.grid_gather(input, grid, settings, raised(orders, i)), (1,)) for i in range(len(orders))]
    return xp.stack(slopes, slopes[0].ndim)


EVERY = [(mode, padding, align) for mode in range(3) for padding in range(3) for align in (False, True)]


def places(t, *shape):
    """A grid that also looks over the edges."""
    return t(*shape, low=-1.6, high=1.6)


def gather_samples(t):
    return [
        *(((t(1, 2, 3, 4), places(t, 1, 2, 2, 2), (BICUBIC, padding, False), (1, 0)), {}) for padding in range(3)),
        ((t(2, 1, 3, 2), places(t, 2, 1, 3, 2), (BILINEAR, REFLECTION, False), (0, 1)), {}),
        ((t(1, 1, 2, 3, 2), places(t, 1, 1, 2, 2, 3), (BILINEAR, ZEROS, True), (0, 0, 1)), {}),
    ]


op(
    "grid_gather(input, grid, settings, orders)",
    "Samples (N, C, ...) of images at the places of a grid (N, ..., n), with weights differentiated so often by each coordinate.",
    vjp={
        "input": lambda xp, grad, grid, settings, orders, input_shape: xp.grid_scatter(
            grad, grid, input_shape[2:], settings, orders
        ),
        "grid": lambda xp, grad, input, grid, settings, orders: xp.grid_slope(grad, input, grid, settings, orders),
    },
    jvp={
        "input": lambda xp, tangent, grid, settings, orders: xp.grid_gather(tangent, grid, settings, orders),
        "grid": push_gather,
    },
    batch=batch_images,
    samples=gather_samples,
    real=True,
    **INTERNAL,
)
op(
    "grid_scatter(cotangent, grid, size, settings, orders)",
    "The transpose of :func:`grid_gather`: images (N, C, *size) to which samples are added, by their weights.",
    vjp={
        "cotangent": lambda xp, grad, grid, settings, orders: xp.grid_gather(grad, grid, settings, orders),
        "grid": lambda xp, grad, cotangent, grid, settings, orders: xp.grid_slope(
            cotangent, grad, grid, settings, orders
        ),
    },
    jvp={
        "cotangent": lambda xp, tangent, grid, size, settings, orders: xp.grid_scatter(
            tangent, grid, size, settings, orders
        ),
        "grid": push_scatter,
    },
    batch=batch_images,
    samples=lambda t: [
        ((t(1, 2, 2, 2), places(t, 1, 2, 2, 2), (3, 4), (BICUBIC, BORDER, False), (0, 1)), {}),
        ((t(2, 1, 1, 3), places(t, 2, 1, 3, 2), (3, 2), (BILINEAR, ZEROS, False), (0, 0)), {}),
    ],
    real=True,
    **INTERNAL,
)
op(
    "grid_slope(grad, input, grid, settings, orders)",
    "The gradient of the grid, given that of the samples.",
    composite=formula_slope,
    operands=("grad", "input", "grid"),
    samples=lambda t: [
        ((t(1, 2, 2, 2), t(1, 2, 3, 4), places(t, 1, 2, 2, 2), settings, (0, 0)), {})
        for settings in ((BILINEAR, BORDER, False), (BICUBIC, ZEROS, True))
    ],
    real=True,
    **INTERNAL,
)


# -- what users call ---------------------------------------------------------------------------------------------------


def check_grid(input, grid, mode):
    """Raise PyTorch's error unless the grid has as many coordinates as the images dims, and all else fits."""
    need_tensors("grid_sampler", input=input, grid=grid)
    n, given = input.ndim - 2, f"got input with sizes {list(input.shape)} and grid with sizes {list(grid.shape)}"
    if input.shape[:1] != grid.shape[:1]:
        raise RuntimeError(f"grid_sampler(): expected grid and input to have same batch size, but {given}")
    if grid.ndim == 0 or grid.shape[-1] != n:
        raise RuntimeError(f"grid_sampler(): expected grid to have size {n} in last dimension, but {given}")
    if n not in (2, 3) or grid.ndim != input.ndim:
        raise RuntimeError(
            f"grid_sampler(): expected 4D or 5D input and grid with same number of dimensions, but {given}"
        )
    if 0 in input.shape[2:]:
        raise RuntimeError(
            f"grid_sampler(): expected input to have non-empty spatial dimensions, but input has sizes {list(input.shape)}"
        )
    if mode == BICUBIC and n == 3:
        raise RuntimeError("grid_sampler(): bicubic interpolation only supports 4D input")
    if grid.dtype is not input.dtype:
        raise RuntimeError(f"grid_sampler(): expected scalar type {input.dtype} but found {grid.dtype} for grid")
    if input.dtype.category != FLOATING:
        raise NotImplementedError(f"grid_sampler(): not implemented for {input.dtype}; expected a floating dtype")


def number_of(argument, value):
    """A mode as an int below 3."""
    if isinstance(value, bool) or not hasattr(value, "__index__"):
        raise TypeError(f"grid_sampler(): argument '{argument}' must be int, not {type(value).__name__}")
    if index(value) not in range(3):
        raise RuntimeError(f"grid_sampler(): {argument} must be 0, 1 or 2, but got {value}")
    return index(value)


def prepared(n):
    def prepare(input, grid, interpolation_mode, padding_mode, align_corners):
        mode = number_of("interpolation_mode", interpolation_mode)
        padding = number_of("padding_mode", padding_mode)
        flag("grid_sampler", "align_corners", align_corners)
        check_grid(input, grid, mode)
        if input.ndim != n + 2:
            raise RuntimeError(
                f"grid_sampler_{n}d(): expected {n + 2}D input, but got one of sizes {list(input.shape)}"
            )
        return input, grid, mode, padding, align_corners

    return prepare


def declare(n):
    zero = (0,) * n
    shapes = ((1, 2, *(3, 4, 2)[:n]), (1, 2, 3, *[2] * (n - 2), n))
    other = ((2, 1, *(2, 3, 3)[:n]), (2, 1, 2, *[2] * (n - 2), n))
    op(
        f"grid_sampler_{n}d(input, grid, interpolation_mode, padding_mode, align_corners)",
        f"Samples of images with {n} spatial dims at the places of a grid; see ``nn.functional.grid_sample``.",
        vjp={
            "input": lambda xp, grad, grid, interpolation_mode, padding_mode, align_corners, input_shape: (
                xp.grid_scatter(grad, grid, input_shape[2:], (interpolation_mode, padding_mode, align_corners), zero)
            ),
            "grid": lambda xp, grad, input, grid, interpolation_mode, padding_mode, align_corners: xp.grid_slope(
                grad, input, grid, (interpolation_mode, padding_mode, align_corners), zero
            ),
        },
        jvp={
            "input": lambda xp, tangent, grid, interpolation_mode, padding_mode, align_corners: xp.grid_gather(
                tangent, grid, (interpolation_mode, padding_mode, align_corners), zero
            ),
            "grid": lambda xp, tangent, input, grid, interpolation_mode, padding_mode, align_corners: push_gather(
                xp, tangent, input, grid, (interpolation_mode, padding_mode, align_corners), zero
            ),
        },
        batch=batch_images,
        operands=("input", "grid"),
        prepare=prepared(n),
        method=False,
        real=True,
        node=f"GridSampler{n}DBackward0",
        samples=lambda t: [
            ((t(*image), places(t, *grid), *settings), {})
            for settings in EVERY
            for image, grid in ((shapes, other)[settings[2]],)
            if n == 2 or settings[0] != BICUBIC
        ],
        errors=lambda t: [
            ((t(*shapes[0]), t(*other[1]), 0, 0, False), {}, RuntimeError),
            ((t(*shapes[0]), t(1, 2, n), 0, 0, False), {}, RuntimeError),
            ((t(1, 2), t(1, 2), 0, 0, False), {}, RuntimeError),
            ((t(*shapes[0]), t(*shapes[1], dtype="float32"), 0, 0, False), {}, RuntimeError),
            ((t(*shapes[0]), t(*shapes[1]), 0.0, 0, False), {}, TypeError),
            ((t(*shapes[0]), t(*shapes[1]), 0, 0, 1), {}, TypeError),
        ],
    )


declare(2)
declare(3)


def choose_sampler(input, grid, interpolation_mode, padding_mode, align_corners):
    check_grid(input, grid, interpolation_mode)
    return TABLE[f"grid_sampler_{input.ndim - 2}d"], (input, grid, interpolation_mode, padding_mode, align_corners)


overload(
    "grid_sampler(input, grid, interpolation_mode, padding_mode, align_corners)",
    "``nn.functional.grid_sample`` with the modes as numbers.",
    choose_sampler,
    method=False,
)


def choose_grid_sample(input, grid, mode, padding_mode, align_corners):
    for argument, given, known in (("mode", mode, MODES), ("padding_mode", padding_mode, PADDINGS)):
        if given not in known:
            raise ValueError(
                f"nn.functional.grid_sample(): expected {argument} to be {', '.join(map(repr, known))}, but got: {given!r}"
            )
    align_corners = decided("grid_sample", align_corners)
    return choose_sampler(input, grid, MODES[mode], PADDINGS[padding_mode], align_corners)


def decided(name, align_corners):
    """``align_corners``, with a warning of what it means where it is not given."""
    if align_corners is None:
        warn_user(
            f"{name}: Default grid_sample and affine_grid behavior has changed to align_corners=False since 1.3.0. Please "
            "specify align_corners=True if the old behavior is desired."
        )
    return False if align_corners is None else align_corners


HOME = {"method": False, "homes": ("nn.functional",)}
overload(
    'grid_sample(input, grid, mode="bilinear", padding_mode="zeros", align_corners=None)',
    "Samples of images (N, C, ...) of two or three dims at the places of a grid (N, ..., n), whose coordinates, the last dim "
    "first, run from -1 to 1 over the images. ``mode`` is ``bilinear``, ``nearest`` or ``bicubic``; beyond the images there are "
    "``padding_mode`` ``zeros``, the ``border`` or a ``reflection``. With ``align_corners``, -1 and 1 are the outermost "
    "elements, and else the outermost edges.",
    choose_grid_sample,
    **HOME,
)


# -- the grids of affine maps ------------------------------------------------------------------------------------------


def prepare_affine(theta, size, align_corners):
    need_tensors("affine_grid_generator", theta=theta)
    if not isinstance(size, (tuple, list)) or not all(hasattr(s, "__index__") for s in size):
        raise TypeError(f"affine_grid_generator(): argument 'size' (position 2) must be tuple of ints, not {size!r}")
    flag("affine_grid_generator", "align_corners", align_corners)
    n = len(size) - 2
    if n not in (2, 3):
        raise RuntimeError("AffineGridGenerator needs 4d (spatial) or 5d (volumetric) inputs.")
    if tuple(theta.shape) != (size[0], n, n + 1):
        raise RuntimeError(
            f"affine_grid_generator: Expected size for first two dimensions of batch2 tensor to be: [{size[0]}, {n + 1}], but "
            f"theta has shape {list(theta.shape)}"
        )
    return theta, tuple(index(s) for s in size), align_corners


op(
    "affine_grid_generator(theta, size, align_corners)",
    "The places (N, ..., n) to which affine maps ``theta``, (N, n, n + 1), take those of images of a size (N, C, ...).",
    vjp={"theta": lambda xp, grad, size, align_corners: xp.affine_grid_sum(grad, align_corners)},
    jvp=LINEAR,
    batch=lambda xp, op, args, batched, size: batch_maps(xp, op, args, size),
    operands=("theta",),
    prepare=prepare_affine,
    method=False,
    samples=lambda t: [
        ((t(2, 2, 3), (2, 1, 2, 3), True), {}),
        ((t(1, 2, 3), (1, 3, 1, 2), False), {}),
        ((t(1, 3, 4), (1, 1, 2, 3, 2), False), {}),
    ],
    errors=lambda t: [
        ((t(2, 2, 3), (2, 1, 2), True), {}, RuntimeError),
        ((t(2, 2, 3), (3, 1, 2, 2), True), {}, RuntimeError),
        ((t(2, 2, 3), 2, True), {}, TypeError),
    ],
)
op(
    "affine_grid_sum(cotangent, align_corners)",
    "The transpose of :func:`affine_grid_generator`: sums of places' cotangents, times what the maps took.",
    vjp={
        "cotangent": lambda xp, grad, align_corners, cotangent_shape: xp.affine_grid_generator(
            grad, (cotangent_shape[0], 1, *cotangent_shape[1:-1]), align_corners
        )
    },
    jvp=LINEAR,
    batch=lambda xp, op, args, batched, size: batch_sum(xp, op, args, size),
    operands=("cotangent",),
    samples=lambda t: [((t(2, 2, 3, 2), False), {}), ((t(1, 2, 3, 2, 3), True), {})],
    **INTERNAL,
)


def batch_maps(xp, op, args, size):
    """A batch of maps is more maps."""
    theta, (n, *extents), align_corners = args
    folded = xp.reshape(theta, (size * n, *theta.shape[2:]))
    result = xp.call(op, (folded, (size * n, *extents), align_corners))
    return xp.reshape(result, (size, n, *result.shape[1:]))


def batch_sum(xp, op, args, size):
    """A batch of grids is more grids."""
    grids = args[0]
    folded = xp.reshape(grids, (size * grids.shape[1], *grids.shape[2:]))
    result = xp.call(op, (folded, args[1]))
    return xp.reshape(result, (size, grids.shape[1], *result.shape[1:]))


def choose_affine_grid(theta, size, align_corners):
    need_tensors("affine_grid", theta=theta)
    align_corners = decided("affine_grid", align_corners)
    if theta.dtype.category != FLOATING:
        raise ValueError(f"affine_grid: Expected theta to have floating point type, but got {theta.dtype}")
    n = len(size) - 2
    if n not in (2, 3):
        raise NotImplementedError(
            "affine_grid only supports 4D and 5D sizes, for 2D and 3D affine transforms, respectively. Got size "
            f"{tuple(size)}."
        )
    if tuple(theta.shape[-2:]) != (n, n + 1) or theta.ndim != 3:
        raise ValueError(
            f"affine_grid: Expected a batch of {n}D affine matrices of shape Nx{n}x{n + 1} for size {tuple(size)}. Got "
            f"{tuple(theta.shape)}."
        )
    if min(size) <= 0:
        raise ValueError(f"affine_grid: Expected non-zero, positive output size. Got {tuple(size)}")
    return TABLE["affine_grid_generator"], (theta, size, align_corners)


overload(
    "affine_grid(theta, size, align_corners=None)",
    "A grid for ``grid_sample`` from affine maps ``theta``, (N, n, n + 1), of images of a size (N, C, ...) with two or three "
    "spatial dims.",
    choose_affine_grid,
    **HOME,
)
