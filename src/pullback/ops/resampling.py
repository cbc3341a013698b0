"""Resampling images to another size: ``interpolate`` and its older names.

Every mode is a linear map along each spatial dim. It and its transpose are two operations, described by an *axis* for each
dim, ``(kind, size, count, scale, align_corners)``, as ``kernels/numpy/resampling.py`` explains. There is an operation for
each mode, for PyTorch has a graph node for each.
"""

from math import floor
from operator import index

from ..dtypes import uint8
from ..source import warn_user
from .checks import FLOATING, flag
from .shape import trailing
from .steps import INTERNAL, need_tensors
from .table import LINEAR, OVERLOADS, op, overload

KINDS = ("nearest", "nearest-exact", "linear", "cubic", "linear-aa", "cubic-aa", "lanczos-aa")


def sample_axes(kind):
    align = kind in ("linear", "cubic", "cubic-aa")
    return [
        ((kind, 4, 7, None, False), (kind, 5, 3, None, False)),
        ((kind, 4, 6, 1.7, False), (kind, 5, 5, None, align)),
        ((kind, 4, 1, None, align), (kind, 5, 2, 0.5, False)),
    ]


op(
    "resample(input, axes)",
    "The images resampled along their last dims.",
    vjp={"input": lambda xp, grad, axes: xp.resample_spread(grad, axes)},
    jvp=LINEAR,
    batch=trailing,
    operands=("input",),
    samples=lambda t: [((t(2, 4, 5), axes), {}) for kind in KINDS for axes in sample_axes(kind)],
    **INTERNAL,
)
op(
    "resample_spread(cotangent, axes)",
    "The transpose of resampling: each element is added, by its weights, to those that it was made of.",
    vjp={"cotangent": lambda xp, grad, axes: xp.resample(grad, axes)},
    jvp=LINEAR,
    batch=trailing,
    operands=("cotangent",),
    samples=lambda t: [
        ((t(2, *[axis[2] for axis in axes]), axes), {}) for kind in KINDS for axes in sample_axes(kind)[:2]
    ],
    **INTERNAL,
)


# The modes by their number of spatial dims: the kind of axis, and the name in PyTorch's node.
MODES = {
    **{("nearest", n): ("nearest", f"Nearest{n}D") for n in (1, 2, 3)},
    **{("nearest-exact", n): ("nearest-exact", f"NearestExact{n}D") for n in (1, 2, 3)},
    ("linear", 1): ("linear", "Linear1D"),
    ("bilinear", 2): ("linear", "Bilinear2D"),
    ("trilinear", 3): ("linear", "Trilinear3D"),
    ("bicubic", 2): ("cubic", "Bicubic2D"),
    ("bilinear-aa", 2): ("linear-aa", "Bilinear2DAa"),
    ("bicubic-aa", 2): ("cubic-aa", "Bicubic2DAa"),
    ("lanczos-aa", 2): ("lanczos-aa", "Lanczos2DAa"),
}


def declare(mode, n, kind, node):
    """Declare resampling in one mode over ``n`` dims, with the node that PyTorch has for it."""
    axis = (kind, 3, 5, None, False)
    return op(
        f"upsample_{node.lower()}(input, axes)",
        f"Images resampled along their last {n} dims, ``{mode}``.",
        vjp={"input": lambda xp, grad, axes: xp.resample_spread(grad, axes)},
        jvp={"input": lambda xp, tangent, axes: xp.resample(tangent, axes)},
        batch=trailing,
        operands=("input",),
        node=f"Upsample{node}Backward0",
        samples=lambda t: [((t(1, 2, *[3] * n), (axis,) * n), {})],
        **INTERNAL,
    )


UPSAMPLERS = {key: declare(*key, *value) for key, value in MODES.items()}


# -- arguments ---------------------------------------------------------------------------------------------------------


def wanted_sizes(input, size, scale_factor, recompute):
    """The sizes that are wanted, and the scale for each dim (or None where the sizes decide it)."""
    spatial = tuple(input.shape[2:])
    if (size is None) == (scale_factor is None):
        raise ValueError(
            "interpolate: "
            + (
                "either size or scale_factor should be defined"
                if size is None
                else "only one of size or scale_factor should be defined"
            )
        )
    if size is not None:
        if recompute:
            raise ValueError("interpolate: recompute_scale_factor is not meaningful with an explicit size.")
        return tuple(as_size(s) for s in per_dim("size", "output size", size, spatial)), (None,) * len(spatial)
    scales = per_dim("scale_factor", "scale_factor", scale_factor, spatial)
    for scale in scales:
        if not isinstance(scale, (int, float)):
            raise TypeError(
                f"interpolate(): argument 'scale_factor' must be float or tuple of floats, not {type(scale).__name__}"
            )
    sizes = tuple((floor if recompute else int)(s * float(scale)) for s, scale in zip(spatial, scales, strict=True))
    return sizes, (None,) * len(spatial) if recompute else tuple(map(float, scales))


def per_dim(argument, words, given, spatial):
    """An argument that is one number, or one for each spatial dim, as a tuple."""
    if not isinstance(given, (tuple, list)):
        return (given,) * len(spatial)
    if len(given) != len(spatial):
        raise ValueError(
            f"interpolate: Input and {argument if argument != 'size' else 'output'} must have the same number of spatial "
            f"dimensions, but got input with spatial dimensions of {list(spatial)} and {words} of {tuple(given)}. Please "
            "provide input tensor in (N, C, d1, d2, ..., dK) format"
        )
    return tuple(given)


def as_size(size):
    if isinstance(size, bool) or not hasattr(size, "__index__"):
        raise TypeError(
            f"interpolate: expected size to be one of int or Tuple[int] or Tuple[int, int] or Tuple[int, int, int], but got a "
            f"{type(size).__name__}"
        )
    return index(size)


