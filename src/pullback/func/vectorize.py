"""``vmap``: run a function on a batch, as if it were called once per element."""

from collections.abc import Callable
from functools import wraps
from typing import Any

from .. import tree
from ..interpreters.batched import Batched
from ..interpreters.dispatch import new_level, values
from ..tape.value import Tensor, wrap
from ..tape.views import seen_at
from ..tensor import functions


def vmap(
    func: Callable, in_dims: Any = 0, out_dims: Any = 0, randomness: str = "error", *, chunk_size: int | None = None
) -> Callable:
    """Vectorise ``func`` over a dimension of its tensor arguments.

    Args:
        func: a function of tensors (in nested structures) that returns tensors.
        in_dims: the dimension to map over: an int for all arguments, or a structure like the arguments; None where
            an argument is not mapped.
        out_dims: where the mapped dimension goes in each output.
        randomness: accepted values are ``"error"``, ``"different"`` and ``"same"``.
        chunk_size: map at most so many elements at a time.

    Raises:
        ValueError: no argument is mapped, or sizes of the mapped dimensions differ, or ``in_dims`` does not fit.

    >>> import pullback as torch
    >>> torch.func.vmap(torch.dot)(torch.ones(3, 2), torch.ones(3, 2))
    tensor([2., 2., 2.])
    """
    if randomness not in ("error", "different", "same"):
        raise RuntimeError(f"Only allowed values for randomness are 'error', 'different', or 'same'. Got {randomness}")

    @wraps(func)
    def mapped(*args: Any, **kwargs: Any) -> Any:
        leaves, spec = tree.flatten((args, kwargs))
        dims = spread_dims(in_dims, args, kwargs, len(leaves))
        size = batch_size(leaves, dims)
        if chunk_size is None or size <= chunk_size:
            return run_batch(func, leaves, spec, dims, size, out_dims)
        return in_chunks(func, leaves, spec, dims, size, out_dims, chunk_size)

    return mapped


def spread_dims(in_dims: Any, args: tuple, kwargs: dict, count: int) -> list:
    """The mapped dimension of each leaf of the arguments; keyword arguments are mapped over their first."""
    if isinstance(in_dims, int):
        dims: Any = [in_dims] * count
        return [
            d if isinstance(leaf, Tensor) else None
            for d, leaf in zip(dims, tree.flatten((args, kwargs))[0], strict=True)
        ]
    if not isinstance(in_dims, (tuple, list)) or len(in_dims) != len(args):
        raise ValueError(
            f"vmap: in_dims={in_dims!r} does not fit the inputs: expected an int, or a structure of ints and None with "
            f"one entry for each of the {len(args)} arguments"
        )
    found: list = []
    for d, arg in zip(in_dims, args, strict=True):
        spread_one(d, arg, found)
    found.extend(0 if isinstance(leaf, Tensor) else None for leaf in tree.flatten(kwargs)[0])
    return found


def spread_one(dims: Any, arg: Any, found: list) -> None:
    leaves = tree.flatten(arg)[0]
    if dims is None or isinstance(dims, int):
        found.extend(dims if isinstance(leaf, Tensor) or dims is None else None for leaf in leaves)
        return
    children = list(arg.values()) if isinstance(arg, dict) else list(arg)
    entries = [dims[k] for k in arg] if isinstance(dims, dict) else list(dims)
    if len(children) != len(entries):
        raise ValueError(f"vmap: in_dims {dims!r} does not have the structure of the argument it is for")
    for d, child in zip(entries, children, strict=True):
        spread_one(d, child, found)


def batch_size(leaves: list, dims: list) -> int:
    """The common size of the mapped dimensions."""
    sizes = {}
    for i, (leaf, d) in enumerate(zip(leaves, dims, strict=True)):
        if d is not None:
            shape = tuple(leaf.shape)
            if not -len(shape) <= d < len(shape):
                raise ValueError(f"vmap: in_dim {d} of input {i} is out of range for a tensor of shape {list(shape)}")
            sizes[i] = shape[d]
    if not sizes:
        raise ValueError("vmap: at least one tensor argument must be mapped over, but in_dims maps none")
    if len(set(sizes.values())) > 1:
        raise ValueError(
            f"vmap: Expected all tensors to have the same size in the mapped dimension, got sizes {list(sizes.values())}"
        )
    return next(iter(sizes.values()))


def run_batch(func: Callable, leaves: list, spec: Any, dims: list, size: int, out_dims: Any) -> Any:
    with new_level() as level:
        lifted = [leaf if d is None else lift(leaf, d, level) for leaf, d in zip(leaves, dims, strict=True)]
        args, kwargs = tree.unflatten(lifted, spec)
        out = func(*args, **kwargs)
        outputs, out_spec = tree.flatten(out)
        places = (
            [out_dims] * len(outputs)
            if isinstance(out_dims, int) or out_dims is None
            else tree.flatten(out_dims, is_leaf=lambda d: d is None)[0]
        )
        lowered = [lower(o, level, size, d) for o, d in zip(outputs, places, strict=True)]
    return tree.unflatten(lowered, out_spec)


def lift(leaf: Tensor, dim: int, level: int) -> Tensor:
    return wrap(Batched(functions["movedim"](leaf, dim, 0) if dim else leaf, level))


def lower(out: Any, level: int, size: int, dim: int | None) -> Any:
    """What a result of the mapped function is outside: the batch at ``dim``."""
    if not isinstance(out, Tensor):
        raise ValueError(f"vmap: the function must return tensors, got {type(out).__name__}")
    value = seen_at(out, level)
    if type(value) is Batched and value.level == level:
        value = value.value
    elif dim is not None:
        value = values.expand(values.unsqueeze(value, 0), (size, *value.shape))
    value = value if isinstance(value, Tensor) else wrap(value)
    return functions["movedim"](value, 0, dim) if dim else value


def in_chunks(func: Callable, leaves: list, spec: Any, dims: list, size: int, out_dims: Any, chunk: int) -> Any:
    parts = []
    for start in range(0, size, chunk):
        length = min(chunk, size - start)
        piece = [
            leaf if d is None else functions["narrow"](leaf, d, start, length)
            for leaf, d in zip(leaves, dims, strict=True)
        ]
        parts.append(run_batch(func, piece, spec, dims, length, out_dims))
    flat = [tree.flatten(p) for p in parts]
    places = (
        [out_dims] * len(flat[0][0])
        if isinstance(out_dims, int)
        else tree.flatten(out_dims, is_leaf=lambda d: d is None)[0]
    )
    joined = [
        functions["cat"](list(each), d)
        for each, d in zip(zip(*[leaves for leaves, _ in flat], strict=True), places, strict=True)
    ]
    return tree.unflatten(joined, flat[0][1])
