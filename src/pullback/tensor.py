"""The Tensor: operators and methods bound from the table, each made when it is first asked for.

``functions`` is the namespace of ``torch``, ``functional_functions`` that of ``torch.nn.functional``: the public
function of every operation and overload, by name. A method takes its operation's docstring.
"""

from collections.abc import Callable
from functools import wraps
from typing import Any

from numpy import generic, ndarray

from . import attributes, indexing, ops  # noqa: F401  (the tensor's own members; and the table filled)
from .context import make_lock
from .forms import become_view
from .interpreters.dispatch import OPERATORS
from .ops.namespaces import Packet
from .ops.table import OVERLOADS, TABLE, Op, Overload
from .ops.transposition import PROPERTIES
from .out import is_exact, write_out
from .source import define, twin, warn_user
from .tape import inplace
from .tape import record as tape_record
from .tape.fast import call, function_of, operator_of
from .tape.value import Tensor

Record = Op | Overload


making = make_lock()  # held while a function or member is made and put in its place


class Namespace(dict):
    """Public functions by name, made from their records when they are first asked for."""

    def __init__(self) -> None:
        super().__init__()
        self.records: dict[str, Record] = {}

    def __missing__(self, name: str) -> Callable:
        with making:
            if name in self.keys():
                return self[name]
            function = self[name] = twin(public_function(self.records[name]), name)
            for notice in on_function:
                notice(function)
        return function

    def __contains__(self, name: object) -> bool:
        return name in self.records

    def get(self, name: str, default: Any = None) -> Any:
        return self[name] if name in self.records else default

    def names(self) -> list[str]:
        """All the names, made or not."""
        return list(self.records)


# Called with each public function, and with the name and member of the tensor, that is made from then on.
on_function: list[Callable] = []
on_member: list[Callable] = []

functions = Namespace()
functional_functions = Namespace()
linalg_functions = Namespace()
special_functions = Namespace()
fft_functions = Namespace()
NAMESPACES = {
    "torch": functions,
    "nn.functional": functional_functions,
    "linalg": linalg_functions,
    "special": special_functions,
    "fft": fft_functions,
}


class LazyMember:
    """A method of the tensor that is made, and put in its own place, when it is first looked up."""

    __slots__ = ("make", "name")

    def __init__(self, name: str, make: Callable) -> None:
        self.name, self.make = name, make

    def __get__(self, instance: Any, owner: Any) -> Any:
        with making:
            made = vars(Tensor)[self.name]
            if made is self:
                made = self.make()
                made = made if isinstance(made, property) else twin(made, self.name)
                setattr(Tensor, self.name, made)
                for notice in on_member:
                    notice(self.name, made)
        return made if instance is None else made.__get__(instance, owner)


_made: dict[int, Callable] = {}


def public_function(record: Record) -> Callable:
    """What the public functions and methods of a record are twins of."""
    key = id(record)
    if key not in _made:
        function = make_function(record)
        function = gathering(function) if record.star == record.params[0] else function
        function.__doc__, function.__module__ = record.doc, "pullback"
        _made.setdefault(key, function)
    return _made[key]


def not_a_tensor(overload: Overload, given: Any) -> TypeError:
    return TypeError(f"{overload.name}(): argument 'input' (position 1) must be Tensor, not {type(given).__name__}")


def choose(overload: Overload, args: tuple) -> Any:
    if overload.params[0] == "input" and not isinstance(args[0], Tensor):
        return tape_record.foreign(overload, args, not_a_tensor(overload, args[0]))
    args = tape_record.as_numbers(args)
    try:
        op, args, *in_place = overload.choose(*args)
    except (AttributeError, TypeError) as error:
        return tape_record.foreign(overload, args, tape_record.misfit(overload, args, error))
    if op is None:  # nothing to be done: the operand itself
        return args
    return inplace.write(op, args) if in_place and in_place[0] else call(op, args)


