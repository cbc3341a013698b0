"""Least squares, pseudoinverses, ranks and condition numbers: what is made of singular values.

Source of the derivatives: G. H. Golub and V. Pereyra, The differentiation of pseudo-inverses and nonlinear least squares problems
whose variables separate (1973). The rank is taken for constant.
"""

from math import inf
from numbers import Real

from .batching import full_batch, pad_dims
from .checks import COMPLEX, FLOATING, flags
from .matrix_checks import is_half, need_broadcast, need_lapack, need_matrix, need_square
from .parts import plus, stacked
from .products import adjoint
from .results import returned
from .spectral import hermitian, is_complex, matrix_errors
from .steps import INTERNAL, fitted, is_tensor, need_tensors, perform
from .table import composite, op, overload

# -- pseudoinverses ----------------------------------------------------------------------------------------------------


def pull_pseudoinverse(xp, grad, input, inverse):
    """``-Pᴴ G Pᴴ + (I - A P) Gᴴ P Pᴴ + Pᴴ P Gᴴ (I - P A)``, for ``P`` the pseudoinverse of ``A``."""
    back, dual = adjoint(xp, inverse), adjoint(xp, grad)
    pulled = -xp.matmul(back, xp.matmul(grad, back))
    right = xp.matmul(inverse, dual)
    pulled = pulled + xp.matmul(back, right - xp.matmul(xp.matmul(right, inverse), input))
    left = xp.matmul(dual, inverse)
    return pulled + xp.matmul(left - xp.matmul(input, xp.matmul(inverse, left)), back)


def push_pseudoinverse(xp, tangent, input, inverse):
    dual, back = adjoint(xp, tangent), adjoint(xp, inverse)
    moved = -xp.matmul(inverse, xp.matmul(tangent, inverse))
    left = xp.matmul(back, dual)
    moved = moved + xp.matmul(inverse, left - xp.matmul(xp.matmul(left, input), inverse))
    right = xp.matmul(dual, back)
    return moved + xp.matmul(right - xp.matmul(inverse, xp.matmul(input, right)), inverse)


def check_tolerances(name, **given):
    """Raise unless tolerances are numbers, real tensors or None."""
    for which, value in given.items():
        if not (value is None or is_tensor(value) or isinstance(value, Real)):
            raise TypeError(f"{name}(): argument '{which}' must be float or Tensor, not {type(value).__name__}")
        if is_tensor(value) and value.dtype.category == COMPLEX:
            raise RuntimeError(f"torch.{name}: {which} tensor of complex type is not supported. Got {value.dtype}")


def check_older(name, atol, rtol, **older):
    """Raise where the older name of a tolerance is used beside the newer ones."""
    ((which, value),) = older.items()
    check_tolerances(name, **older)
    if value is not None and (atol is not None or rtol is not None):
        raise TypeError(
            f"{name}() received an invalid combination of arguments: {which} beside atol or rtol, which replace it"
        )


def each(*matrices, **tolerances):
    """Samples of the operations with all tolerances, by name."""
    return [((matrix,), {"hermitian": False, "atol": None, "rtol": None} | tolerances) for matrix in matrices]


def plain_samples(t):
    return [t(4, 3), t(2, 2, 3), t(3, 3), t(0, 3), t(2, 0, 0)]


def low_rank(t, m, n):
    """A sample of rank one."""
    return t(m, 1) @ t(1, n)


def batch_within(xp, op, args, batched, size):
    """Tolerances broadcast with the matrices' batches: a matrix has two dims more."""
    beyond = (2, 0, 0, 0)
    full = [full_batch(xp, a, b, size) if hasattr(a, "ndim") else a for a, b in zip(args, batched, strict=True)]
    ndim = max(a.ndim - 1 - more for a, more in zip(full, beyond, strict=True) if hasattr(a, "ndim"))
    padded = [pad_dims(xp, a, ndim + more) if hasattr(a, "ndim") else a for a, more in zip(full, beyond, strict=True)]
    return xp.call(op, padded)


