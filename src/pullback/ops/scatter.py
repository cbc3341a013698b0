"""Gathering and scattering along one dimension.

``index`` holds positions along ``dim``. In ``gather`` and ``scatter*`` it has a position for each element; in ``index_*``
it is a vector of positions of whole slices. It is never differentiable, and never negative (except in ``index_fill``).
"""

from . import checks
from .batching import full_batch, logical_ndim, pad_dims
from .indexing import batch_index, batch_index_put
from .table import LINEAR, TABLE, op, overload
from .writing import WHOLE, check_value, fit, needs_tensor, number, same_dtype, to_dtype

# -- checks ------------------------------------------------------------------------------------------------------------


def check_long(op_name, index, message, names=("int64", "int32"), error=RuntimeError):
    needs_tensor(op_name, "index", 3, index)
    if index.dtype.name not in names:
        raise error(message)


def at_least_1d(shape):
    return tuple(shape) or (1,)


def check_gather(input, dim, index, sparse_grad=False):
    check_long("gather", index, "gather(): Expected dtype int32/int64 for index")
    dim = checks.dim("gather", dim, input.ndim)
    if index.numel():
        shape, wanted = at_least_1d(input.shape), at_least_1d(index.shape)
        if len(shape) != len(wanted):
            raise RuntimeError(
                "Index tensor must have the same number of dimensions as input tensor: "
                f"gather got an index of shape {list(index.shape)} for an input of shape {list(input.shape)}"
            )
        for d, (n, m) in enumerate(zip(wanted, shape, strict=True)):
            if d != dim and n > m:
                raise RuntimeError(
                    f"Size does not match at dimension {d} expected index {list(index.shape)} to be no larger than self "
                    f"{list(input.shape)} apart from dimension {dim}"
                )
    return input, dim, index, sparse_grad


def check_scatter(op_name, input, dim, index, src):
    """The dimension along which to scatter; PyTorch's errors for dtypes and shapes that do not go together."""
    check_long(op_name, index, f"{op_name}(): Expected dtype int32/int64 for index")
    dim = checks.dim(op_name, dim, input.ndim)
    if hasattr(src, "dtype"):
        same_dtype("scatter(): Expected self.dtype to be equal to src.dtype, but got {} and {}", input, src)
    if not index.numel():
        return dim
    shape, wanted = at_least_1d(input.shape), at_least_1d(index.shape)
    source = at_least_1d(src.shape) if hasattr(src, "dtype") else wanted
    for other, name in ((shape, "self"), (source, "src")):
        if len(wanted) != len(other):
            raise RuntimeError(
                f"Index tensor must have the same number of dimensions as {name} tensor: {op_name} got an index of shape "
                f"{list(index.shape)} for one of shape {list(other)}"
            )
    small = all(d == dim or n <= m for d, (n, m) in enumerate(zip(wanted, shape, strict=True)))
    if not small or any(n > m for n, m in zip(wanted, source, strict=True)):
        raise RuntimeError(
            f"Expected index {list(index.shape)} to be no larger than self {list(input.shape)} apart from dimension "
            f"{dim} and to be no larger size than src {list(source)}"
        )
    return dim


# -- batches -----------------------------------------------------------------------------------------------------------


def batch_along(like=0, shape_at=None):
    """The batch rule of operations along ``args[1]``: zero-dim operands get a dimension to work along.

    Args:
        like: the position of the argument whose shape the result has.
        shape_at: of the argument that is the result's shape.
    """

    def rule(xp, op, args, batched, size):
        ndim = len(args[shape_at]) if shape_at else logical_ndim(args[like], batched[like])
        args = [raised(xp, full_batch(xp, a, b, size)) for a, b in zip(args, batched, strict=True)]
        args[1] += 1
        if shape_at:
            args[shape_at] = (size, *at_least_1d(args[shape_at]))
        found = xp.call(op, args)
        return found if ndim else xp.reshape(found, (size,))

    return rule