def make_function(record: Record) -> Callable:
    """A function with the record's own signature."""
    run = choose if isinstance(record, Overload) else function_of(record)
    scope = {"record": record, "run": run, "write_out": write_out}
    arguments = ", ".join(record.params)
    invoke = f"run(record, ({arguments},))" if isinstance(record, Overload) else f"run({arguments})"
    renames = "dim" in record.params
    if isinstance(record, Op) and not record.out and not renames and "*" not in record.signature:
        return run  # it has this very signature
    signature, body = record.signature, f"    return {invoke}\n"
    if record.out:
        signature = signature[:-1] + (", " if "*" in signature else ", *, ") + "out=None)"
        body = f"    return {invoke} if out is None else write_out(out, {invoke}, {is_exact(record)})\n"
    if renames:
        signature, body = with_numpy_names(record, signature, body, scope)
    return define(record.name, f"def {record.name}{signature}:\n{body}", scope)


NUMPY_NAMES = {"axis": "dim", "axes": "dim", "keepdims": "keepdim"}
MISSING = object()


def with_numpy_names(record: Record, signature: str, body: str, scope: dict) -> tuple[str, str]:
    """Let a function take NumPy's names of its parameters, as PyTorch's functions do: ``axis`` for ``dim``."""
    scope |= {"renamed": renamed, "MISSING": MISSING}
    if "dim" not in record.defaults:
        after = record.params[record.params.index("dim") + 1 :]
        if any(p not in record.defaults for p in after):
            return signature, body  # a parameter after one that may be missing would have to be missing too
        signature = signature.replace(", dim", ", dim=MISSING", 1)
    named = ", ".join(f"{p!r}: {p}" for p in record.params)
    again = f"{record.name}(**renamed({record.name!r}, {{{named}}}, others))"
    test = "if others or dim is MISSING:" if "MISSING" in signature else "if others:"
    return signature[:-1] + ", **others)", f"    {test}\n        return {again}\n{body}"


def renamed(name: str, given: dict, others: dict) -> dict:
    """A call's arguments with NumPy's names replaced by PyTorch's."""
    for other, value in others.items():
        if NUMPY_NAMES.get(other) not in given:
            raise TypeError(f"{name}() got an unexpected keyword argument '{other}'")
        given[NUMPY_NAMES[other]] = value
    if given["dim"] is MISSING:
        raise TypeError(f"{name}() missing 1 required positional argument: 'dim'")
    return given


def method_of(record: Record) -> Callable:
    """The method: the operation's function itself where it can be, for a method has no ``out``."""
    if record.star:
        return with_star(record)
    if isinstance(record, Overload) or "*" in record.signature or "dim" in record.params:
        return public_function(record)
    method = function_of(record)
    method.__doc__, method.__module__ = record.doc, "pullback"
    return method


def with_star(record: Record) -> Callable:
    """A method that takes a sequence parameter as one tuple or as several arguments: ``x.view(2, 3)``."""
    function = public_function(record)

    def method(self: Any, *args: Any, **kwargs: Any) -> Any:
        if args and not isinstance(args[0], (tuple, list)):
            args = (args,)
        return function(self, *args, **kwargs)

    method.__name__, method.__doc__, method.__module__ = record.name, record.doc, "pullback"
    return method


def gathering(function: Callable) -> Callable:
    """A function that takes its tensors one by one or as one list: ``meshgrid(x, y)``."""

    @wraps(function)
    def gathered(*tensors: Any, **kwargs: Any) -> Any:
        return function(tensors[0] if len(tensors) == 1 else list(tensors), **kwargs)

    return gathered


NUMBER_FIRST = ("add", "sub", "addcmul", "addcdiv")  # in old programs the factor stands first: `p.add_(-lr, grad)`


def warn_of_number_first(name: str, op: Op) -> None:
    keyword = op.params[-1]
    message = f"This overload of {name} is deprecated: {name}(Number {keyword}, ...); give {keyword}= as a keyword, at the end"
    warn_user(message, UserWarning)


def inplace_method(op: Op) -> Callable:
    """``x.op_(...)``."""
    name, scope = f"{op.name}_", {"op": op, "write": inplace.write, "warn": warn_of_number_first}
    signature, body = op.signature, f"    return write(op, ({', '.join(op.params)},))\n"
    if op.name in NUMBER_FIRST:
        target, number, *others, _ = op.params
        signature = signature.replace(", *", ", last=None, *")
        old = ", ".join([target, *others, "last", number])
        body = f"    if last is not None:\n        warn('{name}', op)\n        return write(op, ({old}))\n" + body
    method = define(name, f"def {name}{signature}:\n{body}", scope)
    method.__doc__ = f"In-place form of :func:`{op.name}`. {op.doc}"
    method.__module__ = "pullback"
    return method


