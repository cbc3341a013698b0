"""Jacobians and Hessians: many vjps or jvps at once, by vmap over a basis.

The entry for output ``y`` and input ``x`` is ``dy/dx`` where ``x`` is real, and Wirtinger's ``∂y/∂x`` where it is complex:
the complex derivative of a holomorphic function, and half the conjugate of the gradient of a real one. Forward and
reverse mode give the same.
"""

from collections.abc import Callable
from functools import wraps
from math import prod
from typing import Any

import numpy as np

from .. import tree
from ..interpreters.dispatch import values
from ..tape.engine import collect, edge_of
from ..tape.promotion import dtype_of
from ..tape.value import Tensor, wrap
from ..tensor import functions
from .derivatives import Argnums, jvp, pick, put, vjp
from .vectorize import as_tensor, vmap


def jacrev(func: Callable, argnums: Argnums = 0, *, has_aux: bool = False, chunk_size: int | None = None) -> Callable:
    """The Jacobian by reverse mode: one vjp per element of the output, ``chunk_size`` (or all) at once.

    Each entry has the shape ``output.shape + input.shape``; structures nest, outputs outside, inputs inside.

    >>> import pullback as torch
    >>> torch.func.jacrev(lambda x: x**2)(torch.tensor([1.0, 3.0]))
    tensor([[2., 0.],
            [0., 6.]])
    """
    check_chunk_size("jacrev", chunk_size)

    @wraps(func)
    def jacobian(*args: Any, **kwargs: Any) -> Any:
        of_leaves, leaves, in_spec = by_leaves(func, argnums, args, kwargs)
        out, *rest = vjp(of_leaves, *leaves, has_aux=has_aux)
        jac = pulled(out, rest[0], leaves, in_spec, lambda output: chunk_size)
        return (jac, rest[1]) if has_aux else jac

    return jacobian


def jacfwd(
    func: Callable,
    argnums: Argnums = 0,
    has_aux: bool = False,
    *,
    randomness: str = "error",
    chunk_size: int | None = None,
) -> Callable:
    """The Jacobian by forward mode: one jvp per element of the input, ``chunk_size`` (or all) at once.

    Entries are as in :func:`jacrev`; ``randomness`` as in :func:`vmap`.

    >>> import pullback as torch
    >>> torch.func.jacfwd(lambda x: x**2)(torch.tensor([1.0, 3.0]))
    tensor([[2., 0.],
            [0., 6.]])
    """
    check_chunk_size("jacfwd", chunk_size)

    @wraps(func)
    def jacobian(*args: Any, **kwargs: Any) -> Any:
        of_leaves, leaves, in_spec = by_leaves(func, argnums, args, kwargs)
        columns, aux = [], None
        for i, x in enumerate(leaves):
            column, aux = pushed(of_leaves, leaves, i, has_aux, randomness, chunk_size)
            columns.append(tree.map(lambda t, x=x: t.reshape((*t.shape[:-1], *x.shape)), column))
        jac = transpose_columns(columns, in_spec)
        return (jac, aux) if has_aux else jac

    return jacobian


def hessian(func: Callable, argnums: Argnums = 0) -> Callable:
    """The Hessian of a function: forward mode over reverse mode.

    >>> import pullback as torch
    >>> torch.func.hessian(lambda x: (x**3).sum())(torch.tensor([1.0, 3.0]))
    tensor([[ 6.,  0.],
            [ 0., 18.]])
    """
    return jacfwd(jacrev(func, argnums), argnums)


