"""``torch.autograd.profiler``: which operation, and which node of a backward pass, takes how much time.

While a profile is on, operations take the general path, so that each can be looked at; what is timed is the operation
itself, without the checks of its arguments.
"""

import threading
from collections.abc import Callable
from time import perf_counter_ns
from typing import Any

from ..tape.lines import describe, here
from ..tape.modes import DecoratorContextManager
from ..tape.value import Tensor
from ..tape.watch import arrays_in, layer_of, set_layer
from ..tensor import functions
from .profiler_util import EventList, FunctionEvent, FunctionEventAvg, Interval

__all__ = [
    "EnforceUnique", "EventList", "FunctionEvent", "FunctionEventAvg", "KinetoStepTracker", "emit_itt", "emit_nvtx",
    "load_nvprof", "parse_nvprof_trace", "profile", "record_function",
]  # fmt: skip


class Recorder:
    """The layer: it notes an event for each operation and each node of this thread."""

    def __init__(self, shapes: bool, memory: bool, stack: bool) -> None:
        self.shapes, self.memory, self.stack = shapes, memory, stack
        self.began = perf_counter_ns()
        self.events: list[FunctionEvent] = []
        self.open: list[FunctionEvent] = []

    def now(self) -> float:
        return (perf_counter_ns() - self.began) / 1000

    def begin(self, name: str, kind: str, args: Any = ()) -> FunctionEvent:
        event = FunctionEvent(name, self.open[-1] if self.open else None, 0.0, threading.get_ident(), kind)
        if self.shapes:
            event.input_shapes = [list(a.shape) if isinstance(a, Tensor) else [] for a in args]  # type: ignore[attr-defined]
        if self.stack:
            event.stack = (describe(here()),)
        self.events.append(event)
        self.open.append(event)
        event.time_range = Interval(self.now(), 0.0)
        return event

    def end(self, event: FunctionEvent, results: Any = ()) -> None:
        event.time_range = Interval(event.time_range.start, self.now())
        del self.open[self.open.index(event) :]
        if self.memory:
            event.self_cpu_memory_usage = sum(a.nbytes for a in arrays_in(results) if getattr(a, "base", None) is None)

    def timed(self, name: str, kind: str, args: Any, function: Callable, *given: Any) -> Any:
        event = self.begin(name, kind, args)
        results = None
        try:
            results = function(*given)
        finally:
            self.end(event, results)
        return results

    def around_run(self, inner: Callable) -> Callable:
        return lambda compute, op, args: self.timed(public_name(op), "cpu_op", args, inner, compute, op, args)

    def around_pull(self, inner: Callable) -> Callable:
        def pull(work: Any, node: Any, grad: Any, saved: Any, edges: Any) -> Any:
            return self.timed(node.name(), "backward", (), inner, work, node, grad, saved, edges)

        return pull


OPTIONS = {
    "record_shapes", "profile_memory", "with_stack", "with_flops", "with_modules", "use_cpu", "use_cuda", "use_device",
    "use_kineto", "use_mtia", "experimental_config", "acc_events", "custom_trace_id_callback", "execution_trace_observer",
    "post_processing_timeout_s",
}  # fmt: skip


def public_name(op: Any) -> str:
    """PyTorch's name of an operation: ``aten::sum`` of ``sum_all``, one of the operations that ``torch.sum`` stands for."""
    name = op.name.removeprefix("getitem_")
    stem, _, form = name.rpartition("_")
    if name not in functions and stem in functions and form in ("all", "dim", "dims", "number", "numbers", "tensor"):
        name = stem
    return f"aten::{name}"


