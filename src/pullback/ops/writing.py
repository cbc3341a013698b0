"""Writing over a tensor: all of it, or a region that a basic index or a diagonal names.

Also what operations that write check about what is written. A number is brought to the tensor's dtype as PyTorch does;
a tensor that is written takes the dtype of the one it is written to, and its gradient comes back in its own.
"""

from math import prod

from . import checks
from .batching import elementwise, full_batch, pad_dims
from .table import LINEAR, composite, op, overload

WHOLE = slice(None)


# -- what is written ---------------------------------------------------------------------------------------------------


def fit(xp, grad, shape):
    """A gradient summed to the shape that its operand was broadcast from."""
    shape, given = tuple(shape), tuple(grad.shape)
    if given == shape:
        return grad
    if len(shape) > len(given):  # an operand with more leading ones
        grad = xp.reshape(grad, (*[1] * (len(shape) - len(given)), *given))
    return xp.sum_to_size(grad, shape)


def to_dtype(xp, grad, dtype):
    """A gradient in the dtype of its operand; of a complex one, the real part for a real operand."""
    if grad.dtype.name == dtype.name:
        return grad
    if grad.dtype.name.startswith("complex") and not dtype.name.startswith("complex"):
        grad = xp.real(grad)
    return xp.cast(grad, dtype)


def needs_tensor(op_name, name, position, value):
    """Raise PyTorch's TypeError for an argument that is no tensor."""
    if not hasattr(value, "dtype"):
        raise TypeError(
            f"{op_name}(): argument '{name}' (position {position}) must be Tensor, not {type(value).__name__}"
        )


def same_dtype(message, input, source):
    """Raise ``message`` where two tensors differ in dtype; it is given both of PyTorch's names for them."""
    if input.dtype.name != source.dtype.name:
        raise RuntimeError(message.format(input.dtype._word, source.dtype._word))


C_TYPES = {
    "float16": "c10::Half", "bfloat16": "c10::BFloat16", "float32": "float", "float64": "double", "int32": "int",
    "complex64": "c10::complex<float>", "complex128": "c10::complex<double>",
}  # fmt: skip
LARGEST = {"float32": 3.4028234663852886e38, "complex64": 3.4028234663852886e38}


def number(value, dtype):
    """A Python number as an element of a dtype; RuntimeError in PyTorch's words where it cannot be one.

    Fractions are cut off for integers, as in PyTorch; a small negative number wraps around in an unsigned type.
    """
    if dtype.category == checks.BOOL:
        return bool(value)
    if dtype.category == checks.COMPLEX:
        fits = all(not LARGEST.get(dtype.name, part) < part < INFINITY for part in (abs(value.real), abs(value.imag)))
        return value if fits else refuse(value, dtype)
    if isinstance(value, complex):
        return refuse(value, dtype)
    if dtype.category == checks.FLOATING:
        return refuse(value, dtype) if LARGEST.get(dtype.name, INFINITY) < abs(value) < INFINITY else value
    bits = 8 * dtype.itemsize
    high = 1 << (bits - dtype.is_signed)
    low = -high if dtype.is_signed else (1 - high if isinstance(value, int) else 0)
    if not low <= value < high:  # nor is NaN
        return refuse(value, dtype)
    return int(value) if dtype.is_signed else int(value) % high


INFINITY = float("inf")


def refuse(value, dtype):
    name = C_TYPES.get(dtype.name, f"{dtype.name}_t")
    raise RuntimeError(f"value cannot be converted to type {name} without overflow: {value} for a tensor of {dtype}")


def check_value(op_name, input, value):
    """A value to fill with: a number that the input's dtype can hold, or a zero-dim tensor."""
    if not hasattr(value, "dtype"):
        if not isinstance(value, (bool, int, float, complex)):
            raise TypeError(f"{op_name}(): argument 'value' must be Number or Tensor, not {type(value).__name__}")
        return number(value, input.dtype)
    if value.ndim:
        raise RuntimeError(
            f"{op_name}_ only supports a 0-dimensional value tensor, but got tensor with {value.ndim} dimension(s)."
        )
    return value


# -- the whole tensor --------------------------------------------------------------------------------------------------


def batch_whole(xp, op, args, batched, size):
    """The target has the batch's dimension even where only what is written has one."""
    target = full_batch(xp, args[0], batched[0], size)
    if op.name == "fill" and batched[1]:
        op = copy  # one value for each element of the batch, each for a whole tensor
    return elementwise(xp, op, [target, *args[1:]], [True, *batched[1:]], size)


copy = op(
    "copy(input, src)",
    "The values of ``src``, broadcast to the input's shape and in its dtype.",
    vjp={
        "input": lambda xp, grad: xp.zeros_like(grad),
        "src": lambda xp, grad, src_dtype: to_dtype(xp, grad, src_dtype),
    },
    jvp=LINEAR,
    batch=batch_whole,
    broadcasts=True,
    method=False,
    function=False,
    node="CopyBackwards",
    samples=lambda t: [
        ((t(3, 4), t(3, 4)), {}),
        ((t(3, 4), t(4)), {}),
        ((t(3, 4), t(3, 1)), {}),
        ((t(3, 4), t.integers(0, 5)), {}),
        ((t(), t()), {}),
        ((t(0, 4), t(4)), {}),
    ],
)


