"""Making one batch of a list of samples."""

from collections.abc import Callable, Mapping, Sequence
from copy import copy
from typing import Any

import numpy as np

from ... import dtypes
from ...tape.value import Tensor, wrap
from ...tensor import functions

NUMBERS: dict[type, Any] = {float: dtypes.float64, int: dtypes.int64, bool: dtypes.bool}


def default_collate(batch: Sequence) -> Any:
    """One batch of samples: tensors and arrays stacked, numbers as a tensor, and collections member by member.

    Strings stay a list; a mapping of samples becomes one of batches, and named tuples stay named.

    Raises:
        TypeError: samples of a type that cannot be made a batch.
        RuntimeError: sequences of different lengths, or tensors of different shapes.

    >>> from pullback.utils.data import default_collate
    >>> default_collate([(0.5, 1), (1.5, 2)])
    [tensor([0.5000, 1.5000], dtype=torch.float64), tensor([1, 2])]
    """
    first = batch[0]
    for is_kind, collate in COLLATERS:
        if is_kind(first):
            return collate(batch)
    raise TypeError(
        f"default_collate: batch must contain tensors, numpy arrays, numbers, dicts or lists; found {type(first)}"
    )


def collate_tensors(batch: Sequence) -> Tensor:
    return functions["stack"](list(batch), 0)


def collate_arrays(batch: Sequence) -> Tensor:
    if batch[0].dtype.kind in "SUO":
        raise TypeError(f"default_collate: arrays of {batch[0].dtype} cannot be made a batch")
    return wrap(np.stack([np.asarray(a) for a in batch]))


def collate_numbers(batch: Sequence) -> Tensor:
    return wrap(np.array(batch, dtype=NUMBERS[type(batch[0])].numpy))


def collate_mapping(batch: Sequence) -> Any:
    first = batch[0]
    collated = {key: default_collate([sample[key] for sample in batch]) for key in first}
    try:
        made = copy(first)  # a subclass of dict stays one
        made.update(collated)
        return made
    except (TypeError, AttributeError):
        return collated


def collate_sequence(batch: Sequence) -> Any:
    first = batch[0]
    if any(len(sample) != len(first) for sample in batch):
        raise RuntimeError("each element in list of batch should be of equal size")
    columns = [default_collate(column) for column in zip(*batch, strict=True)]
    if hasattr(first, "_fields"):
        return type(first)(*columns)
    return columns


COLLATERS: list[tuple[Callable, Callable]] = [
    (lambda x: isinstance(x, Tensor), collate_tensors),
    (lambda x: isinstance(x, (np.ndarray, np.generic)), collate_arrays),
    (lambda x: type(x) in NUMBERS, collate_numbers),
    (lambda x: isinstance(x, (str, bytes)), lambda batch: batch),
    (lambda x: isinstance(x, Mapping), collate_mapping),
    (lambda x: isinstance(x, Sequence), collate_sequence),
]


def default_convert(data: Any) -> Any:
    """A sample with its arrays as tensors, which share their memory: what a loader without batches gives."""
    if isinstance(data, (np.ndarray, np.generic)):
        return data if np.asarray(data).dtype.kind in "SUO" else wrap(np.asarray(data))
    if isinstance(data, Mapping):
        return {key: default_convert(value) for key, value in data.items()}
    if hasattr(data, "_fields"):
        return type(data)(*map(default_convert, data))
    if isinstance(data, (list, tuple)):
        return [default_convert(value) for value in data]
    return data
