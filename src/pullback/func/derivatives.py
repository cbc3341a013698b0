"""``grad``, ``vjp``, ``jvp``, and the Jacobians made of them.

``grad`` and ``vjp`` open a level whose tensors are a tape over the caller's values: running the rules on those values
records them on the caller's own tape, batch or dual, which is all that nesting needs.
"""

from collections.abc import Callable
from functools import wraps
from typing import Any

from .. import tree
from ..interpreters.dispatch import new_level, values
from ..interpreters.dual import Dual
from ..tape.engine import Pass, edge_of
from ..tape.modes import held_floor, modes, restore_floor
from ..tape.promotion import dtype_of
from ..tape.value import GRAD, Tensor, at_level, wrap
from ..tape.views import seen_at
from .vectorize import vmap


def grad(func: Callable, argnums: int | tuple[int, ...] = 0, has_aux: bool = False) -> Callable:
    """The gradient of a scalar function with respect to the arguments ``argnums`` (tensors in nested structures).

    Raises:
        RuntimeError: the function does not return a tensor of one element.

    >>> import pullback as torch
    >>> torch.func.grad(lambda x: x**3)(torch.tensor(2.0))
    tensor(12.)
    """
    with_value = grad_and_value(func, argnums, has_aux)

    @wraps(func)
    def gradient(*args: Any, **kwargs: Any) -> Any:
        found, value = with_value(*args, **kwargs)
        return (found, value[1]) if has_aux else found

    return gradient


def grad_and_value(func: Callable, argnums: int | tuple[int, ...] = 0, has_aux: bool = False) -> Callable:
    """As :func:`grad`, returning ``(gradient, value)``; with ``has_aux``, ``(gradient, (value, aux))``."""

    @wraps(func)
    def both(*args: Any, **kwargs: Any) -> Any:
        with new_level() as level:
            inputs = pick(args, argnums)
            lifted, leaves = lift(inputs, level, "grad")
            out = record(func, put(args, argnums, lifted), kwargs, level)
            out, aux = split_aux(out, has_aux, "grad")
            check_scalar(out)
            one = values.ones_like(seen_at(out, level))
            found = pull([out], [one], leaves, level, modes.floor == 0)
            gradient = tree.unflatten(found, tree.flatten(inputs)[1])
            value = drop(out, level)
            return gradient, (value, tree.map(lambda a: drop(a, level), aux)) if has_aux else value

    return both


def vjp(func: Callable, *primals: Any, has_aux: bool = False) -> tuple:
    """The value of ``func(*primals)``, and the function that pulls a cotangent back to the primals.

    Returns:
        ``(output, vjp_fn)``, or ``(output, vjp_fn, aux)``; ``vjp_fn(cotangent)`` gives a tuple, one entry a primal.
    """
    with new_level() as level:
        lifted, leaves = lift(primals, level, "vjp")
        out, aux = split_aux(record(func, lifted, {}, level), has_aux, "vjp")
        outputs, out_spec = tree.flatten(out)
        value = tree.unflatten([drop(o, level) for o in outputs], out_spec)
    spec = tree.flatten(primals)[1]

    def vjp_fn(cotangents: Any, retain_graph: bool = True, create_graph: bool | None = None) -> Any:
        given = tree.flatten(cotangents)[0]
        check_cotangents(outputs, given)
        return tree.unflatten(pull(outputs, given, leaves, level, True), spec)

    return (value, vjp_fn, tree.map(lambda a: drop(a, level), aux)) if has_aux else (value, vjp_fn)


def jvp(func: Callable, primals: tuple, tangents: tuple, *, strict: bool = False, has_aux: bool = False) -> tuple:
    """The value of ``func(*primals)`` and its derivative in the direction ``tangents`` (same structure).

    Returns:
        ``(output, output_tangent)``, or ``(output, output_tangent, aux)``.
    """
    if not isinstance(primals, tuple) or not isinstance(tangents, tuple):
        raise RuntimeError(
            f"jvp: expected tuples of primals and tangents, got {type(primals).__name__} and {type(tangents).__name__}"
        )
    inputs, spec = tree.flatten(primals)
    directions, spec_of_tangents = tree.flatten(tangents)
    if len(inputs) != len(directions):
        raise RuntimeError(
            f"jvp: expected tangents with the structure of the primals, got {spec_of_tangents} for {spec}"
        )
    for p, t in zip(inputs, directions, strict=True):
        if tuple(p.shape) != tuple(t.shape):
            raise RuntimeError(f"jvp: a primal has shape {list(p.shape)}, and its tangent {list(t.shape)}")
    with new_level() as level:
        lifted = [wrap(Dual(p, t, level)) for p, t in zip(inputs, directions, strict=True)]
        out, aux = split_aux(func(*tree.unflatten(lifted, spec)), has_aux, "jvp")
        outputs, out_spec = tree.flatten(out)
        parts = [dual_parts(o, level) for o in outputs]
    primal = tree.unflatten([p for p, _ in parts], out_spec)
    tangent = tree.unflatten([t for _, t in parts], out_spec)
    return (primal, tangent, tree.map(lambda a: dual_parts(a, level)[0], aux)) if has_aux else (primal, tangent)


