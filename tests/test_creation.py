"""Creating tensors: what is refused, what is shared, and what needs no torch to be judged."""

import copy
import pickle
from functools import partial

import numpy as np
import pytest

import pullback

FACTORIES = [
    lambda **options: pullback.zeros(2, 3, **options),
    lambda **options: pullback.ones(2, 3, **options),
    lambda **options: pullback.empty(2, 3, **options),
    lambda **options: pullback.full((2, 3), 1.5, **options),
    lambda **options: pullback.rand(2, 3, **options),
    lambda **options: pullback.randn(2, 3, **options),
    lambda **options: pullback.eye(2, 3, **options),
    lambda **options: pullback.arange(6.0, **options),
    lambda **options: pullback.linspace(0, 1, 6, **options),
    lambda **options: pullback.logspace(0, 1, 6, **options),
    lambda **options: pullback.tensor([1.0, 2.0], **options),
    lambda **options: pullback.normal(0.0, 1.0, (2, 3), **options),
    lambda **options: pullback.zeros_like(pullback.ones(2), **options),
    lambda **options: pullback.ones_like(pullback.ones(2), **options),
    lambda **options: pullback.full_like(pullback.ones(2), 3.0, **options),
    lambda **options: pullback.rand_like(pullback.ones(2), **options),
    lambda **options: pullback.randn_like(pullback.ones(2), **options),
    lambda **options: pullback.ones(2).new_zeros(3, **options),
    lambda **options: pullback.ones(2).new_ones(3, **options),
    lambda **options: pullback.ones(2).new_full((3,), 2.0, **options),
    lambda **options: pullback.ones(2).new_tensor([3.0], **options),
]
RANDOM = {"rand", "randn", "normal", "rand_like", "randn_like"}  # these make no integers


@pytest.mark.parametrize("make", FACTORIES)
def test_every_factory_takes_the_common_options(make):
    made = make(dtype=pullback.float64, device="cpu", requires_grad=True)
    assert made.dtype is pullback.float64 and made.requires_grad and made.is_leaf and made.grad_fn is None
    assert not make().requires_grad
    assert make(device=pullback.device("cpu")).device == pullback.device("cpu")


@pytest.mark.parametrize("make", FACTORIES)
def test_every_factory_refuses_what_it_cannot_do(make):
    with pytest.raises(RuntimeError, match="no device 'cuda' here"):
        make(device="cuda")
    with pytest.raises(RuntimeError, match="Expected one of cpu, cuda"):
        make(device="gpu")
    with pytest.raises(TypeError, match="unexpected keyword argument 'colour'"):
        make(colour="red")
    with pytest.raises(TypeError, match=r"argument 'dtype' must be torch\.dtype, not str"):
        make(dtype="float32")


@pytest.mark.parametrize("make", [make for make in FACTORIES if not RANDOM & {*make.__code__.co_names}])
def test_only_floating_and_complex_tensors_can_require_grad(make):
    with pytest.raises(RuntimeError, match="floating point"):
        make(dtype=pullback.int32, requires_grad=True)


def test_factories_obey_the_default_dtype():
    pullback.set_default_dtype(pullback.float64)
    try:
        assert {make().dtype for make in FACTORIES} == {pullback.float64}
        assert pullback.tensor([1.5]).dtype is pullback.float64
        assert pullback.tensor([1j]).dtype is pullback.complex128
        assert pullback.tensor(np.float32(1.5)).dtype is pullback.float32
    finally:
        pullback.set_default_dtype(pullback.float32)


def test_a_new_tensor_holds_a_copy():
    array = np.ones(3)
    made = pullback.tensor(array)
    array[0] = 5
    assert made.tolist() == [1.0, 1.0, 1.0]


def test_from_numpy_shares_memory_in_both_directions():
    array = np.arange(6.0).reshape(2, 3)
    made = pullback.from_numpy(array[:, 1:])
    made[0, 0] = 50
    array[1, 2] = 60
    assert array[0, 1] == 50 and made[1, 1].item() == 60


