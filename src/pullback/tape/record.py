"""Running an operation on tensors, and recording it: the general path.

The fast paths of ``fast.py`` do the same for the commonest cases; whatever they do not know comes here.
"""

from typing import Any

from numpy import generic, ndarray

from ..clock import tick
from ..interpreters import Value, run
from ..interpreters.dual import differentiable, kind_of, read, shape_of
from ..ops.results import named_tuple
from ..ops.table import KEEP, Op
from .graph import Node, node_name_of, node_type
from .hooks import born
from .lines import here, user_frame
from .modes import modes, switch
from .promotion import dtype_of, promote
from .reasons import lost_by, note
from .saved import pack_saved
from .value import CARE, GRAD, Tensor, as_inference, at_level, new, plain, wrap
from .views import settle, view_of
from .watch import watching


def general(op: Op, args: tuple, prepared: bool = False) -> Any:
    """Run an operation for a user: check the arguments, interpret, and give tensors back."""
    try:
        args = check_arguments(op, as_numbers(args), prepared)
    except (AttributeError, TypeError) as error:
        return foreign(op, args, misfit(op, args, error))
    watch = watching.get().run
    result = run(op, args) if watch is None else watch(run, op, args)
    if type(result) is Tensor:
        return result
    if isinstance(result, (tuple, list)):
        return pack(op, [wrap(r) if not isinstance(r, Tensor) else r for r in result])
    return wrap(result) if isinstance(result, (Value, ndarray)) or hasattr(result, "dtype") else result


def foreign(operation: Any, args: tuple, error: Exception | None) -> Any:
    """What becomes of operands that no operation knows: the error, or NotImplemented from an operator.

    ``overrides`` puts a function here that asks objects which have a ``__torch_function__``.
    """
    if error is not None:
        raise error
    return NotImplemented


def misfit(record: Any, args: tuple, error: Exception) -> Exception:
    """The error to raise: where one was that an argument has no attribute of tensors, the TypeError that names the argument."""
    unknown = getattr(error, "obj", args) if type(error) is AttributeError else args
    for name, a in zip(record.params, args, strict=True):
        is_given = name not in record.defaults or record.defaults[name] is not a
        if not isinstance(unknown, Value) and is_given and (unknown is a or (type(a) is list and unknown in a)):
            return TypeError(describe_type(record, name, unknown))
    return error


def pack(op: Op, outputs: list) -> Any:
    """Several outputs as PyTorch returns them: a named tuple where they have names."""
    if op.outputs == ("*",):
        return tuple(outputs)
    return return_type(op)(*outputs)


def return_type(op: Op) -> type:
    name = op.name if op.function else op.node.rstrip("0123456789").removesuffix("Backward").lower()
    return named_tuple(name, op.outputs)


def as_numbers(args: tuple) -> tuple:
    """NumPy's scalars as Python's, which promote as numbers do; the arguments as they are where there is none."""
    for a in args:
        if isinstance(a, generic):
            return tuple([b.item() if isinstance(b, generic) else b for b in args])
    return args


def check_arguments(op: Op, args: tuple, prepared: bool = False) -> tuple:
    """Raise TypeError for operands that are no tensors, then let the operation check and prepare its arguments."""
    for name, a in zip(op.params, args, strict=True):
        if name in op.operands and not isinstance(a, Tensor):
            check_operand(op, name, a, args)
    operands = [a for p, a in zip(op.params, args, strict=True) if p in op.operands]
    if operands and not any(isinstance(a, (Value, list, tuple)) for a in operands):
        raise TypeError(describe_type(op, op.operands[0], operands[0]))
    if op.prepare is not None and not prepared:
        args = op.prepare(*args)
    if op.broadcasts:
        broadcast_check(op, args)
    return args


def check_operand(op: Op, name: str, a: Any, args: tuple) -> None:
    if isinstance(a, (bool, int, float, complex)) or (a is None and name in op.defaults):
        return
    if isinstance(a, (list, tuple)) and (name in ("tensors", "indices") or name in op.defaults):
        return
    if isinstance(a, Value) or (hasattr(a, "dtype") and (a.ndim == 0 or any(isinstance(b, Tensor) for b in args))):
        return  # NumPy's arrays may stand beside a tensor
    raise TypeError(describe_type(op, name, a))


