"""Systems of linear equations, inverses, and what is made of them.

Rules are written with ``solve_square``, which takes matrices whose leading dims broadcast. Invariant: no rule makes an
inverse where a solution is asked for.
"""

from .batching import full_batch, pad_dims
from .checks import dim as one_dim
from .matrix_checks import (
    is_half,
    need_fitting,
    need_lapack,
    need_one_dtype,
    need_precision,
    need_square,
    sample_matrix,
)
from .products import adjoint
from .steps import INTERNAL, extent, fitted, need_tensors, perform
from .table import COMMON, composite, op, overload


def square_product(xp, matrix, result):
    return xp.matmul(matrix, result)


def transposed(xp, matrix):
    return xp.transpose(matrix, matrix.ndim - 2, matrix.ndim - 1)


def batch_matrices(xp, op, args, batched, size):
    """Operands that are matrices and broadcast: ones go after the batch dimension of those that have one."""
    ndim = max(a.ndim - b for a, b in zip(args[:2], batched[:2], strict=True))
    operands = [pad_dims(xp, a, ndim) if b else a for a, b in zip(args[:2], batched[:2], strict=True)]
    return xp.call(op, [*operands, *args[2:]])


def batch_first(xp, op, args, batched, size):
    """One operand, of whose dims the operation looks at the last only."""
    return xp.call(op, args)


op(
    "solve_square(input, other)",
    "The matrix ``X`` with ``input @ X = other``, for matrices whose leading dims broadcast.",
    vjp={
        "input": lambda xp, grad, input, result, input_shape: fitted(
            xp, -xp.matmul(xp.solve_square(adjoint(xp, input), grad), adjoint(xp, result)), input_shape
        ),
        "other": lambda xp, grad, input, other_shape: fitted(
            xp, xp.solve_square(adjoint(xp, input), grad), other_shape
        ),
    },
    jvp={
        "input": lambda xp, tangent, input, result: -xp.solve_square(input, xp.matmul(tangent, result)),
        "other": lambda xp, tangent, input: xp.solve_square(input, tangent),
    },
    types=COMMON,
    batch=batch_matrices,
    node="LinalgSolveExBackward0",
    samples=lambda t: [
        ((sample_matrix(t), t(3, 2)), {}),
        ((sample_matrix(t, 2), t(2, 3, 2)), {}),
        ((sample_matrix(t), t(2, 3, 2)), {}),
    ],
    **INTERNAL,
)


# -- solve -------------------------------------------------------------------------------------------------------------


def is_vector(A_shape, B_shape):
    """Whether PyTorch takes the right side for vectors: it is one, or has the shape of the matrices without their last dim."""
    return len(B_shape) == 1 or tuple(B_shape) == tuple(A_shape[:-1])


def solution(xp, A, B, left):
    """``X`` with ``A @ X = B``, or ``X @ A = B`` unless ``left``; ``B`` is of matrices or vectors."""
    if is_vector(A.shape, B.shape):
        column = xp.solve_square(A, xp.unsqueeze(B, B.ndim))
        return xp.reshape(column, tuple(column.shape[:-1]))
    if left:
        return xp.solve_square(A, B)
    return transposed(xp, xp.solve_square(transposed(xp, A), transposed(xp, B)))


def pull_matrix(xp, grad, A, result, left, shape):
    """The gradient of a system's matrix."""
    pulled = solution(xp, adjoint(xp, A), grad, left)
    if is_vector(A.shape, grad.shape):
        pulled, result = xp.unsqueeze(pulled, pulled.ndim), xp.unsqueeze(result, result.ndim)
    product = (pulled, adjoint(xp, result)) if left else (adjoint(xp, result), pulled)
    return fitted(xp, -xp.matmul(*product), shape)


def push_matrix(xp, tangent, A, result, left):
    """How a solution moves with the system's matrix."""
    return -solution(xp, A, xp.matmul(tangent, result) if left else xp.matmul(result, tangent), left)


