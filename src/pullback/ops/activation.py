"""Activation functions. Most are formulas over other operations, declared as such, and have no rules of their own.

A formula must be safe for numbers of any size, in value and derivatives: what a condition leaves out has to be finite,
since derivatives multiply it by zero. At kinks they have PyTorch's derivatives.
"""

import math
from typing import Any

from ..dtypes import float32
from .batching import full_batch
from .checks import dim as checked_dim
from .complex_numbers import HIDDEN
from .table import FLOATING, composite, elementwise, op, overload

FUNCTIONAL: dict[str, Any] = {"homes": ("nn.functional",), "method": False}
BOTH = ("torch", "nn.functional")


def in_single(formula):
    """The formula, computed in float32 for tensors of half precision, and rounded once."""

    def computed(xp, input, *args):
        if input.dtype.itemsize != 2:
            return formula(xp, input, *args)
        return xp.cast(formula(xp, xp.cast(input, float32), *args), input.dtype)

    return computed


def floating_only(name, categories=(2,)):
    """What raises NotImplementedError for tensors of other dtypes, which PyTorch does not have the function for."""

    def check(input, *rest):
        if input.dtype.category not in categories:
            raise NotImplementedError(f'"{name}" not implemented for {input.dtype}; expected a floating-point tensor')
        return (input, *rest)

    return check


def activation(signature, doc, formula, **fields):
    """Declare a formula on floating-point tensors."""
    name = signature.split("(")[0]
    fields = {"prepare": floating_only(name), "samples": of_shapes(), "errors": not_floating} | fields
    return composite(signature, doc, in_single(formula), **fields)


def with_inplace(op, signature):
    """Declare the form in ``nn.functional``, whose last parameter says whether to write into the input."""
    doc = f"{op.doc} With ``inplace=True`` the result is written into ``input``."
    overload(signature, doc, lambda *args: (op, args[:-1], args[-1]), **FUNCTIONAL)


def writing(op, homes=("nn.functional",)):
    """Declare the function with a trailing underscore, which writes into its input."""
    doc = f"In-place form of :func:`{op.name}`. {op.doc}"
    overload(f"{op.name}_{op.signature}", doc, lambda *args: (op, args, True), method=False, homes=homes)


def of_shapes(*options):
    """Sample calls on tensors of several shapes, and with options."""

    def samples(t):
        plain = [((t(*shape, low=-4, high=4),), {}) for shape in ((), (3,), (2, 3), (2, 0, 3))]
        return plain + [((t(2, 4, low=-4, high=4),), kwargs) for kwargs in options]

    return samples


def not_floating(t):
    return [((t.integers(0, 9, 3),), {}, NotImplementedError)]


# -- pieces of lines ---------------------------------------------------------------------------------------------------

op(
    "tied(input, other)",
    "The input; its derivative by ``other`` is zero, but not missing: so are second derivatives of pieces of lines.",
    vjp={"input": lambda xp, grad: grad, "other": lambda xp, grad, other: xp.zeros_like(other)},
    jvp={"input": lambda xp, tangent: tangent, "other": lambda xp, tangent, input: xp.zeros_like(input)},
    batch=lambda xp, op, args, batched, size: full_batch(xp, args[0], batched[0], size),
    method=False,
    function=False,
    samples=lambda t: [((t(2, 3), t(2, 3)), {}), ((t(), t()), {}), ((t(0, 3), t(0, 3)), {})],
)

relu = elementwise(
    "relu(input)",
    "The input where it is positive, and zero elsewhere; the derivative at zero is zero.",
    vjp={"input": lambda xp, grad, result: xp.where(result <= 0, 0, xp.tied(grad, result))},
    jvp={"input": lambda xp, tangent, result: xp.where(result <= 0, 0, tangent)},
    real=True,
    inplace=True,
    errors=lambda t: [((t.bools(3),), {}, RuntimeError), ((t.complex(3),), {}, RuntimeError)],
)
with_inplace(relu, "relu(input, inplace=False)")
writing(relu, BOTH)


def bent(xp, tangent, input, negative_slope):
    return xp.where(input > 0, tangent, tangent * negative_slope)


leaky_relu = elementwise(
    "leaky_relu(input, negative_slope=0.01)",
    "The input where it is positive, and ``negative_slope * input`` elsewhere, also in the derivative at zero.",
    vjp={"input": lambda xp, grad, input, negative_slope: bent(xp, xp.tied(grad, input), input, negative_slope)},
    jvp={"input": bent},
    real=True,
    samples=of_shapes({"negative_slope": 0.25}, {"negative_slope": -0.5}),
    errors=not_floating,
    **HIDDEN,
)
with_inplace(leaky_relu, "leaky_relu(input, negative_slope=0.01, inplace=False)")
writing(leaky_relu)


