"""Functions of matrices: powers, the exponential, chains of products, traces; and products of vectors in batches."""

from functools import lru_cache
from itertools import pairwise

from ..dtypes import int64
from .checks import BOOL, FLOATING
from .checks import dim as one_dim
from .matrix_checks import is_half, need_floating, need_square
from .products import adjoint, choose_matmul, mm, no_bools
from .steps import is_tensor, need_tensors, perform
from .striding import integer
from .systems import batch_first
from .table import BILINEAR, TABLE, composite, elementwise, op, overload


def prepare_cross(op_name):
    def prepare(input, other, dim):
        need_tensors(op_name, input=input, other=other)
        if input.ndim != other.ndim:
            raise RuntimeError(
                f"{op_name}: inputs must have the same number of dimensions, got {input.ndim} and {other.ndim}"
            )
        if dim is None:
            dim = next((d for d, size in enumerate(input.shape) if size == 3), None)
            if dim is None:
                raise RuntimeError(f"{op_name}: no dimension of size 3 in input, of shape {list(input.shape)}")
        dim = one_dim(op_name, dim, input.ndim)
        if input.shape[dim] != 3 or other.shape[dim] != 3:
            raise RuntimeError(
                f"{op_name}: inputs dimension {dim} must have length 3. Got {input.shape[dim]} and {other.shape[dim]}"
            )
        if input.dtype is not other.dtype:
            raise RuntimeError(f"{op_name}: expected scalar type {input.dtype} but found {other.dtype}")
        no_bools(op_name, input, other)
        return input, other, dim

    return prepare


def batch_cross(xp, op, args, batched, size):
    input, other, dim = args
    input = input if batched[0] else xp.unsqueeze(input, 0)
    other = other if batched[1] else xp.unsqueeze(other, 0)
    return xp.call(op, (input, other, dim + 1))


def cross_product(name, signature, homes, **forms):
    """The vector product, under one of its names."""
    return elementwise(
        f"{name}{signature}",
        "The vector product of vectors of three elements along ``dim``; for ``torch.cross`` by default the first dim of size 3.",
        vjp={
            "input": lambda xp, grad, other, dim: xp.linalg_cross(xp.conj(other), grad, dim=dim),
            "other": lambda xp, grad, input, dim: xp.linalg_cross(grad, xp.conj(input), dim=dim),
        },
        jvp=BILINEAR,
        types="keep",
        operands=("input", "other"),
        batch=batch_cross,
        prepare=prepare_cross(name),
        homes=homes,
        node="LinalgCrossBackward0",
        samples=lambda t: [
            ((t(2, 3), t(2, 3)), {"dim": 1}),
            ((t(3, 2), t(3, 1)), {"dim": 0}),
            ((t(2, 1, 3), t(4, 3).unsqueeze(0)), {"dim": -1}),
            ((t(3), t(3)), {"dim": -1}),
            ((t(0, 3), t(0, 3)), {"dim": 1}),
        ],
        errors=lambda t: [
            ((t(2, 4), t(2, 4)), {}, RuntimeError),
            ((t(2, 3), t(2, 3)), {"dim": 0}, RuntimeError),
            ((t(2, 3), t(3)), {}, RuntimeError),
            ((t(3), t(3, dtype="float32")), {}, RuntimeError),
        ],
        out=True,
        **forms,
    )


cross_product("cross", "(input, other, dim=None)", ("torch",))
cross_product("linalg_cross", "(input, other, *, dim=-1)", ("linalg:cross",), method=False)


def choose_vecdot(x, y, dim):
    need_tensors("linalg.vecdot", x=x, y=y)
    if x.dtype is not y.dtype:
        raise RuntimeError(
            f"linalg.vecdot: Expected x and y to have the same dtype, but found x of type {x.dtype} and y of type {y.dtype} instead"
        )
    ndim = max(x.ndim, y.ndim)
    dim = one_dim("linalg.vecdot", dim, ndim)
    products = (x.conj() if x.dtype.is_complex else x) * y
    return TABLE["sum"], (products, (dim,), False, None)


overload(
    "vecdot(x, y, *, dim=-1)",
    "The sum over ``dim`` of ``conj(x) * y``: dot products of vectors in batches, which broadcast.",
    choose_vecdot,
    method=False,
    homes=("linalg",),
    out=True,
)


def choose_power(input, n):
    need_tensors("matrix_power", input=input)
    if isinstance(n, bool) or not hasattr(n, "__index__"):
        raise TypeError(f"matrix_power(): argument 'n' (position 2) must be int, not {type(n).__name__}")
    if input.ndim < 2:
        raise RuntimeError(f"matrix_power: The input tensor A must have at least 2 dimensions, got {input.ndim}")
    if input.shape[-1] != input.shape[-2]:
        raise RuntimeError(
            "matrix_power: A must be batches of square matrices, but they are "
            f"{input.shape[-2]} by {input.shape[-1]} matrices"
        )
    if n == -1:
        return None, input.inverse()
    if n < 0:
        input, n = input.inverse(), -n
    return power(input, n)


