"""Linear systems, determinants, norms and distances: what generated samples do not reach."""

from itertools import permutations
from math import inf, prod

import mpmath
import numpy as np
import pytest
import scipy.linalg
from cases import quiet

import pullback
from numeric import agree, array

SEED = 20261125


def random(*shape, dtype="float64"):
    rng = np.random.default_rng([SEED, *shape])
    real = rng.standard_normal(shape)
    return real + 1j * rng.standard_normal(shape) if dtype == "complex128" else real


def of_rank(n, rank, dtype="float64"):
    return random(n, rank, dtype=dtype) @ random(rank, n, dtype=dtype)


# -- systems -----------------------------------------------------------------------------------------------------------


def test_a_singular_matrix_is_named_by_its_place_in_the_batch():
    batch = pullback.eye(3).expand(4, 3, 3).clone()
    batch[2, 1, 1] = 0
    with pytest.raises(pullback.linalg.LinAlgError, match=r"\(Batch element 2\).*singular"):
        pullback.linalg.solve(batch, pullback.ones(4, 3))
    with pytest.raises(pullback.linalg.LinAlgError, match=r"\(Batch element 2\): The diagonal element 2 is zero"):
        pullback.linalg.inv(batch)
    assert issubclass(pullback.linalg.LinAlgError, RuntimeError)


@pytest.mark.parametrize("name", ("inv_ex", "solve_ex"))
def test_unchecked_results_of_singular_matrices_are_torchs(name, torch):
    matrices = np.stack([np.zeros((3, 3)), np.eye(3), np.diag([1.0, 2.0, 0.0])])

    def found(lib):
        args = [lib.tensor(matrices), lib.ones(3, 3, 1, dtype=lib.float64)]
        return getattr(lib.linalg, name)(*args[: 1 + (name == "solve_ex")])

    got, want = found(pullback), found(torch)
    assert type(got).__name__ == type(want).__name__
    for g, w in zip(got, want, strict=True):
        agree(array(g), array(w), name)
        assert str(g.dtype) == str(w.dtype)


@pytest.mark.parametrize("upper", (True, False))
@pytest.mark.parametrize("unitriangular", (True, False))
def test_a_large_batch_of_triangular_systems_is_solved_as_one_by_one(upper, unitriangular):
    A, B = random(50, 4, 4) + 3 * np.eye(4), random(50, 4, 2)
    got = pullback.linalg.solve_triangular(
        pullback.tensor(A), pullback.tensor(B), upper=upper, unitriangular=unitriangular
    )
    want = [
        scipy.linalg.solve_triangular(a, b, lower=not upper, unit_diagonal=unitriangular)
        for a, b in zip(A, B, strict=True)
    ]
    agree(array(got), np.array(want), "solve_triangular")


def test_tensorinv_and_tensorsolve_undo_tensordot():
    A, B = pullback.tensor(random(2, 3, 6)), pullback.tensor(random(2, 3))
    product = pullback.tensordot(pullback.linalg.tensorinv(A), A, 2)
    agree(array(product), np.eye(6), "tensorinv", rtol=1e-9, atol=1e-9)
    solution = pullback.linalg.tensorsolve(A, B)
    agree(array(pullback.tensordot(A, solution, 1)), array(B), "tensorsolve", rtol=1e-9)


# -- determinants ------------------------------------------------------------------------------------------------------


def minors(matrix):
    """The cofactors, by the sum over permutations."""
    n = len(matrix)
    found = np.zeros_like(matrix)
    for order in permutations(range(n)):
        sign = np.linalg.det(np.eye(n)[list(order)])
        for i in range(n):
            found[i, order[i]] += sign * prod(matrix[k, order[k]] for k in range(n) if k != i)
    return found


@pytest.mark.parametrize("dtype", ("float64", "complex128"))
@pytest.mark.parametrize("rank", (0, 1, 2, 3, 4))
def test_derivatives_of_determinants_are_polynomials_whatever_the_rank(rank, dtype):
    matrix = of_rank(4, rank, dtype)
    x = pullback.tensor(matrix, requires_grad=True)
    (first,) = pullback.autograd.grad(pullback.det(x).real, x, create_graph=True)
    agree(array(first), minors(matrix).conj(), f"gradient, rank {rank}", rtol=1e-9, atol=1e-9)
    weights, step = random(4, 4, dtype=dtype), 1e-5
    (second,) = pullback.autograd.grad((first * pullback.tensor(weights).conj()).real.sum(), x)
    moved = random(4, 4, dtype=dtype)[::-1].copy()
    difference = (minors(matrix + step * moved) - minors(matrix - step * moved)).conj() / (2 * step)
    left, right = np.vdot(weights, difference).real, np.vdot(array(second), moved).real
    agree(right, left, f"second derivative, rank {rank}", rtol=1e-6, atol=1e-8)
    _, pushed = pullback.func.jvp(pullback.det, (x.detach(),), (pullback.tensor(moved),))
    agree(array(pushed), (minors(matrix) * moved).sum(), f"tangent, rank {rank}", rtol=1e-9, atol=1e-9)


