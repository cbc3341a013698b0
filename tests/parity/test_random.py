"""The random stream against PyTorch's, number for number."""

import numpy as np
import pytest

from pullback import random

torch = pytest.importorskip("torch")
pytestmark = pytest.mark.parity

SIZES = [*range(41), 100, 1000, 4097]
DTYPES = ["float32", "float64", "float16", "bfloat16"]
RANGES = [(0.0, 1.0), (-0.1, 0.3), (2.0, 5.0), (-1 / 7**0.5, 1 / 7**0.5), (3.0, 3.0), (0.0, 10.0)]


def numpy_type(name):
    return np.dtype(pytest.importorskip("ml_dtypes").bfloat16) if name == "bfloat16" else np.dtype(name)


def as_numpy(tensor):
    return (
        tensor.view(torch.int16).numpy().view(numpy_type("bfloat16"))
        if tensor.dtype == torch.bfloat16
        else tensor.numpy()
    )


def both_seeded(seed=7):
    torch.manual_seed(seed)
    random.manual_seed(seed)


def assert_same(ours, theirs):
    theirs = as_numpy(theirs)
    assert ours.dtype == theirs.dtype
    np.testing.assert_array_equal(ours, theirs)


def assert_streams_agree():
    """What comes next is the same too: a wide and a narrow draw, and the kept second normal number."""
    assert_same(random.normal((3,), np.float32), torch.randn(3))
    assert_same(random.uniform((2,), np.float32), torch.rand(2))


@pytest.mark.parametrize("name", [*DTYPES, "complex64", "complex128"])
@pytest.mark.parametrize("size", SIZES)
def test_rand_and_randn(name, size):
    both_seeded()
    dtype = getattr(torch, name)
    for _ in range(3):
        assert_same(random.normal((size,), numpy_type(name)), torch.randn(size, dtype=dtype))
        assert_same(random.uniform((size,), numpy_type(name)), torch.rand(size, dtype=dtype))
    assert_streams_agree()


@pytest.mark.parametrize("name", DTYPES)
@pytest.mark.parametrize("low, high", RANGES)
def test_uniform_ranges(name, low, high):
    both_seeded()
    for size in (1, 20, 30001):
        theirs = torch.empty(size, dtype=getattr(torch, name)).uniform_(low, high)
        assert_same(random.uniform((size,), numpy_type(name), low, high), theirs)


@pytest.mark.parametrize("name", DTYPES)
@pytest.mark.parametrize("mean, std", [(0.0, 0.02), (2.0, 0.3), (-1.0, 1.0), (0.1, 0.0)])
def test_normal_with_mean_and_std(name, mean, std):
    both_seeded()
    for size in (1, 5, 20, 30001):
        theirs = torch.empty(size, dtype=getattr(torch, name)).normal_(mean, std)
        assert_same(random.normal((size,), numpy_type(name), mean, std), theirs)


@pytest.mark.parametrize("name", ["complex64", "complex128"])
@pytest.mark.parametrize("size", [5, 40])
def test_complex_normal_with_mean_and_std(name, size):
    both_seeded()
    theirs = torch.empty(size, dtype=getattr(torch, name)).normal_(0.5, 3.0)
    assert_same(random.normal((size,), numpy_type(name), 0.5, 3.0), theirs)


@pytest.mark.parametrize("name, size", [("float32", 1_000_003), ("float64", 200_003), ("bfloat16", 300_000)])
def test_randn_of_large_arrays(name, size):
    both_seeded()
    assert_same(random.normal((size,), numpy_type(name)), torch.randn(size, dtype=getattr(torch, name)))
    assert_streams_agree()


BOUNDS = [(0, 1), (0, 10), (-5, 100), (0, 2**24), (0, 2**28 - 1), (0, 2**28), (5, 2**31), (0, 2**32 - 1), (0, 2**32)]
BOUNDS += [(-(2**40), 2**50), (0, 2**63 - 1), (-(2**63), 2**63 - 1)]


@pytest.mark.parametrize("low, high", BOUNDS)
def test_randint_bounds(low, high):
    both_seeded()
    for shape in ((), (0,), (3, 5), (5000,)):
        assert_same(random.randint(low, high, shape), torch.randint(low, high, shape))
    assert_streams_agree()


@pytest.mark.parametrize("name", ["uint8", "int8", "int16", "int32", "int64", "bool", *DTYPES])
def test_randint_dtypes(name):
    both_seeded()
    high = 2 if name == "bool" else 100
    assert_same(
        random.randint(0, high, (50,), numpy_type(name)), torch.randint(0, high, (50,), dtype=getattr(torch, name))
    )


@pytest.mark.parametrize("n", [0, 1, 2, 3, 10, 1000, 70000])
def test_randperm(n):
    both_seeded()
    assert_same(random.randperm(n), torch.randperm(n))
    assert_streams_agree()


@pytest.mark.parametrize("name", ["uint8", "int16", "int32", *DTYPES])
def test_randperm_dtypes(name):
    both_seeded()
    assert_same(random.randperm(200, numpy_type(name)), torch.randperm(200, dtype=getattr(torch, name)))


def switches_generator():
    """Whether this PyTorch takes bernoulli_ and exponential_ from Intel's library instead of its own stream."""
    torch.manual_seed(0)
    return bool((torch.empty(1000).bernoulli_(0.5).numpy() != random.bernoulli(0.5, (1000,), seeded(0))).any())


