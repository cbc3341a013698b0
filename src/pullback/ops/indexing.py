"""Indexing: what ``[]`` finds and writes, and positions in the flattened tensor.

An index is canonical when it is a tuple as NumPy takes it: ints, slices and None for a basic one, whose result is a
view (:data:`getitem`); whole slices and arrays of integers or bools for one with tensors (:data:`index`). What Python's
``[]`` was given is brought to that form in ``pullback/indexing.py``. Index tensors are never differentiable.
"""

from ..source import warn_user
from . import checks
from .batching import full_batch, logical_ndim, pad_dims
from .table import LINEAR, TABLE, composite, op, overload
from .writing import WHOLE, fit, needs_tensor, result_ndim, same_dtype

# -- what rules share --------------------------------------------------------------------------------------------------


def is_mask(entry):
    return entry.dtype.name == "bool"


def is_tensor(entry):
    """Whether an entry of an index is a tensor or array."""
    return hasattr(entry, "ndim")


def adjacent(positions):
    """Whether index arrays stand side by side: their dims then stay in place, and come first otherwise."""
    return positions[-1] - positions[0] == len(positions) - 1


def inverse(order):
    """The permutation that undoes another."""
    return tuple(sorted(range(len(order)), key=order.__getitem__))


def permuted(xp, value, order):
    return value if order == tuple(range(len(order))) else xp.permute(value, order)


def unbatchable(name):
    """A batch rule for what has a result whose shape depends on values."""

    def rule(xp, op, args, batched, size):
        raise RuntimeError(
            f"vmap: We do not support batching operators that can output dynamic shape: {name} has a result whose shape "
            "depends on the data, and the elements of a batch must agree in shape. Use torch.where(mask, x, other) or a "
            'mask that is the same for the whole batch, or vmap(..., fallback="loop").'
        )

    return rule


# -- batches -----------------------------------------------------------------------------------------------------------


def positions_of_masks(xp, index, flags):
    """An index with tensors whose masks are written as positions; a batched mask has none that fit all elements."""
    entries, kept = [], []
    for entry, flag in zip(index, flags, strict=True):
        if is_tensor(entry) and is_mask(entry):
            if flag:
                unbatchable("indexing by a batched mask")(xp, None, None, None, None)
            found = xp.nonzero_tuple(entry)
            entries.extend(found)
            kept.extend([False] * len(found))
        else:
            entries.append(entry)
            kept.append(flag)
    return entries, kept


def batched_key(xp, index, flags, whole, size, ndim):
    """An index for a batch, and how what it finds must be permuted to have the batch dimension first.

    Args:
        flags: which entries of ``index`` are batched.
        whole: whether the indexed value has a batch dimension.
        ndim: the dimensions of the indexed value without that.

    Returns:
        ``(key, order)``: ``permute(value[key], order)`` is the batch of results.
    """
    if not any(is_tensor(entry) for entry in index):
        return (WHOLE, *index), tuple(range(1 + result_ndim(index, ndim)))
    index, flags = positions_of_masks(xp, index, flags)
    positions = [p for p, entry in enumerate(index) if is_tensor(entry)]
    count = max(logical_ndim(index[p], flags[p]) for p in positions)
    rest = ndim - len(positions)
    before = positions[0] if adjacent(positions) else 0
    if not any(flags):
        if adjacent(positions):
            return (WHOLE, *index), tuple(range(1 + count + rest))
        return (WHOLE, *index), (count, *range(count), *range(count + 1, count + 1 + rest))
    entries = [pad_dims(xp, entry, count) if flag else entry for entry, flag in zip(index, flags, strict=True)]
    if whole:
        entries = [xp.reshape(xp.arange(size), (size, *[1] * count)), *entries]
        moved = range(count + 1, count + 1 + before)
        return tuple(entries), (0, *moved, *range(1, count + 1), *range(count + 1 + before, count + 1 + rest))
    return tuple(entries), (before, *range(before), *range(before + 1, count + 1 + rest))


def canonical(index, flags):
    """An index as a rule may pass it, as a tuple with a flag for each entry."""
    return (index, flags) if isinstance(index, tuple) else ((index,), [flags])


def batch_index(xp, op, args, batched, size):
    index, flags = canonical(args[1], batched[1])
    key, order = batched_key(xp, index, flags, batched[0], size, logical_ndim(args[0], batched[0]))
    return permuted(xp, xp.call(op, (args[0], key)), order)


def batch_unindex(xp, op, args, batched, size):
    index, flags = canonical(args[1], batched[1])
    key, order = batched_key(xp, index, flags, True, size, len(args[2]))
    found = permuted(xp, full_batch(xp, args[0], batched[0], size), inverse(order))
    return xp.call(op, (found, key, (size, *args[2])))


