"""Checkpointing: keep a function's inputs instead of all that its operations save, and run it again when that is needed.

Built on saved-tensor hooks. While the function runs, each saved tensor is replaced by a number; when the backward pass
asks for one of them, the function runs again, and what its operations then save is handed out by number. Inputs are
packed by the hooks of whoever called, so that checkpoints nest. Invariant: the two runs save tensors of the same
operations in the same order; where they do not, :class:`CheckpointError` names the first operation that differs.
"""

import enum
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from typing import Any, NamedTuple

from .. import random, tree
from ..ops.namespaces import packet_of
from ..ops.table import Op
from ..tape.graph import unpacked
from ..tape.lines import describe
from ..tape.modes import enable_grad, is_grad_enabled
from ..tape.promotion import dtype_of
from ..tape.saved import pack_tensor, saved_tensors_hooks
from ..tape.storage import version
from ..tape.value import Tensor, wrap
from ..tape.watch import layer_on

NO_CHECK, CHECK_METADATA = "none", "default"
_settings: dict[str, bool | None] = {"debug": None, "early_stop": None}  # what the contexts below override


class CheckpointError(RuntimeError):
    """The second run of a checkpointed function did not save what the first did.

    A function that behaves otherwise on its second run makes one: it reads a global that has changed, draws random
    numbers while ``preserve_rng_state=False``, or depends on the grad mode. Make it a function of its arguments::

        checkpoint(lambda x: x.relu() if flag else x.exp(), x)  # wrong, where flag changes before backward()
        checkpoint(lambda x, flag: x.relu() if flag else x.exp(), x, flag)
    """


class _Recomputed(BaseException):
    """Ends a second run as soon as it has given all that is needed."""


class Entry(NamedTuple):
    """What is remembered of a saved tensor instead of the tensor."""

    op: str
    place: Any
    shape: tuple
    dtype: Any

    def __str__(self) -> str:
        return f"{self.op} at {describe(self.place)}, which saved {self.dtype}{list(self.shape)}"


def entry_of(tensor: Any, node: Any) -> Entry:
    op, place = ("an inner checkpoint's input", None) if node is None else (node.name(), node.place())
    return Entry(op, place, tuple(tensor.shape), dtype_of(tensor._data))