def raised(xp, value):
    """A batch of zero-dim values with one dimension."""
    return xp.unsqueeze(value, 1) if getattr(value, "ndim", 0) == 1 else value


def slices_key(dim, index):
    """The index that finds whole slices along a dimension."""
    return (*[WHOLE] * dim, index)


def batch_slices(put):
    """The batch rule of ``index_*``: along the next dimension where all share the index, by an index put otherwise.

    ``put(xp, *args)`` gives the values and whether they are added.
    """

    def rule(xp, op, args, batched, size):
        ndim = logical_ndim(args[0], batched[0])
        input = full_batch(xp, args[0], batched[0], size)
        args = [input if ndim else raised(xp, input), *args[1:]]
        if batched[2]:
            index = args[2] if args[2].ndim > 1 else xp.unsqueeze(args[2], 1)
            values, accumulate = put(xp, *args)
            flags = [True, [*[False] * args[1], True], batched[3] if hasattr(values, "ndim") else False, False]
            key = slices_key(args[1], index)
            found = batch_index_put(xp, TABLE["index_put"], [args[0], key, values, accumulate], flags, size)
        else:
            source = args[3]
            if hasattr(source, "ndim"):
                source = source if batched[3] else xp.unsqueeze(source, 0)
                source = pad_dims(xp, source, max(ndim, 1))
                source = xp.expand(source, (size, *tuple(source.shape)[1:]))
            found = xp.call(op, [args[0], args[1] + 1, args[2], source, *args[4:]])
        return found if ndim else xp.reshape(found, (size,))

    return rule


# -- gather ------------------------------------------------------------------------------------------------------------

gather = op(
    "gather(input, dim, index, *, sparse_grad=False)",
    "The elements at positions along a dimension: ``result[i, j] = input[index[i, j], j]`` for ``dim=0``.",
    vjp={"input": lambda xp, grad, dim, index, input_shape: xp.ungather(grad, dim, index, input_shape)},
    jvp=LINEAR,
    batch=batch_along(like=2),
    operands=("input", "index"),
    prepare=check_gather,
    out=True,
    samples=lambda t: [
        ((t(3, 4), 0, t.integers(0, 3, 2, 4)), {}),
        ((t(3, 4), -1, t.integers(0, 4, 3, 6)), {}),
        ((t(3, 4), 1, t.integers(0, 4, 2, 1)), {}),
        ((t(), 0, t.integers(0, 1)), {}),
        ((t(3, 4), 0, t.integers(0, 3, 0, 4)), {}),
    ],
    errors=lambda t: [
        ((t(3, 4), 0, t.integers(3, 5, 2, 4)), {}, RuntimeError),
        ((t(3, 4), 0, t.integers(0, 3, 2)), {}, RuntimeError),
        ((t(3, 4), 0, t.integers(0, 3, 2, 5)), {}, RuntimeError),
        ((t(3, 4), 2, t.integers(0, 3, 2, 4)), {}, IndexError),
        ((t(3, 4), 0, t(2, 4)), {}, RuntimeError),
    ],
)
ungather = op(
    "ungather(input, dim, index, shape)",
    "Zeros of a shape, to which the input is added at positions along a dimension.",
    vjp={"input": lambda xp, grad, dim, index: xp.gather(grad, dim, index)},
    jvp=LINEAR,
    batch=batch_along(shape_at=3),
    operands=("input", "index"),
    method=False,
    function=False,
    samples=lambda t: [
        ((t(2, 4), 0, t.integers(0, 3, 2, 4), (3, 4)), {}),
        ((t(3, 1), 1, t.integers(0, 4, 3, 1), (3, 4)), {}),
        ((t(2), 0, t.integers(0, 1, 2), ()), {}),
    ],
)


# -- scatter -----------------------------------------------------------------------------------------------------------


