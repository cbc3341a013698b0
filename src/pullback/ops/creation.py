"""Constants that rules need: zeros, ones and a value like an operand, and indices.

They carry no derivative. What users call to create tensors is in ``pullback/creation.py``.
"""

from .shape import INTERNAL
from .table import op


def batch_zeros(xp, op, args, batched, size):
    return xp.new_zeros(args[0], (size, *args[1]))


zeros_like = op("zeros_like(input)", "Zeros of the input's shape and dtype.", batch="elementwise", **INTERNAL)
ones_like = op("ones_like(input)", "Ones of the input's shape and dtype.", batch="elementwise", **INTERNAL)
full_like = op(
    "full_like(input, value)",
    "One number everywhere, in the input's shape and dtype.",
    batch="elementwise",
    operands=("input",),
    samples=lambda t: [((t(2, 3), 2.5), {}), ((t(), -1), {}), ((t(0, 2), 1), {})],
    **INTERNAL,
)
detach = op(
    "detach(input)",
    "The input itself, as a constant of every transform.",
    batch="elementwise",
    **INTERNAL,
)
with_value = op(
    "with_value(input, value)",
    "The value, with the derivatives of the input: what the input is after a write that no derivative sees.",
    vjp={"input": lambda xp, grad: grad},
    jvp={"input": lambda xp, tangent: tangent},
    batch="elementwise",
    **INTERNAL,
)
new_zeros = op(
    "new_zeros(input, shape)",
    "Zeros of the input's dtype, in any shape.",
    batch=batch_zeros,
    operands=("input",),
    samples=lambda t: [((t(2, 3), (4,)), {}), ((t(2), ()), {}), ((t(), (0, 2)), {})],
    **INTERNAL,
)
arange = op(
    "arange(n)",
    "The integers from 0 up to, not including, ``n``, as int64.",
    operands=("n",),
    **INTERNAL,
)
