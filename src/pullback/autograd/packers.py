"""Ready-made saved-tensor hooks: where saved tensors wait for the backward pass, and in what form."""

from typing import Any

import numpy as np

from ..tape.saved import saved_tensors_hooks
from ..tape.value import Tensor, wrap


class save_on_cpu(saved_tensors_hooks):
    """Context manager: saved tensors wait for the backward pass in the CPU's memory, where all tensors are now.

    Args:
        pin_memory, device_type: accepted as in PyTorch; they matter for tensors of another device.
    """

    def __init__(self, pin_memory: bool = False, device_type: str = "cuda") -> None:
        super().__init__(lambda tensor: tensor.detach(), lambda held: held)


class save_on_disk(saved_tensors_hooks):
    """Context manager: saved tensors wait for the backward pass in files, which are deleted with the graph.

    Args:
        directory: where the files are made; the system's folder for temporary files by default.
        min_bytes: keep tensors with fewer bytes in memory. Leaves that require grad stay there too.
    """

    def __init__(self, directory: Any = None, min_bytes: int = 1 << 16) -> None:
        import os
        import tempfile
        import weakref

        class File:
            """The file of one tensor."""

            def __init__(self, tensor: Tensor) -> None:
                handle, self.path = tempfile.mkstemp(".npy", "pullback-", directory)
                weakref.finalize(self, os.unlink, self.path)
                with os.fdopen(handle, "wb") as file:
                    np.save(file, tensor._data)

        super().__init__(File, lambda file: wrap(np.load(file.path)), min_bytes=min_bytes, skip_leaves=True)


class save_compressed(saved_tensors_hooks):
    """Context manager: saved tensors wait for the backward pass compressed by zlib, without loss.

    Args:
        level: from 1, the fastest, to 9, the smallest.
        min_bytes: keep tensors with fewer bytes as they are. Leaves that require grad stay as they are too.
    """

    def __init__(self, level: int = 1, min_bytes: int = 1 << 12) -> None:
        import zlib

        def pack(tensor: Tensor) -> tuple:
            data = tensor._data
            return zlib.compress(np.ascontiguousarray(data).view(np.uint8).data, level), data.dtype, data.shape

        def unpack(held: tuple) -> Tensor:
            packed, dtype, shape = held
            return wrap(np.frombuffer(bytearray(zlib.decompress(packed)), dtype).reshape(shape))

        super().__init__(pack, unpack, min_bytes=min_bytes, skip_leaves=True)
