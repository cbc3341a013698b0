"""Views by other strides: diagonals, windows, and memory seen in any way; and the operations that undo them.

The gradient of a view is laid out in zeros where the view took it from, and added up where windows overlap. These
embeddings are operations too, and linear, so that derivatives of every order are there.
"""

from math import prod

from . import checks
from .batching import full_batch, shifted
from .shape import INTERNAL, METHOD, form, integer, sizes
from .table import LINEAR, op
from .writing import to_dtype

# -- diagonals ---------------------------------------------------------------------------------------------------------


def diagonal_dims(op_name, dim1, dim2, ndim):
    """Two dims from the user, which must differ."""
    found = checks.dim(op_name, dim1, ndim), checks.dim(op_name, dim2, ndim)
    if found[0] == found[1]:
        raise RuntimeError(f"{op_name}: diagonal dimensions cannot be identical {dim1}, {dim2}")
    return found


def batch_diagonal(xp, op, args, batched, size):
    value, *rest, dim1, dim2 = args
    if op is embed_diagonal:
        rest[0] = (size, *rest[0])
    return xp.call(op, [value, *rest, *[d + 1 if d >= 0 else d for d in (dim1, dim2)]])


diagonal = op(
    "diagonal(input, offset=0, dim1=0, dim2=1)",
    "A view of a diagonal of each matrix in ``dim1`` and ``dim2``, as the last dimension; ``offset`` counts to the right.",
    vjp={
        "input": lambda xp, grad, offset, dim1, dim2, input_shape: xp.embed_diagonal(
            grad, input_shape, offset, dim1, dim2
        )
    },
    jvp=LINEAR,
    batch=batch_diagonal,
    view=True,
    prepare=lambda input, offset, dim1, dim2: (
        input,
        integer("diagonal", "offset", offset),
        *diagonal_dims("diagonal", dim1, dim2, input.ndim),
    ),
    samples=lambda t: [
        ((t(3, 4),), {}),
        ((t(3, 4), 1), {}),
        ((t(4, 3), -2), {}),
        ((t(2, 3, 4), 0, 1, -1), {}),
        ((t(2, 3, 4), 1, 2, 0), {}),
        ((t(2, 3), 7), {}),
        ((t(0, 3),), {}),
        ((t(2, 0, 3), 1, 1, 2), {}),
        ((t(2, 0, 3), 1, 0, 2), {}),
    ],
    errors=lambda t: [
        ((t(3),), {}, IndexError),
        ((t(2, 3, 4), 0, 1, 1), {}, RuntimeError),
        ((t(2, 3), 0, 0, 2), {}, IndexError),
    ],
)

embed_diagonal = op(
    "embed_diagonal(input, shape, offset, dim1, dim2)",
    "Zeros of ``shape``, with the input's last dimension at a diagonal of each matrix in ``dim1`` and ``dim2``.",
    vjp={"input": lambda xp, grad, offset, dim1, dim2: xp.diagonal(grad, offset, dim1, dim2)},
    jvp=LINEAR,
    batch=batch_diagonal,
    operands=("input",),
    node="DiagEmbedBackward0",
    samples=lambda t: [
        ((t(2), (2, 3), 0, 0, 1), {}),
        ((t(3, 2), (3, 3, 2), -1, 1, 2), {}),
        ((t(2), (3, 2), 0, 1, 0), {}),
    ],
    **INTERNAL,
)


def square(shape, offset, dim1, dim2):
    """The shape of matrices with vectors of ``shape`` at their diagonals."""
    n = shape[-1] + abs(offset)
    rest = iter(shape[:-1])
    return tuple(n if d in (dim1, dim2) else next(rest) for d in range(len(shape) + 1))


def choose_diag_embed(input, offset=0, dim1=-2, dim2=-1):
    offset = integer("diag_embed", "offset", offset)
    dims = diagonal_dims("diag_embed", dim1, dim2, input.ndim + 1)
    return embed_diagonal, (input, square(tuple(input.shape), offset, *dims), offset, *dims)


