"""Checks of linear algebra: operands that are matrices, square ones, of the dtypes that LAPACK has; in PyTorch's words."""

from .checks import FLOATING
from .steps import is_tensor, need_tensors


def need_matrix(op_name, name, value):
    """Raise unless a tensor is a matrix or a batch of them."""
    if value.ndim < 2:
        raise RuntimeError(
            f"{op_name}: The input tensor {name} must have at least 2 dimensions, but it has shape {list(value.shape)}"
        )


def need_square(op_name, value, name="A"):
    """Raise unless a tensor is a square matrix or a batch of them."""
    if not is_tensor(value):
        need_tensors(op_name, **{name: value})
    need_matrix(op_name, name, value)
    rows, columns = value.shape[-2:]
    if rows != columns:
        raise RuntimeError(
            f"{op_name}: {name} must be batches of square matrices, but they are {rows} by {columns} matrices"
        )


def need_floating(op_name, value):
    """Raise for integers and bools."""
    if value.dtype.category < FLOATING:
        raise RuntimeError(
            f"{op_name}: Expected a floating point or complex tensor as input. Got {value.dtype}; convert it, as with "
            ".double()"
        )


def is_half(value):
    """Whether a value is of float16 or bfloat16."""
    return value.dtype.category == FLOATING and value.dtype.itemsize == 2


def need_lapack(op_name, value):
    """Raise unless a tensor's dtype is one of the four that LAPACK computes in."""
    need_floating(op_name, value)
    if is_half(value) and 0 not in value.shape:
        raise NotImplementedError(
            f"{op_name}: not implemented for {value.dtype}; convert the operands, as with .float()"
        )


def need_precision(op_name, value):
    """Raise for dtypes of half precision where PyTorch refuses them by name, and for integers."""
    need_floating(op_name, value)
    if is_half(value):
        raise RuntimeError(
            f"{op_name}: Low precision dtypes not supported. Got {value.dtype}; convert it, as with .float()"
        )


def need_one_dtype(op_name, A, B):
    """Raise for two operands of different dtypes."""
    if A.dtype is not B.dtype:
        raise RuntimeError(
            f"{op_name}: Expected A and B to have the same dtype, but found A of type {A.dtype} and B of type {B.dtype} "
            "instead"
        )


def need_fitting(op_name, A, B, left):
    """Raise unless square matrices ``A`` have a product with ``B``, and their batches broadcast."""
    need_matrix(op_name, "B", B)
    if A.shape[-1] != B.shape[-2 if left else -1]:
        (m, n), (k, l) = A.shape[-2:], B.shape[-2:]
        raise RuntimeError(
            f"{op_name}: Incompatible shapes of A and B for the equation {'AX = B' if left else 'XA = B'} ({m}x{n} and {k}x{l})"
        )
    need_broadcast(op_name, tuple(A.shape[:-2]), tuple(B.shape[:-2]))


def need_broadcast(op_name, a, b):
    """Raise PyTorch's error unless two shapes of batches broadcast."""
    ndim = max(len(a), len(b))
    for back, (m, n) in enumerate(zip(a[::-1], b[::-1], strict=False), 1):
        if m != n and 1 not in (m, n):
            raise RuntimeError(
                f"{op_name}: The size of tensor a ({m}) must match the size of tensor b ({n}) at non-singleton dimension "
                f"{ndim - back}: batches of shapes {list(a)} and {list(b)} do not broadcast"
            )


def sample_matrix(t, *batch, n=3):
    """A sample matrix far from singular: its diagonal is large."""
    return t(*batch, n, n).diagonal_scatter(t(*batch, n, low=5, high=8), 0, -2, -1)
