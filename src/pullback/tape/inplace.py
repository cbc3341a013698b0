"""Operations in place: write the data, note the write, and give the tensor (and its base) a new history.

Everything is checked before anything is written. A write through a view re-roots the base's history: the base gets a
:class:`CopySlices` node, which sends the gradient of the written region through the operation and the rest to the
base's old history; all views of the base regenerate theirs when they are next used. Values that have no memory to
write to (batches, duals, traces, tapes of transforms) are replaced instead, and views are replayed on the new base.
"""

from typing import Any

from numpy import ndarray, ufunc

from .. import dtypes
from ..clock import tick
from ..interpreters import Value, run, values
from ..interpreters.batched import is_random, unspread, vmaps
from ..interpreters.dispatch import new_level
from ..kernels import arrays, kernel_of
from ..kernels.numpy.overlap import meets, overlaps
from ..kernels.numpy.registry import UFUNCS
from ..ops.comparison import COMPARISONS, TRUTHS
from ..ops.table import KEEP, TABLE, Op
from . import record
from .engine import conform, pull_back
from .graph import Freed, Node, given_values, saved_values
from .lines import here
from .modes import held_floor, modes, restore_floor
from .promotion import dtype_of, promote
from .reasons import note
from .storage import keepers, mark_written, memory, owner
from .value import CARE, GRAD, Tensor, at_level, is_dual, new, open_levels, plain
from .views import Family, release, replay, retain, settle
from .watch import watching


def write(op: Op, args: tuple) -> Tensor:
    """Run an operation in place on its first argument, and return that."""
    if wrote_quickly(op, args):
        return args[0]
    watch = watching.get().run
    return write_now(op, args) if watch is None else watch(write_now, op, args)


def write_now(op: Op, args: tuple, prepared: bool = False) -> Tensor:
    target = args[0]
    if not prepared:
        args = record.check_arguments(op, args)
    if vmaps.get() and is_random(op) and unspread(target):
        raise RuntimeError(
            "vmap: Cannot ask for different inplace randomness on an unbatched tensor. This will appear like same "
            f"randomness. Call {op.name}_ on a tensor made from the mapped argument, such as torch.empty_like(x) + 0 * x."
        )
    if open_levels:
        from . import forward

        if (dual := forward.top_level(args)) is not None:
            return forward.write(op, args, dual)
    settle(target)
    level = max(level_of(a) for a in args)
    recording = modes.floor <= level and any(requires_grad(a, level) for a in args)
    check_target(op, target, args, recording)
    if recording and op.name in COMPARISONS:  # what it writes has no derivative, and what was there has none any more
        return write_now(TABLE["copy"], (target, record.general(op, args, True)), True)
    if level > target._level:
        lift(target, level)
        args = (target, *args[1:])
    if not level and not recording:
        note(op, args, [target])
    if type(target._data) is ndarray and not level:
        write_array(op, target, args, recording)
    else:
        replace_value(op, target, args, recording, level)
    return target


def wrote_quickly(op: Op, args: tuple) -> bool:
    """The commonest write, a ufunc of a plain tensor and a number or a tensor like it, where nothing is recorded."""
    compute = UFUNCS.get(op.name)
    if not isinstance(compute, ufunc) or compute.nin != 2 or type(args[0]) not in plain:
        return False
    target, other = args[:2]
    flags, data, kind = settle(target) if target._flags & CARE else target._flags, target._data, type(other)
    if kind in plain:
        flags, value = flags | (settle(other) if other._flags & CARE else other._flags), other._data
        fits = (
            type(value) is ndarray and type(data) is ndarray and value.shape == data.shape and value.dtype == data.dtype
        )
    else:
        value, fits = other, kind is float or kind is int
    if (
        not fits
        or flags & CARE
        or (modes.floor == 0 and (flags or is_guarded(target)))
        or args[2:] != tuple(op.defaults.values())
    ):
        return False
    if data.dtype.kind != "f" or overlaps(data) or not data.flags.writeable:
        return False
    if kind in plain and value is not data and memory(value) is memory(data):
        return False
    note_write(target, f"{op.name}_", None, here(4))  # first, for an interrupt may come in between
    compute(data, value, data)
    return True


