"""DataLoader: batches of a data set."""

import warnings
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from numpy import array

from ...tape.value import GRAD, wrap
from .collate import default_collate, default_convert
from .dataset import IterableDataset, Subset, TensorDataset
from .sampler import BatchSampler, RandomSampler, SequentialSampler, draw_seed


class DataLoader:
    """An iterable over the batches of a data set, in PyTorch's order for the same seed.

    Args:
        dataset: what is indexed, or (an IterableDataset) iterated over.
        batch_size: how many samples a batch has; None for samples as they are.
        shuffle: take the samples in a new random order each time.
        sampler: the order of the samples, instead of ``shuffle``.
        batch_sampler: the indices of the batches, instead of all of these.
        num_workers: accepted, and has no effect: batches are made in this process, when they are asked for.
        collate_fn: makes a batch of a list of samples.
        pin_memory, timeout, worker_init_fn, multiprocessing_context, prefetch_factor, persistent_workers,
            pin_memory_device, in_order: accepted, and without effect, for there are no workers and no devices.
        drop_last: leave out a last batch that is not full.
        generator: the random stream; the default one otherwise.

    Raises:
        ValueError: options that exclude each other.

    >>> import pullback as torch
    >>> from pullback.utils.data import DataLoader, TensorDataset
    >>> for x, y in DataLoader(TensorDataset(torch.arange(5), torch.arange(5) ** 2), batch_size=2):
    ...     print(x, y)
    tensor([0, 1]) tensor([0, 1])
    tensor([2, 3]) tensor([4, 9])
    tensor([4]) tensor([16])
    """

    def __init__(
        self,
        dataset: Any,
        batch_size: int | None = 1,
        shuffle: bool | None = None,
        sampler: Iterable | None = None,
        batch_sampler: Iterable | None = None,
        num_workers: int = 0,
        collate_fn: Callable | None = None,
        pin_memory: bool = False,
        drop_last: bool = False,
        timeout: float = 0,
        worker_init_fn: Callable | None = None,
        multiprocessing_context: Any = None,
        generator: Any = None,
        *,
        prefetch_factor: int | None = None,
        persistent_workers: bool = False,
        pin_memory_device: str = "",
        in_order: bool = True,
    ) -> None:
        check_workers(num_workers, timeout, prefetch_factor, persistent_workers)
        streams = isinstance(dataset, IterableDataset)
        check_order(streams, shuffle, sampler, batch_sampler)
        check_batches(batch_size, shuffle, sampler, batch_sampler, drop_last)
        self.dataset, self.num_workers, self.generator = dataset, num_workers, generator
        self.pin_memory, self.timeout, self.worker_init_fn = pin_memory, timeout, worker_init_fn
        self.prefetch_factor, self.persistent_workers = prefetch_factor, persistent_workers
        self.multiprocessing_context, self.pin_memory_device = multiprocessing_context, pin_memory_device
        self.in_order = in_order
        if batch_sampler is not None:
            batch_size, drop_last = None, False
        self.batch_size, self.drop_last = batch_size, drop_last
        if sampler is None:
            sampler = Forever() if streams else default_sampler(dataset, shuffle, generator)
        if batch_size is not None and batch_sampler is None:
            batch_sampler = BatchSampler(sampler, batch_size, drop_last)  # type: ignore[arg-type]
        self.sampler: Any = sampler
        self.batch_sampler: Any = batch_sampler
        if collate_fn is None:
            collate_fn = default_convert if batch_sampler is None else default_collate
        self.collate_fn = collate_fn

    def __iter__(self) -> Iterator[Any]:
        # PyTorch draws a seed for its workers at the start of each pass, also where it has none.
        draw_seed(self.generator)
        indices = iter(self.sampler if self.batch_sampler is None else self.batch_sampler)
        make = (
            self._from_stream(iter(self.dataset)) if isinstance(self.dataset, IterableDataset) else self._from_indices
        )
        return batches(indices, make)

    def _from_indices(self, indices: Any) -> Any:
        """The batch (or sample) at some indices (or one)."""
        if self.batch_sampler is None:
            return self.collate_fn(self.dataset[indices])
        if self.collate_fn is default_collate:
            rows = rows_at(self.dataset, indices)
            if rows is not None:
                return rows
        if hasattr(self.dataset, "__getitems__"):
            return self.collate_fn(self.dataset.__getitems__(indices))
        return self.collate_fn([self.dataset[i] for i in indices])

    def _from_stream(self, stream: Iterator) -> Callable[[Any], Any]:
        def make(indices: Any) -> Any:
            if self.batch_sampler is None:
                return self.collate_fn(next(stream))
            samples = [sample for _, sample in zip(indices, stream, strict=False)]
            if not samples or (self.drop_last and len(samples) < len(indices)):
                raise StopIteration
            return self.collate_fn(samples)

        return make

    def __len__(self) -> int:
        if not isinstance(self.dataset, IterableDataset):
            return len(self.sampler if self.batch_sampler is None else self.batch_sampler)
        count = len(self.dataset)  # type: ignore[arg-type]
        if self.batch_size is None:
            return count
        return count // self.batch_size if self.drop_last else -(-count // self.batch_size)