def describe_type(op: Any, name: str, a: Any) -> str:
    return (
        f"{op.name}(): argument '{name}' (position {op.params.index(name) + 1}) must be Tensor, not {type(a).__name__}"
    )


def broadcast_check(op: Op, args: tuple) -> None:
    """Raise PyTorch's error where the shapes of operands, conditions and masks do not broadcast."""
    shape: tuple = ()
    for a in args:
        if isinstance(a, Tensor):
            shape = broadcast(op, shape, tuple(a.shape))  # type: ignore[attr-defined]


def broadcast(op: Op, a: tuple, b: tuple) -> tuple:
    """The shape that two shapes broadcast to."""
    ndim = max(len(a), len(b))
    longer_a, longer_b = (1,) * (ndim - len(a)) + a, (1,) * (ndim - len(b)) + b
    for dim in reversed(range(ndim)):
        m, n = longer_a[dim], longer_b[dim]
        if m != n and m != 1 and n != 1:
            raise RuntimeError(
                f"{op.name}: The size of tensor a ({m}) must match the size of tensor b ({n}) at non-singleton "
                f"dimension {dim}: shapes {a} and {b} do not broadcast"
            )
    return tuple(n if m == 1 else m for m, n in zip(longer_a, longer_b, strict=True))


def interpret(op: Op, args: Any, level: int) -> Any:
    """The tape interpreter: run the operation on what the tensors of this level hold, and record it."""
    raw = [held(a, level) for a in args]
    promoted = op.types is not KEEP and promote(op, raw)
    result = run(op, raw) if plain or level else watching.get().compute(op, raw)
    if op.diff and modes.floor <= level:
        targets = targets_of(op, args, level)
        if any(target is not None for target, _ in targets):
            return record(op, args, raw, promoted, result, targets, level)
    several = isinstance(result, (tuple, list))
    outputs = [constant(r, level) for r in (result if several else (result,))]
    if not level:
        note(op, args, outputs)
    if op.view:
        outputs = [view_of(op, args, out, i, level) for i, out in enumerate(outputs)]
    if switch.on and modes.inference and not level:
        outputs = [as_inference(out) if out._fn is None else out for out in outputs]
    return pack(op, outputs) if several else outputs[0]


def constant(data: Any, level: int) -> Tensor:
    """A result that needs no gradient, as a tensor of the level it was computed at."""
    return at_level(data, level) if level and type(data) is ndarray else wrap(data)


def held(a: Any, level: int) -> Any:
    """What a tensor of this level holds; anything else as it is."""
    if isinstance(a, Tensor):
        if a._level != level:
            return a
        if a._flags & CARE:
            settle(a)
        return a._data
    if type(a) is list or type(a) is tuple:
        return type(a)([held(b, level) if isinstance(b, Tensor) else b for b in a])
    return a


def targets_of(op: Op, args: Any, level: int) -> list:
    """Where each differentiable input's gradient goes: (node, leaf or None, output number)."""
    found = []
    for name in op.diff:
        a = args[op.params.index(name)]
        if name in op.lists:
            found.extend(target_of(b, level) for b in a)
        else:
            found.append(target_of(a, level))
    return found


def target_of(a: Any, level: int) -> tuple:
    if isinstance(a, Tensor) and a._level == level and a._flags & GRAD:
        return (a, 0) if a._fn is None else (a._fn, a._nr)
    return (None, 0)


def record(op: Op, args: Any, raw: list, promoted: Any, result: Any, targets: list, level: int) -> Any:
    """Write down the operation, and return its results as tensors that require grad."""
    several = isinstance(result, (tuple, list))
    outputs = list(result) if several else [result]
    if not any(differentiable(out) for out in outputs):
        wrapped = [wrap(r) for r in outputs]
        for each in wrapped:
            each._why = lost_by(op, f"{dtype_of(each._data)} numbers", here())
        return pack(op, wrapped) if several else wrapped[0]
    check_savable(op, args, targets, level)
    node = make_node(op, args, targets, level)
    node.saved = saved_of(op, raw, result, targets)
    if not plain:
        pack_saved(node, args)
    if op.broadcasts or promoted or any(is_bfloat16(a) for a in raw):
        node.fix = fixes(op, args, raw, result) or node.fix
    if several:
        node.outputs, node.several = len(outputs), True
    tensors = [output_of(node, out, ~i if several else 0, level) for i, out in enumerate(outputs)]
    if op.view:
        tensors = [view_of(op, args, t, i, level) for i, t in enumerate(tensors)]
    return pack(op, tensors) if several else tensors[0]


