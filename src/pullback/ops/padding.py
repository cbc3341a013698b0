"""Padding: a border around the last dimensions, of one value or of what the input holds near its edges.

``pad`` is PyTorch's flat tuple: two numbers for the last dimension (before and after), two for the one before it, and so
on. A negative number cuts off. Since dimensions count from the back, a batch dimension in front changes no rule.
"""

from .shape import INTERNAL, form, sizes, trailing
from .table import LINEAR, op

# -- one value ---------------------------------------------------------------------------------------------------------


def checked_pad(op_name, shape, given):
    """The numbers as a tuple of pairs that fit the shape."""
    pad = sizes(op_name, "pad", given)
    if bool in map(type, given):
        raise TypeError(f"{op_name}(): argument 'pad' must be tuple of ints, not of bools")
    if len(pad) % 2:
        raise RuntimeError(f"{op_name}: Padding length must be divisible by 2, got {list(pad)}")
    if len(pad) > 2 * len(shape):
        raise RuntimeError(
            f"{op_name}: Padding length should be less than or equal to two times the input dimension but got padding length "
            f"{len(pad)} and input of dimension {len(shape)}"
        )
    return pad


def prepare_constant(input, pad, value=0):
    pad = checked_pad("constant_pad_nd", input.shape, pad)
    for i, n in enumerate(tuple(input.shape)[::-1][: len(pad) // 2]):
        before, after = pad[2 * i], pad[2 * i + 1]
        if n + before + after < 0 or n + min(before, 0) < 0 or n + min(after, 0) < 0:
            raise RuntimeError(
                f"constant_pad_nd: The input size {n}, plus negative padding {before} and {after}, resulted in a negative "
                f"output size at dimension {input.ndim - 1 - i} of input {list(input.shape)}"
            )
    return input, pad, value


constant_pad_nd = op(
    "constant_pad_nd(input, pad, value=0)",
    "The input with a border of ``value``: ``pad`` holds the widths before and after for the last dimension, then for the "
    "one before it, and so on; negative ones cut off.",
    vjp={"input": lambda xp, grad, pad: xp.constant_pad_nd(grad, tuple(-n for n in pad), 0)},
    jvp={"input": lambda xp, tangent, pad: xp.constant_pad_nd(tangent, pad, 0)},
    batch=trailing,
    operands=("input",),
    method=False,
    prepare=prepare_constant,
    samples=lambda t: [
        ((t(2, 3), (1, 2)), {}),
        ((t(2, 3), (1, 0, 2, 1), 1.5), {}),
        ((t(3, 4), (-1, 2, 0, -2)), {}),
        ((t(2, 3, 2), (0, 0, 1, 1, -1, 0), -2), {}),
        ((t(2, 3), ()), {}),
        ((t(), ()), {}),
        ((t(2, 0), (1, 1)), {}),
        ((t(2, 3), (-1, -2)), {}),
    ],
    errors=lambda t: [
        ((t(2, 3), (1,)), {}, RuntimeError),
        ((t(3), (1, 1, 1, 1)), {}, RuntimeError),
        ((t(2, 3), (-2, -2)), {}, RuntimeError),
        ((t(2, 3), 1), {}, TypeError),
    ],
)


# -- what the input holds ----------------------------------------------------------------------------------------------

extend = op(
    "extend(input, pad, mode)",
    "The input with a border of its own elements: mirrored (``reflect``), the edge's (``replicate``), or those from the "
    "other side (``circular``).",
    vjp={"input": lambda xp, grad, pad, mode: xp.fold_border(grad, pad, mode)},
    jvp=LINEAR,
    batch=trailing,
    operands=("input",),
    samples=lambda t: [((t(2, 4), (2, 1), mode), {}) for mode in ("reflect", "replicate", "circular")],
    **INTERNAL,
)

fold_border = op(
    "fold_border(input, pad, mode)",
    "The input without its border, whose elements are added to those that :func:`extend` took them from.",
    vjp={"input": lambda xp, grad, pad, mode: xp.extend(grad, pad, mode)},
    jvp=LINEAR,
    batch=trailing,
    operands=("input",),
    samples=lambda t: [((t(2, 6), (2, 1), mode), {}) for mode in ("reflect", "replicate", "circular")],
    **INTERNAL,
)


def bordering(name, node, mode, shape, pads):
    """Declare the padding of one mode over so many dims, with the node that PyTorch has for it."""
    words = {"reflect": "mirrored at the edge", "replicate": "of the edge", "circular": "from the other side"}
    return op(
        f"{name}(input, pad)",
        f"The input with a border of its own elements, those {words[mode]}.",
        vjp={"input": lambda xp, grad, pad: xp.fold_border(grad, pad, mode)},
        jvp=LINEAR,
        batch=trailing,
        operands=("input",),
        node=node,
        samples=lambda t: [((t(*shape), pad), {}) for pad in pads],
        **INTERNAL,
    )


LINE = [(1, 2), (0, 0), (-1, 2), (2, -1), (-3, 1), (3, 3)]
PLANE = [(1, 2, 0, 1), (-1, 2, 2, -1)]
SPACE = [(1, 0, 1, 1, 0, 1)]
BORDERS = {
    ("reflect", 1): bordering("reflection_pad1d", "ReflectionPad1DBackward0", "reflect", (2, 4), LINE),
    ("reflect", 2): bordering("reflection_pad2d", "ReflectionPad2DBackward0", "reflect", (2, 3, 4), PLANE),
    ("reflect", 3): bordering("reflection_pad3d", "ReflectionPad3DBackward0", "reflect", (1, 2, 3, 2), SPACE),
    ("replicate", 1): bordering("replication_pad1d", "ReplicationPad1DBackward0", "replicate", (2, 4), [*LINE, (5, 6)]),
    ("replicate", 2): bordering("replication_pad2d", "ReplicationPad2DBackward0", "replicate", (2, 3, 4), PLANE),
    ("replicate", 3): bordering("replication_pad3d", "ReplicationPad3DBackward0", "replicate", (1, 2, 3, 2), SPACE),
}
circular_pad = bordering(
    "circular_pad", None, "circular", (2, 3, 4), [(1, 2), (-1, 2), (4, 0), (1, 2, 2, 1), (0, 3, -1, 2)]
)


def choose_pad(input, pad, mode="constant", value=None):
    if isinstance(value, (str, complex)):
        raise TypeError(f"pad(): argument 'value' must be a real number, not {type(value).__name__}")
    if mode == "constant":
        return constant_pad_nd, (input, checked_pad("pad", input.shape, pad), 0 if value is None else value)
    if value is not None and value != 0:
        raise RuntimeError(f'pad: Padding mode "{mode}" doesn\'t take in value argument')
    if mode not in ("reflect", "replicate", "circular"):
        raise NotImplementedError(f"pad: Unrecognised padding mode {mode}")
    pad = checked_pad("pad", input.shape, pad)
    dims = len(pad) // 2
    if not 1 <= dims <= 3 or input.ndim - dims not in (1, 2):
        raise NotImplementedError(
            f"pad: Padding size {len(pad)} is not supported for {input.ndim}D input tensor. In mode {mode}, two numbers pad "
            "2D or 3D input, four 3D or 4D, six 4D or 5D."
        )
    check_border(input, pad, mode)
    return BORDERS.get((mode, dims), circular_pad), (input, pad)


def check_border(input, pad, mode):
    """Raise PyTorch's error where the input has not enough elements for its border."""
    shape = tuple(input.shape)
    if mode != "circular" and (0 in shape[1:] or (0 in shape and len(shape) - len(pad) // 2 == 1)):
        raise RuntimeError(
            f"pad: Expected a tensor with possibly 0 batch size and other non-zero dimensions for input, but got: {list(shape)}"
        )
    for i in range(len(pad) // 2):
        dim = len(shape) - 1 - i
        n, pair = shape[dim], pad[2 * i : 2 * i + 2]
        if mode == "reflect" and max(pair) >= n:
            raise RuntimeError(
                f"pad: Padding size should be less than the corresponding input dimension, but got: padding {pair} at "
                f"dimension {dim} of input {list(shape)}"
            )
        if mode == "circular" and max(pair) > n + min(*pair, 0):
            raise RuntimeError(
                f"pad: Padding value causes wrapping around more than once: padding {pair} at dimension {dim} of input "
                f"{list(shape)}"
            )
        if n + sum(pair) < (mode != "circular"):
            raise RuntimeError(
                f"pad: input (size {n} at dimension {dim}) is too small. Calculated output size: {n + sum(pair)}"
            )


form(
    'pad(input, pad, mode="constant", value=None)',
    "The input with a border: of ``value``, or of its own elements where ``mode`` is ``reflect``, ``replicate`` or "
    "``circular``. ``pad`` holds the widths before and after for the last dimension, then for the one before it, and so on.",
    choose_pad,
    homes=("nn.functional",),
    method=False,
)
