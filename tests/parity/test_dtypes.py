"""Types against PyTorch's: attributes, every pair's promotion, limits."""

import itertools

import pytest

from pullback import dtypes

torch = pytest.importorskip("torch")
pytestmark = pytest.mark.parity

KINDS = {"tensor": (2,), "zero-dim": ()}
SCALARS = [True, 2, 2.5, 1j]


@pytest.fixture(params=[dtypes.float32, dtypes.float64, dtypes.float16, dtypes.bfloat16], ids=str)
def default(request):
    dtypes.set_default_dtype(request.param)
    torch.set_default_dtype(theirs(request.param))
    yield request.param
    dtypes.set_default_dtype(dtypes.float32)
    torch.set_default_dtype(torch.float32)


def theirs(dtype):
    return getattr(torch, dtype.name)


def outcome(function, *args):
    """What a call returns, as text, or its error."""
    try:
        return repr(function(*args))
    except (RuntimeError, TypeError) as error:
        return str(error)


@pytest.mark.parametrize("dtype", dtypes.ALL, ids=str)
def test_attributes(dtype):
    for name in ("itemsize", "is_signed", "is_floating_point", "is_complex"):
        assert getattr(dtype, name) == getattr(theirs(dtype), name)
    assert repr(dtype) == repr(theirs(dtype))
    assert repr(dtype.to_real()) == repr(theirs(dtype).to_real())
    if dtype is not dtypes.float16:  # PyTorch has a half-precision complex type
        assert outcome(dtype.to_complex) == outcome(theirs(dtype).to_complex)


@pytest.mark.parametrize("first", dtypes.ALL, ids=str)
def test_promotion_and_casting_of_every_pair(first):
    for second in dtypes.ALL:
        expected = outcome(torch.promote_types, theirs(first), theirs(second))
        assert outcome(dtypes.promote_types, first, second) == expected
        assert dtypes.can_cast(first, second) == torch.can_cast(theirs(first), theirs(second))


def assert_same_result(entries, operands):
    expected = outcome(torch.result_type, *operands)
    if "complex32" not in expected:  # a type that is left out here; complex64 takes its place
        assert outcome(dtypes.result_dtype, entries) == expected


@pytest.mark.parametrize("first", dtypes.ALL, ids=str)
def test_results_of_every_pair_of_operands(default, first):
    for kind, second, other_kind in itertools.product(KINDS, dtypes.ALL, KINDS):
        operands = (torch.ones(KINDS[k], dtype=theirs(t)) for t, k in ((first, kind), (second, other_kind)))
        assert_same_result([(first, kind), (second, other_kind)], operands)


@pytest.mark.parametrize("first", dtypes.ALL, ids=str)
def test_results_with_python_numbers(default, first):
    for kind, value in itertools.product(KINDS, SCALARS):
        operands = torch.ones(KINDS[kind], dtype=theirs(first)), value
        assert_same_result([(first, kind), (dtypes.of_scalar(value), "scalar")], operands)


@pytest.mark.parametrize("dtype", dtypes.ALL, ids=str)
@pytest.mark.parametrize("name", ["finfo", "iinfo"])
def test_limits(dtype, name):
    try:
        expected = getattr(torch, name)(theirs(dtype))
    except TypeError:
        with pytest.raises(TypeError):
            getattr(dtypes, name)(dtype)
        return
    ours = getattr(dtypes, name)(dtype)
    assert repr(ours) == repr(expected)
    for limit in (word for word in dir(expected) if not word.startswith("_")):
        assert getattr(ours, limit) == getattr(expected, limit)
