"""Every operation's values, dtypes and graph node against torch's, in every dtype, layout and promotion."""

import operator
import warnings
from itertools import product

import numpy as np
import pytest
from cases import CASES, COMPARABLE, FREE, counterpart, flat, function_of, functions_of, is_constant_in_torch, quiet
from samples import is_elementwise

import pullback
from numeric import RTOL, agree, array
from pullback.ops.table import TABLE

DTYPES = ("float32", "float64", "float16", "bfloat16", "complex64", "complex128", "int64", "int32", "uint8", "bool")
# torch refuses these calls because of what kind of number they are about, not for want of a kernel.
CATEGORY = (
    "floating point",
    "floating-point",
    "can't be cast",
    "negative integer powers",
    "with a bool",
    "bool tensor",
)

each_comparable = pytest.mark.parametrize("case", COMPARABLE, ids=str)


def attempt(case, function, lib, dtype):
    """The flat result of a case in one library, or the exception."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore" if lib is not pullback else "error")
            warnings.filterwarnings("ignore", category=RuntimeWarning, module=r"pullback\.")  # as importing it does
            warnings.simplefilter("ignore", UserWarning)
            return flat(case.call(function, case.tensors(lib, dtype), lib))
    except Exception as error:
        return error


def compare(got, want, what, rtol):
    """Raise unless two values, tensors or Python's, are equal in type, dtype and value."""
    if not hasattr(want, "dtype"):
        assert type(got) is type(want), f"{what}: {type(got).__name__}, expected {type(want).__name__}"
        agree(got, want, what, rtol) if isinstance(want, (bool, int, float, complex)) else None
        return
    assert hasattr(got, "dtype"), f"{what}: {type(got).__name__}, expected a tensor"
    if str(want.dtype) == "torch.complex32":  # the type that we do not have
        return
    assert str(got.dtype) == str(want.dtype), f"{what}: dtype {got.dtype}, expected {want.dtype}"
    agree(array(got), array(want), what, rtol)


def difference(case, torch, dtype):
    """What differs between the libraries for a case in one dtype; None if nothing does."""
    want = attempt(case, counterpart(torch, case), torch, dtype)
    got = attempt(case, function_of(case.op), pullback, dtype)
    if isinstance(want, Exception):
        refused = any(words in str(want) for words in CATEGORY)
        return f"should raise as torch: {want}" if refused and not isinstance(got, Exception) else None
    if isinstance(got, Exception):
        halves = any(str(getattr(w, "dtype", "")) == "torch.complex32" for w in want)
        return None if halves else f"raised {type(got).__name__}: {got}"
    try:
        assert len(got) == len(want), f"{len(got)} outputs, expected {len(want)}"
        for i, (g, w) in enumerate(zip(got, want, strict=True)):
            own = RTOL.get(str(getattr(w, "dtype", "")).removeprefix("torch."), 0)  # where the sample has a dtype
            compare(g, w, f"output {i}", max(own, RTOL.get(dtype, 1e-6)))
    except AssertionError as error:
        return str(error)
    return None


# Where torch gives infinities and NaN for results that are finite.
OVERFLOWS = {"linalg_matrix_exp": ("float16", "bfloat16")}


@each_comparable
def test_values_and_dtypes_are_torchs(case, torch):
    dtypes = [d for d in DTYPES if d not in OVERFLOWS.get(case.op.name, ())] if FREE in case.dtypes else (FREE,)
    differences = {dtype: difference(case, torch, dtype) for dtype in dtypes}
    assert not any(differences.values()), "; ".join(f"{case} {d}: {text}" for d, text in differences.items() if text)


# Where torch's node is that of the last step of a formula of its own, which nobody looks for.
UNNAMED = ("quantile", "nanquantile")


