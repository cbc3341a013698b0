"""Reading files of ``torch.save``: the archive, and the format that PyTorch wrote before 1.6.

Responsible for where storages come from and go to, and for which unpickler reads the pickle. Nothing of a file is believed:
what is wrong is told by a RuntimeError (the archive), a ``pickle.UnpicklingError`` (the pickle) or an EOFError (it is cut off).
"""

import importlib
import io
import pickle
import sys
from collections.abc import Callable
from typing import Any

import numpy as np

from .. import dtypes
from .._utils import Unread
from ..devices import device
from ..info import UntypedStorage
from ..memory import StorageKind, TypedStorage
from .archive import Reader
from .machine import Machine

MAGIC_NUMBER = 0x1950A86A20F9469CFC6C
PROTOCOL_VERSION = 1001
REFUSED = "Weights only load failed: {}"
NO_CUDA = (
    "Attempting to deserialize object on a CUDA device but torch.cuda.is_available() is False. If you are running on a "
    "CPU-only machine, please use torch.load with map_location=torch.device('cpu') to map your storages to the CPU."
)


# -- where storages go -------------------------------------------------------------------------------------------------


def default_restore_location(storage: Any, location: str) -> Any:
    """A storage where the file says that it was: on the CPU.

    Raises:
        RuntimeError: it was elsewhere.
    """
    if location == "cpu":
        return storage
    if location.startswith("cuda"):
        raise RuntimeError(NO_CUDA)
    raise RuntimeError(
        f"don't know how to restore data location of torch.storage.UntypedStorage (tagged with {location}): there is only "
        "the CPU here, so use map_location='cpu'"
    )


def restorer(map_location: Any) -> Callable:
    """What takes a storage to its place, by the argument ``map_location``."""
    if map_location is None:
        return default_restore_location
    if isinstance(map_location, dict):
        return lambda storage, location: default_restore_location(storage, str(map_location.get(location, location)))
    if isinstance(map_location, (str, bytes, device)):
        wanted = map_location.decode() if isinstance(map_location, bytes) else str(map_location)
        return lambda storage, location: default_restore_location(storage, wanted)
    if not callable(map_location):
        raise TypeError(
            f"map_location must be a device, a string, a dict or a function, not {type(map_location).__name__}, which is "
            "not callable"
        )

    def restore(storage: Any, location: str) -> Any:
        found = map_location(storage, location)
        return default_restore_location(storage, location) if found is None else found

    return restore


class Storages:
    """The storages of a file, each made once, where its persistent id is first met."""

    def __init__(
        self, read: Callable, restore: Callable, swapped: bool = False, storage: type = UntypedStorage
    ) -> None:
        self.read, self.restore, self.swapped, self.storage = read, restore, swapped, storage
        self.made: dict[str, Any] = {}

    def __call__(self, identity: Any) -> Any:
        kind, key, location, count = checked_identity(identity)
        if key not in self.made:
            dtype = dtypes.uint8 if kind is UntypedStorage else kind.dtype
            memory = self.read(key, count * dtype.itemsize)
            if self.swapped and dtype.itemsize > 1:
                memory = memory.view(dtype.numpy).byteswap().view(np.uint8)
            untyped = self.restore(self.storage(memory), location)
            untyped = getattr(untyped, "_untyped_storage", untyped)
            self.made[key] = untyped if kind is UntypedStorage else TypedStorage(untyped, dtype)
        return self.made[key]


def checked_identity(identity: Any) -> tuple:
    """The kind, the key, the place and the length of a storage."""
    if not isinstance(identity, tuple) or not identity:
        raise pickle.UnpicklingError(f"persistent_load id must be tuple, but got {type(identity).__name__}")
    name, *rest = [part.decode() if isinstance(part, bytes) else part for part in identity]
    if name != "storage" or len(rest) not in (4, 5):
        raise pickle.UnpicklingError(f"Only persistent_load of storage is allowed, but got {name!r:.80}")
    kind, key, location, count = rest[:4]
    if len(rest) == 5 and rest[4] is not None:
        raise pickle.UnpicklingError("views of storages are no longer in use, and not read")
    is_sound = isinstance(key, str) and isinstance(location, str) and type(count) is int and 0 <= count < 1 << 60
    if not is_sound or not (isinstance(kind, StorageKind) or kind is UntypedStorage):
        raise pickle.UnpicklingError("a storage needs a type, a key, a location, and a length that is not negative")
    return kind, key, location, count


# -- the archive -------------------------------------------------------------------------------------------------------


def load_archive(file: Any, restore: Callable, unpickle: Callable, is_mapped: bool) -> Any:
    """What an archive holds."""
    archive = Reader(file)
    order = bytes(archive.read("byteorder")) if archive.has("byteorder") else sys.byteorder.encode()
    if order not in (b"little", b"big"):
        raise ValueError(f"Unknown endianness type: {order[:20]!r}")

    def read(key: str, size: int) -> np.ndarray:
        name = f"data/{key}"
        found = archive.info(name).file_size
        if found != size:
            raise RuntimeError(f"record size ({found} bytes) does not match expected size ({size} bytes) for {name}")
        return archive.mapped(name) if is_mapped else np.frombuffer(archive.read(name), np.uint8)

    storages = Storages(read, restore, order != sys.byteorder.encode())
    return unpickle(archive.read("data.pkl"), storages, 0)[0]


