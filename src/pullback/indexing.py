"""What Python's ``[]`` was given, brought to the operations that do it.

``getitem(tensor, index)`` and ``setitem(tensor, index, value)`` are the tensor's ``__getitem__`` and ``__setitem__``,
``copy_`` its method. An index is read as PyTorch reads it: ints, slices, None and Ellipsis first, by one view
(``ops.indexing.getitem``); then tensors, lists and arrays, by ``index`` or ``index_put_`` on that view. So an int beside
an index tensor takes its dimension away before the tensors' dims are placed, unlike in NumPy. A zero-dim integer tensor
is an int where its value may be read, and otherwise (in a vmap, in a trace) an index tensor.

The commonest forms on plain tensors go past the dispatch; whatever they do not know, errors above all, goes to the
general way, which does the same.
"""

from collections.abc import Callable
from functools import cache
from operator import index as as_int
from typing import Any

from numpy import array, bool_, generic, ndarray

from .kernels.numpy.overlap import overlaps
from .ops.indexing import alias_item, check_indices, is_mask, select_item, unsqueeze_item
from .ops.indexing import getitem as slice_item
from .ops.indexing import index as index_op
from .ops.table import TABLE, Op
from .ops.writing import WHOLE, copy, fill, number
from .tape import inplace
from .tape.fast import function_of, plain, write
from .tape.lines import here
from .tape.modes import modes
from .tape.promotion import dtype_of
from .tape.record import general
from .tape.storage import add_versions, memory
from .tape.value import Tensor, wrap
from .tape.views import settle

Key = tuple[Any, ...]
TAKES = {float: "fd", int: "fdl", bool: "fdl?"}  # NumPy's codes of the dtypes that take a number as it is
HUGE = 3e38  # from there on, and for NaN, the general way sees whether a float32 can hold it
INDEXING = "only integers, slices (`:`), ellipsis (`...`), None and long or byte Variables are valid indices"


def put_data(*args: Any) -> None:
    """The kernel that assigns to elements of an array."""
    from .kernels.numpy import INTO

    INTO["index_put"](*args)


# -- reading -----------------------------------------------------------------------------------------------------------


def getitem(tensor: Tensor, index: Any) -> Tensor:
    """The part of a tensor that an index names: a view for ints, slices, None and Ellipsis, else a copy.

    Raises:
        IndexError: an index is out of range or of a wrong type, or there are too many.
        ValueError: a slice's step is not positive.
    """
    try:
        if type(index) is int:
            return function_of(select_item)(tensor, (index, ...))
        op = basic_op(index)
        if op is not None:
            return function_of(op)(tensor, quick_key(index))
        indices = quick_indices(index)
        if indices is not None:
            return index_function()(tensor, indices)
    except IndexError:
        pass  # the general way finds the words
    return read(tensor, *parsed(tensor, index))


@cache
def index_function() -> Callable:
    """The function of ``index``, for canonical indices that hold no tensors but arrays."""
    return write(index_op)


BOUNDS = frozenset({int, type(None)})


def basic_op(index: Any) -> Op | None:
    """The operation for ints, plain slices and None; None for whatever else there is in an index."""
    op: Op | None = None
    for entry in index if type(index) is tuple else (index,):
        kind = type(entry)
        if kind is int:
            op = select_item
        elif kind is slice:
            step = entry.step
            if step is not None and (type(step) is not int or step <= 0):
                return None
            if type(entry.start) not in BOUNDS or type(entry.stop) not in BOUNDS:
                return None
            if entry != WHOLE:
                op = slice_item
        elif entry is None:
            op = unsqueeze_item
        elif entry is not ...:
            return None
    return op


def quick_key(index: Any) -> Key:
    """A basic index as a key with an Ellipsis, by which NumPy gives an array even for a single element."""
    if type(index) is not tuple:
        return (index, ...)
    return index if ... in index else (*index, ...)


def quick_indices(index: Any) -> Key | None:
    """The canonical index for plain index tensors and lists of ints among whole slices; None for all else."""
    found: list[Any] = []
    used = 0
    for position, entry in enumerate(index if type(index) is tuple else (index,)):
        if type(entry) in plain:
            entry = entry._data
        elif type(entry) is list and entry and all(type(e) is int for e in entry):
            entry = array(entry)
        elif type(entry) is not slice or entry != WHOLE:
            return None
        if type(entry) is not slice:
            if type(entry) is not ndarray or not entry.ndim or entry.dtype.char not in "lqi?":
                return None
            used = position + 1
        found.append(entry)
    return tuple(found[:used]) if used else None


