"""Sorting: ``sort``, ``topk`` and their like, and how gradients pass through the indices that they find.

A result that picks elements by index gives each gradient back to the element that was picked. Canonical arguments:
``dim`` is a non-negative int, 0 for a zero-dim input.
"""

from .batching import shifted
from .checks import COMPLEX, dim, flag, ordered
from .table import LINEAR, composite, op

INTERNAL = {"function": False, "method": False}

placed = op(
    "placed(input, indices, dim, size)",
    "Zeros with ``input`` placed at ``indices``, each index at most once, along a dimension that becomes ``size`` long.",
    vjp={"input": lambda xp, grad, indices, dim, input_shape: xp.gather(grad, dim, indices) if input_shape else grad},
    jvp=LINEAR,
    operands=("input",),
    batch=shifted("dim"),
    samples=lambda t: [((t(2, 3), t(2, 5).argsort(1)[:, :3], 1, 5), {}), ((t(), t(1).argsort(0)[0], 0, 1), {})],
    **INTERNAL,
)


def pull_picked(xp, grad, indices, dim, input_shape):
    """The gradient of ``values`` that were picked along a dimension, at the places that they came from."""
    return xp.placed(grad, indices, dim, input_shape[dim]) if input_shape else grad


def push_picked(xp, tangent, indices, dim, input_shape):
    return (xp.gather(tangent, dim, indices) if input_shape else tangent,)


def from_indices(xp, grad, indices, dim, keepdim, input_shape):
    """As :func:`pull_picked`, where one element was picked and its dim may be gone."""
    if input_shape and not keepdim:
        grad, indices = xp.unsqueeze(grad, dim), xp.unsqueeze(indices, dim)
    return pull_picked(xp, grad, indices, dim, input_shape)


def at_indices(xp, tangent, indices, dim, keepdim, input_shape):
    """As :func:`push_picked`, where one element was picked and its dim may be gone."""
    if keepdim or not input_shape:
        return push_picked(xp, tangent, indices, dim, input_shape)
    return (xp.squeeze(xp.gather(tangent, dim, xp.unsqueeze(indices, dim)), dim),)


def prepare_sort(name):
    def prepare(input, d, descending, stable):
        ordered(name, input)
        flag(name, "descending", descending)
        return input, dim(name, d, input.ndim), descending, bool(stable)

    return prepare


def sort_samples(t):
    return [
        ((t(2, 3, 4),), {}),
        ((t(2, 3, 4), 1), {"descending": True}),
        ((t(5), 0), {"descending": True, "stable": True}),
        ((t.integers(0, 3, 4, 6),), {"stable": True}),
        ((t.bools(3, 4), 0), {"stable": True}),
        ((t(),), {}),
        ((t(0, 3), 0), {}),
    ]


def sort_errors(t):
    return [((t(2, 3), 2), {}, IndexError), ((t(2, 3), 0, 1), {}, TypeError)]


sort = op(
    "sort(input, dim=-1, descending=False, *, stable=False)",
    "The elements in order along a dimension, as ``values``, and where each was, as ``indices`` of dtype int64. Elements that "
    "are equal keep their order, whether or not ``stable`` asks for it; NaN counts as the largest.",
    outputs=("values", "indices"),
    vjp={"input": pull_picked},
    jvp={"input": push_picked},
    batch=shifted("dim"),
    prepare=prepare_sort("sort"),
    out=True,
    samples=sort_samples,
    errors=sort_errors,
)
op(
    "argsort(input, dim=-1, descending=False, *, stable=False)",
    "The indices, of dtype int64, that sort along a dimension, as :func:`sort` returns them.",
    batch=shifted("dim"),
    prepare=prepare_sort("argsort"),
    out=True,
    samples=sort_samples,
    errors=sort_errors,
)


def prepare_msort(input):
    ordered("msort", input)
    return (input,)


composite(
    "msort(input)",
    "The elements in order along the first dimension.",
    lambda xp, input: xp.sort(input, 0)[0],
    prepare=prepare_msort,
    node="SortBackward0",
    out=True,
    samples=lambda t: [((t(4, 3),), {}), ((t(),), {})],
)


def prepare_topk(input, k, d, largest, sorted):
    ordered("topk", input)
    if input.dtype.category == 0:
        raise RuntimeError("topk: does not support bool dtypes")
    d, k = dim("topk", d, input.ndim), whole("topk", "k", k)
    size = input.shape[d] if input.ndim else 1
    if not 0 <= k <= size:
        raise RuntimeError(f"topk: selected index k out of range: k is {k}, and dim {d} has {size} elements")
    return input, k, d, bool(largest), bool(sorted)


