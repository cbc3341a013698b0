"""A custom function's way through the tape and the transforms.

A call at level ``n`` is taken to values of the level below, calls itself there, and adds what level ``n`` is for: a node
(of the tape), a tangent (dual), a batch. ``forward`` thus runs once, on values that no interpreter looks at; every
level has a context of its own, holding that level's values. Invariant: what a level's context saves are values of the level below.
"""

import inspect
from collections.abc import Callable
from functools import cache
from typing import Any, NamedTuple

from .. import tree
from ..clock import tick
from ..func.vectorize import vmap
from ..interpreters import Value, values
from ..interpreters.batched import Batched, randomness_at
from ..interpreters.dispatch import new_level
from ..interpreters.dual import Dual
from ..interpreters.series import Series
from ..ops.table import TABLE, Op
from ..tape import forward
from ..tape.engine import conform, edge_of, pull_back
from ..tape.fast import call
from ..tape.graph import Node
from ..tape.hooks import born
from ..tape.inplace import check_leaf, set_history
from ..tape.lines import user_frame
from ..tape.modes import OFF, held_floor, modes, restore_floor
from ..tape.promotion import dtype_of
from ..tape.record import differentiable
from ..tape.saved import pack_saved
from ..tape.storage import mark_written
from ..tape.value import CARE, GRAD, Tensor, at_level, is_dual, new, open_levels, plain, wrap
from ..tape.views import settle
from .function import BackwardCFunction, Function, defines

TRANSFORMS_NEED_SETUP = (
    "In order to use an autograd.Function with functorch transforms (vmap, grad, jvp, jacrev, ...), it must override the "
    "setup_context staticmethod: let forward take the arguments only, and save what backward needs in "
    "setup_context(ctx, inputs, output)."
)


class VmapInfo(NamedTuple):
    """What a ``vmap`` method is told: the number of elements, and the ``randomness`` that vmap was given."""

    batch_size: int
    randomness: str


def apply(cls: type, args: tuple, kwargs: dict) -> Any:
    """``cls.apply(*args, **kwargs)``."""
    if inspect.ismethod(cls.forward) or not callable(cls.forward):  # type: ignore[attr-defined]
        raise RuntimeError(f"{cls.__name__}: forward must be a static method")
    args = positional(cls, args, kwargs)
    level = forward.top_level(tensors_of(args)) if open_levels else None
    return invoke(cls, args)[0] if level is None else push_beside(cls, args, level)


def push_beside(cls: Any, args: tuple, level: Any) -> Any:
    """The call on tensors with tangents of a dual level: as ``jvp`` would call it, on a level above."""
    given = tensors_of(args)
    tangents = [forward.tangent_at(t, level) for t in given]
    with new_level() as above, forward.below(level.rank):
        primals = [t if p is None else wrap(Dual(t, p, above)) for t, p in zip(given, tangents, strict=True)]
        remaining = iter(primals)
        lifted = tree.map(lambda a: next(remaining) if isinstance(a, Tensor) else a, args)
        output = invoke(cls, lifted)[0]
        primal = tree.map(lambda o: part(o, above, "primal"), output)
        pushed = [part(o, above, "tangent") for o in tensors_of(output)]
        for out, tangent in zip(tensors_of(primal), pushed, strict=True):
            forward.attach(out, tangent, level)
    node = next((out._fn for out in tensors_of(primal) if isinstance(out._fn, cls._backward_cls)), None)
    if node is not None:
        sources = {"input": tangents, "output": pushed, "other": [None]}
        node.tangents = {**(node.tangents or {}), level: [sources[kind][i] for kind, i in node.origins]}
    return primal


def positional(cls: Any, args: tuple, kwargs: dict) -> tuple:
    """All arguments of a call by position, defaults filled in."""
    signature, most = signature_of(cls.forward, defines(cls, "setup_context"))
    if not kwargs and len(args) >= most:
        return args
    bound = signature.bind(*args, **kwargs)
    bound.apply_defaults()
    if bound.kwargs:
        raise TypeError(
            f"{cls.__name__}.apply: arguments that forward takes by keyword only are not supported: {sorted(bound.kwargs)}"
        )
    return bound.args


