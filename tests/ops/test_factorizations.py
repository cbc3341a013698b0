"""Factorisations where the generated tests cannot judge them: vectors up to a factor, names of results, pivots, infos, refusals.

Functions of the vectors that are the same for every choice of factors are compared with torch and with finite differences.
"""

import numpy as np
import pytest
from cases import quiet

import pullback
from numeric import agree, array

KINDS = ("float64", "complex128")


def sample(*shape, kind="float64", seed=0):
    rng = np.random.default_rng(seed)
    real, imag = rng.standard_normal((2, *shape))
    return (real + 1j * imag if kind.startswith("complex") else real).astype(kind)


def hermitian(x):
    return x + x.mH


def positive(x):
    return x @ x.mH + 2 * x.new_ones(x.shape[-1]).diag()


# Functions that do not depend on the choice of vectors, by name: each takes the library and a matrix.
INVARIANT = {
    "eigh: a function of the matrix": lambda t, x: rebuilt(t.linalg.eigh(hermitian(x)), t.exp),
    "eigh: projectors, by the upper triangle": lambda t, x: projectors(t.linalg.eigh(hermitian(x), "U")[1]),
    "eigh: the vectors' moduli": lambda t, x: t.linalg.eigh(hermitian(x)).eigenvectors.abs() ** 2,
    "eigh: values": lambda t, x: t.linalg.eigh(hermitian(x)).eigenvalues,
    "eig: a function of the matrix": lambda t, x: functional(t, *t.linalg.eig(x)),
    "eig: the vectors' moduli": lambda t, x: moduli(t, *t.linalg.eig(x)),
    "eig: values": lambda t, x: t.linalg.eig(x).eigenvalues.abs().log().sum(-1),
    "eigvals": lambda t, x: t.linalg.eigvals(x).abs().log().sum(-1),
    "svd: a function of the singular values": lambda t, x: resized(t.linalg.svd(x, full_matrices=False)),
    "svd: projectors on the left": lambda t, x: projectors(t.linalg.svd(x, full_matrices=False).U),
    "svd: projectors on the right": lambda t, x: projectors(t.linalg.svd(x, full_matrices=False).Vh.mH),
    "svd: values of the full one": lambda t, x: t.linalg.svd(x).S,
    "svd: the old one": lambda t, x: rejoined(*t.svd(x)),
    "svd: the old one's values": lambda t, x: t.svd(x, compute_uv=False).S,
}


def rebuilt(pair, function):
    values, vectors = pair
    return (vectors * function(values).unsqueeze(-2)) @ vectors.mH


def projectors(vectors):
    """The projectors on the vectors but the first, whose sum with the others' is no news."""
    columns = vectors[..., :, 1:].mT.unsqueeze(-1)
    return columns @ columns.mH


def functional(t, values, vectors):
    return (vectors * t.exp(values).unsqueeze(-2)) @ t.linalg.inv(vectors)


def moduli(t, values, vectors):
    """In an order that does not depend on the library."""
    weights = (values.real + 0.3 * values.imag.abs()).unsqueeze(-2)
    return (vectors.abs() ** 2 * weights).sum(-1)


def resized(triple):
    U, S, Vh = triple
    return (U * (S * S).unsqueeze(-2)) @ Vh


def rejoined(U, S, V):
    return (U * S.unsqueeze(-2) ** 2) @ V.mH


def matrix(name, kind):
    square = sample(2, 3, 3, kind=kind, seed=3)
    return square if name.startswith("eig") else sample(2, 4, 3, kind=kind, seed=4)


def derivatives(lib, function, x):
    """The value, the gradient of a weighted sum of it, and that of the gradient's squares."""
    x = lib.tensor(x, requires_grad=True)
    value = function(lib, x)
    weights = lib.tensor(np.random.default_rng(7).standard_normal(tuple(value.shape)))
    with quiet():
        (first,) = lib.autograd.grad((value * weights).real.sum(), x, create_graph=True)
        (second,) = lib.autograd.grad((first.abs() ** 2).sum(), x)
    return [array(each) for each in (value, first, second)]


