"""Lookups of rows by integers: ``embedding``, and ``one_hot``, by which it is a product."""

from ..dtypes import int64
from .batching import full_batch
from .steps import INTERNAL, need_tensors
from .table import LINEAR, op, overload

HOME = {"method": False, "homes": ("nn.functional",)}


def batch_rows(xp, op, args, batched, size):
    """A batch of tables is one longer table, whose rows the positions count on."""
    table, input, *rest = args
    if not batched[0]:
        return xp.call(op, args)
    rows = table.shape[1]
    long = xp.reshape(table, (size * rows, table.shape[2]))
    return xp.call(op, (long, far_positions(xp, input, batched[1], size, rows), *rest))


def far_positions(xp, input, is_batched, size, rows):
    """Positions in a table of ``rows`` rows as those in ``size`` such tables, one after another."""
    input = full_batch(xp, input, is_batched, size)
    start = xp.arange(size) * rows
    return input + xp.reshape(start, (size, *[1] * (input.ndim - 1)))


def batch_slope(xp, op, args, batched, size):
    grad, input, rows = args
    grad = full_batch(xp, grad, batched[0], size)
    found = xp.call(op, (grad, far_positions(xp, input, batched[1], size, rows), size * rows))
    return xp.reshape(found, (size, rows, found.shape[1]))


def pull_rows(xp, grad, input, weight_shape, padding_idx, scale_grad_by_freq):
    """The gradient of the table: each row's cotangents summed, or their mean; none at the padding's positions."""
    if padding_idx >= 0:
        grad = xp.where(xp.unsqueeze(input == padding_idx, input.ndim), 0, grad)
    if scale_grad_by_freq:
        counts = xp.embedding_counts(input, weight_shape[0])
        grad = grad / xp.cast(xp.unsqueeze(counts, input.ndim), grad.dtype)
    return xp.embedding_slope(grad, input, weight_shape[0])


embedding = op(
    "embedding_rows(weight, input, padding_idx, scale_grad_by_freq)",
    "The rows of a table at an input's positions.",
    vjp={"weight": pull_rows},
    jvp={
        "weight": lambda xp, tangent, input, padding_idx, scale_grad_by_freq: xp.embedding_rows(
            tangent, input, padding_idx, scale_grad_by_freq
        )
    },
    batch=batch_rows,
    node="EmbeddingBackward0",
    samples=lambda t: [
        ((t(4, 3), t.integers(0, 4, 5), -1, False), {}),
        ((t(4, 3), t.integers(0, 4, 2, 3), -1, False), {}),
        ((t(4, 3), t.integers(0, 4), -1, False), {}),
        ((t(4, 3), t.integers(0, 4, 0), -1, False), {}),
    ],
    **INTERNAL,
)

op(
    "embedding_slope(grad, input, rows)",
    "A table of so many rows, in which each is the sum of the cotangents at the positions that name it.",
    vjp={"grad": lambda xp, grad, input: xp.embedding_rows(grad, input, -1, False)},
    jvp=LINEAR,
    batch=batch_slope,
    samples=lambda t: [
        ((t(5, 3), t.integers(0, 4, 5), 4), {}),
        ((t(2, 2, 3), t.integers(0, 4, 2, 2), 4), {}),
        ((t(3), t.integers(0, 4), 4), {}),
    ],
    **INTERNAL,
)

op(
    "embedding_counts(input, rows)",
    "For each position, how many of the positions are equal to it.",
    operands=("input",),
    batch=lambda xp, op, args, batched, size: xp.call(
        op, (far_positions(xp, args[0], batched[0], size, args[1]), size * args[1])
    ),
    samples=lambda t: [((t.integers(0, 4, 5), 4), {}), ((t.integers(0, 4, 2, 3), 4), {}), ((t.integers(0, 4), 4), {})],
    **INTERNAL,
)


