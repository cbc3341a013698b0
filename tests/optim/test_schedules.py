"""Schedules of learning rates against PyTorch's, epoch by epoch."""

import warnings

import pytest

import pullback as pb
from pullback import nn, optim

SCHEDULES = [
    ("StepLR", {"step_size": 3, "gamma": 0.5}),
    ("MultiStepLR", {"milestones": [2, 5, 5, 9], "gamma": 0.3}),
    ("ExponentialLR", {"gamma": 0.9}),
    ("CosineAnnealingLR", {"T_max": 5, "eta_min": 0.01}),
    ("LinearLR", {"start_factor": 0.25, "total_iters": 6}),
    ("LinearLR", {"end_factor": 0.2, "start_factor": 1.0, "total_iters": 4}),
    ("ConstantLR", {"factor": 0.5, "total_iters": 4}),
    ("LambdaLR", {"lr_lambda": lambda epoch: 0.95**epoch}),
    ("LambdaLR", {"lr_lambda": [lambda epoch: 0.95**epoch, lambda epoch: 1 / (epoch + 1)]}),
]
METRICS = [3.0, 2.0, 2.0, 2.1, 1.9999, 2.5, 1.0, 1.5, 1.4, 1.3, 1.2, 1.1, 1.1, 1.1, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0]
PLATEAUS = [
    {"patience": 2},
    {"patience": 1, "factor": 0.5, "cooldown": 2, "min_lr": 0.02},
    {"patience": 0, "mode": "max", "threshold": 0.1, "threshold_mode": "abs"},
    {"patience": 1, "threshold": 0.2, "min_lr": [0.01, 0.3]},
]


def made(library):
    one, other = (library.nn.Parameter(library.ones(1)) for _ in range(2))
    return library.optim.SGD([{"params": [one]}, {"params": [other], "lr": 0.7}], lr=0.1)


def rates(library, name, options, epochs=15):
    optimizer = made(library)
    schedule = getattr(library.optim.lr_scheduler, name)(optimizer, **options)
    seen = [schedule.get_last_lr()]
    for _ in range(epochs):
        optimizer.step()
        schedule.step()
        assert schedule.get_last_lr() == [group["lr"] for group in optimizer.param_groups]
        seen.append(schedule.get_last_lr())
    return seen


@pytest.mark.parametrize("name, options", SCHEDULES)
def test_schedules_are_pytorchs(name, options, torch):
    for ours, theirs in zip(rates(pb, name, options), rates(torch, name, options), strict=True):
        assert ours == pytest.approx(theirs, rel=1e-12)


@pytest.mark.parametrize("options", PLATEAUS)
def test_plateaus_are_noticed_when_pytorch_notices_them(options, torch):
    def walk(library):
        optimizer = made(library)
        schedule = library.optim.lr_scheduler.ReduceLROnPlateau(optimizer, **options)
        for metric in METRICS:
            schedule.step(metric)
            yield [group["lr"] for group in optimizer.param_groups]

    for ours, theirs in zip(walk(pb), walk(torch), strict=True):
        assert ours == pytest.approx(theirs, rel=1e-12)


@pytest.mark.parametrize("name, options", SCHEDULES)
def test_a_schedule_resumes_from_its_state(name, options):
    whole = rates(pb, name, options)
    first, optimizer = made(pb), made(pb)
    schedule = getattr(optim.lr_scheduler, name)(first, **options)
    for _ in range(7):
        first.step()
        schedule.step()
    other = getattr(optim.lr_scheduler, name)(optimizer, **options)
    other.load_state_dict(schedule.state_dict())
    optimizer.load_state_dict(first.state_dict())
    optimizer.step()
    for expected in whole[8:]:
        other.step()
        assert other.get_last_lr() == pytest.approx(expected, rel=1e-12)


def test_schedules_can_be_combined(torch):
    def walk(library):
        optimizer, schedulers = made(library), library.optim.lr_scheduler
        both = schedulers.ExponentialLR(optimizer, 0.9), schedulers.StepLR(optimizer, 2, 0.5)
        for _ in range(6):
            optimizer.step()
            for schedule in both:
                schedule.step()
            yield [group["lr"] for group in optimizer.param_groups]

    for ours, theirs in zip(walk(pb), walk(torch), strict=True):
        assert ours == pytest.approx(theirs, rel=1e-12)


def test_the_wrong_order_is_warned_of_and_the_right_one_is_not():
    optimizer = made(pb)
    schedule = optim.lr_scheduler.StepLR(optimizer, 2)
    with pytest.warns(UserWarning, match="before `optimizer.step\\(\\)`"):
        schedule.step()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        rates(pb, "StepLR", {"step_size": 2}, epochs=3)


def test_an_optimizer_with_its_own_step_is_trusted():
    class Own(optim.Optimizer):
        def step(self, closure=None):
            pass

    optimizer = Own([nn.Parameter(pb.ones(1))], {"lr": 0.1})
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        optim.lr_scheduler.ExponentialLR(optimizer, 0.5).step()


def test_own_schedules_define_get_lr():
    class Halved(optim.lr_scheduler.LRScheduler):
        def get_lr(self):
            return [base / 2**self.last_epoch for base in self.base_lrs]

    optimizer = optim.SGD([nn.Parameter(pb.ones(1))], lr=1.0)
    schedule = Halved(optimizer)
    optimizer.step()
    schedule.step()
    assert optimizer.param_groups[0]["lr"] == 0.5
    with pytest.raises(NotImplementedError, match="get_lr"):
        optim.lr_scheduler.LRScheduler(optimizer)


BAD = [
    lambda library, o: library.StepLR(3, 2),
    lambda library, o: library.StepLR(o, 2, last_epoch=4),
    lambda library, o: library.LambdaLR(o, [lambda e: e]),
    lambda library, o: library.LinearLR(o, start_factor=0),
    lambda library, o: library.LinearLR(o, end_factor=2),
    lambda library, o: library.ConstantLR(o, factor=3),
    lambda library, o: library.ReduceLROnPlateau(o, factor=1.0),
    lambda library, o: library.ReduceLROnPlateau(o, mode="least"),
    lambda library, o: library.ReduceLROnPlateau(o, min_lr=[0.1]),
]


@pytest.mark.parametrize("number", range(len(BAD)))
def test_bad_options_get_pytorchs_error(number, torch):
    with pytest.raises(Exception) as theirs:
        BAD[number](torch.optim.lr_scheduler, made(torch))
    with pytest.raises(type(theirs.value)):
        BAD[number](optim.lr_scheduler, made(pb))
