"""Operations on lists of tensors: joining them along a dimension, and bringing them to one shape.

The gradient of a join is cut into the parts that came from each tensor. In these operations the operands are one
parameter, ``tensors``, and its rule returns a list.
"""

from math import prod

from . import checks
from .batching import full_batch
from .shape import INTERNAL, unsqueeze, view
from .table import COMMON, LINEAR, composite, op, overload

LISTED = {"types": COMMON, "operands": ("tensors",), "method": False}


# -- arguments ---------------------------------------------------------------------------------------------------------


def listed(op_name, tensors, kind="tuple of Tensors"):
    """The operands as a list; TypeError where one of them is no tensor."""
    if not isinstance(tensors, (tuple, list)):
        raise TypeError(f"{op_name}(): argument 'tensors' (position 1) must be {kind}, not {type(tensors).__name__}")
    for i, tensor in enumerate(tensors):
        if not hasattr(tensor, "_data"):
            raise TypeError(f"{op_name}: expected Tensor as element {i} in argument 0, but got {type(tensor).__name__}")
    if not tensors:
        raise RuntimeError(f"{op_name} expects a non-empty TensorList")
    return list(tensors)


def gathered(op_name, tensors):
    """The operands of a function that takes them one by one or as one list."""
    return listed(op_name, tensors if isinstance(tensors, (tuple, list)) else [tensors])


def check_fit(op_name, shapes, dim):
    """Raise PyTorch's error where shapes differ in more than the dimension along which they are joined."""
    first = shapes[0]
    if shapes.count(first) == len(shapes):
        return
    for i, shape in enumerate(shapes):
        if len(shape) != len(first):
            raise RuntimeError(
                f"{op_name}: Tensors must have same number of dimensions: got {len(first)} and {len(shape)} (shapes "
                f"{list(first)} and {list(shape)})"
            )
        for d, (n, expected) in enumerate(zip(shape, first, strict=True)):
            if n != expected and d != dim:
                raise RuntimeError(
                    f"{op_name}: Sizes of tensors must match except in dimension {dim}. Expected size {expected} but got "
                    f"size {n} for tensor number {i} in the list (dimension {d} of shapes {list(first)} and {list(shape)})."
                )


# -- joining along a dimension -----------------------------------------------------------------------------------------


def pieces(xp, grad, shapes, dim):
    """The parts of a joined gradient that belong to tensors of these shapes."""
    found, start = [], 0
    for shape in shapes:
        if shape == (0,) and grad.ndim != 1:  # an empty tensor joins with any
            found.append(xp.new_zeros(grad, shape))
            continue
        found.append(xp.slice(grad, dim, start, start + shape[dim], 1))
        start += shape[dim]
    return found


def prepare_cat(tensors, dim=0):
    if isinstance(tensors, (tuple, list)) and not tensors:
        raise ValueError("torch.cat(): expected a non-empty list of Tensors")
    tensors = listed("cat", tensors)
    shapes = [tuple(each.shape) for each in tensors]
    for i, shape in enumerate(shapes):
        if not shape:
            raise RuntimeError(
                f"cat: zero-dimensional tensor (at position {i}) cannot be concatenated; stack() takes them"
            )
    shapes = [shape for shape in shapes if shape != (0,)] or shapes[:1]
    dim = checks.dim("cat", dim, len(shapes[0]))
    check_fit("cat", shapes, dim)
    return tensors, dim


def batch_cat(xp, op, args, batched, size):
    tensors, dim = args
    full = [full_batch(xp, each, flag, size) for each, flag in zip(tensors, batched[0], strict=True)]
    ndim = max(each.ndim for each in full)
    return xp.cat([each for each in full if each.ndim == ndim], dim + 1 if dim >= 0 else dim)


cat = op(
    "cat(tensors, dim=0)",
    "The tensors one after another along ``dim``; their other sizes must be equal. Tensors of shape (0,) are left out.",
    vjp={"tensors": lambda xp, grad, dim, tensors_shape: pieces(xp, grad, tensors_shape, dim)},
    jvp=LINEAR,
    batch=batch_cat,
    prepare=prepare_cat,
    out=True,
    aliases=("concat", "concatenate"),
    samples=lambda t: [
        (([t(2, 3), t(4, 3)],), {}),
        (([t(2, 3), t(2, 1), t(2, 0)], 1), {}),
        (([t(2, 3, 2), t(2, 3, 2)], -1), {}),
        (([t(0), t(2, 3)], 1), {}),
        (([t(3)],), {}),
    ],
    errors=lambda t: [
        (([],), {}, ValueError),
        ((t(2, 3),), {}, TypeError),
        (([t(2, 3), 1],), {}, TypeError),
        (([t(2, 3), t(2)],), {}, RuntimeError),
        (([t(2, 3), t(2, 2)],), {}, RuntimeError),
        (([t(2, 3), t(2, 3)], 2), {}, IndexError),
        (([t(), t()],), {}, RuntimeError),
    ],
    **LISTED,
)