each_invariant = pytest.mark.parametrize("name", INVARIANT)
each_kind = pytest.mark.parametrize("kind", KINDS)


@each_kind
@each_invariant
def test_what_does_not_depend_on_the_choice_of_vectors_is_torchs(name, kind, torch):
    function, x = INVARIANT[name], matrix(name, kind)
    for got, want, what in zip(
        derivatives(pullback, function, x),
        derivatives(torch, function, x),
        ("value", "gradient", "second derivative"),
        strict=True,
    ):
        agree(got, want, f"{name} {kind} {what}", rtol=1e-8, atol=1e-8 * (1 + np.abs(want).max()))


@each_kind
@each_invariant
def test_what_does_not_depend_on_the_choice_of_vectors_has_the_derivatives_of_finite_differences(name, kind):
    x = pullback.tensor(matrix(name, kind)[0], requires_grad=True)
    function = lambda x: INVARIANT[name](pullback, x)
    assert pullback.autograd.gradcheck(function, (x,), check_forward_ad=True)
    assert pullback.autograd.gradgradcheck(function, (x,))


@each_kind
@each_invariant
def test_vmap_and_forward_mode_of_what_does_not_depend_on_the_choice_of_vectors(name, kind):
    function = lambda x: INVARIANT[name](pullback, x)
    x, direction = (pullback.tensor(matrix(name, kind) + i) for i in range(2))
    push = lambda x, d: pullback.func.jvp(function, (x,), (d,))
    value, tangent = pullback.func.vmap(push)(x, direction)
    for i in range(2):
        each = push(x[i], direction[i])
        agree(array(value[i]), array(each[0]), f"{name} vmap", rtol=1e-8)
        agree(array(tangent[i]), array(each[1]), f"{name} vmap of jvp", rtol=1e-7)


@pytest.mark.parametrize("wide", (False, True))
@each_kind
def test_factors_multiply_to_the_matrix(wide, kind):
    a = pullback.tensor(sample(2, 3, 4, kind=kind) if wide else sample(2, 4, 3, kind=kind))
    for full in (False, True):
        U, S, Vh = pullback.linalg.svd(a, full_matrices=full)
        agree(array((U[..., :3] * S.unsqueeze(-2)) @ Vh[..., :3, :]), array(a), "svd")
        agree(array(U.mH @ U), np.broadcast_to(np.eye(U.shape[-1]), (2, *U.shape[-1:] * 2)), "U", atol=1e-12)
    for mode in ("reduced", "complete"):
        Q, R = pullback.linalg.qr(a, mode)
        agree(array(Q @ R), array(a), f"qr {mode}")
    P, L, U = pullback.linalg.lu(a)
    agree(array(P @ L @ U), array(a), "lu")
    P, L, U = pullback.lu_unpack(*pullback.linalg.lu_factor(a))
    agree(array(P @ L @ U), array(a), "lu_unpack")


@each_kind
def test_eigenvectors_are_torchs_up_to_a_factor(kind, torch):
    for dtype in (kind, {"float64": "float32", "complex128": "complex64"}[kind]):
        x = sample(2, 4, 4, kind=dtype)
        for name in ("eig", "eigh"):
            operand = x + np.conj(np.swapaxes(x, -1, -2)) if name == "eigh" else x
            ours, theirs = (getattr(lib.linalg, name)(lib.tensor(operand)) for lib in (pullback, torch))
            assert [str(o.dtype) for o in ours] == [str(o.dtype) for o in theirs]
            values, vectors = (array(part) for part in ours)
            agree(operand @ vectors, vectors * values[..., None, :], name, rtol=1e-4)
            agree(np.linalg.norm(vectors, axis=-2), np.ones((2, 4)), name, rtol=1e-5)
            agree(np.sort(np.abs(values)), np.sort(np.abs(array(theirs[0]))), name, rtol=1e-5)