# -- the old format ----------------------------------------------------------------------------------------------------


def load_legacy(content: bytes, start: int, restore: Callable, unpickle: Callable) -> Any:
    """What a file of the old format holds: five pickles, and then the storages, each with its length before it."""
    if content[start + 257 : start + 262] == b"ustar":
        raise RuntimeError("this is a tar file as PyTorch wrote before 0.1.10; save it again with a newer PyTorch")

    def no_storage(identity: Any) -> Any:
        raise pickle.UnpicklingError("there is a storage before the data begin")

    magic, end = unpickle(content, no_storage, start)
    if magic != MAGIC_NUMBER:
        raise RuntimeError("Invalid magic number; corrupt file? It was not written by torch.save")
    version, end = unpickle(content, no_storage, end)
    if version != PROTOCOL_VERSION:
        raise RuntimeError(f"Invalid protocol version: {version!r:.80}")
    system, end = unpickle(content, no_storage, end)
    order = "little" if not isinstance(system, dict) or system.get("little_endian", True) else "big"
    memory: dict[str, np.ndarray] = {}
    left = [len(content)]

    def reserve(key: str, size: int) -> np.ndarray:
        left[0] -= size
        if left[0] < 0:
            raise EOFError("the file is shorter than the storages that it names: it is cut off")
        memory[key] = np.zeros(size, np.uint8)
        return memory[key]

    storages = Storages(reserve, restore, storage=Unread)
    found, end = unpickle(content, storages, end)
    keys, end = unpickle(content, no_storage, end)
    fill(content, end, keys, storages, memory, order != sys.byteorder)
    return found


def fill(content: bytes, position: int, keys: Any, storages: Storages, memory: dict, swapped: bool) -> None:
    """Read the storages of the old format into their memory."""
    if not isinstance(keys, list) or not all(isinstance(k, str) for k in keys) or set(memory) - set(keys):
        raise RuntimeError("the file does not hold all storages that it names: it is corrupt")
    for key in keys:
        if key not in memory:
            raise RuntimeError(f"the file holds a storage {key!r:.80} that it does not name: it is corrupt")
        whole, made = memory[key], storages.made[key]
        count = int.from_bytes(content[position : position + 8], "little")
        dtype = getattr(made, "dtype", dtypes.uint8)
        if count * dtype.itemsize != whole.nbytes or position + 8 + whole.nbytes > len(content):
            raise EOFError(f"the storage {key} is cut off, or of another length than the file says")
        whole[:] = np.frombuffer(content, np.uint8, whole.nbytes, position + 8)
        if swapped and dtype.itemsize > 1:
            whole.view(dtype.numpy).byteswap(inplace=True)
        for tensor, compute in getattr(made, "_untyped_storage", made).then:
            tensor._data = compute(tensor._data)
        position += 8 + whole.nbytes


# -- the two ways to unpickle ------------------------------------------------------------------------------------------


def unpickle_weights(encoding: str) -> Callable:
    """Read a pickle with the machine that runs no code."""

    def unpickle(content: Any, storages: Callable, start: int) -> tuple:
        machine = Machine(content, storages, start, encoding)
        try:
            return machine.load(), machine.position
        except pickle.UnpicklingError as error:
            raise pickle.UnpicklingError(
                REFUSED.format(error)
                + " (weights_only=False loads everything, and runs what code the file says: use it "
                "only if you trust the source of the checkpoint)"
            ) from None
        except (RuntimeError, EOFError, MemoryError):
            raise
        except Exception as error:
            raise pickle.UnpicklingError(REFUSED.format(f"the pickle is malformed ({error})")) from error

    return unpickle


def unpickle_all(pickle_module: Any, options: dict) -> Callable:
    """Read a pickle with Python's unpickler, or that of a module like it."""

    class Unpickler(pickle_module.Unpickler):
        def find_class(self, module: str, name: str) -> Any:
            if module == "torch" or module.startswith("torch."):
                return find_here(module, name)
            return super().find_class(module, name)

    def unpickle(content: Any, storages: Callable, start: int) -> tuple:
        file = io.BytesIO(content)
        file.seek(start)
        unpickler = Unpickler(file, **options)
        unpickler.persistent_load = storages
        return unpickler.load(), file.tell()

    return unpickle


def find_here(module: str, name: str) -> Any:
    """What Pullback has under a name of PyTorch."""
    parts = module.split(".")
    while parts:  # torch.nn.modules.linear.Linear is torch.nn.Linear, should the file be another here
        try:
            found: Any = importlib.import_module(".".join(["pullback", *parts[1:]]))
            for part in name.split("."):
                found = getattr(found, part)
            return found
        except (ImportError, AttributeError):
            parts.pop()
    raise pickle.UnpicklingError(f"the file names {module}.{name}, which Pullback does not have")