def prepare_stack(tensors, dim=0):
    tensors = listed("stack", tensors)
    first = tuple(tensors[0].shape)
    for i, each in enumerate(tensors):
        if tuple(each.shape) != first:
            raise RuntimeError(
                f"stack expects each tensor to be equal size, but got {list(first)} at entry 0 and {list(each.shape)} at "
                f"entry {i}"
            )
    return tensors, checks.dim("stack", dim, len(first) + 1)


stack = op(
    "stack(tensors, dim=0)",
    "The tensors, all of one shape, along a new dimension ``dim``.",
    vjp={"tensors": lambda xp, grad, dim: list(xp.unbind(grad, dim))},
    jvp=LINEAR,
    batch=lambda xp, op, args, batched, size: xp.stack(
        [full_batch(xp, each, flag, size) for each, flag in zip(args[0], batched[0], strict=True)],
        args[1] + 1 if args[1] >= 0 else args[1],
    ),
    prepare=prepare_stack,
    out=True,
    samples=lambda t: [
        (([t(2, 3), t(2, 3)],), {}),
        (([t(2, 3), t(2, 3), t(2, 3)], -1), {}),
        (([t(), t()],), {}),
        (([t(0, 2)], 1), {}),
    ],
    errors=lambda t: [
        (([],), {}, RuntimeError),
        ((t(2, 3),), {}, TypeError),
        (([t(2, 3), t(2)],), {}, RuntimeError),
        (([t(2), t(2)], 2), {}, IndexError),
    ],
    **LISTED,
)


def stacking(name, doc, raised, along, **fields):
    """Declare a form of ``cat`` that gives each tensor more dimensions first.

    Args:
        raised: a tensor's shape -> the shape that it is joined in.
        along: that shape -> the dimension that they are joined along.
    """

    def prepare(tensors):
        tensors = listed(name, tensors)
        shapes = [raised(tuple(each.shape)) for each in tensors]
        check_fit(name, shapes, along(shapes[0]))
        return (tensors,)

    def pull(xp, grad, tensors_shape):
        shapes = [raised(shape) for shape in tensors_shape]
        parts = pieces(xp, grad, shapes, along(shapes[0]))
        return [xp.reshape(part, shape) for part, shape in zip(parts, tensors_shape, strict=True)]

    def batch(xp, op, args, batched, size):
        full = [full_batch(xp, each, flag, size) for each, flag in zip(args[0], batched[0], strict=True)]
        shapes = [raised(tuple(each.shape)[1:]) for each in full]
        full = [xp.reshape(each, (size, *shape)) for each, shape in zip(full, shapes, strict=True)]
        return xp.cat(full, along(shapes[0]) + 1)

    samples = SAMPLES[name]
    fields |= {"prepare": prepare, "out": True, "node": "CatBackward0", "samples": samples, **LISTED}
    return op(f"{name}(tensors)", doc, vjp={"tensors": pull}, jvp=LINEAR, batch=batch, **fields)


SAMPLES = {
    "hstack": lambda t: [(([t(2, 3), t(2, 1)],), {}), (([t(2), t(3), t()],), {}), (([t(2, 2, 3), t(2, 1, 3)],), {})],
    "vstack": lambda t: [
        (([t(2, 3), t(3)],), {}),
        (([t(2), t(2)],), {}),
        (([t(), t()],), {}),
        (([t(0, 2), t(2)],), {}),
    ],
    "dstack": lambda t: [
        (([t(2, 3), t(2, 3)],), {}),
        (([t(2), t(2)],), {}),
        (([t()],), {}),
        (([t(1, 2, 3), t(2)],), {}),
    ],
    "column_stack": lambda t: [(([t(2), t(2, 3)],), {}), (([t(2), t(2)],), {}), (([t(), t()],), {})],
}


