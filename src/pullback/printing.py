"""How a tensor is shown: `tensor([1.0000, 2.5000], grad_fn=<MulBackward0>)`, letter for letter as PyTorch shows it.

Responsible for text only; works on NumPy arrays. Only the elements that are shown are ever looked at.

Invariant: all numbers of one array are shown alike, so one `_Style` is chosen for them before any is formatted.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np

from . import dtypes

# -- options -----------------------------------------------------------------------------------------------------------

_PROFILES: dict[str, dict[str, Any]] = {
    "default": {"precision": 4, "threshold": 1000, "edgeitems": 3, "linewidth": 80},
    "short": {"precision": 2, "threshold": 1000, "edgeitems": 2, "linewidth": 80},
    "full": {"precision": 4, "threshold": math.inf, "edgeitems": 3, "linewidth": 80},
}
_options: dict[str, Any] = {**_PROFILES["default"], "sci_mode": None}


def set_printoptions(
    precision: int | None = None,
    threshold: float | None = None,
    edgeitems: int | None = None,
    linewidth: int | None = None,
    profile: str | None = None,
    sci_mode: bool | None = None,
) -> None:
    """Change how tensors are shown; what is None stays, but for `sci_mode`, where None means to choose by the numbers.

    `threshold` is the number of elements above which only `edgeitems` at each end of a dim are shown.
    `profile` sets the other four at once: "default", "short" or "full".
    """
    if profile is not None:
        if profile not in _PROFILES:
            raise ValueError(f"set_printoptions: expected a profile of {', '.join(_PROFILES)}, got {profile!r}")
        _options.update(_PROFILES[profile])
    given = {"precision": precision, "threshold": threshold, "edgeitems": edgeitems, "linewidth": linewidth}
    _options.update({name: value for name, value in given.items() if value is not None})
    _options["sci_mode"] = sci_mode


def get_printoptions() -> dict[str, Any]:
    """The options in force, as keyword arguments of `set_printoptions`."""
    return dict(_options)


# -- the whole text ----------------------------------------------------------------------------------------------------


def format_tensor(
    array: np.ndarray,
    dtype: dtypes.dtype,
    *,
    requires_grad: bool = False,
    grad_fn_name: str | None = None,
    tangent: object = None,
    prefix: str = "tensor(",
) -> str:
    """The text that stands for a tensor holding `array`.

    `grad_fn_name` is what made the tensor, as in "MulBackward0"; where there is one, `requires_grad` is not shown.
    `prefix` may have several lines, as in "Parameter containing:\ntensor(".
    """
    indent = len(prefix) - prefix.rfind("\n") - 1
    elements = format_array(array, indent)
    suffixes = []
    if elements == "[...]" or (elements == "[]" and array.ndim != 1):
        suffixes.append(f"size={tuple(array.shape)}")
    if not _is_implied(dtype, has_elements=array.size > 0):
        suffixes.append(f"dtype={dtype}")
    if grad_fn_name is not None:
        suffixes.append(f"grad_fn=<{grad_fn_name}>")
    elif requires_grad:
        suffixes.append("requires_grad=True")
    if tangent is not None:
        suffixes.append(f"tangent={tangent}")
    return _with_suffixes(prefix + elements, suffixes, indent) + ")"


def _is_implied(dtype: dtypes.dtype, has_elements: bool) -> bool:
    """Whether a reader can tell the dtype from the elements."""
    if dtype is dtypes.get_default_dtype():
        return True
    return has_elements and dtype in (dtypes.int64, dtypes.bool, dtypes.default_complex())


def _with_suffixes(text: str, suffixes: list[str], indent: int) -> str:
    """`text` and the suffixes, each of which starts a line of its own where it would pass the line's width."""
    column = len(text) - text.rfind("\n") + 1  # two too many, so that the bracket at the end finds room
    for suffix in suffixes:
        if column + 2 + len(suffix) > _options["linewidth"]:
            text += ",\n" + " " * indent + suffix
            column = indent + len(suffix)
        else:
            text += ", " + suffix
            column += 2 + len(suffix)
    return text


# -- brackets, lines and dots ------------------------------------------------------------------------------------------


def format_array(array: np.ndarray, indent: int = 0) -> str:
    """The bracketed elements alone; lines after the first are indented to stand below the first."""
    if not array.size:
        return "[]"
    abridged = array.ndim > 0 and array.size > _options["threshold"]
    shown = _edges(array) if abridged else array
    if not shown.size:
        return "[...]"
    texts, width = _format_elements(shown.ravel())
    return _Layout(array.shape, shown.shape, width).slice(texts, 0, indent)


