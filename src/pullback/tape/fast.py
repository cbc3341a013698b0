"""The fast paths: operations on plain CPU tensors, and nothing else.

The function of an operation is written for it, once, when it is first called, so that no call branches on what the
operation is. Its lines handle plain tensors of one floating dtype, and Python numbers beside them; every other case
(promotion, values of transforms, lists, errors) goes to the general path in ``record.py``, which does the same thing.
Each line was measured: a multiplication of two tensors of three elements costs 0.25 µs in NumPy, and the whole call must
stay below a few times that.

This is what is written for ``mul``, shortened::

    def mul(input, other):
        if type(input) in plain:
            f_input = input._flags  # requires grad, or needs care: bits
            if f_input > 1:
                f_input = settle(input)  # a view: bring its history up to date
            d_input = input._data
            ...  # the same for other, which may also be a number
            if (f_input | f_other) < 2 and ...:  # nothing special, float32 or float64
                data = kernel(d_input, d_other)
                out = new(Tensor)
                out._data = data
                if not (f_input | f_other) or (switch.on and modes.floor):
                    ...
                    return out  # nothing to record
                node = node_class()
                node.next = ...  # where gradients go
                node.saved = (d_other if f_input else None, d_input if f_other else None)
                ...  # tick, and the calling line
                return out
        return general(op, (input, other))
"""

from collections.abc import Callable
from sys import _getframe
from typing import Any

from numpy import asarray, dtype, generic, ndarray, ufunc

from ..clock import tick
from ..interpreters import Value
from ..interpreters.batched import is_random
from ..kernels import kernel_of
from ..ops.table import KEEP, Op
from ..source import define
from . import record
from .graph import node_type
from .lines import outside, user_frame
from .modes import modes, switch
from .reasons import lost_by, off
from .record import general, needed_names
from .value import Tensor, as_inference, new, plain
from .views import link, settle

F32, F64 = dtype("float32"), dtype("float64")

# Where the function was called: the nearest frame outside the house.
STAMP = """
node.tick = tick()
frame = _getframe(1)
code = frame.f_code
if code.co_filename not in outside:
    frame = user_frame(1)
    code = frame.f_code
node.code = code
node.lasti = frame.f_lasti
"""

_functions: dict[str, Callable] = {}


def function_of(op: Op) -> Callable:
    """The function of an operation's canonical parameters that users' calls end in."""
    made = _functions.get(op.name)
    if made is None:
        made = _functions.setdefault(op.name, write(op) if has_fast_path(op) else _general(op))
    return made


_operators: dict[str, Callable] = {}


def operator_of(op: Op) -> Callable:
    """As :func:`function_of`, for a Python operator: it returns NotImplemented for operands it does not know."""
    made = _operators.get(op.name)
    if made is None:
        made = _operators.setdefault(op.name, write(op, operate) if has_fast_path(op) else function_of(op))
    return made


def operate(op: Op, args: tuple, prepared: bool = False) -> Any:
    """The general path of an operator."""
    known = (Value, bool, int, float, complex, generic, ndarray)
    if any(p in op.operands and not isinstance(a, known) for p, a in zip(op.params, args, strict=True)):
        return record.foreign(op, args, None)
    return general(op, args, prepared)


def call(op: Op, args: tuple) -> Any:
    """Run an operation for a user."""
    return function_of(op)(*args)


def has_fast_path(op: Op) -> bool:
    """Operations of lists, with several outputs, with random results, or without tensors take the general path at once."""
    return bool(op.operands) and not op.outputs and not is_random(op) and not {"tensors", "indices"} & {*op.params}


def _general(op: Op) -> Callable:
    args = ", ".join(op.params)
    source = f"def {op.name}({signature(op)}):\n    return general(op, ({args},))\n"
    return define(op.name, source, {"general": general, "op": op})


def write(op: Op, otherwise: Callable = general) -> Callable:
    """Write the function of an operation, and define it; ``otherwise`` takes what its lines do not know."""
    from ..kernels.numpy import UFUNCS

    kernel: Any = UFUNCS.get(op.name) if not has_settings(op) else None
    kernel = kernel or kernel_of(op)
    scope = {
        "F32": F32, "F64": F64, "Tensor": Tensor, "_getframe": _getframe, "as_inference": as_inference, "asarray": asarray, "general": otherwise,
        "kernel": kernel, "link": link, "lost": lost_by(op), "modes": modes, "ndarray": ndarray, "new": new, "off": off, "op": op, "outside": outside,
        "plain": plain, "prepare": op.prepare, "settle": settle, "switch": switch, "tick": tick, "user_frame": user_frame,
    }  # fmt: skip
    if op.diff:
        scope |= node_classes(op)
    args = ", ".join(op.params)
    lines = [f"def {op.name}({signature(op)}):"]
    if op.prepare:
        first = tensor_params(op)[0]
        lines += indent([f"if type({first}) not in plain:", f"    return general(op, ({args},))"], 1)
        lines += indent(["try:", f"    {args}, = prepare({args})"], 1)
        lines += indent(["except Exception:", f"    return general(op, ({args},))"], 1)  # it reads other numbers too
    lines += indent(guarded(op, tensor_params(op), kernel), 1)
    lines += indent([f"return general(op, ({args},), {bool(op.prepare)})"], 1)
    return define(op.name, "\n".join(lines) + "\n", scope)