def raised_dims(shape, ndim):
    """The shape of at least ``ndim`` dimensions that ``atleast_1d``, ``_2d``, ``_3d`` give."""
    if ndim == 3 and len(shape) in (1, 2):
        return (1, *shape, 1) if len(shape) == 1 else (*shape, 1)
    return (1,) * (ndim - len(shape)) + shape


hstack = stacking(
    "hstack",
    "The tensors side by side: along the second dimension, vectors along their only one.",
    lambda shape: raised_dims(shape, 1),
    lambda shape: min(len(shape) - 1, 1),
)
vstack = stacking(
    "vstack",
    "The tensors one above another, along the first dimension; vectors are rows.",
    lambda shape: raised_dims(shape, 2),
    lambda shape: 0,
    aliases=("row_stack",),
)
dstack = stacking(
    "dstack",
    "The tensors one behind another, along the third dimension.",
    lambda shape: raised_dims(shape, 3),
    lambda shape: 2,
)
column_stack = stacking(
    "column_stack",
    "The tensors side by side, along the second dimension; vectors are columns.",
    lambda shape: (prod(shape), 1) if len(shape) < 2 else shape,
    lambda shape: 1,
)


# -- matrices along a diagonal -----------------------------------------------------------------------------------------


def matrix_shape(shape):
    return (1,) * (2 - len(shape)) + shape


def prepare_block_diag(tensors):
    tensors = gathered("block_diag", tensors)
    for i, each in enumerate(tensors):
        if each.ndim > 2:
            raise RuntimeError(
                f"block_diag: Input tensors must have 2 or fewer dimensions. Input {i} has {each.ndim} dimensions"
            )
    return (tensors,)


def cut_blocks(xp, grad, shapes):
    """The blocks of a block-diagonal gradient, in the tensors' own shapes."""
    found, row, column = [], 0, 0
    for shape in shapes:
        height, width = matrix_shape(shape)
        rows = xp.slice(grad, 0, row, row + height, 1)
        found.append(xp.reshape(xp.slice(rows, 1, column, column + width, 1), shape))
        row, column = row + height, column + width
    return found


def batch_block_diag(xp, op, args, batched, size):
    """Each matrix is padded to the whole size, and the results are added."""
    full = [full_batch(xp, each, flag, size) for each, flag in zip(args[0], batched[0], strict=True)]
    shapes = [matrix_shape(tuple(each.shape)[1:]) for each in full]
    height, width = (sum(shape[d] for shape in shapes) for d in (0, 1))
    total, row, column = None, 0, 0
    for each, (h, w) in zip(full, shapes, strict=True):
        pad = (column, width - column - w, row, height - row - h)
        block = xp.constant_pad_nd(xp.reshape(each, (size, h, w)), pad, 0)
        total = block if total is None else total + block
        row, column = row + h, column + w
    return total


block_diag = op(
    "block_diag(tensors)",
    "A matrix of zeros with the given matrices along its diagonal; vectors are rows.",
    vjp={"tensors": lambda xp, grad, tensors_shape: cut_blocks(xp, grad, tensors_shape)},
    jvp=LINEAR,
    batch=batch_block_diag,
    prepare=prepare_block_diag,
    star="tensors",
    samples=lambda t: [(([t(2, 3), t(1, 2), t(3), t()],), {}), (([t(2, 2)],), {}), (([t(2, 0), t(2)],), {})],
    **LISTED,
)


# -- one shape for all -------------------------------------------------------------------------------------------------


def common_shape(op_name, shapes):
    """The shape that all of these broadcast to."""
    ndim = max(map(len, shapes))
    found = [1] * ndim
    for shape in shapes:
        for d, n in enumerate(shape, ndim - len(shape)):
            if n != 1 and found[d] not in (1, n):
                raise RuntimeError(
                    f"{op_name}: The size of tensor a ({found[d]}) must match the size of tensor b ({n}) at non-singleton "
                    f"dimension {d}: shapes {[list(s) for s in shapes]} do not broadcast"
                )
            found[d] = n if n != 1 else found[d]
    return tuple(found)


def prepare_broadcast(tensors):
    tensors = gathered("broadcast_tensors", tensors)
    common_shape("broadcast_tensors", [tuple(each.shape) for each in tensors])
    return (tensors,)


def batch_broadcast(xp, op, args, batched, size):
    shapes = [tuple(each.shape)[1 if flag else 0 :] for each, flag in zip(args[0], batched[0], strict=True)]
    target = common_shape("broadcast_tensors", shapes)
    return batch_expanded(xp, args[0], batched[0], size, shapes, target)


