"""Other processes: backward passes after a fork, tensors sent to workers, and what a child starts with."""

import multiprocessing
import os
import pickle
import sys
import threading

import pytest

import pullback as torch
from pullback.tape import engine

needs_fork = pytest.mark.skipif(not hasattr(os, "fork"), reason="the platform has no fork")
pytestmark = [
    # Python warns where a program with threads forks: just what some of these tests do on purpose.
    pytest.mark.filterwarnings("ignore:.*multi-threaded.*:DeprecationWarning"),
]


def in_child(work):
    """What ``work()`` returns in a forked child; an exception there is raised here."""
    read, write = os.pipe()
    pid = os.fork()
    if not pid:
        try:
            found = work()
        except BaseException as error:
            found = error
        try:
            os.write(write, pickle.dumps(found))
        finally:
            os._exit(0)
    os.close(write)
    with open(read, "rb") as answer:
        found = pickle.loads(answer.read())
    os.waitpid(pid, 0)
    if isinstance(found, BaseException):
        raise found
    return found


def grad_of_square(x):
    return torch.autograd.grad((x * x).sum(), x)[0]


@needs_fork
def test_a_child_runs_backward_after_the_parent_did():
    x = torch.tensor([1.0, 2.0], requires_grad=True)
    y = (x * x).sum()
    y.backward(retain_graph=True)

    def work():
        y.backward()  # the parent's graph
        (x * 3).sum().backward()  # and one of its own
        return x.grad.tolist()

    assert in_child(work) == [2 * 2 + 3.0, 2 * 4 + 3.0]
    assert x.grad.tolist() == [2.0, 4.0]  # the parent's own is as it was
    y.backward()
    assert x.grad.tolist() == [4.0, 8.0]


@needs_fork
def test_a_child_runs_backward_whatever_locks_other_threads_held():
    x = torch.ones(2, requires_grad=True)
    held, done = threading.Event(), threading.Event()

    def hold():
        with engine.accumulating, torch.random.default_generator._lock:
            held.set()
            done.wait(30)

    thread = threading.Thread(target=hold)
    thread.start()
    held.wait(30)
    try:
        assert in_child(lambda: (grad_of_square(x).tolist(), (x * x).sum().backward(), torch.rand(1).shape[0])) == (
            [2.0, 2.0],
            None,
            1,
        )
    finally:
        done.set()
        thread.join()


@needs_fork
def test_a_child_starts_with_the_modes_of_the_fork():
    x = torch.ones(2, requires_grad=True)

    def work():
        inside = (x * 2).requires_grad
        with torch.enable_grad():
            return inside, (x * 2).requires_grad, grad_of_square(x).tolist()

    with torch.no_grad():
        assert in_child(work) == (False, True, [2.0, 2.0])
    assert (x * 2).requires_grad


@needs_fork
def test_a_child_continues_the_random_stream_where_the_parent_was():
    torch.manual_seed(3)
    torch.randn(3)  # half of a pair is left over
    numbers = in_child(lambda: torch.randn(5).tolist() + torch.rand(2).tolist())
    assert numbers == torch.randn(5).tolist() + torch.rand(2).tolist()


@needs_fork
def test_a_child_of_a_hook_walks_graphs_too():
    x, found = torch.ones(2, requires_grad=True), []
    y = x * 2
    y.register_hook(lambda grad: found.append(in_child(lambda: torch.enable_grad()(grad_of_square)(x).tolist())))
    y.sum().backward()
    assert found == [[2.0, 2.0]]


def serve(pipe, queue):
    """In a worker: take tensors, send gradients and what else the parent asks."""
    torch.set_grad_enabled(True)
    while True:
        item = pipe.recv()
        if item is None:
            return
        x, weight = item
        loss = (x @ weight).square().sum()
        loss.backward()
        queue.put((weight.grad, weight.requires_grad, loss.detach(), os.getpid()))


@pytest.mark.parametrize("method", [m for m in ("fork", "spawn") if m in multiprocessing.get_all_start_methods()])
def test_workers_take_tensors_and_send_gradients_back(method):
    context = multiprocessing.get_context(method)
    mine, theirs = context.Pipe()
    queue = context.Queue()
    weight, x = torch.tensor([[1.0], [2.0]], requires_grad=True), torch.tensor([[1.0, 1.0], [0.5, 2.0]])
    (x @ weight).sum().backward()  # a pass before the fork
    worker = context.Process(target=serve, args=(theirs, queue))
    worker.start()
    try:
        for _ in range(2):
            mine.send((x, weight))
            grad, requires_grad, loss, pid = queue.get(timeout=60)
            expected = torch.autograd.grad((x @ weight).square().sum(), weight)[0]
            assert (grad.tolist(), requires_grad) == (expected.tolist(), True)
            assert loss.item() == pytest.approx(29.25)
            assert pid == worker.pid
        mine.send(None)
        worker.join(30)
        assert worker.exitcode == 0
    finally:
        worker.kill()


@needs_fork
def test_a_pool_of_forked_workers_computes_gradients():
    with multiprocessing.get_context("fork").Pool(2) as pool:
        tensors = [torch.tensor([1.0, float(k)], requires_grad=True) for k in range(4)]
        assert [g.tolist() for g in pool.map(grad_of_square, tensors)] == [[2.0, 2.0 * k] for k in range(4)]


def test_importing_starts_no_thread_and_no_process():
    program = "import threading, sys, pullback, pullback.nn, pullback.optim; print(threading.active_count())"
    import subprocess

    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60)
    assert done.stdout.strip() == "1", done.stderr
