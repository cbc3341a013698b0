"""The engine: walk a graph backwards once, and give every edge its gradient.

Nodes run newest first: since an edge always leads to a smaller tick, each node then runs after everything that sends
it a gradient. An ordinary pass finds the nodes as gradients reach them; one that wants particular gradients, or has
leaves with hooks, collects the nodes first. A leaf's gradient is accumulated when all of the pass is done, or, where
hooks wait for it, as soon as its last contribution is in. Nothing here recurses, and nothing here knows an operation.

Gradients are values of the interpreter below the graph's own (arrays, for an ordinary graph), and rules run on them
directly; where the pass must itself be differentiable (``create_graph``), they are tensors.
"""

import weakref
from heapq import heappop, heappush
from operator import attrgetter
from sys import getrefcount
from typing import Any

from numpy import add, asarray, ndarray

from ..interpreters import Value, recorded_values, values
from ..kernels import arrays
from .graph import Freed, Node, revive, saved_values
from .lines import here
from .modes import OFF, modes
from .storage import last_write, mark_written
from .value import Tensor, wrap
from .watch import own_pull, watching

by_tick = attrgetter("tick")
waited_for: dict[int, Any] = {}  # weak references to the leaves that have hooks, by identity


def wait_for(leaf: Tensor) -> None:
    """Note that a leaf has hooks: passes then collect their nodes first, to know when its gradient is complete."""
    key = id(leaf)
    waited_for[key] = weakref.ref(leaf, lambda _: waited_for.pop(key, None))


