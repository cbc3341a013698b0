"""The largest and the smallest: over dims, with their indices, of all elements; and where they are.

Where elements tie, ``amax``, ``amin``, ``aminmax`` and the ``max`` and ``min`` of all elements share the gradient evenly
among them; ``max`` and ``min`` over a dim give it to the one whose index they return.
"""

from .batching import shifted
from .checks import BOOL, COMPLEX, dim, flag, not_empty, ordered, reduced_dims
from .reductions import INTERNAL, bad_dims, count, kept, over_dims, rows
from .sorting import at_indices, from_indices
from .table import TABLE, elementwise, op, overload

matches = elementwise(
    "matches(input, other)",
    "Whether elements are equal, NaN being equal to NaN.",
    samples=lambda t: [((t.integers(0, 3, 4, 3), t.integers(0, 3, 3)), {})],
    **INTERNAL,
)


def share(xp, grad, ties, dim, dtype):
    """A gradient, divided evenly among the elements that tie."""
    return ties * (grad / xp.sum(ties, dim, True, dtype=dtype))


def mean_of(xp, tangent, ties, dim, keepdim):
    """The mean tangent of the elements that tie."""
    return xp.sum(ties * tangent, dim, keepdim) / xp.sum(ties, dim, keepdim, dtype=tangent.dtype)


def prepare_extreme(name):
    def prepare(input, d, keepdim):
        ordered(name, input)
        flag(name, "keepdim", keepdim)
        d = reduced_dims(name, d, input.ndim)
        not_empty(name, input.shape, d)
        return input, d, keepdim

    return prepare


def extreme(name, which):
    return op(
        f"{name}(input, dim=(), keepdim=False)",
        f"The {which} over ``dim``, or of all elements. Those that tie share the gradient evenly.",
        vjp={
            "input": lambda xp, grad, input, result, dim, keepdim, input_shape, input_dtype: share(
                xp,
                kept(xp, grad, input_shape, dim, keepdim),
                input == kept(xp, result, input_shape, dim, keepdim),
                dim,
                input_dtype,
            )
        },
        jvp={
            "input": lambda xp, tangent, input, result, dim, keepdim, input_shape: mean_of(
                xp, tangent, input == kept(xp, result, input_shape, dim, keepdim), dim, keepdim
            )
        },
        batch=shifted("dim", whole=True),
        prepare=prepare_extreme(name),
        out=True,
        samples=lambda t: [*over_dims(t), ((t(0, 3), 1), {})],
        errors=lambda t: [*bad_dims(t), ((t(0, 3),), {}, RuntimeError), ((t(0, 3), 0), {}, IndexError)],
    )


amax, amin = extreme("amax", "largest"), extreme("amin", "smallest")


def prepare_aminmax(input, d, keepdim):
    ordered("aminmax", input)
    flag("aminmax", "keepdim", keepdim)
    if d is None and 0 in input.shape:
        raise RuntimeError(
            "aminmax(): cannot compute aminmax over an empty dimension as the operation has no identity; the input's shape "
            f"is {tuple(input.shape)}"
        )
    d = None if d is None else dim("aminmax", d, input.ndim)
    not_empty("aminmax", input.shape, d)
    return input, d if input.ndim else None, keepdim


def pull_aminmax(xp, grads, input, min, max, dim, keepdim, input_shape, input_dtype):
    total = None
    for grad, found in zip(grads, (min, max), strict=True):
        if grad is not None:
            ties = input == kept(xp, found, input_shape, dim, keepdim)
            part = share(xp, kept(xp, grad, input_shape, dim, keepdim), ties, dim, input_dtype)
            total = part if total is None else total + part
    return total


aminmax = op(
    "aminmax(input, *, dim=None, keepdim=False)",
    "The smallest and the largest over one dimension, or of all elements. Those that tie share the gradient evenly.",
    outputs=("min", "max"),
    vjp={"input": pull_aminmax},
    jvp={
        "input": lambda xp, tangent, input, min, max, dim, keepdim, input_shape: tuple(
            mean_of(xp, tangent, input == kept(xp, found, input_shape, dim, keepdim), dim, keepdim)
            for found in (min, max)
        )
    },
    batch=shifted("dim", whole=True),
    prepare=prepare_aminmax,
    out=True,
    samples=lambda t: [
        ((t(2, 3),), {}),
        ((t(2, 3),), {"dim": -1, "keepdim": True}),
        ((t(),), {"dim": 0}),
        ((t(0, 3),), {"dim": 1}),
    ],
    errors=lambda t: [
        ((t(2, 3),), {"dim": 2}, IndexError),
        ((t(0, 3),), {}, RuntimeError),
        ((t(2, 3),), {"dim": (0, 1)}, TypeError),
    ],
)

# max and min: of all elements, over a dimension with indices, of two tensors.


def prepare_all(name):
    def prepare(input):
        ordered(name, input)
        not_empty(name, input.shape, None)
        return (input,)

    return prepare