def push_vectors(xp, tangent, A, result, left):
    """As :func:`push_matrix`, for solutions that may be vectors."""
    if not is_vector(A.shape, result.shape):
        return push_matrix(xp, tangent, A, result, left)
    column = push_matrix(xp, tangent, A, xp.unsqueeze(result, result.ndim), left)
    return xp.reshape(column, tuple(result.shape))


def batch_solve(xp, op, args, batched, size):
    A, B, left, check_errors = args
    logical_A, logical_B = (tuple(x.shape)[1 if b else 0 :] for x, b in zip((A, B), batched[:2], strict=True))
    vector = is_vector(logical_A, logical_B)
    B = xp.unsqueeze(B, B.ndim) if vector else B
    result, info = batch_matrices(xp, op, (A, B, left, check_errors), batched, size)
    result = xp.reshape(result, tuple(result.shape[:-1])) if vector else result
    info = xp.reshape(info, (size, *logical_A[:-2])) if batched[0] else full_batch(xp, info, False, size)
    return result, info


def prepare_solve(A, B, left, check_errors):
    need_tensors("linalg.solve", A=A, B=B)
    need_square("linalg.solve", A)
    need_one_dtype("linalg.solve", A, B)
    vector = is_vector(A.shape, B.shape)
    need_fitting("linalg.solve", A, B.unsqueeze(-1) if vector else B, left)
    need_lapack("linalg.solve", A)
    return A, B, left or vector, check_errors


SOLVE = (
    "The solution ``X`` of ``A @ X = B``, or of ``X @ A = B`` unless ``left``, for square matrices. The batches of ``A`` and "
    "``B`` broadcast; ``B`` is taken for vectors where it has one dim, or the shape of ``A`` without its last dim."
)
solve_ex = op(
    "linalg_solve_ex(A, B, *, left=True, check_errors=False)",
    f"{SOLVE} Also ``info``, an int32 for each matrix that is not zero where it is singular; only with ``check_errors`` is that "
    "an error.",
    outputs=("result", "info"),
    vjp={
        "A": lambda xp, grad, A, result, left, A_shape: pull_matrix(xp, grad, A, result, left, A_shape),
        "B": lambda xp, grad, A, left, B_shape: fitted(xp, solution(xp, adjoint(xp, A), grad, left), B_shape),
    },
    jvp={
        "A": lambda xp, tangent, A, result, left: (push_vectors(xp, tangent, A, result, left),),
        "B": lambda xp, tangent, A, left: (solution(xp, A, tangent, left),),
    },
    batch=batch_solve,
    prepare=prepare_solve,
    homes=("linalg:solve_ex",),
    method=False,
    out=True,
    samples=lambda t: [
        ((sample_matrix(t), t(3, 2)), {}),
        ((sample_matrix(t), t(3)), {}),
        ((sample_matrix(t, 2), t(2, 3)), {"check_errors": True}),
        ((sample_matrix(t, 2), t(3)), {}),
        ((sample_matrix(t, 2), t(3, 2)), {}),
        ((sample_matrix(t), t(2, 3, 2)), {}),
        ((sample_matrix(t, 2, 1), t(3, 3, 2)), {}),
        ((sample_matrix(t, 2), t(4, 3)), {"left": False}),
        ((sample_matrix(t, 2, n=1), t(2, 1)), {"left": False}),
        ((t(0, 0), t(0, 2)), {}),
        ((t(0, 0), t(0)), {}),
        ((sample_matrix(t), t(3, 0)), {}),
        ((t(0, 3, 3), t(0, 3)), {}),
    ],
    errors=lambda t: [
        ((t(2, 3), t(3)), {}, RuntimeError),
        ((t(3), t(3)), {}, RuntimeError),
        ((t(3, 3), t(4)), {}, RuntimeError),
        ((t(3, 3), t()), {}, RuntimeError),
        ((t(3, 3), t(3)), {"left": False}, RuntimeError),
        ((t(2, 3, 3), t(2, 3)), {"left": False}, RuntimeError),
        ((t(2, 3, 3), t(5, 3, 1)), {}, RuntimeError),
        ((t(3, 3), t(3, 1, dtype="float32")), {}, RuntimeError),
        ((t.integers(1, 3, 3, 3), t.integers(1, 3, 3, 3)), {}, RuntimeError),
        ((t(3, 3, dtype="float16"), t(3, 3, dtype="float16")), {}, NotImplementedError),
        ((t(3, 3) * 0, t(3)), {"check_errors": True}, RuntimeError),
    ],
)
overload(
    "linalg_solve(A, B, *, left=True)",
    f"{SOLVE} A singular matrix raises LinAlgError.",
    lambda A, B, left: (None, perform(solve_ex, *prepare_solve(A, B, left, True))[0]),
    homes=("linalg:solve",),
    method=False,
    out=True,
)


