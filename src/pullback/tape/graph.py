"""Nodes: what the tape writes down for an operation, and how a saved value is looked at again.

A node points to the nodes (or leaf tensors) that its inputs came from, holds the values its rules read, and takes a
tick of the clock. Its class is made once per operation, carries the operation and the compiled ``pull``, and has
PyTorch's name. Invariant: edges lead to smaller ticks, so a graph has no cycles.
"""

from collections import OrderedDict
from collections.abc import Callable
from typing import Any
from weakref import ref

from ..clock import tick
from ..ops.table import Op, names_read, rule_names, scaled
from ..source import define
from .hooks import RemovableHandle, add_hook
from .lines import describe
from .storage import last_write
from .value import CARE, GRAD, Tensor, at_level, new, wrap


class Node:
    """A recorded operation.

    Slots: ``next`` (where gradients go: a node, a leaf tensor, or None, one per differentiable input), ``nrs``
    (which output of the next node each edge leads to; None where all have but one), ``saved`` (in the order of ``op.saved``), ``fix`` (per
    edge, the shape and dtype that a gradient must take where the input was broadcast or promoted; None where no edge
    needs any of this, and ``nrs`` is None too), ``tick``, and the
    calling ``code`` and ``lasti``.
    """

    __slots__ = ("__dict__", "__weakref__", "code", "fix", "lasti", "next", "saved", "tick")

    op: Op
    outputs = 1
    several = False  # the operation gives several outputs; its edges are then numbered -1, -2, ...
    level = 0
    keeps = True  # values are saved that a backward pass frees
    packed = False  # among the saved values there are some that hooks packed
    nrs: Any = None
    _is_node = True
    _special = False  # something hangs on this node that the engine must look at: hooks, retained gradients
    _watched = False  # hooks do
    is_boundary = False  # an identity that must see all that passes it
    hooks: Any = None  # per output: tensor hooks
    prehooks: Any = None
    posthooks: Any = None
    always: tuple = ()  # the posthooks that are called also where the node raises
    requires_grad = True
    captures: Any = None  # per output: weak references to tensors that retain their grad
    pull: Any = None
    tangents: Any = None  # by dual level: of what was saved
    is_hidden = False  # from those who look at the graph

    next: tuple
    saved: Any
    fix: Any
    tick: int
    code: Any
    lasti: int

    def name(self) -> str:
        """PyTorch's name of the node, such as ``MulBackward0``."""
        return type(self).__name__

    def __repr__(self) -> str:
        return f"<{self.name()} object at {id(self):#x}>"

    @property
    def next_functions(self) -> tuple:
        """For each differentiable input: the node that it came from (None where it needs no grad), and which output."""
        nrs = self.nrs or (0,) * len(self.next)
        return tuple((as_node(target), ~nr if nr else 0) for target, nr in zip(self.next, nrs, strict=True))

    @property
    def metadata(self) -> dict:
        """A dictionary for the user's own notes on this node."""
        return self.__dict__.setdefault("_metadata", {})

    @property
    def saved_names(self) -> tuple:
        """The name of each saved value."""
        return self.op.saved

    def holds_value(self, name: str) -> bool:
        """Whether a saved value is a tensor's, and no shape, dtype or setting."""
        return is_value(self.op, name)

    def __getattr__(self, name: str) -> Any:
        if name.startswith(("_saved_", "_raw_saved_")):
            from .saved import look

            return look(self, name)
        raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}", name=name, obj=self)

    def register_hook(self, fn: Callable) -> RemovableHandle:
        """Call ``fn(grad_inputs, grad_outputs)``, tuples of gradients, after this node ran in a backward pass.

        What it returns, if not None, is a tuple that replaces ``grad_inputs``.

        >>> import pullback as torch
        >>> x = torch.ones(2, requires_grad=True)
        >>> y = x.exp()
        >>> handle = y.grad_fn.register_hook(lambda grad_inputs, grad_outputs: print(grad_outputs))
        >>> y.sum().backward()
        (tensor([1., 1.]),)
        """
        if self.posthooks is None:
            self.posthooks = OrderedDict()
        self.watch()
        return add_hook(self.posthooks, fn)

    def register_prehook(self, fn: Callable) -> RemovableHandle:
        """Call ``fn(grad_outputs)``, a tuple of gradients, before this node runs in a backward pass.

        What it returns, if not None, is a tuple that replaces them.
        """
        if self.prehooks is None:
            self.prehooks = OrderedDict()
        self.watch()
        return add_hook(self.prehooks, fn)

    def watch(self) -> None:
        """Let the engine look for hooks here."""
        self._special = self._watched = True

    def __call__(self, *grads: Any) -> Any:
        """The gradients of this node's inputs, for gradients of its outputs."""
        from .engine import call_node

        return call_node(self, grads)

    def _sequence_nr(self) -> int:
        """A number that is larger the later the node was made."""
        return self.tick

    def place(self) -> Any:
        """The user's code and instruction that made this node."""
        return None if self.code is None else (self.code, self.lasti)

    def line(self) -> str:
        return describe(self.place())