@cache
def signature_of(forward: Callable, separate: bool) -> tuple:
    """The signature of ``forward`` without ``ctx``, and how many arguments it takes at most by position."""
    signature = inspect.signature(forward)
    parameters = list(signature.parameters.values())[0 if separate else 1 :]
    signature = signature.replace(parameters=parameters)
    gathers = any(p.kind is p.VAR_POSITIONAL for p in parameters)
    required = [p for p in parameters if p.kind is not p.VAR_POSITIONAL]
    return signature, 0 if gathers and not required else len(required)


# -- one level ---------------------------------------------------------------------------------------------------------


SETTINGS = {bool, int, float, complex, str}  # arguments that need no look inside
A_TENSOR, A_SETTING = ([True], tree.flatten(0)[1]), ([False], tree.flatten(0)[1])


def tensors_of(tree_: Any) -> list:
    """The tensors in a structure; the common ones, flat tuples, are not taken for nested."""
    if isinstance(tree_, Tensor):
        return [tree_]
    if type(tree_) is tuple:
        found = [a for a in tree_ if isinstance(a, Tensor)]
        if len(found) == len(tree_) or all(isinstance(a, Tensor) or type(a) in SETTINGS for a in tree_):
            return found
    return [leaf for leaf in tree.leaves(tree_) if isinstance(leaf, Tensor)]


def spec_of(argument: Any) -> tuple:
    """Which leaves of an argument are tensors, and its structure."""
    if isinstance(argument, Tensor):
        return A_TENSOR
    if type(argument) in SETTINGS:
        return A_SETTING
    leaves, spec = tree.flatten(argument)
    return [isinstance(leaf, Tensor) for leaf in leaves], spec


def invoke(cls: Any, args: tuple, keep: bool = False) -> tuple:
    """The output of a call, and the context that it had on the level of its arguments; ``keep`` what that saved."""
    tensors = tensors_of(args)
    for tensor in tensors:
        if tensor._flags & CARE:
            settle(tensor)
    level = max([t._level for t in tensors], default=0)
    needs = [t._level == level and bool(t._flags & GRAD) for t in tensors]
    node = start_node(cls, args, tensors, needs, level)
    recording = modes.floor <= level and any(needs)
    below = tree.map(lambda a: descend(a, level), args) if level else args
    output = run_below(cls, below, level) if level else run_plain(cls, node, args)
    if level and recording:
        with unrecorded():
            cls.setup_context(node, below, output)
    lower = tensors_of(below)
    return finish(node, recording, keep, tensors, lower, output), node


def start_node(cls: Any, args: tuple, tensors: list, needs: list, level: int) -> BackwardCFunction:
    node = new(cls._backward_cls)
    node.saved, node.fix, node.next, node.code, node.lasti, node.tick = (), None, (), None, 0, 0
    if level:
        node.level = level
    node.argument_specs = tuple([spec_of(a) for a in args])
    node.inputs = tuple([(tuple(t._data.shape), dtype_of(t._data)) for t in tensors])
    node.needs_input_grad = needed(node, needs)
    edges = [edge_of(t) if need else (None, 0) for t, need in zip(tensors, needs, strict=True)]
    node.next = tuple([target for target, _ in edges])
    if any(nr for _, nr in edges):
        node.nrs = tuple([nr for _, nr in edges])
        node.fix = (None,) * len(edges)
    return node


def needed(node: BackwardCFunction, needs: Any) -> tuple:
    """For each argument whether any tensor in it needs a gradient."""
    remaining = iter(needs)
    each = [[next(remaining) for is_tensor in flags if is_tensor] for flags, _ in node.argument_specs]
    return tuple([any(needs) for needs in each])


def run_plain(cls: Any, node: BackwardCFunction, args: tuple) -> Any:
    """The user's ``forward`` on plain tensors, unrecorded."""
    with unrecorded():
        if not defines(cls, "setup_context"):
            return cls.forward(node, *args)
        output = cls.forward(*args)
        cls.setup_context(node, args, output)
    return output


class unrecorded:
    """No tape of any level records inside."""

    def __enter__(self) -> None:
        self.before, modes.floor = modes.floor, OFF

    def __exit__(self, *exc: object) -> None:
        modes.floor = self.before


