"""Implicit differentiation against closed forms, finite differences, unrolled solvers and the adjoint identity."""

import warnings

import numpy as np
import pytest
import scipy.optimize

import pullback as torch
from numeric import agree, array
from pullback.func import (
    custom_fixed_point,
    custom_root,
    grad,
    hessian,
    jacfwd,
    jacrev,
    jet,
    jvp,
    linear_solve,
    taylor,
    vjp,
    vmap,
)

ONE = torch.tensor(1.0, dtype=torch.float64)


def number(x):
    return torch.tensor(x, dtype=torch.float64)


def by_loop(f, x, a):
    """Newton's method for one unknown, which looks at values."""
    for _ in range(100):
        step = f(x, a).item() / grad(f)(x, a).item()
        x = x - step
        if abs(step) < 1e-15:
            break
    return x


def by_scipy(f, x0, *params):
    found = scipy.optimize.root(lambda x: f(torch.from_numpy(x), *params).numpy(), x0.numpy(), tol=1e-14)
    return found.x


def by_bisection(f, x, a):
    """Tensor operations only, so that a whole batch can be solved at once."""
    low, high = torch.zeros_like(a), 1 + a
    for _ in range(60):
        middle = (low + high) / 2
        low, high = torch.where(f(middle, a) < 0, middle, low), torch.where(f(middle, a) < 0, high, middle)
    return (low + high) / 2


SOLVERS = {"newton": None, "loop": by_loop, "bisection": by_bisection}
each_solver = pytest.mark.parametrize("solver", SOLVERS)


def root_of(solver):
    return custom_root(lambda x, a: x * x - a, SOLVERS[solver])


@each_solver
def test_square_root_has_all_its_derivatives(solver):
    root, a = root_of(solver), number(2.5)
    f = lambda a: root(ONE, a)
    agree(f(a).item(), 2.5**0.5, "root")
    agree(grad(f)(a).item(), 0.5 * 2.5**-0.5, "first")
    agree(grad(grad(f))(a).item(), -0.25 * 2.5**-1.5, "second")
    agree(grad(grad(grad(f)))(a).item(), 0.375 * 2.5**-2.5, "third")
    agree(jvp(grad(f), (a,), (ONE,))[1].item(), -0.25 * 2.5**-1.5, "forward over reverse")
    agree(jvp(lambda a: jvp(f, (a,), (ONE,))[1], (a,), (ONE,))[1].item(), -0.25 * 2.5**-1.5, "forward over forward")
    agree([c.item() for c in taylor(f, a, 5)], [c.item() for c in taylor(torch.sqrt, a, 5)], "jet")


@each_solver
def test_vmap_of_roots_and_of_their_gradients(solver):
    root, a = root_of(solver), torch.tensor([0.5, 1.0, 4.0], dtype=torch.float64)
    f = lambda a: root(ONE, a)
    agree(array(vmap(f)(a)), array(a.sqrt()), "vmap")
    agree(array(vmap(grad(f))(a)), 0.5 * array(a) ** -0.5, "vmap of grad")
    agree(array(vmap(grad(grad(f)))(a)), -0.25 * array(a) ** -1.5, "vmap of grad of grad")
    agree(array(grad(lambda a: vmap(f)(a).sum())(a)), 0.5 * array(a) ** -0.5, "grad of vmap")
    agree(array(jacrev(vmap(f))(a)), np.diag(0.5 * array(a) ** -0.5), "jacrev of vmap")
    agree(array(jacfwd(vmap(f))(a)), np.diag(0.5 * array(a) ** -0.5), "jacfwd of vmap")
    agree(array(hessian(lambda a: vmap(f)(a).sum())(a)), np.diag(-0.25 * array(a) ** -1.5), "Hessian of vmap")
    agree(array(vmap(vmap(f))(a.reshape(1, 3))), array(a.sqrt()).reshape(1, 3), "vmap of vmap")
    second = vmap(lambda a: jet(f, (a,), ([1.0, None],))[1][1])(a)
    agree(array(second), -0.25 * array(a) ** -1.5, "vmap of jet")


def test_a_batch_of_starts_finds_each_its_root():
    root = custom_root(lambda x, a: x * x - a)
    starts = torch.tensor([-1.0, 1.0], dtype=torch.float64)
    assert array(vmap(root, (0, None))(starts, number(4.0))).tolist() == [-2, 2]
    gradient = vmap(grad(root, argnums=1), (0, None))(starts, number(4.0))
    agree(array(gradient), [-0.25, 0.25], "gradients at both roots")