def batch_expanded(xp, tensors, flags, size, shapes, target):
    """Each tensor, whose logical shape is seen as one of ``shapes``, expanded to a batch of ``target``."""
    found = []
    for each, flag, shape in zip(tensors, flags, shapes, strict=True):
        ones = (1,) * (len(target) - len(shape))
        found.append(xp.expand(xp.reshape(each, (size if flag else 1, *ones, *shape)), (size, *target)))
    return tuple(found)


broadcast_tensors = op(
    "broadcast_tensors(tensors)",
    "All tensors, expanded to the shape that they broadcast to.",
    vjp={
        "tensors": lambda xp, grads, tensors_shape: [
            None if g is None else xp.sum_to_size(g, s) for g, s in zip(grads, tensors_shape, strict=True)
        ]
    },
    jvp=LINEAR,
    batch=batch_broadcast,
    prepare=prepare_broadcast,
    outputs=("*",),
    star="tensors",
    node="ExpandBackward0",
    samples=lambda t: [(([t(2, 1), t(3)],), {}), (([t(), t(2, 2), t(2)],), {}), (([t(0, 1), t(1, 2)],), {})],
    operands=("tensors",),
    method=False,
)


def prepare_meshgrid(tensors, indexing=None):
    tensors = gathered("meshgrid", tensors)
    for each in tensors:
        if each.ndim > 1:
            raise RuntimeError(
                f"meshgrid: Expected 0D or 1D tensor in the tensor list but got one of shape {list(each.shape)}"
            )
        if each.dtype is not tensors[0].dtype:
            raise RuntimeError(
                f"meshgrid expects all tensors to have the same dtype, got {tensors[0].dtype} and {each.dtype}"
            )
    if indexing not in (None, "ij", "xy"):
        raise RuntimeError(f'meshgrid: indexing must be one of "xy" or "ij", but received: {indexing}')
    return tensors, indexing or "ij"


def mesh(lengths, indexing):
    """The grid's shape, and for each tensor the shape in which it is expanded to that."""
    count = len(lengths)
    order = [1, 0, *range(2, count)] if indexing == "xy" and count > 1 else list(range(count))
    shapes = [tuple(n if order[d] == i else 1 for d in range(count)) for i, n in enumerate(lengths)]
    return tuple(lengths[i] for i in order), shapes


def pull_meshgrid(xp, grads, indexing, tensors_shape):
    _, shapes = mesh([prod(shape) for shape in tensors_shape], indexing)
    return [
        None if g is None else xp.reshape(xp.sum_to_size(g, one), shape)
        for g, one, shape in zip(grads, shapes, tensors_shape, strict=True)
    ]


def batch_meshgrid(xp, op, args, batched, size):
    tensors, indexing = args
    lengths = [prod(each.shape[1:] if flag else each.shape) for each, flag in zip(tensors, batched[0], strict=True)]
    target, shapes = mesh(lengths, indexing)
    return batch_expanded(xp, tensors, batched[0], size, shapes, target)


meshgrid = op(
    "meshgrid(tensors, *, indexing=None)",
    "The coordinates of a grid: each vector along a dimension of its own, expanded over the others. With "
    '``indexing="xy"`` the first two dimensions are exchanged; the default is ``"ij"``.',
    vjp={"tensors": pull_meshgrid},
    jvp=LINEAR,
    batch=batch_meshgrid,
    prepare=prepare_meshgrid,
    operands=("tensors",),
    outputs=("*",),
    star="tensors",
    node="ExpandBackward0",
    samples=lambda t: [
        (([t(2), t(3)],), {"indexing": "ij"}),
        (([t(2), t(3), t()],), {"indexing": "xy"}),
        (([t(3)],), {"indexing": "xy"}),
        (([t(2), t(0)],), {"indexing": "ij"}),
    ],
    errors=lambda t: [
        (([t(2, 2)],), {"indexing": "ij"}, RuntimeError),
        (([t(2)],), {"indexing": "zz"}, RuntimeError),
        (([t(2), 1],), {"indexing": "ij"}, TypeError),
        (([],), {"indexing": "ij"}, RuntimeError),
    ],
    method=False,
)


def product_rows(xp, tensors):
    grids = xp.meshgrid(tensors, indexing="ij")
    return xp.stack([xp.reshape(grid, (prod(grid.shape),)) for grid in grids], 1)