@pytest.mark.parametrize(
    "array, error",
    [
        ([1, 2], TypeError),
        (np.arange(3)[::-1], ValueError),
        (np.array(["a"]), TypeError),
        (np.array([None]), TypeError),
        (np.zeros(2, np.longdouble), TypeError),
        (np.arange(3, dtype=">i4"), ValueError),
        (np.zeros(4, [("a", "f4"), ("b", "i2")])["a"], ValueError),
    ],
)
def test_from_numpy_refuses_what_a_tensor_cannot_hold(array, error):
    with pytest.raises(error):
        pullback.from_numpy(array)


def test_a_read_only_array_is_taken_with_a_warning_and_never_written():
    array = np.ones(3)
    array.flags.writeable = False
    with pytest.warns(UserWarning, match="not writable"):
        made = pullback.from_numpy(array)
    with pytest.raises((RuntimeError, ValueError), match="read-only"):
        made.add_(1)
    assert array.tolist() == [1, 1, 1]


def test_as_tensor_keeps_a_tensor_and_its_history():
    x = pullback.ones(2, requires_grad=True) * 2
    assert pullback.as_tensor(x) is x
    assert pullback.as_tensor(x, dtype=pullback.float64).requires_grad
    array = np.ones(2)
    pullback.as_tensor(array)[0] = 7
    assert array[0] == 7


def test_asarray_copies_only_when_asked_or_needed():
    array = np.ones(2)
    pullback.asarray(array)[0] = 7
    pullback.asarray(array, copy=True)[1] = 7
    assert array.tolist() == [7, 1]
    with pytest.raises(ValueError, match="can't alias"):
        pullback.asarray(array, dtype=pullback.float32, copy=False)
    with pytest.raises(ValueError, match="can't alias"):
        pullback.asarray([1.0], copy=False)


def test_frombuffer_shares_the_buffer():
    buffer = bytearray(8)
    made = pullback.frombuffer(buffer, dtype=pullback.int16, offset=2)
    made[0] = 258
    assert buffer[2:4] == bytes([2, 1]) and made.tolist() == [258, 0, 0]


@pytest.mark.parametrize(
    "data, error, phrase",
    [
        ([[1, 2], [3]], ValueError, r"expected sequence of length 2 at dim 1 \(got 1\)"),
        ([[1, 2], 3], TypeError, "not a sequence"),
        ([1, [2]], TypeError, "not nested to the same depth"),
        ([[], [1]], ValueError, r"expected sequence of length 0 at dim 1 \(got 1\)"),
        ("abc", TypeError, "invalid data type 'str'"),
        (["a"], ValueError, "too many dimensions 'str'"),
        (None, RuntimeError, "Could not infer dtype of NoneType"),
        ({1: 2}, RuntimeError, "Could not infer dtype of dict"),
        ([1, None], RuntimeError, "Could not infer dtype of NoneType"),
        (2**63, ValueError, "Overflow when unpacking long long"),
    ],
)
def test_data_that_is_no_tensor_is_explained(data, error, phrase):
    with pytest.raises(error, match=phrase):
        pullback.tensor(data)


def test_a_list_of_tensors_with_several_elements_is_refused():
    with pytest.raises(ValueError, match="only one element tensors"):
        pullback.tensor([pullback.ones(2), pullback.ones(2)])


def test_a_tensor_of_a_tensor_is_a_leaf_and_warns():
    x = pullback.ones(2, requires_grad=True) * 2
    with pytest.warns(UserWarning, match="clone"):
        made = pullback.tensor(x)
    assert made.is_leaf and not made.requires_grad and made.data_ptr() != x.data_ptr()


def test_factories_inside_transforms_make_ordinary_tensors():
    def shifted(x):
        return x + pullback.ones_like(x) + pullback.zeros(2) + x.new_full((), 3.0)

    mapped = pullback.func.vmap(shifted)(pullback.arange(6.0).reshape(3, 2))
    assert mapped.tolist() == [[4, 5], [6, 7], [8, 9]]
    assert pullback.func.grad(lambda x: (shifted(x) * x).sum())(pullback.tensor([1.0, 2.0])).tolist() == [6, 8]


def test_what_is_made_in_inference_mode_stays_out_of_graphs():
    with pullback.inference_mode():
        made = pullback.zeros(2), pullback.rand(2), pullback.tensor([1.0])
    assert all(x.is_inference() for x in made)
    assert not pullback.zeros(2).is_inference()