def jacobian(
    func: Callable, argnums: Argnums = 0, mode: str = "auto", *, has_aux: bool = False, byte_budget: int = 1 << 28
) -> Callable:
    """The Jacobian as of :func:`jacrev`, by whichever mode is cheaper, in as many pieces as memory allows.

    Args:
        mode: ``"forward"``, ``"reverse"``, or ``"auto"``: forward where the inputs have fewer elements than the outputs.
        byte_budget: about how many bytes the intermediate results of one piece may take. The Jacobian itself is not
            counted, nor what one call of ``func`` takes.

    Raises:
        ValueError: ``mode`` is none of these.

    >>> import pullback as torch
    >>> torch.func.jacobian(lambda x: x.repeat(3), byte_budget=1000)(torch.tensor([2.0])).shape
    torch.Size([3, 1])
    """
    if mode not in ("auto", "forward", "reverse"):
        raise ValueError(f"jacobian: mode must be 'auto', 'forward' or 'reverse', got {mode!r}")

    @wraps(func)
    def chosen(*args: Any, **kwargs: Any) -> Any:
        of_leaves, leaves, in_spec = by_leaves(func, argnums, args, kwargs)
        seen: list = []

        def watched(*moved: Any) -> Any:
            result = of_leaves(*moved)
            seen.append(largest(tree.leaves(result[0] if has_aux else result)))
            return result

        out, *rest = vjp(watched, *leaves, has_aux=has_aux)
        rows, columns = (sum(prod(x.shape) for x in tree.leaves(xs)) for xs in (out, leaves))
        chunk = max(1, byte_budget // max(1, seen[0] + 8 * (rows + columns)))
        if mode == "forward" or (mode == "auto" and columns < rows):
            return jacfwd(func, argnums, has_aux, randomness="same", chunk_size=chunk)(*args, **kwargs)
        jac = pulled(out, rest[0], leaves, in_spec, lambda output: chunk)
        return (jac, rest[1]) if has_aux else jac

    return chosen


def largest(outputs: list) -> int:
    """Twice the bytes of the largest value that is saved on the way to some tensors: a pass holds about two such at a time."""
    nodes = collect([edge_of(o)[0] for o in outputs if isinstance(o, Tensor)])[0]
    saved = [v for n in nodes for name, v in zip(n.saved_names, n.saved, strict=False) if varies(n, name)]
    return 2 * max([prod(v.shape) * dtype_of(v).itemsize for v in saved if hasattr(v, "dtype")], default=0)


def varies(node: Any, name: str) -> bool:
    """Whether what a node saved depends on what is differentiated, as a constant factor does not."""
    diff = node.op.diff
    return name not in diff or len(diff) != len(node.next) or node.next[diff.index(name)] is not None


# -- pieces ------------------------------------------------------------------------------------------------------------


def check_chunk_size(name: str, chunk_size: Any) -> None:
    if chunk_size is not None and chunk_size <= 0:
        raise ValueError(f"{name}: `chunk_size` should be greater than 0.")


def by_leaves(func: Callable, argnums: Argnums, args: tuple, kwargs: dict) -> tuple:
    """The function of the differentiated leaves alone, those leaves, and their structure."""
    leaves, spec = tree.flatten(pick(args, argnums))

    def of_leaves(*moved: Any) -> Any:
        return func(*put(args, argnums, tree.unflatten(moved, spec)), **kwargs)

    return of_leaves, leaves, spec


def is_complex(tensor: Any) -> bool:
    return dtype_of(tensor._data).is_complex


def basis(tensor: Any, unit: complex = 1) -> Tensor:
    """The unit tensors of a tensor's shape, stacked along a new first dimension."""
    shape = tuple(tensor.shape)
    eye = np.eye(prod(shape), dtype=dtype_of(tensor._data).numpy)
    return wrap((eye if unit == 1 else eye * eye.dtype.type(unit)).reshape(len(eye), *shape))


def pulled(out: Any, pull: Callable, leaves: list, in_spec: Any, chunk_of: Callable) -> Any:
    """The Jacobian, pulled back from each output in turn."""
    outputs, out_spec = tree.flatten(out)
    zeros = [as_tensor(values.zeros_like(o)) for o in outputs]
    blocks = []
    for i, o in enumerate(outputs):
        pull_one = lambda g, i=i: pull(tree.unflatten([*zeros[:i], g, *zeros[i + 1 :]], out_spec))
        mapped = vmap(pull_one, chunk_size=chunk_of(o))
        parts = [mapped(basis(o, unit)) for unit in ((1, 1j) if is_complex(o) else (1,))]
        rows = [derivative(x, *gradients) for x, *gradients in zip(leaves, *parts, strict=True)]
        shaped = [row.reshape((*o.shape, *x.shape)) for row, x in zip(rows, leaves, strict=True)]
        blocks.append(tree.unflatten(shaped, in_spec))
    return tree.unflatten(blocks, out_spec)


def derivative(x: Any, real: Any, imaginary: Any = None) -> Any:
    """The derivative by ``x`` from the gradients of an output's real and imaginary part."""
    if not is_complex(x):
        return real if imaginary is None else functions["complex"](real, imaginary)
    conjugate = real if imaginary is None else real - 1j * imaginary
    return functions["conj"](conjugate) / 2


def pushed(f: Callable, leaves: list, i: int, has_aux: bool, randomness: str, chunk_size: int | None) -> tuple:
    """The derivative along each element of one input, stacked along the last dimension; and ``aux``."""
    still, kept = [as_tensor(values.zeros_like(p)) for p in leaves], []

    def push(direction: Any) -> Any:
        tangents = (*still[:i], direction, *still[i + 1 :])
        _, tangent, *aux = jvp(f, tuple(leaves), tangents, has_aux=has_aux)
        return (tangent, aux[0]) if has_aux else tangent

    mapped = vmap(push, out_dims=(-1, 0) if has_aux else -1, randomness=randomness, chunk_size=chunk_size)
    parts = [mapped(basis(leaves[i], unit)) for unit in ((1, 1j) if is_complex(leaves[i]) else (1,))]
    if has_aux:
        kept = [tree.map(lambda a: a[0], parts[0][1])]
        parts = [tangent for tangent, _ in parts]
    found = parts[0] if len(parts) == 1 else tree.map(lambda a, b: (a - 1j * b) / 2, *parts)
    return found, kept[0] if kept else None


def transpose_columns(columns: list, in_spec: Any) -> Any:
    """A list over inputs of structures over outputs becomes a structure over outputs of structures over inputs."""
    flat = [tree.flatten(c) for c in columns]
    rows = [tree.unflatten(list(each), in_spec) for each in zip(*[leaves for leaves, _ in flat], strict=True)]
    return tree.unflatten(rows, flat[0][1])
