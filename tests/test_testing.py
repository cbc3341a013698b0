"""``torch.testing`` against torch: the same verdicts and messages, and the same random tensors."""

import re
import warnings

import numpy as np
import pytest

import pullback

nan, inf = float("nan"), float("inf")

# Pairs to compare, made by either library, and options.
PAIRS = {
    "equal": lambda t: (t([1.0, 2.0]), t([1.0, 2.0])),
    "one element": lambda t: (t([[1.0, 2.0], [3.0, 4.0]]), t([[1.0, 3.0], [3.0, 4.0]])),
    "within the tolerance": lambda t: (t([1.0]), t([1.000001])),
    "integers": lambda t: (t([[1, 2], [3, 4]]), t([[1, 3], [3, 4]])),
    "large integers": lambda t: (t([2**60 + 1]), t([2**60])),
    "booleans": lambda t: (t([True, False]), t([True, True])),
    "unsigned": lambda t: (t([1.0, 200.0]).to(t.lib.uint8), t([3.0, 100.0]).to(t.lib.uint8)),
    "no dims": lambda t: (t(1.0), t(2.0)),
    "complex": lambda t: (t([1 + 1j]), t([1 + 2j])),
    "NaN": lambda t: (t([nan, 1.0]), t([nan, 1.0])),
    "equal NaN": lambda t: (t([nan, 1.0]), t([nan, 1.0]), {"equal_nan": True}),
    "infinite": lambda t: (t([inf, 1.0]), t([inf, 1.0])),
    "one infinite": lambda t: (t([inf, 1.0]), t([1.0, 1.0])),
    "zeros expected": lambda t: (t([1.0, 1.0]), t([0.0, 1.0])),
    "empty": lambda t: (t([]), t([])),
    "shape": lambda t: (t([1.0, 2.0]), t([[1.0, 2.0]])),
    "dtype": lambda t: (t([1.0, 2.0]), t([1, 2])),
    "dtype unchecked": lambda t: (t([1.0, 2.0]), t([1, 2]), {"check_dtype": False}),
    "stride": lambda t: (t([[1.0, 2.0]] * 2).t(), t([[1.0, 1.0], [2.0, 2.0]]), {"check_stride": True}),
    "requires grad": lambda t: (t([1.0]).requires_grad_(), t([1.0])),
    "own tolerances": lambda t: (t([1.0, 1.5]), t([1.1, 1.1]), {"rtol": 0.2, "atol": 0.0}),
    "one tolerance": lambda t: (t([1.0]), t([1.0]), {"rtol": 0.2}),
    "numbers": lambda t: (1.0, 2.0),
    "whole numbers": lambda t: (1, 2),
    "numbers of two types": lambda t: (1, 1.0),
    "numbers of two types, unchecked": lambda t: (1, 1.0, {"check_dtype": False}),
    "Python's booleans": lambda t: (True, False),
    "None": lambda t: (None, None),
    "None and a number": lambda t: (None, 1.0),
    "a sequence": lambda t: ([t([1.0]), 2.0], (t([1.0]), 3.0)),
    "lengths": lambda t: ([1.0, 2.0], [1.0]),
    "a mapping": lambda t: ({"a": t([1.0]), "b": 2.0}, {"a": t([1.0]), "b": 3.0}),
    "keys": lambda t: ({"a": 1.0}, {"b": 1.0}),
    "nested": lambda t: ({"a": [1.0, (2.0, t([1.0]))]}, {"a": [1.0, (2.0, t([5.0]))]}),
    "arrays": lambda t: (np.ones(2), np.zeros(2)),
    "a tensor and a list": lambda t: (t([1.0]), [1.0]),
    "an array and a tensor": lambda t: (np.ones(1), t([1.0])),
    "strings": lambda t: ("a", "a"),
    "a message": lambda t: (t([1.0]), t([5.0]), {"msg": "hello"}),
    "a made message": lambda t: (t([1.0]), t([5.0]), {"msg": lambda text: "before " + text}),
}


