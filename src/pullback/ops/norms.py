"""Norms of vectors and matrices, under all of PyTorch's names.

One operation computes: the norm of vectors. A norm of matrices is the largest, smallest or sum of such norms of their rows,
columns or singular values, run as recorded steps.
"""

from math import inf

from .batching import shifted
from .checks import COMPLEX, FLOATING, dtype_or_none, flag, reduced_dims
from .checks import dim as one_dim
from .matrix_checks import is_half, need_floating, need_matrix
from .reductions import as_dtype, count, kept, like, real_product, reduced_shape
from .steps import need_tensors, perform
from .table import TABLE, composite, op, overload

# -- of vectors --------------------------------------------------------------------------------------------------------


def steepest(xp, input, norm, ord, dim):
    """The gradient of a vector norm with respect to each element; ``norm`` keeps its dims. Zero where the norm is zero."""
    if ord == 1:
        return xp.sgn(input)
    if ord == 0:
        return xp.zeros_like(input)
    size = input if ord == 2 else xp.abs(input)
    if ord in (inf, -inf):
        found = xp.matches(size, norm)
        return xp.sgn(input) * xp.where(found, 1 / xp.sum(found, dim, True, dtype=norm.dtype), 0)
    zero = norm == 0
    inverse = xp.where(zero, 0, 1 / xp.where(zero, 1, norm))
    if ord == 2:
        return input * inverse
    ratio = xp.where(size == 0, 1, size) * inverse
    return xp.sgn(input) * xp.where(zero, 0, xp.pow(xp.where(zero, 1, ratio), ord - 1))


def order(op_name, ord):
    """The order of a norm as a Python number."""
    if ord is None or isinstance(ord, str):
        raise TypeError(f"{op_name}(): argument 'ord' (position 2) must be Number, not {type(ord).__name__}")
    ord = ord.item() if hasattr(ord, "item") else ord
    if isinstance(ord, complex):
        raise RuntimeError(f"{op_name}: Expected a non-complex scalar as the order of norm, but got {ord}")
    return ord


def check_dtype(op_name, input, dtype):
    """Raise unless a norm can be computed in ``dtype``: one of the input's kind, and no narrower."""
    need_floating(op_name, input)
    dtype_or_none(op_name, dtype)
    if dtype is None:
        return
    if dtype.category < FLOATING:
        raise RuntimeError(f"{op_name}: dtype should be floating point or complex, but got {dtype}")
    if dtype.category != input.dtype.category:
        kind = "complex for complex inputs" if input.dtype.category == COMPLEX else "real for real inputs"
        raise RuntimeError(f"{op_name}: dtype should be {kind}, but got {dtype}")
    if dtype.itemsize < input.dtype.itemsize:
        raise RuntimeError(
            f"{op_name}: the dtype of the input ({input.dtype}) should be convertible without narrowing to the specified "
            f"dtype ({dtype})"
        )


def prepare_norm(input, ord, dim, keepdim, dtype):
    need_tensors("linalg.vector_norm", input=input)
    ord = order("linalg.vector_norm", ord)
    check_dtype("linalg.vector_norm", input, dtype)
    flag("linalg.vector_norm", "keepdim", keepdim)
    dim = reduced_dims("linalg.vector_norm", dim, input.ndim)
    if (ord < 0 or ord == inf) and not count(input.shape, dim) and count(reduced_shape(input.shape, dim), None):
        where = "an empty tensor" if dim is None else f"the dims {dim}, which are empty,"
        raise RuntimeError(
            f"linalg.vector_norm cannot compute the {ord} norm on {where} because the operation does not have an identity: "
            f"the input has shape {list(input.shape)}"
        )
    return input, ord, dim, keepdim, dtype


