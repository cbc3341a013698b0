"""Storages and when they were written: the in-place half of the logical clock.

The storage of a plain tensor is the NumPy array that owns its memory; views share it by NumPy's own ``base``. Only
storages that were written in place have an entry here, found by the owner's identity and dropped with it, so a
program that writes nothing in place pays nothing. ``last_write[0]`` is the tick of the newest write anywhere: a node
that is younger needs no look-up.
"""

import weakref
from typing import Any

from numpy import ndarray

from ..clock import tick
from ..context import make_lock
from .lines import describe, here

last_write = [0]
_written: dict[int, "Writes"] = {}
_lock = make_lock()


class Writes:
    """What happened to one storage: how often it was written, when and where last, and by what."""

    __slots__ = ("guard", "op", "place", "tick", "version")
    place: Any

    def __init__(self, guard: Any) -> None:
        self.guard, self.version, self.tick, self.op, self.place = guard, 0, 0, "", None


def owner(array: Any) -> Any:
    """The array that owns the memory of ``array``."""
    while type(array.base) is ndarray:
        array = array.base
    return array


def mark_written(data: Any, op: str, place: Any = None) -> None:
    """Note a write to a storage, with the user's line."""
    storage = data if type(data) is not ndarray or data.base is None else owner(data)
    key, place = id(storage), place or here()
    with _lock:  # so that `last_write` never goes back
        writes = _written.get(key)
        if writes is None:
            guard = weakref.ref(storage, lambda _: _written.pop(key, None)) if type(storage) is ndarray else storage
            writes = _written[key] = Writes(guard)
        writes.version += 1
        writes.op, writes.place = op, place
        writes.tick = last_write[0] = tick()


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


def check_unwritten(node: Any) -> None:
    """Raise PyTorch's error, with both lines, where a value that a node saved was written since."""
    for name, value in zip(node.saved_names, node.saved, strict=False):
        for each in value if isinstance(value, (list, tuple)) else (value,):
            writes = writes_to(each) if type(each) is ndarray else None
            if writes is not None and writes.tick > node.tick:
                raise RuntimeError(stale(node, name, each, writes))


def stale(node: Any, name: str, array: Any, writes: Writes) -> str:
    from ..dtypes import from_numpy

    kind = f"[{from_numpy(array.dtype)} {list(array.shape)}]"
    return (
        "one of the variables needed for gradient computation has been modified by an inplace operation: "
        f"{kind}, which is {name!r} of {node.name()}, was saved at {node.line()} and overwritten by {writes.op} at "
        f"{describe(writes.place)} (its storage is at version {writes.version}). Use the out-of-place form there, or "
        "clone() the tensor before it is written."
    )
