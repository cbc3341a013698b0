"""The namespace of ``torch.fft``: functions made from the table when they are first asked for, and those that make tensors."""

from typing import Any, Unpack

import numpy as np

from .arguments import Options, as_count, as_dtype, as_number, as_shape, made
from .creation import check_kind
from .dtypes import FLOATING, complex64, complex128
from .naming import served
from .tape.value import Tensor
from .tensor import fft_functions

__getattr__, __dir__ = served(fft_functions, globals())


def fftfreq(n: int, d: Any = 1.0, *, out: Any = None, dtype: Any = None, **options: Unpack[Options]) -> Tensor:
    """The frequencies of ``fft``'s result, in cycles per unit of the sample spacing ``d``: zero, the positive and the negative.

    >>> import pullback as torch
    >>> torch.fft.fftfreq(4)
    tensor([ 0.0000,  0.2500, -0.5000, -0.2500])
    """
    return frequencies("fftfreq", n, d, (as_count("fftfreq", "n", n) + 1) // 2, n, dtype, out, options)


def rfftfreq(n: int, d: Any = 1.0, *, out: Any = None, dtype: Any = None, **options: Unpack[Options]) -> Tensor:
    """The frequencies of ``rfft``'s result for ``n`` samples, in cycles per unit of the sample spacing ``d``.

    >>> import pullback as torch
    >>> torch.fft.rfftfreq(4)
    tensor([0.0000, 0.2500, 0.5000])
    """
    size = as_count("rfftfreq", "n", n) // 2 + 1
    return frequencies("rfftfreq", n, d, size, size, dtype, out, options)


def frequencies(name: str, n: int, d: Any, positive: int, size: int, dtype: Any, out: Any, options: Options) -> Tensor:
    """``size`` frequencies, of which the first ``positive`` ones are not negative."""
    kind = as_dtype(name, dtype)
    if kind.category < FLOATING:
        raise RuntimeError(f"{name} requires a floating point or complex dtype, but got {kind}")
    check_kind(name, kind, complex64, complex128)
    (size,) = as_shape(name, (size,))
    whole = np.arange(size)
    whole[positive:] -= n
    step = np.reciprocal(np.float64(n * as_number(name, "d", d, 2)))
    return made(name, whole.astype(kind.numpy) * step.astype(kind.numpy), options, out)
