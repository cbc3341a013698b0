"""LU and LDL decompositions: Gaussian elimination, and what is solved with it.

Pivots are LAPACK's: the row that each row was exchanged with in its turn, counted from one.

Source of the derivative of LU: F. R. de Hoog, R. S. Anderssen and M. A. Lukas, Differentiation of matrix functionals using
triangular factorization (2011).
"""

from .batching import full_batch, logical_ndim, pad_dims
from .checks import INTEGER, flags
from .cholesky import need_numbers
from .matrix_checks import need_broadcast, need_fitting, need_lapack, need_square, sample_matrix
from .parts import (
    above,
    beside,
    first_columns,
    first_rows,
    other_columns,
    other_rows,
    plus,
    stacked,
    taller,
    wider,
    with_diagonal,
)
from .products import adjoint
from .results import returned
from .spectral import square_errors
from .steps import INTERNAL, fitted, need_tensors, perform
from .table import TABLE, composite, op, overload

# -- the derivative of LU ----------------------------------------------------------------------------------------------


def pull_factors(xp, of_L, of_U, L, U):
    """The gradient of ``L @ U``, the matrix with its rows in order, from those of the factors: of ``L`` below the diagonal."""
    k, m, n = L.shape[-1], L.shape[-2], U.shape[-1]
    square_L, square_U = first_rows(xp, L, k), first_columns(xp, U, k)
    below = right = None
    if m > k and of_L is not None:  # L₂ = B₂ U⁻¹
        below = solve_upper(xp, square_U, other_rows(xp, of_L, k))
        of_U = plus(of_U, -xp.matmul(adjoint(xp, other_rows(xp, L, k)), below))
    if n > k and of_U is not None:  # U₂ = L₁⁻¹ B₂
        right = solve_lower(xp, square_L, other_columns(xp, of_U, k))
        of_L = plus(of_L, -xp.matmul(right, adjoint(xp, other_columns(xp, U, k))))
    inner = None if of_L is None else xp.tril(xp.matmul(adjoint(xp, square_L), first_rows(xp, of_L, k)), -1)
    if of_U is not None:
        inner = plus(inner, xp.triu(xp.matmul(first_columns(xp, of_U, k), adjoint(xp, square_U)), 0))
    pulled = solve_lower(xp, square_L, solve_upper(xp, square_U, inner))
    if n > k:
        pulled = wider(xp, pulled, n) if right is None else beside(xp, pulled, right)
    if m > k:
        pulled = taller(xp, pulled, m) if below is None else above(xp, pulled, below)
    return pulled


def solve_upper(xp, U, value):
    """``value @ U^-H``."""
    return xp.linalg_solve_triangular(adjoint(xp, U), value, upper=False, left=False)


def solve_lower(xp, L, value):
    """``L^-H @ value``."""
    return xp.linalg_solve_triangular(adjoint(xp, L), value, upper=True, unitriangular=True)


def push_factors(xp, tangent, L, U):
    """The tangents of both factors, from that of the matrix with its rows in order."""
    k, m, n = L.shape[-1], L.shape[-2], U.shape[-1]
    square_L, square_U = first_rows(xp, L, k), first_columns(xp, U, k)
    inner = first_columns(xp, first_rows(xp, tangent, k), k)
    inner = xp.linalg_solve_triangular(square_L, inner, upper=False, unitriangular=True)
    inner = xp.linalg_solve_triangular(square_U, inner, upper=True, left=False)
    moved_L = xp.matmul(square_L, xp.tril(inner, -1))
    moved_U = xp.matmul(xp.triu(inner, 0), square_U)
    if m > k:
        below = other_rows(xp, tangent, k) - xp.matmul(other_rows(xp, L, k), moved_U)
        moved_L = above(xp, moved_L, xp.linalg_solve_triangular(square_U, below, upper=True, left=False))
    if n > k:
        right = other_columns(xp, tangent, k) - xp.matmul(first_rows(xp, moved_L, k), other_columns(xp, U, k))
        solved = xp.linalg_solve_triangular(square_L, right, upper=False, unitriangular=True)
        moved_U = beside(xp, moved_U, solved)
    return moved_L, moved_U


# -- LU ----------------------------------------------------------------------------------------------------------------


def lower_of(xp, LU):
    """The factor ``L`` of a matrix that holds both."""
    k = min(LU.shape[-2:])
    return with_diagonal(xp, xp.tril(first_columns(xp, LU, k), -1), 1)


