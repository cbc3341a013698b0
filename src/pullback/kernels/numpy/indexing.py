"""Indexing kernels: what ``[]`` finds and writes, and what is accumulated where it found something.

An index is a tuple as NumPy takes it. NumPy's own errors are reworded as PyTorch's. Where an element may be met several
times (:func:`accumulate_at`), contributions are added in the order of the index, so results are the same on every run.
"""

from math import prod

import numpy as np

from .registry import KERNELS, kernel, kernel_into

# Above this many elements, rows are added by SciPy's sparse product (55 µs for 5,000 rows of 64, where np.add.at over
# elements takes 570 and over rows 2,760); below it, SciPy is not imported for what takes 30 µs without.
SPARSE_FROM = 1 << 14
TINY = 512


# -- reading -----------------------------------------------------------------------------------------------------------


@kernel
def getitem(input, index):
    return input[index]


KERNELS.update(getitem_alias=getitem, getitem_select=getitem, getitem_unsqueeze=getitem)


@kernel
def index(input, indices):
    last = len(indices) - 1
    found = indices[last]
    try:
        if last and any(type(i) is not slice for i in indices[:last]):
            return input[indices]
        if found.dtype != bool:
            return input.take(found, last)
        if last or not fits_flat(input, found):
            return input[indices]
        # 51 µs for 64,000 elements where input[mask] takes 227
        return input.reshape(found.size, *input.shape[found.ndim :]).take(np.flatnonzero(found), 0)
    except IndexError as error:
        raise IndexError(reworded(error)) from None


def fits_flat(array, mask):
    """Whether a mask selects among the leading dims of contiguous memory."""
    return array.flags.c_contiguous and mask.shape == array.shape[: mask.ndim]


def reworded(error):
    """NumPy's message of an IndexError, in PyTorch's words."""
    text = str(error).replace("axis", "dimension")
    if text.startswith("shape mismatch: indexing arrays"):
        shapes = text[text.index("(") :].strip().split(") (")
        listed = ", ".join(f"[{s.strip('(),').replace(',', ', ')}]" for s in shapes)
        return f"shape mismatch: indexing tensors could not be broadcast together with shapes {listed}"
    return text


@kernel
def take(input, index):
    if not input.size and np.size(index):
        raise IndexError("take(): tried to take from an empty tensor")
    check_flat(index, input.size)
    return input.reshape(-1).take(index)


def check_flat(index, size):
    """Raise PyTorch's error for the first index that is no position among ``size`` elements."""
    index = np.asarray(index)
    if index.size and not -size <= index.min() <= index.max() < size:
        bad = index[(index < -size) | (index >= size)].flat[0]
        raise IndexError(f"out of range: tried to access index {bad} on a tensor of {size} elements.")


@kernel
def nonzero(input):
    return np.stack(nonzero_tuple(input), 1) if np.ndim(input) else np.argwhere(input)


@kernel
def nonzero_tuple(input):
    flat, found = np.flatnonzero(input), []
    for size in reversed(np.shape(input)[1:]):  # 100 µs for 64,000 elements, where np.nonzero takes 370
        rest = flat // size
        found.append(flat - rest * size)
        flat = rest
    return (flat, *reversed(found))


# -- accumulating ------------------------------------------------------------------------------------------------------


@kernel
def unindex(input, indices, shape):
    input = np.asarray(input)
    out = np.zeros(shape, input.dtype)
    indices = indices if type(indices) is tuple else (indices,)
    if any(isinstance(i, np.ndarray) and i.dtype != bool for i in indices):
        accumulate_at(out, indices, input)
    else:
        assign(out, indices, input)
    return out


def assign(target, index, values):
    """``target[index] = values``; a mask over contiguous memory as positions (67 µs for 64,000 elements, not 223)."""
    mask = index[0] if len(index) == 1 else None
    if isinstance(mask, np.ndarray) and mask.dtype == bool and fits_flat(target, mask):
        target = target.reshape(mask.size, *target.shape[mask.ndim :])
        index = (np.flatnonzero(mask),)
    target[index] = values


