"""Source lines: where the user's code called an operation.

A node keeps the calling frame's code object and instruction offset, two pointers; the line number and its text are
looked up only when somebody asks.
"""

import os
import sys
from collections import deque
from types import CodeType
from typing import Any

from ..source import HOUSE

outside: set[str] = set()  # file names that are known to be none of the house's
inside: set[str] = set()  # and those that are

Place = tuple[CodeType, int]


def user_frame(depth: int) -> Any:
    """The nearest frame outside this package, beginning ``depth`` frames up."""
    frame = sys._getframe(depth + 1)
    while True:
        name = frame.f_code.co_filename
        if name in inside:
            if frame.f_back is None:
                return frame
            frame = frame.f_back
        elif name in outside:
            return frame
        else:
            (inside if name.startswith(HOUSE) else outside).add(name)


def here(depth: int = 1) -> Place:
    """The user's place now."""
    frame = sys._getframe(depth)
    if frame.f_code.co_filename not in outside:
        frame = user_frame(depth)
    return frame.f_code, frame.f_lasti


def line_number(place: Place) -> int:
    """The line of an instruction in its code."""
    code, offset = place
    line = code.co_firstlineno
    for start, end, number in code.co_lines():
        if start <= offset < end and number is not None:
            return number
    return line


def describe(place: Place | None) -> str:
    """``file.py:12 in f: y = x.exp()``"""
    if place is None:
        return "an unknown place"
    import linecache

    code, _ = place
    number = line_number(place)
    text = linecache.getline(code.co_filename, number).strip()
    where = f"{os.path.basename(code.co_filename)}:{number}"
    where += "" if code.co_name == "<module>" else f" in {code.co_name}"
    return f"{where}: {text}" if text else where


# Modules that were called lately: (weak reference, the ticks between which they ran). A node is looked up by its tick.
module_calls: deque = deque(maxlen=1 << 12)
