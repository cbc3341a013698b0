"""``memory_budget``: keep the saved tensors of a region under a number of bytes, by dropping some and computing them again.

While a region runs, every operation on arrays leaves a *recipe*: what was called, on what, and how long it took. A saved
array that has a recipe can be dropped and computed again from it, first computing what that needs. When the saved
arrays of a region pass its budget, the one is dropped that is cheapest to compute again per byte and per time since it was last
used, with the cost of those ancestors that were dropped before (the heuristic of M. Kirisame et al., "Dynamic Tensor
Rematerialization", ICLR 2021). Results of operations on the same arrays are the same bits, so no gradient changes.

Not droppable: what came from outside the region, random draws, and what was written in place.
"""

import math
import warnings
import weakref
from collections import defaultdict
from collections.abc import Callable, Iterator
from time import perf_counter
from typing import Any

import numpy as np
from numpy import ndarray

from .. import random
from ..interpreters import run
from ..ops.table import Op
from ..tape.saved import saved_tensors_hooks
from ..tape.storage import owner, version
from ..tape.value import GRAD, Tensor, wrap
from ..tape.watch import layer_on

CLOSER_LOOK = 32  # candidates for dropping whose ancestors are counted


class Recipe:
    """How to compute one operation's results again."""

    __slots__ = ("args", "cost", "op", "results")

    def __init__(self, op: Op, args: list, cost: float) -> None:
        self.op, self.args, self.cost = op, args, cost
        self.results: list = []  # weak references to the results' handles

    def parents(self) -> Iterator["Handle"]:
        for a in self.args:
            for b in a if isinstance(a, (list, tuple)) else (a,):
                if isinstance(b, Handle):
                    yield b


class Handle:
    """An array of the region: there, or to be computed again.

    ``array`` keeps it in memory; ``ref`` knows it as long as somebody else does. A view takes no memory of its own: what
    is held for it is its ``base``; for all others that is the handle itself.
    """

    __slots__ = ("__weakref__", "array", "nbytes", "recipe", "ref", "saved", "used", "version", "viewed")

    def __init__(self, array: ndarray, recipe: Recipe | None = None, viewed: "Handle | None" = None) -> None:
        self.array = None if recipe else array
        self.ref, self.version = weakref.ref(array), version(array)
        self.recipe, self.viewed, self.nbytes = recipe, viewed, owner(array).nbytes
        self.saved = self.used = 0  # by how many nodes; when last

    @property
    def base(self) -> "Handle":
        return self.viewed or self

    def value(self) -> Any:
        """The array, if it is in memory and nobody wrote to it."""
        array = self.ref()
        return array if array is not None and version(array) == self.version else None


class Reference:
    """What a node keeps of a saved array."""

    __slots__ = ("budget", "handle")

    def __init__(self, budget: "memory_budget", handle: Handle) -> None:
        self.budget, self.handle = budget, handle
        handle.base.saved += 1

    def __del__(self) -> None:
        base = self.handle.base
        base.saved -= 1
        if not base.saved:
            self.budget.drop(base)