vector_norm = op(
    "linalg_vector_norm(input, ord=2, dim=None, keepdim=False, *, dtype=None)",
    "The norm of order ``ord`` of the elements over ``dim``, or of all: the ``ord``-th root of the sum of their ``ord``-th powers; for "
    "0 how many are not zero, for ``inf`` the largest absolute value, for ``-inf`` the smallest. The gradient where the norm is "
    "zero is zero; of the infinite orders, elements that tie share it.",
    vjp={
        "input": lambda xp, grad, input, result, ord, dim, keepdim, dtype, input_shape, input_dtype: like(
            xp,
            kept(xp, grad, input_shape, dim, keepdim)
            * steepest(xp, as_dtype(xp, input, dtype), kept(xp, result, input_shape, dim, keepdim), ord, dim),
            dtype,
            input_dtype,
        )
    },
    jvp={
        "input": lambda xp, tangent, input, result, ord, dim, keepdim, dtype, input_shape: xp.sum(
            real_product(
                xp,
                as_dtype(xp, tangent, dtype),
                steepest(xp, as_dtype(xp, input, dtype), kept(xp, result, input_shape, dim, keepdim), ord, dim),
            ),
            dim,
            keepdim,
        )
    },
    batch=shifted("dim", whole=True),
    prepare=prepare_norm,
    homes=("linalg:vector_norm",),
    method=False,
    out=True,
    samples=lambda t: (
        [((t(2, 3, 4), p), {}) for p in (0, 0.5, 1, 1.5, 2, 3, -1, inf, -inf)]
        + [((t(2, 3, 4), p, 1), {}) for p in (1, 2, 3, inf)]
        + [((t(2, 3, 4), 2, (0, -1), True), {}), ((t(),), {}), ((t(0, 3),), {}), ((t(0, 3), 2, 0), {})]
        + [((t.integers(-1, 2, 4, 3, dtype="float64"), p, 1), {}) for p in (1, inf, -inf)]
    ),
    errors=lambda t: [
        ((t(2, 3), 2, 2), {}, IndexError),
        ((t(2, 3), 2, (0, 0)), {}, RuntimeError),
        ((t(0, 3), inf), {}, RuntimeError),
        ((t(0, 3), -1, 0), {}, RuntimeError),
        ((t(3), "fro"), {}, TypeError),
        ((t(3), 1j), {}, RuntimeError),
        ((t.integers(0, 3, 3),), {}, RuntimeError),
    ],
)


def over(input, ord, dim, keepdim, dtype=None):
    """The vector norm as the last step of a function."""
    return vector_norm, prepare_norm(input, ord, dim, keepdim, dtype)


# -- of matrices -------------------------------------------------------------------------------------------------------

EXTREMES = {1: "amax", -1: "amin", 2: "amax", -2: "amin", inf: "amax", -inf: "amin"}
SPECTRAL = ("nuc", 2, -2)


def check_matrix_dims(dim, ndim):
    """The two dims of matrices, not negative."""
    if not isinstance(dim, (tuple, list)):
        raise TypeError(f"linalg_matrix_norm(): argument 'dim' must be tuple of ints, not {type(dim).__name__}")
    if len(dim) != 2:
        raise RuntimeError(f"linalg.matrix_norm: dim must be a 2-tuple. Got {' '.join(map(str, dim))}")
    rows, columns = (one_dim("linalg.matrix_norm", d, ndim) for d in dim)
    if rows == columns:
        raise RuntimeError(f"linalg.matrix_norm: dims must be different. Got ({dim[0]}, {dim[1]})")
    return rows, columns


def check_matrix_norm(input, ord, dim, keepdim, dtype):
    need_tensors("linalg.matrix_norm", input=input)
    need_matrix("linalg.matrix_norm", "A", input)
    check_dtype("linalg.matrix_norm", input, dtype)
    flag("linalg.matrix_norm", "keepdim", keepdim)
    dim = check_matrix_dims(dim, input.ndim)
    ord = ord if isinstance(ord, str) else order("linalg.matrix_norm", ord)
    if ord not in ("fro", "nuc") and ord not in EXTREMES:
        raise RuntimeError(
            f"linalg.matrix_norm: Order {ord} not supported; use 'fro', 'nuc', 1, 2, inf or their negatives"
        )
    if ord in SPECTRAL and is_half(input):
        raise RuntimeError(f"linalg.matrix_norm: Low precision dtypes not supported. Got {input.dtype}")
    return ord, dim


