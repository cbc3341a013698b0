"""Eigenvalues, singular values and their vectors.

Vectors are determined up to a factor of absolute value one: a complex loss that depends on it has no derivative, and raises. Where
eigenvalues or singular values coincide, vectors have none either, and gradients through them are not finite.

Sources of the derivatives: M. Giles, An extended collection of matrix derivative results for forward and reverse mode
algorithmic differentiation (2008); C. Boeddeker, P. Hanebrink, L. Drude et al., On the computation of complex-valued
gradients with application to statistically optimum beamforming (2017), for eigenvectors; Z.-Q. Wan and S.-X. Zhang,
Automatic differentiation for complex valued SVD (2019).
"""

from .checks import FLOATING, flags, text
from .matrix_checks import is_half, need_lapack, need_matrix, need_square
from .parts import (
    diagonal,
    first_columns,
    first_rows,
    of_columns,
    of_rows,
    plus,
    skew,
    stacked,
    symmetric,
    taller,
    wider,
    with_diagonal,
)
from .products import adjoint
from .results import returned
from .steps import INTERNAL, need_tensors, perform
from .table import op, overload

# -- what the rules share ----------------------------------------------------------------------------------------------

op(
    "phase_free(input, op_name)",
    "The input, a sum of products of vectors with their gradients, after a check that the loss does not depend on the vectors' "
    "phases: imaginary parts are zero then. Within ``vmap`` nothing is checked, as in PyTorch.",
    vjp={"input": lambda xp, grad: grad},
    jvp={"input": lambda xp, tangent: tangent},
    batch=lambda xp, op, args, batched, size: args[0],
    operands=("input",),
    samples=lambda t: [((t(2, 3), "linalg.eigh"), {})],
    **INTERNAL,
)


def is_complex(value):
    return getattr(value.dtype, "kind", None) == "c" or getattr(value.dtype, "is_complex", False)


def check_phases(xp, op_name, *products):
    """Raise where the diagonals of products ``vectors^H @ gradient`` have imaginary parts that do not cancel."""
    given = [p for p in products if p is not None]
    if is_complex(given[0]):
        xp.phase_free(diagonal(xp, given[0] + given[1] if len(given) > 1 else given[0]), op_name)


def gaps(xp, values):
    """The differences ``values[j] - values[i]``, with ones on the diagonal."""
    return with_diagonal(xp, of_columns(xp, values) - of_rows(xp, values), 1)


def scaled_vectors(xp, values, vectors):
    """``vectors @ diag(values) @ vectors^H``."""
    return xp.matmul(vectors * of_columns(xp, values), adjoint(xp, vectors))


# -- Hermitian matrices ------------------------------------------------------------------------------------------------


def pull_eigh(xp, grads, eigenvalues, eigenvectors):
    of_values, of_vectors = grads
    if of_vectors is None:
        return scaled_vectors(xp, of_values, eigenvectors)
    inner = xp.matmul(adjoint(xp, eigenvectors), of_vectors)
    check_phases(xp, "linalg_eigh_backward", inner)
    inner = symmetric(xp, inner / (2 * gaps(xp, eigenvalues)))
    inner = with_diagonal(xp, inner, 0 if of_values is None else of_values)
    return xp.matmul(xp.matmul(eigenvectors, inner), adjoint(xp, eigenvectors))


def push_eigh(xp, tangent, eigenvalues, eigenvectors):
    inner = xp.matmul(xp.matmul(adjoint(xp, eigenvectors), symmetric(xp, tangent) / 2), eigenvectors)
    rotation = with_diagonal(xp, inner / gaps(xp, eigenvalues), 0)
    return real_part(xp, diagonal(xp, inner)), xp.matmul(eigenvectors, rotation)


def real_part(xp, value):
    return xp.real(value) if is_complex(value) else value


def prepare_eigh(input, UPLO):
    need_square("linalg.eigh", input)
    if 0 not in input.shape and (input.dtype.category < FLOATING or is_half(input)):
        raise NotImplementedError(f"linalg.eigh: not implemented for {input.dtype}; convert it, as with .double()")
    text("linalg_eigh", "UPLO", UPLO)
    if UPLO.upper() not in ("L", "U"):
        raise RuntimeError(f"linalg.eigh: Expected UPLO argument to be 'L' or 'U', but got {UPLO}")
    return input, UPLO.upper()