form(
    "diag_embed(input, offset=0, dim1=-2, dim2=-1)",
    "Matrices of zeros in ``dim1`` and ``dim2``, with the input's last dimension at their diagonal.",
    choose_diag_embed,
)

diag_copy = op(
    "diag_copy(input, offset=0)",
    "A copy of a diagonal of a matrix.",
    vjp={"input": lambda xp, grad, offset, input_shape: xp.embed_diagonal(grad, input_shape, offset, 0, 1)},
    jvp=LINEAR,
    batch=lambda xp, op, args, batched, size: xp.diagonal(args[0], args[1], 1, 2),
    node="DiagonalBackward0_copy",
    samples=lambda t: [((t(3, 4),), {}), ((t(3, 4), 2), {}), ((t(3, 2), -1), {})],
    **INTERNAL,
)


def choose_diag(input, diagonal=0):
    if input.ndim == 1:
        return choose_diag_embed(input, diagonal)
    if input.ndim != 2:
        raise RuntimeError(f"diag(): Supports 1D or 2D tensors. Got {input.ndim}D")
    return diag_copy, (input, integer("diag", "diagonal", diagonal))


form(
    "diag(input, diagonal=0)",
    "A copy of a matrix's diagonal; of a vector, the matrix that has it at its diagonal.",
    choose_diag,
    out=True,
)

diagflat = op(
    "diagflat(input, offset=0)",
    "A matrix of zeros with the input's elements, in order, at a diagonal.",
    vjp={"input": lambda xp, grad, offset, input_shape: xp.reshape(xp.diagonal(grad, offset, 0, 1), input_shape)},
    jvp=LINEAR,
    batch=lambda xp, op, args, batched, size: xp.embed_diagonal(
        xp.reshape(args[0], (size, prod(args[0].shape[1:]))),
        (size, *[prod(args[0].shape[1:]) + abs(args[1])] * 2),
        args[1],
        1,
        2,
    ),
    node="DiagEmbedBackward0",
    samples=lambda t: [((t(2, 2),), {}), ((t(3), 1), {}), ((t(2), -2), {}), ((t(),), {}), ((t(0),), {})],
)


# -- windows -----------------------------------------------------------------------------------------------------------


def prepare_unfold(input, dimension, size, step):
    dimension = checks.dim("unfold", dimension, input.ndim)
    size, step = integer("unfold", "size", size), integer("unfold", "step", step)
    extent = input.shape[dimension] if input.ndim else 1
    if size < 0:
        raise RuntimeError(f"unfold: size is {size} but must be >= 0")
    if size > extent:
        raise RuntimeError(f"unfold: maximum size for tensor at dimension {dimension} is {extent} but size is {size}")
    if step <= 0:
        raise RuntimeError(f"unfold: step is {step} but must be > 0")
    return input, dimension, size, step


def batch_unfold(xp, op, args, batched, size):
    value, dim, *rest = args
    if value.ndim == 1:  # a zero-dim operand has one window, of its one element or of none
        return xp.slice(xp.unsqueeze(value, 1), 1, 0, rest[0], 1)
    return xp.call(op, [value, dim + 1 if dim >= 0 else dim, *rest])


unfold = op(
    "unfold(input, dimension, size, step)",
    "A view of all windows of ``size`` elements along a dimension, ``step`` apart; the window is the last dimension.",
    vjp={
        "input": lambda xp, grad, dimension, step, input_shape: (
            xp.fold_windows(grad, dimension, input_shape[dimension], step) if input_shape else xp.sum(grad)
        )
    },
    jvp=LINEAR,
    batch=batch_unfold,
    operands=("input",),
    view=True,
    prepare=prepare_unfold,
    samples=lambda t: [
        ((t(7), 0, 3, 2), {}),
        ((t(2, 5, 3), 1, 2, 1), {}),
        ((t(2, 5), -1, 2, 4), {}),
        ((t(5), 0, 0, 2), {}),
        ((t(), 0, 1, 1), {}),
        ((t(0, 3), 1, 2, 1), {}),
    ],
    errors=lambda t: [
        ((t(3), 0, 4, 1), {}, RuntimeError),
        ((t(3), 0, 2, 0), {}, RuntimeError),
        ((t(3), 0, -1, 1), {}, RuntimeError),
        ((t(3), 1, 2, 1), {}, IndexError),
    ],
    **METHOD,
)

