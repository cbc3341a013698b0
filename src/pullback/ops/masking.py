"""Masks: filling, selecting and scattering where a mask holds, and the positions where a tensor is not zero."""

from .batching import logical_ndim
from .indexing import is_mask, needs_tensor, unbatchable
from .table import LINEAR, composite, op, overload
from .writing import WHOLE, check_value, fit, same_dtype, to_dtype


def check_mask(message, mask):
    needs_tensor("masked", "mask", 2, mask)
    if not is_mask(mask):
        raise RuntimeError(message.format(mask.dtype._word))


def prepare_masked_fill(input, mask, value):
    check_mask("masked_fill_ only supports boolean masks, but got mask with dtype {}", mask)
    return input, mask, check_value("masked_fill", input, value)


masked_fill = op(
    "masked_fill(input, mask, value)",
    "The input with a number, or the value of a zero-dim tensor, where the mask holds; mask and input broadcast.",
    vjp={
        "input": lambda xp, grad, mask: xp.where(mask, 0, grad),
        "value": lambda xp, grad, mask, value_dtype: to_dtype(xp, xp.where(mask, grad, 0), value_dtype),
    },
    jvp=LINEAR,
    batch="elementwise",
    broadcasts=True,
    prepare=prepare_masked_fill,
    node=("MaskedFillBackward0", "MaskedFillBackward1"),
    inplace=True,
    samples=lambda t: [
        ((t(*shape), t.bools(*mask), value), {})
        for shape, mask in (((3, 4), (3, 4)), ((3, 4), (4,)), ((4,), (3, 1)), ((), ()), ((0, 4), (4,)))
        for value in (1.5, t())
    ],
    errors=lambda t: [
        ((t(3), t(3), 1.0), {}, RuntimeError),
        ((t(3), t.bools(3), t(1)), {}, RuntimeError),
        ((t(3), t.bools(2), 1.0), {}, RuntimeError),
        ((t(3), t.bools(3), 1j), {}, RuntimeError),
    ],
)


def broadcast_shape(*shapes):
    """The shape that shapes, known to broadcast, broadcast to."""
    ndim = max(map(len, shapes))
    padded = [(1,) * (ndim - len(shape)) + tuple(shape) for shape in shapes]
    return tuple(next((n for n in sizes if n != 1), 1) for sizes in zip(*padded, strict=True))


def check_broadcast(op_name, shape, other):
    """Raise PyTorch's error where two shapes do not broadcast."""
    for d, (m, n) in enumerate(zip(reversed(shape), reversed(other), strict=False), 1):
        if m != n and 1 not in (m, n):
            raise RuntimeError(
                f"{op_name}: The size of tensor a ({m}) must match the size of tensor b ({n}) at non-singleton dimension "
                f"{max(len(shape), len(other)) - d}: the shapes are {list(shape)} and {list(other)}"
            )


def unselect(xp, grad, mask, shape):
    """The gradient of a tensor of ``shape`` from which the elements under a mask were selected."""
    full = broadcast_shape(shape, mask.shape)
    if not full:
        return xp.reshape(unselect(xp, grad, xp.reshape(mask, (1,)), (1,)), ())
    return fit(xp, xp.unindex(grad, (expanded(xp, mask, full),), full), shape)


def expanded(xp, value, shape):
    return value if tuple(value.shape) == shape else xp.expand(value, shape)


def batch_masked_select(xp, op, args, batched, size):
    input, mask = args
    if batched[1]:
        unbatchable("masked_select with a batched mask")(xp, op, args, batched, size)
    full = broadcast_shape(tuple(input.shape)[1:], mask.shape)
    ndim = logical_ndim(input, True)
    input = xp.reshape(input, (size, *[1] * (len(full) - ndim), *tuple(input.shape)[1:]))
    if not full:
        full, input = (1,), xp.reshape(input, (size, 1))
        mask = xp.reshape(mask, (1,))
    return xp.index(expanded(xp, input, (size, *full)), (WHOLE, expanded(xp, mask, full)))


