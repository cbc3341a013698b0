"""Views that select some of the elements: slices, splits, diagonals, windows, and memory seen with any strides.

The gradient of a selection is an embedding: zeros, with the cotangent at the places selected. The embeddings are
operations too, and linear, so that derivatives of every order are there.
"""

from math import prod

from . import checks
from .batching import shifted
from .shape import INTERNAL, METHOD, form, integer, sizes
from .table import LINEAR, op


def resized(shape, dim, size):
    """The shape with another size of one dimension."""
    return (*shape[:dim], size, *shape[dim + 1 :])


# -- slices ------------------------------------------------------------------------------------------------------------

slice_view = op(
    "slice(input, dim, start, end, step)",
    "A view of every ``step``-th element along ``dim``, from ``start`` up to ``end``; all three are not negative.",
    vjp={
        "input": lambda xp, grad, dim, start, step, input_shape: xp.embed(grad, dim, start, step, input_shape[dim]),
    },
    jvp=LINEAR,
    batch=shifted("dim"),
    operands=("input",),
    view=True,
    samples=lambda t: [
        ((t(5, 3), 0, 1, 4, 1), {}),
        ((t(2, 7), 1, 0, 7, 3), {}),
        ((t(2, 7), 1, 5, 9, 2), {}),
        ((t(4), 0, 2, 2, 1), {}),
        ((t(0, 3), 1, 1, 3, 1), {}),
    ],
    **INTERNAL,
)

embed = op(
    "embed(input, dim, start, step, extent)",
    "Zeros of size ``extent`` along ``dim``, with the input at every ``step``-th place from ``start``.",
    vjp={
        "input": lambda xp, grad, dim, start, step, input_shape: xp.slice(
            grad, dim, start, start + step * input_shape[dim], step
        )
    },
    jvp=LINEAR,
    batch=shifted("dim"),
    operands=("input",),
    samples=lambda t: [
        ((t(3, 2), 0, 1, 1, 5), {}),
        ((t(2, 3), 1, 1, 2, 6), {}),
        ((t(2, 0), 1, 3, 1, 3), {}),
        ((t(0, 2), 1, 0, 1, 2), {}),
    ],
    **INTERNAL,
)


def choose_narrow(input, dim, start, length):
    if not input.ndim:
        raise RuntimeError("narrow() cannot be applied to a 0-dim tensor.")
    dim, start = checks.dim("narrow", dim, input.ndim), integer("narrow", "start", start)
    length, extent = integer("narrow", "length", length), input.shape[dim]
    if length < 0:
        raise RuntimeError(f"narrow(): length must be non-negative, got {length}.")
    if not -extent <= start <= extent:
        raise IndexError(
            f"narrow: start out of range (expected to be in range of [{-extent}, {extent}], but got {start})"
        )
    start += extent if start < 0 else 0
    if start + length > extent:
        raise RuntimeError(f"narrow: start ({start}) + length ({length}) exceeds dimension size ({extent}).")
    return slice_view, (input, dim, start, start + length, 1)


form(
    "narrow(input, dim, start, length)",
    "A view of ``length`` elements along ``dim``, from ``start``, which counts from the back where it is negative.",
    choose_narrow,
)


def prepare_select(input, dim, index):
    if not input.ndim:
        raise IndexError("select() cannot be applied to a 0-dim tensor.")
    dim, index = checks.dim("select", dim, input.ndim), integer("select", "index", index)
    extent = input.shape[dim]
    if not -extent <= index < extent:
        raise IndexError(
            f"select(): index {index} out of range for tensor of size {list(input.shape)} at dimension {dim}"
        )
    return input, dim, index + extent if index < 0 else index


select = op(
    "select(input, dim, index)",
    "A view of one index of a dimension, without that dimension.",
    vjp={
        "input": lambda xp, grad, dim, index, input_shape: xp.embed(
            xp.unsqueeze(grad, dim), dim, index, 1, input_shape[dim]
        )
    },
    jvp=LINEAR,
    batch=shifted("dim"),
    operands=("input",),
    view=True,
    prepare=prepare_select,
    samples=lambda t: [((t(2, 3), 0, 1), {}), ((t(2, 3, 4), -2, -1), {}), ((t(3), 0, 2), {}), ((t(0, 3), 1, 0), {})],
    errors=lambda t: [
        ((t(2, 3), 0, 2), {}, IndexError),
        ((t(2, 3), 2, 0), {}, IndexError),
        ((t(), 0, 0), {}, IndexError),
        ((t(2, 3), 0, 1.5), {}, TypeError),
    ],
)