def is_guarded(tensor: Tensor) -> bool:
    """Whether writing to a tensor may be an error though it needs no grad: a view of one that does, made under no_grad."""
    view = tensor._view
    return view is not None and not view.recorded and bool(view.base._flags & GRAD)


def note_write(target: Tensor, op: str, index: Any = None, place: Any = None) -> None:
    """Note a write to a tensor, or to its part at a basic index, for its storage and for its views; also where an
    interrupt comes in between."""
    try:
        mark_written(target._data, op, place, index)
    except BaseException:
        mark_written(target._data, op, place, index)
        raise
    view = target._view
    base = target if view is None else view.base
    if base._family is not None:
        base._family.note_write(view)
    if base._kin is not None:
        base._kin.note_write()


def level_of(a: Any) -> int:
    if isinstance(a, Tensor):
        return a._level
    return max((level_of(b) for b in a), default=0) if isinstance(a, (list, tuple)) else 0


def requires_grad(a: Any, level: int) -> bool:
    if isinstance(a, Tensor):
        if a._flags & CARE:
            settle(a)
        return a._level == level and bool(a._flags & GRAD)
    return isinstance(a, (list, tuple)) and any(requires_grad(b, level) for b in a)


def check_target(op: Op, target: Tensor, args: tuple, recording: bool) -> None:
    """Raise PyTorch's error where the tensor must not be written."""
    if modes.floor <= target._level and op.diff:
        check_leaf(target, recording)
    check_inference(op.name, target)
    data = target._data
    if type(data) is ndarray:
        check_memory(op, target, args)
    if op.broadcasts:
        check_result(op, target, args)


def check_inference(name: str, target: Tensor) -> None:
    if target._inference and not modes.inference and not target._unguarded:
        raise RuntimeError(
            f"{name}_: Inplace update to inference tensor outside InferenceMode is not allowed. clone() it first."
        )


ONE_PASS = frozenset(
    {
        "index_add",
        "index_copy",
        "index_put",
        "index_reduce",
        "put",
        "scatter",
        "scatter_add",
        "scatter_reduce",
    }
)  # operations that may not even read the very tensor that they write


def check_memory(op: Op, target: Tensor, args: tuple) -> None:
    """Raise PyTorch's error where elements of the target share memory with each other, or with another operand's."""
    if overlaps(target._data):
        raise RuntimeError(
            f"{op.name}_: unsupported operation: more than one element of the written-to tensor refers to a single "
            "memory location. Please clone() the tensor before performing the operation."
        )
    in_one_pass = op.name in ONE_PASS
    if not in_one_pass and (not op.broadcasts or op.name == "masked_fill"):
        return
    for a in args[1:]:
        if not isinstance(a, Tensor) or type(a._data) is not ndarray or memory(a._data) is not memory(target._data):
            continue
        if in_one_pass if a is target else meets(target._data, a._data, in_one_pass):
            raise RuntimeError(
                f"{op.name}_: unsupported operation: some elements of the input tensor and the written-to tensor refer "
                "to a single memory location. Please clone() the tensor before performing the operation."
            )


def check_leaf(target: Tensor, recording: bool = True) -> None:
    if target._flags & GRAD and target._fn is None:
        raise RuntimeError(
            "a leaf Variable that requires grad is being used in an in-place operation. Write under torch.no_grad(), or "
            "on a clone()."
        )
    view = target._view
    if view is None:
        return
    if (target._flags | view.base._flags) & GRAD and view.base._fn is None:
        raise RuntimeError(
            "a view of a leaf Variable that requires grad is being used in an in-place operation. Write under "
            "torch.no_grad(), or on a clone()."
        )
    if not view.recorded and view.creator is None and (recording or view.base._flags & GRAD):
        raise RuntimeError(
            "A view was created in no_grad mode and is being modified inplace with grad mode enabled. Create the view "
            "and write through it in the same mode."
        )