def test_a_solver_that_tensors_do_not_reach_runs_once_for_a_whole_batch_or_per_element():
    runs = []

    def counted(f, x0, a):
        runs.append(a)
        return by_bisection(f, x0, a)

    vmap(lambda a: custom_root(lambda x, a: x * x - a, counted)(ONE, a))(torch.ones(5, dtype=torch.float64))
    assert len(runs) == 1
    seen = []

    def reading(f, x0, a):
        seen.append(1)
        return a.item() ** 0.5

    vmap(lambda a: custom_root(lambda x, a: x * x - a, reading)(ONE, a))(torch.ones(5, dtype=torch.float64))
    assert len(seen) == 6  # the attempt on the batch, and five


def test_backward_and_create_graph_on_the_tape():
    a = number(2.5).requires_grad_()
    y = custom_root(lambda x, a: x * x - a, by_loop)(ONE, a)
    (first,) = torch.autograd.grad(y, a, create_graph=True)
    (second,) = torch.autograd.grad(first, a, create_graph=True)
    (third,) = torch.autograd.grad(second, a)
    got = [g.item() for g in (first, second, third)]
    agree(got, [0.5 * 2.5**-0.5, -0.25 * 2.5**-1.5, 0.375 * 2.5**-2.5], "derivatives")


def test_cubic_roots_follow_the_closed_form():
    """x³ + p x = q, a = (p, q): dx = (dq - x dp) / (3 x² + p)."""
    root = custom_root(lambda x, a: x**3 + a[0] * x - a[1])
    a = torch.tensor([1.5, 2.0], dtype=torch.float64)
    x = root(ONE, a).item()
    slope = 3 * x * x + 1.5
    agree(array(grad(root, argnums=1)(ONE, a)), [-x / slope, 1 / slope], "gradient")
    check_second_derivatives(lambda a: root(ONE, a), a)


def check_second_derivatives(f, a, step=1e-5):
    """The Hessian of a scalar function against finite differences of its gradient."""
    g = grad(f)
    rows = [(array(g(a + step * e)) - array(g(a - step * e))) / (2 * step) for e in torch.eye(len(a), dtype=a.dtype)]
    for name, second in (("hessian", hessian(f)), ("reverse", jacrev(jacrev(f))), ("forward", jacfwd(jacfwd(f)))):
        agree(array(second(a)), np.stack(rows), name, rtol=1e-6)


def test_fixed_point_of_a_cosine():
    """x = cos(a x): dx/da = -x sin(a x) / (1 + a sin(a x))."""
    point = custom_fixed_point(lambda x, a: (a * x).cos())
    a = number(0.8)
    x = point(ONE, a).item()
    want = -x * np.sin(0.8 * x) / (1 + 0.8 * np.sin(0.8 * x))
    agree(grad(point, argnums=1)(ONE, a).item(), want, "gradient")
    check_second_derivatives(lambda b: point(ONE, b[0] * b[1]), torch.tensor([0.8, 1.1], dtype=torch.float64))
    agree(array(vmap(lambda a: point(ONE, a))(a.expand(2))), [x, x], "vmap")


def system(x, p):
    return torch.stack([x[0] ** 2 + x[1] - p["a"], x[0] - x[1] ** 3 - p["b"].sum()])


def test_structured_parameters_and_scipy_as_the_solver():
    start = torch.ones(2, dtype=torch.float64)
    p = {"a": number(3.0), "b": torch.tensor([0.1, 0.2], dtype=torch.float64)}
    f = lambda p: custom_root(system, by_scipy)(start, p)
    x = array(f(p))
    inverse = np.linalg.inv([[2 * x[0], 1], [1, -3 * x[1] ** 2]])
    for jacobian in (jacrev(f)(p), jacfwd(f)(p)):
        agree(array(jacobian["a"]), inverse @ [1, 0], "by a")
        agree(array(jacobian["b"]), np.outer(inverse @ [0, 1], [1, 1]), "by b")
    check_second_derivatives(
        lambda a: f({"a": a[0], "b": a[1:]}).prod(), torch.tensor([3.0, 0.1, 0.2], dtype=torch.float64)
    )
    batch = {"a": torch.tensor([3.0, 2.0], dtype=torch.float64), "b": torch.zeros(2, 2, dtype=torch.float64)}
    each = [array(f({"a": batch["a"][i], "b": batch["b"][i]})) for i in range(2)]
    agree(array(vmap(f)(batch)), np.stack(each), "vmap")


