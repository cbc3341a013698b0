"""Anomaly mode names the node and its line, as torch names the node; masked branches are told apart, and can be mended."""

import threading
import warnings

import numpy as np
import pytest

import pullback as torch
from pullback.autograd import safe_where, zero_cotangent
from pullback.tape.value import plain

anomaly = torch.autograd.set_detect_anomaly

PROGRAMS = {
    "sqrt at zero, masked": lambda t, x: t.where(x > 0, x.sqrt(), t.zeros_like(x)).sum(),
    "log of a negative number": lambda t, x: (x - 1).log().sum(),
    "0 / 0": lambda t, x: (x / x).sum(),
    "times nan": lambda t, x: (x * float("nan")).sum(),
    "pow with a masked exponent": lambda t, x: ((x**0.5) * (x > 0)).sum(),
    "an infinity times zero": lambda t, x: (x * 0).sqrt().sum(),
    "std of one value": lambda t, x: (x[:1].std() * 2).sum(),
    "softmax of minus infinities": lambda t, x: t.softmax(x * 0 - float("inf"), 0).sum(),
    "only infinite": lambda t, x: x.sqrt().sum(),
    "all fine": lambda t, x: (x * x).exp().sum(),
    "norm at zero": lambda t, x: (x * 0).norm(),
}


def message(t, program, dtype="float32"):
    """What the backward pass raises under anomaly mode, up to the first sentence's end."""
    x = t.tensor([0.0, 1.0, 4.0], requires_grad=True, dtype=getattr(t, dtype))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with t.autograd.set_detect_anomaly(True):
            try:
                program(t, x).backward()
            except RuntimeError as error:
                return str(error)
    return "no error"


@pytest.mark.parametrize("name", PROGRAMS)
def test_the_node_and_the_output_are_those_that_torch_names(torch, name):
    import pullback

    expected = message(torch, PROGRAMS[name])
    assert message(pullback, PROGRAMS[name]).startswith(expected.rstrip("."))


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float64", "complex64"])
def test_nan_is_found_in_every_dtype(dtype):
    def program(t, x):
        y = t.where(x.abs() > 0, x**0.5, t.zeros_like(x)).sum()
        return y.real if y.is_complex() else y

    assert "PowBackward0' returned nan values in its 0th output, in 1 of 3 elements" in message(torch, program, dtype)


def test_the_exception_has_the_lines_of_the_node_and_of_what_masked_it_out():
    x = torch.tensor([0.0, 1.0], requires_grad=True)
    root = x.sqrt()  # the line of the node
    double = root * 2
    kept = torch.where(x > 0, double, 0.0)  # the line of the mask
    with anomaly(True), pytest.raises(RuntimeError) as caught:
        kept.sum().backward()
    text = str(caught.value)
    assert "root = x.sqrt()  # the line of the node" in text
    assert "masked out by WhereBackward0" in text and "# the line of the mask" in text
    assert "safe_where" in text and "zero_cotangent" in text


def test_an_index_that_masks_is_named():
    x = torch.tensor([0.0, 1.0], requires_grad=True)
    root = x.sqrt()
    loss = root[1:].sum()
    with anomaly(True), pytest.raises(RuntimeError, match=r"masked out by SliceBackward0, recorded at .*root\[1:\]"):
        loss.backward()


def test_a_nan_of_the_forward_pass_is_said_to_be_one():
    x = torch.tensor([0.0, 1.0], requires_grad=True)
    loss = (x * torch.tensor([float("nan"), 1.0])).sum()
    with anomaly(True), pytest.raises(RuntimeError, match="Its 'other' had nan or inf in the forward pass already"):
        loss.backward()


