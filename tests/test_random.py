"""The random stream: recorded numbers of PyTorch's, the generator's state, and refusals."""

import copy
import pickle

import numpy as np
import pytest

from pullback import random

RECORDED = [  # what PyTorch 2.13 gives for these calls, one after another from the seed 0
    (lambda: random.uniform((3,), "float32"), [0.49625658988952637, 0.7682217955589294, 0.08847743272781372]),
    (lambda: random.uniform((2,), "float64"), [0.0562441839043476, 0.07262971157225484]),
    (lambda: random.normal((3,), "float32"), [0.16421625018119812, 0.3057610094547272, 0.20998091995716095]),
    (lambda: random.normal((1,), "float64"), [0.9056261299825517]),
    (
        lambda: random.normal((17,), "float32")[[0, 1, -1]],
        [0.8503773808479309, -0.6135830879211426, -1.586688756942749],
    ),
    (lambda: random.normal((16,), "float64")[:3], [0.23871805816817063, 0.7335283685272841, -1.3218818291421377]),
    (lambda: random.randint(0, 10, (5,)), [2, 9, 4, 3, 9]),
    (lambda: random.randint(0, 2**40, (2,)), [992396111785, 247676877091]),
    (lambda: random.randperm(8), [6, 1, 3, 5, 0, 4, 2, 7]),
    (lambda: random.bernoulli(0.5, (6,)), [False, False, False, True, True, False]),
    (lambda: random.bernoulli(np.full(6, 0.5, np.float32)), [True, False, True, False, True, False]),
    (lambda: random.exponential((3,), "float32"), [1.3516985177993774, 0.004472934175282717, 0.8761200904846191]),
    (lambda: random.multinomial(np.float32([1, 2, 3, 4]), 3), [1, 2, 0]),
    (lambda: random.multinomial(np.float32([1, 2, 3, 4]), 6, replacement=True), [3, 1, 2, 3, 1, 3]),
    (lambda: random.normal((2,), "float16"), [0.43359375, -1.734375]),
    (lambda: random.uniform((2,), "float32", -1, 1), [-0.8983215093612671, -0.4740772247314453]),
    (lambda: random.normal((2,), "float64", 5.0, 2.0), [4.9491267018293605, 4.695875823998751]),
    (lambda: random.uniform((1,), "float32"), [0.032073974609375]),
]


def test_a_seeded_script_gives_the_recorded_numbers():
    random.manual_seed(0)
    assert [call().tolist() for call, _ in RECORDED] == [expected for _, expected in RECORDED]


@pytest.mark.parametrize("make", [random.uniform, random.normal])
@pytest.mark.parametrize("np_dtype", ["float32", "float64", "float16", "complex64", "complex128"])
@pytest.mark.parametrize("shape", [(), (0,), (3, 0, 2), (5,), (2, 3, 4), (40,)])
def test_shape_and_dtype_are_those_asked_for(make, np_dtype, shape):
    result = make(shape, np_dtype)
    assert result.shape == shape
    assert result.dtype == np_dtype


def test_nothing_is_drawn_for_empty_arrays():
    random.manual_seed(3)
    before = random.default_generator.get_state()
    random.uniform((0,), "float32")
    random.normal((0, 3), "float64")
    random.randint(0, 5, (0,))
    random.randperm(0)
    random.randperm(1)
    np.testing.assert_array_equal(random.default_generator.get_state(), before)


def test_no_uniform_number_reaches_the_upper_bound():
    for np_dtype in ("float16", "float32"):
        numbers = random.uniform((300_000,), np_dtype, -0.1, 0.3)
        assert numbers.min() >= np.dtype(np_dtype).type(-0.1)
        assert numbers.max() < np.dtype(np_dtype).type(0.3)


@pytest.mark.parametrize("np_dtype", ["float32", "float64"])
def test_normal_numbers_have_the_moments_of_the_distribution(np_dtype):
    numbers = random.normal((200_000,), np_dtype, 3.0, 2.0, random.Generator().manual_seed(1)).astype(np.float64)
    standard = (numbers - 3) / 2
    moments = [np.mean(standard**k) for k in (1, 2, 3, 4)]
    np.testing.assert_allclose(moments, [0, 1, 0, 3], atol=0.05)


def test_randperm_holds_each_number_once():
    np.testing.assert_array_equal(np.sort(random.randperm(5000)), np.arange(5000))


def test_multinomial_without_replacement_repeats_nothing_and_skips_zero_weights():
    weights = np.tile(np.float32([0, 1, 2, 3, 0, 4]), (50, 1))
    chosen = random.multinomial(weights, 4)
    np.testing.assert_array_equal(np.sort(chosen, axis=1), np.tile([1, 2, 3, 5], (50, 1)))


def test_multinomial_with_replacement_follows_the_weights():
    chosen = random.multinomial(np.array([1.0, 0.0, 3.0]), 40_000, True, random.Generator().manual_seed(0))
    np.testing.assert_allclose(np.bincount(chosen, minlength=3) / 40_000, [0.25, 0, 0.75], atol=0.01)


