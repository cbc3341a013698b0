"""Profiles count and time operations and nodes, nest them, and are shown and written as torch's are."""

import json
import time

import pytest

import pullback as torch
from pullback.autograd import profiler
from pullback.profiler import ProfilerAction, ProfilerActivity, schedule, tensorboard_trace_handler
from pullback.profiler import profile as step_profile
from pullback.tape.value import plain


@pytest.fixture
def x():
    return torch.ones(2, 3, requires_grad=True)


def counts(events):
    return {event.key: event.count for event in events.key_averages()}


def test_operations_and_nodes_are_counted(x):
    with profiler.profile() as prof:
        y = (x * x).sum() + x.mean()
        y.backward()
        y.detach().add_(1)
        x[0]
    found = counts(prof)
    assert found == {
        "aten::mul": 1, "aten::sum": 1, "aten::mean": 1, "aten::add": 2, "AddBackward0": 1, "MeanBackward0": 1,
        "SumBackward0": 1, "MulBackward0": 1, "aten::select": 1,
    }  # fmt: skip
    assert torch.Tensor in plain  # and operations are quick again
    x * x
    assert counts(prof) == found


def test_the_same_operations_have_the_names_that_torch_gives_them(torch):
    import pullback

    def names(t, profile):
        x = t.ones(2, 2, requires_grad=True)
        with profile() as prof:
            t.nn.functional.relu(x @ x).exp().sum(0).log().max().backward()
        return {e.key for e in prof.key_averages()}

    theirs = names(torch, torch.autograd.profiler.profile)
    ours = names(pullback, profiler.profile)
    assert {n for n in ours if not n.startswith("aten::max")} <= theirs
    assert {
        "aten::mm",
        "aten::relu",
        "aten::exp",
        "aten::sum",
        "aten::log",
        "MmBackward0",
        "ExpBackward0",
    } <= ours & theirs


def test_a_total_is_the_events_own_time_and_that_of_those_inside():
    with profiler.profile() as prof, profiler.record_function("outer"):
        time.sleep(0.002)
        with profiler.record_function("inner"):
            time.sleep(0.004)
    outer, inner = prof.events()
    assert inner.cpu_parent is outer and outer.cpu_children == [inner]
    assert inner.cpu_time_total >= 4000 and outer.cpu_time_total >= 6000
    assert outer.self_cpu_time_total == pytest.approx(outer.cpu_time_total - inner.cpu_time_total)
    assert prof.self_cpu_time_total == pytest.approx(outer.cpu_time_total)
    total = prof.total_average()
    assert (total.key, total.count) == ("Total", 2)
    assert outer.time_range.elapsed_us() == outer.cpu_time == outer.cpu_time_total


def test_labels_decorate_functions_and_do_nothing_outside_a_profile(x):
    @profiler.record_function("labelled")
    def double(v):
        return v * 2

    double(x)
    with profiler.profile() as prof:
        double(double(x))
    assert counts(prof) == {"labelled": 2, "aten::mul": 2}
    assert [e.cpu_parent.key for e in prof.events() if e.key == "aten::mul"] == ["labelled"] * 2


def test_shapes_memory_and_lines_are_noted_on_request(x):
    with profiler.profile(record_shapes=True, profile_memory=True, with_stack=True) as prof:
        x * 2  # a line
        x * torch.ones(3)  # another
        x.reshape(6) * 2
    rows = [(e.key, e.count, e.input_shapes) for e in prof.key_averages(group_by_input_shape=True)]
    assert ("aten::mul", 1, [[2, 3], []]) in rows and ("aten::mul", 1, [[2, 3], [3]]) in rows
    (first,) = [e for e in prof.key_averages(group_by_stack_n=1) if e.stack and "# a line" in e.stack[0]]
    assert (first.key, first.count, first.cpu_memory_usage) == ("aten::mul", 1, 24)
    views = [e for e in prof.events() if e.key == "aten::reshape" or e.key == "aten::view"]
    assert sum(e.cpu_memory_usage for e in views) == 0  # a view takes none
    table = prof.key_averages(group_by_input_shape=True, group_by_stack_n=1).table()
    assert "Input Shapes" in table and "Source Location" in table and "CPU Mem" in table


def test_the_table_is_sorted_limited_and_summed_up(x):
    with profiler.profile() as prof:
        for _ in range(3):
            x * 2
        x + 1
    averages = prof.key_averages()
    lines = averages.table(sort_by="count", row_limit=1).splitlines()
    assert lines[1].split()[0] == "Name" and "# of Calls" in lines[1]
    assert lines[3].split()[0] == "aten::mul" and lines[3].split()[-1] == "3"
    assert len(lines) == 6 and lines[-1].startswith("Self CPU time total:")
    assert "aten::add" in str(averages) and "aten::add" in averages.table(row_limit=-1)
    assert "aten::mul" in str(prof)
    with pytest.raises(AttributeError, match="nothing"):
        averages.table(sort_by="nothing")


def test_a_trace_is_in_the_trace_event_format(x, tmp_path):
    with profiler.profile(record_shapes=True) as prof:
        (x * 2).sum().backward()
    path = tmp_path / "trace.json"
    prof.export_chrome_trace(path)
    events = json.loads(path.read_text())["traceEvents"]
    assert [e["name"] for e in events] == ["aten::mul", "aten::sum", "SumBackward0", "MulBackward0"]
    assert all(e["ph"] == "X" and e["dur"] >= 0 and {"ts", "pid", "tid", "cat"} <= e.keys() for e in events)
    assert events[0]["args"]["Input Dims"] == [[2, 3], []]
    assert [p.name for p in tmp_path.iterdir()] == ["trace.json"]


