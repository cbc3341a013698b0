"""Differences, integrals, histograms, covariances, segments and searches: beside torch, and against NumPy."""

import warnings
from itertools import product

import numpy as np
import pytest
from beside import agree_beside

import pullback
from numeric import agree, array

rng = np.random.default_rng(0)
REAL = rng.standard_normal((3, 4))
COMPLEX = REAL + 1j * rng.standard_normal((3, 4))
WHOLE = rng.integers(-9, 9, (3, 4))
INPUTS = {"real": REAL, "complex": COMPLEX, "whole": WHOLE, "bool": WHOLE > 0, "row": REAL[0], "scalar": REAL[0, 0]}
INPUTS |= {"single": REAL.astype("float32"), "half": REAL.astype("float16"), "empty": REAL[:, :0], "one": REAL[:, :1]}


def beside(torch, function, arrays, what, **options):
    agree_beside(torch, function, arrays, what, nodes=False, **options)


@pytest.mark.parametrize("what", INPUTS)
def test_differences_are_torchs(what, torch):
    x = INPUTS[what]
    for options in ({}, {"n": 0}, {"n": 2}, {"n": 9}, {"dim": 0}, {"n": -1}, {"n": 1.0}, {"dim": 5}):
        beside(torch, lambda lib, x, o=options: lib.diff(x, **o), [x], f"diff {what} {options}")
    for shape, dim in (((3, 2), 1), ((2, 4), 0), ((2, 4), 1), ((1,), -1)):
        call = lambda lib, x, y, dim=dim: x.diff(2, dim, prepend=y, append=y)
        beside(torch, call, [x, rng.standard_normal(shape)], f"diff {what} with {shape} joined")


@pytest.mark.parametrize("what", INPUTS)
@pytest.mark.parametrize("name", ("trapezoid", "trapz", "cumulative_trapezoid"))
def test_integrals_are_torchs(name, what, torch):
    y = INPUTS[what]
    for options in ({}, {"dx": 0.5}, {"dx": 2, "dim": 0}, {"dim": 5}):
        if what == "bool" and options:  # one error is enough
            continue
        beside(torch, lambda lib, y, o=options: getattr(lib, name)(y, **o), [y], f"{name} {what} {options}")
    for x, dim in (
        (REAL, 1),
        (REAL[0], 1),
        (REAL[:, 0], 0),
        (REAL[:, 0], 1),
        (REAL[:1], -1),
        (np.arange(4), -1),
        (COMPLEX, 0),
    ):
        call = lambda lib, y, x, dim=dim: getattr(lib, name)(y, x, dim=dim)
        beside(torch, call, [y, x], f"{name} {what} at {x.shape} {dim}")
    beside(torch, lambda lib, y, x: getattr(lib, name)(y, x, dx=1), [y, REAL], f"{name} {what} both")


@pytest.mark.parametrize("what", INPUTS)
def test_gradients_of_samples_are_torchs(what, torch):
    x = INPUTS[what]
    for options in (
        *({}, {"spacing": 2.0}, {"spacing": [2.0, 3]}, {"spacing": [2.0], "dim": 1}, {"dim": 0}, {"dim": (1, 0)}),
        *({"edge_order": 2}, {"edge_order": 3}, {"dim": 5}, {"dim": (0, 0)}, {"spacing": [1.0, 2, 3]}),
    ):
        beside(torch, lambda lib, x, o=options: lib.gradient(x, **o), [x], f"gradient {what} {options}")
    if x.shape == (3, 4):
        places = [np.array([0.0, 1, 3]), np.array([0.0, 1, 3, 7])]
        for order in (1, 2):
            call = lambda lib, x, *p, order=order: lib.gradient(x, spacing=p, edge_order=order)
            beside(torch, call, [x, *places], f"gradient {what} at places, order {order}")


def test_gradients_of_samples_are_numpys():
    places = np.array([0.0, 1, 3, 7])
    for order in (1, 2):
        (found,) = pullback.gradient(pullback.tensor(REAL), spacing=(pullback.tensor(places),), dim=1, edge_order=order)
        agree(array(found), np.gradient(REAL, places, axis=1, edge_order=order), f"order {order}")


