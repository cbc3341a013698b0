"""What a file may name when only weights are loaded: the list, and what the user adds to it.

Invariant: nothing is looked up by a name that a file gives, except in these dictionaries; nothing is called but ``CALLS``, and
what the user has allowed.
"""

import codecs
from _compat_pickle import IMPORT_MAPPING, NAME_MAPPING
from collections import Counter, OrderedDict
from collections.abc import Callable, Iterable
from pickle import UnpicklingError
from typing import Any

from .. import _tensor, _utils, dtypes
from ..attributes import Size
from ..devices import device
from ..info import UntypedStorage
from ..memory import STORAGE_KINDS, TypedStorage
from ..nn.parameter import Parameter
from ..tape.value import Tensor
from .pickling import get_layout, torch_names

BLOCKED = ("sys", "os", "posix", "nt")
MOST_KEY_PARTS = 1000  # of a tuple that is a key: hashing one that holds itself twice, and again, would not end
PLAIN_KEYS = (str, int, float, complex, bytes, bool, type(None), type(...))

# What PyTorch allows and Pullback does not have, by a part of the name.
ABSENT = {
    "_rebuild_sparse": "sparse tensors", "_rebuild_qtensor": "quantised tensors", "_rebuild_nested": "nested tensors",
    "_rebuild_meta": "tensors without data", "_rebuild_wrapper": "subclasses that wrap", "_rebuild_device": "other devices",
    "torch.Q": "quantised storages", "torch.q": "quantised dtypes", "torch.float": "this dtype", "torch.int": "this dtype",
    "torch.uint": "this dtype", "torch.bits": "this dtype", "torch.complex": "this dtype", "torch.cuda.": "CUDA's types",
}  # fmt: skip


def check_key(key: Any) -> None:
    """Raise for a key that could take for ever to hash: one of many tuples in tuples."""
    if type(key) in PLAIN_KEYS:
        return
    waiting, count = [key], 0
    while waiting:
        part = waiting.pop()
        count += 1
        if isinstance(part, tuple):
            waiting.extend(part)
        if count > MOST_KEY_PARTS or len(waiting) > MOST_KEY_PARTS:
            raise UnpicklingError(f"a key of more than {MOST_KEY_PARTS} parts is refused")


def checked(keys: Any) -> Any:
    """A collection whose members may be hashed."""
    if not isinstance(keys, (list, tuple, dict, set, frozenset)):
        raise UnpicklingError(f"a collection is made from a list, not from {type(keys).__name__}")
    for key in keys:
        check_key(key)
    return keys


def make_ordered(pairs: Any = ()) -> OrderedDict:
    checked([pair[0] for pair in pairs] if not isinstance(pairs, dict) else pairs)
    return OrderedDict(pairs)


def make_bytearray(content: Any = b"", encoding: str = "latin-1") -> bytearray:
    return bytearray(encode(content, encoding) if isinstance(content, str) else checked_bytes(content))


def checked_bytes(content: Any) -> Any:
    if not isinstance(content, (bytes, bytearray)):  # an int would be how many
        raise UnpicklingError(f"a bytearray is made from bytes, not from {type(content).__name__}")
    return content


def encode(text: Any, encoding: Any = "latin1") -> bytes:
    """How protocol 2 writes bytes: as text, of which each character is a byte."""
    if not isinstance(text, str) or encoding not in ("latin1", "latin-1", "utf-8", "utf8", "ascii"):
        raise UnpicklingError("_codecs.encode is only called to make bytes of text")
    return text.encode(encoding)


def make_size(dims: Any = ()) -> Size:
    return Size(_utils.whole_numbers("size", dims))