def hermitian(t, *batch, n=4):
    """A sample whose eigenvalues lie apart, and which is positive definite, whatever imaginary parts it gets.

    The tests take for these the real parts, moved by one: so each diagonal element is several times the one before.
    """
    matrix = t(*batch, n, n, low=-0.2, high=0.2)
    growing = t(*batch, n, low=0.9, high=1.1) * 5 ** t.integers(1, 2, n).cumsum(0) / 5
    return (matrix + matrix.mT).diagonal_scatter(growing, 0, -2, -1)


def hermitian_samples(t):
    return [
        ((hermitian(t),), {}),
        ((hermitian(t, 2), "U"), {}),
        ((t(1, 1),), {}),
        ((t(0, 0),), {}),
        ((t(0, 3, 3),), {}),
    ]


def square_errors(t):
    return [
        ((t(3),), {}, RuntimeError),
        ((t(2, 3),), {}, RuntimeError),
        ((t.integers(0, 3, 2, 2),), {}, RuntimeError),
        ((t(2, 2, dtype="float16"),), {}, NotImplementedError),
    ]


eigh = op(
    "linalg_eigh(input, UPLO='L')",
    "The eigenvalues of Hermitian (symmetric) matrices in ascending order, and their orthonormal eigenvectors as columns. Only "
    "the lower triangle is read; with ``UPLO='U'``, the upper one.",
    outputs=("eigenvalues", "eigenvectors"),
    vjp={"input": pull_eigh},
    jvp={"input": push_eigh},
    operands=("input",),
    batch=stacked,
    prepare=prepare_eigh,
    homes=("linalg:eigh",),
    method=False,
    out=True,
    samples=hermitian_samples,
    errors=lambda t: [*square_errors(t), ((t(2, 2), "X"), {}, RuntimeError)],
)
op(
    "linalg_eigvalsh(input, UPLO='L')",
    "The eigenvalues of Hermitian (symmetric) matrices in ascending order, as :func:`eigh` gives them.",
    vjp={"input": lambda xp, grad, input, UPLO: pull_eigh(xp, (grad, None), *xp.linalg_eigh(input, UPLO))},
    jvp={
        "input": lambda xp, tangent, input, UPLO: push_eigenvalues(xp, tangent, xp.linalg_eigh(input, UPLO)[1]),
    },
    operands=("input",),
    batch=stacked,
    prepare=prepare_eigh,
    homes=("linalg:eigvalsh",),
    method=False,
    node="LinalgEighBackward0",
    out=True,
    samples=hermitian_samples,
    errors=square_errors,
)


def push_eigenvalues(xp, tangent, eigenvectors):
    return real_part(xp, xp.sum(xp.conj(eigenvectors) * xp.matmul(tangent, eigenvectors), eigenvectors.ndim - 2))


# -- matrices in general -----------------------------------------------------------------------------------------------


def pull_eig(xp, grads, eigenvalues, eigenvectors, input_dtype):
    of_values, of_vectors = grads
    dual = adjoint(xp, eigenvectors)
    if of_vectors is None:
        pulled = xp.solve_square(dual, of_rows(xp, of_values) * dual)
    else:
        inner = xp.matmul(dual, of_vectors)
        check_phases(xp, "linalg_eig_backward", inner)
        inner = inner - xp.matmul(dual, eigenvectors) * of_columns(xp, xp.real(diagonal(xp, inner)))
        inner = with_diagonal(xp, inner / xp.conj(gaps(xp, eigenvalues)), 0 if of_values is None else of_values)
        pulled = xp.solve_square(dual, xp.matmul(inner, dual))
    return xp.cast(pulled, input_dtype)


def pull_eigvals(xp, grad, decomposition, input_dtype):
    eigenvalues, eigenvectors = decomposition
    return pull_eig(xp, (grad, None), eigenvalues, eigenvectors, input_dtype)


def push_eig(xp, tangent, eigenvalues, eigenvectors):
    moved = xp.matmul(xp.cast(tangent, eigenvectors.dtype), eigenvectors)
    inner = xp.solve_square(eigenvectors, moved)
    turned = xp.matmul(eigenvectors, with_diagonal(xp, inner / gaps(xp, eigenvalues), 0))
    growth = real_part(xp, xp.sum(xp.conj(eigenvectors) * turned, turned.ndim - 2))
    return diagonal(xp, inner), turned - eigenvectors * of_columns(xp, growth)


def prepare_eig(name):
    def prepare(input):
        need_square(name, input)
        need_lapack(name, input)
        return (input,)

    return prepare


