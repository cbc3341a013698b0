"""Dropout in its forms: an input times a random mask.

The mask is drawn by an operation of its own, which has no derivative, and the rest is a product. So a derivative of any
order sees the mask that its value saw; vmap draws for every element of the batch; and a traced program holds the draw
itself, so that each replay draws anew.
"""

from math import sqrt

from ..source import warn_user
from .checks import FLOATING
from .sampling import each_element
from .steps import INTERNAL, need_tensors, perform
from .table import KEEP, TABLE, elementwise, op, overload

HOME = {"method": False, "homes": ("nn.functional",)}
ALPHA = 1.7580993408473766  # SELU's scale times its alpha: what SELU tends to at minus infinity, with the sign changed

dropout_mask = op(
    "dropout_mask(input, p, features=False, scaled=True, generator=None)",
    "In the dtype of ``input``, zeros with probability ``p`` and elsewhere ones, or ``1 / (1 - p)`` where ``scaled``: "
    "for each element, or for each channel where ``features``.",
    operands=("input",),
    batch=lambda xp, op, args, batched, size: batch_mask(xp, op, args, batched, size),
    samples=lambda t: [],
    **INTERNAL,
)


def batch_mask(xp, op, args, batched, size):
    """One draw for the whole batch; with features, the batch is taken for part of the samples."""
    input, p, features, scaled, generator = args
    if not features:
        return each_element(xp, op, args, batched, size)
    shape = tuple(input.shape)
    folded = xp.reshape(input, (shape[0] * shape[1], *shape[2:]))
    mask = xp.call(op, (folded, p, features, scaled, generator))
    return xp.reshape(mask, (*shape[:3], *[1] * (len(shape) - 3)))


def check_dropout(name, input, p):
    """Raise PyTorch's error for what cannot be dropped out of."""
    need_tensors(name, input=input)
    if not 0 <= p <= 1:
        raise ValueError(f"dropout probability has to be between 0 and 1, but got {p}")


def check_floating(name, input):
    if input.dtype.category < FLOATING:
        raise RuntimeError(f"{name}: result type Float can't be cast to the desired output type {input.dtype}")


def check_features(name, input):
    if input.ndim < 2:
        raise RuntimeError(
            f"{name}: Feature dropout requires at least 2 dimensions in the input, (N, C, ...), but got {input.ndim}"
        )


def dropped(name, input, p, training, inplace, features=False, alpha=False):
    """The operation that is left to do, and its arguments, once the mask is drawn."""
    if not training or p == 0 or 0 in input.shape:
        return None, input
    if p == 1:
        return TABLE["mul"], (input, perform(TABLE["zeros_like"], input)), inplace
    if features:
        check_features(name, input)
    check_floating(name, input)
    if alpha:
        return keeping_moments(input, p, inplace, features)
    return TABLE["mul"], (input, mask_of(input, p, features, True)), inplace


def mask_of(input, p, features, scaled):
    return perform(dropout_mask, input, p, features, scaled, None)


def keeping_moments(input, p, inplace, features):
    """SELU's dropout: elements fall to ``-ALPHA``, and an affine map keeps mean 0 and variance 1 as they were."""
    scale = 1 / sqrt((ALPHA * ALPHA * p + 1) * (1 - p))
    kept = mask_of(input, p, features, False)
    shift = (kept - 1) * (ALPHA * scale) + ALPHA * scale * p
    kept = kept * scale
    return TABLE["add"], (input.mul_(kept) if inplace else input * kept, shift, 1), inplace


def choose_dropout(input, p, training, inplace):
    check_dropout("dropout", input, p)
    return dropped("dropout", input, p, training, inplace)


overload(
    "dropout(input, p=0.5, training=True, inplace=False)",
    "In training, each element set to zero with probability ``p``, and the others scaled by ``1 / (1 - p)``; else the "
    "input itself.",
    choose_dropout,
    **HOME,
)


def choose_alpha_dropout(input, p, training, inplace):
    check_dropout("alpha_dropout", input, p)
    return dropped("alpha_dropout", input, p, training, inplace, alpha=True)


overload(
    "alpha_dropout(input, p=0.5, training=False, inplace=False)",
    "Dropout that keeps mean 0 and variance 1: in training, elements fall to what SELU tends to at minus infinity.",
    choose_alpha_dropout,
    **HOME,
)


