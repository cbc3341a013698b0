"""Products of matrices and vectors.

``matmul`` is the general one, of which the named ones are cases with nodes of their own: one operation of any ranks, which
broadcasts all dims but the last two. Rules use it and ``mm``; both operands have one dtype, which no product promotes.
"""

from .batching import logical_ndim, pad_dims
from .checks import BOOL, COMPLEX, FLOATING
from .steps import INTERNAL, extent, fitted, is_tensor, need_tensors, times
from .table import BILINEAR, TABLE, op, overload

# Checks.


def need_matrices(op_name, ndim, **given):
    """Raise unless the operands are tensors of ``ndim`` dims."""
    need_tensors(op_name, **given)
    for name, value in given.items():
        if value.ndim != ndim:
            kind = {1: "a vector", 2: "a matrix", 3: "a 3D tensor"}[ndim]
            raise RuntimeError(
                f"{op_name}: {name} must be {kind}, got {value.ndim}-D tensor of shape {list(value.shape)}"
            )


def same_dtype(op_name, first, *others):
    """Raise PyTorch's error for operands of several dtypes, and for bools, whose products it does not have."""
    dtype = first.dtype
    for other in others:
        if other is not None and other.dtype is not dtype:
            raise RuntimeError(
                f"{op_name}: expected m1 and m2 to have the same dtype, but got: {dtype} != {other.dtype}; convert one "
                "with .to(dtype)"
            )
    no_bools(op_name, first, *others)


def no_bools(op_name, *operands):
    """Raise PyTorch's error for products of bools, of which it has only the empty ones."""
    if operands[0].dtype.category == BOOL and not any(0 in x.shape for x in operands if x is not None):
        raise NotImplementedError(f"{op_name}: not implemented for 'Bool'; convert the operands, as with .float()")


def multipliable(op_name, rows, columns):
    """Raise PyTorch's error for shapes of matrices that have no product."""
    if rows[-1] != columns[-2]:
        (n, k), (l, m) = (extent(rows[:-1]), rows[-1]), columns[-2:]
        raise RuntimeError(
            f"{op_name}: mat1 and mat2 shapes cannot be multiplied ({n}x{k} and {l}x{m}): the last dim of the first, of "
            f"shape {list(rows)}, is {k}, and must equal the second-to-last of the second, of shape {list(columns)}, {l}"
        )


def plainly_fit(first, second, rows=1, columns=1):
    """Whether matrices (or vectors, of no rows or columns) clearly have a product: a quick look before the checks.

    ``rows`` and ``columns`` count dims; None is for any that have a product without broadcasting.
    """
    try:
        (*m, k), (l, *n), dtype = first.shape, second.shape, first.dtype
        ranks_fit = len(n) < 2 if columns is None else len(m) == rows and len(n) == columns
        return ranks_fit and k == l and second.dtype is dtype and dtype.category != BOOL
    except (AttributeError, ValueError):
        return False


def prepare_mm(input, mat2):
    if not plainly_fit(input, mat2):
        need_matrices("mm", 2, self=input, mat2=mat2)
        same_dtype("mm", input, mat2)
        multipliable("mm", input.shape, mat2.shape)
    return input, mat2


def check_bmm(op_name, first, second):
    need_matrices(op_name, 3, batch1=first, batch2=second)
    same_dtype(op_name, first, second)
    expected, got = [first.shape[0], first.shape[2]], list(second.shape[:2])
    if got != expected:
        raise RuntimeError(
            f"{op_name}: Expected size for first two dimensions of batch2 tensor to be: {expected} but got: {got}: batch1 "
            f"has shape {list(first.shape)}, batch2 {list(second.shape)}"
        )


def prepare_bmm(input, mat2):
    check_bmm("bmm", input, mat2)
    return input, mat2