def upper_of(xp, LU):
    return xp.triu(first_rows(xp, LU, min(LU.shape[-2:])), 0)


def packed(xp, L, U, shape):
    """One matrix of both factors: of ``L``, what is below the diagonal."""
    m, n = shape
    return wider(xp, xp.tril(L, -1), n) + taller(xp, xp.triu(U, 0), m)


op(
    "row_order(pivots, rows)",
    "The order into which pivots bring ``rows`` rows, as int64: row ``order[i]`` comes to place ``i``.",
    operands=("pivots",),
    batch=stacked,
    samples=lambda t: [((t.integers(3, 5, 3, dtype="int32"), 4), {}), ((t.integers(2, 3, 2, 2, dtype="int32"), 2), {})],
    **INTERNAL,
)


def ordered_rows(xp, matrix, order):
    """The rows of matrices in an order; their batches broadcast."""
    missing = matrix.ndim - 1 - order.ndim
    if missing > 0:
        order = xp.reshape(order, (*[1] * missing, *order.shape))
    elif missing < 0:
        matrix = xp.reshape(matrix, (*[1] * -missing, *matrix.shape))
    return xp.take_along_dim(matrix, xp.unsqueeze(order, order.ndim), matrix.ndim - 2)


def reordered(xp, matrix, pivots):
    """The rows as elimination ordered them."""
    return ordered_rows(xp, matrix, xp.row_order(pivots, matrix.shape[-2]))


def restored(xp, matrix, pivots):
    """The rows as they were before."""
    order = xp.row_order(pivots, matrix.shape[-2])
    return ordered_rows(xp, matrix, xp.argsort(order, order.ndim - 1))


def pull_packed(xp, grad, LU, pivots):
    k = min(LU.shape[-2:])
    pulled = pull_factors(xp, first_columns(xp, grad, k), first_rows(xp, grad, k), lower_of(xp, LU), upper_of(xp, LU))
    return restored(xp, pulled, pivots)


def push_packed(xp, tangent, LU, pivots):
    L, U = push_factors(xp, reordered(xp, tangent, pivots), lower_of(xp, LU), upper_of(xp, LU))
    return (packed(xp, L, U, LU.shape[-2:]),)


def prepare_lu(name, *names):
    def prepare(A, *given):
        need_tensors(name.replace(".", "_"), A=A)
        if A.ndim < 2:
            raise RuntimeError(f"{name}: Expected tensor with 2 or more dimensions. Got size: {list(A.shape)} instead")
        need_numbers(name, A)
        flags(name, **dict(zip(names, given, strict=True)))
        if not given[0]:
            raise RuntimeError(
                f"{name}: LU without pivoting is not implemented on the CPU, as in PyTorch; use pivot=True"
            )
        return (A, *given)

    return prepare


prepare_lu_factor = prepare_lu("linalg.lu_factor", "pivot", "check_errors")


def lu_samples(t):
    return [
        ((sample_matrix(t),), {}),
        ((t(4, 3),), {}),
        ((t(2, 2, 4),), {}),
        ((t(0, 0),), {}),
        ((t(3, 0),), {}),
        ((t(0, 2, 3),), {}),
    ]


def lu_errors(t):
    return [
        ((t(3),), {}, RuntimeError),
        ((t.integers(0, 3, 2, 2),), {}, NotImplementedError),
        ((t(2, 2, dtype="float16"),), {}, NotImplementedError),
        ((t(2, 2),), {"pivot": False}, RuntimeError),
    ]


lu_factor_ex = op(
    "linalg_lu_factor_ex(A, *, pivot=True, check_errors=False)",
    "The LU decomposition with partial pivoting as one matrix, LAPACK's pivots, and, as int32, the number of the first diagonal "
    "element of ``U`` that is zero, counted from one, or zero.",
    outputs=("LU", "pivots", "info"),
    vjp={"A": lambda xp, grad, LU, pivots: pull_packed(xp, grad, LU, pivots)},
    jvp={"A": push_packed},
    operands=("A",),
    batch=stacked,
    prepare=prepare_lu_factor,
    homes=("linalg:lu_factor_ex",),
    method=False,
    out=True,
    samples=lu_samples,
    errors=lambda t: [*lu_errors(t), ((t(2, 2) * 0,), {"check_errors": True}, RuntimeError)],
)


def factored(A, check_errors):
    return perform(lu_factor_ex, *prepare_lu_factor(A, True, check_errors))


