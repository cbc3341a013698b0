"""The table of operations: what each operation is, and nothing about who runs it.

An operation is one :class:`Op` record: PyTorch's name and signature, and the rules by which a cotangent is pulled
back (``vjp``), a tangent is pushed forward (``jvp``) and an extra batch dimension passes through (``batch``); or,
for what is a formula over other operations, that formula alone (``composite``). Rules are ordinary Python over a
namespace ``xp`` and operators. **A rule's parameter names say what it reads**: the operation's own argument names,
``result`` (or an output's name), ``grad`` (the cotangent; ``grads`` for several outputs) and ``tangent``. What no
rule names is never kept by the tape.

This module knows no array library, no tensor and no interpreter. Invariant: ``TABLE[op.name] is op``.
"""

from ast import literal_eval
from collections.abc import Callable
from typing import Any

TABLE: dict[str, "Op"] = {}
OVERLOADS: dict[str, "Overload"] = {}

# How operand dtypes become the dtype that an operation computes in (`types=`).
KEEP = "keep"  # no promotion: each operand stays as it is
COMMON = "common"  # all operands take their common dtype
FLOATING = "floating"  # as COMMON, and integers become the default floating dtype

# Declared in place of a rule, for what needs no formula.
LINEAR = "linear"  # jvp: the operation itself, applied to the tangents
BILINEAR = "bilinear"  # jvp: the operation with one operand at a time replaced by its tangent


class Op:
    """One operation of the table. See :func:`op` for the meaning of the fields."""

    __slots__ = (
        "aliases", "batch", "broadcasts", "composite", "defaults", "diff", "doc", "domain", "errors",
        "function", "homes", "inplace", "is_formula", "jvp", "kernel", "lists", "method", "name", "node",
        "operands", "out", "outputs", "params", "prepare", "product", "real", "samples", "saved", "signature",
        "star", "types", "view", "vjp",
    )  # fmt: skip

    name: str
    signature: str
    params: tuple[str, ...]
    defaults: dict[str, Any]
    doc: str
    kernel: Callable | None
    vjp: dict[str, Callable]
    jvp: Any
    batch: Any
    composite: Callable | None
    types: str
    operands: tuple[str, ...]
    outputs: tuple[str, ...]
    broadcasts: bool
    view: bool
    real: bool
    prepare: Callable | None
    product: tuple[str, ...]
    homes: tuple[str, ...]
    domain: tuple[float, float] | None
    errors: Callable | None
    method: bool
    function: bool
    inplace: bool
    out: bool
    star: str | None
    node: Any
    aliases: tuple[str, ...]
    samples: Callable | None
    diff: tuple[str, ...]
    saved: tuple[str, ...]
    lists: tuple[str, ...]
    is_formula: bool

    def __init__(self, signature: str, doc: str, **fields: Any) -> None:
        self.name, self.signature = signature.split("(", 1)[0], "(" + signature.split("(", 1)[1]
        self.params, self.defaults = read_signature(self.signature)
        self.doc = doc
        for field, default in FIELDS.items():
            setattr(self, field, fields.pop(field, default))
        if fields:
            raise TypeError(f"op {self.name}: unknown fields {sorted(fields)}")
        self.vjp = self.vjp or {}
        self.is_formula = bool(self.composite) and not self.vjp
        self.diff = self._composite_diff() if self.is_formula else tuple(p for p in self.params if p in self.vjp)
        self.operands = self.operands or self._operands()
        self.saved = self.params if self.is_formula else names_read(self.vjp.values())
        self.lists = tuple(p for p in self.diff if p == "tensors")
        self.node = self.node or node_name(self.name)

    def _operands(self) -> tuple[str, ...]:
        """Which parameters are tensors, where the declaration does not say."""
        if self.types == KEEP and not self.broadcasts and not self.composite:
            return self.diff or self.params[:1]
        return self._required()

    def _required(self) -> tuple[str, ...]:
        return tuple(p for p in self.params if p not in self.defaults)

    def _composite_diff(self) -> tuple[str, ...]:
        return tuple(self.operands or self._required())

    def __repr__(self) -> str:
        return f"<op {self.name}{self.signature}>"