def prepare_dim(name):
    def prepare(input, d, keepdim):
        ordered(name, input)
        flag(name, "keepdim", keepdim)
        d = dim(name, d, input.ndim)
        not_empty(name, input.shape, d)
        return input, d, keepdim

    return prepare


def of_all(name, which, over_dims_too):
    return op(
        f"{name}_all(input)",
        f"The {which} of all elements. Those that tie share the gradient evenly, as all NaN do where the result is NaN.",
        vjp={
            "input": lambda xp, grad, input, result, input_dtype: share(
                xp, grad, xp.matches(input, result), None, input_dtype
            )
        },
        jvp={"input": lambda xp, tangent, input, result: mean_of(xp, tangent, xp.matches(input, result), None, False)},
        batch=lambda xp, op, args, batched, size: xp.call(over_dims_too, (rows(xp, args[0]), (1,), False)),
        prepare=prepare_all(name),
        node=f"{name.capitalize()}Backward1",
        samples=lambda t: [((t(2, 3),), {}), ((t(),), {})],
        errors=lambda t: [((t(0, 3),), {}, RuntimeError)],
        **INTERNAL,
    )


def with_indices(name, which):
    return op(
        f"{name}_dim(input, dim, keepdim=False)",
        f"The {which} over a dimension, as ``values``, and where each is, as ``indices`` of dtype int64: the first of those that "
        "tie, which receives the gradient.",
        outputs=("values", "indices"),
        vjp={"input": from_indices},
        jvp={"input": at_indices},
        operands=("input",),
        batch=shifted("dim"),
        prepare=prepare_dim(name),
        node=f"{name.capitalize()}Backward0",
        samples=lambda t: [((t(2, 3, 4), 1), {}), ((t(2, 3), -1, True), {}), ((t(), 0), {}), ((t(0, 3), 1), {})],
        errors=lambda t: [((t(2, 3), 2), {}, IndexError), ((t(0, 3), 0), {}, IndexError)],
        **INTERNAL,
    )


max_all, min_all = of_all("max", "largest", amax), of_all("min", "smallest", amin)
max_dim, min_dim = with_indices("max", "largest"), with_indices("min", "smallest")


def choose_extreme(name, elements, along):
    """The choice among ``max(input)``, ``max(input, dim, keepdim)`` and ``max(input, other)``."""

    def choose(input, dim, keepdim, other):
        if other is not None or hasattr(dim, "dtype"):
            return TABLE[name], (input, dim if other is None else other)
        return (elements, (input,)) if dim is None else (along, (input, dim, keepdim))

    return choose


overload(
    "max(input, dim=None, keepdim=False, *, other=None)",
    "The largest of all elements; with ``dim``, a named tuple of the largest over that dimension and their indices; with "
    "another tensor, :func:`maximum`.",
    choose_extreme("maximum", max_all, max_dim),
    out=True,
)
overload(
    "min(input, dim=None, keepdim=False, *, other=None)",
    "The smallest of all elements; with ``dim``, a named tuple of the smallest over that dimension and their indices; with "
    "another tensor, :func:`minimum`.",
    choose_extreme("minimum", min_all, min_dim),
    out=True,
)


def prepare_position(name):
    def prepare(input, d, keepdim):
        if input.dtype.category in (BOOL, COMPLEX):
            raise RuntimeError(
                f"{name}(): does not support {'bool' if input.dtype.category == BOOL else 'complex'} input"
            )
        flag(name, "keepdim", keepdim)
        d = None if d is None else dim(name, d, input.ndim)
        if d is None and not count(input.shape, None):
            raise IndexError(
                f"{name}(): Expected reduction dim to be specified for input.numel() == 0; the input's shape is "
                f"{tuple(input.shape)}."
            )
        not_empty(name, input.shape, d)
        return input, d if input.ndim else None, keepdim

    return prepare


def batch_position(xp, op, args, batched, size):
    """The position among all elements is that in each value, flattened."""
    input, d, keepdim = args
    if d is not None:
        return xp.call(op, (input, d % (input.ndim - 1) + 1, keepdim))
    found = xp.call(op, (rows(xp, input), 1, False))
    return xp.reshape(found, (size, *[1] * (input.ndim - 1))) if keepdim else found


for name, which in (("argmax", "largest"), ("argmin", "smallest")):
    op(
        f"{name}(input, dim=None, keepdim=False)",
        f"Where the {which} element over ``dim`` is, or its position among all elements, as int64: the first of those that tie; "
        "the first NaN where there is one.",
        batch=batch_position,
        prepare=prepare_position(name),
        out=True,
        samples=lambda t: [
            ((t(2, 3, 4),), {}),
            ((t(2, 3, 4), 1), {}),
            ((t(2, 3), -1, True), {}),
            ((t(2, 3), None, True), {}),
            ((t.integers(0, 3, 4, 5), 1), {}),
            ((t(),), {}),
            ((t(0, 3), 1), {}),
        ],
        errors=lambda t: [
            ((t(2, 3), 2), {}, IndexError),
            ((t(0, 3),), {}, IndexError),
            ((t.bools(3),), {}, RuntimeError),
        ],
    )