def prepare_pseudoinverse(input, hermitian, atol, rtol):
    flags("linalg_pinv", hermitian=hermitian)
    need_tensors("linalg_pinv", input=input)
    if input.ndim < 2 or input.dtype.category < FLOATING or is_half(input):
        raise RuntimeError(
            f"linalg.pinv({input.dtype}{list(input.shape)}): expected a tensor with 2 or more dimensions of float, double, cfloat or "
            "cdouble types"
        )
    if hermitian:
        need_square("linalg.pinv", input)
    check_tolerances("linalg.pinv", atol=atol, rtol=rtol)
    return input, hermitian, atol, rtol


pseudoinverse = op(
    "linalg_pinv_within(input, hermitian, atol, rtol)",
    "The Moore-Penrose pseudoinverse, with both tolerances or None for them.",
    vjp={
        "input": lambda xp, grad, input, result, input_shape: fitted(
            xp, pull_pseudoinverse(xp, grad, input, result), input_shape
        ),
    },
    jvp={"input": lambda xp, tangent, input, result: push_pseudoinverse(xp, tangent, input, result)},
    operands=("input",),
    batch=batch_within,
    prepare=prepare_pseudoinverse,
    node="LinalgPinvBackward0",
    samples=lambda t: [
        *each(*plain_samples(t)),
        *each(hermitian(t), hermitian=True),
        *each(t(2, 4, 3), atol=t(2, low=1e-4, high=1e-3), rtol=1e-4),
        *each(t(3, 2), rtol=t(2, 1, low=1e-4, high=1e-3)),
        *each(low_rank(t, 4, 3).float(), rtol=1e-3),
        *each(t(4, 3, dtype="float32"), atol=1.5),
    ],
    errors=lambda t: [
        *[(*sample, RuntimeError) for sample in each(t(3), t.integers(0, 3, 2, 2))],
        *[(*sample, RuntimeError) for sample in each(t(2, 3), hermitian=True)],
        *[(*sample, RuntimeError) for sample in each(t(2, 2), atol=t.complex())],
    ],
    **INTERNAL,
)


def choose_pseudoinverse(input, rcond, hermitian, atol, rtol):
    check_older("linalg.pinv", atol, rtol, rcond=rcond)
    return pseudoinverse, prepare_pseudoinverse(input, hermitian, atol, rtol if rcond is None else rcond)


overload(
    "linalg_pinv(input, rcond=None, hermitian=False, *, atol=None, rtol=None)",
    "The Moore-Penrose pseudoinverse. Singular values up to the greater of ``atol`` and ``rtol`` (or ``rcond``) times the largest one "
    "count as zero; ``hermitian`` matrices are decomposed by their lower triangles.",
    choose_pseudoinverse,
    homes=("linalg:pinv",),
    method=False,
    out=True,
)
overload(
    "pinverse(input, rcond=1e-15)",
    "The Moore-Penrose pseudoinverse. See :func:`torch.linalg.pinv`.",
    lambda input, rcond: choose_pseudoinverse(input, rcond, False, None, None),
)


def prepare_rank(input, hermitian, atol, rtol):
    flags("linalg_matrix_rank", hermitian=hermitian)
    name = "torch.linalg.matrix_rank"
    need_tensors("linalg_matrix_rank", input=input)
    need_matrix(name, "input", input)
    if input.dtype.category < FLOATING or is_half(input):
        raise RuntimeError(
            f"{name}: This function doesn't handle types other than float and double, but got {input.dtype}"
        )
    if hermitian:
        need_square("linalg.matrix_rank", input)
    check_tolerances("linalg.matrix_rank", atol=atol, rtol=rtol)
    return input, hermitian, atol, rtol


rank = op(
    "linalg_matrix_rank_within(input, hermitian, atol, rtol)",
    "The numerical rank, with both tolerances or None for them.",
    operands=("input",),
    batch=batch_within,
    prepare=prepare_rank,
    samples=lambda t: [
        *each(*plain_samples(t), low_rank(t, 4, 3)),
        *each(hermitian(t), hermitian=True),
        *each(t(2, 4, 3), atol=t(2, low=1, high=2), rtol=0.5),
    ],
    errors=lambda t: [(*sample, RuntimeError) for sample in each(t(3), t.integers(0, 3, 2, 2))],
    **INTERNAL,
)