def test_values_that_cannot_be_nan_are_no_trouble_in_a_report():
    """A node that saved booleans and integers, and large numbers whose squares overflow."""

    class Halves(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            ctx.save_for_backward(x > 0, x.long(), x * 1e30)
            return x / 2

        @staticmethod
        def backward(ctx, grad):
            return grad * float("nan")

    x = torch.ones(2, requires_grad=True)
    with anomaly(True), pytest.raises(RuntimeError, match="Function 'HalvesBackward' returned nan") as caught:
        Halves.apply(x).sum().backward()
    assert "forward pass already" not in str(caught.value)


def test_a_nan_that_a_hook_makes_is_not_blamed_on_the_operation_alone():
    x = torch.ones(2, requires_grad=True)
    y = x * 2
    y.register_hook(lambda g: g * float("nan"))
    with anomaly(True), pytest.raises(RuntimeError, match="had nan already"):
        y.sum().backward()


@pytest.mark.parametrize("order", [2, 3])
def test_higher_orders_tell_the_line_of_each_order(order):
    x = torch.tensor([0.0, 1.0], requires_grad=True)
    y = (x ** (order - 0.5)).sum()  # the first line
    with anomaly(True):
        for _ in range(order - 1):
            (g,) = torch.autograd.grad(y, x, create_graph=True)  # the next line
            y = (g * torch.tensor([0.0, 1.0])).sum()
        with pytest.raises(RuntimeError, match="returned nan values") as caught:
            y.backward()
    text = str(caught.value).split("The gradient")[0]
    assert text.count("in the backward of") == order - 1
    assert "# the first line" in text and "# the next line" in text


def test_transforms_are_watched_too():
    x = torch.tensor([0.0, 1.0])

    def f(v):
        return torch.where(v > 0, v.sqrt(), 0.0).sum()

    with anomaly(True):
        for transformed in (torch.func.grad(f), torch.func.jacrev(f), torch.vmap(torch.func.grad(f))):
            with pytest.raises(RuntimeError, match="SqrtBackward0' returned nan"):
                transformed(x)
        with pytest.raises(RuntimeError, match="in the backward of PowBackward0"):
            torch.func.grad(lambda v: (torch.func.grad(lambda u: (u**1.5).sum())(v) * (v > 0)).sum())(x)


def test_infinities_raise_on_request_only():
    x = torch.tensor([0.0, 1.0], requires_grad=True)
    with anomaly(True):
        x.sqrt().sum().backward()
    with anomaly(True, check_inf=True), pytest.raises(RuntimeError, match="SqrtBackward0' returned inf values"):
        x.sqrt().sum().backward()


def test_large_finite_gradients_are_no_anomaly():
    x = torch.full((3,), 1.0, requires_grad=True)
    with anomaly(True, check_inf=True):
        (x * 1e30).sum().backward()  # whose square is infinite in float32
    np.testing.assert_allclose(x.grad.numpy(), 1e30)


def test_the_forward_pass_is_checked_on_request():
    x = torch.tensor([0.5, 2.0])
    with anomaly(True, check_forward=True):
        y = x * float("nan")  # given by the user: no operation made it
        y + 1
        with pytest.raises(RuntimeError, match=r"'log' returned nan values in the forward pass, in 1 of 2 .*\(x - 1\)"):
            torch.log(x - 1)
        with pytest.raises(RuntimeError, match="'sqrt' returned nan"):
            (x - 1).sqrt_()
        with pytest.raises(RuntimeError, match="'log' returned nan"):
            torch.vmap(torch.log)(x - 1)
        y = torch.log(x - 0.5)  # infinite, which is not asked for
        with pytest.raises(RuntimeError, match="'sub' returned nan"):
            y - y
    with anomaly(True, check_inf=True, check_forward=True), pytest.raises(RuntimeError, match="'log' returned inf"):
        torch.log(x - 0.5)
    assert torch.Tensor in plain  # the fast paths are open again
    assert torch.log(x - 1)[0].isnan()


def test_an_exception_of_a_rule_says_where_its_operation_was_recorded():
    scale = torch.ones(1, requires_grad=True)
    x = torch.zeros(2, requires_grad=True).clone()
    x[:1].mul_(scale)  # the write
    loss = x.sum()
    with torch.no_grad():
        scale.add_(1)
    with anomaly(True), pytest.raises(RuntimeError, match="modified by an inplace operation") as caught:
        loss.backward()
    assert "CopySlices was recorded at" in caught.value.__notes__[0] and "# the write" in caught.value.__notes__[0]


def test_what_nothing_reads_may_be_nan():
    """As in torch, a NaN that a saved value holds is no error where no gradient becomes NaN by it."""
    x = torch.tensor([float("nan"), 1.0], requires_grad=True)
    with anomaly(True):
        x.relu().sum().backward()


def states(t):
    enabled, check = t.is_anomaly_enabled, t.is_anomaly_check_nan_enabled
    found = [(enabled(), check())]
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        with t.autograd.detect_anomaly(check_nan=False) as given:
            found.append((given, enabled(), check()))
            with t.autograd.set_detect_anomaly(False):
                found.append((enabled(), check()))
            with t.autograd.detect_anomaly():
                found.append((enabled(), check()))
            found.append((enabled(), check()))
        t.autograd.set_detect_anomaly(True)
        found.append((enabled(), check()))
        t.set_anomaly_enabled(False)
        found.append((enabled(), check()))
    return found, [(str(w.message), w.category) for w in caught]


def test_the_modes_nest_switch_and_warn_as_torchs(torch):
    import pullback

    assert states(pullback) == states(torch)


@pytest.mark.parametrize("mode", ["yes", 1, None])
def test_the_mode_must_be_a_bool(torch, mode):
    import pullback

    for t in (torch, pullback):
        with pytest.raises(TypeError, match="must be bool, not"):
            t.autograd.set_detect_anomaly(mode)


def test_the_mode_is_off_again_after_an_exception():
    with pytest.raises(ZeroDivisionError), anomaly(True, check_forward=True):
        raise ZeroDivisionError
    assert not torch.is_anomaly_enabled() and torch.Tensor in plain


def test_another_thread_is_not_in_the_mode():
    seen = []
    with anomaly(True):
        thread = threading.Thread(target=lambda: seen.append(torch.is_anomaly_enabled()))
        thread.start()
        thread.join()
    assert seen == [False]


# -- masked branches ---------------------------------------------------------------------------------------------------

MASKED = {  # a branch that is not used where its derivative is infinite, and the inputs
    "sqrt": (lambda x: torch.where(x > 0, x.sqrt(), 0.0), [0.0, 4.0]),
    "log": (lambda x: torch.where(x > 0, x.log(), 0.0), [0.0, 4.0]),
    "division": (lambda x: torch.where(x > 0, x.sin() / x, 1.0), [0.0, 4.0]),
    "power": (lambda x: (x**0.5) * (x > 0), [0.0, 4.0]),
    "a formula": (lambda x: torch.where(x > 0, torch.nn.functional.softplus(x.log()), 0.0), [0.0, 4.0]),
    "rows of logsumexp": (
        lambda x: torch.where(x[:, 0] > 0, x.logsumexp(1), 0.0),
        [[-np.inf, -np.inf], [1.0, 4.0]],
    ),
    "rows of norm": (lambda x: torch.where(x[:, :1] > 0, (x * x).sum(1, True).sqrt(), 0.0), [[0.0, 0.0], [1.0, 4.0]]),
    "rows of softmax": (
        lambda x: torch.where(x > -1e9, torch.softmax(x, 1) ** 2, 0.0),
        [[-np.inf, -np.inf], [1.0, 4.0]],
    ),
    "whole tensor": (lambda x: torch.where(x.isfinite().all(), x.dot(x), 0.0), [np.inf, 1.0]),
}


def derivative(f, x, order):
    x = torch.tensor(x, dtype=torch.float64, requires_grad=True)
    y = f(x)
    for _ in range(order):
        (y,) = torch.autograd.grad(y.sum(), x, create_graph=True)
    return y.detach().numpy()


@pytest.mark.parametrize("order", [1, 2])
@pytest.mark.parametrize("name", MASKED)
def test_a_zero_cotangent_stays_zero_and_all_else_is_as_without(name, order):
    f, x = MASKED[name]
    without = derivative(f, x, order)
    with zero_cotangent():
        found = derivative(f, x, order)
    assert np.isfinite(found).all() and (order > 1 or not np.isfinite(without).all())
    np.testing.assert_array_equal(found[np.isfinite(without)], without[np.isfinite(without)])
    assert (found[~np.isfinite(without)] == 0).all()


def test_an_infinite_gradient_that_is_used_stays():
    x = torch.tensor([0.0, 4.0], requires_grad=True)
    with zero_cotangent():
        x.sqrt().sum().backward()
    assert x.grad.tolist() == [float("inf"), 0.25]


def test_zero_cotangents_work_inside_transforms_and_silence_anomaly_mode():
    x = torch.tensor([0.0, 4.0])

    def f(v):
        return torch.where(v > 0, v.sqrt(), 0.0)

    with zero_cotangent(), anomaly(True):
        assert torch.vmap(torch.func.grad(f))(x).tolist() == [0.0, 0.25]
        assert torch.func.hessian(lambda v: f(v).sum())(x).tolist() == [[0.0, 0.0], [0.0, -0.03125]]
    with anomaly(True), zero_cotangent():
        assert torch.func.jacrev(f)(x).tolist() == [[0.0, 0.0], [0.0, 0.25]]


@pytest.mark.parametrize("order", [0, 1, 2, 3])
def test_safe_where_is_the_function_where_it_is_used(order):
    x = [0.0, 0.5, 2.0]
    found = derivative(lambda v: safe_where(v > 0, torch.log, v, other=7.0), x, order)
    expected = derivative(torch.log, x[1:], order)
    np.testing.assert_allclose(found[1:], expected)
    assert found[0] == (7.0 if order == 0 else 0.0)


def test_safe_where_takes_two_functions_and_several_inputs():
    x = torch.tensor([0.0, 2.0], dtype=torch.float64, requires_grad=True)
    y = torch.tensor([3.0, 4.0], dtype=torch.float64, requires_grad=True)
    safe_where(x > 0, lambda a, b: b / a, (x, y), other=lambda a, b: a * b).sum().backward()
    np.testing.assert_allclose(x.grad.numpy(), [3.0, -1.0])
    np.testing.assert_allclose(y.grad.numpy(), [0.0, 0.5])


def test_safe_where_works_inside_transforms():
    x = torch.tensor([0.0, 4.0])

    def f(v):
        return safe_where(v > 0, torch.sqrt, v)

    assert torch.vmap(torch.func.grad(f))(x).tolist() == [0.0, 0.25]
    assert torch.func.jacfwd(f)(x).tolist() == [[0.0, 0.0], [0.0, 0.25]]
    assert torch.func.jvp(f, (x,), (torch.ones(2),))[1].tolist() == [0.0, 0.25]