cartesian_rows = composite(
    "cartesian_rows(tensors)",
    "All combinations of the elements of several vectors, one a row.",
    product_rows,
    node="StackBackward0",
    operands=("tensors",),
    samples=lambda t: [(([t(2), t(3)],), {}), (([t(2), t(1), t(2)],), {}), (([t(2), t(0)],), {})],
    **INTERNAL,
)


def choose_cartesian_prod(tensors):
    tensors, _ = prepare_meshgrid(gathered("cartesian_prod", tensors))
    for each in tensors:
        if each.ndim != 1:
            raise RuntimeError(f"cartesian_prod: Expect a 1D vector, but got shape {list(each.shape)}")
    return (None, tensors[0]) if len(tensors) == 1 else (cartesian_rows, (tensors,))


overload(
    "cartesian_prod(tensors)",
    "All combinations of the elements of several vectors, one a row, in the order of nested loops.",
    choose_cartesian_prod,
    star="tensors",
    method=False,
)


def blocks(xp, input, other):
    """``input[i] * other[j]`` at ``i * len(other) + j``, in every dimension."""
    ndim = max(input.ndim, other.ndim)
    a, b = ((1,) * (ndim - x.ndim) + tuple(x.shape) for x in (input, other))
    left = xp.reshape(input, tuple(n for size in a for n in (size, 1)))
    right = xp.reshape(other, tuple(n for size in b for n in (1, size)))
    return xp.reshape(left * right, tuple(m * n for m, n in zip(a, b, strict=True)))


def as_vectors(input, other):
    """A zero-dim operand beside one with dims as a vector, by which its dtype counts as much in promotion."""
    if bool(input.ndim) == bool(other.ndim):
        return input, other
    return (input, other.reshape((1,))) if input.ndim else (input.reshape((1,)), other)


kron = composite(
    "kron(input, other)",
    "The Kronecker product: each element of ``input`` replaced by that element times ``other``.",
    blocks,
    types=COMMON,
    prepare=as_vectors,
    out=True,
    node="UnsafeViewBackward0",
    samples=lambda t: [
        *[((t(2, 3), t(2, 2)), {}), ((t(2), t(3, 1)), {}), ((t(), t(2)), {}), ((t(2), t(0)), {})],
        *[((t(), t(2, dtype="float32")), {}), ((t.integers(1, 9), t(2, dtype="float32")), {})],
    ],
)


# -- at least so many dimensions ---------------------------------------------------------------------------------------


def batch_atleast(xp, op, args, batched, size):
    tensors, ndim = args
    shapes = [tuple(each.shape)[1 if flag else 0 :] for each, flag in zip(tensors, batched[0], strict=True)]
    raised = [raised_dims(shape, ndim) for shape in shapes]
    return tuple(
        batch_expanded(xp, [each], [flag], size, [shape], shape)[0]
        for each, flag, shape in zip(tensors, batched[0], raised, strict=True)
    )


atleast = op(
    "atleast(tensors, ndim)",
    "Each tensor with at least ``ndim`` dimensions.",
    vjp={
        "tensors": lambda xp, grads, tensors_shape: [
            None if g is None else xp.reshape(g, s) for g, s in zip(grads, tensors_shape, strict=True)
        ]
    },
    jvp=LINEAR,
    batch=batch_atleast,
    operands=("tensors",),
    outputs=("*",),
    node="ViewBackward0",
    samples=lambda t: [(([t(), t(2), t(2, 3)], n), {}) for n in (1, 2, 3)],
    **INTERNAL,
)


def choose_atleast(name, ndim):
    def choose(tensors):
        if isinstance(tensors, (tuple, list)):
            return atleast, (listed(name, tensors), ndim)
        shape = tuple(gathered(name, tensors)[0].shape)
        if len(shape) >= ndim:
            return None, tensors
        if len(shape) == 1 and ndim == 2:
            return unsqueeze, (tensors, 0)
        if len(shape) == 2:
            return unsqueeze, (tensors, 2)
        return view, (tensors, raised_dims(shape, ndim))

    return choose


for ndim in (1, 2, 3):
    overload(
        f"atleast_{ndim}d(tensors)",
        f"A view of a tensor with at least {ndim} dimension{'s' * (ndim > 1)}; a tuple of them where several are given.",
        choose_atleast(f"atleast_{ndim}d", ndim),
        star="tensors",
        method=False,
    )
