"""Training leaves nothing for the cycle collector."""

import gc
import tracemalloc

import pytest

import pullback as torch
from pullback import nn, optim


@pytest.mark.slow
@pytest.mark.parametrize("make", [optim.SGD, optim.Adam], ids=lambda make: make.__name__)
def test_memory_is_flat_over_ten_thousand_training_steps_without_the_collector(make):
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(2, 8), nn.ReLU(), nn.Linear(8, 1))
    optimizer = make(model.parameters(), lr=1e-3)
    x, y = torch.randn(16, 2), torch.randn(16, 1)

    def step():
        optimizer.zero_grad()
        nn.functional.mse_loss(model(x), y).backward()
        optimizer.step()

    gc.collect()
    gc.disable()
    try:
        tracemalloc.start()
        for _ in range(3000):  # CPython keeps up to 2,000 freed tuples of a size
            step()
        before = tracemalloc.get_traced_memory()[0]
        for _ in range(7000):
            step()
        grown = tracemalloc.get_traced_memory()[0] - before
    finally:
        tracemalloc.stop()
        gc.enable()
    assert grown < 4096