def check_embedding(input, weight):
    """Raise PyTorch's error for arguments that do not go together."""
    need_tensors("embedding", input=input, weight=weight)
    if weight.ndim != 2:
        raise RuntimeError(f"embedding: 'weight' must be 2-D, but got shape {list(weight.shape)}")
    if input.dtype._word not in ("Long", "Int"):
        raise RuntimeError(
            "embedding: Expected tensor for argument #1 'indices' to have one of the following scalar types: Long, Int; "
            f"but got {input.dtype} instead"
        )


def padding_row(weight, padding_idx):
    """The number of the row that gets no gradient; -1 for none."""
    if padding_idx is None:
        return -1
    rows = weight.shape[0]
    if not -rows <= padding_idx < rows:
        raise AssertionError(f"Padding_idx must be within num_embeddings: got {padding_idx} for {rows}")
    return padding_idx % rows


def choose_embedding(input, weight, padding_idx, max_norm, norm_type, scale_grad_by_freq, sparse):
    check_embedding(input, weight)
    padding_idx = padding_row(weight, padding_idx)
    if max_norm is not None:
        renormalise(weight.detach(), input, max_norm, norm_type)
    return embedding, (weight, input, padding_idx, scale_grad_by_freq)


def renormalise(weight, input, max_norm, norm_type):
    """Scale the rows that will be looked up, in place, to a norm of at most ``max_norm``."""
    rows = input.reshape(-1).unique()
    found = weight[rows]
    norms = found.norm(norm_type, 1, True)
    weight[rows] = found * (max_norm / (norms + 1e-7)).where(norms > max_norm, 1.0)


overload(
    "embedding(input, weight, padding_idx=None, max_norm=None, norm_type=2.0, scale_grad_by_freq=False, sparse=False)",
    "The rows of ``weight``, (rows, size), at the positions in an integer input (...): (..., size). The row "
    "``padding_idx`` gets no gradient; with ``max_norm``, rows looked up are first scaled, in place, to that norm.",
    choose_embedding,
    **HOME,
)


def choose_embedding_in_torch(weight, indices, padding_idx, scale_grad_by_freq, sparse):
    check_embedding(indices, weight)
    return embedding, (weight, indices, max(padding_idx, -1), scale_grad_by_freq)


overload(
    "embedding_in_torch(weight, indices, padding_idx=-1, scale_grad_by_freq=False, sparse=False)",
    "The rows of ``weight`` at the positions in ``indices``; the row ``padding_idx``, if not negative, gets no gradient.",
    choose_embedding_in_torch,
    method=False,
    homes=("torch:embedding",),
)


def choose_renorm(input, indices, max_norm, norm_type):
    check_embedding(indices, input)
    renormalise(input, indices, max_norm, norm_type)
    return None, input


overload(
    "embedding_renorm_(input, indices, max_norm, norm_type)",
    "Scale those rows of ``input`` that ``indices`` name to a norm of at most ``max_norm``, in place.",
    choose_renorm,
    method=False,
)


def prepare_one_hot(input, num_classes):
    need_tensors("one_hot", input=input)
    if input.dtype is not int64:
        raise RuntimeError(
            f"one_hot is only applicable to index tensor of type LongTensor; got {input.dtype}, convert it with .long()"
        )
    return input, num_classes


op(
    "one_hot(input, num_classes=-1)",
    "Zeros, and a one at each element's class along a new last dim of ``num_classes``; by default as many as there are.",
    operands=("input",),
    prepare=prepare_one_hot,
    batch=lambda xp, op, args, batched, size: xp.call(op, args),
    samples=lambda t: [
        ((t.integers(0, 3, 4),), {}),
        ((t.integers(0, 3, 2, 4), 5), {}),
        ((t.integers(0, 3), 3), {}),
        ((t.integers(0, 3, 0), 3), {}),
    ],
    errors=lambda t: [
        ((t.integers(2, 4, 3), 2), {}, RuntimeError),
        ((t.integers(-2, 0, 3),), {}, RuntimeError),
        ((t.integers(0, 3, 0),), {}, RuntimeError),
        ((t(3),), {}, RuntimeError),
    ],
    **HOME,
)