def test_structured_unknowns():
    root = custom_root(lambda x, a: {"u": x["u"] * 2 - a, "v": [x["v"][0] - x["u"].sum()]})
    start = {"u": torch.ones(2, dtype=torch.float64), "v": [ONE]}
    x = root(start, number(3.0))
    assert array(x["u"]).tolist() == [1.5, 1.5] and x["v"][0].item() == 3
    jacobian = jacrev(root, argnums=1)(start, number(3.0))
    assert array(jacobian["u"]).tolist() == [0.5, 0.5] and jacobian["v"][0].item() == 1


def test_integers_and_settings_among_the_parameters():
    root = custom_root(lambda x, n, scale, a: scale["by"] * x**n - a)
    f = lambda a: root(ONE, torch.tensor(3), {"by": 2.0}, a)
    agree(grad(f)(number(16.0)).item(), 1 / (2 * 3 * 4), "gradient")


def test_dtypes_are_the_starts():
    for dtype in (torch.float32, torch.float64):
        x = custom_root(lambda x, a: x * x - a)(torch.ones((), dtype=dtype), torch.tensor(2.0, dtype=torch.float64))
        assert x.dtype == dtype
    z = torch.tensor(2j, dtype=torch.complex128, requires_grad=True)
    custom_root(lambda x, a: x * x - a)(torch.tensor(1 + 1j, dtype=torch.complex128), z).abs().backward()
    w = torch.tensor(2j, dtype=torch.complex128, requires_grad=True)
    w.sqrt().abs().backward()
    agree(array(z.grad), array(w.grad), "complex gradient")


def random(*shape, seed=0):
    return torch.tensor(np.random.default_rng(seed).standard_normal(shape))


def check_adjoint(f, primals, seed=5):
    """<v, J u> = <Jᵀ v, u>."""
    rng = np.random.default_rng(seed)
    tangents = tuple(torch.tensor(rng.standard_normal(tuple(p.shape))) for p in primals)
    out, pushed = jvp(f, primals, tangents)
    v = torch.tensor(rng.standard_normal(tuple(out.shape)))
    pulled = vjp(f, *primals)[1](v)
    right = sum((p * t).sum().item() for p, t in zip(pulled, tangents, strict=True))
    agree((v * pushed).sum().item(), right, "adjoint identity", rtol=1e-8)


MATRIX, RIGHT = random(4, 4) + 6 * torch.eye(4, dtype=torch.float64), random(4, seed=1)


def dense(matvec, b):
    """A solver of small systems that NumPy computes."""
    columns = [matvec(e).numpy() for e in torch.eye(b.shape[0], dtype=b.dtype)]
    return np.linalg.solve(np.stack(columns, 1), b.numpy())


LINEAR_SOLVERS = {
    "default": {},
    "own": {"solve": dense, "transpose_solve": dense},
    "own forward": {"solve": dense},
}


@pytest.mark.parametrize("name", LINEAR_SOLVERS)
def test_linear_systems(name):
    def f(matrix, b):
        return linear_solve(lambda x, m: m @ x, b, matrix, **LINEAR_SOLVERS[name])

    inverse = np.linalg.inv(array(MATRIX))
    x = inverse @ array(RIGHT)
    agree(array(f(MATRIX, RIGHT)), x, "solution")
    for jacobian in (jacrev(f, (0, 1))(MATRIX, RIGHT), jacfwd(f, (0, 1))(MATRIX, RIGHT)):
        agree(array(jacobian[0]), -np.einsum("ij,k->ijk", inverse, x), "by the matrix")
        agree(array(jacobian[1]), inverse, "by the right side")
    check_adjoint(f, (MATRIX, RIGHT))
    check_second_derivatives(lambda v: f(MATRIX + torch.outer(v, v), RIGHT * v).sum(), random(4, seed=2))
    batch = random(3, 4, seed=3)
    agree(array(vmap(f, (None, 0))(MATRIX, batch)), array(batch) @ inverse.T, "vmap")
    gradients = vmap(grad(lambda b: f(MATRIX, b).square().sum()))(batch)
    agree(array(gradients), 2 * array(batch) @ inverse.T @ inverse, "vmap of grad")