def check_mv(op_name, matrix, vec):
    need_tensors(op_name, mat=matrix, vec=vec)
    if (matrix.ndim, vec.ndim) != (2, 1):
        raise RuntimeError(f"{op_name}: matrix @ vector expected, got {matrix.ndim}-D and {vec.ndim}-D tensors")
    same_dtype(op_name, matrix, vec)
    if matrix.shape[1] != vec.shape[0]:
        (n, k), length = matrix.shape, vec.shape[0]
        raise RuntimeError(
            f"{op_name}: size mismatch, got mat ({n}x{k}), vec ({length}): the matrix has {k} columns, and so must have "
            "the vector elements"
        )


def prepare_mv(input, vec):
    if not plainly_fit(input, vec, columns=0):
        check_mv("mv", input, vec)
    return input, vec


def prepare_dot(op_name):
    def prepare(input, other):
        if plainly_fit(input, other, rows=0, columns=0):
            return input, other
        need_tensors(op_name, input=input, tensor=other)
        if (input.ndim, other.ndim) != (1, 1):
            raise RuntimeError(
                f"{op_name}: 1D tensors expected, but got {input.ndim}D and {other.ndim}D tensors of shapes "
                f"{list(input.shape)} and {list(other.shape)}"
            )
        same_dtype(op_name, input, other)
        if input.shape != other.shape:
            m, n = input.shape[0], other.shape[0]
            raise RuntimeError(
                f"{op_name}: inconsistent tensor size, expected tensor [{m}] and src [{n}] to have the same number of "
                f"elements, but got {m} and {n} elements respectively"
            )
        return input, other

    return prepare


def prepare_matmul(input, other):
    if plainly_fit(input, other, None, None):
        return input, other
    need_tensors("matmul", input=input, other=other)
    if not (input.ndim and other.ndim):
        raise RuntimeError(
            f"matmul: both arguments to matmul need to be at least 1D, but they are {input.ndim}D and {other.ndim}D"
        )
    same_dtype("matmul", input, other)
    rows = tuple(input.shape) if input.ndim > 1 else (1, *input.shape)
    columns = tuple(other.shape) if other.ndim > 1 else (*other.shape, 1)
    multipliable("matmul", rows, columns)
    for dim, (m, n) in enumerate(zip(rows[-3::-1], columns[-3::-1], strict=False), 3):
        if m != n and m != 1 and n != 1:
            raise RuntimeError(
                f"matmul: The size of tensor a ({m}) must match the size of tensor b ({n}) at non-singleton dimension "
                f"{max(len(rows), len(columns)) - dim}: the batches of shapes {list(rows)} and {list(columns)} do not broadcast"
            )
    return input, other


# What the rules are made of.


def adjoint(xp, matrix):
    """The conjugate transpose of the last two dims."""
    return xp.conj(xp.transpose(matrix, matrix.ndim - 2, matrix.ndim - 1))


def flat(xp, value):
    """All dims but the last as one: the rows of a matrix."""
    shape = tuple(value.shape)
    return value if len(shape) == 2 else xp.reshape(value, (extent(shape[:-1]), shape[-1]))


def pull_left(xp, grad, other, shape):
    """The gradient of matmul's first operand, of shape ``shape``."""
    if other.ndim == 1:
        return xp.conj(other) * (grad if len(shape) == 1 else xp.unsqueeze(grad, grad.ndim))
    if len(shape) == 1:
        pulled = xp.matmul(xp.conj(other), xp.unsqueeze(grad, grad.ndim))
        return fitted(xp, xp.reshape(pulled, tuple(pulled.shape[:-1])), shape)
    return fitted(xp, xp.matmul(grad, adjoint(xp, other)), shape)


def pull_right(xp, grad, input, shape):
    """The gradient of matmul's second operand, of shape ``shape``."""
    if len(shape) == 1:
        if input.ndim == 1:
            return xp.conj(input) * grad
        return xp.matmul(adjoint(xp, flat(xp, input)), xp.reshape(grad, (extent(grad.shape),)))
    if input.ndim == 1:
        return xp.unsqueeze(xp.conj(input), 1) * xp.unsqueeze(grad, grad.ndim - 1)
    if len(shape) == 2:
        return xp.mm(adjoint(xp, flat(xp, input)), flat(xp, grad))
    return fitted(xp, xp.matmul(adjoint(xp, input), grad), shape)