def node_classes(op: Op) -> dict[str, Any]:
    """What the written function makes its node with."""
    if callable(op.node):
        return {"node_type": node_type, "name_of": op.node}
    names = op.node if isinstance(op.node, tuple) else (op.node, op.node)
    return {"node_class": node_type(op, names[0]), "tensor_node_class": node_type(op, names[1])}


def has_settings(op: Op) -> bool:
    """Whether an operation has parameters beside its operands that a bare ufunc would not take."""
    return any(p not in op.diff and op.defaults.get(p) not in (None, 1) for p in op.params if p in op.defaults)


def signature(op: Op) -> str:
    return ", ".join(f"{p}={op.defaults[p]!r}" if p in op.defaults else p for p in op.params)


def tensor_params(op: Op) -> list[str]:
    """The parameters that are tensors: those that are differentiated or promoted, or the first."""
    found = [p for p in op.params if p in op.diff or (op.types != KEEP and p in op.operands)]
    return found or [op.params[0]]


def other_params(op: Op) -> list[str]:
    """The parameters that may be tensors too: indices, conditions."""
    return [p for p in op.params if p not in tensor_params(op) and p not in op.defaults]


def guarded(op: Op, tensors: list[str], kernel: Any) -> list[str]:
    """Nested tests for what the fast path knows, and the path inside."""
    first, rest = tensors[0], tensors[1:]
    care = ["care = False"]
    opened = [f"if type({first}) in plain:", *indent([*care, *looked_at(first), f"kind = d_{first}.dtype"], 1)]
    for p in rest:
        opened += indent(operand(op, p), 1)
    for p in other_params(op):
        opened += indent([f"d_{p}, f_{p} = {p}, 0", f"if type({p}) in plain:", *indent(looked_at(p), 1)], 1)
    flags = " | ".join(f"f_{p}" for p in [*tensors, *other_params(op)])
    same = "".join(f" and ok_{p}" for p in rest)
    floating = "(kind is F32 or kind is F64)" if op.diff or op.types != KEEP else "True"
    if op.types == KEEP and op.diff:
        floating = f"({floating} or not ({flags}))"
    settings = "".join(f" and {p} == {op.defaults[p]!r}" for p in ufunc_settings(op, kernel))
    test = f"if ({flags}) < 2 and {floating}{same}{settings}:"
    return [*opened, *indent([test, *indent(path(op, tensors, kernel), 1)], 1)]


def ufunc_settings(op: Op, kernel: Any) -> list[str]:
    """Settings that must have their defaults for the bare ufunc to serve."""
    from ..kernels.numpy import UFUNCS

    return [p for p in op.defaults if p not in tensor_params(op)] if kernel is UFUNCS.get(op.name, op) else []


def looked_at(p: str) -> list[str]:
    """Flags and data of a tensor."""
    return [
        f"f_{p} = {p}._flags",
        f"if f_{p} > 1:",
        "    care = True",
        f"    f_{p} = settle({p})",
        f"d_{p} = {p}._data",
    ]


def operand(op: Op, p: str) -> list[str]:
    """A further operand: a tensor of the same dtype, or a number (None, where that is the default)."""
    must_match = p in op.diff or op.types != KEEP
    lines = [f"of_{p} = type({p})", f"if of_{p} in plain:", *indent(looked_at(p), 1)]
    lines += [f"    ok_{p} = kind is d_{p}.dtype" if must_match else f"    ok_{p} = True", "else:"]
    numbers = f"of_{p} is float or of_{p} is int"
    allowed = f"{p} is None or {numbers}" if p in op.defaults else numbers
    return [*lines, f"    d_{p}, f_{p} = {p}, 0", f"    ok_{p} = {allowed}"]


def path(op: Op, tensors: list[str], kernel: Any) -> list[str]:
    """Compute, and record if a gradient is wanted."""
    held = {*tensors, *other_params(op)}
    given = [f"d_{p}" if p in held else p for p in op.params if p not in ufunc_settings(op, kernel)]
    compute = f"data = kernel({', '.join(given)}{', out=...' if isinstance(kernel, ufunc) else ''})"
    args = ", ".join(op.params)
    lines = [compute]
    if op.broadcasts and len(held) > 1:
        lines = [
            "try:",
            f"    {compute}",
            "except ValueError:",
            f"    return general(op, ({args},), {bool(op.prepare)})",
        ]
    if not isinstance(kernel, ufunc):
        lines += ["if type(data) is not ndarray:", "    data = asarray(data)"]
    lines += ["out = new(Tensor)", "out._data = data"]
    flags = " | ".join(f"f_{p}" for p in op.diff)
    test = [f"flags = {flags}", "if not flags or (switch.on and modes.floor):"] if op.diff else ["if True:"]
    inference = ["if switch.on and modes.inference:", "    as_inference(out)"]
    lines += [
        *test,
        *indent(
            ["out._flags = 0", "out._fn = None", *reason(op, tensors), *linked(op, tensors), *inference, "return out"],
            1,
        ),
    ]
    return lines + recorded(op, tensors) if op.diff else lines


