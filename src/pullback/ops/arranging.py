"""Operations that repeat, reorder or blank out elements, all by copying: repeat, flip, roll, rot90, tril and triu."""

from math import prod

from . import checks
from .batching import loop, pad_dims, shifted
from .shape import INTERNAL, form, integer, sizes, trailing
from .table import LINEAR, op

# -- repeating ---------------------------------------------------------------------------------------------------------


def prepare_repeat(input, repeats):
    return input, checked_repeats("repeat", tuple(input.shape), repeats)


def checked_repeats(op_name, shape, given):
    repeats = sizes(op_name, "repeats", given)
    if len(repeats) < len(shape):
        raise RuntimeError(
            f"{op_name}: Number of dimensions of repeat dims can not be smaller than number of dimensions of tensor: got "
            f"{list(repeats)} for shape {list(shape)}"
        )
    if any(n < 0 for n in repeats):
        raise RuntimeError(f"{op_name}: Trying to create tensor with negative dimension: repeats are {list(repeats)}")
    return repeats


def unrepeated(xp, grad, repeats, shape):
    """The sum of a gradient over the repetitions."""
    padded = (1,) * (len(repeats) - len(shape)) + shape
    pairs = tuple(n for pair in zip(repeats, padded, strict=True) for n in pair)
    dims = tuple(2 * i for i, n in enumerate(repeats) if n != 1)
    grad = xp.reshape(grad, pairs)
    return xp.reshape(xp.sum(grad, dims) if dims else grad, shape)


repeat = op(
    "repeat(input, repeats)",
    "The input repeated so many times along each dimension, and along new ones in front where there are more numbers.",
    vjp={"input": lambda xp, grad, repeats, input_shape: unrepeated(xp, grad, repeats, input_shape)},
    jvp=LINEAR,
    batch=lambda xp, op, args, batched, size: xp.repeat(pad_dims(xp, args[0], len(args[1])), (1, *args[1])),
    operands=("input",),
    prepare=prepare_repeat,
    star="repeats",
    function=False,
    samples=lambda t: [
        ((t(2, 3), (2, 1)), {}),
        ((t(2, 3), (3, 1, 2)), {}),
        ((t(2), (1,)), {}),
        ((t(), (2, 2)), {}),
        ((t(), ()), {}),
        ((t(2, 3), (0, 2)), {}),
        ((t(0, 3), (2, 2)), {}),
    ],
    errors=lambda t: [((t(2, 3), (2,)), {}, RuntimeError), ((t(2), (-1,)), {}, RuntimeError)],
)


def choose_tile(input, dims):
    dims = sizes("tile", "dims", dims)
    repeats = (1,) * (input.ndim - len(dims)) + dims
    return repeat, (input, checked_repeats("tile", tuple(input.shape), repeats))


form(
    "tile(input, dims)",
    "The input repeated so many times along each of its last dimensions.",
    choose_tile,
    star="dims",
)


def flattened(rule):
    """A batch rule for operations that flatten their input where ``dim`` is None, and have ``dim`` last."""

    def batch(xp, op, args, batched, size):
        value, *rest, dim = args
        if dim is None or value.ndim == 1:
            value, dim = xp.reshape(value, (size, prod(value.shape[1:]))), 0
        return rule(xp, op, [value, *rest, dim + 1 if dim >= 0 else dim])

    return batch


def run(xp, op, args):
    return xp.call(op, args)


def sum_each(xp, grad, repeats, dim, shape):
    """The sum of a gradient over the repetitions of each element."""
    d = 0 if dim is None else dim
    flat = shape if dim is not None else (prod(shape),)
    grad = xp.reshape(grad, (*flat[: d + 1], repeats, *flat[d + 1 :]))
    return xp.reshape(xp.sum(grad, d + 1), shape)