def choose_rank(input, tol, hermitian, atol, rtol):
    check_older("linalg.matrix_rank", atol, rtol, tol=tol)
    return rank, prepare_rank(input, hermitian, *((atol, rtol) if tol is None else (tol, 0.0)))


overload(
    "linalg_matrix_rank(input, tol=None, hermitian=False, *, atol=None, rtol=None)",
    "How many singular values are greater than ``atol`` (or ``tol``) and than ``rtol`` times the largest one, as int64. ``hermitian`` "
    "matrices are decomposed by their lower triangles.",
    choose_rank,
    homes=("linalg:matrix_rank",),
    method=False,
    out=True,
)

# -- condition numbers -------------------------------------------------------------------------------------------------

BY_SINGULAR_VALUES = (None, 2, -2, "nuc")
BY_INVERSE = ("fro", 1, -1, inf, -inf)


def prepare_cond(input, p):
    name = "linalg.cond"
    need_tensors("linalg_cond", input=input)
    need_matrix(name, "input", input)
    if p not in (*BY_SINGULAR_VALUES, *BY_INVERSE):
        raise RuntimeError(
            f"{name} got an invalid norm type: {p}; expected one of None, 2, -2, 'fro', 'nuc', 1, -1, inf, -inf"
        )
    if p in BY_INVERSE:
        need_square(f"linalg.cond(ord={p})", input)
    need_lapack(name, input)
    return input, p


def condition(xp, input, p):
    if 0 in input.shape[-2:]:
        zeros = xp.new_zeros(input, tuple(input.shape[:-2]))
        return xp.real(zeros) if is_complex(zeros) else zeros
    if p not in BY_SINGULAR_VALUES:
        product = norm(xp, input, p) * norm(xp, xp.linalg_inv_ex(input)[0], p)
        return xp.nan_to_num(product, inf, inf, -inf)
    values = xp.linalg_svdvals(input)
    if p == "nuc":
        return xp.sum(values, values.ndim - 1) * xp.sum(1 / values, values.ndim - 1)
    largest, smallest = values[..., 0], values[..., -1]
    return smallest / largest if p == -2 else largest / smallest


def norm(xp, matrix, p):
    """Frobenius' norm, or the norm of the largest (the smallest) sum of a column or row."""
    if p == "fro":
        square = xp.real(matrix * xp.conj(matrix)) if is_complex(matrix) else matrix * matrix
        return xp.sqrt(xp.sum(square, (matrix.ndim - 2, matrix.ndim - 1)))
    sums = xp.sum(xp.abs(matrix), matrix.ndim - (2 if abs(p) == 1 else 1))
    return (xp.amax if p > 0 else xp.amin)(sums, (sums.ndim - 1,))


def cond_node(input, p):
    if p == "nuc":
        return "MulBackward0"
    return "SqueezeBackward1" if p in BY_SINGULAR_VALUES else "NanToNumBackward0"


composite(
    "linalg_cond(input, p=None)",
    "The condition number in a norm: of singular values (``None`` or 2, -2, ``'nuc'``), Frobenius' (``'fro'``), of columns (1, -1) or of "
    "rows (inf, -inf).",
    condition,
    operands=("input",),
    prepare=prepare_cond,
    homes=("linalg:cond",),
    method=False,
    node=cond_node,
    out=True,
    samples=lambda t: [
        *[((t(3, 3),), {"p": p}) for p in (*BY_SINGULAR_VALUES, *BY_INVERSE)],
        ((t(2, 3, 4),), {}),
        ((t(2, 3, 3), 1), {}),
    ],
    errors=lambda t: [
        *matrix_errors(t),
        ((t(2, 2), 3), {}, RuntimeError),
        ((t(2, 3), "fro"), {}, RuntimeError),
    ],
)