def test_a_symmetric_system_needs_one_solver():
    matrix, transposed = MATRIX @ MATRIX.mT, []

    def refuse(matvec, b):
        transposed.append(b)
        return dense(matvec, b)

    f = lambda b: linear_solve(lambda x, m: m @ x, b, matrix, solve=dense, transpose_solve=refuse, symmetric=True).sum()
    agree(array(grad(f)(RIGHT)), np.linalg.inv(array(matrix)).sum(0), "gradient")
    assert not transposed


def banded(x, d):
    return d * x + 0.2 * x.roll(1) - 0.1 * x.roll(-2)


def test_large_systems_go_by_products_alone():
    n = 400
    d, b = random(n).abs() + 1, random(n, seed=1)
    f = lambda d, b: linear_solve(banded, b, d)
    full = np.diag(array(d)) + 0.2 * np.roll(np.eye(n), 1, 0) - 0.1 * np.roll(np.eye(n), -2, 0)
    x = np.linalg.solve(full, array(b))
    agree(array(f(d, b)), x, "solution")
    w = np.linalg.solve(full.T, np.ones(n))
    by_d, by_b = grad(lambda d, b: f(d, b).sum(), (0, 1))(d, b)
    agree(array(by_d), -w * x, "by the diagonal", rtol=1e-7)
    agree(array(by_b), w, "by the right side", rtol=1e-7)
    check_adjoint(f, (d, b))
    g = grad(lambda d: f(d, b).sum())
    _, pushed = jvp(g, (d,), (torch.ones_like(d),))
    agree(array(pushed), (array(g(d + 1e-5)) - array(g(d - 1e-5))) / 2e-5, "second derivative", rtol=1e-5)


def test_a_tangent_solver_of_ones_own():
    used = []

    def solve(matvec, b):
        used.append(b)
        return b / matvec(torch.ones_like(b))

    root = custom_root(lambda x, a: x**3 - a, lambda f, x0, a: a.numpy() ** (1 / 3), solve)
    f = lambda a: root(ONE, a)
    agree(grad(f)(number(8.0)).item(), 1 / 12, "first")
    agree(grad(grad(f))(number(8.0)).item(), -2 / 9 * 8 ** (-5 / 3), "second")
    agree(jvp(f, (number(8.0),), (ONE,))[1].item(), 1 / 12, "forward")
    agree(array(vmap(grad(f))(torch.tensor([8.0, 27.0], dtype=torch.float64))), [1 / 12, 1 / 27], "vmap")
    assert used


def test_the_hyper_gradient_of_ridge_regression():
    """min |X w - y|² + λ |w|² has w = (XᵀX + λ)⁻¹ Xᵀ y; the loss on other data by λ is differentiated through it."""
    x, y, x_val, y_val = random(8, 3), random(8, seed=1), random(5, 3, seed=2), random(5, seed=3)

    def loss(w, log_strength):
        return (x @ w - y).square().sum() + log_strength.exp() * w.square().sum()

    fit = custom_root(grad(loss), by_scipy)
    validation = lambda s: (x_val @ fit(torch.zeros(3, dtype=torch.float64), s) - y_val).square().sum()
    closed = lambda s: (x_val @ torch.tensor(ridge(s)) - y_val).square().sum().item()

    def ridge(s):
        return np.linalg.solve(array(x).T @ array(x) + np.exp(s) * np.eye(3), array(x).T @ array(y))

    agree(validation(number(0.3)).item(), closed(0.3), "loss")
    agree(grad(validation)(number(0.3)).item(), (closed(0.3 + 1e-5) - closed(0.3 - 1e-5)) / 2e-5, "gradient", rtol=1e-6)
    second = (closed(0.3 + 1e-3) - 2 * closed(0.3) + closed(0.3 - 1e-3)) / 1e-6
    agree(grad(grad(validation))(number(0.3)).item(), second, "second derivative", rtol=1e-4)


def layer(z, weights, x):
    return torch.tanh(weights @ z + x)


