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
    ("MultiplicativeLR", {"lr_lambda": lambda epoch: 0.9 + 0.01 * epoch}),
    ("PolynomialLR", {"total_iters": 6}),
    ("PolynomialLR", {"total_iters": 7, "power": 2.5}),
    ("CosineAnnealingWarmRestarts", {"T_0": 3}),
    ("CosineAnnealingWarmRestarts", {"T_0": 2, "T_mult": 2, "eta_min": 0.01}),
    ("CyclicLR", {"base_lr": 0.1, "max_lr": 0.5, "step_size_up": 3}),
    ("CyclicLR", {"base_lr": [0.1, 0.2], "max_lr": [0.5, 0.7], "step_size_up": 2, "step_size_down": 4}),
    ("CyclicLR", {"base_lr": 0.1, "max_lr": 0.5, "step_size_up": 2, "mode": "triangular2"}),
    ("CyclicLR", {"base_lr": 0.1, "max_lr": 0.5, "step_size_up": 2, "mode": "exp_range", "gamma": 0.9}),
    ("CyclicLR", {"base_lr": 0.1, "max_lr": 0.5, "step_size_up": 2, "scale_fn": lambda x: 1 / x}),
    ("CyclicLR", {"base_lr": 0.1, "max_lr": 0.5, "step_size_up": 2, "cycle_momentum": False}),
    ("OneCycleLR", {"max_lr": 0.5, "total_steps": 16}),
    ("OneCycleLR", {"max_lr": [0.5, 0.7], "epochs": 4, "steps_per_epoch": 4, "anneal_strategy": "linear"}),
    ("OneCycleLR", {"max_lr": 0.5, "total_steps": 16, "three_phase": True, "div_factor": 10.0}),
    ("OneCycleLR", {"max_lr": 0.5, "total_steps": 16, "cycle_momentum": False, "final_div_factor": 10.0}),
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
    return library.optim.SGD([{"params": [one]}, {"params": [other], "lr": 0.7}], lr=0.1, momentum=0.5)


def rates(library, name, options, epochs=15):
    optimizer = made(library)
    schedule = getattr(library.optim.lr_scheduler, name)(optimizer, **options)
    seen = [schedule.get_last_lr()]
    for _ in range(epochs):
        optimizer.step()
        schedule.step()
        assert schedule.get_last_lr() == [group["lr"] for group in optimizer.param_groups]
        seen.append(schedule.get_last_lr() + [group["momentum"] for group in optimizer.param_groups])
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
        assert other.get_last_lr() == pytest.approx(expected[:2], rel=1e-12)


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


def test_a_step_that_was_put_in_the_optimizers_place_is_warned_of():
    optimizer = made(pb)
    schedule = optim.lr_scheduler.ExponentialLR(optimizer, 0.5)
    optimizer.step = lambda: None
    with pytest.warns(UserWarning, match="has been overridden"):
        schedule.step()


COMBINED = [
    lambda s, o: s.SequentialLR(o, [s.ConstantLR(o, 0.1, 2), s.ExponentialLR(o, 0.9), s.StepLR(o, 2)], [3, 7]),
    lambda s, o: s.SequentialLR(o, [s.LinearLR(o, 0.1, 1.0, 4), s.CosineAnnealingLR(o, 8)], [4]),
    lambda s, o: s.SequentialLR(o, [s.PolynomialLR(o, 4), s.CosineAnnealingWarmRestarts(o, 3)], [4]),
    lambda s, o: s.SequentialLR(o, [s.MultiStepLR(o, [1, 3]), s.LambdaLR(o, lambda e: 1 / (1 + e))], [4]),
    lambda s, o: s.SequentialLR(o, [s.StepLR(o, 2), s.MultiplicativeLR(o, lambda e: 0.9)], [4]),
    lambda s, o: s.ChainedScheduler([s.ConstantLR(o, 0.1, 2), s.ExponentialLR(o, 0.9)]),
    lambda s, o: s.ChainedScheduler([s.LinearLR(o), s.StepLR(o, 3), s.CosineAnnealingLR(o, 6)], optimizer=o),
]


def walk(library, make, epochs=12):
    optimizer = made(library)
    schedule = make(library.optim.lr_scheduler, optimizer)
    seen = [schedule.get_last_lr()]
    for _ in range(epochs):
        optimizer.step()
        schedule.step()
        seen.append(schedule.get_last_lr() + [group["lr"] for group in optimizer.param_groups])
    return seen, schedule


