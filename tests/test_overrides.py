"""Subclasses of Tensor, ``__torch_function__`` and modes: what they see and what comes of it, compared with torch."""

import copy
import operator
import pickle
import subprocess
import sys
import threading
import types

import numpy as np
import pytest

import pullback

OPERATORS = {
    **dict.fromkeys(["add", "sub", "mul", "truediv", "mod", "lt", "ge", "matmul"], lambda f, x: f(x, x)),
    **dict.fromkeys(["pow", "floordiv"], lambda f, x: f(2, x)),
    **dict.fromkeys(["iadd", "isub", "imul", "itruediv"], lambda f, x: f(x.clone(), x)),
    **dict.fromkeys(["neg", "pos", "abs"], lambda f, x: f(x)),
}
CALLS = {
    "rsub": lambda x, T: 2 - x,
    "radd": lambda x, T: 2 + x,
    "getitem": lambda x, T: x[0],
    "setitem": lambda x, T: operator.setitem(x.clone(), 0, 1.0),
    "index tensor": lambda x, T: T.ones(3)[T.tensor([0, 1]).as_subclass(type(x))],
    "len": lambda x, T: len(x),
    "bool": lambda x, T: bool(x[0]),
    "iteration": lambda x, T: list(x),
    "contains": lambda x, T: 1.0 in x,
    "shape": lambda x, T: x.shape,
    "dtype": lambda x, T: x.dtype,
    "requires_grad": lambda x, T: x.requires_grad,
    "set requires_grad": lambda x, T: setattr(x, "requires_grad", False),
    "grad": lambda x, T: x.grad,
    "data": lambda x, T: x.data,
    "device": lambda x, T: x.device,
    "item": lambda x, T: x[0].item(),
    "tolist": lambda x, T: x.tolist(),
    "detach": lambda x, T: x.detach(),
    "numpy": lambda x, T: x.numpy(),
    "base": lambda x, T: x._base,
    "copy": lambda x, T: copy.copy(x),
    "is_floating_point": lambda x, T: T.is_floating_point(x),
    "is_tensor": lambda x, T: T.is_tensor(x),
    "as_tensor": lambda x, T: T.as_tensor(x),
    "zeros_like": lambda x, T: T.zeros_like(x),
    "new_zeros": lambda x, T: x.new_zeros(2),
    "to": lambda x, T: x.to(T.float64),
    "cat": lambda x, T: T.cat([x, x]),
    "stack": lambda x, T: T.stack((x, x), dim=0),
    "max": lambda x, T: T.max(x, dim=0),
    "unbind": lambda x, T: T.unbind(x),
    "equal": lambda x, T: T.equal(x, x),
    "linear": lambda x, T: T.nn.functional.linear(x, T.ones(2, 2)),
    "where": lambda x, T: T.where(x > 0, x, x),
    "clamp": lambda x, T: x.clamp(0, 1),
    "clamp_": lambda x, T: x.clone().clamp_(min=0),
    "sum by axis": lambda x, T: x.sum(axis=0),
    "view": lambda x, T: x.view(2, 1),
    "out": lambda x, T: T.add(T.ones(2), 1, out=T.ones(2).as_subclass(type(x))),
    "set data": lambda x, T: setattr(x, "data", T.ones(2)),
    "stride": lambda x, T: x.stride(),
    "alias of a name": lambda x, T: T.absolute(x),
}


def overrides_of(T):
    return pullback.overrides if T is pullback else pytest.importorskip("torch.overrides")


def recording_subclass(T):
    """A subclass that notes what its ``__torch_function__`` is called with."""

    class Recorded(T.Tensor):
        seen = []

        @classmethod
        def __torch_function__(cls, func, types, args=(), kwargs=None):
            cls.seen.append((overrides_of(T).resolve_name(func), len(types), len(args), sorted(kwargs or {})))
            return super().__torch_function__(func, types, args, kwargs or {})

    return Recorded