def choose_matrix_norm(input, ord, dim, keepdim, dtype):
    ord, dim = check_matrix_norm(input, ord, dim, keepdim, dtype)
    if ord == "fro":
        return over(input, 2, dim, keepdim, dtype)
    if ord in SPECTRAL:
        return spectral_norm(input if dtype is None else input.to(dtype), ord, dim, keepdim)
    summed, left = dim if abs(ord) == 1 else dim[::-1]
    norm, args = over(input, 1, (summed,), keepdim, dtype)
    sums = perform(norm, *args)
    left -= left > summed and not keepdim
    return None, extreme(sums, ord, left, keepdim)


def extreme(values, ord, dim, keepdim):
    """The largest or the smallest of some norms; the largest of none is zero."""
    if ord > 0 and not values.shape[dim]:
        return values.sum(dim, keepdim)
    return getattr(values, EXTREMES[ord])(dim, keepdim)


def spectral_norm(input, ord, dim, keepdim):
    """The norms that are the largest, the smallest or the sum of the singular values."""
    values = perform(TABLE["linalg_svdvals"], input.movedim(dim, (-2, -1)), None)
    result = values.sum(-1) if ord == "nuc" else extreme(values, ord, values.ndim - 1, False)
    for d in sorted(dim) if keepdim else ():
        result = result.unsqueeze(d)
    return None, result


overload(
    "linalg_matrix_norm(input, ord='fro', dim=(-2, -1), keepdim=False, *, dtype=None)",
    "A norm of matrices: ``'fro'``, the root of the sum of squares; ``'nuc'``, the sum of the singular values; 2, the largest of "
    "them; 1 and ``inf``, the largest sum of absolute values of a column and of a row. Negative orders take the smallest.",
    choose_matrix_norm,
    homes=("linalg:matrix_norm",),
    method=False,
    out=True,
)


def choose_linalg_norm(input, ord, dim, keepdim, dtype):
    need_tensors("linalg.norm", input=input)
    given = dim if dim is None or isinstance(dim, (tuple, list)) else (dim,)
    if given is not None and len(given) not in (1, 2):
        raise RuntimeError(f"linalg.norm: If dim is specified, it must be of length 1 or 2. Got {list(given)}")
    if given is None and ord is not None and input.ndim not in (1, 2):
        raise RuntimeError(
            f"linalg.norm: If dim is not specified but ord is, the input must be 1D or 2D. Got {input.ndim}D."
        )
    of_matrices = ord is not None and (isinstance(ord, str) or (input.ndim if given is None else len(given)) == 2)
    if of_matrices:
        return choose_matrix_norm(input, ord, (0, 1) if given is None else given, keepdim, dtype)
    return over(input, 2 if ord is None else ord, given, keepdim, dtype)


overload(
    "linalg_norm(input, ord=None, dim=None, keepdim=False, *, dtype=None)",
    "A norm of vectors or of matrices: of matrices where an order is given, and ``dim`` or the input has two dims, else of vectors. "
    "Without an order, the root of the sum of squares.",
    choose_linalg_norm,
    homes=("linalg:norm",),
    method=False,
    out=True,
)


# -- the older names ---------------------------------------------------------------------------------------------------


def choose_norm(input, p, dim, keepdim, dtype):
    need_tensors("norm", input=input)
    if p is None or p == "fro":
        return over(input, 2, dim, keepdim, dtype)
    if isinstance(p, str):
        given = range(input.ndim) if dim is None else (dim if isinstance(dim, (tuple, list)) else (dim,))
        return choose_matrix_norm(input, p, tuple(given), keepdim, dtype)
    return over(input, p, dim, keepdim, dtype)


overload(
    "norm(input, p='fro', dim=None, keepdim=False, dtype=None)",
    "The norm of order ``p`` of the elements over ``dim``, or of all; ``'fro'`` is order 2, and matrices are taken as vectors, but "
    "for ``'nuc'``, the sum of their singular values.",
    choose_norm,
    out=True,
)


