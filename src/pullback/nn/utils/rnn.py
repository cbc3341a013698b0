"""Sequences of several lengths: padded to one length in one tensor, or packed without padding, time by time."""

from collections import namedtuple
from typing import Any

from ... import dtypes
from ...creation import arange, full
from ...from_data import tensor
from ...tape.value import Tensor
from ...tensor import functional_functions as F
from ...tensor import functions

Fields = namedtuple("Fields", "data batch_sizes sorted_indices unsorted_indices")


class PackedSequence(Fields):
    """The steps of a batch of sequences, the longest first, without padding: all first steps, all second ones, and so on.

    ``data`` holds the steps, ``batch_sizes`` how many sequences have each of them. ``sorted_indices`` says which sequence of
    the batch each packed one was, and ``unsorted_indices`` where it is now; both are None where they came in order.
    """

    __slots__ = ()

    def __new__(
        cls, data: Any, batch_sizes: Any = None, sorted_indices: Any = None, unsorted_indices: Any = None
    ) -> "PackedSequence":
        if batch_sizes is None:
            if not (isinstance(data, (list, tuple)) and len(data) == 2):
                raise ValueError("PackedSequence: expected data and batch_sizes, or a pair of them")
            data, batch_sizes = data
        if unsorted_indices is None:
            unsorted_indices = invert_permutation(sorted_indices)
        return super().__new__(cls, data, batch_sizes, sorted_indices, unsorted_indices)

    def to(self, *args: Any, **kwargs: Any) -> "PackedSequence":
        """The sequence with its data converted, as :meth:`Tensor.to` does; itself where nothing changes."""
        data = self.data.to(*args, **kwargs)
        return self if data is self.data else type(self)(data, *self[1:])

    def cpu(self, *args: Any, **kwargs: Any) -> "PackedSequence":
        """The sequence on the CPU, where it is."""
        return self.to("cpu", *args, **kwargs)

    def cuda(self, *args: Any, **kwargs: Any) -> "PackedSequence":
        """The sequence on a GPU, which there is none of: raises."""
        return self.to("cuda", *args, **kwargs)

    def pin_memory(self) -> "PackedSequence":
        """The sequence itself, for all memory is alike."""
        return self

    def is_pinned(self) -> bool:
        """Whether the data's memory is pinned."""
        return self.data.is_pinned()

    @property
    def is_cuda(self) -> bool:
        """Whether the data is on a GPU."""
        return self.data.is_cuda


def converting(name: str) -> Any:
    def convert(self: PackedSequence) -> PackedSequence:
        return self.to(getattr(dtypes, {"double": "float64", "float": "float32", "half": "float16"}.get(name, name)))

    convert.__name__, convert.__doc__ = name, f"The sequence with its data as ``Tensor.{name}`` gives it."
    return convert


INTEGERS = {"long": "int64", "int": "int32", "short": "int16", "char": "int8", "byte": "uint8"}
for _name in ("double", "float", "half", *INTEGERS):
    _convert = converting(INTEGERS.get(_name, _name))
    _convert.__name__ = _name
    setattr(PackedSequence, _name, _convert)


def invert_permutation(permutation: Any) -> Any:
    """The permutation that undoes one; None for None."""
    return None if permutation is None else permutation.argsort()


def lengths_of(lengths: Any) -> Tensor:
    """Lengths as a vector of integers."""
    if isinstance(lengths, Tensor):
        if lengths.ndim != 1:  # type: ignore[attr-defined]
            raise RuntimeError(
                f"'lengths' argument should be a 1D CPU int64 tensor, but got {lengths.ndim}D {lengths.dtype}"  # type: ignore[attr-defined]
            )
        return lengths.to(dtypes.int64)  # type: ignore[attr-defined]
    return tensor(list(lengths), dtype=dtypes.int64)


def inside(lengths: Tensor, longest: int) -> Tensor:
    """A matrix (T, B) of which sequences have each step."""
    return arange(longest).unsqueeze(1) < lengths  # type: ignore[attr-defined]


def pack_padded_sequence(
    input: Any, lengths: Any, batch_first: bool = False, enforce_sorted: bool = True
) -> PackedSequence:
    """Pack a padded batch, (T, B, ...) or, where ``batch_first``, (B, T, ...).

    Args:
        lengths: of the sequences; the longest first, if ``enforce_sorted``.

    Raises:
        RuntimeError: lengths that are not sorted, not positive, too large, or not one for each sequence.
    """
    lengths = lengths_of(lengths)
    order = None
    if not enforce_sorted:
        lengths, order = functions["sort"](lengths, stable=True, descending=True)
        input = input.index_select(0 if batch_first else 1, order)
    steps = input.transpose(0, 1) if batch_first else input
    check_lengths(lengths, steps)
    counted = inside(lengths, int(lengths[0]))
    places = counted.reshape(-1).nonzero().squeeze(1)  # type: ignore[attr-defined]
    data = steps.reshape(-1, *steps.shape[2:]).index_select(0, places)
    return PackedSequence(data, counted.sum(1), order, None)  # type: ignore[attr-defined]


