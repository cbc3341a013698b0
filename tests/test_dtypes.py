"""Types: their identity, promotion, the default, and what is refused."""

import copy
import pickle
import subprocess
import sys

import numpy as np
import pytest

from pullback import dtypes


@pytest.fixture(autouse=True)
def fresh_default():
    yield
    dtypes.set_default_dtype(dtypes.float32)


@pytest.mark.parametrize("dtype", dtypes.ALL, ids=str)
def test_there_is_one_object_for_each_type(dtype):
    assert pickle.loads(pickle.dumps(dtype)) is copy.deepcopy(dtype) is copy.copy(dtype) is dtype
    assert getattr(dtypes, dtype.name) is dtype
    assert repr(dtype) == f"torch.{dtype.name}"


@pytest.mark.parametrize("dtype", dtypes.ALL, ids=str)
def test_numpy_and_back(dtype):
    assert dtype.numpy.itemsize == dtype.itemsize
    assert dtypes.from_numpy(dtype.numpy) is dtype
    assert dtypes.from_numpy(dtype.numpy.type) is dtype


def test_bfloat16_loads_its_library_only_when_asked_for():
    script = (
        "import sys; from pullback import dtypes; assert 'ml_dtypes' not in sys.modules;"
        "dtypes.bfloat16.numpy; assert 'ml_dtypes' in sys.modules"
    )
    subprocess.run([sys.executable, "-c", script], check=True)


def test_bfloat16_is_recognised_before_anyone_asked_for_it():
    script = (
        "import ml_dtypes, numpy; from pullback import dtypes;"
        "assert dtypes.from_numpy(numpy.dtype(ml_dtypes.bfloat16)) is dtypes.bfloat16"
    )
    subprocess.run([sys.executable, "-c", script], check=True)


def test_other_names():
    assert (dtypes.half, dtypes.float, dtypes.double) == (dtypes.float16, dtypes.float32, dtypes.float64)
    assert (dtypes.short, dtypes.int, dtypes.long) == (dtypes.int16, dtypes.int32, dtypes.int64)
    assert (dtypes.cfloat, dtypes.cdouble) == (dtypes.complex64, dtypes.complex128)


RESULTS = [
    ([("int64", "tensor"), ("float32", "scalar")], "float32"),
    ([("float16", "tensor"), ("float32", "scalar")], "float16"),
    ([("float32", "tensor"), ("float64", "zero-dim")], "float32"),
    ([("int32", "tensor"), ("float64", "zero-dim")], "float64"),
    ([("float64", "tensor"), ("complex64", "scalar")], "complex128"),
    ([("float32", "zero-dim"), ("float64", "zero-dim")], "float64"),
    ([("uint8", "tensor"), ("int64", "scalar")], "uint8"),
    ([("bool", "tensor"), ("int64", "scalar")], "int64"),
    ([("bool", "zero-dim"), ("uint8", "tensor"), ("float32", "scalar")], "float32"),
    ([("int64", "scalar"), ("float32", "scalar")], "float32"),
]


@pytest.mark.parametrize("entries, expected", RESULTS, ids=str)
def test_a_higher_category_decides_and_then_the_kind_of_operand(entries, expected):
    named = [(getattr(dtypes, name), kind) for name, kind in entries]
    assert dtypes.result_dtype(named) is dtypes.result_dtype(named[::-1]) is getattr(dtypes, expected)


def test_the_default_decides_what_python_numbers_become():
    assert [dtypes.of_scalar(v).name for v in (True, 2, 0.5, 1j)] == ["bool", "int64", "float32", "complex64"]
    dtypes.set_default_dtype(dtypes.float64)
    assert [dtypes.of_scalar(v).name for v in (np.True_, 2, 0.5, 1j)] == ["bool", "int64", "float64", "complex128"]
    assert dtypes.result_dtype([(dtypes.int64, "tensor"), (dtypes.float32, "scalar")]) is dtypes.float64
    assert dtypes.finfo() == dtypes.finfo(dtypes.float64) != dtypes.finfo(dtypes.float32)


REFUSED = [
    (TypeError, "cannot create 'torch.dtype' instances", lambda: dtypes.dtype()),
    (AttributeError, "read-only", lambda: setattr(dtypes.float32, "name", "x")),
    (AttributeError, "no attribute 'foo'", lambda: dtypes.float32.foo),
    (TypeError, "numpy.str_. The only supported types are: .*float64", lambda: dtypes.from_numpy(np.dtype("U3"))),
    (ValueError, "byte order different", lambda: dtypes.from_numpy(np.dtype(">f4"))),
    (RuntimeError, "Complex ScalarType for Long", lambda: dtypes.int64.to_complex()),
    (RuntimeError, "attempted to promote UInt16 and Int", lambda: dtypes.promote_types(dtypes.uint16, dtypes.int32)),
    (RuntimeError, "at least one operand", lambda: dtypes.result_dtype([])),
    (TypeError, "only floating-point types .* got torch.int32", lambda: dtypes.set_default_dtype(dtypes.int32)),
    (TypeError, "invalid dtype object", lambda: dtypes.set_default_dtype("float32")),
    (TypeError, "got str", lambda: dtypes.of_scalar("1")),
    (TypeError, "requires a floating point input type", lambda: dtypes.finfo(dtypes.int32)),
    (TypeError, "requires an integer input type", lambda: dtypes.iinfo(dtypes.float32)),
    (TypeError, "torch.bool is not supported by torch.iinfo", lambda: dtypes.iinfo(dtypes.bool)),
    (TypeError, "must be torch.dtype, not int", lambda: dtypes.finfo(3)),
]


@pytest.mark.parametrize("kind, words, call", REFUSED, ids=[words for _, words, _ in REFUSED])
def test_refusals_name_what_was_given(kind, words, call):
    with pytest.raises(kind, match=words):
        call()
