"""The engine: walk a graph backwards once, and give every edge its gradient.

Nodes run newest first: since an edge always leads to a smaller tick, each node then runs after everything that sends
it a gradient. An ordinary pass finds the nodes as gradients reach them; one that wants particular gradients, or has
leaves with hooks, collects the nodes first. A leaf's gradient is accumulated when all of the pass is done, or, where
hooks wait for it, as soon as its last contribution is in. Nothing here recurses, and nothing here knows an operation.

Gradients are values of the interpreter below the graph's own (arrays, for an ordinary graph), and rules run on them
directly; where the pass must itself be differentiable (``create_graph``), they are tensors.
"""

import weakref
from collections import deque
from heapq import heappop, heappush
from itertools import starmap
from operator import attrgetter, call
from sys import getrefcount
from typing import Any

from numpy import add, asarray, empty_like, ndarray, zeros

from ..context import HAS_GIL, make_lock
from ..interpreters import Value, recorded_values, values
from ..kernels import arrays
from .graph import AccumulateGrad, Freed, Node, as_node, given_values, saved_values
from .hooks import Share, call_anyway, check_replacement, check_replacements, name_of, running
from .lines import here
from .modes import OFF, grad_layout, held_floor, modes, restore_floor
from .reasons import last_pass
from .storage import describe_write, last_write, mark_written, owner, write_since
from .value import ANY, CARE, GRAD, Tensor, is_dual, new, open_levels, wrap
from .views import renew, settle
from .watch import own_pull, watching

by_tick = attrgetter("tick")
waited_for: dict[int, Any] = {}  # weak references to the leaves that have hooks, by identity


def wait_for(leaf: Tensor) -> None:
    """Note that a leaf has hooks: passes then collect their nodes first, to know when its gradient is complete."""
    key = id(leaf)
    leaf._watched = True
    waited_for[key] = weakref.ref(leaf, lambda _: waited_for.pop(key, None))


