"""``grad``, ``vjp``, ``jvp`` and ``linearize``.

``grad`` and ``vjp`` open a level whose tensors are a tape over the caller's values: running the rules on those values
records them on the caller's own tape, batch or dual, which is all that nesting needs.
"""

from collections.abc import Callable
from functools import wraps
from typing import Any

from .. import tree
from ..interpreters.dispatch import new_level, values
from ..interpreters.dual import Dual, differentiable
from ..tape.engine import Pass, edge_of
from ..tape.modes import held_floor, modes, restore_floor
from ..tape.promotion import cast, dtype_of
from ..tape.value import GRAD, Tensor, at_level, wrap
from ..tape.views import seen_at
from .vectorize import as_tensor, was_written

Argnums = int | tuple[int, ...]


def grad(func: Callable, argnums: Argnums = 0, has_aux: bool = False) -> Callable:
    """The gradient of a scalar function with respect to the arguments ``argnums`` (tensors in nested structures).

    Args:
        func: returns a tensor without dimensions; with ``has_aux``, a pair of that and other tensors.
        argnums: the number of an argument, or a tuple of them; the gradient is then a tuple too.
        has_aux: return ``(gradient, aux)``.

    Raises:
        RuntimeError: the function does not return a tensor without dimensions, or ``argnums`` is out of range.
        ValueError: a differentiated argument is no tensor.

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


def grad_and_value(func: Callable, argnums: Argnums = 0, has_aux: bool = False) -> Callable:
    """As :func:`grad`, returning ``(gradient, value)``; with ``has_aux``, ``(gradient, (value, aux))``."""

    @wraps(func)
    def both(*args: Any, **kwargs: Any) -> Any:
        inputs = pick(args, argnums)
        with new_level() as level:
            lifted, leaves = lift(inputs, level)
            out = record(func, put(args, argnums, lifted), kwargs, level)
            out, aux = split_aux(out, has_aux, "grad_and_value(f)(*args)")
            check_scalar(out)
            one = values.ones_like(seen_at(out, level))
            found = pull([out], [one], leaves, level)
            gradient = tree.unflatten(found, tree.flatten(inputs)[1])
            value = drop(out, level)
            return gradient, (value, drop_aux(aux, level)) if has_aux else value

    return both


def vjp(func: Callable, *primals: Any, has_aux: bool = False) -> tuple:
    """The value of ``func(*primals)``, and the function that pulls a cotangent back to the primals.

    Returns:
        ``(output, vjp_fn)``, or ``(output, vjp_fn, aux)``; ``vjp_fn(cotangent)`` gives a tuple, one entry a primal.

    Raises:
        RuntimeError: the function returns anything but floating or complex tensors; or ``vjp_fn`` is given cotangents of
            another structure or other shapes than its output.

    >>> import pullback as torch
    >>> out, pull = torch.func.vjp(torch.sin, torch.zeros(2))
    >>> pull(torch.tensor([1.0, 3.0]))
    (tensor([1., 3.]),)
    """
    with new_level() as level:
        lifted, leaves = lift(primals, level)
        out, aux = split_aux(record(func, lifted, {}, level), has_aux, "vjp(f, *primals)")
        outputs, out_spec = checked_outputs(out, "vjp(f, *primals)")
        for o in outputs:
            if not differentiable(o._data):
                raise RuntimeError(
                    "vjp(f, ...): All outputs of f must be floating-point or complex Tensors, got Tensor with dtype "
                    f"{dtype_of(o._data)}. Return others by has_aux=True."
                )
        value = tree.unflatten([drop(o, level) for o in outputs], out_spec)
    spec = tree.flatten(primals)[1]

    def vjp_fn(cotangents: Any, retain_graph: bool = True, create_graph: bool | None = None) -> Any:
        given, given_spec = tree.flatten(cotangents)
        if given_spec != out_spec:
            raise RuntimeError(
                "Expected pytree structure of cotangents to be the same as pytree structure of outputs to the function. "
                f"cotangents: {given_spec}, primal output: {out_spec}"
            )
        given = checked_cotangents(outputs, given)
        return tree.unflatten(pull(outputs, given, leaves, level), spec)

    return (value, vjp_fn, drop_aux(aux, level)) if has_aux else (value, vjp_fn)


JVP = "jvp(f, primals, tangents)"


def jvp(func: Callable, primals: tuple, tangents: tuple, *, strict: bool = False, has_aux: bool = False) -> tuple:
    """The value of ``func(*primals)`` and its derivative in the direction ``tangents`` (same structure).

    Args:
        strict: raise where an output does not depend on the primals, whose tangent is zero otherwise.

    Returns:
        ``(output, output_tangent)``, or ``(output, output_tangent, aux)``.

    Raises:
        RuntimeError: primals and tangents differ in structure or shape, or the function returns anything but tensors.
        ValueError: a dtype is neither floating nor complex.

    >>> import pullback as torch
    >>> torch.func.jvp(torch.sin, (torch.zeros(2),), (torch.tensor([1.0, 3.0]),))
    (tensor([0., 0.]), tensor([1., 3.]))
    """
    inputs, spec, directions = checked_directions(primals, tangents)
    with new_level() as level:
        duals = [Dual(p, t, level) for p, t in zip(inputs, directions, strict=True)]
        lifted = [wrap(dual) for dual in duals]
        out, aux = split_aux(func(*tree.unflatten(lifted, spec)), has_aux, JVP)
        for p, one, dual in zip(inputs, lifted, duals, strict=True):
            if was_written(one, dual, level):
                p.copy_(dual_parts(one, level)[0])
        outputs, out_spec = checked_outputs(out, JVP)
        parts = [dual_parts(o, level, strict) for o in outputs]
    primal = tree.unflatten([p for p, _ in parts], out_spec)
    tangent = tree.unflatten([t for _, t in parts], out_spec)
    return (primal, tangent, drop_aux(aux, level)) if has_aux else (primal, tangent)


def checked_directions(primals: Any, tangents: Any) -> tuple:
    """The leaves of the primals, their structure, and the leaves of the tangents."""
    if not isinstance(primals, tuple):
        raise RuntimeError(
            f"{JVP}: Expected primals to be a tuple. E.g. it should be valid to call f(*primals). Got "
            f"{type(primals).__name__}"
        )
    inputs, spec = tree.flatten(primals)
    directions, spec_of_tangents = tree.flatten(tangents)
    if spec != spec_of_tangents:
        raise RuntimeError(
            f"{JVP}: Expected primals and tangents to have the same python structure. Got primals with structure {spec} "
            f"and tangents with structure {spec_of_tangents}"
        )
    if not inputs:
        raise RuntimeError(f"{JVP}: Expected primals to contain at least one Tensor.")
    for name, leaves in (("primals", inputs), ("tangents", directions)):
        for leaf in leaves:
            check_floating(name, leaf)
    for p, t in zip(inputs, directions, strict=True):
        if tuple(p.shape) != tuple(t.shape):
            raise RuntimeError(
                "jvp: Trying to set a forward gradient that has a different size than that of the original Tensor. Tensor "
                f"is of size {list(p.shape)} while the given forward gradient is of size {list(t.shape)}."
            )
    return inputs, spec, directions


def check_floating(name: str, leaf: Any) -> None:
    if not isinstance(leaf, Tensor):
        raise RuntimeError(f"{JVP}: Expected {name} to only contain Tensors, got {type(leaf)}")
    if not differentiable(leaf._data):
        raise ValueError(f"Expected {name[:-1]} to be floating point or complex, but got: {dtype_of(leaf._data)}")


def dual_parts(out: Any, level: int, strict: bool = False) -> tuple:
    """A result's primal and tangent as the caller's tensors; a result that does not depend on the input has zeros."""
    value = seen_at(out, level)
    if isinstance(value, Dual) and value.level == level:
        return as_tensor(value.primal), as_tensor(value.tangent)
    if strict:
        raise RuntimeError(
            "jvp(f, primals, tangents, strict=True): The output of f is independent of the inputs. This is not allowed "
            "with strict=True."
        )
    value = as_tensor(value)
    return value, as_tensor(values.zeros_like(value))


def linearize(func: Callable, *primals: Any) -> tuple:
    """The value of ``func(*primals)``, and the linear map that approximates it there.

    The function runs once. ``jvp_fn`` replays only the operations that tangents pass through, so that many directions
    cost less than as many calls of :func:`jvp`.

    Returns:
        ``(output, jvp_fn)``; ``jvp_fn(*tangents)`` gives the output's tangent.

    Raises:
        RuntimeError: ``jvp_fn`` is given tangents of another structure, shape or dtype than the primals.

    >>> import pullback as torch
    >>> out, push = torch.func.linearize(lambda x: x**2, torch.tensor(3.0))
    >>> out, push(torch.tensor(1.0)), push(torch.tensor(2.0))
    (tensor(9.), tensor(6.), tensor(12.))
    """
    from ..compile.trace import trace

    leaves, spec = tree.flatten(primals)
    out: list = []

    def linear(*tangents: Any) -> Any:
        value, tangent = jvp(func, primals, tangents)
        out.append(value)
        return tangent

    program = trace(linear, *tree.map(lambda p: as_tensor(values.zeros_like(p)), primals))

    def jvp_fn(*tangents: Any) -> Any:
        given, given_spec = tree.flatten(tangents)
        if given_spec != spec:
            raise RuntimeError(f"Expected the tangents {given_spec} to have the same argspec as the primals {spec}")
        for i, (t, p) in enumerate(zip(given, leaves, strict=True)):
            for what, got, expected in (("shape", t.shape, p.shape), ("dtype", t.dtype, p.dtype)):
                if got != expected:
                    raise RuntimeError(
                        f"tangent:{i} with {what} {got} in flattened pytree doesn't match the {what} {expected} of the "
                        "corresponding primal."
                    )
        return program(*tangents)

    return out[0], jvp_fn


# -- arguments and results ---------------------------------------------------------------------------------------------


def pick(args: tuple, argnums: Any) -> Any:
    """The arguments that are differentiated."""
    if isinstance(argnums, int):
        return args[checked_number(argnums, args)]
    if not isinstance(argnums, tuple):
        raise RuntimeError(f"argnums must be int or Tuple[int, ...], got: {type(argnums)}")
    if not argnums:
        raise RuntimeError("argnums must be non-empty")
    numbers = [checked_number(n, args) % len(args) for n in argnums]
    if len(set(numbers)) < len(numbers):
        raise RuntimeError(f"argnums elements must be unique, got {argnums}")
    return tuple(args[n] for n in argnums)


def checked_number(n: Any, args: tuple) -> int:
    if not isinstance(n, int):
        raise RuntimeError(f"argnum must be int, got: {type(n)}")
    if not -len(args) <= n < len(args):
        raise RuntimeError(f"Got argnum={n}, but only {len(args)} positional inputs")
    return n


def put(args: tuple, argnums: Argnums, given: Any) -> list:
    """The arguments with the differentiated ones replaced."""
    new_args = list(args)
    for n, v in ((argnums, given),) if isinstance(argnums, int) else zip(argnums, given, strict=True):
        new_args[n] = v
    return new_args


def lift(inputs: Any, level: int) -> tuple:
    """The inputs as leaves of a new tape over them."""
    leaves, spec = tree.flatten(inputs)
    lifted = []
    for leaf in leaves:
        if not isinstance(leaf, Tensor):
            raise ValueError(f"Thing passed to transform API must be Tensor, got {type(leaf)}")
        if not differentiable(leaf._data):
            raise RuntimeError(
                f"only Tensors of floating point dtype can require gradients, but this one is {dtype_of(leaf._data)}"
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
        raise RuntimeError(f"{what}: output of function f should be a tuple: (output, aux) if has_aux is True")
    return out


def drop_aux(aux: Any, level: int) -> Any:
    """What a function returns beside its value, as the caller's own."""
    leaves, spec = tree.flatten(aux)
    for leaf in leaves:
        if not isinstance(leaf, Tensor):
            raise RuntimeError(f"Expected tensors, got unsupported type {type(leaf)}")
    return tree.unflatten([dual_parts(leaf, level)[0] for leaf in leaves], spec)


