"""``explain`` says why a tensor has no gradient or requires none, with the user's lines; errors say the same."""

import pickle
import re

import pytest

import pullback as torch
from pullback.autograd import explain


def text(tensor):
    return str(explain(tensor))


@pytest.fixture
def x():
    return torch.ones(3, requires_grad=True)


# -- no history --------------------------------------------------------------------------------------------------------

ENDS = {
    "detach": (lambda x: x.detach(), r"detach\(\) was called \(.*x\.detach\(\)"),
    "data": (lambda x: x.data, r"\.data was read \(.*x\.data"),
    "a copy": (lambda x: torch.tensor(x.detach()), r"detach\(\) was called"),
    "argmax": (lambda x: x.argmax(), "argmax gave a result that no gradient passes through"),
    "a comparison": (lambda x: x > 0, "gt gave a result that no gradient passes through"),
    "indices": (lambda x: x.max(0).indices, r"max_dim gave torch\.int64 numbers .*x\.max\(0\)"),
    "integers": (lambda x: x.long(), r"cast gave torch\.int64 numbers that no gradient passes through \(.*x\.long\(\)"),
}
LATER = {
    "at once": lambda y: y,
    "one operation later": lambda y: y * 2.0,
    "a function later": lambda y: torch.nn.functional.mse_loss(torch.ones(()).expand(y.shape), y.float()),
    "on the right of an operator": lambda y: 1.0 - torch.ones(()) * y,
    "in a list": lambda y: torch.stack([torch.ones(y.shape), y.float()]).sum(),
    "through a view": lambda y: y.reshape(-1)[0],
}


@pytest.mark.filterwarnings("ignore:To copy construct")
@pytest.mark.parametrize("later", LATER)
@pytest.mark.parametrize("name", ENDS)
def test_the_end_of_a_history_is_remembered_by_all_that_follows(x, name, later):
    end, expected = ENDS[name]
    found = explain(LATER[later](end(x)))
    assert not found.requires_grad and re.search(expected, str(found))


def test_the_line_where_recording_was_turned_off_is_told(x):
    with torch.no_grad():  # the block
        y = x * 2
    assert "recording was turned off (" in text(y.relu().sum()) and "# the block" in text(y)

    @torch.no_grad()
    def double(v):
        return v * 2

    z = double(x)  # the call
    assert "# the call" in text(z)
    with torch.no_grad(), torch.enable_grad(), torch.set_grad_enabled(False):  # the third
        assert "# the third" in text(x * 2)
    with torch.inference_mode():  # inference
        assert "# inference" in text(x.exp())
    assert explain(x * 2).requires_grad


def test_a_frozen_input_is_told(x):
    layer = torch.nn.Linear(3, 1)
    layer.requires_grad_(False)  # frozen here
    assert "requires_grad was set to False" in text(layer(torch.ones(3))) and "# frozen here" in text(layer.weight)


def test_what_never_required_grad_is_told_to_begin_at_the_inputs():
    assert "made without requires_grad=True" in text(torch.ones(2) * 3)
    assert "its dtype is torch.int64" in text(torch.arange(3))


def test_a_write_in_place_takes_the_reason_over(x):
    y = torch.zeros(3)
    y.copy_(x.detach())
    assert "detach() was called" in text(y)


def test_requiring_grad_again_begins_a_new_history(x):
    y = x.detach().requires_grad_()  # begins here
    assert "It is a leaf, and requires grad since" in text(y) and "# begins here" in text(y)
    assert explain(y * 2).requires_grad


def test_reasons_are_not_copied_with_a_tensor(x):
    assert not vars(pickle.loads(pickle.dumps(x.detach())))


# -- no gradient -------------------------------------------------------------------------------------------------------


def test_a_leaf_tells_the_pass_that_gave_it_its_gradient(x):
    (x * 2).sum().backward()  # the pass
    found = explain(x)
    assert found.has_grad and found.is_leaf
    assert "accumulated by the backward pass at" in str(found) and "# the pass" in str(found)
    x.grad = None
    assert "set to None after that" in text(x) and "# the pass" in text(x)
    x.grad = torch.zeros(3)
    assert "zero in all elements" in text(x)


def test_an_unused_leaf_is_told_from_one_whose_pass_has_not_come(x):
    assert "no recorded operation uses it" in text(x)
    y = x * 2  # the use
    assert "used by MulBackward0" in text(x) and "# the use" in text(x)
    assert "no backward pass has come to it" in text(x)
    other = torch.ones(1, requires_grad=True)
    (other * 3).backward()  # elsewhere
    assert "the newest one is" in text(x) and "# elsewhere" in text(x)
    y.sum().backward()
    assert "accumulated" in text(x)


def test_a_pass_that_fills_no_grad_is_told(x):
    y = (x + 1) * x
    torch.autograd.grad(y.sum(), x)  # only returned
    assert "went through there without a gradient for it: it was autograd.grad()" in text(x)
    assert "# only returned" in text(x)


def test_what_saves_nothing_is_looked_through(x):
    y = ((x + 1) + 2).exp()
    torch.autograd.grad(y.sum(), x)  # returned
    assert "# returned" in text(x)


def test_a_result_tells_its_line_and_what_keeps_its_gradient(x):
    y = x * 2  # made here
    assert "It is no leaf: MulBackward0 computed it" in text(y) and "# made here" in text(y)
    assert "call retain_grad()" in text(y)
    y.retain_grad()
    assert "It retains its gradient, and has none" in text(y)
    y.exp().sum().backward()  # freed here
    assert "left it in .grad" in text(y)
    assert "freed by the backward pass" in text(y) and "# freed here" in text(y)


def test_hooks_are_named(x):
    def silence(grad):
        return grad * 0

    x.register_hook(silence)
    (x * 2).sum().backward()
    assert "zero in all elements" in text(x) and "Hooks that may replace its gradient: silence." in text(x)


def test_only_tensors_can_be_explained():
    with pytest.raises(TypeError, match="must be Tensor, not float"):
        explain(3.0)


# -- the same in errors ------------------------------------------------------------------------------------------------


def test_errors_explain_themselves(x):
    loss = x.detach().exp().sum()  # the end
    with pytest.raises(
        RuntimeError, match="element 0 of tensors does not require grad and does not have a grad_fn"
    ) as e:
        loss.backward()
    assert "# the end" in str(e.value)
    with pytest.raises(RuntimeError, match="One of the differentiated Tensors does not require grad") as e:
        torch.autograd.grad(x.sum(), loss)
    assert "# the end" in str(e.value)
    y = torch.ones(2, requires_grad=True)
    z = y * 3  # another graph
    with pytest.raises(RuntimeError, match="appears to not have been used in the graph") as e:
        torch.autograd.grad((x * 2).sum(), y)
    assert "# another graph" in str(e.value) and z.requires_grad