class AccumulateGrad(Node):
    """The graph's end at a leaf: its gradient is added to ``variable.grad``.

    Edges lead to leaves themselves; this node stands for one where somebody looks, and keeps its hooks at the leaf. Only
    where a leaf must be held weakly does the graph lead through this node, which then hands its gradient on.
    """

    __slots__ = ()

    def __init__(self, variable: Tensor) -> None:
        self.held, self.reference = variable, None
        self.saved, self.fix, self.tick, self.code, self.lasti = (), None, -tick(), None, 0

    variable = property(lambda self: self.held if self.reference is None else self.reference())
    next = property(lambda self: () if self.variable is None else (self.variable,))  # type: ignore[assignment]
    next_functions = property(lambda self: ())  # type: ignore[assignment]
    prehooks = property(  # type: ignore[assignment]
        lambda self: self.variable._prehooks, lambda self, hooks: setattr(self.variable, "_prehooks", hooks)
    )
    posthooks = property(  # type: ignore[assignment]
        lambda self: self.variable._posthooks, lambda self, hooks: setattr(self.variable, "_posthooks", hooks)
    )
    op = Op("accumulate(input)", "The input itself.")
    pull = staticmethod(lambda xp, grad, saved, need: (grad,) * len(need))

    def name(self) -> str:
        return "torch::autograd::AccumulateGrad"

    def watch(self) -> None:
        from .engine import wait_for

        wait_for(self.variable)


class Freed:
    """What stands for a node's saved values after a backward pass dropped them."""

    __slots__ = ("place",)

    def __init__(self, place: Any) -> None:
        self.place = place


def as_node(target: Any) -> Any:
    """What users see of an edge's target: leaves are shown as their ``AccumulateGrad``."""
    if not isinstance(target, Tensor):
        return None if target is None or target.is_hidden else target
    node = target._accumulator and target._accumulator()
    if node is None:
        node = AccumulateGrad(target)
        target._accumulator = ref(node)
    return node


_node_types: dict[tuple[str, str], type[Node]] = {}


def node_type(op: Op, name: str) -> type[Node]:
    """The node class of an operation, under one of the names that PyTorch has for it."""
    key = (op.name, name)
    if key not in _node_types:
        made = type(name, (Node,), {"__slots__": (), "op": op, "pull": staticmethod(make_pull(op))})
        made.pull_complex = staticmethod(make_pull(op, conjugate=True))  # type: ignore[attr-defined]
        made.keeps = keeping(op, name)  # type: ignore[attr-defined]
        made.__module__ = "pullback.autograd.graph"
        _node_types.setdefault(key, made)  # another thread may have been quicker
    return _node_types[key]