def for_source(xp, grad, shape):
    """The gradient of a source of which an index covered the leading part only."""
    shape = tuple(shape)
    if tuple(grad.shape) == shape:
        return grad
    if 0 in grad.shape:
        return xp.expand(xp.sum(grad), shape)
    return xp.unindex(grad, tuple([slice(n) for n in grad.shape]), shape)


def covered(xp, src, index):
    """The leading part of a source that an index covers."""
    if not hasattr(src, "ndim") or tuple(src.shape) == tuple(index.shape):
        return src
    return xp.getitem(src, tuple([slice(n) for n in index.shape]))


def prepare_scatter(input, dim, index, src, reduce):
    if reduce not in (None, "add", "multiply"):
        raise RuntimeError(f"reduce argument must be either add or multiply, got {reduce}")
    if not hasattr(src, "dtype"):
        src = number(src, input.dtype)
    return input, check_scatter("scatter", input, dim, index, src), index, src, reduce


def only_linear(reduce):
    """Raise PyTorch's error for the derivative of the one form that has none there."""
    if reduce == "multiply":
        raise RuntimeError(
            "derivative for aten::scatter with reduce='multiply' is not implemented; use scatter_reduce(reduce='prod')"
        )


def scatter_input(xp, grad, dim, index, reduce):
    only_linear(reduce)
    return grad if reduce else xp.scatter(grad, dim, index, 0)


def scatter_source(xp, grad, dim, index, reduce, src_shape):
    only_linear(reduce)
    return for_source(xp, xp.gather(grad, dim, index), src_shape)


scatter = op(
    "scatter(input, dim, index, src, *, reduce=None)",
    "The input with elements of ``src``, or one number, at positions along a dimension.",
    vjp={"input": scatter_input, "src": scatter_source},
    jvp={
        "input": lambda xp, tangent, dim, index, reduce: scatter_input(xp, tangent, dim, index, reduce),
        "src": lambda xp, tangent, dim, index, reduce, input_shape: scatter_tangent(
            xp, tangent, dim, index, reduce, input_shape
        ),
    },
    batch=batch_along(),
    operands=("input", "index", "src"),
    prepare=prepare_scatter,
    node=("ScatterBackward1", "ScatterBackward0"),
    method=False,
    function=False,
    samples=lambda t: [
        ((t(3, 4), 0, t.integers(0, 1, 1, 4), t(1, 4)), {}),
        ((t(3, 4), 1, t.integers(3, 4, 2, 1), t(2, 1)), {}),
        ((t(3, 4), -1, t.integers(0, 4, 3, 2), 1.5), {}),
        ((t(), 0, t.integers(0, 1), t()), {}),
        ((t(3), 0, t.integers(0, 3, 0), t(2)), {}),
    ],
    errors=lambda t: [
        ((t(3, 4), 0, t.integers(3, 5, 2, 4), t(2, 4)), {}, RuntimeError),
        ((t(3, 4), 0, t.integers(0, 3, 4, 4), t(2, 4)), {}, RuntimeError),
        ((t(3, 4), 0, t.integers(0, 3, 2), t(2, 4)), {}, RuntimeError),
        ((t(3, 4), 0, t.integers(0, 3, 2, 4), 1.0), {"reduce": "mean"}, RuntimeError),
    ],
)


def choose_scatter(input, dim, index, src, value, reduce):
    if (src is None) == (value is None):
        raise TypeError(
            "scatter() received an invalid combination of arguments: exactly one of src and value is needed"
        )
    if hasattr(value, "dtype"):
        raise TypeError("scatter(): argument 'value' must be Number, not Tensor")
    return scatter, (input, dim, index, src if value is None else value, reduce)


overload(
    "scatter(input, dim, index, src=None, *, value=None, reduce=None)",
    f"{scatter.doc} With ``reduce='add'`` or ``'multiply'``, they are combined with what is there.",
    choose_scatter,
    out=True,
)
overload(
    "scatter_(input, dim, index, src=None, *, value=None, reduce=None)",
    "In-place form of :func:`scatter`.",
    lambda *args: (*choose_scatter(*args), True),
    function=False,
)


