"""``torch.serialization``: ``save`` and ``load`` in PyTorch's file format, both ways.

``pickling`` and ``archive`` write; ``loading`` and ``archive`` read; ``machine`` and ``allowed`` are for files of strangers.
Invariants: a file that is saved under a path is there as a whole or not at all; loading runs no code of a file unless
``weights_only=False`` asks for it.
"""

import io
import os
import pickle
import pickletools
import sys
from contextlib import nullcontext
from enum import Enum
from pathlib import Path
from typing import Any

from ..files import whole_file
from ..info import UntypedStorage
from ..memory import TypedStorage
from . import archive
from .allowed import (
    ALLOWED,
    add_safe_globals,
    allowed_by_user,
    clear_safe_globals,
    full_name,
    get_safe_globals,
    safe_globals,
)
from .loading import (
    MAGIC_NUMBER,
    PROTOCOL_VERSION,
    default_restore_location,
    load_archive,
    load_legacy,
    restorer,
    unpickle_all,
    unpickle_weights,
)
from .pickling import get_layout, pickler_class

__all__ = [
    "LoadEndianness", "SourceChangeWarning", "add_safe_globals", "clear_safe_globals", "default_restore_location",
    "get_crc32_options", "get_default_load_endianness", "get_default_mmap_options", "get_safe_globals",
    "get_unsafe_globals_in_checkpoint", "load", "location_tag", "safe_globals", "save", "set_crc32_options",
    "set_default_load_endianness", "set_default_mmap_options",
]  # fmt: skip

DEFAULT_PROTOCOL = 2
_get_layout = get_layout  # the name in PyTorch's files


class SourceChangeWarning(Warning):
    """PyTorch's warning that a module's source has changed; the files of today do not hold it."""


# -- saving ------------------------------------------------------------------------------------------------------------


def save(
    obj: Any, f: Any, pickle_module: Any = pickle, pickle_protocol: int = DEFAULT_PROTOCOL,
    _use_new_zipfile_serialization: bool = True, _disable_byteorder_record: bool = False,
) -> None:  # fmt: skip
    """Save an object to a file, in PyTorch's format, from which PyTorch loads it too.

    Tensors that share memory still do so when they are loaded. A file of a path takes its name only when it is complete:
    an interruption leaves what was there before.

    Args:
        f: a path, or a file object with ``write``.
        pickle_module: what pickles all but tensors.
        pickle_protocol: of the pickle inside; PyTorch loads weights of protocol 2 only.

    Raises:
        RuntimeError: the directory does not exist.

    >>> import io
    >>> import pullback as torch
    >>> buffer = io.BytesIO()
    >>> torch.save({"weight": torch.ones(2)}, buffer)
    >>> _ = buffer.seek(0)
    >>> torch.load(buffer)
    {'weight': tensor([1., 1.])}
    """
    write = write_archive if _use_new_zipfile_serialization else write_legacy
    options = {"with_byteorder": not _disable_byteorder_record} if _use_new_zipfile_serialization else {}
    if isinstance(f, (str, os.PathLike)):
        parent = Path(f).absolute().parent
        if not parent.is_dir():
            raise RuntimeError(f"Parent directory {parent} does not exist.")
        with whole_file(f) as file:
            write(obj, file, pickle_module, pickle_protocol, Path(f).stem, **options)
    elif hasattr(f, "write"):
        write(obj, f, pickle_module, pickle_protocol, "archive", **options)
    else:
        raise AttributeError(
            f"expected 'f' to be string, path, or a file-like object with a 'write' attribute, got {type(f).__name__}"
        )


def pickled(obj: Any, pickle_module: Any, protocol: int, with_view: tuple = ()) -> tuple:
    """The pickle of an object, and the storages that it names."""
    if protocol is not None and 0 <= protocol < 2:
        raise ValueError(f"pickle_protocol must be 2 or higher, got {protocol}: older ones cannot refer to storages")
    content = io.BytesIO()
    pickler = pickler_class(pickle_module)(content, protocol=protocol)
    pickler.with_view = with_view
    pickler.dump(obj)
    return content.getvalue(), pickler.stored.values()


def write_archive(
    obj: Any, file: Any, pickle_module: Any, protocol: int, name: str, with_byteorder: bool = True
) -> None:
    content, stored = pickled(obj, pickle_module, protocol)
    archive.write(file, name, content, stored, with_byteorder)


def write_legacy(obj: Any, file: Any, pickle_module: Any, protocol: int, name: str) -> None:
    """Write the format that PyTorch had before 1.6."""
    content, stored = pickled(obj, pickle_module, protocol, (None,))
    system = {"protocol_version": PROTOCOL_VERSION, "little_endian": sys.byteorder == "little"}
    system["type_sizes"] = {"short": 2, "int": 4, "long": 4}  # type: ignore[assignment]
    for part in (MAGIC_NUMBER, PROTOCOL_VERSION, system):
        file.write(pickle.dumps(part, protocol))
    file.write(content)
    file.write(pickle.dumps([each.key for each in stored], protocol))
    for each in stored:
        file.write(each.numel().to_bytes(8, "little"))
        file.write(each.bytes())


# -- loading -----------------------------------------------------------------------------------------------------------