op(
    "linalg_eig(input)",
    "The eigenvalues of square matrices, in no particular order, and their eigenvectors of norm one as columns; complex always.",
    outputs=("eigenvalues", "eigenvectors"),
    vjp={"input": pull_eig},
    jvp={"input": push_eig},
    operands=("input",),
    batch=stacked,
    prepare=prepare_eig("linalg.eig"),
    homes=("linalg:eig",),
    method=False,
    out=True,
    # A random loss depends on the vectors' phases: derivatives have tests of their own, and samples with elements none.
    samples=lambda t: [
        *[((t(3, 3, dtype=dtype),), {}) for dtype in ("float32", "complex64")],
        ((t(2, 3, 3, dtype="float32"),), {}),
        ((t(0, 0),), {}),
        ((t(0, 2, 2),), {}),
    ],
    errors=square_errors,
)
op(
    "linalg_eigvals(input)",
    "The eigenvalues of square matrices, in no particular order; complex always.",
    vjp={
        "input": lambda xp, grad, input, input_dtype: pull_eigvals(xp, grad, xp.linalg_eig(input), input_dtype),
    },
    jvp={"input": lambda xp, tangent, input: push_eig(xp, tangent, *xp.linalg_eig(input))[0]},
    operands=("input",),
    batch=stacked,
    prepare=prepare_eig("linalg.eigvals"),
    homes=("linalg:eigvals",),
    method=False,
    node="LinalgEigBackward0",
    out=True,
    samples=lambda t: [
        ((hermitian(t),), {}),
        ((hermitian(t, 2),), {}),
        ((t(3, 3),), {}),
        ((t(0, 0),), {}),
        ((t(0, 2, 2),), {}),
    ],
    errors=square_errors,
)


# -- singular values ---------------------------------------------------------------------------------------------------


def pull_svd(xp, grads, U, S, Vh):
    k = S.shape[-1]
    U, Vh = first_columns(xp, U, k), first_rows(xp, Vh, k)
    of_left, of_values, of_right = grads
    if of_left is None and of_right is None:
        return xp.matmul(U * of_columns(xp, of_values), Vh)
    columns, rows = of_columns(xp, S), of_rows(xp, S)
    spread = gaps(xp, S * S)
    left = right = core = beside = None
    if of_left is not None:
        of_left = first_columns(xp, of_left, k)
        left = xp.matmul(adjoint(xp, U), of_left)
        core = skew(xp, left) / spread * columns
    if of_right is not None:
        of_right = first_rows(xp, of_right, k)
        right = xp.matmul(Vh, adjoint(xp, of_right))
        core = plus(core, rows * (skew(xp, right) / spread))
    check_phases(xp, "svd_backward", left, right)
    core = with_diagonal(xp, core, values_and_phases(xp, of_values, left, right, S))
    pulled = xp.matmul(core, Vh)
    if right is not None and Vh.shape[-1] > k:
        pulled = pulled + (of_right - xp.matmul(adjoint(xp, right), Vh)) / rows
    pulled = xp.matmul(U, pulled)
    if left is not None and U.shape[-2] > k:
        beside = xp.matmul((of_left - xp.matmul(U, left)) / columns, Vh)
    return plus(pulled, beside)


def values_and_phases(xp, of_values, left, right, S):
    """The diagonal of the gradient in the singular vectors' bases: of the values, and of the phases of pairs of vectors."""
    if not is_complex(left if right is None else right):
        return 0 if of_values is None else of_values
    turns = [0 if m is None else xp.imag(diagonal(xp, m)) for m in (left, right)]
    phases = (turns[0] - turns[1]) / (2 * S)
    return xp.complex(xp.zeros_like(phases) if of_values is None else of_values, phases)


def push_svd(xp, tangent, U, S, Vh):
    k, (m, n) = S.shape[-1], tangent.shape[-2:]
    columns_of_U, rows_of_Vh = U.shape[-1], Vh.shape[-2]
    U, Vh = first_columns(xp, U, k), first_rows(xp, Vh, k)
    columns, rows, spread = of_columns(xp, S), of_rows(xp, S), gaps(xp, S * S)
    of_V, of_U = xp.matmul(tangent, adjoint(xp, Vh)), xp.matmul(adjoint(xp, U), tangent)
    inner = xp.matmul(of_U, adjoint(xp, Vh))
    turns = xp.imag(diagonal(xp, inner)) / (2 * S) if is_complex(inner) else None
    phases = 0 if turns is None else xp.complex(xp.zeros_like(turns), turns)
    left = with_diagonal(xp, symmetric(xp, inner * columns) / spread, phases)
    right = with_diagonal(xp, symmetric(xp, rows * inner) / spread, 0 if turns is None else -phases)
    moved_U, moved_Vh = xp.matmul(U, left), xp.matmul(adjoint(xp, right), Vh)
    if m > k:
        moved_U = moved_U + (of_V - xp.matmul(U, inner)) / columns
    if n > k:
        moved_Vh = moved_Vh + (of_U - xp.matmul(inner, Vh)) / rows
    return wider(xp, moved_U, columns_of_U), real_part(xp, diagonal(xp, inner)), taller(xp, moved_Vh, rows_of_Vh)