@pytest.mark.parametrize("number", range(len(COMBINED)))
def test_combined_schedules_are_pytorchs(number, torch):
    (ours, schedule), (theirs, other) = walk(pb, COMBINED[number]), walk(torch, COMBINED[number])
    for mine, its in zip(ours, theirs, strict=True):
        assert mine == pytest.approx(its, rel=1e-12)
    assert set(schedule.state_dict()) == set(other.state_dict())


@pytest.mark.parametrize("number", range(len(COMBINED)))
def test_combined_schedules_resume(number):
    _, schedule = walk(pb, COMBINED[number], epochs=5)
    optimizer = made(pb)
    resumed = COMBINED[number](optim.lr_scheduler, optimizer)
    resumed.load_state_dict(schedule.state_dict())
    optimizer.step()
    for group, rate in zip(optimizer.param_groups, schedule.get_last_lr(), strict=True):
        group["lr"] = rate
    for _ in range(5):
        schedule.step()
        resumed.step()
        assert schedule.get_last_lr() == resumed.get_last_lr()


@pytest.mark.parametrize("name, options", [s for s in SCHEDULES if "lr_lambda" not in s[1]])
def test_states_hold_what_pytorchs_hold(name, options, torch):
    def state(library):
        return getattr(library.optim.lr_scheduler, name)(made(library), **options).state_dict()

    assert set(state(pb)) == set(state(torch))


@pytest.mark.parametrize("name, options", SCHEDULES)
def test_schedules_begin_later_and_jump_as_pytorchs_do(name, options, torch):
    def seen(library):
        optimizer = made(library)
        make = getattr(library.optim.lr_scheduler, name)
        make(optimizer, **options)
        schedule = make(optimizer, **options, last_epoch=2)
        found = [schedule.get_last_lr()]
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            for epoch in (None, None, 7, None, 1):
                schedule.step(epoch)
                found.append(schedule.get_last_lr())
        return found

    for mine, its in zip(seen(pb), seen(torch), strict=True):
        assert mine == pytest.approx(its, rel=1e-12)


def test_rates_that_are_tensors_are_written(torch):
    def seen(library):
        rate = library.tensor(0.5)
        optimizer = library.optim.SGD([library.nn.Parameter(library.ones(1))], lr=rate)
        schedule = library.optim.lr_scheduler.ExponentialLR(optimizer, 0.5)
        optimizer.step()
        schedule.step()
        assert optimizer.param_groups[0]["lr"] is rate
        return rate.item(), schedule.get_last_lr()[0].item()

    assert seen(pb) == seen(torch) == (0.25, 0.25)


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
    lambda library, o: library.SequentialLR(o, [], []),
    lambda library, o: library.SequentialLR(o, [library.StepLR(o, 2)], [1]),
    lambda library, o: library.SequentialLR(o, [library.StepLR(o, 2), library.ReduceLROnPlateau(o)], [1]),
    lambda library, o: library.ChainedScheduler([]),
    lambda library, o: library.ChainedScheduler([library.ReduceLROnPlateau(o)]),
    lambda library, o: library.ChainedScheduler([library.StepLR(o, 2)], optimizer=3),
    lambda library, o: library.CyclicLR(3, 0.1, 0.2),
    lambda library, o: library.CyclicLR(o, 0.1, 0.2, mode="x"),
    lambda library, o: library.CyclicLR(o, [0.1], 0.2),
    lambda library, o: library.CosineAnnealingWarmRestarts(o, 0),
    lambda library, o: library.CosineAnnealingWarmRestarts(o, 3, 0),
    lambda library, o: library.CosineAnnealingWarmRestarts(o, 3, 1, "a"),
    lambda library, o: library.CosineAnnealingWarmRestarts(o, 3).step(-1),
    lambda library, o: library.OneCycleLR(o, 0.1),
    lambda library, o: library.OneCycleLR(o, 0.1, total_steps=1.5),
    lambda library, o: library.OneCycleLR(o, 0.1, epochs=-1, steps_per_epoch=2),
    lambda library, o: library.OneCycleLR(o, 0.1, total_steps=3, pct_start=2),
    lambda library, o: library.OneCycleLR(o, 0.1, total_steps=3, anneal_strategy="x"),
    lambda library, o: library.OneCycleLR(o, [0.1], total_steps=3),
]


@pytest.mark.parametrize("number", range(len(BAD)))
def test_bad_options_get_pytorchs_error(number, torch):
    with pytest.raises(Exception) as theirs:
        BAD[number](torch.optim.lr_scheduler, made(torch))
    with pytest.raises(type(theirs.value)):
        BAD[number](optim.lr_scheduler, made(pb))
