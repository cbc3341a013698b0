"""Cholesky's factor of positive-definite matrices, and what is solved with it.

Source of the derivative: I. Murray, Differentiation of the Cholesky decomposition (2016), section 3.
"""

from .checks import flags
from .matrix_checks import need_broadcast, need_lapack, need_square
from .parts import broadcast_stacked, diagonal, stacked, symmetric, with_diagonal
from .products import adjoint
from .spectral import hermitian, square_errors
from .steps import fitted, need_tensors
from .table import op

# -- the factor --------------------------------------------------------------------------------------------------------


def half_of_both(xp, matrix):
    """Half of the Hermitian matrix that has this lower triangle."""
    lower = xp.tril(matrix, 0)
    return (lower + adjoint(xp, xp.tril(matrix, -1))) / 2


def pull_cholesky(xp, grad, factor, upper):
    if upper:
        factor, grad = adjoint(xp, factor), adjoint(xp, grad)
    inner = half_of_both(xp, xp.matmul(adjoint(xp, factor), grad))
    inner = xp.linalg_solve_triangular(adjoint(xp, factor), inner, upper=True)
    return xp.linalg_solve_triangular(factor, inner, upper=False, left=False)


def push_cholesky(xp, tangent, factor, upper):
    factor = adjoint(xp, factor) if upper else factor
    inner = xp.linalg_solve_triangular(factor, tangent, upper=False)
    inner = xp.linalg_solve_triangular(adjoint(xp, factor), inner, upper=True, left=False)
    lower = with_diagonal(xp, xp.tril(symmetric(xp, inner), 0), diagonal(xp, inner)) / 2
    moved = xp.matmul(factor, lower)
    return adjoint(xp, moved) if upper else moved


def need_numbers(op_name, value):
    """Raise NotImplementedError, as PyTorch does where it has no kernel, unless LAPACK has the dtype."""
    if 0 in value.shape:
        return
    try:
        need_lapack(op_name, value)
    except RuntimeError as error:
        raise NotImplementedError(
            f"{op_name}: not implemented for {value.dtype}; convert the operands, as with .float()"
        ) from error


def prepare_cholesky(input, upper, check_errors=False):
    flags("linalg_cholesky", upper=upper, check_errors=check_errors)
    need_square("linalg.cholesky", input)
    need_lapack("linalg.cholesky", input)
    return input, upper


def prepare_old_cholesky(input, upper):
    need_square("cholesky", input)
    need_numbers("cholesky", input)
    flags("cholesky", upper=upper)
    return input, upper


def factor_samples(t):
    return [
        ((hermitian(t),), {}),
        ((hermitian(t, 2),), {"upper": True}),
        ((t(0, 0),), {}),
        ((t(0, 3, 3),), {}),
    ]


def indefinite(t):
    return (-hermitian(t),), {}


def factor_errors(t):
    return [*square_errors(t), (*indefinite(t), RuntimeError)]


op(
    "linalg_cholesky(input, *, upper=False)",
    "The lower triangular factor ``L`` with ``L @ L.mH`` the Hermitian, positive-definite matrix, or the upper one with ``U.mH @ U``. "
    "Only that triangle of the matrix is read. Raises LinAlgError where a matrix is not positive-definite.",
    vjp={"input": lambda xp, grad, result, upper: pull_cholesky(xp, grad, result, upper)},
    jvp={"input": lambda xp, tangent, result, upper: push_cholesky(xp, tangent, result, upper)},
    operands=("input",),
    batch=stacked,
    prepare=prepare_cholesky,
    homes=("linalg:cholesky",),
    method=False,
    node="LinalgCholeskyExBackward0",
    out=True,
    samples=factor_samples,
    errors=factor_errors,
)
op(
    "cholesky(input, upper=False)",
    "Cholesky's factor under its old name: the lower one, or the upper one. See :func:`torch.linalg.cholesky`.",
    vjp={"input": lambda xp, grad, result, upper: pull_cholesky(xp, grad, result, upper)},
    jvp={"input": lambda xp, tangent, result, upper: push_cholesky(xp, tangent, result, upper)},
    operands=("input",),
    batch=stacked,
    prepare=prepare_old_cholesky,
    out=True,
    samples=factor_samples,
    errors=lambda t: [((t(3),), {}, RuntimeError), ((t(2, 3),), {}, RuntimeError), (*indefinite(t), RuntimeError)],
)
op(
    "linalg_cholesky_ex(input, *, upper=False, check_errors=False)",
    "Cholesky's factor, and for each matrix the order of its first leading minor that is not positive, as int32: zero where the "
    "factor is whole.",
    outputs=("L", "info"),
    vjp={"input": lambda xp, grad, L, upper: pull_cholesky(xp, grad, L, upper)},
    jvp={"input": lambda xp, tangent, L, upper: (push_cholesky(xp, tangent, L, upper),)},
    operands=("input",),
    batch=stacked,
    prepare=lambda input, upper, check_errors: (*prepare_cholesky(input, upper, check_errors), check_errors),
    homes=("linalg:cholesky_ex",),
    method=False,
    out=True,
    samples=factor_samples,
    errors=lambda t: [*square_errors(t), (indefinite(t)[0], {"check_errors": True}, RuntimeError)],
)

# -- solving with the factor -------------------------------------------------------------------------------------------


# Their derivatives are those of the matrix ``L @ L.mH``: by all elements of ``L``, as in PyTorch, also by those of the other
# triangle, which is taken for zero. (The gradient that a Cholesky decomposition passes on depends on its triangle alone.)


