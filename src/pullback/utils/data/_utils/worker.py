"""The worker processes of a loader: what runs in one of them.

A worker takes tasks from its connection and answers each, in order: ``(epoch, number, indices)`` with ``(epoch, number,
batch)``. It ends when its loader closes the connection or is gone.
"""

import os
import pickle
import random as python_random
import signal
import time
import traceback
from collections.abc import Iterator
from dataclasses import dataclass
from queue import SimpleQueue
from threading import Thread
from typing import Any

import numpy as np

from .... import random
from . import transport
from .fetch import Fetcher

STATUS_INTERVAL = 5.0  # seconds after which a worker looks whether its loader is alive


@dataclass(frozen=True, slots=True)
class WorkerInfo:
    """What code in a worker process can know of it: its number, how many there are, its seed, its copy of the data set."""

    id: int
    num_workers: int
    seed: int
    dataset: Any
    rng: Any = None
    worker_method: str | None = "multiprocessing"


_worker_info: WorkerInfo | None = None


def get_worker_info() -> WorkerInfo | None:
    """What a data set learns about the worker process that it runs in; None in the main process."""
    return _worker_info


class Ended:
    """In place of a batch: the worker's stream has ended."""


class KeyErrorMessage(str):
    """A message that ``KeyError`` shows as it is; it shows the repr of a string."""

    __repr__ = str.__str__


class Failure:
    """In place of a batch: the exception being handled, with its traceback as text."""

    def __init__(self, where: str, error: BaseException) -> None:
        self.kind, self.name, self.where = picklable(type(error)), type(error).__name__, where
        self.text = "".join(traceback.format_exception(error.with_traceback(own_frames(error.__traceback__))))

    def reraise(self) -> None:
        """Raise an exception of the same type, whose message shows the worker's traceback."""
        raise self.made_anew()  # a local name for it would keep its frames, and so the loader, until a collection of garbage

    def made_anew(self) -> Exception:
        message = f"Caught {self.name} {self.where}.\nOriginal {self.text}"
        if self.kind is KeyError:
            message = KeyErrorMessage(message)
        try:
            return self.kind(message)
        except Exception:  # a type that is made of something else than a message
            return RuntimeError(message)


def picklable(kind: type) -> type:
    """An exception's type, if the loader's process can find it."""
    try:
        pickle.dumps(kind)
    except Exception:
        return RuntimeError
    return kind


def own_frames(trace: Any) -> Any:
    """A traceback without the frames of this folder at its top, which say nothing to the data set's author."""
    here = os.path.dirname(__file__)
    while trace is not None and trace.tb_next and os.path.dirname(trace.tb_frame.f_code.co_filename) == here:
        trace = trace.tb_next
    return trace


@dataclass
class Work:
    """What all workers of a loader are given."""

    dataset: Any
    in_batches: bool
    collate_fn: Any
    drop_last: bool
    init_fn: Any
    seed: int
    workers: int


def run_worker(work: Work, number: int, connection: Any) -> None:
    """The life of a worker."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the loader's process too, which then ends this one
    where = f"in DataLoader worker process {number}"
    failure = None
    try:
        set_up(work, number)
    except Exception as error:
        failure = Failure(where, error)
    try:
        answer_tasks(work, connection, where, failure)
    except (EOFError, BrokenPipeError, ConnectionResetError):
        pass  # the loader has closed the connection
    finally:
        connection.close()


def set_up(work: Work, number: int) -> None:
    """Seed everything random as PyTorch does, and call the user's function."""
    global _worker_info
    from ....runtime import set_num_threads

    set_num_threads(1)
    seed = work.seed + number
    python_random.seed(seed)
    random.manual_seed(seed)
    np.random.seed(np.random.SeedSequence([number, work.seed & 0xFFFFFFFF, work.seed >> 32, 0]).generate_state(4))
    _worker_info = WorkerInfo(number, work.workers, seed, work.dataset)
    if work.init_fn is not None:
        work.init_fn(number)


def answer_tasks(work: Work, connection: Any, where: str, failure: Failure | None) -> None:
    epoch = fetcher = None
    for asked, task, indices in tasks_from(connection):
        try:
            if failure is None and asked != epoch:
                fetcher, epoch = Fetcher(work.dataset, work.in_batches, work.collate_fn, work.drop_last), asked
            parts = transport.packed((asked, task, failure or result_of(fetcher, indices)))
        except Exception as error:
            parts = transport.packed((asked, task, Failure(where, error)))
        transport.send(connection, parts)
        del parts  # not kept while the next batch is made


def tasks_from(connection: Any) -> Iterator:
    """The tasks, until the loader closes the connection. A thread takes them, so that the loader never waits to send."""
    queue: SimpleQueue = SimpleQueue()
    Thread(target=take_tasks, args=(connection, queue, os.getppid()), daemon=True).start()
    return iter(queue.get, None)


def take_tasks(connection: Any, queue: SimpleQueue, parent: int) -> None:
    try:
        while True:
            while not connection.poll(STATUS_INTERVAL):
                if os.getppid() != parent:
                    raise EOFError
            queue.put(connection.recv())
    except (EOFError, OSError):
        queue.put(None)
    while os.getppid() == parent:
        time.sleep(0.2)
    os._exit(1)  # whatever the data set is at: nobody is left to wait for it


def result_of(fetcher: Any, indices: Any) -> Any:
    try:
        return fetcher.fetch(indices)
    except StopIteration as error:
        if fetcher.stream is None:
            raise error
        return Ended()