def check_savable(op: Op, args: Any, targets: list, level: int) -> None:
    """Raise PyTorch's error where the node would keep an inference tensor, writes to which nobody counts."""
    if level or not any(has_inference(a) for a in args):
        return
    kept = saved_names(op, targets)
    for name, a in zip(op.params, args, strict=True):
        if name in kept and has_inference(a):
            raise RuntimeError(
                f"Inference tensors cannot be saved for backward: {op.name} would keep {name!r}, which was made in "
                "inference mode. Please make a clone to use autograd."
            )


def has_inference(a: Any) -> bool:
    if isinstance(a, (list, tuple)):
        return any(has_inference(b) for b in a)
    return isinstance(a, Tensor) and a._inference


def make_node(op: Op, args: Any, targets: list, level: int) -> Node:
    node = new(node_type(op, node_name_of(op, args)))
    node.next = tuple([target for target, _ in targets])
    node.fix = None
    if any(nr for _, nr in targets):
        node.nrs = tuple([nr for _, nr in targets])
        node.fix = (None,) * len(targets)
    if level:
        node.level = level
    node.tick = tick()
    frame = user_frame(1)
    node.code, node.lasti = frame.f_code, frame.f_lasti
    born(node)
    return node


def output_of(node: Node, data: Any, nr: int, level: int) -> Tensor:
    if not differentiable(data):
        tensor = wrap(data)
        tensor._why = lost_by(node.op, f"{dtype_of(data)} numbers", node.place())
        return tensor
    tensor = at_level(data, level) if level else wrap(data)
    tensor._fn = node
    tensor._flags |= GRAD
    if nr:
        tensor._nr = nr
        tensor._flags |= CARE
    if is_complex(data):
        node.pull = node.pull_complex  # type: ignore[attr-defined]
    return tensor


def is_complex(data: Any) -> bool:
    return kind_of(data.dtype) == 3


def saved_of(op: Op, raw: list, result: Any, targets: list) -> tuple:
    """The values that the rules of the inputs that need a gradient will read; None for the others."""
    if not op.saved:
        return ()
    if op.is_formula:
        return tuple(raw)
    needed = saved_names(op, targets)
    return tuple([read(op, name, raw, result) if name in needed else None for name in op.saved])


def saved_names(op: Op, targets: list) -> Any:
    """The names of what a node keeps."""
    return op.saved if op.is_formula else needed_names(op, tuple([t is not None for t, _ in targets]))


_needed: dict[tuple, frozenset] = {}


def needed_names(op: Op, needs: tuple) -> frozenset:
    """Which saved names are read, where only some inputs need a gradient."""
    key = (op.name, needs)
    if key not in _needed:
        from ..ops.table import names_read

        wanted = op.diff if op.lists else [n for n, need in zip(op.diff, needs, strict=True) if need]
        _needed[key] = frozenset(names_read([op.vjp[n] for n in wanted]))
    return _needed[key]


def fixes(op: Op, args: Any, raw: list, result: Any, in_place: bool = False) -> Any:
    """For each differentiable input that was broadcast or promoted: the shape, and the dtype if that changed.

    What is written ``in_place`` after a promotion has another dtype than what was computed; gradients may then have any.
    """
    found: list[Any] = []
    for name in op.diff:
        position = op.params.index(name)
        if name in op.lists:
            pairs = list(zip(args[position], raw[position], strict=True))
        else:
            pairs = [(args[position], raw[position])]
        found.extend(fix_of(a, r, result, in_place) for a, r in pairs)
    return tuple(found) if any(f is not None for f in found) else None


def fix_of(a: Any, used: Any, result: Any, always: bool) -> Any:
    if not isinstance(a, Tensor):
        return None
    dtype = a._data.dtype
    changed = dtype if always or dtype != used.dtype or is_bfloat16(a._data) else None
    shape = shape_of(a)
    if changed is None and shape == shape_of(result):
        return None
    return shape, changed


def is_bfloat16(value: Any) -> bool:
    """Whether a value is an array of bfloat16, beside which NumPy takes a rule's Python numbers for float32."""
    return getattr(getattr(value, "dtype", None), "kind", None) == "V"
