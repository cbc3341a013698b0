"""Operations with random results: sampling a distribution whose parameters are a tensor, and filling a tensor.

A random number does not depend on the values it replaces, nor (differentiably) on the parameters of its distribution:
all gradients are zeros, as in PyTorch. Only gamma and Dirichlet samples move with their parameters (``implicit.py``).
"""

from typing import Any

from .batching import full_batch, pad_dims
from .steps import perform
from .table import TABLE, op, overload

ZERO = {"input": lambda xp, grad: xp.zeros_like(grad)}
STILL = {"input": lambda xp, tangent: xp.zeros_like(tangent)}


def each_element(xp: Any, op: Any, args: list, batched: list, size: int) -> Any:
    """A batch is filled as a whole: every element of it gets numbers of its own."""
    input = full_batch(xp, args[0], batched[0], size)
    rest = [pad_dims(xp, a, input.ndim - 1) if b is True else a for a, b in zip(args[1:], batched[1:], strict=True)]
    return xp.call(op, (input, *rest))


def filling(signature: str, doc: str, **fields: Any) -> Any:
    """Declare an operation that exists in place only, and replaces its input by random numbers."""
    forms = {"function": False, "method": False, "inplace": True, "batch": each_element}
    return op(signature, doc, vjp=ZERO, jvp=STILL, **forms, **fields)


def as_float(name: str, argument: str, value: Any) -> float:
    if not hasattr(value, "__float__"):
        raise TypeError(f"{name}_(): argument '{argument}' must be float, not {type(value).__name__}")
    return float(value)


def check_uniform(input: Any, low: Any, high: Any, generator: Any) -> tuple:
    return input, as_float("uniform", "from", low), as_float("uniform", "to", high), generator


def check_normal(input: Any, mean: Any, std: Any, generator: Any) -> tuple:
    return input, as_float("normal", "mean", mean), as_float("normal", "std", std), generator


def check_continuous(distribution: str, input: Any) -> None:
    if not input.dtype.is_floating_point:
        raise RuntimeError(
            f"{distribution} distribution is a continuous probability distribution. dtype must be a floating point but you "
            f"specified {input.dtype}"
        )


def check_exponential(input: Any, lambd: Any, generator: Any) -> tuple:
    check_continuous("Exponential", input)
    return input, as_float("exponential", "lambd", lambd), generator


def check_cauchy(input: Any, median: Any, sigma: Any, generator: Any) -> tuple:
    check_continuous("Cauchy", input)
    return input, as_float("cauchy", "median", median), as_float("cauchy", "sigma", sigma), generator


def check_log_normal(input: Any, mean: Any, std: Any, generator: Any) -> tuple:
    return input, as_float("log_normal", "mean", mean), as_float("log_normal", "std", std), generator


def check_geometric(input: Any, p: Any, generator: Any) -> tuple:
    return input, as_float("geometric", "p", p), generator


def check_bernoulli(input: Any, p: Any, generator: Any) -> tuple:
    return input, p if hasattr(p, "requires_grad") else as_float("bernoulli", "p", p), generator


def check_random(input: Any, low: Any, to: Any, generator: Any) -> tuple:
    """``random_()``, ``random_(to)`` and ``random_(from, to)``."""
    if to is None and low is not None:
        low, to = 0, low
    for argument, value in (("from", low), ("to", to)):
        if value is not None and (isinstance(value, bool) or not hasattr(value, "__index__")):
            raise TypeError(f"random_(): argument '{argument}' must be int, not {type(value).__name__}")
    return input, None if to is None else int(low or 0), None if to is None else int(to), generator


uniform = filling(
    "uniform(input, low=0, to=1, *, generator=None)",
    "Fill with numbers spread evenly over [low, to).",
    prepare=check_uniform,
)
normal = filling(
    "normal(input, mean=0, std=1, *, generator=None)",
    "Fill with numbers of a normal distribution.",
    prepare=check_normal,
)
exponential = filling(
    "exponential(input, lambd=1, *, generator=None)",
    "Fill with numbers of the exponential distribution of rate ``lambd``.",
    prepare=check_exponential,
)
filling(
    "cauchy(input, median=0, sigma=1, *, generator=None)",
    "Fill with numbers of a Cauchy distribution.",
    prepare=check_cauchy,
)
filling(
    "log_normal(input, mean=1, std=2, *, generator=None)",
    "Fill with numbers whose logarithms are normal, with this mean and standard deviation.",
    prepare=check_log_normal,
)
filling(
    "geometric(input, p, *, generator=None)",
    "Fill with numbers of the first trial to succeed, each with probability ``p``.",
    prepare=check_geometric,
)
bernoulli = filling(
    "bernoulli(input, p=0.5, *, generator=None)",
    "Fill with ones, of probability ``p`` (a number, or a tensor that broadcasts to this one), and zeros.",
    prepare=check_bernoulli,
)
random = filling(
    "random(input, low=None, to=None, *, generator=None)",
    "Fill with integers of [low, to); of all that the dtype represents exactly, where neither is given.",
    prepare=check_random,
)

