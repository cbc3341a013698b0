"""Operations that give the same elements another shape, most of them views.

What selects some of the elements is in ``slicing.py``, what repeats or reorders them in ``arranging.py``. A rule here
reads no more of its operand than the shape.
"""

from math import prod
from operator import index

from . import checks
from .batching import pad_dims
from .table import LINEAR, op, overload

INTERNAL = {"function": False, "method": False}  # no public name: an operation of rules and overloads
METHOD = {"function": False}  # PyTorch has it as a method only


# -- arguments ---------------------------------------------------------------------------------------------------------


def sizes(op_name, param, given):
    """A sequence of ints as a tuple; TypeError for anything else."""
    if not isinstance(given, (tuple, list)):
        raise TypeError(f"{op_name}(): argument '{param}' must be tuple of ints, not {type(given).__name__}")
    try:
        return tuple([n if type(n) is int else index(checks.refused_bool(n)) for n in given])
    except TypeError:
        kinds = ", ".join(type(n).__name__ for n in given)
        raise TypeError(f"{op_name}(): argument '{param}' must be tuple of ints, got ({kinds})") from None


def integer(op_name, param, given):
    """An int that the user gave; TypeError for anything else."""
    try:
        return index(checks.refused_bool(given))
    except TypeError:
        raise TypeError(f"{op_name}(): argument '{param}' must be int, not {type(given).__name__}") from None


def resolved(op_name, shape, given):
    """The shape that a tensor of ``shape`` can take, with the size that stands as -1 worked out."""
    target, numel = sizes(op_name, "shape", given), prod(shape)
    if target and min(target) < 0:
        return inferred(op_name, numel, target)
    if prod(target) != numel:
        raise RuntimeError(f"{op_name}: shape '{list(target)}' is invalid for input of size {numel}")
    return target