def dual_parts(out: Any, level: int) -> tuple:
    """A result's primal and tangent as the caller's tensors; a result that does not depend on the input has zeros."""
    value = seen_at(out, level)
    if isinstance(value, Dual) and value.level == level:
        return as_tensor(value.primal), as_tensor(value.tangent)
    value = as_tensor(value)
    return value, as_tensor(values.zeros_like(value))


def as_tensor(value: Any) -> Tensor:
    return value if isinstance(value, Tensor) else wrap(value)


def jacrev(
    func: Callable, argnums: int | tuple[int, ...] = 0, *, has_aux: bool = False, chunk_size: int | None = None
) -> Callable:
    """The Jacobian by reverse mode: one vjp per element of the output, all at once.

    Each entry has the shape ``output.shape + input.shape``; structures nest, outputs outside, inputs inside.
    """

    @wraps(func)
    def jacobian(*args: Any, **kwargs: Any) -> Any:
        inputs = pick(args, argnums)
        in_leaves, in_spec = tree.flatten(inputs)

        def of_leaves(*leaves: Any) -> Any:
            return func(*put(args, argnums, tree.unflatten(list(leaves), in_spec)), **kwargs)

        result = vjp(of_leaves, *in_leaves, has_aux=has_aux)
        out, pull_one = result[0], result[1]
        outputs, out_spec = tree.flatten(out)
        rows = []
        for i, o in enumerate(outputs):
            found = vmap(lambda g, i=i: pull_one(_only(outputs, i, g, out_spec)), chunk_size=chunk_size)(basis(o))
            rows.append(
                tree.unflatten(
                    [g.reshape((*o.shape, *x.shape)) for g, x in zip(found, in_leaves, strict=True)], in_spec
                )
            )
        jac = tree.unflatten(rows, out_spec)
        return (jac, result[2]) if has_aux else jac

    return jacobian


def _only(outputs: list, i: int, cotangent: Any, spec: Any) -> Any:
    """Cotangents that are zero but for one output's."""
    return tree.unflatten([cotangent if j == i else values.zeros_like(o) for j, o in enumerate(outputs)], spec)


def jacfwd(
    func: Callable, argnums: int | tuple[int, ...] = 0, has_aux: bool = False, *, randomness: str = "error"
) -> Callable:
    """The Jacobian by forward mode: one jvp per element of the input, all at once. Entries as in :func:`jacrev`."""

    @wraps(func)
    def jacobian(*args: Any, **kwargs: Any) -> Any:
        inputs = pick(args, argnums)
        leaves, in_spec = tree.flatten(inputs)
        aux: list = []

        def of_leaves(*moved: Any) -> Any:
            out = func(*put(args, argnums, tree.unflatten(list(moved), in_spec)), **kwargs)
            return split_aux(out, has_aux, "jacfwd") if has_aux else out

        columns = []
        for i, x in enumerate(leaves):

            def push(direction: Any, i: int = i) -> Any:
                tangents = tuple(direction if j == i else values.zeros_like(p) for j, p in enumerate(leaves))
                result = jvp(of_leaves, tuple(leaves), tangents, has_aux=has_aux)
                return result[1:] if has_aux else result[1]

            found = vmap(push, out_dims=-1 if not has_aux else (-1, 0), randomness=randomness)(basis(x))
            if has_aux:
                found, seen = found
                aux[:] = [tree.map(lambda a: a[0], seen)]
            columns.append(tree.map(lambda t, x=x: t.reshape((*t.shape[:-1], *x.shape)), found))
        jac = transpose_columns(columns, in_spec)
        return (jac, aux[0]) if has_aux else jac

    return jacobian


def transpose_columns(columns: list, in_spec: Any) -> Any:
    """A list over inputs of structures over outputs becomes a structure over outputs of structures over inputs."""
    flat = [tree.flatten(c) for c in columns]
    rows = [tree.unflatten(list(each), in_spec) for each in zip(*[leaves for leaves, _ in flat], strict=True)]
    return tree.unflatten(rows, flat[0][1])