def checked_outputs(out: Any, what: str) -> tuple:
    """The leaves of a function's result, and its structure."""
    outputs, spec = tree.flatten(out, is_leaf=lambda o: o is None)
    if not outputs:
        raise RuntimeError(f"{what}: Expected f to be a function that has non-empty output (got output = {out!r})")
    for o in outputs:
        if not isinstance(o, Tensor):
            raise RuntimeError(f"{what}: expected f(*primals) to return only tensors, got unsupported type {type(o)}")
    return outputs, spec


def check_scalar(out: Any) -> None:
    what = "grad_and_value(f)(*args): Expected f(*args) to return a"
    if not isinstance(out, Tensor):
        raise RuntimeError(f"{what} Tensor, got {type(out)}")
    if out._data.ndim:
        raise RuntimeError(
            f"{what} scalar Tensor, got tensor with {out._data.ndim} dims. Maybe you wanted to use the vjp or jacrev APIs "
            "instead?"
        )
    if dtype_of(out._data).is_complex:
        raise RuntimeError(
            f"grad can be implicitly created only for real scalar outputs but got {dtype_of(out._data)}: return its .real"
        )


def checked_cotangents(outputs: list, given: list) -> list:
    """Cotangents in the dtypes of their outputs."""
    for i, (o, g) in enumerate(zip(outputs, given, strict=True)):
        if not isinstance(g, Tensor):
            raise TypeError(f"gradients can be either Tensors or None, but got {type(g).__name__}")
        if tuple(o._data.shape) != tuple(g._data.shape):
            raise RuntimeError(
                f"Mismatch in shape: grad_output[{i}] has a shape of {g.shape} and output[{i}] has a shape of {o.shape}."  # type: ignore[attr-defined]
            )
    return [cast(g, dtype_of(o._data)) for o, g in zip(outputs, given, strict=True)]


def drop(out: Any, level: int) -> Any:
    """A result as the caller's own tensor."""
    value = seen_at(out, level)
    return out if value is out else as_tensor(value)


def pull(outputs: list, cotangents: list, leaves: list, level: int) -> list:
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