def check_result(op: Op, target: Tensor, args: tuple) -> None:
    """The result of a broadcasting operation must fit the target's shape, and its dtype be castable to the target's."""
    shape: tuple = ()
    for name, a in zip(op.params, args, strict=True):
        if name in op.operands and isinstance(a, Tensor):
            shape = record.broadcast(op, shape, tuple(a._data.shape))
    if shape != tuple(target._data.shape):
        raise RuntimeError(
            f"{op.name}_: output with shape {list(target._data.shape)} doesn't match the broadcast shape {list(shape)}"
        )
    if op.types is not KEEP and op.name not in TRUTHS:  # whose bools any dtype can hold
        check_castable(op, target, args)


def check_castable(op: Op, target: Tensor, args: tuple) -> None:
    from .promotion import compute_dtype

    operands = [record.held(a, level_of(a)) for n, a in zip(op.params, args, strict=True) if n in op.operands]
    result = compute_dtype(op, [o for o in operands if o is not None])
    if result is not None and not dtypes.can_cast(result, dtype_of(target._data)):
        raise RuntimeError(
            f"{op.name}_: result type {type_name(result)} can't be cast to the desired output type "
            f"{type_name(dtype_of(target._data))}"
        )


SCALAR_TYPES = {
    "float32": "Float", "float64": "Double", "float16": "Half", "bfloat16": "BFloat16", "int64": "Long",
    "int32": "Int", "int16": "Short", "int8": "Char", "uint8": "Byte", "bool": "Bool",
    "complex64": "ComplexFloat", "complex128": "ComplexDouble",
}  # fmt: skip


def type_name(dtype: dtypes.dtype) -> str:
    """PyTorch's name of a dtype in messages: ``Float`` for float32."""
    return SCALAR_TYPES.get(dtype.name, dtype.name)


REFUSALS = (RuntimeError, TypeError, ValueError, IndexError)  # what kernels raise before they write


def write_array(op: Op, target: Tensor, args: tuple, recording: bool) -> None:
    raw = [record.held(a, 0) for a in args]
    data = raw[0]
    promoted = op.types is not KEEP and promote(op, raw)
    recording = recording and bool(op.diff)
    if recording:
        targets = record.targets_of(op, args, 0)
        record.check_savable(op, args, targets, 0)
        saved = record.saved_names(op, targets)
        for i, name in enumerate(op.params):
            if name in saved and type(raw[i]) is ndarray and owner(raw[i]) is owner(data):
                raw[i] = raw[i].copy()  # the rule reads what the write destroys
    for preserve in keepers:
        preserve(data)
    written = True
    try:
        into(op, data, raw)
    except REFUSALS:
        written = False
        raise
    finally:  # also where it was interrupted: something may have been written
        if written:
            note_write(target, f"{op.name}_")
    if recording and any(t is not None for t, _ in targets):
        set_history(target, write_node(op, args, raw, promoted, data, targets, 0))


def write_node(op: Op, args: tuple, raw: list, promoted: Any, result: Any, targets: list, level: int) -> Node:
    """The node of a write that has this result."""
    node = record.make_node(op, args, targets, level)
    node.saved = record.saved_of(op, raw, result, targets)
    if not plain:
        record.pack_saved(node, args[1:])
    if op.broadcasts or promoted:
        node.fix = record.fixes(op, args, raw, result, promoted) or node.fix
    if record.is_complex(result):
        node.pull = node.pull_complex  # type: ignore[attr-defined]
    return node


def into(op: Op, data: Any, raw: list) -> None:
    """Compute the operation into ``data``."""
    from ..kernels.numpy import INTO

    writer = INTO.get(op.name)
    if not data.flags.writeable:
        raise RuntimeError(f"{op.name}_: the tensor's memory is read-only; clone() it first")
    if writer is not None:
        writer(data, *raw[1:])
        return
    result = kernel_of(op)(*raw)
    if result.shape != data.shape:
        raise RuntimeError(f"{op.name}_: the result has shape {list(result.shape)}, the tensor {list(data.shape)}")
    data[...] = result


