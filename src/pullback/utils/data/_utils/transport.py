"""Batches from a worker process to the loader's.

Responsible for how a message travels: a short one in the connection itself; a long one, such as a batch of images, in
anonymous memory that the worker fills and whose descriptor it passes on. So a worker never waits for its loader to
read, and no named memory can be left behind by a process that was killed. Arrays are never copied into the pickle.
"""

import io
import os
import pickle
import socket
import tempfile
from typing import Any

import numpy as np

from ....tape.value import GRAD, Tensor, wrap

SHORT = 16384  # bytes; a connection holds some of these without anybody reading
PASSES_DESCRIPTORS = hasattr(socket, "send_fds")


class Packer(pickle.Pickler):
    """A pickler that sends of a tensor its own elements, not its storage, and these beside the pickle."""

    def reducer_override(self, obj: Any) -> Any:
        if type(obj) is not Tensor or type(obj._data) is not np.ndarray:
            return NotImplemented
        if obj._flags & GRAD and obj._fn is not None:
            raise RuntimeError(
                "Cowardly refusing to serialize non-leaf tensor which requires_grad, since autograd does not support "
                "crossing process boundaries. If you just want to transfer the data, call detach() on the tensor before "
                "the data set returns it."
            )
        dtype, array = obj._data.dtype, obj._data
        if dtype.kind == "V":  # bfloat16 and its kin, which have no buffers
            array = np.ascontiguousarray(array).view(f"u{dtype.itemsize}").reshape(array.shape)
        return unpacked_tensor, (array, dtype, bool(obj._flags & GRAD))


def unpacked_tensor(array: np.ndarray, dtype: np.dtype, requires_grad: bool) -> Tensor:
    made = wrap(array.view(dtype))
    return made.requires_grad_() if requires_grad else made  # type: ignore[attr-defined]


def packed(message: Any) -> list[Any]:
    """A message as its pickle and the buffers of its arrays."""
    stream, buffers = io.BytesIO(), []
    Packer(stream, protocol=5, buffer_callback=lambda buffer: buffers.append(buffer.raw())).dump(message)
    return [stream.getbuffer(), *buffers]


def send(connection: Any, parts: list[Any]) -> None:
    """Send what :func:`packed` made."""
    sizes = [part.nbytes for part in parts]
    if sum(sizes) <= SHORT or not PASSES_DESCRIPTORS:
        connection.send_bytes(pickle.dumps((sizes, [bytes(part) for part in parts])))
        return
    with tempfile.TemporaryFile() if not hasattr(os, "memfd_create") else memory_file() as file:
        for part in parts:
            file.write(part)
        file.flush()
        connection.send_bytes(pickle.dumps((sizes, None)))
        with over(connection) as channel:
            socket.send_fds(channel, [b"\0"], [file.fileno()])


def receive(connection: Any) -> Any:
    """The message that was sent. Its arrays own their memory, and can be written.

    Raises:
        EOFError: the other side has gone.
    """
    sizes, parts = pickle.loads(connection.recv_bytes())
    parts = [bytearray(part) for part in parts] if parts is not None else received_parts(connection, sizes)
    return pickle.loads(parts[0], buffers=parts[1:])


def received_parts(connection: Any, sizes: list[int]) -> list[Any]:
    with over(connection) as channel:
        _, descriptors, _, _ = socket.recv_fds(channel, 1, 1)
    if not descriptors:
        raise EOFError("the worker has gone")
    parts = [np.empty(size, "u1") for size in sizes]
    with open(descriptors[0], "rb", buffering=0) as file:
        file.seek(0)
        for part in parts:
            read = part.data
            while len(read):
                read = read[file.readinto(read) :]
    return parts


def memory_file() -> Any:
    return open(os.memfd_create("pullback-batch", os.MFD_CLOEXEC), "wb", buffering=0)


def over(connection: Any) -> socket.socket:
    """The socket that a connection between processes is, by a descriptor of its own."""
    return socket.socket(fileno=os.dup(connection.fileno()))
