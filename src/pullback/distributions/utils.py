"""What distributions share: broadcasting of parameters, logits and probabilities, values computed when first asked for."""

from collections.abc import Callable
from numbers import Number
from typing import Any

import numpy as np

from .. import dtypes
from ..func.modules import debug_unwrap
from ..tape.modes import enable_grad
from ..tape.value import Tensor
from .functions import F

__all__ = [
    "broadcast_all", "clamp_probs", "euler_constant", "lazy_property", "logits_to_probs", "probs_to_logits",
    "tril_matrix_to_vec", "vec_to_tril_matrix"
]  # fmt: skip

euler_constant = 0.57721566490153286060


def broadcast_all(*values: Any) -> Any:
    """Numbers and tensors as tensors of one shape; numbers take the dtype of the first tensor, or the default."""
    if not all(isinstance(v, (Tensor, Number)) or hasattr(v, "__torch_function__") for v in values):
        raise ValueError(
            "Input arguments must all be instances of Number, torch.Tensor or objects implementing __torch_function__; "
            f"got {[type(v).__name__ for v in values]}"
        )
    tensors = [v for v in values if not isinstance(v, Number)]
    dtype = tensors[0].dtype if tensors else dtypes.get_default_dtype()
    if len(tensors) == len(values) and all(t.shape == tensors[0].shape for t in tensors):
        return tuple(tensors)
    return tuple(F.broadcast_tensors(*[F.tensor(v, dtype=dtype) if isinstance(v, Number) else v for v in values]))


def is_true_everywhere(condition: Any) -> bool:
    """Whether no element is false, in any element of a batch where a transform runs."""
    held = debug_unwrap(condition)._data
    return bool(held.all()) if isinstance(held, np.ndarray) else True


def finfo(value: Any) -> dtypes.finfo:
    return dtypes.finfo(value.dtype)


def sum_rightmost(value: Any, dims: int) -> Any:
    """The sum over the last dims, as many as given."""
    return value if not dims else value.reshape(*value.shape[: value.dim() - dims], -1).sum(-1)


def standard_normal(shape: Any, like: Any) -> Any:
    """Numbers of the standard normal distribution."""
    return F.normal(F.zeros(shape, dtype=like.dtype), F.ones(shape, dtype=like.dtype))


def _standard_normal(shape: Any, dtype: Any, device: Any) -> Any:  # by PyTorch's name and arguments, for libraries
    return F.normal(F.zeros(shape, dtype=dtype), F.ones(shape, dtype=dtype))


def unfilled(like: Any, shape: Any) -> Any:
    """A tensor to be filled at random: a batch where ``like`` is one, so that each of its elements draws for itself."""
    return F.zeros(shape, dtype=like.dtype) + like.detach()


def clamp_probs(probs: Any) -> Any:
    """Probabilities kept off zero and one by the precision of their dtype."""
    eps = finfo(probs).eps
    return probs.clamp(min=eps, max=1 - eps)


def logits_to_probs(logits: Any, is_binary: bool = False) -> Any:
    """Probabilities of log-odds (binary), or of unnormalised logarithms along the last dim."""
    return F.sigmoid(logits) if is_binary else F.softmax(logits, dim=-1)


def probs_to_logits(probs: Any, is_binary: bool = False) -> Any:
    """Log-odds of probabilities (binary), or their logarithms; clamped so that they are finite."""
    clamped = clamp_probs(probs)
    return F.log(clamped) - F.log1p(-clamped) if is_binary else F.log(clamped)


class lazy_property:
    """An attribute computed when it is first looked up, and kept; on the class, the descriptor itself."""

    def __init__(self, wrapped: Callable) -> None:
        self.wrapped = wrapped
        self.__doc__, self.__name__ = wrapped.__doc__, wrapped.__name__

    def __get__(self, instance: Any, owner: Any = None) -> Any:
        if instance is None:
            return self
        with enable_grad():
            value = self.wrapped(instance)
        setattr(instance, self.wrapped.__name__, value)
        return value


def vec_to_tril_matrix(vec: Any, diag: int = 0) -> Any:
    """A batch of vectors (..., k) as lower triangular matrices, filled row by row, up to diagonal ``diag``."""
    n = round((-(1 + 2 * diag) + ((1 + 2 * diag) ** 2 + 8 * vec.shape[-1] + 4 * abs(diag) * (diag + 1)) ** 0.5) / 2)
    rows, columns = F.tril_indices(n, n, diag)
    flat = F.zeros(*vec.shape[:-1], n * n, dtype=vec.dtype)
    places = (rows * n + columns).expand(vec.shape)
    return F.scatter(flat, -1, places, vec).reshape(*vec.shape[:-1], n, n)


def tril_matrix_to_vec(mat: Any, diag: int = 0) -> Any:
    """The elements of matrices (..., n, n) on and below diagonal ``diag``, row by row, as vectors."""
    n = mat.shape[-1]
    if diag < -n or diag >= n:
        raise ValueError(f"diag ({diag}) provided is outside [{-n}, {n - 1}].")
    rows, columns = F.tril_indices(n, n, diag)
    return mat[..., rows, columns]
