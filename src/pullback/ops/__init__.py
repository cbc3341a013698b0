"""What each operation is: one file a family, entered in the table of ``table.py``."""

from . import (
    activation,
    arithmetic,
    arranging,
    attention,
    bags,
    bessel,
    cholesky,
    classification,
    comparison,
    complex_numbers,
    convolution,
    copies,
    creation,
    ctc,
    determinants,
    distances,
    dropout,
    einsum,
    elementwise,
    elimination,
    embedding,
    extremes,
    floating,
    folding,
    fourier,
    gamma,
    indexing,
    joining,
    least_squares,
    likelihoods,
    linear,
    losses,
    low_rank,
    margins,
    masking,
    matrices,
    moments,
    multihead,
    noisy,
    normalization,
    norms,
    numbered,
    orthogonal,
    padding,
    polynomials,
    pooling,
    positions,
    products,
    quantiles,
    recurrent,
    reductions,
    resampling,
    rnn,
    rounding,
    sampling,
    scans,
    scatter,
    scatter_reduce,
    searching,
    selection,
    shape,
    shuffling,
    slicing,
    softmax,
    sorting,
    special,
    spectral,
    spectrogram,
    striding,
    systems,
    transposition,
    writing,
)

from . import in_place  # after all others, of which it makes forms  # isort: skip
from .namespaces import OpNamespace
from .table import OVERLOADS, TABLE

__all__ = ["OVERLOADS", "TABLE"]


def __getattr__(name: str) -> OpNamespace:
    """To users, who know this package as ``torch.ops``: the custom operations of a namespace."""
    if name.startswith("_"):
        raise AttributeError(name)
    return OpNamespace(name)