def check_mode(input, mode, align_corners, antialias):
    """Raise PyTorch's error for a mode that the input's rank has not, or options that the mode has not."""
    n = input.ndim - 2
    if align_corners is not None and mode in ("nearest", "area", "nearest-exact"):
        raise ValueError(
            "interpolate: align_corners option can only be set with the interpolating modes: linear | bilinear | bicubic | "
            f"trilinear; the mode is {mode}"
        )
    if antialias and not (mode in ("bilinear", "bicubic", "lanczos") and n == 2):
        raise ValueError(
            "interpolate: Anti-alias option is restricted to bilinear, bicubic, and lanczos modes and requires a 4-D tensor "
            f"as input; got mode {mode} and {input.ndim}D input"
        )
    ranks = {"linear": 1, "bilinear": 2, "trilinear": 3}
    if n in (1, 2, 3) and ranks.get(mode, n) != n:
        raise NotImplementedError(
            f"interpolate: Got {input.ndim}D input, but {mode} mode needs {ranks[mode] + 2}D input"
        )
    if n == 2 and mode == "lanczos" and (align_corners or not antialias):
        words = "requires antialias=True" if not antialias else "does not support align_corners=True"
        raise ValueError(f"interpolate: Lanczos mode {words}")
    if n not in (1, 2, 3) or (mode not in ("area", "lanczos") and (mode, n) not in MODES):
        raise NotImplementedError(
            f"interpolate: Input Error: Only 3D, 4D and 5D input Tensors supported (got {input.ndim}D) for the modes: nearest "
            f"| linear | bilinear | bicubic | trilinear | lanczos | area | nearest-exact (got {mode})"
        )


def check_images(input, mode, sizes):
    """Raise PyTorch's error for images that cannot be resampled to these sizes."""
    shape = tuple(input.shape)
    if min(*shape[2:], *sizes) <= 0:
        shown = [
            "(" + ", ".join(f"{d}: {s}" for d, s in zip("DHW"[-len(sizes) :], each, strict=True)) + ")"
            for each in (shape[2:], sizes)
        ]
        raise RuntimeError(
            f"interpolate: Input and output sizes should be greater than 0, but got input {shown[0]} output {shown[1]}"
        )
    if 0 in shape[1:]:
        raise RuntimeError(
            f"interpolate: Non-empty {len(shape)}D data tensor expected but got a tensor with sizes {list(shape)}"
        )
    bytes_too = mode not in ("linear", "trilinear")
    if input.dtype.category != FLOATING and not (bytes_too and input.dtype is uint8):
        raise NotImplementedError(
            f"interpolate: mode {mode} is not implemented for {input.dtype}; expected a floating dtype"
            + (" or uint8" if bytes_too else "")
        )


def effective(kind, spatial, sizes, scales, is_bytes):
    """The scales, with None for those that PyTorch does not look at: of dims that it copies, or doubles."""
    same = [n == count for n, count in zip(spatial, sizes, strict=True)]
    if kind == "nearest" and len(sizes) == 2:
        same = [count in (n, 2 * n) for n, count in zip(spatial, sizes, strict=True)]
    elif not (kind.endswith("-aa") or (is_bytes and kind == "cubic")):
        return scales
    return tuple(None if s else scale for s, scale in zip(same, scales, strict=True))


def choose_interpolate(input, size, scale_factor, mode, align_corners, recompute_scale_factor, antialias):
    need_tensors("interpolate", input=input)
    sizes, scales = wanted_sizes(input, size, scale_factor, recompute_scale_factor or (mode == "area" and size is None))
    check_mode(input, mode, align_corners, antialias)
    if mode == "area":
        return OVERLOADS[f"adaptive_avg_pool{len(sizes)}d"].choose(input, sizes)
    align = False if align_corners is None else align_corners
    flag("interpolate", "align_corners", align)
    check_images(input, mode, sizes)
    key = mode + "-aa" * bool(antialias), len(sizes)
    kind = MODES[key][0]
    scales = effective(kind, tuple(input.shape[2:]), sizes, scales, input.dtype is uint8)
    axes = tuple((kind, *axis, align) for axis in zip(input.shape[2:], sizes, scales, strict=True))
    return UPSAMPLERS[key], (input, axes)


HOME = {"method": False, "homes": ("nn.functional",)}
overload(
    'interpolate(input, size=None, scale_factor=None, mode="nearest", align_corners=None, recompute_scale_factor=None, '
    "antialias=False)",
    "The images (N, C, ...) resampled to another ``size``, or by a ``scale_factor``. ``mode`` is ``nearest``, "
    "``nearest-exact``, ``area``, ``linear``, ``bilinear``, ``trilinear``, ``bicubic`` or ``lanczos``. ``align_corners`` has the "
    "corners' elements, and not the images' edges, in the same places; ``antialias`` averages where images shrink.",
    choose_interpolate,
    **HOME,
)


def older(name, mode, align_corners, instead, extra=""):
    """Declare one of the older names of :func:`interpolate`, which warns."""

    def choose(input, size=None, scale_factor=None, mode=mode, align_corners=align_corners):
        warn_user(f"`nn.functional.{name}` is deprecated. Use `nn.functional.interpolate` instead.")
        return choose_interpolate(input, size, scale_factor, mode, align_corners, None, False)

    overload(
        f"{name}(input, size=None, scale_factor=None{extra})",
        f"``interpolate`` {instead}; deprecated.",
        choose,
        **HOME,
    )


older("upsample", "nearest", None, "under its older name", ', mode="nearest", align_corners=None')
older("upsample_nearest", "nearest", None, "with ``mode='nearest'``")
older("upsample_bilinear", "bilinear", True, "with ``mode='bilinear'`` and ``align_corners=True``")