def set_history(target: Tensor, node: Node) -> None:
    """Hang a written tensor on its new node; through its base, where it is a view."""
    if target._view is not None:
        rebase(target, node)
        return
    release(target)
    target._fn, target._nr = node, 0
    target._flags |= GRAD
    if target._retains:
        retain(target)
    if target._family is not None:
        target._family.note_write()


def rebase(target: Tensor, inner: Node) -> None:
    """Give the base of a written view a :class:`CopySlices` node over its old history and the view's new node."""
    view = target._view
    base = view.base
    old = (
        (base, 0)
        if base._flags & GRAD and base._fn is None
        else (base._fn, base._nr)
        if base._flags & GRAD
        else (None, 0)
    )
    self_slot = inner.op.diff.index(inner.op.params[0]) if inner.op.params[0] in inner.op.diff else None
    others = [i for i in range(len(inner.next)) if i != self_slot]
    nrs = inner.nrs or (0,) * len(inner.next)
    node = new(CopySlices)
    node.next = (old[0], *[inner.next[i] for i in others])
    if old[1] or any(nrs):
        node.nrs = (old[1], *[nrs[i] for i in others])
    node.fix = (None, *[inner.fix[i] if inner.fix else None for i in others])
    node.saved = (view.chain, inner, self_slot, others, False)
    node.tick = tick()
    if inner.level:
        node.level = inner.level
    node.code, node.lasti = inner.code, inner.lasti
    if node.written and node.written[0] is not None and (view.creator is not None or node.written[0].is_boundary):
        node.go_through()
    if view.creator is not None:  # now the base knows of the Function's backward, and the view is one as any other
        view.creator, view.recorded = None, True
    record.born(node)
    release(base)
    base._fn, base._nr = node, 0
    base._flags |= GRAD
    if base._retains:
        retain(base)
    view.family.note_write(view)
    settle(target)


class CopySlices(Node):
    """A write through a view: the base's gradient outside the written region goes on, inside it goes through the write.

    From there it goes on to the base too; or, where the view's own history must see it (``go_through``), to that.
    """

    __slots__ = ()
    op = Op("copy_slices(input)", "The base after a write through one of its views.")

    @property
    def written(self) -> Any:
        """The edge that the written view hung on before."""
        if type(self.saved) is Freed or self.saved[2] is None:
            return None
        _, inner, self_slot, _, _ = self.saved
        return inner.next[self_slot], inner.nrs[self_slot] if inner.nrs else 0

    def go_through(self) -> None:
        """Give the written region's gradient an edge of its own, to the history that the view had."""
        target, nr = self.written
        chain, inner, self_slot, others, apart = self.saved
        if apart:
            return
        self.saved = (chain, inner, self_slot, others, True)
        self.nrs = (*(self.nrs or (0,) * len(self.next)), nr)
        self.next, self.fix = (*self.next, target), (*self.fix, None)

    @staticmethod
    def pull(xp: Any, grad: Any, saved: tuple, need: Any) -> Any:
        chain, inner, self_slot, others, apart = saved
        wanted: list[Any] = [None] * (len(others) + (self_slot is not None))
        for i, other in enumerate(others):
            wanted[other] = need[i + 1]
        if self_slot is not None:
            wanted[self_slot] = need[-1] if apart else need[0]
        held = given_values(inner, saved_values(inner), xp.recorded)
        gradients = inner.pull(xp, view_through(xp, grad, chain), held, tuple(wanted))
        region = region_gradient(xp, inner, self_slot, gradients)
        mine = None
        if need[0] is not None:
            kept = xp.zeros_like(view_through(xp, grad, chain)) if region is None or apart else region
            mine = with_region(grad, chain, kept)
        return (mine, *[gradients[i] for i in others], *([region] if apart else []))

    pull_complex = pull


def view_through(xp: Any, base: Any, chain: tuple) -> Any:
    """Apply a chain of view operations."""
    for op, rest, nr in chain:
        result = xp.call(op, (base, *rest))
        base = result[nr] if isinstance(result, (tuple, list)) else result
    return base


