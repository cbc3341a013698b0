"""What every entry of the table must have, and that all of an operation's public forms are one operation."""

import re
import weakref

import numpy as np
import pytest
from cases import (
    BROKEN,
    BROKEN_ERRORS,
    CASES,
    COMPARABLE,
    DIFFERENTIABLE,
    ERRORS,
    UNDECLARED,
    Case,
    counterpart,
    fill,
    flat,
    function_of,
    overload_of,
    quiet,
    tracked,
)

import pullback
from numeric import agree, array
from pullback.ops.table import OVERLOADS, TABLE, names_read
from pullback.tape.value import Tensor
from pullback.tensor import public_function


def is_first(case):
    """Whether the first argument is a tensor, so that it can have the method."""
    return bool(case.owners) and case.owners[0] == case.op.params[0] and not isinstance(case.args[0], (list, tuple))


each_operation = pytest.mark.parametrize("name", sorted(TABLE))
each_case = pytest.mark.parametrize("case", CASES, ids=str)
each_differentiable = pytest.mark.parametrize("case", DIFFERENTIABLE, ids=str)


# Constants for rules, which no interpreter but the arrays runs; and what has, on purpose, not the derivative of its value.
OF_NO_TENSOR = {"arange", "combination_places", "upper_pairs"}
UNSAMPLED = OF_NO_TENSOR | {"with_value"}


@each_operation
def test_operation_declares_samples(name):
    assert name not in BROKEN, f"{name}: its samples raise {BROKEN[name]}"
    assert name not in BROKEN_ERRORS, f"{name}: its errors raise {BROKEN_ERRORS[name]}"
    assert name not in UNDECLARED or name in UNSAMPLED, f"{name}: declare samples="


@each_operation
def test_operation_has_a_batch_rule_and_every_derivative_both_ways(name):
    op = TABLE[name]
    if op.composite or not op.diff:
        return
    assert op.jvp, f"{name}: has a vjp and no jvp"
    if isinstance(op.jvp, dict):
        assert set(op.jvp) == set(op.vjp), f"{name}: jvp of {sorted(op.jvp)}, vjp of {sorted(op.vjp)}"


PUBLIC = [record for record in (*TABLE.values(), *OVERLOADS.values()) if record.function or record.method]


@pytest.mark.parametrize("record", PUBLIC, ids=lambda record: record.name)
def test_public_forms_are_those_that_torch_has(record, torch):
    missing = []
    for name in (record.name, *getattr(record, "aliases", ())):
        if hasattr(torch.Tensor, name) and not hasattr(Tensor, name):
            missing.append(f"Tensor.{name}")
        if hasattr(torch.Tensor, f"{name}_") and not hasattr(Tensor, f"{name}_"):
            missing.append(f"Tensor.{name}_")
        if getattr(getattr(torch, name, None), "__doc__", None) and not hasattr(pullback, name):  # documented, that is
            missing.append(name)
        if record.function and not hasattr(torch, name) and hasattr(torch.nn.functional, name):
            missing += [] if hasattr(pullback.nn.functional, name) else [f"nn.functional.{name}"]
    assert not missing, f"{record.name}: torch has {', '.join(missing)}"


# Torch calls a number in an operand's place by another name.
NAMED = [
    case
    for case in COMPARABLE
    if case.op.function and set(case.op.operands) <= set(case.owners) and case.op.star != case.op.params[0]
]


@pytest.mark.parametrize("case", NAMED, ids=str)
def test_parameters_are_named_as_torchs(case, torch):
    """Where torch takes a call's arguments by position, it takes them by our names for them."""
    tensors, function = case.tensors(torch), counterpart(torch, case)
    if case.op.star == case.op.params[0]:
        return  # `meshgrid(*tensors)`
    with quiet():
        try:
            case.call(function, tensors, torch)
        except Exception:
            return
        named = dict(zip(case.op.params, case.args, strict=False)) | case.kwargs
        function(**{name: fill(value, tensors, torch) for name, value in named.items()})


@each_case
def test_method_and_function_agree(case):
    op, tensors = case.op, case.tensors(pullback)
    if not (op.function and op.method and case.args and isinstance(case.args[0], object) and is_first(case)):
        return
    with quiet():
        want, got = flat(case.ours(tensors)), flat(case.call(getattr(Tensor, op.name), tensors))
    same(got, want, f"{case} as a method")
    if (
        op.star
        and case.args[1:]
        and isinstance(case.args[1], (tuple, list))
        and not any(map(is_tensor, flat(case.args[1])))
    ):
        spread = getattr(tensors[0], op.name)(*case.args[1], *case.args[2:], **case.kwargs)
        same(flat(spread), want, f"{case} as a method with {op.star} spread out")


def is_tensor(value):
    return isinstance(value, Tensor)


def same(got, want, what):
    assert len(got) == len(want), what
    for g, w in zip(got, want, strict=True):
        if is_tensor(w):
            assert g.dtype is w.dtype, f"{what}: dtype {g.dtype}, expected {w.dtype}"
            agree(array(g), array(w), what, rtol=1e-12)
        else:
            assert g == w, f"{what}: {g}, expected {w}"


OVERLOADED = [(case, name) for case in CASES for name in [overload_of(case)] if name is not None]