# -- inverses ----------------------------------------------------------------------------------------------------------


def prepare_inverse(A, check_errors):
    need_square("linalg.inv", A)
    need_precision("linalg.inv", A)
    return A, check_errors


INVERSE = "The inverse of a square matrix, or of each of a batch."
inv_ex = op(
    "linalg_inv_ex(A, *, check_errors=False)",
    f"{INVERSE} Also ``info``, an int32 for each matrix that is not zero where it is singular; only with ``check_errors`` is "
    "that an error.",
    outputs=("inverse", "info"),
    vjp={
        "A": lambda xp, grad, inverse: -xp.matmul(adjoint(xp, inverse), xp.matmul(grad, adjoint(xp, inverse))),
    },
    jvp={"A": lambda xp, tangent, inverse: (-xp.matmul(inverse, xp.matmul(tangent, inverse)),)},
    batch=batch_first,
    prepare=prepare_inverse,
    homes=("linalg:inv_ex",),
    method=False,
    out=True,
    samples=lambda t: [
        ((sample_matrix(t),), {}),
        ((sample_matrix(t, 2),), {"check_errors": True}),
        ((t(0, 0),), {}),
        ((t(0, 3, 3),), {}),
    ],
    errors=lambda t: [
        ((t(2, 3),), {}, RuntimeError),
        ((t(3),), {}, RuntimeError),
        ((t.integers(1, 3, 2, 2),), {}, RuntimeError),
        ((t(2, 2, dtype="float16"),), {}, RuntimeError),
        ((t(2, 3, 3) * 0,), {"check_errors": True}, RuntimeError),
    ],
)


def choose_inverse(A):
    return None, perform(inv_ex, *prepare_inverse(A, True))[0]


RAISES = f"{INVERSE} A singular matrix raises LinAlgError."
overload("linalg_inv(A)", RAISES, choose_inverse, homes=("linalg:inv",), method=False, out=True)
overload("inverse(input)", RAISES, choose_inverse, out=True)


# -- triangular matrices -----------------------------------------------------------------------------------------------


def triangle(xp, matrix, upper, unitriangular):
    """The part of a matrix that a triangular system reads."""
    return xp.triu(matrix, int(unitriangular)) if upper else xp.tril(matrix, -int(unitriangular))


def triangular(xp, A, B, upper, left, unitriangular):
    return xp.linalg_solve_triangular(A, B, upper=upper, left=left, unitriangular=unitriangular)


def pull_triangle(xp, grad, A, result, upper, left, unitriangular, shape):
    pulled = triangular(xp, adjoint(xp, A), grad, not upper, left, unitriangular)
    product = (pulled, adjoint(xp, result)) if left else (adjoint(xp, result), pulled)
    return triangle(xp, fitted(xp, -xp.matmul(*product), shape), upper, unitriangular)