@pytest.mark.parametrize("what", INPUTS)
def test_covariances_are_torchs(what, torch):
    x = INPUTS[what]
    for name, options in (("cov", {}), ("cov", {"correction": 0}), ("cov", {"correction": 4}), ("corrcoef", {})):
        if what == "complex" and options == {"correction": 4}:  # complex infinities are NumPy's
            continue
        beside(torch, lambda lib, x, n=name, o=options: getattr(lib, n)(x, **o), [x], f"{name} {what} {options}")
    counts, weights = np.array([1, 2, 0, 3]), np.array([0.1, 0.2, 0.3, 0.4])
    for f, a in ((counts, None), (None, weights), (counts, weights), (weights, None), (None, counts), (-counts, None)):
        given = [w for w in (f, a) if w is not None]
        beside(torch, lambda lib, x, *w, f=f, a=a: weighted(lib, x, w, f, a), [x, *given], f"cov {what} {f} {a}")
    for bad in (counts[:2], counts[None], counts * 0):
        beside(torch, lambda lib, x, f: lib.cov(x, fweights=f), [x, bad], f"cov {what} {bad}")


def weighted(lib, x, weights, f, a):
    given = iter(weights)
    return lib.cov(x, fweights=None if f is None else next(given), aweights=None if a is None else next(given))


def test_covariances_without_freedom_warn_at_the_users_line():
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        pullback.cov(pullback.ones(2, 1))
    (found,) = [w for w in caught if w.category is UserWarning]
    assert "degrees of freedom is <= 0" in str(found.message)
    assert found.filename == __file__


def test_histograms_are_torchs(torch):
    x = np.array([1.0, 2, 1, 3, 2.5, -1])
    for args in ((4,), (4, 0, 3), (3, 3, 0), (0,), (4, 1, 1), (5, -1.5, 2.5), (4, 0, np.inf), (2.0,)):
        for values in (x, x.astype("float32"), REAL, x[:0], np.append(x, np.nan)):
            beside(torch, lambda lib, x, a=args: lib.histc(x.detach(), *a), [values], f"histc {values} {args}")
    beside(torch, lambda lib, x: lib.histc(x, 4), [WHOLE], "histc of integers")
    for bins, options in product(
        (4, 1, 0), ({}, {"range": (0.0, 3.0)}, {"range": (3.0, 0.0)}, {"range": (1.0, 1.0)}, {"density": True})
    ):
        for values in (x, x.astype("float32"), REAL, x[:0]):
            call = lambda lib, x, b=bins, o=options: lib.histogram(x.detach(), b, **o)
            beside(torch, call, [values], f"histogram {bins} {options}")
    edges = np.array([-2.0, 0, 1.5, 3])
    for density in (False, True):
        call = lambda lib, x, e, w, d=density: lib.histogram(x.detach(), e.detach(), weight=w.detach(), density=d)
        beside(torch, call, [x, edges, np.arange(6.0)], "histogram with edges")
        beside(torch, call, [x, edges[:1], np.arange(6.0)], "histogram with one edge")
        beside(torch, call, [x, edges, np.arange(5.0)], "histogram with too few weights")
        beside(torch, call, [x, edges.astype("float32"), np.arange(6.0)], "histogram with other edges")


def test_histograms_of_several_dims_are_torchs_and_numpys(torch):
    points = rng.standard_normal((20, 2))
    for bins, options in product(
        ([3, 4], 3, [3], [2, 2, 2]), ({}, {"range": [-1.0, 1.0, 0.0, 2.0]}, {"range": [0.0, 1.0]}, {"density": True})
    ):
        call = lambda lib, x, b=bins, o=options: (lambda h: [h.hist, *h.bin_edges])(lib.histogramdd(x.detach(), b, **o))
        beside(torch, call, [points], f"histogramdd {bins} {options}")
    found = pullback.histogramdd(pullback.tensor(points), [3, 4])
    agree(array(found.hist), np.histogramdd(points, [3, 4])[0], "numpy")


