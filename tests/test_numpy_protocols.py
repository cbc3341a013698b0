"""NumPy's functions on tensors, arrays out of tensors and into them, and the exchange of memory with other libraries."""

import copy
import pickle
import warnings

import numpy as np
import pytest

import pullback as torch
from numeric import basis, difference

A, B = np.random.default_rng(0).uniform(0.2, 0.9, (2, 3, 4))
S, V = np.random.default_rng(1).uniform(0.2, 0.9, (3, 3)), np.random.default_rng(2).uniform(0.2, 0.9, 4)

CALLS = (
    """
np.sum(a) | np.sum(a, axis=0) | np.sum(a, axis=(0, 1), keepdims=True) | np.sum(a, dtype=np.float32) | np.mean(a, 1)
np.prod(a) | np.prod(a, axis=1, keepdims=True) | np.std(a) | np.var(a, axis=0, ddof=1) | np.max(a, axis=1) | np.min(a)
np.argmax(a) | np.argmin(a, axis=1) | np.any(a > 0.5) | np.all(a > 0.5, axis=0) | np.median(a) | np.median(a, axis=1)
np.quantile(a, 0.3) | np.quantile(a, [0.1, 0.5], axis=0) | np.percentile(a, 30, axis=1) | np.nansum(a) | np.nanmedian(a)
np.cumsum(a) | np.cumsum(a, axis=1) | np.cumprod(a, axis=0) | np.count_nonzero(a) | np.ptp(a) | np.average(a)
np.average(a, axis=1, weights=v) | np.sort(a, axis=0) | np.sort(a, axis=None) | np.argsort(a) | np.clip(a, 0.3, 0.6)
np.clip(a, None, 0.5) | np.where(a > 0.5, a, b) | np.where(a > 0.5, a, 0.0) | np.where(a > 0.5) | np.nonzero(a > 0.5)
np.argwhere(a > 0.5) | np.flatnonzero(a > 0.5) | np.reshape(a, (4, 3)) | np.reshape(a, -1) | np.ravel(a) | np.transpose(a)
np.transpose(a, (1, 0)) | np.swapaxes(a, 0, 1) | np.moveaxis(a, 0, -1) | np.squeeze(a[None]) | np.expand_dims(a, (0, 1))
np.broadcast_to(v, (2, 4)) | np.broadcast_arrays(a, v) | np.concatenate([a, b]) | np.concatenate((a, b), axis=1)
np.concatenate([a, b], axis=None) | np.stack([a, b], axis=-1) | np.vstack([a, v]) | np.hstack([a, b]) | np.dstack([a, b])
np.column_stack([v, v]) | np.split(a, 2, axis=1) | np.split(a, 2) | np.split(a, [1, 2]) | np.array_split(a, 2)
np.hsplit(a, 2) | np.tile(a, 2) | np.tile(v, (2, 2)) | np.repeat(a, 2) | np.repeat(v, [1, 2, 0, 1]) | np.roll(a, 1)
np.roll(a, (1, 2), axis=(0, 1)) | np.flip(a) | np.flip(a, axis=1) | np.fliplr(a) | np.rot90(a) | np.pad(a, 1)
np.pad(a, ((1, 0), (0, 2))) | np.pad(v, (1, 2), constant_values=3) | np.diff(a) | np.diff(a, n=2, axis=0) | np.dot(a, b.T)
np.dot(v, v) | np.dot(a, v) | np.dot(a, 2.0) | np.dot(a, np.stack([b.T, b.T])) | np.vdot(a, b) | np.inner(a, b)
np.outer(v, v) | np.kron(v, v) | np.tensordot(a, b, axes=([0], [0])) | np.einsum("ij,kj->ik", a, b, optimize=True)
np.cross(a[:, :3], b[:, :3]) | np.trace(s, offset=1) | np.diagonal(s) | np.diag(v, 1) | np.tril(s) | np.triu(s, 1)
np.take(a, [0, 2], axis=0) | np.take(a, [[0, 2], [1, 1]]) | np.take_along_axis(a, np.array([[0], [1], [2]]), axis=1)
np.round(a, 1) | np.copy(a) | np.nan_to_num(a) | np.isclose(a, b) | np.allclose(a, a) | np.array_equal(a, a)
np.real(a) | np.imag(a) | np.angle(a) | np.sinc(a) | np.shape(a) | np.ndim(a) | np.size(a, 0) | np.zeros_like(a)
np.full_like(a, 3.0, dtype=np.float32) | np.meshgrid(v, v[:2]) | np.meshgrid(v, v[:2], indexing="ij") | np.atleast_2d(v)
np.unique(np.round(v)) | np.trapezoid(a) | np.trapezoid(v, v) | np.append(a, b) | np.extract(a > 0.5, a) | np.unstack(a)
np.astype(a, np.float32) | np.searchsorted(np.arange(4.0), v) | np.isin(a, v) | np.digitize(v, [0.5])
np.add.reduce(a) | np.add.reduce(a, axis=None) | np.multiply.reduce(a, axis=1) | np.maximum.reduce(a)
np.minimum.reduce(a, axis=(0, 1)) | np.logaddexp.reduce(a) | np.logical_and.reduce(a > 0.5) | np.add.accumulate(a)
np.maximum.accumulate(a, axis=1) | np.multiply.accumulate(a) | np.add.outer(a, v) | np.multiply.outer(v, a)
np.add(a, 1) | np.add(1, a) | np.add(a, b, dtype=np.float32) | np.float64(2) * a | a * np.float64(2) | np.ones((3, 4)) * a
np.ones(4) @ b.T | a + np.arange(4) | np.ones((3, 4), np.float32) - a | np.ones((3, 4)) > a | np.matmul(a, b.T)
np.vecdot(a, b) | np.matvec(a, v) | np.vecmat(v, b.T) | np.divmod(a, b) | np.modf(a) | np.split(a, 3)
""".replace("\n", " | ")
    .strip(" |")
    .split(" | ")
)
UFUNCS = [name for name in dir(np) if isinstance(getattr(np, name), np.ufunc)]
OTHERS = {
    "matmul",
    "vecdot",
    "matvec",
    "vecmat",
    "isnat",
    "ldexp",
    "frexp",
    "arccosh",
    "acosh",
}  # of other operands, or of none
FLOATING = [n for n in UFUNCS if n not in OTHERS and "d" in "".join(t.split("->")[0] for t in getattr(np, n).types)]


