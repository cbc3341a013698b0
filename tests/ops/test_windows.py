"""Window functions: beside torch, and against SciPy's."""

from itertools import product

import numpy as np
import pytest
from beside import agree_beside

import pullback
from numeric import agree, array

CLASSIC = ("hann", "hamming", "blackman", "bartlett", "kaiser")
LENGTHS = (0, 1, 2, 5, 8, -1, 5.0)
OPTIONS = {
    "exponential": ({"tau": 2.0}, {"tau": 0}, {"center": 1, "sym": False}, {"center": 1}),
    "gaussian": ({"std": 2.0}, {"std": -1.0}, {"std": 0.5, "sym": False}),
    "kaiser": ({"beta": 3.0}, {"beta": 0.0}, {"beta": -1.0}),
    "general_cosine": ({"a": [0.5, 0.3, 0.2]}, {"a": (1.0,)}, {"a": []}, {"a": 0.5}),
    "general_hamming": ({"alpha": 0.3}, {"alpha": 2, "sym": False}),
}
REQUIRED = {"general_cosine": {"a": [0.5, 0.3, 0.2]}}


def same(torch, call, what):
    agree_beside(torch, call, (), what, rtol=2e-2 if "16" in what else 2e-6)


@pytest.mark.parametrize("name", CLASSIC)
def test_windows_of_torch_itself_are_torchs(name, torch):
    name += "_window"
    for length, options in product(LENGTHS, ({}, {"periodic": False}, {"dtype": "float64"})):
        same(
            torch, lambda lib, n=length, o=options: getattr(lib, name)(n, **typed(lib, o)), f"{name} {length} {options}"
        )
    for dtype in ("float16", "bfloat16", "int64", "bool", "complex64"):
        same(torch, lambda lib, d=dtype: getattr(lib, name)(4, dtype=getattr(lib, d)), f"{name} {dtype}")
    for args in ((True, 0.5), (True, 0.5, 0.3), (True, 1, 1, 1), (2,)):
        same(torch, lambda lib, a=args: getattr(lib, name)(4, *a), f"{name} {args}")


def typed(lib, options):
    return {k: getattr(lib, v) if k == "dtype" else v for k, v in options.items()}


WINDOWS = (
    *(
        "bartlett",
        "blackman",
        "cosine",
        "exponential",
        "gaussian",
        "general_cosine",
        "general_hamming",
        "hamming",
        "hann",
    ),
    *("kaiser", "nuttall"),
)


def test_the_names_of_windows_are_torchs(torch):
    assert sorted(pullback.signal.windows.__all__) == sorted(torch.signal.windows.__all__) == sorted(WINDOWS)


@pytest.mark.parametrize("name", WINDOWS)
def test_windows_of_signal_are_torchs(name, torch):
    given = REQUIRED.get(name, {})
    for length, options in product(LENGTHS, ({}, {"sym": False}, {"dtype": "float64"})):
        call = lambda lib, n=length, o=options: getattr(lib.signal.windows, name)(n, **given, **typed(lib, o))
        same(torch, call, f"{name} {length} {options}")
    for dtype in ("float16", "int64", "complex64"):
        call = lambda lib, d=dtype: getattr(lib.signal.windows, name)(4, **given, dtype=getattr(lib, d))
        same(torch, call, f"{name} {dtype}")
    for options in OPTIONS.get(name, ()):
        same(torch, lambda lib, o=options: getattr(lib.signal.windows, name)(5, **o), f"{name} {options}")
    same(torch, lambda lib: getattr(lib.signal.windows, name)(5, True), f"{name} by position")


@pytest.mark.parametrize(
    "name, args", [("hann", ()), ("nuttall", ()), ("kaiser", (4.5,)), ("gaussian", (1.5,)), ("cosine", ())]
)
def test_windows_are_scipys(name, args):
    from scipy.signal import windows

    keyword = {"kaiser": "beta", "gaussian": "std"}
    for length, sym in product((1, 4, 7), (True, False)):
        options = {keyword[name]: args[0]} if args else {}
        found = getattr(pullback.signal.windows, name)(length, sym=sym, dtype=pullback.float64, **options)
        agree(array(found), getattr(windows, name)(length, *args, sym=sym), f"{name} {length} {sym}")


def test_windows_are_leaves_that_may_require_grad():
    window = pullback.hann_window(4, requires_grad=True)
    assert window.is_leaf and window.requires_grad
    assert np.allclose(array(pullback.signal.windows.hann(5, requires_grad=True)), np.hanning(5))