# -- least squares -----------------------------------------------------------------------------------------------------


def pull_matrix(xp, grads, input, b, solution, input_shape):
    pulled = None
    if grads[0] is not None:
        inverse = xp.linalg_pinv_within(input, False, None, None)
        pulled = pull_pseudoinverse(xp, xp.matmul(grads[0], adjoint(xp, b)), input, inverse)
    if computed(grads[1]):
        pulled = plus(pulled, xp.matmul(pull_difference(xp, grads[1], input, b, solution), adjoint(xp, solution)))
    return xp.new_zeros(solution, input_shape) if pulled is None else fitted(xp, pulled, input_shape)


def pull_right(xp, grads, input, b, solution, b_shape):
    pulled = None
    if grads[0] is not None:
        inverse = xp.linalg_pinv_within(input, False, None, None)
        pulled = xp.matmul(adjoint(xp, inverse), grads[0])
    if computed(grads[1]):
        pulled = plus(pulled, -pull_difference(xp, grads[1], input, b, solution))
    return xp.new_zeros(solution, b_shape) if pulled is None else fitted(xp, pulled, b_shape)


def computed(of_residuals):
    return of_residuals is not None and 0 not in of_residuals.shape


def pull_difference(xp, of_residuals, input, b, solution):
    """The gradient of the difference whose squares were summed. (By the solution, the sums have none: they are least.)"""
    return 2 * (xp.matmul(input, solution) - b) * xp.unsqueeze(of_residuals, of_residuals.ndim - 1)


def push_matrix(xp, tangent, input, b, solution, residuals):
    moved = xp.matmul(push_pseudoinverse(xp, tangent, input, xp.linalg_pinv_within(input, False, None, None)), b)
    return moved, push_residuals(xp, xp.matmul(tangent, solution), input, b, solution, residuals)


def push_right(xp, tangent, input, b, solution, residuals):
    moved = xp.matmul(xp.linalg_pinv_within(input, False, None, None), tangent)
    moved = xp.expand(moved, tuple(solution.shape)) if tuple(moved.shape) != tuple(solution.shape) else moved
    return moved, push_residuals(xp, -tangent, input, b, solution, residuals)


def push_residuals(xp, moved, input, b, solution, residuals):
    """What the motion of the difference adds to its squares; the motion of the solution adds nothing."""
    if 0 in residuals.shape:
        return None
    rest = xp.matmul(input, solution) - b
    product = xp.conj(rest) * moved
    return 2 * xp.sum(xp.real(product) if is_complex(product) else product, product.ndim - 2)


DRIVERS = ("gels", "gelsy", "gelsd", "gelss")


def prepare_lstsq(input, b, rcond, driver):
    name = "torch.linalg.lstsq"
    need_tensors("linalg_lstsq", input=input, b=b)
    if input.ndim < 2:
        raise RuntimeError(f"{name}: input must have at least 2 dimensions, but has {input.ndim}.")
    if b.ndim < 1:
        raise RuntimeError(f"{name}: other must have at least 1 dimension.")
    if input.dtype is not b.dtype:
        raise RuntimeError(
            f"{name}: Expected input and other to have the same dtype, but got input's dtype {input.dtype} and other's dtype {b.dtype}"
        )
    if input.dtype.category < FLOATING or is_half(input):
        raise RuntimeError(
            f"{name}: This function doesn't handle types other than float and double, but got {input.dtype}"
        )
    if not 0 <= input.ndim - b.ndim <= 1 and b.ndim != 2:
        raise RuntimeError(
            f"{name}: input.dim() must be greater or equal to other.dim() and (input.dim() - other.dim()) <= 1, but they are "
            f"{input.ndim} and {b.ndim}"
        )
    check_rows(name, input, b)
    check_tolerances("linalg_lstsq", rcond=rcond)
    if driver is not None and driver not in DRIVERS:
        raise RuntimeError(
            f"{name}: parameter `driver` should be one of (gels, gelsy, gelsd, gelss), but it is {driver!r}"
        )
    return input, b, rcond, driver or "gelsy"


