"""``torch.utils.benchmark``: how long a statement takes."""

import statistics
import timeit
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from ..runtime import get_num_threads, set_num_threads

__all__ = ["Compare", "Measurement", "Timer", "timer"]

timer = timeit.default_timer

UNITS = ((1.0, "s"), (1e-3, "ms"), (1e-6, "us"), (1e-9, "ns"))


def shown_time(seconds: float) -> str:
    """A time in the unit that fits it."""
    scale, unit = next((each for each in UNITS if seconds >= each[0]), UNITS[-1])
    return f"{seconds / scale:.2f} {unit}"


@dataclass
class Measurement:
    """The times that a statement took: ``raw_times`` of so many seconds for ``number_per_run`` runs each."""

    number_per_run: int
    raw_times: list[float]
    task_spec: dict[str, Any] = field(default_factory=dict)
    metadata: dict[Any, Any] | None = None

    @property
    def times(self) -> list[float]:
        """Seconds a run."""
        return [time / self.number_per_run for time in self.raw_times]

    @property
    def median(self) -> float:
        """The median of the seconds a run."""
        return statistics.median(self.times)

    @property
    def mean(self) -> float:
        """The mean of the seconds a run."""
        return statistics.fmean(self.times)

    @property
    def iqr(self) -> float:
        """The distance between the quartiles of the seconds a run."""
        if len(self.times) < 2:
            return 0.0
        low, _, high = statistics.quantiles(self.times, n=4, method="inclusive")
        return high - low

    @property
    def title(self) -> str:
        """What was measured."""
        return self.task_spec.get("label") or self.task_spec["stmt"]

    def __repr__(self) -> str:
        count = f"{len(self.times)} measurements" if len(self.times) > 1 else "1 measurement"
        threads = self.task_spec.get("num_threads", 1)
        return (
            f"<pullback.utils.benchmark.Measurement object at {hex(id(self))}>\n{self.title}\n"
            f"  {shown_time(self.median)}\n  {count}, {self.number_per_run} runs per measurement, {threads} "
            f"thread{'s' if threads > 1 else ''}"
        )


class Timer:
    """Measures a statement, on ``num_threads`` threads, after one run that does not count.

    >>> from pullback.utils.benchmark import Timer
    >>> Timer("x + 1", globals={"x": 2}).timeit(10).number_per_run
    10
    """

    def __init__(
        self,
        stmt: str = "pass",
        setup: str = "pass",
        global_setup: str = "",
        timer: Callable[[], float] = timer,
        globals: dict[str, Any] | None = None,
        label: str | None = None,
        sub_label: str | None = None,
        description: str | None = None,
        env: str | None = None,
        num_threads: int = 1,
        language: Any = "python",
    ) -> None:
        if str(language).rpartition(".")[2].lower() not in ("python", "py"):
            raise ValueError(f"Timer: statements in Python can be measured, but got language={language!r}")
        names = {"torch": __import__("pullback"), **(globals or {})}
        self._timer = timeit.Timer(stmt, setup, timer, names)
        self._num_threads = num_threads
        self._task_spec = {
            "stmt": stmt, "setup": setup, "label": label, "sub_label": sub_label, "description": description, "env": env,
            "num_threads": num_threads,
        }  # fmt: skip

    def _measured(self, number: int, runs: Callable[[], list[float]]) -> Measurement:
        before = get_num_threads()
        set_num_threads(self._num_threads)
        try:
            self._timer.timeit(1)
            return Measurement(number, runs(), self._task_spec)
        finally:
            set_num_threads(before)

    def timeit(self, number: int = 1000000) -> Measurement:
        """One time, of ``number`` runs."""
        return self._measured(number, lambda: [self._timer.timeit(number)])

    def repeat(self, repeat: int = -1, number: int = -1) -> list[float]:
        """The seconds that ``number`` runs took, ``repeat`` times."""
        return self._timer.repeat(max(repeat, 1), max(number, 1))

    def blocked_autorange(self, callback: Callable | None = None, min_run_time: float = 0.2) -> Measurement:
        """Times of blocks of runs, each long enough to be measured, for ``min_run_time`` seconds in all."""
        number = 1
        while (taken := self._timer.timeit(number)) < min(0.001, min_run_time / 2):
            number *= max(2, min(10, int(0.001 / max(taken, 1e-9))))

        def runs() -> list[float]:
            times: list[float] = []
            while sum(times) < min_run_time:
                times.append(self._timer.timeit(number))
                if callback is not None:
                    callback(number, times[-1])
            return times

        return self._measured(number, runs)

    def adaptive_autorange(
        self, threshold: float = 0.1, *, min_run_time: float = 0.01, max_run_time: float = 10.0, callback: Any = None
    ) -> Measurement:
        """Times of blocks of runs, until their quartiles are near their median, relative to it."""
        found = self.blocked_autorange(callback, min_run_time)
        while sum(found.raw_times) < max_run_time and (len(found.times) < 4 or found.iqr > threshold * found.median):
            found.raw_times += self._timer.repeat(4, found.number_per_run)
        return found


class Compare:
    """A table of measurements: a row for each sub-label, a column for each description."""

    def __init__(self, results: Iterable[Measurement]) -> None:
        self._results: list[Measurement] = list(results)

    def extend_results(self, results: Sequence[Measurement]) -> None:
        """Add measurements."""
        self._results.extend(results)

    def trim_significant_figures(self) -> None:
        """Accepted: figures are short as they are."""

    def colorize(self, rowwise: bool = False) -> None:
        """Accepted: the table has no colours."""

    def highlight_warnings(self) -> None:
        """Accepted: nothing is highlighted."""

    def __str__(self) -> str:
        specs = [found.task_spec for found in self._results]
        columns = list(dict.fromkeys(str(spec.get("description") or "time") for spec in specs))
        cells: dict[str, dict[str, str]] = {}
        for spec, found in zip(specs, self._results, strict=True):
            row = cells.setdefault(str(spec.get("sub_label") or spec["stmt"]), {})
            row[str(spec.get("description") or "time")] = shown_time(found.median)
        rows = [["", *columns], *([name, *(row.get(column, "") for column in columns)] for name, row in cells.items())]
        widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
        lines = [" | ".join(cell.rjust(width) for cell, width in zip(row, widths, strict=True)) for row in rows]
        return "\n".join([specs[0].get("label") or "", *lines]) if specs else ""

    def print(self) -> None:
        """Print the table."""
        print(self)