def scatter_tangent(xp, tangent, dim, index, reduce, shape):
    only_linear(reduce)
    if reduce:
        return xp.ungather(covered(xp, tangent, index), dim, index, shape)
    return xp.scatter(xp.expand(0.0 * xp.sum(tangent), shape), dim, index, tangent)


def prepare_scatter_add(input, dim, index, src):
    needs_tensor("scatter_add", "src", 3, src)
    return input, check_scatter("scatter_add", input, dim, index, src), index, src


scatter_add = op(
    "scatter_add(input, dim, index, src)",
    "The input with elements of ``src`` added at positions along a dimension.",
    vjp={
        "input": lambda xp, grad: grad,
        "src": lambda xp, grad, dim, index, src_shape: for_source(xp, xp.gather(grad, dim, index), src_shape),
    },
    jvp=LINEAR,
    batch=batch_along(),
    operands=("input", "index", "src"),
    prepare=prepare_scatter_add,
    inplace=True,
    out=True,
    samples=lambda t: [
        ((t(3, 4), 0, t.integers(0, 3, 2, 4), t(2, 4)), {}),
        ((t(3, 4), -1, t.integers(0, 4, 3, 6), t(3, 6)), {}),
        ((t(), 0, t.integers(0, 1), t()), {}),
        ((t(3), 0, t.integers(0, 3, 0), t(2)), {}),
    ],
    errors=lambda t: [
        ((t(3, 4), 0, t.integers(3, 5, 2, 4), t(2, 4)), {}, RuntimeError),
        ((t(3, 4), 0, t.integers(0, 3, 2), t(2, 4)), {}, RuntimeError),
    ],
)


# -- whole slices ------------------------------------------------------------------------------------------------------


def check_vector(op_name, index, message, error):
    if index.ndim > 1:
        raise error(f"{op_name}: {message}, but got one of shape {list(index.shape)}")


def prepare_index_select(input, dim, index):
    check_long("index_select", index, "index_select(): Expected dtype int32 or int64 for index")
    check_vector("index_select()", index, "Index is supposed to be a vector", IndexError)
    if not input.ndim and index.numel() != 1:
        raise RuntimeError(f"index_select(): Index to scalar can have only 1 value, got {index.numel()} value(s)")
    return input, checks.dim("index_select", dim, input.ndim), index


def batch_index_select(xp, op, args, batched, size):
    input, dim, index = args
    ndim = logical_ndim(input, batched[0])
    if batched[1 + 1]:
        index = raised(xp, index)
        input = input if ndim else xp.unsqueeze(input, -1)
        flags = [batched[0], [*[False] * dim, True]]
        found = batch_index(xp, TABLE["index"], [input, slices_key(dim, index)], flags, size)
    else:
        found = xp.call(op, (input if ndim else xp.unsqueeze(input, 1), dim + 1, index))
    return found if ndim else xp.reshape(found, (size,))


def unselect(xp, grad, dim, index, shape):
    """Zeros of a shape with slices added."""
    if not shape:
        return xp.reshape(grad, ())
    return xp.unindex(grad, slices_key(dim, xp.reshape(index, (-1,))), tuple(shape))


index_select = op(
    "index_select(input, dim, index)",
    "The slices along a dimension at a vector of positions.",
    vjp={"input": lambda xp, grad, dim, index, input_shape: unselect(xp, grad, dim, index, input_shape)},
    jvp=LINEAR,
    batch=batch_index_select,
    operands=("input", "index"),
    prepare=prepare_index_select,
    out=True,
    samples=lambda t: [
        ((t(3, 4), 0, t.integers(0, 3, 5)), {}),
        ((t(3, 4, 2), -2, t.integers(0, 4, 2)), {}),
        ((t(3, 4), 1, t.integers(0, 4)), {}),
        ((t(), 0, t.integers(0, 1, 1)), {}),
        ((t(3, 4), 0, t.integers(0, 3, 0)), {}),
    ],
    errors=lambda t: [
        ((t(3, 4), 0, t.integers(3, 5, 2)), {}, IndexError),
        ((t(3, 4), 0, t.integers(0, 3, 2, 2)), {}, IndexError),
        ((t(3, 4), 0, t(2)), {}, RuntimeError),
    ],
)