class Make:
    def __init__(self, lib):
        self.lib = lib

    def __call__(self, data):
        return self.lib.tensor(data)


def outcome(lib, name):
    actual, expected, *options = PAIRS[name](Make(lib))
    try:
        return lib.testing.assert_close(actual, expected, **(options[0] if options else {}))
    except (AssertionError, TypeError, ValueError) as error:
        return type(error), re.sub(r"(?<=\.\d{6})\d+", "", str(error)).replace("pullback.", "torch.")


@pytest.mark.parametrize("name", PAIRS)
def test_assert_close_says_what_torch_says(torch, name):
    assert outcome(pullback, name) == outcome(torch, name)


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float32", "float64", "complex64", "complex128"])
def test_default_tolerances_are_torchs(torch, dtype):
    for off in (5e-8, 5e-7, 5e-6, 5e-5, 2e-3, 8e-3, 5e-2):
        found = []
        for lib in (pullback, torch):
            kind = getattr(lib, dtype)
            try:
                lib.testing.assert_close(lib.tensor([3.0 * (1 + off)], dtype=kind), lib.tensor([3.0], dtype=kind))
                found.append(True)
            except AssertionError:
                found.append(False)
        assert found[0] == found[1], off


def test_the_older_form_is_looser_and_deprecated(torch):
    for lib in (pullback, torch):
        with pytest.warns(FutureWarning, match="deprecated"):
            lib.testing.assert_allclose(lib.tensor([1.00001]), [1.0])
        with pytest.warns(FutureWarning, match="deprecated"), pytest.raises(AssertionError, match="Greatest absolute"):
            lib.testing.assert_allclose(lib.tensor([1.1]), lib.tensor([1.0]))


@pytest.mark.parametrize(
    "dtype", ["float32", "float64", "float16", "int64", "int8", "uint8", "bool", "complex64", "complex128"]
)
@pytest.mark.parametrize(
    "options",
    [{}, {"low": 1, "high": 3}, {"low": -3}, {"noncontiguous": True}, {"low": 0, "high": 2, "exclude_zero": True}],
    ids=str,
)
def test_make_tensor_draws_torchs_numbers(torch, dtype, options):
    if dtype in ("uint8", "bool") and options.get("low") == -3:
        return  # below what the dtype holds
    if dtype == "bool" and "high" in options:
        return
    made = []
    for lib in (pullback, torch):
        lib.manual_seed(3)
        made.append(lib.testing.make_tensor((3, 4), dtype=getattr(lib, dtype), device="cpu", **options))
    assert made[0].tolist() == made[1].tolist()
    assert made[0].is_contiguous() == made[1].is_contiguous()


def test_make_tensor_takes_a_shape_in_any_form_and_requires_grad_if_asked(torch):
    for lib in (pullback, torch):
        make = lambda *shape, lib=lib, **options: lib.testing.make_tensor(
            *shape, dtype=lib.float32, device="cpu", **options
        )
        assert [tuple(m.shape) for m in (make(2, 3), make((2, 3)), make([2]), make(()))] == [(2, 3), (2, 3), (2,), ()]
        assert make(2, requires_grad=True).requires_grad


@pytest.mark.parametrize(
    "options, message",
    [
        ({"low": 3, "high": 2}, "`low` must be less than `high`, but got 3 >= 2"),
        ({"low": nan}, "`low` and `high` cannot be NaN"),
        ({"dtype": "int64", "requires_grad": True}, "`requires_grad=True` is not supported for boolean and integral"),
    ],
)
def test_make_tensor_refuses_what_torch_refuses(torch, options, message):
    for lib in (pullback, torch):
        kind = getattr(lib, options.get("dtype", "float32"))
        with warnings.catch_warnings(), pytest.raises(ValueError, match=message):
            lib.testing.make_tensor(3, device="cpu", **options | {"dtype": kind})