def view_in_place(name: str) -> Callable:
    """``x.unsqueeze_(0)`` and its kin, which change how the tensor is seen and write nothing."""
    function = functions[name]

    def method(self: Any, *args: Any, **kwargs: Any) -> Any:
        return become_view(function, self, *args, **kwargs)

    method.__name__, method.__module__ = name + "_", "pullback"
    method.__doc__ = f"In-place form of :func:`{name}`: the tensor itself takes the new shape."
    return method


def operator(name: str, op: Op, reflected: bool) -> Callable:
    function = operator_of(op)
    if not reflected:
        return function

    def reflect(self: Any, other: Any) -> Any:
        known = isinstance(other, OPERANDS)
        return function(other, self) if known else tape_record.foreign(name, (self, other), None)

    return reflect


def where(self: Any, condition: Any, other: Any) -> Any:
    """The tensor's elements where ``condition`` holds, and those of ``other`` where it does not."""
    return functions["where"](condition, self, other)


def matmul(self: Any, other: Any) -> Any:
    """``x @ y``: the overload, which has an operation, and PyTorch's node, for each pair of ranks."""
    known = isinstance(other, Tensor)
    return functions["matmul"](self, other) if known else tape_record.foreign(OVERLOADS["matmul"], (self, other), None)


def positive(self: Any) -> Any:
    """``+x``: the tensor itself."""
    return functions["positive"](self)


def invert(self: Any) -> Any:
    """``~x``: not for booleans, the bits inverted for integers."""
    if self.dtype.category > 1:
        raise TypeError(
            f"~ (operator.invert) is only implemented on integer and Boolean-type tensors, not on {self.dtype}"
        )
    return functions["bitwise_not"](self)


OPERANDS = (Tensor, bool, int, float, complex, generic, ndarray)  # what may stand before a tensor
INPLACE_OPERATORS = {
    "__iadd__": "add", "__isub__": "sub", "__imul__": "mul", "__itruediv__": "div", "__ipow__": "pow",
    "__ifloordiv__": "floor_divide", "__imod__": "remainder", "__iand__": "bitwise_and", "__ior__": "bitwise_or",
    "__ixor__": "bitwise_xor", "__ilshift__": "bitwise_left_shift", "__irshift__": "bitwise_right_shift",
}  # fmt: skip


def bind(record: Record) -> None:
    """Enter the public forms of a record: functions, methods, in-place methods."""
    for home, _, own in [home.partition(":") for home in record.homes if record.function]:
        for name in [own] if own else (record.name, *record.aliases):
            NAMESPACES[home].records[name] = record
    for name in (record.name, *record.aliases):
        if record.method:
            add_member(name, lambda: method_of(record))
        if getattr(record, "inplace", False):
            add_member(name + "_", lambda: inplace_method(record))  # type: ignore[arg-type]


def add_member(name: str, make: Callable) -> None:
    setattr(Tensor, name, LazyMember(name, make))


def bind_operator(method: str, op: Op, reflected: bool) -> None:
    add_member(method, lambda: operator(method, op, reflected))


def bind_all() -> None:
    records: list[Record] = [*TABLE.values(), *OVERLOADS.values()]
    for record in records:
        bind(record)
    for method, (name, reflected) in OPERATORS.items():
        if name in TABLE:
            bind_operator(method, TABLE[name], reflected)
    for method, name in INPLACE_OPERATORS.items():
        if name in TABLE:
            add_member(method, lambda op=TABLE[name]: inplace_method(op))
    for name in PROPERTIES:
        add_member(name, lambda record=OVERLOADS[name]: property(twin(public_function(record))))
    for name in ("squeeze", "unsqueeze", "transpose", "swapaxes", "swapdims", "t", "as_strided"):
        add_member(name + "_", lambda name=name: view_in_place(name))
    Tensor.__hash__ = object.__hash__  # type: ignore[method-assign]
    for name in ("getitem", "setitem"):
        setattr(Tensor, f"__{name}__", getattr(indexing, name))
    Tensor.copy_ = indexing.copy_  # type: ignore[attr-defined]
    members = {"where": where, "__invert__": invert, "__matmul__": matmul, "__pos__": positive}
    for name, member in members.items():
        setattr(Tensor, name, member)


bind_all()
Packet.function_of = staticmethod(functions.__getitem__)
