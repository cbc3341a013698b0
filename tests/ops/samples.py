"""The maker of sample inputs, which the table's ``samples=`` and ``errors=`` get as ``t``, and the standard samples.

Numbers are drawn at random but with a seed, no two of one tensor are near each other, and none is near a multiple of one
half, so that finite differences step over no tie and no kink.
"""

import math

import numpy as np

import pullback
from pullback.ops.table import Op

KINKS = 0.5  # relu, floor, round, hardtanh and their like have theirs at multiples of this
AWAY = 0.02


class Maker:
    """Makes tensors: ``t(3, 4)`` floating ones in (low, high), ``t.integers(low, high, *shape)``, ``t.bools(*shape)``.

    Tensors of the default dtype, float64, stand for every dtype: tests make float32, complex and integer tensors of
    them. One that is made with a ``dtype=`` keeps it.
    """

    def __init__(self, seed):
        self.rng = np.random.default_rng(seed)

    def __call__(self, *shape, low=-2.0, high=2.0, dtype=None):
        values = self.spread(math.prod(shape_of(shape)), low, high)
        return pullback.tensor(values.reshape(shape_of(shape)), dtype=named(dtype or "float64"))

    def spread(self, n, low, high):
        """``n`` numbers, one in each of ``n`` equal parts of the interval, in random order, off the kinks."""
        width = (high - low) / max(n, 1)
        values = low + width * (self.rng.permutation(n) + self.rng.uniform(0.25, 0.75, n))
        nearest = np.round(values / KINKS) * KINKS
        margin = min(AWAY, width / 8)
        side = np.where(values < nearest, -1.0, 1.0)
        return np.where(np.abs(values - nearest) < margin, nearest + side * margin, values)

    def integers(self, low, high, *shape, dtype="int64"):
        """Integers from ``low`` up to, not including, ``high``."""
        return pullback.tensor(self.rng.integers(low, high, shape_of(shape)), dtype=named(dtype))

    def bools(self, *shape):
        """Booleans, both kinds among them where there is more than one."""
        values = self.rng.permutation(np.arange(math.prod(shape_of(shape))) % 2 == 0)
        return pullback.tensor(values.reshape(shape_of(shape)), dtype=pullback.bool)

    def permutation(self, n):
        """The integers below ``n`` in random order."""
        return pullback.tensor(self.rng.permutation(n), dtype=pullback.int64)

    def complex(self, *shape):
        """Complex numbers with parts in (-2, 2)."""
        real, imag = (self.spread(math.prod(shape_of(shape)), -2, 2).reshape(shape_of(shape)) for _ in range(2))
        return pullback.tensor(real + 1j * imag, dtype=pullback.complex128)


def shape_of(shape):
    return tuple(shape[0]) if len(shape) == 1 and isinstance(shape[0], (tuple, list)) else shape


def named(dtype):
    return getattr(pullback, dtype) if isinstance(dtype, str) else dtype


def samples_of(op: Op, t):
    """The sample calls of an operation, a list of (args, kwargs); empty where there are none."""
    if op.samples is not None:
        return list(op.samples(t))
    if not is_elementwise(op):
        return []
    return [*ELEMENTWISE.get(len(op.operands), broadcast_samples)(op, t), *reflected_samples(op, t)]


def is_elementwise(op):
    return op.broadcasts or (op.batch == "elementwise" and len(op.params) - len(op.defaults) == 1)


def unary_samples(op, t):
    return [((operand(op, t, 0, shape),), {}) for shape in ((), (3,), (2, 3), (0,), (2, 0, 3))]


def binary_samples(op, t):
    shapes = [
        ((2, 3), (2, 3)),
        ((2, 3), (3,)),
        ((3,), (2, 1)),
        ((2, 3), ()),
        ((), (3,)),
        ((), ()),
        ((0,), (0,)),
        ((2, 0), (1,)),
    ]
    return [((operand(op, t, 0, a), operand(op, t, 1, b)), {}) for a, b in shapes] + scalar_samples(op, t)


def scalar_samples(op, t):
    """A Python number in the place of the second operand."""
    low, high = interval(op)
    values = [0.75 * high + 0.25 * low + 0.0625, max(1, math.ceil(low))]
    return [((operand(op, t, 0, (2, 3)), value), {}) for value in values if low <= value <= high]


def broadcast_samples(op, t):
    n = len(op.operands)
    shapes = [[(2, 3)] * n, [(3,), *[(2, 1)] * (n - 1)], [(2, 3), *[()] * (n - 1)], [()] * n, [(2, 0)] * n]
    return [(tuple(operand(op, t, i, s) for i, s in enumerate(each)), {}) for each in shapes]


ELEMENTWISE = {1: unary_samples, 2: binary_samples}
REFLECTED = ("add", "sub", "mul", "div", "pow", "remainder", "floor_divide")


def reflected_samples(op, t):
    """A Python number in the place of the first operand, where there is an operator that puts it there."""
    return [((2.25, operand(op, t, 1, (2, 3))), {})] if op.name in REFLECTED and len(op.operands) == 2 else []


def operand(op, t, position, shape):
    name = op.operands[position]
    if name in ("condition", "mask"):
        return t.bools(*shape)
    low, high = interval(op)
    return t(*shape, low=low, high=high)


def interval(op):
    """Where an operation's operands may lie, cut off where it is unbounded."""
    low, high = op.domain or (None, None)
    if low is None or low == -math.inf:
        low = -2.0 if high is None or high > -1 else high - 4
    if high is None or high == math.inf:
        high = max(low + 3, 2.0)
    return low, high