def accumulate_at(target, index, values):
    """``target[index] += values``, where an element may be met several times."""
    index, positions = integers_only(index)
    if is_tiny(values, target) or not all(type(i) is slice or p in positions for p, i in enumerate(index)):
        np.add.at(target, index, values)
        return
    arrays = [index[p] for p in positions]
    if len(arrays) > 1:
        arrays = np.broadcast_arrays(*arrays)
    shape, first, count = target.shape, positions[0], len(positions)
    rows = raveled(arrays, [shape[p] for p in positions])
    if positions[-1] - first != count - 1:  # NumPy puts separated index dims first
        order = (*positions, *[d for d in range(len(shape)) if d not in positions])
        target, first = target.transpose(order), 0
        shape = target.shape
    found = shape[:first] + arrays[0].shape + shape[first + count :]
    values = values if np.shape(values) == found else np.broadcast_to(values, found)
    add_rows(target, rows, values, prod(shape[:first]), prod(shape[first : first + count]))


def is_tiny(values, target):
    """Whether preparing rows would take longer than NumPy's own slow way (5 µs for 320 elements)."""
    return np.size(values) <= TINY and target.itemsize > 2


def integers_only(index):
    """An index with its masks written as the positions where they hold, and which entries are arrays then."""
    entries, positions = [], []
    for i in index:
        if isinstance(i, np.ndarray):
            found = np.nonzero(i) if i.dtype == bool else (i,)
            positions.extend(range(len(entries), len(entries) + len(found)))
            entries.extend(found)
        else:
            entries.append(i)
    return tuple(entries), positions


def raveled(arrays, sizes):
    """Flat positions of index arrays of one shape over dims of these sizes; negative ones count from the end."""
    flat = 0
    for dim, (array, size) in enumerate(zip(arrays, sizes, strict=True)):
        array = array.ravel()
        if array.size:
            low = array.min()
            if low < -size or array.max() >= size:
                bad = array[(array < -size) | (array >= size)][0]
                raise IndexError(f"index {bad} is out of bounds for dimension {dim} with size {size}")
            if low < 0:
                array = np.where(array < 0, array + size, array)
        flat = array.astype(np.intp, copy=False) + (flat * size if dim else 0)
    return flat


def add_rows(target, rows, values, outer, extent):
    """Add ``values``, seen as (outer, len(rows), inner), to the rows of ``target``, seen as (outer, extent, inner)."""
    if not values.size:
        return
    wide = widened(target)
    in_place = wide is target and target.flags.c_contiguous
    block = (target if in_place else np.ascontiguousarray(wide)).reshape(-1)
    if outer > 1:
        rows = (np.arange(0, outer * extent, extent)[:, None] + rows).ravel()
    if np.may_share_memory(values, target):
        values = values.copy()
    inner = block.size // (outer * extent)
    values = np.ascontiguousarray(values, wide.dtype).reshape(-1)
    if inner == 1:
        np.add.at(block, rows, values)
    elif values.size < SPARSE_FROM or not add_sparse(block, rows, values, inner):
        np.add.at(block, (rows[:, None] * inner + np.arange(inner)).ravel(), values)
    if not in_place:
        target[...] = block.reshape(target.shape)


def widened(array):
    """The array in the dtype that sums of its elements are accumulated in: float32 for the half precisions."""
    return array.astype(np.float32) if array.dtype.kind in "fV" and array.dtype.itemsize == 2 else array