def is_cut(input, min_val, max_val):
    return (input <= min_val) | (input >= max_val)


def check_hardtanh(input, min_val, max_val):
    if min_val > max_val:
        raise ValueError(f"hardtanh: min_val cannot be greater than max_val, got {min_val} and {max_val}")
    if input.dtype.category == 1 and not input.dtype.is_signed and int(min_val) < 0:
        raise RuntimeError(
            f"cannot do hardtanh on an unsigned type with negative limits, got {min_val} for {input.dtype}"
        )
    return input, min_val, max_val


hardtanh = elementwise(
    "hardtanh(input, min_val=-1.0, max_val=1.0)",
    "The input cut off at two limits, where the derivative is zero.",
    vjp={
        "input": lambda xp, grad, input, min_val, max_val: xp.where(
            is_cut(input, min_val, max_val), 0, xp.tied(grad, input)
        )
    },
    jvp={"input": lambda xp, tangent, input, min_val, max_val: xp.where(is_cut(input, min_val, max_val), 0, tangent)},
    real=True,
    prepare=check_hardtanh,
    samples=of_shapes({"min_val": -0.25, "max_val": 2.25}, {"max_val": 3}),
    errors=lambda t: [((t.bools(3),), {}, RuntimeError), ((t(3), 1.0, -1.0), {}, ValueError)],
    **HIDDEN,
)
with_inplace(hardtanh, "hardtanh(input, min_val=-1.0, max_val=1.0, inplace=False)")
writing(hardtanh)
overload(
    "relu6(input, inplace=False)",
    "The input cut off at 0 and 6, where the derivative is zero. With ``inplace=True`` it is written into ``input``.",
    lambda input, inplace: (hardtanh, (input, 0.0, 6.0), inplace),
    **FUNCTIONAL,
)


def check_threshold(input, threshold, value):
    if input.dtype.category not in (1, 2):
        raise NotImplementedError(f'"threshold" not implemented for {input.dtype}; expected real numbers')
    return input, threshold, int(value) if input.dtype.category == 1 else value


threshold = composite(
    "threshold(input, threshold, value)",
    "The input where it is above ``threshold``, and ``value`` elsewhere.",
    lambda xp, input, threshold, value: xp.where(input <= threshold, value, input),
    operands=("input",),
    method=False,
    prepare=check_threshold,
    out=True,
    samples=lambda t: (
        [((t(*shape), 0.25, 9.5), {}) for shape in ((), (2, 3), (0, 2))] + [((t.integers(-9, 9, 5), 1, 2), {})]
    ),
    errors=lambda t: [((t.bools(3), 0, 1), {}, NotImplementedError)],
)
with_inplace(threshold, "threshold(input, threshold, value, inplace=False)")
writing(threshold, BOTH)

hardshrink = activation(
    "hardshrink(input, lambd=0.5)",
    "The input where it is beyond ``-lambd`` or ``lambd``, and zero between and on them.",
    lambda xp, input, lambd: xp.where((input >= -lambd) & (input <= lambd), 0, input),
    homes=BOTH,
    out=True,
    samples=of_shapes({"lambd": 1.25}),
)


def check_lambd(input, lambd):
    if lambd < 0:
        raise RuntimeError(f"softshrink: lambda must be greater than or equal to 0, but found {lambd}")
    return floating_only("softshrink")(input, lambd)


softshrink = activation(
    "softshrink(input, lambd=0.5)",
    "The input moved towards zero by ``lambd``, and zero where that would lead past it.",
    lambda xp, input, lambd: input - xp.clamp(input, -lambd, lambd),
    prepare=check_lambd,
    samples=of_shapes({"lambd": 1.25}),
    errors=lambda t: [((t(3), -1.0), {}, RuntimeError), ((t.integers(0, 9, 3),), {}, NotImplementedError)],
    out=True,
    **FUNCTIONAL,
)
hardsigmoid = activation(
    "hardsigmoid(input)",
    "The line ``input / 6 + 1 / 2`` cut off at 0 and 1, where the derivative is zero.",
    lambda xp, input: xp.hardtanh(input + 3, 0.0, 6.0) / 6,
    **HIDDEN,
)
with_inplace(hardsigmoid, "hardsigmoid(input, inplace=False)")
hardswish = activation(
    "hardswish(input)",
    "The product of the input and its ``hardsigmoid``.",
    lambda xp, input: input * xp.hardtanh(input + 3, 0.0, 6.0) / 6,
    **HIDDEN,
)
with_inplace(hardswish, "hardswish(input, inplace=False)")