def described(value):
    """A value without the library's own classes: whether it is an instance of the subclass, above all."""
    if isinstance(value, (tuple, list)) and any(hasattr(each, "grad_fn") for each in value):
        return [described(each) for each in value]
    return type(value).__name__ if type(value).__name__ in ("Recorded", "Tensor") else None


@pytest.mark.parametrize("name", [*CALLS, *OPERATORS])
def test_a_subclass_sees_the_calls_that_torch_shows_it_and_gets_its_results(torch, name):
    def outcome(T):
        kind = recording_subclass(T)
        x = T.tensor([1.0, 2.0]).as_subclass(kind)
        kind.seen.clear()
        result = CALLS[name](x, T) if name in CALLS else OPERATORS[name](getattr(operator, name), x)
        return list(kind.seen), described(result)

    assert outcome(pullback) == outcome(torch)


def foreign_class(T):
    class Foreign:
        seen = []

        @classmethod
        def __torch_function__(cls, func, types, args=(), kwargs=None):
            name = overrides_of(T).resolve_name(func)
            cls.seen.append((name, [type(a).__name__ for a in args], sorted(kwargs or {})))
            return "answer"

    return Foreign


FOREIGN_CALLS = {
    "left": lambda T, d: T.add(d, T.ones(2)),
    "right": lambda T, d: T.add(T.ones(2), d),
    "operator": lambda T, d: T.ones(2) + d,
    "reflected operator": lambda T, d: d - T.ones(2),
    "matmul": lambda T, d: T.ones(2) @ d,
    "keyword": lambda T, d: T.add(input=d, other=3),
    "in a list": lambda T, d: T.cat([T.ones(2), d]),
    "in a tuple": lambda T, d: T.stack((d, d), 0),
    "as an index": lambda T, d: T.ones(2)[0:1, d],
    "condition": lambda T, d: T.where(d, T.ones(2), 0.0),
    "reduction": lambda T, d: T.sum(d, 0, keepdim=True),
    "method": lambda T, d: T.ones(2).add_(d),
    "ones_like": lambda T, d: T.ones_like(d),
    "mean": lambda T, d: T.mean(d),
    "matmul function": lambda T, d: T.matmul(d, d),
    "out": lambda T, d: T.add(T.ones(2), 1, out=d),
}


@pytest.mark.parametrize("name", FOREIGN_CALLS)
def test_a_foreign_object_takes_over_wherever_it_is_an_argument(torch, name):
    def outcome(T):
        kind = foreign_class(T)
        return FOREIGN_CALLS[name](T, kind()), kind.seen

    assert outcome(pullback) == outcome(torch)


@pytest.mark.parametrize(
    "call",
    [
        "torch.mean(Scalar(5)) == 5",
        "torch.ones(2) + Scalar(1) == 'added'",
        "Scalar(1) + torch.ones(2) == 'added'",
        "torch.sum(Scalar(1), dim=3) == 3",
    ],
)
def test_a_foreign_object_takes_over_in_the_very_first_call(call):
    script = """
import pullback as torch
HANDLED = {}
class Scalar:
    def __init__(self, value): self.value = value
    @classmethod
    def __torch_function__(cls, func, types, args=(), kwargs=None):
        return HANDLED[func](*args, **(kwargs or {}))
def mean(input): return input.value
def add(input, other): return "added"
HANDLED[torch.mean], HANDLED[torch.Tensor.add], HANDLED[torch.sum] = mean, add, lambda input, dim: dim
assert CALL
"""
    subprocess.run([sys.executable, "-c", script.replace("CALL", call)], check=True)