def choose_lu_factor(A, pivot):
    prepare_lu("linalg.lu_factor", "pivot")(A, pivot)
    LU, pivots, _ = factored(A, True)
    return None, returned("linalg_lu_factor", LU=LU, pivots=pivots)


overload(
    "linalg_lu_factor(A, *, pivot=True)",
    "The LU decomposition with partial pivoting as one matrix, and LAPACK's pivots. Raises where a diagonal element of ``U`` is zero.",
    choose_lu_factor,
    out=True,
    homes=("linalg:lu_factor",),
    method=False,
)


def choose_old_lu(A, pivot, get_infos):
    prepare_lu("linalg.lu_factor", "pivot", "get_infos")(A, pivot, get_infos)
    LU, pivots, info = factored(A, False)
    return None, (returned("_lu_with_info", LU=LU, pivots=pivots, info=info) if get_infos else (LU, pivots))


overload(
    "lu(A, pivot=True, get_infos=False)",
    "The LU decomposition with partial pivoting as one matrix, LAPACK's pivots, and, if asked for, which diagonal element of ``U`` is "
    "zero.",
    choose_old_lu,
)

lu = op(
    "linalg_lu(A, *, pivot=True)",
    "The decomposition ``A = P @ L @ U`` with partial pivoting, into a permutation and triangular matrices.",
    outputs=("P", "L", "U"),
    vjp={"A": lambda xp, grads, P, L, U: xp.matmul(P, pull_factors(xp, grads[1], grads[2], L, U))},
    jvp={
        "A": lambda xp, tangent, P, L, U: (None, *push_factors(xp, xp.matmul(adjoint(xp, P), tangent), L, U)),
    },
    operands=("A",),
    batch=stacked,
    prepare=prepare_lu("linalg.lu", "pivot"),
    samples=lu_samples,
    errors=lu_errors,
    **INTERNAL,
)


def choose_lu(A, pivot):
    P, L, U = perform(lu, *prepare_lu("linalg.lu", "pivot")(A, pivot))
    return None, returned("linalg_lu", P=P.detach(), L=L, U=U)


overload(
    "linalg_lu(A, *, pivot=True)",
    "The decomposition ``A = P @ L @ U`` with partial pivoting, into a permutation and triangular matrices.",
    choose_lu,
    out=True,
    homes=("linalg:lu",),
    method=False,
)


# -- what is done with an LU decomposition -----------------------------------------------------------------------------


def pull_unpacked(xp, grads, unpack_data, LU_data_shape, P):
    _, of_L, of_U = grads
    m, n = LU_data_shape[-2:]
    if not unpack_data or (of_L is None and of_U is None):
        return xp.new_zeros(P, LU_data_shape)
    lower = None if of_L is None else wider(xp, xp.tril(of_L, -1), n)
    return plus(lower, None if of_U is None else taller(xp, xp.triu(of_U, 0), m))


def push_unpacked(xp, tangent, unpack_data):
    if not unpack_data:
        return (None, None, None)
    k = min(tangent.shape[-2:])
    return None, xp.tril(first_columns(xp, tangent, k), -1), xp.triu(first_rows(xp, tangent, k), 0)


def batch_unpacked(xp, op, args, batched, size):
    """What is not asked for has no elements, one more dim or not."""
    found = stacked(xp, op, args, batched, size)
    asked = (args[3], args[2], args[2])
    return tuple([part if wanted else xp.new_zeros(part, (size, 0)) for part, wanted in zip(found, asked, strict=True)])


def prepare_unpack(LU_data, LU_pivots, unpack_data, unpack_pivots):
    flags("lu_unpack", unpack_data=unpack_data, unpack_pivots=unpack_pivots)
    need_tensors("lu_unpack", LU_data=LU_data, LU_pivots=LU_pivots)
    if LU_data.ndim < 2:
        raise RuntimeError(
            f"torch.lu_unpack: Expected tensor with 2 or more dimensions. Got size: {list(LU_data.shape)} instead"
        )
    if unpack_pivots and LU_pivots.dtype.name != "int32":
        raise RuntimeError(
            f"torch.lu_unpack: LU_pivots is expected to be a contiguous tensor of torch.int32 dtype, but is of {LU_pivots.dtype}. "
            "It is what lu_factor returns as pivots"
        )
    return LU_data, LU_pivots, unpack_data, unpack_pivots