def by_matmul(xp, op, args, batched, size):
    """The batch rule of all products: matmul broadcasts batches, once vectors are rows and columns."""
    left, right = args[:2]
    ranks = logical_ndim(left, batched[0]), logical_ndim(right, batched[1])
    if ranks[0] == 1:
        left = xp.unsqueeze(left, left.ndim - 1)
    if ranks[1] == 1:
        right = xp.unsqueeze(right, right.ndim)
    ndim = max(2, *ranks)
    left = pad_dims(xp, left, ndim) if batched[0] else left
    right = pad_dims(xp, right, ndim) if batched[1] else right
    result = xp.matmul(left, right)
    shape = tuple(result.shape)
    if 1 not in ranks:
        return result
    shape = (*shape[:-2], *(shape[-2:-1] if ranks[0] > 1 else ()), *(shape[-1:] if ranks[1] > 1 else ()))
    return xp.reshape(result, shape)


# The products.


def matmul_form(name, node, samples, errors=None):
    """``matmul``, under the name of node that PyTorch has for some ranks."""
    return op(
        f"{name}(input, other)",
        "The product of two tensors: of matrices in the last two dims, whose other dims broadcast; a vector is a row on the "
        "left and a column on the right, and its dim of size one is not in the result.",
        vjp={
            "input": lambda xp, grad, other, input_shape: pull_left(xp, grad, other, input_shape),
            "other": lambda xp, grad, input, other_shape: pull_right(xp, grad, input, other_shape),
        },
        jvp=BILINEAR,
        batch=by_matmul,
        prepare=prepare_matmul,
        node=node,
        samples=samples,
        errors=errors,
        **INTERNAL,
    )