REBUILDERS = (
    *(_utils._rebuild_tensor, _utils._rebuild_tensor_v2, _utils._rebuild_tensor_v3, _utils._rebuild_parameter),
    *(_utils._rebuild_parameter_with_state, _tensor._rebuild_from_type_v2),
)
ALLOWED: dict[str, Any] = {
    **{f"torch.{found.name}": found for found in dtypes.ALL},
    **{f"torch.{name}": kind for name, kind in STORAGE_KINDS.items()},
    **{f"torch.cuda.{name}": kind for name, kind in STORAGE_KINDS.items()},
    **{f"torch{each.__module__.removeprefix('pullback')}.{each.__name__}": each for each in REBUILDERS},
    "torch.Tensor": Tensor, "torch.nn.parameter.Parameter": Parameter, "torch.Size": Size, "torch.device": device,
    "torch.storage.TypedStorage": TypedStorage, "torch.storage.UntypedStorage": UntypedStorage,
    "torch.serialization._get_layout": get_layout, "collections.OrderedDict": OrderedDict, "collections.Counter": Counter,
    "builtins.set": set, "builtins.bytearray": bytearray, "builtins.complex": complex, "_codecs.encode": codecs.encode,
}  # fmt: skip
CALLS: dict[int, Callable] = {  # by identity, for what a file wants to call need not be hashable
    **{id(each): each for each in REBUILDERS},
    id(Size): make_size,
    id(device): device,
    id(get_layout): get_layout,
    id(OrderedDict): make_ordered,
    id(Counter): lambda counts=(): Counter(checked(counts)),
    id(set): lambda members=(): set(checked(members)),
    id(bytearray): make_bytearray,
    id(complex): complex,
    id(codecs.encode): encode,
}

# -- what the user allows ----------------------------------------------------------------------------------------------

allowed_by_user: dict[str, Any] = {}  # by all names under which a file may look for it
listed: list = []  # as they were given


def names_of(entry: Any) -> Iterable[str]:
    """All names that a file may have for a global."""
    if isinstance(entry, tuple):
        if len(entry) != 2 or not isinstance(entry[1], str):
            raise ValueError(f"Expected a tuple of 2 items, a global and its name, got {entry!r}")
        return (entry[1],)
    name = getattr(entry, "__qualname__", getattr(entry, "__name__", None))
    if not isinstance(name, str):
        raise TypeError(f"add_safe_globals: expected classes, functions, or pairs with a name, got {entry!r}")
    module = entry.__module__
    shown = "torch" + module.removeprefix("pullback") if module.split(".")[0] == "pullback" else module
    return {f"{module}.{name}", f"{shown}.{name}", ".".join(torch_names(entry, name))}


def add_safe_globals(safe_globals: list) -> None:
    """Allow classes and functions in files of which only weights are loaded.

    What is allowed can be called by a file, with arguments of the file's choice.

    Args:
        safe_globals: classes and functions, or pairs of one and the name under which files look for it.
    """
    names = [(name, entry) for entry in safe_globals for name in names_of(entry)]
    for name, entry in names:
        allowed_by_user[name] = entry[0] if isinstance(entry, tuple) else entry
    listed.extend(entry for entry in safe_globals if entry not in listed)


def get_safe_globals() -> list:
    """What the user has allowed."""
    return list(listed)


def clear_safe_globals() -> None:
    """Allow nothing any more but what is always allowed."""
    allowed_by_user.clear()
    listed.clear()


class safe_globals:
    """Allow classes and functions, as :func:`add_safe_globals` does, for the time of a block."""

    def __init__(self, safe_globals: list) -> None:
        self.entries = safe_globals

    def __enter__(self) -> None:
        self.before = dict(allowed_by_user), list(listed)
        add_safe_globals(self.entries)

    def __exit__(self, *exc: object) -> None:
        clear_safe_globals()
        names, entries = self.before
        allowed_by_user.update(names)
        listed.extend(entries)


def is_allowed_by_user(value: Any) -> bool:
    return any(value is each for each in allowed_by_user.values())


def full_name(module: str, name: str) -> str:
    """The name of a global today: files of protocol 2 have those of Python 2."""
    if (module, name) in NAME_MAPPING:
        module, name = NAME_MAPPING[module, name]
    return f"{IMPORT_MAPPING.get(module, module)}.{name}"


def find_global(module: str, name: str) -> Any:
    """What stands on a list under a name."""
    full = full_name(module, name)
    if full in ALLOWED:
        return ALLOWED[full]
    root = full.split(".")[0]
    if root in BLOCKED:
        raise UnpicklingError(f"Trying to load unsupported GLOBAL {full} whose module {root} is blocked.")
    if full in allowed_by_user:
        return allowed_by_user[full]
    for part, what in ABSENT.items():
        if part in full:
            raise UnpicklingError(f"the file names {full}: Pullback does not have {what}")
    raise UnpicklingError(
        f"Unsupported global: GLOBAL {full} was not an allowed global by default. Please use "
        f"`torch.serialization.add_safe_globals([{full}])` or the `torch.serialization.safe_globals([{full}])` context "
        "manager to allowlist this global if you trust this class/function."
    )
