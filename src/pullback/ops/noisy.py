"""Activations that draw random numbers: ``rrelu`` and ``gumbel_softmax``. Their noise is drawn by operations of its own."""

from ..source import warn_user
from .activation import FUNCTIONAL
from .sampling import each_element
from .steps import INTERNAL, need_tensors, perform
from .table import KEEP, TABLE, elementwise, op, overload

slopes = op(
    "random_slopes(input, lower, upper, generator=None)",
    "One where the input is positive, and elsewhere a number of [lower, upper).",
    operands=("input",),
    batch=each_element,
    samples=lambda t: [],
    **INTERNAL,
)

bent = elementwise(
    "sloped(input, noise)",
    "The input times the slopes that were drawn for it.",
    vjp={"input": lambda xp, grad, input, noise: xp.tied(grad, input) * noise},
    jvp={"input": lambda xp, tangent, noise: tangent * noise},
    types=KEEP,
    operands=("input",),
    real=True,
    node="RreluWithNoiseBackward0",
    samples=lambda t: [((t(2, 3), t(2, 3)), {}), ((t(), t()), {}), ((t(0), t(0)), {})],
    **INTERNAL,
)


def bent_line(name, input, lower, upper, training, inplace, generator=None):
    """The operation that is left to do once the slopes are drawn, or taken to be the mean where not in training."""
    need_tensors(name, input=input)
    if not input.dtype.is_floating_point or (training and input.dtype.itemsize == 2):
        raise NotImplementedError(f'"{name}" not implemented for {input.dtype}; expected float32 or float64')
    if lower > upper:
        raise RuntimeError(
            f"{name}: Lower bound should be less than or equal to the upper bound, got {lower} and {upper}"
        )
    still = input.detach()
    if training:
        noise = perform(slopes, still, lower, upper, generator)
    else:
        noise = perform(TABLE["where"], still > 0, 1.0, (lower + upper) / 2).to(input.dtype)
    return bent, (input, noise), inplace


DOC = (
    "The input where it is positive, and elsewhere its product with a slope that is drawn from [lower, upper) for each "
    "element in training, and else is the mean of the two."
)
RANGE = "lower=0.125, upper=0.3333333333333333, training=False"
overload(f"rrelu(input, {RANGE}, inplace=False)", DOC, lambda *args: bent_line("rrelu", *args), **FUNCTIONAL)
overload(
    f"rrelu_in_torch(input, {RANGE}, generator=None)",
    DOC,
    lambda input, low, high, training, generator: bent_line("rrelu", input, low, high, training, False, generator),
    method=False,
    homes=("torch:rrelu",),
)
overload(
    f"rrelu_(input, {RANGE}, generator=None)",
    f"In-place form of :func:`rrelu`. {DOC}",
    lambda input, low, high, training, generator: bent_line("rrelu_", input, low, high, training, True, generator),
    method=False,
    homes=("torch", "nn.functional"),
)


def choose_gumbel_softmax(logits, tau, hard, eps, dim):
    need_tensors("gumbel_softmax", logits=logits)
    if eps != 1e-10:
        warn_user("`eps` parameter is deprecated and has no effect.")
    noise = -perform(TABLE["exponential"], logits.detach(), 1.0, None).log()
    soft = ((logits + noise) / tau).softmax(dim)
    if not hard:
        return None, soft
    one = perform(TABLE["zeros_like"], soft.detach()).scatter(dim, soft.detach().argmax(dim, True), 1.0)
    return None, one - soft.detach() + soft


overload(
    "gumbel_softmax(logits, tau=1, hard=False, eps=1e-10, dim=-1)",
    "The softmax of logits with Gumbel noise, divided by the temperature ``tau``: samples of classes, as probabilities "
    "along ``dim``. With ``hard`` a one stands at the most probable class, and gradients are those of the probabilities. "
    "Jang et al., Categorical Reparameterization with Gumbel-Softmax (2017).",
    choose_gumbel_softmax,
    **FUNCTIONAL,
)