def evaluate(call, *values):
    return eval(call, {"np": np}, dict(zip("absv", values, strict=False)))


def arrays(value):
    if isinstance(value, (tuple, list)):
        return [arrays(each) for each in value]
    return value.detach().numpy() if isinstance(value, torch.Tensor) else np.asarray(value)


def assert_same(found, expected):
    if isinstance(expected, list):
        assert len(found) == len(expected)
        for each, other in zip(found, expected, strict=True):
            assert_same(each, other)
    else:
        np.testing.assert_allclose(found, expected, rtol=1e-6)
        assert found.dtype.kind == expected.dtype.kind


@pytest.mark.parametrize("call", CALLS)
def test_functions_of_numpy_give_on_tensors_what_they_give_on_arrays(call):
    try:
        expected = evaluate(call, A, B, S, V)
    except ValueError as error:
        with pytest.raises(ValueError, match=str(error)[:30]):
            evaluate(call, *map(torch.tensor, (A, B, S, V)))
        return
    found = evaluate(call, *[torch.tensor(x, requires_grad=True) for x in (A, B, S, V)])
    assert_same(arrays(found), arrays(expected))


@pytest.mark.parametrize("name", FLOATING)
def test_ufuncs_give_on_tensors_what_they_give_on_arrays(name):
    ufunc = getattr(np, name)
    inputs = [A, B][: ufunc.nin]
    expected = ufunc(*inputs)
    found = ufunc(*[torch.tensor(x, requires_grad=True) for x in inputs])
    assert_same(arrays(found), arrays(expected))


DIFFERENTIABLE = (
    """
np.sin(a) * np.log(b) | np.cbrt(a) | np.hypot(a, b) | np.power(a, b) | np.arctan2(a, b) | np.maximum(a, b)
np.sum(a * b, axis=0) | np.prod(a, axis=1) | np.std(a, axis=1) | np.median(a, axis=1) | np.sort(a, axis=0)
np.concatenate([a, b], axis=1) | np.where(a > b, a, b**2) | np.dot(a, b.T) | np.einsum("ij,kj->ik", a, b) | np.diff(a)
np.average(a, axis=1, weights=b) | np.take(a, [0, 2, 2], axis=1) | np.pad(a, 1) | np.outer(a, b) | np.trapezoid(a, b)
np.multiply.reduce(a) | np.logaddexp.reduce(a, axis=1) | np.add.accumulate(a) | np.multiply.outer(a, b) | np.modf(a)[0]
np.ones((3, 4)) * a - np.float64(3) / b | np.clip(a, 0.3, 0.6) | np.rot90(a) | np.kron(a, b) | np.vdot(a, b)
""".replace("\n", " | ")
    .strip(" |")
    .split(" | ")
)