def descend(a: Any, level: int) -> Any:
    """An argument without the tape of ``level``: what the tensor is over, or the same value untracked."""
    if not isinstance(a, Tensor) or a._level != level:
        return a
    if isinstance(a._data, Value) and not isinstance(a._data, Tensor):
        return a if not a._flags & GRAD else at_level(a._data, level)
    return a._data if isinstance(a._data, Tensor) else wrap(a._data)


def run_below(cls: Any, args: tuple, level: int) -> Any:
    """The output of the call on values of the level below, with what the level's own transform adds to it."""
    kind: Any = next((type(t._data) for t in tensors_of(args) if t._level == level), None)
    if kind is Dual:
        return push_custom(cls, args, level)
    if not defines(cls, "setup_context"):
        raise RuntimeError(TRANSFORMS_NEED_SETUP)
    if kind is Batched:
        return map_custom(cls, args, level)
    if kind is Series:
        return push_series(cls, args, level)
    if kind is None:
        return invoke(cls, args)[0]
    with unrecorded():
        return cls.forward(*args)  # a trace writes down what it does


# -- recording ---------------------------------------------------------------------------------------------------------


def finish(node: Any, recording: bool, keep: bool, tensors: list, lower: list, output: Any) -> Any:
    """The outputs as tensors of the call's level, hung on the node where it is recorded."""
    check_dirty(node, lower, output, recording)
    outputs = describe_results(node, output)
    numbers = {place: number for number, place in enumerate(node.result_places)}
    if recording:
        frame = user_frame(2)
        node.code, node.lasti = frame.f_code, frame.f_lasti
    if recording or keep:
        save(node, lower, tensors_of(output))
    node.tick = tick()
    hung = [hang(node, recording, o, numbers.get(i), tensors, lower) for i, o in enumerate(outputs)]
    if recording:
        born(node)
    node.to_save, node.dirty_tensors, node.non_differentiable = (), (), ()
    if not keep and (not recording or has_backward(node._forward_cls)):
        node.saved_for_forward = None
    return tree.unflatten(hung, node.output_spec)


def has_backward(cls: Any) -> bool:
    return defines(cls, "backward") or defines(cls, "vjp")


def describe_results(node: Any, output: Any) -> list:
    """Note the structure of a result and the shapes and dtypes of its tensors; return its leaves."""
    outputs, node.output_spec = tree.flatten(output)
    node.result_places = tuple([i for i, o in enumerate(outputs) if isinstance(o, Tensor)])
    node.results = tuple([(tuple(t._data.shape), dtype_of(t._data)) for t in tensors_of(output)])
    node.outputs, node.several = len(node.results), len(node.results) != 1
    return outputs


def check_dirty(node: Any, lower: list, output: Any, recording: bool) -> None:
    if not node.dirty_tensors:
        return
    returned = {id(o) for o in tensors_of(output)}
    for t in node.dirty_tensors:
        if id(t) not in returned:
            raise RuntimeError(
                "Some elements marked as dirty during the forward method were not returned as output. The inputs that are "
                "modified inplace must all be outputs of the Function."
            )
        if recording and not node.level:
            check_leaf(t)


def save(node: Any, lower: list, outputs: list) -> None:
    """Keep what ``save_for_backward`` was given, as values, and remember which input or output each is."""
    at = {id(t): ("output", i) for i, t in enumerate(outputs)} | {
        id(t): ("input", i) for i, t in enumerate(lower) if not is_among(t, node.dirty_tensors)
    }
    node.origins = tuple([("other", 0) if t is None else at.get(id(t), ("other", 0)) for t in node.to_save])
    node.saved = tuple(
        [
            None if t is None else t if origin[0] == "other" and (t._flags & GRAD or t._fn) else kept(t, node.level)
            for t, origin in zip(node.to_save, node.origins, strict=True)
        ]
    )
    if not plain:
        pack_saved(node, node.to_save)


def kept(tensor: Tensor, level: int) -> Any:
    return tensor._data if tensor._level == level else tensor


def is_among(tensor: Any, tensors: tuple) -> bool:
    return any(tensor is t for t in tensors)