@each_comparable
def test_outputs_require_grad_and_name_their_node_as_torchs(case, torch):
    for dtype in ("float64", "int64"):
        with quiet():
            try:
                want = flat(case.call(counterpart(torch, case), case.tensors(torch, dtype, True), torch))
            except Exception:
                continue
            got = flat(case.ours(case.tensors(pullback, dtype, True)))
        for g, w in zip(got, want, strict=True):
            if not hasattr(w, "requires_grad"):
                continue
            if is_constant_in_torch(case.op):
                continue
            assert g.requires_grad == w.requires_grad, f"{case} {dtype}: requires_grad {g.requires_grad}"
            if w.requires_grad:
                ours, theirs = g.grad_fn.name(), w.grad_fn.name().removeprefix("torch::autograd::")
                assert ours == theirs or theirs == "NotImplemented" or case.op.name in UNNAMED, (
                    f"{case}: {ours}, expected {theirs}"
                )


@each_comparable
def test_results_share_memory_with_their_input_where_torchs_do(case, torch):
    if not case.leaves or not case.leaves[0].size:
        return
    ours, theirs = case.tensors(pullback), case.tensors(torch)
    with quiet():
        try:
            want = [
                w for w in flat(case.call(counterpart(torch, case), theirs, torch)) if hasattr(w, "dtype") and w.numel()
            ]
        except Exception:
            return
        got = [g for g in flat(case.ours(ours)) if hasattr(g, "dtype") and g.numel()]
    for g, w in zip(got, want, strict=True):
        if w.is_conj() or w.is_neg():  # torch's promise to compute it later
            continue
        shares = w.untyped_storage().data_ptr() == theirs[0].untyped_storage().data_ptr()
        assert np.shares_memory(g.numpy(), ours[0].numpy()) == shares, f"{case}: shares memory, expected {shares}"


def layouts(array_):
    """The same numbers in other strides."""
    spaced = np.zeros((*array_.shape[:-1], 2 * array_.shape[-1]), array_.dtype)
    spaced[..., ::2] = array_
    return [np.asfortranarray(array_), spaced[..., ::2]]


def laid_out(case, number):
    """The case's tensors, those of some dimensions in another layout."""
    made, wanted = [], case.tensors(pullback, requires_grad=True)
    for i, leaf in enumerate(case.leaves):
        strided = layouts(leaf)[number] if leaf.ndim and leaf.size and case.dtypes[i] != "bfloat16" else None
        tensor = (
            pullback.tensor(leaf, dtype=getattr(pullback, case.dtypes[i]))
            if strided is None
            else pullback.from_numpy(strided)
        )
        made.append(tensor.requires_grad_(wanted[i].requires_grad))
    return made


NEEDS_STRIDES = ("view", "as_strided", "view_as_real", "view_as_complex")  # these refuse or read the layout
# Complex eigenvectors have phases, on which a random loss depends, and some of these have no derivative.
NO_RANDOM_LOSS = ("linalg_eig", "linalg_ldl_factor_ex", "linalg_ldl_solve", "linalg_qr-4", "linalg_qr-5")


@pytest.mark.parametrize(
    "case", [c for c in CASES if not {c.op.name, str(c)} & {*NEEDS_STRIDES, *NO_RANDOM_LOSS}], ids=str
)
def test_layout_of_the_operands_changes_nothing(case):
    plain = case.tensors(pullback, requires_grad=True)
    for number in range(2):
        for got, want in zip(with_gradients(case, laid_out(case, number)), with_gradients(case, plain), strict=True):
            compare(got, want, f"{case} layout {number}", 1e-9)


def with_gradients(case, tensors):
    """A call's outputs, and the gradients of those that have them for fixed random cotangents."""
    rng = np.random.default_rng(case.seed)
    outputs = flat(case.ours(tensors))
    roots = [o for o in outputs if getattr(o, "requires_grad", False)]
    inputs = [t for t in tensors if t.requires_grad]
    given = [pullback.tensor(rng.standard_normal(r.shape), dtype=r.dtype) for r in roots]
    found = pullback.autograd.grad(roots, inputs, given, materialize_grads=True) if roots else ()
    return [*outputs, *found]