def power(matrix, n):
    """The n-th power of square matrices by repeated squaring, up to its last operation."""
    if n == 0:
        identity = matrix.new_zeros(tuple(matrix.shape))
        identity.diagonal(0, -2, -1).fill_(1)
        return TABLE["where"], (identity != identity, matrix, identity)
    if n == 1:
        return TABLE["clone"], (matrix, None)
    left = power_of(matrix, n // 2)
    if n % 2 == 0:
        return product_of(left, left)
    return product_of(left.matmul(left), matrix)


def power_of(matrix, n):
    """The n-th power of square matrices, n at least 1."""
    if n == 1:
        return matrix
    half = power_of(matrix, n // 2)
    square = half.matmul(half)
    return square if n % 2 == 0 else square.matmul(matrix)


def product_of(left, right):
    return choose_matmul(left, right)


overload(
    "matrix_power(input, n)",
    "The product of ``n`` copies of a square matrix, or of each of a batch; for negative ``n``, of its inverse.",
    choose_power,
    homes=("torch", "linalg"),
    out=True,
)


# The exponential.


def exponential_term(xp, terms):
    """The n-th coefficient of the series ``exp(A0 + A1 t + … + An tⁿ)``, given the An, of which some may be None for zero.

    It is in the upper right corner of the exponential of the triangular matrix of blocks that has ``Aj`` on its j-th diagonal
    (R. Mathias, A chain rule for matrix functions and applications, 1996). Of two terms it is Fréchet's derivative.
    """
    if len(terms) == 1:
        return xp.linalg_matrix_exp(terms[0])
    first, size, ndim = terms[0], terms[0].shape[-1], terms[0].ndim
    zero = xp.zeros_like(first)
    line = [zero] * (len(terms) - 1) + [zero if term is None else term for term in terms]
    starts = range(len(terms) - 1, -1, -1)
    blocks = xp.cat([xp.cat(line[start : start + len(terms)], ndim - 1) for start in starts], ndim - 2)
    corner = xp.slice(xp.linalg_matrix_exp(blocks), ndim - 2, 0, size, 1)
    return xp.slice(corner, ndim - 1, size * (len(terms) - 1), size * len(terms), 1)


def prepare_exponential(input):
    need_square("linalg.matrix_exp", input)
    need_floating("linalg.matrix_exp", input)
    return (input,)


EXPONENTIAL = "The exponential of a square matrix, or of each of a batch: the sum of its powers ``Aⁿ / n!``."
matrix_exp = op(
    "linalg_matrix_exp(input)",
    EXPONENTIAL,
    vjp={"input": lambda xp, grad, input: exponential_term(xp, [adjoint(xp, input), grad])},
    jvp={"input": lambda xp, tangent, input: exponential_term(xp, [input, tangent])},
    batch=batch_first,
    prepare=prepare_exponential,
    homes=("linalg:matrix_exp",),
    method=False,
    samples=lambda t: [
        ((t(3, 3),), {}),
        ((t(2, 2, 2),), {}),
        ((t(1, 1),), {}),
        ((t(2, 2, low=-20, high=20),), {}),
        ((t(0, 0),), {}),
        ((t(0, 2, 2),), {}),
    ],
    errors=lambda t: [
        ((t(2, 3),), {}, RuntimeError),
        ((t(3),), {}, RuntimeError),
        ((t.integers(0, 3, 2, 2),), {}, RuntimeError),
    ],
)
overload("matrix_exp(input)", EXPONENTIAL, lambda input: (matrix_exp, prepare_exponential(input)))


# The trace, diagonals, and matrices of powers.


def prepare_trace(input):
    if input.ndim != 2:
        raise RuntimeError(f"trace: expected a matrix, but got tensor with dim {input.ndim}")
    no_bools("trace", input)
    return (input,)


composite(
    "trace(input)",
    "The sum of the diagonal of a matrix; integers are summed in int64.",
    lambda xp, input: xp.sum(xp.diagonal(input, 0, 0, 1), (0,)),
    prepare=prepare_trace,
    node="TraceBackward0",
    samples=lambda t: [((t(3, 3),), {}), ((t(2, 4),), {}), ((t(0, 3),), {})],
    errors=lambda t: [
        ((t(2, 3, 3),), {}, RuntimeError),
        ((t(3),), {}, RuntimeError),
        ((t.bools(2, 2),), {}, NotImplementedError),
    ],
)


def choose_diagonal(A, offset, dim1, dim2):
    need_tensors("linalg.diagonal", A=A)
    return TABLE["diagonal"], (A, offset, dim1, dim2)


overload(
    "linalg_diagonal(A, *, offset=0, dim1=-2, dim2=-1)",
    "A view of the diagonals of matrices, which lie in the last two dims; of :func:`diagonal`, with other defaults.",
    choose_diagonal,
    homes=("linalg:diagonal",),
    method=False,
)


def powers(x, n):
    """The powers 0, 1, …, n - 1 of each element, in a new last dim."""
    x = x.unsqueeze(-1)
    ones = x.new_ones(tuple(x.shape)) if x.dtype.category >= FLOATING else x.new_ones(tuple(x.shape), dtype=int64)
    if n < 2:
        return ones[..., :n]
    return perform(TABLE["cat"], [ones, x.expand(*x.shape[:-1], n - 1).cumprod(-1)], x.ndim - 1)


def choose_vander(x, N):
    need_tensors("linalg.vander", x=x)
    if x.dtype.category == BOOL or is_half(x):
        raise RuntimeError(f"linalg.vander supports floating point, complex, and integer tensors, but got {x.dtype}")
    n = (x.shape[-1] if x.ndim else 1) if N is None else integer("linalg_vander", "N", N)
    if n <= 1:
        raise RuntimeError(f"linalg.vander: N must be greater than 1. Got {n}")
    return None, powers(x, n)


overload(
    "linalg_vander(x, *, N=None)",
    "Matrices whose rows are the powers 0, 1, …, N - 1 of the elements of ``x``; ``N`` is the size of its last dim by default.",
    choose_vander,
    homes=("linalg:vander",),
    method=False,
)


def choose_old_vander(x, N, increasing):
    need_tensors("vander", x=x)
    if x.ndim != 1:
        raise RuntimeError(f"vander: x must be a one-dimensional tensor, but has shape {list(x.shape)}")
    n = x.shape[0] if N is None else integer("vander", "N", N)
    if n < 0:
        raise RuntimeError(f"vander: N must be non-negative, but got {n}")
    found = powers(x, n)
    return (None, found) if increasing else (TABLE["flip"], (found, (1,)))


overload(
    "vander(x, N=None, increasing=False)",
    "A matrix whose rows are the powers N - 1, …, 1, 0 of the elements of a vector, or 0, 1, …, N - 1 with ``increasing``; ``N`` is "
    "their number by default.",
    choose_old_vander,
    method=False,
)


# Chains.


@lru_cache(maxsize=256)
def best_split(extents):
    """Where to split a chain of matrices, of extents n0×n1, n1×n2, …, so that multiplying it costs least; and the cost."""
    if len(extents) < 3:
        return None, 0
    costs = [
        best_split(extents[: k + 1])[1] + best_split(extents[k:])[1] + extents[0] * extents[k] * extents[-1]
        for k in range(1, len(extents) - 1)
    ]
    least = min(range(len(costs)), key=costs.__getitem__)
    return least + 1, costs[least]


def chain(matrices):
    """The product of matrices in the order that costs least, up to its last operation."""
    if len(matrices) == 1:
        return TABLE["clone"], (matrices[0], None)
    extents = (matrices[0].shape[0], *[m.shape[1] for m in matrices])
    split, _ = best_split(extents)
    return mm, (chained(matrices[:split]), chained(matrices[split:]))


def chained(matrices):
    if len(matrices) == 1:
        return matrices[0]
    _, (left, right) = chain(matrices)
    return left.mm(right)


def check_chain(op_name, tensors, least):
    if len(tensors) < least:
        raise RuntimeError(f"{op_name}(): expected at least {least} tensors but got {len(tensors)}")
    for i, tensor in enumerate(tensors):
        if not is_tensor(tensor):
            raise TypeError(f"{op_name}(): expected Tensor as element {i}, but got {type(tensor).__name__}")
        vector = tensor.ndim == 1 and least > 1 and i in (0, len(tensors) - 1)
        if tensor.ndim != 2 and not vector:
            raise RuntimeError(f"{op_name}(): tensor {i} must be 2D but got {tensor.ndim}D")
    for i, (left, right) in enumerate(pairwise(tensors)):
        if left.shape[-1] != right.shape[0]:
            raise RuntimeError(
                f"{op_name}(): tensors {i} and {i + 1} with shapes {list(left.shape)} and {list(right.shape)} cannot be multiplied"
            )


def choose_chain_matmul(matrices):
    matrices = [matrices] if is_tensor(matrices) else list(matrices)
    if not matrices:
        raise RuntimeError("chain_matmul(): Expected one or more matrices")
    check_chain("chain_matmul", matrices, 1)
    return chain(matrices)


def choose_multi_dot(tensors):
    check_chain("multi_dot", tensors, 2)
    first, last = tensors[0], tensors[-1]
    matrices = [
        first.unsqueeze(0) if first.ndim == 1 else first,
        *tensors[1:-1],
        last.unsqueeze(1) if last.ndim == 1 else last,
    ]
    shape = (*first.shape[:-1], *last.shape[1:])
    op, args = chain(matrices)
    return (op, args) if len(shape) == 2 else (TABLE["reshape"], (args[0].mm(args[1]), shape))


CHAIN = "The product of a chain of matrices, multiplied in the order that costs least."
overload("chain_matmul(matrices)", CHAIN, choose_chain_matmul, method=False, star="matrices", out=True)
overload("multi_dot(tensors)", CHAIN, choose_multi_dot, method=False, homes=("linalg",), out=True)