# -- splits: one node with several outputs -----------------------------------------------------------------------------


def rejoined(xp, grads, shape, dim, bounds):
    """The gradient of what was split along ``dim`` at ``bounds``, of the gradients of the parts, some of them None."""
    given = [(g, start) for g, (start, _) in zip(grads, bounds, strict=True) if g is not None]
    ends = [end for _, end in bounds]
    consecutive = [start for start, _ in bounds] == [0, *ends[:-1]] and ends[-1] == shape[dim]
    if len(given) == 1 or not consecutive:
        placed = [xp.embed(g, dim, start, 1, shape[dim]) for g, start in given]
        total = placed[0]
        for more in placed[1:]:
            total = total + more
        return total
    full = [
        xp.new_zeros(given[0][0], resized(shape, dim, end - start)) if g is None else g
        for g, (start, end) in zip(grads, bounds, strict=True)
    ]
    return xp.cat(full, dim)


def bounds_of(lengths):
    """Where parts of these lengths start and end."""
    ends = [sum(lengths[: i + 1]) for i in range(len(lengths))]
    return [(end - n, end) for end, n in zip(ends, lengths, strict=True)]


def equal_bounds(extent, size):
    """Where parts of one size start and end, the last of which may be smaller; one part where there are no elements."""
    return [(start, min(start + size, extent)) for start in range(0, extent, size)] if extent else [(0, 0)]


def checked_split(op_name, input, dim):
    """The dim to split and its size."""
    if not input.ndim:
        raise RuntimeError(f"{op_name} expects at least a 1-dimensional tensor")
    dim = checks.dim(op_name, dim, input.ndim)
    return dim, input.shape[dim]


split_equal = op(
    "split_equal(input, split_size, dim=0)",
    "Views of ``split_size`` elements along ``dim`` each; the last may have fewer.",
    vjp={
        "input": lambda xp, grads, split_size, dim, input_shape: rejoined(
            xp, grads, input_shape, dim, equal_bounds(input_shape[dim], split_size)
        )
    },
    jvp=LINEAR,
    batch=shifted("dim"),
    operands=("input",),
    outputs=("*",),
    view=True,
    node="SplitBackward0",
    samples=lambda t: [((t(5, 2), 2, 0), {}), ((t(2, 4), 2, 1), {}), ((t(2, 3), 5, 1), {}), ((t(0, 3), 1, 0), {})],
    **INTERNAL,
)


def prepare_split_with_sizes(input, split_sizes, dim=0):
    dim, extent = checked_split("split_with_sizes", input, dim)
    split_sizes = sizes("split_with_sizes", "split_sizes", split_sizes)
    if any(n < 0 for n in split_sizes):
        raise RuntimeError(
            f"split_with_sizes expects split_sizes have only non-negative entries, but got split_sizes={list(split_sizes)}"
        )
    if sum(split_sizes) != extent or not split_sizes:
        raise RuntimeError(
            f"split_with_sizes expects split_sizes to sum exactly to {extent} (input tensor's size at dimension {dim}), but "
            f"got split_sizes={list(split_sizes)}"
        )
    return input, split_sizes, dim


split_with_sizes = op(
    "split_with_sizes(input, split_sizes, dim=0)",
    "Views of so many elements along ``dim`` as the list says, which must sum to the size of that dimension.",
    vjp={
        "input": lambda xp, grads, split_sizes, dim, input_shape: rejoined(
            xp, grads, input_shape, dim, bounds_of(split_sizes)
        )
    },
    jvp=LINEAR,
    batch=shifted("dim"),
    operands=("input",),
    outputs=("*",),
    view=True,
    prepare=prepare_split_with_sizes,
    samples=lambda t: [
        ((t(5, 2), (2, 3)), {}),
        ((t(2, 4), [1, 0, 3], 1), {}),
        ((t(4), (4,), -1), {}),
        ((t(0, 3), (0, 0), 0), {}),
    ],
    errors=lambda t: [
        ((t(3), (1, 1)), {}, RuntimeError),
        ((t(3), (4, -1)), {}, RuntimeError),
        ((t(), (1,)), {}, RuntimeError),
        ((t(3), (3,), 1), {}, IndexError),
        ((t(3), 3), {}, TypeError),
    ],
)