class profile:
    """Context manager: time the operations and the nodes of backward passes that this thread runs inside.

    Args:
        enabled: whether it does anything.
        record_shapes: note the shapes of operands; see ``key_averages(group_by_input_shape=True)``.
        profile_memory: note the bytes of results.
        with_stack: note the user's line; see ``key_averages(group_by_stack_n=1)``.

    PyTorch's other arguments are accepted, and ask for nothing that there is on a CPU.

    Raises:
        RuntimeError: it is entered again, or asked before it was entered.

    >>> import pullback as torch
    >>> x = torch.ones(3, requires_grad=True)
    >>> with torch.autograd.profiler.profile() as prof:
    ...     (x * x).sum().backward()
    >>> [(event.key, event.count) for event in prof.key_averages()]
    [('aten::mul', 1), ('aten::sum', 1), ('SumBackward0', 1), ('MulBackward0', 1)]
    """

    def __init__(self, enabled: bool = True, **options: Any) -> None:
        unknown = options.keys() - OPTIONS
        if unknown:
            raise TypeError(f"profile() got an unexpected keyword argument '{min(unknown)}'")
        self.enabled = enabled
        self.options = [bool(options.get(name)) for name in ("record_shapes", "profile_memory", "with_stack")]
        self.recorder: Recorder | None = None
        self.function_events: EventList | None = None

    def __enter__(self) -> "profile":
        if not self.enabled:
            return self
        if self.recorder is not None:
            raise RuntimeError("Profiler context manager is not reentrant")
        self.recorder, self.before = Recorder(*self.options), layer_of("profile")
        set_layer("profile", self.recorder)
        return self

    def __exit__(self, *exc: object) -> None:
        if self.recorder is not None:
            set_layer("profile", self.before)
            self.function_events = EventList(self.recorder.events)

    def events(self) -> EventList:
        """All events, in the order in which they began."""
        if self.function_events is None:
            raise RuntimeError("Profiler didn't finish running: ask for its events after the block")
        return self.function_events

    def __getattr__(self, name: str) -> Any:
        """``key_averages``, ``total_average``, ``table``, ``export_chrome_trace`` and ``self_cpu_time_total`` of the events."""
        if name.startswith("_") or not hasattr(EventList, name):
            raise AttributeError(f"'profile' object has no attribute '{name}'")
        return getattr(self.events(), name)

    def __str__(self) -> str:
        return "<unfinished profile>" if self.function_events is None else str(self.function_events)


class record_function(DecoratorContextManager):
    """Context manager and decorator: a labelled block, which profiles show as an event around what runs in it."""

    def __init__(self, name: str, args: str | None = None) -> None:
        self.name, self.args = name, args

    def clone(self) -> "record_function":
        return record_function(self.name, self.args)

    def __enter__(self) -> "record_function":
        self.recorder = layer_of("profile")
        self.event = self.recorder and self.recorder.begin(self.name, "user_annotation")
        return self

    def __exit__(self, *exc: object) -> None:
        if self.recorder is not None:
            self.recorder.end(self.event)


class emit_nvtx:
    """PyTorch's marks for NVIDIA's and Intel's profilers: there are none here, and to ask for them is an error."""

    def __init__(self, enabled: bool = True, record_shapes: bool = False) -> None:
        self.enabled = enabled

    def __enter__(self) -> "emit_nvtx":
        if self.enabled:
            raise RuntimeError(
                f"{type(self).__name__}: not available in Pullback; use torch.autograd.profiler.profile()"
            )
        return self

    def __exit__(self, *exc: object) -> None:
        pass


class emit_itt(emit_nvtx):
    __doc__ = emit_nvtx.__doc__


def load_nvprof(path: Any) -> EventList:
    """PyTorch's reader of nvprof's traces, of which Pullback writes none."""
    raise RuntimeError(f"load_nvprof: {path}: traces of nvprof are of CUDA programs, which Pullback cannot run")


parse_nvprof_trace = load_nvprof


class EnforceUnique:
    """Raises an error if a key is seen twice."""

    def __init__(self) -> None:
        self.seen: set = set()

    def see(self, *key: Any) -> None:
        if key in self.seen:
            raise RuntimeError("duplicate key: " + str(key))
        self.seen.add(key)


class KinetoStepTracker:
    """The step that a program is in: the furthest that any of those who count (``requester``) have come to."""

    counts: dict[str, int] = {}  # noqa: RUF012  (one for all: the class is never instantiated)

    @classmethod
    def init_step_count(cls, requester: str) -> None:
        cls.counts[requester] = cls.current_step()

    @classmethod
    def erase_step_count(cls, requester: str) -> bool:
        return cls.counts.pop(requester, None) is not None

    @classmethod
    def increment_step(cls, requester: str) -> int:
        cls.counts[requester] = cls.counts.get(requester, cls.current_step()) + 1
        return cls.current_step()

    @classmethod
    def current_step(cls) -> int:
        return max(cls.counts.values(), default=0)