def hessian(func: Callable, argnums: int | tuple[int, ...] = 0) -> Callable:
    """The Hessian of a function: forward mode over reverse mode."""
    return jacfwd(jacrev(func, argnums), argnums)


def basis(tensor: Any) -> Tensor:
    """The unit tensors of a tensor's shape, stacked along a new first dimension."""
    import numpy as np

    shape = tuple(tensor.shape)
    n = int(np.prod(shape, dtype=int))
    return wrap(np.eye(n, dtype=dtype_of(tensor).numpy).reshape(n, *shape))


def pick(args: tuple, argnums: int | tuple[int, ...]) -> Any:
    """The arguments that are differentiated."""
    wanted = (argnums,) if isinstance(argnums, int) else argnums
    for n in wanted:
        if not -len(args) <= n < len(args):
            raise RuntimeError(f"Got argnum={n}, but only {len(args)} positional inputs")
    return args[argnums] if isinstance(argnums, int) else tuple(args[n] for n in argnums)


def put(args: tuple, argnums: int | tuple[int, ...], values_: Any) -> list:
    """The arguments with the differentiated ones replaced."""
    new_args = list(args)
    for n, v in (
        zip((argnums,), (values_,), strict=True) if isinstance(argnums, int) else zip(argnums, values_, strict=True)
    ):
        new_args[n] = v
    return new_args


def lift(inputs: Any, level: int, what: str) -> tuple:
    """The inputs as leaves of a new tape over them."""
    leaves, spec = tree.flatten(inputs)
    lifted = []
    for leaf in leaves:
        if not isinstance(leaf, Tensor):
            raise ValueError(f"{what}: Expected tensors as inputs to be differentiated, got {type(leaf).__name__}")
        if dtype_of(leaf).category < 2:
            raise RuntimeError(
                f"{what}: only floating or complex tensors can be differentiated, got one of {dtype_of(leaf)}"
            )
        tensor = at_level(leaf, level)
        tensor._flags |= GRAD
        lifted.append(tensor)
    return tree.unflatten(lifted, spec), lifted


def record(func: Callable, args: Any, kwargs: dict, level: int) -> Any:
    """Run the function with the new tape on, and the caller's tapes as the caller has them."""
    before = held_floor()
    try:
        modes.floor = min(modes.floor, level)
        return func(*args, **kwargs)
    finally:
        restore_floor(before)


def split_aux(out: Any, has_aux: bool, what: str) -> tuple:
    if not has_aux:
        return out, None
    if not isinstance(out, tuple) or len(out) != 2:
        raise RuntimeError(
            f"{what}: with has_aux=True the function must return (output, aux), got {type(out).__name__}"
        )
    return out


def check_scalar(out: Any) -> None:
    if not isinstance(out, Tensor):
        raise RuntimeError(f"grad: Expected the function to return a Tensor, got {type(out).__name__}")
    if out._data.ndim:
        raise RuntimeError(
            f"grad: Expected the function to return a scalar tensor, got one of shape {list(out._data.shape)}"
        )


def check_cotangents(outputs: list, given: list) -> None:
    if len(outputs) != len(given):
        raise RuntimeError(f"vjp: expected a cotangent for each of the {len(outputs)} outputs, got {len(given)}")
    for o, g in zip(outputs, given, strict=True):
        if tuple(o.shape) != tuple(g.shape):
            raise RuntimeError(f"vjp: an output has shape {list(o.shape)}, and its cotangent {list(g.shape)}")


def drop(out: Any, level: int) -> Any:
    """A result as the caller's own tensor."""
    value = seen_at(out, level)
    return out if value is out else as_tensor(value)


def pull(outputs: list, cotangents: list, leaves: list, level: int, recording: bool) -> list:
    """Gradients of the outputs with respect to leaves of a level; zeros where there is no dependence."""
    for o in outputs:
        seen_at(o, level)
    pairs = [(o, g) for o, g in zip(outputs, cotangents, strict=True) if o._level == level and o._flags & GRAD]
    work = Pass(level, False, True, {(leaf, 0) for leaf in leaves}, False)
    if pairs:
        work.run([(*edge_of(o), g) for o, g in pairs])
    return [
        as_tensor(work.found[leaf, 0] if (leaf, 0) in work.found else values.zeros_like(leaf._data)) for leaf in leaves
    ]