def inferred(op_name, numel, target):
    """A shape with its one -1 replaced so that it holds ``numel`` elements."""
    for position, n in enumerate(target):
        if n < -1:
            raise RuntimeError(
                f"{op_name}: invalid shape dimension {n} at index {position} of shape {list(target)}; only -1 may be "
                "negative"
            )
    if target.count(-1) > 1:
        raise RuntimeError(f"{op_name}: only one dimension can be inferred, but the shape is {list(target)}")
    known = prod(n for n in target if n != -1)
    if known == 0 and numel == 0:
        raise RuntimeError(
            f"{op_name}: cannot reshape tensor of 0 elements into shape {list(target)} because the unspecified dimension "
            "size -1 can be any value and is ambiguous"
        )
    if known == 0 or numel % known:
        raise RuntimeError(f"{op_name}: shape '{list(target)}' is invalid for input of size {numel}")
    return tuple(numel // known if n == -1 else n for n in target)


def form(signature, doc, choose, **forms):
    """Declare a public name whose ``input`` must be a tensor, and whose arguments decide which operation runs."""
    name = signature.split("(", 1)[0]

    def checked(input, *args):
        if not hasattr(input, "_data"):
            raise TypeError(f"{name}(): argument 'input' (position 1) must be Tensor, not {type(input).__name__}")
        return choose(input, *args)

    return overload(signature, doc, checked, **forms)


# -- batch rules -------------------------------------------------------------------------------------------------------


def trailing(xp, op, args, batched, size):
    """For operations whose dims count from the back: one more dimension in front changes nothing."""
    return xp.call(op, args)


def reshaped(xp, op, args, batched, size):
    """For operations that give the same elements in the same order the shape ``args[1]``."""
    return xp.reshape(args[0], (size, *args[1]))


# -- reshape and view --------------------------------------------------------------------------------------------------


def is_contiguous(input):
    """Whether a tensor's memory is in the order of its elements, or it is a value that has no memory."""
    flags = getattr(input._data, "flags", None)
    return flags is None or flags.c_contiguous


def is_viewable(input, shape):
    """Whether a tensor's memory can be seen as ``shape`` without a copy."""
    if is_contiguous(input):
        return True
    try:
        input._data.reshape(shape, copy=False)
    except ValueError:
        return False
    return True


def choose_view(input, size=None, dtype=None):
    given = size[0] if isinstance(size, (tuple, list)) and len(size) == 1 else size
    if dtype is not None or hasattr(given, "category"):  # a dtype, in the place of the size
        dtype = given if dtype is None else dtype
        return view_dtype, (input, dtype, viewed_shape(input, dtype))
    shape = resolved("view", input.shape, size)
    if not is_viewable(input, shape):
        raise RuntimeError(
            "view size is not compatible with input tensor's size and stride (at least one dimension spans across two "
            f"contiguous subspaces): view: cannot see shape {list(input.shape)} as {list(shape)} without a copy. "
            "Use .reshape(...) instead."
        )
    return view, (input, shape)


def viewed_shape(input, dtype):
    """The shape of the input's memory seen in another dtype: the last dimension has more elements, or fewer."""
    shape, had = tuple(input.shape), input.dtype
    if dtype.itemsize == had.itemsize:
        return shape
    title = f"to view {had._word} as {dtype._word} (different element sizes)"
    if not shape:
        raise RuntimeError(f"self.dim() cannot be 0 {title}")
    if input.stride(-1) != 1:
        raise RuntimeError(f"self.stride(-1) must be 1 {title}, but got {input.stride(-1)}")
    fewer = dtype.itemsize // had.itemsize  # zero where there are more
    for what, n in (("size(-1)", shape[-1]), *[(f"stride({d})", s) for d, s in enumerate(input.stride()[:-1])]):
        if fewer and n % fewer:
            raise RuntimeError(f"self.{what} must be divisible by {fewer} {title}, but got {n}")
    return (*shape[:-1], shape[-1] * had.itemsize // dtype.itemsize)


def shape_samples(t):
    return [
        ((t(2, 3, 4), (6, 4)), {}),
        ((t(2, 3, 4), (-1,)), {}),
        ((t(2, 3), (3, -1, 1)), {}),
        ((t(1), ()), {}),
        ((t(), (1, 1)), {}),
        ((t(), ()), {}),
        ((t(0, 3), (3, 0, 2)), {}),
    ]


def reshaping(name, node, doc, jvp):
    """Declare a form of ``reshape``: PyTorch's node tells whether the memory had to be copied."""
    return op(
        f"{name}(input, shape)",
        doc,
        vjp={"input": lambda xp, grad, input_shape: xp.reshape(grad, input_shape)},
        jvp=jvp,
        batch=reshaped,
        operands=("input",),
        view=True,
        node=node,
        samples=shape_samples,
        **INTERNAL,
    )


view = reshaping(
    "view",
    "ViewBackward0",
    "The input's memory, seen in another shape.",
    {"input": lambda xp, tangent, shape: xp.reshape(tangent, shape)},
)
reshape = reshaping(
    "reshape",
    "UnsafeViewBackward0",
    "The input's elements in another shape: a view where its memory allows that, a copy otherwise.",
    LINEAR,
)
reshape_alias = reshaping(
    "reshape_alias",
    "ReshapeAliasBackward0",
    "The input's memory, which is not contiguous, seen in another shape.",
    {"input": lambda xp, tangent, shape: xp.reshape(tangent, shape)},
)

view_dtype = op(
    "view_dtype(input, dtype, shape)",
    "The input's memory, seen in another dtype; ``shape`` is what the shape becomes. To the tape it is no view, as in PyTorch.",
    batch=lambda xp, op, args, batched, size: xp.call(op, (args[0], args[1], (size, *args[2]))),
    operands=("input",),
    samples=lambda t: [
        ((t.integers(0, 9, 2, 3), "int32", (2, 6)), {}),
        ((t.integers(0, 9, 2, 4, dtype="int16"), "int64", (2, 1)), {}),
        ((t.integers(0, 9), "float64", ()), {}),
    ],
    **INTERNAL,
)

raveled = reshaping(
    "raveled",
    "ViewBackward0",
    "The input's elements in another shape, always a copy.",
    {"input": lambda xp, tangent, shape: xp.reshape(tangent, shape)},
)


def reshape_to(op_name, input, shape):
    """What a reshape to ``shape`` runs: a view where the memory can stay, a copy where it cannot."""
    shape = resolved(op_name, input.shape, shape)
    if is_contiguous(input):
        return view, (input, shape)
    return (reshape_alias if is_viewable(input, shape) else reshape), (input, shape)


form(
    "reshape(input, shape)",
    "The input's elements in another shape, of which one size may be -1: a view where its memory allows that, a copy "
    "otherwise.",
    lambda input, shape: reshape_to("reshape", input, shape),
    star="shape",
)
form(
    "view(input, size=None, *, dtype=None)",
    "The input's memory, seen in another shape, of which one size may be -1, or in another dtype, by which no gradient "
    "flows; RuntimeError where that needs a copy.",
    choose_view,
    star="size",
    **METHOD,
)
form(
    "view_as(input, other)",
    "The input's memory, seen in the shape of ``other``.",
    lambda input, other: choose_view(input, tuple(other.shape)),
    **METHOD,
)
form(
    "reshape_as(input, other)",
    "The input's elements in the shape of ``other``.",
    lambda input, other: reshape_to("reshape_as", input, tuple(other.shape)),
    **METHOD,
)


def choose_flatten(input, start_dim=0, end_dim=-1):
    shape = tuple(input.shape)
    start, end = (checks.dim("flatten", d, len(shape)) for d in (start_dim, end_dim))
    if start > end:
        raise RuntimeError(
            f"flatten() has invalid args: start_dim cannot come after end_dim, but they are {start} and {end}"
        )
    if shape and start == end:
        return None, input
    return reshape_to("flatten", input, (*shape[:start], prod(shape[start : end + 1]), *shape[end + 1 :]))


form(
    "flatten(input, start_dim=0, end_dim=-1)",
    "The input with the dims from ``start_dim`` to ``end_dim`` (both included) made one; a zero-dim input gets one.",
    choose_flatten,
)
form(
    "ravel(input)",
    "The input as one contiguous dimension: a view where its memory is in the order of its elements, a copy otherwise.",
    lambda input: (view if is_contiguous(input) else raveled, (input, resolved("ravel", input.shape, (-1,)))),
)


def choose_unflatten(input, dim, sizes):
    shape = tuple(input.shape)
    dim = checks.dim("unflatten", dim, len(shape))
    target = unflattened(shape[dim] if shape else 1, dim, sizes)
    return view, (input, (*shape[:dim], *target, *shape[dim + 1 :]))


def unflattened(extent, dim, given):
    """The sizes that a dimension of size ``extent`` is split into."""
    target = sizes("unflatten", "sizes", given)
    if not target:
        raise RuntimeError("unflatten: sizes must be non-empty")
    known = prod(n for n in target if n != -1)
    if (
        target.count(-1) > 1
        or (-1 in target and (not known or extent % known))
        or (-1 not in target and known != extent)
    ):
        raise RuntimeError(
            f"unflatten: Provided sizes {list(target)} don't multiply up to the size of dim {dim} ({extent}) in the input "
            "tensor"
        )
    return tuple(extent // known if n == -1 else n for n in target)


form(
    "unflatten(input, dim, sizes)",
    "The input with one dimension split into several of ``sizes``, of which one may be -1.",
    choose_unflatten,
)


# -- dimensions of size one --------------------------------------------------------------------------------------------


def squeezed(shape, dim):
    """The shape without its dimensions of size one, or without those among ``dim``."""
    chosen = range(len(shape)) if dim is None else dim if isinstance(dim, tuple) else (dim,)
    return tuple(n for d, n in enumerate(shape) if n != 1 or d not in chosen)


def batch_squeeze(xp, op, args, batched, size):
    value, dim = args
    return xp.reshape(value, (size, *squeezed(tuple(value.shape)[1:], dim)))


def unsqueezing(name, dim, doc, node, **fields):
    """Declare a form of ``squeeze``; the three have one kernel and one rule, but a node of its own each."""
    return op(
        f"{name}(input, dim{dim})",
        doc,
        vjp={"input": lambda xp, grad, input_shape: xp.reshape(grad, input_shape)},
        jvp=LINEAR,
        batch=batch_squeeze,
        operands=("input",),
        view=True,
        node=node,
        **fields,
        **INTERNAL,
    )


squeeze = unsqueezing(
    "squeeze",
    "=None",
    "The input without its dimensions of size one.",
    "SqueezeBackward0",
    samples=lambda t: [((t(1, 2, 1, 3),), {}), ((t(2, 3),), {}), ((t(1, 1),), {}), ((t(),), {}), ((t(1, 0),), {})],
)
squeeze_dim = unsqueezing(
    "squeeze_dim",
    "",
    "The input without dimension ``dim`` if that has size one.",
    "SqueezeBackward1",
    samples=lambda t: [((t(1, 2, 1), 2), {}), ((t(1, 2), 1), {}), ((t(), 0), {}), ((t(1, 0), 0), {})],
)
squeeze_dims = unsqueezing(
    "squeeze_dims",
    "",
    "The input without those of the dims ``dim`` that have size one.",
    "SqueezeBackward2",
    samples=lambda t: [((t(1, 2, 1), (0, 1)), {}), ((t(1, 2, 1), (0, 2)), {}), ((t(1, 2), ()), {}), ((t(), (0,)), {})],
)


def choose_squeeze(input, dim=None):
    if dim is None:
        return squeeze, (input, None)
    if isinstance(dim, (tuple, list)):
        return squeeze_dims, (input, checks.dims("squeeze", dim, input.ndim))
    return squeeze_dim, (input, checks.dim("squeeze", dim, input.ndim))


form(
    "squeeze(input, dim=None)",
    "A view without the dimensions of size one: all of them, or those among ``dim`` (an int or a tuple).",
    choose_squeeze,
)

unsqueeze = op(
    "unsqueeze(input, dim)",
    "A view with a new dimension of size one at ``dim``.",
    vjp={"input": lambda xp, grad, input_shape: xp.reshape(grad, input_shape)},
    jvp=LINEAR,
    batch=lambda xp, op, args, batched, size: xp.unsqueeze(args[0], args[1] + 1 if args[1] >= 0 else args[1]),
    operands=("input",),
    view=True,
    prepare=lambda input, dim: (input, checks.dim("unsqueeze", dim, input.ndim + 1)),
    samples=lambda t: [((t(2, 3), 0), {}), ((t(2, 3), -1), {}), ((t(2, 3), 1), {}), ((t(), 0), {}), ((t(0, 2), 1), {})],
    errors=lambda t: [((t(2, 3), 3), {}, IndexError), ((t(2, 3), -4), {}, IndexError), ((t(2), 0.5), {}, TypeError)],
)


# -- expanding ---------------------------------------------------------------------------------------------------------


def prepare_expand(input, size):
    return input, expanded("expand", tuple(input.shape), size)


def expanded(op_name, shape, given):
    """The shape that ``shape`` is expanded to, where -1 keeps a size."""
    size = sizes(op_name, "size", given)
    lead = len(size) - len(shape)
    if lead < 0:
        raise RuntimeError(
            f"{op_name}: the number of sizes provided ({len(size)}) must be greater or equal to the number of dimensions in "
            f"the tensor ({len(shape)}): cannot expand {list(shape)} to {list(size)}"
        )
    for d, n in enumerate(size[:lead]):
        if n < 0:
            raise RuntimeError(
                f"{op_name}: The expanded size of the tensor ({n}) isn't allowed in a leading, non-existing dimension {d}"
            )
    if -1 in size:
        size = size[:lead] + tuple([had if n == -1 else n for n, had in zip(size[lead:], shape, strict=True)])
    for d, had in enumerate(shape):
        n = size[lead + d]
        if n != had and (had != 1 or n < 0):
            raise RuntimeError(
                f"{op_name}: The expanded size of the tensor ({n}) must match the existing size ({had}) at non-singleton "
                f"dimension {lead + d}.  Target sizes: {list(size)}.  Tensor sizes: {list(shape)}"
            )
    return size


def batch_expand(xp, op, args, batched, size):
    value, target = args
    return xp.expand(pad_dims(xp, value, len(target)), (size, *target))


expand = op(
    "expand(input, size)",
    "A view in which dimensions of size one, and new ones in front, are repeated without copying; -1 keeps a size.",
    vjp={"input": lambda xp, grad, input_shape: xp.sum_to_size(grad, input_shape)},
    jvp=LINEAR,
    batch=batch_expand,
    operands=("input",),
    view=True,
    prepare=prepare_expand,
    star="size",
    samples=lambda t: [
        ((t(1, 3), (2, 3)), {}),
        ((t(1, 3), (4, -1, 3)), {}),
        ((t(2, 3), (2, 3)), {}),
        ((t(), (2, 2)), {}),
        ((t(), ()), {}),
        ((t(1, 3), (0, 3)), {}),
        ((t(2, 1, 3), (2, 2, 4, 3)), {}),
    ],
    errors=lambda t: [
        ((t(2, 3), (3,)), {}, RuntimeError),
        ((t(2, 3), (3, 3)), {}, RuntimeError),
        ((t(2, 3), (-1, 2, 3)), {}, RuntimeError),
        ((t(2, 3), (-2, 3)), {}, RuntimeError),
    ],
    **METHOD,
)
form(
    "expand_as(input, other)",
    "A view of the input, expanded to the shape of ``other``.",
    lambda input, other: (expand, (input, tuple(other.shape))),
    **METHOD,
)
form(
    "broadcast_to(input, size)",
    "A view of the input, expanded to ``size``.",
    lambda input, size: (expand, (input, expanded("broadcast_to", tuple(input.shape), size))),
    star="size",
)


def batch_sum_to_size(xp, op, args, batched, size):
    value, target = args
    shape = tuple(value.shape)[1:]
    lead = len(shape) - len(target)
    ones = [d + lead for d, n in enumerate(target) if n == 1]
    dims = tuple(d + 1 for d in (*range(lead), *ones))
    return xp.reshape(xp.sum(value, dims, True), (size, *target)) if dims else value


def summing(name, node, doc, samples):
    """Declare a form of ``sum_to_size``; PyTorch's node tells whether dimensions were only summed, or dropped too."""
    return op(
        f"{name}(input, size)",
        doc,
        vjp={"input": lambda xp, grad, input_shape: xp.expand(grad, input_shape)},
        jvp=LINEAR,
        batch=batch_sum_to_size,
        operands=("input",),
        node=node,
        samples=samples,
        **INTERNAL,
    )


sum_to_size = summing(
    "sum_to_size",
    "SumBackward1",
    "The sum over the dimensions by which ``size`` would be expanded to the input's shape.",
    lambda t: [((t(2, 3), (1, 3)), {}), ((t(0, 3), (1, 3)), {}), ((t(0, 3), (0, 1)), {})],
)
sum_to_size_smaller = summing(
    "sum_to_size_smaller",
    "ViewBackward0",
    "As :func:`sum_to_size`, to fewer dimensions.",
    lambda t: [((t(2, 3, 4), (3, 1)), {}), ((t(2, 3), (1,)), {}), ((t(2, 3), (3,)), {})],
)
sum_to_size_scalar = summing(
    "sum_to_size_scalar",
    "SumBackward0",
    "As :func:`sum_to_size`, to no dimensions.",
    lambda t: [((t(2, 3), ()), {}), ((t(0), ()), {})],
)


def choose_sum_to_size(input, size):
    size, shape = sizes("sum_to_size", "size", size), tuple(input.shape)
    fits = len(size) <= len(shape) and all(n in (1, had) for n, had in zip(size[::-1], shape[::-1], strict=False))
    if not fits:
        raise RuntimeError(f"sum_to_size: size {{{list(size)}}} is not expandable to size {{{list(shape)}}}.")
    if size == shape:
        return None, input
    fewer = sum_to_size_smaller if size else sum_to_size_scalar
    return (sum_to_size if len(size) == len(shape) else fewer), (input, size)


form("sum_to_size(input, size)", sum_to_size.doc, choose_sum_to_size, star="size", **METHOD)


# -- copies ------------------------------------------------------------------------------------------------------------

clone = op(
    "clone(input, *, memory_format=None)",
    "A copy with its own memory, through which gradients flow. The only memory format is the strided one.",
    vjp={"input": lambda xp, grad: grad},
    jvp=LINEAR,
    batch="elementwise",
)

contiguous = op(
    "contiguous(input)",
    "A copy whose memory is in the order of the elements.",
    vjp={"input": lambda xp, grad: grad},
    jvp=LINEAR,
    batch="elementwise",
    node="CloneBackward0",
    **INTERNAL,
)


def choose_contiguous(input, memory_format=None):
    return (None, input) if is_contiguous(input) else (contiguous, (input,))


form(
    "contiguous(input, memory_format=None)",
    "The input itself if its memory is in the order of its elements, else a copy whose memory is.",
    choose_contiguous,
    **METHOD,
)