unpack = op(
    "lu_unpack(LU_data, LU_pivots, unpack_data=True, unpack_pivots=True)",
    "The permutation ``P`` and the factors ``L`` and ``U`` of an LU decomposition that :func:`lu_factor` computed.",
    outputs=("P", "L", "U"),
    vjp={"LU_data": pull_unpacked},
    jvp={"LU_data": push_unpacked},
    operands=("LU_data", "LU_pivots"),
    batch=batch_unpacked,
    prepare=prepare_unpack,
    samples=lambda t: [
        ((t(3, 3), t.integers(3, 4, 3, dtype="int32")), {}),
        ((t(4, 3), t.integers(3, 5, 3, dtype="int32")), {}),
        ((t(2, 2, 3), t.integers(2, 3, 2, 2, dtype="int32")), {}),
        ((t(3, 3), t.integers(3, 4, 3, dtype="int32")), {"unpack_pivots": False}),
        ((t(0, 0), t.integers(0, 1, 0, dtype="int32")), {}),
    ],
    errors=lambda t: [
        ((t(3, 3), t.integers(3, 4, 3)), {}, RuntimeError),
        ((t(3), t.integers(3, 4, 3, dtype="int32")), {}, RuntimeError),
        ((t(3, 3), t.integers(4, 5, 3, dtype="int32")), {}, RuntimeError),
    ],
    **INTERNAL,
)


def choose_unpack(LU_data, LU_pivots, unpack_data, unpack_pivots):
    P, L, U = perform(unpack, *prepare_unpack(LU_data, LU_pivots, unpack_data, unpack_pivots))
    return None, returned("lu_unpack", P=P.detach(), L=L, U=U)


overload(
    "lu_unpack(LU_data, LU_pivots, unpack_data=True, unpack_pivots=True)",
    "The permutation ``P`` and the factors ``L`` and ``U`` of an LU decomposition that :func:`lu_factor` computed; without elements "
    "what is not asked for.",
    choose_unpack,
    out=True,
    method=False,
)


def solve_with_pivots(xp, LU, pivots, B, left, adjoint_):
    """``A X = B`` for ``A = P L U``; the other equations by ``X A = B``, which is ``Aᴴ Xᴴ = Bᴴ``."""
    if not left:
        return adjoint(xp, solve_with_pivots(xp, LU, pivots, adjoint(xp, B), True, not adjoint_))
    if adjoint_:
        half = xp.linalg_solve_triangular(adjoint(xp, LU), B, upper=False)
        half = xp.linalg_solve_triangular(adjoint(xp, LU), half, upper=True, unitriangular=True)
        return restored(xp, half, pivots)
    half = xp.linalg_solve_triangular(LU, reordered(xp, B, pivots), upper=False, unitriangular=True)
    return xp.linalg_solve_triangular(LU, half, upper=True)


def check_solve(op_name, LU, pivots, B, left):
    need_tensors(op_name.replace(".", "_"), LU=LU, pivots=pivots, B=B)
    need_square(op_name, LU, "LU")
    if pivots.dtype.name != "int32":
        raise RuntimeError(f"{op_name}: pivots should be a Tensor of scalar type torch.int32, but is of {pivots.dtype}")
    if LU.dtype is not B.dtype:
        raise RuntimeError(
            f"{op_name}: Expected LU and B to have the same dtype, but found LU of type {LU.dtype} and B of type {B.dtype} instead"
        )
    need_lapack(op_name, LU)
    need_fitting(op_name, LU, B, left)
    if tuple(pivots.shape) != tuple(LU.shape[:-1]):
        raise RuntimeError(
            f"{op_name}: Number of pivots per batch should be same as the dimension of the matrix: LU has shape {list(LU.shape)}, and "
            f"so pivots must have {list(LU.shape[:-1])}, but they have {list(pivots.shape)}"
        )


def prepare_lu_solve(LU, pivots, B, left, adjoint):
    flags("linalg_lu_solve", left=left, adjoint=adjoint)
    check_solve("linalg.lu_solve", LU, pivots, B, left)
    return LU, pivots, B, left, adjoint


def pivots_sample(t, *shape):
    """Pivots that all exchange with the last row."""
    return t.integers(shape[-1], shape[-1] + 1, *shape, dtype="int32")