def streams(generator):
    """A few numbers that depend on every part of the state."""
    return [random.normal((n,), "float64", generator=generator).tolist() for n in (1, 2, 20)]


def test_a_state_brings_back_the_kept_normal_number_too():
    generator = random.Generator().manual_seed(42)
    random.normal((3,), "float32", generator=generator)  # made in pairs: a fourth one waits
    state = generator.get_state()
    expected = streams(generator)
    assert streams(generator) != expected
    assert streams(generator.set_state(state)) == expected
    assert generator.initial_seed() == 42


@pytest.mark.parametrize(
    "duplicate", [random.Generator.clone_state, copy.deepcopy, lambda generator: pickle.loads(pickle.dumps(generator))]
)
def test_a_copy_gives_the_same_numbers_and_goes_its_own_way(duplicate):
    generator = random.Generator().manual_seed(9)
    random.normal((1,), "float32", generator=generator)
    twin = duplicate(generator)
    assert streams(twin) == streams(generator)
    random.uniform((1,), "float32", generator=twin)
    assert streams(twin) != streams(generator)


def test_manual_seed_forgets_the_kept_normal_number():
    generator = random.Generator().manual_seed(5)
    first = streams(generator)
    random.normal((1,), "float32", generator=generator)
    assert streams(generator.manual_seed(5)) == first


def test_seed_picks_another_start_each_time():
    assert random.seed() == random.initial_seed()
    assert random.seed() != random.seed()


def test_seeds_of_any_integer_type_and_sign():
    assert random.manual_seed(np.int64(3)) is random.default_generator
    assert random.manual_seed(-1).initial_seed() == 2**64 - 1
    assert streams(random.Generator().manual_seed(2**32 + 5)) == streams(random.Generator().manual_seed(5))


REFUSED = [
    (RuntimeError, "manual_seed expected a long, but got float", lambda: random.Generator().manual_seed(2.0)),
    (ValueError, "Overflow when unpacking long long", lambda: random.manual_seed(2**64)),
    (RuntimeError, "expected device 'cpu', got 'cuda'", lambda: random.Generator("cuda")),
    (RuntimeError, "of size 5056 .* to be 5", lambda: random.Generator().set_state(np.zeros(5, np.uint8))),
    (RuntimeError, "Invalid mt19937 state", lambda: random.Generator().set_state(np.zeros(5056, np.uint8))),
    (TypeError, "must be a torch.ByteTensor", lambda: random.Generator().set_state(np.zeros(5056))),
    (RuntimeError, "found from=3 > to=2", lambda: random.uniform((2,), "float32", 3, 2)),
    (RuntimeError, "std >= 0.0, but found std -1", lambda: random.normal((2,), "float32", 0, -1)),
    (NotImplementedError, "not implemented for int32", lambda: random.uniform((2,), "int32")),
    (NotImplementedError, "not implemented for complex64", lambda: random.exponential((2,), "complex64")),
    (RuntimeError, "lambda > 0.0, but found lambda=0", lambda: random.exponential((2,), "float32", 0)),
    (RuntimeError, "from=5 >= to=5", lambda: random.randint(5, 5, (2,))),
    (RuntimeError, "to - 1 is out of bounds for uint8: 299", lambda: random.randint(0, 300, (2,), "uint8")),
    (RuntimeError, "from is out of bounds for uint8: -1", lambda: random.randint(-1, 30, (2,), "uint8")),
    (RuntimeError, "negative dimension -1", lambda: random.randperm(-1)),
    (RuntimeError, "n cannot be greater than 2049 for float16", lambda: random.randperm(5000, "float16")),
    (RuntimeError, r"p to be in \[0, 1\], but got p=1.5", lambda: random.bernoulli(1.5, (2,))),
    (RuntimeError, r"but got p=-0.5", lambda: random.bernoulli(np.array([0.5, -0.5]))),
    (RuntimeError, "1 or 2 dim", lambda: random.multinomial(np.ones((2, 2, 2)), 1)),
    (RuntimeError, "floating-point dtypes", lambda: random.multinomial(np.ones(3, int), 1)),
    (RuntimeError, "n_sample <= 0", lambda: random.multinomial(np.ones(3), 0)),
    (RuntimeError, "without replacement: n_sample is 4", lambda: random.multinomial(np.ones(3), 4)),
    (RuntimeError, "`inf`, `nan` or element < 0", lambda: random.multinomial(np.array([-1.0, 2.0]), 1)),
    (RuntimeError, "sum of probabilities <= 0", lambda: random.multinomial(np.zeros(2), 1)),
]


@pytest.mark.parametrize("kind, words, call", REFUSED, ids=[words for _, words, _ in REFUSED])
def test_bad_arguments_are_refused_before_anything_is_drawn(kind, words, call):
    state = random.default_generator.get_state()
    with pytest.raises(kind, match=words):
        call()
    np.testing.assert_array_equal(random.default_generator.get_state(), state)
