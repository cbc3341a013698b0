"""QR decompositions and Householder's reflectors.

Sources: S. F. Walter and L. Lehmann, Algorithmic differentiation of linear algebra functions with application in optimum
experimental design (2010), for the derivative of QR; R. Schreiber and C. Van Loan, A storage-efficient WY representation for
products of Householder transformations (1989), for products of reflectors.
"""

from .checks import flags, text
from .cholesky import need_numbers
from .elimination import pull_factors, push_factors
from .matrix_checks import need_lapack, need_matrix
from .parts import (
    beside,
    diagonal,
    first_columns,
    first_rows,
    identity,
    of_rows,
    other_columns,
    plus,
    stacked,
    symmetric,
    taller,
    wider,
    with_diagonal,
)
from .products import adjoint
from .results import returned
from .spectral import is_complex, matrix_errors, real_part
from .steps import need_tensors, perform
from .table import composite, op, overload

# -- QR ----------------------------------------------------------------------------------------------------------------


def pull_qr(xp, grads, Q, R, mode):
    need_derivative(Q, R, mode)
    of_Q, of_R = grads
    k, n = Q.shape[-1], R.shape[-1]
    if k == n:
        return pull_independent(xp, of_Q, of_R, Q, R)
    # A wide matrix is [X, Y]: X = Q R₁, and R₂ = Qᴴ Y.
    of_Y = None
    if of_R is not None:
        of_Y = xp.matmul(Q, other_columns(xp, of_R, k))
        right = xp.matmul(Q, other_columns(xp, R, k))
        of_Q = plus(of_Q, xp.matmul(right, adjoint(xp, other_columns(xp, of_R, k))))
        of_R = first_columns(xp, of_R, k)
    of_X = pull_independent(xp, of_Q, of_R, Q, first_columns(xp, R, k))
    return beside(xp, of_X, xp.zeros_like(xp.matmul(Q, other_columns(xp, R, k))) if of_Y is None else of_Y)


def pull_independent(xp, of_Q, of_R, Q, R):
    """The gradient of a matrix of no more columns than rows."""
    inner = None if of_R is None else xp.matmul(of_R, adjoint(xp, R))
    if of_Q is not None:
        inner = plus(inner, -xp.matmul(adjoint(xp, Q), of_Q))
    inner = xp.triu(inner, 0)
    inner = with_diagonal(xp, symmetric(xp, inner), real_part(xp, diagonal(xp, inner)))
    return xp.linalg_solve_triangular(adjoint(xp, R), plus(of_Q, xp.matmul(Q, inner)), upper=False, left=False)


def push_qr(xp, tangent, Q, R, mode):
    need_derivative(Q, R, mode)
    k, n = Q.shape[-1], R.shape[-1]
    moved = xp.linalg_solve_triangular(first_columns(xp, R, k), first_columns(xp, tangent, k), upper=True, left=False)
    inner = symmetric(xp, xp.matmul(adjoint(xp, Q), moved))
    growth = with_diagonal(xp, xp.triu(inner, 0), diagonal(xp, inner) / 2)
    moved_Q = moved - xp.matmul(Q, growth)
    moved_R = xp.matmul(growth, first_columns(xp, R, k))
    if n > k:
        right = xp.matmul(Q, other_columns(xp, R, k))
        beyond = xp.matmul(adjoint(xp, moved_Q), right) + xp.matmul(adjoint(xp, Q), other_columns(xp, tangent, k))
        moved_R = beside(xp, moved_R, beyond)
    return moved_Q, moved_R


def need_derivative(Q, R, mode):
    """Raise PyTorch's error where a decomposition has no derivative."""
    if mode == "r":
        raise RuntimeError(
            "The derivative of linalg.qr depends on Q, which is not computed when mode='r'. Please use linalg.qr(A, "
            "mode='reduced') if you are going to differentiate through linalg.qr."
        )
    if Q.shape[-1] > R.shape[-1]:
        raise RuntimeError(
            "The QR decomposition is not differentiable when mode='complete' and nrows > ncols: the last columns of Q are any "
            f"basis of what is left. Here Q has {Q.shape[-1]} columns and R {R.shape[-1]}."
        )


