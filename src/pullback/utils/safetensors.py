"""Tensors on disk, in the safetensors format: what ``safetensors.torch`` is to PyTorch.

Responsible for turning tensors into that library's arrays and back, and for files that are whole or not there at all.
"""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from numpy import array, frombuffer

from .. import dtypes
from ..files import whole_file
from ..tape.value import Tensor, wrap


def save_file(tensors: Mapping[str, Any], filename: str | os.PathLike, metadata: dict[str, str] | None = None) -> None:
    """Write tensors to a file, by their names.

    The file appears under its name only when it is complete: an interruption leaves what was there before.

    Raises:
        TypeError: a value is no Tensor.

    >>> import pullback as torch
    >>> from pullback.utils.safetensors import load_file, save_file
    >>> save_file({"weight": torch.tensor([1.0, 2.0])}, "weights.safetensors")
    >>> load_file("weights.safetensors")
    {'weight': tensor([1., 2.])}
    """
    content = save(tensors, metadata)
    with whole_file(filename) as file:
        file.write(content)


def load_file(filename: str | os.PathLike, device: Any = "cpu") -> dict[str, Any]:
    """The tensors of a file, by their names.

    Raises:
        FileNotFoundError: there is no such file.
        RuntimeError: the file is not in the safetensors format, or the device is not the CPU.
    """
    return load(Path(filename).read_bytes(), device)


def save(tensors: Mapping[str, Any], metadata: dict[str, str] | None = None) -> bytes:
    """The content of a file that holds the tensors."""
    from safetensors.numpy import save as serialize

    for name, tensor in tensors.items():
        if not isinstance(tensor, Tensor):
            raise TypeError(f"save_file: '{name}' is no Tensor but {type(tensor).__name__}")
    return serialize({name: array(tensor._data, order="C") for name, tensor in tensors.items()}, metadata)


def load(data: bytes, device: Any = "cpu") -> dict[str, Any]:
    """The tensors of a file's content, by their names."""
    from safetensors import SafetensorError, deserialize

    if str(device) != "cpu":
        raise RuntimeError(f"load_file: tensors are loaded to the CPU, not to {device}")
    try:
        entries = deserialize(data)
    except SafetensorError as error:
        raise RuntimeError(f"load_file: this is not a file in the safetensors format ({error})") from error
    return {name: read_entry(name, entry) for name, entry in entries}


# The format's names of the dtypes.
DTYPES = {
    "BOOL": dtypes.bool, "U8": dtypes.uint8, "I8": dtypes.int8, "U16": dtypes.uint16, "I16": dtypes.int16,
    "U32": dtypes.uint32, "I32": dtypes.int32, "U64": dtypes.uint64, "I64": dtypes.int64, "F16": dtypes.float16,
    "BF16": dtypes.bfloat16, "F32": dtypes.float32, "F64": dtypes.float64, "C64": dtypes.complex64,
}  # fmt: skip


def read_entry(name: str, entry: dict[str, Any]) -> Tensor:
    if entry["dtype"] not in DTYPES:
        raise RuntimeError(f"load_file: '{name}' is of the type {entry['dtype']}, which Pullback does not have")
    flat = frombuffer(bytearray(entry["data"]), DTYPES[entry["dtype"]].numpy)  # a bytearray's can be written
    return wrap(flat.reshape(entry["shape"]))