composite(
    "linalg_lu_solve(LU, pivots, B, *, left=True, adjoint=False)",
    "The solution ``X`` of ``A @ X = B``, or of ``X @ A = B`` unless ``left``, where :func:`lu_factor` decomposed ``A``; with "
    "``adjoint``, for the conjugate transpose of ``A``. Batches broadcast.",
    solve_with_pivots,
    operands=("LU", "B"),
    prepare=prepare_lu_solve,
    homes=("linalg:lu_solve",),
    method=False,
    out=True,
    samples=lambda t: [
        *[
            ((sample_matrix(t), pivots_sample(t, 3), t(3, 3)), {"left": left, "adjoint": adjoint})
            for left in (True, False)
            for adjoint in (True, False)
        ],
        ((sample_matrix(t, 2), pivots_sample(t, 2, 3), t(3, 2)), {}),
        ((sample_matrix(t), pivots_sample(t, 3), t(2, 3, 1)), {}),
        ((t(0, 0), t.integers(0, 1, 0, dtype="int32"), t(0, 2)), {}),
    ],
    errors=lambda t: [
        ((t(3, 3), t.integers(3, 4, 3), t(3, 3)), {}, RuntimeError),
        ((t(3, 3), pivots_sample(t, 2), t(3, 3)), {}, RuntimeError),
        ((t(3, 3), pivots_sample(t, 3), t(2, 3)), {}, RuntimeError),
        ((t(3, 3), pivots_sample(t, 3), t(3)), {}, RuntimeError),
        ((t(3, 3), pivots_sample(t, 3), t(3, 1, dtype="float32")), {}, RuntimeError),
        ((t(3, 3), t.integers(0, 1, 3, dtype="int32"), t(3, 1)), {}, RuntimeError),
    ],
)


def choose_old_lu_solve(input, LU_data, LU_pivots):
    need_tensors("lu_solve", input=input, LU_data=LU_data, LU_pivots=LU_pivots)
    return TABLE["linalg_lu_solve"], (LU_data, LU_pivots, input, True, False)


overload(
    "lu_solve(input, LU_data, LU_pivots)",
    "The solution ``X`` of ``A @ X = input``, where :func:`lu` decomposed ``A``.",
    choose_old_lu_solve,
    out=True,
)


# -- LDL ---------------------------------------------------------------------------------------------------------------


def without_derivative(name):
    """Rules that raise, as PyTorch does: of the vjp, and of the jvp."""

    def refuse():
        raise RuntimeError(
            f"derivative for aten::{name} is not implemented, as in PyTorch; linalg.solve, cholesky and eigh have one"
        )

    return lambda xp, grad: refuse(), lambda xp, tangent: refuse()


def prepare_ldl(input, hermitian, check_errors):
    name = "torch.linalg.ldl_factor_ex"
    need_square(name, input)
    need_lapack(name, input)
    flags("linalg_ldl_factor", hermitian=hermitian, check_errors=check_errors)
    return input, hermitian, check_errors


ldl_factor_ex = op(
    "linalg_ldl_factor_ex(input, *, hermitian=False, check_errors=False)",
    "LAPACK's LDL decomposition of symmetric (or Hermitian) matrices by Bunch and Kaufman's pivots: the factors as one matrix, the "
    "pivots, and, as int32, which diagonal element of ``D`` is zero, or zero. Not differentiable.",
    outputs=("LD", "pivots", "info"),
    vjp={"input": without_derivative("linalg_ldl_factor_ex")[0]},
    jvp={"input": without_derivative("linalg_ldl_factor_ex")[1]},
    operands=("input",),
    batch=stacked,
    prepare=prepare_ldl,
    homes=("linalg:ldl_factor_ex",),
    method=False,
    out=True,
    samples=lambda t: (
        [
            ((symmetric_sample(t, dtype=dtype),), {"hermitian": hermitian})
            for dtype in ("float32", "complex64")
            for hermitian in (False, True)
        ]
        + [((symmetric_sample(t, 2, dtype="float32"),), {}), ((t(0, 0, dtype="float32"),), {})]
    ),
    errors=lambda t: [*square_errors(t), ((t(2, 2) * 0,), {"check_errors": True}, RuntimeError)],
)


def symmetric_sample(t, *batch, dtype):
    """A sample whose decomposition has blocks of two rows."""
    matrix = t(*batch, 4, 4, dtype=dtype)
    return (matrix + matrix.mT).diagonal_scatter(t(*batch, 4, low=0.1, high=0.2, dtype=dtype), 0, -2, -1)


def choose_ldl(input, hermitian):
    LD, pivots, _ = perform(ldl_factor_ex, *prepare_ldl(input, hermitian, True))
    return None, returned("linalg_ldl_factor", LD=LD, pivots=pivots)


