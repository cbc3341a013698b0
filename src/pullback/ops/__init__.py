"""What each operation is: one file a family, entered in the table of ``table.py``."""

from . import activation, arithmetic, arranging, comparison, complex_numbers, creation, einsum, elementwise, extremes, indexing, joining, linear, masking, matrices, moments, neural, padding, products, quantiles, reductions, rounding, sampling, scans, scatter, scatter_reduce, selection, shape, slicing, softmax, sorting, special, striding, transposition, writing  # noqa: F401  (each enters its operations)
from .table import OVERLOADS, TABLE

__all__ = ["OVERLOADS", "TABLE"]
