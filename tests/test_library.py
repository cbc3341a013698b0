# ruff: noqa: UP006, UP007, UP045  (annotations are also spelt as they used to be)
"""Custom operations: schemas, what is checked of their calls, their rules, and all that compared with torch's."""

import warnings
from typing import List, Optional, Sequence, Tuple, Union  # noqa: UP035

import numpy as np
import pytest
from scipy.special import j0, j1

import pullback
from pullback.library import opcheck


def library_of(T):
    return pullback.library if T is pullback else pytest.importorskip("torch.library")


def outcome_of(action):
    """What an action gives, or the type and first words of its error."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return action()
        except Exception as error:
            return type(error), str(error)[:40]


# -- schemas -----------------------------------------------------------------------------------------------------------


def prototypes(T):
    def simple(x: T.Tensor) -> T.Tensor: ...
    def options(
        x: T.Tensor, a: int, b: float = 1.5, c: bool = False, d: str = "s", e: Optional[int] = None
    ) -> T.Tensor: ...
    def lists(
        xs: List[T.Tensor], ys: list[T.Tensor], ns: Sequence[int], z: T.Tensor | None = None
    ) -> List[T.Tensor]: ...
    def keywords(x: T.Tensor, *, k: Union[int, float, bool] = 3) -> Tuple[T.Tensor, T.Tensor]: ...
    def nothing(x: T.Tensor) -> None: ...
    def number(x: T.Tensor) -> int: ...
    def unannotated(x) -> T.Tensor: ...
    def without_return(x: T.Tensor): ...
    def of_a_dict(x: dict) -> T.Tensor: ...
    def to_a_dict(x: T.Tensor) -> dict: ...
    def gathering(*x: T.Tensor) -> T.Tensor: ...
    def with_a_tuple(x: T.Tensor, n: Sequence[int] = (1,)) -> T.Tensor: ...

    return {name: value for name, value in locals().items() if callable(value) and value is not T}


@pytest.mark.parametrize("mutates", [(), {"x"}, "unknown", {"q"}, {"a"}], ids=str)
@pytest.mark.parametrize("name", prototypes(pullback))
def test_schemas_are_inferred_and_refused_as_in_torch(torch, name, mutates):
    def outcome(T):
        return outcome_of(lambda: library_of(T).infer_schema(prototypes(T)[name], mutates_args=mutates))

    assert outcome(pullback) == outcome(torch)


def test_string_annotations_are_read():
    def f(x: "pullback.Tensor", n: "int" = 2) -> "pullback.Tensor": ...

    assert pullback.library.infer_schema(f, mutates_args=()) == "(Tensor x, SymInt n=2) -> Tensor"


# -- calls -------------------------------------------------------------------------------------------------------------


def sine(T, name="sine"):
    """An operation whose kernel is NumPy's, with a derivative."""

    @library_of(T).custom_op(f"pullback_tests::{name}", mutates_args=())
    def op(x: T.Tensor) -> T.Tensor:
        return T.from_numpy(np.sin(x.detach().numpy()))

    def backward(ctx, grad):
        (x,) = ctx.saved_tensors
        return grad * x.cos()

    op.register_autograd(backward, setup_context=lambda ctx, inputs, output: ctx.save_for_backward(*inputs))
    return op


BAD_CALLS = {
    "type": lambda T, op, x: op(3),
    "too many": lambda T, op, x: op(x, x),
    "none": lambda T, op, x: op(),
    "unknown operation": lambda T, op, x: T.ops.pullback_tests.no_such_name,
    "unknown namespace": lambda T, op, x: T.ops.no_such_space.x,
}


@pytest.mark.parametrize("name", BAD_CALLS)
def test_calls_that_do_not_fit_the_schema_are_refused_as_in_torch(torch, name):
    assert outcome_of(lambda: BAD_CALLS[name](pullback, sine(pullback), pullback.ones(2))) == outcome_of(
        lambda: BAD_CALLS[name](torch, sine(torch), torch.ones(2))
    )