def node_name_of(op: Op, args: Any) -> str:
    """The name of the node that an operation on these arguments makes."""
    if isinstance(op.node, str):
        return op.node
    if callable(op.node):
        return op.node(*args)
    if len(op.node) > 2 and not isinstance(args[0], Tensor):
        return op.node[2]
    last = [a for p, a in zip(op.params, args, strict=True) if p in op.operands and a is not None][-1]
    return op.node[isinstance(last, Tensor)]


def keeping(op: Op, name: str) -> Any:
    """Whether nodes of a name save values; where that depends on the inputs that need a gradient, a property says so."""
    if op.is_formula or not any(is_value(op, s) for s in names_kept(op, name)):
        return op.is_formula
    always = op.lists or all(any(is_value(op, s) for s in names_read([op.vjp[d]])) for d in op.diff)
    return True if always else property(lambda node: any(hasattr(v, "shape") for v in node.saved))


def names_kept(op: Op, name: str) -> Any:
    """What nodes of a name save: fewer where that is the name for a last operand that is a number."""
    if not isinstance(op.node, tuple) or name != op.node[0] or name == op.node[1]:
        return op.saved
    number = op.operands[-1]
    return [s for s in names_read([op.vjp[d] for d in op.diff if d != number]) if s != number]


def is_value(op: Op, name: str) -> bool:
    """Whether what a rule reads is a value that takes memory, and no shape, dtype or setting."""
    return name in op.operands or name in op.diff or name in op.outputs or name in ("result", "indices", "condition")


def make_pull(op: Op, conjugate: bool = False) -> Callable:
    """Compile an operation's vjp rules into ``pull(xp, grad, saved, need) -> gradients``, aligned with its edges.

    ``need[i]`` is None where the i-th gradient is not wanted. The conjugate of an elementwise derivative is taken
    only in the variant for complex nodes: NumPy copies real arrays for it.
    """
    if op.is_formula:
        from .formula import pull_formula

        return lambda xp, grad, saved, need: pull_formula(op, grad, saved, need)
    scope: dict[str, Any] = {}
    terms = []
    for i, name in enumerate(op.diff):
        term = _term(scope, i, op.vjp[name], conjugate)
        terms.append(term if name in op.lists else f"{term} if need[{i}] is not None else None")
    unpack = f"    {', '.join(op.saved)}, = saved\n" if op.saved else ""
    first = "    grads = grad\n    grad = grads[0]\n" if op.outputs else ""
    of_list = f"[g if n is not None else None for g, n in zip({terms[0]}, need)]" if op.lists else ""
    body = of_list or f"({', '.join(terms)},)"
    return define("pull", f"def pull(xp, grad, saved, need):\n{first}{unpack}    return {body}", scope)


_returns_argument = lambda xp, value: value


def _term(scope: dict, i: int, rule: Any, conjugate: bool) -> str:
    names = rule_names(rule)
    if isinstance(rule, scaled):
        scope[f"d{i}"] = rule.derivative
        is_name = rule.derivative.__code__.co_code == _returns_argument.__code__.co_code
        derivative = names[1] if is_name else f"d{i}(xp{''.join(', ' + n for n in names[1:])})"
        return f"grad * xp.conj({derivative})" if conjugate else f"grad * {derivative}"
    scope[f"r{i}"] = rule
    return f"r{i}(xp{''.join(', ' + n for n in names)})"


def saved_values(node: Node) -> Any:
    """A node's saved values, if they are there and nobody has written to them since."""
    saved = node.saved
    if type(saved) is Freed:
        raise RuntimeError(second_backward(node, saved))
    if node.tick < last_write[0]:
        from .storage import check_unwritten

        check_unwritten(node)
    return unpacked(saved) if node.packed else saved