def test_histograms_and_counts_have_derivatives_by_their_weights():
    weights = pullback.tensor(rng.random(6), requires_grad=True)
    values = pullback.tensor(rng.random(6))
    places = pullback.tensor([0, 2, 1, 2, 2, 0])
    for function in (
        lambda w: pullback.histogram(values, 3, weight=w, density=True).hist,
        lambda w: pullback.bincount(places, w, minlength=5),
    ):
        assert pullback.autograd.gradcheck(function, (weights,))
        assert pullback.autograd.gradgradcheck(function, (weights,))


def test_counts_are_torchs(torch):
    numbers, weights = np.array([4, 3, 6, 3, 4]), np.arange(5)
    for x, options in product(
        (numbers, -numbers, numbers[None], REAL[0], numbers[:0], numbers > 3), ({}, {"minlength": 9}, {"minlength": -1})
    ):
        beside(torch, lambda lib, x, o=options: lib.bincount(x, **o), [x], f"bincount {x} {options}")
    for dtype in ("float32", "float64", "float16", "int64", "bool"):
        call = lambda lib, x, w: lib.bincount(x, w.detach())
        beside(torch, call, [numbers, weights.astype(dtype)], f"bincount with weights {dtype}")
    beside(torch, lambda lib, x, w: lib.bincount(x, w), [numbers, weights[:2]], "bincount with too few weights")


def test_indices_of_several_dims_are_torchs(torch):
    for x, shape in product(
        (
            np.array([4, 1, 8]),
            np.array(4),
            np.array([[-1, 13]]),
            np.array([5], dtype="int32"),
            np.array([1.0]),
            np.array([True]),
        ),
        ((3, 4), 5, (), (3, -1), [2, 6], (2.0,), "x"),
    ):
        beside(torch, lambda lib, x, s=shape: lib.unravel_index(x, s), [x], f"unravel_index {x} {shape}")


def test_searches_are_torchs_with_every_option(torch):
    row, values = np.array([1.0, 3, 5, 7, 9]), np.array([[3.0, 6, 9], [0, 10, 5]])
    order = np.array([3, 0, 4, 1, 2])
    for options in (
        {},
        {"right": True},
        {"side": "right"},
        {"side": "left", "right": True},
        {"side": "x"},
        {"out_int32": True},
    ):
        call = lambda lib, s, x, o=options: lib.searchsorted(s, x, **o)
        beside(torch, call, [row, values], f"searchsorted {options}")
        beside(torch, call, [np.stack([row, row + 1]), values], f"searchsorted {options} in rows")
        call = lambda lib, s, x, i, o=options: lib.searchsorted(s, x, sorter=i, **o)
        beside(
            torch,
            call,
            [row[np.argsort(order)], values, np.argsort(np.argsort(order))],
            f"searchsorted {options} by a sorter",
        )
    for sorter in (order[:2], order * 1.0):
        beside(
            torch, lambda lib, s, x, i: lib.searchsorted(s, x, sorter=i.detach()), [row, values, sorter], "bad sorter"
        )


def test_extremes_of_segments_give_nothing_to_an_initial_value_that_wins(torch):
    x = np.array([1.0, 3, 3, 2, 0, 0])
    for reduce, initial in product(("max", "min", "prod", "mean", "sum"), (None, 3.0, 100.0)):
        call = lambda lib, x, n, r=reduce, i=initial: lib.segment_reduce(x, r, lengths=n, initial=i)
        want = []
        for lib in (pullback, torch):
            leaf = lib.tensor(x, requires_grad=True)
            result = call(lib, leaf, lib.tensor([3, 0, 3]))
            want.append((array(result), array(lib.autograd.grad(result.nan_to_num(0, 0, 0).sum(), leaf)[0])))
        agree(want[0][0], want[1][0], f"{reduce} {initial}")
        agree(want[0][1], want[1][1], f"{reduce} {initial} gradient")