def check_lengths(lengths: Any, steps: Any) -> None:
    longest, batch = steps.shape[:2]
    if len(lengths) != batch:
        raise RuntimeError(
            f"Expected `len(lengths)` to be equal to batch_size, but got {len(lengths)} (batch_size={batch})"
        )
    if not batch or int(lengths.min()) <= 0:
        raise RuntimeError(
            "Length of all samples has to be greater than 0, but found an element in 'lengths' that is <= 0"
        )
    if bool((lengths[1:] > lengths[:-1]).any()):
        raise RuntimeError(
            "`lengths` array must be sorted in decreasing order when `enforce_sorted` is True. You can pass "
            "`enforce_sorted=False` to pack_padded_sequence and/or pack_sequence to sidestep this requirement if you do not "
            "need ONNX exportability."
        )
    if int(lengths[0]) > longest:
        raise RuntimeError(f"Expected lengths of at most {longest}, the size of the input, but got {int(lengths[0])}")


def pad_packed_sequence(
    sequence: PackedSequence, batch_first: bool = False, padding_value: float = 0.0, total_length: int | None = None
) -> tuple[Any, Any]:
    """The padded batch of a packed one, (T, B, ...) or, where ``batch_first``, (B, T, ...), and its lengths.

    Args:
        padding_value: what stands behind the sequences' ends.
        total_length: T, which is otherwise the longest sequence's length.
    """
    longest, batch = len(sequence.batch_sizes), int(sequence.batch_sizes[0])
    if total_length is not None and total_length < longest:
        raise ValueError(
            "Expected total_length to be at least the length of the longest sequence in input, but got "
            f"total_length={total_length} and max sequence length being {longest}"
        )
    counted: Any = arange(batch) < sequence.batch_sizes.unsqueeze(1)
    data, shape = sequence.data, sequence.data.shape[1:]
    empty = full((total_length or longest, batch, *shape), padding_value, dtype=data.dtype)
    places = counted.reshape(-1).nonzero().squeeze(1)
    padded = empty.reshape(-1, *shape).index_copy(0, places, data).reshape(empty.shape)  # type: ignore[attr-defined]
    lengths = counted.sum(0)
    if batch_first:
        padded = padded.transpose(0, 1)
    if sequence.unsorted_indices is not None:
        padded = padded.index_select(0 if batch_first else 1, sequence.unsorted_indices)
        lengths = lengths[sequence.unsorted_indices]
    return padded, lengths


def pad_sequence(
    sequences: Any, batch_first: bool = False, padding_value: float = 0.0, padding_side: str = "right"
) -> Any:
    """Stack sequences (T_i, ...) of several lengths as (T, B, ...), or, where ``batch_first``, (B, T, ...)."""
    if not hasattr(sequences, "__iter__"):
        raise RuntimeError(
            f"pad_sequence: Expected iterable for input sequences, but got arg of type: {type(sequences)}"
        )
    sequences = list(sequences)
    if not sequences:
        raise RuntimeError("pad_sequence: received an empty list of sequences")
    if padding_side not in ("left", "right"):
        raise RuntimeError(f"Expected padding_side to be one of left or right, but got {padding_side}.")
    longest = max(len(each) for each in sequences)
    padded = [padded_to(longest, each, padding_value, padding_side == "left") for each in sequences]
    return functions["stack"](padded, 0 if batch_first else 1)


def padded_to(longest: int, sequence: Any, value: float, left: bool) -> Any:
    missing = longest - len(sequence)
    return F["pad"](sequence, [0, 0] * (sequence.ndim - 1) + ([missing, 0] if left else [0, missing]), value=value)


def pack_sequence(sequences: Any, enforce_sorted: bool = True) -> PackedSequence:
    """Pack a list of sequences (T_i, ...)."""
    lengths = [len(each) for each in sequences]
    return pack_padded_sequence(pad_sequence(sequences), lengths, enforce_sorted=enforce_sorted)


def unpad_sequence(padded_sequences: Any, lengths: Any, batch_first: bool = False) -> list:
    """The sequences of a padded batch, without the padding."""
    rows = padded_sequences if batch_first else padded_sequences.transpose(0, 1)
    return [row[: int(length)].clone() for row, length in zip(rows, lengths, strict=True)]


def unpack_sequence(packed_sequences: PackedSequence) -> list:
    """The sequences of a packed batch."""
    padded, lengths = pad_packed_sequence(packed_sequences, batch_first=True)
    return unpad_sequence(padded, lengths, batch_first=True)