def test_an_operation_is_differentiable_by_every_name(torch):
    def outcome(T):
        op, x = sine(T), T.tensor([0.3, 0.5], dtype=T.float64, requires_grad=True)
        found = []
        for call in (op, T.ops.pullback_tests.sine, T.ops.pullback_tests.sine.default):
            y = call(x=x)
            (first,) = T.autograd.grad(y.sum(), x, create_graph=True)
            (second,) = T.autograd.grad(first.sum(), x)
            found.append((y.tolist(), first.tolist(), second.tolist(), y.grad_fn.name()))
        return found

    assert outcome(pullback) == outcome(torch)


def test_transforms_run_through_an_operation():
    op, x = sine(pullback), pullback.tensor([0.3, 0.5], dtype=pullback.float64)
    rows = pullback.stack([x, x + 1, x + 2])
    np.testing.assert_allclose(pullback.func.grad(lambda t: op(t).sum())(x).numpy(), np.cos(x.numpy()))
    np.testing.assert_allclose(pullback.func.jvp(op, (x,), (x,))[1].numpy(), (np.cos(x) * x).numpy())
    np.testing.assert_allclose(pullback.vmap(op)(rows).numpy(), np.sin(rows).numpy())
    np.testing.assert_allclose(
        pullback.vmap(pullback.func.grad(lambda t: op(t).sum()))(rows).numpy(), np.cos(rows).numpy()
    )
    np.testing.assert_allclose(pullback.func.hessian(lambda t: op(t).sum())(x).numpy(), -np.diag(np.sin(x.numpy())))


def test_a_batching_rule_is_given_the_whole_batch(torch):
    def outcome(T):
        seen = []

        @library_of(T).custom_op("pullback_tests::scaled", mutates_args=())
        def scaled(x: T.Tensor, *, by: float) -> T.Tensor:
            return x * by

        @scaled.register_vmap
        def rule(info, in_dims, x, **options):
            seen.append((info.batch_size, in_dims, tuple(x.shape), options))
            return scaled(x, **options), in_dims[0]

        result = T.vmap(lambda x: scaled(x, by=2.0))(T.ones(3, 4))
        return seen, result.tolist()

    assert outcome(pullback) == outcome(torch)


def test_without_a_derivative_the_error_comes_at_backward(torch):
    def outcome(T):
        @library_of(T).custom_op("pullback_tests::opaque", mutates_args=())
        def opaque(x: T.Tensor) -> T.Tensor:
            return x * 2

        y = opaque(T.ones(2, requires_grad=True))
        return y.requires_grad, outcome_of(lambda: y.sum().backward())

    assert outcome(pullback) == outcome(torch)


def test_lists_keywords_and_several_results_have_derivatives(torch):
    def outcome(T):
        custom_op = library_of(T).custom_op

        @custom_op("pullback_tests::pair", mutates_args=())
        def pair(x: T.Tensor, n: int, *, k: float) -> Tuple[T.Tensor, T.Tensor]:
            return x * n, x * k

        def setup(ctx, inputs, keyword_only_inputs, output):
            ctx.n, ctx.k = inputs[1], keyword_only_inputs["k"]

        pair.register_autograd(lambda ctx, g, h: (g * ctx.n + h * ctx.k, None), setup_context=setup)

        @custom_op("pullback_tests::total", mutates_args=())
        def total(xs: List[T.Tensor]) -> T.Tensor:
            return xs[0] + xs[1] * 2

        total.register_autograd(lambda ctx, g: ([g, g * 2],))
        x = T.ones(2, requires_grad=True)
        a, b = pair(x, 3, k=5.0)
        both = T.autograd.grad(a.sum() + b.sum() * 10, x)[0].tolist()
        one = T.autograd.grad(pair(x, 3, k=5.0)[1].sum(), x)[0].tolist()
        return both, one, T.autograd.grad(total([x, x]).sum(), x)[0].tolist()

    assert outcome(pullback) == outcome(torch)