def hang(node: Any, recording: bool, out: Any, number: int | None, tensors: list, lower: list) -> Any:
    """One output as the caller's tensor."""
    if number is None:
        return out
    position = next((i for i, t in enumerate(lower) if t is out), None)
    if is_among(out, node.dirty_tensors) and position is not None:
        return rewritten(node, recording, tensors[position], out, number)
    level = node.level
    tracked = recording and differentiable(out._data) and not is_among(out, node.non_differentiable)
    if level or position is not None:
        source = tensors[position] if position is not None else None
        out = at_level(kept(out, level), level) if level else alias(out)
        if source is not None and not level and not tracked:
            return out
    if tracked:
        out._fn, out._nr = node, ~number if node.several else 0
        out._flags |= GRAD | (CARE if node.several or out._view is not None else 0)
        if out._view is not None:
            out._view.creator = node._forward_cls.__name__
    return out


def alias(tensor: Tensor) -> Tensor:
    """Another tensor over the same memory: an input that a function returned as it is."""
    with unrecorded():
        return call(TABLE["expand"], (tensor, tuple(tensor._data.shape)))


def rewritten(node: Any, recording: bool, target: Tensor, out: Tensor, number: int) -> Tensor:
    """An input that the forward wrote in place: the same tensor, with the node for its history."""
    if node.level:
        target._data = kept(out, node.level)
    else:
        mark_written(target._data, node._forward_cls.__name__)
    if recording and differentiable(target._data):
        set_history(target, node)
        target._nr = ~number if node.several else 0
    return target


# -- pulling back ------------------------------------------------------------------------------------------------------


def pull_custom(node: Any, creating: bool, grad: Any, need: tuple) -> tuple:
    """The gradients of a node's edges by the function's own rule; ``need`` has None where none is wanted."""
    node.creating = creating
    try:
        found = rule_of(node._forward_cls)(node, *cotangents(node, grad))
        return aligned(node, found, need, creating)
    finally:
        node.creating = False


def rule_of(cls: Any) -> Callable:
    """The function's ``backward`` or ``vjp``, or the transpose of its ``jvp`` where only that is there."""
    both = [m for m in ("backward", "vjp") if defines(cls, m)]
    if len(both) == 2:
        raise RuntimeError(
            f"{cls.__name__}: Implementing both 'backward' and 'vjp' for a custom Function is not allowed. Implement one."
        )
    if both:
        return getattr(cls, both[0])
    return transpose_jvp if defines(cls, "jvp") else cls.backward


def cotangents(node: Any, grad: Any) -> list:
    """What ``backward`` is given: per output, its cotangent as a tensor, or zeros; nested outputs keep their structure."""
    grads = list(grad) if node.several else [grad]
    dtypes = node.grad_dtypes
    given: list = [None] * node.output_spec.size
    for number, (place, g) in enumerate(zip(node.result_places, grads, strict=True)):
        shape, dtype = node.results[number]
        if g is None and node.materialize_grads:
            g = zeros(shape, dtype)
        elif g is not None and not isinstance(g, Tensor):
            g = wrap(g)
        given[place] = g if number not in dtypes or g is None else g.to(dtypes[number])
    if node.output_spec.kind in (tuple, list):
        return regroup(given, node.output_spec.children)
    return regroup(given, (node.output_spec,))


def regroup(leaves: list, specs: Any) -> list:
    """Leaves as one structure per spec."""
    remaining = iter(leaves)
    return [tree.unflatten([next(remaining) for _ in range(spec.size)], spec) for spec in specs]


def zeros(shape: tuple, dtype: Any) -> Tensor:
    from numpy import zeros

    return wrap(zeros(shape, dtype.numpy))


def aligned(node: Any, found: Any, need: tuple, creating: bool) -> tuple:
    """What ``backward`` returned, checked, as one gradient per edge."""
    given = list(found) if isinstance(found, tuple) else [found]
    expected = len(node.argument_specs)
    while len(given) > expected and given[-1] is None:
        given.pop()
    if len(given) != expected:
        raise RuntimeError(
            f"function {node.name()} returned an incorrect number of gradients (expected {expected}, got {len(given)})"
        )
    flat: list = []
    for position, (gradient, (flags, spec)) in enumerate(zip(given, node.argument_specs, strict=True)):
        flat.extend(leaf_gradients(node, position, gradient, flags, spec))
    return tuple(
        [
            None if n is None or g is None else checked(node, i, g, creating)
            for i, (g, n) in enumerate(zip(flat, need, strict=True))
        ]
    )