# -- random tensors ----------------------------------------------------------------------------------------------------


def test_a_seed_repeats_the_numbers():
    def draw():
        return [pullback.rand(3), pullback.randn(20), pullback.randint(9, (4,)), pullback.randperm(5)]

    pullback.manual_seed(3)
    first = draw()
    pullback.manual_seed(3)
    assert [x.tolist() for x in draw()] == [x.tolist() for x in first]


def test_the_state_of_the_default_stream_can_be_kept():
    state = pullback.get_rng_state()
    first = pullback.rand(3).tolist()
    pullback.set_rng_state(state)
    assert pullback.rand(3).tolist() == first
    with pullback.random.fork_rng():
        second = pullback.rand(3).tolist()
    assert pullback.rand(3).tolist() == second


def test_a_generator_is_a_stream_of_its_own():
    mine = pullback.Generator().manual_seed(1)
    pullback.manual_seed(2)
    alone = pullback.rand(3).tolist()
    pullback.manual_seed(2)
    first = pullback.rand(3, generator=mine).tolist()
    assert pullback.rand(3).tolist() == alone
    assert pullback.rand(3, generator=pullback.Generator().manual_seed(1)).tolist() == first
    twin, saved = pickle.loads(pickle.dumps(mine)), mine.get_state()
    assert isinstance(twin, pullback.Generator) and saved.dtype is pullback.uint8
    following = pullback.randn(3, generator=mine).tolist()
    assert pullback.randn(3, generator=twin).tolist() == following
    assert pullback.randn(3, generator=mine.set_state(saved)).tolist() == following
    assert copy.deepcopy(mine).get_state().tolist() == mine.get_state().tolist()


def test_filling_a_tensor_cuts_it_off_from_its_history():
    x = pullback.ones(4, requires_grad=True)
    for fill in ("normal_", "uniform_", "exponential_", "bernoulli_", "random_"):
        y = x * 2
        version = y._version
        assert getattr(y, fill)() is y and y._version == version + 1
        assert y.requires_grad and pullback.autograd.grad(y.sum(), x)[0].tolist() == [0, 0, 0, 0]


def test_filling_a_region_leaves_the_gradient_of_the_rest():
    x = pullback.ones(4, requires_grad=True)
    y = x * 3
    y[1:3].uniform_()
    assert pullback.autograd.grad(y.sum(), x)[0].tolist() == [3, 0, 0, 3]


def test_a_leaf_that_requires_grad_is_filled_only_without_grad_mode():
    x = pullback.ones(3, requires_grad=True)
    with pytest.raises(RuntimeError, match="a leaf Variable that requires grad"):
        x.normal_()
    with pullback.no_grad():
        x.normal_()
    assert x.is_leaf and x.requires_grad and x.tolist() != [1, 1, 1]


def test_filling_what_a_graph_has_saved_is_noticed():
    x = pullback.ones(3, requires_grad=True)
    y = x * 1
    z = y.exp() * y
    y.uniform_()
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        z.sum().backward()


def test_vmap_gives_every_element_numbers_of_its_own():
    pullback.manual_seed(0)
    vmap = partial(pullback.func.vmap, randomness="different")
    batch = vmap(lambda x: (x * 1).uniform_())(pullback.ones(3, 4))
    assert len({number for row in batch.tolist() for number in row}) == 12
    chosen = vmap(lambda p: (pullback.zeros(50) + 0 * p).bernoulli_(p))(pullback.tensor([0.0, 1.0]))
    assert chosen.sum(1).tolist() == [0, 50]
    drawn = vmap(lambda p: pullback.multinomial(p, 2))(pullback.eye(3)[:, :2] + 0.0 + pullback.ones(3, 2))
    assert drawn.shape == (3, 2) and drawn.sum().item() == 3


def test_a_random_number_has_no_tangent():
    value, tangent = pullback.func.jvp(lambda m: pullback.normal(m, 0.0), (pullback.ones(3),), (pullback.ones(3),))
    assert value.tolist() == [1, 1, 1] and tangent.tolist() == [0, 0, 0]