def test_cofactors_of_one_matrix_in_a_batch_do_not_depend_on_the_others():
    batch = np.stack([of_rank(3, rank) for rank in (1, 3, 2)])
    x = pullback.tensor(batch, requires_grad=True)
    (got,) = pullback.autograd.grad(pullback.linalg.det(x).sum(), x)
    agree(array(got), np.stack([minors(each) for each in batch]), "cofactors", rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("dtype", ("float64", "complex128"))
def test_logdet_is_torchs_for_every_sign(dtype, torch):
    matrices = np.stack([np.eye(3), np.diag([1.0, -2.0, 3.0]), random(3, 3), 1e200 * np.eye(3)]).astype(dtype)
    agree(array(pullback.logdet(pullback.tensor(matrices))), array(torch.logdet(torch.tensor(matrices))), "logdet")


# -- the exponential ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("scale", (1e-9, 1.0, 30.0))
def test_the_exponential_and_its_derivative_have_full_precision(scale):
    """Fréchet's derivative in a huge direction, which must not make the matrix be halved more often than it needs."""
    A, E = scale * random(3, 3), 1e8 * random(4, 3)[:3]
    value, pushed = pullback.func.jvp(pullback.matrix_exp, (pullback.tensor(A),), (pullback.tensor(E),))
    with mpmath.workdps(80):
        block = mpmath.matrix(np.block([[A, E], [np.zeros((3, 3)), A]]).tolist())
        exact = np.array(mpmath.expm(block).tolist(), float)
    agree(array(value), exact[:3, :3], "exponential", rtol=1e-12, atol=1e-13 * np.abs(exact[:3, :3]).max())
    agree(array(pushed), exact[:3, 3:], "derivative", rtol=1e-11, atol=1e-12 * np.abs(exact[:3, 3:]).max())


def test_matrices_of_a_batch_that_need_different_scaling_keep_their_exponentials():
    batch = np.stack([1e-3 * random(4, 4), 40 * random(4, 4), np.triu(random(4, 4), 1) * 1e3])
    got = array(pullback.linalg.matrix_exp(pullback.tensor(batch)))
    for g, each in zip(got, batch, strict=True):
        want = scipy.linalg.expm(each)
        agree(g, want, "matrix_exp", rtol=1e-9, atol=1e-11 * np.abs(want).max())


# -- norms -------------------------------------------------------------------------------------------------------------

ORDERS = ("fro", "nuc", 1, 2, -1, -2, inf, -inf)
MATRICES = {
    "tall": random(4, 3),
    "batch": random(2, 3, 4),
    "tied": np.array([[1.0, -1.0], [1.0, 1.0]]),
    "complex": random(3, 4, dtype="complex128"),
}


def with_gradient(lib, function, order, values):
    """A result and the gradient of its weighted sum, or the exception's type."""
    x = lib.tensor(values, requires_grad=True)
    try:
        with quiet():
            result = function(lib, x, order)
    except Exception as error:
        return type(error).__name__.lstrip("_"), None
    weights = lib.arange(1, result.numel() + 1, dtype=lib.float64).reshape(result.shape)
    return array(result), array(lib.autograd.grad((result * weights).sum(), x)[0])


NORMS = {
    "matrix_norm": lambda lib, x, p: lib.linalg.matrix_norm(x, p),
    "matrix_norm over other dims": lambda lib, x, p: lib.linalg.matrix_norm(x, p, (-1, 0), True),
    "linalg.norm": lambda lib, x, p: lib.linalg.norm(x, p),
    "linalg.norm over one dim": lambda lib, x, p: lib.linalg.norm(x, p, 0),
    "norm": lambda lib, x, p: lib.norm(x, p),
    "norm over a dim": lambda lib, x, p: x.norm(p, 1, True),
    "norm over two dims": lambda lib, x, p: x.norm(p, dim=(0, 1)),
    "frobenius and nuclear": lambda lib, x, p: lib.nuclear_norm(x) if p == "nuc" else lib.frobenius_norm(x, (0, 1)),
}


@pytest.mark.parametrize("name", NORMS)
@pytest.mark.parametrize("kind", MATRICES)
def test_norms_and_their_gradients_are_torchs(name, kind, torch):
    for order in ORDERS:
        if kind == "tied" and order in ("nuc", 2, -2):
            continue  # singular values that are equal
        got, want = (with_gradient(lib, NORMS[name], order, MATRICES[kind]) for lib in (pullback, torch))
        assert isinstance(got[0], str) == isinstance(want[0], str), f"{name} {order}: {got[0]}, expected {want[0]}"
        if isinstance(want[0], str):
            assert got[0] == want[0], f"{name} {order}"
            continue
        agree(got[0], want[0], f"{name} {order}")
        agree(got[1], want[1], f"{name} {order} gradient", rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("shape", ((0, 2), (2, 0), (3, 0, 2), (0, 2, 2), (0, 0)))
def test_norms_of_matrices_without_elements_are_torchs(shape, torch):
    for order in ORDERS:
        results = []
        for lib in (pullback, torch):
            try:
                results.append(array(lib.linalg.matrix_norm(lib.zeros(shape), order)))
            except IndexError:
                results.append("IndexError")
        got, want = results
        assert np.shape(got) == np.shape(want) and np.all(got == want), f"{shape} {order}: {got}, expected {want}"


@pytest.mark.parametrize("dim", (-1, 0, 1, 2))
def test_norm_except_dim_is_torchs(dim, torch):
    values = random(2, 3, 4)
    got, want = (array(lib.norm_except_dim(lib.tensor(values), 2, dim)) for lib in (pullback, torch))
    agree(got, want, f"norm_except_dim {dim}")


# -- distances ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("p", (0, 0.5, 1, 2, 3, inf))
def test_distances_of_many_points_are_those_of_few(p):
    """Beyond some size another algorithm computes them."""
    x1, x2 = np.round(random(2, 90, 8)), np.round(random(80, 8))
    many = array(pullback.cdist(pullback.tensor(x1), pullback.tensor(x2), p))
    few = [array(pullback.cdist(pullback.tensor(x1[:, i : i + 1]), pullback.tensor(x2), p)) for i in range(90)]
    agree(many, np.concatenate(few, 1), f"cdist {p}", rtol=1e-12)
    assert pullback.cdist(pullback.ones(200, 300), pullback.ones(200, 300), p).dtype is pullback.float32


@pytest.mark.parametrize("p", (1, 2, 3, inf))
def test_gradients_of_points_that_coincide_are_zero_and_finite_twice(p):
    x = pullback.tensor([[1.0, 2.0], [1.0, 2.0], [3.0, 5.0]], dtype=pullback.float64, requires_grad=True)
    (first,) = pullback.autograd.grad(pullback.cdist(x[:2], x[:2], p).sum(), x)
    assert not first.any()
    (first,) = pullback.autograd.grad((pullback.pdist(x, p) ** 2).sum(), x, create_graph=True)
    (second,) = pullback.autograd.grad(first.square().sum(), x)
    assert pullback.isfinite(second).all()


def test_far_points_keep_the_digits_of_their_gradients():
    x, y = (pullback.tensor(1e6 + random(30, 3)[k:], requires_grad=True) for k in (0, 5))
    got = pullback.autograd.grad(pullback.cdist(x, y).sum(), (x, y))
    near = [pullback.tensor(t.detach().numpy() - 1e6, requires_grad=True) for t in (x, y)]
    want = pullback.autograd.grad(pullback.cdist(*near).sum(), near)
    for g, w in zip(got, want, strict=True):
        agree(array(g), array(w), "gradient", rtol=1e-7, atol=1e-7)


def test_no_points_have_no_distances():
    x = pullback.zeros(0, 3, requires_grad=True)
    result = pullback.pdist(x)
    assert result.shape == (0,)
    assert pullback.autograd.grad(result.sum(), x)[0].shape == (0, 3)


# -- results in tensors of the caller, and their names -----------------------------------------------------------------


def test_several_results_are_stored_in_several_tensors():
    sign, logarithm = pullback.zeros(()), pullback.zeros(())
    found = pullback.linalg.slogdet(2 * pullback.eye(2), out=(sign, logarithm))
    assert found.sign is sign and found.logabsdet is logarithm
    assert (sign.item(), round(logarithm.item(), 4)) == (1.0, 1.3863)


def test_named_tuples_are_named_as_torchs(torch):
    x = np.eye(2)
    calls = {
        "linalg.slogdet": lambda lib, x: lib.linalg.slogdet(x),
        "slogdet": lambda lib, x: lib.slogdet(x),
        "inv_ex": lambda lib, x: lib.linalg.inv_ex(x),
        "solve_ex": lambda lib, x: lib.linalg.solve_ex(x, x),
        "triangular_solve": lambda lib, x: lib.triangular_solve(x, x),
    }
    for name, call in calls.items():
        with quiet():
            got, want = (call(lib, lib.tensor(x)) for lib in (pullback, torch))
        assert repr(got) == repr(want), name
        assert set(type(got)._fields) <= set(dir(want)), name