def seeded(number):
    return random.Generator().manual_seed(number)


needs_own_stream = pytest.mark.skipif(switches_generator(), reason="this torch uses Intel's generator here")


@needs_own_stream
@pytest.mark.parametrize("p", [0.0, 0.3, 0.5, 1.0])
@pytest.mark.parametrize("size", [1, 7, 16, 5000])
def test_bernoulli_of_a_number(p, size):
    both_seeded()
    assert_same(random.bernoulli(p, (size,)), torch.empty(size, dtype=torch.bool).bernoulli_(p))
    assert_streams_agree()


@pytest.mark.parametrize("name", DTYPES)
@pytest.mark.parametrize("size", [1, 7, 16, 5000])
def test_bernoulli_of_probabilities(name, size):
    both_seeded()
    p = torch.rand(size).to(getattr(torch, name))
    random.uniform((size,), np.float32)
    assert_same(random.bernoulli(as_numpy(p)), torch.bernoulli(p).bool())
    assert_streams_agree()


@needs_own_stream
@pytest.mark.parametrize("name", DTYPES)
@pytest.mark.parametrize("rate", [1.0, 2.5])
def test_exponential(name, rate):
    both_seeded()
    for size in (1, 7, 16, 20000):
        theirs = torch.empty(size, dtype=getattr(torch, name)).exponential_(rate)
        assert_same(random.exponential((size,), numpy_type(name), rate), theirs)
    assert_streams_agree()


@needs_own_stream
@pytest.mark.parametrize("name", DTYPES)
@pytest.mark.parametrize("replacement", [False, True])
@pytest.mark.parametrize("shape", [(1,), (10,), (300,), (4, 30)])
def test_multinomial(name, replacement, shape):
    weights = torch.rand(shape, generator=torch.Generator().manual_seed(3)).to(getattr(torch, name))
    both_seeded()
    for n in {1, min(5, shape[-1]), shape[-1], 50 if replacement else 1}:
        ours = random.multinomial(as_numpy(weights), n, replacement)
        theirs = torch.multinomial(weights, n, replacement)
        if name in ("float32", "float64") or replacement:  # narrow scores tie, and PyTorch's order of ties is nobody's
            assert_same(ours, theirs)
    assert_streams_agree()


@needs_own_stream
def test_mixed_calls_in_a_row():
    both_seeded(123)
    choose = np.random.default_rng(0)
    for _ in range(300):
        kind, size = choose.integers(6), int(choose.integers(1, 40))
        name = DTYPES[choose.integers(2)]
        dtype = getattr(torch, name)
        if kind == 0:
            assert_same(random.normal((size,), name), torch.randn(size, dtype=dtype))
        elif kind == 1:
            assert_same(random.uniform((size,), name), torch.rand(size, dtype=dtype))
        elif kind == 2:
            assert_same(random.randint(-3, 50, (size,)), torch.randint(-3, 50, (size,)))
        elif kind == 3:
            assert_same(random.randperm(size), torch.randperm(size))
        elif kind == 4:
            assert_same(random.bernoulli(0.4, (size,)), torch.empty(size, dtype=torch.bool).bernoulli_(0.4))
        else:
            assert_same(random.exponential((size,), name), torch.empty(size, dtype=dtype).exponential_())


def test_an_explicit_generator_leaves_the_default_one_alone():
    both_seeded()
    ours, theirs = random.Generator(), torch.Generator()
    assert ours.initial_seed() == theirs.initial_seed()
    for number in (0, 5, -1, 2**32 + 5, 2**64 - 1, -(2**63)):
        ours.manual_seed(number)
        theirs.manual_seed(number)
        assert ours.initial_seed() == theirs.initial_seed()
        assert_same(
            random.normal((7,), np.float64, generator=ours), torch.randn(7, dtype=torch.float64, generator=theirs)
        )
        assert_same(random.randperm(9, generator=ours), torch.randperm(9, generator=theirs))
    assert_streams_agree()


@pytest.mark.parametrize("drawn", [0, 3, 15, 16, 620, 624, 625, 5000])
def test_states_can_be_exchanged(drawn):
    ours, theirs = random.Generator().manual_seed(11), torch.Generator().manual_seed(11)
    random.uniform((drawn,), np.float32, generator=ours)
    torch.rand(drawn, generator=theirs)
    random.normal((3,), np.float32, generator=ours)
    torch.randn(3, generator=theirs)
    assert_same(ours.get_state(), theirs.get_state())
    from_theirs = random.Generator().set_state(theirs.get_state().numpy())
    from_ours = torch.Generator().set_state(torch.from_numpy(ours.get_state()))
    assert from_theirs.initial_seed() == from_ours.initial_seed() == 11
    expected = torch.randn(21, generator=theirs)
    assert_same(random.normal((21,), np.float32, generator=from_theirs), expected)
    assert torch.equal(torch.randn(21, generator=from_ours), expected)


def test_the_state_of_a_fresh_generator_can_be_exchanged():
    ours, theirs = random.Generator().manual_seed(11), torch.Generator().manual_seed(11)
    from_theirs = random.Generator().set_state(theirs.get_state().numpy())
    from_ours = torch.Generator().set_state(torch.from_numpy(ours.get_state()))
    expected = torch.rand(1000, generator=theirs)
    assert_same(random.uniform((1000,), np.float32, generator=from_theirs), expected)
    assert torch.equal(torch.rand(1000, generator=from_ours), expected)
