"""``torch.profiler``: profiles of the steps of a training loop, by a schedule."""

import os
import time
from collections.abc import Callable, Iterable
from enum import Enum
from typing import Any

from .autograd.profiler import KinetoStepTracker, record_function
from .autograd.profiler import profile as _profile

__all__ = [
    "KinetoStepTracker", "ProfilerAction", "ProfilerActivity", "profile", "record_function", "schedule",
    "supported_activities", "tensorboard_trace_handler",
]  # fmt: skip


class ProfilerActivity(Enum):
    """What can be profiled. Only the CPU is there."""

    CPU = 0
    XPU = 1
    CUDA = 2


class ProfilerAction(Enum):
    """What a profiler does in a step."""

    NONE = 0
    WARMUP = 1
    RECORD = 2
    RECORD_AND_SAVE = 3


def supported_activities() -> set:
    """What can be profiled here."""
    return {ProfilerActivity.CPU}


def schedule(
    *, wait: int, warmup: int, active: int, repeat: int = 0, skip_first: int = 0, skip_first_wait: int = 0
) -> Callable[[int], ProfilerAction]:
    """What to do in which step: wait, warm up, record; ``repeat`` times (0: for ever), after ``skip_first`` steps.

    ``skip_first_wait``, if not zero, leaves the first wait out.

    Raises:
        AssertionError: a number is negative, or ``active`` is zero.
    """
    if min(wait, warmup, repeat, skip_first) < 0 or active <= 0:
        raise AssertionError(
            f"Invalid profiler schedule arguments. Got {wait=} (need >= 0), {warmup=} (need >= 0), {active=} (need > 0), "
            f"{repeat=} (need >= 0), {skip_first=} (need >= 0)."
        )
    length = wait + warmup + active

    def action(step: int) -> ProfilerAction:
        cycle, place = divmod(step - skip_first + (wait if skip_first_wait else 0), length)
        if step < skip_first or (repeat and cycle >= repeat):
            return ProfilerAction.NONE
        if place < wait + warmup:
            return ProfilerAction.NONE if place < wait else ProfilerAction.WARMUP
        return ProfilerAction.RECORD_AND_SAVE if place == length - 1 else ProfilerAction.RECORD

    return action


def tensorboard_trace_handler(dir_name: Any, worker_name: str | None = None, use_gzip: bool = False) -> Callable:
    """An ``on_trace_ready`` that writes each trace into a folder, under the name that TensorBoard looks for.

    Raises:
        ValueError: ``use_gzip``, which is not supported.
    """
    if use_gzip:
        raise ValueError("tensorboard_trace_handler: use_gzip=True is not supported; compress the file afterwards")

    def handler(prof: "profile") -> None:
        os.makedirs(dir_name, exist_ok=True)
        name = f"{worker_name or f'pullback_{os.getpid()}'}.{time.time_ns()}.pt.trace.json"
        prof.export_chrome_trace(os.path.join(dir_name, name))

    return handler


class profile(_profile):
    """Context manager: profile what runs inside; with a ``schedule``, the steps that :meth:`step` ends.

    Args:
        activities: must include the CPU, the only one that there is.
        schedule: ``f(step number) -> ProfilerAction``, as :func:`schedule` makes it.
        on_trace_ready: called with this object whenever a recording is complete.
        record_shapes, profile_memory, with_stack: as in :class:`pullback.autograd.profiler.profile`.
    """

    def __init__(
        self,
        *,
        activities: Iterable[ProfilerActivity] | None = None,
        schedule: Callable[[int], ProfilerAction] | None = None,
        on_trace_ready: Callable | None = None,
        **options: Any,
    ) -> None:
        if activities is not None and not supported_activities() & set(activities):
            raise AssertionError("No valid profiler activities found: only ProfilerActivity.CPU is supported")
        super().__init__(**options)
        self.schedule, self.on_trace_ready, self.step_num = schedule, on_trace_ready, 0
        self.marked: Any = None

    def action(self) -> ProfilerAction:
        return self.schedule(self.step_num) if self.schedule else ProfilerAction.RECORD

    def start(self) -> None:
        """Begin the first step."""
        if self.recorder is None and self.action() in (ProfilerAction.RECORD, ProfilerAction.RECORD_AND_SAVE):
            super().__enter__()
        if self.recorder is not None and self.schedule:
            self.marked = record_function(f"ProfilerStep#{self.step_num}").__enter__()

    def stop(self) -> None:
        """End the last step; a recording that is going on is complete."""
        self.end_step()
        self.finish()

    def end_step(self) -> None:
        if self.marked is not None:
            self.marked.__exit__()
            self.marked = None

    def finish(self) -> None:
        if self.recorder is not None:
            super().__exit__()
            self.recorder = None
            if self.on_trace_ready is not None:
                self.on_trace_ready(self)

    def step(self) -> None:
        """End a step of the training loop, and begin the next."""
        ended = self.action()
        self.end_step()
        self.step_num += 1
        if ended is ProfilerAction.RECORD_AND_SAVE:
            self.finish()
        self.start()

    def __enter__(self) -> "profile":
        self.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self.stop()