def load(
    f: Any, map_location: Any = None, pickle_module: Any = None, *, weights_only: bool | None = None,
    mmap: bool | None = None, **pickle_load_args: Any,
) -> Any:  # fmt: skip
    """Load what :func:`save`, here or in PyTorch, has saved.

    Args:
        f: a path, or a file object that can be read and can seek.
        map_location: where storages go, as a device, a dict of devices, or a function of a storage and its device; needed
            where they were on another device than the CPU.
        pickle_module: what unpickles all but tensors; only with ``weights_only=False``.
        weights_only: load tensors and plain data only, and refuse all else, whatever the file says. Where it is False, a
            file can run any code.
        mmap: leave the storages in the file until they are used; writes to them stay in memory. Needs a path.

    Raises:
        pickle.UnpicklingError: the file names something that is not allowed (:func:`add_safe_globals`), or is malformed.
        RuntimeError: the archive is corrupt, or its tensors were on another device.
        EOFError: the file is cut off.
    """
    is_safe = pickle_module is None if weights_only is None else bool(weights_only)
    if is_safe and pickle_module is not None:
        raise RuntimeError("Can not safely load weights when explicit pickle_module is specified")
    encoding = pickle_load_args.setdefault("encoding", "utf-8")
    if is_safe:
        unpickle = unpickle_weights(encoding)
    else:
        unpickle = unpickle_all(pickle_module or pickle, pickle_load_args)
    if isinstance(f, (str, os.PathLike)):
        with open(f, "rb") as file:
            return load_open(file, str(f), restorer(map_location), unpickle, bool(mmap))
    if mmap:
        raise ValueError("f must be a file path in order to use the mmap argument")
    check_readable(f)
    return load_open(f, "f", restorer(map_location), unpickle, False)


def check_readable(f: Any) -> None:
    for name in ("seek", "tell", "read"):
        if not hasattr(f, name):
            raise AttributeError(
                f"'{type(f).__name__}' object has no attribute '{name}'. You can only torch.load from a file that is "
                "seekable. Please pre-load the data into a buffer like io.BytesIO and try to load from it instead."
            )


def load_open(file: Any, name: str, restore: Any, unpickle: Any, is_mapped: bool) -> Any:
    """Load from an open file, where it stands."""
    start = file.tell()
    head = file.read(4)
    if isinstance(head, str):
        raise TypeError("torch.load needs a file that was opened in binary mode, 'rb'")
    file.seek(start)
    if head == b"PK\3\4":
        return load_archive(file, restore, unpickle, is_mapped)
    if is_mapped:
        raise RuntimeError(
            f"mmap can only be used with files saved with `torch.save({name}, _use_new_zipfile_serialization=True), "
            "please torch.save your checkpoint with this option in order to use mmap."
        )
    content = file.read()
    if not content:
        raise EOFError(f"Ran out of input: there is nothing to load in {name}")
    return load_legacy(content, 0, restore, unpickle)


def get_unsafe_globals_in_checkpoint(f: Any) -> list[str]:
    """The names in a file that ``weights_only=True`` refuses, as long as :func:`add_safe_globals` does not allow them."""
    with open(f, "rb") if isinstance(f, (str, os.PathLike)) else nullcontext(f) as file:
        content = archive.Reader(file).read("data.pkl")
    found, strings = set(), ["", ""]
    for code, value, _ in pickletools.genops(bytes(content)):
        if code.name == "GLOBAL":
            found.add(full_name(*value.split(" ", 1)))  # type: ignore[union-attr]
        elif code.name == "STACK_GLOBAL":
            found.add(full_name(*strings))
        if isinstance(value, str):
            strings = [strings[1], value]
    return sorted(found - {*ALLOWED, *allowed_by_user})


# -- options that change nothing here, or little -----------------------------------------------------------------------


class LoadEndianness(Enum):
    """The order of bytes in files that do not tell it."""

    NATIVE = 1
    LITTLE = 2
    BIG = 3


_options: dict[str, Any] = {"endianness": None, "crc32": True, "mmap": 2}


def get_default_load_endianness() -> LoadEndianness | None:
    """The order of bytes that was set for files that do not tell it; every file that is read here does."""
    return _options["endianness"]


def set_default_load_endianness(endianness: LoadEndianness | None) -> None:
    """Accepted, and without effect: files of today tell their order of bytes."""
    if not isinstance(endianness, LoadEndianness) and endianness is not None:
        raise TypeError("Invalid argument type in function set_default_load_endianness")
    _options["endianness"] = endianness


def get_crc32_options() -> bool:
    """Whether checksums were asked for."""
    return _options["crc32"]


def set_crc32_options(compute_crc32: bool) -> None:
    """Accepted, and without effect: checksums are always written, and compared."""
    _options["crc32"] = compute_crc32


def get_default_mmap_options() -> int:
    """The flag of ``mmap`` that was set."""
    return _options["mmap"]


def set_default_mmap_options(flags: int) -> None:
    """Accepted for ``MAP_PRIVATE``: what is written to a mapped tensor stays in memory."""
    if flags != 2:
        raise ValueError(f"mapped files are only read: flags must be mmap.MAP_PRIVATE (2), got {flags}")
    _options["mmap"] = flags


def location_tag(storage: TypedStorage | UntypedStorage) -> str:
    """What a file says of where a storage is."""
    return "cpu"