def leaf_gradients(node: Any, position: int, gradient: Any, flags: list, spec: Any) -> list:
    """One argument's gradients, one for each tensor in it."""
    if gradient is None:
        return [None] * sum(flags)
    if not any(flags):
        raise RuntimeError(
            f"function {node.name()} returned a gradient different than None at position {position + 1}, but the "
            "corresponding forward input was not a Variable"
        )
    leaves = tree.match(spec, gradient) if spec.kind is not None else [gradient]
    return [leaf for leaf, is_tensor in zip(leaves, flags, strict=True) if is_tensor]


def checked(node: Any, index: int, gradient: Any, creating: bool) -> Any:
    """A gradient as the engine takes it: of its input's shape and dtype."""
    if not isinstance(gradient, Tensor):
        raise RuntimeError(
            f"expected Variable or None (got {type(gradient).__name__}) at index {index} of {node.name()}"
        )
    shape, dtype = node.inputs[index]
    got = tuple(gradient._data.shape)
    if not expandable(shape, got):
        raise RuntimeError(
            f"Function {node.name()} returned an invalid gradient at index {index} - got {list(got)} but expected "
            f"shape compatible with {list(shape)}"
        )
    if got != shape or dtype_of(gradient._data) is not dtype:
        if dtype_of(gradient._data).is_complex and not dtype.is_complex:
            gradient = gradient.real  # type: ignore[attr-defined]
        gradient = conform(values, gradient, (shape, dtype))
    if gradient._flags & CARE:
        settle(gradient)
    is_kept = creating or gradient._level != node.level or is_dual(gradient)
    return gradient if is_kept else gradient._data


def expandable(shape: tuple, to: tuple) -> bool:
    """Whether a value of ``shape`` broadcasts to the shape ``to``."""
    tail = to[len(to) - len(shape) :]
    return len(shape) <= len(to) and all(m in (1, n) for m, n in zip(shape, tail, strict=True))


def refuse_history(ctx: Any, gradient: Any) -> Any:
    """A gradient of a once-differentiable function, whose own backward raises."""
    if not isinstance(gradient, Tensor) or not differentiable(gradient._data):
        return gradient
    node = new(DelayedError)
    node.next, node.saved, node.fix, node.tick = (ctx,), (), None, tick()
    node.code, node.lasti = ctx.code, ctx.lasti
    out = at_level(gradient._data, gradient._level) if gradient._level else wrap(gradient._data)
    out._fn = node
    out._flags |= GRAD
    return out


class DelayedError(Node):
    """Stands in a graph for a derivative that must not be taken."""

    __slots__ = ()
    op = Op("delayed_error(input)", "Raises when it is differentiated.")

    def pull(self, xp: Any, grad: Any, saved: Any, need: Any) -> tuple:  # type: ignore[override]
        raise RuntimeError(
            "trying to differentiate twice a function that was marked with @once_differentiable: "
            f"{self.next[0].name()}, called at {self.line()}"
        )


# -- rules from rules --------------------------------------------------------------------------------------------------


def transpose_jvp(ctx: Any, *grads: Any) -> tuple:
    """The vjp of a function that has a jvp only: the transpose of that linear map, found by recording it."""
    leaves = [zeros(shape, dtype) for shape, dtype in ctx.inputs]
    found = iter(
        transposed(lambda *tangents: ctx._forward_cls.jvp(ctx, *spread(ctx, tangents)), leaves, tensors_of(grads))
    )
    return tuple(
        [
            tree.unflatten([next(found) if is_one else None for is_one in flags], spec) if any(flags) else None
            for flags, spec in ctx.argument_specs
        ]
    )


def spread(ctx: Any, tangents: tuple) -> list:
    """A tangent per tensor as one structure per argument, None for what is no tensor."""
    remaining = iter(tangents)
    return [
        tree.unflatten([next(remaining) if is_one else None for is_one in flags], spec) if any(flags) else None
        for flags, spec in ctx.argument_specs
    ]


