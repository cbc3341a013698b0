"""Operations that put dimensions in another order: transpose, permute, movedim, and the properties T, mT, H, mH.

All are views, but for the conjugates. A rule here reads no more of its operand than the dims it was given.
"""

from . import checks
from .batching import shifted
from .complex_numbers import conj, itself_unless_complex
from .shape import INTERNAL, form, sizes, trailing
from .table import LINEAR, op

PROPERTIES = ("T", "H", "mT", "mH")  # the names below that are attributes of a tensor: `x.T`


def prepare_transpose(input, dim0, dim1):
    return input, checks.dim("transpose", dim0, input.ndim), checks.dim("transpose", dim1, input.ndim)


transpose = op(
    "transpose(input, dim0, dim1)",
    "A view with two dimensions exchanged.",
    vjp={"input": lambda xp, grad, dim0, dim1: xp.transpose(grad, dim0, dim1)},
    jvp=LINEAR,
    batch=shifted("dim0", "dim1"),
    operands=("input",),
    view=True,
    prepare=prepare_transpose,
    aliases=("swapdims",),
    samples=lambda t: [
        ((t(2, 3, 4), 0, 1), {}),
        ((t(2, 3, 4), -1, 0), {}),
        ((t(2, 3), 1, 1), {}),
        ((t(), 0, -1), {}),
        ((t(0, 3), 0, 1), {}),
    ],
    errors=lambda t: [((t(2, 3), 0, 2), {}, IndexError), ((t(2, 3), -3, 0), {}, IndexError)],
)
form(
    "swapaxes(input, axis0, axis1)",
    "A view with two dimensions exchanged; NumPy's name of :func:`transpose`.",
    lambda input, axis0, axis1: (transpose, (input, axis0, axis1)),
)


def inverse(dims):
    """The permutation that undoes another."""
    found = [0] * len(dims)
    for position, d in enumerate(dims):
        found[d] = position
    return tuple(found)


def prepare_permute(input, dims):
    dims = sizes("permute", "dims", dims)
    if len(dims) != input.ndim:
        raise RuntimeError(
            f"permute: number of dimensions in the tensor input does not match the length of the desired ordering of "
            f"dimensions, i.e. input.dim() = {input.ndim} is not equal to len(dims) = {len(dims)}"
        )
    found = tuple([checks.dim("permute", d, len(dims)) for d in dims])
    if len(set(found)) != len(found):
        raise RuntimeError(f"permute(): duplicate dims are not allowed, got {dims}")
    return input, found


permute = op(
    "permute(input, dims)",
    "A view with the dimensions in another order: dimension ``i`` of the result is ``dims[i]`` of the input.",
    vjp={"input": lambda xp, grad, dims: xp.permute(grad, inverse(dims))},
    jvp=LINEAR,
    batch=lambda xp, op, args, batched, size: xp.permute(args[0], (0, *[d + 1 for d in args[1]])),
    operands=("input",),
    view=True,
    prepare=prepare_permute,
    star="dims",
    samples=lambda t: [
        ((t(2, 3, 4), (2, 0, 1)), {}),
        ((t(2, 3, 4), (-1, 0, -2)), {}),
        ((t(2, 3), (0, 1)), {}),
        ((t(0, 2), (1, 0)), {}),
    ],
    errors=lambda t: [
        ((t(2, 3), (0,)), {}, RuntimeError),
        ((t(2, 3), (0, 0)), {}, RuntimeError),
        ((t(2, 3), (0, 2)), {}, IndexError),
        ((t(2, 3), 1), {}, TypeError),
    ],
)


def choose_movedim(op_name):
    def choose(input, source, destination):
        given = [d if isinstance(d, (tuple, list)) else (d,) for d in (source, destination)]
        if len(given[0]) != len(given[1]):
            raise RuntimeError(
                f"{op_name}: Invalid source or destination dims: source ({list(given[0])} dims) should contain the same "
                f"number of dims as destination ({list(given[1])} dims)"
            )
        moved = [
            distinct(op_name, role, d, input.ndim) for role, d in zip(("source", "destination"), given, strict=True)
        ]
        return permute, (input, order_moved(input.ndim, *moved))

    return choose