@pytest.mark.parametrize(("case", "name"), OVERLOADED, ids=[f"{case}-{name}" for case, name in OVERLOADED])
def test_overloaded_names_run_the_operation(case, name):
    """``max(x, 1)`` is ``max_dim(x, 1)``, as a function, as a method and with ``out=``."""
    record, tensors = OVERLOADS[name], case.tensors(pullback)
    want = flat(case.ours(tensors))
    if record.function:
        same(flat(case.call(public_function(record), tensors)), want, f"{case} as {name}()")
    if record.method and is_first(case):
        same(flat(case.call(getattr(Tensor, name), tensors)), want, f"{case} as Tensor.{name}()")
    if record.function and record.out and len(want) == 1 and is_tensor(want[0]):
        out = pullback.tensor(np.full(tuple(want[0].shape), 0), dtype=want[0].dtype)
        assert case.call(lambda *a, **k: public_function(record)(*a, **k, out=out), tensors) is out
        same([out], want, f"{case} as {name}(out=)")


@pytest.mark.parametrize("case", [case for case in CASES if case.op.out], ids=str)
def test_out_holds_the_result_and_is_returned(case):
    tensors = case.tensors(pullback)
    want = case.ours(tensors)
    if not is_tensor(want):
        return
    out = pullback.tensor(np.full(tuple(want.shape), 0), dtype=want.dtype)
    returned = case.call(lambda *a, **k: function_of(case.op)(*a, **k, out=out), tensors)
    assert returned is out, f"{case}: out= is not what is returned"
    same([out], [want], f"{case} out=")


IN_PLACE = [case for case in CASES if case.op.inplace]


@pytest.mark.parametrize("case", IN_PLACE, ids=str)
def test_in_place_form_gives_the_same_values_and_gradients(case):
    """Where the result has the shape and dtype of the first operand, ``x.op_()`` is ``op(x)`` written into x."""
    if not is_first(case):
        return
    plain = case.tensors(pullback, requires_grad=True)
    want = case.ours(plain)
    if want.shape != plain[0].shape or want.dtype is not plain[0].dtype:
        return
    written = case.tensors(pullback, requires_grad=True)
    target = written[0].clone()
    got = case.call(lambda *a, **k: getattr(target, f"{case.op.name}_")(*a[1:], **k), written)
    assert got is target, f"{case}: the in-place form returns another object"
    agree(array(got), array(want), f"{case} in place", rtol=1e-12)
    if want.requires_grad:
        cotangent = pullback.tensor(
            np.random.default_rng(case.seed).standard_normal(tuple(want.shape)), dtype=want.dtype
        )
        pairs = zip(gradients(got, written, cotangent), gradients(want, plain, cotangent), strict=True)
        for g, w in pairs:
            agree(array(g), array(w), f"{case} in place, gradient", rtol=1e-12)


def gradients(output, tensors, cotangent):
    inputs = [t for t in tensors if t.requires_grad]
    return pullback.autograd.grad(output, inputs, cotangent, materialize_grads=True)


@each_differentiable
def test_a_node_keeps_only_what_its_rules_read(case):
    """For each input that needs a gradient alone: what is alive once the outputs are dropped, and only the node is held."""
    for needing in sorted({case.owners[i] for i in case.diff}):
        alive, read = alive_of_node(case, needing), names_kept(case.op, needing)
        assert alive <= read, f"{case} for {needing}: keeps {sorted(alive - read)}, and its rules read {sorted(read)}"


def names_kept(op, needing):
    """Names of whole arrays that the rules for one input read."""
    if op.is_formula:
        return set(op.params)
    rules = op.vjp.values() if op.lists else [op.vjp[needing]]
    return {n for n in names_read(rules) if n in op.params or n in op.outputs or n == "result"}


def alive_of_node(case, needing):
    """The names of the operands and outputs that a node keeps in memory."""
    tensors = case.tensors(pullback)
    for i in case.diff:
        if case.owners[i] == needing:
            tensors[i] = tensors[i].requires_grad_() * 1.0
    held = [(owner, weakref.ref(t._data)) for owner, t in zip(case.owners, tensors, strict=True)]
    outputs = flat(case.ours(tensors))
    names = case.op.outputs if case.op.outputs and case.op.outputs != ("*",) else ("result",) * len(outputs)
    held += [(name, weakref.ref(o._data)) for name, o in zip(names, outputs, strict=False) if is_tensor(o)]
    nodes = [o.grad_fn for o in tracked(outputs)]
    del outputs, tensors
    return {name for name, ref in held if nodes and ref() is not None}


NOT_OURS = re.compile(
    r"operands could not be broadcast|out of bounds for axis|axis \d|ufunc|ndarray|numpy|assert|einsum string"
)


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: f"{error[0].name}-{error[1]}")
def test_bad_input_raises_what_was_declared_in_the_house_words(error):
    op, number, (args, kwargs, expected) = error
    case = Case(op, number, (args, kwargs))
    with pytest.raises(expected) as caught:
        case.ours(case.tensors(pullback))
    assert str(caught.value), f"{op.name}-{number}: raises {expected.__name__} without a word"
    assert not NOT_OURS.search(str(caught.value)), f"{op.name}-{number}: {caught.value}"


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: f"{error[0].name}-{error[1]}")
def test_bad_input_raises_torchs_exception_type(error, torch):
    op, number, (args, kwargs, expected) = error
    case = Case(op, number, (args, kwargs))
    if not (op.function or op.method):
        return
    with quiet(), pytest.raises(Exception) as theirs:
        case.call(counterpart(torch, case), case.tensors(torch), torch)
    assert issubclass(theirs.type, expected), (
        f"{op.name}-{number}: torch raises {theirs.type.__name__}, declared {expected.__name__}"
    )