def _edges(array: np.ndarray) -> np.ndarray:
    """The elements that an abridged array shows: `edgeitems` from either end of each dim that has more than both."""
    edge = _options["edgeitems"]
    ends = [range(n) if n <= 2 * edge else [*range(edge), *range(n - edge, n)] for n in array.shape]
    return array[np.ix_(*ends)]


class _Layout(NamedTuple):
    """How formatted elements, `width` wide at most, are laid out: dots stand where `shown` is less than `full`."""

    full: tuple[int, ...]
    shown: tuple[int, ...]
    width: int

    def slice(self, texts: list[str], dim: int, indent: int) -> str:
        """The slice at some place in the first `dim` dims, with its elements `texts` in row-major order."""
        if dim == len(self.shown):
            return texts[0]
        if dim == len(self.shown) - 1:
            return self._row(texts, indent)
        step = len(texts) // self.shown[dim]
        parts = [self.slice(texts[i : i + step], dim + 1, indent + 1) for i in range(0, len(texts), step)]
        separator = "," + "\n" * (len(self.shown) - dim - 1) + " " * (indent + 1)
        return "[" + separator.join(self._with_dots(parts, dim, "...")) + "]"

    def _row(self, texts: list[str], indent: int) -> str:
        items = self._with_dots(texts, -1, " ...")
        per_line = max(1, (_options["linewidth"] - indent) // (self.width + 2))
        lines = [", ".join(items[i : i + per_line]) for i in range(0, len(items), per_line)]
        return "[" + (",\n" + " " * (indent + 1)).join(lines) + "]"

    def _with_dots(self, parts: list[str], dim: int, dots: str) -> list[str]:
        if self.shown[dim] == self.full[dim]:
            return parts
        middle = len(parts) // 2
        return [*parts[:middle], dots, *parts[middle:]]


# -- elements ----------------------------------------------------------------------------------------------------------


def _format_elements(flat: np.ndarray) -> tuple[list[str], int]:
    """The texts of all elements, aligned to the right, and the width that line breaks reckon with."""
    if flat.dtype.kind in "biu":
        texts = [str(value) for value in flat.tolist()]
        width = max(map(len, texts))
        return [text.rjust(width) for text in texts], width
    if flat.dtype.kind == "c":
        return _format_complex(flat)
    texts, width = _format_reals(flat)
    return [text.rjust(width) for text in texts], width


def _format_complex(flat: np.ndarray) -> tuple[list[str], int]:
    (reals, real_width), (imags, imag_width) = _format_reals(flat.real), _format_reals(flat.imag)
    signed = [imag if imag[0] == "-" else "+" + imag for imag in imags]
    texts = [f"{real:>{real_width}}{imag}j" for real, imag in zip(reals, signed, strict=True)]
    return texts, real_width + imag_width + 1


def _format_reals(flat: np.ndarray) -> tuple[list[str], int]:
    """Texts in a common style, and the width of the widest that is neither zero, infinite nor NaN, as PyTorch counts."""
    values = flat.astype(np.float64)
    counted = np.isfinite(values) & (values != 0)
    style = _style(values[counted])
    texts = [style % value for value in values.tolist()]
    if style == "%.0f.":
        texts = [text if text[-2].isdigit() else text[:-1] for text in texts]  # no dot after inf and nan
    return texts, max((len(text) for text, counts in zip(texts, counted.tolist(), strict=True) if counts), default=1)


def _style(values: np.ndarray) -> str:
    """The format that suits all of these finite numbers other than zero: whole, scientific, or with decimals."""
    precision = _options["precision"]
    is_whole = bool(np.all(values == np.floor(values)))
    scientific = _options["sci_mode"]
    if scientific is None:
        scientific = values.size > 0 and _needs_exponent(np.abs(values), is_whole)
    if scientific and values.size:
        return f"%.{precision}e"
    return "%.0f." if is_whole else f"%.{precision}f"


def _needs_exponent(magnitudes: np.ndarray, is_whole: bool) -> bool:
    """Whether the numbers are too large, too small or too far apart to be told apart with a few decimals."""
    least, most = magnitudes.min(), magnitudes.max()
    return bool(most / least > 1000 or most > 1e8 or (least < 1e-4 and not is_whole))