class memory_budget(saved_tensors_hooks):
    """Context manager: what operations inside save for the backward pass stays under ``nbytes``, at the cost of time.

    Leaves that require grad (a model's parameters) are not counted. Gradients are the same to the last bit. Where what
    cannot be computed again is alone larger than the budget, a warning says so.

    Args:
        nbytes: how many bytes saved tensors may take.

    Attributes:
        held, peak: the bytes of saved tensors now, and at most so far.
        dropped, recomputed: how many saved tensors were dropped, and how many operations ran again.

    >>> import pullback as torch
    >>> x = torch.randn(100, 100, requires_grad=True)
    >>> with torch.autograd.graph.memory_budget(100_000) as budget:
    ...     y = x.sin().exp().sin().exp().sin().sum()
    >>> budget.peak <= 100_000
    True
    >>> y.backward()
    """

    def __init__(self, nbytes: int) -> None:
        if nbytes < 0:
            raise ValueError(f"memory_budget: expected a number of bytes that is not negative, got {nbytes}")
        super().__init__(self._pack, self._unpack)
        self.nbytes = int(nbytes)
        self.held = self.peak = self.dropped = self.recomputed = 0
        self._clock = 0
        self._made: dict[int, tuple] = {}  # id of a living result -> (weak reference to it, its handle)
        self._given: weakref.WeakValueDictionary = weakref.WeakValueDictionary()  # id -> handle of what has no recipe
        self._keeping: dict[Handle, None] = {}  # handles whose array is held for nodes
        self._warned = False
        self._layers: list = []

    def __enter__(self) -> "memory_budget":  # type: ignore[override]
        super().__enter__()
        self._layers.append(layer_on("budget", self))
        self._layers[-1].__enter__()
        return self

    def __exit__(self, *exc: Any) -> None:
        self._layers.pop().__exit__(*exc)
        super().__exit__(*exc)

    # -- while the region runs -----------------------------------------------------------------------------------------

    def around_compute(self, inner: Callable) -> Callable:
        """The layer that leaves a recipe for every result."""

        def compute(op: Op, raw: Any) -> Any:
            drawn = random_state(op)
            start = perf_counter()
            result = inner(op, raw)
            cost = perf_counter() - start
            if not np.array_equal(drawn, random_state(op)):
                return result
            recipe = Recipe(op, [self._refer(a) for a in raw], cost)
            for array in result if isinstance(result, (tuple, list)) else [result]:
                self._enter(array, recipe)
            return result

        return compute

    def _refer(self, a: Any) -> Any:
        """An argument of a recipe, arrays as handles."""
        if type(a) is list or type(a) is tuple:
            return type(a)([self._refer(b) for b in a])
        return self._handle(a) if type(a) is ndarray else a

    def _handle(self, array: ndarray) -> Handle:
        found = self._made.get(id(array))
        handle = found[1] if found else self._given.get(id(array))
        if handle is None or handle.ref() is not array or handle.version != version(array):
            handle = self._given[id(array)] = Handle(array)
        return handle

    def _enter(self, array: Any, recipe: Recipe) -> None:
        if type(array) is not ndarray:
            return
        seen = [h for h in recipe.parents() if (value := h.value()) is not None and owner(value) is owner(array)]
        handle = Handle(array, recipe, seen[0].base if seen else None)
        recipe.results.append(weakref.ref(handle))
        self._know(handle, array)

    def _know(self, handle: Handle, array: ndarray) -> None:
        """Find the handle by its array as long as that lives."""
        key, made = id(array), self._made
        handle.ref, handle.version = weakref.ref(array), version(array)
        made[key] = weakref.ref(array, lambda _: made.pop(key, None)), handle

    def _pack(self, tensor: Tensor) -> Any:
        if tensor._flags & GRAD and tensor._fn is None:
            return tensor.detach()  # type: ignore[attr-defined]
        handle = self._handle(tensor._data)
        reference = Reference(self, handle)
        self._keep(handle.base)
        return reference

    def _keep(self, handle: Handle) -> None:
        """Hold a saved array in memory, and drop others if that is too much."""
        self._clock += 1
        handle.used = self._clock
        array = handle.value()
        if handle not in self._keeping and array is not None:
            handle.array = array
            self._keeping[handle] = None
            self.held += handle.nbytes
            self._enforce()
            self.peak = max(self.peak, self.held)

    def drop(self, handle: Handle) -> None:
        """Hold a saved array no longer."""
        if handle in self._keeping:
            del self._keeping[handle]
            self.held -= handle.nbytes
            if handle.recipe is not None:
                handle.array = None

    def _enforce(self) -> None:
        """Drop what is cheapest, until the budget is met."""
        while self.held > self.nbytes:
            own = {h: h.recipe.cost / self._worth(h) for h in list(self._keeping) if h.recipe is not None}
            cheapest = sorted(own, key=own.__getitem__)[:CLOSER_LOOK]
            prices = {h: self._price(h) / self._worth(h) for h in cheapest}
            choice = min(prices, key=prices.__getitem__, default=None)
            if choice is None or prices[choice] == math.inf:
                self._warn()
                return
            self.drop(choice)
            self.dropped += 1

    def _worth(self, handle: Handle) -> float:
        """What dropping a handle's array gains: its bytes, for as long as it was not used."""
        return handle.nbytes * (self._clock - handle.used + 1)

    def _price(self, handle: Handle) -> float:
        """The seconds that it takes to compute an array again, with the ancestors that are gone."""
        needed = self._gone(handle, True)
        return math.inf if needed is None else sum([h.recipe.cost for h in needed])

    def _warn(self) -> None:
        if not self._warned:
            self._warned = True
            warnings.warn(
                f"memory_budget: {self.held:,} bytes of saved tensors cannot be computed again, more than the budget of "
                f"{self.nbytes:,} bytes: they come from outside the region, are random, or were written in place",
                stacklevel=2,
            )

    # -- in the backward pass ------------------------------------------------------------------------------------------

    def _unpack(self, held: Any) -> Tensor:
        if isinstance(held, Tensor):
            return held
        self._clock += 1
        held.handle.base.used = self._clock
        value = held.handle.value()
        return wrap(self._recompute(held.handle) if value is None else value)

    def _gone(self, handle: Handle, even_if_there: bool = False) -> list | None:
        """A handle and those of its ancestors that must be computed again for it, parents first; None if one cannot."""
        order: dict[Handle, None] = {}
        stack = [(handle, False)]
        while stack:
            h, is_done = stack.pop()
            if is_done:
                order[h] = None
            elif h not in order and (h.value() is None or (even_if_there and h is handle)):
                if h.recipe is None:
                    return None
                stack.append((h, True))
                stack.extend((p, False) for p in h.recipe.parents())
        return list(order)

    def _recompute(self, handle: Handle) -> ndarray:
        """Compute an array again, and what it needs; of that, keep what other nodes will ask for, as the budget allows."""
        order = self._gone(handle)
        if order is None:
            raise RuntimeError(
                "memory_budget: an array that a dropped tensor must be computed from has been modified by an inplace "
                "operation since. Write to a clone of it, or after backward()."
            )
        there: dict[Handle, ndarray] = {}  # what is at hand; what is there already may be dropped while others are kept
        waiting: dict[Handle, int] = defaultdict(int)  # how many computations still need it
        for h in order:
            for parent in h.recipe.parents():
                waiting[parent] += 1
                if (value := parent.value()) is not None:
                    there[parent] = value
        for h in order:
            if h not in there:
                there.update(self._run(h.recipe, there))
            for parent in h.recipe.parents():
                waiting[parent] -= 1
                if not waiting[parent]:
                    del there[parent]
        return there[handle]

    def _run(self, recipe: Recipe, there: dict) -> dict:
        """A recipe's results, by handle."""
        result = run(recipe.op, [resolve(a, there) for a in recipe.args])
        self.recomputed += not recipe.op.view
        arrays = result if isinstance(result, (tuple, list)) else [result]
        found = {}
        for reference, array in zip(recipe.results, [a for a in arrays if type(a) is ndarray], strict=True):
            h = reference()
            if h is not None and h.value() is None:
                found[h] = array
                self._know(h, array)
                if h.saved and not h.viewed:
                    self._keep(h)
        return found


def resolve(a: Any, there: dict) -> Any:
    """An argument of a recipe with arrays for handles, those just computed from ``there``."""
    if type(a) is list or type(a) is tuple:
        return type(a)([resolve(b, there) for b in a])
    return there[a] if isinstance(a, Handle) else a


def random_state(op: Op) -> Any:
    """The state of the random stream, for operations that may draw from it."""
    return random.Generator.get_state(random.default_generator) if op.composite or "generator" in op.params else None
