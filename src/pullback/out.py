"""``out=``: results stored in the tensors that a caller passed.

A tensor of another shape takes new memory, of another dtype what can be cast to it. Nothing is written before all of it is
checked. Invariant: no tensor that is written here, nor what is written, has a history.
"""

from typing import Any

import numpy as np

from .forms import resized, take_memory
from .ops.table import KEEP, TABLE
from .source import warn_user
from .tape import inplace
from .tape.promotion import dtype_of
from .tape.value import Tensor

# Where it is not the table's `types` that says whether a result is cast to the dtype of `out`.
CAST = {
    "cholesky", "cholesky_inverse", "cholesky_solve", "cumprod", "cumsum", "geqrf", "linalg_cond", "linalg_householder_product",
    "nanmean", "nansum", "orgqr", "threshold",
}  # fmt: skip
NOT_CAST = {
    "bitwise_not", "bucketize", "ceil", "clamp", "diag", "expand_copy", "floor", "frac", "frobenius_norm",
    "heaviside", "histc", "inner", "inverse", "isneginf", "isposinf", "lerp", "linalg_inv", "linalg_matrix_norm",
    "linalg_norm", "linalg_solve", "linalg_solve_triangular", "linear", "matmul", "nan_to_num", "neg", "nonzero",
    "norm", "nuclear_norm", "round", "scatter", "searchsorted", "sgn", "sign", "signbit", "slice_copy",
    "squeeze_copy", "tensordot", "trunc", "vecdot", "view_copy", "where",
}  # fmt: skip


def is_exact(record: Any) -> bool:
    """Whether ``out`` must have the result's own dtype: so it is where the operands keep theirs."""
    if getattr(record, "types", None) == KEEP:
        return record.name not in CAST
    return record.name in NOT_CAST


def write_out(out: Any, result: Any, exact: bool = False) -> Any:
    """Store a result in the tensor that the caller passed, or several results in several tensors; returns what was passed.

    Results are cast to the dtype of ``out`` where that loses no kind of number, unless they must be ``exact``.

    Raises:
        RuntimeError: a tensor or a result requires grad, or the result cannot be cast to the tensor's dtype.
        TypeError: there are not as many tensors as results.
    """
    if not isinstance(result, tuple):
        return write_all([out], [result], exact)[0]
    if not isinstance(out, (tuple, list)):
        raise TypeError(f"argument 'out' must be tuple of Tensors, not {type(out).__name__}")
    if len(out) != len(result):
        raise TypeError(f"expected tuple of {len(result)} elements but got {len(out)} in argument 'out'")
    written = write_all(list(out), list(result), exact)
    return type(result)(*written) if hasattr(result, "_fields") else tuple(written)


def write_all(outs: list, results: list, exact: bool) -> list:
    for out, result in zip(outs, results, strict=True):
        check_out(out, result, exact)
    for out, result in zip(outs, results, strict=True):
        if tuple(out.shape) != tuple(result.shape):
            take_shape(out, tuple(result.shape))
        inplace.write(TABLE["copy"], (out, result))
    return outs


def check_out(out: Any, result: Any, exact: bool) -> None:
    if not isinstance(out, Tensor):
        raise TypeError(f"argument 'out' must be Tensor, not {type(out).__name__}")
    if out.requires_grad or getattr(result, "requires_grad", False):  # type: ignore[attr-defined]
        raise RuntimeError(
            "functions with out=... arguments don't support automatic differentiation, but one of the arguments requires "
            "grad. Compute under torch.no_grad(), or without out="
        )
    given, wanted = dtype_of(result._data), dtype_of(out._data)
    if exact and given is not wanted:
        raise RuntimeError(f"Expected out tensor to have dtype {given}, but got {wanted} instead")
    if given.category > wanted.category:
        raise RuntimeError(f"result type {given._word} can't be cast to the desired output type {wanted._word}")


def take_shape(out: Any, shape: tuple[int, ...]) -> None:
    """Give a tensor the shape of a result, as PyTorch does, with its warning where the tensor has elements."""
    if type(out._data) is not np.ndarray:
        raise RuntimeError(
            f"out has shape {list(out.shape)}, the result {list(shape)}; a value of a transform cannot change it"
        )
    if out._data.size:
        warn_user(
            f"An output with one or more elements was resized since it had shape {list(out.shape)}, which does not match "
            f"the required output shape {list(shape)}. This behavior is deprecated; pass a tensor of that shape, or one "
            "without elements.",
            UserWarning,
        )
    take_memory(out, resized(out._data, shape))