sampled_bernoulli = op(
    "sampled_bernoulli(input, generator=None)",
    "Zeros and ones, each one with the probability that ``input`` has in its place.",
    vjp=ZERO,
    jvp=STILL,
    batch=each_element,
    function=False,
    method=False,
    node="BernoulliBackward0",
)


def choose_bernoulli(input: Any, p: Any, generator: Any) -> tuple:
    if not hasattr(input, "requires_grad"):
        raise TypeError(f"bernoulli(): argument 'input' (position 1) must be Tensor, not {type(input).__name__}")
    if p is None:
        return sampled_bernoulli, (input, generator)
    return bernoulli, (perform(TABLE["zeros_like"], input.detach()), p, generator), True


overload(
    "bernoulli(input, p=None, *, generator=None)",
    "Zeros and ones in the dtype of ``input``, each one with the probability that ``input`` (or ``p``) gives.",
    choose_bernoulli,
    out=True,
)


def check_multinomial(input: Any, num_samples: Any, replacement: Any, generator: Any) -> tuple:
    if isinstance(num_samples, bool) or not hasattr(num_samples, "__index__"):
        raise TypeError(
            f"multinomial(): argument 'num_samples' (position 2) must be int, not {type(num_samples).__name__}"
        )
    return input, int(num_samples), bool(replacement), generator


multinomial = op(
    "multinomial(input, num_samples, replacement=False, *, generator=None)",
    "Indices (int64) into the last dim of ``input``, chosen in proportion to its elements: ``num_samples`` for each row.",
    prepare=check_multinomial,
    operands=("input",),
    out=True,
)

# The three forms of `normal` with a tensor in it, which differ in what requires grad; PyTorch counts them 1 to 3.
NORMAL_OF = {
    names: op(
        f"normal_of_{'_and_'.join(names)}(mean, std, generator=None)",
        "Numbers of normal distributions, with a mean and a standard deviation for each.",
        vjp=dict.fromkeys(names, ZERO["input"]),
        jvp=dict.fromkeys(names, STILL["input"]),
        batch="elementwise",
        broadcasts=True,
        operands=("mean", "std"),
        samples=lambda t: [],
        function=False,
        method=False,
        node=f"NormalBackward{number}",
    )
    for number, names in enumerate([("mean",), ("std",), ("mean", "std")], 1)
}

# -- samples of distributions with a parameter for each ----------------------------------------------------------------

SAMPLE = {"method": False, "batch": each_element, "samples": lambda t: []}


def check_counts(count: Any, prob: Any, generator: Any) -> tuple:
    for name, value in (("count", count), ("prob", prob)):
        if not value.dtype.is_floating_point:
            raise ValueError(f"binomial only supports floating-point dtypes for {name}, got: {value.dtype}")
    if count.dtype is not prob.dtype:
        raise RuntimeError(f"binomial: Found dtype {prob.dtype} for prob, but expected that of count, {count.dtype}")
    return count, prob, generator


op(
    "poisson(input, generator=None)",
    "Counts of Poisson distributions, whose rates are the elements of ``input``.",
    vjp=ZERO,
    jvp=STILL,
    **SAMPLE,
)
op(
    "binomial(count, prob, generator=None)",
    "Counts of successes in ``count`` trials of probability ``prob``, element by element.",
    vjp=dict.fromkeys(("count", "prob"), ZERO["input"]),
    jvp=dict.fromkeys(("count", "prob"), STILL["input"]),
    broadcasts=True,
    prepare=check_counts,
    **SAMPLE | {"batch": "elementwise"},
)
op(
    "_standard_gamma(input, generator=None)",
    "Samples of gamma distributions of scale one, whose shapes are the elements of ``input``; differentiable.",
    vjp={"input": lambda xp, grad, input, result: grad * xp._standard_gamma_grad(input, result)},
    jvp={"input": lambda xp, tangent, input, result: tangent * xp._standard_gamma_grad(input, result)},
    **SAMPLE,
)


def component_slopes(xp: Any, input: Any, result: Any) -> Any:
    return xp._dirichlet_grad(result, input, xp.expand(xp.sum(input, -1, True), tuple(input.shape)))


def pull_dirichlet(xp: Any, grad: Any, input: Any, result: Any) -> Any:
    return component_slopes(xp, input, result) * (grad - xp.sum(grad * result, -1, True))


def push_dirichlet(xp: Any, tangent: Any, input: Any, result: Any) -> Any:
    """A component that moves takes its change from the others, in proportion to them."""
    moved = component_slopes(xp, input, result) * tangent
    return moved - result * xp.sum(moved, -1, True)


op(
    "_sample_dirichlet(input, generator=None)",
    "Points of the simplex from Dirichlet distributions, whose concentrations lie along the last dim; differentiable.",
    vjp={"input": pull_dirichlet},
    jvp={"input": push_dirichlet},
    **SAMPLE,
)