DEPENDENT = {
    "eigh": lambda t, x: t.linalg.eigh(hermitian(x)).eigenvectors.real.sum(),
    "eig": lambda t, x: t.linalg.eig(x).eigenvectors.real.sum(),
    "svd of U": lambda t, x: t.linalg.svd(x).U.real.sum(),
    "svd of V": lambda t, x: t.linalg.svd(x).Vh.imag.sum(),
}


@pytest.mark.parametrize("name", DEPENDENT)
def test_a_loss_that_depends_on_a_phase_raises_as_in_torch(name, torch):
    for lib in (torch, pullback):
        x = lib.tensor(sample(3, 3, kind="complex128"), requires_grad=True)
        with pytest.raises(RuntimeError, match="specified up to multiplication by e"):
            DEPENDENT[name](lib, x).backward()


def test_the_vectors_beyond_the_singular_values_have_no_gradient():
    x = pullback.tensor(sample(4, 2), requires_grad=True)
    U = pullback.linalg.svd(x).U
    (gradient,) = pullback.autograd.grad((U[:, 2:] ** 2).sum(), x)
    assert not gradient.any()


@pytest.mark.parametrize(
    ("shape", "mode", "words"),
    [((4, 3), "complete", "not differentiable when mode='complete' and nrows > ncols"), ((3, 3), "r", "depends on Q")],
)
def test_qr_without_a_derivative_says_so(shape, mode, words, torch):
    for lib in (torch, pullback):
        x = lib.tensor(sample(*shape), requires_grad=True)
        R = lib.linalg.qr(x, mode=mode)[1]
        with pytest.raises(RuntimeError, match=words):
            R.sum().backward()
    with pytest.raises(RuntimeError, match=words):
        pullback.func.jvp(lambda x: pullback.linalg.qr(x, mode=mode)[1], (x.detach(),), (x.detach(),))


@each_kind
def test_geqrf_has_a_derivative(kind):
    for shape in ((4, 3), (3, 3), (2, 4)):
        x = pullback.tensor(sample(*shape, kind=kind), requires_grad=True)
        assert pullback.autograd.gradcheck(pullback.geqrf, (x,), check_forward_ad=True)


def test_ldl_has_no_derivative_by_the_matrix_but_by_the_right_side():
    x = pullback.tensor(positive(pullback.tensor(sample(3, 3))).numpy(), requires_grad=True)
    LD, pivots = pullback.linalg.ldl_factor(x)
    with pytest.raises(RuntimeError, match="derivative for aten::linalg_ldl_factor_ex is not implemented"):
        LD.sum().backward()
    b = pullback.tensor(sample(3, 2), requires_grad=True)
    solve = lambda b: pullback.linalg.ldl_solve(LD.detach(), pivots, b)
    agree(array(x @ solve(b)), array(b), "ldl_solve")
    assert pullback.autograd.gradcheck(solve, (b,), check_forward_ad=True)