def test_subclasses_are_asked_before_their_bases_and_others_from_left_to_right(torch):
    def outcome(T):
        order = []

        def handler(cls, func, types, args=(), kwargs=None):
            order.append((cls.__name__, [t.__name__ for t in types]))
            return NotImplemented

        def kind(name, *bases):
            return types.new_class(name, bases, {}, lambda ns: ns.update(__torch_function__=classmethod(handler)))

        A = kind("A")
        B, C = kind("B", A), kind("C")
        with pytest.raises(TypeError, match=r"Multiple dispatch failed for 'torch.stack'"):
            T.stack([T.ones(2), A(), C(), B()])
        return order

    assert outcome(pullback) == outcome(torch)


def test_operators_of_which_nobody_has_an_implementation_are_unsupported():
    class Refusing(pullback.Tensor):
        @classmethod
        def __torch_function__(cls, func, types, args=(), kwargs=None):
            return NotImplemented

    x = pullback.ones(2).as_subclass(Refusing)
    with pytest.raises(TypeError, match=r"unsupported operand type\(s\) for \+: 'Refusing' and 'int'"):
        x + 1
    with pytest.raises(TypeError, match=r"no implementation found for 'torch.Tensor.shape.__get__'.*Refusing"):
        x.shape


def test_handlers_can_be_found_by_the_function_itself():
    handled = {
        pullback.mean: "mean",
        pullback.Tensor.mean: "Tensor.mean",
        pullback.nn.functional.relu: "relu",
        pullback.Tensor.shape.__get__: "shape",
    }

    class Named(pullback.Tensor):
        @classmethod
        def __torch_function__(cls, func, types, args=(), kwargs=None):
            return handled[func]

    x = pullback.ones(2).as_subclass(Named)
    assert (pullback.mean(x), x.mean(), pullback.nn.functional.relu(x), x.shape) == tuple(handled.values())


def test_constructors_of_a_subclass_are_torchs(torch):
    def outcome(T):
        class Plain(T.Tensor):
            pass

        class Extra(T.Tensor):
            @staticmethod
            def __new__(cls, data, extra, *args, **kwargs):
                return super().__new__(cls, data, *args, **kwargs)

            def __init__(self, data, extra):
                super().__init__()
                self.extra = extra

        w = T.ones(2, requires_grad=True)
        extra = Extra([1.0, 2.0], "more")
        made = T.Tensor._make_subclass(Plain, T.ones(2), True)
        return (
            repr(Plain([1.0, 2.0])),
            tuple(Plain(2, 3).shape),
            str(Plain(T.ones(2, dtype=T.int64)).dtype),
            (Plain(w).requires_grad, Plain(w).grad_fn.name(), T.Tensor(w).grad_fn.name()),
            (extra.extra, hasattr(extra + 1, "extra"), type(extra + 1).__name__),
            (type(made).__name__, made.requires_grad, made.is_leaf),
            (w.as_subclass(Plain)._base is w, (w * 2).as_subclass(Plain).grad_fn.name()),
        )

    assert outcome(pullback) == outcome(torch)


def test_gradients_flow_through_subclasses(torch):
    def outcome(T):
        class Plain(T.Tensor):
            pass

        w = T.tensor([1.0, 2.0], requires_grad=True)
        y = (w.as_subclass(Plain) * 3).sin()
        y.mul_(2)
        y.sum().backward()
        leaf = Plain([1.0, 2.0]).requires_grad_()
        (leaf**2).sum().backward()
        (again,) = T.autograd.grad((leaf**3).sum(), leaf)
        return (
            w.grad.tolist(),
            type(w.grad).__name__,
            leaf.grad.tolist(),
            type(leaf.grad).__name__,
            type(again).__name__,
        )

    assert outcome(pullback) == outcome(torch)


def test_a_class_that_disables_the_protocol_gives_plain_results():
    class Inert(pullback.Tensor):
        __torch_function__ = pullback._C._disabled_torch_function_impl

    x = pullback.ones(2).as_subclass(Inert)
    assert type(x) is Inert and type(x + 1) is pullback.Tensor
    assert not pullback.overrides.has_torch_function((x,))


