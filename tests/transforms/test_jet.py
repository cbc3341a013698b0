"""``jet`` and ``taylor`` against mpmath, nested forward mode and algebra; how the work grows; nesting with other transforms."""

from itertools import pairwise

import mpmath
import numpy as np
import pytest

import pullback as torch
from numeric import agree, array
from pullback.compile import trace
from pullback.func import grad, jacfwd, jacrev, jet, jvp, taylor, vmap

F = torch.nn.functional
ORDER = 10
NEAR = 0.3

SCALAR_FUNCTIONS = {
    "exp": (torch.exp, mpmath.exp),
    "exp2": (torch.exp2, lambda x: 2**x),
    "expm1": (torch.expm1, mpmath.expm1),
    "log": (torch.log, mpmath.log),
    "log2": (torch.log2, lambda x: mpmath.log(x, 2)),
    "log1p": (torch.log1p, mpmath.log1p),
    "sin": (torch.sin, mpmath.sin),
    "cos": (torch.cos, mpmath.cos),
    "tan": (torch.tan, mpmath.tan),
    "asin": (torch.asin, mpmath.asin),
    "acos": (torch.acos, mpmath.acos),
    "atan": (torch.atan, mpmath.atan),
    "sinh": (torch.sinh, mpmath.sinh),
    "cosh": (torch.cosh, mpmath.cosh),
    "tanh": (torch.tanh, mpmath.tanh),
    "asinh": (torch.asinh, mpmath.asinh),
    "acosh": (lambda x: torch.acosh(x + 2), lambda x: mpmath.acosh(x + 2)),
    "atanh": (torch.atanh, mpmath.atanh),
    "atan2": (lambda x: torch.atan2(x, 1 + x), lambda x: mpmath.atan2(x, 1 + x)),
    "sqrt": (torch.sqrt, mpmath.sqrt),
    "rsqrt": (torch.rsqrt, lambda x: x**-0.5),
    "reciprocal": (torch.reciprocal, lambda x: 1 / x),
    "quotient": (lambda x: x / (1 + x * x), lambda x: x / (1 + x * x)),
    "square": (torch.square, lambda x: x * x),
    "cube": (lambda x: x**3, lambda x: x**3),
    "inverse square": (lambda x: x**-2, lambda x: x**-2),
    "root": (lambda x: x**2.5, lambda x: x ** mpmath.mpf(2.5)),
    "number to a power": (lambda x: 3**x, lambda x: mpmath.mpf(3) ** x),
    "power": (lambda x: x**x, lambda x: x**x),
    "hypot": (lambda x: torch.hypot(x, 1 + x), lambda x: mpmath.hypot(x, 1 + x)),
    "erf": (torch.erf, mpmath.erf),
    "erfc": (torch.erfc, mpmath.erfc),
    "erfinv": (torch.erfinv, mpmath.erfinv),
    "lgamma": (torch.lgamma, mpmath.loggamma),
    "logit": (torch.logit, lambda x: mpmath.log(x / (1 - x))),
    "sigmoid": (torch.sigmoid, lambda x: 1 / (1 + mpmath.exp(-x))),
    "softplus": (F.softplus, lambda x: mpmath.log(1 + mpmath.exp(x))),
    "silu": (F.silu, lambda x: x / (1 + mpmath.exp(-x))),
    "gelu": (F.gelu, lambda x: x * mpmath.ncdf(x)),
    "mish": (F.mish, lambda x: x * mpmath.tanh(mpmath.log(1 + mpmath.exp(x)))),
    "logsumexp": (lambda x: torch.stack([x, -x, x * x]).logsumexp(0), lambda x: mpmath.log(sum(map(mpmath.exp, (x, -x, x * x))))),
    "norm": (lambda x: torch.stack([x, 1 + x]).norm(), lambda x: mpmath.sqrt(x * x + (1 + x) ** 2)),
    "prod": (lambda x: torch.stack([x, x.sin(), x.exp()]).prod(), lambda x: x * mpmath.sin(x) * mpmath.exp(x)),
}  # fmt: skip


