"""A machine for pickles that runs no code of theirs: only what is on a list is called, and only in ways that are known.

Python's own unpickler cannot be used for files of strangers even with a list of what it may call: it sets attributes of
functions and classes, and reserves memory that a few bytes ask for. This one knows the instructions that data need; all
else is refused. Invariants: time and memory are in proportion to the pickle's length; what is called is in ``ALLOWED``, or
was allowed by the user (``allowed.py``).
"""

import struct
from collections import Counter, OrderedDict, defaultdict
from collections.abc import Callable
from pickle import UnpicklingError
from typing import Any

from ..attributes import Size
from .allowed import CALLS, check_key, find_global, is_allowed_by_user


class Machine:
    """Runs the pickle that starts at a place in the bytes; ``position`` is then where it ends.

    Raises:
        UnpicklingError: an instruction is refused, or is wrong.
        EOFError: the pickle ends before its last instruction.
    """

    def __init__(self, content: Any, persistent_load: Callable, position: int = 0, encoding: str = "utf-8") -> None:
        self.content, self.position = memoryview(content).toreadonly(), position
        self.persistent_load, self.encoding = persistent_load, encoding
        self.stack: list = []
        self.marks: list[int] = []
        self.memo: dict[int, Any] = {}

    def load(self) -> Any:
        instructions, content = INSTRUCTIONS, self.content
        while True:
            if self.position >= len(content):
                raise EOFError("the pickle ends before its last instruction: the file is cut off")
            code = content[self.position]
            self.position += 1
            if code == STOP:
                return self.pop()
            instruction = instructions.get(code)
            if instruction is None:
                raise UnpicklingError(f"Unsupported operand {code}: no pickle of plain data and tensors has it")
            instruction(self)

    # -- what is read, and the stack -----------------------------------------------------------------------------------

    def read(self, count: int) -> memoryview:
        end = self.position + count
        if end > len(self.content):
            raise EOFError(f"the pickle ends in the middle of a value of {count} bytes: the file is cut off")
        found, self.position = self.content[self.position : end], end
        return found

    def number(self, size: int, signed: bool = False) -> int:
        return int.from_bytes(self.read(size), "little", signed=signed)

    def line(self) -> str:
        start = self.position
        while self.position < len(self.content) and self.content[self.position] != 10:
            self.position += 1
        text = bytes(self.content[start : self.position])
        self.read(1)
        return text.decode("utf-8")

    def push(self, value: Any) -> None:
        self.stack.append(value)

    def pop(self) -> Any:
        if len(self.stack) <= (self.marks[-1] if self.marks else 0):
            raise UnpicklingError("the pickle takes more values than it has made")
        return self.stack.pop()

    def top(self, kinds: tuple, action: str) -> Any:
        if len(self.stack) <= (self.marks[-1] if self.marks else 0):
            raise UnpicklingError("the pickle takes more values than it has made")
        found = self.stack[-1]
        if type(found) not in kinds:
            raise UnpicklingError(f"Can only {action} {names_of(kinds)}, not {type(found).__name__}")
        return found

    def items(self) -> list:
        """What was pushed since the last mark."""
        if not self.marks:
            raise UnpicklingError("the pickle closes a list that it has not opened")
        start = self.marks.pop()
        found = self.stack[start:]
        del self.stack[start:]
        return found

    def remember(self, key: int) -> None:
        if not self.stack:
            raise UnpicklingError("the pickle keeps a value that it has not made")
        self.memo[key] = self.stack[-1]

    def recall(self, key: int) -> None:
        if key not in self.memo:
            raise UnpicklingError(f"Memo value not found at index {key}")
        self.push(self.memo[key])

    # -- containers ----------------------------------------------------------------------------------------------------

    def append(self, values: list) -> None:
        self.top((list,), "append to").extend(values)

    def set_items(self, values: list) -> None:
        target = self.top((dict, OrderedDict, Counter, defaultdict), "set the items of")
        if len(values) % 2:
            raise UnpicklingError("the pickle sets an item without a value")
        for key in values[::2]:
            check_key(key)
        target.update(zip(values[::2], values[1::2], strict=True))

    def add_items(self, values: list) -> None:
        target = self.top((set,), "add to")
        for value in values:
            check_key(value)
        target.update(values)

    def tuple_of(self, count: int) -> None:
        self.push(tuple([self.pop() for _ in range(count)][::-1]))

    def frozen(self) -> None:
        values = self.items()
        for value in values:
            check_key(value)
        self.push(frozenset(values))

    def dictionary(self) -> None:
        values = self.items()
        self.push({})
        self.set_items(values)

    def text(self, size: int) -> None:
        """A string of Python 2, which may be text or bytes."""
        raw = bytes(self.read(self.number(size)))
        self.push(raw if self.encoding == "bytes" else raw.decode(self.encoding))

    # -- what is on the list -------------------------------------------------------------------------------------------

    def find(self, module: Any, name: Any) -> None:
        if not isinstance(module, str) or not isinstance(name, str):
            raise UnpicklingError("the pickle names a global by something else than text")
        self.push(find_global(module, name))

    def stack_find(self) -> None:
        name, module = self.pop(), self.pop()
        self.find(module, name)

    def reduce(self) -> None:
        args, function = self.pop(), self.pop()
        if type(args) is not tuple:
            raise UnpicklingError(f"the pickle calls with {type(args).__name__} in place of a tuple of arguments")
        self.push(call(function, args))

    def make(self) -> None:
        """An instance, by ``cls.__new__``: of a class that the user allows, or of a container."""
        args, kind = self.pop(), self.pop()
        if type(args) is tuple and is_allowed_by_user(kind) and isinstance(kind, type):
            self.push(kind.__new__(kind, *args))
        elif type(args) is tuple and any(kind is each for each in (OrderedDict, Counter, Size)):
            self.push(call(kind, args))
        else:
            raise UnpicklingError(f"Can only create new objects of allowed classes, not {describe(kind)}")

    def build(self) -> None:
        state, target = self.pop(), self.top_any()
        if type(target) is OrderedDict and type(state) is dict:
            target.__dict__.update(state)
        elif is_allowed_by_user(type(target)):
            build(target, state)
        else:
            raise UnpicklingError(f"Can only build the state of allowed classes, not of {describe(target)}")

    def top_any(self) -> Any:
        value = self.pop()
        self.push(value)
        return value

    def persistent(self) -> None:
        self.push(self.persistent_load(self.pop()))


