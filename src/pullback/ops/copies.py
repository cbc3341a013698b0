"""Views as copies: for each operation that gives a view, one that gives the same elements memory of their own.

Nothing is declared twice: a copy has its view's signature, rules, checks and samples, and a kernel that copies what the
view's finds. ``unsafe_split`` and its kin share memory as the views do, but are no views to the tape.
"""

from collections.abc import Callable
from typing import Any

from . import checks, complex_numbers, transposition  # noqa: F401  (the views among VIEWS)
from .shape import INTERNAL, expand, form, integer
from .slicing import choose_chunk, choose_narrow, choose_split, split_with_sizes
from .striding import choose_as_strided, layout
from .table import LINEAR, OVERLOADS, TABLE, Op, op, overload

VIEWS = (
    "diagonal", "expand", "permute", "select", "slice", "split_equal", "split_with_sizes", "squeeze", "squeeze_dim",
    "squeeze_dims", "strided", "t", "transpose", "unbind", "unfold", "unsqueeze", "view", "view_as_complex",
    "view_as_real", "view_dtype",
)  # fmt: skip
INHERITED = ("batch", "errors", "jvp", "operands", "outputs", "prepare", "samples", "types", "vjp")
NAMES: dict[str, Any] = {"method": False, "out": True}


def twin_of(view: Op, name: str, node: str, doc: str, **forms: Any) -> Op:
    """Declare an operation that is like a view but for its memory."""
    return op(name + view.signature, doc, node=node, **{field: getattr(view, field) for field in INHERITED}, **forms)


def copying(view: Op) -> Op:
    """Declare a view's copy; it is public where the view is."""
    is_public = (view.function or view.method) and view.name not in OVERLOADS and view is not expand
    forms = NAMES if is_public else INTERNAL
    return twin_of(view, f"{view.name}_copy", f"{view.node}_copy", f"A copy of what :func:`{view.name}` sees.", **forms)


COPIES = {TABLE[name]: copying(TABLE[name]) for name in VIEWS}
alias_copy = op(
    "alias_copy(input)",
    "A copy of the input, through which gradients flow.",
    vjp={"input": lambda xp, grad: grad},
    jvp=LINEAR,
    batch="elementwise",
    node="AliasBackward0_copy",
    **NAMES,
)
op("detach_copy(input)", "A copy of the input, through which no gradient flows.", batch="elementwise", **NAMES)
narrow_copy = twin_of(
    TABLE["slice"], "narrowed_copy", "NarrowCopyBackward0", "A copy of a range along a dimension.", **INTERNAL
)


def as_copy(choose: Callable) -> Callable:
    """A choice among views, as one among their copies."""

    def chosen(*args: Any) -> tuple:
        found, rest = choose(*args)
        return (alias_copy, (rest,)) if found is None else (COPIES[found], rest)

    return chosen


def choose_slice(input: Any, dim: int = 0, start: Any = None, end: Any = None, step: int = 1) -> tuple:
    if not input.ndim:
        raise RuntimeError("slice() cannot be applied to a 0-dim tensor.")
    dim = checks.dim("slice", dim, input.ndim)
    if integer("slice", "step", step) <= 0:
        raise RuntimeError(f"slice step must be positive, but got {step}")
    first, last, _ = slice(start, end).indices(input.shape[dim])
    return TABLE["slice"], (input, dim, first, max(first, last), step)


def choose_equal(input: Any, split_size: int, dim: int = 0) -> tuple:
    return choose_split(input, integer("split_copy", "split_size", split_size), dim)


def choose_view_copy(input: Any, size: Any = None, dtype: Any = None) -> tuple:
    return OVERLOADS["view"].choose(input, size, dtype)


def one_copy(name: str, signature: str, choose: Callable, **forms: Any) -> None:
    form(name + signature, f"A copy of what :func:`{name.removesuffix('_copy')}` sees.", choose, **{**NAMES, **forms})


one_copy("as_strided_copy", "(input, size, stride, storage_offset=None)", as_copy(choose_as_strided))
one_copy("expand_copy", "(input, size, *, implicit=False)", lambda input, size, _: (COPIES[expand], (input, size)))
one_copy("narrow_copy", "(input, dim, start, length)", lambda *a: (narrow_copy, choose_narrow(*a)[1]), method=True)
one_copy("slice_copy", "(input, dim=0, start=None, end=None, step=1)", as_copy(choose_slice))
one_copy("split_copy", "(input, split_size, dim=0)", as_copy(choose_equal))
one_copy("squeeze_copy", "(input, dim=None)", as_copy(OVERLOADS["squeeze"].choose))
one_copy("view_copy", "(input, size=None, *, dtype=None)", as_copy(choose_view_copy))


# -- shared memory that is no view -------------------------------------------------------------------------------------

UNSAFE = {
    TABLE["split_equal"]: twin_of(
        TABLE["split_equal"], "unsafe_split_equal", "UnsafeSplitBackward0", "Parts of one size.", **INTERNAL
    ),
    split_with_sizes: twin_of(
        split_with_sizes,
        "unsafe_split_with_sizes",
        "UnsafeSplitWithSizesBackward0",
        "As :func:`split_with_sizes`, but the parts are no views to the tape: do not write them.",
    ),
}


def choose_unsafe(choose: Callable) -> Callable:
    def chosen(*args: Any) -> tuple:
        found, rest = choose(*args)
        return UNSAFE[found], rest

    return chosen


for name, parameter, choose in (("unsafe_split", "split_size", choose_equal), ("unsafe_chunk", "chunks", choose_chunk)):
    form(
        f"{name}(input, {parameter}, dim=0)",
        f"As :func:`{name.removeprefix('unsafe_')}`, but the parts are no views to the tape: do not write them.",
        choose_unsafe(choose),
    )
overload(
    "slice_inverse(input, src, dim=0, start=None, end=None, step=1)",
    "The memory of a slice, seen as ``src`` lies in its own: the tensor that the slice was taken from.",
    lambda input, src, *_: choose_as_strided(input, *layout(src)[0]),
)
