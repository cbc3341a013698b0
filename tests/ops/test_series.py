"""Every operation on Taylor series: against nested forward mode, and how the work grows with the order."""

import re
from itertools import groupby

import numpy as np
import pytest
from cases import DIFFERENTIABLE
from problem import Problem, problems_of

import pullback
from numeric import agree, array
from pullback.compile import trace

each_case = pytest.mark.parametrize("case", DIFFERENTIABLE, ids=str)
FIRST = [next(cases) for _, cases in groupby(DIFFERENTIABLE, key=lambda case: case.op.name)]
each_operation = pytest.mark.parametrize("case", FIRST, ids=str)

# Their rules name a new function with each derivative: powers with ever smaller tensors as exponents, polygammas of ever higher order,
# cofactors' slopes in the direction of each derivative.
CUBIC = {"pow", "float_power", "lgamma", "digamma", "polygamma", "linalg_det", "cofactors", "cofactor_slope"}
FAMILIES = re.compile(
    "mvlgamma|.*bessel.*|i[01]e?|.*polynomial.*|erfcx.*|(erfinv|ndtri|sinc)_slope|sinc|ldexp|gamma_slope|_standard_gamma_grad"
)
QUARTIC = {"zeta", "zeta_slope", "igamma", "igammac", "igamma_slope", "gamma_density"}  # in both arguments
LONG = {"beta_slope", "_dirichlet_grad"}  # quartic too, with twenty seconds for an order of twelve
# Products, for what the rule leaves out for a zero is another product; and positions in a grid, each derivative by which is a
# slope along every dim.
EXPONENTIAL = {
    "index_reduce",
    "scatter_reduce",
    "grid_gather",
    "grid_slope",
    "grid_scatter",
    "grid_sampler_2d",
    "grid_sampler_3d",
}


def curve_of(problem, order):
    """Random primals' derivatives along a curve."""
    return [[0.3 * noise for noise in (problem.like([p])[0] for _ in range(order))] for p in problem.primals]


def tensors(arrays):
    return [pullback.tensor(np.asarray(a)) for a in arrays]


def first_two(problem, series):
    """The first two derivatives along the curve, by forward mode over forward mode."""
    primals, (first, second) = tensors(problem.primals), zip(*map(tensors, series), strict=True)

    def slope(t):
        points = tuple(x + t * (v + (t / 2) * a) for x, v, a in zip(primals, first, second, strict=True))
        moving = tuple(v + t * a for v, a in zip(first, second, strict=True))
        return pullback.func.jvp(problem.outputs, points, moving)[1]

    zero = pullback.tensor(0.0, dtype=pullback.float64)
    return pullback.func.jvp(slope, (zero,), (pullback.ones_like(zero),))


@each_case
def test_series_give_the_derivatives_of_nested_forward_mode(case):
    for problem in problems_of(case):
        series = curve_of(problem, 2)
        value, found = pullback.func.jet(problem.outputs, tensors(problem.primals), [tensors(s) for s in series])
        for order, want in enumerate(first_two(problem, series)):
            what = f"{case} {problem.dtype} order {order + 1}"
            for v, terms, w in zip(value, found, want, strict=True):
                assert (terms[order].shape, terms[order].dtype) == (v.shape, v.dtype), what
                scale = 1 + float(np.abs(array(w)).max(initial=0.0, where=np.isfinite(array(w))))
                agree(array(terms[order]), array(w), what, rtol=1e-8, atol=1e-9 * scale)


def count(problem, order):
    """The number of operations that a jet of this order runs."""
    n, arrays = len(problem.primals), [a for series in curve_of(problem, order) for a in series]

    def run(*values):
        lists = [values[n + i * order :][:order] for i in range(n)]
        return pullback.func.jet(problem.outputs, values[:n], lists)[1]

    return len(trace(run, *tensors(problem.primals), *tensors(arrays)).calls)


@each_operation
def test_work_grows_at_most_with_the_square_of_the_order(case):
    if case.op.name in EXPONENTIAL | LONG:
        return
    problem = Problem(case)
    fewer, more = count(problem, 6), count(problem, 12)
    name = case.op.name
    limit = 16 if name in QUARTIC else 11 if name in CUBIC or FAMILIES.fullmatch(name) else 4.2
    assert more <= limit * fewer, f"{case}: {fewer} operations, then {more}"