def check_svd(input, driver, name="A"):
    need_tensors("linalg.svd", A=input)
    need_matrix("linalg.svd", name, input)
    need_lapack("linalg.svd", input)
    if driver is not None:
        raise RuntimeError(
            f"torch.linalg.svd: keyword argument `driver=` is only supported on CUDA inputs with cuSOLVER backend, but it is "
            f"{driver!r}; leave it out"
        )


def prepare_svd(A, full_matrices, driver):
    check_svd(A, driver)
    flags("linalg_svd", full_matrices=full_matrices)
    return A, full_matrices, None


def prepare_svdvals(A, driver):
    check_svd(A, driver)
    return A, None


def matrix_errors(t):
    return [e for e in square_errors(t) if tuple(e[0][0].shape) != (2, 3)]


svd = op(
    "linalg_svd(A, full_matrices=True, *, driver=None)",
    "The singular value decomposition ``A = U @ diag(S) @ Vh``, with ``S`` in descending order; ``U`` and ``Vh`` are square, or of "
    "as many columns and rows as there are singular values. The gradients of the vectors beyond those are ignored.",
    outputs=("U", "S", "Vh"),
    vjp={"A": pull_svd},
    jvp={"A": push_svd},
    operands=("A",),
    batch=stacked,
    prepare=prepare_svd,
    homes=("linalg:svd",),
    method=False,
    out=True,
    samples=lambda t: [
        ((t(3, 3),), {}),
        ((t(4, 3), False), {}),
        ((t(2, 3, 4), False), {}),
        ((t(4, 3, dtype="float32"),), {}),
        ((t(2, 3, 4, dtype="float32"), True), {}),
        ((t(0, 0),), {}),
        ((t(3, 0, dtype="float32"),), {}),
        ((t(2, 0, 3), False), {}),
    ],
    errors=lambda t: [*matrix_errors(t), ((t(2, 2),), {"driver": "gesvd"}, RuntimeError)],
)
op(
    "linalg_svdvals(A, *, driver=None)",
    "The singular values of matrices, in descending order.",
    vjp={"A": lambda xp, grad, A: pull_svd(xp, (None, grad, None), *xp.linalg_svd(A, False))},
    jvp={"A": lambda xp, tangent, A: push_singular_values(xp, tangent, *xp.linalg_svd(A, False))},
    operands=("A",),
    batch=stacked,
    prepare=prepare_svdvals,
    homes=("linalg:svdvals",),
    method=False,
    node="LinalgSvdBackward0",
    out=True,
    samples=lambda t: [((t(4, 3),), {}), ((t(2, 3, 4),), {}), ((t(3, 3),), {}), ((t(0, 0),), {}), ((t(2, 3, 0),), {})],
    errors=lambda t: [*matrix_errors(t), ((t(2, 2),), {"driver": "gesvd"}, RuntimeError)],
)


def push_singular_values(xp, tangent, U, S, Vh):
    return real_part(xp, xp.sum(xp.conj(U) * xp.matmul(tangent, adjoint(xp, Vh)), U.ndim - 2))


def choose_svd(input, some, compute_uv):
    need_tensors("svd", input=input)
    if input.ndim < 2:
        raise RuntimeError(
            f"linalg.svd: input should have at least 2 dimensions, but has {input.ndim} dimensions instead"
        )
    flags("svd", some=some, compute_uv=compute_uv)
    prepare_svd(input, True, None)
    U, S, Vh = perform(svd, input, not some or not compute_uv, None)
    if compute_uv:
        return None, returned("svd", U=U, S=S, V=Vh.mH)
    m, n = input.shape[-2:]
    return None, returned(
        "svd", U=input.new_zeros((*input.shape[:-2], m, m)), S=S, V=input.new_zeros((*input.shape[:-2], n, n))
    )


overload(
    "svd(input, some=True, compute_uv=True)",
    "The singular value decomposition ``input = U @ diag(S) @ V.mH`` as a named tuple ``(U, S, V)``; with ``some=False``, ``U`` "
    "and ``V`` are square; with ``compute_uv=False``, they are zeros.",
    choose_svd,
    out=True,
)