repeat_interleave_number = op(
    "repeat_interleave_number(input, repeats, dim)",
    "Each element repeated ``repeats`` times along ``dim``, or along the flattened input.",
    vjp={"input": lambda xp, grad, repeats, dim, input_shape: sum_each(xp, grad, repeats, dim, input_shape)},
    jvp=LINEAR,
    batch=flattened(run),
    operands=("input",),
    node="ViewBackward0",
    samples=lambda t: [
        ((t(2, 3), 2, 1), {}),
        ((t(2, 3), 3, None), {}),
        ((t(2), 0, 0), {}),
        ((t(), 2, None), {}),
        ((t(0, 2), 2, 0), {}),
    ],
    **INTERNAL,
)


def batch_runs(xp, op, args, batched, size):
    """The dim moves on by one; repeats that differ over the batch give results of one size by chance only."""
    input, repeats, dim, *rest = args
    if batched[1]:
        return loop(xp, op, args, batched, size)
    if dim is None:
        input, dim = xp.reshape(input, (size, prod(input.shape[1:]))), 0
    return xp.call(op, (input, repeats, dim + 1, *rest))


repeat_interleave_tensor = op(
    "repeat_interleave_tensor(input, repeats, dim)",
    "Each element along ``dim``, or along the flattened input, repeated as often as ``repeats`` says for it.",
    vjp={
        "input": lambda xp, grad, repeats, dim, input_shape: xp.reshape(
            xp.sum_runs(grad, repeats, dim or 0, input_shape[dim] if dim is not None else prod(input_shape)),
            input_shape,
        )
    },
    jvp=LINEAR,
    batch=batch_runs,
    operands=("input", "repeats"),
    node="IndexSelectBackward0",
    samples=lambda t: [
        ((t(3, 2), t.integers(2, 3, 3), 0), {}),
        ((t(2, 2), t.integers(3, 4, 4), None), {}),
        ((t(2, 3), t.integers(2, 3, 1), 1), {}),
        ((t(2, 3), t.integers(0, 1, 3), 1), {}),
    ],
    **INTERNAL,
)

sum_runs = op(
    "sum_runs(input, repeats, dim, extent)",
    "The sums of runs of elements along ``dim``, of the lengths ``repeats``; ``extent`` is the number of runs.",
    vjp={"input": lambda xp, grad, repeats, dim: xp.repeat_interleave_tensor(grad, repeats, dim)},
    jvp=LINEAR,
    batch=batch_runs,
    operands=("input", "repeats"),
    samples=lambda t: [
        ((t(6, 2), t.integers(3, 4, 2), 0, 2), {}),
        ((t(2, 4), t.integers(2, 3, 2), 1, 2), {}),
    ],
    **INTERNAL,
)

repeated_indices = op(
    "repeated_indices(repeats)",
    "Each index repeated as often as ``repeats`` says for it.",
    samples=lambda t: [((t.integers(2, 3, 5),), {}), ((t.integers(1, 2, 0),), {})],
    **INTERNAL,
)


def choose_repeat_interleave(input, repeats=None, dim=None, output_size=None):
    if repeats is None:
        return repeated_indices, (checked_lengths(input, None),)
    if dim is not None:
        if not input.ndim:
            raise IndexError(f"repeat_interleave: Dimension specified as {dim} but tensor has no dimensions")
        dim = checks.dim("repeat_interleave", dim, input.ndim)
    if not hasattr(repeats, "_data"):
        repeats = integer("repeat_interleave", "repeats", repeats)
        if repeats < 0:
            raise RuntimeError(f"repeat_interleave: Repeats must be non-negative, got {repeats}")
        return repeat_interleave_number, (input, repeats, dim)
    extent = prod(input.shape) if dim is None else input.shape[dim]
    checked_lengths(repeats, extent, output_size)
    return repeat_interleave_tensor, (input, repeats, dim)


