"""From tensors to Python, NumPy and text, and back; copies; and what can be asked about a tensor."""

import copy
import operator
import pickle
import warnings

import numpy as np
import pytest

import pullback


def test_numpy_shares_memory_and_asks_for_detach():
    x = pullback.ones(3)
    x.numpy()[0] = 5
    assert x.tolist() == [5, 1, 1] and x.numpy() is not x.numpy()
    y = pullback.ones(3, requires_grad=True)
    for read in (y.numpy, (y * 2).numpy, lambda: np.asarray(y), lambda: np.array(y, copy=True)):
        with pytest.raises(RuntimeError, match=r"Use tensor\.detach\(\)\.numpy\(\) instead"):
            read()
    assert y.numpy(force=True).tolist() == y.detach().numpy().tolist() == [1, 1, 1]


def test_numpys_functions_take_tensors():
    x = pullback.tensor([0.5, 1.0])
    assert isinstance(np.sin(x), pullback.Tensor) and np.sin(x).dtype is pullback.float32
    assert np.array_equal(np.sin(x).numpy(), np.sin(x.numpy()))
    assert np.array(x, dtype=np.int64).tolist() == [0, 1] and np.concatenate([x, x]).shape == (4,)
    assert np.mean([pullback.tensor(1.0), pullback.tensor(2.0)]) == 1.5
    out = np.zeros(2)
    assert np.sqrt(x, out=out) is out and out[1] == 1
    whole, part = np.divmod(pullback.tensor([5.0]), 2)[0], np.add.reduce(x)
    assert whole.tolist() == [2] and part.item() == 1.5


def test_an_array_on_the_left_comes_to_the_tensors_operator():
    x = pullback.tensor([1.0, 2.0], dtype=pullback.float64, requires_grad=True)
    array = np.array([3.0, 4.0])
    for combine, expected in ((operator.mul, array), (operator.sub, [-1, -1]), (operator.truediv, [-3, -1])):
        result = combine(array, x)
        assert isinstance(result, pullback.Tensor)
        assert pullback.autograd.grad(result.sum(), x)[0].tolist() == list(expected)
    assert (np.float64(2) * x).tolist() == [2, 4] and (np.float64(2) * pullback.ones(1)).dtype is pullback.float32
    assert (array > x.detach()).tolist() == [True, True]


@pytest.mark.parametrize(
    "read, error, phrase",
    [
        (lambda: pullback.ones(3).item(), RuntimeError, "a Tensor with 3 elements cannot be converted to Scalar"),
        (lambda: pullback.empty(0).item(), RuntimeError, "a Tensor with 0 elements cannot be converted to Scalar"),
        (lambda: float(pullback.ones(3)), ValueError, "only one element tensors"),
        (lambda: int(pullback.ones(3)), ValueError, "only one element tensors"),
        (lambda: complex(pullback.ones(3)), ValueError, "only one element tensors"),
        (lambda: float(pullback.tensor(1j)), RuntimeError, "cannot be converted to type double"),
        (lambda: int(pullback.tensor(float("inf"))), OverflowError, "infinity"),
        (lambda: bool(pullback.ones(2)), RuntimeError, "Boolean value of Tensor with more than one value is ambiguous"),
        (lambda: bool(pullback.empty(0)), RuntimeError, "Boolean value of Tensor with no values is ambiguous"),
        (lambda: [0, 1][pullback.tensor(1.0)], TypeError, "only integer tensors of a single element"),
        (lambda: iter(pullback.tensor(1.0)), TypeError, "iteration over a 0-d tensor"),
        (lambda: len(pullback.tensor(1.0)), TypeError, "0-d tensor"),
        (lambda: "a" in pullback.ones(2), RuntimeError, "only supports Tensor or scalar"),
        (lambda: format(pullback.ones(2), ".2f"), TypeError, "unsupported format string"),
    ],
)
def test_what_has_no_single_value_is_refused(read, error, phrase):
    with pytest.raises(error, match=phrase):
        read()