def add_sparse(block, rows, values, inner):
    """Add rows by the product of a sparse matrix of ones, one column a row of ``values``; False where SciPy cannot."""
    try:
        from scipy.sparse._sparsetools import csc_matvecs
    except ImportError:
        return False
    count = len(rows)
    columns, ones = np.arange(count + 1), np.ones(count, values.dtype)
    csc_matvecs(block.size // inner, count, inner, columns, rows, ones, values, block)
    return True


# -- writing -----------------------------------------------------------------------------------------------------------


@kernel
def index_put(input, indices, values, accumulate=False):
    out = np.array(input, order="C")
    index_put_into(out, indices, values, accumulate)
    return out


@kernel_into
def index_put_into(target, indices, values, accumulate=False):
    try:
        if not np.size(values):
            np.broadcast_to(values, found_shape(target, indices))  # NumPy lets any empty array pass
        (accumulate_at if accumulate else assign)(target, indices, values)
    except (IndexError, ValueError) as error:
        raise refusal(error, target, indices, values) from None


def found_shape(target, indices):
    return np.broadcast_to(np.False_, target.shape)[indices].shape


def refusal(error, target, indices, values):
    """PyTorch's error for what NumPy refused to write."""
    try:
        found = found_shape(target, indices)
    except IndexError as out_of_range:
        return IndexError(reworded(out_of_range))
    if isinstance(error, IndexError):
        return IndexError(reworded(error))
    return RuntimeError(
        f"shape mismatch: value tensor of shape {list(np.shape(values))} cannot be broadcast to indexing result of shape "
        f"{list(found)}"
    )


@kernel
def put(input, index, source, accumulate=False):
    out = np.array(input, order="C")
    put_into(out, index, source, accumulate)
    return out


@kernel_into
def put_into(target, index, source, accumulate=False):
    check_flat(index, target.size)
    in_place = target.flags.c_contiguous
    flat = (target if in_place else np.ascontiguousarray(target)).reshape(-1)
    index_put_into(flat, (np.ravel(index),), np.ravel(source), accumulate)
    if not in_place:
        target[...] = flat.reshape(target.shape)


@kernel
def put_region(input, src, index):
    out = np.array(input, order="C")
    out[index] = src
    return out


KERNELS.update(select_scatter=lambda input, src, dim, index: put_region(input, src, (*[slice(None)] * dim, index)))


@kernel
def slice_scatter(input, src, dim=0, start=None, end=None, step=1):
    return put_region(input, src, (*[slice(None)] * dim, slice(start, end, step)))


@kernel
def diagonal_scatter(input, src, offset=0, dim1=0, dim2=1):
    out = np.array(input, order="C")
    diagonal = np.diagonal(out, offset, dim1, dim2)
    diagonal.flags.writeable = True
    diagonal[...] = src
    return out


# -- masks, and whole tensors ------------------------------------------------------------------------------------------


@kernel
def masked_fill(input, mask, value):
    return np.where(mask, np.asarray(value).astype(input.dtype), input)


@kernel_into
def masked_fill_into(target, mask, value):
    np.copyto(target, np.asarray(value).astype(target.dtype), where=mask)


@kernel
def masked_select(input, mask):
    if np.shape(mask) != np.shape(input):
        input, mask = np.broadcast_arrays(input, mask)
    return index(np.asarray(input), (np.asarray(mask),))


@kernel
def masked_scatter(input, mask, source):
    shape = np.broadcast_shapes(np.shape(input), np.shape(mask))
    out = np.array(np.broadcast_to(input, shape), order="C")
    masked_scatter_into(out, mask, source)
    return out


@kernel_into
def masked_scatter_into(target, mask, source):
    mask = np.broadcast_to(mask, target.shape)
    count = np.count_nonzero(mask)
    if count > source.size:
        raise RuntimeError(
            "masked_scatter: Number of elements of source < number of ones in mask: "
            f"{source.size} elements for {count} ones"
        )
    assign(target, (mask,), source.reshape(-1)[:count])


@kernel
def copy(input, src):
    out = np.empty(np.shape(input), _dtype(input))
    copy_into(out, src)
    return out


@kernel_into
def copy_into(target, src):
    src = np.asarray(src)
    if src.dtype == target.dtype:
        target[...] = src
        return
    if src.dtype.kind == "c" and target.dtype.kind != "c":
        src = src.real
    with np.errstate(invalid="ignore", over="ignore"):  # a NaN as an integer, a large number as a half
        target[...] = src


@kernel
def fill(input, value):
    return np.full(np.shape(input), value, _dtype(input))


@kernel_into
def fill_into(target, value):
    target[...] = value


@kernel
def zero(input):
    return np.zeros(np.shape(input), _dtype(input))


@kernel_into
def zero_into(target):
    target[...] = 0


def _dtype(input):
    return np.asarray(input).dtype