def unpacked(saved: Any) -> Any:
    """Saved values with those that hooks packed unpacked, lists of them too."""
    from .saved import Packed

    if isinstance(saved, (list, tuple)):
        return type(saved)([unpacked(value) for value in saved])
    return saved.unpack() if isinstance(saved, Packed) else saved


def given_values(node: Node, saved: Any, create: bool) -> Any:
    """What a node's rules are given for its saved values: in a recorded pass, tensors with their history."""
    given = revive(node, saved) if create and saved else saved
    if not node.tangents:
        return given
    from .forward import with_tangents

    return with_tangents(node, given, create)


def second_backward(node: Node, freed: Freed) -> str:
    return (
        "Trying to backward through the graph a second time (or directly access saved tensors after they have already "
        f"been freed). {node.name()} was recorded at {node.line()}; its saved values were freed by the backward pass at "
        f"{describe(freed.place)}. Pass retain_graph=True to the first pass to keep them; if a state is carried from one "
        "iteration to the next, detach() it; if two losses share a part of the graph, add them and call backward() once."
    )


def revive(node: Node, saved: tuple) -> list:
    """Saved values as tensors with their history, for a backward pass that is itself recorded."""
    op, level = node.op, node.level
    if not op.saved:
        return saved  # type: ignore[return-value]
    positions = {name: i for i, name in enumerate(op.diff)}
    return [
        _revive_one(node, name, value, positions.get(name), level) for name, value in zip(op.saved, saved, strict=True)
    ]


def _revive_one(node: Node, name: str, value: Any, position: int | None, level: int) -> Any:
    op = node.op
    if name in op.lists:
        return [with_history(v, t, nr, level) for v, (t, nr) in zip(value, _edges(node), strict=True)]
    if name in op.outputs:
        return with_history(value, node, ~op.outputs.index(name), level)
    if name == "result":
        return with_history(value, node, 0, level)
    if position is not None and value is not None:
        target, nr = _edges(node)[position]
        fix = node.fix and node.fix[position]
        return with_history(value, target, nr, level, fix)
    return value


def _edges(node: Node) -> list:
    nrs = node.nrs or (0,) * len(node.next)
    return list(zip(node.next, nrs, strict=True))


def with_history(value: Any, target: Any, nr: int, level: int, fix: Any = None) -> Any:
    """A tensor over a saved value, hanging on the edge that the value came from."""
    if target is None or not hasattr(value, "shape"):
        return value if isinstance(value, Tensor) or not hasattr(value, "shape") else wrap(value, level)
    if isinstance(target, Tensor):
        if target._data is value:
            return target
        return _alias(value, target, nr, level, fix)
    if fix is not None and fix[1] is not None:
        return _alias(value, target, nr, level, fix)
    return _hang(value, target, nr, level)


def _hang(value: Any, fn: Node, nr: int, level: int) -> Tensor:
    tensor = at_level(value, level) if level else wrap(value)
    if tensor._data is not value:  # a NumPy scalar
        tensor = wrap(value)
    tensor._fn = fn
    tensor._flags |= GRAD
    if nr:
        tensor._nr = nr
        tensor._flags |= CARE
    return tensor


def _alias(value: Any, target: Any, nr: int, level: int, fix: Any) -> Tensor:
    """A tensor over a saved value that differs from the edge's own: promoted, or the leaf's data was replaced since."""
    node = new(Alias)
    node.next, node.saved, node.tick = (target,), (), tick()
    node.fix = (fix,) if fix is not None and fix[1] is not None else None
    node.code, node.lasti = None, 0
    if nr:
        node.nrs = (nr,)
        node.fix = node.fix or (None,)
    if level:
        node.level = level
    return _hang(value, node, 0, level)


class Alias(Node):
    """The identity, for a saved value whose dtype is not its input's."""

    __slots__ = ()
    op = Op("alias(input)", "The input itself.", vjp={"input": lambda xp, grad: grad})
    pull = staticmethod(lambda xp, grad, saved, need: (grad,))
    pull_complex = pull