def forget_unhooked() -> None:
    """Take back :func:`wait_for` for leaves whose hooks were all removed."""
    for key, reference in waited_for.copy().items():  # one step, for a collection of garbage may change it
        leaf = reference()
        if leaf is not None and not (leaf._hooks or leaf._prehooks or leaf._post_hooks or leaf._posthooks):
            leaf._watched = False
            waited_for.pop(key, None)


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
        "grown",
        "level",
        "notes",
        "owned",
        "queue",
        "reach",
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
        self.xp: Any = recorded_values if create else values if level or open_levels else arrays
        self.buffers: dict[Any, Any] = {}
        self.found: dict[Any, Any] = {}
        self.owned: set[Any] = set()  # targets whose buffers the engine made, and may write to
        self.queue: list = []
        self.freed: Any = None  # what takes the place of saved values; None where they are retained
        self.reach: Any = None  # the nodes and leaves that are to come, once they were collected
        self.grown: list = []  # leaves whose new .grad is recorded
        self.notes: dict[Any, Any] = {}  # what hooks over several tensors have gathered

    def run(self, roots: list, inner: bool = False) -> None:
        """``roots``: triples (node or leaf, output number, gradient). ``inner``: a rule opened this pass."""
        watch = watching.get()
        self.roots, self.around = roots, watch.inner_pull if inner else watch.pull
        if not inner:
            last_pass[0] = here()
        if not self.retain:
            self.freed = Freed(last_pass[0])
        if self.xp is arrays and self.targets is None and not (waited_for and has_hooks(roots)):
            for target, nr, grad in roots:
                self.give(target, nr, grad)
            if self.sweep() and not (waited_for and any(leaf._watched for leaf in self.buffers)):
                accumulate_all(self.buffers, self.owned)
                return
            order = self.prepare([node for _, node in self.queue])
        else:
            order = self.prepare([target for target, _, _ in roots])
            for target, nr, grad in roots:
                if self.wanted is None or target in self.wanted:
                    self.give(target, nr, grad)
        self.run_in_order(order)

    def run_in_order(self, order: list) -> None:
        """Run nodes that were collected, in the grad mode of the pass, and finish leaves."""
        before, outer = held_floor(), running.variable.get()
        try:
            running.enter(self)
            try:
                if not self.level:
                    modes.floor = 0 if self.create else OFF
                self.run_each(order)
            finally:
                restore_floor(before)
        finally:
            running.variable.set(outer)
        if self.grown:
            loosen(self.grown)

    def run_each(self, order: list) -> None:
        buffers = self.buffers
        for item in order:
            grad = buffers.pop(item, None)
            if grad is None:
                if item._watched:
                    self.pass_over(item)
            elif item._is_node:
                self.run_node(item, grad)
            else:
                self.finish(item, grad)
        if self.accumulate and not any(leaf._watched or leaf._grad_dtype is not None for leaf in buffers):
            accumulate_all(buffers, self.owned, self.create)
            self.grown += buffers if self.create else ()
        else:
            while buffers:
                self.finish(*buffers.popitem())

    def sweep(self) -> bool:
        """Run the nodes of an ordinary pass, newest first; False where it stopped before a node that has hooks.

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
                if node._watched:
                    buffers[node] = grad
                    heappush(queue, (-node.tick, node))
                    return False
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
        return True

    def prepare(self, roots: list) -> list:
        """The nodes of a pass, newest first. Where there are hooks, each leaf comes right after its last sender: hooks
        may look at any leaf's ``.grad``."""
        order, leaves, watched = collect(roots)
        if self.targets is not None:
            self.wanted = leading_to(self.targets, order)
            order = [node for node in order if node in self.wanted]
            leaves = {leaf: None for leaf in leaves if leaf in self.wanted}
        if watched:
            complete = [target for target in self.buffers if not target._is_node and target not in leaves]
            order = complete + with_early_leaves(order, leaves)
        self.reach = order
        return order

    def will_reach(self, target: Any) -> bool:
        """Whether a node or leaf was among those to come when the pass met its first hook."""
        if type(self.reach) is list:
            self.reach = set(self.reach)
        return target in self.reach

    def pass_over(self, item: Any) -> None:
        """No gradient has come for a node or leaf, and none will."""
        for hooks in [item._hooks or {}] if not item._is_node else (item.hooks or {}).values():
            self.call_hooks(hooks, None)

    def step(self, node: Any, grad: Any) -> None:
        """Run one node of an ordinary pass that is no plain one, in the grad mode of the pass."""
        before = held_floor()
        try:
            modes.floor = OFF
            self.run_node(node, grad)
        finally:
            restore_floor(before)

    def run_node(self, node: Any, grad: Any) -> None:
        """Run one node, with all that may hang on it: tensor hooks, retained gradients, the node's own hooks."""
        edges, is_needed = node.next, True
        if self.wanted is not None:
            edges = tuple([t if t in self.wanted else None for t in edges])
            is_needed = any(t is not None for t in edges)
            if is_needed:
                self.capture(node, grad)
        if node._special:
            grads = list(grad) if node.several else [grad]
            for nr, hooks in (node.hooks or {}).items():
                grads[nr] = self.call_hooks(hooks, grads[nr])
            keep_retained(node, grads, self.create)
            grad = grads if node.several else grads[0]
        if not is_needed:
            self.capture(node, grad)
        if is_needed or self.accumulate:
            self.pull(node, edges if is_needed else None, grad)

    def capture(self, node: Any, grad: Any) -> None:
        """Note a node's gradients that are wanted."""
        for nr, g in [(~i, g) for i, g in enumerate(grad)] if node.several else [(0, grad)]:
            if g is not None and (node, nr) in self.targets:
                self.found[node, nr] = g

    def pull(self, node: Any, edges: Any, grad: Any) -> None:
        """Call a node's rules, between its own hooks, and pass on what they give; ``edges`` is None where nobody wants it."""
        if node._watched and node.prehooks:
            shown = self.call_node_hooks(node.prehooks, grad if node.several else [grad])
            grad = shown if node.several else shown[0]
        if grad is None:
            return
        if edges is None:
            grads: Any = (None,) * len(node.next)
        else:
            grads = self.pull_rules(node, edges, grad)
        if node._watched and node.posthooks:
            fixes = node.fix or (None,) * len(grads)
            grads = [g if g is None or f is None else conform(self.xp, g, f) for g, f in zip(grads, fixes, strict=True)]
            outputs = tuple(map(self.as_tensor, grad if node.several else [grad]))
            grads = self.call_node_hooks(node.posthooks, grads, outputs)
        if edges is not None:
            self.pass_on(node, edges, grads)

    def pull_rules(self, node: Any, edges: tuple, grad: Any) -> Any:
        saved = saved_values(node)
        given = given_values(node, saved, self.create)
        around = self.around or own_pull
        try:
            grads = around(self, node, grad, given, edges)
        except BaseException:
            if node.always:
                call_anyway(node, map(self.as_tensor, grad if node.several else [grad]))
            raise
        if self.freed is not None and saved and node.keeps:
            node.saved = self.freed
        return grads

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

    def finish(self, leaf: Any, grad: Any) -> None:
        """All that a leaf will receive is in: run its hooks, and accumulate."""
        owned = leaf in self.owned
        if leaf._grad_dtype is not None and leaf._grad_dtype is not ANY:
            grad = conform(self.xp, grad, (tuple(grad.shape), leaf._grad_dtype.numpy))
        if leaf._hooks:
            grad = self.call_hooks(leaf._hooks, grad)
        if self.targets is not None:
            if (leaf, 0) not in self.targets:
                return
            self.found[leaf, 0] = grad
        if not self.accumulate:
            return
        if leaf._prehooks:
            grad = self.call_node_hooks(leaf._prehooks, [grad])[0]
        if grad is None:
            return
        accumulate(leaf, grad, self.create, owned and not leaf._watched)  # hooks may keep what they saw
        if self.create:
            self.grown.append(leaf)
        for hook in list((leaf._post_hooks or {}).values()):
            changed = hook(leaf)
            if changed is not None and not isinstance(changed, Tensor):
                raise TypeError(f"expected None, but hook '{name_of(hook)}' returned '{type(changed).__name__}'")
        if leaf._posthooks:
            self.call_node_hooks(leaf._posthooks, [], (self.as_tensor(grad),))

    def as_tensor(self, grad: Any) -> Any:
        """A gradient as its users see it."""
        return grad if grad is None or isinstance(grad, Tensor) else own_memory(grad)

    def as_value(self, grad: Any) -> Any:
        if self.create or not isinstance(grad, Tensor) or grad._level != self.level or is_dual(grad):
            return grad
        if grad._flags & CARE:
            settle(grad)
        return grad._data

    def call_hooks(self, hooks: Any, grad: Any) -> Any:
        """Call tensor hooks one after the other, each on what the one before left.

        Where no gradient came, only hooks over several tensors want to know.
        """
        for hook in list(hooks.values()):
            if grad is None and type(hook) is not Share:
                continue
            shown, stamp = self.as_tensor(grad), last_write[0]
            changed = hook(shown)
            if changed is not None:
                check_replacement(hook, changed, shown)
            if last_write[0] != stamp:
                self.check_unshared(hook, [shown], stamp)
            grad = self.as_value(shown if changed is None else changed)
        return grad

    def call_node_hooks(self, hooks: Any, grads: list, *more: tuple) -> list:
        """Call ``hook(grad_outputs)``, or ``hook(grad_inputs, grad_outputs)``, one after the other."""
        for hook in list(hooks.values()):
            shown, stamp = tuple(map(self.as_tensor, grads)), last_write[0]
            changed = hook(shown, *more)
            if changed is not None:
                check_replacements(hook, changed, shown)
            if last_write[0] != stamp:
                self.check_unshared(hook, shown, stamp)
            grads = list(map(self.as_value, shown if changed is None else changed))
        return grads

    def check_unshared(self, hook: Any, shown: Any, stamp: int) -> None:
        """Raise where a hook has written to a gradient that others wait for."""
        others = [g for held in self.buffers.values() for g in (held if type(held) is list else [held])]
        others += self.found.values()
        for i, mine in enumerate(shown):
            write = None if mine is None or type(mine._data) is not ndarray else write_since(mine._data, stamp)
            if write is not None:
                memory = storage_of(mine)
                if any(g is not None and storage_of(g) is memory for g in [*others, *shown[:i], *shown[i + 1 :]]):
                    raise RuntimeError(
                        f"hook '{name_of(hook)}': the gradient has been modified by an inplace operation, "
                        f"{describe_write(write)}, but others will receive the same memory. Return a new tensor instead."
                    )