def check_prelu(input, weight):
    """Raise RuntimeError unless there is one weight, or one for each channel."""
    if weight.dtype is not input.dtype:
        raise RuntimeError(f"prelu: Type promoting not supported. Got {input.dtype} and {weight.dtype}")
    if weight.ndim > 1:
        raise RuntimeError(f"prelu: Expected `weight` to be a scalar or 1D tensor, but got: ndim = {weight.ndim}")
    channels = input.shape[1] if input.ndim > 1 else 1
    if weight.ndim and weight.shape[0] not in (1, channels):
        raise RuntimeError(
            "prelu: Mismatch of parameter numbers and input channel size. Found parameter numbers = "
            f"{weight.shape[0]} and channel size = {channels}."
        )
    return floating_only("prelu")(input, weight)


def per_channel(xp, weight, ndim):
    """Weights in the shape in which they broadcast against an input whose second dimension is that of the channels."""
    shape = (1, -1, *[1] * (ndim - 2)) if ndim > 1 else (1,) * ndim
    size = weight.shape[0] if weight.ndim else 1
    return xp.reshape(weight, tuple(size if n == -1 else n for n in shape))


activation(
    "prelu(input, weight)",
    "The input where it is positive, and elsewhere its product with ``weight``: one number, or one for each channel.",
    lambda xp, input, weight: xp.where(input > 0, input, per_channel(xp, weight, input.ndim) * input),
    node="PreluKernelBackward0",
    homes=BOTH,
    prepare=check_prelu,
    samples=lambda t: [
        ((t(2, 3, 4), t(3)), {}),
        ((t(2, 3), t(1)), {}),
        ((t(2, 3), t()), {}),
        ((t(3), t(1)), {}),
        ((t(), t(1)), {}),
        ((t(0, 3), t(3)), {}),
    ],
    errors=lambda t: [
        ((t(2, 3), t(2)), {}, RuntimeError),
        ((t(2, 3), t(3, 1)), {}, RuntimeError),
        ((t(2, 3), t(3, dtype="float32")), {}, RuntimeError),
    ],
)

# -- exponentials ------------------------------------------------------------------------------------------------------


def exponential_unit(xp, input, alpha, scale):
    """The input where it is positive, and ``alpha * (exp(input / scale) - 1)`` elsewhere."""
    is_positive = input > 0
    negative = xp.where(is_positive, 0, input)  # never a large exponent
    return xp.where(is_positive, input, alpha * xp.expm1(negative if scale == 1 else negative / scale))


def scaled_unit(xp, input, alpha, scale, input_scale):
    unit = exponential_unit(xp, input, alpha, 1 / input_scale)
    return unit if scale == 1 else scale * unit


elu = activation(
    "elu(input, alpha=1.0, scale=1.0, input_scale=1.0)",
    "The input where it is positive, and ``alpha * (exp(input * input_scale) - 1)`` elsewhere, by ``scale``.",
    scaled_unit,
    samples=of_shapes({"alpha": 0.5}, {"scale": 1.5, "input_scale": 0.75}),
    **HIDDEN,
)
overload(
    "elu(input, alpha=1.0, inplace=False)",
    "The input where it is positive, and ``alpha * (exp(input) - 1)`` elsewhere. With ``inplace=True`` the result is "
    "written into ``input``.",
    lambda input, alpha, inplace: (elu, (input, alpha, 1.0, 1.0), inplace),
    **FUNCTIONAL,
)
writing(elu)

# The fixed point of mean 0 and variance 1, in Klambauer et al., Self-Normalizing Neural Networks (2017).
SELU_ALPHA, SELU_SCALE = 1.6732632423543772848, 1.0507009873554804934
selu = activation(
    "selu(input)",
    "``elu`` scaled so that it keeps mean 0 and variance 1 from layer to layer.",
    lambda xp, input: SELU_SCALE * exponential_unit(xp, input, SELU_ALPHA, 1),
    node="EluBackward0",
    method=False,
)
with_inplace(selu, "selu(input, inplace=False)")
writing(selu, BOTH)


def check_celu(input, alpha):
    if alpha == 0:
        raise RuntimeError("celu: ZeroDivisionError: alpha cannot be 0 for CELU")
    return floating_only("celu")(input, alpha)


celu = activation(
    "celu(input, alpha=1.0)",
    "The input where it is positive, and ``alpha * (exp(input / alpha) - 1)`` elsewhere: its derivative has no jump.",
    lambda xp, input, alpha: exponential_unit(xp, input, alpha, alpha),
    method=False,
    prepare=check_celu,
    samples=of_shapes({"alpha": 0.5}),
    errors=lambda t: [((t(3), 0.0), {}, RuntimeError), ((t.integers(0, 9, 3),), {}, NotImplementedError)],
)
with_inplace(celu, "celu(input, alpha=1.0, inplace=False)")
writing(celu, BOTH)


def softplus(xp, input, beta, threshold):
    if beta == 1:
        return xp.where(input > threshold, input, xp.logaddexp(input, 0))
    scaled = input * beta
    return xp.where(scaled > threshold, input, xp.logaddexp(scaled, 0) / beta)


