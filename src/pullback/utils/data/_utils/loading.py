"""One pass over a loader's batches, made in this process or by worker processes.

Responsible for the order of things: when indices are drawn, which worker gets them, and in what order batches are
given out. It is PyTorch's, so that samplers and data sets that share a random stream draw the same. Not responsible for
what workers do (``worker``) nor for how batches travel (``transport``).
"""

import copy
import multiprocessing
import os
import signal
import time
import warnings
import weakref
from collections.abc import Iterator
from itertools import cycle
from multiprocessing.connection import wait
from typing import Any

from ..sampler import draw_seed
from . import transport
from .fetch import Fetcher
from .worker import STATUS_INTERVAL, Ended, Failure, Work, run_worker


class Pass:
    """An iterator over a loader's batches."""

    def __init__(self, loader: Any) -> None:
        self._loader, self._dataset = copy.copy(loader), loader.dataset  # a persistent loader holds its iterator
        self._sampler_iter = iter(loader._index_sampler)
        self._base_seed = draw_seed(loader.generator)
        self._num_yielded = 0

    def __iter__(self) -> "Pass":
        return self

    def __next__(self) -> Any:
        batch = self._next_data()
        self._num_yielded += 1
        promised = self._loader._promised
        if promised is not None and self._num_yielded > promised:
            warnings.warn(
                f"Length of IterableDataset {self._dataset} was reported to be {promised} (when accessing "
                f"len(dataloader)), but {self._num_yielded} samples have been fetched. "
                + (UNSHARED if self._loader.num_workers else ""),
                stacklevel=2,
            )
        return batch

    def _next_data(self) -> Any:
        raise NotImplementedError

    def __len__(self) -> int:
        return len(self._loader._index_sampler)

    def __getstate__(self) -> None:
        raise NotImplementedError(f"{type(self).__name__} cannot be pickled")


UNSHARED = (
    "With workers this may be because each of them gives out the whole stream: let the data set's __iter__ take this "
    "worker's share of it (torch.utils.data.get_worker_info())."
)


class PassHere(Pass):
    """A pass whose batches are made in this process, when they are asked for."""

    def __init__(self, loader: Any) -> None:
        super().__init__(loader)
        if loader.timeout:
            raise AssertionError(f"timeout needs num_workers > 0, but got timeout={loader.timeout}")
        self._fetcher = Fetcher(loader.dataset, loader._auto_collation, loader.collate_fn, loader.drop_last)

    def _next_data(self) -> Any:
        return self._fetcher.fetch(next(self._sampler_iter))


class PassOfWorkers(Pass):
    """A pass whose batches are made by worker processes, some ahead of being asked for."""

    def __init__(self, loader: Any) -> None:
        super().__init__(loader)
        work = Work(
            loader.dataset, loader._auto_collation, loader.collate_fn, loader.drop_last, loader.worker_init_fn,
            self._base_seed, loader.num_workers,
        )  # fmt: skip
        self._crew = Crew(work, loader.multiprocessing_context or multiprocessing.get_context())
        weakref.finalize(self, self._crew.dismiss)  # also when the interpreter ends
        self._epoch = -1
        self._begin()

    @property
    def is_over(self) -> bool:
        """Whether there are no workers any more."""
        return not self._crew.is_at_work

    def _reset(self, loader: Any) -> None:
        """Begin another pass with the same workers."""
        self._loader._promised = loader._promised
        self._sampler_iter = iter(self._loader._index_sampler)
        self._num_yielded = 0
        self._begin()

    def _begin(self) -> None:
        workers = self._loader.num_workers
        self._epoch += 1
        self._active = [True] * workers
        self._load = [0] * workers
        self._turns: Iterator[int] = cycle(range(workers))
        self._asked: dict[int, int] = {}  # the number of a batch that is not given out yet -> its worker
        self._early: dict[int, Any] = {}  # batches that came before their turn
        self._next_task = self._next_given = 0
        for _ in range(self._loader.prefetch_factor * workers):
            self._ask()

    def _ask(self) -> None:
        """Give the next indices to the worker whose turn it is."""
        indices = next(self._sampler_iter, NONE_LEFT)
        worker = None if indices is NONE_LEFT else self._next_worker()
        if worker is None:
            return
        self._crew.ask(worker, (self._epoch, self._next_task, indices))
        self._asked[self._next_task] = worker
        self._load[worker] += 1
        self._next_task += 1

    def _next_worker(self) -> int | None:
        most = self._loader.prefetch_factor * len(self._active) // max(1, sum(self._active))
        for _ in self._active:
            worker = next(self._turns)
            if self._active[worker] and (self._loader.in_order or self._load[worker] < most):
                return worker
        return None

    def _next_data(self) -> Any:
        while self._skip_what_never_comes():
            if self._loader.in_order and self._next_given in self._early:
                return self._given(self._next_given, self._early.pop(self._next_given))
            number, batch = self._received()
            if isinstance(batch, Ended):
                self._end_stream(number)
            elif number == self._next_given or not self._loader.in_order:
                return self._given(number, batch)
            else:
                self._early[number] = batch
        if not self._loader.persistent_workers:
            self._crew.dismiss()
        raise StopIteration

    def _skip_what_never_comes(self) -> bool:
        """Go on to the next batch that may still come; whether there is one."""
        while self._next_given < self._next_task:
            worker = self._asked.get(self._next_given)
            if worker is not None and (self._active[worker] or self._next_given in self._early):
                return True
            self._asked.pop(self._next_given, None)
            self._next_given += 1
        return False

    def _received(self) -> tuple[int, Any]:
        while True:
            try:
                epoch, number, batch = self._crew.receive(self._loader.timeout)
            except KeyboardInterrupt:
                self._crew.dismiss(patience=0)
                raise
            if epoch == self._epoch:  # else it was asked for in a pass that was left early
                if number in self._asked:
                    self._load[self._asked[number]] -= 1
                return number, batch

    def _end_stream(self, number: int) -> None:
        worker = self._asked.pop(number, None)
        if worker is not None and self._active[worker]:
            self._active[worker] = False
            if not self._loader.persistent_workers:
                self._crew.release(worker)
            self._ask()

    def _given(self, number: int, batch: Any) -> Any:
        self._asked.pop(number)
        self._ask()
        if isinstance(batch, Failure):
            batch.reraise()
        return batch


