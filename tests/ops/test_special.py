"""What the generated tests of special and pointwise functions cannot reach: names, numbers in unusual places, and order."""

import math

import numpy as np
import pytest
from cases import quiet

import pullback
from numeric import agree, array

FLOATS = ("float32", "float64", "float16", "bfloat16")


def test_special_has_every_function_of_torchs(torch):
    public = {name for name in dir(torch.special) if callable(getattr(torch.special, name)) and name[0].islower()}
    assert public <= set(dir(pullback.special))


def test_names_of_one_function_are_one_function():
    x = pullback.tensor([0.3, 2.5], dtype=pullback.float64)
    for here, there in (("psi", "digamma"), ("gammaln", "lgamma"), ("expit", "sigmoid")):
        agree(array(getattr(pullback.special, here)(x)), array(getattr(pullback, there)(x)), here, rtol=0)
    agree(array(pullback.special.gammainc(x, x)), array(pullback.igamma(x, x)), "gammainc", rtol=0)
    agree(array(pullback.special.multigammaln(x + 2, 3)), array((x + 2).mvlgamma(3)), "multigammaln", rtol=0)


def test_polygamma_takes_its_order_first_as_a_function_and_last_as_a_method():
    x = pullback.tensor([0.3, 2.5], dtype=pullback.float64)
    agree(array(pullback.polygamma(2, x)), array(x.polygamma(2)), "polygamma", rtol=0)
    with pytest.raises(TypeError, match="must be int"):
        pullback.polygamma(x, x)


@pytest.mark.parametrize("name", ("eq", "ne", "lt", "le", "gt", "ge"))
@pytest.mark.parametrize("dtype", ("int64", "uint8", "bool", "float32"))
def test_comparisons_in_place_write_ones_and_zeros_into_any_dtype(name, dtype, torch):
    results = []
    for lib in (pullback, torch):
        written = lib.tensor([0, 1, 3], dtype=getattr(lib, dtype))
        view = written.view(3)
        getattr(written, f"{name}_")(1.5)
        results.append(array(view))
    agree(*results, f"{name}_ of {dtype}")


@pytest.mark.parametrize("right", (False, True))
def test_searches_take_unsorted_sequences_and_nan_as_torch_does(right, torch):
    sequences = [
        [1.0, 3.0, math.nan],
        [math.nan, 1.0, 2.0],
        [2.0, 2.0, 2.0],
        [5.0, 1.0, 3.0],
        [-math.inf, 0.0, math.inf],
    ]
    values = [math.nan, 2.0, -1.0, 3.0, math.inf, -math.inf]
    for sequence in sequences:
        found = [
            array(lib.searchsorted(lib.tensor(sequence), lib.tensor(values), right=right)) for lib in (pullback, torch)
        ]
        agree(*found, f"searchsorted {sequence}")


def test_searches_in_batches_of_sequences_are_searches_one_by_one():
    rng = np.random.default_rng(0)
    rows, values = (pullback.tensor(rng.standard_normal(shape)) for shape in ((4, 7), (4, 2, 3)))
    rows = rows.sort(-1)[0]
    want = [pullback.bucketize(v, row) for row, v in zip(rows, values, strict=True)]
    got = pullback.func.vmap(pullback.bucketize)(values, rows)
    agree(array(got), array(pullback.stack(want)), "bucketize under vmap")
    one = pullback.func.vmap(pullback.searchsorted, in_dims=(0, None))(rows, 0.25)
    agree(array(one), np.array([np.searchsorted(row, 0.25) for row in array(rows)]), "searchsorted of a number")


@pytest.mark.parametrize("dtype", FLOATS)
def test_frexp_and_ldexp_are_inverse_and_exact_at_the_ends_of_the_range(dtype):
    limits = pullback.finfo(getattr(pullback, dtype))
    x = pullback.tensor([limits.max, -limits.tiny, 1.0, -0.75, 0.0], dtype=getattr(pullback, dtype))
    mantissa, exponent = pullback.frexp(x)
    assert exponent.dtype is pullback.int32 and float(mantissa.abs().max()) < 1
    agree(array(pullback.ldexp(mantissa, exponent)), array(x), dtype, rtol=0)


def test_mixed_derivatives_do_not_depend_on_the_order(torch):
    a, x = (
        pullback.tensor(v, dtype=pullback.float64, requires_grad=True) for v in ([0.4, 2.5, 30.0], [0.9, 1.5, 28.0])
    )
    for function in (pullback.igamma, lambda a, x: pullback.special.zeta(a + 1, x)):
        by_a, by_x = pullback.autograd.grad(function(a, x).sum(), (a, x), create_graph=True)
        (ax,), (xa,) = pullback.autograd.grad(by_a.sum(), x), pullback.autograd.grad(by_x.sum(), a)
        agree(array(ax), array(xa), "mixed derivative", rtol=1e-12)


def test_bessel_functions_solve_their_equation_at_large_arguments():
    x = pullback.tensor([0.0, 1e-3, 2.0, 7.5, 300.0, 1e6], dtype=pullback.float64)
    for name, order, sign in (("bessel_j0", 0, 1), ("bessel_j1", 1, 1)):
        function = getattr(pullback.special, name)
        slope = pullback.func.vmap(pullback.func.grad(function))
        bend = pullback.func.vmap(pullback.func.grad(pullback.func.grad(function)))
        left = x * x * bend(x) + x * slope(x) + (sign * x * x - order * order) * function(x)
        agree(array(left) / (1 + array(x) ** 1.5), np.zeros(6), name, atol=1e-13)


def test_numbers_where_torch_wants_tensors_raise():
    x = pullback.ones(3)
    for function in (
        pullback.igamma,
        pullback.heaviside,
        pullback.nextafter,
        pullback.ldexp,
        pullback.gcd,
        pullback.isclose,
    ):
        with quiet(), pytest.raises(TypeError, match="must be Tensor"):
            function(x, 2)
