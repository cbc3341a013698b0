"""``rearrange``: reshapes and transpositions written as the names of dimensions before and after (Rogozhnikov, 2022)."""

import re
from collections.abc import Sequence
from math import prod
from typing import Any

from ..tape.value import Tensor
from ..tensor import functions

GROUP = re.compile(r"\(([^()]*)\)|(\.\.\.|\w+)")


def rearrange(tensor: Tensor | Sequence[Tensor], pattern: str, **axes_lengths: int) -> Tensor:
    """Rearrange the dimensions of a tensor as a pattern says, such as ``"b (h w) c -> b c h w"``.

    Args:
        tensor: a tensor, or several of one shape, whose number is then the first dimension.
        pattern: names of dimensions before and after ``->``: parentheses group dimensions that are one in the tensor, ``...``
            stands for any others, ``1`` or ``()`` for one of a single element.
        axes_lengths: sizes by name, of which each group on the left needs all but one.

    Raises:
        ValueError: the pattern is no such, names differ between its sides, or it does not fit the tensor.

    >>> import pullback as torch
    >>> torch.func.rearrange(torch.arange(6), "(a b) -> b a", a=2)
    tensor([[0, 3],
            [1, 4],
            [2, 5]])
    """
    whole: Any = tensor if isinstance(tensor, Tensor) else functions["stack"](list(tensor), 0)
    sides = [groups_of(side) for side in pattern.split("->")]
    check(len(sides) == 2, f"Pattern must contain a single '->' separator, got {pattern!r}")
    extra = [f"...{i}" for i in range(whole.ndim - sum(group != ["..."] for group in sides[0]))]
    left, right = ([name for group in side for name in with_others(group, extra)] for side in sides)
    names, wanted = ([name for group in side for name in group] for side in (left, right))
    for each in (names, wanted):
        check(len(set(each)) == len(each), f"Indexing expression contains duplicate dimension in {each}")
    differing, unknown = sorted({*names} ^ {*wanted}), sorted({*axes_lengths} - {*names})
    check(not differing, f"Identifiers only on one side of rearrange expression (should be on both): {differing}")
    check(not unknown, f"Identifiers not found in rearrange expression: {unknown}")
    fits = f"Number of dimensions in pattern ({len(left)}) must be equal to the number of dimensions in the tensor"
    check(len(left) == whole.ndim, f"{fits} ({whole.ndim})")
    sizes = dict(axes_lengths)
    for group, size in zip(left, whole.shape, strict=True):
        solve(group, size, sizes)
    apart = functions["permute"](whole.reshape([sizes[n] for n in names]), [names.index(n) for n in wanted])
    return apart.reshape([prod(sizes[n] for n in group) for group in right])


def check(holds: bool, message: str) -> None:
    if not holds:
        raise ValueError(message)


def groups_of(side: str) -> list:
    """The names in each dimension on one side of a pattern."""
    rest = GROUP.sub("", side).strip()
    check(not rest, f"rearrange: cannot read {rest!r} in the pattern's side {side.strip()!r}")
    return [[name for name in (inner or single).split() if name != "1"] for inner, single in GROUP.findall(side)]


def with_others(group: list, extra: list) -> list:
    """A dimension, or those that ``...`` stands for; in parentheses it stands for all of them in one."""
    if group == ["..."]:
        return [[name] for name in extra]
    return [[n for name in group for n in (extra if name == "..." else [name])]]


def solve(group: list, size: int, sizes: dict) -> None:
    """Find the size of a dimension's only name without one."""
    unknown = [name for name in group if name not in sizes]
    known = prod(sizes[name] for name in group if name in sizes)
    check(len(unknown) < 2, f"rearrange: cannot infer the sizes of {unknown} at once; give all but one of them")
    fits = bool(known) and size % known == 0 if unknown else size == known
    check(fits, f"rearrange: a dimension of size {size} does not fit ({' '.join(group)}) with {sizes}")
    sizes.update(dict.fromkeys(unknown, size // known))