fold_windows = op(
    "fold_windows(input, dim, extent, step)",
    "The sum of windows (the last dimension) laid ``step`` apart over a dimension of size ``extent``.",
    vjp={"input": lambda xp, grad, dim, step, input_shape: xp.unfold(grad, dim, input_shape[-1], step)},
    jvp=LINEAR,
    batch=shifted("dim"),
    operands=("input",),
    samples=lambda t: [((t(3, 3), 0, 7, 2), {}), ((t(2, 4, 3, 2), 1, 5, 1), {}), ((t(2, 0), 0, 3, 2), {})],
    **INTERNAL,
)


# -- memory with any strides -------------------------------------------------------------------------------------------


def memory_of(input):
    """The array that a tensor holds, and the whole that it is a part of; None for a value that has no memory."""
    data = input._data
    while hasattr(data, "_data"):
        data = data._data
    if not hasattr(data, "strides"):
        if input._view is not None:
            raise RuntimeError(
                "as_strided: in vmap, jvp or a trace, only a tensor that is no view has strides that can be known; clone() it"
            )
        return None, None
    whole = data
    while type(whole.base) is type(data):
        whole = whole.base
    return data, whole


def layout(input):
    """How a tensor lies in memory, in elements: (shape, strides, offset); and how many elements there are in all."""
    shape = tuple(input.shape)
    data, whole = memory_of(input)
    if data is None:
        return (shape, tuple(prod(shape[d + 1 :]) for d in range(len(shape))), 0), prod(shape)
    offset = (data.ctypes.data - whole.ctypes.data) // data.itemsize
    return (shape, tuple(s // data.itemsize for s in data.strides), offset), whole.nbytes // data.itemsize


def checked_strides(input, size, stride, storage_offset):
    """Sizes, strides and offset that stay in the input's memory; and how the input lies there."""
    size, stride = sizes("as_strided", "size", size), sizes("as_strided", "stride", stride)
    seen, extent = layout(input)
    offset = seen[2] if storage_offset is None else integer("as_strided", "storage_offset", storage_offset)
    if len(size) != len(stride):
        raise RuntimeError(f"as_strided: mismatch in length of strides and shape: {list(stride)} and {list(size)}")
    if any(s < 0 for s in (*stride, *size)):
        raise RuntimeError(
            f"as_strided: Negative strides are not supported at the moment, nor are negative sizes, got strides: "
            f"{list(stride)}, sizes: {list(size)}"
        )
    last = offset + sum(s * (n - 1) for s, n in zip(stride, size, strict=True)) if 0 not in size else -1
    if offset < 0 or last >= extent:
        raise RuntimeError(
            f"as_strided: sizes {list(size)}, strides {list(stride)}, storage offset {offset} are out of bounds for storage "
            f"of {extent} elements"
        )
    return size, stride, offset, seen


def choose_as_strided(input, size, stride, storage_offset=None):
    return strided, (input, *checked_strides(input, size, stride, storage_offset))


def reach(shape, strides, offset):
    """How many elements of memory there are up to the last that is seen."""
    return 0 if 0 in shape else 1 + offset + sum(s * (n - 1) for n, s in zip(shape, strides, strict=True))


def batch_strided(xp, op, args, batched, size):
    """The elements of the batch lie one after another in memory, each in as much as is seen of it."""
    values = [full_batch(xp, a, b, size) for a, b in zip(args, batched, strict=True) if hasattr(a, "ndim")]
    rest = args[len(values) :]
    if op is strided_sum:
        step = max(reach(*lies) for lies in rest)
        return xp.call(op, (*values, *[widened(lies, size, step) for lies in rest]))
    *laid, seen = rest
    step = max(reach(*laid), reach(*seen))
    return xp.call(op, (*values, *widened(laid, size, step), widened(seen, size, step)))


def widened(lies, size, step):
    """How a batch lies in memory whose elements lie so, ``step`` apart."""
    shape, strides, offset = lies
    return (size, *shape), (step, *strides), offset


strided = op(
    "strided(input, size, stride, offset, seen)",
    "The memory in which the input lies as ``seen`` says (shape, strides, offset), seen with other sizes and strides.",
    vjp={
        "input": lambda xp, grad, size, stride, offset, seen: xp.strided_sum(grad, seen, (size, stride, offset)),
    },
    jvp=LINEAR,
    batch=batch_strided,
    operands=("input",),
    view=True,
    node="AsStridedBackward0",
    samples=lambda t: [
        ((t(3, 4), (2, 2), (1, 2), 1, ((3, 4), (4, 1), 0)), {}),
        ((t(6), (4, 3), (1, 1), 0, ((6,), (1,), 0)), {}),
        ((t(2, 2), (), (), 2, ((2, 2), (1, 2), 0)), {}),
    ],
    **INTERNAL,
)

strided_sum = op(
    "strided_sum(input, seen, laid)",
    "The sum, for each element of memory, of what lies there as ``laid`` says, seen as ``seen`` says; where several "
    "elements are seen at one place, each gets an equal part.",
    vjp={"input": lambda xp, grad, seen, laid: xp.strided(grad, *laid, seen)},
    jvp=LINEAR,
    batch=batch_strided,
    operands=("input",),
    samples=lambda t: [((t(4, 3), ((6,), (1,), 0), ((4, 3), (1, 1), 0)), {})],
    **INTERNAL,
)

form(
    "as_strided(input, size, stride, storage_offset=None)",
    "A view of the memory that the input lies in, with any size and strides (in elements), from ``storage_offset``.",
    choose_as_strided,
)

strided_scatter = op(
    "strided_scatter(input, src, size, stride, offset, seen)",
    "The input, which lies in memory as ``seen`` says, with ``src`` where the given sizes and strides see that memory.",
    vjp={
        "input": lambda xp, grad, size, stride, offset, seen: xp.strided_scatter(
            grad, xp.new_zeros(grad, size), size, stride, offset, seen
        ),
        "src": lambda xp, grad, size, stride, offset, seen, src_dtype: to_dtype(
            xp, xp.strided(grad, size, stride, offset, seen), src_dtype
        ),
    },
    jvp=LINEAR,
    batch=batch_strided,
    operands=("input", "src"),
    node="AsStridedScatterBackward0",
    samples=lambda t: [
        ((t(3, 4), t(2, 2), (2, 2), (1, 2), 1, ((3, 4), (4, 1), 0)), {}),
        ((t(2, 2), t(2), (2,), (1,), 2, ((2, 2), (1, 2), 0)), {}),
    ],
    **INTERNAL,
)


def choose_as_strided_scatter(input, src, size, stride, storage_offset=None):
    size, *rest = checked_strides(input, size, stride, storage_offset)
    if size != tuple(src.shape):
        raise RuntimeError(
            f"as_strided_scatter: expected src to have a size equal to the slice of self. src size = {list(src.shape)}, "
            f"slice size = {list(size)}"
        )
    return strided_scatter, (input, src, size, *rest)


form(
    "as_strided_scatter(input, src, size, stride, storage_offset=None)",
    "The input with ``src`` in the part of its memory that :func:`as_strided` would see.",
    choose_as_strided_scatter,
)