# Calls whose results are the same arrays in both libraries, of several names and outputs.
CALLS = {
    "cholesky_ex": lambda t, x: t.linalg.cholesky_ex(positive(x)),
    "eigh": lambda t, x: t.linalg.eigh(t.eye(3, dtype=x.dtype)),
    "lu": lambda t, x: t.linalg.lu(x),
    "lu_factor": lambda t, x: t.linalg.lu_factor(x),
    "lu_factor_ex": lambda t, x: t.linalg.lu_factor_ex(x, check_errors=True),
    "torch.lu": lambda t, x: t.lu(x),
    "torch.lu with infos": lambda t, x: t.lu(x, get_infos=True),
    "lu_unpack": lambda t, x: t.lu_unpack(*t.linalg.lu_factor(x)),
    "lu_unpack of data": lambda t, x: t.lu_unpack(*t.linalg.lu_factor(x), unpack_pivots=False),
    "lu_unpack of pivots": lambda t, x: t.lu_unpack(*t.linalg.lu_factor(x), unpack_data=False),
    "torch.lu_solve": lambda t, x: t.lu_solve(x, *t.linalg.lu_factor(x + 3)),
    "ldl_factor": lambda t, x: t.linalg.ldl_factor(hermitian(x), hermitian=True),
    "ldl_factor_ex": lambda t, x: t.linalg.ldl_factor_ex(x + x.mT),
    "qr": lambda t, x: t.linalg.qr(x),
    "torch.qr": lambda t, x: t.qr(x, some=False),
    "geqrf": lambda t, x: x.geqrf(),
    "pinv by rcond": lambda t, x: t.linalg.pinv(x, 0.5),
    "pinverse": lambda t, x: x.pinverse(0.3),
    "matrix_rank by tol": lambda t, x: t.linalg.matrix_rank(x, 1.0, False),
    "lstsq": lambda t, x: t.linalg.lstsq(x, x[..., :2]),
    "lstsq of vectors": lambda t, x: t.linalg.lstsq(x[..., :2], x[..., 2], driver="gels"),
    "lstsq by gelsd": lambda t, x: t.linalg.lstsq(x[..., :2], x, driver="gelsd"),
    "lstsq by gelss": lambda t, x: t.linalg.lstsq(x[..., :2, :], x[..., :2, :], driver="gelss"),
    "lstsq of low rank": lambda t, x: t.linalg.lstsq(x[..., :1] @ x[..., :1, :], x, rcond=1e-3, driver="gelsd"),
    "svd without vectors": lambda t, x: t.svd(x, compute_uv=False),
}


@each_kind
@pytest.mark.parametrize("name", CALLS)
def test_results_are_torchs_by_name_type_and_value(name, kind, torch):
    with quiet():
        ours, theirs = (CALLS[name](lib, lib.tensor(sample(2, 3, 3, kind=kind))) for lib in (pullback, torch))
    several = isinstance(theirs, tuple)
    assert type(ours).__name__ == type(theirs).__name__
    assert repr(ours).split("=")[0] == repr(theirs).split("=")[0]
    for got, want in zip(ours if several else [ours], theirs if several else [theirs], strict=True):
        assert str(got.dtype) == str(want.dtype)
        agree(array(got), array(want), name)


@pytest.mark.parametrize("name", ["lu", "lu_unpack", "lstsq by gelsd"])
def test_what_is_no_function_of_the_matrix_requires_no_grad(name, torch):
    ours, theirs = (CALLS[name](lib, lib.tensor(sample(3, 3), requires_grad=True)) for lib in (pullback, torch))
    assert [o.requires_grad for o in ours] == [o.requires_grad for o in theirs]
    names = [[o.grad_fn and o.grad_fn.name() for o in each] for each in (ours, theirs)]
    assert names[0] == names[1]


@each_kind
def test_elimination_of_many_small_matrices_is_lapacks(kind):
    x = sample(200, 4, 3, kind=kind)
    x[7], x[8, 3] = 0, x[8, 0]
    many = pullback.linalg.lu_factor_ex(pullback.tensor(x))
    for i in range(10):
        one = pullback.linalg.lu_factor_ex(pullback.tensor(x[i]))
        agree(array(many.LU[i]), array(one.LU), f"matrix {i}", rtol=1e-12)
        agree(array(many.pivots[i]), array(one.pivots), f"matrix {i} pivots")
    agree(array(many.info[:9]), [0] * 7 + [1, 0], "info")


def bad(t, *values):
    return t.tensor(values, dtype=t.float64)


