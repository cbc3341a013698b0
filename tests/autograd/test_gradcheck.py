"""gradcheck: right derivatives pass, wrong ones are found and reported where they are, and torch gives the same verdicts."""

import contextlib
import itertools
import subprocess
import sys
import warnings

import numpy as np
import pytest

import pullback
from pullback.autograd.gradcheck import EPS, GradcheckError, gradcheck, gradgradcheck
from pullback.ops.table import LINEAR, Op
from pullback.tape.fast import call

pytestmark = pytest.mark.filterwarnings("ignore:`torch.jit.script`:DeprecationWarning")  # torch's forward mode uses it


def leaf(lib, *shape, seed=0, dtype="float64"):
    rng = np.random.default_rng(seed)
    values = rng.uniform(0.3, 1.7, shape)
    if "complex" in dtype:
        values = values + 1j * rng.uniform(0.3, 1.7, shape)
    return lib.tensor(values, dtype=getattr(lib, dtype), requires_grad=True)


def custom(lib, forward, backward, jvp=None):
    """An autograd.Function of one input; ``backward(grad, input)``, ``jvp(tangent, input)``."""

    class Custom(lib.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            ctx.save_for_backward(x)
            ctx.save_for_forward(x)
            return forward(x)

        @staticmethod
        def backward(ctx, *grads):
            return backward(*grads, *ctx.saved_tensors)

    if jvp:
        Custom.jvp = staticmethod(lambda ctx, tangent: jvp(tangent, *ctx.saved_tensors))
    return Custom.apply


def sine(lib, factor):
    return custom(lib, lambda x: x.sin(), lambda g, x: g * x.cos() * factor, lambda t, x: t * x.cos() * factor)


def one_wrong_element(lib, off):
    """Doubles, with one element of the Jacobian off by a little."""

    def backward(g, x):
        found = g * 2
        found.reshape(-1)[-1] += off * g.reshape(-1)[-1]
        return found

    return custom(lib, lambda x: x * 2, backward)


# A function of the library giving (func, inputs); and what gradcheck must say.
RIGHT = {
    "product": lambda lib: (lambda x, y: x * y, (leaf(lib, 3), leaf(lib, 3, seed=1))),
    "broadcast": lambda lib: (lambda x, y: x / y, (leaf(lib, 2, 3), leaf(lib, 3, seed=1))),
    "many numbers": lambda lib: (lambda x, y: (x @ y).exp(), (leaf(lib, 6, 5), leaf(lib, 5, 4, seed=1))),
    "several outputs": lambda lib: (lambda x: (x.sin(), x.sum(), [x * 2][0]), leaf(lib, 3)),
    "a list of inputs": lambda lib: (lambda x, y: x * y, [leaf(lib, 2), leaf(lib, 2, seed=1)]),
    "the same input twice": lambda lib: (lambda x, y: x * y, (leaf(lib, 2),) * 2),
    "other arguments": lambda lib: (lambda s, x, n, z: x * z if s else n, ("s", leaf(lib, 3), 3, lib.ones(3).double())),
    "an integer input": lambda lib: (lambda x, i: x[i], (leaf(lib, 3), lib.tensor([0, 0, 2]))),
    "an integer output": lambda lib: (lambda x: x.max(0), leaf(lib, 3)),
    "no floating output": lambda lib: (lambda x: x.argmax(), leaf(lib, 3)),
    "a constant output": lambda lib: (lambda x: lib.ones(3).double(), leaf(lib, 3)),
    "the input itself": lambda lib: (lambda x: x, leaf(lib, 3)),
    "a view": lambda lib: (lambda x: x[1:], leaf(lib, 3)),
    "writes in place": lambda lib: (lambda x: x.clone().mul_(x).exp_(), leaf(lib, 3)),
    "writes through a view": lambda lib: (lambda x: in_view(x), leaf(lib, 3)),
    "a scalar": lambda lib: (lambda x: x**3, leaf(lib)),
    "empty": lambda lib: (lambda x: x * 2, leaf(lib, 0)),
    "an empty output": lambda lib: (lambda x: x[:0], leaf(lib, 3)),
    "not contiguous": lambda lib: (lambda x: x.exp(), leaf(lib, 3, 4).t().detach().requires_grad_()),
    "no leaf": lambda lib: (lambda x: x.exp(), leaf(lib, 3) * 2),
    "a kink in the middle": lambda lib: (lambda x: x.abs(), lib.zeros(2).double().requires_grad_()),
    "complex": lambda lib: (lambda z: z * z, leaf(lib, 3, dtype="complex128")),
    "complex to real": lambda lib: (lambda z: z.abs(), leaf(lib, 3, dtype="complex128")),
    "real to complex": lambda lib: (lambda x: (x * (1 + 2j)).exp(), leaf(lib, 3)),
    "conjugate": lambda lib: (lambda z: z.conj() * z.real, leaf(lib, 3, dtype="complex128")),
    "real and complex": lambda lib: (lambda x, z: (x * z, z.imag), (leaf(lib, 3), leaf(lib, 3, dtype="complex128"))),
    "many complex numbers": lambda lib: (lambda z: z @ z.mH, leaf(lib, 4, 3, dtype="complex128")),
    "a right custom function": lambda lib: (sine(lib, 1.0), leaf(lib, 3)),
    "an error within the tolerance": lambda lib: (one_wrong_element(lib, 1e-6), leaf(lib, 30)),
}
WRONG = {
    "a factor": lambda lib: (sine(lib, 1.1), leaf(lib, 3)),
    "a factor, many numbers": lambda lib: (sine(lib, 1.01), leaf(lib, 5, 6)),
    "one element": lambda lib: (one_wrong_element(lib, 5e-3), leaf(lib, 30)),
    "one element, just outside the tolerance": lambda lib: (one_wrong_element(lib, 2.1e-3), leaf(lib, 50)),
    "no gradient": lambda lib: (custom(lib, lambda x: x * 2, lambda g, x: None), leaf(lib, 3)),
    "NaN": lambda lib: (custom(lib, lambda x: x * 2, lambda g, x: g * float("nan")), leaf(lib, 3)),
    "detached": lambda lib: (lambda x: x.detach() * 2, leaf(lib, 3)),
    "partly detached": lambda lib: (lambda x: x.detach() * x, leaf(lib, 3)),
    "the conjugate": lambda lib: (
        custom(lib, lambda z: z * z, lambda g, z: g * 2 * z),
        leaf(lib, 3, dtype="complex128"),
    ),
    "added to": lambda lib: (custom(lib, lambda x: x * 2, lambda g, x: g * 2 + (g == 0).all()), leaf(lib, 3)),
    "a jump": lambda lib: (lambda x: x.floor(), lib.ones(2).double().requires_grad_()),
    "a tie": lambda lib: (lambda x: x.max(0).values, lib.ones(2).double().requires_grad_()),
    "the second input": lambda lib: (lambda x, y: x * sine(lib, 1.1)(y), (leaf(lib, 2), leaf(lib, 2, seed=1))),
}


def in_view(x):
    y = x * 1
    y[1:] *= x[:-1]
    return y


def verdict(check, case, lib, **options):
    func, inputs = case(lib)
    return check(func, inputs, raise_exception=False, **options)


@pytest.mark.parametrize("fast_mode", [False, True])
@pytest.mark.parametrize("name", RIGHT)
def test_right_functions_pass_as_in_torch(torch, name, fast_mode):
    assert verdict(gradcheck, RIGHT[name], pullback, fast_mode=fast_mode)
    if not (fast_mode and name == "an error within the tolerance"):
        assert verdict(torch.autograd.gradcheck, RIGHT[name], torch)


@pytest.mark.parametrize("name", WRONG)
def test_wrong_functions_fail_as_in_torch(torch, name):
    assert not verdict(gradcheck, WRONG[name], pullback)
    assert not verdict(torch.autograd.gradcheck, WRONG[name], torch)


@pytest.mark.parametrize("name", [n for n in WRONG if "element" not in n])
def test_fast_mode_finds_gross_errors(name):
    assert not verdict(gradcheck, WRONG[name], pullback, fast_mode=True)


@pytest.mark.parametrize("name", RIGHT)
def test_right_functions_pass_every_check_there_is(name):
    options = {"check_grad_dtypes": True, "check_batched_grad": True}
    if "custom" not in name and "tolerance" not in name and "twice" not in name:  # forward mode tells the two apart
        options |= {"check_forward_ad": True, "check_batched_forward_grad": True}
    func, inputs = RIGHT[name](pullback)
    if "custom" in name or "tolerance" in name:
        options.pop("check_batched_grad")
    assert gradcheck(func, inputs, **options)


SECOND = [n for n in RIGHT if n not in ("a kink in the middle", "an error within the tolerance")]


@pytest.mark.parametrize("name", SECOND)
def test_second_derivatives_of_right_functions_pass_as_in_torch(torch, name):
    if name in ("a constant output", "no floating output"):  # torch cannot be asked about the second
        return
    assert verdict(gradgradcheck, RIGHT[name], pullback)
    assert verdict(torch.autograd.gradgradcheck, RIGHT[name], torch)


@pytest.mark.parametrize("name", [n for n in SECOND if "custom" not in n and "twice" not in n])
def test_second_derivatives_pass_every_check_there_is(name):
    func, inputs = RIGHT[name](pullback)
    options = {"check_fwd_over_rev": True, "check_batched_grad": True, "check_grad_dtypes": True}
    assert gradgradcheck(func, inputs, gen_non_contig_grad_outputs=True, **options)


def test_a_backward_that_detaches_fails_only_in_second_order(torch):
    for lib, first, second in (
        (pullback, gradcheck, gradgradcheck),
        (torch, torch.autograd.gradcheck, torch.autograd.gradgradcheck),
    ):
        func = custom(lib, lambda x: x.sin(), lambda g, x: g * x.detach().cos())
        assert first(func, leaf(lib, 3))
        assert not second(func, leaf(lib, 3), raise_exception=False)


def test_cotangents_may_be_given_to_gradgradcheck(torch):
    for lib, check in ((pullback, gradgradcheck), (torch, torch.autograd.gradgradcheck)):
        assert check(lambda x: x**3, leaf(lib, 3), leaf(lib, 3, seed=1))
        assert check(lambda x: (x**3, x.sum()), leaf(lib, 3), [leaf(lib, 3, seed=1), lib.ones(()).double()])


# -- how sharp the short cut is ----------------------------------------------------------------------------------------


def test_by_default_projections_accept_nothing_that_the_whole_check_refuses():
    """One wrong element of 10,000, at every magnitude from just outside the tolerance, must be found."""
    for off in (2.02e-3, 3e-3, 1e-2, 1.0):
        func = one_wrong_element(pullback, off)
        assert not gradcheck(func, leaf(pullback, 100), raise_exception=False), off
    zero = custom(pullback, lambda x: x.detach() * 0, lambda g, x: g * 1.1e-5)
    assert not gradcheck(zero, leaf(pullback, 40), raise_exception=False)


def test_the_chance_that_a_projection_hides_an_error_is_as_small_as_documented():
    """A matrix with one element at the tolerance: three projections within a thousandth of it, less than once in a million."""
    rng = np.random.default_rng(0)
    u, v = rng.standard_normal((2, 2_000_000))
    hidden = np.mean(np.abs(u * v) < np.sqrt(2) * 1e-3)
    assert hidden**3 < 1e-6


def test_large_right_functions_are_accepted_by_projections_alone():
    calls = itertools.count()

    def func(x, y):
        next(calls)
        return (x @ y).tanh()

    assert gradcheck(func, (leaf(pullback, 8, 8), leaf(pullback, 8, 8, seed=1)))
    assert next(calls) == 1 + 6  # recorded once, and two ends of three steps


def test_what_projections_cannot_settle_is_decided_element_by_element():
    """At a minimum of |x| differences along an axis are zero, but along a direction that mixes kinks they need not be."""
    x = pullback.zeros(40, dtype=pullback.float64, requires_grad=True)
    assert gradcheck(lambda x: x.abs(), x)
    ties = pullback.ones(20, dtype=pullback.float64, requires_grad=True)
    func = lambda x: pullback.minimum(x, x.flip(0))
    assert gradcheck(func, ties) == gradcheck(func, ties[:4].detach().requires_grad_())


# -- the report --------------------------------------------------------------------------------------------------------


def report(func, inputs, **options):
    with pytest.raises(GradcheckError) as caught:
        gradcheck(func, inputs, **options)
    return str(caught.value)


def test_the_report_names_the_worst_element_and_both_values():
    x = leaf(pullback, 5, 6)
    text = report(one_wrong_element(pullback, 0.5), x)
    assert text.startswith("Jacobian mismatch for output 0 with respect to input 0,\nnumerical:tensor(")
    assert "\nanalytical:tensor(" in text
    assert (
        "worst element: output[4, 5] by input[4, 5]: numerical 2, analytical 2.5, absolute error 0.5 (allowed 0.00201)"
        in text
    )
    assert "relative error 0.25; 1 of 900 elements are wrong" in text


def test_the_report_counts_outputs_and_inputs_as_the_caller_does():
    wrong = sine(pullback, 1.1)
    func = lambda name, x, y: (x.detach(), x * 2, wrong(y))
    text = report(func, ("name", leaf(pullback, 2), leaf(pullback, 2, seed=1)))
    assert text.startswith("Jacobian mismatch for output 2 with respect to input 2,")


def test_the_report_finds_the_wrong_operation_within_the_function():
    bad = sine(pullback, 1.1)

    def model(x, w):
        hidden = (x @ w).tanh()
        hidden = bad(hidden)  # here
        parts = pullback.cat([p * p for p in hidden.split(1, 1)], 1)
        parts[0] = parts[1].exp()
        return (parts @ w.T).sum(0)

    text = report(model, (leaf(pullback, 3, 4), leaf(pullback, 4, 2, seed=1)))
    assert "output 0 is of SumBackward1, recorded at test_gradcheck.py:" in text
    assert "the first wrong operation is CustomBackward, recorded at test_gradcheck.py:" in text
    assert "in model: hidden = bad(hidden)  # here\n" in text


def test_the_report_on_complex_outputs_says_which_part_is_wrong(torch):
    for lib, check in ((pullback, gradcheck), (torch, torch.autograd.gradcheck)):
        with pytest.raises(
            RuntimeError, match=r"While considering the .* part of complex outputs only, Jacobian mismatch"
        ):
            check(*WRONG["the conjugate"](lib))


def test_a_wrong_forward_rule_is_reported_as_such(torch):
    def wrong(lib):
        return custom(lib, lambda x: x * 2, lambda g, x: g * 2, lambda t, x: t * 2.5), leaf(lib, 3)

    for lib, check in ((pullback, gradcheck), (torch, torch.autograd.gradcheck)):
        assert check(*wrong(lib))
        with pytest.raises(
            RuntimeError, match="Jacobian computed with forward mode mismatch for output 0 with respect to"
        ):
            check(*wrong(lib), check_forward_ad=True)


@pytest.mark.parametrize(
    "rule, wrong, phrase",
    [
        ("vjp", {"input": lambda xp, grad: grad * 2.02}, "is DoubleWrongVjpBackward0, recorded at test_gradcheck.py:"),
        ("jvp", {"input": lambda xp, tangent: tangent * 2.02}, "Jacobian computed with forward mode mismatch"),
        ("batch", lambda xp, op, args, batched, size: args[0] * 3, "Batched gradients differ"),
    ],
)
def test_a_wrong_rule_of_the_table_is_found(rule, wrong, phrase):
    rules = {"vjp": {"input": lambda xp, grad: grad * 2}, "jvp": LINEAR, "batch": "elementwise"}
    options = {"check_forward_ad": True, "check_batched_forward_grad": True}
    for name, parts in (("right", rules), ("wrong", rules | {rule: wrong})):
        op = Op(f"double_{name}_{rule}(input)", "2 x", kernel=lambda x: 2 * x, broadcasts=True, **parts)
        func = lambda x, op=op: call(op, (x,)).exp()
        if name == "right":
            assert gradcheck(func, leaf(pullback, 4), **options)
        else:
            assert phrase in report(func, leaf(pullback, 4), **options)


# -- the other checks --------------------------------------------------------------------------------------------------


def test_a_backward_that_is_not_repeatable_is_refused_up_to_a_tolerance(torch):
    for lib, check in ((pullback, gradcheck), (torch, torch.autograd.gradcheck)):
        calls = itertools.count()
        func = custom(lib, lambda x: x * 2, lambda g, x, calls=calls: g * (2 + 1e-7 * next(calls)))
        with pytest.raises(
            RuntimeError, match=r"Backward is not reentrant.*[\s\S]*tolerance for nondeterminism was 0.0"
        ):
            check(func, leaf(lib, 3))
        assert check(func, leaf(lib, 3), nondet_tol=1e-3)


def test_a_backward_must_be_proportional_to_its_cotangent(torch):
    for lib, check in ((pullback, gradcheck), (torch, torch.autograd.gradcheck)):
        with pytest.raises(RuntimeError, match="backward not multiplied by grad_output"):
            check(*WRONG["added to"](lib))


def test_outputs_without_a_cotangent_must_count_as_zeros():
    def two(handles):
        class Two(pullback.autograd.Function):
            @staticmethod
            def forward(ctx, x):
                ctx.set_materialize_grads(False)
                return x * 2, x * 3

            @staticmethod
            def backward(ctx, g, h):
                return handles(g, h)

        return Two.apply

    right = lambda g, h: (0 if g is None else g * 2) + (0 if h is None else h * 3)
    ones = lambda g, h: (1 if g is None else g * 2) + (1 if h is None else h * 3)
    x = leaf(pullback, 3)
    assert gradcheck(two(right), x)
    for wrong in (lambda g, h: g * 2 + h * 3, ones):
        assert "undefined output grads" in report(two(wrong), x)
        assert gradcheck(two(wrong), x, check_undefined_grad=False)


def test_what_vmap_cannot_enter_fails_the_batched_check(torch):
    for lib, check in ((pullback, gradcheck), (torch, torch.autograd.gradcheck)):
        func = custom(lib, lambda x: x * 2, lambda g, x: g * 2 if g.sum().item() < 9e9 else g)
        assert check(func, leaf(lib, 3))
        with pytest.raises(RuntimeError, match="While computing batched gradients, got"):
            check(func, leaf(lib, 3), check_batched_grad=True)


def test_an_exception_of_the_function_is_the_callers(torch):
    for lib, check in ((pullback, gradcheck), (torch, torch.autograd.gradcheck)):
        for func in (lambda x: 1 / 0, custom(lib, lambda x: x * 2, lambda g, x: 1 / 0)):
            with pytest.raises(ZeroDivisionError):
                check(func, leaf(lib, 3), raise_exception=False)


@pytest.mark.parametrize(
    "call, error, message",
    [
        (
            lambda lib, a: a.gradcheck(lambda x: x, lib.ones(2)),
            ValueError,
            "expects at least one input tensor to require gradient",
        ),
        (lambda lib, a: a.gradcheck(lambda x: x[0], [[leaf(lib, 2)]]), ValueError, "expects at least one input tensor"),
        (
            lambda lib, a: a.gradcheck(lambda x: x, lib.ones(1).expand(3).requires_grad_()),
            RuntimeError,
            "The 0th input has a dimension with stride 0",
        ),
        (
            lambda lib, a: a.gradcheck(lambda x: x, leaf(lib, 2), check_backward_ad=False),
            AssertionError,
            "Expected at least one of check_forward_ad or check_backward_ad to be True",
        ),
        (
            lambda lib, a: a.gradcheck(lambda x: x, leaf(lib, 2), check_batched_forward_grad=True),
            AssertionError,
            "Setting check_batched_forward_grad=True requires check_forward_ad to be True",
        ),
        (
            lambda lib, a: a.gradcheck(
                lambda x: x, leaf(lib, 2), check_batched_grad=True, check_backward_ad=False, check_forward_ad=True
            ),
            AssertionError,
            "Setting check_batched_grad=True requires check_backward_ad to be True",
        ),
        (
            lambda lib, a: a.gradgradcheck(lambda x: x, leaf(lib, 2), check_rev_over_rev=False),
            AssertionError,
            "Expected at least one of check_fwd_over_rev or check_rev_over_rev to be True",
        ),
        (lambda lib, a: a.gradcheck(lambda x: x, leaf(lib, 2), 1e-6), TypeError, "positional argument"),
        (
            lambda lib, a: a.gradcheck(lambda x: x.mul_(2), leaf(lib, 2)),
            RuntimeError,
            "a leaf Variable that requires grad is being used in an in-place operation",
        ),
        (
            lambda lib, a: lib.no_grad()(a.gradcheck)(lambda x: x * 2, leaf(lib, 2)),
            RuntimeError,
            "Numerical gradient for function expected to be zero",
        ),
    ],
)
@pytest.mark.filterwarnings("ignore:Input #0 requires gradient")
def test_wrong_calls_raise_torchs_errors(torch, call, error, message):
    for lib in (pullback, torch):
        with pytest.raises(error, match=message):
            call(lib, lib.autograd)


@pytest.mark.parametrize("result", [3, None, {"a": 1}])
def test_a_function_that_returns_no_tensors_is_refused(result):
    with pytest.raises(TypeError, match="must return a tensor or a sequence of tensors, but output 0 is of type"):
        gradcheck(lambda x: result, leaf(pullback, 2))


# -- what it leaves behind, and what it takes --------------------------------------------------------------------------


def fails_later():
    calls = itertools.count()
    return lambda x: x.exp() if next(calls) < 2 else 1 / 0


def test_inputs_are_as_they_were_also_after_a_failure():
    for func in (lambda x: x.exp(), sine(pullback, 1.1), fails_later()):
        x = leaf(pullback, 30)
        before, version = x.detach().numpy().copy(), x._version
        with contextlib.suppress(ZeroDivisionError):
            gradcheck(func, x, raise_exception=False)
        assert np.array_equal(x.detach().numpy(), before)
        assert x.grad is None
        assert x._version == version


def test_modules_are_checked_with_parameters_from_their_own_hands(torch):
    for lib, a in ((pullback, pullback.autograd), (torch, torch.autograd)):
        lib.manual_seed(0)
        module = lib.nn.Sequential(lib.nn.Linear(3, 4), lib.nn.Tanh(), lib.nn.Linear(4, 2)).double()
        parameters = tuple(module.parameters())
        for check in (a.gradcheck, a.gradgradcheck):
            assert check(lambda x, *_, m=module: m(x), (leaf(lib, 2, 3), *parameters))
        assert a.gradcheck(module, leaf(lib, 2, 3))


def test_the_global_random_stream_is_not_touched():
    pullback.manual_seed(1)
    expected = pullback.rand(3)
    pullback.manual_seed(1)
    gradgradcheck(lambda x: x.exp(), leaf(pullback, 30))
    assert pullback.equal(pullback.rand(3), expected)


@pytest.mark.parametrize("dtype", ["float32", "float16", "bfloat16", "complex64"])
def test_coarse_dtypes_are_checked_with_defaults_that_fit_them(dtype):
    with pytest.warns(
        UserWarning, match="Input #0 requires gradient and is not a double precision floating point or complex"
    ):
        assert gradcheck(lambda x: x * x, leaf(pullback, 2, dtype=dtype))
    with pytest.warns(UserWarning), pytest.raises(GradcheckError):
        gradcheck(custom(pullback, lambda x: x * 2, lambda g, x: g * 4), leaf(pullback, 2, dtype=dtype))


def test_single_precision_finds_errors_of_a_hundredth():
    with pytest.warns(UserWarning):
        assert gradcheck(lambda x: (x @ x).tanh(), leaf(pullback, 4, 4, dtype="float32"))
        assert not gradcheck(sine(pullback, 1.01), leaf(pullback, 4, 4, dtype="float32"), raise_exception=False)


def test_a_coarse_output_of_fine_inputs_is_checked_coarsely_too():
    with pytest.warns(UserWarning, match="Output #0 is not a double precision"):
        assert gradcheck(lambda x: (x * x).float(), leaf(pullback, 3))
    with pytest.warns(UserWarning), pytest.raises(GradcheckError):
        gradcheck(lambda x: sine(pullback, 1.1)(x).float(), leaf(pullback, 3))


def test_a_step_that_the_caller_chose_is_used_whatever_the_dtype(torch):
    for lib, check in ((pullback, gradcheck), (torch, torch.autograd.gradcheck)):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            assert not check(lambda x: x.sin(), leaf(lib, 3, dtype="float32"), eps=1e-6, raise_exception=False)
            assert check(lambda x: x.sin(), leaf(lib, 3, dtype="float32"), eps=1e-2, atol=1e-2, raise_exception=False)
    assert EPS == 1e-6


def test_tolerances_are_those_of_the_caller(torch):
    for lib, check in ((pullback, gradcheck), (torch, torch.autograd.gradcheck)):
        off = one_wrong_element(lib, 0.1)
        assert not check(off, leaf(lib, 30), raise_exception=False)
        assert check(off, leaf(lib, 30), rtol=0.1)
        assert check(off, leaf(lib, 30), atol=0.1)


# -- the table ---------------------------------------------------------------------------------------------------------

F = pullback.nn.functional
OPERATIONS = {
    "sin": (lambda x: x.sin(), (3,)),
    "div": (lambda x, y: x / y, (2, 3), (3,)),
    "pow": (lambda x, y: x**y, (3,), (3,)),
    "matmul": (lambda x, y: x @ y, (2, 3), (3, 2)),
    "sum": (lambda x: x.sum(1), (2, 3)),
    "prod": (lambda x: x.prod(), (4,)),
    "var": (lambda x: x.var(0), (4, 2)),
    "logsumexp": (lambda x: x.logsumexp(-1), (2, 3)),
    "softmax": (lambda x: x.softmax(-1), (2, 3)),
    "max": (lambda x: x.max(1), (2, 3)),
    "sort": (lambda x: x.sort(-1, descending=True), (5,)),
    "cumprod": (lambda x: x.cumprod(0), (4,)),
    "index": (lambda x: x[pullback.tensor([0, 2, 0])], (3, 2)),
    "gather": (lambda x: x.gather(1, pullback.tensor([[0, 1], [2, 0]])), (2, 3)),
    "cat": (lambda x, y: pullback.cat([x, y], 1), (2, 2), (2, 1)),
    "where": (lambda x, y: pullback.where(x > y, x, y * y), (3,), (3,)),
    "as strided": (lambda x: x.permute(1, 0).reshape(-1)[::2], (2, 3)),
    "einsum": (lambda x, y: pullback.einsum("ij,kj->ik", x, y), (2, 3), (2, 3)),
    "layer norm": (lambda x, w, b: F.layer_norm(x, (3,), w, b), (2, 3), (3,), (3,)),
    "gelu": (F.gelu, (4,)),
    "conv2d": (lambda x, w: F.conv2d(x, w, padding=1), (1, 1, 3, 3), (2, 1, 2, 2)),
    "max pool": (lambda x: F.max_pool2d(x, 2), (1, 1, 4, 4)),
    "cross entropy": (lambda x: F.cross_entropy(x, pullback.tensor([0, 2])), (2, 3)),
    "attention": (F.scaled_dot_product_attention, (1, 2, 2), (1, 3, 2), (1, 3, 2)),
    "in place": (lambda x: x.clone().mul_(2).add_(x), (3,)),
}


@pytest.mark.parametrize("name", OPERATIONS)
def test_operations_of_the_table_pass_every_check_to_the_second_order(name):
    func, *shapes = OPERATIONS[name]
    inputs = [leaf(pullback, *shape, seed=i) for i, shape in enumerate(shapes)]
    first = {"check_forward_ad": True, "check_batched_grad": True, "check_batched_forward_grad": True}
    assert gradcheck(func, inputs, check_grad_dtypes=True, **first)
    assert gradgradcheck(func, inputs, check_fwd_over_rev=True, check_batched_grad=True)


# -- names -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "script",
    [
        "import torch; from torch.autograd.gradcheck import gradcheck, GradcheckError",
        "from torch.autograd.gradcheck import gradgradcheck; import torch",
        "import torch.autograd.gradcheck; import torch; from torch.autograd import gradcheck",
        "import torch; torch.autograd.gradcheck",
    ],
)
def test_gradcheck_is_the_function_as_a_name_and_its_module_as_an_import(script, tmp_path):
    check = "; import inspect; assert inspect.isfunction(torch.autograd.gradcheck); print(torch.autograd.gradcheck.__name__)"
    (tmp_path / "script.py").write_text(script + check)
    done = subprocess.run(
        [sys.executable, "-m", "pullback", "run", tmp_path / "script.py"], capture_output=True, text=True, check=False
    )
    assert done.stdout == "gradcheck\n", done.stderr