class Frame:
    """One checkpointed call: how to run it again, what it saved, and what a second run has given so far."""

    def __init__(self, function: Callable, arguments: Any, context: Any, options: dict) -> None:
        leaves, self.spec = tree.flatten(arguments)
        self.inputs = [pack_tensor(leaf) for leaf in leaves]
        self.needs = [isinstance(leaf, Tensor) and leaf.requires_grad for leaf in leaves]  # type: ignore[attr-defined]
        self.function, self.context, self.options = function, context, options
        self.random = random.default_generator.get_state() if options["preserve_rng_state"] else None
        self.log: list[Entry] = []
        self.found: dict[int, Tensor] = {}

    def pack(self, tensor: Tensor, node: Any) -> int:
        """Remember that a tensor was saved, and give it a number."""
        self.log.append(entry_of(tensor, node))
        return len(self.log) - 1

    pack.wants_node = True  # type: ignore[attr-defined]

    def unpack(self, number: int) -> Tensor:
        """A saved tensor, from the function's second run."""
        if number not in self.found:
            self.found = self.recompute()
        return self.found.pop(number)

    def recompute(self) -> dict[int, Tensor]:
        """Run the function again, and collect what it saves."""
        found: dict[int, Tensor] = {}
        count = 0

        def pack(tensor: Tensor, node: Any) -> int:
            nonlocal count
            if count < len(self.log):
                self.check(count, entry_of(tensor, node))
                found[count] = tensor.detach()  # type: ignore[attr-defined]
            count += 1
            if self.options["early_stop"] and count == len(self.log):
                raise _Recomputed
            return count - 1

        pack.wants_node = True  # type: ignore[attr-defined]
        args, kwargs = tree.unflatten(self.fresh_inputs(), self.spec)
        with same_random_numbers(self.random), enable_grad(), self.context:
            try:
                with saved_tensors_hooks(pack, lambda number: found[number]):
                    self.function(*args, **kwargs)
            except _Recomputed:
                pass
        if count != len(self.log):
            raise CheckpointError(self.other_count(count))
        return found

    def fresh_inputs(self) -> list:
        """The inputs as leaves, so that the second run makes a graph of its own."""
        held = [unpacked(leaf) if not isinstance(leaf, Tensor) else leaf for leaf in self.inputs]
        tensors = [wrap(v) if hasattr(v, "dtype") and not isinstance(v, Tensor) else v for v in held]
        return [
            t.detach().requires_grad_(need) if isinstance(t, Tensor) else t  # type: ignore[attr-defined]
            for t, need in zip(tensors, self.needs, strict=True)
        ]

    def check(self, number: int, entry: Entry) -> None:
        """Compare a saved tensor with what the first run saved in its place."""
        before = self.log[number]
        if self.options["determinism_check"] == NO_CHECK or (before.op, *before[2:]) == (entry.op, *entry[2:]):
            return
        raise CheckpointError(
            "torch.utils.checkpoint: Recomputed values for the following tensors have different metadata than during the "
            f"forward pass.\ntensor at position {number}:\nsaved metadata: {before}\nrecomputed metadata: {entry}\n"
            f"{self.advice(entry)}"
        )

    def other_count(self, count: int) -> str:
        more = f"; the first that is missing is of {self.log[count]}" if count < len(self.log) else ""
        return (
            "torch.utils.checkpoint: A different number of tensors was saved during the original forward and "
            f"recomputation.\nNumber of tensors saved during forward: {len(self.log)}\nNumber of tensors saved during "
            f"recomputation: {count}{more}\n{self.advice(None)}"
        )

    def advice(self, entry: Entry | None) -> str:
        text = "The function must do the same when it runs again: see CheckpointError."
        if self.options["debug"]:
            text += "\nThe forward saved tensors of, in order:\n" + "\n".join(
                f"  {i}: {e}" for i, e in enumerate(self.log)
            )
        return text


@contextmanager
def same_random_numbers(state: Any) -> Iterator[None]:
    """Draw random numbers from a remembered state, and go on afterwards as if none had been drawn."""
    if state is None:
        yield
        return
    before = random.default_generator.get_state()
    random.default_generator.set_state(state)
    try:
        yield
    finally:
        random.default_generator.set_state(before)


def noop_context_fn() -> tuple:
    """The ``context_fn`` that changes nothing."""
    return nullcontext(), nullcontext()


def checkpoint(
    function: Callable,
    *args: Any,
    use_reentrant: bool | None = None,
    context_fn: Callable = noop_context_fn,
    determinism_check: str = CHECK_METADATA,
    debug: bool = False,
    early_stop: bool = True,
    preserve_rng_state: bool = True,
    **kwargs: Any,
) -> Any:
    """Call ``function(*args, **kwargs)`` so that its operations save nothing: it runs again in the backward pass.

    Works with closures, nested structures, keyword arguments, nesting, ``grad``, ``inputs=``, ``retain_graph`` and
    ``create_graph``.

    Args:
        function: must do the same on its second run, but for random numbers if ``preserve_rng_state``.
        use_reentrant: accepted as in PyTorch; there is one implementation, that of ``False``.
        context_fn: returns two context managers, one for each run.
        determinism_check: ``"default"`` compares operations, shapes and dtypes of the two runs; ``"none"`` does not.
        debug: list all that the first run saved where the second differs.
        early_stop: end the second run as soon as it has given all that is needed.
        preserve_rng_state: draw the same random numbers in both runs.

    Raises:
        CheckpointError: in the backward pass, where the second run saved other tensors than the first.

    >>> import pullback as torch
    >>> x = torch.tensor([1.0, 2.0], requires_grad=True)
    >>> torch.utils.checkpoint.checkpoint(lambda x: x.exp().sin(), x).sum().backward()
    >>> torch.equal(x.grad, x.exp().cos() * x.exp())
    True
    """
    if determinism_check not in (CHECK_METADATA, NO_CHECK):
        raise ValueError(
            f"determinism_check should be one of '{CHECK_METADATA}', '{NO_CHECK}', but got '{determinism_check}'"
        )
    forward_context, recompute_context = context_fn()
    if not is_grad_enabled():
        with forward_context:
            return function(*args, **kwargs)
    options = {
        "determinism_check": determinism_check,
        "debug": debug if _settings["debug"] is None else _settings["debug"],
        "early_stop": early_stop if _settings["early_stop"] is None else _settings["early_stop"],
        "preserve_rng_state": preserve_rng_state,
    }
    frame = Frame(function, (args, kwargs), recompute_context, options)
    with saved_tensors_hooks(frame.pack, frame.unpack), forward_context:
        return function(*args, **kwargs)