def names_of(kinds: tuple) -> str:
    return " or ".join(kind.__name__ for kind in kinds)


def describe(value: Any) -> str:
    """The name of a class or a function, or else of the class of a value."""
    named = value if hasattr(value, "__qualname__") else type(value)
    return f"{getattr(named, '__module__', '')}.{named.__qualname__}"


def call(function: Any, args: tuple) -> Any:
    if id(function) in CALLS:
        return CALLS[id(function)](*args)
    if is_allowed_by_user(function):
        return function(*args)
    raise UnpicklingError(f"Trying to call reduce for unrecognized function {describe(function)}")


def build(target: Any, state: Any) -> None:
    """Give an instance of a class that the user allows its state, as ``pickle`` does."""
    if hasattr(target, "__setstate__"):
        target.__setstate__(state)
        return
    own, slots = state if type(state) is tuple and len(state) == 2 else (state, None)
    if own:
        target.__dict__.update(own)
    for name, value in (slots or {}).items():
        object.__setattr__(target, name, value)


# -- the instructions --------------------------------------------------------------------------------------------------

STOP = ord(".")
INSTRUCTIONS: dict[int, Callable[[Machine], Any]] = {
    ord(code): act
    for code, act in {
        "\x80": lambda m: m.read(1),  # the protocol
        "\x95": lambda m: m.read(8),  # the length of a frame
        "(": lambda m: m.marks.append(len(m.stack)),
        "0": lambda m: m.pop(),
        "1": lambda m: m.items(),
        "2": lambda m: m.push(m.top_any()),
        "N": lambda m: m.push(None),
        "\x88": lambda m: m.push(True),
        "\x89": lambda m: m.push(False),
        "J": lambda m: m.push(m.number(4, signed=True)),
        "K": lambda m: m.push(m.number(1)),
        "M": lambda m: m.push(m.number(2)),
        "\x8a": lambda m: m.push(m.number(m.number(1), signed=True)),
        "\x8b": lambda m: m.push(m.number(m.number(4), signed=True)),
        "G": lambda m: m.push(struct.unpack(">d", m.read(8))[0]),
        "T": lambda m: m.text(4),
        "U": lambda m: m.text(1),
        "X": lambda m: m.push(str(m.read(m.number(4)), "utf-8", "surrogatepass")),
        "\x8c": lambda m: m.push(str(m.read(m.number(1)), "utf-8", "surrogatepass")),
        "\x8d": lambda m: m.push(str(m.read(m.number(8)), "utf-8", "surrogatepass")),
        "B": lambda m: m.push(bytes(m.read(m.number(4)))),
        "C": lambda m: m.push(bytes(m.read(m.number(1)))),
        "\x8e": lambda m: m.push(bytes(m.read(m.number(8)))),
        "\x96": lambda m: m.push(bytearray(m.read(m.number(8)))),
        "]": lambda m: m.push([]),
        "}": lambda m: m.push({}),
        ")": lambda m: m.push(()),
        "\x8f": lambda m: m.push(set()),
        "l": lambda m: m.push(m.items()),
        "d": Machine.dictionary,
        "t": lambda m: m.push(tuple(m.items())),
        "\x91": Machine.frozen,
        "\x85": lambda m: m.tuple_of(1),
        "\x86": lambda m: m.tuple_of(2),
        "\x87": lambda m: m.tuple_of(3),
        "a": lambda m: m.append([m.pop()]),
        "e": lambda m: m.append(m.items()),
        "s": lambda m: m.set_items([m.pop(), m.pop()][::-1]),
        "u": lambda m: m.set_items(m.items()),
        "\x90": lambda m: m.add_items(m.items()),
        "h": lambda m: m.recall(m.number(1)),
        "j": lambda m: m.recall(m.number(4)),
        "q": lambda m: m.remember(m.number(1)),
        "r": lambda m: m.remember(m.number(4)),
        "\x94": lambda m: m.remember(len(m.memo)),
        "c": lambda m: m.find(m.line(), m.line()),
        "\x93": Machine.stack_find,
        "R": Machine.reduce,
        "\x81": Machine.make,
        "b": Machine.build,
        "Q": Machine.persistent,
    }.items()
}
