"""Making one batch of a list of samples."""

from collections.abc import Callable, Mapping, MutableMapping, MutableSequence, Sequence
from copy import copy
from typing import Any

import numpy as np

from ....from_data import as_tensor, tensor
from ....tape.value import Tensor
from ....tensor import functions

FOUND = "default_collate: batch must contain tensors, numpy arrays, numbers, dicts or lists; found {}"


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
    return collate(batch, collate_fn_map=default_collate_fn_map)


def collate(batch: Sequence, *, collate_fn_map: dict[Any, Callable] | None = None) -> Any:
    """One batch of samples, those of a type in ``collate_fn_map`` by the function that it gives for it.

    The functions are called as ``f(batch, collate_fn_map=...)``. Collections are made batches member by member.

    Raises:
        TypeError: samples of a type that cannot be made a batch.
        RuntimeError: sequences of different lengths.
    """
    first, known = batch[0], collate_fn_map or {}
    made = known.get(type(first)) or next((known[kind] for kind in known if isinstance(first, kind)), None)
    if made is not None:
        return made(batch, collate_fn_map=collate_fn_map)

    def of_members(members: Sequence) -> Any:
        return collate(members, collate_fn_map=collate_fn_map)

    if isinstance(first, Mapping):
        return like_mapping(first, lambda: {key: of_members([sample[key] for sample in batch]) for key in first})
    if isinstance(first, tuple) and hasattr(first, "_fields"):
        return type(first)(*map(of_members, zip(*batch, strict=False)))
    if isinstance(first, Sequence):
        check_lengths(batch)
        columns = list(map(of_members, zip(*batch, strict=True)))
        return columns if isinstance(first, tuple) else like_sequence(first, columns)
    raise TypeError(FOUND.format(type(first)))


def check_lengths(batch: Sequence) -> None:
    for number, sample in enumerate(batch):
        if len(sample) != len(batch[0]):
            raise RuntimeError(
                "each element in list of batch should be of equal size, but sample 0 has "
                f"{len(batch[0])} elements and sample {number} has {len(sample)}. Give the loader a collate_fn that "
                "pads or packs them."
            )


def like_mapping(first: Any, members: Callable[[], dict]) -> Any:
    """The members as a mapping of the first one's type, or a dict where that cannot be made."""
    made = members()
    try:
        if not isinstance(first, MutableMapping):
            return type(first)(made)
        filled = copy(first)  # it may have more properties than its members
        filled.update(made)
        return filled
    except TypeError:
        return made


def like_sequence(first: Any, members: list) -> Any:
    """The members as a sequence of the first one's type, or a list where that cannot be made."""
    try:
        if not isinstance(first, MutableSequence):
            return type(first)(members)
        filled = copy(first)
        for position, member in enumerate(members):
            filled[position] = member
        return filled
    except TypeError:
        return members


# -- the types that are known from the start ---------------------------------------------------------------------------


def collate_tensor_fn(batch: Sequence, *, collate_fn_map: Any = None) -> Tensor:
    """Tensors stacked, in a new first dim."""
    for number, sample in enumerate(batch):
        if sample.shape != batch[0].shape:
            raise RuntimeError(
                f"stack expects each tensor to be equal size, but got {list(batch[0].shape)} at entry 0 and "
                f"{list(sample.shape)} at entry {number} of the batch. Make the samples one size, or give the loader a "
                "collate_fn that pads them (torch.nn.utils.rnn.pad_sequence)."
            )
    return functions["stack"](list(batch), 0)


def collate_numpy_array_fn(batch: Sequence, *, collate_fn_map: Any = None) -> Any:
    """Arrays stacked, as a tensor."""
    if batch[0].dtype.kind in "SUO":
        raise TypeError(FOUND.format(batch[0].dtype))
    return collate([as_tensor(array) for array in batch], collate_fn_map=collate_fn_map)


def collate_numpy_scalar_fn(batch: Sequence, *, collate_fn_map: Any = None) -> Tensor:
    """NumPy's numbers as a tensor of their dtype."""
    return as_tensor(batch)


def collate_float_fn(batch: Sequence, *, collate_fn_map: Any = None) -> Tensor:
    """Python's floats as a float64 tensor."""
    from ....dtypes import float64

    return tensor(batch, dtype=float64)


def collate_int_fn(batch: Sequence, *, collate_fn_map: Any = None) -> Tensor:
    """Python's integers as an int64 tensor, and booleans as a boolean one."""
    return tensor(batch)


def collate_str_fn(batch: Sequence, *, collate_fn_map: Any = None) -> Any:
    """Strings as they are."""
    return batch


default_collate_fn_map: dict[Any, Callable] = {
    Tensor: collate_tensor_fn,
    np.ndarray: collate_numpy_array_fn,
    (np.bool_, np.number, np.object_): collate_numpy_scalar_fn,
    float: collate_float_fn,
    int: collate_int_fn,
    str: collate_str_fn,
    bytes: collate_str_fn,
}


def default_convert(data: Any) -> Any:
    """A sample with its arrays as tensors, which share their memory: what a loader without batches gives."""
    if isinstance(data, (np.ndarray, np.generic)):
        return data if np.asarray(data).dtype.kind in "SUO" else as_tensor(data)
    if isinstance(data, Mapping):
        return like_mapping(data, lambda: {key: default_convert(value) for key, value in data.items()})
    if isinstance(data, tuple):
        members = list(map(default_convert, data))
        return type(data)(*members) if hasattr(data, "_fields") else members
    if isinstance(data, Sequence) and not isinstance(data, (str, bytes)):
        return like_sequence(data, list(map(default_convert, data)))
    return data