def prepare_qr(A, mode):
    need_tensors("linalg_qr", A=A)
    need_matrix("linalg.qr", "A", A)
    need_lapack("linalg.qr", A)
    text("linalg_qr", "mode", mode)
    if mode not in ("reduced", "complete", "r"):
        raise RuntimeError(
            f"linalg.qr: qr received unrecognized mode '{mode}' but expected one of 'reduced' (default), 'r', or 'complete'"
        )
    return A, mode


def batch_qr(xp, op, args, batched, size):
    """Without a ``Q``, it is of no elements, one more dim or not."""
    Q, R = xp.call(op, args)
    return (xp.new_zeros(Q, (size, 0)), R) if args[1] == "r" else (Q, R)


qr = op(
    "linalg_qr(A, mode='reduced')",
    "The decomposition ``A = Q @ R`` into a matrix with orthonormal columns and an upper triangular one. With ``mode='complete'``, "
    "``Q`` is square; with ``mode='r'``, only ``R`` is computed. Derivatives need linearly independent first columns, and a ``Q`` "
    "that these determine.",
    outputs=("Q", "R"),
    vjp={"A": pull_qr},
    jvp={"A": push_qr},
    operands=("A",),
    batch=batch_qr,
    prepare=prepare_qr,
    homes=("linalg:qr",),
    method=False,
    out=True,
    samples=lambda t: [
        ((t(3, 3),), {}),
        ((t(4, 3),), {}),
        ((t(2, 2, 4),), {}),
        ((t(2, 3), "complete"), {}),
        ((t(3, 2, dtype="float32"), "complete"), {}),
        ((t(2, 3, 2, dtype="float32"), "r"), {}),
        ((t(0, 0),), {}),
        ((t(0, 3),), {}),
        ((t(2, 3, 0),), {}),
    ],
    errors=lambda t: [*matrix_errors(t), ((t(2, 2), "full"), {}, RuntimeError)],
)


def choose_qr(input, some):
    need_tensors("qr", input=input)
    flags("qr", some=some)
    Q, R = perform(qr, *prepare_qr(input, "reduced" if some else "complete"))
    return None, returned("qr", Q=Q, R=R)


overload(
    "qr(input, some=True)",
    "The decomposition ``input = Q @ R``; with ``some=False``, ``Q`` is square. See :func:`torch.linalg.qr`.",
    choose_qr,
    out=True,
)


# -- reflectors --------------------------------------------------------------------------------------------------------


def reflectors(xp, input, count):
    """The vectors of the first ``count`` reflectors, as columns: below the diagonal those of the input, on it ones."""
    return with_diagonal(xp, xp.tril(first_columns(xp, input, count), -1), 1)


def core_of(xp, vectors, tau):
    """The triangular ``T`` of ``H₁ H₂ ... = I - V T Vᴴ``, from ``(I + D triu(Vᴴ V, 1)) T = D``, where ``D = diag(tau)``."""
    overlaps = xp.triu(xp.matmul(adjoint(xp, vectors), vectors), 1)
    scales = with_diagonal(xp, xp.zeros_like(overlaps), tau)
    return xp.linalg_solve_triangular(of_rows(xp, tau) * overlaps, scales, upper=True, unitriangular=True)


def product_of_reflectors(xp, input, tau):
    if not tau.shape[-1]:
        return identity(xp, input)
    vectors = reflectors(xp, input, tau.shape[-1])
    reach = adjoint(xp, first_rows(xp, vectors, input.shape[-1]))
    return identity(xp, input) - xp.matmul(vectors, xp.matmul(core_of(xp, vectors, tau), reach))


def prepare_householder(input, tau):
    name = "torch.linalg.householder_product"
    need_tensors("linalg_householder_product", input=input, tau=tau)
    if input.ndim < 2:
        raise RuntimeError(f"{name}: input must have at least 2 dimensions, but has {input.ndim}.")
    m, n = input.shape[-2:]
    if m < n:
        raise RuntimeError(
            f"{name}: input.shape[-2] must be greater than or equal to input.shape[-1], but they are {m} and {n}"
        )
    check_tau(name, input, tau)
    if tau.shape[-1] > n:
        raise RuntimeError(
            f"{name}: input.shape[-1] must be greater than or equal to tau.shape[-1], but they are {n} and {tau.shape[-1]}"
        )
    return input, tau