def reason(op: Op, tensors: list[str]) -> list[str]:
    """Let an unrecorded result remember why it has no history (see ``reasons.py``): 30 to 60 ns."""
    if not op.diff:
        flags = " | ".join(f"f_{p}" for p in [*tensors, *other_params(op)])
        return [f"if {flags}:", "    out._why = lost"]
    first, *rest = tensors  # of the rest, what is its own data is a number
    inherited = " or ".join([f"{first}._why", *(f"d_{p} is not {p} and {p}._why" for p in rest)])
    return [f"why = off().reason if flags else {inherited}", "if why:", "    out._why = why"]


def linked(op: Op, tensors: list[str]) -> list[str]:
    """Make the result a view, unless the kernel had to copy."""
    if not op.view:
        return []
    x = tensors[0]
    rest = "".join(f"{p}, " for p in op.params[1:])
    shares = f"data.base is not None and (data.base is d_{x} or data.base is d_{x}.base)"
    return [f"if {shares}:", f"    link({x}, (op, ({rest}), 0), out)"]


def recorded(op: Op, tensors: list[str]) -> list[str]:
    """Write the node."""
    args = ", ".join(op.params)
    lines = []
    if op.types == KEEP and not op.broadcasts:
        lines += ["if data.dtype is not kind:", f"    return general(op, ({args},), {bool(op.prepare)})"]
    last = op.operands[-1]  # it decides between the names of the node, where there are several
    is_tensor = f"of_{last} in plain"
    if last in op.defaults and op.operands[-2] in tensors[1:]:
        is_tensor += f" or {last} is None and of_{op.operands[-2]} in plain"
    made = f"tensor_node_class() if {is_tensor} else node_class()" if isinstance(op.node, tuple) else "node_class()"
    if callable(op.node):
        made = f"node_type(op, name_of({args}))()"
    lines += [f"node = {made}", *fixed(op)]
    targets = [f"({p}._fn or {p}) if f_{p} else None" if len(op.diff) > 1 else f"{p}._fn or {p}" for p in op.diff]
    lines += [f"node.next = ({', '.join(targets)},)"]
    numbers = ", ".join(f"{p}._nr if f_{p} else 0" for p in op.diff)
    lines += ["if care:", f"    nrs = ({numbers},)", "    if any(nrs):", "        node.nrs = nrs"]
    lines += [f"        node.fix = node.fix or {(None,) * len(op.diff)}"]
    lines += [f"node.saved = {kept(op)}", *STAMP.strip().split("\n"), "out._fn = node", "out._flags = 1"]
    return [*lines, *linked(op, tensors), "return out"]


def fixed(op: Op) -> list[str]:
    """What a gradient must be summed to, where an operand was broadcast."""
    tensors = tensor_params(op)
    if not op.broadcasts or len(tensors) < 2:
        return ["node.fix = None"]
    first, rest = tensors[0], tensors[1:]
    differ = " or ".join(f"of_{p} in plain and d_{first}.shape != d_{p}.shape" for p in rest)
    if other_params(op):
        differ += f" or d_{first}.shape != data.shape"
    shapes = [f"    s_{p} = d_{p}.shape if f_{p} else full" for p in op.diff]
    each = ", ".join(f"None if s_{p} == full else (s_{p}, None)" for p in op.diff)
    return [
        f"if {differ}:",
        "    full = data.shape",
        *shapes,
        f"    node.fix = ({each},)",
        "else:",
        "    node.fix = None",
    ]


def kept(op: Op) -> str:
    """The tuple of what the rules of the inputs that need a gradient read."""
    if op.is_formula:
        return f"({', '.join(kept_value(op, name) for name in op.saved)},)"
    readers = {p: needed_names(op, tuple(q == p for q in op.diff)) for p in op.diff}
    items = []
    for name in op.saved:
        wanted_by = [p for p in op.diff if name in readers[p]]
        value = kept_value(op, name)
        whole = len(wanted_by) == len(op.diff) or not value.startswith(("d_", "data"))
        items.append(value if whole else f"{value} if {' | '.join(f'f_{p}' for p in wanted_by)} else None")
    return f"({', '.join(items)}{',' if len(items) == 1 else ''})"


def kept_value(op: Op, name: str) -> str:
    """The expression for a saved name."""
    tensors = [*tensor_params(op), *other_params(op)]
    if name in op.params:
        return f"d_{name}" if name in tensors else name
    if name == "result":
        return "data"
    base = name.removesuffix("_shape").removesuffix("_dtype")
    held = kept_value(op, base)
    if name.endswith("_shape"):
        return f"getattr({held}, 'shape', ())" if base in op.params[1:] else f"{held}.shape"
    return f"getattr({held}, 'dtype', None)" if base in op.params[1:] else f"{held}.dtype"


def indent(lines: list[str], levels: int) -> list[str]:
    return ["    " * levels + line for line in lines]