@pytest.mark.parametrize("name", SCALAR_FUNCTIONS)
def test_taylor_coefficients_are_mpmaths(name):
    ours, theirs = SCALAR_FUNCTIONS[name]
    with mpmath.workdps(50):
        want = [float(c) for c in mpmath.taylor(theirs, mpmath.mpf(NEAR), ORDER)]
    got = [c.item() for c in taylor(ours, torch.tensor(NEAR, dtype=torch.float64), ORDER)]
    agree(got, want, name, rtol=1e-10, atol=1e-12 * max(map(abs, want)))


def test_series_are_derivatives_and_not_taylor_coefficients():
    x = torch.tensor(2.0, dtype=torch.float64)
    value, (first, second, third) = jet(lambda x: x**3, (x,), ([1.0, None, None],))
    assert [value.item(), first.item(), second.item(), third.item()] == [8, 12, 12, 6]
    assert [c.item() for c in taylor(lambda x: x**3, x, 3)] == [8, 12, 6, 1]
    curve = [3.0, 4.0, 5.0]  # x(t) = 2 + 3 t + 4 t²/2 + 5 t³/6, and d³(x²)/dt³ = 2 x x''' + 6 x' x''
    assert jet(lambda x: x * x, (x,), (curve,))[1][2].item() == 2 * 2 * 5 + 6 * 3 * 4


def test_polynomials_are_exact_and_end():
    x = torch.tensor([-2.0, 0.0, 3.0], dtype=torch.float64)
    coefficients = taylor(lambda x: ((2 * x - 1) * x + 3) * x - x**4, x, 7)
    p = np.polynomial.Polynomial([0, 3, -1, 2, -1])
    for n, c in enumerate(coefficients):
        want = (p.deriv(n)(array(x)) if n else p(array(x))) / float(mpmath.factorial(n))
        assert array(c).tolist() == want.tolist(), n


def test_powers_and_roots_at_zero_have_the_limits_of_their_derivatives():
    zero = torch.tensor(0.0, dtype=torch.float64)
    assert [c.item() for c in taylor(lambda x: x**2.5, zero, 3)] == [0, 0, 0, np.inf]
    assert [c.item() for c in taylor(lambda x: x**2, zero, 3)] == [0, 0, 1, 0]
    assert [c.item() for c in taylor(lambda x: x**0.5, zero, 1, -1.0)] == [0, -np.inf]


def test_piecewise_functions_follow_the_branch():
    x = torch.tensor([-1.5, 0.25, 2.0], dtype=torch.float64)
    shapes = [torch.relu, torch.abs, lambda x: x.clamp(-1, 1), lambda x: torch.where(x > 0, x * x, x.sin()), F.elu]
    for f in [*shapes, lambda x: torch.maximum(x.exp(), 1 - x), F.leaky_relu, F.softsign, F.hardswish]:
        compare_with_jvps(f, (x,), 4)


def directional(f, primals, series):
    """Derivatives of ``f`` along a curve by nested forward mode."""
    order = len(series[0])

    def along(t):
        points = []
        for x, derivatives in zip(primals, series, strict=True):
            moved = derivatives[-1]
            for n in range(order - 1, 0, -1):  # Horner's rule for the sum of derivatives[n - 1] * t**n / n!
                moved = derivatives[n - 1] + moved * (t / (n + 1))
            points.append(x + moved * t)
        return f(*points)

    found = []
    for _ in range(order):
        along = push(along)
        found.append(along(torch.zeros((), dtype=torch.float64)))
    return found


def push(g):
    return lambda t: jvp(g, (t,), (torch.ones_like(t),))[1]


def compare_with_jvps(f, primals, order, seed=0):
    rng = np.random.default_rng(seed)
    series = [[torch.tensor(rng.standard_normal(tuple(x.shape))) for _ in range(order)] for x in primals]
    value, got = jet(f, primals, series)
    agree(array(value), array(f(*primals)), "value")
    for n, (g, w) in enumerate(zip(got, directional(f, primals, series), strict=True), 1):
        agree(array(g), array(w), f"derivative of order {n}", rtol=1e-9)