def test_an_equilibrium_layer_has_the_gradients_of_the_unrolled_one():
    weights, x = 0.3 * random(6, 6), random(6, seed=1)
    start = torch.zeros(6, dtype=torch.float64)
    equilibrium = lambda w, x: custom_fixed_point(layer)(start, w, x).square().sum()

    def unrolled(w, x):
        z = start
        for _ in range(200):
            z = layer(z, w, x)
        return z.square().sum()

    for got, want in zip(grad(equilibrium, (0, 1))(weights, x), grad(unrolled, (0, 1))(weights, x), strict=True):
        agree(array(got), array(want), "gradient")
    agree(array(hessian(equilibrium, 1)(weights, x)), array(hessian(unrolled, 1)(weights, x)), "Hessian", rtol=1e-8)
    batch = random(3, 6, seed=2)
    agree(
        array(vmap(grad(equilibrium, 1), (None, 0))(weights, batch)),
        array(vmap(grad(unrolled, 1), (None, 0))(weights, batch)),
        "gradient of each of a batch",
    )
    check_adjoint(lambda w, x: custom_fixed_point(layer)(start, w, x), (weights, x))


def test_an_equilibrium_layer_trains():
    torch.manual_seed(0)
    weights = (0.1 * torch.randn(4, 4)).requires_grad_()
    x, target = torch.randn(8, 4), 0.5 * torch.randn(8, 4)
    optimizer = torch.optim.Adam([weights], lr=0.05)
    losses = []
    for _ in range(30):
        contraction = weights / (1 + weights.norm())
        z = custom_fixed_point(lambda z, w, x: torch.tanh(z @ w.mT + x))(torch.zeros(8, 4), contraction, x)
        loss = (z - target).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < 0.9 * losses[0] and weights.grad.isfinite().all()


LEAF = torch.tensor(2.0, dtype=torch.float64, requires_grad=True)
WRONG = {
    "closure": (lambda: custom_root(lambda x: x * x - LEAF)(ONE), RuntimeError, "not among the parameters"),
    "closure of a transform": (
        lambda: vmap(lambda c: custom_root(lambda x: x * x - c)(ONE))(torch.ones(3)), RuntimeError, "not among the parameters"
    ),
    "tolerance": (
        lambda: custom_root(lambda x, a: x * x - a, lambda f, x0, a: x0 + 1, tolerance=1e-6)(ONE, ONE),
        RuntimeError, r"the largest \|f\(x\)\| is 3, above the tolerance of 1e-06",
    ),
    "shape of f": (lambda: custom_root(lambda x, a: a.expand(2))(ONE, ONE), ValueError, r"f returned shapes \[\(2,\)\]"),
    "shape of the solution": (
        lambda: custom_root(lambda x, a: x - a, lambda f, x0, a: np.ones(2))(ONE, ONE), ValueError, "solve returned shapes"
    ),
    "structure of f": (
        lambda: custom_root(lambda x, a: {"x": x - a})(ONE, ONE), ValueError, "f must return the structure of the unknown"
    ),
    "integer start": (lambda: custom_root(lambda x: x)(torch.tensor(1)), ValueError, "floating or complex tensors, got one"),
    "number for a start": (lambda: custom_root(lambda x: x)(1.0), ValueError, "floating or complex tensors, got float"),
    "multiple root": (
        lambda: grad(custom_root(lambda x, a: x * x - a), 1)(0 * ONE, 0 * ONE), RuntimeError, r"Jacobian .* is singular here"
    ),
    "matvec": (lambda: linear_solve(lambda x: x[:1], RIGHT), ValueError, "matvec returned shapes"),
    "GMRES": (
        lambda: linear_solve(lambda x: 0 * x, torch.ones(300, dtype=torch.float64)), RuntimeError, "GMRES did not solve"
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", WRONG)
def test_wrong_calls_say_what_is_wrong(name):
    call, error, message = WRONG[name]
    with pytest.raises(error, match=message), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        call()


def test_a_suspicious_solution_warns_at_the_callers_line():
    with pytest.warns(UserWarning, match="what the solver returned is no solution") as caught:
        custom_root(lambda x, a: x * x - a, lambda f, x0, a: float("nan"))(ONE, ONE)
    assert caught[0].filename == __file__


def test_a_closure_is_fine_where_nothing_is_recorded():
    with torch.no_grad():
        agree(custom_root(lambda x: x * x - LEAF)(ONE).item(), 2**0.5, "root")
    agree(custom_root(lambda x: x * x - LEAF.detach())(ONE).item(), 2**0.5, "root")
