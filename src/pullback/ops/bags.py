"""``embedding_bag``: rows of a table looked up by integers and reduced bag by bag, for bags of any sizes.

It is a lookup, and then an operation over bags: a sum, or a choice of the largest. Means and weights are factors between.
"""

from ..dtypes import int64
from .embedding import HOME, batch_slope, embedding, renormalise
from .steps import INTERNAL, need_tensors, perform
from .table import LINEAR, TABLE, op, overload

bag_numbers = op(
    "bag_numbers(offsets, size)",
    "For each of ``size`` positions, the number of its bag: bags begin at ``offsets``, of which the first must be 0.",
    operands=("offsets",),
    samples=lambda t: [((t.integers(0, 1, 3), 4), {}), ((t.integers(0, 1, 0), 0), {})],
    errors=lambda t: [((t.integers(1, 2, 3), 4), {}, RuntimeError)],
    **INTERNAL,
)
bag_sums = op(
    "bag_sums(grad, input, rows)",
    "For each of so many bags, the sum of the vectors at the positions that name it.",
    vjp={"grad": lambda xp, grad, input: xp.embedding_rows(grad, input, -1, False)},
    jvp=LINEAR,
    batch=batch_slope,
    node="EmbeddingBagBackward0",
    samples=lambda t: [((t(5, 3), t.integers(0, 4, 5), 4), {}), ((t(0, 3), t.integers(0, 4, 0), 4), {})],
    **INTERNAL,
)
bag_peaks = op(
    "bag_peaks(input, bags, counted, size)",
    "For each of ``size`` bags of vectors, and each element, at which position it is the largest; -1 in an empty bag. Only "
    "positions that are ``counted`` take part.",
    operands=("input",),
    samples=lambda t: [
        ((t(5, 3), t.integers(0, 1, 5), t.bools(5), 2), {}),
        ((t(4, 2), t.integers(1, 2, 4), t.integers(0, 1, 4) > 0, 3), {}),
        ((t(0, 2), t.integers(0, 1, 0), t.bools(0), 2), {}),
    ],
    **INTERNAL,
)
bag_picks = op(
    "bag_picks(input, positions)",
    "For each element, the vectors' element at its position; zero where that is -1.",
    composite=lambda xp, input, positions: xp.where(
        positions < 0, 0, xp.gather(xp.constant_pad_nd(input, (0, 0, 0, 1)), 0, xp.remainder(positions, len_of(input)))
    ),
    operands=("input",),
    node="EmbeddingBagBackward0",
    samples=lambda t: [((t(5, 3), t.integers(-1, 5, 2, 3)), {}), ((t(0, 3), t.integers(-1, 0, 2, 3)), {})],
    **INTERNAL,
)


def len_of(input):
    """How many vectors there are, with the one of zeros that is put behind them."""
    return input.shape[0] + 1


MODES = ("sum", "mean", "max")


def bags_of(weight, indices, offsets, scale_grad_by_freq, mode, per_sample_weights, include_last_offset, padding_idx):
    """The result of ``embedding_bag``, and the three tensors that say how it came about."""
    if include_last_offset:
        offsets = offsets[:-1]
    number = offsets.shape[0]
    bags = perform(bag_numbers, offsets, indices.shape[0])
    counted = indices == indices if padding_idx < 0 else indices != padding_idx
    rows = perform(embedding, weight, indices, padding_idx, scale_grad_by_freq)
    nothing = bags.new_zeros((number,))
    if mode == "max":
        peaks = perform(bag_peaks, rows.detach(), bags, counted, number)
        words = perform(bag_picks, indices.unsqueeze(1).expand(tuple(rows.shape)), peaks)
        return perform(bag_picks, rows, peaks), bags, nothing.scatter_add(0, bags, counted.to(int64)), words
    sizes = nothing.scatter_add(0, bags, counted.to(int64)) if mode == "mean" else nothing
    factors = per_sample_weights
    if mode == "mean":
        factors = 1 / sizes.clamp_min(1).to(rows.dtype)[bags]
    if padding_idx >= 0:
        factors = perform(TABLE["where"], counted, 1.0 if factors is None else factors, 0.0).to(rows.dtype)
    if factors is not None:
        rows = rows * factors.unsqueeze(1)
    return perform(bag_sums, rows, bags, number), bags, sizes, sizes


def check_bags(weight, indices, offsets, mode, per_sample_weights, include_last_offset, padding_idx):
    """Raise PyTorch's error for arguments that do not go together; returns the padding's row, -1 for none."""
    name = "embedding_bag"
    for argument, tensor in (("indices", indices), ("offsets", offsets)):
        if tensor.dtype._word not in ("Long", "Int"):
            raise RuntimeError(
                f"{name}: Expected tensor for argument #1 '{argument}' to have one of the following scalar types: Long, Int; "
                f"but got {tensor.dtype} instead"
            )
    if not weight.dtype.is_floating_point:
        raise RuntimeError(
            f"{name}: Expected tensor for argument #1 'weight' to have one of the following scalar types: Half, BFloat16, "
            f"Float, Double; but got {weight.dtype} instead"
        )
    if per_sample_weights is not None and per_sample_weights.dtype is not weight.dtype:
        raise RuntimeError(
            f"{name}: Expected tensor for argument #1 'weight' to have the same type as tensor for argument #1 "
            f"'per_sample_weights'; but type {weight.dtype} does not equal {per_sample_weights.dtype}"
        )
    if include_last_offset and not offsets.shape[0]:
        raise RuntimeError(f"{name}: include_last_offset: number of offset should be at least 1")
    rows = weight.shape[0]
    if padding_idx is None:
        return -1
    if not -rows <= padding_idx < rows:
        raise RuntimeError(
            f"{name}: padding_idx must be within the number of embeddings, {-rows} through {rows - 1}, but got {padding_idx}"
        )
    return padding_idx % rows