def get_worker_info() -> None:
    """What a data set learns about the worker process it runs in: always None, for there are none."""
    return None


def batches(indices: Iterator, make: Callable[[Any], Any]) -> Iterator[Any]:
    for each in indices:
        try:
            batch = make(each)
        except StopIteration:  # the end of a stream
            return
        yield batch


class Forever:
    """The indices of a stream, which has none."""

    def __iter__(self) -> Iterator[None]:
        while True:
            yield None


def default_sampler(dataset: Any, shuffle: bool | None, generator: Any) -> Any:
    return RandomSampler(dataset, generator=generator) if shuffle else SequentialSampler(dataset)


def rows_at(dataset: Any, indices: list[int]) -> list | None:
    """A batch of a TensorDataset, or of a subset of one, by one indexing a tensor; None for any other data set.

    It equals the stack of the samples, and costs little.
    """
    while type(dataset) is Subset:
        dataset, indices = dataset.dataset, [dataset.indices[i] for i in indices]
    if type(dataset) is not TensorDataset or any(t._flags & GRAD for t in dataset.tensors):
        return None
    index = wrap(array(indices, "i8"))
    return [t[index] for t in dataset.tensors]


def check_workers(num_workers: int, timeout: float, prefetch_factor: Any, persistent_workers: bool) -> None:
    if num_workers < 0:
        raise ValueError("num_workers option should be non-negative; use num_workers=0 to disable multiprocessing.")
    if timeout < 0:
        raise ValueError("timeout option should be non-negative")
    if num_workers == 0 and prefetch_factor is not None:
        raise ValueError("prefetch_factor option could only be specified in multiprocessing; let num_workers > 0.")
    if num_workers == 0 and persistent_workers:
        raise ValueError("persistent_workers option needs num_workers > 0")
    if num_workers:
        warnings.warn(
            f"DataLoader: num_workers={num_workers} has no effect: Pullback makes all batches in the calling process.",
            stacklevel=3,
        )


def check_order(streams: bool, shuffle: Any, sampler: Any, batch_sampler: Any) -> None:
    if streams and shuffle:
        raise ValueError(
            f"DataLoader with IterableDataset: expected unspecified shuffle option, but got shuffle={shuffle}"
        )
    if streams and sampler is not None:
        raise ValueError(
            f"DataLoader with IterableDataset: expected unspecified sampler option, but got sampler={sampler}"
        )
    if streams and batch_sampler is not None:
        raise ValueError(
            f"DataLoader with IterableDataset: expected unspecified batch_sampler option, but got batch_sampler={batch_sampler}"
        )
    if sampler is not None and shuffle:
        raise ValueError("sampler option is mutually exclusive with shuffle")


def check_batches(batch_size: Any, shuffle: Any, sampler: Any, batch_sampler: Any, drop_last: bool) -> None:
    if batch_sampler is not None:
        if batch_size != 1 or shuffle or sampler is not None or drop_last:
            raise ValueError(
                "batch_sampler option is mutually exclusive with batch_size, shuffle, sampler, and drop_last"
            )
    elif batch_size is None and drop_last:
        raise ValueError("batch_size=None option disables auto-batching and is mutually exclusive with drop_last")