def whole(op_name, name, value):
    """An argument that must be an int."""
    if isinstance(value, bool) or not hasattr(value, "__index__"):
        raise TypeError(f"{op_name}(): argument '{name}' must be int, not {type(value).__name__}")
    return value.__index__()


topk = op(
    "topk(input, k, dim=-1, largest=True, sorted=True)",
    "The ``k`` largest (or smallest) elements along a dimension in order, as ``values``, and where each is, as ``indices`` of "
    "dtype int64. NaN counts as the largest; which of equal elements is chosen is not specified.",
    outputs=("values", "indices"),
    vjp={"input": pull_picked},
    jvp={"input": push_picked},
    operands=("input",),
    batch=shifted("dim"),
    prepare=prepare_topk,
    out=True,
    samples=lambda t: [
        ((t(2, 3, 40), 2), {}),
        ((t(2, 5, 3), 3, 1, False), {}),
        ((t(7), 7), {}),
        ((t(3, 4), 0), {}),
        ((t(), 1), {}),
        ((t(0, 3), 2), {}),
        ((t.integers(0, 99, 6), 3), {}),
    ],
    errors=lambda t: [
        ((t(3), 4), {}, RuntimeError),
        ((t(3), 1.5), {}, TypeError),
        ((t(3), 1, 1), {}, IndexError),
        ((t.bools(3), 1), {}, RuntimeError),
    ],
)


def prepare_unique(input, sorted, return_inverse, return_counts, d):
    return input, sorted, return_inverse, return_counts, compared_dim("unique", input, d)


def compared_dim(name, input, d):
    """The dim whose slices are compared, not negative; None for all elements."""
    if input.dtype.category == COMPLEX:
        raise NotImplementedError(f"{name}: not implemented for {input.dtype}")
    if d is None:
        return None
    d = dim(name, d, input.ndim)
    if 0 in [n for i, n in enumerate(input.shape) if i != d]:
        raise RuntimeError(
            f"{name}: There are 0 sized dimensions, and they aren't selected, so unique cannot be applied: dim {d} of "
            f"{list(input.shape)}"
        )
    return d


op(
    "unique(input, sorted=True, return_inverse=False, return_counts=False, dim=None)",
    "The distinct elements in order (with ``dim``, the distinct slices along it); if asked, a tuple of them with, for each "
    "element, the index of its equal among them, and with how often each occurs. Every NaN is distinct. Not differentiable.",
    outputs=("*",),
    prepare=prepare_unique,
    samples=lambda t: [
        ((t.permutation(8) // 2,), {}),
        (((t.permutation(8) // 2).reshape(2, 4),), {"return_inverse": True, "return_counts": True}),
        (((t.permutation(6) // 2).unsqueeze(1),), {"return_inverse": True, "return_counts": True, "dim": 0}),
        ((t.bools(5),), {"return_counts": True}),
        ((t(),), {}),
        ((t(0),), {"return_inverse": True}),
    ],
    errors=lambda t: [((t(2, 3),), {"dim": 2}, IndexError)],
)


def prepare_consecutive(input, return_inverse, return_counts, d):
    return input, return_inverse, return_counts, compared_dim("unique_consecutive", input, d)


op(
    "unique_consecutive(input, return_inverse=False, return_counts=False, dim=None)",
    "The elements, flattened, less those that equal the one before (with ``dim``, the slices along it); with inverse indices and "
    "counts as in :func:`unique`.",
    outputs=("*",),
    prepare=prepare_consecutive,
    samples=lambda t: [
        ((t.permutation(8).sort()[0] // 3,), {}),
        ((t.permutation(8).sort()[0] // 3,), {"return_inverse": True, "return_counts": True}),
        (((t.permutation(6).sort()[0] // 2).unsqueeze(1),), {"return_inverse": True, "return_counts": True, "dim": 0}),
        (((t.permutation(6).sort()[0] // 4).reshape(1, 6), True, True, -1), {}),
        ((t(0, 3),), {"dim": 0}),
    ],
    errors=lambda t: [((t(2, 3),), {"dim": 2}, IndexError), ((t(3, 0),), {"dim": 0}, RuntimeError)],
)