fill = op(
    "fill(input, value)",
    "A tensor like the input, filled with a number or the value of a zero-dim tensor.",
    vjp={
        "input": lambda xp, grad: xp.zeros_like(grad),
        "value": lambda xp, grad, value_shape, value_dtype: to_dtype(xp, fit(xp, grad, value_shape), value_dtype),
    },
    jvp=LINEAR,
    batch=batch_whole,
    prepare=lambda input, value: (input, check_value("fill", input, value)),
    node=("FillBackward0", "FillBackward1"),
    method=False,
    inplace=True,
    samples=lambda t: [((t(*shape), value), {}) for shape in ((3, 4), (), (0, 3)) for value in (1.5, t())],
    errors=lambda t: [((t(3), t(1)), {}, RuntimeError), ((t(3), "a"), {}, TypeError)],
)
zero = op(
    "zero(input)",
    "Zeros like the input.",
    vjp={"input": lambda xp, grad: xp.zeros_like(grad)},
    jvp=LINEAR,
    batch="elementwise",
    method=False,
    function=False,
    inplace=True,
    samples=lambda t: [((t(3, 4),), {}), ((t(),), {}), ((t(0, 3),), {})],
)


for written in (fill, zero):  # in place, PyTorch has these as functions too
    overload(
        f"{written.name}_{written.signature}",
        f"In-place form of :func:`{written.name}`. {written.doc}",
        lambda *args, op=written: (op, args, True),
        method=False,
    )


def filled_diagonal(xp, input, fill_value, wrap):
    """The flattened input is written at regular steps; of a tall matrix, up to where its diagonal ends, or on."""
    shape = tuple(input.shape)
    step = sum(shape[-1] ** d for d in range(len(shape)))
    end = prod(shape) if wrap or len(shape) > 2 else shape[-1] ** 2
    flat = xp.put_region(xp.reshape(input, (prod(shape),)), fill_value, (slice(0, end, step),))
    return xp.reshape(flat, shape)


def prepare_fill_diagonal(input, fill_value, wrap):
    if input.ndim < 2:
        raise RuntimeError("fill_diagonal_: dimensions must larger than 1")
    if input.ndim > 2 and len(set(input.shape)) > 1:
        raise RuntimeError(
            f"fill_diagonal_: all dimensions of input must be of equal length, but the shape is {list(input.shape)}"
        )
    value = fill_value.item() if hasattr(fill_value, "item") else fill_value
    return input, check_value("fill_diagonal", input, value), bool(wrap)


fill_diagonal = composite(
    "fill_diagonal(input, fill_value, wrap=False)",
    "The input with a number on its main diagonal; ``wrap`` begins another one below that of a tall matrix.",
    filled_diagonal,
    operands=("input",),
    prepare=prepare_fill_diagonal,
    function=False,
    method=False,
    inplace=True,
    samples=lambda t: [
        ((t(3, 3), 1.5), {}),
        ((t(7, 3), -1.5), {}),
        ((t(7, 3), 1.5, True), {}),
        ((t(3, 7), 1.5, True), {}),
        ((t(2, 2, 2), 1.5), {}),
        ((t(0, 0), 1.5), {}),
    ],
    errors=lambda t: [((t(3), 1), {}, RuntimeError), ((t(2, 2, 3), 1), {}, RuntimeError)],
)


# -- writing a region --------------------------------------------------------------------------------------------------


def result_ndim(index, ndim):
    """The dimensions of what a basic index finds."""
    added = sum(entry is None for entry in index)
    return ndim + added - sum(isinstance(entry, int) for entry in index)


def batch_region(key):
    """The batch rule of a write at the basic index ``key(*args after the first two)``."""

    def rule(xp, op, args, batched, size):
        input, src = full_batch(xp, args[0], batched[0], size), args[1]
        index = key(*args[2:])
        src = pad_dims(xp, src, result_ndim(index, input.ndim - 1)) if batched[1] else src
        return xp.put_region(input, src, (WHOLE, *index))

    return rule


put_region = op(
    "put_region(input, src, index)",
    "The input with ``src`` at a basic index.",
    vjp={
        "input": lambda xp, grad, index: xp.put_region(grad, 0, index),
        "src": lambda xp, grad, index, src_shape, src_dtype: to_dtype(
            xp, fit(xp, xp.getitem(grad, index), src_shape), src_dtype
        ),
    },
    jvp=LINEAR,
    batch=batch_region(lambda index: index),
    operands=("input", "src"),
    method=False,
    function=False,
    samples=lambda t: [((t(3, 4), t(2), (slice(1, None), 0)), {}), ((t(3, 4), t(4), (..., None, slice(None))), {})],
)


def check_region(region, src):
    """Raise PyTorch's error where ``src`` has another shape than the region that it is to fill."""
    if tuple(region) != tuple(src.shape):
        raise RuntimeError(
            f"expected src to have a size equal to the slice of self. src size = {list(src.shape)}, slice size = "
            f"{list(region)}"
        )