def distinct(op_name, role, given, ndim):
    """Dims from the user as non-negative ones, each at most once."""
    found = [checks.dim(op_name, d, ndim) for d in given]
    if len(set(found)) != len(found):
        raise RuntimeError(f"{op_name}: repeated dim in `{role}` ({list(given)})")
    return found


def order_moved(ndim, source, destination):
    """The permutation that moves the dims ``source`` to ``destination`` and keeps the others in order."""
    if not ndim:
        return ()
    order = dict(zip(destination, source, strict=True))
    rest = iter(d for d in range(ndim) if d not in source)
    return tuple(order[d] if d in order else next(rest) for d in range(ndim))


for name in ("movedim", "moveaxis"):
    form(
        f"{name}(input, source, destination)",
        "A view with the dims ``source`` (an int or a tuple) moved to the places ``destination``, the others in order.",
        choose_movedim(name),
    )


def prepare_t(input):
    if input.ndim > 2:
        raise RuntimeError(
            f"t() expects a tensor with <= 2 dimensions, but self is {input.ndim}D; transpose(input, -2, -1) exchanges the "
            "last two"
        )
    return (input,)


t = op(
    "t(input)",
    "The transpose of a matrix, as a view; an input of fewer dimensions as it is.",
    vjp={"input": lambda xp, grad: xp.t(grad)},
    jvp=LINEAR,
    batch=lambda xp, op, args, batched, size: xp.transpose(args[0], 1, 2) if args[0].ndim == 3 else args[0],
    view=True,
    node="TBackward0",
    prepare=prepare_t,
    samples=lambda t: [((t(2, 3),), {}), ((t(3),), {}), ((t(),), {}), ((t(0, 2),), {})],
    errors=lambda t: [((t(2, 3, 4),), {}, RuntimeError)],
)

conj_transpose = op(
    "conj_transpose(input)",
    "The complex conjugate with the last two dimensions exchanged.",
    vjp={"input": lambda xp, grad: xp.conj_transpose(grad)},
    jvp=LINEAR,
    batch=trailing,
    node="ConjBackward0",
    samples=lambda t: [((t(2, 3),), {}), ((t(2, 3, 4),), {}), ((t(0, 2),), {})],
    **INTERNAL,
)


def choose_matrix(title, conjugate, most=None):
    """Transposes of the last two dimensions, of matrices (``most=2``) or of batches of them."""

    def choose(input):
        ndim = input.ndim
        if ndim == 0:
            return itself_unless_complex(conj, input) if conjugate else (None, input)
        if ndim == 1 or (most and ndim > most):
            kind = "matrices (2-D tensors)" if most else "matrices or batches of matrices"
            advice = " For batches of matrices, consider using tensor.mH" if most and ndim > most else ""
            raise RuntimeError(f"{title} is only supported on {kind}. Got {ndim}-D tensor.{advice}")
        if conjugate and input.dtype.is_complex:
            return conj_transpose, (input,)
        return transpose, (input, ndim - 2, ndim - 1)

    return choose


form(
    "adjoint(input)",
    "The conjugate transpose of a matrix or of each matrix of a batch: the last two dimensions exchanged.",
    choose_matrix("tensor.adjoint()", True),
)
form(
    "mT(input)",
    "A view with the last two dimensions exchanged.",
    choose_matrix("tensor.mT", False),
    **INTERNAL,
)
form(
    "mH(input)",
    "The conjugate transpose of a matrix or of each matrix of a batch.",
    choose_matrix("tensor.mH", True),
    **INTERNAL,
)
form(
    "H(input)",
    "The conjugate transpose of a matrix.",
    choose_matrix("tensor.H", True, most=2),
    **INTERNAL,
)
form(
    "T(input)",
    "A view with all dimensions in reverse order.",
    lambda input: (permute, (input, tuple(range(input.ndim))[::-1])),
    **INTERNAL,
)