BINARY = [op for op in TABLE.values() if is_elementwise(op) and len(op.operands) == 2 and op.function]
SCALARS = (True, 2, 2.5, 1 + 1j)


@pytest.mark.parametrize("op", BINARY, ids=lambda op: op.name)
def test_promotion_is_torchs_for_every_pair_of_dtypes(op, torch):
    function = next(functions_of(torch, op))
    shapes = (((2,), (2,)), ((2,), ()), ((), (2,)))
    for (a, b), (m, n) in product(product(DTYPES, DTYPES), shapes):
        same_type(op, torch, function, lambda lib, a=a, m=m: filled(lib, m, a), lambda lib, b=b, n=n: filled(lib, n, b))
    for a, scalar in product(DTYPES, SCALARS):
        same_type(op, torch, function, lambda lib, a=a: filled(lib, (2,), a), lambda lib, scalar=scalar: scalar)


def filled(lib, shape, dtype):
    return lib.ones(shape, dtype=getattr(lib, dtype))


def same_type(op, torch, function, left, right):
    with quiet():
        try:
            want = function(left(torch), right(torch))
        except Exception:
            return
        if want.dtype is torch.complex32:
            return
        what = f"{op.name}({left(torch)!r}, {right(torch)!r})"
        try:
            got = function_of(op)(left(pullback), right(pullback))
        except Exception as error:
            raise AssertionError(f"{what} raised {type(error).__name__}: {error}") from error
    compare(got, want, what, 1e-2)


OPERATORS = (
    *(operator.add, operator.sub, operator.mul, operator.truediv, operator.floordiv, operator.mod, operator.pow),
    *(operator.lt, operator.le, operator.gt, operator.ge, operator.eq, operator.ne),
    *(operator.and_, operator.or_, operator.xor, operator.lshift, operator.rshift),
)


@pytest.mark.parametrize("function", OPERATORS, ids=lambda f: f.__name__)
def test_operators_are_torchs_with_tensors_and_numbers_on_either_side(function, torch):
    numbers = {
        "float32": [2.5, 0.75, -1.5],
        "int64": [3, 1, -2],
        "bool": [True, False, True],
        "complex64": [1 + 1j, -2j, 0.5],
    }
    for a, b in product(numbers, numbers):
        compare_operator(
            function, torch, lambda lib, a=a: made(lib, numbers, a), lambda lib, b=b: made(lib, numbers, b, True)
        )
    for a, scalar in product(numbers, (True, 2, 2.5)):
        compare_operator(function, torch, lambda lib, a=a: made(lib, numbers, a), lambda lib, scalar=scalar: scalar)
        compare_operator(function, torch, lambda lib, scalar=scalar: scalar, lambda lib, a=a: made(lib, numbers, a))


def made(lib, numbers, dtype, backwards=False):
    return lib.tensor(numbers[dtype][::-1] if backwards else numbers[dtype], dtype=getattr(lib, dtype))


def compare_operator(function, torch, left, right):
    with quiet():
        try:
            want = function(left(torch), right(torch))
        except Exception:
            return
        what = f"{function.__name__}({left(torch)!r}, {right(torch)!r})"
        try:
            got = function(left(pullback), right(pullback))
        except Exception as error:
            raise AssertionError(f"{what} raised {type(error).__name__}: {error}") from error
    compare(got, want, what, 1e-5)


@pytest.mark.parametrize("function", (operator.neg, operator.pos, operator.invert, abs), ids=lambda f: f.__name__)
def test_unary_operators_are_torchs(function, torch):
    for values in ([1, -2, 0], [True, False, True], [1.5, -2.5, 0.0]):
        try:
            want = function(torch.tensor(values))
        except (RuntimeError, TypeError) as error:
            with pytest.raises(type(error)):
                function(pullback.tensor(values))
            continue
        compare(function(pullback.tensor(values)), want, f"{function.__name__}({values})", 1e-6)