matmul = matmul_form("matmul", "MmBackward0", lambda t: [((t(2, 3), t(3, 4)), {})])
matmul_batch = matmul_form(
    "matmul_batch",
    "UnsafeViewBackward0",
    lambda t: [
        ((t(2, 3, 4), t(2, 4, 2)), {}),
        ((t(2, 3, 4), t(4, 2)), {}),
        ((t(2, 3, 4), t(4)), {}),
        ((t(4), t(2, 4, 3)), {}),
        ((t(3, 2, 2, 4), t(2, 4, 3)), {}),
        ((t(2, 1, 2, 4), t(1, 3, 4, 1)), {}),
        ((t(2, 0, 4), t(2, 4, 3)), {}),
        ((t(2, 3, 0), t(2, 0, 2)), {}),
    ],
    lambda t: [
        ((t(2, 3, 4), t(2, 5, 6)), {}, RuntimeError),
        ((t(2, 3, 4), t(3, 4, 6)), {}, RuntimeError),
        ((t(2, 3, 4), t(5)), {}, RuntimeError),
        ((t(2, 3, 4), t()), {}, RuntimeError),
        ((t(2, 3, 4), t(2, 4, 5, dtype="float32")), {}, RuntimeError),
    ],
)
mm = op(
    "mm(input, mat2)",
    "The product of two matrices.",
    vjp={
        "input": lambda xp, grad, mat2: xp.mm(grad, adjoint(xp, mat2)),
        "mat2": lambda xp, grad, input: xp.mm(adjoint(xp, input), grad),
    },
    jvp=BILINEAR,
    batch=by_matmul,
    prepare=prepare_mm,
    out=True,
    samples=lambda t: [((t(2, 3), t(3, 4)), {}), ((t(0, 3), t(3, 2)), {}), ((t(2, 0), t(0, 3)), {})],
    errors=lambda t: [
        ((t(3, 4), t(5, 6)), {}, RuntimeError),
        ((t(3), t(3, 6)), {}, RuntimeError),
        ((t(3, 4), t(4, 6, dtype="float32")), {}, RuntimeError),
    ],
)
bmm = op(
    "bmm(input, mat2)",
    "The products of the matrices of two batches, one by one; both have three dims.",
    vjp={
        "input": lambda xp, grad, mat2: xp.bmm(grad, adjoint(xp, mat2)),
        "mat2": lambda xp, grad, input: xp.bmm(adjoint(xp, input), grad),
    },
    jvp=BILINEAR,
    batch=by_matmul,
    prepare=prepare_bmm,
    out=True,
    samples=lambda t: [((t(2, 3, 4), t(2, 4, 2)), {}), ((t(0, 3, 4), t(0, 4, 2)), {}), ((t(2, 3, 0), t(2, 0, 2)), {})],
    errors=lambda t: [((t(2, 3, 4), t(2, 5, 6)), {}, RuntimeError), ((t(3, 4), t(2, 4, 6)), {}, RuntimeError)],
)
mv = op(
    "mv(input, vec)",
    "The product of a matrix and a vector.",
    vjp={
        "input": lambda xp, grad, vec: xp.unsqueeze(grad, 1) * xp.conj(vec),
        "vec": lambda xp, grad, input: xp.mv(adjoint(xp, input), grad),
    },
    jvp=BILINEAR,
    batch=by_matmul,
    prepare=prepare_mv,
    out=True,
    samples=lambda t: [((t(2, 3), t(3)), {}), ((t(0, 3), t(3)), {}), ((t(2, 0), t(0)), {})],
    errors=lambda t: [((t(2, 3), t(2)), {}, RuntimeError), ((t(3), t(3)), {}, RuntimeError)],
)
dot = op(
    "dot(input, tensor)",
    "The sum of the products of two vectors' elements; complex ones are not conjugated.",
    vjp={
        "input": lambda xp, grad, tensor: grad * xp.conj(tensor),
        "tensor": lambda xp, grad, input: grad * xp.conj(input),
    },
    jvp=BILINEAR,
    batch=by_matmul,
    prepare=prepare_dot("dot"),
    out=True,
    samples=lambda t: [((t(3), t(3)), {}), ((t(0), t(0)), {})],
    errors=lambda t: [((t(3), t(4)), {}, RuntimeError), ((t(3, 3), t(3)), {}, RuntimeError)],
)
op(
    "vdot(input, other)",
    "The sum of the products of two vectors' elements, the first one's conjugated.",
    vjp={
        "input": lambda xp, grad, other: xp.conj(grad) * other,
        "other": lambda xp, grad, input: grad * input,
    },
    jvp=BILINEAR,
    batch=lambda xp, op, args, batched, size: by_matmul(xp, op, (xp.conj(args[0]), args[1]), batched, size),
    prepare=prepare_dot("vdot"),
    out=True,
    samples=lambda t: [((t(3), t(3)), {}), ((t(0), t(0)), {})],
    errors=lambda t: [((t(3), t(4)), {}, RuntimeError)],
)

BY_RANKS = {(1, 1): dot, (2, 1): mv, (2, 2): mm}


def choose_matmul(input, other):
    try:
        ranks = input.ndim, other.ndim
    except AttributeError:
        ranks = (0, 0)
        need_tensors("matmul", input=input, other=other)
    return BY_RANKS.get(ranks, matmul_batch), (input, other)


overload("matmul(input, other)", matmul.doc, choose_matmul, out=True, homes=("torch", "linalg"))


def choose_outer(op_name):
    def choose(input, vec2):
        need_tensors(op_name, input=input, vec2=vec2)
        for name, value in (("self", input), ("vec2", vec2)):
            if value.ndim != 1:
                raise RuntimeError(f"outer: Expected 1-D argument {name}, but got {value.ndim}-D")
        return TABLE["mul"], (input.unsqueeze(1), vec2)

    return choose


OUTER = "The matrix of all products of an element of ``input`` with one of ``vec2``, both vectors."
overload("outer(input, vec2)", OUTER, choose_outer("outer"), out=True, aliases=("ger",))


# Products added to a tensor: beta * input + alpha * product.


def check_factor(op_name, name, factor, dtype):
    """Raise unless a factor is a number, and a real one where the elements are."""
    if not isinstance(factor, (bool, int, float, complex)) and not (is_tensor(factor) and not factor.ndim):
        raise TypeError(f"{op_name}(): argument '{name}' must be Number, not {type(factor).__name__}")
    if isinstance(factor, complex) and dtype.category < COMPLEX:
        raise RuntimeError(
            f"{op_name}: value {name}={factor} cannot be converted to {dtype}, the dtype of the operands"
        )


