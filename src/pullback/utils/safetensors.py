"""Tensors on disk, in the safetensors format: what ``safetensors.torch`` is to PyTorch.

Responsible for turning tensors into that library's arrays and back, and for files that are whole or not there at all.
"""

import os
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from numpy import ascontiguousarray

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
    path = Path(filename)
    handle, temporary = tempfile.mkstemp(prefix=f".{path.name}.", suffix=".part", dir=path.parent)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.chmod(temporary, _usual_mode())  # mkstemp lets no one else read
        os.replace(temporary, path)
    except BaseException:
        os.unlink(temporary)
        raise


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
    arrays = {name: ascontiguousarray(tensor._data).reshape(tensor._data.shape) for name, tensor in tensors.items()}
    return serialize(arrays, metadata)


def load(data: bytes, device: Any = "cpu") -> dict[str, Any]:
    """The tensors of a file's content, by their names."""
    from safetensors import SafetensorError
    from safetensors.numpy import load as deserialize

    if str(device) != "cpu":
        raise RuntimeError(f"load_file: tensors are loaded to the CPU, not to {device}")
    try:
        arrays = deserialize(data)
    except SafetensorError as error:
        raise RuntimeError(f"load_file: this is not a file in the safetensors format ({error})") from error
    return {name: wrap(array if array.flags.writeable else array.copy()) for name, array in arrays.items()}


def _usual_mode() -> int:
    """The permissions of a file that ``open`` would create."""
    mask = os.umask(0)
    os.umask(mask)
    return 0o666 & ~mask
