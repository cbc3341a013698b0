"""``vmap``: run a function on a batch, as if it were called once per element."""

from collections.abc import Callable
from functools import wraps
from typing import Any, NamedTuple

from .. import random, tree
from ..context import During
from ..interpreters.batched import Batched, Vmap, vmaps
from ..interpreters.dispatch import new_level, values
from ..tape.value import Tensor, wrap
from ..tape.views import seen_at
from ..tensor import functions


class Options(NamedTuple):
    """What a vmap was asked for."""

    func: Callable
    in_dims: Any
    out_dims: Any
    randomness: str
    chunk_size: int | None

    @property
    def name(self) -> str:
        return getattr(self.func, "__name__", repr(self.func))

    def refusal(self, what: str, outside: bool = False) -> ValueError:
        """An error that begins with the call."""
        dims = f"..., out_dims={self.out_dims}" if outside else f"in_dims={self.in_dims}, ..."
        return ValueError(f"vmap({self.name}, {dims})(<inputs>): {what}")


def vmap(
    func: Callable,
    in_dims: Any = 0,
    out_dims: Any = 0,
    randomness: str = "error",
    *,
    chunk_size: int | None = None,
    fallback: str | None = None,
) -> Callable:
    """Vectorise ``func`` over a dimension of its tensor arguments. Keyword arguments are passed as they are.

    Args:
        func: a function of tensors (in nested structures) that returns tensors.
        in_dims: the dimension to map over: an int for all arguments, or a structure like the arguments; None where
            an argument is not mapped.
        out_dims: where the mapped dimension goes in each output; None for outputs that are the same for all elements.
        randomness: what random operations do: ``"different"`` draws for each element, ``"same"`` lets all elements draw
            the same numbers, ``"error"`` raises.
        chunk_size: map at most so many elements at a time.
        fallback: ``"loop"`` calls the function once per element and stacks the results; it may then do what a batch
            cannot: decide by values, call ``.item()``, find how many elements there are.

    Raises:
        ValueError: no argument is mapped, or sizes of the mapped dimensions differ, or ``in_dims`` or ``out_dims`` does
            not fit, or an output is no tensor.
        RuntimeError: a random operation under ``"error"``, or something that a batch cannot do.

    >>> import pullback as torch
    >>> torch.func.vmap(torch.dot)(torch.ones(3, 2), torch.ones(3, 2))
    tensor([2., 2., 2.])
    >>> torch.vmap(lambda x: x if x > 0 else -2 * x, fallback="loop")(torch.tensor([-1.0, 1.0]))
    tensor([2., 1.])
    """
    if randomness not in ("error", "different", "same"):
        raise RuntimeError(f"Only allowed values for randomness are 'error', 'different', or 'same'. Got {randomness}")
    if chunk_size is not None and chunk_size <= 0:
        raise ValueError(f"vmap: chunk_size should be None or greater than 0. (got {chunk_size})")
    if fallback not in (None, "loop"):
        raise ValueError(f"vmap: fallback should be None or 'loop'. (got {fallback!r})")
    options = Options(func, in_dims, out_dims, randomness, chunk_size)
    run = run_loop if fallback == "loop" else run_batch

    @wraps(func)
    def mapped(*args: Any, **kwargs: Any) -> Any:
        leaves, spec = tree.flatten(args)
        dims = spread_in_dims(options, args, leaves, spec)
        size = batch_size(leaves, dims)
        call = lambda *leaves: func(*tree.unflatten(leaves, spec), **kwargs)
        in_one = fallback or chunk_size is None or size <= chunk_size
        return (run if in_one else in_chunks)(options, call, leaves, dims, size)

    return mapped


# -- which dimensions --------------------------------------------------------------------------------------------------


def is_dim(entry: Any) -> bool:
    return entry is None or isinstance(entry, int)


def spread(dims: Any, spec: Any) -> list | None:
    """The entry of ``dims`` for each leaf of a structure, an entry standing for all below it; None where none fits."""
    children, found = tree.flatten(dims, is_leaf=lambda each: is_dim(each) or each is not dims)
    if found.kind is None:
        return [dims] * spec.size
    if found.kind is not spec.kind or len(children) != len(spec.children):
        return None
    if isinstance(dims, dict):
        if set(dims) != set(spec.context):
            return None
        children = [dims[key] for key in spec.context]
    parts = [spread(child, below) for child, below in zip(children, spec.children, strict=True)]
    return None if any(part is None for part in parts) else [entry for part in parts for entry in part or ()]