@pytest.mark.parametrize("result", ["the input", "a view of it", "one tensor twice", "a number"])
def test_results_that_break_the_contract_are_refused(torch, result):
    def outcome(T):
        def one(x: T.Tensor) -> T.Tensor:
            return {"the input": x, "a view of it": x[0], "a number": 3}[result]

        def two(x: T.Tensor) -> Tuple[T.Tensor, T.Tensor]:
            return (x.clone(),) * 2

        op = library_of(T).custom_op("pullback_tests::bad", two if "twice" in result else one, mutates_args=())
        return outcome_of(lambda: op(T.ones(2, 2)))[0]

    assert outcome(pullback) is outcome(torch) is RuntimeError


def test_writes_to_arguments_are_noted(torch):
    def outcome(T):
        @library_of(T).custom_op("pullback_tests::increase", mutates_args={"x"})
        def increase(x: T.Tensor, by: float) -> None:
            x.numpy()[:] += by

        x = T.zeros(2)
        assert increase(x, 2.0) is None
        y = T.ones(2, requires_grad=True).clone()
        z = y * y
        increase(y, 1.0)
        register = outcome_of(lambda: increase.register_autograd(lambda ctx, g: g))
        return x.tolist(), x._version, register, outcome_of(lambda: z.sum().backward())[0]

    assert outcome(pullback) == outcome(torch)


def test_kernels_of_devices_can_be_registered_and_disabled(torch):
    def outcome(T):
        @library_of(T).custom_op("pullback_tests::kernels", mutates_args=())
        def op(x: T.Tensor) -> T.Tensor:
            return x + 1

        @op.register_kernel("cpu")
        def faster(x):
            return x + 100

        found = [op(T.zeros(1)).item()]
        with op.set_kernel_enabled("cpu", False):
            found.append(op(T.zeros(1)).item())
        found.append(op(T.zeros(1)).item())
        elsewhere = library_of(T).custom_op("pullback_tests::gpu", op._init_fn, mutates_args=(), device_types="cuda")
        return found, outcome_of(lambda: elsewhere(T.zeros(1)))

    assert outcome(pullback) == outcome(torch)


def test_libraries_define_operations_whose_kernels_are_differentiated(torch):
    def outcome(T):
        library = library_of(T)
        lib = library.Library("pullback_tests_old", "DEF")
        name = lib.define("scale(Tensor x, float by=2.0) -> Tensor")
        missing = outcome_of(lambda: T.ops.pullback_tests_old.scale(T.ones(1)))
        lib.impl("scale", lambda x, by=2.0: x * by, "CPU")
        again = outcome_of(lambda: lib.define("scale(Tensor x) -> Tensor"))[0]
        x = T.ones(2, requires_grad=True)
        first = T.autograd.grad(T.ops.pullback_tests_old.scale(x, by=4.0).sum(), x)[0].tolist()
        library.register_autograd("pullback_tests_old::scale", lambda ctx, g: (g * 7, None), lib=lib)
        second = T.autograd.grad(T.ops.pullback_tests_old.scale(x).sum(), x)[0].tolist()
        return name, missing, again, first, second

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        assert outcome(pullback) == outcome(torch)


def test_schemas_can_be_written_out():
    op = pullback.library.custom_op(
        "pullback_tests::written", lambda x, n=2: x * n, mutates_args=(), schema="(Tensor x, int n=2) -> Tensor"
    )
    assert op(pullback.ones(1)).item() == 2 and op(pullback.ones(1), 5).item() == 5
    with pytest.raises(RuntimeError, match="Expected a value of type 'int' for argument 'n'"):
        op(pullback.ones(1), 2.5)


# -- opcheck -----------------------------------------------------------------------------------------------------------


def test_opcheck_finds_nothing_in_a_sound_operation(torch):
    def outcome(T):
        op = sine(T, "sound")
        op.register_fake(T.empty_like)
        return library_of(T).opcheck(op, (T.ones(2, dtype=T.float64, requires_grad=True),))

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        assert outcome(pullback) == outcome(torch)