def batch_index_put(xp, op, args, batched, size):
    input, index, values, accumulate = args
    ndim = logical_ndim(input, batched[0])
    input = full_batch(xp, input, batched[0], size)
    if len(index) == 1 and batched[1][0] and is_mask(index[0]) and logical_ndim(values, batched[2]) == 0:
        return batch_mask_put(xp, input, index[0], values, accumulate, ndim)
    key, order = batched_key(xp, index, batched[1], True, size, ndim)
    if is_tensor(values):
        values = values if batched[2] else xp.unsqueeze(values, 0)
        values = permuted(xp, pad_dims(xp, values, len(order) - 1), inverse(order))
    return xp.call(op, (input, key, values, accumulate))


def batch_mask_put(xp, input, mask, values, accumulate, ndim):
    """``input[mask] = value``, one value for each element of the batch, by selection: no shape depends on the mask."""
    mask = xp.reshape(mask, (*mask.shape, *[1] * (ndim + 1 - mask.ndim)))
    if getattr(values, "ndim", 0):
        values = pad_dims(xp, values, ndim)
    return xp.where(mask, input + values if accumulate else values, input)


# -- reading -----------------------------------------------------------------------------------------------------------

LAST_STEPS = {  # one operation; the last step of an index names its node, as in PyTorch, where each step is one
    "getitem": ("Slice", [(slice(0, 2), slice(1, None, 2)), (-1, slice(1, None)), (None, slice(4, None))]),
    "getitem_select": ("Select", [(-1, ...), (None, slice(1, None), 0)]),
    "getitem_unsqueeze": ("Unsqueeze", [(None, ...), (0, ..., None)]),
    "getitem_alias": ("Alias", [(...,)]),
}
for name, (step, indices) in LAST_STEPS.items():
    op(
        f"{name}(input, index)",
        "A view of what a basic index (a tuple of ints, slices and None) finds.",
        vjp={"input": lambda xp, grad, index, input_shape: xp.unindex(grad, index, input_shape)},
        jvp=LINEAR,
        batch=batch_index,
        operands=("input",),
        view=True,
        node=f"{step}Backward0",
        method=False,
        function=False,
        samples=lambda t, indices=indices: [((t(3, 4), each), {}) for each in indices],
    )
getitem, select_item, unsqueeze_item, alias_item = (TABLE[name] for name in LAST_STEPS)

index = op(
    "index(input, indices)",
    "The elements at index tensors that are broadcast against each other; whole slices stand for the dims between.",
    vjp={"input": lambda xp, grad, indices, input_shape: xp.unindex(grad, indices, input_shape)},
    jvp=LINEAR,
    batch=batch_index,
    operands=("input",),
    method=False,
    function=False,
    samples=lambda t: [
        ((t(3, 4), (t.integers(-3, 3, 5),)), {}),
        ((t(2, 3, 4), (WHOLE, t.integers(0, 3, 2, 1), t.integers(0, 4, 5))), {}),
        ((t(2, 3, 4), (t.integers(0, 2, 2), WHOLE, t.integers(0, 4, 2))), {}),
        ((t(3, 4), (WHOLE, t.integers(0, 4))), {}),
        ((t(3, 4), (t.integers(0, 3, 0),)), {}),
    ],
)
unindex = op(
    "unindex(input, indices, shape)",
    "Zeros of a shape, to which the input is added at an index; what meets at one element is summed.",
    vjp={"input": lambda xp, grad, indices: found_at(xp, grad, indices)},
    jvp=LINEAR,
    batch=batch_unindex,
    operands=("input",),
    method=False,
    function=False,
    samples=lambda t: [
        ((t(5, 4), (t.integers(-3, 3, 5),), (3, 4)), {}),
        ((t(2, 2, 5), (WHOLE, t.integers(0, 3, 2, 1), t.integers(0, 4, 5)), (2, 3, 4)), {}),
        ((t(2, 3), (t.integers(0, 2, 2), WHOLE, t.integers(0, 4, 2)), (2, 3, 4)), {}),
        ((t(2, 1), (slice(0, 2), None, 1), (3, 4)), {}),
    ],
)


def found_at(xp, value, index):
    has_tensors = any(is_tensor(entry) for entry in canonical(index, None)[0])
    return xp.index(value, index) if has_tensors else xp.getitem(value, index)


# -- index tensors given by the user -----------------------------------------------------------------------------------