def transposed(linear: Callable, inputs: list, cotangents_: list) -> list:
    """Pull cotangents back through a linear map, which is recorded on a tape of its own at ``inputs``."""
    with new_level() as level:
        leaves = [at_level(x, level) for x in inputs]
        for leaf in leaves:
            leaf._flags |= GRAD
        before = held_floor()
        try:
            modes.floor = min(modes.floor, level)
            outputs = tensors_of(linear(*leaves))
        finally:
            restore_floor(before)
        pairs = [(o, g) for o, g in zip(outputs, cotangents_, strict=True) if o._level == level and o._flags & GRAD]
        found = pull_back([o for o, _ in pairs], [g for _, g in pairs], leaves) if pairs else [None] * len(leaves)
    return [None if g is None else g if isinstance(g, Tensor) else wrap(g) for g in found]


def push_custom(cls: Any, args: tuple, level: int) -> Any:
    """The call on dual numbers: the output on primals, and its tangent by the function's ``jvp``."""
    primals = tree.map(lambda a: part(a, level, "primal"), args)
    separate = defines(cls, "setup_context")
    if not separate and any(t._level for t in tensors_of(primals)):
        raise RuntimeError(TRANSFORMS_NEED_SETUP)
    output, ctx = invoke(cls, primals, keep=not separate)
    if separate:
        ctx = context_of(cls, primals, output)
    tangents = [tangent_of(ctx, a, level) for a in args]
    return attach(ctx, output, jvp_of(cls, ctx, output, tangents), level)


def push_series(cls: Any, args: tuple, level: int) -> Any:
    """The call on series: their first coefficients, and by the function's ``jvp`` on series all others."""
    space = next(t._data.space for t in tensors_of(args) if t._level == level)
    leaves, spec = tree.flatten(invoke(cls, tree.map(lambda a: part(a, level, "primal"), args))[0])
    places = [i for i, o in enumerate(leaves) if isinstance(o, Tensor)]
    smooth = [i for i in places if differentiable(leaves[i]._data)]

    def output(made: Any) -> Any:
        grown = dict(zip(smooth, map(wrap, made), strict=True))
        return tree.unflatten([grown.get(i, leaf) for i, leaf in enumerate(leaves)], spec)

    def slopes(made: list) -> list:
        ctx = context_of(cls, args, output(made))
        pushed = jvp_of(cls, ctx, output(made), [tangent_of(ctx, a, level) for a in args])
        found = dict(zip(places, tree.flatten(pushed, is_leaf=lambda t: t is None)[0], strict=True))
        return [found[i] for i in smooth]

    return output(space.grow([leaves[i] for i in smooth], slopes))


def part(a: Any, level: int, which: str) -> Any:
    """The primal (or tangent) of an argument as a tensor; what is neither dual nor series, itself (or None)."""
    dual = a._data if isinstance(a, Tensor) and a._level == level else None
    if not isinstance(dual, (Dual, Series)):
        return a if which == "primal" else None
    found = getattr(dual, which)
    return found if isinstance(found, Tensor) or found is None else wrap(found)


def tangent_of(ctx: Any, a: Any, level: int) -> Any:
    """An argument's tangents in its structure: zeros for tensors that have none, None for what is no tensor."""

    def of_leaf(leaf: Any) -> Any:
        if not isinstance(leaf, Tensor):
            return None
        tangent = part(leaf, level, "tangent")
        if tangent is None and ctx.materialize_grads:
            return wrap(values.zeros_like(part(leaf, level, "primal")))
        return tangent

    return tree.map(of_leaf, a)


def jvp_of(cls: Any, ctx: Any, output: Any, tangents: list) -> Any:
    """Tangents of the outputs: by the function's ``jvp``, or by the transpose of its ``backward``."""
    derivable = defines(cls, "setup_context") and has_backward(cls)
    if defines(cls, "jvp") or not derivable:
        pushed = cls.jvp(ctx, *tangents)
        ctx.saved_for_forward = None
        return pushed
    smooth = [differentiable(o._data) for o in tensors_of(output)]
    ones = [wrap(values.ones_like(o)) for o in tensors_of(output) if differentiable(o._data)]
    ctx.needs_input_grad = needed(ctx, [True] * len(ctx.inputs))

    def linear(*grads: Any) -> list:
        given = iter(grads)
        each = [next(given) if is_smooth else None for is_smooth in smooth]
        return every_gradient(ctx, cotangents(ctx, each if ctx.several else each[0]))

    found = iter(transposed(linear, ones, tensors_of(tangents)))
    return [next(found) if is_smooth else None for is_smooth in smooth]