def test_variable_is_a_tensor_and_every_tensor_is_one(torch):
    for lib in (pullback, torch):
        variable = lib.autograd.Variable
        x = lib.ones(2, requires_grad=True) * 2
        made = variable(x, requires_grad=True)
        assert type(made) is lib.Tensor
        assert isinstance(x, variable)
        assert not isinstance(3, variable)
        assert made.requires_grad
        assert made.is_leaf
        assert made.data_ptr() == x.data_ptr()
        assert not variable(x).requires_grad
        with pytest.raises(TypeError, match="Variable data has to be a tensor, but got list"):
            variable([1.0])
        with pytest.warns(UserWarning, match="volatile was removed"):
            variable(x, volatile=True)
        with pytest.raises(RuntimeError, match=r"deprecated, use torch\.tensor"):
            lib.autograd.variable(1)


def shown(found):
    return (
        tuple(map(shown, found))
        if isinstance(found, tuple)
        else np.round(found.numpy(), 5).tolist()
        if hasattr(found, "numpy")
        else found
    )


@pytest.mark.filterwarnings("ignore:`get_:FutureWarning")
def test_the_old_names_give_torchs_matrices(torch):
    from importlib import import_module

    def run(lib):
        m = import_module(f"{lib.__name__}.autograd.gradcheck")
        x, y, z = leaf(lib, 3), leaf(lib, 2, seed=1), leaf(lib, 2, dtype="complex128")
        f = lambda x, y: (x.sum() * y, x**2)
        return (
            m.get_numerical_jacobian(lambda xy: f(*xy), (x, y), eps=1e-6),
            m.get_numerical_jacobian(lambda xy: f(*xy), (x, y), target=y, eps=1e-6),
            m.get_numerical_jacobian_wrt_specific_input(f, 1, (x, y), f(x, y), 1e-6),
            m.get_numerical_jacobian_wrt_specific_input(lambda z: z.abs(), 0, (z,), (z.abs(),), 1e-6),
            m.get_analytical_jacobian((x, y), f(x, y)[0]),
            m.get_analytical_jacobian((z,), z.abs()),
        )

    assert shown(run(pullback)) == shown(run(torch))


def test_the_old_names_refuse_what_torch_refuses(torch):
    from importlib import import_module

    for lib in (pullback, torch):
        m = import_module(f"{lib.__name__}.autograd.gradcheck")
        x, z = leaf(lib, 2), leaf(lib, 2, dtype="complex128")
        with pytest.warns(FutureWarning), pytest.raises(ValueError, match=r"Expected grad_out to be 1\.0"):
            m.get_numerical_jacobian(lambda x: x[0], (x,), grad_out=2.0)
        with pytest.warns(FutureWarning), pytest.raises(ValueError, match="Expected output to be non-complex"):
            m.get_analytical_jacobian((z,), z * z)