def own_memory(grad: Any) -> Tensor:
    """A gradient as a tensor; a copy where memory is read-only, shared by many, or expanded."""
    if isinstance(grad, Tensor):
        return values.clone(grad) if type(grad._data) is ndarray and not is_summable(grad._data) else grad
    return wrap(grad.copy() if type(grad) is ndarray and not is_summable(grad) else grad)


def keep_retained(node: Node, grads: list, create: bool) -> None:
    """Store the gradients of tensors that retain theirs."""
    for nr, reference in (node.captures or {}).items():
        tensor = reference()
        if tensor is not None and grads[nr] is not None:
            kept = grads[nr] if isinstance(grads[nr], Tensor) else wrap(grads[nr])
            tensor._grad = own_copy(kept, tensor) if tensor._grad is None else tensor._grad + kept


def storage_of(grad: Any) -> Any:
    data = grad._data if isinstance(grad, Tensor) else grad
    return owner(data) if type(data) is ndarray else data


def collect(roots: list) -> tuple[list, dict, bool]:
    """The nodes at and below the roots, newest first; the leaves there; and whether anything there has hooks."""
    seen: set[Any] = {None}
    order: list[Any] = []
    leaves: dict[Any, None] = {}
    stack: list[Any] = [roots]
    watched = False
    while stack:
        for target in stack.pop():
            if target not in seen:
                seen.add(target)
                watched = watched or target._watched
                if target._is_node:
                    order.append(target)
                    stack.append(target.next)
                else:
                    leaves[target] = None
    order.sort(key=by_tick, reverse=True)
    return order, leaves, watched


