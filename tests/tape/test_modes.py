"""Grad modes: what is recorded, for whom, and for how long."""

import threading

import pytest

import pullback as torch


@pytest.fixture
def x():
    return torch.ones(2, requires_grad=True)


def test_no_grad_and_enable_grad_nest(x):
    with torch.no_grad():
        assert not (x * 2).requires_grad
        with torch.enable_grad():
            assert (x * 2).requires_grad
        assert not torch.is_grad_enabled()
    assert torch.is_grad_enabled()


def test_modes_are_put_back_after_an_exception(x):
    with pytest.raises(KeyError), torch.no_grad():
        raise KeyError
    assert torch.is_grad_enabled()


def test_modes_decorate_functions_and_generators(x):
    @torch.no_grad()
    def double(t):
        return t * 2

    @torch.no_grad
    def bare(t):
        return t * 2

    @torch.no_grad()
    def items(t):
        for _ in range(2):
            yield (t * 2).requires_grad

    assert not double(x).requires_grad
    assert not bare(x).requires_grad
    inside = items(x)
    assert next(inside) is False
    assert torch.is_grad_enabled()  # the generator's mode does not leak to its consumer
    assert list(inside) == [False]


def test_set_grad_enabled_acts_at_once_as_a_function_and_for_the_block_as_a_context(x):
    torch.set_grad_enabled(False)
    assert not torch.is_grad_enabled()
    torch.set_grad_enabled(True)
    with torch.set_grad_enabled(False):
        assert not torch.is_grad_enabled()
    assert torch.is_grad_enabled()


def test_modes_belong_to_their_thread():
    seen = []
    with torch.no_grad():
        thread = threading.Thread(target=lambda: seen.append(torch.is_grad_enabled()))
        thread.start()
        thread.join()
    assert seen == [True]


def test_factories_keep_requires_grad_under_no_grad():
    with torch.no_grad():
        assert torch.ones(2, requires_grad=True).requires_grad


def test_setting_requires_grad_is_checked(x):
    with pytest.raises(RuntimeError, match="only Tensors of floating point dtype"):
        torch.tensor([1, 2]).requires_grad_()
    with pytest.raises(RuntimeError, match="leaf variables"):
        (x * 2).requires_grad_(False)


def test_inference_tensors_cannot_enter_a_graph_or_be_written_outside(x):
    with torch.inference_mode():
        y = torch.ones(2) * 2
        y.add_(1)
        assert torch.is_inference_mode_enabled()
        assert not x[0:1].is_inference()
    assert y.is_inference()
    with pytest.raises(RuntimeError, match="Inference tensors cannot be saved for backward"):
        x * y
    with pytest.raises(RuntimeError, match="Inplace update to inference tensor"):
        y.add_(1)
    assert (x * y.clone()).requires_grad