def checkpoint_sequential(
    functions: Any, segments: int, input: Any, use_reentrant: bool | None = None, **kwargs: Any
) -> Any:
    """Call functions (or the modules of a ``Sequential``) one after the other, all segments but the last checkpointed.

    Args:
        functions: a ``Sequential`` or an iterable of functions of one argument.
        segments: in how many parts the sequence is divided.
        kwargs: ``preserve_rng_state`` and what else :func:`checkpoint` takes.
    """
    functions = list(functions.children() if hasattr(functions, "children") else functions)
    if not 1 <= segments <= max(len(functions), 1):
        raise ValueError(
            f"checkpoint_sequential: segments must be between 1 and {len(functions)} functions, got {segments}"
        )

    def run(first: int, last: int) -> Callable:
        def segment(value: Any) -> Any:
            for function in functions[first:last]:
                value = function(value)
            return value

        return segment

    size = len(functions) // segments
    ends = [size * (i + 1) for i in range(segments - 1)]
    for first, last in zip([0, *ends], ends, strict=False):
        input = checkpoint(run(first, last), input, use_reentrant=use_reentrant, **kwargs)
    return run(ends[-1] if ends else 0, len(functions))(input)


@contextmanager
def _override(setting: str, value: bool | None) -> Iterator[None]:
    before, _settings[setting] = _settings[setting], value
    try:
        yield
    finally:
        _settings[setting] = before


def set_checkpoint_debug_enabled(enabled: bool | None) -> Any:
    """Context manager: overrides the ``debug`` of every :func:`checkpoint` inside; None does not."""
    return _override("debug", enabled)


def set_checkpoint_early_stop(enable: bool) -> Any:
    """Context manager: overrides the ``early_stop`` of every :func:`checkpoint` inside."""
    return _override("early_stop", enable)


# -- by policy ---------------------------------------------------------------------------------------------------------


class CheckpointPolicy(enum.Enum):
    """What a selective policy may say of an operation: whether its result is kept, or it runs again."""

    MUST_SAVE = 0
    PREFER_SAVE = 1
    MUST_RECOMPUTE = 2
    PREFER_RECOMPUTE = 3
    MUST_CPU_OFFLOAD = 4

    @property
    def saves(self) -> bool:
        """Whether the result is kept."""
        return self.name in ("MUST_SAVE", "PREFER_SAVE", "MUST_CPU_OFFLOAD")


class SelectiveCheckpointContext:
    """What a policy function is told beside the operation: whether this is the second run."""

    def __init__(self, *, is_recompute: bool) -> None:
        self.is_recompute = is_recompute