def has_hooks(roots: list) -> bool:
    """Whether anything at and below the roots has hooks."""
    forget_unhooked()
    return bool(waited_for) and collect([target for target, _, _ in roots])[2]


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


# Held while gradients are added: NumPy lets other threads run during a large sum, and one of two would be lost.
accumulating = make_lock()
perform = deque(maxlen=0).extend


def accumulate_all(grads: dict, owned: set, create: bool = False) -> None:
    """Add the gradients of a finished pass to its leaves. One call does it for all, so that an interrupt, which Python
    lets in between its own steps only, comes before the first or after the last."""
    steps, holders = [], few.holders
    with accumulating:
        for leaf, grad in grads.items():
            steps.append(addition(leaf, grad, create, leaf in owned, holders))
        perform(starmap(call, steps))


def accumulate(leaf: Any, grad: Any, create: bool, owned: bool) -> None:
    """Add a gradient to ``leaf.grad``; one that is not the engine's own is surely held by others, too."""
    with accumulating:
        change, *args = addition(leaf, grad, create, owned, 0)
        change(*args)


def addition(leaf: Any, grad: Any, create: bool, owned: bool, holders: int) -> tuple:
    """The call, ``(function, *arguments)``, that adds a gradient to ``leaf.grad``: in place, unless the pass is recorded.

    An array that no one else holds (it is the engine's, or no more than ``holders`` do) becomes the ``.grad`` itself, if
    it is laid out as the leaf; any other is copied.
    """
    if leaf._flags != GRAD or leaf._fn is not None:
        if leaf._view is not None:
            renew(leaf)
        if leaf._fn is not None or not leaf._flags & GRAD:
            return check_end, leaf
    before, leaf._last = leaf._grad, last_pass[0]
    if before is None and not create and type(grad) is ndarray and leaf._grad_dtype is None:
        like = leaf._data  # the commonest case, by itself: 0.5 µs less
        mine = owned or (grad.base is None and getrefcount(grad) <= holders)
        if mine and grad.dtype is like.dtype and grad.flags.carray and like.flags.c_contiguous:
            kept = new(Tensor)
            kept._data, kept._flags, kept._fn = grad, 0, None
            return setattr, leaf, "_grad", kept
    if not create and isinstance(grad, Tensor) and is_dual(grad):
        grad = grad._data
    held: Any = None if before is None else before._data
    if create or isinstance(grad, Value) or (before is not None and not is_summable(held)):
        fresh = grad if isinstance(grad, Tensor) else wrap(grad)
        return setattr, leaf, "_grad", own_copy(fresh, leaf) if before is None else before + fresh
    if before is None:
        if type(grad) is not ndarray:
            grad = asarray(grad)
        like, kind = leaf._data, leaf._grad_dtype
        wanted = like.dtype if kind is None else grad.dtype if kind is ANY else kind.numpy
        if grad.dtype != wanted:
            grad = arrays.cast(grad, wanted)
        mine = owned or (grad.base is None and getrefcount(grad) <= holders)
        fits = grad.flags.c_contiguous if like.flags.c_contiguous else grad.strides == like.strides
        keep = mine and grad.flags.writeable and (fits or not grad_layout.get())
        return setattr, leaf, "_grad", wrap(grad if keep else laid_out(grad, like))
    if grad.shape != held.shape and not is_expandable(grad.shape, held.shape):
        raise RuntimeError(
            f"a leaf's .grad has shape {list(held.shape)}, which must match the size of its gradient, {list(grad.shape)}: "
            "set .grad to None first"
        )
    if getrefcount(held) > few.keepers:  # not the tensor alone: perhaps a node saved it
        mark_written(held, "gradient accumulation", NOWHERE)
    return add, held, grad, held


