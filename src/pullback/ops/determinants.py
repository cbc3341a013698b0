"""Determinants and their logarithms.

The gradient of a determinant is the matrix of its cofactors, which is finite for every matrix; so are the cofactors' own
derivatives, of a singular matrix too. Only from the third order on do the rules take the matrix for invertible.
"""

from math import nan

from .batching import full_batch
from .complex_numbers import is_complex
from .matrix_checks import need_lapack, need_precision, need_square, sample_matrix
from .products import adjoint
from .steps import INTERNAL, perform
from .systems import batch_first, transposed
from .table import COMMON, TABLE, composite, op, overload

# -- what the rules are made of ----------------------------------------------------------------------------------------


def scalars(xp, value):
    """Numbers, one for each matrix, with two dims of size one to broadcast against the matrices."""
    return xp.reshape(value, (*value.shape, 1, 1))


def total(xp, product):
    """The sum over the elements of each matrix."""
    return xp.sum(product, (product.ndim - 2, product.ndim - 1))


def cofactor_slope(xp, input, direction):
    """How cofactors move in a direction."""
    return xp.cofactor_slope(input, direction)


def slope_of_slope(xp, input, first, second):
    """How the slope of cofactors in one direction moves in a second: the third derivative of the determinant.

    With ``K`` the inverse's transpose, ``det' = det <K, E>`` and ``K' = -K Eᵀ K``: the product rule on
    ``det (<K, E> K - K Eᵀ K)``.
    """
    inverse = xp.linalg_inv_ex(input, check_errors=False)[0]
    K = transposed(xp, inverse)
    a, b = (xp.matmul(K, xp.matmul(transposed(xp, each), K)) for each in (first, second))
    s, t, u = (scalars(xp, total(xp, x)) for x in (K * first, K * second, b * first))
    mixed = xp.matmul(b, xp.matmul(transposed(xp, first), K)) + xp.matmul(a, xp.matmul(transposed(xp, second), K))
    return scalars(xp, xp.linalg_det(input)) * ((s * t - u) * K - t * a - s * b + mixed)


def conjugated(xp, rule, input, direction, *more):
    """The gradient that a symmetric rule of holomorphic functions pulls back."""
    return xp.conj(rule(xp, input, *more, xp.conj(direction)))


op(
    "cofactors(input)",
    "The cofactors of square matrices: the derivatives of the determinant by each element.",
    vjp={"input": lambda xp, grad, input: conjugated(xp, cofactor_slope, input, grad)},
    jvp={"input": lambda xp, tangent, input: xp.cofactor_slope(input, tangent)},
    batch=batch_first,
    samples=lambda t: [((t(3, 3),), {}), ((t(2, 1, 1),), {}), ((t(2, 2, 2),), {})],
    **INTERNAL,
)
op(
    "cofactor_slope(input, direction)",
    "The derivative of the cofactors of square matrices in a direction, for matrices of one shape.",
    vjp={
        "input": lambda xp, grad, input, direction: conjugated(xp, slope_of_slope, input, grad, direction),
        "direction": lambda xp, grad, input: conjugated(xp, cofactor_slope, input, grad),
    },
    jvp={
        "input": lambda xp, tangent, input, direction: slope_of_slope(xp, input, direction, tangent),
        "direction": lambda xp, tangent, input: xp.cofactor_slope(input, tangent),
    },
    types=COMMON,
    batch=lambda xp, op, args, batched, size: xp.call(
        op, [full_batch(xp, a, b, size) for a, b in zip(args, batched, strict=True)]
    ),
    samples=lambda t: [((sample_matrix(t), t(3, 3)), {}), ((sample_matrix(t, 2, n=2), t(2, 2, 2)), {})],
    **INTERNAL,
)


# -- determinants ------------------------------------------------------------------------------------------------------


def prepare_det(op_name, need_dtype=need_precision):
    def prepare(A):
        need_square(op_name, A)
        need_dtype(op_name, A)
        return (A,)

    return prepare