def test_a_profile_that_cannot_be_asked_says_so(x):
    prof = profiler.profile()
    with pytest.raises(RuntimeError, match="Profiler didn't finish running"):
        prof.key_averages()
    with prof, pytest.raises(RuntimeError, match="not reentrant"):
        prof.__enter__()
    with profiler.profile(enabled=False) as off:
        x * 2
    with pytest.raises(RuntimeError, match="Profiler didn't finish running"):
        off.events()
    with pytest.raises(TypeError, match="unexpected keyword argument 'shapes'"):
        profiler.profile(shapes=True)
    assert not hasattr(prof, "nothing")


def test_an_exception_ends_its_event_and_the_profile(x):
    with pytest.raises(RuntimeError), profiler.profile() as prof:
        torch.ones(2) @ torch.ones(3)
    with profiler.profile() as prof:
        with pytest.raises(ZeroDivisionError), profiler.record_function("fails"):
            raise ZeroDivisionError
        x * 2
    assert [(e.key, e.cpu_parent) for e in prof.events()] == [("fails", None), ("aten::mul", None)]
    assert torch.Tensor in plain


def test_gradients_are_the_same_under_a_profile(x):
    def gradient():
        return torch.autograd.grad((x.exp() * x).sum(), x)[0]

    expected = gradient()
    with (
        profiler.profile(record_shapes=True, profile_memory=True, with_stack=True),
        torch.autograd.set_detect_anomaly(True),
    ):
        assert gradient().equal(expected)
        assert torch.vmap(torch.func.grad(lambda v: (v.exp() * v).sum()))(x.detach()).equal(expected)


SCHEDULES = [
    {"wait": 1, "warmup": 1, "active": 2, "repeat": 1, "skip_first": 1},
    {"wait": 0, "warmup": 0, "active": 1},
    {"wait": 2, "warmup": 0, "active": 3, "repeat": 2},
    {"wait": 3, "warmup": 1, "active": 1, "skip_first": 2, "skip_first_wait": 1, "repeat": 2},
]


@pytest.mark.filterwarnings("ignore:Profiler won't be using warmup")
@pytest.mark.parametrize("options", SCHEDULES)
def test_schedules_are_torchs(torch, options):
    ours, theirs = schedule(**options), torch.profiler.schedule(**options)
    assert [ours(i).name for i in range(20)] == [theirs(i).name for i in range(20)]


def test_a_bad_schedule_is_refused(torch):
    for make in (schedule, torch.profiler.schedule):
        with pytest.raises(AssertionError, match="Invalid profiler schedule arguments"):
            make(wait=-1, warmup=0, active=1)


HANDED_OVER = [  # (step number, recorded steps); torch's own profiler crashes in some of these loops
    [(5, 2)],
    [*((n, 1) for n in range(1, 10)), (9, 1)],
    [(5, 3), (9, 3)],
    [(4, 1), (9, 1)],
]


@pytest.mark.parametrize("options, expected", [*zip(SCHEDULES, HANDED_OVER, strict=True)])
def test_steps_are_recorded_and_handed_over_by_the_schedule(options, expected):
    seen = []

    def ready(prof):
        seen.append((prof.step_num, sum(e.name.startswith("ProfilerStep#") for e in prof.events())))
        assert counts(prof)["ProfilerStep*"] == seen[-1][1]

    with step_profile(schedule=schedule(**options), on_trace_ready=ready) as prof:
        for _ in range(9):
            torch.ones(2) * 2
            prof.step()
    assert seen == expected


def test_a_profile_without_a_schedule_records_all(x, tmp_path):
    with step_profile(activities=[ProfilerActivity.CPU], on_trace_ready=tensorboard_trace_handler(tmp_path)) as prof:
        x * 2
        prof.step()
        x * 2
    assert counts(prof) == {"aten::mul": 2}
    (written,) = tmp_path.iterdir()
    assert written.name.endswith(".pt.trace.json") and len(json.loads(written.read_text())["traceEvents"]) == 2
    with pytest.raises(AssertionError, match="No valid profiler activities"):
        step_profile(activities=[ProfilerActivity.CUDA])
    assert schedule(wait=0, warmup=0, active=1)(0) is ProfilerAction.RECORD_AND_SAVE


def test_marks_for_other_profilers_are_refused():
    for marks in (profiler.emit_nvtx, profiler.emit_itt):
        with pytest.raises(RuntimeError, match="not available in Pullback"), marks():
            pass
        with marks(enabled=False):
            pass
    with pytest.raises(RuntimeError, match="nvprof"):
        profiler.load_nvprof("trace")


def test_small_helpers_count_and_refuse_as_torchs(torch):
    for module in (profiler, torch.autograd.profiler):
        unique = module.EnforceUnique()
        unique.see("a", 1)
        with pytest.raises(RuntimeError, match="duplicate"):
            unique.see("a", 1)
        tracker = module.KinetoStepTracker
        before = tracker.current_step()
        tracker.init_step_count("mine")
        assert tracker.increment_step("mine") == before + 1 == tracker.current_step()
        assert tracker.erase_step_count("mine") and not tracker.erase_step_count("mine")
