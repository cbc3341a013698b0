"""Loaders with worker processes: order and seeds as in PyTorch, failures that are told, and nobody left behind."""

import contextlib
import gc
import os
import random
import signal
import subprocess
import sys
import textwrap
import time
from multiprocessing import active_children

import numpy as np
import pytest

import pullback as pb
from pullback.utils import data

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="needs processes that start quickly")


def random_set(library, data):
    """A data set of seven samples of everything that a worker's seed decides."""

    class Random(data.Dataset):
        def __len__(self):
            return 7

        def __getitem__(self, i):
            worker = data.get_worker_info()
            drawn = library.rand(2), float(np.random.rand()), random.random()
            return i, *drawn, worker.id, worker.num_workers, worker.seed

    return Random()


def stream_of(data, count):
    """A stream of which every worker takes its share."""

    class Shared(data.IterableDataset):
        def __iter__(self):
            worker = data.get_worker_info()
            return iter(range(worker.id, count, worker.num_workers))

        def __len__(self):
            return count

    return Shared()


def plain(value):
    return value.tolist() if hasattr(value, "tolist") else list(map(plain, value)) if isinstance(value, list) else value


def twice(library, data, dataset, **options):
    """Two passes over a loader, and what the default stream gives then."""
    library.manual_seed(3)
    if "generator" in options:
        options["generator"] = library.Generator().manual_seed(options["generator"])
    loader = data.DataLoader(dataset, num_workers=2, **options)
    return [plain(list(loader)) for _ in range(2)], library.rand(2).tolist()


@pytest.mark.parametrize(
    "options",
    [
        dict(batch_size=2), dict(batch_size=3, shuffle=True, drop_last=True), dict(batch_size=None),
        dict(batch_size=2, shuffle=True, persistent_workers=True), dict(batch_sampler=[[1, 2], [3]]),
        dict(shuffle=True, prefetch_factor=1, generator=5),
    ],
    ids=str,
)  # fmt: skip
def test_order_and_seeds_are_pytorchs(options, torch):
    import torch.utils.data as theirs

    expected = twice(torch, theirs, random_set(torch, theirs), **options)
    assert twice(pb, data, random_set(pb, data), **options) == expected


@pytest.mark.parametrize(
    "options", [dict(batch_size=2), dict(batch_size=3, drop_last=True), dict(batch_size=None)], ids=str
)
@pytest.mark.parametrize("count", [7, 1, 0])
def test_streams_come_in_pytorchs_order(options, count, torch):
    import torch.utils.data as theirs

    expected = twice(torch, theirs, stream_of(theirs, count), **options)
    assert twice(pb, data, stream_of(data, count), **options) == expected


class At(data.Dataset):
    """Nine samples, the numbers themselves; at one index something happens."""

    def __init__(self, index, happens):
        self.index, self.happens = index, happens

    def __len__(self):
        return 9

    def __getitem__(self, i):
        if i == self.index:
            return self.happens(i)
        return i


def fail(i):
    raise KeyError(f"no sample {i}")


def test_a_failure_shows_the_workers_own_traceback_and_the_next_batches_follow():
    batches = iter(data.DataLoader(At(2, fail), num_workers=2))
    assert [next(batches).item() for _ in range(2)] == [0, 1]
    with pytest.raises(KeyError) as raised:
        next(batches)
    message = str(raised.value)
    assert message.startswith(
        "Caught KeyError in DataLoader worker process 0.\nOriginal Traceback (most recent call last):"
    )
    assert f'File "{__file__}", line' in message and message.endswith("KeyError: 'no sample 2'\n")
    assert [batch.item() for batch in batches] == [3, 4, 5, 6, 7, 8]


class Picky(Exception):
    def __init__(self, one, two):
        super().__init__(one, two)


def pick(i):
    raise Picky(1, 2)


def hide(i):
    class Hidden(Exception):
        pass

    raise Hidden("unseen")


@pytest.mark.parametrize("happens, name", [(pick, "Picky"), (hide, "Hidden")])
def test_exceptions_that_cannot_be_made_anew_become_runtime_errors(happens, name):
    with pytest.raises(RuntimeError, match=f"Caught {name} in DataLoader worker process 0"):
        list(data.DataLoader(At(0, happens), num_workers=1))


def test_a_batch_that_cannot_be_pickled_is_an_error():
    with pytest.raises(Exception, match=r"(?s)Caught .*pickle"):
        list(data.DataLoader(At(0, lambda i: lambda: i), num_workers=1, batch_size=None))
    with pytest.raises(RuntimeError, match="Cowardly refusing"):
        list(data.DataLoader([pb.ones(2, requires_grad=True)], num_workers=1))


def test_a_failing_worker_init_fn_is_told():
    with pytest.raises(KeyError, match="no sample 1"):
        list(data.DataLoader(At(0, int), num_workers=2, worker_init_fn=lambda number: number and fail(number)))


@pytest.mark.parametrize(
    "happens, message",
    [
        (lambda i: os.kill(os.getpid(), signal.SIGKILL), "is killed by signal: Killed"),
        (lambda i: os._exit(3), "exit code 3"),
    ],
)
def test_a_dead_worker_is_an_error_at_once(happens, message):
    begun = time.monotonic()
    with pytest.raises(RuntimeError, match=rf"DataLoader worker \(pid.*{message}"):
        list(data.DataLoader(At(2, happens), num_workers=2))
    assert time.monotonic() - begun < 4 and not active_children()