def triangular_product(xp, tangent, result, upper, left, unitriangular):
    """What the motion of a triangular matrix adds to the product of the matrix and a solution."""
    moved = triangle(xp, tangent, upper, unitriangular)
    return xp.matmul(moved, result) if left else xp.matmul(result, moved)


def push_triangle(xp, tangent, input, result, upper, left, unitriangular):
    moved = triangular_product(xp, tangent, result, upper, left, unitriangular)
    return -triangular(xp, input, moved, upper, left, unitriangular)


def prepare_triangular(A, B, upper, left, unitriangular):
    need_tensors("linalg.solve_triangular", A=A, B=B)
    need_square("linalg.solve_triangular", A)
    need_fitting("linalg.solve_triangular", A, B, left)
    for operand in (A, B):
        if operand.dtype.category < 2 or is_half(operand):
            raise NotImplementedError(f"linalg.solve_triangular: not implemented for {operand.dtype}")
    return A, B, upper, left, unitriangular


solve_triangular = op(
    "linalg_solve_triangular(input, B, *, upper, left=True, unitriangular=False)",
    "The solution ``X`` of ``input @ X = B``, or of ``X @ input = B`` unless ``left``, where ``input`` is triangular: its other "
    "triangle is not read, nor is its diagonal where ``unitriangular``, which stands for ones. Batches broadcast. A zero on the "
    "diagonal gives infinities.",
    vjp={
        "input": lambda xp, grad, input, result, upper, left, unitriangular, input_shape: pull_triangle(
            xp, grad, input, result, upper, left, unitriangular, input_shape
        ),
        "B": lambda xp, grad, input, upper, left, unitriangular, B_shape: fitted(
            xp, triangular(xp, adjoint(xp, input), grad, not upper, left, unitriangular), B_shape
        ),
    },
    jvp={
        "input": push_triangle,
        "B": lambda xp, tangent, input, upper, left, unitriangular: triangular(
            xp, input, tangent, upper, left, unitriangular
        ),
    },
    types=COMMON,
    operands=("input", "B"),
    batch=batch_matrices,
    prepare=prepare_triangular,
    homes=("linalg:solve_triangular",),
    method=False,
    out=True,
    samples=lambda t: [
        *[
            ((sample_matrix(t), t(3, 3)), {"upper": upper, "left": left, "unitriangular": unit})
            for upper in (True, False)
            for left in (True, False)
            for unit in (True, False)
        ],
        ((sample_matrix(t, 2, 1), t(4, 3, 2)), {"upper": True}),
        ((sample_matrix(t, 4), t(4, 2, 3)), {"upper": False, "left": False}),
        ((sample_matrix(t), t(2, 3, 2)), {"upper": False}),
        ((t(0, 0), t(0, 2)), {"upper": False}),
        ((sample_matrix(t), t(3, 0)), {"upper": True}),
    ],
    errors=lambda t: [
        ((t(2, 3), t(2, 3)), {"upper": True}, RuntimeError),
        ((t(3, 3), t(3)), {"upper": True}, RuntimeError),
        ((t(3, 3), t(2, 3)), {"upper": True}, RuntimeError),
        ((t(2, 3, 3), t(3, 3, 1)), {"upper": True}, RuntimeError),
        ((t.integers(1, 3, 2, 2), t.integers(1, 3, 2, 2)), {"upper": True}, NotImplementedError),
        ((t(3, 3, dtype="float16"), t(3, 3, dtype="float16")), {"upper": True}, NotImplementedError),
    ],
)


def solve_transposed(xp, input, A, upper=True, transpose=False, unitriangular=False):
    """What ``torch.triangular_solve`` returns: a solution, and the matrices in the batch that both broadcast to."""
    solved = triangular(xp, transposed(xp, A) if transpose else A, input, upper != transpose, True, unitriangular)
    return solved, xp.expand(A, (*solved.shape[:-2], *A.shape[-2:]))