def test_single_elements_become_python_numbers():
    assert pullback.tensor([[5]]).item() == 5 and type(pullback.tensor(5).item()) is int
    assert float(pullback.tensor([2.5])) == 2.5 and int(pullback.tensor(2.7)) == 2
    assert complex(pullback.tensor(1 + 2j)) == 1 + 2j and bool(pullback.tensor([[0.5]]))
    assert ["a", "b"][pullback.tensor(1)] == "b" and list(range(pullback.tensor(2))) == [0, 1]
    assert f"{pullback.tensor(2.5):.2f}" == "2.50" and f"{pullback.tensor(3)}" == "3"
    assert type(pullback.ones((), dtype=pullback.bfloat16).item()) is float


def test_a_scalar_with_a_history_is_converted_with_a_warning():
    x = pullback.tensor(2.0, requires_grad=True)
    with pytest.warns(UserWarning, match="detach"):
        assert float(x) == 2
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert x.item() == 2 and x.tolist() == 2 and bool(x) and f"{x:.1f}" == "2.0"


def test_iteration_goes_over_the_first_dim_and_keeps_the_history():
    x = pullback.arange(4.0).reshape(2, 2).requires_grad_()
    first, second = x
    assert pullback.autograd.grad((first * second).sum(), x)[0].tolist() == [[2, 3], [0, 1]]
    assert [row.tolist() for row in reversed(x.detach())] == [[2, 3], [0, 1]]
    assert 3.0 in x and pullback.tensor(1.0) in x and 7 not in x


def test_values_of_transforms_show_what_they_are_and_refuse_to_be_read():
    seen = []

    def look(x):
        seen.append(repr(x))
        with pytest.raises(RuntimeError, match="vmap"):
            x.item()
        with pytest.raises(RuntimeError, match="vmap"):
            bool(x > 0)
        with pytest.raises(RuntimeError, match="transform"):
            copy.deepcopy(x)
        return x * 2

    pullback.func.vmap(look)(pullback.tensor([1.0, 2.0]))
    assert seen == ["BatchedTensor(lvl=1, bdim=0, value=\n    tensor([1., 2.])\n)"]
    pullback.func.grad(lambda x: (seen.append(repr(x)), x * x.item())[1])(pullback.tensor(3.0))
    assert seen[1] == "GradTrackingTensor(lvl=1, value=\n    tensor(3.)\n)"
    pullback.func.jvp(lambda x: (seen.append(repr(x)), x * x.item())[1], (pullback.ones(()),), (pullback.ones(()),))
    assert seen[2] == "DualTensor(lvl=1, tangent=tensor(1.), value=\n    tensor(1.)\n)"


# -- dtypes ------------------------------------------------------------------------------------------------------------


def test_to_returns_the_tensor_itself_where_nothing_changes():
    x = pullback.ones(2)
    for same in (x.to(pullback.float32), x.to("cpu"), x.to(x), x.float(), x.cpu(), x.type_as(x), x.to(), x.to(None)):
        assert same is x
    for other in (x.to(pullback.float32, copy=True), x.to("cpu", pullback.float32, False, True), x.double()):
        assert other is not x and other.data_ptr() != x.data_ptr()


def test_gradients_go_through_a_change_of_dtype():
    x = pullback.ones(2, requires_grad=True)
    y = x.to(pullback.float64)
    assert y.grad_fn.name() == "ToCopyBackward0"
    assert not x.to(pullback.int64).requires_grad
    gradient = pullback.autograd.grad((y * 3).sum(), x)[0]
    assert gradient.dtype is pullback.float32 and gradient.tolist() == [3, 3]


@pytest.mark.parametrize(
    "ask",
    [
        lambda x: x.to("cuda"),
        lambda x: x.cuda(),
        lambda x: x.to(device=pullback.device("cuda:0")),
        lambda x: x.to("float64"),
        lambda x: x.to("gpu"),
    ],
)
def test_there_is_no_other_device(ask):
    with pytest.raises(RuntimeError):
        ask(pullback.ones(1))


def test_casts_do_not_warn_about_what_does_not_fit():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert pullback.tensor([300.0, -1.0]).to(pullback.uint8).tolist() == [44, 255]
        assert pullback.tensor([1e300], dtype=pullback.float64).float().tolist() == [float("inf")]
        assert pullback.tensor([1e10]).half().tolist() == [float("inf")]
    with pytest.warns(UserWarning, match="discards the imaginary part"):
        assert pullback.tensor([1 + 2j]).float().tolist() == [1]


# -- copies ------------------------------------------------------------------------------------------------------------