@pytest.mark.parametrize("call", DIFFERENTIABLE)
def test_gradients_through_numpys_functions_are_the_numeric_ones(call):
    a, b = (torch.tensor(x, requires_grad=True) for x in (A, B))
    result = evaluate(call, a, b)
    weights = np.random.default_rng(3).uniform(-1, 1, tuple(result.shape))
    (result * torch.tensor(weights)).sum().backward()

    def loss(inputs):
        return [(evaluate(call, *inputs) * weights).sum()]

    expected = [difference(loss, (A, B), direction)[0] for direction in basis((A, B))]
    found = [np.zeros_like(A) if tensor.grad is None else tensor.grad.numpy() for tensor in (a, b)]
    np.testing.assert_allclose(np.concatenate([each.ravel() for each in found]), expected, rtol=1e-5, atol=1e-7)


def test_functions_of_numpy_run_inside_transforms():
    x = torch.tensor(A)
    np.testing.assert_allclose(torch.func.grad(lambda t: np.sum(np.sin(t)))(x).numpy(), np.cos(A))
    np.testing.assert_allclose(torch.vmap(lambda t: np.sum(np.exp(t)))(x).numpy(), np.exp(A).sum(1))
    _, tangent = torch.func.jvp(lambda t: np.concatenate([t, t]), (x,), (x,))
    np.testing.assert_allclose(tangent.numpy(), np.concatenate([A, A]))


def test_a_function_without_counterpart_says_what_to_do_where_a_gradient_would_be_lost():
    x = torch.tensor(V, requires_grad=True)
    with pytest.raises(TypeError, match=r"numpy\.interp has no counterpart.*detach\(\)\.numpy\(\)"):
        np.interp(0.5, x, x)
    with pytest.raises(TypeError, match=r"numpy\.subtract\.reduce has no counterpart"):
        np.subtract.reduce(x)
    with pytest.raises(TypeError, match=r"numpy\.sum: .* unexpected keyword argument 'initial'"):
        np.sum(x, initial=1.0)
    np.testing.assert_allclose(np.interp(0.5, x.detach(), x.detach()), np.interp(0.5, V, V))


def test_results_are_stored_in_out():
    x, out, array = torch.tensor(V, requires_grad=True), torch.zeros(4, dtype=torch.float64), np.zeros(4)
    assert np.sin(x, out=out) is out and out.requires_grad
    out.sum().backward()
    np.testing.assert_allclose(x.grad.numpy(), np.cos(V))
    assert np.add(torch.tensor(V), 1, out=array) is array
    np.testing.assert_allclose(array, V + 1)
    array += torch.ones(4)
    np.testing.assert_allclose(array, V + 2)
    with pytest.raises(RuntimeError, match="requires grad"):
        np.add(x, 1, out=array)


def test_numpys_own_function_counts_as_a_write_to_out():
    out = torch.zeros(4, dtype=torch.float64)
    assert np.spacing(torch.tensor(V), out=out) is out
    assert out._version == 1 and out.tolist() == np.spacing(V).tolist()


def test_add_at_adds_repeated_indices():
    x, values = torch.zeros(3, dtype=torch.float64), torch.tensor([1.0, 2.0, 4.0], requires_grad=True)
    np.add.at(x, [0, 0, 2], values)
    np.subtract.at(x, np.array([1]), 5)
    assert x.tolist() == [3.0, -5.0, 4.0]
    x.sum().backward()
    assert values.grad.tolist() == [1.0, 1.0, 1.0]


# -- arrays ------------------------------------------------------------------------------------------------------------


def test_arrays_of_a_tensor_share_its_memory_unless_a_copy_is_needed():
    x = torch.ones(2, 3)
    shared, other = np.asarray(x), np.asarray(x, dtype=np.float64)
    x[0, 0] = 5
    assert shared[0, 0] == 5 and other[0, 0] == 1 and other.dtype == np.float64
    assert not np.shares_memory(np.array(x), shared) and np.shares_memory(np.asarray(x, copy=False), shared)
    with pytest.raises(ValueError, match="Unable to avoid copy"):
        np.asarray(x, dtype=np.int64, copy=False)
    with pytest.raises(RuntimeError, match=r"Can't call numpy\(\) on Tensor that requires grad"):
        np.asarray(x.clone().requires_grad_())