FIELDS: dict[str, Any] = {
    "kernel": None,
    "vjp": None,
    "jvp": None,
    "batch": None,
    "composite": None,
    "types": KEEP,
    "operands": (),
    "outputs": (),
    "broadcasts": False,
    "view": False,
    "real": False,
    "prepare": None,
    "product": (),
    "homes": ("torch",),
    "domain": None,
    "errors": None,
    "method": True,
    "function": True,
    "inplace": False,
    "out": False,
    "star": None,
    "node": None,
    "aliases": (),
    "samples": None,
}


class Overload:
    """A public name that stands for several operations: ``choose(*args)`` returns ``(op, args)``."""

    __slots__ = (
        "aliases", "choose", "defaults", "doc", "function", "homes", "method", "name", "out", "params",
        "signature", "star",
    )  # fmt: skip

    name: str
    signature: str
    params: tuple[str, ...]
    defaults: dict[str, Any]
    doc: str
    choose: Callable
    method: bool
    function: bool
    star: str | None
    out: bool
    homes: tuple[str, ...]
    aliases: tuple[str, ...]

    def __init__(self, signature: str, doc: str, choose: Callable, **forms: Any) -> None:
        self.name, self.signature = signature.split("(", 1)[0], "(" + signature.split("(", 1)[1]
        self.params, self.defaults = read_signature(self.signature)
        self.doc, self.choose = doc, choose
        for form, value in forms.items():
            setattr(self, form, value)


def op(signature: str, doc: str, **fields: Any) -> Op:
    """Declare an operation and enter it in the table.

    Args:
        signature: name and parameters as PyTorch's function has them, without ``out`` (``"sum(input, dim=None)"``).
        doc: its docstring; the first sentence is its row in the documentation.
        vjp: argument name -> rule ``f(xp, grad, <what it reads>)`` giving that argument's gradient. An argument
            called ``tensors`` is a list, and its rule returns a list.
        jvp: ``LINEAR``, ``BILINEAR`` or argument name -> ``f(xp, tangent, <what it reads>)``, that argument's
            contribution to the result's tangent.
        batch: ``f(op, args, batched, size)`` over values whose batch dimension, where ``batched``, is the first.
        composite: ``f(xp, *args)``, the formula that replaces all three rules. A ``vjp`` beside it is what the tape uses.
        types: ``KEEP``, ``COMMON`` or ``FLOATING``, how the dtypes of ``operands`` (default: the parameters that
            have no default) are promoted.
        broadcasts: the operands broadcast against each other; the engine sums gradients back.
        outputs: the outputs' names, where there are several; ``("*",)`` for a list of any length.
        view: the result shares the first argument's memory.
        product: two operands in each of which the operation is linear, while others only add to it. Higher derivatives
            multiply their series at once; for ``BILINEAR`` it need not be said.
        real: the operation has no complex version.
        prepare: ``f(*args) -> args`` brings the arguments of a user's call to their canonical form (dims not
            negative, shapes as tuples) and raises PyTorch's error for bad ones, before anything is computed. Rules
            pass canonical arguments.
        inplace, out, method, function: which public forms exist. star: the parameter that methods take as ``*args``.
        homes: the namespaces of the public function: ``"torch"``, ``"nn.functional"``; with a name of its own there,
            ``"special:expit"``.
        node: the name of the graph node, where it is not ``<Name>Backward0``; several where it depends on the operands:
            ``(with a number for the last operand, with tensors only, with a number for the first)``, or a function of
            the arguments.
        samples: ``f(t) -> list of (args, kwargs)`` for the generated tests; ``t(*shape)`` makes a tensor.
            errors: likewise ``(args, kwargs, exception type)``. domain: ``(low, high)`` of an elementwise operation.
    """
    record = Op(signature, doc, **fields)
    if record.name in TABLE:
        raise ValueError(f"op {record.name} is declared twice")
    TABLE[record.name] = record
    return record


OVERLOAD_FORMS: dict[str, Any] = {
    "method": True,
    "function": True,
    "star": None,
    "out": False,
    "homes": ("torch",),
    "aliases": (),
}


