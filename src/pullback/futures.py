"""``torch.futures``: results that arrive later, as callbacks and other threads hand them over."""

from collections.abc import Callable, Sequence
from threading import Condition, RLock
from typing import Any, Generic, TypeVar

__all__ = ["Future", "collect_all", "wait_all"]

T = TypeVar("T")


class Future(Generic[T]):
    """A result that is set once, by ``set_result`` or ``set_exception``, and waited for by whoever needs it.

    Callbacks run in the thread that sets the result, or at once if it is there.
    """

    def __init__(self, *, devices: list | None = None) -> None:
        self._changed = Condition(RLock())
        self._is_done = False
        self._value: Any = None
        self._error: BaseException | None = None
        self._callbacks: list[Callable] = []

    def done(self) -> bool:
        """Whether there is a result or an exception."""
        return self._is_done

    def wait(self) -> T:
        """The result, once it is there; raises the exception that was set instead."""
        with self._changed:
            self._changed.wait_for(self.done)
        return self.value()

    def value(self) -> T:
        """The result that is there; raises RuntimeError where there is none yet."""
        if not self._is_done:
            raise RuntimeError("Future.value: the result is not there yet; wait() waits for it")
        if self._error is not None:
            raise self._error
        return self._value

    def set_result(self, result: T) -> None:
        """Set the result, wake who waits, and run the callbacks."""
        self._complete(result, None)

    def set_exception(self, result: BaseException) -> None:
        """Set an exception in the result's place: ``wait`` and ``value`` raise it."""
        if not isinstance(result, Exception):
            raise AssertionError(f"{result!r} is of type {type(result)}, not an Exception.")
        self._complete(None, result)

    def add_done_callback(self, callback: Callable[["Future[T]"], None]) -> None:
        """Call ``callback(future)`` when the result is there."""
        with self._changed:
            if not self._is_done:
                self._callbacks.append(callback)
                return
        callback(self)

    def then(self, callback: Callable[["Future[T]"], Any]) -> "Future":
        """The future of what ``callback(future)`` will return, or raise."""
        following: Future = Future()

        def follow(done: Future) -> None:
            try:
                following.set_result(callback(done))
            except Exception as error:
                following.set_exception(error)

        self.add_done_callback(follow)
        return following

    def _complete(self, value: Any, error: BaseException | None) -> None:
        with self._changed:
            if self._is_done:
                raise RuntimeError(
                    "Future already completed: its result is set once; make a new Future for another result"
                )
            self._is_done, self._value, self._error = True, value, error
            callbacks, self._callbacks = self._callbacks, []
            self._changed.notify_all()
        for callback in callbacks:
            callback(self)


def collect_all(futures: Sequence[Future]) -> Future[list[Future]]:
    """The future of all these futures, done when the last of them is."""
    result: Future[list[Future]] = Future()
    missing = [len(futures)]
    lock = RLock()

    def count(_: Future) -> None:
        with lock:
            missing[0] -= 1
            is_last = missing[0] == 0
        if is_last:
            result.set_result(list(futures))

    if not futures:
        result.set_result([])
    for future in futures:
        future.add_done_callback(count)
    return result


def wait_all(futures: Sequence[Future]) -> list:
    """The results of all these futures, waited for; raises the exception of the first that has one."""
    return [future.wait() for future in collect_all(futures).wait()]