def check_slices(op_name, input, dim, index, source, error=RuntimeError):
    """A source has as many slices along ``dim`` as the index, of the input's shape otherwise."""
    shape, given = at_least_1d(input.shape), at_least_1d(source.shape)
    count = given[dim] if dim < len(given) else 1
    if len(given) != len(shape) or index.numel() != count:
        raise error(
            f"{op_name}(): Number of indices ({index.numel()}) should be equal to source.size(dim): ({count}), for dim: "
            f"{dim}, and source must have as many dims as self; got source.shape = {list(source.shape)}, self.shape = "
            f"{list(input.shape)}"
        )
    if any(d != dim and n != m for d, (n, m) in enumerate(zip(shape, given, strict=True))):
        raise RuntimeError(
            f"{op_name}(): source tensor shape must match self tensor shape, excluding the specified dimension. Source/"
            f"destination tensor must have same slice shapes. Got self.shape = {list(input.shape)} source.shape = "
            f"{list(source.shape)}"
        )


def prepare_index_add(input, dim, index, source, alpha):
    check_long("index_add", index, "index_add(): Expected dtype int32/int64 for index")
    check_vector("index_add_()", index, "Index is supposed to be a vector", IndexError)
    needs_tensor("index_add", "source", 4, source)
    same_dtype("index_add_(): self ({}) and source ({}) must have the same scalar type", input, source)
    dim = checks.dim("index_add", dim, input.ndim)
    check_slices("index_add_", input, dim, index, source)
    if input.ndim != source.ndim:
        raise RuntimeError(
            "index_add_(): source tensor shape must match self tensor shape, excluding the specified dimension. Got "
            f"self.shape = {list(input.shape)} source.shape = {list(source.shape)}"
        )
    return input, dim, index, source, number(alpha, input.dtype)


def slices(xp, grad, dim, index, shape):
    """The gradient of a source whose slices went to positions along a dimension."""
    return (
        xp.reshape(xp.index_select(grad, dim, index), tuple(shape)) if not shape else xp.index_select(grad, dim, index)
    )


def times(xp, value, alpha):
    return value if alpha == 1 else xp.mul(value, alpha)


index_add = op(
    "index_add(input, dim, index, source, *, alpha=1)",
    "The input with ``alpha`` times the slices of ``source`` added at a vector of positions along a dimension.",
    vjp={
        "input": lambda xp, grad: grad,
        "source": lambda xp, grad, dim, index, alpha, source_shape: times(
            xp, slices(xp, grad, dim, index, source_shape), alpha.conjugate()
        ),
    },
    jvp=LINEAR,
    batch=batch_slices(lambda xp, input, dim, index, source, alpha: (times(xp, source, alpha), True)),
    operands=("input", "index", "source"),
    prepare=prepare_index_add,
    inplace=True,
    out=True,
    samples=lambda t: [
        ((t(3, 4), 0, t.integers(0, 3, 5), t(5, 4)), {}),
        ((t(3, 4), -1, t.integers(0, 4, 2), t(3, 2)), {"alpha": 2.5}),
        ((t(3, 4), 0, t.integers(0, 3), t(1, 4)), {}),
        ((t(), 0, t.integers(0, 1), t()), {}),
        ((t(3, 4), 0, t.integers(0, 3, 0), t(0, 4)), {}),
    ],
    errors=lambda t: [
        ((t(3, 4), 0, t.integers(3, 5, 2), t(2, 4)), {}, RuntimeError),
        ((t(3, 4), 0, t.integers(0, 3, 2), t(3, 4)), {}, RuntimeError),
        ((t(3, 4), 0, t.integers(0, 3, 2), t(2, 3)), {}, RuntimeError),
        ((t(3, 4), 0, t.integers(0, 3, 1, 1), t(1, 4)), {}, IndexError),
    ],
)


