"""The zip archive of ``torch.save``: records, one of them the pickle, and one for every storage.

The records lie uncompressed, each at a multiple of 64 bytes, so that a storage can be used where it lies in the file. Reading
believes no size that the archive tells before it is held against the file's own.
"""

import mmap
import os
import sys
import zipfile
import zlib
from collections.abc import Iterable
from typing import Any, BinaryIO

import numpy as np

ALIGNMENT = 64
LOCAL_HEADER = 30  # bytes, before the name
ZIP64_EXTRA = 20
CHUNK = 1 << 22
HUGE = 1 << 31  # beyond which a record's header needs the larger form
ROOM, GROWTH = 1 << 26, 100  # what compressed records may hold, in bytes and in times the file's size

CORRUPT = (
    "PytorchStreamReader failed reading zip archive: {}. There is a high likelihood that your checkpoint file is corrupted: "
    "it was not saved or transferred completely, or was changed afterwards"
)


# -- writing -----------------------------------------------------------------------------------------------------------


class Writer:
    """Writes records one after another to a file that is open for it."""

    def __init__(self, file: BinaryIO, root: str) -> None:
        self.root, self.file = root, file
        self.checksum = 0  # of all that was written
        self.zip = zipfile.ZipFile(file, "w")

    def write(self, name: str, content: Any) -> None:
        """Write a record: bytes, or what is seen as such."""
        content = memoryview(content)
        info = zipfile.ZipInfo(f"{self.root}/{name}")
        info.file_size = content.nbytes
        is_huge = content.nbytes >= HUGE
        info.extra = padding(self.zip.start_dir + LOCAL_HEADER + len(info.filename.encode()) + is_huge * ZIP64_EXTRA)
        with self.zip.open(info, "w", force_zip64=is_huge) as record:
            for start in range(0, content.nbytes, CHUNK):
                record.write(content[start : start + CHUNK])
        self.checksum = zlib.crc32(info.CRC.to_bytes(4, "little"), self.checksum)

    def close(self) -> None:
        self.zip.close()


def padding(start: int) -> bytes:
    """An extra field of a header that makes what follows it begin at a multiple of the alignment."""
    size = -(start + 4) % ALIGNMENT
    return b"FB" + size.to_bytes(2, "little") + b"Z" * size


def write(file: BinaryIO, root: str, pickled: bytes, storages: Iterable, with_byteorder: bool = True) -> None:
    """Write a whole archive: the pickle, and the storages that it names by their keys."""
    archive = Writer(file, root)
    archive.write("data.pkl", pickled)
    archive.write(".format_version", b"1")
    archive.write(".storage_alignment", str(ALIGNMENT).encode())
    if with_byteorder:
        archive.write("byteorder", sys.byteorder.encode())
    for stored in storages:
        archive.write(f"data/{stored.key}", stored.bytes())
    archive.write("version", b"3\n")
    archive.write(".data/serialization_id", f"{zlib.crc32(pickled):020d}{archive.checksum:020d}".encode())
    archive.close()


# -- reading -----------------------------------------------------------------------------------------------------------


class Reader:
    """The records of an archive.

    Raises:
        RuntimeError: the file is no whole archive, or claims to hold more than it can.
    """

    def __init__(self, file: BinaryIO) -> None:
        self.file = file
        self.length = file.seek(0, os.SEEK_END)
        try:
            self.zip = zipfile.ZipFile(file)
        except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError, UnicodeDecodeError) as error:
            raise RuntimeError(CORRUPT.format(f"failed finding central directory ({error})")) from None
        names = self.zip.namelist()
        self.root = names[0].split("/")[0] if names else ""
        self.check_sizes()
        if self.has("constants.pkl"):
            raise RuntimeError("this is a TorchScript archive, which torch.jit.load reads; Pullback has no TorchScript")
        if not self.has("version") and not self.has(".data/version"):
            raise RuntimeError('Expected hasRecord("version") to be true, but got false: this is no file of torch.save')

    def check_sizes(self) -> None:
        stored = compressed = 0
        for info in self.zip.infolist():
            if info.compress_type == zipfile.ZIP_STORED:
                stored += info.file_size
            else:
                compressed += info.file_size
        if stored > self.length or compressed > ROOM + GROWTH * self.length:
            raise RuntimeError(
                CORRUPT.format(f"its records claim {stored + compressed} bytes, and the file has {self.length}")
            )

    def has(self, name: str) -> bool:
        return f"{self.root}/{name}" in self.zip.NameToInfo

    def info(self, name: str) -> zipfile.ZipInfo:
        try:
            return self.zip.getinfo(f"{self.root}/{name}")
        except KeyError:
            raise RuntimeError(
                f"PytorchStreamReader failed locating file {name}: file not found. The archive is incomplete, or was not "
                "written by torch.save"
            ) from None

    def read(self, name: str) -> bytearray:
        """A record's content."""
        info = self.info(name)
        content = bytearray(info.file_size)
        view, filled = memoryview(content), 0
        try:
            with self.zip.open(info) as record:
                while filled < len(content):
                    count = record.readinto(view[filled : filled + CHUNK])  # type: ignore[attr-defined]
                    if not count:
                        raise EOFError("it ends too early")
                    filled += count
                record.read(1)  # where it must end, its checksum is compared
        except Exception as error:  # of the many ways in which a decompressor and a header can fail
            raise RuntimeError(CORRUPT.format(f"record {name}: {error}")) from None
        return content

    def mapped(self, name: str) -> np.ndarray:
        """A record's bytes where they lie in the file: what is written to them stays in memory."""
        info = self.info(name)
        if info.compress_type != zipfile.ZIP_STORED:
            raise RuntimeError(f"mmap: record {name} is compressed; load the file without mmap")
        self.file.seek(info.header_offset)
        header = self.file.read(LOCAL_HEADER)
        if header[:4] != b"PK\3\4":
            raise RuntimeError(CORRUPT.format(f"record {name} has no header"))
        lengths = int.from_bytes(header[26:28], "little") + int.from_bytes(header[28:30], "little")
        start = info.header_offset + LOCAL_HEADER + lengths
        if start + info.file_size > self.length:
            raise RuntimeError(CORRUPT.format(f"record {name} ends too early"))
        if not info.file_size:
            return np.empty(0, np.uint8)
        return np.frombuffer(self.map(), np.uint8, info.file_size, start)

    def map(self) -> mmap.mmap:
        if not hasattr(self, "memory"):
            self.memory = mmap.mmap(self.file.fileno(), 0, access=mmap.ACCESS_COPY)
        return self.memory