def random(*shapes, seed=3):
    rng = np.random.default_rng(seed)
    return tuple(torch.tensor(rng.uniform(0.2, 1.2, shape)) for shape in shapes)


def test_a_network_whose_weights_move_too():
    def network(x, w, b, v):
        return F.softmax(torch.tanh(F.linear(x, w, b)) @ v, -1).log()

    compare_with_jvps(network, random((5, 3), (4, 3), (4,), (4, 2)), 4)


def test_products_of_every_kind():
    compare_with_jvps(lambda a, b, c: a @ b @ c, random((2, 3), (3, 3), (3,)), 4)
    compare_with_jvps(lambda a, b: torch.einsum("bij,jk->bik", a, b), random((2, 3, 2), (2, 4)), 4)
    compare_with_jvps(lambda x, w, b: F.conv2d(x, w, b, padding=1), random((1, 2, 4, 4), (3, 2, 3, 3), (3,)), 3)
    compare_with_jvps(lambda x, w: F.conv_transpose1d(x, w, stride=2), random((1, 2, 4), (2, 3, 2)), 3)
    compare_with_jvps(torch.lerp, random((3,), (3,), (3,)), 4)
    compare_with_jvps(lambda m, a, b: torch.addmm(m, a, b, beta=0.5, alpha=2), random((3,), (2, 4), (4, 3)), 4)
    compare_with_jvps(lambda x: x.cumprod(0).prod() / x.std(), random((4,)), 4)


def test_writes_in_place_are_part_of_the_curve():
    def writes(x):
        y = torch.zeros(3, dtype=torch.float64)
        y[0] = x.sin()
        y[1:] = x * torch.tensor([1.0, 2.0], dtype=torch.float64)
        y.mul_(x)
        y[0:2] *= y[1].clone()
        return y.exp()

    compare_with_jvps(writes, (torch.tensor(0.7, dtype=torch.float64),), 4)


def test_a_constant_written_after_its_use_is_not_read_again():
    def writes(x):
        c = torch.ones(2, dtype=torch.float64)
        y = x.exp() * c
        c.zero_()
        return y

    x = torch.tensor([0.5, 1.0], dtype=torch.float64)
    for c in taylor(writes, x, 4):
        assert (c > 0).all()


STRUCTURED = {
    "vmap over jet": lambda f, xs: vmap(lambda x: jet(f, (x,), ([1.0, None, None],))[1][2])(xs),
    "jet of vmap": lambda f, xs: jet(vmap(f), (xs,), ([1.0, None, None],))[1][2],
    "grad over jet": lambda f, xs: torch.stack([grad(lambda x: jet(f, (x,), ([1.0, None],))[1][1])(x) for x in xs]),
    "vmap of grad over jet": lambda f, xs: vmap(grad(lambda x: jet(f, (x,), ([1.0, None],))[1][1]))(xs),
    "jet of grad": lambda f, xs: vmap(lambda x: jet(grad(f), (x,), ([1.0, None],))[1][1])(xs),
    "jet of jet": lambda f, xs: vmap(lambda x: jet(lambda y: jet(f, (y,), ([1.0],))[1][0], (x,), ([1.0, None],))[1][1])(xs),
    "jvp over jet": lambda f, xs: vmap(push(lambda x: jet(f, (x,), ([1.0, None],))[1][1]))(xs),
    "jet of jvp": lambda f, xs: vmap(lambda x: jet(push(f), (x,), ([1.0, None],))[1][1])(xs),
    "jacrev over jet": lambda f, xs: jacrev(lambda x: jet(vmap(f), (x,), ([1.0, None],))[1][1])(xs).diagonal(),
    "jacfwd over jet": lambda f, xs: jacfwd(lambda x: jet(vmap(f), (x,), ([1.0, None],))[1][1])(xs).diagonal(),
}  # fmt: skip