def test_workers_end_with_their_failed_pass_without_a_collection_of_garbage():
    before = set(active_children())
    gc.disable()
    try:
        with contextlib.suppress(ValueError):
            list(data.DataLoader(At(2, lambda i: int("x")), num_workers=2))
        assert set(active_children()) <= before
    finally:
        gc.enable()


def test_a_slow_worker_runs_into_the_timeout():
    with pytest.raises(RuntimeError, match=r"DataLoader timed out after 0\.2 seconds"):
        list(data.DataLoader(At(2, lambda i: time.sleep(1)), num_workers=1, timeout=0.2))


def test_workers_end_with_the_pass_or_stay_for_the_next():
    loader = data.DataLoader(At(0, int), num_workers=2)
    list(loader)
    assert not active_children()
    for _ in loader:
        break
    assert not active_children()  # the iterator is gone
    loader = data.DataLoader(At(0, int), num_workers=2, persistent_workers=True)
    for _ in loader:
        break
    first = {process.pid for process in active_children()}
    assert [batch.item() for batch in loader] == list(range(9))  # nothing is left over from the pass before
    assert {process.pid for process in active_children()} == first and len(first) == 2
    del loader
    assert not active_children()


def test_batches_may_come_out_of_order():
    loader = data.DataLoader(At(0, lambda i: time.sleep(0.3) or 0), num_workers=2, in_order=False)
    found = [batch.item() for batch in loader]
    assert sorted(found) == list(range(9)) and found[0] == 1


@pytest.mark.parametrize("dtype", [pb.float32, pb.bfloat16, pb.bool, pb.complex64], ids=str)
@pytest.mark.parametrize("shape", [(2, 3), (200, 300), (0, 4)], ids=str)
def test_batches_arrive_as_they_were_made(shape, dtype):
    samples = [pb.ones(shape).to(dtype), pb.zeros(shape).to(dtype).t().contiguous().t()]
    (batch,) = data.DataLoader(samples, batch_size=2, num_workers=1)
    assert batch.dtype is dtype and batch.shape == (2, *shape) and pb.equal(batch, pb.stack(samples))
    batch[:1] = batch[1:]  # their memory is their own
    assert not batch.any()


def test_a_view_is_sent_without_the_storage_it_belongs_to():
    whole = pb.zeros(1000, 1000)
    from pullback.utils.data._utils.transport import packed

    assert sum(part.nbytes for part in packed(whole[3])) < 5000


def test_more_workers_than_processors_is_a_warning():
    with pytest.warns(UserWarning, match="will create 999 worker processes"):
        data.DataLoader([1], num_workers=999)


def test_workers_may_be_spawned(tmp_path):
    script = """
        import torch
        from torch.utils.data import DataLoader, Dataset, get_worker_info

        class Mine(Dataset):
            def __len__(self):
                return 4

            def __getitem__(self, i):
                return torch.tensor(i), get_worker_info().id

        if __name__ == "__main__":
            for batch in DataLoader(Mine(), num_workers=2, batch_size=2, multiprocessing_context="spawn"):
                print(batch)
    """
    (tmp_path / "script.py").write_text(
        textwrap.dedent(script)
        .replace("import torch\n", "import pullback as torch\n")
        .replace("torch.utils", "pullback.utils")
    )
    done = subprocess.run([sys.executable, "script.py"], cwd=tmp_path, capture_output=True, text=True)
    assert done.stdout == "[tensor([0, 1]), tensor([0, 0])]\n[tensor([2, 3]), tensor([1, 1])]\n", done.stderr


# -- however the program ends ------------------------------------------------------------------------------------------

ENDS = """
    import os, sys, time
    from multiprocessing import active_children
    from pullback.utils.data import DataLoader, Dataset

    class Slow(Dataset):
        def __len__(self):
            return 9

        def __getitem__(self, i):
            time.sleep(0 if i < 4 else 60)
            return i

    for number, batch in enumerate(DataLoader(Slow(), num_workers=2)):
        if number == 0:
            print(*[process.pid for process in active_children()], flush=True)
        if number == 2 and sys.argv[1] == "exception":
            for process in active_children():  # shorter than the loader's own patience
                process.kill()
            raise ValueError("in the loop")
"""


@pytest.mark.parametrize("how", ["exception", "SIGINT", "SIGTERM", "SIGKILL"])
def test_no_process_is_left_behind(how, tmp_path):
    (tmp_path / "script.py").write_text(textwrap.dedent(ENDS))
    process = subprocess.Popen(
        [sys.executable, "script.py", how],
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )
    workers = [int(pid) for pid in process.stdout.readline().split()]
    assert len(workers) == 2
    assert how == "exception" or all(map(is_alive, workers))  # there the script goes on to its end
    time.sleep(0.3)
    if how == "SIGINT":
        os.killpg(process.pid, signal.SIGINT)  # as a terminal does: to all of them
    elif how != "exception":
        process.send_signal(getattr(signal, how))
    errors = process.communicate(timeout=20)[1]
    if how in ("exception", "SIGINT"):
        assert errors.count("Traceback") == 1, errors  # the workers say nothing
        assert errors.splitlines()[-1].startswith("ValueError" if how == "exception" else "KeyboardInterrupt")
    deadline = time.monotonic() + 3
    while any(map(is_alive, workers)) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not any(map(is_alive, workers))


def is_alive(pid):
    try:
        with open(f"/proc/{pid}/stat") as status:
            return status.read().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False
