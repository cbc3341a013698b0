"""From the indices of a batch to the batch: what a loader does in its own process and in those of its workers."""

from collections.abc import Callable, Iterator
from itertools import islice
from typing import Any

from numpy import array

from ....tape.value import GRAD, wrap
from ..dataset import IterableDataset, Subset, TensorDataset
from .collate import default_collate


class Fetcher:
    """Makes the batches (or the samples, where there are none) of a data set."""

    def __init__(self, dataset: Any, in_batches: bool, collate_fn: Callable, drop_last: bool) -> None:
        self.dataset, self.in_batches = dataset, in_batches
        self.collate_fn, self.drop_last = collate_fn, drop_last
        self.stream: Iterator | None = iter(dataset) if isinstance(dataset, IterableDataset) else None

    def fetch(self, indices: Any) -> Any:
        """The batch at these indices, or the next one of a stream.

        Raises:
            StopIteration: the stream has ended.
        """
        if self.stream is not None:
            return self._from_stream(self.stream, indices)
        if not self.in_batches:
            return self.collate_fn(self.dataset[indices])
        if self.collate_fn is default_collate:
            rows = rows_at(self.dataset, indices)
            if rows is not None:
                return rows
        if getattr(self.dataset, "__getitems__", None):
            samples = self.dataset.__getitems__(indices)
        else:
            samples = [self.dataset[i] for i in indices]
        try:
            return self.collate_fn(samples)
        except (RuntimeError, TypeError) as error:
            error.add_note(f"This was the batch of the samples {shortened(list(indices))} of the data set.")
            raise

    def _from_stream(self, stream: Iterator, indices: Any) -> Any:
        if not self.in_batches:
            return self.collate_fn(next(stream))
        samples = list(islice(stream, len(indices)))
        if len(samples) < len(indices):
            self.stream = iter(())  # some streams would begin anew
        if not samples or (self.drop_last and len(samples) < len(indices)):
            raise StopIteration
        return self.collate_fn(samples)


def shortened(indices: list) -> str:
    return str(indices) if len(indices) <= 16 else f"[{', '.join(map(str, indices[:12]))}, … {indices[-1]}]"


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