def check_indices(indices, shape):
    """Bring index tensors to canonical form, and raise PyTorch's IndexError for what cannot index this shape.

    Args:
        indices: a sequence of tensors, arrays, and None or whole slices for dims that are not indexed.
        shape: of the indexed tensor.
    """
    found, dim = [], 0
    for entry in indices:
        if entry is None or type(entry) is slice:
            found.append(WHOLE)
            dim += 1
            continue
        entry = check_index(entry)
        used = entry.ndim if is_mask(entry) else 1
        if dim + used <= len(shape) and is_mask(entry) and tuple(entry.shape) != tuple(shape[dim : dim + used]):
            wrong = next(d for d in range(used) if entry.shape[d] != shape[dim + d])
            raise IndexError(
                f"The shape of the mask {list(entry.shape)} at index {wrong} does not match the shape of the indexed "
                f"tensor {list(shape)} at index {dim + wrong}"
            )
        found.append(entry)
        dim += used
    if dim > len(shape):
        raise IndexError(f"too many indices for tensor of dimension {len(shape)} (got {dim})")
    while found and type(found[-1]) is slice:
        found.pop()
    return tuple(found)


def check_index(entry):
    """An index tensor of a dtype that can index; an old-style mask of uint8 as one of bool."""
    name = entry.dtype.name
    if name == "uint8":
        warn_user("indexing with dtype torch.uint8 is now deprecated, please use a dtype torch.bool instead.")
        return entry != 0
    if name not in ("int64", "int32", "bool"):
        raise IndexError(f"tensors used as indices must be long, int, byte or bool tensors, but got {name}")
    return entry


# -- writing at an index -----------------------------------------------------------------------------------------------


def prepare_index_put(input, indices, values, accumulate):
    if not isinstance(indices, (tuple, list)):
        raise TypeError(
            f"index_put(): argument 'indices' (position 2) must be tuple of Tensors, not {type(indices).__name__}"
        )
    needs_tensor("index_put", "values", 3, values)
    same_dtype("Index put requires the source and destination dtypes match, got {} for the destination and {} for the "
               "source.", input, values)  # fmt: skip
    return input, check_indices(indices, input.shape), values, accumulate


index_put = op(
    "index_put(input, indices, values, accumulate=False)",
    "The input with ``values`` at index tensors, or added to what is there if ``accumulate``.",
    vjp={
        "input": lambda xp, grad, indices, accumulate: grad if accumulate else xp.index_put(grad, indices, 0),
        "values": lambda xp, grad, indices, values_shape: fit(xp, xp.index(grad, indices), values_shape),
    },
    jvp=LINEAR,
    batch=batch_index_put,
    operands=("input",),
    prepare=prepare_index_put,
    inplace=True,
    samples=lambda t: [
        ((t(4, 3), (t.integers(0, 4, 5),), t(5, 3)), {"accumulate": True}),
        ((t(4, 3), (t.integers(-4, 4, 2, 1), t.integers(0, 3, 2)), t(2)), {"accumulate": True}),
        ((t(4, 3), (t.integers(0, 1, 1), t.integers(0, 3, 1)), t()), {}),
        ((t(2, 3), (t.integers(0, 2, 0),), t(0, 3)), {}),
    ],
    errors=lambda t: [
        ((t(4, 3), (t.integers(0, 4, 2),), t(2, 2)), {}, RuntimeError),
        ((t(4, 3), (t(2),), t(2, 3)), {}, IndexError),
        ((t(3), (t.integers(0, 1, 1), t.integers(0, 1, 1)), t(1)), {}, IndexError),
    ],
)


overload(
    "index_put_(input, indices, values, accumulate=False)",
    "In-place form of :func:`index_put`, as a function.",
    lambda *args: (index_put, args, True),
    method=False,
)


def prepare_take(input, index):
    needs_tensor("take", "index", 2, index)
    if index.dtype.name != "int64":
        raise RuntimeError(f"take(): Expected a long tensor for index, but got {index.dtype._word}")
    return input, index


def batch_take(xp, op, args, batched, size):
    input, index = args
    if not batched[0]:
        return xp.call(op, (input, index))
    flat, key = xp.reshape(input, (size, -1)), index
    if batched[1]:
        rows = xp.reshape(xp.arange(size), (size, *[1] * (index.ndim - 1)))
        return xp.index(flat, (rows, key))
    return xp.index(flat, (WHOLE, key))


take = op(
    "take(input, index)",
    "The elements at positions in the flattened input; the result has the index's shape.",
    vjp={"input": lambda xp, grad, index, input_shape: untake(xp, grad, index, input_shape)},
    jvp=LINEAR,
    batch=batch_take,
    operands=("input", "index"),
    prepare=prepare_take,
    out=True,
    samples=lambda t: [
        ((t(3, 4), t.integers(-12, 12, 2, 3)), {}),
        ((t(3, 4), t.integers(0, 12)), {}),
        ((t(5), t.integers(0, 5, 0)), {}),
        ((t(), t.integers(0, 1, 2)), {}),
    ],
    errors=lambda t: [((t(3), t.integers(3, 5, 2)), {}, IndexError)],
)


