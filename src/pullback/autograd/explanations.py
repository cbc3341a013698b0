"""``explain``: in words, why a tensor has no gradient or does not require one."""

from dataclasses import dataclass
from typing import Any

from ..tape.graph import Freed
from ..tape.lines import describe
from ..tape.reasons import no_gradient, no_history
from ..tape.value import CARE, GRAD, Tensor
from ..tape.views import renew


@dataclass(frozen=True)
class Explanation:
    """What :func:`explain` found out; printed, its sentences."""

    requires_grad: bool
    is_leaf: bool
    has_grad: bool
    sentences: tuple[str, ...]

    def __str__(self) -> str:
        return "\n".join(self.sentences)

    __repr__ = __str__


def explain(tensor: Tensor) -> Explanation:
    """Say why a tensor has no ``.grad``, or does not require one, with the lines that decided it.

    Raises:
        TypeError: ``tensor`` is none.

    >>> import pullback as torch
    >>> x = torch.ones(2, requires_grad=True)
    >>> y = x.detach()
    >>> print(torch.autograd.explain((y * 2).sum()))
    It does not require grad: its history ends where detach() was called (...y = x.detach()).
    """
    if not isinstance(tensor, Tensor):
        raise TypeError(f"explain(): argument 'tensor' must be Tensor, not {type(tensor).__name__}")
    if tensor._flags & CARE:
        renew(tensor)
    leaf = tensor._fn is None
    if not tensor._flags & GRAD:
        sentences = [f"It does not require grad: {no_history(tensor)}."]
    else:
        sentences = of_leaf(tensor) if leaf else of_result(tensor)
    if tensor._grad is not None and not tensor._grad._data.any():
        sentences.append("Its .grad is zero in all elements.")
    hooks = [*(tensor._hooks or {}).values()] if leaf else []
    if hooks:
        names = ", ".join(getattr(hook, "__name__", repr(hook)) for hook in hooks)
        sentences.append(f"Hooks that may replace its gradient: {names}.")
    return Explanation(bool(tensor._flags & GRAD), leaf, tensor._grad is not None, tuple(sentences))


def of_leaf(leaf: Any) -> list[str]:
    """Sentences about a leaf that requires grad."""
    since = leaf._why and leaf._why[0] == "requires_grad was set" and describe(leaf._why[1])
    found = [f"It is a leaf, and requires grad{f' since {since}' if since else ''}."]
    if leaf._grad is not None:
        found.append(
            f"Its .grad was accumulated by the backward pass at {describe(leaf._last)}."
            if leaf._last
            else "Its .grad was assigned."
        )
    elif leaf._last:
        found.append(
            f"The backward pass at {describe(leaf._last)} accumulated its .grad, which was set to None after that, as "
            "zero_grad() does."
        )
    else:
        found.append(f"It has no .grad: {no_gradient(leaf)}.")
    return found


def of_result(tensor: Any) -> list[str]:
    """Sentences about what an operation computed and recorded."""
    node = tensor._fn
    found = [f"It is no leaf: {node.name()} computed it ({node.line()})."]
    if tensor._grad is not None:
        found.append(f"It retains its gradient: the backward pass at {describe(tensor._last)} left it in .grad.")
    elif tensor._retains:
        found.append(f"It retains its gradient, and has none: {no_gradient(tensor)}.")
    else:
        found.append("Only leaves keep their gradient: call retain_grad() on it before the backward pass.")
    if type(node.saved) is Freed:
        found.append(
            f"Its graph was freed by the backward pass at {describe(node.saved.place)}; retain_graph=True there would "
            "keep it."
        )
    return found