def spread_in_dims(options: Options, args: tuple, leaves: list, spec: Any) -> list:
    """The mapped dimension of each leaf of the arguments, counted from the front; None where it is not mapped."""
    in_dims = options.in_dims
    if not isinstance(in_dims, (int, tuple)):
        raise options.refusal(
            "expected `in_dims` to be int or a (potentially nested) tuple matching the structure of inputs, got: "
            f"{type(in_dims)}."
        )
    if not args:
        raise ValueError(
            f"vmap({options.name})(<inputs>): got no inputs. Maybe you forgot to add inputs, or you are trying to vmap over "
            "a function with no inputs. The latter is unsupported."
        )
    dims = spread(in_dims, spec)
    if dims is None:
        raise options.refusal(
            "in_dims is not compatible with the structure of `inputs`. in_dims has structure "
            f"{tree.flatten(in_dims, is_leaf=is_dim)[1]} but inputs has structure {spec}."
        )
    for leaf, dim in zip(leaves, dims, strict=True):
        if problem := dim_problem(leaf, dim):
            raise options.refusal(problem)
    return [None if d is None else d % leaf._data.ndim for leaf, d in zip(leaves, dims, strict=True)]


def dim_problem(leaf: Any, dim: Any) -> str | None:
    """Why a leaf cannot be mapped over a dimension."""
    if dim is None:
        return None
    if not is_dim(dim):
        return f"Got in_dim={dim} for an input but in_dim must be either an integer dimension or None."
    if not isinstance(leaf, Tensor):
        kind = f"Got in_dim={dim} for an input but the input is of type {type(leaf)}."
        return f"{kind} We cannot vmap over non-Tensor arguments, please use None as the respective in_dim"
    ndim = leaf._data.ndim
    range_ = f"dimensionality {ndim} so expected in_dim to satisfy -{ndim} <= in_dim < {ndim}."
    fits = -ndim <= dim < ndim
    return None if fits else f"Got in_dim={dim} for some input, but that input is a Tensor of {range_}"


def batch_size(leaves: list, dims: list) -> int:
    """The common size of the mapped dimensions."""
    sizes = [tuple(leaf.shape)[d] for leaf, d in zip(leaves, dims, strict=True) if d is not None]
    if not sizes:
        raise ValueError("vmap: Expected at least one Tensor to vmap over, but in_dims maps none of the inputs")
    if len(set(sizes)) > 1:
        raise ValueError(
            f"vmap: Expected all tensors to have the same size in the mapped dimension, got sizes {sizes} for the mapped "
            "dimension"
        )
    return sizes[0]


def spread_out_dims(options: Options, out: Any, spec: Any) -> list:
    """The place of the mapped dimension in each leaf of the result."""
    dims, given = options.out_dims, tree.flatten(options.out_dims, is_leaf=is_dim)[0]
    if not all(is_dim(d) for d in given):
        raise options.refusal(
            "`out_dims` must be an int, None or a python collection of ints representing where in the outputs the vmapped "
            "dimension should appear.",
            outside=True,
        )
    found = given if isinstance(out, Tensor) and isinstance(dims, tuple) and len(dims) == 1 else spread(dims, spec)
    if found is None:
        raise options.refusal(
            "out_dims is not compatible with the structure of `outputs`. out_dims has structure "
            f"{tree.flatten(dims, is_leaf=is_dim)[1]} but outputs has structure {spec}.",
            outside=True,
        )
    return found


# -- running -----------------------------------------------------------------------------------------------------------


def running(level: int, size: int, randomness: str) -> During:
    """Let random operations know of a vmap."""
    return During(vmaps, (*vmaps.get(), Vmap(level, size, randomness)))