@pytest.mark.parametrize("nesting", STRUCTURED)
def test_third_derivative_by(nesting):
    def f(x):
        return (x.sin() * x).exp() / (1 + x * x)

    xs = torch.tensor([0.1, 0.5, 0.9], dtype=torch.float64)
    want = torch.stack([push(push(push(f)))(x) for x in xs])
    agree(array(STRUCTURED[nesting](f, xs)), array(want), nesting, rtol=1e-10)


def test_the_callers_graph_sees_every_derivative():
    x = torch.tensor(0.7, dtype=torch.float64, requires_grad=True)
    _, series = jet(lambda x: x.sin(), (x,), ([1.0, None],))
    gradient = torch.autograd.grad(series[1], x)[0]
    agree(gradient.item(), -np.cos(0.7), "gradient of the second derivative")


def test_a_tensor_of_the_closure_gets_its_gradient():
    w = torch.tensor(1.5, dtype=torch.float64, requires_grad=True)
    _, series = jet(lambda x: (w * x).sin(), (torch.tensor(0.4, dtype=torch.float64),), ([1.0, None, None],))
    gradient = torch.autograd.grad(series[2], w)[0]  # of -w³ cos(w x)
    agree(gradient.item(), -3 * 1.5**2 * np.cos(0.6) + 1.5**3 * 0.4 * np.sin(0.6), "gradient by the weight")


def test_structures_go_in_and_come_out():
    x, y = random((2,), (2,))
    value, series = jet(
        lambda point, scale: {"product": point["x"] * point["y"], "rest": [scale * point["x"], torch.ones(1)]},
        ({"x": x, "y": y}, torch.tensor(2.0, dtype=torch.float64)),
        ({"x": [1.0, None], "y": [None, 2.0]}, [None, None]),
    )
    assert array(value["rest"][0]).tolist() == array(2 * x).tolist()
    agree(array(series["product"][0]), array(y), "first derivative")
    agree(array(series["product"][1]), array(2 * x), "second derivative")
    assert array(series["rest"][1][1]).tolist() == [0]


def test_dtypes_are_kept():
    for dtype in (torch.float32, torch.float64, torch.complex128):
        value, series = jet(lambda x: x.exp() / x**2.5, (torch.ones(2, dtype=dtype),), ([1.0, None, None],))
        assert [value.dtype, *[s.dtype for s in series]] == [dtype] * 4


class Sine(torch.autograd.Function):
    """A function whose forward no transform can see into, and whose rule gives twice the derivative."""

    @staticmethod
    def forward(x, factor):
        return torch.tensor(np.asarray(factor * np.sin(x.detach().numpy()))), torch.tensor(3)

    @staticmethod
    def setup_context(ctx, inputs, output):
        ctx.save_for_backward(inputs[0])
        ctx.factor = inputs[1]
        ctx.mark_non_differentiable(output[1])

    @staticmethod
    def backward(ctx, grad, _):
        (x,) = ctx.saved_tensors
        return 2 * grad * ctx.factor * x.cos(), None


class Exponential(torch.autograd.Function):
    """A function with a forward rule that reads its result, and gives twice the derivative."""

    @staticmethod
    def forward(x):
        return x.exp()

    @staticmethod
    def setup_context(ctx, inputs, output):
        ctx.save_for_forward(output)

    @staticmethod
    def jvp(ctx, tangent):
        return 2 * ctx.saved_tensors[0] * tangent


def test_custom_functions_have_their_own_rules_in_a_jet():
    for f in (lambda x: Sine.apply(x * x, 3.0)[0], lambda x: Exponential.apply(x * x)):
        compare_with_jvps(f, (torch.tensor([0.3, 0.7], dtype=torch.float64),), 4)
    third = jet(lambda x: Sine.apply(x, 1.0)[0], (torch.tensor(0.7, dtype=torch.float64),), ([1.0, None, None],))[1][2]
    agree(third.item(), -2 * np.cos(0.7), "third derivative")


