"""``torch.autograd.forward_ad``: forward mode by hand. Tensors are given tangents, and operations carry them along.

>>> import pullback as torch
>>> from pullback.autograd import forward_ad
>>> with forward_ad.dual_level():
...     x = forward_ad.make_dual(torch.tensor(3.0), torch.tensor(1.0))
...     forward_ad.unpack_dual(x**2).tangent
tensor(6.)

What the levels do is in ``tape/forward.py``.
"""

from typing import Any, NamedTuple

from ..context import Block, During
from ..interpreters.dual import differentiable
from ..tape import forward
from ..tape.forward import DualLevel
from ..tape.value import Tensor

__all__ = ["UnpackedDualTensor", "dual_level", "enter_dual_level", "exit_dual_level", "make_dual", "unpack_dual"]


class UnpackedDualTensor(NamedTuple):
    """What :func:`unpack_dual` returns: the primal, and its tangent or None."""

    primal: Tensor
    tangent: Tensor | None


def enter_dual_level() -> int:
    """Open a dual level, in the one that is open if there is one, and return its number, from 0."""
    return forward.enter().depth - 1


def exit_dual_level(*, level: int | None = None) -> None:
    """Close the innermost dual level: tensors that have a tangent of it are ordinary tensors from now on.

    Raises:
        RuntimeError: no level is open, or ``level`` is not the innermost.
    """
    stack = forward.stack.get()
    if not stack:
        raise RuntimeError("Dual level must be a positive number: no dual level is open that could be closed.")
    if level is not None and level != stack[-1].depth - 1:
        raise RuntimeError(
            f"Trying to exit a forward AD level that was not the last one that was created: level {level} is not the "
            f"innermost, which is {stack[-1].depth - 1}."
        )
    forward.leave(stack[-1])


class dual_level(Block):
    """Open a dual level for the length of a block, which is given its number. Levels nest, each with its own tangents."""

    level: DualLevel | None = None

    def enter(self) -> int:
        self.level = forward.enter()
        return self.level.depth - 1

    def leave(self) -> None:
        if self.level is not None:
            forward.leave(self.level)


def make_dual(tensor: Tensor, tangent: Tensor, *, level: int | None = None) -> Tensor:
    """A view of ``tensor`` that has a tangent: the derivative of what is computed from it follows along.

    Args:
        tensor: the primal, of a floating or complex dtype.
        tangent: of the same shape, and a floating or complex dtype.
        level: the number of an open dual level; the innermost by default.

    Raises:
        RuntimeError: no dual level is open, the shapes differ, or one of both has a tangent at this level already.
        ValueError: a dtype is neither floating nor complex.
    """
    found = numbered(level)
    if found is None:
        raise RuntimeError(
            "Trying to create a dual Tensor for forward AD but no level exists, make sure to enter_dual_level() first."
        )
    for name, value in (("primal", tensor), ("tangent", tangent)):
        check_part(name, value)
    check_pair(tensor, tangent, found)
    return forward.make_dual(tensor, tangent, found) if forward.is_enabled() else tensor


def unpack_dual(tensor: Tensor, *, level: int | None = None) -> UnpackedDualTensor:
    """The primal of a tensor, as a view, and its tangent; the tangent is None where the tensor has none at this level."""
    if not isinstance(tensor, Tensor):
        raise TypeError(f"unpack_dual(): argument 'dual' (position 1) must be Tensor, not {type(tensor).__name__}")
    found = numbered(level)
    if found is None:
        return UnpackedDualTensor(tensor, None)
    tangent = forward.tangent_at(tensor, found) if forward.is_enabled() else None
    return UnpackedDualTensor(forward.primal_of(tensor, found), tangent)


def numbered(number: int | None) -> DualLevel | None:
    """The open level of a number; the innermost, or None where none is open, by default."""
    stack = forward.stack.get()
    if number is None or number < 0:
        return stack[-1] if stack and number is None else None
    if number >= len(stack):
        raise RuntimeError(f"Invalid level given to _make_dual: {number}, where {len(stack)} levels are open")
    return stack[number]


def check_part(name: str, value: Any) -> None:
    if not isinstance(value, Tensor):
        raise TypeError(f"make_dual(): the {name} must be a Tensor, not {type(value).__name__}")
    if not differentiable(value):
        raise ValueError(f"Expected {name} to be floating point or complex, but got: {value.dtype}")  # type: ignore[attr-defined]


def check_pair(tensor: Any, tangent: Any, level: DualLevel) -> None:
    if tuple(tensor.shape) != tuple(tangent.shape):
        raise RuntimeError(
            "Trying to set a forward gradient that has a different size than that of the original Tensor, this is not "
            f"supported. Tensor is of size {list(tensor.shape)} while the given forward gradient is of size "
            f"{list(tangent.shape)}."
        )
    if forward.tangent_at(tensor, level) is not None:
        raise RuntimeError(
            "Making a dual Tensor based on a Tensor that already has a forward gradient at the same level "
            f"{level.depth - 1} is not supported. Add the tangents first, or open another dual_level()."
        )
    if any(each.depth >= level.depth for each in forward.levels_of(tangent)):
        raise RuntimeError(
            "Setting a forward grad that itself has a forward gradient at the same level "
            f"{level.depth - 1} is not supported. Unpack it first, or open another dual_level()."
        )


def _is_fwd_grad_enabled() -> bool:
    return forward.is_enabled()


def _set_fwd_grad_enabled(mode: bool) -> During:
    """A block in which tangents flow, or are hidden."""
    return forward.below(forward.INFINITY if mode else 0)