def check_tau(name, input, tau):
    if tau.ndim != input.ndim - 1:
        raise RuntimeError(
            f"{name}: Expected tau to have one dimension less than input, but got tau.ndim equal to {tau.ndim} and input.ndim is "
            f"equal to {input.ndim}"
        )
    if tau.shape[:-1] != input.shape[:-2]:
        raise RuntimeError(
            f"{name}: Expected batch dimensions of tau to be equal to input.shape[:-2], but got {list(tau.shape[:-1])} and "
            f"{list(input.shape[:-2])}"
        )
    if tau.dtype is not input.dtype:
        raise RuntimeError(f"{name}: tau dtype {tau.dtype} does not match input dtype {input.dtype}")
    need_lapack(name, input)


def householder(name, tau, **forms):
    return composite(
        f"{name}(input, {tau})",
        "The first columns of the product of Householder's reflectors ``I - tau[i] * v[i] @ v[i].mH``, whose vectors stand below the "
        f"diagonal of ``input``, and whose factors are ``{tau}``, as :func:`geqrf` gives them.",
        product_of_reflectors,
        operands=("input", tau),
        prepare=prepare_householder,
        node="LinalgHouseholderProductBackward0",
        out=True,
        samples=lambda t: [
            ((t(4, 3), t(3)), {}),
            ((t(3, 3), t(2)), {}),
            ((t(2, 3, 2), t(2, 2)), {}),
            ((t(3, 2), t(0)), {}),
            ((t(0, 0), t(0)), {}),
        ],
        errors=lambda t: [
            ((t(4, 3), t(4)), {}, RuntimeError),
            ((t(2, 3), t(2)), {}, RuntimeError),
            ((t(2, 4, 3), t(3)), {}, RuntimeError),
            ((t(4), t(3)), {}, RuntimeError),
            ((t(4, 3), t(3, dtype="float32")), {}, RuntimeError),
        ],
        **forms,
    )


householder("linalg_householder_product", "tau", homes=("linalg:householder_product",), method=False)
householder("orgqr", "input2")


def multiplied_by_reflectors(xp, input, tau, other, left, transpose):
    if not tau.shape[-1]:
        return other * 1
    vectors = reflectors(xp, input, tau.shape[-1])
    core = core_of(xp, vectors, tau)
    core = adjoint(xp, core) if transpose else core
    if left:
        return other - xp.matmul(vectors, xp.matmul(core, xp.matmul(adjoint(xp, vectors), other)))
    return other - xp.matmul(xp.matmul(xp.matmul(other, vectors), core), adjoint(xp, vectors))


def prepare_ormqr(input, tau, other, left, transpose):
    name = "torch.ormqr"
    need_tensors("ormqr", input=input, tau=tau, other=other)
    for which, operand in (("input", input), ("other", other)):
        if operand.ndim < 2:
            raise RuntimeError(f"{name}: {which} must have at least 2 dimensions, but has {operand.ndim}.")
    rows, side = other.shape[-2 if left else -1], "other.shape[-2]" if left else "other.shape[-1]"
    if rows != input.shape[-2]:
        raise RuntimeError(
            f"{name}: {side} must be equal to input.shape[-2], but they are {rows} and {input.shape[-2]}"
        )
    if tau.shape[-1] > rows or tau.shape[-1] != min(rows, input.shape[-1]):
        raise RuntimeError(
            f"{name}: tau.shape[-1] must be equal to min({side}, input.shape[-1]), which is {min(rows, input.shape[-1])}, but it is "
            f"{tau.shape[-1]}"
        )
    check_tau(name, input, tau)
    if other.ndim != input.ndim or other.shape[:-2] != input.shape[:-2]:
        raise RuntimeError(
            f"{name}: Expected other to have the same number of dimensions as input and its batch dimensions, but got other.ndim "
            f"equal to {other.ndim} and input.ndim is equal to {input.ndim}: shapes {list(other.shape)} and {list(input.shape)}"
        )
    if other.dtype is not input.dtype:
        raise RuntimeError(
            f"{name}: Expected input and other to have the same dtype, but input has dtype {input.dtype} and other has dtype "
            f"{other.dtype}"
        )
    flags("ormqr", left=left, transpose=transpose)
    return input, tau, other, left, transpose