activation(
    "softplus(input, beta=1.0, threshold=20.0)",
    "The smooth ``relu``, ``log(1 + exp(beta * input)) / beta``; the input itself where ``beta * input`` is above "
    "``threshold``.",
    softplus,
    samples=of_shapes({"beta": 2.0}, {"beta": 0.5, "threshold": 1.0}),
    out=True,
    **FUNCTIONAL,
)
activation(
    "logsigmoid(input)",
    "The logarithm of ``sigmoid(input)``, ``-log(1 + exp(-input))``.",
    lambda xp, input: -xp.logaddexp(-input, 0),
    node="LogSigmoidBackward0",
    out=True,
    **FUNCTIONAL,
)
silu = activation(
    "silu(input)",
    "The product of the input and its ``sigmoid``.",
    lambda xp, input: input * xp.sigmoid(input),
    prepare=floating_only("silu", (2, 3)),
    **HIDDEN,
)
with_inplace(silu, "silu(input, inplace=False)")
mish = activation(
    "mish(input)",
    "The product of the input and ``tanh(log(1 + exp(input)))``.",
    lambda xp, input: input * xp.tanh(xp.logaddexp(input, 0)),
    **HIDDEN,
)
with_inplace(mish, "mish(input, inplace=False)")

ROOT_HALF = math.sqrt(0.5)
ROOT_8_PI = math.sqrt(8 / math.pi)


def gelu(xp, input, approximate):
    """The exact form by ``erfc``, which keeps the digits of its left tail; the other by ``1 + tanh(u) = 2 sigmoid(2u)``."""
    if approximate == "none":
        return input * (0.5 * xp.erfc(input * -ROOT_HALF))
    near = xp.clamp(input, -30.0, 30.0)  # beyond, the sigmoid is 0 or 1, and its argument's derivatives would overflow
    return input * xp.sigmoid(ROOT_8_PI * (near + 0.044715 * near * near * near))


def check_gelu(input, approximate):
    if approximate not in ("none", "tanh"):
        raise RuntimeError(f"gelu: approximate argument must be either none or tanh, but got {approximate!r}")
    return floating_only("gelu")(input, approximate)


activation(
    "gelu(input, *, approximate='none')",
    "The product of the input and the normal distribution function; with ``approximate='tanh'``, Hendrycks and Gimpel's "
    "approximation of it (2016).",
    gelu,
    prepare=check_gelu,
    samples=of_shapes({"approximate": "tanh"}),
    errors=lambda t: [((t(3),), {"approximate": "x"}, RuntimeError), ((t.integers(0, 9, 3),), {}, NotImplementedError)],
    out=True,
    **FUNCTIONAL,
)

# -- and others --------------------------------------------------------------------------------------------------------

activation(
    "softsign(input)",
    "The quotient ``input / (1 + abs(input))``, between -1 and 1.",
    lambda xp, input: input / (1 + xp.abs(input)),
    types=FLOATING,
    node="DivBackward0",
    prepare=floating_only("softsign", (1, 2, 3)),
    errors=lambda t: [((t.bools(3),), {}, NotImplementedError)],
    **FUNCTIONAL,
)
activation(
    "tanhshrink(input)",
    "The difference ``input - tanh(input)``.",
    lambda xp, input: input - xp.tanh(input),
    types=FLOATING,
    node="SubBackward0",
    prepare=floating_only("tanhshrink", (1, 2, 3)),
    errors=lambda t: [((t.bools(3),), {}, RuntimeError)],
    **FUNCTIONAL,
)


def check_halves(input, dim):
    """Raise RuntimeError unless the dimension can be halved; return it non-negative."""
    if not input.ndim:
        raise RuntimeError("glu: glu does not support 0-dimensional tensors")
    dim = checked_dim("glu", dim, input.ndim)
    if input.shape[dim] % 2:
        raise RuntimeError(f"glu: Halving dimension must be even, but dimension {dim} is size {input.shape[dim]}")
    return floating_only("glu")(input, dim)


def glu(xp, input, dim):
    half = input.shape[dim] // 2
    return xp.slice(input, dim, 0, half, 1) * xp.sigmoid(xp.slice(input, dim, half, 2 * half, 1))


activation(
    "glu(input, dim=-1)",
    "The first half of the input along ``dim``, times the ``sigmoid`` of the second half.",
    glu,
    prepare=check_halves,
    samples=lambda t: [
        ((t(2, 4),), {}),
        ((t(4, 3), 0), {}),
        ((t(2, 4, 3), -2), {}),
        ((t(0, 2),), {}),
        ((t(2, 0),), {}),
    ],
    errors=lambda t: [((t(3),), {}, RuntimeError), ((t(4), 1), {}, IndexError), ((t(),), {}, RuntimeError)],
    **FUNCTIONAL,
)