def check_summand(op_name, input, shape, dtype, beta, alpha):
    """Raise unless what a product is added to broadcasts to it and has its dtype, and the factors are numbers."""
    if not type(beta) is type(alpha) is int:
        check_factor(op_name, "beta", beta, dtype)
        check_factor(op_name, "alpha", alpha, dtype)
    if not is_tensor(input):
        raise TypeError(f"{op_name}(): argument 'input' (position 1) must be Tensor, not {type(input).__name__}")
    given = tuple(input.shape)
    if len(given) > len(shape) or any(m not in (1, n) for m, n in zip(given[::-1], shape[::-1], strict=False)):
        raise RuntimeError(
            f"{op_name}: The expanded size of the tensor must match the existing size: input has shape {list(given)}, and "
            f"the product that it is added to {list(shape)}"
        )
    if input.dtype is not dtype:
        raise RuntimeError(f"{op_name}: self and mat2 must have the same dtype, but got {input.dtype} and {dtype}")
    if dtype.category == BOOL and op_name != "addr":
        raise NotImplementedError(f"{op_name}: not implemented for 'Bool'; convert the operands, as with .float()")


def prepare_addmm(input, mat1, mat2, beta, alpha):
    if not plainly_fit(mat1, mat2):
        need_matrices("addmm", 2, mat1=mat1, mat2=mat2)
        same_dtype("addmm", mat1, mat2)
        multipliable("addmm", mat1.shape, mat2.shape)
    check_summand("addmm", input, (mat1.shape[0], mat2.shape[1]), mat1.dtype, beta, alpha)
    return input, mat1, mat2, beta, alpha


def prepare_addmv(input, mat, vec, beta, alpha):
    check_mv("addmv", mat, vec)
    check_summand("addmv", input, (mat.shape[0],), mat.dtype, beta, alpha)
    return input, mat, vec, beta, alpha


def prepare_addr(input, vec1, vec2, beta, alpha):
    need_matrices("addr", 1, vec1=vec1, vec2=vec2)
    check_summand("addr", input, (vec1.shape[0], vec2.shape[0]), input.dtype, beta, alpha)
    for name, factor in (("beta", beta), ("alpha", alpha)):
        if isinstance(factor, float) and max(x.dtype.category for x in (input, vec1, vec2)) < FLOATING:
            raise RuntimeError(
                f"addr: For integral input tensors, argument {name} must not be a floating point number, but got {factor}"
            )
    return input, vec1, vec2, beta, alpha


def prepare_baddbmm(input, batch1, batch2, beta, alpha):
    check_bmm("baddbmm", batch1, batch2)
    check_summand("baddbmm", input, (*batch1.shape[:2], batch2.shape[2]), batch1.dtype, beta, alpha)
    return input, batch1, batch2, beta, alpha


def prepare_addbmm(input, batch1, batch2, beta, alpha):
    check_bmm("addbmm", batch1, batch2)
    check_summand("addbmm", input, (batch1.shape[1], batch2.shape[2]), batch1.dtype, beta, alpha)
    return input, batch1, batch2, beta, alpha


def summed(product, ndim):
    """The batch rule of ``beta * input + alpha * product(first, second)``, a product of ``ndim`` dims."""

    def rule(xp, op, args, batched, size):
        input, first, second, beta, alpha = args
        result = times(product(xp, (first, second), batched[1:3], size), alpha)
        if beta == 0 and (batched[1] or batched[2]):
            return result
        return times(pad_dims(xp, input, ndim) if batched[0] else input, beta) + result

    return rule


def product_of(name):
    """The named product, of values that may have a batch dimension."""

    def product(xp, args, batched, size):
        return by_matmul(xp, None, args, batched, size) if any(batched) else xp.call(TABLE[name], args)

    return product


