"""Storages and when they were written: the in-place half of the logical clock.

The storage of a plain tensor is the NumPy array that owns its memory; views share it by NumPy's own ``base``. Only
storages that were written in place have an entry here, found by the owner's identity and dropped with it, so a
program that writes nothing in place pays nothing. ``last_write[0]`` is the tick of the newest write anywhere: a node
that is younger needs no look-up.

A saved value is stale where a part of it was written after its node was made. The newest writes to a storage are kept,
with their regions; where there were more of them, one that is no longer known counts as a write to all of it.
"""

import weakref
from typing import Any

from numpy import asarray, ndarray, shares_memory
from numpy.exceptions import TooHardError

from ..clock import tick
from ..context import Setting, make_lock
from .lines import describe, here

MOST_WRITES = 32  # that are kept for a storage
EFFORT = 100_000  # of NumPy's exact answer to whether regions overlap; beyond it they are taken to

NOTHING: dict = {}  # the region of a write that changed no value

last_write = [0]
strict = Setting("strict_versions", False, set())  # a write to any part of a storage counts, as in PyTorch
keepers: list = []  # functions that are told of an array that is about to be written
_written: dict[int, "Writes"] = {}
_lock = make_lock()


class Write:
    """One write: when, by what, in which line, and to what.

    ``region`` is None for all of the storage, a basic index of the owner, or the array interface of what was written:
    nothing that would keep the memory alive.
    """

    __slots__ = ("op", "place", "region", "tick")

    def __init__(self, op: str, place: Any, region: Any) -> None:
        self.op, self.place, self.region, self.tick = op, place, region, tick()


class Writes:
    """What happened to one storage: how often it was written, its newest writes, and the tick of the newest that is
    no longer among them."""

    __slots__ = ("forgotten", "guard", "log", "version")

    def __init__(self, guard: Any) -> None:
        self.guard, self.version, self.forgotten = guard, 0, 0
        self.log: list[Write] = []


def owner(array: Any) -> Any:
    """The array that owns the memory of ``array``."""
    while type(array.base) is ndarray:
        array = array.base
    return array


def writes_of(storage: Any) -> Writes:
    """The entry of a storage, made where it has none."""
    key = id(storage)
    writes = _written.get(key)
    if writes is None:
        guard = weakref.ref(storage, lambda _: _written.pop(key, None)) if type(storage) is ndarray else storage
        writes = _written[key] = Writes(guard)
    return writes


def mark_written(data: Any, op: str, place: Any = None, index: Any = None) -> None:
    """Note a write to a value, or to the part of it at a basic ``index`` (or to ``NOTHING``), with the user's line."""
    storage, place = data if type(data) is not ndarray or data.base is None else owner(data), place or here()
    if storage is not data and index is not NOTHING:
        index = (data if index is None else data[index]).__array_interface__
    with _lock:  # so that `last_write` never goes back
        writes = writes_of(storage)
        log = writes.log
        if index is None:
            log.clear()  # what older ones wrote, this one did
        elif len(log) == MOST_WRITES:
            writes.forgotten = log.pop(0).tick
        write = Write(op, place, index)
        log.append(write)
        writes.version += 1
        last_write[0] = write.tick


def add_versions(data: Any, count: int = 1) -> None:
    """Count writes that need not be looked for: values are what they were."""
    with _lock:
        writes_of(owner(data) if type(data) is ndarray else data).version += count


def note_write(data: Any, op: str) -> None:
    """Note a write that was done, also where an interrupt comes in between."""
    try:
        mark_written(data, op)
    except BaseException:
        mark_written(data, op)
        raise


def writes_to(data: Any) -> Writes | None:
    """The writes to a value's storage, or None where there were none."""
    return _written.get(id(owner(data))) if type(data) is ndarray else None


def version(data: Any) -> int:
    """How often a value's storage was written in place."""
    writes = writes_to(data)
    return writes.version if writes else 0


class Holder:
    """What NumPy makes an array of: an interface, and perhaps who keeps its memory."""

    __slots__ = ("__array_interface__", "keeper")

    def __init__(self, interface: Any, keeper: Any = None) -> None:
        self.__array_interface__, self.keeper = interface, keeper


def apart(array: ndarray) -> ndarray:
    """An array over the same memory that is a storage to itself: writes through it are not noted for the other one."""
    made = asarray(Holder(array.__array_interface__, array))
    return made if made.dtype == array.dtype else made.view(array.dtype)


def memory(array: ndarray) -> Any:
    """What keeps the memory of an array, whichever storage it counts for."""
    whole = owner(array)
    while type(whole.base) is Holder:
        whole = owner(whole.base.keeper)
    return whole


def write_since(array: ndarray, moment: int) -> Write | None:
    """The newest write after a tick that touched an array, or None."""
    writes = writes_to(array)
    if writes is None:
        return None
    certain = moment < writes.forgotten or strict.get()
    for write in reversed(writes.log):
        if write.tick <= moment:
            break
        if certain or touches(write.region, array):
            return write
    return None


def touches(region: Any, array: ndarray) -> bool:
    """Whether a written region and an array of the same storage have an element in common."""
    if region is None or region is NOTHING:
        return region is None
    part = asarray(Holder(region)) if type(region) is dict else owner(array)[region]
    try:
        return shares_memory(part, array, EFFORT)  # type: ignore[arg-type]
    except TooHardError:
        return True


def check_unwritten(node: Any) -> None:
    """Raise PyTorch's error, with both lines, where a value that a node saved was written since."""
    for name, value in zip(node.saved_names, node.saved, strict=False):
        for each in value if isinstance(value, (list, tuple)) else (value,):
            write = write_since(each, node.tick) if type(each) is ndarray else None
            if write is not None and is_read(node, name):
                raise RuntimeError(stale(node, name, each, write))


def is_read(node: Any, name: str) -> bool:
    """Whether a saved value serves a gradient that leads somewhere."""
    from .record import needed_names

    needs = tuple([t is not None and not getattr(t, "is_hidden", False) for t in node.next])
    return all(needs) or node.op.is_formula or name not in node.op.saved or name in needed_names(node.op, needs)


def describe_write(write: Write) -> str:
    return f"overwritten by {write.op} at {describe(write.place)}"


def stale(node: Any, name: str, array: Any, write: Write) -> str:
    from ..dtypes import from_numpy

    kind = f"[{from_numpy(array.dtype)} {list(array.shape)}]"
    return (
        "one of the variables needed for gradient computation has been modified by an inplace operation: "
        f"{kind}, which is {name!r} of {node.name()}, was saved at {node.line()} and {describe_write(write)} "
        f"(its storage is at version {version(array)}). Use the out-of-place form there, or "
        "clone() the tensor before it is written."
    )
