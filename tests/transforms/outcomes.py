"""What a small program gives in either library: numbers, or which kind of exception."""

import warnings

import numpy as np

import pullback
from numeric import array


def outcome(program, lib):
    """The arrays of what ``program(lib)`` returns, in order; or the type of the exception that it raises."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return list(arrays_in(program(lib)))
        except Exception as error:
            return type(error).__name__


def arrays_in(value):
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, (list, tuple)):
        for each in value:
            yield from arrays_in(each)
    elif hasattr(value, "detach"):
        yield array(value)
    elif not callable(value):
        yield np.asarray(value if isinstance(value, (int, float, complex, bool)) else str(value))


def check(program, torch):
    """Raise unless both libraries give the same."""
    got, want = outcome(program, pullback), outcome(program, torch)
    assert type(got) is type(want), f"{got}, expected {want}"
    if isinstance(want, str):
        assert got == want
        return
    assert len(got) == len(want), f"{got}, expected {want}"
    for g, w in zip(got, want, strict=True):
        assert g.shape == w.shape and g.dtype == w.dtype, f"{g!r}, expected {w!r}"
        if w.dtype.kind in "fc":
            np.testing.assert_allclose(g, w, rtol=1e-5, atol=1e-6)
        else:
            assert np.array_equal(g, w)