def region_gradient(xp: Any, inner: Node, self_slot: Any, gradients: Any) -> Any:
    """The gradient of the written view before the write, or None."""
    region = None if self_slot is None else gradients[self_slot]
    if region is not None and inner.fix and inner.fix[self_slot]:
        region = conform(xp, region, inner.fix[self_slot])
    return region


def with_region(base: Any, chain: tuple, region: Any) -> Any:
    """``base`` with the region that ``chain`` views replaced by ``region``, out of place."""
    if type(base) is ndarray and not isinstance(region, Value):
        whole = base.copy()
        seen = view_through(arrays, whole, chain)
        if (
            owner(seen) is whole and seen.flags.writeable
        ):  # a copy's layout may not have the view, nor an expanded one memory
            seen[...] = region
            return whole
    with new_level() as level:
        leaf = at_level(base, level)
        leaf._flags |= GRAD
        before = held_floor()
        try:
            modes.floor = min(modes.floor, level)
            seen = replay(leaf, chain)
        finally:
            restore_floor(before)
        shape = tuple(seen.shape)
        like = base if dtype_of(base) is dtype_of(region) else region
        ones = values.ones_like(values.sum(like)) * (1 + 1j if record.is_complex(like) else 1)
        mask = pull_back([seen], [values.expand(ones, shape)], [leaf])[0]
        spread = pull_back([seen], [values.expand(region, shape)], [leaf])[0]
    result = replaced(base, spread, mask)
    is_held = isinstance(result, Tensor) and type(base) is ndarray and not is_dual(result)
    return result._data if is_held else result


def replaced(base: Any, value: Any, mask: Any) -> Any:
    """``value`` where the mask is not zero, else ``base``: of complex numbers, each part where that of the mask is not."""
    if not record.is_complex(base):
        return values.where(values.ne(mask, 0), value, base)
    every = [[part(v) for v in (mask, value, base)] for part in (values.real, values.imag)]
    return values.complex(*[values.where(values.ne(m, 0), v, b) for m, v, b in every])


def snapshot(tensor: Tensor) -> Tensor:
    """Another tensor with the same data and history, for those who need it as it is now."""
    copy = new(Tensor)
    copy._data, copy._flags, copy._fn = tensor._data, tensor._flags, tensor._fn
    copy._level, copy._nr = tensor._level, tensor._nr
    if open_levels:
        copy._tangents, copy._origin = tensor._tangents, tensor._origin
    return copy


def is_detached(target: Tensor) -> bool:
    """Whether a tensor is seen from its base through a ``detach``: where there is no memory that both could share."""
    return target._view is not None and any(step[0].name == "detach" for step in target._view.chain)


def lift(target: Tensor, level: int) -> None:
    """Make a tensor (through its base) one of a higher level, as a value of that level is written into it."""
    if is_detached(target):  # the value of the higher level is the target's alone
        target._view = None
    base = target if target._view is None else target._view.base
    base._data, base._level, base._fn, base._flags = snapshot(base), level, None, CARE
    base._tangents = None
    if base._family is None:
        base._family = Family()
    base._family.note_write()
    settle(target)


def replace_value(op: Op, target: Tensor, args: tuple, recording: bool, level: int) -> None:
    """The in-place form where there is no memory to write: the target holds the result from now on."""
    raw = [record.held(a, level) for a in args]
    if raw[0] is target:  # a constant of this level until now
        raw[0] = snapshot(target)
    promoted = op.types is not KEEP and promote(op, raw)
    result = run(op, raw)
    if dtype_of(result) is not dtype_of(target._data):
        result = values.cast(result, dtype_of(target._data))
    base = target if target._view is None else target._view.base
    if base is not target:
        chain = tuple([step for step in target._view.chain if step[0].name != "detach"])
        region = with_region(base._data, chain, result)
        result_in_base = values.with_value(base._data, region) if is_detached(target) else region
    base._data = result if base is target else result_in_base
    if base._family is not None:
        base._family.note_write()
    if recording and op.diff:
        targets = record.targets_of(op, args, level)
        if any(t is not None for t, _ in targets):
            set_history(target, write_node(op, args, raw, promoted, result, targets, level))
    settle(target)