class Pass:
    """One backward pass over one graph, of tensors of one level.

    Args:
        create: run the rules on tensors, and record them.
        retain: keep the nodes' saved values.
        targets: the edges ``(node or leaf, output number)`` whose gradients are wanted, which ``found`` then holds;
            None for "all leaves".
        accumulate: add gradients to leaves' ``.grad``.
    """

    __slots__ = (
        "accumulate",
        "around",
        "buffers",
        "create",
        "found",
        "freed",
        "level",
        "owned",
        "queue",
        "retain",
        "roots",
        "targets",
        "wanted",
        "xp",
    )

    def __init__(self, level: int, create: bool, retain: bool, targets: Any, accumulate: bool) -> None:
        self.level, self.create, self.retain, self.accumulate = level, create, retain, accumulate
        self.targets = targets
        self.wanted: Any = None  # with targets: the nodes and leaves on the way to one
        self.xp: Any = recorded_values if create else values if level else arrays
        self.buffers: dict[Any, Any] = {}
        self.found: dict[Any, Any] = {}
        self.owned: set[Any] = set()  # targets whose buffers the engine made, and may write to
        self.queue: list = []
        self.freed: Any = None  # what takes the place of saved values; None where they are retained

    def run(self, roots: list, inner: bool = False) -> None:
        """``roots``: triples (node or leaf, output number, gradient). ``inner``: a rule opened this pass."""
        watch = watching.get()
        self.roots, self.around = roots, watch.inner_pull if inner else watch.pull
        if not self.retain:
            self.freed = Freed(here())
        if self.xp is not arrays or self.targets is not None or waited_for:
            self.run_in_order(roots)
            return
        for target, nr, grad in roots:
            self.give(target, nr, grad)
        self.sweep()
        for leaf, grad in self.buffers.items():
            accumulate(leaf, grad, False, leaf in self.owned)

    def run_in_order(self, roots: list) -> None:
        """A pass that collects its nodes first."""
        order = self.prepare([target for target, _, _ in roots])
        for target, nr, grad in roots:
            if self.wanted is None or target in self.wanted:
                self.give(target, nr, grad)
        for node in order:
            self.step(node, self.buffers.pop(node, None))
        for leaf, grad in self.buffers.items():
            self.finish(leaf, grad, leaf in self.owned)

    def sweep(self) -> None:
        """Run the nodes of an ordinary pass, newest first.

        A node is queued when its first gradient arrives. The newest of the queue can run: whatever else could send
        it a gradient is newer still, and would be queued, or fed by a queued one, before it. The loop's own lines
        serve plain nodes; whatever else there is goes through ``step``.
        """
        buffers, owned, queue, freed, around = self.buffers, self.owned, self.queue, self.freed, self.around
        take, get = buffers.pop, buffers.get
        while queue:
            node = heappop(queue)[1]
            grad = take(node)
            if node._special or node.tick < last_write[0]:
                self.step(node, grad)
                continue
            saved, edges = node.saved, node.next
            if type(saved) is Freed:
                saved_values(node)
            grads = node.pull(arrays, grad, saved, edges) if around is None else around(self, node, grad, saved, edges)
            if saved and freed is not None and node.keeps:
                node.saved = freed
            if node.fix is not None:
                self.pass_on(node, edges, grads)
                continue
            for target, g in zip(edges, grads):  # noqa: B905 (of one length by construction; this is the hot loop)
                if g is not None:
                    held = get(target)
                    if held is None:
                        buffers[target] = g
                        if target._is_node:
                            heappush(queue, (-target.tick, target))
                    elif target in owned:
                        add(held, g, held)
                    else:
                        buffers[target] = held = held + g
                        if type(held) is ndarray:
                            owned.add(target)

    def prepare(self, roots: list) -> list:
        """The nodes of a pass with targets or hooks on leaves, in order; a waited-for leaf after its last sender."""
        order, leaves = collect(roots)
        if self.targets is not None:
            self.wanted = leading_to(self.targets, order)
            order = [node for node in order if node in self.wanted]
            leaves = {leaf: None for leaf in leaves if leaf in self.wanted}
        return with_early_leaves(order, leaves) if leaves else order

    def step(self, node: Any, grad: Any) -> None:
        """Run one node, with all that may hang on it, in the grad mode of the pass."""
        before = modes.floor
        if not self.level:
            modes.floor = 0 if self.create else OFF
        try:
            self.run_node(node, grad)
        finally:
            modes.floor = before

    def run_node(self, node: Any, grad: Any) -> None:
        if node._special or self.wanted is not None:
            grad = self.before(node, grad)
        if grad is None:
            return
        edges = node.next
        if self.wanted is not None:
            edges = tuple([t if t in self.wanted else None for t in edges])
            if not any(t is not None for t in edges):
                return
        saved = saved_values(node)
        given = revive(node, saved) if self.create and saved else saved
        around = self.around or own_pull
        grads = around(self, node, grad, given, edges)
        if self.freed is not None and saved and node.keeps:
            node.saved = self.freed
        if node.posthooks is not None:
            grads = self.after_node(node, grads, grad)
        self.pass_on(node, edges, grads)

    def pass_on(self, node: Node, edges: tuple, grads: Any) -> None:
        """Give each edge its gradient, also where inputs were broadcast, promoted, or one of several outputs."""
        nrs = node.nrs or (0,) * len(edges)
        fixes = node.fix or (None,) * len(edges)
        for target, nr, fix, grad in zip(edges, nrs, fixes, grads, strict=True):
            if target is not None and grad is not None:
                self.owned.discard(target)
                self.give(target, nr, grad if fix is None else conform(self.xp, grad, fix))

    def give(self, target: Any, nr: int, grad: Any) -> None:
        """Add a gradient to what an output of a node, or a leaf, has received."""
        buffers = self.buffers
        if nr == 0:
            before = buffers.get(target)
            buffers[target] = grad if before is None else before + grad
            if before is None and target._is_node:
                heappush(self.queue, (-target.tick, target))
            return
        if target not in buffers:
            buffers[target] = [None] * target.outputs
            heappush(self.queue, (-target.tick, target))
        held = buffers[target]
        held[~nr] = grad if held[~nr] is None else held[~nr] + grad

    def finish(self, leaf: Tensor, grad: Any, owned: bool) -> None:
        """All that a leaf will receive is in: run its hooks, and accumulate."""
        before = modes.floor
        if not self.level:
            modes.floor = 0 if self.create else OFF
        try:
            self.finish_leaf(leaf, grad, owned)
        finally:
            modes.floor = before

    def finish_leaf(self, leaf: Tensor, grad: Any, owned: bool) -> None:
        if leaf._hooks is not None:
            grad = self.call_hooks(leaf._hooks, grad)
        if self.targets is not None:
            if (leaf, 0) not in self.targets:
                return
            self.found[leaf, 0] = grad
        if self.accumulate:
            accumulate(leaf, grad, self.create, owned)
            for hook in list((leaf._post_hooks or {}).values()):
                hook(leaf)

    def before(self, item: Any, grad: Any) -> Any:
        """What is rare and comes before a node runs: a leaf in the order, hooks, gradients that someone waits for."""
        if isinstance(item, Tensor):
            if grad is not None:
                self.finish(item, grad, item in self.owned)
            return None
        if grad is not None and item._special:
            grad = self.before_node(item, grad)
        if self.targets is not None and grad is not None:
            for nr, g in [(~i, g) for i, g in enumerate(grad)] if item.several else [(0, grad)]:
                if (item, nr) in self.targets:
                    self.found[item, nr] = g
        return grad

    def as_tensor(self, grad: Any) -> Any:
        """A gradient as its users see it."""
        return grad if grad is None or isinstance(grad, Tensor) else wrap(grad)

    def as_value(self, grad: Any) -> Any:
        return grad if self.create or not isinstance(grad, Tensor) or grad._level != self.level else grad._data

    def call_hooks(self, hooks: Any, grad: Any) -> Any:
        for hook in list(hooks.values()):
            changed = hook(self.as_tensor(grad))
            if changed is not None:
                check_replacement(hook, changed, grad)
                grad = self.as_value(changed)
        return grad

    def before_node(self, node: Node, grad: Any) -> Any:
        """Tensor hooks, node prehooks, then retained gradients: PyTorch's order."""
        several = node.several
        grads = list(grad) if several else [grad]
        for nr, hooks in (node.hooks or {}).items():
            if grads[nr] is not None:
                grads[nr] = self.call_hooks(hooks, grads[nr])
        for hook in list((node.prehooks or {}).values()):
            changed = hook(tuple(self.as_tensor(g) for g in grads))
            if changed is not None:
                grads = [None if g is None else self.as_value(g) for g in changed]
        for nr, reference in (node.captures or {}).items():
            tensor = reference()
            if tensor is not None and grads[nr] is not None and self.accumulate:
                accumulate(tensor, grads[nr], self.create, False)
        return grads if several else grads[0]

    def after_node(self, node: Node, grads: Any, grad: Any) -> Any:
        shown = tuple(self.as_tensor(g) for g in (grad if node.several else [grad]))
        for hook in list(node.posthooks.values()):
            changed = hook(tuple(self.as_tensor(g) for g in grads), shown)
            if changed is not None:
                grads = [None if g is None else self.as_value(g) for g in changed]
        return grads