def choose_frobenius_norm(input, dim, keepdim):
    need_tensors("frobenius_norm", input=input)
    given = dim if isinstance(dim, (tuple, list)) else (dim,)
    if len(given) > 2:
        raise RuntimeError(f"frobenius_norm: Expected at most 2 dimensions, but got {len(given)} dimensions instead.")
    return over(input, 2, given, keepdim)


overload(
    "frobenius_norm(input, dim, keepdim=False)",
    "The root of the sum of squares over one or two dims.",
    choose_frobenius_norm,
    method=False,
    out=True,
)


def choose_nuclear_norm(input, dim, keepdim):
    need_tensors("nuclear_norm", input=input)
    if isinstance(dim, bool):
        dim, keepdim = None, dim
    return choose_matrix_norm(input, "nuc", (-2, -1) if dim is None else dim, keepdim, None)


overload(
    "nuclear_norm(input, dim=None, keepdim=False)",
    "The sum of the singular values of matrices, which lie in the last two dims or in those of ``dim``.",
    choose_nuclear_norm,
    method=False,
    out=True,
)


def choose_norm_except_dim(v, pow, dim):
    need_tensors("norm_except_dim", v=v)
    if dim == -1:
        return over(v, pow, None, False)
    dim = one_dim("norm_except_dim", dim, v.ndim)
    return over(v, pow, tuple(d for d in range(v.ndim) if d != dim), True)


overload(
    "norm_except_dim(v, pow=2, dim=0)",
    "The norm over all dims but ``dim``, which are kept with size one; of all elements where ``dim`` is -1.",
    choose_norm_except_dim,
    method=False,
)


# -- renorm ------------------------------------------------------------------------------------------------------------


def limited(xp, input, p, dim, maxnorm):
    """Slices whose norm is too large, divided by it; PyTorch adds 1e-7 to the divisor."""
    rest = tuple(d for d in range(input.ndim) if d != dim)
    norm = xp.linalg_vector_norm(input, p, rest, True)
    too_large = norm > maxnorm
    return xp.mul(input, xp.where(too_large, xp.div(maxnorm, xp.add(xp.where(too_large, norm, 1), 1e-7)), 1))


def prepare_renorm(input, p, dim, maxnorm):
    if isinstance(p, complex):
        raise RuntimeError(f"renorm: p must be real-valued, but got {p}")
    if p <= 0:
        raise RuntimeError(f"renorm: non-positive-norm not supported, but got {p}")
    if isinstance(maxnorm, complex) or maxnorm < 0:
        raise RuntimeError(f"renorm: expected maxnorm to be >= 0 but got {maxnorm}")
    if input.ndim < 2:
        raise RuntimeError(f"renorm: input needs at least 2 dimensions, got {input.ndim} dimensions")
    need_floating("renorm", input)
    return input, p, one_dim("renorm", dim, input.ndim), maxnorm


composite(
    "renorm(input, p, dim, maxnorm)",
    "The input, its slices along ``dim`` scaled down to ``maxnorm`` where their norm of order ``p`` is larger.",
    limited,
    operands=("input",),
    prepare=prepare_renorm,
    node="RenormBackward0",
    inplace=True,
    out=True,
    samples=lambda t: [
        ((t(2, 3), 2, 0, 1.0), {}),
        ((t(2, 3, 2), 1, 1, 5.0), {}),
        ((t(2, 3), inf, -1, 1.0), {}),
        ((t(3, 3), 2.5, 0, 2), {}),
        ((t(0, 3), 2, 0, 1.0), {}),
    ],
    errors=lambda t: [
        ((t(3), 2, 0, 1.0), {}, RuntimeError),
        ((t(2, 3), 0, 0, 1.0), {}, RuntimeError),
        ((t(2, 3), 2, 0, -1.0), {}, RuntimeError),
        ((t(2, 3), 2, 2, 1.0), {}, IndexError),
        ((t.integers(0, 4, 2, 3), 2, 0, 1.0), {}, RuntimeError),
    ],
)