def prepare_old_triangular(input, A, upper, transpose, unitriangular):
    need_tensors("triangular_solve", input=input, A=A)
    need_square("torch.triangular_solve", A)
    if input.ndim < 2:
        raise RuntimeError(
            f"torch.triangular_solve: Expected b to have at least 2 dimensions, but it has {input.ndim} dimensions instead"
        )
    need_one_dtype("torch.triangular_solve", A, input)
    need_lapack("torch.triangular_solve", A)
    need_fitting("Incompatible matrix sizes for triangular_solve", A, input, True)
    return input, A, upper, transpose, unitriangular


composite(
    "triangular_solve(input, A, upper=True, transpose=False, unitriangular=False)",
    "A named tuple of the solution ``X`` of ``A @ X = input`` (``A.mT @ X = input`` where ``transpose``) with a triangular matrix, "
    "and a copy of ``A``. Old; use :func:`linalg.solve_triangular`.",
    solve_transposed,
    outputs=("solution", "cloned_coefficient"),
    operands=("input", "A"),
    prepare=prepare_old_triangular,
    out=True,
    samples=lambda t: [
        ((t(3, 2), sample_matrix(t)), {}),
        ((t(2, 3, 2), sample_matrix(t), False, True), {}),
        ((t(3, 2), sample_matrix(t, 2), True, False, True), {}),
    ],
    errors=lambda t: [
        ((t(3), t(3, 3)), {}, RuntimeError),
        ((t(4, 3), t(3, 3)), {}, RuntimeError),
        ((t(3, 3), t(2, 3)), {}, RuntimeError),
    ],
)


# -- tensors as linear maps --------------------------------------------------------------------------------------------


def need_equal(left, right, what):
    if left != right:
        raise RuntimeError(
            f"Expected self to satisfy the requirement prod(self.shape[{what}:]) == prod(self.shape[:{what}]), but got "
            f"{right} != {left}"
        )


def choose_tensorinv(input, ind):
    need_tensors("linalg.tensorinv", input=input)
    if ind < 1:
        raise RuntimeError(f"linalg.tensorinv: Expected a strictly positive integer for 'ind', but got {ind}")
    if ind > input.ndim:
        raise RuntimeError(f"linalg.tensorinv: invalid slice, ind is {ind}, and the input has {input.ndim} dims")
    shape = tuple(input.shape)
    rows, columns = extent(shape[:ind]), extent(shape[ind:])
    need_equal(rows, columns, "ind")
    _, inverse = choose_inverse(input.reshape(rows, columns))
    return None, inverse.reshape(*shape[ind:], *shape[:ind])


overload(
    "tensorinv(input, ind=2)",
    "The inverse of a tensor as the linear map from its dims after the first ``ind`` to those: a tensor ``X`` of shape "
    "``input.shape[ind:] + input.shape[:ind]`` for which ``tensordot(input, X, input.ndim - ind)`` is the identity.",
    choose_tensorinv,
    homes=("linalg",),
    method=False,
    out=True,
)


def choose_tensorsolve(input, other, dims):
    need_tensors("linalg.tensorsolve", input=input, other=other)
    moved = input
    if dims is not None:
        given = [one_dim("linalg.tensorsolve", d, input.ndim) for d in dims]
        moved = input.movedim(tuple(given), tuple(range(input.ndim - len(given), input.ndim)))
    left = tuple(moved.shape[other.ndim :])
    rows, columns = extent(moved.shape[: other.ndim]), extent(left)
    need_equal(rows, columns, "other.ndim")
    result, _ = perform(solve_ex, *prepare_solve(moved.reshape(rows, columns), other.reshape(-1), True, True))
    return None, result.reshape(left)


overload(
    "tensorsolve(input, other, dims=None)",
    "The tensor ``X`` for which ``tensordot(input, X, X.ndim)`` is ``other``; ``dims`` of ``input`` are moved to its end first.",
    choose_tensorsolve,
    homes=("linalg",),
    method=False,
    out=True,
)