def read(tensor: Tensor, op: Op, key: Key, indices: Key) -> Tensor:
    """The general way: a view by the key, then what index tensors find in that."""
    if op is not alias_item or not indices:
        tensor = general(op, (tensor, key))
    return general(index_op, (tensor, check_indices(indices, tensor._data.shape))) if indices else tensor


# -- what an index means -----------------------------------------------------------------------------------------------


def parsed(tensor: Tensor, index: Any) -> tuple[Op, Key, Key]:
    """The view operation, its key, and the index tensors (None for the dims between) that an index stands for."""
    entries = [entry_of(e) for e in (index if is_several(index) else (index,))]
    shape = tuple(tensor._data.shape)
    spare = len(shape) - sum(dims_used(e) for e in entries)
    if spare < 0:
        raise IndexError(too_many(entries, shape))
    reader = Reader(shape, spare)
    for entry in entries:
        reader.take(entry)
    if slice_only(entries):
        reader.op = slice_item
    return reader.op, (*reader.key, ...), tuple(reader.indices) if reader.has_tensors else ()


def too_many(entries: list, shape: tuple) -> str:
    if len(entries) == 1 and not shape and type(entries[0]) is int:
        return "invalid index of a 0-dim tensor. Use `tensor.item()` in Python to convert a 0-dim tensor to a number"
    if len(entries) == 1 and not shape and type(entries[0]) is slice:
        return "slice() cannot be applied to a 0-dim tensor."
    return f"too many indices for tensor of dimension {len(shape)}"


def slice_only(entries: list) -> bool:
    """``x[:]`` is a slice to PyTorch, although whole slices among others are nothing."""
    return len(entries) == 1 and type(entries[0]) is slice


class Reader:
    """The state of reading an index from left to right."""

    __slots__ = ("dim", "has_tensors", "indices", "key", "op", "shape", "spare")

    def __init__(self, shape: tuple, spare: int) -> None:
        self.shape, self.spare = shape, spare
        self.dim = 0
        self.op: Op = alias_item
        self.key: list[Any] = []
        self.indices: list[Any] = []
        self.has_tensors = False

    def take(self, entry: Any) -> None:
        """One entry; what it adds to the result's dims gets a place among the indices."""
        if entry is ...:
            self.whole(self.spare)
            self.spare = 0
        elif entry is None:
            self.key.append(None)
            self.indices.append(None)
            self.op = unsqueeze_item
        elif type(entry) is int:
            self.select(entry)
        elif type(entry) is slice:
            self.slice(entry)
        else:
            self.tensor(entry)

    def whole(self, count: int) -> None:
        self.key.extend([WHOLE] * count)
        self.indices.extend([None] * count)
        self.dim += count

    def select(self, entry: int) -> None:
        size = self.shape[self.dim]
        if not -size <= entry < size:
            raise IndexError(f"index {entry} is out of bounds for dimension {self.dim} with size {size}")
        self.key.append(entry)
        self.dim += 1
        self.op = select_item

    def slice(self, entry: slice) -> None:
        size = self.shape[self.dim]
        if entry != WHOLE and entry.indices(size) == (0, size, 1):
            entry = WHOLE
        if entry != WHOLE:
            self.op = slice_item
        self.key.append(entry)
        self.indices.append(None)
        self.dim += 1

    def tensor(self, entry: Any) -> None:
        self.has_tensors = True
        if is_mask(entry) and not entry.ndim:  # a dimension of one, kept or dropped
            self.key.append(None)
            self.indices.append(entry.reshape(1))
            self.op = unsqueeze_item
            return
        used = dims_used(entry)
        self.key.extend([WHOLE] * used)
        self.dim += used
        self.indices.append(entry)


def is_several(index: Any) -> bool:
    """Whether an index is one entry for each dimension: a tuple, or a short list that holds more than numbers."""
    if type(index) is tuple:
        return True
    if isinstance(index, tuple):
        return True
    if not isinstance(index, (list, range)) or len(index) >= 32:
        return False
    return any(isinstance(e, (Tensor, ndarray, list, tuple, range, slice)) or e is None or e is ... for e in index)


def dims_used(entry: Any) -> int:
    """How many dims of the tensor an entry indexes."""
    if entry is None or entry is ...:
        return 0
    if type(entry) is int or type(entry) is slice:
        return 1
    return entry.ndim if entry.dtype.name in ("bool", "uint8") else 1