def determinant_samples(t):
    return [((t(3, 3),), {}), ((t(2, 2, 2),), {}), ((t(1, 1),), {}), ((t(0, 0),), {}), ((t(0, 3, 3),), {})]


def determinant_errors(t):
    return [
        ((t(2, 3),), {}, RuntimeError),
        ((t(3),), {}, RuntimeError),
        ((t.integers(0, 3, 2, 2),), {}, RuntimeError),
    ]


det = op(
    "linalg_det(A)",
    "The determinant of a square matrix, or of each of a batch. Its gradient and second derivatives are finite for singular "
    "matrices too.",
    vjp={"A": lambda xp, grad, A: scalars(xp, grad) * xp.conj(xp.cofactors(A))},
    jvp={"A": lambda xp, tangent, A: total(xp, tangent * xp.cofactors(A))},
    batch=batch_first,
    prepare=prepare_det("linalg.det", need_lapack),
    homes=("linalg:det",),
    method=False,
    out=True,
    samples=determinant_samples,
    errors=lambda t: [*determinant_errors(t), ((t(2, 2, dtype="float16"),), {}, NotImplementedError)],
)
overload("det(input)", det.doc, lambda input: (det, prepare_det("linalg.det", need_lapack)(input)))


# -- their logarithms --------------------------------------------------------------------------------------------------


def inverse_of(xp, A):
    """The inverse, of infinities and NaN where there is none."""
    return xp.linalg_inv_ex(A, check_errors=False)[0]


def pull_slogdet(xp, grads, A, sign):
    """``d log det = trace(A⁻¹ dA)``, whose real part moves the logarithm, and whose imaginary part turns the sign."""
    turning, growing = grads
    pulled = xp.zeros_like(xp.real(sign)) if growing is None else growing
    if turning is not None and is_complex(sign):
        pulled = xp.complex(pulled, -xp.imag(xp.conj(turning) * sign))
    return scalars(xp, pulled) * adjoint(xp, inverse_of(xp, A))


def push_slogdet(xp, tangent, A, sign):
    moved = total(xp, transposed(xp, inverse_of(xp, A)) * tangent)
    if not is_complex(sign):
        return xp.zeros_like(sign), moved
    turned = xp.imag(moved)
    return sign * xp.complex(xp.zeros_like(turned), turned), xp.real(moved)


slogdet = op(
    "linalg_slogdet(A)",
    "A named tuple of the sign of the determinant, ``sign`` (for complex matrices a number of modulus 1), and the logarithm of its "
    "absolute value, ``logabsdet``; 0 and ``-inf`` for singular matrices.",
    outputs=("sign", "logabsdet"),
    vjp={"A": pull_slogdet},
    jvp={"A": push_slogdet},
    batch=batch_first,
    prepare=prepare_det("linalg.slogdet"),
    homes=("linalg:slogdet",),
    method=False,
    out=True,
    samples=determinant_samples,
    errors=lambda t: [*determinant_errors(t), ((t(2, 2, dtype="float16"),), {}, RuntimeError)],
)
composite(
    "slogdet(input)",
    slogdet.doc,
    lambda xp, input: xp.linalg_slogdet(input),
    outputs=slogdet.outputs,
    prepare=slogdet.prepare,
    out=True,
    node="LinalgSlogdetBackward0",
    samples=determinant_samples,
    errors=determinant_errors,
)


def choose_logdet(input):
    sign, logarithm = perform(slogdet, *prepare_det("logdet")(input))
    if is_complex(sign):
        return TABLE["add"], (sign.log(), logarithm, 1)
    return TABLE["where"], (sign == -1, nan, logarithm)


overload(
    "logdet(input)",
    "The logarithm of the determinant of a square matrix, or of each of a batch: ``-inf`` for singular matrices, and NaN for real "
    "ones whose determinant is negative.",
    choose_logdet,
)
