"""What a graph keeps in memory for its backward pass: every saved tensor, and sums by operation, module and line."""

from collections import defaultdict
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from numpy import ndarray

from ..tape.backward import GradientEdge, as_list
from ..tape.graph import Freed, Node
from ..tape.inplace import CopySlices
from ..tape.lines import module_calls
from ..tape.saved import Packed
from ..tape.storage import owner
from ..tape.value import Tensor, wrap
from ..tape.views import renew


class SavedEntry(NamedTuple):
    """One tensor that a node saved.

    ``storage`` tells which entries share memory, and ``nbytes`` is that memory's size. ``is_leaf`` marks a leaf that requires grad (a
    parameter), which stays in memory anyway. ``module`` is the path of the module that was being called, or ``""``.
    """

    node: Any
    name: str
    tensor: Any
    nbytes: int
    storage: int
    is_leaf: bool
    module: str

    @property
    def line(self) -> str:
        """The line that called the operation."""
        return self.node.line()


def saved_tensors(outputs: Any) -> list[SavedEntry]:
    """Every tensor that the graph of ``outputs`` (tensors or graph edges) saved, newest node first.

    Tensors that hooks packed are listed where what was packed is a tensor.

    >>> import pullback as torch
    >>> x = torch.ones(3, requires_grad=True)
    >>> [(e.node.name(), e.name, e.nbytes) for e in torch.autograd.graph.saved_tensors((x * 2).exp().sum())]
    [('ExpBackward0', 'result', 12)]
    """
    nodes = nodes_of(outputs)
    modules = ModulePaths(nodes[-1].tick, nodes[0].tick) if nodes else None
    return [entry for node in nodes for entry in entries_of(node, modules)]


def nodes_of(outputs: Any) -> list:
    """The nodes of a graph, newest first."""
    stack = []
    for root in as_list(outputs):
        if isinstance(root, Tensor):
            renew(root)
        stack.append(root.node if isinstance(root, GradientEdge) else root._fn)
    seen: dict[Any, None] = {}
    while stack:
        node = stack.pop()
        if isinstance(node, Node) and node not in seen:
            seen[node] = None
            stack.extend(node.next)
    return sorted(seen, key=lambda node: node.tick, reverse=True)


def entries_of(node: Node, modules: Any) -> Iterator[SavedEntry]:
    if isinstance(node, CopySlices):
        saved: Any = node.saved
        if type(saved) is not Freed:
            yield from entries_of(saved[1], modules)
        return
    if type(node.saved) is Freed:
        return
    leaves = {id(t._data) for t in node.next if isinstance(t, Tensor)}
    for name, value in zip(node.saved_names, node.saved, strict=False):
        for tensor in tensors_in(value) if node.holds_value(name) else ():
            array = owner(tensor._data)
            is_leaf = id(tensor._data) in leaves or (tensor.requires_grad and tensor.is_leaf)
            yield SavedEntry(node, name, tensor, array.nbytes, id(array), is_leaf, modules.at(node.tick))


class ModulePaths:
    """Which module was being called at a tick, for the ticks between two."""

    def __init__(self, first: int, last: int) -> None:
        alive = [(module(), start, end) for module, start, end in list(module_calls) if end > first and start < last]
        self.calls = [call for call in alive if call[0] is not None]
        self.paths: dict[int, dict] = {}  # by outermost module

    def at(self, tick: int) -> str:
        """The path of the innermost module, from the outermost; "" where none was being called."""
        around = sorted([(end - start, i) for i, (_, start, end) in enumerate(self.calls) if start < tick < end])
        if not around:
            return ""
        module, root = self.calls[around[0][1]][0], self.calls[around[-1][1]][0]
        if id(root) not in self.paths:
            self.paths[id(root)] = {id(each): path for path, each in root.named_modules()}
        path, kind = self.paths[id(root)].get(id(module), ""), type(module).__name__
        return f"{path} ({kind})" if path else kind


def tensors_in(value: Any) -> Iterator[Any]:
    """The tensors over plain arrays that a saved value stands for."""
    if isinstance(value, (list, tuple)):
        for each in value:
            yield from tensors_in(each)
    elif isinstance(value, Packed):
        yield from tensors_in(value.content)
    elif type(value) is ndarray:
        yield wrap(value)
    elif isinstance(value, Tensor):
        if type(value._data) is ndarray:
            yield value
        else:
            yield from tensors_in(value._data)
    elif hasattr(value, "handle"):  # of a memory budget: there, or dropped
        yield from tensors_in(value.handle.array)


class MemoryReport:
    """The bytes that a graph keeps, each storage counted once, for the node that saved it first.

    ``total`` does not count leaves that require grad; these are in ``leaves``. ``by_operation``, ``by_module`` and
    ``by_line`` map names to bytes, the largest first. ``print(report)`` shows them as tables.
    """

    def __init__(self, entries: list[SavedEntry]) -> None:
        first = {e.storage: e for e in entries}  # entries come newest first: the last one is the oldest
        leaves = {e.storage for e in entries if e.is_leaf}
        counted = [e for storage, e in first.items() if storage not in leaves]
        self.entries = entries
        self.total = sum(e.nbytes for e in counted)
        self.leaves = sum(first[storage].nbytes for storage in leaves)
        self.by_operation = sums(counted, lambda e: e.node.name())
        self.by_module = sums(counted, lambda e: e.module)
        self.by_line = sums(counted, lambda e: e.line)

    def __str__(self) -> str:
        lines = [f"saved for backward: {in_units(self.total)}, and {in_units(self.leaves)} of leaves that require grad"]
        for title, table in (
            ("operation", self.by_operation),
            ("module", self.by_module),
            ("line", self.by_line),
        ):
            if any(table):  # nothing to say where all is outside of modules
                lines.append(f"by {title}:")
                lines += [f"  {in_units(n):>10}  {name or '(outside of modules)'}" for name, n in table.items()]
        return "\n".join(lines)

    __repr__ = __str__


def sums(entries: list[SavedEntry], key: Callable) -> dict[str, int]:
    found: dict[str, int] = defaultdict(int)
    for e in entries:
        found[key(e)] += e.nbytes
    return dict(sorted(found.items(), key=lambda item: -item[1]))


def in_units(nbytes: int) -> str:
    for unit in ("B", "KiB", "MiB"):
        if nbytes < 1024:
            return f"{nbytes:.4g} {unit}"
        nbytes /= 1024  # type: ignore[assignment]
    return f"{nbytes:.4g} GiB"


def memory_report(outputs: Any) -> MemoryReport:
    """What the graph of ``outputs`` (a tensor, or several) keeps in memory until its backward pass.

    >>> import pullback as torch
    >>> x = torch.ones(1000, requires_grad=True)
    >>> report = torch.autograd.graph.memory_report((x * 2).exp().sum())
    >>> report.total, report.by_operation
    (4000, {'ExpBackward0': 4000})
    """
    return MemoryReport(saved_tensors(outputs))