def choose_split(input, split_size_or_sections, dim=0):
    if isinstance(split_size_or_sections, (tuple, list)):
        return split_with_sizes, (input, split_size_or_sections, dim)
    dim, extent = checked_split("split", input, dim)
    size = integer("split", "split_size_or_sections", split_size_or_sections)
    if size < 0:
        raise RuntimeError(f"split expects split_size be non-negative, but got split_size={size}")
    if not size and extent:
        raise RuntimeError(f"split: split_size can only be 0 if dimension size is 0, but got dimension size of {extent}")
    return split_equal, (input, max(size, 1), dim)


form(
    "split(input, split_size_or_sections, dim=0)",
    "Views of consecutive parts along ``dim``: of one size (the last may be smaller), or of the sizes in a list.",
    choose_split,
)


def choose_chunk(input, chunks, dim=0):
    dim, extent = checked_split("chunk", input, dim)
    chunks = integer("chunk", "chunks", chunks)
    if chunks <= 0:
        raise RuntimeError(f"chunk expects `chunks` to be greater than 0, got: {chunks}")
    if not extent:
        return split_with_sizes, (input, (0,) * chunks, dim)
    return split_equal, (input, -(-extent // chunks), dim)


form(
    "chunk(input, chunks, dim=0)",
    "Views of at most ``chunks`` consecutive parts along ``dim``, all of one size but the last.",
    choose_chunk,
)


def sliced_bounds(extent, indices):
    """Where the parts between ``indices`` start and end; as in Python's slices, indices may be negative or too large."""
    clipped = [min(max(i + extent if i < 0 else i, 0), extent) for i in indices]
    return [(start, max(start, end)) for start, end in zip([0, *clipped], [*clipped, extent], strict=True)]


tensor_split_at = op(
    "tensor_split_at(input, indices, dim=0)",
    "Views of the parts of a dimension between the given indices.",
    vjp={
        "input": lambda xp, grads, indices, dim, input_shape: rejoined(
            xp, grads, input_shape, dim, sliced_bounds(input_shape[dim], indices)
        )
    },
    jvp=LINEAR,
    batch=shifted("dim"),
    operands=("input",),
    outputs=("*",),
    view=True,
    node="SliceBackward0",
    samples=lambda t: [
        ((t(5, 2), (2, 3), 0), {}),
        ((t(2, 4), (1, 5, 2), 1), {}),
        ((t(4), (-1,), 0), {}),
        ((t(4), (), 0), {}),
        ((t(0, 3), (0, 1), 0), {}),
    ],
    **INTERNAL,
)


def choose_tensor_split(input, indices_or_sections, dim=0):
    if not input.ndim:
        raise RuntimeError("tensor_split expected at least a 1-dimensional tensor, but got a tensor with 0 dims")
    dim = checks.dim("tensor_split", dim, input.ndim)
    if hasattr(indices_or_sections, "tolist"):
        indices_or_sections = indices_or_sections.tolist()
    if isinstance(indices_or_sections, (tuple, list)):
        return tensor_split_at, (input, sizes("tensor_split", "indices", indices_or_sections), dim)
    sections = integer("tensor_split", "indices_or_sections", indices_or_sections)
    if sections <= 0:
        raise RuntimeError(f"tensor_split: number of sections must be larger than 0, got {sections}")
    least, larger = divmod(input.shape[dim], sections)
    return tensor_split_at, (input, tuple(i * least + min(i, larger) for i in range(1, sections)), dim)


form(
    "tensor_split(input, indices_or_sections, dim=0)",
    "Views of the parts of a dimension: so many of nearly equal size, or those between the given indices.",
    choose_tensor_split,
)


def choose_axis_split(name, least, dim_of):
    def choose(input, indices_or_sections):
        if input.ndim < least:
            raise RuntimeError(
                f"torch.{name} requires a tensor with at least {least} dimension, but got a tensor with {input.ndim} dimensions!"
            )
        dim = dim_of(input.ndim)
        if not isinstance(indices_or_sections, (tuple, list)):
            sections, extent = integer(name, "split_size", indices_or_sections), input.shape[dim]
            if sections <= 0 or extent % sections:
                raise RuntimeError(
                    f"torch.{name} attempted to split along dimension {dim}, but the size of the dimension {extent} is not "
                    f"divisible by the split_size {sections}!"
                )
        return choose_tensor_split(input, indices_or_sections, dim)

    return choose


for name, least, dim_of in (
    ("hsplit", 1, lambda ndim: 0 if ndim == 1 else 1),
    ("vsplit", 2, lambda ndim: 0),
    ("dsplit", 3, lambda ndim: 2),
):
    form(
        f"{name}(input, indices_or_sections)",
        f"Views of the parts of a dimension, as :func:`tensor_split` gives them: {name[0]} stands for which it is.",
        choose_axis_split(name, least, dim_of),
    )


def unbound(xp, grads, shape, dim):
    """The gradient of what was unbound along ``dim``."""
    given = [(g, i) for i, g in enumerate(grads) if g is not None]
    if len(given) == 1:
        grad, i = given[0]
        return xp.embed(xp.unsqueeze(grad, dim), dim, i, 1, shape[dim])
    return xp.stack([xp.zeros_like(given[0][0]) if g is None else g for g in grads], dim)


def prepare_unbind(input, dim=0):
    if not input.ndim:
        raise IndexError(f"unbind: Dimension specified as {dim} but tensor has no dimensions")
    return input, checks.dim("unbind", dim, input.ndim)


unbind = op(
    "unbind(input, dim=0)",
    "A tuple of views, one for each index of a dimension, without that dimension.",
    vjp={"input": lambda xp, grads, dim, input_shape: unbound(xp, grads, input_shape, dim)},
    jvp=LINEAR,
    batch=shifted("dim"),
    outputs=("*",),
    view=True,
    prepare=prepare_unbind,
    samples=lambda t: [((t(2, 3),), {}), ((t(2, 3, 4), -1), {}), ((t(3), 0), {}), ((t(2, 0), 0), {})],
    errors=lambda t: [((t(2, 3), 2), {}, IndexError), ((t(),), {}, IndexError)],
)


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
    samples=lambda t: [((t(2), (2, 3), 0, 0, 1), {}), ((t(3, 2), (3, 3, 2), -1, 1, 2), {}), ((t(2), (3, 2), 0, 1, 0), {})],
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
        "input": lambda xp, grad, dimension, step, input_shape: xp.fold_windows(
            grad, dimension, input_shape[dimension], step
        )
        if input_shape
        else xp.sum(grad)
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


def layout(input):
    """How a tensor lies in its memory, in elements: (shape, strides, offset). What has no memory lies contiguously."""
    data, shape = input._data, tuple(input.shape)
    if not hasattr(data, "strides"):
        return shape, tuple(prod(shape[d + 1 :]) for d in range(len(shape))), 0
    whole = data
    while type(whole.base) is type(data):
        whole = whole.base
    return shape, tuple(s // data.itemsize for s in data.strides), (data.ctypes.data - whole.ctypes.data) // data.itemsize


def memory_size(input):
    """The number of elements of a tensor's dtype in the memory that it is a part of."""
    whole = data = input._data
    if not hasattr(data, "strides"):
        return prod(input.shape)
    while type(whole.base) is type(data):
        whole = whole.base
    return whole.nbytes // data.itemsize


def choose_as_strided(input, size, stride, storage_offset=None):
    size, stride = sizes("as_strided", "size", size), sizes("as_strided", "stride", stride)
    seen = layout(input)
    offset = seen[2] if storage_offset is None else integer("as_strided", "storage_offset", storage_offset)
    if len(size) != len(stride):
        raise RuntimeError(f"as_strided: mismatch in length of strides and shape: {list(stride)} and {list(size)}")
    if any(s < 0 for s in (*stride, *size)):
        raise RuntimeError(
            f"as_strided: Negative strides are not supported at the moment, nor are negative sizes, got strides: "
            f"{list(stride)}, sizes: {list(size)}"
        )
    last = offset + sum(s * (n - 1) for s, n in zip(stride, size, strict=True)) if 0 not in size else -1
    if offset < 0 or last >= memory_size(input):
        raise RuntimeError(
            f"as_strided: sizes {list(size)}, strides {list(stride)}, storage offset {offset} are out of bounds for storage "
            f"of {memory_size(input)} elements"
        )
    return strided, (input, size, stride, offset, seen)


strided = op(
    "strided(input, size, stride, offset, seen)",
    "The memory in which the input lies as ``seen`` says (shape, strides, offset), seen with other sizes and strides.",
    vjp={
        "input": lambda xp, grad, size, stride, offset, seen: xp.strided_sum(grad, seen, (size, stride, offset)),
    },
    jvp=LINEAR,
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
    operands=("input",),
    samples=lambda t: [((t(4, 3), ((6,), (1,), 0), ((4, 3), (1, 1), 0)), {})],
    **INTERNAL,
)

form(
    "as_strided(input, size, stride, storage_offset=None)",
    "A view of the memory that the input lies in, with any size and strides (in elements), from ``storage_offset``.",
    choose_as_strided,
)
