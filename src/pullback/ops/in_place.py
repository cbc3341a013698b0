"""In-place forms as functions: ``torch.abs_(x)`` is ``x.abs_()``. PyTorch has them for some operations, named here."""

from collections.abc import Callable
from typing import Any

from .table import OVERLOADS, TABLE, Op, overload

NAMES = (
    "abs", "acos", "acosh", "addmv", "arccos", "arccosh", "arcsin", "arcsinh", "arctan", "arctanh", "asin", "asinh",
    "atan", "atanh", "ceil", "celu", "clamp", "clamp_max", "clamp_min", "clip", "conj_physical", "cos", "cosh",
    "deg2rad", "embedding_renorm", "erf", "erfc", "exp", "exp2", "expm1", "fill", "fix", "floor", "frac", "gcd",
    "i0", "index_put", "lcm", "ldexp", "log", "log10", "log1p", "log2", "logit", "nan_to_num", "neg", "negative",
    "rad2deg", "reciprocal", "relu", "round", "rrelu", "rsqrt", "selu", "sigmoid", "sin", "sinc", "sinh", "sqrt",
    "square", "tan", "tanh", "threshold", "trunc", "xlogy", "zero",
)  # fmt: skip


def in_place(op: Op) -> Callable:
    def choose(*args: Any) -> tuple:
        return op, args, True

    return choose


for op in list(TABLE.values()):
    for name in (op.name, *op.aliases) if op.inplace else ():
        if name in NAMES and f"{name}_" not in OVERLOADS:
            doc = f"In-place form of :func:`{name}`. {op.doc}"
            overload(f"{name}_{op.signature}", doc, in_place(op), method=False)
