"""What a profile holds: events, their averages by name, and how these are shown. Times are in microseconds."""

import json
import os
from collections.abc import Callable
from typing import Any, NamedTuple

from ..files import whole_file


class Interval(NamedTuple):
    """From when to when an event took place, since the profile began."""

    start: float
    end: float

    def elapsed_us(self) -> float:
        return self.end - self.start


class Timed:
    """What events and averages share. No time and no memory is ever spent on a device other than the CPU."""

    key: str
    count: int = 1
    cpu_time_total: float
    self_cpu_time_total: float
    cpu_memory_usage: int = 0
    self_cpu_memory_usage: int = 0
    input_shapes: Any = ()
    stack: Any = ()
    device_time = device_time_total = self_device_time_total = cuda_time = cuda_time_total = self_cuda_time_total = 0.0
    device_memory_usage = self_device_memory_usage = flops = 0

    @property
    def cpu_time(self) -> float:
        """The mean time of one call."""
        return self.cpu_time_total / self.count if self.count else 0.0

    cpu_time_str = property(lambda self: format_time(self.cpu_time))
    cpu_time_total_str = property(lambda self: format_time(self.cpu_time_total))
    self_cpu_time_total_str = property(lambda self: format_time(self.self_cpu_time_total))

    def __repr__(self) -> str:
        return (
            f"<{type(self).__name__} key={self.key} count={self.count} cpu_time={self.cpu_time_str} "
            f"self_cpu_time={self.self_cpu_time_total_str} input_shapes={self.input_shapes}>"
        )


class FunctionEvent(Timed):
    """One call: of an operation (``aten::mul``), of a node's rules in a backward pass, or of a labelled block."""

    def __init__(self, name: str, parent: "FunctionEvent | None", start: float, thread: int, kind: str) -> None:
        self.name, self.cpu_parent, self.thread, self.kind = name, parent, thread, kind
        self.key = "ProfilerStep*" if name.startswith("ProfilerStep#") else name
        self.time_range = Interval(start, start)
        self.cpu_children: list[FunctionEvent] = []
        if parent is not None:
            parent.cpu_children.append(self)

    @property
    def cpu_time_total(self) -> float:  # type: ignore[override]
        return self.time_range.elapsed_us()

    @property
    def self_cpu_time_total(self) -> float:  # type: ignore[override]
        return self.cpu_time_total - sum(child.cpu_time_total for child in self.cpu_children)

    @property
    def cpu_memory_usage(self) -> int:  # type: ignore[override]
        return self.self_cpu_memory_usage + sum(child.cpu_memory_usage for child in self.cpu_children)


SUMMED = ("count", "cpu_time_total", "self_cpu_time_total", "cpu_memory_usage", "self_cpu_memory_usage")


class FunctionEventAvg(Timed):
    """The sums over all calls of one name (and, where that was asked for, one list of shapes or one line)."""

    def __init__(self, key: str = "Total") -> None:
        self.key, self.count, self.cpu_time_total, self.self_cpu_time_total = key, 0, 0.0, 0.0

    def add(self, other: Timed) -> "FunctionEventAvg":
        """Count another event, or other averages, in."""
        for name in SUMMED:
            setattr(self, name, getattr(self, name) + getattr(other, name))
        return self


class EventList(list):
    """Events or averages."""

    @property
    def self_cpu_time_total(self) -> float:
        """The time of all events, each moment counted once."""
        return sum(event.self_cpu_time_total for event in self)

    def key_averages(self, group_by_input_shape: bool = False, group_by_stack_n: int = 0, **_: Any) -> "EventList":
        """Sums by name, in the order in which the names first occurred."""
        found: dict[tuple, FunctionEventAvg] = {}
        for event in self:
            shapes = event.input_shapes if group_by_input_shape else ()
            stack = tuple(event.stack[:group_by_stack_n])
            group = (event.key, str(shapes), stack)
            if group not in found:
                found[group] = FunctionEventAvg(event.key)
                found[group].input_shapes, found[group].stack = shapes, stack
            found[group].add(event)
        return EventList(found.values())

    def total_average(self) -> FunctionEventAvg:
        """The sums over everything."""
        total = FunctionEventAvg()
        for event in self:
            total.add(event)
        return total

    def table(self, sort_by: str | None = None, row_limit: int = 100, max_name_column_width: int = 55, **_: Any) -> str:
        """The rows as text, the largest ``sort_by`` first: the name of a numeric attribute, as ``"cpu_time_total"``."""
        rows = sorted(self, key=lambda e: getattr(e, sort_by), reverse=True) if sort_by else list(self)
        whole = self.self_cpu_time_total or 1.0
        columns: dict[str, Callable] = {
            "Name": lambda e: e.key[:max_name_column_width],
            "Self CPU %": lambda e: f"{100 * e.self_cpu_time_total / whole:.2f}%",
            "Self CPU": lambda e: e.self_cpu_time_total_str,
            "CPU total %": lambda e: f"{100 * e.cpu_time_total / whole:.2f}%",
            "CPU total": lambda e: e.cpu_time_total_str,
            "CPU time avg": lambda e: e.cpu_time_str,
            "CPU Mem": lambda e: f"{e.cpu_memory_usage} B",
            "# of Calls": lambda e: str(e.count),
            "Input Shapes": lambda e: str(e.input_shapes),
            "Source Location": lambda e: e.stack[0] if e.stack else "",
        }
        optional = {"CPU Mem": "cpu_memory_usage", "Input Shapes": "input_shapes", "Source Location": "stack"}
        shown = [c for c in columns if c not in optional or any(getattr(e, optional[c]) for e in rows)]
        cells = [shown] + [[columns[c](e) for c in shown] for e in (rows if row_limit < 0 else rows[:row_limit])]
        widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
        lines = ["  ".join(text.rjust(width) for text, width in zip(row, widths, strict=True)) for row in cells]
        rule = "  ".join("-" * width for width in widths)
        total = f"Self CPU time total: {format_time(self.self_cpu_time_total)}"
        return "\n".join([rule, lines[0], rule, *lines[1:], rule, total, ""])

    __str__ = table

    def export_chrome_trace(self, path: Any) -> None:
        """Write the events for ``chrome://tracing`` or Perfetto. The file is there as a whole, or not at all."""
        events = [
            {
                "ph": "X", "cat": event.kind, "name": event.name, "pid": os.getpid(), "tid": event.thread,
                "ts": event.time_range.start, "dur": event.cpu_time_total,
                "args": {"Input Dims": event.input_shapes, "Call stack": ";".join(event.stack)},
            }
            for event in self
        ]  # fmt: skip
        with whole_file(path) as file:
            file.write(json.dumps({"traceEvents": events, "displayTimeUnit": "ms"}).encode())


def format_time(microseconds: float) -> str:
    """``1.073ms``"""
    for unit, size in (("s", 1e6), ("ms", 1e3)):
        if microseconds >= size:
            return f"{microseconds / size:.3f}{unit}"
    return f"{microseconds:.3f}us"