class Kept:
    """The results that the first run kept, per operation in order."""

    def __init__(self, policy: Callable, allow_mutation: bool) -> None:
        self.policy, self.allow_mutation = policy, allow_mutation
        self.results: dict[str, list] = defaultdict(list)

    def decides(self, op: Op, raw: Any, is_recompute: bool) -> bool:
        """Whether the policy has the operation's result kept."""
        given = [wrap(a) if hasattr(a, "dtype") and not isinstance(a, Tensor) else a for a in raw]
        context = SelectiveCheckpointContext(is_recompute=is_recompute)
        verdict = self.policy(context, packet_of(op.name), *given)
        if isinstance(verdict, bool):
            return verdict
        if not isinstance(verdict, CheckpointPolicy):
            raise TypeError(f"a checkpoint policy must return a CheckpointPolicy or a bool, got {verdict!r}")
        return verdict.saves

    def add(self, op: Op, result: Any) -> None:
        arrays = list(result) if isinstance(result, (tuple, list)) else [result]
        self.results[op.name].append((result, arrays, [version(a) for a in arrays]))

    def get(self, op: Op, number: int) -> Any:
        """A kept result, if it is still what it was."""
        if number >= len(self.results[op.name]):
            raise CheckpointError(f"the second run calls {op.name} more often than the first kept a result of it")
        result, arrays, versions = self.results[op.name][number]
        if not self.allow_mutation and versions != [version(a) for a in arrays]:
            raise RuntimeError(
                f"Tensor cached during selective activation checkpoint has been mutated: result {number} of {op.name} was "
                "written in place. Write to a clone, or pass allow_cache_entry_mutation=True"
            )
        return result


class Selecting:
    """The context of one run of a selectively checkpointed function."""

    def __init__(self, kept: Kept, is_recompute: bool) -> None:
        self.kept, self.is_recompute = kept, is_recompute
        self.open: list = []

    def around_compute(self, inner: Callable) -> Callable:
        """The layer that keeps results in the first run, and hands them out in the second."""
        kept, is_recompute, numbers = self.kept, self.is_recompute, defaultdict(int)

        def compute(op: Op, raw: Any) -> Any:
            if op.view or not kept.decides(op, raw, is_recompute):
                return inner(op, raw)
            if is_recompute:
                numbers[op.name] += 1
                return kept.get(op, numbers[op.name] - 1)
            result = inner(op, raw)
            kept.add(op, result)
            return result

        return compute

    def __enter__(self) -> None:
        self.open.append(layer_on("selective", self))
        self.open[-1].__enter__()

    def __exit__(self, *exc: Any) -> None:
        self.open.pop().__exit__(*exc)


def create_selective_checkpoint_contexts(
    policy_fn_or_list: Any, allow_cache_entry_mutation: bool = False
) -> tuple[Selecting, Selecting]:
    """The two contexts (``context_fn`` returns them) of a checkpoint that keeps some operations' results.

    Args:
        policy_fn_or_list: ``policy(context, op, *args)``, which returns a :class:`CheckpointPolicy` for an operation
            (``torch.ops.aten.mm.default``, whose ``name`` is that of the table: ``"mm"``) and its arguments; or the
            operations to be kept, as names, functions or members of ``torch.ops.aten``.
        allow_cache_entry_mutation: do not check whether kept results were written in place.

    >>> import pullback as torch
    >>> from functools import partial
    >>> from pullback.utils.checkpoint import checkpoint, create_selective_checkpoint_contexts
    >>> x = torch.ones(2, 2, requires_grad=True)
    >>> keep_products = partial(create_selective_checkpoint_contexts, ["mm", "bmm"])
    >>> checkpoint(lambda x: torch.mm(x, x).exp().sum(), x, context_fn=keep_products).backward()
    """
    if callable(policy_fn_or_list):
        policy = policy_fn_or_list
    else:
        names = {item if isinstance(item, str) else name_of(item) for item in policy_fn_or_list}
        policy = lambda context, op, *args: op.name in names
    kept = Kept(policy, allow_cache_entry_mutation)
    return Selecting(kept, False), Selecting(kept, True)


def name_of(operation: Any) -> str:
    name = getattr(operation, "name", None) or getattr(operation, "__name__", None)
    if not isinstance(name, str):
        raise TypeError(f"expected operations, their names or functions, got {operation!r}")
    return name