composite(
    "ormqr(input, input2, input3, left=True, transpose=False)",
    "The product of ``input3`` with the square ``Q`` that Householder's reflectors make, as :func:`geqrf` gives them, on the left or "
    "on the right; with ``transpose``, with its conjugate transpose.",
    multiplied_by_reflectors,
    operands=("input", "input2", "input3"),
    prepare=prepare_ormqr,
    out=True,
    samples=lambda t: [
        ((t(4, 3), t(3), t(4, 2)), {}),
        ((t(3, 3), t(3), t(2, 3), False), {}),
        ((t(2, 3, 2), t(2, 2), t(2, 3, 2), True, True), {}),
        ((t(3, 4), t(3), t(2, 3), False, True), {}),
        ((t(3, 0), t(0), t(3, 2)), {}),
    ],
    errors=lambda t: [
        ((t(4, 3), t(3), t(3, 3)), {}, RuntimeError),
        ((t(4, 3), t(4), t(4, 3)), {}, RuntimeError),
        ((t(2, 4, 3), t(2, 3), t(4, 3)), {}, RuntimeError),
        ((t(4, 3), t(3), t(4)), {}, RuntimeError),
        ((t(4, 3), t(3), t(4, 3, dtype="float32")), {}, RuntimeError),
    ],
)


# -- QR as reflectors --------------------------------------------------------------------------------------------------


def reconstructed(xp, a, tau):
    """``Q``, and the factors of ``I - Q = V U``: the reflectors' vectors, and ``U`` with ``tau`` on its diagonal.

    Source: G. Ballard, J. Demmel, L. Grigori et al., Reconstructing Householder vectors from Tall-Skinny QR (2014). The last
    reflector of a real matrix of no more rows than columns is the identity, and has no part in them.
    """
    k = tau.shape[-1]
    Q = product_of_reflectors(xp, first_columns(xp, a, k), tau)
    count = k - 1 if a.shape[-2] == k and not is_complex(a) else k
    vectors = reflectors(xp, a, count)
    core = core_of(xp, vectors, first_columns(xp, tau, count))
    return Q, vectors, xp.matmul(core, adjoint(xp, first_rows(xp, vectors, count)))


def pull_geqrf(xp, grads, a, tau):
    of_a, of_tau = grads
    k = tau.shape[-1]
    Q, V, U = reconstructed(xp, a, tau)
    count = V.shape[-1]
    of_V = None if of_a is None else xp.tril(first_columns(xp, of_a, count), -1)
    of_U = None if of_tau is None else with_diagonal(xp, xp.zeros_like(U), first_columns(xp, of_tau, count))
    of_Q = wider(xp, -pull_factors(xp, of_V, of_U, V, U), k) if count else None
    of_R = None if of_a is None else xp.triu(first_rows(xp, of_a, k), 0)
    return pull_qr(xp, (of_Q, of_R), Q, xp.triu(first_rows(xp, a, k), 0), "reduced")


def push_geqrf(xp, tangent, a, tau):
    (m, n), k = a.shape[-2:], tau.shape[-1]
    Q, V, U = reconstructed(xp, a, tau)
    count = V.shape[-1]
    moved_Q, moved_R = push_qr(xp, tangent, Q, xp.triu(first_rows(xp, a, k), 0), "reduced")
    moved_a = taller(xp, moved_R, m)
    if not count:
        return moved_a, None
    moved_V, moved_U = push_factors(xp, -first_columns(xp, moved_Q, count), V, U)
    return moved_a + wider(xp, xp.tril(moved_V, -1), n), wider(xp, diagonal(xp, moved_U), k)


def prepare_geqrf(input):
    need_tensors("geqrf", input=input)
    if input.ndim < 2:
        raise RuntimeError(f"torch.geqrf: input must have at least 2 dimensions, but has {input.ndim}.")
    need_numbers("geqrf", input)
    return (input,)


op(
    "geqrf(input)",
    "The QR decomposition as LAPACK has it: ``R``, and below the diagonal the vectors of Householder's reflectors whose product is "
    "``Q``, and their factors.",
    outputs=("a", "tau"),
    vjp={"input": pull_geqrf},
    jvp={"input": push_geqrf},
    operands=("input",),
    batch=stacked,
    prepare=prepare_geqrf,
    out=True,
    samples=lambda t: [
        ((t(3, 3),), {}),
        ((t(4, 3),), {}),
        ((t(2, 2, 4),), {}),
        ((t(0, 0),), {}),
        ((t(0, 3, 2),), {}),
    ],
    errors=lambda t: [((t(3),), {}, RuntimeError), ((t.integers(0, 3, 2, 2),), {}, NotImplementedError)],
)