def run_batch(options: Options, call: Callable, leaves: list, dims: list, size: int) -> Any:
    """Call the function once, on batches."""
    with new_level() as level:
        lifted = [leaf if d is None else lift(leaf, d, level) for leaf, d in zip(leaves, dims, strict=True)]
        before = [getattr(one, "_data", None) for one in lifted]
        with running(level, size, options.randomness):
            out = call(*lifted)
        for leaf, one, held, d in zip(leaves, lifted, before, dims, strict=True):
            if d is not None and was_written(one, held, level):
                functions["movedim"](leaf, d, 0).copy_(as_tensor(one._data.value))
        outputs, spec = tree.flatten(out, is_leaf=lambda o: o is None)
        places = spread_out_dims(options, out, spec)
        lowered = [lower(options, o, level, size, d) for o, d in zip(outputs, places, strict=True)]
    return tree.unflatten(lowered, spec)


def was_written(tensor: Tensor, before: Any, level: int) -> bool:
    """Whether a function wrote to an argument: its caller's tensor is written too."""
    return tensor._level == level and tensor._data is not before


def as_tensor(value: Any) -> Any:
    return value if isinstance(value, Tensor) else wrap(value)


def lift(leaf: Tensor, dim: int, level: int) -> Tensor:
    return wrap(Batched(functions["movedim"](leaf, dim, 0) if dim else leaf, level))


def lower(options: Options, out: Any, level: int, size: int, dim: int | None) -> Any:
    """What a result of the mapped function is outside: the batch at ``dim``."""
    check_output(options, out, dim)
    value = seen_at(out, level)
    if type(value) is Batched and value.level == level:
        if dim is None:
            raise ValueError(
                f"vmap({options.name}, ...): `{options.name}` can not return a BatchedTensor when out_dim is None"
            )
        value = value.value
    elif dim is not None:
        value = values.expand(values.unsqueeze(value, 0), (size, *value.shape))
    elif not isinstance(out, Tensor):
        return out
    return functions["movedim"](as_tensor(value), 0, dim) if dim else as_tensor(value)


def check_output(options: Options, out: Any, dim: int | None) -> None:
    if not isinstance(out, Tensor) and dim is not None:
        raise ValueError(
            f"vmap({options.name}, ...): `{options.name}` must only return Tensors, got type {type(out)}. Did you mean to "
            "set out_dims= to None for output?"
        )


def in_chunks(options: Options, call: Callable, leaves: list, dims: list, size: int) -> Any:
    """Run the batch in pieces, and join the results."""
    chunk = options.chunk_size or size
    narrow = lambda leaf, d, start: functions["narrow"](leaf, d, start, min(chunk, size - start))
    run = lambda start, piece: run_batch(options, call, piece, dims, min(chunk, size - start))
    return joined(options, in_parts(options, leaves, dims, range(0, size, chunk), narrow, run), functions["cat"])


def run_loop(options: Options, call: Callable, leaves: list, dims: list, size: int) -> Any:
    """Call the function once per element."""
    if not size:
        raise ValueError(
            f"vmap({options.name}, fallback='loop'): a batch of no elements does not tell what is returned"
        )
    with running(0, size, "error" if options.randomness == "error" else "same"):
        parts = in_parts(options, leaves, dims, range(size), functions["select"], lambda i, one: call(*one))
    return joined(options, parts, functions["stack"])


def in_parts(options: Options, leaves: list, dims: list, starts: Any, cut: Callable, run: Callable) -> list:
    """The results for parts of the batch, which draw the same random numbers where they shall."""
    state, parts = random.Generator.get_state(random.default_generator), []
    for start in starts:
        if options.randomness == "same":
            random.Generator.set_state(random.default_generator, state)
        piece = [leaf if d is None else cut(leaf, d, start) for leaf, d in zip(leaves, dims, strict=True)]
        parts.append(run(start, piece))
    return parts


def joined(options: Options, parts: list, join: Callable) -> Any:
    """Results of parts of the batch as one, along the dimensions that ``out_dims`` names."""
    flat = [tree.flatten(part, is_leaf=lambda o: o is None) for part in parts]
    places = spread_out_dims(options, parts[0], flat[0][1])
    for out, d in zip(flat[0][0], places, strict=True):
        check_output(options, out, d)
    each = zip(zip(*[outputs for outputs, _ in flat], strict=True), places, strict=True)
    return tree.unflatten([o[0] if d is None else join(list(o), d) for o, d in each], flat[0][1])