overload(
    "linalg_ldl_factor(input, *, hermitian=False)",
    "LAPACK's LDL decomposition of symmetric (or Hermitian) matrices: the factors as one matrix, and the pivots. Raises where ``D`` is "
    "singular.",
    choose_ldl,
    out=True,
    homes=("linalg:ldl_factor",),
    method=False,
)


def prepare_ldl_solve(LD, pivots, B, hermitian):
    name = "torch.linalg.ldl_solve"
    need_tensors("linalg_ldl_solve", LD=LD, pivots=pivots, B=B)
    need_square(name, LD, "LD")
    need_lapack(name, LD)
    if B.ndim < 2:
        raise IndexError(f"{name}: B must have at least 2 dimensions, but has {B.ndim} (Dimension out of range)")
    if LD.shape[-1] != B.shape[-2]:
        raise RuntimeError(
            f"Incompatible matrix sizes for {name}: each A matrix is {LD.shape[-1]} by {LD.shape[-1]} but each b matrix is "
            f"{B.shape[-2]} by {B.shape[-1]}"
        )
    if tuple(pivots.shape) != tuple(LD.shape[:-1]):
        raise RuntimeError(
            f"{name}: Expected LD.shape[:-1] and pivots.shape to be the same, but got pivots with shape {list(pivots.shape)} instead"
        )
    if pivots.dtype.category != INTEGER:
        raise RuntimeError(f"{name}: Expected pivots to be integers. Got {pivots.dtype}")
    if LD.dtype is not B.dtype:
        raise RuntimeError(
            f"{name}: Expected b and A to have the same dtype, but found b of type {B.dtype} and A of type {LD.dtype} instead."
        )
    need_broadcast(name, tuple(LD.shape[:-2]), tuple(B.shape[:-2]))
    flags("linalg_ldl_solve", hermitian=hermitian)
    return LD, pivots, B, hermitian


def batch_ldl_solve(xp, op, args, batched, size):
    """Pivots go with their matrices, and these broadcast with the right sides."""
    LD, pivots, B, hermitian = args
    own = any(batched[:2])
    if own:
        LD, pivots = full_batch(xp, LD, batched[0], size), full_batch(xp, pivots, batched[1], size)
    ndim = max(logical_ndim(LD, own), logical_ndim(B, batched[2]))
    if own:
        LD, pivots = pad_dims(xp, LD, ndim), pad_dims(xp, pivots, ndim - 1)
    return xp.call(op, (LD, pivots, pad_dims(xp, B, ndim) if batched[2] else B, hermitian))


op(
    "linalg_ldl_solve(LD, pivots, B, *, hermitian=False)",
    "The solution ``X`` of ``A @ X = B``, where :func:`ldl_factor` decomposed ``A``. Batches broadcast. Differentiable by ``B`` alone.",
    vjp={
        "LD": without_derivative("linalg_ldl_solve")[0],
        "B": lambda xp, grad, LD, pivots, hermitian, B_shape: fitted(
            xp, xp.linalg_ldl_solve(LD if hermitian else xp.conj(LD), pivots, grad, hermitian=hermitian), B_shape
        ),
    },
    jvp={
        "LD": without_derivative("linalg_ldl_solve")[1],
        "B": lambda xp, tangent, LD, pivots, hermitian: xp.linalg_ldl_solve(LD, pivots, tangent, hermitian=hermitian),
    },
    operands=("LD", "B"),
    batch=batch_ldl_solve,
    prepare=prepare_ldl_solve,
    homes=("linalg:ldl_solve",),
    method=False,
    out=True,
    samples=lambda t: [
        ((sample_matrix(t).float(), identity_pivots(t), t(3, 2, dtype="float32")), {}),
        ((sample_matrix(t, 2).float(), identity_pivots(t, 2), t(3, 2, dtype="float32")), {"hermitian": True}),
    ],
    errors=lambda t: [
        ((t(3, 3), identity_pivots(t), t(2, 1)), {}, RuntimeError),
        ((t(3, 3), identity_pivots(t), t(3)), {}, IndexError),
        ((t(3, 3), t(3), t(3, 1)), {}, RuntimeError),
        ((t(3, 3), identity_pivots(t, 2), t(3, 1)), {}, RuntimeError),
        ((t(3, 3), identity_pivots(t), t(3, 1, dtype="float32")), {}, RuntimeError),
    ],
)


def identity_pivots(t, *batch):
    """Pivots that exchange nothing."""
    return (t.integers(0, 1, *batch, 3) + t.integers(1, 2, 3).cumsum(0)).int()