def untake(xp, grad, index, shape):
    """The gradient of a flattened tensor of which elements were taken."""
    length = 1
    for n in shape:
        length *= n
    flat = xp.unindex(xp.reshape(grad, (-1,)), (xp.reshape(index, (-1,)),), (length,))
    return xp.reshape(flat, tuple(shape))


def prepare_put(input, index, source, accumulate):
    for name, value in (("index", index), ("source", source)):
        needs_tensor("put", name, 2, value)
    if index.dtype.name != "int64":
        raise RuntimeError(f"put_(): Expected a long tensor for index, but got {index.dtype._word}")
    same_dtype("put_(): self and source expected to have the same dtype, but got self.dtype = {} and source.dtype = {}",
               input, source)  # fmt: skip
    if index.numel() != source.numel():
        raise IndexError(
            "put_(): Expected source and index to have the same number of elements, but got source.numel() = "
            f"{source.numel()}, index.numel() = {index.numel()}"
        )
    return input, index, source, accumulate


def batch_put(xp, op, args, batched, size):
    input, index, source, accumulate = args
    input = full_batch(xp, input, batched[0], size)
    flat, key = xp.reshape(input, (size, -1)), xp.reshape(index, (size, -1) if batched[1] else (-1,))
    if is_tensor(source):
        source = xp.reshape(source, (size, -1) if batched[2] else (1, -1))
    rows = xp.reshape(xp.arange(size), (size, 1)) if batched[1] else WHOLE
    return xp.reshape(xp.index_put(flat, (rows, key), source, accumulate), tuple(input.shape))


put = op(
    "put(input, index, source, accumulate=False)",
    "The input with ``source`` at positions in the flattened input, or added to what is there if ``accumulate``.",
    vjp={
        "input": lambda xp, grad, index, accumulate: grad if accumulate else xp.put(grad, index, 0),
        "source": lambda xp, grad, index, source_shape: xp.reshape(xp.take(grad, index), source_shape),
    },
    jvp=LINEAR,
    batch=batch_put,
    operands=("input", "index", "source"),
    prepare=prepare_put,
    inplace=True,
    samples=lambda t: [
        ((t(3, 4), t.integers(-12, 12, 2, 3), t(6)), {"accumulate": True}),
        ((t(3, 4), t.integers(2, 3, 1), t(1, 1)), {}),
    ],
    errors=lambda t: [((t(3), t.integers(0, 3, 2), t(1)), {}, IndexError)],
)


def along_dim(xp, input, indices, dim=None):
    if dim is None:
        input, indices, dim = xp.reshape(input, (-1,)), xp.reshape(indices, (-1,)), 0
    length = input.shape[dim]
    wide = [max(m, n) if m and n else 0 for m, n in zip(input.shape, indices.shape, strict=True)]
    indices = xp.expand(indices, (*wide[:dim], indices.shape[dim], *wide[dim + 1 :]))
    input = xp.expand(input, (*wide[:dim], length, *wide[dim + 1 :]))
    return xp.gather(input, dim, xp.where(indices < 0, indices + length, indices))


def prepare_take_along_dim(input, indices, dim):
    needs_tensor("take_along_dim", "indices", 2, indices)
    if indices.dtype.name != "int64":
        raise RuntimeError(f"torch.take_along_dim(): dtype of indices should be Long but got {indices.dtype._word}")
    if dim is None:
        return input, indices, None
    if input.ndim != indices.ndim:
        raise RuntimeError(
            "torch.take_along_dim(): input and indices should have the same number of dimensions, but got "
            f"{input.ndim} dimensions for input, and {indices.ndim} dimensions for indices"
        )
    dim = checks.dim("take_along_dim", dim, input.ndim)
    for d, (m, n) in enumerate(zip(input.shape, indices.shape, strict=True)):
        if d != dim and m != n and 1 not in (m, n):
            raise RuntimeError(
                f"take_along_dim: The size of tensor a ({m}) must match the size of tensor b ({n}) at non-singleton "
                f"dimension {d}"
            )
    return input, indices, dim


take_along_dim = composite(
    "take_along_dim(input, indices, dim=None)",
    "The elements at indices along a dimension, the other dims broadcast; without ``dim``, of the flattened input.",
    along_dim,
    operands=("input", "indices"),
    prepare=prepare_take_along_dim,
    node="GatherBackward0",
    out=True,
    samples=lambda t: [
        ((t(3, 4), t.integers(-4, 4, 3, 2), 1), {}),
        ((t(3, 4), t.integers(0, 3, 2, 1)), {"dim": 0}),
        ((t(1, 4), t.integers(0, 4, 3, 2), -1), {}),
        ((t(3, 4), t.integers(0, 12, 5)), {}),
    ],
    errors=lambda t: [((t(3, 4), t.integers(0, 3, 2), 0), {}, RuntimeError)],
)