def every_gradient(ctx: Any, grads: Any) -> list:
    """The gradient of each tensor argument by the function's rule, zeros where it gives none."""
    count = len(ctx.inputs)
    found = aligned(ctx, rule_of(ctx._forward_cls)(ctx, *grads), (True,) * count, True)
    return [zeros(*ctx.inputs[i]) if g is None else g for i, g in enumerate(found)]


def context_of(cls: Any, args: tuple, output: Any) -> Any:
    """A context for rules that are run at once, holding values as they are."""
    tensors = tensors_of(args)
    ctx = start_node(cls, args, tensors, [False] * len(tensors), 0)
    ctx.needs_input_grad = needed(ctx, [True] * len(ctx.inputs))
    with unrecorded():
        cls.setup_context(ctx, args, output)
    describe_results(ctx, output)
    ctx.saved, ctx.origins = ctx.to_save, (("other", 0),) * len(ctx.to_save)
    return ctx


def attach(ctx: Any, output: Any, pushed: Any, level: int) -> Any:
    """Outputs paired with their tangents."""
    outputs, spec = tree.flatten(output)
    tangents = iter(tree.flatten(pushed, is_leaf=lambda t: t is None)[0])
    paired = []
    for o in outputs:
        tangent = next(tangents, None) if isinstance(o, Tensor) else None
        if tangent is not None and tuple(tangent.shape) != tuple(o.shape):
            raise RuntimeError(
                f"{ctx.name()}: jvp returned a tangent of shape {list(tangent.shape)} for an output of shape {list(o.shape)}"
            )
        paired.append(o if tangent is None else wrap(Dual(o, tangent, level)))
    return tree.unflatten(paired, spec)


# -- batches -----------------------------------------------------------------------------------------------------------


def map_custom(cls: Any, args: tuple, level: int) -> Any:
    """The call on batches: by the function's ``vmap``, by the derived rule, or one element at a time."""
    size = next(t._data.size for t in tensors_of(args) if t._level == level)
    held = tree.map(lambda a: unbatched(a, level), args)
    in_dims = tree.map(lambda a: 0 if is_batched(a, level) else None, args)
    if defines(cls, "vmap"):
        if cls.generate_vmap_rule:
            raise RuntimeError(
                f"You tried to vmap over {cls.__name__}, but it has both generate_vmap_rule=True and an overridden vmap "
                "staticmethod. Please set generate_vmap_rule=False or delete the overridden vmap staticmethod."
            )
        found = cls.vmap(VmapInfo(size, randomness_at(level)), in_dims, *held)
        if not isinstance(found, tuple) or len(found) != 2:
            raise RuntimeError(f"{cls.__name__}: the vmap staticmethod must return (output, out_dims), got {found!r}")
        return rebatched(*found, level)
    dims = tree.leaves(in_dims, is_leaf=lambda d: d is None)
    output = (mapped_whole if cls.generate_vmap_rule else mapped_one_by_one)(cls, held, dims, size)
    return rebatched(output, 0, level)


def is_batched(a: Any, level: int) -> bool:
    return isinstance(a, Tensor) and a._level == level and isinstance(a._data, Batched)


def unbatched(a: Any, level: int) -> Any:
    if not is_batched(a, level):
        return a
    return a._data.value if isinstance(a._data.value, Tensor) else wrap(a._data.value)


def rebatched(output: Any, out_dims: Any, level: int) -> Any:
    """What a rule returned, as batches of the level."""
    outputs, spec = tree.flatten(output)
    dims = [out_dims] * len(outputs) if out_dims is None or isinstance(out_dims, int) else tree.match(spec, out_dims)
    return tree.unflatten([batch(o, d, level) for o, d in zip(outputs, dims, strict=True)], spec)