def solve_again(xp, factor, upper, right, shape):
    """The solution for another right side, by the matrix itself: its Taylor series have a recurrence."""
    lower = adjoint(xp, xp.triu(factor, 0)) if upper else xp.tril(factor, 0)
    matrix = xp.matmul(lower, adjoint(xp, lower))
    return xp.solve_square(xp.expand(matrix, (*shape[:-2], *matrix.shape[-2:])), xp.expand(right, shape))


def of_matrix(xp, grad, factor, upper):
    """The gradient of the factor, from that of the matrix."""
    both = symmetric(xp, grad)
    return xp.matmul(factor, both) if upper else xp.matmul(both, factor)


def moved_matrix(xp, tangent, factor, upper):
    """The tangent of the matrix, from that of the factor."""
    return symmetric(xp, xp.matmul(adjoint(xp, factor), tangent) if upper else xp.matmul(tangent, adjoint(xp, factor)))


def prepare_cholesky_solve(input, input2, upper):
    need_tensors("cholesky_solve", input=input, input2=input2)
    for name, operand in (("b", input), ("A", input2)):
        if operand.ndim < 2:
            raise RuntimeError(
                f"cholesky_solve: {name} should have at least 2 dimensions, but has {operand.ndim} dimensions instead"
            )
    need_square("cholesky_solve", input2)
    if input.shape[-2] != input2.shape[-1]:
        raise RuntimeError(
            f"Incompatible matrix sizes for cholesky_solve: each A matrix is {input2.shape[-1]} by {input2.shape[-1]} but each b "
            f"matrix is {input.shape[-2]} by {input.shape[-1]}"
        )
    if input.dtype is not input2.dtype:
        raise RuntimeError(
            f"cholesky_solve: Expected b and A to have the same dtype, but found b of type {input.dtype} and A of type "
            f"{input2.dtype} instead."
        )
    need_numbers("cholesky_solve", input)
    need_broadcast("cholesky_solve", tuple(input.shape[:-2]), tuple(input2.shape[:-2]))
    flags("cholesky_solve", upper=upper)
    return input, input2, upper


op(
    "cholesky_solve(input, input2, upper=False)",
    "The solution ``X`` of ``A @ X = input``, where ``input2`` is Cholesky's factor of ``A``, the lower or the upper one.",
    vjp={
        "input": lambda xp, grad, input2, upper, input_shape: fitted(
            xp, xp.cholesky_solve(grad, input2, upper), input_shape
        ),
        "input2": lambda xp, grad, input2, result, upper, input2_shape: fitted(
            xp,
            of_matrix(xp, -xp.matmul(xp.cholesky_solve(grad, input2, upper), adjoint(xp, result)), input2, upper),
            input2_shape,
        ),
    },
    jvp={
        "input": lambda xp, tangent, input2, upper, result_shape: solve_again(xp, input2, upper, tangent, result_shape),
        "input2": lambda xp, tangent, input2, result, upper, result_shape: solve_again(
            xp, input2, upper, -xp.matmul(moved_matrix(xp, tangent, input2, upper), result), result_shape
        ),
    },
    batch=broadcast_stacked,
    operands=("input", "input2"),
    prepare=prepare_cholesky_solve,
    out=True,
    samples=lambda t: [
        ((t(3, 2), lower_sample(t)), {}),
        ((t(2, 3, 2), lower_sample(t).mT), {"upper": True}),
        ((t(2, 1, 3, 1), lower_sample(t, 2)), {}),
        ((t(0, 2), t(0, 0)), {}),
    ],
    errors=lambda t: [
        ((t(3, 1), t(2, 2)), {}, RuntimeError),
        ((t(2), t(2, 2)), {}, RuntimeError),
        ((t(2, 1), t(2, 3)), {}, RuntimeError),
        ((t(2, 1, dtype="float32"), t(2, 2)), {}, RuntimeError),
        ((t.integers(1, 3, 2, 1), t.integers(1, 3, 2, 2)), {}, NotImplementedError),
    ],
)


def lower_sample(t, *batch, n=3):
    return t(*batch, n, n).diagonal_scatter(t(*batch, n, low=2, high=4), 0, -2, -1).tril()


def prepare_cholesky_inverse(input, upper):
    need_square("cholesky_inverse", input)
    need_numbers("cholesky_inverse", input)
    flags("cholesky_inverse", upper=upper)
    return input, upper


op(
    "cholesky_inverse(input, upper=False)",
    "The inverse of the matrix whose Cholesky factor, the lower or the upper one, is ``input``.",
    vjp={
        "input": lambda xp, grad, input, result, upper: of_matrix(
            xp, -xp.matmul(result, xp.matmul(grad, result)), input, upper
        ),
    },
    jvp={
        "input": lambda xp, tangent, input, result, upper: (
            -xp.matmul(result, xp.matmul(moved_matrix(xp, tangent, input, upper), result))
        ),
    },
    operands=("input",),
    batch=stacked,
    prepare=prepare_cholesky_inverse,
    out=True,
    samples=lambda t: [
        ((lower_sample(t, n=4),), {}),
        ((lower_sample(t, 2).mT,), {"upper": True}),
        ((t(0, 0),), {}),
    ],
    errors=lambda t: [
        ((t(3),), {}, RuntimeError),
        ((t(2, 3),), {}, RuntimeError),
        ((t(2, 2), "upper"), {}, TypeError),
        ((t.integers(1, 3, 2, 2),), {}, NotImplementedError),
    ],
)
