"""Averaged models, their batch norms and their schedule against PyTorch's."""

import numpy as np
import pytest

import pullback as pb
from pullback import nn, optim
from pullback.optim import swa_utils

KINDS = [
    lambda s: {},
    lambda s: {"use_buffers": True},
    lambda s: {"avg_fn": s.get_ema_avg_fn(0.9)},
    lambda s: {"avg_fn": s.get_swa_avg_fn()},
    lambda s: {"multi_avg_fn": s.get_ema_multi_avg_fn(0.8), "use_buffers": True},
    lambda s: {"multi_avg_fn": s.get_swa_multi_avg_fn()},
    lambda s: {"avg_fn": lambda average, value, count: average * 0.5 + value * count},
]


def model(library):
    made = library.nn.Sequential(library.nn.Linear(3, 2), library.nn.BatchNorm1d(2))
    rng = np.random.default_rng(0)
    with library.no_grad():
        for p in made.parameters():
            p.copy_(library.tensor(rng.standard_normal(tuple(p.shape)), dtype=library.float32))
    return made


def averaged(library, kind):
    live = model(library)
    average = library.optim.swa_utils.AveragedModel(live, **kind(library.optim.swa_utils))
    rng = np.random.default_rng(1)
    for _ in range(4):
        live(library.tensor(rng.standard_normal((5, 3)), dtype=library.float32))
        with library.no_grad():
            for p in live.parameters():
                p.add_(0.1)
        average.update_parameters(live)
    return average


@pytest.mark.parametrize("kind", KINDS)
def test_averages_are_pytorchs(kind, torch):
    ours, theirs = averaged(pb, kind).state_dict(), averaged(torch, kind).state_dict()
    assert list(ours) == list(theirs)
    for name, value in theirs.items():
        np.testing.assert_allclose(ours[name].numpy(), value.numpy(), rtol=1e-5, err_msg=name)
        assert str(ours[name].dtype) == str(value.dtype)


def test_batch_norms_are_computed_anew(torch):
    def seen(library):
        live = model(library).eval()
        rng = np.random.default_rng(1)
        batches = [library.tensor(rng.standard_normal((5, 3)), dtype=library.float32) for _ in range(3)]
        library.optim.swa_utils.update_bn([(batches[0], 1), batches[1], [batches[2]]], live)
        assert not live.training and live[1].momentum == 0.1
        return live[1].running_mean.numpy(), live[1].running_var.numpy()

    for mine, its in zip(seen(pb), seen(torch), strict=True):
        np.testing.assert_allclose(mine, its, rtol=1e-5)


@pytest.mark.parametrize("options", [{}, {"anneal_epochs": 4}, {"anneal_epochs": 3, "anneal_strategy": "linear"}])
@pytest.mark.parametrize("more", [{}, {"anneal_epochs": 0}])
def test_rates_go_to_the_averages_rate(options, more, torch):
    def seen(library):
        optimizer = library.optim.SGD(model(library).parameters(), lr=0.5)
        schedule = library.optim.swa_utils.SWALR(optimizer, 0.05, **{**options, **more})
        for _ in range(6):
            yield schedule.get_last_lr()
            optimizer.step()
            schedule.step()

    for mine, its in zip(seen(pb), seen(torch), strict=True):
        assert mine == pytest.approx(its, rel=1e-12)


def test_bad_options_are_refused():
    optimizer = optim.SGD([nn.Parameter(pb.ones(1))], lr=0.5)
    with pytest.raises(AssertionError, match="Only one of avg_fn and multi_avg_fn"):
        swa_utils.AveragedModel(nn.Linear(1, 1), avg_fn=max, multi_avg_fn=max)
    with pytest.raises(ValueError, match="Invalid decay value 2"):
        swa_utils.get_ema_avg_fn(2)
    with pytest.raises(ValueError, match="anneal_strategy must be one of"):
        swa_utils.SWALR(optimizer, 0.1, anneal_strategy="x")
    with pytest.raises(ValueError, match="anneal_epochs must be"):
        swa_utils.SWALR(optimizer, 0.1, anneal_epochs=-1)
    with pytest.raises(ValueError, match="swa_lr must have the same length"):
        swa_utils.SWALR(optimizer, [0.1, 0.2])
