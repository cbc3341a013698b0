"""Several threads at once: own graphs, shared leaves, shared graphs, and what is made when it is first asked for."""

import subprocess
import sys
import textwrap
import threading

import numpy as np
import pytest

import pullback as torch
from pullback.tape import storage

THREADS = 4


@pytest.fixture(autouse=True)
def switching_often():
    """Threads take turns every few steps, so that few runs meet many interleavings."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    yield
    sys.setswitchinterval(before)


def in_threads(work, count=THREADS):
    """Run ``work(i)`` in several threads that begin together; return what they return, or raise what one raised."""
    found, start = [None] * count, threading.Barrier(count)

    def run(i):
        try:
            start.wait(10)
            found[i] = work(i)
        except BaseException as error:
            found[i] = error

    threads = [threading.Thread(target=run, args=(i,)) for i in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
        assert not thread.is_alive(), "a thread hangs"
    for each in found:
        if isinstance(each, BaseException):
            raise each
    return found


def test_threads_run_backward_on_their_own_graphs():
    def work(i):
        x = torch.tensor([1.0 + i, 2.0], requires_grad=True)
        for _ in range(200):
            x.grad = None
            with torch.no_grad():
                scale = x.detach() * 2
            y = (x * scale).exp().log() + x**2
            y[0:1].mul_(3)
            y.sum().backward()
        return x.grad

    for i, grad in enumerate(in_threads(work)):
        a = np.array([1.0 + i, 2.0])
        np.testing.assert_allclose(grad.numpy(), 4 * a * [3, 1], rtol=1e-5)


@pytest.mark.parametrize("size", [3, 20_000])
def test_nothing_that_threads_add_to_a_shared_leaf_is_lost(size):
    x, rounds = torch.ones(size, requires_grad=True), 60

    def work(i):
        for _ in range(rounds):
            (x * (i + 1.0)).sum().backward()

    for _ in range(3):
        x.grad = None
        in_threads(work)
        np.testing.assert_array_equal(x.grad.numpy(), rounds * sum(range(1, THREADS + 1)))


def test_nothing_is_lost_where_leaves_have_hooks():
    x, seen = torch.ones(2000, requires_grad=True), []
    x.register_hook(lambda grad: seen.append(threading.get_ident()))

    def work(i):
        for _ in range(30):
            (x * 2).sum().backward()
        return threading.get_ident()

    idents = in_threads(work)
    np.testing.assert_array_equal(x.grad.numpy(), 2 * 30 * THREADS)
    assert {ident: seen.count(ident) for ident in idents} == dict.fromkeys(idents, 30)  # in the thread of the pass


def test_a_shared_graph_is_walked_once_or_says_that_it_was_freed():
    for _ in range(60):
        x = torch.tensor([2.0, 3.0], requires_grad=True)
        y = (x * x).exp().log().sum()

        def work(i, y=y):
            try:
                y.backward()
            except RuntimeError as error:
                assert "backward through the graph a second time" in str(error)
                return 0
            return 1

        passed = sum(in_threads(work))
        assert passed >= 1
        np.testing.assert_allclose(x.grad.numpy(), passed * np.array([4.0, 6.0]), rtol=1e-5)


def test_a_retained_graph_serves_many_threads():
    x = torch.tensor([2.0, 3.0], requires_grad=True)
    y = (x * x).exp().log().sum()

    def work(i):
        for _ in range(20):
            (grad,) = torch.autograd.grad(y, x, retain_graph=True)
            np.testing.assert_allclose(grad.numpy(), [4.0, 6.0], rtol=1e-5)
            y.backward(retain_graph=True)

    in_threads(work)
    np.testing.assert_allclose(x.grad.numpy(), 20 * THREADS * np.array([4.0, 6.0]), rtol=1e-4)


def test_a_view_whose_base_was_written_is_brought_up_to_date_for_all_threads():
    for _ in range(40):
        x = torch.tensor([1.0, 2.0, 3.0], requires_grad=True)
        base = x * 1
        view = base[1:]
        base.mul_(5)
        grads = in_threads(lambda i, view=view, x=x: torch.autograd.grad((view * 2).sum(), x, retain_graph=True)[0])
        for grad in grads:
            np.testing.assert_array_equal(grad.numpy(), [0, 10, 10])


def test_a_stale_value_is_found_however_many_threads_write():
    """The newest write is never forgotten for an older one of another thread."""

    def work(i):
        own = torch.ones(3)
        for _ in range(300):
            x = torch.ones(3, requires_grad=True)
            y = x * own
            own.add_(1)
            with pytest.raises(RuntimeError, match="modified by an inplace operation"):
                y.sum().backward()
        return storage.writes_to(own._data).version

    assert in_threads(work) == [300] * THREADS


def test_the_modes_of_threads_do_not_meet():
    def work(i):
        for _ in range(100):
            x = torch.ones(2, requires_grad=True)
            with torch.no_grad() if i % 2 else torch.enable_grad():
                assert (x * 2).requires_grad == (i % 2 == 0)
                with torch.inference_mode(i == 1):
                    assert (x + x).is_inference() == (i == 1)
            assert (x * 2).requires_grad

    in_threads(work)


def test_transforms_run_in_several_threads():
    def work(i):
        x = torch.arange(3.0) + i
        for _ in range(20):
            hessian = torch.func.jacfwd(torch.func.grad(lambda v: (v**3).sum()))(x)
            rows = torch.func.vmap(torch.func.grad(lambda v: v**2))(x)
        return hessian.diagonal().tolist(), rows.tolist()

    for i, (diagonal, rows) in enumerate(in_threads(work)):
        assert diagonal == [6.0 * (i + k) for k in range(3)]
        assert rows == [2.0 * (i + k) for k in range(3)]


def test_a_value_of_a_transform_is_no_value_of_another_threads():
    """Levels are never used twice: what one thread's vmap batches is a constant to another thread's."""

    def outer(x):
        found = []
        thread = threading.Thread(target=lambda: found.append(torch.func.vmap(lambda y: x * y)(torch.ones(2))))
        thread.start()
        thread.join()
        return found[0]

    assert torch.func.vmap(outer)(torch.arange(3.0)).tolist() == [[0.0, 0.0], [1.0, 1.0], [2.0, 2.0]]


def test_what_threads_draw_from_one_generator_is_what_one_thread_would_draw():
    draws, rounds = 16, 50
    torch.manual_seed(0)
    expected = {tuple(torch.rand(draws).tolist()) for _ in range(THREADS * rounds)}
    torch.manual_seed(0)
    found = in_threads(lambda i: [tuple(torch.rand(draws).tolist()) for _ in range(rounds)])
    assert {each for part in found for each in part} == expected


def test_pairs_of_normal_numbers_are_not_torn_by_threads():
    torch.manual_seed(0)
    expected = sorted(torch.randn(1).item() for _ in range(THREADS * 50))
    torch.manual_seed(0)
    found = in_threads(lambda i: [torch.randn(1).item() for _ in range(50)])
    assert sorted(number for part in found for number in part) == expected


def test_what_is_made_when_it_is_first_asked_for_is_made_once():
    program = """
        import sys, threading
        sys.setswitchinterval(1e-6)
        import pullback as torch

        names = ["exp", "matmul", "clamp", "logsumexp", "cat", "where", "cumsum", "sort", "einsum", "softmax"]
        found, start = [[] for _ in range(4)], threading.Barrier(4)

        class Marked(torch.Tensor):
            pass

        def work(i):
            start.wait(10)
            if i == 3:  # meanwhile, another one makes functions ask who wants to take over
                class Asked(torch.Tensor):
                    @classmethod
                    def __torch_function__(cls, func, types, args=(), kwargs=None):
                        return super().__torch_function__(func, types, args, kwargs or {})
            for name in names:
                found[i].append(getattr(torch, name))
                found[i].append(getattr(torch.Tensor, name, None))
            x = torch.ones(3, requires_grad=True)
            y = (x.exp() * x.clamp(0, 2)).cumsum(0).logsumexp(0)
            y.backward()
            found[i].append(type(y.grad_fn))

        threads = [threading.Thread(target=work, args=(i,)) for i in range(4)]
        [t.start() for t in threads]; [t.join(30) for t in threads]
        for parts in zip(*found, strict=True):
            assert all(part is parts[0] for part in parts), parts
        assert len(found[0]) == 2 * len(names) + 1
    """
    for _ in range(3):
        done = subprocess.run(
            [sys.executable, "-c", textwrap.dedent(program)], timeout=60, capture_output=True, text=True
        )
        assert done.returncode == 0, done.stderr


def test_a_training_loop_takes_batches_that_a_thread_prepares():
    from queue import Queue

    torch.manual_seed(0)
    batches: Queue = Queue(2)

    def prepare():
        generator = torch.Generator().manual_seed(1)
        for _ in range(30):
            with torch.no_grad():
                x = torch.rand(8, 3, generator=generator)
                batches.put((x, x @ torch.tensor([[1.0], [2.0], [3.0]])))
        batches.put(None)

    thread = threading.Thread(target=prepare)
    thread.start()
    weight = torch.zeros(3, 1, requires_grad=True)
    losses = []
    while (batch := batches.get(timeout=30)) is not None:
        loss = ((batch[0] @ weight - batch[1]) ** 2).mean()
        losses.append(loss.item())
        weight.grad = None
        loss.backward()
        with torch.no_grad():
            weight -= 0.3 * weight.grad
    thread.join()
    assert losses[-1] < losses[0] / 10


def test_many_tasks_of_one_thread_and_a_pool_of_threads_agree():
    from concurrent.futures import ThreadPoolExecutor

    x = torch.tensor([1.0, 2.0], requires_grad=True)

    def grad_of(k):
        return torch.autograd.grad((x**2 * k).sum(), x)[0].tolist()

    with ThreadPoolExecutor(THREADS) as pool:
        assert list(pool.map(grad_of, range(40))) == [[2.0 * k, 4.0 * k] for k in range(40)]