REFUSED = {
    "cholesky": lambda t: t.linalg.cholesky(bad(t, [1, 2], [2, 1])),
    "cholesky of a batch": lambda t: t.linalg.cholesky(bad(t, [[1, 0], [0, 1]], [[1, 2], [2, 1]])),
    "cholesky of NaN": lambda t: t.linalg.cholesky(bad(t, [np.nan])),
    "torch.cholesky": lambda t: t.cholesky(bad(t, [1, 2], [2, 1])),
    "cholesky_ex": lambda t: t.linalg.cholesky_ex(bad(t, [-1.0]), check_errors=True),
    "cholesky_inverse": lambda t: t.cholesky_inverse(bad(t, [0.0])),
    "lu_factor": lambda t: t.linalg.lu_factor(bad(t, [1, 2], [1, 2])),
    "lu_factor of a batch": lambda t: t.linalg.lu_factor(bad(t, [[1, 0], [0, 1]], [[0, 0], [0, 0]])),
    "svd": lambda t: t.linalg.svd(bad(t, [np.nan])),
    "svdvals": lambda t: t.linalg.svdvals(bad(t, [1, np.nan])),
    "eig": lambda t: t.linalg.eig(bad(t, [np.nan])),
    "lstsq": lambda t: t.linalg.lstsq(bad(t, [1, 0], [1, 0], [1, 0]), bad(t, [1], [2], [3]), driver="gels"),
    "lu without pivots": lambda t: t.linalg.lu(bad(t, [1.0]), pivot=False),
    "lu_unpack": lambda t: t.lu_unpack(bad(t, [1.0]), t.tensor([5], dtype=t.int32)),
    "pca_lowrank": lambda t: t.pca_lowrank(bad(t, [1, 2]), q=3),
    "lobpcg": lambda t: t.lobpcg(bad(t, [1, 2], [2, 1])),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refusals_are_torchs_in_type_and_have_its_words(name, torch):
    with pytest.raises(Exception) as theirs, quiet():
        REFUSED[name](torch)
    with pytest.raises(Exception) as ours:
        REFUSED[name](pullback)
    assert ours.type.__name__ == theirs.type.__name__
    words = str(theirs.value).split(" (error code")[0].split("inclusive")[0].rstrip(".")
    assert words.split(": ", 1)[-1] in str(ours.value), str(ours.value)


def test_an_incomplete_factor_comes_with_the_order_of_the_minor(torch):
    values = [[[4.0, 2.0], [2.0, 5.0]], [[1.0, 2.0], [2.0, 1.0]], [[-1.0, 0.0], [0.0, 1.0]]]
    for upper in (False, True):
        ours, theirs = (lib.linalg.cholesky_ex(lib.tensor(values), upper=upper) for lib in (pullback, torch))
        agree(array(ours.info), array(theirs.info), "info")
        agree(array(ours.L[:1]), array(theirs.L[:1]), "factor")


def test_low_rank_decompositions_find_low_rank_exactly(torch):
    x = sample(2, 6, 2) @ sample(2, 2, 5, seed=1)
    for lib in (torch, pullback):
        a = lib.tensor(x)
        for matrix in (a, a.mT):
            U, S, V = lib.svd_lowrank(matrix, q=2)
            agree(array((U * S.unsqueeze(-2)) @ V.mT), array(matrix), "svd_lowrank")
        U, S, V = lib.pca_lowrank(a, q=2)
        agree(array((U * S.unsqueeze(-2)) @ V.mT), array(a - a.mean(-2, True)), "pca_lowrank", atol=1e-8)


def test_lobpcg_finds_torchs_extreme_eigenvalues(torch):
    a, b = (sample(12, 12, seed=s) for s in range(2))
    a, b = a @ a.T, b @ b.T + np.eye(12)
    for options in ({"k": 2}, {"k": 2, "largest": False}, {"k": 1, "B": True}, {"X": True}):
        found = []
        for lib in (pullback, torch):
            given = {
                k: lib.tensor(b if k == "B" else sample(12, 3)) if v is True and k in "BX" else v
                for k, v in options.items()
            }
            with quiet():
                values, vectors = lib.lobpcg(lib.tensor(a), niter=200, **given)
            right = lib.tensor(b) @ vectors if "B" in options else vectors
            agree(array(lib.tensor(a) @ vectors), array(right * values), f"lobpcg {options}", rtol=1e-3, atol=1e-3)
            found.append(array(values))
        agree(*found, f"lobpcg {options}", rtol=1e-5)
    x = pullback.tensor(a, requires_grad=True)
    assert pullback.autograd.gradcheck(lambda x: pullback.lobpcg(hermitian(x), 2)[0], (x,))
