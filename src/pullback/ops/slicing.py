"""Views that select some of the elements along a dimension: slices, splits, and single indices.

The gradient of a selection is an embedding: zeros, with the cotangent at the places selected. The embeddings are
operations too, and linear, so that derivatives of every order are there.
"""

from . import checks
from .batching import shifted
from .shape import INTERNAL, form, integer, sizes
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


def either(op_name, *given):
    """The one argument that was given of several names for it."""
    found = [g for g in given if g is not None]
    if len(found) != 1:
        raise TypeError(f"{op_name}() received an invalid combination of arguments: {len(found)} say where to split")
    return found[0]


def choose_split(input, split_size_or_sections=None, dim=0, split_size=None):
    split_size_or_sections = either("split", split_size_or_sections, split_size)
    if isinstance(split_size_or_sections, (tuple, list)):
        return split_with_sizes, (input, split_size_or_sections, dim)
    dim, extent = checked_split("split", input, dim)
    size = integer("split", "split_size_or_sections", split_size_or_sections)
    if size < 0:
        raise RuntimeError(f"split expects split_size be non-negative, but got split_size={size}")
    if not size and extent:
        raise RuntimeError(
            f"split: split_size can only be 0 if dimension size is 0, but got dimension size of {extent}"
        )
    return split_equal, (input, max(size, 1), dim)


form(
    "split(input, split_size_or_sections=None, dim=0, *, split_size=None)",
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
    "tensor_split_at(input, points, dim=0)",
    "Views of the parts of a dimension between the given points.",
    vjp={
        "input": lambda xp, grads, points, dim, input_shape: rejoined(
            xp, grads, input_shape, dim, sliced_bounds(input_shape[dim], points)
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


def choose_tensor_split(input, indices_or_sections=None, dim=0, *others):
    indices_or_sections = either("tensor_split", indices_or_sections, *others)
    if not input.ndim:
        raise RuntimeError("tensor_split expected at least a 1-dimensional tensor, but got a tensor with 0 dims")
    dim = checks.dim("tensor_split", dim, input.ndim)
    if hasattr(indices_or_sections, "tolist"):
        if indices_or_sections.ndim > 1 or indices_or_sections.dtype.name != "int64":
            raise RuntimeError(
                "tensor_split expected tensor_indices_or_sections to be a zero-dimensional or one-dimensional int64 tensor, "
                f"but got a tensor with {indices_or_sections.ndim} dims of {indices_or_sections.dtype}"
            )
        indices_or_sections = indices_or_sections.tolist()
    if isinstance(indices_or_sections, (tuple, list)):
        return tensor_split_at, (input, sizes("tensor_split", "indices", indices_or_sections), dim)
    sections = integer("tensor_split", "indices_or_sections", indices_or_sections)
    if sections <= 0:
        raise RuntimeError(f"tensor_split: number of sections must be larger than 0, got {sections}")
    least, larger = divmod(input.shape[dim], sections)
    return tensor_split_at, (input, tuple(i * least + min(i, larger) for i in range(1, sections)), dim)


form(
    "tensor_split(input, indices_or_sections=None, dim=0, *, sections=None, indices=None, "
    "tensor_indices_or_sections=None)",
    "Views of the parts of a dimension: so many of nearly equal size, or those between the given indices.",
    choose_tensor_split,
)


def choose_axis_split(name, least, dim_of):
    def choose(input, *given):
        indices_or_sections = either(name, *given)
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
        f"{name}(input, indices_or_sections=None, *, sections=None, indices=None)",
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