def run_bags(weight, indices, offsets, scale_grad_by_freq, mode, per_sample_weights, include_last_offset, padding_idx):
    padding_idx = check_bags(weight, indices, offsets, mode, per_sample_weights, include_last_offset, padding_idx)
    if mode == "max" and scale_grad_by_freq:
        raise ValueError("embedding_bag: max mode does not support scaling the gradient by the frequency")
    message = "embedding_bag: Expected idx >= 0 && idx < num_embeddings but found idx to be {}"
    indices = perform(TABLE["within"], indices.to(int64), 0, weight.shape[0], message)
    return bags_of(
        *(weight, indices, offsets.to(int64), scale_grad_by_freq),
        *(mode, per_sample_weights, include_last_offset, padding_idx),
    )


def laid_flat(input, offsets, per_sample_weights):
    """Indices one after another and where bags begin, for rows of a matrix or as given."""
    if per_sample_weights is not None and per_sample_weights.shape != input.shape:
        raise ValueError(
            f"embedding_bag: If per_sample_weights ({per_sample_weights.shape}) is not None, then it must have the "
            f"same shape as the input ({input.shape})"
        )
    if input.ndim == 2:
        if offsets is not None:
            raise ValueError(
                "embedding_bag: if input is 2D, then offsets has to be None, as input is treated is a mini-batch of fixed "
                f"length sequences. However, found offsets of type {type(offsets)}"
            )
        count, size = input.shape
        if not size:
            raise RuntimeError("embedding_bag: step must be nonzero: the input's rows are empty")
        starts = input.new_tensor(list(range(0, count * size, size)), dtype=int64)
        flat = None if per_sample_weights is None else per_sample_weights.reshape((-1,))
        return input.reshape((-1,)), starts, flat
    if input.ndim != 1:
        raise ValueError(f"embedding_bag: input has to be 1D or 2D Tensor, but got Tensor of dimension {input.ndim}")
    if offsets is None or offsets.ndim != 1:
        raise ValueError("embedding_bag: offsets has to be a 1D Tensor" + (" but got None" if offsets is None else ""))
    return input, offsets, per_sample_weights


def choose_embedding_bag(
    input,
    weight,
    offsets,
    max_norm,
    norm_type,
    scale_grad_by_freq,
    mode,
    sparse,
    per_sample_weights,
    include_last_offset,
    padding_idx,
):
    need_tensors("embedding_bag", input=input, weight=weight)
    if weight.ndim != 2:
        raise ValueError(f"embedding_bag: weight has to be a 2D Tensor, but got Tensor of dimension {weight.ndim}")
    if mode not in MODES:
        raise ValueError(f"embedding_bag: mode has to be one of sum, mean or max, but got {mode!r}")
    input, offsets, per_sample_weights = laid_flat(input, offsets, per_sample_weights)
    if per_sample_weights is not None and mode != "sum":
        raise NotImplementedError(
            "embedding_bag: per_sample_weights was not None. per_sample_weights is only supported for mode='sum' (got "
            f"mode='{mode}')."
        )
    if max_norm is not None:
        renormalise(weight.detach(), input, max_norm, norm_type)
    found = run_bags(
        weight, input, offsets, scale_grad_by_freq, mode, per_sample_weights, include_last_offset, padding_idx
    )
    return None, found[0]


overload(
    "embedding_bag(input, weight, offsets=None, max_norm=None, norm_type=2, scale_grad_by_freq=False, mode='mean', "
    "sparse=False, per_sample_weights=None, include_last_offset=False, padding_idx=None)",
    "The sums, means or largest elements of bags of rows of ``weight``. A bag is a row of an integer matrix, or what lies "
    "between two ``offsets`` in a vector; rows at ``padding_idx`` do not count. Gradients are dense.",
    choose_embedding_bag,
    **HOME,
)


def choose_bags_in_torch(
    weight,
    indices,
    offsets,
    scale_grad_by_freq,
    mode,
    sparse,
    per_sample_weights,
    include_last_offset,
    padding_idx,
):
    need_tensors("embedding_bag", weight=weight, indices=indices, offsets=offsets)
    return None, run_bags(
        *(weight, indices, offsets, scale_grad_by_freq, MODES[mode]),
        *(per_sample_weights, include_last_offset, padding_idx),
    )


overload(
    "embedding_bag_in_torch(weight, indices, offsets, scale_grad_by_freq=False, mode=0, sparse=False, "
    "per_sample_weights=None, include_last_offset=False, padding_idx=None)",
    "``embedding_bag`` for ``mode`` 0, 1 or 2, that is sum, mean or max; and each position's bag, the bags' sizes (of means "
    "and maxima; else zeros), and which rows the largest elements come from.",
    choose_bags_in_torch,
    method=False,
    homes=("torch:embedding_bag",),
)
