"""Attention, composed of the operations that a tape records: two products around a softmax."""

from math import inf, sqrt

from ..dtypes import bool as bool_dtype
from ..dtypes import float32
from .dropout import dropped
from .steps import need_tensors, perform
from .table import overload


def check_attention(query, key, value, attn_mask, is_causal):
    """Raise PyTorch's error for operands that do not go together."""
    need_tensors("scaled_dot_product_attention", query=query, key=key, value=value)
    dtypes = query.dtype, key.dtype, value.dtype
    if len(set(dtypes)) > 1:
        raise RuntimeError(
            "scaled_dot_product_attention: Expected query, key, and value to have the same dtype, but got query.dtype: "
            f"{dtypes[0]} key.dtype: {dtypes[1]} and value.dtype: {dtypes[2]} instead."
        )
    if min(query.ndim, key.ndim, value.ndim) < 2:
        raise RuntimeError(
            "scaled_dot_product_attention: Expected query, key, and value to all be at least 2 dimensional, but got "
            f"query.dim: {query.ndim} key.dim: {key.ndim} and value.dim: {value.ndim} instead."
        )
    if attn_mask is None:
        return
    if attn_mask.dtype not in (bool_dtype, float32, query.dtype) or (
        attn_mask.dtype is float32 and query.dtype.itemsize == 8
    ):
        raise RuntimeError(
            "scaled_dot_product_attention: Expected attn_mask dtype to be bool or float or to match query dtype, but got "
            f"attn_mask.dtype: {attn_mask.dtype} and query.dtype: {query.dtype} instead."
        )
    if is_causal and (query.ndim != 4 or query.shape[-1] != value.shape[-1]):  # PyTorch's fused kernel takes both
        raise RuntimeError(
            "scaled_dot_product_attention: Explicit attn_mask should not be set when is_causal=True; give one of them"
        )


def for_each_query_head(query, key):
    """Key or value heads repeated, for query heads that share them in groups."""
    heads, given = query.shape[-3], key.shape[-3]
    if heads % given:
        raise RuntimeError(
            "scaled_dot_product_attention: Number of heads in key and value must divide the number of heads in query, but "
            f"got {given} and {heads}"
        )
    return key if heads == given else key.repeat_interleave(heads // given, -3)


def masked(scores, mask):
    """Scores with a mask added, or minus infinity where a bool mask does not hold."""
    if mask.dtype is bool_dtype:
        return scores.masked_fill(~mask, -inf)
    return scores + mask.to(scores.dtype)


def shares(scores, has_mask):
    """The softmax of each row of scores; zeros where a row is masked as a whole."""
    if not has_mask:
        return scores.softmax(-1)
    nothing = (scores == -inf).all(-1, True)
    return scores.masked_fill(nothing, 0.0).softmax(-1).masked_fill(nothing, 0.0)


def attend(query, key, value, attn_mask, dropout_p, is_causal, scale):
    """Attention of operands that go together, as steps."""
    scale = 1 / sqrt(query.shape[-1] or 1) if scale is None else scale
    scores = (query * scale).matmul(key.transpose(-2, -1))
    if is_causal:
        scores = masked(scores, query.detach().new_ones(tuple(scores.shape[-2:])).tril() != 0)
    scores = scores if attn_mask is None else masked(scores, attn_mask)
    found = shares(scores, attn_mask is not None)
    if dropout_p > 0:
        step, args, *_ = dropped("scaled_dot_product_attention", found, dropout_p, True, False)
        found = args if step is None else perform(step, *args)
    return found.matmul(value)


def choose_attention(query, key, value, attn_mask, dropout_p, is_causal, scale, enable_gqa):
    check_attention(query, key, value, attn_mask, is_causal)
    if dropout_p > 1:
        raise RuntimeError(f"dropout probability has to be between 0 and 1, but got {dropout_p}")
    if enable_gqa:
        key, value = for_each_query_head(query, key), for_each_query_head(query, value)
    half = query.dtype
    if half.itemsize != 2:
        return None, attend(query, key, value, attn_mask, dropout_p, is_causal, scale)
    query, key, value = (x.to(float32) for x in (query, key, value))
    return None, attend(query, key, value, attn_mask, dropout_p, is_causal, scale).to(half)


overload(
    "scaled_dot_product_attention(query, key, value, attn_mask=None, dropout_p=0.0, is_causal=False, *, scale=None, "
    "enable_gqa=False)",
    "``softmax(scale * query @ key.mT + mask) @ value`` for query (..., L, E), key (..., S, E) and value (..., S, Ev). A bool "
    "mask, or ``is_causal``, says what takes part; a floating one is added; a row masked as a whole gives zeros. ``scale`` "
    "is by default ``1 / sqrt(E)``; with ``enable_gqa`` groups of query heads share the heads of key and value.",
    choose_attention,
    method=False,
    homes=("nn.functional",),
)
