"""Storages, resizing in place and taking over memory, beside torch; and the settings of the library."""

import pickle

import numpy as np
import pytest

import pullback

CALLS = {
    "resize_ to another shape": lambda t, x: x.resize_(3, 2),
    "resize_ to fewer": lambda t, x: x.resize_((2, 2)),
    "resize_ of a part sees what follows it": lambda t, x: x[0, 1:].resize_(4),
    "resize_as_": lambda t, x: t.resize_as_(x, t.zeros(1, 6)),
    "set_ to a tensor": lambda t, x: x.set_(t.ones(3)),
    "set_ to nothing": lambda t, x: x.set_(),
    "set_ to a storage": lambda t, x: t.zeros(1).set_(x.untyped_storage()),
    "set_ to a part": lambda t, x: t.zeros(1).set_(x.storage(), 1, (2, 2), (2, 1)),
    "is_set_to": lambda t, x: t.tensor(t.zeros(1).set_(x).is_set_to(x)),
    "fill_diagonal_": lambda t, x: x.fill_diagonal_(9),
    "fill_diagonal_ wrap": lambda t, x: t.zeros(7, 2).fill_diagonal_(9, wrap=True),
    "storage": lambda t, x: t.tensor(x.storage().tolist()),
    "bytes": lambda t, x: t.tensor(x.untyped_storage().tolist()),
    "apply_": lambda t, x: x.apply_(lambda a: a + 0.5),
    "map_": lambda t, x: x.map_(t.ones(3), lambda a, b: a - b),
    "map2_": lambda t, x: x.map2_(t.ones(3), t.ones(2, 3), lambda a, b, c: a - b * c),
    "new": lambda t, x: x.new([1, 2]),
    "combinations": lambda t, x: t.combinations(x[1]),
    "combinations of three with replacement": lambda t, x: t.combinations(x[1], 3, True),
    "combinations of none": lambda t, x: t.combinations(x[1], 0),
    "nonzero_static": lambda t, x: x.nonzero_static(size=7),
    "unravel_index": lambda t, x: t.stack(t.unravel_index(t.tensor([[0, 3], [5, 2]]), x.shape)),
    "module_load": lambda t, x: x.module_load(t.zeros(2, 3)),
    "strides of empty_permuted": lambda t, x: t.tensor(t.empty_permuted((2, 3, 4), (0, 2, 1)).stride()),
    "dim_order": lambda t, x: t.tensor(x.T.dim_order()),
}
ERRORS = {
    "resize_ of what requires grad": lambda t, x: x.requires_grad_().resize_(3),
    "set_ of what requires grad": lambda t, x: x.requires_grad_().set_(t.zeros(1)),
    "set_ to another dtype": lambda t, x: x.set_(t.zeros(1, dtype=t.int64)),
    "apply_ of what requires grad": lambda t, x: x.requires_grad_().apply_(lambda a: a),
    "map_ with another dtype": lambda t, x: x.map_(t.ones(3, dtype=t.int64), lambda a, b: a),
    "values": lambda t, x: x.values(),
    "indices": lambda t, x: x.indices(),
    "crow_indices": lambda t, x: x.crow_indices(),
    "pin_memory": lambda t, x: x.pin_memory(),
    "combinations of a matrix": lambda t, x: t.combinations(x),
    "unravel_index of floats": lambda t, x: t.unravel_index(x, (2, 3)),
    "ambiguous dim_order": lambda t, x: x[:1].dim_order(ambiguity_check=True),
    "threads": lambda t, x: t.set_num_threads(0),
    "debug mode": lambda t, x: t.set_deterministic_debug_mode(5),
    "default tensor type": lambda t, x: t.set_default_tensor_type(t.LongTensor),
}


@pytest.mark.filterwarnings("ignore:TypedStorage is deprecated", "ignore:non-inplace resize")
@pytest.mark.parametrize("name", CALLS)
def test_calls_give_what_torch_gives(name, torch):
    got, want = (CALLS[name](t, t.arange(6.0).reshape(2, 3)) for t in (pullback, torch))
    assert str(got) == str(want)


@pytest.mark.parametrize("name", ERRORS)
def test_errors_have_torchs_type(name, torch):
    raised = []
    for t in (pullback, torch):
        with pytest.raises(Exception) as caught:
            ERRORS[name](t, t.arange(6.0).reshape(2, 3))
        raised.append(caught.type)
    assert issubclass(raised[1], raised[0])


def test_resizing_beyond_the_memory_keeps_the_elements():
    x = pullback.arange(6.0)
    x.resize_(2, 4)
    assert x.shape == (2, 4) and x.flatten()[:6].tolist() == [0, 1, 2, 3, 4, 5]


def test_set_shares_memory():
    x, y = pullback.zeros(2), pullback.ones(3)
    x.set_(y)
    y[0] = 5.0
    assert x.tolist() == [5.0, 1.0, 1.0]


def test_a_write_to_shared_memory_is_noticed_by_the_graph():
    w = pullback.ones(3, requires_grad=True)
    x, y = pullback.zeros(2), pullback.ones(3)
    x.set_(y)
    product = w * y
    x.fill_(2.0)
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        product.sum().backward()


def test_fill_diagonal_has_no_gradient_where_it_wrote(torch):
    def gradient(t):
        x = t.ones(3, 2, requires_grad=True)
        (x * 2).fill_diagonal_(0).sum().backward()
        return x.grad.tolist()

    assert gradient(pullback) == gradient(torch)


def test_a_file_can_be_the_memory(tmp_path):
    path = str(tmp_path / "numbers")
    np.arange(4, dtype=np.float32).tofile(path)
    private, shared = pullback.from_file(path, size=4), pullback.from_file(path, shared=True, size=3)
    private[0], shared[1] = 7.0, 8.0
    assert private.tolist()[0] == 7.0 and np.fromfile(path, np.float32).tolist() == [0.0, 8.0, 2.0, 3.0]
    with pytest.raises(RuntimeError, match="smaller than the required"):
        pullback.from_file(path, size=5)


def test_settings_are_what_was_set():
    before = pullback.get_num_threads()
    pullback.set_num_threads(1)
    assert pullback.get_num_threads() == 1
    pullback.set_num_threads(before)
    pullback.use_deterministic_algorithms(True, warn_only=True)
    assert pullback.are_deterministic_algorithms_enabled() and pullback.get_deterministic_debug_mode() == 1
    pullback.set_deterministic_debug_mode("default")
    assert not pullback.are_deterministic_algorithms_enabled()
    pullback.set_float32_matmul_precision("high")
    assert pullback.get_float32_matmul_precision() == "high"
    pullback.set_float32_matmul_precision("highest")


def test_the_default_dtype_is_set_by_a_tensor_type():
    try:
        pullback.set_default_tensor_type(pullback.DoubleTensor)
        assert pullback.zeros(1).dtype is pullback.float64
        pullback.set_default_tensor_type("torch.FloatTensor")
        assert pullback.zeros(1).dtype is pullback.float32
    finally:
        pullback.set_default_dtype(pullback.float32)


def test_named_results_have_types_that_can_be_asked_for_and_pickled():
    found = pullback.max(pullback.eye(2), 0)
    assert isinstance(found, pullback.return_types.max)
    assert type(pickle.loads(pickle.dumps(found))) is type(found)
    assert "topk" in dir(pullback.return_types) and pullback.version.cuda is None
