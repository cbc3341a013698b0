"""The functions of ``torch.fft``: beside torch, against the transform's matrix, and by identities."""

from itertools import product

import numpy as np
import pytest
from beside import agree_beside

import pullback
from numeric import agree, array

rng = np.random.default_rng(0)
REAL = rng.standard_normal((3, 4, 5))
COMPLEX = REAL + 1j * rng.standard_normal((3, 4, 5))
INPUTS = {
    "real": REAL,
    "complex": COMPLEX,
    "single": REAL.astype("float32"),
    "complex single": COMPLEX.astype("complex64"),
    "integer": rng.integers(-9, 9, (3, 4, 5)),
    "bool": rng.integers(0, 2, (3, 4, 5)) > 0,
    "half": REAL.astype("float16"),
    "scalar": np.array(1.5),
    "nothing": np.zeros((2, 0)),
    "one element": np.ones(1),
}
KINDS = ("fft", "ifft", "rfft", "irfft", "hfft", "ihfft")
ONE = (
    *({}, {"n": 7}, {"n": 4, "dim": 1}, {"n": 1}, {"n": 2, "dim": 0, "norm": "ortho"}, {"dim": -2, "norm": "forward"}),
    *({"norm": "backward"}, {"axis": 0}),
)
MANY = (
    *({}, {"s": (2, 6)}, {"s": (4, -1), "norm": "ortho"}, {"dim": (0,)}, {"dim": (2, 0), "s": (7, 2)}, {"dim": 1}),
    *({"norm": "forward"}, {"dim": ()}, {"s": ()}, {"s": 3}, {"s": 3, "dim": 0}, {"s": (1, 3, 2)}),
)
BAD = ({"n": 0}, {"n": -1}, {"n": 2.0}, {"dim": 3}, {"dim": (0,)}, {"norm": "unknown"}, {"s": 3})
BAD_OF_MANY = (
    *({"s": (2,)}, {"s": (0, 2)}, {"s": (2, -2)}, {"s": (2, 2, 2, 2)}, {"s": (2,), "dim": (0, 1)}, {"dim": (0, 0)}),
    *({"dim": (0, -3)}, {"dim": 5}, {"norm": "x"}, {"n": 3}, {"s": 2.0}, {"s": (2.0, 3)}, {"dim": "x"}),
)
FUNCTIONS = [kind + suffix for kind, suffix in product(KINDS, ("", "2", "n"))]


@pytest.mark.parametrize("name", FUNCTIONS)
def test_transforms_are_torchs(name, torch):
    good, bad = (MANY, BAD_OF_MANY) if name[-1] in "2n" else (ONE, BAD)
    for (what, array_), options in [*product(INPUTS.items(), good), *product([("real", REAL)], bad)]:
        call = lambda lib, x, options=options: getattr(lib.fft, name)(x, **options)
        agree_beside(torch, call, [array_], f"{name} {what} {options}")


@pytest.mark.parametrize("size", (1, 2, 5, 8))
def test_the_transform_is_the_product_with_its_matrix(size):
    frequencies = np.arange(size)
    matrix = np.exp(-2j * np.pi * np.outer(frequencies, frequencies) / size)
    signal = COMPLEX.reshape(-1)[: 3 * size].reshape(3, size)
    agree(array(pullback.fft.fft(pullback.tensor(signal))), signal @ matrix, "fft")
    agree(array(pullback.fft.ifft(pullback.tensor(signal))), signal @ matrix.conj() / size, "ifft")


@pytest.mark.parametrize("norm", ("forward", "backward", "ortho"))
def test_inverse_transforms_undo_the_transforms(norm):
    real, complex_ = pullback.tensor(REAL), pullback.tensor(COMPLEX)
    F = pullback.fft
    agree(array(F.ifftn(F.fftn(complex_, norm=norm), norm=norm)), COMPLEX, "ifftn of fftn")
    agree(array(F.irfftn(F.rfftn(real, norm=norm), s=real.shape, norm=norm)), REAL, "irfftn of rfftn")
    agree(array(F.hfftn(F.ihfftn(real, norm=norm), s=real.shape, norm=norm)), REAL, "hfftn of ihfftn")
    agree(array(F.ifftshift(F.fftshift(real))), REAL, "ifftshift of fftshift")


@pytest.mark.parametrize(
    "name", ("fft", "ifft", "rfft", "irfft", "hfft", "ihfft", "rfftn", "irfftn", "hfftn", "ihfftn")
)
def test_gradients_of_both_orders_are_those_of_differences(name):
    input = (REAL if name[0] in "ri" and "rfft" not in name[1:] else COMPLEX)[:2, :2, :3]
    real = name in ("rfft", "ihfft", "rfftn", "ihfftn")
    x = pullback.tensor(REAL[:2, :2, :3] if real else input, requires_grad=True)
    function = lambda x: getattr(pullback.fft, name)(x)
    assert pullback.autograd.gradcheck(function, (x,))
    assert pullback.autograd.gradgradcheck(function, (x,))


def test_parts_that_make_no_difference_to_a_real_result_get_no_gradient(torch):
    """The imaginary parts of the first frequency and, for an even size, of the last."""
    for lib in (pullback, torch):
        for n, last in ((4, True), (5, False)):
            x = lib.ones(3, dtype=lib.complex128, requires_grad=True)
            (lib.fft.irfft(x, n=n) * lib.arange(n)).sum().backward()
            assert (x.grad.imag != 0).tolist() == [False, True, not last]


def test_frequencies_and_their_order_are_torchs(torch):
    for name, args in product(("fftfreq", "rfftfreq"), ((5,), (6, 0.5), (1,), (0,), (4, 2), (3, 0), (2.0,))):
        agree_beside(torch, lambda lib, name=name, args=args: getattr(lib.fft, name)(*args), (), f"{name} {args}")
    for dtype in ("float64", "float16", "int64", "complex64"):
        agree_beside(
            torch, lambda lib, dtype=dtype: lib.fft.fftfreq(5, dtype=getattr(lib, dtype)), (), f"fftfreq {dtype}"
        )
    for name, dim in product(("fftshift", "ifftshift"), (None, 0, -1, (1, 0), (), 3, (0, 0))):
        call = lambda lib, x, name=name, dim=dim: getattr(lib.fft, name)(x, dim=dim)
        agree_beside(torch, call, [REAL], f"{name} {dim}")
        agree_beside(torch, call, [np.arange(6)], f"{name} {dim}")
        agree_beside(torch, call, [np.array(1.0)], f"{name} {dim}")


def test_frequencies_require_grad_where_they_are_told_to():
    assert pullback.fft.fftfreq(4, requires_grad=True).requires_grad
    written = pullback.empty(4)
    assert pullback.fft.fftfreq(4, out=written) is written
    agree(array(written), [0, 0.25, -0.5, -0.25], "out")
