"""Run one function in several processes, and be told if one fails."""

import multiprocessing
import multiprocessing.connection
import signal
import sys
import time
import traceback
from collections.abc import Callable
from typing import Any


class ProcessException(Exception):
    """A process failed: which of them, and its id."""

    def __init__(self, msg: str, error_index: int, error_pid: int) -> None:
        super().__init__(msg)
        self.msg, self.error_index, self.error_pid = msg, error_index, error_pid

    def __reduce__(self) -> tuple:
        return type(self), tuple(vars(self).values())


class ProcessRaisedException(ProcessException):
    """A process failed by an exception; the message shows its traceback."""


class ProcessExitedException(ProcessException):
    """A process was killed by a signal, or ended itself with an exit code."""

    def __init__(
        self, msg: str, error_index: int, error_pid: int, exit_code: int, signal_name: str | None = None
    ) -> None:
        super().__init__(msg, error_index, error_pid)
        self.exit_code, self.signal_name = exit_code, signal_name


def run_one(fn: Callable, index: int, args: tuple, report: Any) -> None:
    try:
        fn(index, *args)
    except KeyboardInterrupt:
        pass  # the process that waits for this one got it too
    except Exception:
        report.send(traceback.format_exc())
        sys.exit(1)


class ProcessContext:
    """Processes that were started together."""

    def __init__(self, processes: list, reports: list) -> None:
        self.processes, self._reports = processes, reports
        self.sentinels = {process.sentinel: index for index, process in enumerate(processes)}

    def pids(self) -> list[int]:
        """Their ids."""
        return [process.pid for process in self.processes]

    def join(self, timeout: float | None = None, grace_period: float | None = None) -> bool:
        """Wait until one fails or all are done; whether all are done.

        Raises:
            ProcessRaisedException, ProcessExitedException: one failed. The others have been ended.
        """
        if not self.sentinels:
            return True
        failed = None
        for sentinel in multiprocessing.connection.wait(list(self.sentinels), timeout):
            index = self.sentinels.pop(sentinel)  # type: ignore[call-overload]
            self.processes[index].join()
            if self.processes[index].exitcode:
                failed = index
                break
        if failed is None:
            return not self.sentinels
        self._end_all(grace_period)
        self._tell(failed)
        return False

    def _end_all(self, grace_period: float | None) -> None:
        deadline = time.monotonic() + (grace_period or 0)
        for process in self.processes:
            process.join(max(0, deadline - time.monotonic()))
        for process in self.processes:
            process.terminate()
        for process in self.processes:
            process.join(30 if grace_period is None else grace_period)
            if process.is_alive():
                process.kill()
                process.join()

    def _tell(self, index: int) -> None:
        process, report = self.processes[index], self._reports[index]
        code, pid = process.exitcode, process.pid
        told = received(report)
        if told is not None:
            raise ProcessRaisedException(
                f"\n\n-- Process {index} terminated with the following error:\n{told}", index, pid
            )
        if code > 0:
            raise ProcessExitedException(f"process {index} terminated with exit code {code}", index, pid, code)
        name = signal.Signals(-code).name
        raise ProcessExitedException(f"process {index} terminated with signal {name}", index, pid, code, name)


def received(report: Any) -> str | None:
    """What a process that has ended told of its failure, if anything."""
    try:
        return report.recv() if report.poll() else None
    except EOFError:
        return None


SpawnContext = ProcessContext


def start_processes(
    fn: Callable,
    args: tuple = (),
    nprocs: int = 1,
    join: bool = True,
    daemon: bool = False,
    start_method: str = "spawn",
) -> ProcessContext | None:
    """Call ``fn(index, *args)`` in ``nprocs`` processes, started by the method that is named.

    Raises:
        ProcessRaisedException, ProcessExitedException: one failed, and all were waited for (``join``).
    """
    context: Any = multiprocessing.get_context(start_method)
    processes, reports = [], []
    for index in range(nprocs):
        ours, theirs = context.Pipe(duplex=False)
        process = context.Process(target=run_one, args=(fn, index, args, theirs), daemon=daemon)
        with theirs:
            process.start()
        processes.append(process)
        reports.append(ours)
    started = ProcessContext(processes, reports)
    if not join:
        return started
    try:
        while not started.join():
            pass
    except KeyboardInterrupt:
        started._end_all(1)
        raise
    return None


def spawn(
    fn: Callable,
    args: tuple = (),
    nprocs: int = 1,
    join: bool = True,
    daemon: bool = False,
    start_method: str = "spawn",
) -> ProcessContext | None:
    """Call ``fn(index, *args)`` in ``nprocs`` processes that are started anew; see :func:`start_processes`."""
    return start_processes(fn, args, nprocs, join, daemon, start_method)