def choose_feature_alpha_dropout(input, p, training, inplace):
    check_dropout("feature_alpha_dropout", input, p)
    return dropped("feature_alpha_dropout", input, p, training, inplace, features=True, alpha=True)


overload(
    "feature_alpha_dropout(input, p=0.5, training=False, inplace=False)",
    "``alpha_dropout`` of whole channels of an input (N, C, ...).",
    choose_feature_alpha_dropout,
    **HOME,
)


def plain(name, doc, **kind):
    """Declare the forms in ``torch``, whose arguments have no defaults: one that makes a tensor, and one that writes."""

    def form(signature, doc, inplace, home):
        def choose(input, p, train):
            need_tensors(name, input=input)
            if not 0 <= p <= 1:
                raise RuntimeError(f"{name}: dropout probability has to be between 0 and 1, but got {p}")
            return dropped(name, input, p, train, inplace, **kind)

        overload(signature, doc, choose, method=False, homes=(home,))

    form(f"{name}_in_torch(input, p, train)", doc, False, f"torch:{name}")
    form(f"{name}_(input, p, train)", f"In-place form of ``torch.{name}``.", True, "torch")


plain("dropout", "Where ``train``, each element set to zero with probability ``p``, and the others scaled.")
plain("alpha_dropout", "Where ``train``, dropout that keeps mean 0 and variance 1.", alpha=True)
plain("feature_dropout", "Where ``train``, dropout of whole channels of an input (N, C, ...).", features=True)
plain("feature_alpha_dropout", "Where ``train``, ``alpha_dropout`` of whole channels.", features=True, alpha=True)

native = elementwise(
    "dropout_by_mask(input, mask, scale)",
    "The input where a mask holds, times ``scale``.",
    vjp={"input": lambda xp, grad, mask, scale: grad * mask * scale},
    jvp={"input": lambda xp, tangent, mask, scale: tangent * mask * scale},
    types=KEEP,
    operands=("input",),
    node="NativeDropoutBackward0",
    samples=lambda t: [((t(2, 3), t.bools(2, 3), 1.5), {}), ((t(), t.bools(), 2.0), {}), ((t(0), t.bools(0), 2.0), {})],
    **INTERNAL,
)


def choose_native_dropout(input, p, train):
    need_tensors("native_dropout", input=input)
    if train is False or not input.numel():
        return None, (input.clone(), perform(TABLE["zeros_like"], input) == 0)
    check_floating("native_dropout", input)
    mask = mask_of(input, p, False, False) != 0
    return None, (perform(native, input, mask, 0.0 if p == 1 else 1 / (1 - p)), mask)


overload(
    "native_dropout(input, p, train)",
    "Dropout and, second, the bool mask that says what was kept; where not ``train``, a copy and a mask of True.",
    choose_native_dropout,
    method=False,
)


def channels(name, dims):
    """Declare dropout of whole channels, each of ``dims`` dimensions."""

    def choose(input, p, training, inplace):
        check_dropout(name, input, p)
        check_dims(name, input, dims)
        if input.ndim == dims + 2 or dims == 2:
            return dropped(name, input, p, training, inplace, features=True)
        found = dropped(name, input.unsqueeze(0), p, training, inplace, features=True)
        if found[0] is None:
            return None, input.unsqueeze(0).squeeze(0)
        step, args, in_place = found
        made = args[0].mul_(args[1]) if in_place else perform(step, *args)
        return None, made.squeeze(0)

    overload(
        f"{name}(input, p=0.5, training=True, inplace=False)",
        f"Dropout of whole channels of an input (N, C, ...) with {dims} dimensions a channel.",
        choose,
        **HOME,
    )


def check_dims(name, input, dims):
    """Refuse or warn of an input that is neither one sample of channels nor a batch of such."""
    if input.ndim in (dims + 1, dims + 2):
        if dims == 2 and input.ndim == 3:
            warn_user(
                "dropout2d: Received a 3D input to dropout2d and assuming that channel-wise 1D dropout behavior is "
                "desired - input is interpreted as shape (N, C, L), where C is the channel dim. Use dropout1d for that."
            )
        return
    message = f"{name}: expected an input of {dims + 1} or {dims + 2} dimensions, but received a {input.ndim}D input."
    if dims == 1:
        raise RuntimeError(
            f"dropout1d: Expected 2D or 3D input, but received a {input.ndim}D input; it drops channels of (N, C, L)"
        )
    warn_user(message)


channels("dropout1d", 1)
channels("dropout2d", 2)
channels("dropout3d", 3)