def calls(f, order, primals):
    """How many operations a jet runs."""
    tangents = [torch.ones_like(x) for x in primals for _ in range(order)]

    def run(*values):
        lists = [values[len(primals) + i * order :][:order] for i in range(len(primals))]
        return jet(f, values[: len(primals)], lists)[1]

    return len(trace(run, *primals, *tangents).calls)


PROGRAMS = {
    "network": (lambda x, w, v: torch.tanh(torch.tanh(F.linear(x, w)) @ v).sum(), ((5, 3), (4, 3), (4, 2))),
    "products": (lambda x, y: x * y * x * y * x, ((3,), (3,))),
    "elementary": (lambda x: (x.sin().exp() / (1 + x.sqrt().tanh())).log1p() ** 1.5, ((3,),)),
    "attention": (lambda q, k, v: F.softmax(q @ k.mT, -1) @ v, ((3, 2), (3, 2), (3, 2))),
    "normalisation": (lambda x: F.layer_norm(x, (4,)) * F.gelu(x), ((2, 4),)),
    "convolution": (lambda x, w: torch.relu(F.conv2d(x, w)).mean(), ((1, 2, 4, 4), (3, 2, 3, 3))),
}  # fmt: skip


@pytest.mark.parametrize("name", PROGRAMS)
def test_work_grows_at_most_with_the_square_of_the_order(name):
    f, shapes = PROGRAMS[name]
    counts = [calls(f, order, random(*shapes)) for order in (4, 8, 16)]
    for fewer, more in pairwise(counts):
        assert more <= 4.2 * fewer, f"{name}: {counts} operations for orders 4, 8, 16"


def nested_calls(f, order, x):
    for _ in range(order):
        f = push(f)
    return len(trace(f, x).calls)


def test_nested_forward_mode_grows_exponentially_where_jet_does_not():
    def f(x):
        return torch.tanh(torch.sin(x) * x)

    x = torch.tensor(0.5, dtype=torch.float64)
    nested = [nested_calls(f, order, x) for order in (2, 4, 6)]
    series = [calls(f, order, (x,)) for order in (2, 4, 6)]
    assert nested[1] > 3 * nested[0] and nested[2] > 3 * nested[1]
    assert series[2] < nested[2] / 3


X = torch.tensor(1.0)
WRONG = {
    "not a tuple": (lambda: jet(torch.sin, X, [1.0]), ValueError, "expected a tuple of primals"),
    "too many lists": (lambda: jet(torch.sin, (X,), ([1.0], [2.0])), ValueError, "structure of the primals"),
    "no list": (lambda: jet(torch.sin, (X,), (1.0,)), ValueError, "expected a list of derivatives"),
    "lengths": (lambda: jet(torch.add, (X, X), ([1.0], [1.0, 2.0])), ValueError, r"lists of lengths \[1, 2\]"),
    "shape": (lambda: jet(torch.sin, (X,), ([torch.ones(3)],)), ValueError, r"derivative of order 1 \[3\]"),
    "number": (lambda: jet(torch.sin, (2.0,), ([1.0],)), ValueError, "Expected tensors as primals, got float"),
    "integer": (lambda: jet(torch.sin, (torch.tensor(1),), ([1.0],)), RuntimeError, "only floating or complex"),
    "result": (lambda: jet(lambda x: 1.0, (X,), ([1.0],)), ValueError, "must return tensors, got float"),
    "order": (lambda: taylor(torch.sin, X, -1), ValueError, "must not be negative, got -1"),
}  # fmt: skip


@pytest.mark.parametrize("name", WRONG)
def test_wrong_calls_say_what_is_wrong(name):
    call, error, message = WRONG[name]
    with pytest.raises(error, match=message):
        call()


def test_a_series_shows_what_it_is():
    seen = []
    jet(lambda x: seen.append(repr(x)) or x, (X,), ([1.0, None],))
    assert seen == ["SeriesTensor(lvl=1, order=2, value=\n    tensor(1.)\n)"]