def test_opcheck_names_what_is_wrong():
    op, x = sine(pullback, "checked"), pullback.ones(2, dtype=pullback.float64, requires_grad=True)
    with pytest.raises(pullback.library.OpCheckError, match="test_faketensor failed with There was no fake impl"):
        opcheck(op, (x,))
    op.register_fake(lambda x: pullback.empty(7))
    with pytest.raises(pullback.library.OpCheckError, match=r"Shapes torch.Size\(\[2\]\) and torch.Size\(\[7\]\)"):
        opcheck(op, (x,))
    found = opcheck(op, (x,), raise_exception=False)
    assert found["test_schema"] == "SUCCESS" and isinstance(found["test_faketensor"], pullback.library.OpCheckError)

    @pullback.library.custom_op("pullback_tests::writes", mutates_args=())
    def writes(x: pullback.Tensor) -> pullback.Tensor:
        x.add_(1)
        return x * 2

    with pytest.raises(pullback.library.OpCheckError, match="Argument x is not defined as mutable but was mutated"):
        opcheck(writes, (pullback.ones(2),))
    with pytest.raises(pullback.library.OpCheckError, match="no autograd formula was registered"):
        opcheck(writes, (x,), test_utils="test_aot_dispatch_dynamic")


def test_a_function_of_scipy_becomes_an_operation_of_every_order():
    @pullback.library.custom_op("pullback_tests::bessel_j1", mutates_args=())
    def bessel_j1(x: pullback.Tensor) -> pullback.Tensor:
        return pullback.from_numpy(np.asarray(j1(x.numpy())))

    @pullback.library.custom_op("pullback_tests::bessel_j0", mutates_args=())
    def bessel_j0(x: pullback.Tensor) -> pullback.Tensor:
        return pullback.from_numpy(np.asarray(j0(x.numpy())))

    def save(ctx, inputs, output):
        ctx.save_for_backward(*inputs)

    bessel_j0.register_autograd(lambda ctx, g: -g * bessel_j1(*ctx.saved_tensors), setup_context=save)

    def backward(ctx, g):
        (x,) = ctx.saved_tensors
        return g * (bessel_j0(x) - bessel_j1(x) / x)

    bessel_j1.register_autograd(backward, setup_context=save)
    x = pullback.tensor([0.5, 1.5, 3.0], dtype=pullback.float64)
    second = pullback.vmap(pullback.func.grad(pullback.func.grad(bessel_j0)))(x)
    np.testing.assert_allclose(second.numpy(), j1(x.numpy()) / x.numpy() - j0(x.numpy()))


def test_operations_are_declared_and_given_kernels_by_name(torch):
    def results(lib, space):
        lib.library.define(f"{space}::sine", "(Tensor x) -> Tensor")

        @lib.library.impl(f"{space}::sine", "cpu")
        def sine(x):
            return lib.from_numpy(np.sin(x.numpy()))

        lib.library.define(f"{space}::cosine", "(Tensor x) -> Tensor")
        lib.library.impl(f"{space}::cosine", "CompositeImplicitAutograd", lambda x: x.cos())
        shared = lib.library.Library(space, "FRAGMENT")
        lib.library.define(f"{space}::twice", "(Tensor x) -> Tensor", lib=shared)
        lib.library.impl(shared, "twice")(lambda x: x * 2)
        lib.library.define(f"{space}::thrice", "(Tensor x) -> Tensor")
        lib.library.impl(f"{space}::thrice", ("cuda", "cpu"), lambda x: x * 3)
        x = lib.linspace(-1, 1, 5, requires_grad=True)
        operations = getattr(lib.ops, space)
        operations.cosine(x).sum().backward()
        yield [operations.sine(x.detach()).tolist(), x.grad.tolist()]
        yield [operations.twice(x).tolist(), operations.thrice(x.detach()).tolist()]

    for mine, theirs in zip(results(pullback, "by_name"), results(torch, "by_name"), strict=True):
        np.testing.assert_allclose(mine, theirs, rtol=1e-6)
    for lib in (pullback, torch):
        with pytest.raises((ValueError, RuntimeError)):
            lib.library.define("no_namespace", "(Tensor x) -> Tensor")
        with pytest.raises(RuntimeError):
            lib.library.define("by_name::sine", "(Tensor x) -> Tensor")