def select_key(dim, index):
    return (*[WHOLE] * dim, index)


def slice_key(dim, start, end, step):
    return (*[WHOLE] * dim, slice(start, end, step))


def prepare_select_scatter(input, src, dim, index):
    dim = checks.dim("select_scatter", dim, input.ndim)
    size = input.shape[dim] if input.ndim else 0
    if not -size <= index < size:
        raise IndexError(
            f"select(): index {index} out of range for tensor of size {list(input.shape)} at dimension {dim}"
        )
    check_region((*input.shape[:dim], *input.shape[dim + 1 :]), src)
    return input, src, dim, index


select_scatter = op(
    "select_scatter(input, src, dim, index)",
    "The input with ``src`` in place of one slice along ``dim``.",
    vjp={
        "input": lambda xp, grad, dim, index: xp.put_region(grad, 0, select_key(dim, index)),
        "src": lambda xp, grad, dim, index, src_dtype: to_dtype(
            xp, xp.getitem(grad, select_key(dim, index)), src_dtype
        ),
    },
    jvp=LINEAR,
    batch=batch_region(select_key),
    operands=("input", "src"),
    prepare=prepare_select_scatter,
    samples=lambda t: [((t(3, 4), t(4), 0, 1), {}), ((t(3, 4), t(3), -1, -2), {}), ((t(3), t(), 0, 0), {})],
    errors=lambda t: [
        ((t(3, 4), t(3), 0, 1), {}, RuntimeError),
        ((t(3, 4), t(4), 0, 3), {}, IndexError),
        ((t(3, 4), t(4), 2, 0), {}, IndexError),
    ],
)


def prepare_slice_scatter(input, src, dim, start, end, step):
    dim = checks.dim("slice_scatter", dim, input.ndim)
    if step <= 0:
        raise RuntimeError(f"slice step must be positive, but got {step}")
    region = len(range(*slice(start, end, step).indices(input.shape[dim])))
    check_region((*input.shape[:dim], region, *input.shape[dim + 1 :]), src)
    return input, src, dim, start, end, step


slice_scatter = op(
    "slice_scatter(input, src, dim=0, start=None, end=None, step=1)",
    "The input with ``src`` in place of a range of slices along ``dim``.",
    vjp={
        "input": lambda xp, grad, dim, start, end, step: xp.put_region(grad, 0, slice_key(dim, start, end, step)),
        "src": lambda xp, grad, dim, start, end, step, src_dtype: to_dtype(
            xp, xp.getitem(grad, slice_key(dim, start, end, step)), src_dtype
        ),
    },
    jvp=LINEAR,
    batch=batch_region(slice_key),
    operands=("input", "src"),
    prepare=prepare_slice_scatter,
    out=True,
    samples=lambda t: [
        ((t(3, 4), t(2, 4)), {"start": 1}),
        ((t(3, 5), t(3, 2), -1, 1, -1, 2), {}),
        ((t(3, 4), t(0, 4), 0, 2, 1), {}),
    ],
    errors=lambda t: [((t(3, 4), t(3, 4), 0, 1), {}, RuntimeError)],
)


def prepare_diagonal_scatter(input, src, offset, dim1, dim2):
    dim1 = checks.dim("diagonal_scatter", dim1, input.ndim)
    dim2 = checks.dim("diagonal_scatter", dim2, input.ndim)
    if dim1 == dim2:
        raise RuntimeError(f"diagonal dimensions cannot be identical {dim1}, {dim2}")
    rows, columns = input.shape[dim1], input.shape[dim2]
    length = max(min(rows, columns - offset) if offset >= 0 else min(rows + offset, columns), 0)
    check_region((*[n for d, n in enumerate(input.shape) if d not in (dim1, dim2)], length), src)
    return input, src, offset, dim1, dim2


diagonal_scatter = op(
    "diagonal_scatter(input, src, offset=0, dim1=0, dim2=1)",
    "The input with ``src`` in place of a diagonal.",
    vjp={
        "input": lambda xp, grad, offset, dim1, dim2: xp.diagonal_scatter(grad, 0, offset, dim1, dim2),
        "src": lambda xp, grad, offset, dim1, dim2, src_dtype: to_dtype(
            xp, xp.diagonal(grad, offset, dim1, dim2), src_dtype
        ),
    },
    jvp=LINEAR,
    batch=lambda xp, op, args, batched, size: xp.call(
        op,
        (
            *[full_batch(xp, a, b, size) for a, b in zip(args[:2], batched[:2], strict=True)],
            args[2],
            args[3] + 1,
            args[4] + 1,
        ),
    ),
    operands=("input", "src"),
    prepare=prepare_diagonal_scatter,
    samples=lambda t: [((t(3, 3), t(3)), {}), ((t(3, 4), t(3)), {"offset": 1}), ((t(2, 3, 4), t(3, 2), -1, -1, 0), {})],
    errors=lambda t: [((t(3, 3), t(2)), {}, RuntimeError)],
)