class Tagged(pullback.Tensor):
    """A subclass with an attribute of its own (here, so that it can be pickled)."""


def test_copies_of_a_subclass_keep_its_class_and_attributes():
    x = Tagged([1.0, 2.0])
    x.tag = ["kept"]
    for y in (copy.copy(x), copy.deepcopy(x), pickle.loads(pickle.dumps(x))):
        assert (type(y), y.tag, y.tolist()) == (Tagged, ["kept"], [1.0, 2.0])
    assert copy.copy(x).tag is x.tag and copy.deepcopy(x).tag is not x.tag


def test_parameters_of_a_subclass_are_parameters_and_of_the_subclass(torch):
    def outcome(T):
        class Plain(T.Tensor):
            pass

        module = T.nn.Module()
        module.weight = T.nn.Parameter(Plain([1.0, 2.0]))
        weight = module.weight
        (weight * 2).sum().backward()
        T.optim.SGD(module.parameters(), 0.5).step()
        is_parameter = isinstance(weight, T.nn.Parameter), isinstance(Plain([1.0]), T.nn.Parameter)
        return type(weight).__name__, is_parameter, repr(weight), list(dict(module.named_parameters()))

    assert outcome(pullback) == outcome(torch)


def test_a_subclass_of_parameter_gives_plain_results():
    class Special(pullback.nn.Parameter):
        pass

    weight = Special(pullback.ones(2))
    assert type(weight) is Special and isinstance(weight, pullback.nn.Parameter)
    assert type(weight * 2) is pullback.Tensor and type(copy.deepcopy(weight)) is Special


def test_text_of_a_subclass_is_its_own_repr():
    class Loud(pullback.Tensor):
        def __repr__(self):
            return "LOUD"

    assert str(Loud([1.0])) == f"{Loud([1.0])!r}" == "LOUD"


# -- modes -------------------------------------------------------------------------------------------------------------


def recording_mode(T, seen, name="mode"):
    class Recording(overrides_of(T).TorchFunctionMode):
        def __torch_function__(self, func, types, args=(), kwargs=None):
            seen.append((name, overrides_of(T).resolve_name(func), len(args), sorted(kwargs or {})))
            return func(*args, **(kwargs or {}))

    return Recording()


MODE_CALLS = {
    "creation": lambda T: (T.ones(2), T.zeros((2,)), T.arange(3), T.rand(2), T.full((2,), 1.0), T.eye(2), T.empty(2)),
    "from data": lambda T: (T.tensor([1.0]), T.as_tensor([1]), T.from_numpy(np.ones(2))),
    "operators": lambda T: (T.ones(2) + 1).sum(dim=0).item(),
    "properties": lambda T: (T.ones(2).shape, T.ones(2).is_leaf),
    "backward": lambda T: T.ones(2, requires_grad=True).sum().backward(),
    "queries": lambda T: (T.is_tensor(3), T.get_default_dtype(), T.is_floating_point(T.ones(1)), T.is_grad_enabled()),
    "subclass": lambda T: T.ones(2).as_subclass(T.Tensor),
}


@pytest.mark.parametrize("name", MODE_CALLS)
def test_a_mode_sees_the_calls_that_torch_shows_it(torch, name):
    def outcome(T):
        seen = []
        with recording_mode(T, seen):
            MODE_CALLS[name](T)
        return [(call[1], call[2]) for call in seen]

    assert outcome(pullback) == outcome(torch)


def test_nested_modes_are_asked_from_the_inside_out_before_subclasses(torch):
    def outcome(T):
        seen = []
        kind = recording_subclass(T)
        kind.seen = seen
        x = T.ones(2).as_subclass(kind)
        seen.clear()
        with recording_mode(T, seen, "outer"), recording_mode(T, seen, "inner"):
            x + 1
        return [call[0] for call in seen]

    assert outcome(pullback) == outcome(torch) == ["inner", "outer", "torch.Tensor.add"]


