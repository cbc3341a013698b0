"""Type promotion: the one place where the operands of an operation take a common dtype.

Operands are cast before the operation's interpreter sees them, so kernels and rules meet one dtype only; the node
remembers the original (``Node.fix``), and the engine casts the gradient back. Python scalars stay Python scalars:
NumPy gives them the arrays' dtype, as PyTorch does within a category.
"""

from typing import Any

from numpy import ndarray

from .. import dtypes
from ..interpreters import values
from ..ops.table import FLOATING, Op


def promote(op: Op, raw: list) -> bool:
    """Cast the operands in ``raw`` to the dtype that the operation computes in; True where anything changed."""
    positions = [i for i, name in enumerate(op.params) if name in op.operands and raw[i] is not None]
    operands = [v for i in positions for v in (raw[i] if isinstance(raw[i], (list, tuple)) else (raw[i],))]
    target = compute_dtype(op, operands)
    if target is None:
        return False
    changed = False
    for i in positions:
        before = raw[i]
        raw[i] = [cast(v, target) for v in before] if isinstance(before, (list, tuple)) else cast(before, target)
        changed |= raw[i] is not before
    return changed


def compute_dtype(op: Op, operands: list) -> dtypes.dtype | None:
    """The common dtype of the operands, or None where all have it already."""
    entries = [entry(v) for v in operands]
    same = all(e[1] != "scalar" and e[0] is entries[0][0] for e in entries)
    target = entries[0][0] if same else dtypes.result_dtype(entries)
    if op.types is FLOATING and target.category < 2:
        return dtypes.get_default_dtype()
    return None if same else target


def entry(value: Any) -> tuple:
    """A value's dtype, and which weight it has in promotion."""
    if isinstance(value, (bool, int, float, complex)):
        return dtypes.of_scalar(value), "scalar"
    dtype = dtype_of(value)
    return dtype, "tensor" if value.ndim else "zero-dim"


def dtype_of(value: Any) -> dtypes.dtype:
    dtype = value.dtype
    return dtype if isinstance(dtype, dtypes.dtype) else dtypes.from_numpy(dtype)


def cast(value: Any, target: dtypes.dtype) -> Any:
    """The value in the target dtype; the value itself where it has it."""
    if isinstance(value, (bool, int, float)):
        return value
    if isinstance(value, complex):
        return value
    if type(value) is ndarray:
        return value if value.dtype == target.numpy else value.astype(target.numpy)
    return value if dtype_of(value) is target else values.cast(value, target)