def test_a_deep_copy_has_memory_and_a_gradient_of_its_own():
    x = pullback.ones(3, requires_grad=True)
    x.grad, x.note = pullback.ones(3), ["kept"]
    twin = copy.deepcopy(x)
    assert twin.requires_grad and twin.is_leaf and twin.data_ptr() != x.data_ptr()
    assert twin.grad.tolist() == [1, 1, 1] and twin.grad is not x.grad
    assert twin.note == ["kept"] and twin.note is not x.note


def test_only_leaves_can_be_copied_deeply():
    with pytest.raises(RuntimeError, match="Only Tensors created explicitly by the user"):
        copy.deepcopy(pullback.ones(2, requires_grad=True) * 2)
    assert not copy.deepcopy(pullback.ones(2) * 2).requires_grad


def test_tensors_that_share_memory_still_do_in_one_copy_or_pickle():
    base = pullback.arange(6.0)
    for replay in (copy.deepcopy, lambda tensors: pickle.loads(pickle.dumps(tensors))):
        whole, part, turned = replay([base, base[1:3], base.reshape(2, 3).t()])
        whole[1] = 50
        assert part.tolist() == [50, 2] and turned.tolist() == [[0, 3], [50, 4], [2, 5]]
        assert turned.stride() == (1, 3) and base[1].item() == 1


@pytest.mark.parametrize("name", ["float32", "bfloat16", "complex64", "int8", "bool"])
@pytest.mark.parametrize("shape", [(), (3,), (0, 2), (2, 3)])
def test_a_pickle_holds_the_elements_and_no_history(name, shape):
    x = pullback.randint(2, shape).to(getattr(pullback, name))
    twin = pickle.loads(pickle.dumps(x))
    assert twin.dtype is x.dtype and twin.shape == x.shape and twin.tolist() == x.tolist()
    if x.is_floating_point():
        computed = pickle.loads(pickle.dumps(x.requires_grad_() * 2))
        assert computed.requires_grad and computed.is_leaf


def test_a_shallow_copy_shares_memory():
    x = pullback.ones(2, requires_grad=True)
    twin = copy.copy(x)
    assert twin is not x and twin.data_ptr() == x.data_ptr() and twin.requires_grad


def test_names_come_back_from_a_pickle_as_themselves():
    for thing in (pullback.float32, pullback.bfloat16, pullback.strided, pullback.Tensor, pullback.preserve_format):
        assert pickle.loads(pickle.dumps(thing)) is thing
    for thing in (pullback.device("cuda:1"), pullback.Size([2, 3])):
        assert pickle.loads(pickle.dumps(thing)) == thing


# -- the front door ----------------------------------------------------------------------------------------------------


def test_devices_compare_and_print_as_names():
    assert repr(pullback.device("cuda:1")) == "device(type='cuda', index=1)"
    assert pullback.device("cpu") != pullback.device("cpu:0") and pullback.device("cpu") != "cpu"
    assert {pullback.device("cpu"): 1}[pullback.device("cpu", None)] == 1
    assert str(pullback.ones(1).device) == "cpu" and not pullback.ones(1).is_cuda
    with pytest.raises(AttributeError):
        pullback.device("cpu").type = "cuda"
    assert not pullback.cuda.is_available() and pullback.cuda.device_count() == 0


def test_a_storage_is_shared_by_views():
    x = pullback.arange(6.0).reshape(2, 3)
    assert x[1, 1:].storage_offset() == 4 and x.t().stride() == (1, 3) and not x.t().is_contiguous()
    assert x[1:].untyped_storage() == x.untyped_storage() != x.clone().untyped_storage()
    assert x.nbytes == x.untyped_storage().nbytes() == 24 and x[1].data_ptr() == x.data_ptr() + 12


def test_a_name_that_is_missing_is_answered_with_the_nearest_ones():
    with pytest.raises(AttributeError, match=r"nearest: .*randn"):
        pullback.radn
    assert "sin" in dir(pullback) and "nn" in dir(pullback)
    assert isinstance(pullback.__version__, str) and pullback.newaxis is None and pullback.pi > 3


def test_the_front_door_is_complete():
    names = [name for name in dir(pullback) if not name.startswith("_")]
    assert all(getattr(pullback, name, None) is not None or name in ("newaxis", *LATER) for name in names)


LATER = ("backends", "fft", "inspect", "optim", "utils", "nn", "special", "linalg")
