"""NumPy's kernels, one file a family. What NumPy lacks comes from SciPy, imported where it is first called."""

from . import (
    activation,
    arithmetic,
    arranging,
    comparison,
    complex_numbers,
    convolution,
    creation,
    dropout,
    elementwise,
    embedding,
    extremes,
    fourier,
    indexing,
    joining,
    losses,
    normalization,
    padding,
    pooling,
    products,
    reductions,
    rounding,
    sampling,
    scans,
    scatter,
    selection,
    shape,
    slicing,
    sorting,
    special,
    striding,
    systems,
    transposition,
)
from .registry import KERNELS

__all__ = ["KERNELS"]
