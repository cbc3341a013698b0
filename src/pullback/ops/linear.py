"""Layers that multiply by a weight: ``linear``, the hot operation of most networks, and ``bilinear``."""

from .batching import logical_ndim, pad_dims
from .checks import BOOL
from .products import choose_matmul, flat, multipliable, no_bools
from .steps import INTERNAL, fitted, need_tensors, perform
from .table import TABLE, op, overload


def check_linear(input, weight, bias):
    """Raise PyTorch's error for operands that do not go together."""
    if input.dtype is not weight.dtype or (bias is not None and bias.dtype is not input.dtype):
        given = ", ".join(str(x.dtype) for x in (input, weight, bias) if x is not None)
        raise RuntimeError(
            f"linear: mat1 and mat2 must have the same dtype, but got {given} for input, weight and bias; convert with .to(dtype)"
        )
    no_bools("linear", *((input, weight) if bias is None or input.shape[-1] else (bias,)))
    if input.ndim == 0:
        raise RuntimeError(
            f"linear: both arguments to linear need to be at least 1D, but they are {input.ndim}D and {weight.ndim}D"
        )
    if weight.ndim > 2:
        raise RuntimeError(
            f"linear: t() expects a tensor with <= 2 dimensions, but weight, of shape (out, in), has shape {list(weight.shape)}"
        )
    if input.shape[-1] != weight.shape[-1]:
        multipliable("linear", input.shape, weight.shape[::-1])


def check_bias(bias, shape):
    given = tuple(bias.shape)
    if len(given) > len(shape) or any(m not in (1, n) for m, n in zip(given[::-1], shape[::-1], strict=False)):
        raise RuntimeError(
            f"linear: The expanded size of the tensor must match the existing size: bias has shape {list(given)}, and the "
            f"product that it is added to {list(shape)}"
        )


def plainly_fit(input, weight, bias):
    """Whether the operands clearly go together: the quick look before the checks that find out why not."""
    try:
        (*_, width), (out, inner), dtype = input.shape, weight.shape, input.dtype
        matching = width == inner and weight.dtype is dtype and dtype.category != BOOL
        return matching and (bias is None or (bias.dtype is dtype and bias.shape == (out,)))
    except (AttributeError, ValueError):
        return False


def prepare_linear(input, weight, bias):
    if not plainly_fit(input, weight, bias):
        check_linear(input, weight, bias)
        if bias is not None:
            check_bias(bias, (*input.shape[:-1], weight.shape[0]))
    return input, weight, bias


def batch_linear(xp, op, args, batched, size):
    """Only the input batched: more rows. Else: a product that broadcasts."""
    input, weight, bias = args
    if not batched[1] and not batched[2] and bias is not None and bias.ndim < 2:
        return xp.call(op, args)
    ndim = max(2, logical_ndim(input, batched[0]))
    rows = logical_ndim(input, batched[0]) == 1
    input = xp.unsqueeze(input, input.ndim - 1) if rows else input
    weight = xp.transpose(weight, weight.ndim - 2, weight.ndim - 1)
    result = xp.matmul(input, pad_dims(xp, weight, ndim) if batched[1] else weight)
    if bias is not None:
        result = result + (pad_dims(xp, bias, ndim) if batched[2] else bias)
    return xp.reshape(result, (*result.shape[:-2], result.shape[-1])) if rows else result


def linear_form(name, node):
    """``linear`` for some ranks of its input, under the name of node that PyTorch has for them."""
    return op(
        f"{name}(input, weight, bias=None)",
        "The product of an input's last dim with each row of ``weight``, of shape (out, in), plus ``bias``.",
        vjp={
            "input": lambda xp, grad, weight: xp.matmul(grad, xp.conj(weight)),
            "weight": lambda xp, grad, input: xp.mm(xp.transpose(flat(xp, grad), 0, 1), xp.conj(flat(xp, input))),
            "bias": lambda xp, grad, bias_shape: fitted(xp, grad, bias_shape),
        },
        jvp={
            "input": lambda xp, tangent, weight: xp.linear(tangent, weight),
            "weight": lambda xp, tangent, input: xp.linear(input, tangent),
            "bias": lambda xp, tangent: tangent,
        },
        product=("input", "weight"),
        batch=batch_linear,
        prepare=prepare_linear,
        node=node,
        samples=SAMPLES[name],
        **INTERNAL,
    )


