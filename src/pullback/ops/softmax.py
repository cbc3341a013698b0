"""Sums of exponentials: ``logsumexp``, ``softmax`` and their like, as formulas that cannot overflow.

Each formula first takes the largest element away. That changes no result, so it is a constant to every derivative.
"""

from math import inf

from ..dtypes import float64
from ..source import warn_user
from .batching import shifted
from .checks import BOOL, FLOATING, dim, dtype_or_none, flag, reduced_dims
from .losses import in_single
from .reductions import INTERNAL, along, count
from .table import FLOATING as TO_FLOATING
from .table import composite, op

op(
    "peak(input, dim)",
    "The largest real part over ``dim``, which is kept: a constant for every derivative. ``-inf`` of no elements.",
    operands=("input",),
    batch=shifted("dim", whole=True),
    samples=lambda t: [((t(2, 3), 1), {}), ((t(2, 3), (0, 1)), {}), ((t(), None), {}), ((t(0, 3), 0), {})],
    **INTERNAL,
)
op(
    "log_of_sum(input, dim)",
    "The logarithm of the sum over ``dim``, which is kept, exact also where all but a one among the elements is tiny.",
    vjp={
        "input": lambda xp, grad, input, dim, input_shape: xp.expand(
            grad / xp.conj(xp.sum(input, dim, True)), input_shape
        )
    },
    jvp={"input": lambda xp, tangent, input, dim: xp.sum(tangent, dim, True) / xp.sum(input, dim, True)},
    operands=("input",),
    batch=shifted("dim", whole=True),
    samples=lambda t: [
        ((t(*shape, low=0.3, high=3), dim), {}) for shape, dim in (((2, 3), 1), ((2, 3), (0, 1)), ((), None))
    ],
    **INTERNAL,
)


def without(shape, dim):
    """A shape without some of its dimensions, or without all."""
    left_out = range(len(shape)) if dim is None else dim if isinstance(dim, tuple) else (dim,)
    return tuple(size for d, size in enumerate(shape) if d not in left_out)


def formula_logsumexp(xp, input, dim, keepdim=False):
    if not count(input.shape, dim):
        return xp.sub(xp.sum(input, dim, keepdim), inf)
    peak = xp.peak(input, dim)
    peak = xp.where(xp.isinf(peak), 0, peak)  # infinities are left in place: exp(-inf - -inf) would be NaN
    result = xp.log_of_sum(xp.exp(input - peak), dim) + peak
    return result if keepdim else xp.reshape(result, without(input.shape, dim))


def prepare_logsumexp(input, dim, keepdim):
    flag("logsumexp", "keepdim", keepdim)
    return input, reduced_dims("logsumexp", dim, input.ndim), keepdim


composite(
    "logsumexp(input, dim, keepdim=False)",
    "The logarithm of the sum of exponentials over ``dim``, computed without overflow; ``-inf`` of no elements.",
    formula_logsumexp,
    types=TO_FLOATING,
    operands=("input",),
    prepare=prepare_logsumexp,
    homes=("torch", "special"),
    out=True,
    samples=lambda t: [
        ((t(2, 3, 4), 1), {}),
        ((t(2, 3, 4), (0, -1), True), {}),
        ((t(), 0), {}),
        ((t(0, 3), 0), {}),
        ((t(0, 3), 1), {}),
        ((t.integers(0, 9, 4), 0), {}),
    ],
    errors=lambda t: [((t(2, 3), 2), {}, IndexError), ((t(2, 3), (1, 1)), {}, RuntimeError)],
)


def implicit_dim(name, ndim):
    """PyTorch's old choice of the dimension for a call that names none, with its warning."""
    warn_user(
        f"Implicit dimension choice for {name} has been deprecated. Change the call to include dim=X as an argument."
    )
    return 0 if ndim in (0, 1, 3) else 1


def prepare_softmax(name):
    def prepare(input, d, _stacklevel, dtype):
        if hasattr(_stacklevel, "category"):  # torch.softmax takes the dtype in this place
            _stacklevel, dtype = 3, _stacklevel
        dtype_or_none(name, dtype)
        if name == "softmin" and input.dtype.category == BOOL:
            raise RuntimeError(
                "softmin: Negation, the `-` operator, on a bool tensor is not supported; convert it first"
            )
        if (input.dtype if dtype is None else dtype).category != FLOATING:
            raise NotImplementedError(
                f"{name}: not implemented for {dtype or input.dtype}; pass a floating dtype, as in dtype=torch.float32"
            )
        d = implicit_dim(name, input.ndim) if d is None else d
        return input, dim(name, d, input.ndim), _stacklevel, dtype

    return prepare


def softmax_like(name, doc, formula, homes, **fields):
    """An operation of the softmax family, with the signature of ``nn.functional``."""

    computed = in_single(formula)

    def cast_first(xp, input, dim, _stacklevel=3, dtype=None):
        return computed(xp, input if dtype is None else xp.cast(input, dtype), along(input, dim))

    return composite(
        f"{name}(input, dim=None, _stacklevel=3, dtype=None)",
        doc,
        cast_first,
        operands=("input",),
        prepare=prepare_softmax(name),
        homes=homes,
        samples=lambda t: [
            ((t(2, 3, 4), 1), {}),
            ((t(2, 3), -1), {}),
            ((t(5), 0), {}),
            ((t(), 0), {}),
            ((t(0, 3), 0), {"dtype": float64}),
            ((t(0, 3), 1), {"dtype": float64}),
        ],
        errors=lambda t: [((t(2, 3), 2), {}, IndexError), ((t.integers(0, 9, 3), 0), {}, RuntimeError)],
        **fields,
    )


def formula_softmax(xp, input, dim):
    powers = xp.exp(input - xp.peak(input, dim))
    return powers / xp.sum(powers, dim, True)


def formula_log_softmax(xp, input, dim):
    if not count(input.shape, dim):
        return xp.exp(input)  # of no elements either
    shifted_input = input - xp.peak(input, dim)
    return shifted_input - xp.log_of_sum(xp.exp(shifted_input), dim)


def pull_softmax(xp, grad, result, dim, input_dtype):
    flow = result * grad
    return xp.cast(flow - result * xp.sum(flow, dim_of(result, dim), True), input_dtype)


def pull_log_softmax(xp, grad, result, dim, input_dtype):
    return xp.cast(grad - xp.exp(result) * xp.sum(grad, dim_of(result, dim), True), input_dtype)


def dim_of(value, dim):
    """The dimension to sum over; a zero-dim tensor has one in name only."""
    return dim if value.ndim else None


PUBLIC = ("torch", "nn.functional", "special")
softmax_like(
    "softmax",
    "The exponentials along a dimension, divided by their sum. ``dtype`` is cast to first.",
    formula_softmax,
    PUBLIC,
    out=True,
    vjp={"input": pull_softmax},  # the formula's own would compute the result again
)
softmax_like(
    "log_softmax",
    "The logarithm of :func:`softmax`, computed without overflow. ``dtype`` is cast to first.",
    formula_log_softmax,
    PUBLIC,
    out=True,
    vjp={"input": pull_log_softmax},
)
softmax_like(
    "softmin",
    "The :func:`softmax` of ``-input``. ``dtype`` is cast to first.",
    lambda xp, input, dim: formula_softmax(xp, -input, dim),
    ("nn.functional",),
    method=False,
    node="SoftmaxBackward0",
)