def entry_of(entry: Any) -> Any:
    """An entry as an int, a slice of ints, None, Ellipsis, or an index tensor (as an array where it is a plain one)."""
    if entry is None or entry is ... or type(entry) is int:
        return entry
    if isinstance(entry, slice):
        return slice_of(entry)
    if isinstance(entry, Tensor):
        return tensor_entry(entry)
    if isinstance(entry, (bool, bool_)):
        return array(entry)
    if isinstance(entry, (list, tuple, range, ndarray)):
        return array_entry(entry)
    try:
        return as_int(entry)
    except TypeError:
        error = TypeError if isinstance(entry, str) else IndexError
        raise error(f"{INDEXING} (got {type(entry).__name__})") from None


def slice_of(entry: slice) -> slice:
    start, stop, step = [None if b is None else as_bound(b) for b in (entry.start, entry.stop, entry.step)]
    if step == 0:
        raise ValueError("slice step cannot be zero")
    if step is not None and step < 0:
        raise ValueError(f"step must be greater than zero, but got {step}; use flip() to reverse a dimension")
    return slice(start, stop, None if step == 1 else step)


def as_bound(bound: Any) -> int:
    if isinstance(bound, Tensor) and dtype_of(bound._data).category < 2:
        return int(bound)  # type: ignore[call-overload]
    try:
        return as_int(bound)
    except TypeError:
        raise TypeError(
            f"slice indices must be integers or None or have an __index__ method, not {type(bound).__name__}"
        ) from None


def tensor_entry(entry: Tensor) -> Any:
    dtype = dtype_of(entry._data)
    if dtype.name not in ("int64", "int32", "bool", "uint8"):
        raise IndexError(f"tensors used as indices must be long, int, byte or bool tensors, but got {dtype}")
    if type(entry._data) is not ndarray:
        return entry
    found = entry._data
    if dtype.name == "uint8" and not found.ndim:
        return found != 0
    return found if found.ndim or dtype.name == "bool" else int(found)


def array_entry(entry: Any) -> Any:
    """A sequence of numbers, or an array, as an index array of its own memory; a zero-dim one as a number."""
    found = array(unwrapped(entry))
    if found.dtype.kind in "iu" and found.dtype.name != "uint8":
        found = found.astype("int64")
    elif not found.size and found.dtype.kind == "f":
        found = found.astype("int64")  # an empty list
    elif found.dtype.kind not in "biu":
        raise IndexError(
            f"tensors used as indices must be long, int, byte or bool tensors, but got {found.dtype} from a "
            f"{type(entry).__name__}"
        )
    return found if found.ndim or found.dtype.kind == "b" else int(found)


def unwrapped(entry: Any) -> Any:
    """Lists with the tensors in them as arrays."""
    if isinstance(entry, Tensor):
        return entry._data
    return [unwrapped(e) for e in entry] if isinstance(entry, (list, tuple)) else entry


# -- writing -----------------------------------------------------------------------------------------------------------


def setitem(tensor: Tensor, index: Any, value: Any) -> None:
    """Write a number or a tensor, broadcast and cast to this one's dtype, where an index names.

    Raises:
        IndexError, ValueError: as for reading.
        RuntimeError: the value's shape does not broadcast to the indexed part, or its number does not fit the dtype.
        TypeError: the value is neither a number nor a tensor.
    """
    op = basic_op(index)
    if op is not None and is_that_view(tensor, op, quick_key(index), value):
        add_versions(tensor._data)
        return  # the second half of `x[i] += v`, whose first has written it
    if type(tensor) in plain and quick_write(tensor, op, index, value):
        return
    value = checked_value(tensor, value)
    if index is False:
        return  # a mask that holds nowhere; one that holds everywhere adds a dimension
    index = None if index is True else index
    op, key, indices = parsed(tensor, index)
    target = tensor
    if op is not alias_item and key != (WHOLE, ...):
        target = function_of(op)(tensor, key)
    if indices:
        if isinstance(value, Tensor) and masks(indices) and value.numel() == 1:  # type: ignore[attr-defined]
            value = value.clone().to(dtype_of(target._data))  # type: ignore[attr-defined]
        put(target, check_indices(indices, tuple(target._data.shape)), value)
    elif isinstance(value, Tensor) and value._data.ndim:
        inplace.write(copy, (target, shaped(value, tuple(target._data.shape))))
    else:
        inplace.write(fill, (target, value))


def is_that_view(tensor: Tensor, op: Op, key: Key, value: Any) -> bool:
    """Whether a value is the very view that is to be written, with the history of its base."""
    view = getattr(value, "_view", None)
    if view is None or not (view.recorded or modes.floor) or not 0 < view.written == view.family.written:
        return False
    mine = tensor._view
    base, chain = (tensor, ()) if mine is None else (mine.base, mine.chain)
    return view.base is base and len(view.chain) == len(chain) + 1 and view.chain == (*chain, (op, (key,), 0))


