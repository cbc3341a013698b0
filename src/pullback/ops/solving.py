"""Systems of linear equations with square matrices."""

from .batching import full_batch
from .products import adjoint
from .steps import INTERNAL
from .table import COMMON, op


def batch_solve(xp, op, args, batched, size):
    return xp.call(op, [full_batch(xp, a, b, size) for a, b in zip(args, batched, strict=True)])


def well_conditioned(t, *batch):
    """A sample matrix, its diagonal large, and a right side."""
    matrix = t(*batch, 3, 3).diagonal_scatter(t(*batch, 3, low=5, high=8), 0, -2, -1)
    return (matrix, t(*batch, 3, 2)), {}


op(
    "solve_square(input, other)",
    "The matrix ``X`` with ``input @ X = other``, for matrices of the same leading dims.",
    vjp={
        "input": lambda xp, grad, input, result: (
            -xp.matmul(xp.solve_square(adjoint(xp, input), grad), adjoint(xp, result))
        ),
        "other": lambda xp, grad, input: xp.solve_square(adjoint(xp, input), grad),
    },
    jvp={
        "input": lambda xp, tangent, input, result: -xp.solve_square(input, xp.matmul(tangent, result)),
        "other": lambda xp, tangent, input: xp.solve_square(input, tangent),
    },
    types=COMMON,
    batch=batch_solve,
    node="LinalgSolveExBackward0",
    samples=lambda t: [well_conditioned(t), well_conditioned(t, 2)],
    **INTERNAL,
)
