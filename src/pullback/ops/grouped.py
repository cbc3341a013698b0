"""Products that belong together: ``grouped_mm``, and a layer's product with the loss of what it gives."""

from .joining import cat, stack
from .losses import HOME
from .steps import is_tensor, need_tensors, perform
from .table import OVERLOADS, TABLE, overload


def check_grouped(mat_a, mat_b, offs, bias, out_dtype):
    """Raise PyTorch's error for operands that do not go together."""
    need_tensors("grouped_mm", mat_a=mat_a, mat_b=mat_b)
    for name, mat in (("mat_a", mat_a), ("mat_b", mat_b)):
        if mat.dtype.name not in ("float32", "bfloat16", "float16"):
            raise RuntimeError(f"Expected {name} to be Float32, BFloat16 or Float16 matrix, got {mat.dtype}")
        if mat.ndim not in (2, 3):
            raise RuntimeError(f"{name} has to be 2 or 3d, got shape {list(mat.shape)}")
    if mat_a.shape[-1] != mat_b.shape[-2]:
        raise RuntimeError(
            f"contraction dimension of mat_a and mat_b must match, got shapes {list(mat_a.shape)} and {list(mat_b.shape)}"
        )
    if (offs is None) != (mat_a.ndim == mat_b.ndim == 3):
        raise RuntimeError("Have to provide offsets if there is a 2d matrix, or no offset if both matrices are 3d")
    if bias is not None:
        raise RuntimeError("Bias not supported yet")
    if out_dtype is not None and out_dtype is not mat_a.dtype:
        raise RuntimeError(f"Grouped gemm output dtype must match `mat_a` dtype, got {out_dtype} for {mat_a.dtype}")


def groups(mat_a, mat_b, offs):
    """Where each group begins and ends."""
    if offs.ndim != 1 or str(offs.dtype) != "torch.int32":
        raise RuntimeError(f"Offsets have to be int32, in a vector; got {offs.dtype} of shape {list(offs.shape)}")
    ends = offs.tolist()
    count = next((mat.shape[0] for mat in (mat_a, mat_b) if mat.ndim == 3), len(ends))
    if len(ends) != count:
        raise RuntimeError(f"matrix batch sizes have to match: {count} matrices, but {len(ends)} offsets")
    return list(zip([0, *ends[:-1]], ends, strict=True))


def filled_up(parts, size, dim):
    """The groups' results one after another, and zeros for what belongs to no group."""
    found = perform(cat, parts, dim)
    missing = size - found.shape[dim]
    pad = (0, missing) if dim == 1 else (0, 0, 0, missing)
    return perform(TABLE["constant_pad_nd"], found, pad, 0) if missing else found


def choose_grouped_mm(mat_a, mat_b, offs, bias, out_dtype):
    check_grouped(mat_a, mat_b, offs, bias, out_dtype)
    if offs is None:
        if mat_a.shape[0] != mat_b.shape[0]:
            raise RuntimeError(f"batched dimension has to match, got {mat_a.shape[0]} and {mat_b.shape[0]}")
        return None, mat_a.matmul(mat_b)
    spans = groups(mat_a, mat_b, offs)
    if mat_a.ndim == mat_b.ndim:
        return None, perform(stack, [mat_a[:, i:j].matmul(mat_b[i:j]) for i, j in spans], 0)
    if mat_a.ndim == 2:
        parts = [mat_a[i:j].matmul(mat_b[g]) for g, (i, j) in enumerate(spans)]
        return None, filled_up(parts, mat_a.shape[0], 0)
    parts = [mat_a[g].matmul(mat_b[:, i:j]) for g, (i, j) in enumerate(spans)]
    return None, filled_up(parts, mat_b.shape[1], 1)


overload(
    "grouped_mm(mat_a, mat_b, *, offs=None, bias=None, out_dtype=None)",
    "Products of the matrices of two batches (G, ...), in the place of one of which a matrix holds all groups one after "
    "another, ending at ``offs``: rows of the first, (M, K) by (G, K, N), columns of the second, (G, M, K) by (K, N), or, "
    "of both, what is summed over, (M, K) by (K, N) to (G, M, N).",
    choose_grouped_mm,
    **HOME,
)


def choose_linear_cross_entropy(
    input, linear_weight, target, linear_bias, weight, reduction, ignore_index, label_smoothing, options
):
    name = "linear_cross_entropy"
    need_tensors(name, input=input, linear_weight=linear_weight, target=target)
    if input.ndim not in (1, 2):
        raise RuntimeError(f"{name}: expected input with dimensionality 1 or 2, got {input.ndim}")
    if input.shape[-1] != linear_weight.shape[-1]:
        raise RuntimeError(
            f"{name}: expected equal input and linear_weight last dimensions (in_features), got {input.shape[-1]} and "
            f"{linear_weight.shape[-1]}, respectively"
        )
    if input.dtype is not linear_weight.dtype:
        raise RuntimeError(f"{name}: expected the same dtype, but got: {input.dtype} != {linear_weight.dtype}")
    shape = tuple(linear_weight.shape[:-1])
    scores = input.matmul(linear_weight.reshape((-1, input.shape[-1])).transpose(0, 1)).reshape(
        (*input.shape[:-1], *shape)
    )
    if is_tensor(linear_bias):
        wide = linear_bias.ndim < len(shape)
        scores = scores + (linear_bias.reshape((-1, *[1] * (len(shape) - 1))) if wide else linear_bias)
    loss = OVERLOADS["cross_entropy"]
    index = -100 if ignore_index is None else ignore_index
    return loss.choose(scores, target, weight, None, index, None, reduction, label_smoothing)


overload(
    "linear_cross_entropy(input, linear_weight, target, *, linear_bias=None, weight=None, reduction='mean', "
    "ignore_index=None, label_smoothing=0.0, options=None)",
    "``cross_entropy`` of the scores that a layer of ``linear_weight`` (C, in), or (C, d1, ..., in), gives for an input "
    "(N, in). ``options``, which say how PyTorch saves memory, change nothing.",
    choose_linear_cross_entropy,
    **HOME,
)