def checked_lengths(repeats, extent, output_size=None):
    """A tensor that says how often each of ``extent`` elements is repeated."""
    if repeats.dtype.category != checks.INTEGER:
        raise NotImplementedError(f"repeat_interleave: repeats must be integers, got {repeats.dtype}")
    if repeats.ndim > 1:
        raise RuntimeError(f"repeat_interleave: repeats must be 0-dim or 1-dim tensor, got shape {list(repeats.shape)}")
    if extent is not None and prod(repeats.shape) not in (1, extent):
        raise RuntimeError(
            "repeat_interleave: repeats must have the same size as input along dim, but got repeats.size(0) = "
            f"{prod(repeats.shape)} and input.size(dim) = {extent}"
        )
    lengths = repeats.tolist() if repeats.ndim else [repeats.item()]
    if any(n < 0 for n in lengths):
        raise RuntimeError("repeat_interleave: repeats can not be negative")
    total = sum(lengths) * (extent if extent is not None and len(lengths) == 1 else 1)
    if output_size is not None and output_size != total:
        raise RuntimeError(
            f"repeat_interleave: allocated size does not match required size: output_size is {output_size}, the repeats "
            f"sum to {total}"
        )
    return repeats


form(
    "repeat_interleave(input, repeats=None, dim=None, *, output_size=None)",
    "Each element repeated, along ``dim`` or along the flattened input: a number of times, or as a tensor says for each. "
    "Without ``repeats``, the indices that the input, taken for the repeats, gives.",
    choose_repeat_interleave,
)


# -- reordering --------------------------------------------------------------------------------------------------------


def prepare_flip(input, dims):
    return input, checks.dims("flip", sizes("flip", "dims", dims), input.ndim)


flip = op(
    "flip(input, dims)",
    "A copy with the order of the elements reversed along each of ``dims``.",
    vjp={"input": lambda xp, grad, dims: xp.flip(grad, dims)},
    jvp=LINEAR,
    batch=shifted("dims"),
    operands=("input",),
    prepare=prepare_flip,
    star="dims",
    samples=lambda t: [
        ((t(2, 3), (0,)), {}),
        ((t(2, 3, 4), (-1, 0)), {}),
        ((t(), (0,)), {}),
        ((t(0, 3), (1,)), {}),
    ],
    errors=lambda t: [
        ((t(2, 3), (2,)), {}, IndexError),
        ((t(2, 3), (0, -2)), {}, RuntimeError),
        ((t(2, 3), 0), {}, TypeError),
    ],
)


def choose_flip(name, dim):
    def choose(input):
        if input.ndim <= dim:
            raise RuntimeError(f"{name}: Input must be >= {dim + 1}-d, got shape {list(input.shape)}.")
        return flip, (input, (dim,))

    return choose


form("fliplr(input)", "A copy with the order of the second dimension reversed.", choose_flip("fliplr", 1))
form("flipud(input)", "A copy with the order of the first dimension reversed.", choose_flip("flipud", 0))


def prepare_roll(input, shifts, dims=None):
    shifts = sizes("roll", "shifts", shifts if isinstance(shifts, (tuple, list)) else (shifts,))
    given = () if dims is None else dims if isinstance(dims, (tuple, list)) else (dims,)
    if not shifts:
        raise RuntimeError("roll: `shifts` required")
    if len(shifts) != len(given) and (given or len(shifts) != 1):
        raise RuntimeError(f"roll: shifts and dimensions must align. shifts: {len(shifts)}, dims:{len(given)}")
    if given and not input.ndim:
        raise IndexError(f"roll: Dimension specified as {given[0]} but tensor has no dimensions")
    return input, shifts, tuple(checks.dim("roll", d, input.ndim) for d in given)


def batch_roll(xp, op, args, batched, size):
    value, shifts, dims = args
    if dims:
        return xp.roll(value, shifts, tuple(d + 1 for d in dims))
    flat = xp.reshape(value, (size, prod(value.shape[1:])))
    return xp.reshape(xp.roll(flat, shifts, (1,)), tuple(value.shape))