def test_a_mode_may_answer_by_itself_and_is_off_in_its_own_handler():
    class Doubling(pullback.overrides.TorchFunctionMode):
        def __torch_function__(self, func, types, args=(), kwargs=None):
            result = func(*args, **(kwargs or {}))
            return result * 2 if func is pullback.ones else result

    with Doubling():
        assert pullback.ones(2).tolist() == [2.0, 2.0]
    assert pullback.ones(2).tolist() == [1.0, 1.0]


def test_modes_are_of_one_thread_and_leave_with_their_block():
    seen, elsewhere = [], []
    with pytest.raises(ZeroDivisionError), recording_mode(pullback, seen):
        worker = threading.Thread(target=lambda: elsewhere.append(pullback.ones(2) + 1))
        worker.start()
        worker.join()
        raise ZeroDivisionError
    pullback.ones(2)
    assert elsewhere and not seen
    assert pullback.overrides._get_current_function_mode_stack() == []
    from pullback.tape.value import plain

    assert pullback.Tensor in plain


def test_a_mode_without_a_handler_says_so():
    with (
        pytest.raises(NotImplementedError, match="must define __torch_function__"),
        pullback.overrides.TorchFunctionMode(),
    ):
        pullback.ones(2)


def test_switches_disable_subclasses_or_everybody():
    class Plain(pullback.Tensor):
        pass

    seen, x = [], pullback.ones(2).as_subclass(Plain)
    with recording_mode(pullback, seen), pullback._C.DisableTorchFunctionSubclass():
        assert type(x + 1) is pullback.Tensor
    assert len(seen) == 1
    with recording_mode(pullback, seen), pullback._C.DisableTorchFunction():
        assert type(x + 1) is pullback.Tensor
    assert len(seen) == 1
    assert type(x + 1) is Plain


# -- for authors of functions ------------------------------------------------------------------------------------------


def test_authors_of_functions_can_let_them_be_overridden():
    class Plain(pullback.Tensor):
        @classmethod
        def __torch_function__(cls, func, types, args=(), kwargs=None):
            return ("taken", func, kwargs)

    @pullback.overrides.wrap_torch_function(lambda x, scale=1: (x,))
    def scaled(x, scale=1):
        return x * scale

    x = pullback.ones(2).as_subclass(Plain)
    assert scaled(x, scale=2) == ("taken", scaled, {"scale": 2})
    assert scaled(pullback.ones(2), scale=2).tolist() == [2.0, 2.0]
    assert pullback.overrides.handle_torch_function(scaled, (x,), x)[0] == "taken"


def test_names_are_resolved_as_in_torch(torch):
    def names(T):
        functions = (T.add, T.Tensor.add, T.Tensor.__add__, T.nn.functional.relu, T.Tensor.shape.__get__, T.ones, len)
        return [overrides_of(T).resolve_name(function) for function in functions]

    assert names(pullback) == names(torch)


def test_what_can_be_overridden_is_listed():
    found = pullback.overrides.get_overridable_functions()
    assert pullback.add in found[pullback] and pullback.Tensor.add in found[pullback.Tensor]
    stand_ins = pullback.overrides.get_testing_overrides()
    assert stand_ins[pullback.add](1, 2) == -1
    assert pullback.is_tensor in pullback.overrides.get_ignored_functions()
    assert pullback.overrides.is_tensor_method_or_property(pullback.Tensor.add)
    assert not pullback.overrides.is_tensor_method_or_property(pullback.add)
    assert pullback.overrides.is_tensor_like(foreign_class(pullback)()) and not pullback.overrides.is_tensor_like(3)


def test_functions_keep_their_signatures_and_names():
    import inspect

    class Plain(pullback.Tensor):
        pass

    assert list(inspect.signature(pullback.zeros_like).parameters) == ["input", "dtype", "options"]
    assert pullback.Tensor.__add__.__name__ == "__add__" and pullback.absolute.__name__ == "absolute"
