"""How arrays are shown: the forms that PyTorch's users know by sight, and the options."""

import numpy as np
import pytest

from pullback import dtypes, printing


@pytest.fixture(autouse=True)
def fresh_options():
    yield
    printing.set_printoptions(profile="default")


def shown(values, np_dtype=None, **history):
    array = np.asarray(values, np_dtype)
    return printing.format_tensor(array, dtypes.from_numpy(array.dtype), **history)


FORMS = [
    (np.float32(1.5), "tensor(1.5000)"),
    (np.float32([1, 2]), "tensor([1., 2.])"),
    (np.float64([1, 2.5]), "tensor([1.0000, 2.5000], dtype=torch.float64)"),
    (np.float32([1e-5, 2]), "tensor([1.0000e-05, 2.0000e+00])"),
    (np.float32([np.nan, -np.inf, 1.5]), "tensor([   nan,   -inf, 1.5000])"),
    (np.array([-3, 10]), "tensor([-3, 10])"),
    (np.array([True, False]), "tensor([ True, False])"),
    (np.complex64([1.5 - 2j, 0]), "tensor([1.5000-2.j, 0.0000+0.j])"),
    (np.zeros((0, 3), np.float32), "tensor([], size=(0, 3))"),
    (np.zeros(0, np.int64), "tensor([], dtype=torch.int64)"),
    (np.zeros((2, 1, 2), np.float32), "tensor([[[0., 0.]],\n\n        [[0., 0.]]])"),
    (np.arange(1001), "tensor([   0,    1,    2,  ...,  998,  999, 1000])"),
    (
        np.arange(20.0, dtype=np.float32),
        "tensor([ 0.,  1.,  2.,  3.,  4.,  5.,  6.,  7.,  8.,  9., 10., 11., 12., 13.,\n        14., 15., 16., 17., 18., 19.])",
    ),
]


@pytest.mark.parametrize("array, text", FORMS, ids=[text for _, text in FORMS])
def test_forms(array, text):
    assert shown(array) == text


def test_history_is_shown_after_the_elements():
    assert shown([1.0], np.float32, requires_grad=True) == "tensor([1.], requires_grad=True)"
    assert (
        shown([1.0], np.float32, requires_grad=True, grad_fn_name="MulBackward0")
        == "tensor([1.], grad_fn=<MulBackward0>)"
    )


def test_a_prefix_may_have_a_line_above():
    text = shown(np.ones((2, 1)), np.float32, requires_grad=True, prefix="Parameter containing:\ntensor(")
    assert text == "Parameter containing:\ntensor([[1.],\n        [1.]], requires_grad=True)"


def test_options_are_kept_and_returned():
    printing.set_printoptions(precision=2, edgeitems=1, threshold=3, sci_mode=True)
    assert shown(np.float32([1, 2, 3, 4])) == "tensor([1.00e+00,  ..., 4.00e+00])"
    options = printing.get_printoptions()
    printing.set_printoptions(profile="full")
    assert printing.get_printoptions()["threshold"] == float("inf")
    printing.set_printoptions(**options)
    assert printing.get_printoptions() == options


def test_an_unknown_profile_is_refused_with_those_that_exist():
    with pytest.raises(ValueError, match="expected a profile of default, short, full, got 'long'"):
        printing.set_printoptions(profile="long")