def test_numbers_can_be_read_from_tensors_that_require_grad():
    x = torch.tensor(2.0, requires_grad=True)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        assert (x.item(), float(x), int(x), bool(x), complex(x), x.tolist()) == (2.0, 2.0, 2, True, 2 + 0j, 2.0)
    assert ["requires_grad=True to a scalar" in str(each.message) for each in caught] == [True]
    assert f"{x:.2f}" == "2.00" and x.numpy(force=True) == 2.0 and [1, 2, 3][torch.tensor(1)] == 2


# -- DLPack ------------------------------------------------------------------------------------------------------------

DTYPES = [np.float32, np.float64, np.int64, np.int32, np.uint8, np.bool_, np.complex64]


@pytest.mark.parametrize("dtype", DTYPES)
def test_memory_is_exchanged_with_torch_in_both_directions(dtype, request):
    real = request.getfixturevalue("torch")
    x = torch.tensor(np.array([[0, 1, 0], [1, 1, 0]], dtype))
    y = real.from_dlpack(x.T)
    assert y.stride() == x.T.stride() and y.tolist() == x.T.tolist()
    x[0, 0] = 1
    assert y[0, 0] == 1
    z = real.zeros(2, 3, dtype=y.dtype)
    ours = torch.from_dlpack(z)
    z[1, 2] = 1
    assert ours[1, 2] == 1 and ours.dtype is x.dtype and type(ours) is torch.Tensor
    assert torch.asarray(z).data_ptr() == z.data_ptr()


def test_memory_is_exchanged_with_numpy():
    x, array = torch.ones(2, 3), np.arange(6.0).reshape(2, 3)
    assert np.shares_memory(np.from_dlpack(x), x.numpy()) and x.__dlpack_device__() == (1, 0)
    assert np.shares_memory(torch.from_dlpack(array).numpy(), array)
    assert not np.shares_memory(torch.from_dlpack(array, copy=True).numpy(), array)
    assert np.shares_memory(torch.from_dlpack(array.T).numpy(), array)
    with pytest.raises(ValueError, match="negative"):
        torch.from_dlpack(array[::-1])


def test_capsules_are_consumed_once():
    from pullback.utils.dlpack import from_dlpack, to_dlpack

    x = torch.ones(2)
    capsule = to_dlpack(x)
    assert np.shares_memory(from_dlpack(capsule).numpy(), x.numpy())
    with pytest.raises(RuntimeError, match="invalid capsule"):
        from_dlpack(capsule)
    with pytest.raises(RuntimeError, match=r"invalid capsule.*list"):
        from_dlpack([1.0])


def test_tensors_that_require_grad_are_not_exported():
    x = torch.ones(2, requires_grad=True)
    for export in (np.from_dlpack, torch.utils.dlpack.to_dlpack, torch.from_dlpack, lambda t: t.__dlpack__()):
        with pytest.raises(BufferError, match=r"Can't export tensors that require gradient, use tensor.detach"):
            export(x)


def test_an_object_with_dlpack_is_data():
    class Exporter:
        array = np.arange(3.0)

        def __dlpack__(self, **options):
            return self.array.__dlpack__(**options)

        def __dlpack_device__(self):
            return (1, 0)

    for make in (torch.tensor, torch.as_tensor, torch.asarray, torch.from_dlpack):
        assert make(Exporter()).tolist() == [0.0, 1.0, 2.0]


# -- copies ------------------------------------------------------------------------------------------------------------


def test_copies_of_what_was_computed_are_refused_and_those_of_leaves_keep_their_gradient():
    x = torch.ones(2, requires_grad=True)
    with pytest.raises(RuntimeError, match=r"Only Tensors created explicitly by the user.*MulBackward0.*detach\(\)"):
        copy.deepcopy(x * 2)
    (x * 3).sum().backward()
    assert copy.deepcopy(x).grad.tolist() == [3.0, 3.0]
    loaded = pickle.loads(pickle.dumps(x * 2))
    assert loaded.requires_grad and loaded.is_leaf and loaded.grad is None


def test_pickling_warns_of_hooks_that_are_left_behind():
    x = torch.ones(2, requires_grad=True)
    x.register_hook(print)
    with pytest.warns(UserWarning, match="will not be serialized"):
        pickle.dumps(x)