def batch(out: Any, dim: int | None, level: int) -> Any:
    if not isinstance(out, Tensor) or dim is None:
        return out
    return wrap(Batched(call(TABLE["movedim"], (out, dim, 0)) if dim else out, level))


def mapped_one_by_one(cls: Any, args: tuple, dims: list, size: int) -> Any:
    """Call the function for each element, and stack the results."""
    leaves, spec = tree.flatten(args, is_leaf=lambda a: a is None)
    each = []
    for i in range(size):
        one = [leaf if d is None else call(TABLE["select"], (leaf, 0, i)) for leaf, d in zip(leaves, dims, strict=True)]
        each.append(tree.flatten(invoke(cls, tuple(tree.unflatten(one, spec)))[0]))
    columns = zip(*[outputs for outputs, _ in each], strict=True)
    stacked = [call(TABLE["stack"], (list(c), 0)) if isinstance(c[0], Tensor) else c[0] for c in columns]
    return tree.unflatten(stacked, each[0][1])


class Mapping:
    """Which arguments of a mapped call are tensors, and along which of them the batch lies; the others themselves."""

    def __init__(self, args: tuple, dims: list) -> None:
        leaves, self.spec = tree.flatten(args, is_leaf=lambda a: a is None)
        self.others = [None if isinstance(leaf, Tensor) else leaf for leaf in leaves]
        self.places = [i for i, leaf in enumerate(leaves) if isinstance(leaf, Tensor)]
        self.tensors = [leaves[i] for i in self.places]
        self.dims = tuple([dims[i] for i in self.places])

    def arguments(self, tensors: Any) -> tuple:
        """The call's arguments, with these tensors."""
        leaves = list(self.others)
        for place, tensor in zip(self.places, tensors, strict=True):
            leaves[place] = tensor
        return tree.unflatten(leaves, self.spec)


def mapped_whole(cls: Any, args: tuple, dims: list, size: int) -> Any:
    """Call the function that does to batches what this one does to elements."""
    mapping = Mapping(args, dims)
    return mapped_class(cls).apply(mapping, *mapping.tensors)


@cache
def mapped_class(cls: Any) -> Any:
    """The function that does by ``vmap`` to batches what ``cls`` does to elements, in each of its rules."""

    def forward(mapping: Mapping, *tensors: Any) -> Any:
        return vmap(lambda *each: cls.forward(*mapping.arguments(each)), mapping.dims)(*tensors)

    def setup_context(ctx: Any, inputs: tuple, output: Any) -> None:
        ctx.mapping = inputs[0]
        outputs, ctx.mapped_spec = tree.flatten(output)
        ctx.save_for_backward(*inputs[1:], *outputs)
        ctx.save_for_forward(*inputs[1:], *outputs)

    def each(ctx: Any, rule: Callable, flowing: tuple, dims: Any) -> Any:
        """Call ``rule(context, output, flowing)`` for every element."""
        mapping, saved = ctx.mapping, ctx.saved_tensors
        count = len(mapping.places)

        def one(tensors: tuple, outputs: tuple, flowing: tuple) -> Any:
            output = tree.unflatten(outputs, ctx.mapped_spec)
            return rule(context_of(cls, mapping.arguments(tensors), output), output, flowing)

        return vmap(one, (mapping.dims, 0, dims))(tuple(saved[:count]), tuple(saved[count:]), flowing)

    def backward(ctx: Any, *grads: Any) -> tuple:
        found = each(ctx, lambda inner, _, grads: every_gradient(inner, grads), grads, 0)
        return (None, *[g.sum(0) if d is None else g for g, d in zip(found, ctx.mapping.dims, strict=True)])

    def jvp(ctx: Any, _: Any, *tangents: Any) -> Any:
        dims = (ctx.mapping.dims,)
        return each(ctx, lambda inner, out, given: jvp_of(cls, inner, out, spread(inner, given)), tangents, *dims)

    rules: dict[str, Any] = {"forward": forward, "setup_context": setup_context, "backward": backward, "jvp": jvp}
    namespace: dict = {name: staticmethod(rule) for name, rule in rules.items()}
    return type(f"Vmapped{cls.__name__}", (Function,), {**namespace, "generate_vmap_rule": True})