SAMPLES = {
    "linear": lambda t: [
        ((t(2, 3), t(4, 3), t(4)), {}),
        ((t(2, 3), t(1, 3), t()), {}),
        ((t(0, 3), t(4, 3), t(4)), {}),
        ((t(2, 0), t(4, 0), t(4)), {}),
    ],
    "linear_mm": lambda t: [((t(2, 3), t(4, 3)), {}), ((t(0, 3), t(4, 3)), {})],
    "linear_rows": lambda t: [((t(2, 2, 3), t(4, 3), t(4)), {}), ((t(3), t(4, 3), t(4)), {})],
    "linear_mm_rows": lambda t: [((t(2, 2, 3), t(4, 3)), {}), ((t(2, 0, 3), t(4, 3)), {})],
    "linear_mm_row": lambda t: [((t(3), t(4, 3)), {})],
}
linear = linear_form("linear", "AddmmBackward0")
linear_mm = linear_form("linear_mm", "MmBackward0")
linear_rows = linear_form("linear_rows", "ViewBackward0")
linear_mm_rows = linear_form("linear_mm_rows", "UnsafeViewBackward0")
linear_mm_row = linear_form("linear_mm_row", "SqueezeBackward4")


def choose_linear(input, weight, bias):
    try:
        rank, form = input.ndim, weight.ndim
    except AttributeError:
        need_tensors("linear", input=input, weight=weight)
    if form == 1:
        check_linear(input, weight, bias)
        if bias is not None:
            raise RuntimeError(f"linear: weight must be a matrix where there is a bias, got shape {list(weight.shape)}")
        return choose_matmul(input, weight)
    if bias is not None:
        return linear if rank == 2 else linear_rows, (input, weight, bias)
    if rank == 2:
        return linear_mm, (input, weight, None)
    return linear_mm_row if rank == 1 else linear_mm_rows, (input, weight, None)


def project(input, weight, bias):
    """``linear`` as a step."""
    step, args = choose_linear(input, weight, bias)
    return perform(step, *(step.prepare(*args) if step.prepare else args))


overload(
    "linear(input, weight, bias=None)",
    "``input @ weight.T + bias``: the product of an input's last dim with each row of ``weight``, of shape (out, in).",
    choose_linear,
    out=True,
    method=False,
    homes=("nn.functional",),
)


def choose_bilinear(input1, input2, weight, bias):
    need_tensors("bilinear", input1=input1, input2=input2, weight=weight)
    check_bilinear(input1, input2, weight, bias)
    # Σ_ij x_i W_oij y_j: one product of matrices for the first sum, and one of batches for the second.
    out, first, second = weight.shape
    rows = input1.reshape(-1, first)
    partial = rows.matmul(weight.permute(1, 0, 2).reshape(first, out * second)).reshape(-1, out, second)
    product = partial.matmul(input2.reshape(-1, second, 1)).reshape(*input1.shape[:-1], out)
    return (None, product) if bias is None else (TABLE["add"], (product, bias, 1))


def check_bilinear(input1, input2, weight, bias):
    """Raise PyTorch's error for operands that do not go together."""
    if input1.ndim != input2.ndim:
        raise RuntimeError(f"bilinear(): input dimensions do not match: got {input1.ndim} and {input2.ndim}")
    for d, (m, n) in enumerate(zip(input1.shape[:-1], input2.shape[:-1], strict=True)):
        if m != n:
            raise RuntimeError(f"bilinear(): input batch dimensions do not match at dim {d}: got {m} and {n}")
    for number, (input, size) in enumerate(zip((input1, input2), weight.shape[1:], strict=True), 1):
        if input.shape[-1] != size:
            raise RuntimeError(
                f"bilinear(): input{number} size does not match weight size: got {input.shape[-1]} but expected {size}"
            )
    if bias is not None and tuple(bias.shape) != tuple(weight.shape[:1]):
        raise RuntimeError(
            f"bilinear(): bias size does not match weight size: got {list(bias.shape)} but expected {weight.shape[0]}"
        )


overload(
    "bilinear(input1, input2, weight, bias=None)",
    "For each row of ``weight``, of shape (out, in1, in2), the product ``input1 @ weight[k] @ input2``, plus ``bias``.",
    choose_bilinear,
    method=False,
    homes=("torch", "nn.functional"),
)