def quick_write(tensor: Tensor, op: Op | None, index: Any, value: Any) -> bool:
    """Write, if nothing is to be recorded, the index is a common one, and the value of the same dtype or a number."""
    flags = settle(tensor) if tensor._flags > 1 else tensor._flags
    data = tensor._data
    if flags > 1:
        return False
    if type(value) in plain:
        flags |= settle(value) if value._flags > 1 else value._flags
        value = value._data
        if type(value) is not ndarray or value.dtype != data.dtype or memory(value) is memory(data):
            return False
    elif data.dtype.char not in TAKES.get(type(value), "") or not -HUGE < value < HUGE:
        return False
    if flags > 1 or (not modes.floor and (flags or inplace.is_guarded(tensor))):
        return False
    try:
        written = write_data(data, op, index, value)
    except (IndexError, ValueError, OverflowError, RuntimeError):
        return False  # nothing was written; the general way finds the words
    except BaseException:  # an interrupt: it may have been
        inplace.note_write(tensor, "__setitem__")
        raise
    if written:
        inplace.note_write(tensor, "__setitem__", None if op is None else quick_key(index), here(3))
    return written


def write_data(data: ndarray, op: Op | None, index: Any, value: Any) -> bool:
    """Write into an array; False where the index is none of the common ones, or memory overlaps."""
    if op is not None:
        target = data[quick_key(index)]
        if overlaps(target):
            return False
        target[...] = value
        return True
    indices = quick_indices(index)
    if indices is None or overlaps(data):
        return False
    put_data(data, indices, value)
    return True


def masks(indices: Key) -> bool:
    """Whether an index is a single mask; one element that is written by it may be of any dtype, as in PyTorch."""
    found = [i for i in indices if i is not None]
    return len(found) == 1 and is_mask(found[0])


def checked_value(tensor: Tensor, value: Any) -> Any:
    """A value that can be written: a tensor, or a number in the tensor's dtype."""
    if isinstance(value, Tensor):
        return value
    if isinstance(value, generic):
        value = value.item()
    dtype = dtype_of(tensor._data)
    if not isinstance(value, (bool, int, float, complex)):
        raise TypeError(f"can't assign a {type(value).__name__} to a torch.{dtype._word}Tensor")
    return number(value, dtype)


def put(target: Tensor, indices: Key, value: Any) -> None:
    """Write a value at index tensors."""
    if not isinstance(value, Tensor):
        value = wrap(array(value, dtype_of(target._data).numpy))
    given = tuple(value._data.shape)
    needed = next((d for d, n in enumerate(given) if n != 1), len(given))
    value = value.reshape(given[needed:]) if needed else value
    inplace.write(TABLE["index_put"], (target, indices, value, False))


def shaped(value: Tensor, shape: tuple) -> Tensor:
    """A value that broadcasts to a shape, without its leading dims of one; RuntimeError in PyTorch's words."""
    given = tuple(value._data.shape)
    while len(given) > len(shape) and given[0] == 1:
        given = given[1:]
    if len(given) > len(shape):
        raise RuntimeError(
            f"expand(torch.{dtype_of(value._data)._word}Tensor{{{list(given)}}}, size={list(shape)}): the number of sizes "
            f"provided ({len(shape)}) must be greater or equal to the number of dimensions in the tensor ({len(given)})"
        )
    for dim, (want, got) in enumerate(zip(shape[len(shape) - len(given) :], given, strict=True)):
        if got != want and got != 1:
            raise RuntimeError(
                f"The expanded size of the tensor ({want}) must match the existing size ({got}) at non-singleton dimension "
                f"{dim + len(shape) - len(given)}.  Target sizes: {list(shape)}.  Tensor sizes: {list(given)}"
            )
    value = value.reshape(given) if len(given) != value._data.ndim else value  # type: ignore[attr-defined]
    return value if given == shape else value.expand(shape)  # type: ignore[union-attr]


def copy_(self: Tensor, other: Any, non_blocking: bool = False) -> Tensor:
    """Write the values of ``other``, broadcast and cast to this tensor's dtype; ``non_blocking`` has no effect here.

    Raises RuntimeError where the shapes do not broadcast to this tensor's.
    """
    if not isinstance(other, Tensor) and not isinstance(other, (bool, int, float, complex)):
        raise TypeError(f"copy_(): argument 'other' (position 1) must be Tensor, not {type(other).__name__}")
    return inplace.write(copy, (self, other))
