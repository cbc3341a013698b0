"""Samples leave nothing to the garbage collector."""

import gc

import pytest

import pullback as torch


@pytest.mark.parametrize("name", ["Gamma", "Beta"])
def test_the_gradient_of_a_sample_makes_no_reference_cycle(name):
    w = torch.ones(4, requires_grad=True)
    draw = lambda: getattr(torch.distributions, name)(w + 1, w + 2).rsample().sum().backward()
    draw()
    gc.collect()
    gc.disable()
    try:
        draw()
        assert gc.collect() == 0
    finally:
        gc.enable()