def prepare_masked_select(input, mask):
    check_mask("masked_select: expected BoolTensor for mask, but got {}", mask)
    check_broadcast("masked_select", tuple(input.shape), tuple(mask.shape))
    return input, mask


masked_select = op(
    "masked_select(input, mask)",
    "The elements where the mask holds, in order, in one dimension; mask and input broadcast.",
    vjp={"input": lambda xp, grad, mask, input_shape: unselect(xp, grad, mask, input_shape)},
    jvp=LINEAR,
    batch=batch_masked_select,
    operands=("input", "mask"),
    prepare=prepare_masked_select,
    out=True,
    samples=lambda t: [
        ((t(3, 4), t.bools(3, 4)), {}),
        ((t(3, 4), t.bools(4)), {}),
        ((t(4), t.bools(3, 1)), {}),
        ((t(), t.bools()), {}),
    ],
    errors=lambda t: [((t(3), t(3)), {}, RuntimeError), ((t(2, 3), t.bools(0, 3)), {}, RuntimeError)],
)


def masked_scatter_formula(xp, input, mask, source):
    """Each element under the mask takes the next of the source: how many there were before says which."""
    shape = broadcast_shape(input.shape, mask.shape)
    input, mask = expanded(xp, input, shape), expanded(xp, mask, shape)
    if 0 in source.shape:
        return input
    before = xp.cumsum(xp.reshape(mask, (-1,)), 0) - 1
    taken = xp.take(xp.reshape(source, (-1,)), xp.where(mask, xp.reshape(before, shape), 0))
    return xp.where(mask, taken, input)


def prepare_masked_scatter(input, mask, source):
    check_mask("masked_scatter_ only supports boolean masks, but got mask with dtype {}", mask)
    needs_tensor("masked_scatter", "source", 3, source)
    check_broadcast("masked_scatter", input.shape, mask.shape)
    same_dtype("masked_scatter: expected self and source to have same dtypes but got {} and {}", input, source)
    return input, mask, source


masked_scatter = composite(
    "masked_scatter(input, mask, source)",
    "The input with the elements of ``source``, in order, where the mask holds; mask and input broadcast.",
    masked_scatter_formula,
    operands=("input", "mask", "source"),
    prepare=prepare_masked_scatter,
    inplace=True,
    samples=lambda t: [
        ((t(3, 4), t.bools(3, 4), t(12)), {}),
        ((t(3, 4), t.bools(4), t(4, 4)), {}),
        ((t(4), t.bools(3, 1), t(3, 4)), {}),
        ((t(0), t.bools(0), t(0)), {}),
    ],
    errors=lambda t: [((t(3), t(3), t(3)), {}, RuntimeError), ((t(3, 4), t.bools(3), t(12)), {}, RuntimeError)],
)


# -- where a tensor is not zero ----------------------------------------------------------------------------------------

nonzero_rows = op(
    "nonzero(input)",
    "The positions of the elements that are not zero, in order, one a row.",
    batch=unbatchable("nonzero"),
    method=False,
    function=False,
    samples=lambda t: [((t.bools(3, 4),), {}), ((t.bools(4),), {}), ((t.bools(),), {}), ((t.bools(0, 3),), {})],
)
nonzero_tuple = op(
    "nonzero_tuple(input)",
    "The positions of the elements that are not zero, in order, one tensor a dimension.",
    outputs=("*",),
    batch=unbatchable("nonzero"),
    method=False,
    function=False,
    samples=lambda t: [((t.bools(3, 4),), {}), ((t.bools(),), {})],
)
overload(
    "nonzero(input, *, as_tuple=False)",
    "The positions of the elements that are not zero: a matrix with one a row, or a tuple with one tensor a dimension.",
    lambda input, as_tuple: (nonzero_tuple if as_tuple else nonzero_rows, (input,)),
    out=True,
)
overload(
    "argwhere(input)",
    "The positions of the elements that are not zero, in order, one a row.",
    lambda input: (nonzero_rows, (input,)),
)