def sum_of_products(xp, args, batched, size):
    """addbmm's product: the sum of a batch of products."""
    result = product_of("bmm")(xp, args, batched, size)
    return xp.sum(result, (result.ndim - 3,))


def outer_product(xp, args, batched, size):
    """addr's product."""
    column, row = args
    return xp.unsqueeze(column, column.ndim) * xp.unsqueeze(row, row.ndim - 1)


def scaled_product(xp, first, second, factor):
    return times(xp.matmul(first, second), factor)


def pull_summand(xp, grad, beta, input_shape):
    return fitted(xp, times(grad, beta.conjugate()), input_shape)


def push_summand(xp, tangent, beta):
    return times(tangent, beta)


ADDING = {"inplace": True, "out": True}
op(
    "addmm(input, mat1, mat2, *, beta=1, alpha=1)",
    "``beta * input + alpha * (mat1 @ mat2)``, where ``input`` broadcasts to the product of the matrices; it is not read if "
    "``beta`` is 0.",
    vjp={
        "input": pull_summand,
        "mat1": lambda xp, grad, mat2, alpha: scaled_product(xp, grad, adjoint(xp, mat2), alpha.conjugate()),
        "mat2": lambda xp, grad, mat1, alpha: scaled_product(xp, adjoint(xp, mat1), grad, alpha.conjugate()),
    },
    jvp={
        "input": push_summand,
        "mat1": lambda xp, tangent, mat2, alpha: scaled_product(xp, tangent, mat2, alpha),
        "mat2": lambda xp, tangent, mat1, alpha: scaled_product(xp, mat1, tangent, alpha),
    },
    batch=summed(product_of("mm"), 2),
    prepare=prepare_addmm,
    samples=lambda t: [
        ((t(2, 4), t(2, 3), t(3, 4)), {}),
        ((t(4), t(2, 3), t(3, 4)), {"beta": 0.5, "alpha": 2}),
        ((t(2, 1), t(2, 3), t(3, 4)), {"beta": 0}),
        ((t(), t(2, 0), t(0, 4)), {}),
    ],
    errors=lambda t: [
        ((t(2, 4), t(2, 3), t(2, 4)), {}, RuntimeError),
        ((t(3, 4), t(2, 3), t(3, 4)), {}, RuntimeError),
        ((t(2, 4, dtype="float32"), t(2, 3), t(3, 4)), {}, RuntimeError),
    ],
    **ADDING,
)
op(
    "addmv(input, mat, vec, *, beta=1, alpha=1)",
    "``beta * input + alpha * (mat @ vec)``, where ``input`` broadcasts to the product; it is not read if ``beta`` is 0.",
    vjp={
        "input": pull_summand,
        "mat": lambda xp, grad, vec, alpha: times(xp.unsqueeze(grad, 1) * xp.conj(vec), alpha.conjugate()),
        "vec": lambda xp, grad, mat, alpha: scaled_product(xp, adjoint(xp, mat), grad, alpha.conjugate()),
    },
    jvp={
        "input": push_summand,
        "mat": lambda xp, tangent, vec, alpha: scaled_product(xp, tangent, vec, alpha),
        "vec": lambda xp, tangent, mat, alpha: scaled_product(xp, mat, tangent, alpha),
    },
    batch=summed(product_of("mv"), 1),
    prepare=prepare_addmv,
    samples=lambda t: [((t(2), t(2, 3), t(3)), {}), ((t(), t(2, 3), t(3)), {"beta": 0.5, "alpha": 2})],
    errors=lambda t: [((t(2), t(3, 4), t(4)), {}, RuntimeError), ((t(3), t(3, 4), t(5)), {}, RuntimeError)],
    **ADDING,
)
op(
    "addr(input, vec1, vec2, *, beta=1, alpha=1)",
    "``beta * input + alpha * outer(vec1, vec2)``, where ``input`` broadcasts to the outer product; it is not read if "
    "``beta`` is 0.",
    vjp={
        "input": pull_summand,
        "vec1": lambda xp, grad, vec2, alpha: scaled_product(xp, grad, xp.conj(vec2), alpha.conjugate()),
        "vec2": lambda xp, grad, vec1, alpha: scaled_product(xp, xp.conj(vec1), grad, alpha.conjugate()),
    },
    jvp={
        "input": push_summand,
        "vec1": lambda xp, tangent, vec2, alpha: times(xp.unsqueeze(tangent, 1) * vec2, alpha),
        "vec2": lambda xp, tangent, vec1, alpha: times(xp.unsqueeze(vec1, 1) * tangent, alpha),
    },
    types="common",
    batch=summed(outer_product, 2),
    prepare=prepare_addr,
    samples=lambda t: [
        ((t(2, 3), t(2), t(3)), {}),
        ((t(3), t(2), t(3)), {"beta": 0.5, "alpha": 2}),
        ((t(2, 0), t(2), t(0)), {}),
    ],
    errors=lambda t: [((t(2, 2), t(3), t(4)), {}, RuntimeError), ((t(3, 4), t(3, 1), t(4)), {}, RuntimeError)],
    **ADDING,
)
op(
    "baddbmm(input, batch1, batch2, *, beta=1, alpha=1)",
    "``beta * input + alpha * bmm(batch1, batch2)``, where ``input`` broadcasts to the products; it is not read if ``beta`` "
    "is 0.",
    vjp={
        "input": pull_summand,
        "batch1": lambda xp, grad, batch2, alpha: scaled_product(xp, grad, adjoint(xp, batch2), alpha.conjugate()),
        "batch2": lambda xp, grad, batch1, alpha: scaled_product(xp, adjoint(xp, batch1), grad, alpha.conjugate()),
    },
    jvp={
        "input": push_summand,
        "batch1": lambda xp, tangent, batch2, alpha: scaled_product(xp, tangent, batch2, alpha),
        "batch2": lambda xp, tangent, batch1, alpha: scaled_product(xp, batch1, tangent, alpha),
    },
    batch=summed(product_of("bmm"), 3),
    prepare=prepare_baddbmm,
    samples=lambda t: [
        ((t(2, 2, 3), t(2, 2, 4), t(2, 4, 3)), {}),
        ((t(1, 2, 3), t(2, 2, 4), t(2, 4, 3)), {"beta": 0.5, "alpha": 2}),
    ],
    errors=lambda t: [
        ((t(2, 3, 6), t(2, 3, 4), t(2, 5, 6)), {}, RuntimeError),
        ((t(2, 2, 6), t(2, 3, 4), t(2, 4, 6)), {}, RuntimeError),
    ],
    **ADDING,
)
op(
    "addbmm(input, batch1, batch2, *, beta=1, alpha=1)",
    "``beta * input + alpha * bmm(batch1, batch2).sum(0)``, where ``input`` broadcasts to the sum; it is not read if ``beta`` "
    "is 0.",
    vjp={
        "input": pull_summand,
        "batch1": lambda xp, grad, batch2, alpha: scaled_product(xp, grad, adjoint(xp, batch2), alpha.conjugate()),
        "batch2": lambda xp, grad, batch1, alpha: scaled_product(xp, adjoint(xp, batch1), grad, alpha.conjugate()),
    },
    jvp={
        "input": push_summand,
        "batch1": lambda xp, tangent, batch2, alpha: times(xp.sum(xp.bmm(tangent, batch2), (0,)), alpha),
        "batch2": lambda xp, tangent, batch1, alpha: times(xp.sum(xp.bmm(batch1, tangent), (0,)), alpha),
    },
    batch=summed(sum_of_products, 2),
    prepare=prepare_addbmm,
    samples=lambda t: [
        ((t(2, 3), t(2, 2, 4), t(2, 4, 3)), {}),
        ((t(3), t(2, 2, 4), t(2, 4, 3)), {"beta": 0.5, "alpha": 2}),
    ],
    errors=lambda t: [
        ((t(3, 6), t(2, 3, 4), t(2, 5, 6)), {}, RuntimeError),
        ((t(2, 6), t(2, 3, 4), t(2, 4, 6)), {}, RuntimeError),
    ],
    **ADDING,
)
