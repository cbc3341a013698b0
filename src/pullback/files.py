"""Files that are there as a whole, or not at all.

Invariant: whatever happens while one is written, its name leads to the old content or to the new one.
"""

import os
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, BinaryIO


@contextmanager
def whole_file(path: str | os.PathLike) -> Iterator[BinaryIO]:
    """A binary file to write, which takes the name ``path`` when the block ends, and vanishes if that fails.

    What is no ordinary file (a pipe, ``/dev/null``) is written as it is.

    >>> import os, tempfile
    >>> path = os.path.join(tempfile.mkdtemp(), "numbers")
    >>> with whole_file(path) as file:
    ...     file.write(b"123"), os.path.exists(path)
    (3, False)
    >>> os.path.exists(path)
    True
    """
    place = os.path.realpath(os.fspath(path))
    mode = mode_of(place)
    if mode is not None and not stat.S_ISREG(mode):
        with open(place, "wb") as file:
            yield file
        return
    handle, temporary = tempfile.mkstemp(
        prefix=f".{os.path.basename(place)[:100]}.", suffix=".part", dir=os.path.dirname(place)
    )
    try:
        with os.fdopen(handle, "w+b") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.chmod(temporary, usual_mode() if mode is None else stat.S_IMODE(mode))  # mkstemp lets no one else read
        os.replace(temporary, place)
    except BaseException:
        os.unlink(temporary)
        raise


def mode_of(path: Any) -> int | None:
    """The kind and the permissions of what is there, or None where nothing is."""
    try:
        return os.stat(path).st_mode
    except FileNotFoundError:
        return None


def usual_mode() -> int:
    """The permissions of a file that ``open`` would create."""
    mask = os.umask(0)
    os.umask(mask)
    return 0o666 & ~mask