def collect(roots: list) -> tuple[list, dict]:
    """The nodes below the roots, newest first, and the leaves whose gradient somebody waits for."""
    seen: set[Any] = {None}
    order: list[Any] = []
    leaves: dict[Any, None] = {}
    stack: list[Any] = [roots]
    while stack:
        for target in stack.pop():
            if target not in seen:
                seen.add(target)
                if target._is_node:
                    order.append(target)
                    stack.append(target.next)
                elif target._hooks or target._post_hooks:
                    leaves[target] = None
    order.sort(key=by_tick, reverse=True)
    return order, leaves


def with_early_leaves(order: list, leaves: dict) -> list:
    """The order with each waited-for leaf after the last node that sends it a gradient."""
    waiting, found = dict(leaves), []
    for node in reversed(order):
        found.extend(t for t in node.next if t in waiting and waiting.pop(t, True) is None)
        found.append(node)
    return found[::-1]


def leading_to(targets: Any, order: list) -> set:
    """The nodes and leaves from which a target can be reached, targets included."""
    wanted = {target for target, _ in targets}
    for node in reversed(order):  # oldest first: what a node leads to is decided before the node
        if node not in wanted and any(t in wanted for t in node.next if t is not None):
            wanted.add(node)
    return wanted


def conform(xp: Any, grad: Any, fix: tuple) -> Any:
    """Undo broadcasting and promotion: sum a gradient to its input's shape, and cast it to its dtype."""
    shape, dtype = fix
    if tuple(grad.shape) != shape:
        grad = xp.sum_to_size(grad, shape)
    return grad if dtype is None else xp.cast(grad, dtype)


def check_replacement(hook: Any, changed: Any, grad: Any) -> None:
    """A hook's replacement must be a tensor of the gradient's shape."""
    if not isinstance(changed, Tensor):
        raise TypeError(
            f"hook '{getattr(hook, '__name__', hook)}' returned {type(changed).__name__}, expected Tensor or None"
        )
    if tuple(changed.shape) != tuple(grad.shape):  # type: ignore[attr-defined]
        raise RuntimeError(
            f"hook '{getattr(hook, '__name__', hook)}' has changed the size of value: "
            f"expected {tuple(grad.shape)}, got {tuple(changed.shape)}"  # type: ignore[attr-defined]
        )


def accumulate(leaf: Tensor, grad: Any, create: bool, owned: bool) -> None:
    """Add a gradient to ``leaf.grad``: in place, unless the pass is recorded.

    An array that no one else holds becomes the ``.grad`` itself; any other is copied.
    """
    before = leaf._grad
    if create or isinstance(grad, Value) or (before is not None and before._flags):
        fresh = grad if isinstance(grad, Tensor) else wrap(grad)
        leaf._grad = fresh if before is None else before + fresh
    elif before is None:
        if type(grad) is not ndarray:
            grad = asarray(grad)
        if grad.dtype != leaf._data.dtype:
            grad = arrays.cast(grad, leaf._data.dtype)
        # 5: the buffer and the pair that held it, the caller's variable, this function's argument, getrefcount's own
        mine = owned or (grad.base is None and getrefcount(grad) <= 5)
        leaf._grad = wrap(grad if mine and grad.flags.writeable else grad.copy())
    else:
        held = before._data
        add(held, grad, held)
        if getrefcount(held) > 3:  # held by more than the tensor, this variable and the call: perhaps saved by a node
            mark_written(held, "gradient accumulation", NOWHERE)


NOWHERE = (accumulate.__code__, 0)


def pull_back(outputs: list, cotangents: list, inputs: list) -> list:
    """Gradients of outputs with respect to leaves of a transform's level, as values of the level below."""
    level = inputs[0]._level if inputs else 0
    targets = {edge_of(t) for t in inputs}
    work = Pass(level, False, True, targets, False)
    work.run([(*edge_of(o), g) for o, g in zip(outputs, cotangents, strict=True)], inner=True)
    return [work.found.get(edge_of(t)) for t in inputs]


def edge_of(tensor: Tensor) -> tuple:
    """The edge that a tensor's gradient arrives by: its node, or itself for a leaf; and the output number."""
    return (tensor, 0) if tensor._fn is None else (tensor._fn, tensor._nr)