def prepare_index_copy(input, dim, index, source):
    check_long("index_copy", index, "index_copy_(): Expected a long tensor for index", ("int64",))
    check_vector("index_copy_()", index, "Index should have dimension 1 or 0", IndexError)
    needs_tensor("index_copy", "source", 4, source)
    same_dtype("index_copy_(): self and source expected to have the same dtype, but got (self) {} and (source) {}",
               input, source)  # fmt: skip
    dim = checks.dim("index_copy", dim, input.ndim)
    check_slices("index_copy_", input, dim, index, source, IndexError)
    return input, dim, index, source


index_copy = op(
    "index_copy(input, dim, index, source)",
    "The input with the slices of ``source`` at a vector of positions along a dimension.",
    vjp={
        "input": lambda xp, grad, dim, index: xp.index_fill(grad, dim, index, 0),
        "source": lambda xp, grad, dim, index, source_shape: slices(xp, grad, dim, index, source_shape),
    },
    jvp=LINEAR,
    batch=batch_slices(lambda xp, input, dim, index, source: (source, False)),
    operands=("input", "index", "source"),
    prepare=prepare_index_copy,
    inplace=True,
    out=True,
    samples=lambda t: [
        ((t(3, 4), 0, t.integers(1, 2, 1), t(1, 4)), {}),
        ((t(3, 4), -1, t.integers(0, 4), t(3, 1)), {}),
        ((t(), 0, t.integers(0, 1), t()), {}),
    ],
    errors=lambda t: [
        ((t(3, 4), 0, t.integers(3, 5, 2), t(2, 4)), {}, IndexError),
        ((t(3, 4), 0, t.integers(0, 3, 2), t(3, 4)), {}, IndexError),
    ],
)


def prepare_index_fill(input, dim, index, value):
    check_long("index_fill", index, "index_fill_(): Expected dtype int64 for index.", ("int64",), IndexError)
    check_vector("index_fill_()", index, "Index has to be a vector/scalar", RuntimeError)
    if isinstance(value, complex) and input.dtype.category != checks.COMPLEX:
        raise RuntimeError("index_fill_(): Converting complex Scalar to non-complex type is not supported")
    return input, checks.dim("index_fill", dim, input.ndim), index, check_value("index_fill", input, value)


index_fill = op(
    "index_fill(input, dim, index, value)",
    "The input with a number, or the value of a zero-dim tensor, in the slices at a vector of positions along a dimension.",
    vjp={
        "input": lambda xp, grad, dim, index: xp.index_fill(grad, dim, index, 0),
        "value": lambda xp, grad, dim, index, value_shape, value_dtype: to_dtype(
            xp,
            fit(xp, xp.where(xp.index_fill(xp.zeros_like(grad), dim, index, 1) != 0, grad, 0), value_shape),
            value_dtype,
        ),
    },
    jvp=LINEAR,
    batch=batch_slices(lambda xp, input, dim, index, value: (value, False)),
    prepare=prepare_index_fill,
    operands=("input", "index", "value"),
    node=("IndexFillBackward0", "IndexFillBackward1"),
    inplace=True,
    samples=lambda t: [
        ((t(*shape), dim, index, value), {})
        for shape, dim, index in (
            ((3, 4), 0, t.integers(0, 3, 2)),
            ((3, 4), -1, t.integers(-4, 4, 2)),
            ((3, 4), 1, t.integers(0, 4)),
            ((), 0, t.integers(0, 1)),
        )
        for value in (1.5, t())
    ],
    errors=lambda t: [
        ((t(3, 4), 0, t.integers(3, 5, 2), 1.0), {}, IndexError),
        ((t(3, 4), 0, t.integers(0, 3, 2), t(1)), {}, RuntimeError),
    ],
)
