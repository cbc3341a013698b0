"""Attention with several heads: projections of query, key and value, attention in each head, and a projection of all."""

from math import inf, sqrt
from types import SimpleNamespace

from ..dtypes import bool as bool_dtype
from .attention import attend
from .dropout import dropped
from .linear import project
from .steps import need_tensors, perform
from .table import TABLE, overload, read_signature

NAME = "multi_head_attention_forward"
SIGNATURE = (
    "(query, key, value, embed_dim_to_check, num_heads, in_proj_weight, in_proj_bias, bias_k, bias_v, add_zero_attn, "
    "dropout_p, out_proj_weight, out_proj_bias, training=True, key_padding_mask=None, need_weights=True, attn_mask=None, "
    "use_separate_proj_weight=False, q_proj_weight=None, k_proj_weight=None, v_proj_weight=None, static_k=None, "
    "static_v=None, average_attn_weights=True, is_causal=False)"
)
PARAMS, _ = read_signature(SIGNATURE)


def cat(tensors, dim):
    return perform(TABLE["cat"], tensors, dim)


# -- checks ------------------------------------------------------------------------------------------------------------


def expect(holds, message):
    if not holds:
        raise AssertionError(f"{NAME}: {message}")


def check_dims(given):
    """Raise PyTorch's error unless all is of a batch, or all of one sample."""
    dims = given.query.ndim
    expect(dims in (2, 3), f"query should be unbatched 2D or batched 3D tensor but received {dims}-D query tensor")
    kind = "batched (3-D)" if dims == 3 else "unbatched (2-D)"
    expect(
        given.key.ndim == given.value.ndim == dims,
        f"For {kind} `query`, expected `key` and `value` to be {dims}-D but found {given.key.ndim}-D and "
        f"{given.value.ndim}-D tensors respectively",
    )
    if given.key_padding_mask is not None:
        found = given.key_padding_mask.ndim
        expect(
            found == dims - 1,
            f"For {kind} `query`, expected `key_padding_mask` to be `None` or {dims - 1}-D but found {found}-D tensor instead",
        )
    if given.attn_mask is not None:
        found = given.attn_mask.ndim
        expect(
            found in (2, 3),
            f"For {kind} `query`, expected `attn_mask` to be `None`, 2-D or 3-D but found {found}-D tensor instead",
        )