def overload(signature: str, doc: str, choose: Callable, **forms: Any) -> Overload:
    """Declare a public name whose arguments decide which operation runs.

    ``choose(*args)`` returns ``(op, args)``, or ``(op, args, True)`` for the operation in place, or ``(None, result)``
    where nothing is to be done. ``forms`` are those of :func:`op`: method, function, star, out, homes, aliases.
    """
    unknown = forms.keys() - OVERLOAD_FORMS.keys()
    if unknown:
        raise TypeError(f"overload {signature}: unknown fields {sorted(unknown)}")
    OVERLOADS[signature.split("(", 1)[0]] = record = Overload(signature, doc, choose, **OVERLOAD_FORMS | forms)
    return record


def elementwise(signature: str, doc: str, *, derivative: Any = None, batch: Any = None, **fields: Any) -> Op:
    """Declare a broadcasting elementwise operation by its derivative with respect to each argument.

    A single function is the derivative with respect to the first argument. From a derivative ``d`` come the vjp
    ``grad * conj(d)`` and the jvp ``tangent * d`` (for holomorphic functions; others pass ``vjp`` and ``jvp``).
    """
    fields.setdefault("broadcasts", True)
    fields.setdefault("types", COMMON)
    if derivative is not None:
        by_name = derivative if isinstance(derivative, dict) else {first_param(signature): derivative}
        fields["vjp"] = {name: scaled(d, "grad") for name, d in by_name.items()} | fields.get("vjp", {})
        fields["jvp"] = {name: scaled(d, "tangent") for name, d in by_name.items()} | fields.get("jvp", {})
    return op(signature, doc, batch=batch or "elementwise", **fields)


class scaled:
    """The rule ``grad * conj(derivative)``, or ``tangent * derivative``: what an elementwise derivative stands for."""

    __slots__ = ("derivative", "names")

    def __init__(self, derivative: Callable, flowing: str) -> None:
        self.derivative = derivative
        self.names = (flowing, *rule_names(derivative))

    def __call__(self, xp: Any, flowing: Any, *read: Any) -> Any:
        derivative = self.derivative(xp, *read)
        return flowing * (xp.conj(derivative) if self.names[0] == "grad" else derivative)


def composite(signature: str, doc: str, formula: Callable, **fields: Any) -> Op:
    """Declare an operation that is a formula ``f(xp, *args)`` over others; every rule follows from it."""
    return op(signature, doc, composite=formula, **fields)


def rule_names(rule: Any) -> tuple[str, ...]:
    """What a rule reads: its parameter names after ``xp``."""
    if isinstance(rule, scaled):
        return rule.names
    code = rule.__code__
    return code.co_varnames[1 : code.co_argcount]


def names_read(rules: Any) -> tuple[str, ...]:
    """All that a set of rules reads beside the flowing derivative, each name once, in order of appearance."""
    names: dict[str, None] = {}
    for rule in rules:
        names.update(dict.fromkeys(rule_names(rule)))
    return tuple(n for n in names if n not in ("grad", "grads", "tangent"))


def read_signature(signature: str) -> tuple[tuple[str, ...], dict[str, Any]]:
    """Parameter names and defaults of ``"(input, dim=None, *, dtype=None)"``."""
    names, defaults = [], {}
    for part in split_parameters(signature[1:-1]):
        name, has_default, default = part.partition("=")
        name = name.strip()
        if name == "*":
            continue
        names.append(name)
        if has_default:
            defaults[name] = LITERALS[default] if default in LITERALS else literal_eval(default)
    return tuple(names), defaults


# Read by hand: parsing a few hundred signatures with Python's own parser would cost a tenth of the import.
LITERALS: dict[str, Any] = {"None": None, "False": False, "True": True, "0": 0, "1": 1, "-1": -1}


def split_parameters(text: str) -> list[str]:
    """Split at commas that are not inside parentheses."""
    parts = text.split(", ")
    if "(" not in text:
        return parts
    joined: list[str] = []
    for part in parts:
        if joined and joined[-1].count("(") > joined[-1].count(")"):
            joined[-1] += ", " + part
        else:
            joined.append(part)
    return joined


def first_param(signature: str) -> str:
    return signature.split("(", 1)[1].split(",")[0].rstrip(")").strip()


def node_name(name: str) -> str:
    """``log_softmax`` -> ``LogSoftmaxBackward0``, PyTorch's name of the graph node."""
    return "".join(part[:1].upper() + part[1:] for part in name.split("_")) + "Backward0"
