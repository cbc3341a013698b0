"""Arguments of other kinds than the samples have: NumPy's scalars, tensors as numbers, bools, and what is no tensor."""

import numpy as np
import pytest
from beside import agree_beside

import pullback

MATRIX = np.array([[1.0, 2.5, 3.0], [4.0, 5.0, 6.5]])

NUMPY_SCALARS = {
    "all": lambda lib, x: (x > 2).all(dim=np.int64(1)),
    "max": lambda lib, x: lib.max(x, dim=np.int64(-1), keepdim=True),
    "min": lambda lib, x: x.min(np.int64(0)),
    "mvlgamma": lambda lib, x: lib.mvlgamma(x + 3, np.int64(3)),
    "polygamma": lambda lib, x: lib.polygamma(np.int64(1), x),
    "quantile": lambda lib, x: lib.quantile(x, np.float64(0.3), np.int64(0)).detach(),
    "lerp": lambda lib, x: lib.lerp(x, 2 * x, np.float64(0.5)),
    "scatter": lambda lib, x: x.scatter(np.int64(0), lib.tensor([[0, 0, 0]]), np.float64(3)),
    "avg_pool1d": lambda lib, x: lib.nn.functional.avg_pool1d(x, 2, np.int64(1)).detach(),
    "gradient": lambda lib, x: lib.gradient(x, spacing=np.float64(2))[0].detach(),
}
TENSORS_AS_NUMBERS = {
    "nan_to_num": lambda lib, x: lib.nan_to_num(x, lib.tensor(1.5)),
    "std": lambda lib, x: lib.std(x, correction=lib.tensor(1)),
    "kron": lambda lib, x: lib.kron(lib.tensor(2.0), x),
}


@pytest.mark.parametrize("name", NUMPY_SCALARS)
def test_numpys_scalars_stand_for_numbers(name, torch):
    agree_beside(torch, NUMPY_SCALARS[name], [MATRIX], name)


@pytest.mark.parametrize("name", TENSORS_AS_NUMBERS)
def test_tensors_without_dims_stand_for_numbers(name, torch):
    agree_beside(torch, TENSORS_AS_NUMBERS[name], [MATRIX], name, nodes=False)


WRONG = {
    "sum": lambda lib, x: x.sum(True),
    "cat": lambda lib, x: lib.cat([x], False),
    "permute": lambda lib, x: x.permute(True, False),
    "split": lambda lib, x: x.split(True),
    "unsqueeze": lambda lib, x: x.unsqueeze(False),
    "fft": lambda lib, x: lib.fft.fft(x, dim=True),
    "bucketize": lambda lib, x: lib.bucketize(x, None),
    "gather": lambda lib, x: lib.gather(3, 0, lib.tensor([1])),
    "diagonal_scatter": lambda lib, x: lib.diagonal_scatter(x, True),
    "complex": lambda lib, x: lib.complex(x, 2),
    "clamp": lambda lib, x: lib.clamp(True, max=x),
    "matmul": lambda lib, x: lib.matmul(x, 3),
    "addmm": lambda lib, x: lib.addmm(x[:, :2], x[:, :2], x[:, :2], alpha=None),
    "addmv": lambda lib, x: lib.addmv(x[0, :2], x[:, :2], x[0, :2], beta="2"),
    "addbmm": lambda lib, x: lib.addbmm(x[:, :2], x[None, :, :2], x[None, :, :2], alpha=1j),
    "where": lambda lib, x: lib.where(lib.ones(0, 3) > 0, x, 1),
    "segment_reduce": lambda lib, x: lib.segment_reduce(x[0, 0], "max", lengths=lib.tensor([1])),
}


@pytest.mark.parametrize("name", WRONG)
def test_bools_are_no_dims_and_numbers_no_tensors(name, torch):
    agree_beside(torch, WRONG[name], [MATRIX], name)


def test_an_argument_that_is_no_tensor_is_named():
    with pytest.raises(
        TypeError, match=r"bucketize\(\): argument 'boundaries' \(position 2\) must be Tensor, not NoneType"
    ):
        pullback.bucketize(pullback.ones(2), None)


OUT = {
    "amax": lambda lib, x, out: lib.amax(x.detach(), 0, out=out),
    "matmul": lambda lib, x, out: lib.matmul(x.detach(), x.detach().T, out=out),
    "floor": lambda lib, x, out: lib.floor(x.detach(), out=out),
    "exp": lambda lib, x, out: lib.exp(x.detach(), out=out),
}


@pytest.mark.parametrize("dtype", ["float64", "float32", "complex128", "int64"])
@pytest.mark.parametrize("name", OUT)
def test_out_is_cast_to_where_torch_casts(name, dtype, torch):
    agree_beside(torch, lambda lib, x: OUT[name](lib, x, lib.empty(0, dtype=getattr(lib, dtype))), [MATRIX], name, 1e-5)


def test_a_grid_without_points_samples_nothing(torch):
    images, grid = np.ones((1, 2, 3, 4, 2)), np.ones((1, 0, 3, 2, 3))
    sample = lambda lib, x, g: lib.nn.functional.grid_sample(x, g, align_corners=False)
    agree_beside(torch, sample, [images, grid], nodes=False)


def test_nan_to_num_takes_a_zero_dim_tensor_for_a_number(torch):
    call = lambda lib, x: lib.nan_to_num(x, lib.tensor(3))
    agree_beside(torch, call, [np.array([1.0, np.nan])], nodes=False)