def check_sizes(given):
    width, heads = given.query.shape[2], given.num_heads
    expect(
        width == given.embed_dim_to_check,
        f"was expecting embedding dimension of {given.embed_dim_to_check}, but got {width}",
    )
    expect(width // heads * heads == width, f"embed_dim {width} not divisible by num_heads {heads}")
    key, value = given.key.shape, given.value.shape
    if given.use_separate_proj_weight:
        expect(key[:2] == value[:2], f"key's sequence and batch dims {key[:2]} do not match value's {value[:2]}")
    else:
        expect(key == value, f"key shape {key} does not match value shape {value}")


def as_added(name, mask, like):
    """A mask as one that is added: minus infinity where a bool one holds."""
    if mask is None:
        return None
    if mask.dtype is bool_dtype:
        return perform(TABLE["zeros_like"], mask.to(like.dtype)).masked_fill(mask, -inf)
    expect(mask.dtype.is_floating_point, f"only bool and floating types of {name} are supported, not {mask.dtype}")
    return mask


def check_mask(mask, samples, tokens, sources):
    expected = (tokens, sources) if mask.ndim == 2 else (samples, tokens, sources)
    if tuple(mask.shape) != expected:
        raise RuntimeError(
            f"{NAME}: The shape of the {mask.ndim}D attn_mask is {mask.shape}, but should be {expected}."
        )


# -- the parts ---------------------------------------------------------------------------------------------------------


def batched(given):
    """Give one sample a batch of its own, without making equal tensors different ones."""
    query, key, value = given.query, given.key, given.value
    given.query = query.unsqueeze(1)
    given.key = given.query if key is query else key.unsqueeze(1)
    given.value = given.key if value is key else value.unsqueeze(1)
    if given.key_padding_mask is not None:
        given.key_padding_mask = given.key_padding_mask.unsqueeze(0)


def projections(given):
    """Query, key and value, multiplied by their weights: at once where they are one tensor."""
    width, bias = given.query.shape[2], given.in_proj_bias
    biases = [None] * 3 if bias is None else [bias[i * width : (i + 1) * width] for i in range(3)]
    if given.use_separate_proj_weight:
        weights = [given.q_proj_weight, given.k_proj_weight, given.v_proj_weight]
    elif given.query is given.key and given.key is given.value:
        return list(project(given.query, given.in_proj_weight, bias).chunk(3, 2))
    else:
        weights = [given.in_proj_weight[i * width : (i + 1) * width] for i in range(3)]
    return [project(*each) for each in zip((given.query, given.key, given.value), weights, biases, strict=True)]


def widened(mask):
    """A mask with a column of zeros, for a key that was added."""
    return None if mask is None else perform(TABLE["constant_pad_nd"], mask, (0, 1), 0)


def as_heads(given, values, batch):
    """(T, B, E) as (B heads, T, E / heads)."""
    size = given.query.shape[2] // given.num_heads
    return values.reshape((values.shape[0], batch * given.num_heads, size)).transpose(0, 1)


def static(name, value, computed, samples):
    """A key or value that was given in the place of the computed one."""
    if value is None:
        return computed
    expect(value.shape[0] == samples, f"expecting {name}.size(0) of {samples}, but got {value.shape[0]}")
    size = computed.shape[2]
    expect(value.shape[2] == size, f"expecting {name}.size(2) of {size}, but got {value.shape[2]}")
    return value


def with_additions(given, k, v, masks):
    """Keys and values (T, B, E) as heads, with those that belong to no token behind them, and the masks that fit."""
    batch = given.query.shape[1]
    samples = batch * given.num_heads
    if given.bias_k is not None and given.bias_v is not None:
        expect(given.static_k is None and given.static_v is None, "bias cannot be added to static key or value.")
        k, v = (
            cat([x, bias.expand((1, batch, bias.shape[-1]))], 0) for x, bias in ((k, given.bias_k), (v, given.bias_v))
        )
        masks = [widened(mask) for mask in masks]
    k = static("static_k", given.static_k, as_heads(given, k, batch), samples)
    v = static("static_v", given.static_v, as_heads(given, v, batch), samples)
    if given.add_zero_attn:
        k, v = (perform(TABLE["constant_pad_nd"], x, (0, 0, 0, 1), 0) for x in (k, v))
        masks = [widened(mask) for mask in masks]
    return k, v, masks


def merged(given, attn_mask, padding_mask, sources):
    """Both masks as one, (B heads, L, S), or with ones in the place of the first two; None for none."""
    batch = given.query.shape[1]
    if padding_mask is None:
        return attn_mask
    expect(
        tuple(padding_mask.shape) == (batch, sources),
        f"Expected key_padded_mask.shape[1] to be {sources}, but got {padding_mask.shape[1]}; its shape is "
        f"{list(padding_mask.shape)}, expected {[batch, sources]}",
    )
    spread = padding_mask.reshape((batch, 1, 1, sources)).expand((batch, given.num_heads, 1, sources))
    spread = spread.reshape((batch * given.num_heads, 1, sources))
    return spread if attn_mask is None else attn_mask + spread


def with_weights(given, q, k, v, mask, dropout):
    """What the heads find, (B heads, L, size), and the shares of the sources in it."""
    scores = (q * sqrt(1 / q.shape[-1])).matmul(k.transpose(-2, -1))
    shares = (scores if mask is None else scores + mask).softmax(-1)
    if dropout:
        step, args, *_ = dropped(NAME, shares, dropout, True, False)
        shares = args if step is None else perform(step, *args)
    return shares.matmul(v), shares


def without_weights(given, q, k, v, mask, dropout, is_causal):
    batch, heads = given.query.shape[1], given.num_heads
    rows = q.shape[1:]
    q, k, v = (x.reshape((batch, heads, *x.shape[1:])) for x in (q, k, v))
    if mask is not None:
        mask = mask.unsqueeze(0) if mask.shape[0] == 1 else mask.reshape((batch, heads, *mask.shape[1:]))
    return attend(q, k, v, mask, dropout, is_causal, None).reshape((batch * heads, *rows)), None


def masks_of(given):
    """The two masks, to be added, and whether attention is causal without one."""
    if given.is_causal and given.attn_mask is None:
        raise RuntimeError(f"{NAME}: Need attn_mask if specifying the is_causal hint.")
    padding = as_added("key_padding_mask", given.key_padding_mask, given.query)
    if given.is_causal and padding is None and not given.need_weights:
        return None, padding, True
    return as_added("attn_mask", given.attn_mask, given.query), padding, False


def choose_multi_head(*args):
    given = SimpleNamespace(**dict(zip(PARAMS, args, strict=True)))
    need_tensors(NAME, query=given.query, key=given.key, value=given.value)
    check_dims(given)
    alone = given.query.ndim == 2
    if alone:
        batched(given)
    check_sizes(given)
    tokens, batch, width = given.query.shape
    attn_mask, padding, is_causal = masks_of(given)
    q, k, v = projections(given)
    if attn_mask is not None:
        check_mask(attn_mask, batch * given.num_heads, tokens, k.shape[0])
        attn_mask = attn_mask.unsqueeze(0) if attn_mask.ndim == 2 else attn_mask
    k, v, (attn_mask, padding) = with_additions(given, k, v, [attn_mask, padding])
    mask = merged(given, attn_mask, padding, k.shape[1])
    dropout = given.dropout_p if given.training else 0.0
    q = as_heads(given, q, batch)
    if given.need_weights:
        found, weights = with_weights(given, q, k, v, mask, dropout)
        weights = weights.reshape((batch, given.num_heads, tokens, k.shape[1]))
        weights = weights.mean(1) if given.average_attn_weights else weights
        weights = weights.squeeze(0) if alone else weights
    else:
        found, weights = without_weights(given, q, k, v, mask, dropout, is_causal)
    found = found.transpose(0, 1).reshape((tokens, batch, width))
    output = project(found, given.out_proj_weight, given.out_proj_bias)
    return None, (output.squeeze(1) if alone else output, weights)


overload(
    NAME + SIGNATURE,
    "Attention of ``num_heads`` heads for query (L, N, E), key and value (S, N, E), or without N, each projected before and "
    "all together after: the output, and, where ``need_weights``, the shares of the sources (N, L, S). A bool mask holds "
    "where nothing is to be seen; others are added. Vaswani et al., Attention Is All You Need (2017).",
    choose_multi_head,
    method=False,
    homes=("nn.functional",),
)