def is_vector(input, b):
    """Whether the right side is one vector for each matrix."""
    return b.ndim == 1 or (input.ndim - 1 == b.ndim and tuple(b.shape) == tuple(input.shape[:-1]))


def check_rows(name, input, b):
    rows = b.shape[-1] if is_vector(input, b) else b.shape[-2]
    if rows != input.shape[-2]:
        raise RuntimeError(
            f"{name}: input.size(-2) should match other.size(-2), but they are {input.shape[-2]} and {rows}"
        )
    if not is_vector(input, b):
        need_broadcast(name, tuple(input.shape[:-2]), tuple(b.shape[:-2]))


def batch_lstsq(xp, op, args, batched, size):
    """What a driver does not compute has no elements, one more dim or not."""
    found = stacked(xp, op, align(xp, args, batched, size), (True, True, False, False), size)
    return tuple([part if part.ndim > 1 or 0 not in part.shape else xp.new_zeros(part, (size, 0)) for part in found])


def align(xp, args, batched, size):
    input, b = [full_batch(xp, a, f, size) for a, f in zip(args[:2], batched[:2], strict=True)]
    ndim = max(input.ndim, b.ndim) - 1
    return [pad_dims(xp, input, ndim), pad_dims(xp, b, ndim), *args[2:]]


def tall(t, *batch):
    return t(*batch, 4, 3)


lstsq = op(
    "linalg_lstsq(input, b, rcond=None, *, driver=None)",
    "Solutions of least squares by LAPACK.",
    outputs=("solution", "residuals", "rank", "singular_values"),
    vjp={"input": pull_matrix, "b": pull_right},
    jvp={"input": push_matrix, "b": push_right},
    operands=("input", "b"),
    batch=batch_lstsq,
    prepare=prepare_lstsq,
    node="LinalgLstsqBackward0",
    samples=lambda t: [
        ((tall(t), t(4, 2)), {"driver": "gels"}),
        ((t(2, 2, 3), t(2, 2, 2)), {}),
        ((t(3, 3), t(3, 1)), {"driver": "gelsy"}),
        ((tall(t, 2), t(4, 2)), {"driver": "gels"}),
        ((tall(t).float(), t(4, 2).float()), {"driver": "gelsd"}),
        ((low_rank(t, 4, 3).float(), t(4, 2).float()), {"driver": "gelss", "rcond": 1e-3}),
    ],
    errors=lambda t: [
        ((t(2), t(2)), {}, RuntimeError),
        ((t(2, 2), t(3, 1)), {}, RuntimeError),
        ((t(2, 2), t(2, 1)), {"driver": "gesvd"}, RuntimeError),
        ((t(2, 2), t(2, 1, dtype="float32")), {}, RuntimeError),
        ((t(2, 2), t(5, 1, 2, 2)), {}, RuntimeError),
        ((t.integers(0, 3, 2, 2), t.integers(0, 3, 2, 2)), {}, RuntimeError),
    ],
    **INTERNAL,
)


def choose_lstsq(input, b, rcond, driver):
    args = prepare_lstsq(input, b, rcond, driver)
    one = is_vector(input, b)
    solution, residuals, rank, values = perform(lstsq, input, b.unsqueeze(-1) if one else b, *args[2:])
    solution = solution.squeeze(-1) if one else solution
    return None, returned(
        "linalg_lstsq", solution=solution, residuals=residuals, rank=rank, singular_values=values.detach()
    )


overload(
    "linalg_lstsq(input, b, rcond=None, *, driver=None)",
    "Solutions ``X`` that make the squares of ``input @ X - b`` least, by one of LAPACK's drivers, of which all but ``'gels'`` take "
    "matrices of any rank; sums of these squares, for more rows than columns and full rank, unless the driver is ``'gelsy'``, the "
    "default; ranks; and singular values, by ``'gelsd'`` and ``'gelss'``. What is not computed has no elements.",
    choose_lstsq,
    homes=("linalg:lstsq",),
    method=False,
)