def is_expandable(shape: tuple, to: tuple) -> bool:
    return len(shape) <= len(to) and all(n in (1, m) for n, m in zip(shape[::-1], to[::-1], strict=False))


def is_summable(data: Any) -> bool:
    """Whether a gradient can be added to in place: an array, of which each element has a place of its own."""
    return type(data) is ndarray and data.flags.writeable and (0 not in data.strides or data.size < 2)


def check_end(leaf: Any) -> None:
    """What a graph took for a leaf may no longer require grad, and then gets none; or be none any more, an error."""
    if leaf._fn is not None and leaf._flags & GRAD and not leaf._fn.is_hidden:
        raise RuntimeError(
            "leaf variable has been moved into the graph interior: a leaf that the graph leads to was written in place by "
            "an operation that was recorded"
        )


NOWHERE = (addition.__code__, 0)


class few:
    """The counts of references to an array that a pass alone holds, and to a ``.grad`` that its tensor alone holds.

    They are measured, for versions of Python differ: some do not count what is on their stack. Without a GIL, where
    another thread may be counting too, every array is taken for one that someone else holds.
    """

    holders = keepers = 0


def measure() -> None:
    for few.holders in range(1, 10):
        leaf, grads = wrap(zeros(1)), {}
        leaf._flags |= GRAD
        grads[leaf] = zeros(1)
        key = id(grads[leaf])
        accumulate_all(grads, set())
        if id(leaf._grad._data) == key:
            break
    grads.clear()
    for few.keepers in range(1, 10):
        before = last_write[0]
        accumulate_all({leaf: zeros(1)}, set())
        if last_write[0] == before:
            break


def own_copy(grad: Tensor, leaf: Tensor) -> Tensor:
    """A recorded gradient as a leaf's own."""
    data, like = grad._data, leaf._data
    if type(data) is not ndarray or type(like) is not ndarray:
        return grad
    rows = like.flags.c_contiguous and not data.flags.c_contiguous
    return values.contiguous(grad) if rows else values.clone(grad)


def laid_out(grad: ndarray, like: ndarray) -> ndarray:
    """A copy with the order of dims in memory that ``like`` has, if that is dense; row by row, if not."""
    steps = like.squeeze()  # where a dim has one element, its stride says nothing
    if like.flags.c_contiguous or empty_like(steps).strides != steps.strides:
        return grad.copy()
    copied = empty_like(like, dtype=grad.dtype)
    copied[...] = grad
    return copied


def loosen(leaves: list) -> None:
    """Where recorded gradients lead back to the leaves that hold them, let their graphs hold the leaves weakly.

    The leaf in turn holds its ``AccumulateGrad``, which the graph's edges then lead to: there is no cycle, and the memory
    of graph and leaf is free as soon as nobody uses them. A leaf with hooks is kept, for they shall run.
    """
    grads = [leaf._grad._fn for leaf in leaves if leaf._grad is not None]
    for node in collect(grads)[0]:
        if type(node) is not AccumulateGrad and any(t is not None and not t._is_node for t in node.next):
            node.next = tuple([t if t is None or t._is_node or t._watched else weakly(t) for t in node.next])


def weakly(leaf: Tensor) -> Node:
    """The ``AccumulateGrad`` of a leaf, made to be held by the leaf and not to hold it."""
    node = as_node(leaf)
    node.reference, node.held = weakref.ref(leaf), None
    leaf._accumulator = lambda: node
    return node


def call_node(node: Any, grads: tuple) -> Any:
    """Call a node by hand: the gradients of its inputs; recorded where the grad mode says so."""
    work = Pass(node.level, modes.floor == 0, True, None, False)
    work.around = None
    given = [g if work.create else work.as_value(g) for g in grads]
    found = work.pull_rules(node, node.next, given if node.several else given[0])
    fixes = node.fix or (None,) * len(found)
    found = [g if g is None or f is None else conform(work.xp, g, f) for g, f in zip(found, fixes, strict=True)]
    shown = tuple(map(work.as_tensor, found))
    return shown[0] if len(shown) == 1 else shown


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


if HAS_GIL:
    measure()