roll = op(
    "roll(input, shifts, dims=None)",
    "A copy with the elements moved on by ``shifts`` along ``dims``, those beyond the end coming in at the front; along "
    "the flattened input where no dims are given.",
    vjp={"input": lambda xp, grad, shifts, dims: xp.roll(grad, tuple(-n for n in shifts), dims)},
    jvp=LINEAR,
    batch=batch_roll,
    operands=("input",),
    prepare=prepare_roll,
    samples=lambda t: [
        ((t(2, 3), 1), {}),
        ((t(2, 3), 2, 1), {}),
        ((t(2, 3, 4), (1, -2), (0, -1)), {}),
        ((t(4), (5,), (0,)), {}),
        ((t(), 1), {}),
        ((t(0, 3), 1, 0), {}),
    ],
    errors=lambda t: [
        ((t(2, 3), (1, 2)), {}, RuntimeError),
        ((t(2, 3), ()), {}, RuntimeError),
        ((t(2, 3), 1, 2), {}, IndexError),
    ],
)


def prepare_rot90(input, k=1, dims=(0, 1)):
    given = sizes("rot90", "dims", dims)
    if len(given) != 2:
        raise RuntimeError(f"rot90: expected total rotation dims == 2, but got dims = {len(given)}")
    if input.ndim < 2:
        raise RuntimeError(f"rot90: expected total dims >= 2, but got total dims = {input.ndim}")
    found = tuple(checks.dim("rot90", d, input.ndim) for d in given)
    if found[0] == found[1]:
        raise RuntimeError(
            f"rot90: expected rotation dims to be different, but got dim0 = {given[0]} and dim1 = {given[1]}"
        )
    return input, integer("rot90", "k", k) % 4, found


rot90 = op(
    "rot90(input, k=1, dims=(0, 1))",
    "A copy turned by ``k`` quarters in the plane of two dims, from the first towards the second.",
    vjp={"input": lambda xp, grad, k, dims: xp.rot90(grad, -k % 4, dims)},
    jvp=LINEAR,
    batch=shifted("dims"),
    prepare=prepare_rot90,
    samples=lambda t: [((t(2, 3), k), {}) for k in (0, 1, 2, -1)] + [((t(2, 3, 4), 1, (2, 0)), {}), ((t(0, 3), 1), {})],
    errors=lambda t: [
        ((t(3),), {}, RuntimeError),
        ((t(2, 3), 1, (0,)), {}, RuntimeError),
        ((t(2, 3), 1, (0, 0)), {}, RuntimeError),
        ((t(2, 3), 1, (0, 2)), {}, IndexError),
    ],
)


# -- triangles ---------------------------------------------------------------------------------------------------------


def prepare_triangle(name):
    def prepare(input, diagonal=0):
        if input.ndim < 2:
            raise RuntimeError(f"{name}: input tensor must have at least 2 dimensions, got shape {list(input.shape)}")
        return input, integer(name, "diagonal", diagonal)

    return prepare


def triangle(name, doc, rule):
    return op(
        f"{name}(input, diagonal=0)",
        doc,
        vjp={"input": rule},
        jvp=LINEAR,
        batch=trailing,
        prepare=prepare_triangle(name),
        inplace=True,
        out=True,
        samples=lambda t: [((t(3, 4), d), {}) for d in (0, 1, -1, 5, -4)] + [((t(2, 3, 2),), {}), ((t(0, 2),), {})],
        errors=lambda t: [((t(3),), {}, RuntimeError), ((t(2, 3), 0.5), {}, TypeError)],
    )


tril = triangle(
    "tril",
    "The lower triangle of each matrix, zero elsewhere: what is on or below the ``diagonal``-th diagonal to the right.",
    lambda xp, grad, diagonal: xp.tril(grad, diagonal),
)
triu = triangle(
    "triu",
    "The upper triangle of each matrix, zero elsewhere: what is on or above the ``diagonal``-th diagonal to the right.",
    lambda xp, grad, diagonal: xp.triu(grad, diagonal),
)