NONE_LEFT = object()

# The loaders' ends of all connections. A forked process closes its copies, lest a worker wait for tasks from nobody.
OPEN: weakref.WeakSet = weakref.WeakSet()

if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=lambda: [connection.close() for connection in list(OPEN)])


class Crew:
    """The worker processes of a loader, with a connection to each."""

    def __init__(self, work: Work, context: Any) -> None:
        self._processes: list[Any] = []
        self._connections: list[Any] = []
        try:
            for number in range(work.workers):
                self._start(work, number, context)
        except BaseException:
            self.dismiss()
            raise

    def _start(self, work: Work, number: int, context: Any) -> None:
        ours, theirs = context.Pipe()
        self._connections.append(ours)
        OPEN.add(ours)
        process = context.Process(target=run_worker, args=(work, number, theirs), daemon=True)
        with theirs, warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # BLAS has threads, and knows of forks
            process.start()
        self._processes.append(process)

    @property
    def is_at_work(self) -> bool:
        """Whether the workers have not been dismissed."""
        return bool(self._processes)

    def ask(self, worker: int, task: tuple) -> None:
        """Send a worker a task."""
        try:
            self._connections[worker].send(task)
        except (BrokenPipeError, ConnectionResetError):
            self._fail(worker)

    def receive(self, timeout: float) -> Any:
        """The next answer of any worker.

        Raises:
            RuntimeError: a worker died, or none answered in ``timeout`` seconds, if that is not zero.
        """
        working = [connection for connection in self._connections if not connection.closed]
        ready = wait(working, timeout or None)
        if not ready:
            raise RuntimeError(f"DataLoader timed out after {timeout} seconds")
        connection: Any = ready[0]
        try:
            return transport.receive(connection)
        except (EOFError, ConnectionResetError):
            return self._fail(self._connections.index(connection))

    def _fail(self, worker: int) -> None:
        process = self._processes[worker]
        process.join(STATUS_INTERVAL)
        pid, code = process.pid, process.exitcode
        self.dismiss()
        if code is not None and code < 0:
            raise RuntimeError(f"DataLoader worker (pid {pid}) is killed by signal: {signal.strsignal(-code)}. ")
        raise RuntimeError(f"DataLoader worker (pid(s) {pid}) exited unexpectedly with exit code {code}")

    def release(self, worker: int) -> None:
        """Let a worker go that has no more to do."""
        self._connections[worker].close()

    def dismiss(self, patience: float = STATUS_INTERVAL) -> None:
        """End all workers: as soon as they are done with what they are at, or by force after ``patience`` seconds."""
        for connection in self._connections:
            connection.close()
        deadline = time.monotonic() + patience
        for process in self._processes:
            try:
                process.join(max(0.0, deadline - time.monotonic()))
                if process.is_alive():
                    process.terminate()
                    process.join()
            except (AssertionError, ValueError):  # a process that belongs to this one's parent
                pass
        self._processes = []
